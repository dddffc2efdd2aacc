"""A DB-API driver over SQLite that raises what it is told to, where it is told to, and its SQLAlchemy dialect."""

from __future__ import annotations

import sqlite3
import sys
from sqlite3 import (  # noqa: F401 - what a DB-API module has
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    sqlite_version_info,
)
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"

PLACES = ("connect", "cursor", "execute", "description", "fetch", "commit", "close")
"""Where it can fail."""


class Fault:
    """What is raised next, and where: the first call there raises, and those after it."""

    place: str = ""
    memory: str = ""
    """The database, in memory, that all connections share."""

    error: BaseException = Error()

    @classmethod
    def at(cls, place: str) -> None:
        if cls.place == place:
            raise cls.error


class Cursor:
    def __init__(self, real: sqlite3.Cursor) -> None:
        Fault.at("cursor")
        self._real = real
        self.arraysize = 1

    @property
    def description(self) -> Any:
        Fault.at("description")
        return self._real.description

    def execute(self, sql: str, values: Any = ()) -> Cursor:
        Fault.at("execute")
        self._real.execute(sql, values)
        return self

    def executemany(self, sql: str, values: Any) -> Cursor:
        Fault.at("execute")
        self._real.executemany(sql, values)
        return self

    def fetchone(self) -> Any:
        Fault.at("fetch")
        return self._real.fetchone()

    def fetchmany(self, size: int | None = None) -> Any:
        Fault.at("fetch")
        return self._real.fetchmany(size or 1)

    def fetchall(self) -> Any:
        Fault.at("fetch")
        return self._real.fetchall()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Connection:
    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real
        self.closes = True

    def cursor(self, *_: Any) -> Cursor:
        return Cursor(self._real.cursor())

    def commit(self) -> None:
        Fault.at("commit")
        self._real.commit()

    def close(self) -> None:
        self._real.close()
        Fault.at("close")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def connect(*_: Any, **__: Any) -> Connection:
    """Connect to the database in memory."""
    Fault.at("connect")
    real = sqlite3.connect(Fault.memory, uri=True, check_same_thread=False)
    return Connection(real)


class Dialect(SQLiteDialect_pysqlite):
    """SQLite's dialect over this driver."""

    driver = "faulty"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        return sys.modules[__name__]

    def create_connect_args(self, url: Any) -> Any:
        return [], {"password": url.password}

    def on_connect(self) -> None:
        return None

    @classmethod
    def get_pool_class(cls, _url: Any) -> Any:
        from sqlalchemy.pool import NullPool

        return NullPool


for name in ("faulty", "postgresql.faulty"):
    registry.register(name, __name__, Dialect.__name__)

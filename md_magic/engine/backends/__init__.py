"""The kinds of databases, one class each. Only this package asks which kind a database is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy
from duckdb import DuckDBPyConnection  # by its name: in here `duckdb` is the module beside this one

from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.duckdb.backend import DuckDBBackend
from md_magic.engine.backends.hive.backend import HiveBackend
from md_magic.engine.backends.motherduck.backend import MotherDuckBackend
from md_magic.engine.backends.mysql.backend import MariaDBBackend, MySQLBackend
from md_magic.engine.backends.other import OtherBackend, RedshiftBackend, SQLServerBackend, TrinoBackend
from md_magic.engine.backends.postgresql.backend import PostgreSQLBackend
from md_magic.engine.backends.sqlite import SQLiteBackend

if TYPE_CHECKING:
    from md_magic.sql.target import Target

__all__ = ["Backend", "dialect_of", "of", "of_dialect"]

_BY_DIALECT: dict[str, type[Backend]] = {
    "duckdb": DuckDBBackend,
    "hive": HiveBackend,
    "mariadb": MariaDBBackend,
    "mssql": SQLServerBackend,
    "mysql": MySQLBackend,
    "postgresql": PostgreSQLBackend,
    "redshift": RedshiftBackend,
    "sqlite": SQLiteBackend,
    "trino": TrinoBackend,
}
"""By SQLAlchemy's dialect name; all other dialects get `OtherBackend`."""


def of(target: Target) -> type[Backend]:
    """Return the class that opens *target*."""
    return MotherDuckBackend if MotherDuckBackend.is_meant(target) else of_dialect(target.dialect)


def of_dialect(dialect: str) -> type[Backend]:
    """Return the class for SQLAlchemy's *dialect*."""
    return _BY_DIALECT.get(dialect, OtherBackend)


def dialect_of(value: object) -> str | None:
    """Return SQLAlchemy's dialect name for *value*, a connection of the user's; `None` if it is no connection."""
    if isinstance(value, sqlalchemy.Engine):
        return value.dialect.name
    return "duckdb" if isinstance(value, DuckDBPyConnection) else None

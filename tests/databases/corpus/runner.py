"""The differential runner for servers and SQLite: a cell, and the driver itself, each on a database of its own.

The invariant: both databases have the same content, and both connections commit each statement by itself, so whatever
differs is ours.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
import shutil
import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import psycopg
import pymysql

from md_magic.engine.results.batches import unique_names
from md_magic.errors import MdMagicError
from tests.databases.corpus import mariadb, postgresql, sqlite
from tests.transparency import runner as transparency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_READS = frozenset(["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "SELEC", "--", "#", "DESCRIBE", "DESC", "EXPLAIN"])
"""First words of statements that leave the database as it is, unless there is one of `_CHANGES` among the others."""

_CHANGES = frozenset(["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE"])
"""Words of statements that change rows, and nothing else."""

_LIGHT = (
    _READS
    | _CHANGES
    | frozenset(
        ["BEGIN", "START", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "END", "DO", "NOTIFY", "VACUUM", "ANALYZE"]
    )
)
"""First words of statements after which new rows make the database what it was."""


@dataclasses.dataclass(slots=True)
class Theirs:
    """What the driver gave."""

    columns: list[str] | None = None
    """Names; `None` for a statement without rows."""

    rows: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)
    count: int = -1
    error: str | None = None


class Side:
    """How one kind of database is made, emptied and asked without md_magic."""

    setup: Sequence[str]
    statements: Sequence[str | Sequence[str]]
    tables: Sequence[str] = ("t", "uq")

    def __init__(self, server: str, folder: Path) -> None:
        """Use the databases of *server*, or files in *folder*."""
        self.server, self.folder = server, folder

    def fresh(self, name: str) -> None:
        """Make the database *name* anew."""
        raise NotImplementedError

    def refill(self, name: str) -> None:
        """Give the tables of the database *name* the rows that they had."""
        connection = self.connect(name)
        cursor = connection.cursor()
        for table in self.tables:
            cursor.execute(f"DELETE FROM {table}")
        for sql in self.setup:
            if sql.startswith("INSERT INTO t "):
                cursor.execute(sql)
        cursor.close()
        connection.close()

    def connect(self, name: str) -> Any:
        """Return a connection of the driver to the database *name*, in autocommit."""
        raise NotImplementedError

    def uri(self, name: str) -> str:
        """Return the URI of the database *name*."""
        raise NotImplementedError

    @property
    def _url(self) -> Any:
        return urlsplit(self.server)


class PostgreSQL(Side):
    setup, statements = postgresql.SETUP, postgresql.STATEMENTS

    def fresh(self, name: str) -> None:
        with self.connect("postgres") as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {name}")
        with self.connect(name) as connection:
            connection.execute("DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS q CASCADE; CREATE SCHEMA public")
            for sql in self.setup:
                connection.execute(sql)

    def connect(self, name: str) -> Any:
        password = unquote(self._url.password)
        return psycopg.connect(
            host="127.0.0.1", port=self._url.port, user="admin", password=password, dbname=name, autocommit=True
        )

    def uri(self, name: str) -> str:
        return f"postgresql+psycopg:{self.server.rpartition('/')[0]}/{name}"


class MariaDB(Side):
    setup, statements = mariadb.SETUP, mariadb.STATEMENTS

    def fresh(self, name: str) -> None:
        connection = self.connect("mysql")
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            cursor.execute(f"USE {name}")
            for sql in self.setup:
                cursor.execute(sql)
        connection.close()

    def connect(self, name: str) -> Any:
        password = unquote(self._url.password)
        return pymysql.connect(
            host="127.0.0.1",
            port=self._url.port,
            user="admin",
            password=password,
            database=name,
            autocommit=True,
            ssl_disabled=True,  # or each connection reads the system's certificates: half of the time of the corpus
        )

    def uri(self, name: str) -> str:
        return f"mysql+pymysql:{self.server.rpartition('/')[0]}/{name}"


class SQLite(Side):
    setup, statements = sqlite.SETUP, sqlite.STATEMENTS

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.db"

    def fresh(self, name: str) -> None:
        template = self._path("template")
        if not template.exists():
            connection = self.connect("template")
            for sql in self.setup:
                connection.execute(sql)
            connection.close()
        for leftover in self.folder.glob(f"{name}.db-*"):
            leftover.unlink()
        shutil.copyfile(template, self._path(name))

    def connect(self, name: str) -> Any:
        return sqlite3.connect(self._path(name), isolation_level=None)

    def uri(self, name: str) -> str:
        return f"sqlite:///{self._path(name)}"


_BARE = str.maketrans("{}", "[]", " '")
"""Python and PostgreSQL write one value with other brackets, and with blanks and quotes."""

SIDES: dict[str, type[Side]] = {"postgresql": PostgreSQL, "mariadb": MariaDB, "sqlite": SQLite}
OURS, THEIRS = "corpus_1", "corpus_2"


class Pair:
    """The shell with `%%mdsql` on one database, and the driver on another."""

    def __init__(self, side: Side, variables: Mapping[str, Any]) -> None:
        """Make both databases; the notebook has *variables*."""
        self.side = side
        self.shell = transparency._shell()
        self.shell.user_ns.update(variables)
        self._theirs: Any = None
        self.is_fresh = self.is_open = False

    def close(self) -> None:
        """Close both sides."""
        if self._theirs is not None:
            self._theirs.close()
        self._cell("%mdsql --close-all")
        self.is_fresh = self.is_open = False

    def refresh(self) -> None:
        """Make both databases what they were at first: by new rows where that is enough, else anew."""
        if self.is_fresh:
            return
        if self.is_open:
            for name in (OURS, THEIRS):
                self.side.refill(name)
            self.is_fresh = True
            return
        self.close()
        for name in (OURS, THEIRS):
            self.side.fresh(name)
        self._theirs = self.side.connect(THEIRS)
        assert self._cell(f"%mdsql {self.side.uri(OURS)}").error is None
        self.is_fresh = self.is_open = True

    def difference(self, statements: Sequence[str]) -> str | None:
        """Run *statements* on both sides; return what differs."""
        self.refresh()
        firsts = {sql.split(None, 1)[0].strip("(").upper() or "SELECT" for sql in statements}
        words = set(re.findall(r"[A-Z]+", " ".join(statements).replace("FOR UPDATE", "").upper()))
        reads = firsts <= _READS and not words & (_CHANGES | {"NEXTVAL"})
        self.is_fresh = reads
        self.is_open = firsts <= _LIGHT and not words & {"DECLARE", "PREPARE", "FUNCTION", "SET", "RESET"} - _CHANGES
        theirs = self._run_theirs(statements)
        sql = ";\n".join(statements)
        ours = self._cell(f"%%mdsql --as dict\n{sql}")
        differs = self._compared(theirs, ours, statements[-1])
        if differs is None and reads and theirs.error is None:
            differs = _difference_of_frames(theirs, self._cell(f"%%mdsql\n{sql}"))
        return differs or (None if reads else self._difference_of_state())

    def _cell(self, source: str) -> transparency.Result:
        with transparency._captured() as printed:
            done = self.shell.run_cell(source, store_history=False)
        return transparency.Result(done.result, done.error_before_exec or done.error_in_exec, printed.getvalue())

    def _run_theirs(self, statements: Sequence[str]) -> Theirs:
        """Run *statements* with the driver, and give what it gives as if its database had the name of ours."""
        cursor = self._theirs.cursor()
        try:
            for sql in statements:
                result = _driver(cursor, sql)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises is the expectation
            return Theirs(error=str(error.args[-1]) if isinstance(error, pymysql.Error) else str(error))
        finally:
            cursor.close()
        result.rows = [tuple(map(_named, row)) for row in result.rows]
        result.columns = list(map(_named, result.columns)) if result.columns is not None else None
        return result

    def _compared(self, theirs: Theirs, ours: transparency.Result, last: str) -> str | None:
        if theirs.error is not None or ours.error is not None:
            return _difference_of_errors(theirs, ours)
        if theirs.columns is None or ours.frame is None:
            if (theirs.columns is None) != (ours.frame is None):
                return f"rows: theirs {theirs.columns}, ours {ours.frame}"
            counted = last.split(None, 1)[0].upper() in _CHANGES - {"TRUNCATE"}
            said = f"{theirs.count:,} row"
            return (
                f"the count: theirs {theirs.count}, ours {ours.printed!r}"
                if counted and said not in ours.printed
                else None
            )
        names = unique_names(theirs.columns, exact=True)
        if list(ours.frame) != names:
            return f"names: theirs {names}, ours {list(ours.frame)}"
        columns = [list(column) for column in zip(*theirs.rows, strict=True)] or [[] for _ in names]
        for name, expected, got in zip(names, columns, ours.frame.values(), strict=True):
            if len(expected) != len(got):
                return f"{name}: theirs has {len(expected)} rows, ours {len(got)}"
            for one, other in zip(expected, got, strict=True):
                if not _is_equal(one, other):
                    return f"{name}: theirs {one!r}, ours {other!r}"
        return None

    def _difference_of_state(self) -> str | None:
        """Return what another connection sees differently in the two databases."""
        states = []
        for name in (OURS, THEIRS):
            connection = self.side.connect(name)
            states.append({table: _content(connection, table) for table in (*self.side.tables, "q", "seen")})
            connection.close()
        return next(
            (
                f"{table} after it: theirs {states[1][table]}, ours {states[0][table]}"
                for table in states[0]
                if states[0][table] != states[1][table]
            ),
            None,
        )


def _named(value: Any) -> Any:
    """Return *value* with the name of our database in place of theirs."""
    if isinstance(value, bytes):
        return value.replace(THEIRS.encode(), OURS.encode())
    return value.replace(THEIRS, OURS) if isinstance(value, str) else value


def _driver(cursor: Any, sql: str) -> Theirs:
    cursor.execute(sql)
    if cursor.description is None:
        return Theirs(count=cursor.rowcount)
    return Theirs([column[0] for column in cursor.description], list(cursor.fetchall()))


def _content(connection: Any, table: str) -> str:
    cursor = connection.cursor()
    try:
        result = _driver(cursor, f"SELECT * FROM {table}")
    except Exception as error:  # noqa: BLE001 - a table that is not there
        return type(error).__name__
    return f"{result.columns} {sorted(map(repr, result.rows))}"


def _difference_of_errors(theirs: Theirs, ours: transparency.Result) -> str | None:
    if theirs.error is None:
        return f"only ours fails: {type(ours.error).__name__}: {ours.error}"
    if ours.error is None:
        return f"only theirs fails: {theirs.error}"
    if not isinstance(ours.error, MdMagicError):
        return f"no error of ours: {ours.error!r}"
    first = theirs.error.replace(THEIRS, OURS).splitlines()[0].strip()
    return None if first in str(ours.error) else f"theirs {theirs.error!r}, ours {str(ours.error)!r}"


def _is_equal(one: Any, other: Any) -> bool:
    """Whether two Python values are the same, and of one type."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, bytes) and isinstance(other, int):  # MariaDB's BIT, which is a number here
        return int.from_bytes(one) == other
    return (type(one) is type(other) and one == other) or _is_written(one, other)


def _is_written(value: Any, other: Any) -> bool:
    """Whether *other* is the database's own text of *value*, for which there is no type but one of the driver's."""
    plain = isinstance(value, str | bytes | int | float | Decimal | dt.date | dt.time | dt.timedelta | None)
    return not plain and isinstance(other, str) and str(value).translate(_BARE) == other.translate(_BARE)


def _difference_of_frames(theirs: Theirs, ours: transparency.Result) -> str | None:
    if ours.error is not None:
        return f"as a frame, only ours fails: {ours.error}"
    frame, names = ours.frame, unique_names(theirs.columns or [], exact=True)
    if not isinstance(frame, pd.DataFrame):
        return None if theirs.columns is None else f"no frame: {frame!r}"
    if list(frame.columns) != names or (names and len(frame) != len(theirs.rows)):
        return f"the frame has {list(frame.columns)} and {len(frame)} rows, theirs {names} and {len(theirs.rows)}"
    for at, name in enumerate(names):
        for row, got in zip(theirs.rows, frame.iloc[:, at], strict=True):
            if not _is_alike(row[at], got):
                return f"{name} in the frame ({frame.dtypes.iloc[at]}): theirs {row[at]!r}, ours {got!r}"
    return None


def _is_alike(value: Any, got: Any) -> bool:
    """Whether *got*, of a DataFrame, is what the driver's *value* is in it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return got is None or bool(pd.isna(got))
    if _is_written(value, got):
        return True
    if isinstance(value, list | dict | tuple) or type(value) is type(got):
        return bool(value == (list(got) if isinstance(value, list) else got))
    if isinstance(value, bool):
        return bool(got == value)
    if isinstance(value, int | float | Decimal):
        return bool(float(got) == float(value)) if isinstance(value, float | Decimal) else bool(int(got) == value)
    if isinstance(value, bytes) and isinstance(got, np.integer):  # see `_is_equal`
        return bool(int.from_bytes(value) == got)
    if isinstance(value, dt.date):
        return bool(pd.Timestamp(got) == pd.Timestamp(value))
    if isinstance(value, dt.timedelta):
        return bool(pd.Timedelta(got) == value)
    return bool(got == value) or str(got) == str(value)

"""The catalogue of an open database level by level, for a tree that is opened lazily.

DuckDB answers on a cursor of its own, so the notebook's open result, transaction and `USE` are never touched, and
nothing waits for a running query. Only what a cursor cannot see, temporary and uncommitted objects, is asked of the
notebook's connection, at moments when nothing runs there. Another database has one connection: it answers, or is busy.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from md_magic import dbapi
from md_magic.auth import scrub
from md_magic.errors import MdMagicError, StatementError
from md_magic.statement import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.engines import Database

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which a preview or a count is cancelled."""

FOUND = 200
"""How many matches a search gives at most."""

_FRESH = 1.0
_TYPING = 5.0
"""Seconds for which the list of tables serves a level that is opened, and letters typed into a search."""

_ROWS = 20
_WIDTH = 200
"""Rows of a preview, and characters of each of its values."""

_BUSY = "A cell is running: temporary and uncommitted objects are not shown."

_DATABASES = """
SELECT database_name, type, coalesce(comment, ''), database_name = current_database()
FROM duckdb_databases() WHERE NOT internal OR (database_name = 'temp' AND $temporary) ORDER BY 1
"""
_SCHEMAS = """
SELECT schema_name FROM duckdb_schemas()
WHERE database_name = $d AND schema_name NOT IN ('information_schema', 'pg_catalog') ORDER BY 1
"""
_TABLES = """
SELECT database_name, schema_name, table_name, 'table', estimated_size, coalesce(comment, '')
FROM duckdb_tables() WHERE NOT internal
UNION ALL SELECT database_name, schema_name, view_name, 'view', NULL, coalesce(comment, '')
FROM duckdb_views() WHERE NOT internal
ORDER BY ALL
"""
_COLUMNS = """
SELECT column_name, data_type, coalesce(comment, '') FROM duckdb_columns()
WHERE database_name = $d AND schema_name = $s AND table_name = $t ORDER BY column_index
"""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the tree."""

    kind: str
    """`database`, `share`, `schema`, `table`, `view` or `column`."""

    path: Path
    """Database, schema, table and column, as far as they are known; a database without levels has fewer."""

    note: str = ""
    """What stands behind the name: a type, an estimated number of rows, a comment."""

    opens: bool = True
    """Whether there is a level below."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries of one level or one search."""

    entries: tuple[Entry, ...]
    total: int
    """How many there are, of which *entries* may be the first."""

    warning: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a table, as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(eq=False)
class Explorer:
    """Answers what a tree of *database* asks, from any thread."""

    database: Database
    _tables: list[tuple[Any, ...]] | None = field(default=None, init=False, repr=False)
    _asked: float = field(default=0.0, init=False, repr=False)
    _warning: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the cursor now, while nothing runs."""
        self._lock = threading.RLock()
        native = self.database.dbapi.native if self.database.dbapi else None
        self._cursor = dbapi.without_progress_bar(native.cursor()) if native else None

    @property
    def name(self) -> str:
        """Whose catalogue it is."""
        return self.database.target.name

    def close(self) -> None:
        """Close the cursor, and stop what runs on it."""
        if self._cursor is not None:
            with contextlib.suppress(duckdb.Error):  # it is closed with its connection
                self._cursor.interrupt()
            with self._lock:
                self._cursor.close()

    def refresh(self) -> None:
        """Forget what is known: the next question asks the database."""
        self._tables = None

    def children(self, path: Path) -> Listing:
        """Return the level below *path*; that of `()` are the databases. Raises `StatementError`."""
        with self._asking():
            found = self._duckdb_level(path) if self._cursor else self._other_level(path)
            return Listing(tuple(found), len(found), self._warning)

    def search(self, text: str) -> Listing:
        """Return tables and views with *text* in their name, or, where it has a dot, in their path; case is ignored."""
        with self._asking():
            wanted = text.casefold()
            start = 0 if "." in wanted else -1
            found = [row for row in self._known() if wanted in (".".join(row[:3]) if start == 0 else row[2]).casefold()]
            found.sort(key=lambda row: not row[2].casefold().startswith(wanted))
            return Listing(tuple(_table(row) for row in found[:FOUND]), len(found), self._warning)

    def preview(self, path: Path) -> Sample:
        """Return the first rows of the table at *path*. Raises `StatementError`, also where it takes too long."""
        with self._asking():
            if self._cursor is None:
                *schema, name = path
                table = sqlalchemy.table(name, schema=schema[0] or None)
                query = sqlalchemy.select(sqlalchemy.text("*")).select_from(table).limit(_ROWS)
                result = self.database.connection.execute(query)
                return self._sample(list(result.keys()), result.fetchall())
            with self._seeing(path) as connection:
                connection.execute(f"SELECT * FROM {identifier(*path)} LIMIT {_ROWS}")  # noqa: S608 - quoted
                columns = [column[0] for column in connection.description or []]
                return self._sample(columns, connection.fetchall())

    def count(self, path: Path) -> int:
        """Return how many rows the table at *path* has. Raises as `preview`."""
        with self._asking():
            if self._cursor is None:
                *schema, name = path
                table = sqlalchemy.table(name, schema=schema[0] or None)
                query = sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
                return int(self.database.connection.execute(query).scalar() or 0)
            with self._seeing(path) as connection:
                [number] = connection.execute(f"SELECT count(*) FROM {identifier(*path)}").fetchone() or (0,)  # noqa: S608
                return int(number)

    # ---- levels -----------------------------------------------------------------------------------------------------

    def _duckdb_level(self, path: Path) -> list[Entry]:
        if not path:
            return self._databases()
        if len(path) == 1:
            rows = self._rows(_SCHEMAS, {"d": path[0]})
            return [Entry("schema", (*path, name)) for (name,) in rows]
        if len(path) == 2:  # noqa: PLR2004 - a database and a schema
            return [_table(row) for row in self._known(_FRESH) if row[:2] == path]
        d, s, t = path[:3]
        rows = self._rows(_COLUMNS, {"d": d, "s": s, "t": t})
        return [Entry("column", (*path, name), _joined(kind, comment), opens=False) for name, kind, comment in rows]

    def _databases(self) -> list[Entry]:
        rows = self._rows(_DATABASES, {"temporary": bool(self.database.temporary)})
        kinds = self._motherduck()
        found = [
            Entry("share" if "share" in kinds.get(name, kind) else "database", (name,), _joined(kind, comment, here))
            for name, kind, comment, here in ((n, k, c, "current" if is_here else "") for n, k, c, is_here in rows)
        ]
        attached = {entry.path[0] for entry in found}
        for name, kind in kinds.items():
            if name not in attached:
                shared = "share" if "share" in kind else "database"
                found.append(Entry(shared, (name,), "not attached", opens=False))
        return found

    def _motherduck(self) -> dict[str, str]:
        """Return what MotherDuck says of the account's databases, by name; nothing where it does not say it so."""
        if not self.database.target.is_motherduck or self._cursor is None:
            return {}
        try:
            result = self._cursor.execute("FROM MD_ALL_DATABASES()")
            names = [column[0] for column in result.description or []]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
            return {str(row["alias"]): str(row["type"]).lower() for row in rows if row["alias"]}
        except (duckdb.Error, KeyError):
            logger.debug("MD_ALL_DATABASES() does not answer", exc_info=True)
            return {}

    def _known(self, age: float = _TYPING) -> list[tuple[Any, ...]]:
        """Return every table and view, as of at most *age* seconds ago: to list 10,000 takes DuckDB 0.3 s."""
        if time.monotonic() - self._asked > age:
            self.refresh()
        if self._tables is None:
            self._tables = self._listed()
            self._asked = time.monotonic()
        return self._tables

    def _listed(self) -> list[tuple[Any, ...]]:
        if self._cursor is not None:
            return self._rows(_TABLES)
        inspector = sqlalchemy.inspect(self.database.connection)
        return [
            ("", schema, name, kind, None, "")
            for schema in inspector.get_schema_names()
            for kind, names in (("table", inspector.get_table_names(schema)), ("view", _views(inspector, schema)))
            for name in sorted(names)
        ]

    def _other_level(self, path: Path) -> list[Entry]:
        inspector = sqlalchemy.inspect(self.database.connection)
        if not path:
            return [Entry("schema", (name,)) for name in inspector.get_schema_names()]
        if len(path) == 1:
            return [_table(row) for row in self._known(_FRESH) if row[1] == path[0]]
        columns = inspector.get_columns(path[1], path[0] or None)
        return [
            Entry("column", (*path, column["name"]), _joined(str(column["type"]), column.get("comment")), opens=False)
            for column in columns
        ]

    # ---- asking -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """One question at a time; another database than DuckDB is asked only while no cell runs there."""
        lent = self._cursor is None
        with self._lock:
            if lent and not self.database.lock.acquire(blocking=False):
                message = "A cell is running on this connection, which is the only one. Try again when it is done."
                raise StatementError(message)
            try:
                yield
            except MdMagicError:
                raise
            except duckdb.InterruptException:
                message = f"It took longer than {PATIENCE:.0f} seconds and was cancelled."
                raise StatementError(message) from None
            except (duckdb.Error, SQLAlchemyError, RuntimeError) as error:
                message = scrub(str(getattr(error, "orig", None) or error), self.database.secrets)
                raise StatementError(message) from None
            finally:
                if lent:
                    self.database.lock.release()

    def _rows(self, sql: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Ask the catalogue, where what is temporary or uncommitted is seen, if that can be had without waiting."""
        self._warning = ""
        if self._is_private:
            if self.database.lock.acquire(blocking=False):
                try:
                    return self._main.execute(sql, values or {}).fetchall()
                except duckdb.TransactionException:
                    self._warning = (
                        "The open transaction failed and waits for its ROLLBACK: this is what was committed."
                    )
                finally:
                    self.database.lock.release()
            else:
                self._warning = _BUSY
        assert self._cursor is not None  # noqa: S101 - only DuckDB's levels come here
        return self._cursor.execute(sql, values or {}).fetchall()

    @contextlib.contextmanager
    def _seeing(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the connection that reads the table at *path*, and cancel what takes too long."""
        assert self._cursor is not None  # noqa: S101 - only DuckDB's tables come here
        main = path[0] == "temp" and self._is_private
        if main and (self.database.in_transaction or not self.database.lock.acquire(blocking=False)):
            message = "Only the notebook's connection sees temporary tables, and it is busy or in a transaction."
            raise StatementError(message)
        connection = self._main if main else self._cursor
        timer = threading.Timer(PATIENCE, connection.interrupt)
        timer.start()
        try:
            yield connection
        finally:
            timer.cancel()
            if main:
                self.database.lock.release()

    @property
    def _is_private(self) -> bool:
        """Whether the notebook's connection sees more. The user's own may have a result open, and is left alone."""
        return not self.database.target.variable and bool(self.database.temporary or self.database.in_transaction)

    @property
    def _main(self) -> duckdb.DuckDBPyConnection:
        assert self.database.dbapi is not None  # noqa: S101 - it is DuckDB's
        return self.database.dbapi.native

    def _sample(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sample:
        return Sample(tuple(columns), tuple(tuple(self._shown(value) for value in row) for row in rows))

    def _shown(self, value: object) -> str | None:
        if value is None:
            return None
        text = scrub(str(value), self.database.secrets)
        return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _table(row: tuple[Any, ...]) -> Entry:
    database, schema, name, kind, rows, comment = row
    path = (database, schema, name) if database else (schema, name)
    return Entry(kind, path, _joined("" if rows is None else f"~{rows:,} rows", comment))


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)


def _views(inspector: Any, schema: str) -> list[str]:  # noqa: ANN401 - SQLAlchemy's
    try:
        return list(inspector.get_view_names(schema))
    except (NotImplementedError, SQLAlchemyError):
        return []

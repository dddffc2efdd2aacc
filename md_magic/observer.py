"""Watching what an open target holds, without getting in the way: `names.Names`, taken in the background.

The invariants: nothing is read before somebody types, so that a notebook that is only run has no query but its own; a
key press waits at most `PATIENCE`, the first one longer, opens nothing and never asks a network; the notebook's own
connection is read only by a key press, in the thread that runs its statements, where that changes neither what a
transaction sees nor a profile, and never while the user's Python code may be fetching from it; nothing is read while
queries are logged; a statement that changes something never runs beside a read of ours, which could keep a file or a
transaction open under it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import sqlalchemy
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from md_magic import sqltext
from md_magic.names import Column, Function, Names, Table
from md_magic.statement import identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engines import Database
    from md_magic.statement import Statement

logger = logging.getLogger(__name__)

PATIENCE = 0.03
"""Seconds that a key press waits for news."""

_FIRST_PATIENCE = 0.4
"""The same for the first key press, before which nothing was read."""

_PAUSE = 0.03
"""Seconds after a statement in which the next one may come, as in a loop: only then the catalogue is read."""

_LONG_PAUSE = 0.5
"""The same for a catalogue that takes long to read."""

_QUICK = 0.05
"""A catalogue that was read in so many seconds is read again when somebody types: whoever changed it is noticed."""

_SOON = 0.1
"""Seconds that reading may take where a key press is worth waiting for it; else it would only be in the way."""

_SHORT = 0.25
"""Seconds for which the notebook's connection may be kept from its next statement."""

_AGE = 0.3
"""Seconds for which a picture that a key press asked for is good."""

_FUNCTIONS_AGE = 30.0
_STEP_BACK = 0.5
"""Seconds that a statement waits at most for a read to end."""

_LONGEST = 5.0
"""Seconds that closing waits for the same."""

_FEW = 5_000
"""As many columns are read with the tables; of more, those of a table are asked for when it is mentioned (0.4 ms)."""

_ROWS = 500
"""Rows fetched at a time: Python's other threads, the one that answers a key press among them, run in between."""

_BREATH = 0.0005
"""Seconds that the worker sleeps after each of those, so that the others need not wait for it to be stopped."""

_READS = frozenset({"SELECT", "EXPLAIN", "EXTENSION"})
_SHOWS_QUERIES = ("profil", "logging", "log_query_path")
"""Words of statements after which a query of ours might be seen."""

_CHANGES_FUNCTIONS = ("macro", "function", "load", "attach", "detach", "schema", "rollback", "commit", "use")
_SYSTEM = ("information_schema", "pg_catalog", "pg_toast", "sys", "mysql", "performance_schema")
_MOST_SCHEMAS = 20
_MOST_TOUCHED = 12
"""As many names of statements are looked up one by one (0.4 ms each) until the whole catalogue has been read."""

_TOUCHES = frozenset({"CREATE", "DROP", "ALTER"})

_PATH = "SELECT current_database(), unnest(list_concat([current_schema()], current_schemas(true)))"
_DATABASES = "SELECT database_name, type FROM duckdb_databases() WHERE NOT internal ORDER BY database_oid"
_SCHEMAS = "SELECT database_name, schema_name FROM duckdb_schemas() WHERE NOT internal OR schema_name = 'main'"
_TABLES = """
SELECT database_name, schema_name, table_name, 'table', estimated_size, comment, column_count
FROM duckdb_tables() WHERE NOT internal
UNION ALL SELECT database_name, schema_name, view_name, 'view', NULL, comment, column_count
FROM duckdb_views() WHERE NOT internal
"""
_COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, data_type
FROM duckdb_columns() WHERE NOT internal ORDER BY database_oid, table_oid, column_index
"""
_FUNCTIONS = """
SELECT function_name, function_type, parameters, parameter_types, varargs, return_type, description
FROM duckdb_functions() WHERE NOT starts_with(function_name, '__')
"""
_SETTINGS = "SELECT name, description FROM duckdb_settings() ORDER BY name"
_TYPES = "SELECT DISTINCT type_name FROM duckdb_types() WHERE NOT internal ORDER BY type_name"


class Observer:
    """Watches one database. Closing it closes its connection; a second time does nothing."""

    def __init__(self, database: Database) -> None:
        """Watch *database* from now on, on a connection of its own where there can be one. Nothing is read yet."""
        self._database = database
        native = database.dbapi.native if database.dbapi is not None else None
        self._native = native
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._asking: duckdb.DuckDBPyConnection | None = None
        self._awake = False
        self._ask_lock = threading.Lock()
        self._names = Names()
        self._path: tuple[tuple[str, str], ...] = ()
        self._path_stale = True
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stale, self._hurry, self._reading, self._paused, self._closed = True, False, False, 0, False
        self._functions_stale = True
        self._taken_at, self._functions_at, self._cost = 0.0, 0.0, 0.0
        self._local = not database.target.is_motherduck
        self._deadline = 0.0
        self._failed = False
        self._owner = threading.get_ident()
        self._shown = False
        self._begun = False
        self._logged, self._profiled = any("log" in name for name in database.config), False
        self._asked: dict[tuple[str, ...], tuple[Column, ...]] = {}
        self._touched: dict[str, None] = {}

    # ---- around a statement -----------------------------------------------------------------------------------------

    def before(self, statement: Statement) -> None:
        """Step back for a statement that changes something. `after` follows, whatever becomes of it."""
        if statement.kind not in _READS:
            with self._condition:
                self._paused += 1
                self._stop_reading(_STEP_BACK)

    def _stop_reading(self, seconds: float) -> None:
        """Wait until nothing is being read, or *seconds* are over. One interrupt could fall between two statements."""
        deadline = time.monotonic() + seconds
        while self._reading and time.monotonic() < deadline:
            if self._cursor is not None:
                self._cursor.interrupt()
            self._condition.wait_for(lambda: not self._reading, _PAUSE)

    def after(self, statement: Statement) -> None:
        """Note what a statement may have changed; when the next one does not come at once, it is looked at."""
        reads = statement.kind in _READS
        text = statement.text.lower()
        self._owner = threading.get_ident()
        self._begun = self._database.in_transaction and (self._begun or statement.kind != "TRANSACTION")
        if any(word in text for word in _SHOWS_QUERIES):
            self._note_witness(text)
        if not reads:
            with self._condition:
                self._paused -= 1
                self._stale = self._path_stale = True
                self._asked = {}
                if statement.kind in _TOUCHES and self._awake:
                    self._touched |= dict.fromkeys(_named(statement.text))
                self._functions_stale = self._functions_stale or any(word in text for word in _CHANGES_FUNCTIONS)
        if self._stale and self._awake:
            if self._in_memory:
                self._take()
            self._wake(hurry=False)

    def _note_witness(self, text: str) -> None:
        """Note what would show our queries to the user: a log of all connections, a profile of this one."""
        if "logging" in text or "log_query_path" in text:
            self._logged = not ("disable_logging" in text or text.replace(" ", "").rstrip(";").endswith("=''"))
        if "profil" in text:
            self._profiled = "disable_profiling" not in text

    @property
    def _readable(self) -> bool:
        """Whether this thread may read on the notebook's own connection now, and nobody will notice."""
        database = self._database
        mine = threading.get_ident() == self._owner and not database.target.variable
        return mine and not self._profiled and (self._begun or not database.in_transaction)

    def _note_path(self) -> None:
        """Ask where unqualified names are looked up, unless the connection is busy."""
        native = self._native if self._readable else self._cursor if not self._path else None
        if native is None or not self._database.lock.acquire(blocking=False):
            return
        try:
            path = native.execute(_PATH).fetchall()
        except duckdb.Error:  # a transaction waits for its ROLLBACK
            return
        finally:
            self._database.lock.release()
        here = dict.fromkeys((str(database), str(schema)) for database, schema in path if schema != "pg_catalog")
        self._path, self._path_stale = (("temp", "main"), *here), False
        with self._condition:
            self._names = replace(self._names, path=self._path)

    @property
    def _private(self) -> bool:
        """Whether something lives in the notebook's connection alone."""
        return bool(self._database.temporary) or self._database.in_transaction

    @property
    def _in_memory(self) -> bool:
        """Whether this is SQLite in memory, which another thread would find empty."""
        return (
            self._native is None
            and self._database.engine.dialect.name == "sqlite"
            and self._database.target.database in {"", ":memory:"}
        )

    # ---- for a key press --------------------------------------------------------------------------------------------

    def names(self) -> Names:
        """Return what is known now, after waiting a moment for news, if there may be any."""
        if not self._awake and not self._closed:
            self._awake = True
            if self._native is not None:
                with contextlib.suppress(duckdb.Error):  # the user has closed it
                    self._cursor, self._asking = self._native.cursor(), self._native.cursor()
        if self._path_stale and not (self._paused or self._closed or self._logged):
            self._note_path()
        patience = PATIENCE if self._taken_at else _FIRST_PATIENCE
        with self._condition:
            quick = self._cost < _QUICK and self._local and not self._failed
            old = time.monotonic() - self._taken_at > _AGE
            news = not (self._paused or self._closed or self._logged) and (self._stale or (old and quick))
            mine = self._private and self._readable
            if news and ((mine and self._native is not None) or self._in_memory) and self._cost < _SHORT:
                self._take()  # this thread runs the statements, so none is running
                if self._stale:
                    self._wake(hurry=False)
            elif news:
                self._stale = True
                if time.monotonic() - self._functions_at > _FUNCTIONS_AGE:
                    self._functions_stale = True
                quickly = self._cost < _SOON  # else it cannot be there in time, and would only be in the way
                self._wake(hurry=quickly)
                if quickly:
                    self._condition.wait_for(lambda: not self._stale and (self._shown or not self._reading), patience)
            self._deadline = time.monotonic() + PATIENCE
            return self._mended() if self._touched else self._names

    def _mended(self) -> Names:
        """Return what is known, put right about the tables that statements named after it was read.

        Reading 10,000 tables takes a second, asking for one 0.4 ms.
        """
        names = self._names
        if len(self._path) < len(("temp", "current")):
            return names
        place = self._path[1]
        tables = {table.name.lower(): table for table in names.tables if table.place == place}
        made, gone = [], set()
        for name in [*self._touched][-_MOST_TOUCHED:]:
            found, known = self._ask((*place, name)), tables.get(name.lower())
            if found and known is None:
                made.append(Table(name, place[1], place[0]))
            elif known is not None and self._asked.get((*place, name)) == ():
                gone.add(known)
        return replace(names, tables=(*(table for table in names.tables if table not in gone), *made))

    # ---- the worker -------------------------------------------------------------------------------------------------

    def _wake(self, *, hurry: bool) -> None:
        with self._condition:
            if self._closed:
                return
            self._hurry = self._hurry or hurry
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="md_magic catalogue", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or (self._stale and not (self._paused or self._logged)))
                if self._closed:
                    return
                if not self._hurry:
                    pause = _PAUSE if self._cost < _SOON else _LONG_PAUSE
                    self._condition.wait_for(lambda: self._closed or self._hurry or self._paused > 0, pause)
                if self._closed or self._paused or self._logged:
                    continue
                self._hurry = False
                self._reading, self._stale, self._shown = True, False, False
            try:
                self._take()
            finally:
                with self._condition:
                    self._reading = False
                    self._condition.notify_all()

    def _take(self) -> None:
        """Take a new picture; the old one stays, where that cannot be done."""
        started = time.monotonic()
        try:
            names = self._other() if self._native is None else self._duckdb()
        except (duckdb.Error, SQLAlchemyError, RuntimeError):
            logger.debug("the catalogue of %s cannot be read", self._database.target.name, exc_info=True)
            self._failed = True
            names = None
        else:
            self._failed = False
        with self._condition:
            if names is not None:
                self._names = names
                self._touched = self._touched if self._stale else {}
            self._taken_at = time.monotonic()
            self._cost = self._taken_at - started - self._functions_cost
            self._functions_cost = 0.0
            if threading.current_thread() is not self._thread:
                self._stale = self._functions_stale or names is None
            self._condition.notify_all()

    _functions_cost = 0.0

    def _duckdb(self) -> Names | None:
        """Read the tables on the connection that sees them all, and the functions in the background."""
        before = self._names
        if threading.current_thread() is not self._thread:
            if not self._database.lock.acquire(blocking=False):
                return None
            try:
                return self._with_tables(before, self._native)
            finally:
                self._database.lock.release()
        elsewhere = self._private and not (self._database.target.variable or self._profiled)
        if not elsewhere or not before.databases:
            before = self._with_tables(before, self._cursor)
        started = time.monotonic()
        with self._condition:  # a key press need not wait for the functions, which take ten times as long
            self._names, self._shown = before, True
            self._condition.notify_all()
        if self._functions_stale:
            before = self._with_functions(before, self._cursor)
        self._functions_cost = time.monotonic() - started
        return before

    def _with_tables(self, before: Names, native: duckdb.DuckDBPyConnection | None) -> Names:
        if native is None:
            return before
        kinds = self._rows(native, _DATABASES)
        self._local = not self._database.target.is_motherduck and all(kind == "duckdb" for _, kind in kinds)
        tables, many = [], 0
        for database, schema, name, kind, rows, comment, count in self._rows(native, _TABLES):
            tables.append(Table(name, schema, database, kind, rows, comment or ""))
            many += count or 0
        columns: dict[Table, tuple[Column, ...]] = {}
        if many <= _FEW or not self._local:
            columns = _by_table(tables, self._rows(native, _COLUMNS))
        return replace(
            before,
            databases=tuple(name for name, _ in kinds),
            schemas=tuple((str(database), str(schema)) for database, schema in self._rows(native, _SCHEMAS)),
            tables=tuple(tables),
            path=self._path,
            types=tuple(name for (name,) in self._rows(native, _TYPES)),
            columns_of=lambda table: self._columns(columns, table),
            ask=self._ask_named,
        )

    def _with_functions(self, before: Names, native: duckdb.DuckDBPyConnection | None) -> Names:
        if native is None:
            return before
        self._functions_stale = False
        functions = _functions(self._rows(native, _FUNCTIONS))
        settings = {name: description or "" for name, description in self._rows(native, _SETTINGS)}
        self._functions_at = time.monotonic()
        return replace(before, functions=functions, settings=settings)

    def _rows(self, native: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        native.execute(sql)
        while rows := native.fetchmany(_ROWS):
            found += rows
            time.sleep(_BREATH)
            mine = threading.current_thread() is self._thread
            if mine and (self._paused or self._closed):
                message = "A statement is about to run."
                raise RuntimeError(message)
        return found

    def _columns(self, known: dict[Table, tuple[Column, ...]], table: Table) -> tuple[Column, ...]:
        """Return the columns of *table*, asked of DuckDB where they are not *known*, as long as the time lasts."""
        return known[table] if table in known else self._ask((table.database, table.schema, table.name))

    def _ask_named(self, parts: tuple[str, ...]) -> tuple[Column, ...]:
        """Return the columns of a table that the picture lacks, while a new one is being taken."""
        with self._condition:
            settled = not self._stale and not self._reading
        if settled or len(self._path) < len(("temp", "current")):
            return ()
        database, schema = self._path[1]
        return self._ask({1: (database, schema, *parts), 2: (database, *parts)}.get(len(parts), parts))

    def _ask(self, parts: tuple[str, ...]) -> tuple[Column, ...]:
        if parts in self._asked:
            return self._asked[parts]
        if self._logged or not self._local or self._asking is None or time.monotonic() > self._deadline:
            return ()
        with self._ask_lock:
            try:
                rows = self._asking.execute(
                    "SELECT name, type FROM pragma_table_info($1)", [identifier(*parts)]
                ).fetchall()
            except duckdb.Error:  # dropped since, or in a transaction that nobody else sees
                rows = []
        self._asked[parts] = tuple(Column(column, kind) for column, kind in rows)
        return self._asked[parts]

    def _other(self) -> Names:
        """Read the catalogue of another database than DuckDB, by SQLAlchemy's inspector."""
        database = self._database
        if threading.current_thread() is not self._thread:
            return _inspected(database.connection, self._names)
        if self._in_memory:
            return self._names
        with database.engine.connect() as connection:
            return _inspected(connection, self._names)

    def close(self) -> None:
        """Stop watching. A second call does nothing."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            self._stop_reading(_LONGEST)
        for native in (self._cursor, self._asking):
            if native is not None:
                with contextlib.suppress(duckdb.Error):
                    native.close()


def _named(sql: str) -> list[str]:
    """Return the names in *sql*, keywords aside."""
    raw = sql.encode()
    identifier = duckdb.token_type.identifier
    starts = {len(raw[:offset].decode()) for offset, kind in duckdb.tokenize(sql) if kind == identifier}
    return [one.name for one in sqltext.tokens(sql)[0] if one.start in starts and one.name]


def _by_table(tables: Sequence[Table], rows: Sequence[tuple[Any, ...]]) -> dict[Table, tuple[Column, ...]]:
    places = {(table.database, table.schema, table.name): table for table in tables}
    found: dict[Table, list[Column]] = {table: [] for table in tables}
    for database, schema, name, column, kind in rows:
        table = places.get((database, schema, name))
        if table is not None:
            found[table].append(Column(column, kind))
    return {table: tuple(columns) for table, columns in found.items()}


def _functions(rows: Sequence[tuple[Any, ...]]) -> dict[str, Function]:
    made: dict[str, Function] = {}
    for name, kind, names, types, varargs, returns, description in rows:
        signature, by_name = _signature(name, kind, names or [], types or [], varargs, returns)
        known = made.get(name.lower())
        made[name.lower()] = Function(
            name=name,
            kind=known.kind if known else kind,
            signatures=tuple(dict.fromkeys((*(known.signatures if known else ()), signature))),
            description=(known.description if known else "") or description or "",
            parameters=tuple(dict.fromkeys((*(known.parameters if known else ()), *by_name))),
        )
    return made


def _signature(
    name: str, kind: str, names: Sequence[str], types: Sequence[str | None], varargs: str | None, returns: str | None
) -> tuple[str, list[str]]:
    """Return how a function is called, and the parameters that a table function takes by name."""
    shown, by_name = [], []
    for parameter, kind_of in zip(names, [*types, *[None] * len(names)], strict=False):
        number = parameter.removeprefix("col")
        if kind == "table" and not number.isdigit():
            by_name.append(parameter)
            continue
        shown.append(str(kind_of) if number.isdigit() and kind_of else " ".join(filter(None, (parameter, kind_of))))
    shown += [f"{varargs}..."] if varargs else []
    shown += [f"{parameter} := ..." for parameter in by_name[:4]] + (["..."] if len(by_name) > 4 else [])  # noqa: PLR2004 - enough to see what they look like
    return f"{name}({', '.join(shown)})" + (f" -> {returns}" if returns else ""), by_name


def _inspected(connection: sqlalchemy.Connection, before: Names) -> Names:
    inspector = sqlalchemy.inspect(connection)
    default = inspector.default_schema_name or ""
    schemas = [
        name for name in inspector.get_schema_names() if name.lower() not in _SYSTEM and not name.startswith("pg_")
    ]
    wanted = [default or None, *(name for name in schemas if name != default)][:_MOST_SCHEMAS]
    columns: dict[Table, tuple[Column, ...]] = {}
    for schema in wanted:
        views = set(inspector.get_view_names(schema=schema))
        for (_, name), described in inspector.get_multi_columns(schema=schema, kind=ObjectKind.ANY).items():
            table = Table(name, schema or default, "", "view" if name in views else "table")
            columns[table] = tuple(Column(one["name"], str(one["type"])) for one in described)
    preparer = connection.dialect.identifier_preparer
    return Names(
        schemas=tuple(("", name) for name in schemas),
        tables=tuple(columns),
        path=(("", default),),
        functions=before.functions,
        quote=preparer.initial_quote,
        folds=connection.dialect.name not in {"sqlite", "mysql", "mariadb", "mssql"},
        columns_of=lambda table: columns.get(table, ()),
    )

"""A connection to DuckDB: how it is opened, branched and closed, and what lives in it alone."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import sqlalchemy
from duckdb_engine.config import get_core_config
from sqlalchemy.pool import NullPool

from md_magic.auth.secret import Secret
from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.duckdb import dbapi, neighbours
from md_magic.engine.backends.introspection.duckdb import DuckDBIntrospection
from md_magic.engine.backends.plain import engine as plain
from md_magic.engine.connection_state import ConnectionState
from md_magic.errors import ConnectError
from md_magic.sql.quoting import identifier
from md_magic.sql.references import Object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from duckdb_engine import ConnectionWrapper

    from md_magic.engine.backends.features import Feature
    from md_magic.engine.backends.introspection.questions import Introspection
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)

_CONNECT_HINTS = (
    ("Could not set lock on file", "Close the database in that process, then run the cell again."),
    (
        neighbours.DIFFERENT,
        (
            "This kernel has it open already, with other settings. `--engine NAME` runs on the connection or engine in"
            " your variable NAME; `?access_mode=read_only` after the path joins a read-only one; or close it there, and"
            " give your code `md_magic.engine()`."
        ),
    ),
    (
        neighbours.ATTACHED,
        (
            "This kernel has it attached elsewhere already: `--engine NAME` runs on the connection or engine in your"
            " variable NAME; or DETACH it there."
        ),
    ),
    ("not a valid DuckDB database", "Name another file: a new one is made where none exists."),
)

TEMPORARY = """
SELECT 'table', table_name FROM duckdb_tables() WHERE temporary
UNION ALL SELECT 'view', view_name FROM duckdb_views() WHERE temporary AND NOT internal
UNION ALL SELECT 'sequence', sequence_name FROM duckdb_sequences() WHERE temporary
UNION ALL SELECT DISTINCT 'macro', function_name FROM duckdb_functions() WHERE database_name = 'temp' AND NOT internal
UNION ALL SELECT 'type', type_name FROM duckdb_types() WHERE database_name = 'temp' AND NOT internal
"""

TOKEN = "SELECT value FROM duckdb_settings() WHERE name = 'motherduck_token'"  # noqa: S105 - no token
"""Gives no row while MotherDuck's extension is not loaded."""

_BEGAN = "SELECT epoch_us(transaction_timestamp())"
"""Gives the same again within a transaction, another time outside. `txid_current()` would abort a transaction whose
current database is not DuckDB's own, such as an attached SQLite."""

_TICK = 0.02
"""Seconds: longer than a tick of the coarsest clock, which is 16 ms."""


class DuckDBConnection(Backend):
    """A connection to DuckDB. Others to the same database, in memory too, are cursors of it."""

    branches_at_once = True
    introspection = DuckDBIntrospection

    def _new_state(self) -> ConnectionState:
        """Return the state of a connection that has nothing of its own yet, noted as DuckDB's statements run."""
        return ConnectionState()

    def __init__(
        self,
        target: Target,
        engine: sqlalchemy.Engine,
        connection: sqlalchemy.Connection,
        config: Mapping[str, Any] | None = None,
        *,
        on_close: Sequence[Callable[[], object]] = (),
    ) -> None:
        """Take an open *connection* of *engine*, made by `dbapi`."""
        super().__init__(target, engine, connection, config, on_close=on_close)
        self.dbapi = _dbapi_of(connection)
        self.native = self.dbapi.native
        self.secrets_in_results = self._tokens = engine.dialect.tokens  # type: ignore[attr-defined] # see _engine
        given: dict[str, Any] = {**self.config, **target.secrets}
        self._expose(given[name] for name in given if name.lower() == "motherduck_token")
        self.interrupt = self.native.interrupt
        self.parse = self.native.extract_statements
        self.progress = self.native.query_progress
        self._plain = plain.Connections()

    # ---- opening and closing ----------------------------------------------------------------------------------------

    @classmethod
    def open(cls, target: Target, config: Mapping[str, Any]) -> Self:
        """Connect to *target* with *config*, DuckDB's configuration. DuckDB's errors pass through."""
        database, settled, settings = cls._arguments(target, config)
        engine = _engine(target.database, {"database": database, "config": settled, "settings": settings})
        backend = cls(target, engine, engine.connect(), config, on_close=(engine.dispose,))
        if cls.is_file(target):
            backend._on_close = (*backend._on_close, neighbours.welcome(target.database, dbapi.Dialect))
        return backend

    @classmethod
    def adopt(cls, target: Target, value: Any) -> Self:  # noqa: ANN401 - see base
        """Take the user's own DuckDB connection, or that of a duckdb-engine, and query its state."""
        on_close: list[Callable[[], object]] = []
        native = value
        if isinstance(value, sqlalchemy.Engine):
            pooled = value.raw_connection()
            native = pooled.driver_connection.execute.__self__  # type: ignore[union-attr] # hidden by duckdb-engine
            on_close.append(pooled.close)
        engine = _engine(":memory:", {"native": native})
        backend = cls(target, engine, engine.connect(), on_close=on_close)
        backend._note_transaction()
        backend.look_again()
        with contextlib.suppress(duckdb.Error):  # an aborted transaction refuses every query until its ROLLBACK
            backend.local.temporary = backend.temporary_objects()
        if dbapi.hide_progress_bar(native):
            backend._on_close = (functools.partial(dbapi.show_progress_bar, native), *on_close)
        return backend

    def look_again(self) -> None:
        """Ask DuckDB whether MotherDuck's extension is there by now, and knows a token.

        Another connection is asked: this one may have an open result, or a transaction that waits for its ROLLBACK.
        """
        try:
            with self.native.cursor() as other:
                row = other.execute(TOKEN).fetchone()
        except (duckdb.Error, RuntimeError):
            logger.debug("%s does not tell its settings", self.target.name, exc_info=True)
            return
        if row is not None:
            self._expose([row[0], *(value for name, value in os.environ.items() if name.lower() == "motherduck_token")])

    def _expose(self, tokens: Iterable[Any]) -> None:
        """Search the results of all connections to this instance for *tokens* from now on."""
        for token in filter(None, tokens):
            secret = token if isinstance(token, Secret) else Secret(token)
            if secret not in self._tokens:
                self._tokens.append(secret)

    @classmethod
    def plain_engine(cls, target: Target, opened: Callable[[], Self]) -> sqlalchemy.Engine:
        """Return an engine whose connections are cursors of the cells' one: the same database, in memory as well."""
        return plain.make_engine(target.sqlalchemy_url(), lambda: opened().plain_connection())

    def plain_connection(self) -> ConnectionWrapper:
        """Return another connection to the same database, where the cells have their current schema.

        Settings, temporary tables and the open transaction of the cells stay with the cells. Raises `ConnectError`
        where the user's own connection, on which the target is, was closed.
        """
        try:
            native = dbapi.counting_progress(self.native.cursor())
        except duckdb.ConnectionException as error:
            where = "in your own variable: open it there" if self.target.variable else "just now: open it"
            message = f"{self.target.name} was closed {where} again."
            raise ConnectError(message) from error
        return self._plain.add(native, self.local.schema or self._initial_schema())

    def _initial_schema(self) -> str:
        """Return the statement that chooses what was current when the target was opened; empty where cursors know."""
        return ""

    def close(self) -> None:
        """Close the connection, and those of Python code beside it, which would keep a file locked."""
        self._plain.close()
        super().close()

    @classmethod
    def is_file(cls, target: Target) -> bool:
        """Whether *target* is a file on this machine, and not in memory."""
        return Path(target.database).is_absolute()

    @classmethod
    def connect_hint(cls, target: Target, text: str) -> str:
        """Return a hint for a *target* that cannot be opened, if DuckDB's *text* lacks one."""
        if target.variable:
            return ""
        return super().connect_hint(target, text) or next((hint for part, hint in _CONNECT_HINTS if part in text), "")

    @classmethod
    def _arguments(cls, target: Target, config: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Return the path and configuration for `duckdb.connect`, and the settings to `SET` after connecting.

        Settings of extensions are `SET`, as duckdb-engine does.
        """
        settings = cls._settings(target, config)
        core = get_core_config() if settings else frozenset()
        core_settings = {name: value for name, value in settings.items() if name in core}
        return target.database, core_settings, {name: value for name, value in settings.items() if name not in core}

    @staticmethod
    def _settings(target: Target, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings. The target's secrets win, because they are the ones in use."""
        return {**dict(target.sqlalchemy_url().query), **config, **target.secrets}

    @classmethod
    def _in_autocommit(cls, connection: sqlalchemy.Connection) -> tuple[sqlalchemy.Connection, bool]:
        """Return *connection* unchanged: `dbapi` never begins a transaction by itself."""
        return connection, False

    def branch(self) -> Self:
        """Return another connection with the settings, variables and Python tables of this one.

        Temporary tables, prepared statements and an open transaction stay here.
        """
        connection = self.sibling()
        if connection is None:
            message = (
                "A variable or setting of this connection cannot be given to another one, which the query needs."
                " `FROM duckdb_variables()` lists the variables; RESET VARIABLE removes one."
            )
            raise ConnectError(message)
        branch = type(self)(self.target, self.engine, connection, self.config)
        branch.native.execute("SET enable_progress_bar_print = false")
        branch.native.execute("SET enable_progress_bar = true")  # else DuckDB reports no progress
        return branch

    def sibling(self) -> sqlalchemy.Connection | None:
        """Return another connection with this one's state, like `branch`; `None` if the state cannot be copied."""
        connection = self.engine.connect()
        own = _dbapi_of(connection)
        own.frames = self.dbapi.frames
        try:
            copy_state(self.native, own.native)
        except duckdb.Error:  # a variable that cannot be written as SQL text, such as a UNION
            connection.close()
            return None
        return connection

    # ---- properties -------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """Empty: DuckDB has no accounts."""
        return ""

    @property
    def secrets(self) -> list[Secret]:
        """What must not be in a text that a person sees; a token that came later is one of them."""
        given = super().secrets
        return [*given, *(token for token in self._tokens if token not in given)]

    @property
    def in_transaction(self) -> bool:
        """Whether the user's own transaction is open, as far as is known without a query."""
        return self.local.in_transaction

    def why_not(self, feature: Feature) -> str:
        """Return why *feature* cannot be had: only what a service does cannot."""
        return super().why_not(feature) if feature in {"running", "fix"} else ""

    def introspect(self) -> Introspection:
        """Return an introspection on DuckDB's own connection, past SQLAlchemy."""
        return self.introspection(self.native)

    # ---- connection-local state -------------------------------------------------------------------------------------

    def temporary_objects(self) -> list[Object]:
        """Return the user's temporary tables, views, macros, sequences and types."""
        return [Object(kind, name) for kind, name in self.native.execute(TEMPORARY).fetchall()]

    @property
    def hides_data(self) -> bool:
        """Whether this connection has data that others cannot see. It queries DuckDB."""
        return self.local.in_transaction or self.native.execute(TEMPORARY).fetchone() is not None

    def definitions(self) -> dict[str, str]:
        """Return the SQL of each of the user's views and macros, by lower-case name."""
        return dbapi.definitions(self.native)

    def _note_transaction(self) -> None:
        """Find out whether a transaction is open: outside one, every statement has its own transaction id."""
        try:
            began = {self.native.execute(_BEGAN).fetchone() for _ in range(2)}
            if len(began) == 1:  # in a transaction, or twice within one tick of a coarse clock
                time.sleep(_TICK)
                began.add(self.native.execute(_BEGAN).fetchone())
        except duckdb.TransactionException:  # aborted, waiting for its ROLLBACK
            self.local.in_transaction = True
        except duckdb.Error:
            logger.debug("%s does not answer", self.target.name, exc_info=True)
        else:
            self.local.in_transaction = len(began) == 1

    def transaction_after_stop(self) -> str:
        """Return a sentence on the user's transaction after a statement was stopped; empty if none was open."""
        if not self.local.in_transaction:
            return ""
        try:
            self.native.execute("SELECT 1").fetchall()
        except duckdb.Error:
            return "The open transaction was interrupted with it: run ROLLBACK before anything else."
        self._note_transaction()
        state = "is still open, with what ran in it before" if self.local.in_transaction else "has ended"
        return f"The transaction {state}."


def copy_state(source: duckdb.DuckDBPyConnection, target: duckdb.DuckDBPyConnection) -> None:
    """Copy the connection-local settings and variables of *source* to *target*, a cursor of it."""
    local = "SELECT name, value FROM duckdb_settings() WHERE scope = 'LOCAL'"
    there = dict(target.execute(local).fetchall())
    for name, value in source.execute(local).fetchall():
        if value is not None and value != there.get(name):
            target.execute(f"SET SESSION {identifier(name)} = $value", {"value": value})
    for name, value, kind in source.execute("SELECT name, value, type FROM duckdb_variables()").fetchall():
        target.execute(f"SET VARIABLE {identifier(name)} = CAST($value AS {kind})", {"value": value})


def _dbapi_of(connection: sqlalchemy.Connection) -> dbapi.Connection:
    return connection.connection.dbapi_connection  # type: ignore[return-value] # our engines make no other


def _engine(name: str, connect_args: Mapping[str, Any]) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(
        sqlalchemy.URL.create(dbapi.DIALECT, database=name),
        connect_args=dict(connect_args),
        paramstyle=dbapi.PARAMSTYLE,
        poolclass=NullPool,  # closed connections must not be reused, and another one costs nothing
        hide_parameters=True,
    )

"""The engine pool: one SQLAlchemy engine and one open connection for each target, for as long as the notebook lives.

The invariants: keys hold no secret, and a secret is revealed only for the moment of connecting. Closing is idempotent,
logs a cleanup that fails, and leaves the pool usable.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import re
import threading
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import duckdb
import sqlalchemy
from duckdb_engine.config import get_core_config
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from md_magic import dbapi
from md_magic.auth import Secret, diagnose, scrub
from md_magic.errors import ConnectError, SignInError, TargetError
from md_magic.held import Held
from md_magic.mentions import Object
from md_magic.statement import identifier
from md_magic.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

    from md_magic.auth import Token
    from md_magic.interrupt import Running

logger = logging.getLogger(__name__)

_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "databricks": "databricks-sqlalchemy",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "trino": "trino[sqlalchemy]",
}
"""What to install for a dialect or a module, where the package is not named like it."""

_IN_PATH = ("attach_mode", "connection_timeout", "dbinstance_inactivity_ttl", "saas_mode", "session_name")
"""MotherDuck parameters that its extension reads from the path; the others are settings of DuckDB itself."""

_HINTS = (
    ("Could not set lock on file", "Close the database in that process, then run the cell again."),
    (
        "different configuration",
        "It is open already, perhaps in a variable of yours: close it there, or give no settings.",
    ),
    ("not a valid DuckDB database", "Name another file: a new one is made where none exists."),
)


_UNKNOWN_HINT = (
    "Is its name right? `%mdsql md: SHOW ALL DATABASES` lists what this account sees;"
    " a share has to be attached first: ATTACH 'md:_share/...'."
)
_UNKNOWN = re.compile(r"(?i)no (database|share)\b|(database|share)\b.*\b(not found|does not exist)")


IDLE = 15 * 60.0
"""Seconds without a statement after which MotherDuck may have ended a connection: its documented default of
`dbinstance_inactivity_ttl`, for which it keeps an instance."""

_SERVER_STOP = 2.0
"""Seconds for which the next query waits until the server has been told to stop the one before."""

_SERVER_INTERRUPT = """
SELECT md_interrupt_server_connection(client_connection_id) FROM md_active_server_connections()
WHERE client_connection_id::VARCHAR = $id
"""


def now() -> tuple[float, float]:
    """Return the time by two clocks, in seconds: one that stands still while a computer sleeps, and one that does not.

    The second can be put back by hand, the first never goes back.
    """
    return time.monotonic(), time.time()


@dataclass(eq=False, slots=True)
class Database:
    """An open target: the one connection that serves the notebook, and what is known of its state."""

    target: Target
    engine: sqlalchemy.Engine = field(repr=False)
    connection: sqlalchemy.Connection = field(repr=False)
    dbapi: dbapi.Connection | None = field(init=False, repr=False)
    """DuckDB's connection as SQLAlchemy sees it; `None` for another dialect."""

    interrupt: Callable[[], object] | None = field(init=False, repr=False)
    """What stops the running statement, from another thread; `None` where the driver has nothing for it."""

    progress: Callable[[], float] | None = field(init=False, repr=False)
    """What tells per cent of the running statement, from another thread; `None` where the driver has nothing for it."""

    running: Running | None = field(default=None, init=False, repr=False)
    """What runs on it, or ran last."""

    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token: Token | None = None
    """The MotherDuck token that opened it."""

    farewells: tuple[Callable[[], object], ...] = field(default=(), repr=False)
    """What closing does before closing the connection, in order."""

    cleanups: tuple[Callable[[], object], ...] = field(default=(), repr=False)
    """What closing does after closing the connection, in order."""

    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    """Held while a statement runs and is fetched: a connection has one open result."""

    _server_id: str | None = field(default=None, init=False, repr=False)
    _server_stop: threading.Thread | None = field(default=None, init=False, repr=False)

    opened: float = field(default_factory=time.monotonic)
    in_transaction: bool = False
    """Whether the user's own `BEGIN` is open, as of the last statement that could change it."""

    held: Held = field(default_factory=Held, repr=False)
    """What else lives and dies with the connection, as of the last statement that could change it."""

    used: tuple[float, float] = field(default_factory=now, repr=False)
    """When it last answered, by both clocks."""

    def __post_init__(self) -> None:
        """Look once at what SQLAlchemy holds: its properties cost 10 µs each, several times in a cell."""
        pooled = self.connection.connection
        found, driver = pooled.dbapi_connection, pooled.driver_connection
        self.dbapi = found if isinstance(found, dbapi.Connection) else None
        self.interrupt = getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)
        self.progress = self.dbapi.native.query_progress if self.dbapi is not None else None

    def show_in(self, running: Running) -> None:
        """Let *running* tell of what runs here, and stop it, on MotherDuck's server as well."""
        interrupt = self.interrupt
        if self.target.is_motherduck and interrupt is not None:
            if running is not self.running and self._server_stop is not None:
                self._server_stop.join(_SERVER_STOP)  # or it would stop what runs now
                self._server_stop = None
            interrupt = functools.partial(self._interrupt_both, interrupt, self._ask_server_id())
        self.running = running
        running.on(self.target.name, interrupt, self.progress)

    def _ask_server_id(self) -> str:
        """Return the name that the server has for this connection, which only it can tell; empty if it does not."""
        if self._server_id is None and self.dbapi is not None:
            self._server_id = ""
            with contextlib.suppress(duckdb.Error):
                row = self.dbapi.native.execute("SELECT md_current_client_connection_id()::VARCHAR").fetchone()
                self._server_id = row[0] if row else ""
        return self._server_id or ""

    def _interrupt_both(self, interrupt: Callable[[], object], server_id: str) -> None:
        """Interrupt this process's half of a query, and once, from a thread, the server's."""
        interrupt()
        if server_id and self._server_stop is None and self.dbapi is not None:
            arguments = (self.dbapi.native, server_id)
            self._server_stop = threading.Thread(target=_stop_on_server, args=arguments, daemon=True)
            self._server_stop.start()

    @property
    def idle(self) -> float:
        """Seconds since it last answered; those for which the computer slept count."""
        return max(here - there for here, there in zip(now(), self.used, strict=True))

    @property
    def private(self) -> list[str]:
        """What was in this connection alone when it last answered, in words: a transaction, and temporary objects."""
        begun = ["the open transaction, which was not committed"] if self.in_transaction else []
        return [*begun, *self.held.temporary]

    @property
    def temporary(self) -> list[str]:
        """The temporary objects in this connection, in words, as far as is known without asking."""
        return self.held.temporary

    def note_temporary(self) -> None:
        """Ask DuckDB for the temporary tables, views, macros, sequences and types."""
        with contextlib.suppress(duckdb.Error):  # in a transaction that waits for its ROLLBACK
            self.held.temporary = [str(one) for one in self.temporary_objects()]

    def definitions(self) -> dict[str, str]:
        """Return the SQL of each view and macro that a person has made, by its name in lower case."""
        if self.dbapi is None:
            return {}
        return {name.lower(): sql or "" for name, sql in self.dbapi.native.execute(_DEFINITIONS).fetchall()}

    def temporary_objects(self) -> list[Object]:
        """Return the temporary objects that a person has made, which another connection does not have."""
        if self.dbapi is None:
            return []
        found = self.dbapi.native.execute(_TEMPORARY).fetchall()
        if found and self.target.is_motherduck:  # its client has temporary macros of its own in every connection
            with self.engine.connect() as other:
                own: dbapi.Connection = other.connection.dbapi_connection  # type: ignore[assignment] # see sibling
                found = [row for row in found if row not in own.native.execute(_TEMPORARY).fetchall()]
        return [Object(kind, name) for kind, name in found]

    def note_transaction(self) -> None:
        """Ask DuckDB whether a transaction is open: outside of one, every statement is a transaction of its own."""
        if self.dbapi is None:
            return
        native = self.dbapi.native
        try:
            numbers = {native.execute("SELECT txid_current()").fetchone() for _ in range(2)}
        except duckdb.TransactionException:  # it waits for its ROLLBACK
            self.in_transaction = True
        except duckdb.Error:
            logger.debug("%s does not answer", self.target.name, exc_info=True)
        else:
            self.in_transaction = len(numbers) == 1

    def transaction_after_stop(self) -> str:
        """Ask DuckDB what became of the user's transaction when a statement was stopped; empty where none was open."""
        if self.dbapi is None or not self.in_transaction:
            return ""
        try:
            self.dbapi.native.execute("SELECT 1").fetchall()
        except duckdb.Error:
            return "The open transaction was interrupted with it: run ROLLBACK before anything else."
        self.note_transaction()
        state = "is still open, with what ran in it before" if self.in_transaction else "has ended"
        return f"The transaction {state}."

    @property
    def state(self) -> str:
        """`open`, `in transaction` or `closed`."""
        if self.connection.closed or self.connection.invalidated:
            return "closed"
        pooled = self.connection.connection.driver_connection
        return "in transaction" if self.in_transaction or getattr(pooled, "in_transaction", False) else "open"

    @property
    def account(self) -> str:
        """Whose connection it is: MotherDuck's account, or the user name in the URL; empty where nobody says."""
        if self.token is not None:
            return self.token.account or f"token {self.token.secret.digest()}"
        return "" if self.target.is_duckdb else self.target.sqlalchemy_url().username or ""

    @property
    def secrets(self) -> list[Secret]:
        """What must not be in a text that a person sees."""
        return _secrets(self.target, self.config)

    @contextlib.contextmanager
    def scanning(self, frames: Mapping[str, Any]) -> Iterator[None]:
        """Let statements within the block name the Python tables in *frames*, and fetch their results from DuckDB."""
        connection = self.dbapi
        if connection is None:
            yield
            return
        connection.frames, connection.fetched_natively = frames, True
        try:
            yield
        finally:
            connection.frames, connection.fetched_natively = {}, False

    @property
    def has_private_state(self) -> bool:
        """Whether something lives in the notebook's DuckDB connection alone: a transaction, or temporary objects."""
        if self.in_transaction or self.dbapi is None:
            return True
        return self.dbapi.native.execute(_TEMPORARY).fetchone() is not None

    def sibling(self) -> tuple[sqlalchemy.Connection, duckdb.DuckDBPyConnection] | None:
        """Return another connection to the same DuckDB database, and DuckDB's own below it; `None` where none is alike.

        It has the settings and variables of the notebook's connection; temporary tables, prepared statements and an
        open transaction stay there.
        """
        main = self.dbapi
        if main is None:
            message = f"{self.target.name} has no DuckDB connection to make another like it."
            raise ConnectError(message)
        made = self.engine.connect()
        own: dbapi.Connection = made.connection.dbapi_connection  # type: ignore[assignment] # our engine makes no other
        own.frames = main.frames
        try:
            copy_state(main.native, own.native)
        except duckdb.Error:  # a variable that no text becomes again, such as a UNION
            made.close()
            return None
        return made, own.native

    def branch(self) -> Database:
        """Return another connection to the same database, for a thread of its own; closing it leaves this one open.

        Raises `ConnectError` where there can be none: for a database in SQLite's memory, or beside a variable whose
        value no other connection takes.
        """
        if self.dbapi is None:
            made = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        else:
            own = self.sibling()
            if own is None:
                message = (
                    "A variable or setting of this connection cannot be given to another one, which the query needs."
                    " `FROM duckdb_variables()` lists the variables; RESET VARIABLE removes one."
                )
                raise ConnectError(message)
            made, native = own
            native.execute("SET enable_progress_bar_print = false")
            native.execute("SET enable_progress_bar = true")  # off, DuckDB tells no progress
        return Database(self.target, self.engine, made, self.config, self.token)

    def refuse_memory(self) -> None:
        """Raise `ConnectError` for a database that one connection alone sees."""
        pool = type(self.engine.pool).__name__
        if self.target.dialect == "sqlite" and pool in {"SingletonThreadPool", "StaticPool"}:
            message = (
                f"{self.target.name} is in memory, and SQLite shows it to one connection only: nothing can run on it in"
                " the background. Use a file: sqlite:///data.db."
            )
            raise ConnectError(message)

    def close(self) -> None:
        """Close the connection and what was made for it. A second call does nothing."""
        cleanups = (*self.farewells, self.connection.close, *self.cleanups)
        self.farewells = self.cleanups = ()
        for cleanup in cleanups:
            try:
                cleanup()
            except (sqlalchemy.exc.SQLAlchemyError, duckdb.Error):
                logger.debug("closing %s failed", self.target.name, exc_info=True)


def _stop_on_server(native: duckdb.DuckDBPyConnection, server_id: str) -> None:
    """Stop on MotherDuck's server what still runs for the connection *server_id*, from another connection."""
    try:
        with native.cursor() as other:
            other.execute(_SERVER_INTERRUPT, {"id": server_id}).fetchall()
    except (duckdb.Error, RuntimeError):
        logger.debug("the server was not told to stop", exc_info=True)


class EnginePool:
    """The open databases of one kernel, keyed by target."""

    def __init__(self) -> None:
        """Make an empty pool."""
        self._databases: dict[Target, Database] = {}
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[Database]:
        """Give the open databases, oldest first."""
        with self._lock:
            return iter(list(self._databases.values()))

    def find(self, target: Target) -> Database | None:
        """Return the open database of *target*, if there is one."""
        with self._lock:
            return self._databases.get(target)

    def get(self, target: Target, config: Mapping[str, Any] | None = None, token: Token | None = None) -> Database:
        """Return the open database of *target*, opening it where it is not, for MotherDuck with *token*.

        Raises `TargetError` for a missing driver, `ConnectError` where it cannot be opened, or is open with another
        *config*, and `SignInError` where MotherDuck refuses the token.
        """
        with self._lock:
            database = self._databases.get(target)
            if database is None and target.variable:
                message = (
                    f"{target.name} is closed, and only you can open it: run `%mdsql --engine {target.variable}` again."
                )
                raise TargetError(message)
            if database is None:
                database = self._databases[target] = open_database(target, config or {}, token)
            elif config and dict(config) != dict(database.config):
                message = (
                    f"{target.name} is already open with another configuration. "
                    f"Close it first: `%mdsql --close {target.name}`."
                )
                raise ConnectError(message)
            return database

    def adopt(self, name: str, value: object) -> Database:
        """Return the open database over *value*, the SQLAlchemy engine or DuckDB connection in variable *name*.

        Raises `TargetError` for any other value.
        """
        target = Target(url=f"{_dialect_of(name, value)}://", account=f"object {id(value)}", variable=name)
        with self._lock:
            if target not in self._databases:
                self._databases[target] = _adopted(target, value)
            return self._databases[target]

    def close(self, target: Target) -> bool:
        """Close the database of *target*; return whether it was open."""
        with self._lock:
            database = self._databases.pop(target, None)
        if database is not None:
            database.close()
        return database is not None

    def close_all(self) -> int:
        """Close every database, the newest first; return how many there were."""
        with self._lock:
            targets = list(reversed(self._databases))
        return sum(self.close(target) for target in targets)


def open_database(target: Target, config: Mapping[str, Any], token: Token | None = None) -> Database:
    """Make an engine for *target* and connect. *config* is DuckDB's configuration dictionary.

    Raises what `EnginePool.get` raises. *token* is only noted down: the target and the configuration hold its value.
    """
    if config and not target.is_duckdb:
        message = f"--config is DuckDB's configuration; {target.name} takes its settings in the URL."
        raise TargetError(message)
    try:
        engine = _duckdb_engine(target, config) if target.is_duckdb else _other_engine(target)
        connection = engine.connect()
        if not target.is_duckdb:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    except (sqlalchemy.exc.SQLAlchemyError, duckdb.Error, RuntimeError, OSError) as error:
        cause = getattr(error, "orig", None) or error
    else:
        return Database(target, engine, connection, dict(config), token, (engine.dispose,))
    raise _connect_error(target, cause, config) from clean(cause, _secrets(target, config))


def clean(error: BaseException, secrets: Iterable[Secret]) -> BaseException | None:
    """Return *error* if its text holds none of *secrets*, else an error of its kind with the text scrubbed."""
    text = str(error)
    scrubbed = scrub(text, secrets)
    if scrubbed == text:
        return error
    return type(error)(scrubbed) if isinstance(error, duckdb.Error) else None


def _secrets(target: Target, config: Mapping[str, Any]) -> list[Secret]:
    return [value for value in (*target.secrets.values(), *config.values()) if isinstance(value, Secret)]


_TEMPORARY = """
SELECT 'table', table_name FROM duckdb_tables() WHERE temporary
UNION ALL SELECT 'view', view_name FROM duckdb_views() WHERE temporary AND NOT internal
UNION ALL SELECT 'sequence', sequence_name FROM duckdb_sequences() WHERE temporary
UNION ALL SELECT DISTINCT 'macro', function_name FROM duckdb_functions() WHERE database_name = 'temp' AND NOT internal
UNION ALL SELECT 'type', type_name FROM duckdb_types() WHERE database_name = 'temp' AND NOT internal
"""


_DEFINITIONS = """
SELECT view_name, sql FROM duckdb_views() WHERE NOT internal
UNION ALL SELECT function_name, macro_definition FROM duckdb_functions() WHERE NOT internal
"""


def copy_state(source: duckdb.DuckDBPyConnection, target: duckdb.DuckDBPyConnection) -> None:
    """Give *target*, a cursor of *source*, the settings and variables that *source* has of its own."""
    local = "SELECT name, value FROM duckdb_settings() WHERE scope = 'LOCAL'"
    there = dict(target.execute(local).fetchall())
    for name, value in source.execute(local).fetchall():
        if value is not None and value != there.get(name):
            target.execute(f"SET SESSION {identifier(name)} = $value", {"value": value})
    for name, value, kind in source.execute("SELECT name, value, type FROM duckdb_variables()").fetchall():
        target.execute(f"SET VARIABLE {identifier(name)} = CAST($value AS {kind})", {"value": value})


def _duckdb_engine(target: Target, config: Mapping[str, Any]) -> sqlalchemy.Engine:
    database, config, settings = _duckdb_arguments(target, config)
    return _engine(target.database, {"database": database, "config": config, "settings": settings})


def _engine(name: str, connect_args: Mapping[str, Any]) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(
        sqlalchemy.URL.create(dbapi.DIALECT, database=name),
        connect_args=dict(connect_args),
        paramstyle=dbapi.PARAMSTYLE,
        poolclass=NullPool,  # what is closed is closed, and another connection costs nothing
    )


def _duckdb_arguments(target: Target, config: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the path for `duckdb.connect`, its configuration, and what is to be `SET` after connecting.

    duckdb-engine runs every parameter that it does not know as a `SET`, which MotherDuck's do not survive: those ride
    in the path. An extension's own settings are set, as duckdb-engine does.
    """
    given = {**dict(target.sqlalchemy_url().query), **config, **target.secrets}  # the token in use, not a refused one
    if target.is_motherduck:
        path = {name: _spelt(given.pop(name)) for name in _IN_PATH if name in given}
        if target.account:
            path["user"] = _instance(target.account, given)
        theirs = given.get("custom_user_agent")
        agent = f"md_magic/{version('md_magic')}" + (f"({theirs})" if theirs else "")
        database = target.database + ("?" + urlencode(path) if path else "")
        return database, {**given, "custom_user_agent": agent}, {}
    core = get_core_config() if given else frozenset()
    known = {name: value for name, value in given.items() if name in core}
    return target.database, known, {name: value for name, value in given.items() if name not in core}


def _instance(account: str, config: Mapping[str, Any]) -> str:
    """Return what tells DuckDB's instances of one path apart: it refuses a second account, or a second configuration.

    It is a digest of the token, never the token itself, and of the settings, if there are any.
    """
    settings = sorted(f"{name}={value}" for name, value in config.items() if name != "motherduck_token")
    if not settings:
        return account
    return f"{account}-{hashlib.sha256(repr(settings).encode()).hexdigest()[:6]}"


def _spelt(value: object) -> str:
    """Write *value* of a MotherDuck parameter; in a configuration dictionary it may be a Python `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _other_engine(target: Target) -> sqlalchemy.Engine:
    try:
        engine = sqlalchemy.create_engine(target.sqlalchemy_url())
    except sqlalchemy.exc.NoSuchModuleError as error:
        known = (
            _install(target.dialect) if target.dialect in _PACKAGES else "Is it spelt right? %pip install its package."
        )
        message = f"No SQLAlchemy dialect {target.dialect!r} is installed. {known}"
        raise TargetError(message) from error
    except ModuleNotFoundError as error:
        message = f"{target.name} needs the Python module {error.name!r}. {_install(error.name or target.dialect)}"
        raise TargetError(message) from error

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _record: object, _args: object, _parameters: object) -> DBAPIConnection:
        url = target.sqlalchemy_url()
        given = {name: secret.reveal() for name, secret in target.secrets.items()}
        if "password" in given and "password" not in url.query:
            url = url.set(password=given.pop("password"))
        args, parameters = dialect.create_connect_args(url.update_query_dict(given))
        return dialect.connect(*args, **parameters)

    return engine


def _install(module: str) -> str:
    return f"Install it with `%pip install {_PACKAGES.get(module, module)}` and run the cell again."


def _adopted(target: Target, value: object) -> Database:
    if isinstance(value, sqlalchemy.Engine) and value.dialect.name != "duckdb":
        connection = value.connect().execution_options(isolation_level="AUTOCOMMIT")
        return Database(target, value, connection)
    cleanups: tuple[Callable[[], object], ...] = ()
    if isinstance(value, sqlalchemy.Engine):
        pooled = value.raw_connection()
        native = pooled.driver_connection.execute.__self__  # type: ignore[union-attr] # duckdb-engine hides its own
        cleanups = (pooled.close,)
    else:
        native = value
    engine = _engine(":memory:", {"native": native})
    try:
        database = Database(target, engine, engine.connect(), cleanups=cleanups)
        database.note_transaction()
        database.note_temporary()
        if dbapi.hide_progress_bar(native):
            database.cleanups = (functools.partial(dbapi.show_progress_bar, native), *cleanups)
    except (sqlalchemy.exc.SQLAlchemyError, duckdb.Error) as error:
        cause = getattr(error, "orig", None) or error
    else:
        return database
    message = f"{cause} It is held in your own variable: open it again there."
    raise ConnectError(message) from cause


def _dialect_of(name: str, value: object) -> str:
    if isinstance(value, sqlalchemy.Engine):
        return value.dialect.name
    if isinstance(value, duckdb.DuckDBPyConnection):
        return "duckdb"
    message = (
        f"--engine {name}: got a {type(value).__name__}, where a SQLAlchemy Engine or a DuckDB connection is needed. "
        f"Make one with `sqlalchemy.create_engine(...)` or `duckdb.connect(...)`."
    )
    raise TargetError(message)


def _connect_error(target: Target, cause: BaseException, config: Mapping[str, Any]) -> ConnectError:
    text = scrub(str(cause), _secrets(target, config))
    meant = diagnose(text) if target.is_motherduck else None
    if meant:
        kind = SignInError if meant.trouble == "token" else ConnectError
        error = kind(f"{target.name} cannot be opened. {meant.advice}")
        error.add_note(f"\nMotherDuck said: {text}")
        return error
    error = ConnectError(f"{target.name} cannot be opened. {text}")
    hints = [hint for part, hint in _HINTS if part in text]
    if target.is_motherduck and _UNKNOWN.search(text):
        hints = [_UNKNOWN_HINT]
    if target.is_file and not Path(target.database).parent.exists():
        hints = [f"The folder {str(Path(target.database).parent)!r} does not exist: make it first."]
    for hint in hints[:1]:
        error.add_note(f"\n{hint}")
    return error

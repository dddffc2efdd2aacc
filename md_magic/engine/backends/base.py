"""The interface of a backend: everything that depends on the kind of database. The defaults use SQLAlchemy.

A backend is an open connection. Class methods answer what must be known before it is opened. To add a kind of database,
add a module with a subclass and a row to the table in this package's `__init__`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from md_magic.auth.secret import Secret
from md_magic.engine.backends.binding import Binding
from md_magic.engine.backends.engines import connected, driver_of, make_engine
from md_magic.engine.backends.faults import Faults
from md_magic.engine.backends.features import REASONS, Feature
from md_magic.engine.backends.introspection.inspector import InspectorIntrospection
from md_magic.engine.backends.writing import other
from md_magic.engine.execute import COUNTED, Outcome, through_sink, within
from md_magic.engine.results import rows
from md_magic.engine.results.batches import Batches
from md_magic.engine.results.columns import columns_of
from md_magic.engine.server_state import ServerState
from md_magic.errors import STOPS, StatementError, TargetError
from md_magic.sql import syntax
from md_magic.sql.syntax import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.engine.backends.digests import Digests
    from md_magic.engine.backends.introspection.questions import Introspection
    from md_magic.engine.backends.motherduck.service import MotherDuckService
    from md_magic.engine.backends.storage_classes import StorageClasses
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.connection_state import ConnectionState
    from md_magic.engine.plans.plan import Plan
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.errors import ConnectError
    from md_magic.sql.references import Object
    from md_magic.sql.statement import How, Statement
    from md_magic.sql.syntax.base import Parse, Syntax
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)

FRAME = "md_magic frame"
"""The name of a Python table while it is written. No table has this name; the variable may be named like one."""

_EXPLAIN = re.compile(r"(?i)\A(?:\s|--[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/)*+EXPLAIN\b")
"""The beginning of an EXPLAIN that somebody typed."""


Reading: TypeAlias = Literal[
    "kept",  # once, and kept
    "twice",  # twice: cheaper, and the same both times
    "grouped",  # once, into groups of equal ones, which are few
]
"""How the rows of a query are read by a statement that needs to know their ends first."""


class Kind:
    """The properties of a kind of database that are known without a connection."""

    signs_in: ClassVar[bool] = False
    """Whether opening it needs a MotherDuck token."""

    binds_like_duckdb: ClassVar[bool] = False
    """Whether any DuckDB with the same tables parses and binds a statement as this database does."""

    extends_duckdb: ClassVar[bool] = False
    """Whether it has statements and schemas that DuckDB itself does not have."""

    scans_python_tables: ClassVar[bool] = False
    """Whether SQL can read Python tables by name (replacement scans)."""

    reads_plans: ClassVar[bool] = False
    """Whether `plan` reads what its EXPLAIN returns; else the rows are shown unchanged."""

    profiles: ClassVar[bool] = False
    """Whether one statement of its own computes a profile; else rows are fetched into a private DuckDB, and it does."""

    branches_at_once: ClassVar[bool] = False
    """Whether a background query must connect before its cell returns, because it copies this connection's state.

    Otherwise it connects in its own thread, since connecting may take seconds.
    """

    explain_words: ClassVar[str | None] = None
    """The words before a statement that return its plan; `None` if unknown."""

    analyze_words: ClassVar[str | None] = None
    """The words before a statement that run it and return its plan with times; `None` if unknown."""

    digests: ClassVar[Digests | None] = None
    """How it computes digests of rows; without them, tables are copied to be compared."""

    classes: ClassVar[StorageClasses | None] = None
    """How columns whose values are of several types are copied to be compared; `None` where a column has one type."""

    plan_column: ClassVar[str] = ""
    """The column of its EXPLAIN whose texts are a plan to read, line by line; empty where plans are tables."""

    probe: ClassVar[Statement | None] = None
    """A query that only a working connection can answer; `None` if idle connections are never closed."""

    binding: ClassVar[Binding] = Binding()
    """How values are bound to the parameters of a statement."""

    introspection: ClassVar[type[Introspection]] = InspectorIntrospection
    """The class that reads the database's catalog."""

    _plain_pool_class: ClassVar[type[sqlalchemy.Pool] | None] = None
    """How the engine for Python code pools connections; `None` for as SQLAlchemy's dialect does."""

    _connect_arguments: ClassVar[Mapping[str, object]] = {}
    """Arguments of the driver's `connect`, beside those of the URL."""

    @classmethod
    def is_file(cls, target: Target) -> bool:  # noqa: ARG003 - subclasses look at it
        """Whether *target* is a file on this machine."""
        return False

    @classmethod
    def connect_hint(cls, target: Target, text: str) -> str:  # noqa: ARG003 - subclasses look at it
        """Return a hint for a *target* that cannot be opened with the driver's error *text*; empty if there is none."""
        folder = Path(target.database).parent
        missing = cls.is_file(target) and not folder.exists()
        return f"The folder {str(folder)!r} does not exist: make it first." if missing else ""

    @classmethod
    def connect_refusal(cls, target: Target, config: Mapping[str, Any], text: str) -> ConnectError | None:  # noqa: ARG003 - see above
        """Return a better error than the driver's *text* for a *target* that cannot be opened, if there is one."""
        return None

    # ---- connecting --------------------------------------------------------------------------------------------------

    @classmethod
    def _pool_class(cls, url: sqlalchemy.URL) -> type[sqlalchemy.Pool]:  # noqa: ARG003 - SQLite looks at it
        """Return the pool class of an engine for *url*. No pooling: a closed connection is gone with its settings."""
        return NullPool

    @classmethod
    def _in_autocommit(cls, connection: sqlalchemy.Connection) -> tuple[sqlalchemy.Connection, bool]:
        """Return *connection* in autocommit, and whether each statement needs a COMMIT because there is no such mode.

        Hive, BigQuery and ClickHouse have no isolation levels.
        """
        try:
            return connection.execution_options(isolation_level="AUTOCOMMIT"), False
        except Exception as error:  # NotImplementedError, AttributeError, and whatever such a dialect raises
            if connection.invalidated:
                raise
            logger.debug("no autocommit: %s", error)
            return connection, True

    @staticmethod
    def _interrupt_of(driver: Any) -> Callable[[], object] | None:  # noqa: ANN401 - any driver's connection
        return getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)


class Backend(Kind, Faults):
    """An open connection to a database that SQLAlchemy knows."""

    secrets_in_results: Sequence[Secret] = ()
    """The tokens that SQL can ask this connection for: every result is searched for them, where there are any."""

    def __init__(
        self,
        target: Target,
        engine: sqlalchemy.Engine,
        connection: sqlalchemy.Connection,
        config: Mapping[str, Any] | None = None,
        *,
        on_close: Sequence[Callable[[], object]] = (),
    ) -> None:
        """Take an open *connection* of *engine*. The *on_close* callables are called after it is closed, in order.

        The connection is put into autocommit: only the user's own `BEGIN` starts a transaction.
        """
        self.target = target
        self.engine = engine
        self.config = dict(config or {})
        self.local = self._new_state()
        self.connection, self._commits = self._in_autocommit(connection)
        self._on_close = tuple(on_close)
        driver = driver_of(connection)
        self.interrupt: Callable[[], object] | None = self._interrupt_of(driver)
        """Stops the running statement, from another thread; `None` if the driver cannot."""

        self.parse: Parse | None = None
        """Parses SQL without running it and raises the database's own error; `None` if the driver has no parser."""

        self.known_names: Callable[[], Iterable[str]] = tuple
        """Returns what a statement may name besides the database's own tables: the saved queries."""

        self.notify: Callable[[str], object] = lambda _: None
        """Shows a person one line: a notice of the server."""

        self.progress: Callable[[], float] | None = None
        """Returns the progress of the running statement in per cent, from any thread; `None` if the driver cannot."""

    # ---- opening and closing ----------------------------------------------------------------------------------------

    @classmethod
    def open(cls, target: Target, config: Mapping[str, Any]) -> Self:
        """Connect to *target*. Raises `TargetError` for a missing driver, and whatever the driver raises."""
        if config:
            message = f"--config is DuckDB's configuration; {target.name} takes its settings in the URL."
            raise TargetError(message)
        pool_class = cls._pool_class(target.sqlalchemy_url())
        engine = make_engine(target, pool_class=pool_class, secrets=lambda: target.secrets, more=cls._connect_arguments)
        return cls(target, engine, engine.connect(), on_close=(engine.dispose,))

    @classmethod
    def adopt(cls, target: Target, value: Any) -> Self:  # noqa: ANN401 - an engine, or a driver's connection
        """Connect through *value*, the user's own SQLAlchemy engine, which `close` leaves open."""
        return cls(target, value, connected(value))

    def look_again(self) -> None:
        """Notice what the owner of an adopted connection may have changed since."""

    def close(self) -> None:
        """Close the connection and everything opened for it. A second call does nothing."""
        closing = () if self.is_given_up else (self.connection.close,)
        steps, self._on_close = (*closing, *self._on_close), ()
        for step in steps:
            try:
                step()
            except STOPS:
                raise
            except BaseException:  # drivers raise anything for a dead connection; the rest must still be closed
                logger.debug("closing %s failed", self.target.name, exc_info=True)

    def branch(self) -> Self:
        """Return another connection to the same database, for use in another thread; it is closed separately.

        Raises `ConnectError` if no other connection can have this one's state.
        """
        branch = type(self)(self.target, self.engine, connected(self.engine))
        branch.connection.detach()  # what it sets ends with it, also where the engine is the user's own, with a pool
        return branch

    @classmethod
    def plain_engine(cls, target: Target, opened: Callable[[], Self]) -> sqlalchemy.Engine:
        """Return a SQLAlchemy engine on *target* for Python code beside the cells, with the usual transactions.

        *opened* returns the backend that is open on *target*, and raises where it is closed: so does the engine then.
        It is the user's own engine where *target* is one.
        """
        if target.variable:
            return opened().engine
        engine = make_engine(target, pool_class=cls._plain_pool_class, secrets=lambda: opened().target.secrets)
        event.listen(engine, "checkout", lambda *_: opened())  # a pooled connection does not connect again
        return engine

    def _new_state(self) -> ConnectionState:
        """Return the state of a connection that has nothing of its own yet."""
        return ServerState(ask=self._asks_driver)

    def _asks_driver(self) -> bool | None:
        """Return whether a transaction is open, as the driver knows it; `None` where it does not, or is closed."""
        driver = None if self.is_closed else driver_of(self.connection)
        state = getattr(driver, "in_transaction", None)
        return state if isinstance(state, bool) else None

    # ---- properties -------------------------------------------------------------------------------------------------

    @property
    def dialect(self) -> str:
        """SQLAlchemy's dialect name, the key of state kept per dialect, such as saved queries."""
        return str(self.engine.dialect.name)

    @property
    def account(self) -> str:
        """The user name that it was opened with; empty if there is none."""
        return self.target.user

    @property
    def secrets(self) -> list[Secret]:
        """The values to mask in every text that a person sees."""
        return secrets_of(self.target, self.config)

    @functools.cached_property
    def syntax(self) -> Syntax:
        """How its SQL is read and written as text."""
        return syntax.of(self.dialect)

    @property
    def is_in_memory(self) -> bool:
        """Whether the database lives in this connection alone; another connection would see an empty one."""
        return False

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed."""
        return self.connection.closed or self.connection.invalidated

    @property
    def is_given_up(self) -> bool:
        """Whether the driver still works on a statement for which nobody waits: nothing else may use the connection."""
        return False

    @property
    def in_transaction(self) -> bool:
        """Whether the user's own transaction is open, as far as is known without a query."""
        return self.local.in_transaction or bool(self._asks_driver())

    def why_not(self, feature: Feature) -> str:
        """Return why *feature* is not available here, in whole sentences; empty if it is."""
        possible = feature == "background" or (feature == "timeout" and self.interrupt is not None)
        return "" if possible else REASONS[feature].format(name=self.target.name)

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement* with *values* bound and fetch its result according to *spec*. Driver errors pass through.

        *execution* counts the fetched rows, and raises if the cell was stopped.
        """
        try:
            result, declared = self._execute(statement, values), functools.partial(self._declared, statement, values)
            outcome = _fetched(statement, result, spec, execution, declared)
        except BaseException:
            self._end_implicit(self.connection.rollback)
            raise
        if spec.form != "reader" and statement.kind != "TRANSACTION":  # a COMMIT may close what is yet to be read
            self._end_implicit(self.connection.commit)
        return outcome

    def _execute(self, statement: Statement, values: Mapping[str, Any], **options: Any) -> sqlalchemy.CursorResult[Any]:  # noqa: ANN401 - SQLAlchemy's execution options
        """Send *statement* with *values* bound."""
        bound = self.binding.bound(statement, values)
        return self.connection.execute(bound.clause, bound.values, execution_options=options)

    def _declared(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[pa.DataType | None]:  # noqa: ARG002 - SQLite's asks
        """Return the types of the columns of *statement* as their tables declare them, where rows have no values."""
        return ()

    def _end_implicit(self, end: Callable[[], object]) -> None:
        """Call *end*, COMMIT or ROLLBACK, where there is no autocommit and the user has begun no transaction."""
        if self._commits and not self.local.in_transaction:
            with contextlib.suppress(Exception):  # Hive has no transactions, and says so
                end()

    @contextlib.contextmanager
    def scanning(self, frames: Mapping[str, Any]) -> Iterator[None]:  # noqa: ARG002 - DuckDB's scans them
        """Let statements within the block read the Python tables in *frames*, if the database supports it."""
        yield

    def stopper(self, *, anew: bool) -> Callable[[], object] | None:  # noqa: ARG002 - MotherDuck's looks at it
        """Return the function that stops the following statements; `None` if they cannot be stopped.

        *anew* says that they are a new execution, and not a part of the last one.
        """
        return self.interrupt

    def describe(
        self,
        statement: Statement,  # noqa: ARG002 - DuckDB's needs them
        run: Callable[[Statement], dict[str, list[Any]]],  # noqa: ARG002
        values: Mapping[str, Any],  # noqa: ARG002
    ) -> list[dict[str, str]]:
        """Return name and type of each column of *statement*, not run; *run* runs another with the *values*."""
        raise StatementError(self.why_not("dry-run"))

    def reading(
        self,
        statement: Statement,  # noqa: ARG002 - DuckDB's needs them
        groups: Statement | None,  # noqa: ARG002
        run: Callable[[Statement], dict[str, list[Any]]],  # noqa: ARG002
    ) -> Reading:
        """Return how the rows of *statement* are best read where their ends must be known first.

        *groups* groups them by their values, if that is enough for who asks; *run* runs another statement.
        """
        return "kept"

    def explaining(self, statement: Statement, *, run: bool) -> Statement:
        """Return *statement* wrapped in the database's own EXPLAIN; with *run*, in one that runs it and measures.

        Raises `StatementError` if we do not know the database's EXPLAIN.
        """
        words = self.analyze_words if run else self.explain_words
        if words is None:
            option = "--analyze" if run else "--explain"
            message = (
                f"{option}: how {self.dialect} is asked for that is not known here. Type its own EXPLAIN into the cell."
            )
            raise StatementError(message)
        return within(statement, f"{words}\n")

    def plan(self, columns: Mapping[str, Sequence[Any]], *, analyzed: bool) -> Plan:
        """Return the plan in *columns*, the result of `explaining`, if the backend `reads_plans`."""
        raise NotImplementedError

    def plan_column_of(self, statement: Statement) -> str:
        """Return the column in which the result of *statement* has a plan; empty if that is no EXPLAIN."""
        return self.plan_column if self.plan_column and _EXPLAIN.match(statement.text) else ""

    def introspect(self) -> Introspection:
        """Return an introspection on this connection, for `md_magic.catalog.introspect`."""
        return self.introspection(self.connection)

    def service(self) -> MotherDuckService | None:
        """Return what asks the service behind this connection about itself; `None` where there is none."""
        return None

    # ---- connection-local state -------------------------------------------------------------------------------------

    def temporary_objects(self) -> list[Object]:
        """Return the user's temporary objects, which other connections do not have."""
        return []

    def definitions(self) -> dict[str, str]:
        """Return the SQL of each of the user's views and macros, by lower-case name."""
        return {}

    def transaction_after_stop(self) -> str:
        """Return a sentence on the user's transaction after a statement was stopped; empty if none was open."""
        return ""

    # ---- errors -----------------------------------------------------------------------------------------------------

    def is_lost(self, statement: Statement, cause: BaseException, diagnosis: Diagnosis | None) -> bool:  # noqa: ARG002 - DuckDB's asks further
        """Whether the connection is gone, after *statement* failed with *cause*."""
        return self.is_closed

    def needs_probe(self, idle: float) -> bool:  # noqa: ARG002 - see above
        """Whether the connection may be dead after *idle* seconds, so that it must be probed before a statement."""
        return False

    # ---- writing ----------------------------------------------------------------------------------------------------

    def upload_statement(self, table: Sequence[str], how: How) -> Statement | None:  # noqa: ARG002 - DuckDB's has one
        """Return the SQL that writes the Python table named `FRAME` to *table*; `None` if SQL cannot read it."""
        return None

    def upload(
        self,
        table: Sequence[str],
        value: Any,  # noqa: ANN401 - any table
        how: How,
        execution: Execution | None = None,
    ) -> int:
        """Write the Python table *value* to *table*, a name in parts, atomically; return the number of rows.

        Driver errors pass through; raises `ValueError` for a table that exists. After an error, nothing is written.
        """
        return other.write(self.engine, table, value, how, execution)


def _fetched(
    statement: Statement,
    result: sqlalchemy.CursorResult[Any],
    spec: ResultSpec,
    execution: Execution | None,
    declared: rows.Declared,
) -> Outcome:
    """Return *result*, that of *statement*, according to *spec*."""
    if not result.returns_rows:
        return Outcome(statement, changed=changed_by(statement, result), rowless=True)
    if spec.sink is not None:
        reader = rows.from_cursor(result, "reader", declared=declared, exact=False).value
        batches = Batches(reader, limit=spec.limit)
        return through_sink(statement, spec, columns_of(reader.schema), batches, execution)
    count = execution.count if execution is not None else None
    fetched = rows.from_cursor(result, spec.form, limit=spec.limit, count=count, declared=declared)
    return Outcome(statement, value=fetched.value, limited_to=spec.limit if fetched.more else None)


def changed_by(statement: Statement, result: sqlalchemy.CursorResult[Any]) -> int | None:
    """Return how many rows *statement* changed; `None` where its kind changes none: drivers say 0, or anything."""
    counts = statement.kind in {*COUNTED, ""} and (
        statement.kind != "CREATE" or kinds.creates_from_query(statement.text)
    )
    return result.rowcount if counts and result.rowcount >= 0 else None


def secrets_of(target: Target, config: Mapping[str, Any]) -> list[Secret]:
    """Return the values to mask in every text about *target*, opened with *config*."""
    return [value for value in (*target.secrets.values(), *config.values()) if isinstance(value, Secret)]

"""Running one cell's statements: reading, binding and running them, or returning their columns, plan or profile.

The invariant: nothing is run if any statement cannot be parsed or any parameter has no value.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from md_magic.catalog import listing
from md_magic.engine import execute
from md_magic.engine import variables as namespace
from md_magic.engine.cancellation import Execution
from md_magic.engine.results.spec import AS_FRAME, DISCARDED
from md_magic.errors import (
    ConnectionLost,
    FrameError,
    OptionError,
    QueryCancelled,
    QueryInterrupted,
    SignInError,
    StatementError,
)
from md_magic.session import explain, meant, parameters, upload
from md_magic.session import profile as profiles
from md_magic.session.background.job import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from md_magic.catalog.cache import CatalogCache
    from md_magic.engine.cancellation import Limit, Watcher
    from md_magic.engine.database import Database
    from md_magic.engine.execute import Outcome
    from md_magic.engine.plans.plan import Plan
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.session.chart.values import Drawing, Wish
    from md_magic.session.history import History
    from md_magic.session.profile.values import Profile
    from md_magic.session.reading import StatementReader
    from md_magic.session.recovery import Recovery
    from md_magic.sql.statement import How, Statement

T = TypeVar("T")

_MOST_PARTS = 3
"""Parts of the longest name of a table: database, schema, table."""


class CurrentCell(threading.local):
    """State shared by the statements of this thread's cell: one execution, and the name of a query being saved."""

    execution: Execution | None = None
    saving: str | None = None
    """The saved query that the cell defines; in its own SELECT, that name refers to a table."""

    def __init__(self, watcher: Watcher) -> None:
        """Let *watcher* stop what runs."""
        self._watcher = watcher

    @contextlib.contextmanager
    def executing(self, execution: Execution) -> Iterator[Execution]:
        """Within the block, everything that runs is one *execution*, with one clock, limit and stop."""
        outer, self.execution = self.execution, execution  # cells can be nested: a query can call Python code
        try:
            yield execution
        finally:
            self.execution = outer

    @contextlib.contextmanager
    def beside(self, name: str, stop: Callable[[], object]) -> Iterator[Execution]:
        """Within the block, what runs beside the databases is a part of the cell's execution: see `executing`."""
        execution = self.execution or Execution()
        target = execution.target
        execution.attach(name, stop)
        try:
            with self._watcher.watching(execution):
                yield execution
        finally:
            execution.attach(target, None)  # which would keep what *stop* belongs to

    @contextlib.contextmanager
    def watched(self, database: Database) -> Iterator[Execution]:
        """Within the block, what runs on *database* can be watched, and stopped: see `executing` and `Watcher`.

        Raises `OptionError` if there is a time limit and the driver cannot stop a query.
        """
        execution = self.execution or Execution()
        check_limit(database, execution.limit)
        try:
            with database.lock:
                database.attach(execution)
                with self._watcher.watching(execution):
                    yield execution
        except (QueryInterrupted, QueryCancelled) as error:
            if state := database.backend.transaction_after_stop():
                error.add_note(state)
            raise


class Runner:
    """Runs the statements of cells on the current database."""

    def __init__(
        self,
        cell: CurrentCell,
        reader: StatementReader,
        recovery: Recovery,
        history: History,
        *,
        use: Callable[[], Database],
        catalog_cache: Callable[[Database], CatalogCache],
    ) -> None:
        """Make a runner. *use* opens and returns the current database; *catalog_cache* returns its catalog cache."""
        self._cell = cell
        self._reader = reader
        self._recovery = recovery
        self._history = history
        self._use = use
        self._catalog_cache = catalog_cache

    def run(
        self, sql: str, variables: Mapping[str, Any], given: Mapping[str, Any], spec: ResultSpec, *, every: bool
    ) -> Iterator[Outcome]:
        """Give the outcome of each statement of *sql* as it ends: see `Session.run`."""
        database = self._use()
        with self._cell.watched(database) as execution:
            database, statements = self._read(database, execution, sql)
            values = [parameters.values(statement, given) for statement in statements]
            tables = _scannable(database, variables)
            for statement, bound in zip(statements, values, strict=True):
                execution.begin_statement(statement.number, statement.of)
                wanted = every or statement.number == statement.of
                with self._explaining(database, statement, variables):
                    outcome = self._run_one(database, statement, bound, tables, spec if wanted else DISCARDED)
                yield outcome

    def task(
        self,
        texts: Sequence[str],
        variables: Mapping[str, Any],
        given: Mapping[str, Any],
        spec: ResultSpec,
        time_limit: Limit | None,
    ) -> Task:
        """Return the statements of *texts*, read and bound, as a task for a background query. Nothing is run."""
        database = self._use()
        check_limit(database, time_limit)
        statements: list[Statement] = []
        for sql in texts:
            database, more = self._reader.read(database, sql)
            statements += more
        return Task(
            statements=[
                (statement, parameters.frozen(parameters.values(statement, given))) for statement in statements
            ],
            tables=_scannable(database, variables),
            spec=spec,
            time_limit=time_limit,
        )

    def parameter_names(self, sql: str) -> list[str]:
        """Return the names of the parameters in *sql*. Nothing is run."""
        _, statements = self._reader.read(self._use(), sql)
        return [parameter.name for statement in statements for parameter in statement.parameters]

    def columns(self, sql: str, variables: Mapping[str, Any], given: Mapping[str, Any]) -> pd.DataFrame:
        """Return a frame with name and type of the columns that the last statement of *sql* would give."""
        database = self._use()
        columns: list[dict[str, str]] = []
        with self._cell.watched(database) as execution:
            database, statements = self._read(database, execution, sql)
            for statement in statements[-1:]:
                values = parameters.values(statement, given)
                with (
                    self._explaining(database, statement, variables),
                    self._running_statement(database, statement, _scannable(database, variables), nothing_ran=True),
                ):
                    columns = execute.describe(database, statement, values)
        return listing.frame(columns, ["column", "type"])

    def plan(
        self, sql: str, variables: Mapping[str, Any], given: Mapping[str, Any], *, run: bool
    ) -> Plan | pd.DataFrame:
        """Return the plan of the last statement of *sql*: see `Session.plan`."""
        ask = _analyze if run else _explain
        return self._ask_of_last(sql, variables, given, ask, run_others=run, option="--analyze" if run else "--explain")

    def profile(self, sql: str, variables: Mapping[str, Any], given: Mapping[str, Any]) -> Profile:
        """Return what the columns of the last statement of *sql* hold: see `Session.profile`."""
        query = profiles.as_query(sql, self._use().backend)
        return self._ask_of_last(query, variables, given, profiles.profile, run_others=True, option="--profile")

    def chart(
        self, sql: str, variables: Mapping[str, Any], given: Mapping[str, Any], wish: Wish, *, limit: int | None
    ) -> Drawing:
        """Return the drawing that *wish* describes of the last statement of *sql*: see `Session.chart`."""
        from md_magic.session.chart.run import draw  # only a chart needs it

        def ask(database: Database, statement: Statement, values: Mapping[str, Any]) -> Drawing:
            return draw(database, statement, values, wish, limit=limit)

        query = profiles.as_query(sql, self._use().backend)
        return self._ask_of_last(query, variables, given, ask, run_others=True, option="--chart")

    def ask(
        self,
        sql: str,
        variables: Mapping[str, Any],
        ask: Callable[[Database, Statement, Mapping[str, Any]], T],
        *,
        option: str,
    ) -> T:
        """Return the result of *ask* for the last statement of *sql*, on the current target; nothing else is run.

        *ask* gets the open database, the statement and the values of its parameters; *option* is what needs it.
        """
        return self._ask_of_last(sql, variables, variables, ask, run_others=False, option=option)

    def write(self, table: str, name: str, value: object, *, how: How) -> int:
        """Write *value*, the table in the Python variable *name*, to *table*; return the number of its rows."""
        frames = namespace.tables({upload.FRAME: value})
        if not frames:
            message = f"--frame {name}: got {type(value).__name__}, where a pandas, Polars or Arrow table is needed."
            if column := namespace.a_column({name: value}):
                message = f"--frame {name}: {column}"
            raise FrameError(message)
        database, parts = self._use(), _table_parts(table)
        try:
            line = f"%mdsql --to {table} --frame {name}" + (f" --{how}" if how != "create" else "")
            with self._cell.watched(database) as execution, self._history.running(line, execution) as running:
                statement = database.backend.upload_statement(parts, how)
                if statement is None:
                    running.written = upload.write_other(database, parts, value, how)
                    return running.written
                with self._running_statement(database, statement, frames, nothing_ran=True):
                    running.outcome = outcome = execute.run(database, statement, {}, AS_FRAME)
        except StatementError as error:
            if how == "create" and "already exists" in str(error):
                message = (
                    f"{table} exists already. Write --append to add rows to it, or --replace to put it in its place."
                )
                raise StatementError(message) from error.__cause__
            raise
        return outcome.changed or 0

    def _read(self, database: Database, execution: Execution, sql: str) -> tuple[Database, list[Statement]]:
        """Read *sql* for *execution*, which moves to the new connection where reading had to connect again."""
        try:
            current, statements = self._reader.read(database, sql)
        except StatementError:
            self._history.failed(sql, execution)
            raise
        if current is not database:
            current.attach(execution)
        return current, statements

    def _ask_of_last(
        self,
        sql: str,
        variables: Mapping[str, Any],
        given: Mapping[str, Any],
        ask: Callable[[Database, Statement, Mapping[str, Any]], T],
        *,
        run_others: bool,
        option: str,
    ) -> T:
        """Return the result of *ask* for the last statement of *sql*; with *run_others*, run those before it first."""
        database = self._use()
        with self._cell.watched(database) as execution:
            database, statements = self._read(database, execution, sql)
            if not statements:
                message = f"{option} needs a statement, and there is none. Write it below, or after the option."
                raise StatementError(message)
            needed = statements if run_others else statements[-1:]
            values = [parameters.values(statement, given) for statement in needed]
            tables = _scannable(database, variables)
            for statement, bound in zip(needed[:-1], values, strict=False):
                execution.begin_statement(statement.number, statement.of)
                self._run_one(database, statement, bound, tables, DISCARDED)
            last = needed[-1]
            execution.begin_statement(last.number, last.of)
            history = self._history.running(last.text, execution) if run_others else contextlib.nullcontext()
            with (
                history,
                self._explaining(database, last, variables),
                self._running_statement(database, last, tables, nothing_ran=len(needed) == 1),
            ):
                return ask(database, last, values[-1])

    def _run_one(
        self,
        database: Database,
        statement: Statement,
        values: Mapping[str, Any],
        tables: Mapping[str, Any],
        spec: ResultSpec,
    ) -> Outcome:
        nothing_ran = statement.number == 1
        with (
            self._history.running(statement.text, database.execution) as running,
            self._running_statement(database, statement, tables, nothing_ran=nothing_ran),
        ):
            running.outcome = execute.run(database, statement, values, spec)
            return running.outcome

    @contextlib.contextmanager
    def _explaining(self, database: Database, statement: Statement, variables: Mapping[str, Any]) -> Iterator[None]:
        """Within the block, an error about an unknown name of *statement* says what may be meant."""
        try:
            yield
        except StatementError as error:
            if hint := meant.hint(database, statement, error, variables, self._reader.names):
                error.add_note(f"\n{hint}")
            raise

    @contextlib.contextmanager
    def _running_statement(
        self, database: Database, statement: Statement, tables: Mapping[str, Any], *, nothing_ran: bool
    ) -> Iterator[None]:
        """Within the block *statement* runs on *database*, where it can name the Python *tables*.

        A connection that is lost, or whose token MotherDuck refuses, is dropped: the next cell opens a new one.
        *nothing_ran* says that the cell can be run again after signing in without running a statement twice.
        """
        cache = self._catalog_cache(database)
        try:
            cache.before(statement)
            try:
                with database.lock, database.scanning(tables):
                    yield
            finally:
                cache.after(statement)
        except SignInError as error:
            required = self._recovery.refused(database, error)
            if not nothing_ran:
                raise
            raise required from error.__cause__
        except ConnectionLost as error:
            self._recovery.lost_in_cell(database, error)
            raise


def _table_parts(table: str) -> list[str]:
    """Return the parts of the name of a *table* that is written. Raises `OptionError` for what is no name."""
    parts = listing.name_parts(table)
    if not all(parts) or len(parts) > _MOST_PARTS or "\0" in table:
        message = (
            f"--to {table!r} names no table: a name is table, schema.table or database.schema.table, and no part of it"
            " is empty. A name with a dot in it stands in double quotes."
        )
        raise OptionError(message)
    return parts


def check_limit(database: Database, limit: Limit | None) -> None:
    """Raise `OptionError` where *limit* is set and the driver of *database* cannot stop a query."""
    if limit is not None and (reason := database.backend.why_not("timeout")):
        message = f"{limit.words}: {reason}"
        raise OptionError(message)


def _scannable(database: Database, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return *variables* where statements on *database* can name the tables among them."""
    return namespace.scannable(variables) if database.backend.scans_python_tables else {}


def _explain(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan | pd.DataFrame:
    if not database.backend.reads_plans:
        return explain.rows(database, statement, values, run=False)
    return explain.explain(database, statement, values)


def _analyze(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan | pd.DataFrame:
    if not database.backend.reads_plans:
        return explain.rows(database, statement, values, run=True)
    return explain.analyze(database, statement, values)

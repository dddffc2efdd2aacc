"""PostgreSQL, through psycopg 3 or psycopg2."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.engines import driver_of
from md_magic.engine.backends.introspection.postgresql import PostgreSQLCatalog
from md_magic.engine.backends.postgresql import adbc, columns
from md_magic.engine.backends.postgresql import driver as drivers
from md_magic.engine.backends.postgresql.binding import PostgreSQLBinding
from md_magic.engine.backends.postgresql.digests import PostgreSQLDigests
from md_magic.engine.backends.postgresql.writer import PostgreSQLWriter
from md_magic.engine.backends.server import OpenStream, ServerBackend
from md_magic.engine.execute import Outcome
from md_magic.engine.plans import postgresql as plans
from md_magic.sql.references import Object
from md_magic.sql.syntax import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.engine.backends.features import Feature
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.plans.plan import Plan
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.engine.results.typed import ColumnType
    from md_magic.sql.statement import How, Statement

_ROW = re.compile(r"\nDETAIL: +Failing row contains .*", re.DOTALL)
"""PostgreSQL's detail of a violated constraint: the values of the row, which may come from the user's frame."""

_LINE = re.compile(r"(?m)^LINE (\d+): ")
_FIRST = 1_000
"""Rows of the first FETCH."""

_IN_FAILED_TRANSACTION = "25P02"
_STOPPED = "57014"

_TEMPORARY = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind IN ('r', 'p', 'v', 'S') ORDER BY c.oid
"""

_numbers = itertools.count(1)


class PostgreSQLBackend(ServerBackend):
    """A connection to PostgreSQL."""

    binding = PostgreSQLBinding()
    introspection = PostgreSQLCatalog
    unknown_tables = (re.compile(r'\Arelation "(?:[^"]+\.)?(?P<name>[^".]+)" does not exist'),)
    unknown_columns = (
        re.compile(r'\Acolumn "?(?:[^"\s]+\.)?(?P<name>[^"\s.]+)"? (?:of relation \S+ )?does not exist'),
    )
    suggestion = re.compile("HINT:")  # of columns in a query; none where a change names its columns
    plan_column = "QUERY PLAN"
    digests = PostgreSQLDigests()
    reads_plans = True
    explain_words = "EXPLAIN (FORMAT JSON)"
    analyze_words = "EXPLAIN (ANALYZE, FORMAT JSON)"

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of the base class
        """Take an open connection."""
        super().__init__(*args, **options)
        native = driver_of(self.connection)
        self._driver = drivers.of(native)
        self._wants_texts = False
        self._prefix = ""
        self._failed = False
        if self._driver is not None:
            self._driver.on_notice(self._show_notice)
            self.interrupt = self._driver.cancel
            event.listen(self.connection, "before_cursor_execute", self._before_execute, retval=True)
        else:
            self._pid = self.connection.exec_driver_sql("SELECT pg_catalog.pg_backend_pid()").scalar_one()
            self.interrupt = self._cancel_from_beside

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement* with *values* bound: typed and streamed with a driver that is known, else by its values."""
        if self._driver is None:
            return Backend.run(self, statement, values, spec, execution)
        self._failed = self._driver.has_failed()
        outcome = super().run(statement, values, spec, execution)
        if statement.kind in _MAKES_TEMPORARY and not self._driver.has_failed():
            self.local.temporary[:] = self.temporary_objects()
        return outcome

    def why_not(self, feature: Feature) -> str:
        """Return why *feature* is not available: psycopg2 cannot prepare a statement without running it."""
        is_psycopg = hasattr(driver_of(self.connection), "pgconn")
        return "" if feature == "dry-run" and is_psycopg else super().why_not(feature)

    def describe(
        self,
        statement: Statement,
        run: Callable[[Statement], dict[str, list[Any]]],
        values: Mapping[str, Any],
    ) -> list[dict[str, str]]:
        """Return name and type of each column, as the server prepares it. Nothing is run."""
        if self.why_not("dry-run"):
            return super().describe(statement, run, values)
        driver: Any = driver_of(self.connection)
        return columns.describe(driver, self.syntax.with_literals(statement, values))

    def plan(self, rows: Mapping[str, Sequence[Any]], *, analyzed: bool) -> Plan:
        """Return the plan in *rows*: JSON, which the driver may have read already."""
        [[document]] = rows.values()
        return plans.read(json.loads(document) if isinstance(document, str) else document, analyzed=analyzed)

    def _run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement*: a large plain query through ADBC, where that is installed."""
        whole = spec.keep and spec.sink is None and spec.limit is None and spec.form in adbc.FORMS
        if whole and adbc.is_installed() and self._is_shared(statement):
            known, column = self._known, self._known.column_maker()
            value = adbc.read(statement, spec, execution, ask=self._ask, conninfo=known.conninfo, column=column)
            if value is not None:
                return Outcome(statement, value=value)
        return super()._run(statement, values, spec, execution)

    def _is_shared(self, statement: Statement) -> bool:
        """Whether another connection would read the same with *statement*, as far as is known without a query."""
        if statement.kind != "SELECT" or self.target.variable or not self.local.is_blank:
            return False
        return kinds.only_reads(statement.text)

    def _ask(self, sql: str) -> Any:  # noqa: ANN401 - any value
        """Return the first value of a query of ours."""
        with contextlib.closing(self.connection.connection.cursor()) as cursor:
            cursor.execute(sql)
            row: Any = cursor.fetchone()
            return row[0]

    def _said(self, statement: Statement) -> str:
        """Say that the COMMIT of a failed transaction was a ROLLBACK."""
        word = kinds.plain(statement.text).split(" ", 1)[0].lower()
        if statement.kind != "TRANSACTION" or word not in {"commit", "end", "prepare"} or not self._failed:
            return ""
        self.local.reverted = True
        return "ROLLBACK: a statement of the transaction had failed, so nothing of it was kept."

    def _refusal(self, statement: Statement) -> str:
        """Refuse a COPY from or to the client: the driver would wait for rows that no cell sends."""
        if statement.kind != "COPY":
            return ""
        pairs = set(itertools.pairwise(kinds.words(statement.text)))
        if ("to", "stdout") not in pairs and ("from", "stdin") not in pairs:
            return ""
        if ("from", "stdin") in pairs:
            return (
                "COPY ... FROM STDIN waits for rows that a cell does not send; nothing was run. Write a frame with"
                " `%mdsql --to TABLE --frame NAME --append`, or name a file of the server: COPY t FROM '/path'."
            )
        return (
            "COPY ... TO STDOUT sends rows that a cell does not read; nothing was run. Run the SELECT, and save its"
            " frame with df.to_csv(...), or name a file of the server: COPY t TO '/path'."
        )

    def _before_execute(
        self,
        _connection: object,
        cursor: Any,  # noqa: ANN401 - of SQLAlchemy's event
        sql: str,
        parameters: Any,  # noqa: ANN401 - see above
        _context: object,
        _many: object,
    ) -> tuple[str, Any]:
        """Prepare the driver's *cursor* for a cell's statement, and put what opens a stream before its text."""
        if self._wants_texts:
            self._known.hand_over_texts(cursor)
        return self._prefix + sql, parameters

    @property
    def _known(self) -> drivers.Driver:
        assert self._driver is not None  # noqa: S101 - `run` has looked
        return self._driver

    @contextlib.contextmanager
    def _texts(self) -> Iterator[None]:
        self._wants_texts = True
        try:
            yield
        finally:
            self._wants_texts = False

    def _columns(self, cursor: Any) -> list[ColumnType]:  # noqa: ANN401 - the driver's cursor
        return self._known.columns(cursor)

    @contextlib.contextmanager
    def _open_stream(self, statement: Statement, values: Mapping[str, Any]) -> Iterator[OpenStream]:
        """Run *statement* as a cursor of the server, in the user's transaction or one of its own."""
        name, begins = f"md_magic_{next(_numbers)}", not self._known.transaction()
        try:
            if begins:
                self._send("BEGIN")
            self._declare(name, statement, values)
            yield self._fetching(name)
            self._send("COMMIT" if begins else f"CLOSE {name}")
        except BaseException:
            if begins:
                with contextlib.suppress(Exception):  # the connection may be gone
                    self._send("ROLLBACK")
            raise

    def _declare(self, name: str, statement: Statement, values: Mapping[str, Any]) -> None:
        self._prefix = f"DECLARE {name} NO SCROLL CURSOR FOR\n"
        try:
            self._execute(statement, values)
        except Exception as error:
            with contextlib.suppress(AttributeError):
                error.orig.lines_before = 1  # type: ignore[attr-defined] # read by `error_text`
            raise
        finally:
            self._prefix = ""

    def _fetching(self, name: str) -> OpenStream:
        """Return what fetches from the cursor *name*. The first rows are fetched now, for the types."""
        cursor = self.connection.connection.cursor()
        self._known.hand_over_texts(cursor)
        waiting = self._fetch(cursor, name, _FIRST)
        types, all_fetched = self._columns(cursor), len(waiting) < _FIRST

        def fetch(rows: int) -> Sequence[Sequence[Any]]:
            nonlocal waiting
            now, waiting = waiting[:rows], waiting[rows:]
            if len(now) < rows and not all_fetched:
                now = now + self._fetch(cursor, name, rows - len(now))
            return now

        return OpenStream(types, fetch)

    def _fetch(self, cursor: Any, name: str, rows: int) -> list[Any]:  # noqa: ANN401 - the driver's cursor
        cursor.execute(f"FETCH FORWARD {rows} FROM {name}")
        fetched: list[Any] = cursor.fetchall()
        return fetched

    def _send(self, sql: str) -> None:
        """Send a statement of ours past SQLAlchemy, which would log it as the user's."""
        with contextlib.closing(self.connection.connection.cursor()) as cursor:
            cursor.execute(sql)

    # ---- the connection ---------------------------------------------------------------------------------------------

    def _asks_driver(self) -> bool | None:
        driver = getattr(self, "_driver", None)
        return driver.transaction() if driver is not None else super()._asks_driver()

    def _has_news(self) -> bool:
        return self._driver is not None and self._driver.has_news()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed, by us or by the server."""
        driver = getattr(self, "_driver", None)
        return super().is_closed or (driver is not None and driver.is_gone())

    def _cancel_from_beside(self) -> None:
        """Stop the running statement from another connection: the driver cannot."""
        with self.engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_catalog.pg_cancel_backend({self._pid})")

    def temporary_objects(self) -> list[Object]:
        """Return the temporary tables, views and sequences of this session."""
        return [Object(kind, name) for kind, name in self.connection.exec_driver_sql(_TEMPORARY)]

    def transaction_after_stop(self) -> str:
        """Say what a stop has done to the user's transaction."""
        if self._driver is None or not self._driver.has_failed():
            return ""
        return "\nYour transaction has failed with it: end it with ROLLBACK."

    # ---- writing ----------------------------------------------------------------------------------------------------

    def upload(
        self,
        table: Sequence[str],
        value: Any,  # noqa: ANN401 - any table
        how: How,
        execution: Execution | None = None,
    ) -> int:
        """Write the Python table *value* to *table* by COPY, on this connection and in its transaction."""
        if self.engine.dialect.driver not in {"psycopg", "psycopg2"}:
            return super().upload(table, value, how, execution)
        return PostgreSQLWriter(self, execution).write(table, value, how)

    # ---- errors -----------------------------------------------------------------------------------------------------

    def error_text(self, cause: BaseException) -> str:
        """Return what *cause* says, without the row that failed, and with its line as typed."""
        before = getattr(cause, "lines_before", 0)
        text = _LINE.sub(lambda match: f"LINE {int(match[1]) - before}: ", super().error_text(cause))
        return _ROW.sub("", text)

    def hint(self, statement: Statement, cause: BaseException, text: str, diagnosis: Diagnosis | None) -> str:  # noqa: ARG002 - see base
        """Return how to end the user's transaction, which has failed by *cause* or earlier."""
        failed = self._driver is not None and self._driver.has_failed()
        return "Your transaction has failed: end it with ROLLBACK." if failed else ""

    def was_stopped(self, cause: BaseException | None) -> bool:
        """Whether *cause* is the server's error for a statement that was stopped."""
        return _state(cause) == _STOPPED

    def answers(self, cause: BaseException | None) -> bool:
        """Whether the server answers: it refuses everything in a transaction that has failed."""
        return _state(cause) == _IN_FAILED_TRANSACTION


_MAKES_TEMPORARY = frozenset({"CALL", "DO", "EXECUTE"})
"""Kinds of statements that may make temporary tables out of sight."""


def _state(cause: BaseException | None) -> str:
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")

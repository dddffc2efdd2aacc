"""MySQL and MariaDB: with PyMySQL typed, streamed and stopped; another driver's rows are typed by their values."""

from __future__ import annotations

import contextlib
import logging
import re
import select
from typing import TYPE_CHECKING, Any

from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.binding import MySQLBinding
from md_magic.engine.backends.engines import driver_of
from md_magic.engine.backends.introspection.mysql import MySQLCatalog
from md_magic.engine.backends.mysql import types
from md_magic.engine.backends.mysql.writer import MySQLWriter
from md_magic.engine.backends.server import OpenStream, ServerBackend
from md_magic.engine.execute import within
from md_magic.engine.plans import mysql as plans
from md_magic.engine.server_state import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.engine.backends.features import Feature
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.connection_state import ConnectionState
    from md_magic.engine.execute import Outcome
    from md_magic.engine.plans.plan import Plan
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.engine.results.typed import ColumnType
    from md_magic.sql.statement import How, Statement

logger = logging.getLogger(__name__)

_IN_TRANSACTION = 1
"""The bit of the server's status."""

_STOPPED = frozenset({1317, 1969, 3024})
_LOST = frozenset({1053, 1927, 2006, 2013, 2055, 4031})
"""The server was shut down, the connection was killed, went away, or was lost."""


class MySQLBackend(ServerBackend):
    """A connection to MySQL."""

    binding = MySQLBinding()
    introspection = MySQLCatalog
    unknown_tables = (re.compile(r"\ATable '(?:[^']+\.)?(?P<name>[^'.]+)' doesn't exist"),)
    unknown_columns = (re.compile(r"\AUnknown column '(?:[^']+\.)?(?P<name>[^'.]+)' in "),)
    reads_plans = True
    explain_words = "EXPLAIN FORMAT=JSON"
    analyze_words = "EXPLAIN ANALYZE"
    plan_column = "EXPLAIN"
    _streams_all = True  # PyMySQL takes no longer, can be stopped between two portions, and holds one of them

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of the base class
        """Take an open connection."""
        super().__init__(*args, **options)
        driver: Any = driver_of(self.connection)
        self._pymysql: Any = driver if type(driver).__module__.partition(".")[0] == "pymysql" else None
        if hasattr(driver, "thread_id"):
            self._id = int(driver.thread_id())
        else:
            self._id = int(self.connection.exec_driver_sql("SELECT connection_id()").scalar_one())
        self.interrupt = self._kill_query

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement* with *values* bound: typed and streamed with PyMySQL, else by its values."""
        try:
            if self._pymysql is None:
                return Backend.run(self, statement, values, spec, execution)
            return super().run(statement, values, spec, execution)
        except BaseException:
            if execution is not None and execution.stopped is not None:
                self._take_late_kill()
            raise

    def explaining(self, statement: Statement, *, run: bool) -> Statement:
        """Return *statement* in an EXPLAIN. A URL with `mysql://` may lead to a MariaDB, whose ANALYZE is another."""
        if run and getattr(self.engine.dialect, "is_mariadb", False):
            return within(statement, f"{MariaDBBackend.analyze_words}\n")
        return super().explaining(statement, run=run)

    def plan(self, columns: Mapping[str, Sequence[Any]], *, analyzed: bool) -> Plan:
        """Return the plan in *columns*: JSON in the only column; MySQL's EXPLAIN ANALYZE is a text."""
        [[text]] = columns.values()
        return plans.read(str(text), analyzed=analyzed)

    def why_not(self, feature: Feature) -> str:
        """Return why *feature* is not available: only PyMySQL's packets are read here."""
        return "" if feature == "dry-run" and self._pymysql is not None else super().why_not(feature)

    def describe(
        self,
        statement: Statement,
        run: Callable[[Statement], dict[str, list[Any]]],
        values: Mapping[str, Any],
    ) -> list[dict[str, str]]:
        """Return name and type of each column, as the server prepares it. Nothing is run."""
        if self.why_not("dry-run"):
            return super().describe(statement, run, values)
        from md_magic.engine.backends.mysql import columns  # needs PyMySQL

        return columns.describe(self._pymysql, self.syntax.with_literals(statement, values))

    def _columns(self, cursor: Any) -> list[ColumnType]:  # noqa: ANN401 - PyMySQL's cursor
        return [types.column(field) for field in cursor._result.fields]  # noqa: SLF001 - its description has no flags

    @contextlib.contextmanager
    def _texts(self) -> Iterator[None]:
        decoders, self._pymysql.decoders = self._pymysql.decoders, {}
        try:
            yield
        finally:
            self._pymysql.decoders = decoders

    @contextlib.contextmanager
    def _open_stream(self, statement: Statement, values: Mapping[str, Any]) -> Iterator[OpenStream]:
        """Run *statement* with rows that wait on the server; what is not read is given up by stopping the query."""
        from pymysql.cursors import SSCursor  # the driver is loaded

        buffered, self._pymysql.cursorclass = self._pymysql.cursorclass, SSCursor
        try:  # not SQLAlchemy's `stream_results`, which fetches the first row for itself
            with self._texts():
                result = self._execute(statement, values)
        finally:
            self._pymysql.cursorclass = buffered
        cursor: Any = result.cursor
        try:
            yield OpenStream(self._columns(cursor), cursor.fetchmany)
        finally:
            rest = cursor._result  # noqa: SLF001 - nothing else tells whether rows are left
            if rest is not None and rest.unbuffered_active and not self.is_closed:
                self._kill_query()
                with contextlib.suppress(Exception):  # the connection may be gone
                    _skip_rows(self._pymysql, rest)
                self._take_late_kill()
            if rest is not None and rest.unbuffered_active:  # the connection is gone: nothing is to look for more rows
                rest.unbuffered_active, rest.connection = False, None
            with contextlib.suppress(Exception):
                result.close()

    def _kill_query(self) -> None:
        """Stop the running statement, from another connection: this one is busy."""
        with self.engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {self._id}")

    def _take_late_kill(self) -> None:
        """Run a statement that a KILL may hit which came too late for the one that it was meant for."""
        for _ in range(2):
            if self.is_closed:
                return
            try:
                self.connection.exec_driver_sql("DO 0").close()
            except Exception:  # it was hit
                logger.debug("a late KILL QUERY", exc_info=True)
            else:
                return

    # ---- the connection ---------------------------------------------------------------------------------------------

    def _new_state(self) -> ConnectionState:
        """Return the state of a connection: a ROLLBACK takes back neither temporary tables nor settings."""
        return ServerState(ask=self._asks_driver, takes_back=False)

    def _asks_driver(self) -> bool | None:
        driver = getattr(self, "_pymysql", None)
        if driver is None:
            return super()._asks_driver()
        return bool(driver.server_status & _IN_TRANSACTION) if driver.open else None

    def introspect(self) -> MySQLCatalog:
        """Return an introspection that knows the temporary tables of this connection: the server lists none."""
        catalog = MySQLCatalog(self.connection)
        catalog.made = [made.name for made in self.local.temporary if made.kind == "table"]
        return catalog

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed, by us or by the server."""
        driver = getattr(self, "_pymysql", None)
        return super().is_closed or (driver is not None and not driver.open)

    def _has_news(self) -> bool:
        sock = getattr(self._pymysql, "_sock", None)
        if sock is None:
            return False
        try:
            poll = select.poll()
            poll.register(sock.fileno(), select.POLLIN)
            return bool(poll.poll(0))
        except (AttributeError, OSError, ValueError):  # Windows, or a closed socket
            return True

    # ---- writing ----------------------------------------------------------------------------------------------------

    def upload(
        self,
        table: Sequence[str],
        value: Any,  # noqa: ANN401 - any table
        how: How,
        execution: Execution | None = None,
    ) -> int:
        """Write the Python table *value* to *table* by inserts of many rows, on this connection."""
        if self.engine.dialect.driver not in {"pymysql", "mysqldb"}:
            return super().upload(table, value, how, execution)
        try:
            return MySQLWriter(self, execution).write(table, value, how)
        except BaseException:
            if execution is not None and execution.stopped is not None:
                self._take_late_kill()
            raise

    # ---- errors -----------------------------------------------------------------------------------------------------

    def was_stopped(self, cause: BaseException | None) -> bool:
        """Whether *cause* is the server's error for a statement that was stopped."""
        return _code(cause) in _STOPPED

    def is_lost(self, statement: Statement, cause: BaseException, diagnosis: Diagnosis | None) -> bool:
        """Whether the connection is gone."""
        return super().is_lost(statement, cause, diagnosis) or _code(cause) in _LOST


class MariaDBBackend(MySQLBackend):
    """A connection to MariaDB, from a URL with `mariadb://`."""

    analyze_words = "ANALYZE FORMAT=JSON"


def _skip_rows(driver: Any, rest: Any) -> None:  # noqa: ANN401 - PyMySQL's connection and result
    """Read the packets of *rest* that are on their way, up to the last, which would be taken for the next result.

    PyMySQL's own way makes an object of each: seconds for the rows that fit into the system's buffers.
    """
    read, continued = driver._rfile.read, False  # noqa: SLF001 - see above
    while True:
        header = read(4)
        size = int.from_bytes(header[:3], "little")
        packet = read(size)
        if len(header) < 4 or len(packet) < size:  # noqa: PLR2004 - the size and the number of a packet
            driver._force_close()  # noqa: SLF001 - see above
            return
        ends = packet[:1] == b"\xff" or (packet[:1] == b"\xfe" and size < 9)  # noqa: PLR2004 - an error, or the end
        if ends and not continued:
            rest.unbuffered_active, rest.connection = False, None
            return
        continued = size == 0xFFFFFF  # noqa: PLR2004 - of a row that needs several packets


def _code(cause: BaseException | None) -> int:
    code = cause.args[0] if cause is not None and cause.args else 0
    return code if isinstance(code, int) else 0

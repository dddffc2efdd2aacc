"""Hive and Spark's Thrift server."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Self

from md_magic.engine import driver_errors
from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.binding import Binding
from md_magic.engine.backends.engines import driver_of
from md_magic.engine.backends.hive.types import column
from md_magic.engine.backends.introspection.hive import HiveIntrospection
from md_magic.engine.backends.server import OpenStream, outcome_of
from md_magic.engine.execute import Outcome, within
from md_magic.engine.results import typed
from md_magic.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.engine.backends.binding import Bound
    from md_magic.engine.backends.features import Feature
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.sql.statement import How, Statement
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)

_CLASS = r"(?:[a-z_]\w*\.)+\w+(?:Exception|Error):\s*"
_PREFIX = re.compile(rf"\A(?:{_CLASS}|Error [\w ]+:\s*|\[[\w.]+\]\s*(?={_CLASS}))+")
"""What stands before an error's own words: who failed, and the classes of Java's exceptions."""

_FRAMES = re.compile(r"\n\tat .*", re.DOTALL)
"""Java's stack, and the causes below it."""

_LOGICAL_PLAN = re.compile(r"(; line \d+ pos \d+);?\n'.*", re.DOTALL)
"""Where an error of Spark's analysis stands, and the logical plan below it."""

_STREAMING = "spark.sql.thriftServer.incrementalCollect"
"""Spark's setting for results that are fetched part by part. Without it, its driver collects all rows before the first
is seen."""


class HiveBinding(Binding):
    """Hive and Spark have arrays; a document is a text."""

    def bind_list(self, bound: Bound, name: str, items: list[Any]) -> None:
        """Add a list that does not stand after IN: as an array, which the cursor writes."""
        bound.add_name(name, items)


class HiveBackend(Backend):
    """A connection to Hive, or to a Spark cluster. There are no transactions: each statement commits by itself."""

    binding = HiveBinding()
    introspection = HiveIntrospection
    unknown_tables = (re.compile(r"The table or view (?:`[^`]+`\.)*`(?P<name>[^`]+)` cannot be found"),)
    unknown_columns = (re.compile(r" with name (?:`[^`]+`\.)*`(?P<name>[^`]+)` cannot be resolved"),)
    suggestion = re.compile(r"Did you mean one of the following\?")
    explain_words = "EXPLAIN"
    plan_column = "plan"
    _connect_arguments: ClassVar[Mapping[str, object]] = {
        "configuration": {"hive.server2.long.polling.timeout": "100ms"}
    }
    """The server answers how a statement goes after 100 ms, and not after 5 s: until then nothing can be cancelled."""

    def __init__(
        self,
        target: Target,
        engine: sqlalchemy.Engine,
        connection: sqlalchemy.Connection,
        config: Mapping[str, Any] | None = None,
        *,
        on_close: Sequence[Callable[[], object]] = (),
    ) -> None:
        """Take an open *connection*, and give it cursors that can be stopped."""
        from md_magic.engine.backends.hive.cursor import Cursor  # PyHive is installed only where it is used

        connection = connection.execution_options(hive_raw_colnames=True)  # `a.b` is a name, and not the column b
        super().__init__(target, engine, connection, config, on_close=on_close)
        stop = threading.Event()
        driver: Any = driver_of(connection)
        driver.cursor = functools.partial(Cursor, driver, stop)
        driver.close = functools.partial(_close, driver.close)
        self.interrupt = stop.set

    @classmethod
    def open(cls, target: Target, config: Mapping[str, Any]) -> Self:
        """Connect to *target*: see `Backend.open`. Thrift would print the error that is raised, too."""
        thrift = logging.getLogger("thrift.transport.TSocket")
        if not thrift.handlers:
            thrift.addHandler(logging.NullHandler())
        return super().open(target, config)

    @classmethod
    def _in_autocommit(cls, connection: sqlalchemy.Connection) -> tuple[sqlalchemy.Connection, bool]:
        """Return *connection* as it is: every statement commits by itself."""
        return connection, False

    def why_not(self, feature: Feature) -> str:
        """Return why *feature* is not available."""
        return "" if feature == "dry-run" else super().why_not(feature)

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement*. Spark collects the rows of a result that is not read to its end part by part."""
        is_streamed = spec.limit is not None or spec.form == "reader" or spec.sink is not None
        if not is_streamed or not self.syntax.is_query(statement.text) or self._setting(_STREAMING) != "false":
            return self._run(statement, values, spec, execution)
        self.connection.exec_driver_sql(f"SET {_STREAMING}=true")
        try:
            return self._run(statement, values, spec, execution)
        finally:
            self.connection.exec_driver_sql(f"SET {_STREAMING}=false")

    def _run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        result = self._execute(statement, values)
        if not result.returns_rows:
            return Outcome(statement, rowless=True)
        cursor: Any = result.cursor
        types = [column(described) for described in cursor.description]
        if spec.form == "reader" and spec.sink is None:
            portions = typed.Portions(cursor.fetchmany, limit=spec.limit)
            return Outcome(statement, value=typed.stream(types, portions, done=result.close))
        with contextlib.closing(result):
            opened = OpenStream(types, cursor.fetchmany)
            return outcome_of(statement, opened, spec, execution) if spec.keep else Outcome(statement)

    def describe(
        self,
        statement: Statement,
        run: Callable[[Statement], dict[str, list[Any]]],
        values: Mapping[str, Any],  # noqa: ARG002 - *run* binds them
    ) -> list[dict[str, str]]:
        """Return name and type of each column, which Spark gives without running the query."""
        if self.syntax.is_query(statement.text):
            answer = run(within(statement, "DESCRIBE QUERY\n"))
            return [
                {"column": name, "type": kind}
                for name, kind in zip(answer["col_name"], answer["data_type"], strict=True)
            ]
        text = "\n".join(run(within(statement, "EXPLAIN\n"))["plan"])
        if "Error occurred during query planning" in text:
            raise StatementError(text)
        return []

    def error_text(self, cause: BaseException) -> str:
        """Return what the server says, without the Java frames that PyHive has around it."""
        answer = cause.args[0] if cause.args else None
        text = getattr(getattr(answer, "status", None), "errorMessage", None) or getattr(answer, "errorMessage", None)
        if not text:
            return driver_errors.text_of(cause)
        return _LOGICAL_PLAN.sub(r"\1", _FRAMES.sub("", _PREFIX.sub("", str(text)))).strip()

    def is_lost(self, statement: Statement, cause: BaseException, diagnosis: Diagnosis | None) -> bool:
        """Whether the connection is gone: Thrift's transport says so, or the operating system, or the session ended."""
        broken = type(cause).__name__ == "TTransportException" or isinstance(cause, (ConnectionError, EOFError))
        return broken or "Invalid SessionHandle" in str(cause) or super().is_lost(statement, cause, diagnosis)

    def was_stopped(self, cause: BaseException | None) -> bool:
        """Whether *cause* says that the statement was stopped."""
        return type(cause).__name__ == "Stopped"

    def upload(
        self,
        table: Sequence[str],
        value: Any,  # noqa: ANN401 - any table
        how: How,
        execution: Execution | None = None,
    ) -> int:
        """Refuse to write: PyHive sends rows as text, some hundred at a time, and nothing would undo them."""
        del value, how, execution
        message = (
            f"--to cannot write to {self.target.name}: neither Hive nor Spark has transactions, so {table[-1]} could be"
            " left half written. Save the frame where the cluster reads it, as with df.to_parquet(...), and make a"
            " table of the file there: CREATE TABLE ... USING parquet LOCATION '...'."
        )
        raise StatementError(message)

    def _setting(self, name: str) -> str:
        """Return the value of a setting; what it says if there is none."""
        row = self.connection.exec_driver_sql(f"SET {name}").fetchone()
        return str(row[-1]) if row is not None else ""


def _close(close: Callable[[], object]) -> None:
    """Call *close*, the driver's. Spark reports views whose names have a blank, though the session ends."""
    try:
        close()
    except Exception:  # SQLAlchemy's pool would print it
        logger.debug("closing a session", exc_info=True)

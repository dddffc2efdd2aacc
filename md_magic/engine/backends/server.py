"""What PostgreSQL and MySQL have in common: columns typed by the driver's description, streams, notices, a lost server.

A statement runs in one of three ways. As a whole, where its result is wanted whole. As a stream of the session, where
only the first rows are wanted or a sink takes them one by one: it ends with the cell. And as a stream of a connection
of its own, for a reader that outlives its cell, unless the session has something that another one would not see.
"""

from __future__ import annotations

import contextlib
import weakref
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from md_magic.engine.backends.base import Backend, changed_by
from md_magic.engine.execute import Outcome, through_sink
from md_magic.engine.results import typed
from md_magic.engine.results.batches import Batches
from md_magic.engine.results.columns import columns_of
from md_magic.errors import StatementError
from md_magic.sql.statement import Statement
from md_magic.sql.syntax import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from md_magic.engine.cancellation import Execution
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.engine.results.typed import ColumnType, Fetch
    from md_magic.engine.server_state import ServerState

_IDLE = 60.0
"""Seconds after which a connection is probed though nothing has come from the server: a router may forget it."""

_MOST_NOTICES = 20
"""Notices of one statement that are shown."""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Rows on their way from the server."""

    types: Sequence[ColumnType]
    fetch: Fetch


class ServerBackend(Backend):
    """A connection to a database server, typed and streamed."""

    probe = Statement("SELECT 1", kind="SELECT")
    local: ServerState

    _notices = 0
    _streams_all: ClassVar[bool] = False
    """Whether a result that is wanted whole is streamed as well."""

    # ---- what each server does --------------------------------------------------------------------------------------

    @abstractmethod
    def _columns(self, cursor: Any) -> list[ColumnType]:  # noqa: ANN401 - the driver's cursor
        """Return the columns of *cursor*'s result."""

    @abstractmethod
    def _texts(self) -> AbstractContextManager[None]:
        """Let the driver hand over the types that `_columns` reads as text, in what is executed within the block."""

    @abstractmethod
    def _open_stream(self, statement: Statement, values: Mapping[str, Any]) -> AbstractContextManager[OpenStream]:
        """Run *statement*, a query that only reads; at the end of the block what was not read is given up."""

    @abstractmethod
    def _has_news(self) -> bool:
        """Whether the server has sent something that nobody asked for, such as the end of the connection."""

    def _refusal(self, statement: Statement) -> str:  # noqa: ARG002 - subclasses look at it
        """Return why *statement* is not sent; empty where it is."""
        return ""

    def _said(self, statement: Statement) -> str:  # noqa: ARG002 - subclasses look at it
        """Return what the server said in place of what is expected of *statement*, which it has just run."""
        return ""

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement* with *values* bound and fetch its result according to *spec*. Driver errors pass through."""
        if reason := self._refusal(statement):
            raise StatementError(reason)
        self._notices = 0
        try:
            return self._run(statement, values, spec, execution)
        finally:
            self._end_notices()

    def _run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        if spec.keep and statement.kind == "SELECT" and kinds.only_reads(statement.text):
            if spec.form == "reader" and spec.sink is None:
                reader = self._reader(statement, values, spec, execution)
                if reader is not None:
                    return Outcome(statement, value=reader)
            if self._streams_all or spec.sink is not None or spec.limit is not None:
                with self._open_stream(statement, values) as opened:
                    return outcome_of(statement, opened, spec, execution)
        with self._texts():
            result = self._execute(statement, values)
        if not result.returns_rows:
            return Outcome(statement, changed=changed_by(statement, result), rowless=True, said=self._said(statement))
        with contextlib.closing(result):
            cursor: Any = result.cursor
            opened = OpenStream(self._columns(cursor), cursor.fetchmany)
            return outcome_of(statement, opened, spec, execution) if spec.keep else Outcome(statement)

    def _reader(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> pa.RecordBatchReader | None:
        """Return a reader over a connection of its own; `None` where that would not see what this session has."""
        if not self.local.is_blank:
            return None
        own = self.branch()
        if execution is not None:
            execution.attach(self.target.name, own.interrupt, own.progress)
        closing = contextlib.ExitStack()
        closing.callback(own.close)
        try:
            opened = closing.enter_context(own._open_stream(statement, values))  # noqa: SLF001 - of its own class
            portions = typed.Portions(_ending(opened.fetch, closing, own.error_text), limit=spec.limit)
            reader = typed.stream(opened.types, portions, done=closing.close)
        except BaseException:
            own.close()
            raise
        finally:
            if execution is not None:
                execution.attach(self.target.name, self.stopper(anew=False), self.progress)
        weakref.finalize(reader, own.close).atexit = False
        return reader

    # ---- the connection ---------------------------------------------------------------------------------------------

    def needs_probe(self, idle: float) -> bool:
        """Whether the server may be gone: it has sent something unasked, or the connection was idle for long."""
        return self._has_news() or idle > _IDLE

    def _show_notice(self, text: str) -> None:
        """Show one of the first notices of a statement."""
        self._notices += 1
        if self._notices <= _MOST_NOTICES:
            self.notify(text)

    def _end_notices(self) -> None:
        if self._notices > _MOST_NOTICES:
            self.notify(f"... and {self._notices - _MOST_NOTICES} more notices.")
        self._notices = 0


def outcome_of(statement: Statement, opened: OpenStream, spec: ResultSpec, execution: Execution | None) -> Outcome:
    """Return the rows of *opened*, those of *statement*, as *spec* wants them."""
    if spec.sink is not None:
        reader = typed.stream(opened.types, typed.Portions(opened.fetch), exact=False)
        batches = Batches(reader, limit=spec.limit)
        return through_sink(statement, spec, columns_of(reader.schema), batches, execution)
    count = execution.count if execution is not None else None
    portions = typed.Portions(opened.fetch, limit=spec.limit, count=count)
    fetched = typed.fetched(opened.types, portions, spec.form)
    return Outcome(statement, value=fetched.value, limited_to=spec.limit if fetched.more else None)


def _ending(fetch: Fetch, closing: contextlib.ExitStack, text_of: Callable[[BaseException], str]) -> Fetch:
    """Return *fetch* so that its error closes what is open, and is one of ours, with the *text_of* the driver's."""

    def fetch_or_close(rows: int) -> Any:  # noqa: ANN401 - see Fetch
        try:
            return fetch(rows)
        except Exception as error:
            with contextlib.suppress(Exception):  # of a connection that is gone: the first error is the one to see
                closing.close()
            message = text_of(error) or f"The driver raised {type(error).__name__}, and says no more."
            raise StatementError(message) from error

    return fetch_or_close

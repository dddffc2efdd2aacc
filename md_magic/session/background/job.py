"""One background query: its task, its status, and its handle, which runs in a thread of its own.

The invariant: once started, a job shares nothing with the notebook. It has its own connection, and copies of the values
and tables as they were at its start. Its result lives as long as its handle; the list of jobs keeps only its status.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from md_magic.auth.secret import scrub
from md_magic.engine import execute
from md_magic.engine.cancellation import Execution, Stop
from md_magic.engine.results.spec import AS_FRAME, ResultSpec
from md_magic.errors import (
    MdMagicError,
    QueryCancelled,
    QueryInterrupted,
    StatementError,
    StillRunning,
    without_tracebacks,
)
from md_magic.wording import count, duration, size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from md_magic.engine.cancellation import Limit, Watcher
    from md_magic.engine.database import Database
    from md_magic.engine.execute import Outcome
    from md_magic.sql.statement import Form, Statement

State = Literal[
    "running",
    "done",  # all statements have succeeded
    "failed",  # a statement was refused, or the connection was lost
    "cancelled",  # by its handle, a time limit, or because its target was closed
]

_TICK = 0.1
"""Seconds of one wait for a result; a wait this short can be interrupted on every system."""

_LEFT_OPEN = "The query left its transaction open, so it was rolled back: end it with COMMIT."

PATIENCE = 1.0
"""Seconds that `cancel` waits for the query to stop, which usually takes milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The statements of a job with their values, its tables, and the specification of its result."""

    statements: Sequence[tuple[Statement, Mapping[str, object]]]
    tables: Mapping[str, Any] = field(default_factory=dict)
    spec: ResultSpec = AS_FRAME
    time_limit: Limit | None = None


@dataclass(slots=True)
class Status:
    """The state of a job, which outlives its result. Only the job's thread writes to it."""

    name: str
    """The variable that the handle was bound to, or the job's number."""

    target: str
    state: State = "running"
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    rows: int | None = None
    """Number of rows in the result, or changed by the last statement."""

    columns: int | None = None
    line: str = ""
    """The line that a cell would have printed: `3 rows inserted`."""

    error: str = ""

    @property
    def elapsed(self) -> float:
        """Seconds from its start until its end, or until now."""
        return (time.monotonic() if self.ended is None else self.ended) - self.began

    def summary(self, progress: Sequence[str]) -> str:
        """Return one line: the state, *progress* while it runs, the result, the time and the target."""
        elapsed = duration(self.elapsed)
        if self.state == "running":
            parts = ["running", *progress, elapsed]
        elif self.state == "done":
            shape = "" if self.rows is None or self.columns is None else size(self.rows, self.columns)
            parts = ["done", self.line, shape, elapsed]
        else:
            parts = [f"{self.state} after {elapsed}"]
        return " · ".join(part for part in (*parts, self.target) if part)


class Job:
    """The handle of a background query, which continues even if the handle is dropped.

    `done`, `progress`, `elapsed` and `state` show its progress; `result()`, `exception()` and `await job` wait for it;
    `cancel()` stops it.
    """

    def __init__(self, status: Status, task: Task) -> None:
        """Make the handle of *task*. `Jobs.start` starts it."""
        self.status = self._status = status
        self._execution = Execution(status.target, limit=task.time_limit)
        self._execution.of = max(len(task.statements), 1)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._value: Any = None
        self._streams = task.spec.form == "reader"
        self._error: BaseException | None = None
        self._listeners: list[Callable[[], object]] = []
        self.show: Callable[[Job], object] | None = None
        """Displays the handle with its live state, if the host can."""

        self.when_read: Callable[[], object] | None = None
        """Called after a successful wait, in the thread that waited."""

    # ---- state ------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The variable that the handle was bound to, or the job's number."""
        return self._status.name

    @property
    def state(self) -> State:
        """`running`, `done`, `failed` or `cancelled`."""
        return self._status.state

    @property
    def done(self) -> bool:
        """Whether it has ended, successfully or not."""
        return self._over.is_set()

    @property
    def elapsed(self) -> float:
        """Seconds from its start until its end, or until now."""
        return self._status.elapsed

    @property
    def progress(self) -> float | None:
        """Per cent, from 0 to 100; `None` if the database does not report it, and after a failure."""
        if self.done:
            return 100.0 if self.state == "done" else None
        share = self._execution.percent
        if share is None or share >= 100:  # noqa: PLR2004 - per cent; at 100 DuckDB is still sorting, or writing
            return None
        return ((self._execution.statement - 1) * 100 + share) / self._execution.of

    @property
    def summary(self) -> str:
        """The state in one line: progress while it runs, the result's size, the time and the target."""
        return self._summary(self.progress)

    @property
    def error(self) -> str:
        """The text of the error that it ended with; empty if it did not fail."""
        return self._status.error

    def _summary(self, progress: float | None) -> str:
        execution = self._execution
        statement = f"statement {execution.statement} of {execution.of}" if execution.of > 1 else ""
        rows = count(execution.rows, "row") if execution.rows else ""
        return self._status.summary([f"{progress:.0f} %" if progress is not None else "", statement, rows])

    def __repr__(self) -> str:
        """Return the state in one line, and the error of a failed query below it."""
        error = f"\n{self._status.error}" if self._status.error else ""
        return f"<{self.name} · {self._summary(self.progress)}>{error}"

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, and without styles that a sanitizer would remove."""
        progress = self.progress if self.state == "running" else None
        bar = f'<progress max="100" value="{progress:.0f}"></progress> ' if progress is not None else ""
        html = f"<div><b>{escape(self.name)}</b> · {bar}{escape(self._summary(progress))}</div>"
        return html + (f"<pre>{escape(self._status.error)}</pre>" if self._status.error else "")

    def _ipython_display_(self) -> None:
        """Display the live state. Raises `NotImplementedError`, on which IPython falls back to the repr."""
        if self.show is None:
            raise NotImplementedError
        self.show(self)

    # ---- waiting and stopping ---------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, for at most *timeout* seconds. Return whether it has."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            left = _TICK if deadline is None else min(_TICK, deadline - time.monotonic())
            if left <= 0:
                break
            self._over.wait(left)
        return self.done

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - a result in any form
        """Return the result, as the cell would have; wait for it for at most *timeout* seconds.

        A reader is new each time and starts at the first row. Raises the cell's error, `QueryCancelled` if the query
        was cancelled, `StillRunning` if it has not ended yet, and `QueryInterrupted` if the kernel is interrupted
        during the wait. After the last two, the query continues.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error from error.__cause__
        return self._value.to_reader() if self._streams and hasattr(self._value, "to_reader") else self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error that it ended with, or `None` if it succeeded. Waits, and raises, as `result` does."""
        try:
            ended = self.wait(timeout)
        except KeyboardInterrupt:
            message = f"waiting for {self.name} was interrupted; it runs on, and {self.name}.cancel() stops it."
            raise QueryInterrupted(message) from None
        if not ended:
            message = (
                f"{self.name} is still running after {duration(self.elapsed)}. Call result() again, with a longer"
                " timeout or none; cancel() stops it."
            )
            raise StillRunning(message)
        if self.when_read is not None:
            self.when_read()
        return _fresh(self._error)

    def __await__(self) -> Generator[Any, None, Any]:
        """Return the result without blocking the event loop."""
        return self._awaited().__await__()

    async def _awaited(self) -> Any:  # noqa: ANN401 - see result
        import asyncio  # loaded already where there is a loop

        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(ended.set)

        with self._lock:
            self._listeners.append(notify)
        if self.done:
            notify()
        while not ended.is_set():  # a sleeping event loop does not see the kernel's interrupt
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _TICK)
        return self.result(0)

    def cancel(self) -> bool:
        """Stop it, and return whether it was cancelled: false if it had already ended. Can be called repeatedly."""
        self.stop(f"by {self.name}.cancel()")
        self._over.wait(PATIENCE)
        return self.state == "cancelled"

    def stop(self, how: str) -> None:
        """Begin to stop it, without waiting. Its error will say *how*, in the words of the first call."""
        if not self.done:
            self._execution.stop(Stop(QueryCancelled, f"cancelled {how}"))

    # ---- running, in its own thread ---------------------------------------------------------------------------------

    def run(self, task: Task, connect: Callable[[], Database], watcher: Watcher) -> None:
        """Run *task* on the connection that *connect* makes, watched by *watcher*, and keep its result. Never raises.

        The handle references neither *task* nor *connect*, because notebooks keep handles for hours.
        """
        branch = None
        try:
            branch = connect()
            outcome = self._watched(branch, task, watcher)
        except BaseException as error:  # noqa: BLE001 - an error in a thread is invisible; the handle raises it again
            self._fail(error, branch)
        else:
            self._succeed(outcome, task)
        finally:
            self._end(branch)  # whoever waits must not wait for ever

    def _watched(self, branch: Database, task: Task, watcher: Watcher) -> Outcome | None:
        outcome, completed = None, False
        branch.attach(self._execution)
        try:
            with watcher.watching(self._execution):
                outcome = self._run(branch, task)
                completed = bool(task.statements) and task.statements[-1][0].kind != "SELECT"
        except QueryCancelled:
            if not completed:  # if the stop came too late, the statements have taken effect
                raise
        return outcome

    def _run(self, branch: Database, task: Task) -> Outcome | None:
        outcome = None
        spec = task.spec  # a job ends when its result is complete, which a stream never is
        spec = spec._replace(form="arrow") if spec.form == "reader" else spec
        for number, (statement, values) in enumerate(task.statements, 1):
            self._execution.begin_statement(number, len(task.statements))
            keep = number == len(task.statements)
            with branch.lock, branch.scanning(task.tables):
                outcome = execute.run(branch, statement, values, spec._replace(keep=keep))
        if branch.backend.in_transaction:
            raise StatementError(_LEFT_OPEN)
        return outcome

    def _succeed(self, outcome: Outcome | None, task: Task) -> None:
        status = self._status
        if outcome is not None:
            self._value = outcome.value
            status.line = outcome.line
            shape = (outcome.changed, None) if outcome.rowless else _shape(outcome.value, task.spec.form)
            status.rows, status.columns = shape
        status.state = "done"

    def _fail(self, error: BaseException, branch: Database | None) -> None:
        if isinstance(error, StatementError) and str(error) != _LEFT_OPEN and _in_transaction(branch):
            error.add_note("\nThe transaction that was open is rolled back.")
        if isinstance(error, QueryCancelled) and (stopped := self._execution.stopped) is not None:
            number, of = self._execution.statement, self._execution.of
            where = f", in statement {number} of {of}" if of > 1 else ""
            after = f"; {self._execution.after_stop}" if branch is not None and branch.backend.is_given_up else ""
            words = f"The background query was {stopped.words} after {duration(self.elapsed)}{where}{after}."
            error = type(error)(words)
        self._error = without_tracebacks(error) if isinstance(error, MdMagicError) else error
        self._status.state = "cancelled" if isinstance(error, QueryCancelled) else "failed"
        text = str(error) if isinstance(error, MdMagicError) else f"{type(error).__name__}: {error}"
        notes = [str(note) for note in getattr(error, "__notes__", [])]
        self._status.error = scrub("\n".join([text, *notes]), branch.secrets if branch is not None else [])

    def _end(self, branch: Database | None) -> None:
        try:
            if branch is not None:
                branch.close()
        finally:
            self._status.ended = time.monotonic()
            with self._lock:
                self._over.set()
                listeners, self._listeners = self._listeners, []
        for notify in listeners:
            notify()


def _in_transaction(branch: Database | None) -> bool:
    return branch is not None and not branch.backend.is_closed and branch.backend.in_transaction


def _shape(value: Any, form: Form) -> tuple[int | None, int | None]:  # noqa: ANN401 - a result in any form
    """Return the numbers of rows and columns of a result."""
    if value is None:
        return None, None
    if form == "dict":
        return max(map(len, value.values()), default=0), len(value)
    rows, columns = value.shape
    return rows, columns


def _fresh(error: BaseException | None) -> BaseException | None:
    """Return a copy of *error* to raise: each time an exception is raised, its traceback grows."""
    if not isinstance(error, MdMagicError):
        return error
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__
    if hasattr(error, "__notes__"):
        fresh.__notes__ = list(error.__notes__)
    return fresh

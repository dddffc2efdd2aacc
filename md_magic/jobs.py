"""Queries in the background: each runs in a thread of its own, on a connection of its own, behind a handle.

The invariant: nothing of the notebook's is touched after the start. A job has its own connection, its values, and its
tables as they were; its result lives as long as its handle, and what the list of jobs keeps is a few words.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import itertools
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from md_magic import mentions, namespace, query
from md_magic.auth import scrub
from md_magic.errors import (
    MdMagicError,
    QueryCancelled,
    QueryInterrupted,
    StatementError,
    StillRunning,
)
from md_magic.interrupt import Running, Stop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from md_magic.engines import Database
    from md_magic.interrupt import Limit, Watcher
    from md_magic.query import Outcome
    from md_magic.statement import Form, Statement

State = Literal[
    "running",
    "done",  # its last statement has ended well
    "failed",  # a statement was refused, or the connection was lost
    "cancelled",  # by its handle, a time limit, or because its target was closed
]

_TICK = 0.1
"""Seconds of one wait for a result; a wait of this length can be interrupted everywhere."""

_PATIENCE = 1.0
"""Seconds for which cancelling waits until the query has stopped. It stops within milliseconds."""

_REMEMBERED = 100
"""How many of the jobs that have ended the list shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a job is to do, bound and copied at its start."""

    statements: Sequence[tuple[Statement, Mapping[str, object]]]
    tables: Mapping[str, Any] = field(default_factory=dict)
    form: Form = "pandas"
    limit: int | None = None
    time_limit: Limit | None = None


@dataclass(slots=True)
class Status:
    """What is known of a job, and stays known when its result is gone. Only the job's thread writes to it."""

    name: str
    """The variable that its handle was bound to, or its number."""

    target: str
    state: State = "running"
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    rows: int | None = None
    """Rows of its result, or rows that its last statement changed."""

    columns: int | None = None
    line: str = ""
    """What a cell would have printed: `3 rows inserted`."""

    error: str = ""

    @property
    def elapsed(self) -> float:
        """Seconds from its start until its end, or until now."""
        return (time.monotonic() if self.ended is None else self.ended) - self.began

    def words(self, running: Sequence[str]) -> list[str]:
        """Return what there is to say in a line: state, *running* while it runs, result, time, target."""
        if self.state == "running":
            said = ["running", *running, f"{self.elapsed:.1f} s"]
        elif self.state == "done":
            said = ["done", self.line, self._size(), f"{self.elapsed:.1f} s"]
        else:
            said = [f"{self.state} after {self.elapsed:.1f} s"]
        return [word for word in (*said, self.target) if word]

    def _size(self) -> str:
        if self.columns is None or self.rows is None:
            return ""
        return f"{self.rows:,} row{'s' * (self.rows != 1)} × {self.columns:,} column{'s' * (self.columns != 1)}"  # noqa: RUF001 - a times sign


class Job:
    """The handle of a query that runs in the background. It does not end when its handle is dropped.

    `done`, `progress`, `elapsed` and `state` say how far it is; `result()`, `exception()` and `await job` wait for it;
    `cancel()` stops it.
    """

    def __init__(self, status: Status, task: Task) -> None:
        """Make the handle of *task*. `Jobs.start` starts it."""
        self._status = status
        self._running = Running(status.target, limit=task.time_limit)
        self._running.of = max(len(task.statements), 1)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._value: Any = None
        self._streams = task.form == "reader"
        self._error: BaseException | None = None
        self._listeners: list[Callable[[], object]] = []
        self.show: Callable[[Job], object] | None = None
        """Displays the handle with its live state, where there is a screen for it."""

        self.when_read: Callable[[], object] | None = None
        """Called by whoever has waited for the end, in their own thread."""

    # ---- what it says -----------------------------------------------------------------------------------------------

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
        """Whether it has ended, well or not."""
        return self._over.is_set()

    @property
    def elapsed(self) -> float:
        """Seconds from its start until its end, or until now."""
        return self._status.elapsed

    @property
    def progress(self) -> float | None:
        """Per cent, from 0 to 100, as far as DuckDB can tell; `None` where it cannot, and after a failure."""
        if self.done:
            return 100.0 if self.state == "done" else None
        share = self._running.percent
        if share is None or share >= 100:  # noqa: PLR2004 - per cent; at 100 DuckDB is still sorting, or writing
            return None
        return ((self._running.statement - 1) * 100 + share) / self._running.of

    def _words(self, progress: float | None) -> list[str]:
        run = self._running
        part = f"statement {run.statement} of {run.of}" if run.of > 1 else ""
        rows = f"{run.rows:,} rows" if run.rows else ""
        return self._status.words([f"{progress:.0f} %" if progress is not None else "", part, rows])

    def __repr__(self) -> str:
        """Return the state in one line, and the error of one that failed below it."""
        error = f"\n{self._status.error}" if self._status.error else ""
        return f"<{' · '.join([self.name, *self._words(self.progress)])}>{error}"

    def _repr_html_(self) -> str:
        """Return the same for a notebook. It has no scripts and no styles that a sanitizer takes out."""
        share = self.progress if self.state == "running" else None
        bar = f'<progress max="100" value="{share:.0f}"></progress> ' if share is not None else ""
        said = escape(" · ".join(self._words(share)))
        html = f"<div><b>{escape(self.name)}</b> · {bar}{said}</div>"
        return html + (f"<pre>{escape(self._status.error)}</pre>" if self._status.error else "")

    def _ipython_display_(self) -> None:
        """Display the live state. Raises `NotImplementedError`, which IPython takes for `use the repr`."""
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

        A reader is another one each time, from the first row. Raises what the cell would have raised, `QueryCancelled`
        where it was cancelled, `StillRunning` if it has not ended yet, and `QueryInterrupted` if the kernel is
        interrupted while this waits: the query runs on after both of them.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error from error.__cause__
        return self._value.to_reader() if self._streams and hasattr(self._value, "to_reader") else self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error that it ended with, or `None` if it ended well. Waits, and raises, as `result` does."""
        try:
            ended = self.wait(timeout)
        except KeyboardInterrupt:
            message = f"waiting for {self.name} was interrupted; it runs on, and {self.name}.cancel() stops it."
            raise QueryInterrupted(message) from None
        if not ended:
            message = (
                f"{self.name} is still running after {self.elapsed:.1f} s. Call result() again, with a longer timeout"
                " or none; cancel() stops it."
            )
            raise StillRunning(message)
        if self.when_read is not None:
            self.when_read()
        return _fresh(self._error)

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in the event loop, which goes on, and return the result."""
        return self._awaited().__await__()

    async def _awaited(self) -> Any:  # noqa: ANN401 - see result
        import asyncio  # it is loaded where there is a loop to await in

        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(_settle, ended)

        with self._lock:
            self._listeners.append(tell)
        if self.done:
            tell()
        while not ended.done():  # a loop that sleeps does not see the kernel's interrupt
            await asyncio.wait([ended], timeout=_TICK)
        return self.result(0)

    def cancel(self) -> bool:
        """Stop it, and return whether it is cancelled: not one that had ended before. A second call does nothing."""
        self.stop(f"by {self.name}.cancel()")
        self._over.wait(_PATIENCE)
        return self.state == "cancelled"

    def stop(self, how: str) -> None:
        """Begin to stop it, and do not wait. Its error will say *how*; the first counts."""
        if not self.done:
            self._running.stop(Stop(QueryCancelled, f"cancelled {how}"))

    # ---- running, in its own thread ---------------------------------------------------------------------------------

    def run(self, task: Task, connect: Callable[[], Database], watcher: Watcher) -> None:
        """Run *task* on what *connect* opens, watched by *watcher*, and keep what it gave. Raises nothing.

        The handle keeps neither *task* nor *connect*: a notebook keeps handles for hours.
        """
        own = None
        try:
            own = connect()
            outcome = self._watched(own, task, watcher)
        except BaseException as error:  # noqa: BLE001 - nobody sees what a thread raises; its handle tells
            self._fail(error, own)
        else:
            self._succeed(outcome, task)
        self._end(own)

    def _watched(self, own: Database, task: Task, watcher: Watcher) -> Outcome | None:
        outcome, completed = None, False
        own.show_in(self._running)
        try:
            with watcher.watching(self._running):
                outcome = self._run(own, task)
                completed = bool(task.statements) and task.statements[-1][0].kind != "SELECT"
        except QueryCancelled:
            if not completed:  # what came too late to stop an INSERT has not stopped it
                raise
        return outcome

    def _run(self, own: Database, task: Task) -> Outcome | None:
        outcome = None
        form: Form = "arrow" if task.form == "reader" else task.form  # a stream has no end at which it could be done
        for number, (statement, values) in enumerate(task.statements, 1):
            self._running.begin_statement(number, len(task.statements))
            keep = number == len(task.statements)
            with own.lock, own.scanning(task.tables):
                outcome = query.run(own, statement, values, form=form, limit=task.limit, keep=keep)
        if own.in_transaction:
            message = "The query ended with its transaction open, which ends with its connection: end it with COMMIT."
            raise StatementError(message)
        return outcome

    def _succeed(self, outcome: Outcome | None, task: Task) -> None:
        status = self._status
        if outcome is not None:
            self._value = outcome.value
            status.line = outcome.line
            size = (outcome.changed, None) if outcome.rowless else _size(outcome.value, task.form)
            status.rows, status.columns = size
        status.state = "done"

    def _fail(self, error: BaseException, own: Database | None) -> None:
        if isinstance(error, QueryCancelled) and (stopped := self._running.stopped) is not None:
            of = self._running.of
            where = f", in statement {self._running.statement} of {of}" if of > 1 else ""
            error = type(error)(f"The background query was {stopped.words} after {self.elapsed:.1f} s{where}.")
        self._error = _without_frames(error)
        self._status.state = "cancelled" if isinstance(error, QueryCancelled) else "failed"
        text = str(error) if isinstance(error, MdMagicError) else f"{type(error).__name__}: {error}"
        notes = [str(note) for note in getattr(error, "__notes__", [])]
        self._status.error = scrub("\n".join([text, *notes]), own.secrets if own is not None else [])

    def _end(self, own: Database | None) -> None:
        if own is not None:
            own.close()
        self._status.ended = time.monotonic()
        with self._lock:
            self._over.set()
            listeners, self._listeners = self._listeners, []
        for tell in listeners:
            tell()


class Jobs:
    """The jobs of one session. It keeps those that run, and a few words about those that have ended."""

    def __init__(self, watcher: Watcher) -> None:
        """Make an empty list, whose jobs *watcher* stops."""
        self._watcher = watcher
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._running: dict[int, tuple[Database, Job]] = {}
        self._statuses: deque[tuple[Status, weakref.ref[Job]]] = deque()
        self._watches_exit = False

    def start(self, database: Database, task: Task, *, name: str | None = None) -> Job:
        """Start *task* beside *database*, whose tables in *task* are copied now, and return its handle.

        Raises `StatementError` for a statement that names what is in the notebook's connection alone, `ConnectError`
        where there can be no second connection, and what a lost connection raises.
        """
        number = next(self._numbers)
        connect, tables = _prepared(database, task)
        task = replace(task, tables=tables)
        status = Status(name=name or f"job {number}", target=database.target.name)
        job = Job(status, task)
        with self._lock:
            self._running[number] = (database, job)
            self._statuses.append((status, weakref.ref(job)))
            self._forget_oldest()
        self._watch_exit()
        thread = threading.Thread(
            target=self._run, args=(number, job, task, connect), daemon=True, name=f"mdsql-{status.name}"
        )
        thread.start()
        return job

    def rows(self) -> list[dict[str, object]]:
        """Return a row for each job, the oldest first."""
        with self._lock:
            known = list(self._statuses)
        return [_row(status, job()) for status, job in known]

    def cancel(self, how: str, database: Database | None = None) -> None:
        """Cancel those on *database*, or all of them, and wait until they have stopped, for at most a second or so."""
        with self._lock:
            meant = [job for on, job in self._running.values() if database is None or on is database]
        for job in meant:
            job.stop(how)
        deadline = time.monotonic() + 2 * _PATIENCE
        for job in meant:
            job.wait(max(0.0, deadline - time.monotonic()))

    def _run(self, number: int, job: Job, task: Task, connect: Callable[[], Database]) -> None:
        job.run(task, connect, self._watcher)
        with self._lock:
            self._running.pop(number, None)

    def _forget_oldest(self) -> None:
        ended = [known for known in self._statuses if known[0].ended is not None]
        for known in ended[: max(0, len(ended) - _REMEMBERED)]:
            self._statuses.remove(known)

    def _watch_exit(self) -> None:
        """Stop what runs when Python ends: a thread that comes back from C++ after that takes the process down."""
        if not self._watches_exit:
            self._watches_exit = True
            atexit.register(_cancel_at_exit, weakref.ref(self))


def _cancel_at_exit(known: weakref.ref[Jobs]) -> None:
    jobs = known()
    if jobs is not None:
        jobs.cancel("because the kernel ended")


def _prepared(database: Database, task: Task) -> tuple[Callable[[], Database], dict[str, Any]]:
    """Return how to connect, and the tables that the statements name, as they are now."""
    if not database.target.is_duckdb:
        database.refuse_memory()
        return partial(_branched, database), {}
    with query.translated(database), database.lock:
        _refuse_private(database, [statement for statement, _ in task.statements])
        own = database.branch()
        try:
            tables = _snapshots(own, task)
        except BaseException:
            own.close()
            raise
    return lambda: own, tables


def _branched(database: Database) -> Database:
    with query.translated(database):
        return database.branch()


def _refuse_private(database: Database, statements: Iterable[Statement]) -> None:
    """Refuse what names a temporary object: another connection would not find it, or find something else."""
    objects = database.temporary_objects()
    for statement in statements:
        found = mentions.named(statement.text, objects)
        if found is not None:
            message = (
                f"The {found} is this session's own, and a background query runs on another connection, which does not"
                " see it. Make it permanent, or run the cell without --background. Nothing was run."
            )
            raise StatementError(message)
        made = mentions.made(statement.text)
        objects = [one for one in objects if one.name.lower() not in made]


def _snapshots(own: Database, task: Task) -> dict[str, Any]:
    """Return copies of the tables that the statements name, also by way of a view or a macro."""
    if not task.tables:
        return {}
    named = set().union(*(mentions.words(statement.text) for statement, _ in task.statements))
    definitions = own.definitions()
    while more := {name for name in definitions if name in named}:
        for name in more:
            named |= mentions.words(definitions.pop(name))
    return {name: namespace.snapshot(table) for name, table in task.tables.items() if name.lower() in named}


def _row(status: Status, job: Job | None) -> dict[str, object]:
    return {
        "name": status.name,
        "target": status.target,
        "state": status.state,
        "progress": job.progress if job is not None else 100.0 if status.state == "done" else None,
        "elapsed": round(status.elapsed, 1),
        "rows": status.rows,
        "error": status.error,
    }


def _size(value: Any, form: Form) -> tuple[int | None, int | None]:  # noqa: ANN401 - a result in any form
    """Return rows and columns of a result."""
    if value is None:
        return None, None
    if form == "dict":
        return max(map(len, value.values()), default=0), len(value)
    rows, columns = value.shape
    return rows, columns


def _settle(ended: asyncio.Future[None]) -> None:
    if not ended.done():  # whoever awaited it may have given up
        ended.set_result(None)


def _without_frames(error: BaseException) -> BaseException:
    """Return *error* without its tracebacks: nobody is shown them, and they would keep the tables alive."""
    error.__context__ = None
    if error.__cause__ is not None:
        error.__cause__.__traceback__ = error.__cause__.__context__ = None
    return error.with_traceback(None) if isinstance(error, MdMagicError) else error


def _fresh(error: BaseException | None) -> BaseException | None:
    """Return *error* as if it had just been made: one that is raised again would collect the frames of each time."""
    if not isinstance(error, MdMagicError):
        return error
    made = copy.copy(error)
    made.__cause__ = error.__cause__
    if hasattr(error, "__notes__"):
        made.__notes__ = list(error.__notes__)
    return made

"""Cancellation: the kernel's interrupt, a time limit or the Cancel button reliably stops a query, and only that query.

By itself, DuckDB misses the kernel's SIGINT (15 of 20 long queries continued), and Python raises `KeyboardInterrupt` at
an arbitrary line, on which SQLAlchemy closes the connection. While an execution is watched, Python's C-level handler
writes a byte to a socket even while the main thread is inside C++. One thread reads that socket, keeps all time limits,
and calls the connection's `interrupt()` until the watched block has ended. The block then raises one error, which says
what stopped it and after how long.
"""

from __future__ import annotations

import _signal  # the C half of `signal`: the Python half wraps everything in enums, 30 µs of a 700 µs cell
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic import threads
from md_magic.errors import QueryCancelled, QueryInterrupted, QueryTimeout
from md_magic.wording import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

logger = logging.getLogger(__name__)

_REPEAT = 0.05
"""Seconds between calls of `interrupt()`: a single call can fall between two statements."""

_TICK = 0.1
"""Seconds between checks of the running executions."""

_IDLE = 2.0
"""Seconds without executions after which the thread sleeps until it is woken. A loop of quick cells then wakes it only
once: each time would cost 20 µs."""

_WAKE, _MARK = 0, 255
"""Our own bytes among the signal numbers: check the executions; acknowledge that all earlier bytes have been read."""

_STUCK = 5.0
"""Seconds after which an unchanged percentage is no longer shown."""


@dataclass(frozen=True, slots=True)
class Stop:
    """What stops an execution: the error to raise, and its wording."""

    kind: type[QueryInterrupted | QueryCancelled]
    words: str


INTERRUPT = Stop(QueryInterrupted, "interrupted")
BUTTON = Stop(QueryCancelled, "cancelled with the button")


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit."""

    seconds: float
    words: str
    """Where the limit comes from: `--timeout 2`."""


class Execution:
    """A running cell or background query, which any thread can inspect and stop.

    Only the thread that runs it writes to `target`, `statement`, `of` and `rows`. It can be watched several times in
    succession; its clock stops in between.
    """

    def __init__(
        self,
        target: str = "",
        *,
        interrupt: Callable[[], object] | None = None,
        progress: Callable[[], float] | None = None,
        limit: Limit | None = None,
        after: float = 0.5,
        on_slow: Callable[[], object] | None = None,
    ) -> None:
        """Make an execution that has not begun. *interrupt* and *progress* are those of its connection.

        *on_slow* is called once, after *after* seconds, on the watcher's thread; it must return quickly.
        """
        self.target = target
        """The name of the target it runs on."""

        self.statement = 1
        """The number of the running statement, from 1."""

        self.of = 1
        """How many statements there are."""

        self.rows: int | None = None
        """Number of rows of the current result that have arrived; None if they are not counted."""

        self.stopped: Stop | None = None
        """What stopped it first, if anything did."""

        self.after_stop = "the connection is still usable"
        """What its error says about the time after a stop."""

        self.limit = limit
        self.after = after
        self.on_slow = on_slow
        self._interrupt = interrupt
        self._progress = progress
        self._lock = threading.Lock()
        self._watched = False
        self._succeeded = False
        self._began: float | None = None
        self._paused = 0.0
        self._stopped_after = 0.0
        self._moved = (-1.0, 0.0)

    def attach(
        self, target: str, interrupt: Callable[[], object] | None, progress: Callable[[], float] | None = None
    ) -> None:
        """Set the target and connection from now on; a cell can change its connection halfway."""
        with self._lock:
            self.target, self._interrupt, self._progress = target, interrupt, progress
            self._moved = (-1.0, 0.0)

    @contextlib.contextmanager
    def stopped_by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Within the block *interrupt* stops it, and not what the connection has."""
        with self._lock:
            outer, self._interrupt = self._interrupt, interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = outer

    def begin_statement(self, number: int, of: int) -> None:
        """Note that statement *number* begins. Raises the error that `check` raises."""
        self.statement, self.of, self.rows, self._succeeded = number, of, None, False
        self._moved = (-1.0, 0.0)
        self.check()

    def count(self, rows: int) -> None:
        """Add *rows* to the rows that have arrived. Raises the error that `check` raises."""
        self.rows = (self.rows or 0) + rows
        self.check()

    @property
    def elapsed(self) -> float:
        """Seconds for which it has been running."""
        if self._began is None:
            return 0.0
        return (time.monotonic() if self._watched else self._paused) - self._began

    @property
    def is_slow(self) -> bool:
        """Whether it has run long enough to show its progress."""
        return self.elapsed >= self.after

    @property
    def can_stop(self) -> bool:
        """Whether the driver can stop it."""
        return self._interrupt is not None

    @property
    def percent(self) -> float | None:
        """Progress of the statement in per cent, as the database estimates it; None if that is not meaningful."""
        ask = self._progress
        if ask is None:
            return None
        try:
            share = float(ask())
        except Exception:  # noqa: BLE001 - drivers raise anything for a connection that is being closed
            return None
        now = time.monotonic()
        if share != self._moved[0]:
            self._moved = (share, now)
        return share if 0 < share <= 100 and now - self._moved[1] < _STUCK else None  # noqa: PLR2004 - per cent

    def stop(self, how: Stop) -> None:
        """Stop it, repeating the interrupt until it has ended. If it has not begun, it ends as soon as it does."""
        with self._lock:
            if self.stopped is None and not self._succeeded:
                self.stopped, self._stopped_after = how, self.elapsed
        self._call_interrupt()

    def succeed(self) -> None:
        """Note that what was to be done is done and committed: a stop from now on, or just before, came too late."""
        with self._lock:
            self.stopped, self._succeeded = None, True

    def resume(self) -> None:
        """Note that there is more to do after `succeed`: from now on a stop counts."""
        with self._lock:
            self._succeeded = False

    def cancel(self) -> None:
        """Stop it, with the error of the Cancel button."""
        self.stop(BUTTON)

    def check(self) -> None:
        """Raise `QueryInterrupted`, `QueryCancelled` or `QueryTimeout` if it was stopped."""
        if self.stopped is not None:
            raise self._error()

    def _error(self) -> QueryInterrupted | QueryCancelled:
        how = self.stopped or INTERRUPT
        where = f", in statement {self.statement} of {self.of}" if self.of > 1 else ""
        query = "the query" if issubclass(how.kind, KeyboardInterrupt) else "The query"
        after = duration(self._stopped_after)
        return how.kind(f"{query} was {how.words} after {after}{where}; {self.after_stop}.")

    def _call_interrupt(self) -> None:
        with self._lock:  # an interrupt after the end would hit the next statement on the connection
            if self._watched and self._interrupt is not None:
                with contextlib.suppress(Exception):  # the connection may have been closed meanwhile
                    self._interrupt()

    def _begin(self) -> None:
        now = time.monotonic()
        self._began = now if self._began is None else self._began + now - self._paused
        with self._lock:
            self._watched = True

    def _end(self) -> None:
        with self._lock:
            self._paused, self._watched = time.monotonic(), False

    def _look(self) -> float:
        """Do what is due, and return the seconds until the next check."""
        elapsed = self.elapsed
        if self.limit is not None and elapsed >= self.limit.seconds and self.stopped is None:
            self.stop(Stop(QueryTimeout, f"cancelled by {self.limit.words}"))
        elif self.stopped is not None:
            self._call_interrupt()
        if elapsed >= self.after and self.on_slow is not None:
            on_slow, self.on_slow = self.on_slow, None
            try:
                on_slow()
            except Exception:  # a failing display must not break cancellation
                logger.debug("showing what runs failed", exc_info=True)
        if self.stopped is not None:
            return _REPEAT
        return _TICK if self.limit is None else max(0.001, min(_TICK, self.limit.seconds - elapsed))


class Watcher:
    """The thread that watches a session's executions. Starting a thread for each query would cost 0.8 ms."""

    def __init__(self) -> None:
        """Make a watcher; its thread starts with the first execution."""
        self._lock = threading.Lock()
        self._runs: tuple[Execution, ...] = ()
        self._signalled: Execution | None = None
        self._outer_fd = -1
        self._awake = False
        self._seen = 0.0
        self._read = threading.Event()
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    @contextlib.contextmanager
    def watching(self, running: Execution) -> Iterator[Execution]:
        """Within the block, *running* can be stopped. If it was, the end of the block raises the error.

        In the main thread, SIGINT stops it, unless SIGINT is ignored. In other threads and in nested blocks, no signal
        arrives, but everything else works. SIGINT is left to Python if *running* is watched already or the driver
        cannot stop it.
        """
        if running._watched:  # noqa: SLF001 - the two classes are one thing
            yield running
            return
        running.check()
        old_handler = self._arm(running)
        try:
            self._begin(running)
            yield running
        except BaseException:
            self._end(running, old_handler)
            if running.stopped is not None:
                raise running._error() from None  # noqa: SLF001
            raise
        self._end(running, old_handler)
        running.check()

    def close(self) -> None:
        """End the thread; the next execution starts another."""
        with self._lock:
            if self._sockets is not None:
                self._sockets[1].close()
                self._sockets, self._awake = None, False

    def _begin(self, running: Execution) -> None:
        running._begin()  # noqa: SLF001
        if not threads.available():
            return
        with self._lock:
            writer = self._started()
            self._runs = (*self._runs, running)
            if not self._awake or running.limit is not None:
                self._awake = True
                self._tell(writer, _WAKE)

    def _end(self, running: Execution, old_handler: signal._HANDLER) -> None:
        if old_handler is not None:
            self._disarm(old_handler)
        running._end()  # noqa: SLF001
        with self._lock:
            self._runs = tuple(other for other in self._runs if other is not running)
        if old_handler is not None and running.stopped is not None:
            self._catch_up()

    def _arm(self, running: Execution) -> signal._HANDLER:
        """Install our SIGINT handler and return the old one; `None`, without a change, if no signal can arrive."""
        here = threading.current_thread() is threading.main_thread()
        if not (here and running.can_stop and self._signalled is None and threads.available()):
            return None
        old_handler: signal._HANDLER = _signal.getsignal(signal.SIGINT)
        if not callable(old_handler):  # SIG_IGN, SIG_DFL, or a handler in C code
            return None
        self._signalled = running
        _signal.signal(signal.SIGINT, self._handle)
        with self._lock:
            writer = self._started()
        self._outer_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        return old_handler

    def _disarm(self, old_handler: signal._HANDLER) -> None:
        signal.set_wakeup_fd(self._outer_fd)
        _signal.signal(signal.SIGINT, old_handler)
        self._signalled = None

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        """Replace Python's handler, so that no `KeyboardInterrupt` is raised in the middle of SQLAlchemy."""
        running = self._signalled
        if running is not None and running.stopped is None and not running._succeeded:  # noqa: SLF001 - see `watching`
            # Without taking the lock, which this thread may hold; the watcher calls `interrupt`.
            running.stopped, running._stopped_after = INTERRUPT, running.elapsed  # noqa: SLF001

    def _catch_up(self) -> None:
        """Wait until the thread has read all signals so far: a late one would stop the next query."""
        with self._lock:
            if self._sockets is None:
                return
            self._read.clear()
            self._tell(self._sockets[1], _MARK)
        if not self._read.wait(1):
            self.close()

    def _started(self) -> socket.socket:
        if self._sockets is None:
            reader, writer = self._sockets = socket.socketpair()
            writer.setblocking(False)  # noqa: FBT003 - the standard library's signature
            self._seen = time.monotonic()
            threading.Thread(target=self._watch, args=(reader,), daemon=True, name="mdsql-watcher").start()
        return self._sockets[1]

    def _tell(self, writer: socket.socket, byte: int) -> None:
        with contextlib.suppress(OSError):  # the buffer is full, so the thread is awake anyway
            writer.send(bytes([byte]))

    def _watch(self, reader: socket.socket) -> None:
        with reader:
            while True:
                reader.settimeout(self._look(reader))
                try:
                    received = reader.recv(1)
                except TimeoutError:
                    continue
                if not received:
                    return
                self._take(received)

    def _take(self, received: bytes) -> None:
        if received[0] == signal.SIGINT:
            if (running := self._signalled) is not None:
                running.stop(INTERRUPT)
        elif received[0] == _MARK:
            self._read.set()
        elif received[0] != _WAKE and self._outer_fd >= 0:
            with contextlib.suppress(OSError):
                os.write(self._outer_fd, received)  # another signal: forward it to the previous wakeup fd

    def _look(self, reader: socket.socket) -> float | None:
        """Check all executions; return the seconds until the next check, or None if there are none."""
        now = time.monotonic()
        with self._lock:
            runs = self._runs
            if runs:
                self._seen = now
            elif now - self._seen > _IDLE:
                if self._sockets is not None and self._sockets[0] is reader:
                    self._awake = False
                return None
        return min((running._look() for running in runs), default=_TICK)  # noqa: SLF001

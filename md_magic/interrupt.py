"""Stopping what runs: the kernel's interrupt, a time limit and a Cancel button stop it, always, and nothing else.

Left alone, DuckDB misses the kernel's SIGINT (15 of 20 long queries ran on), and Python raises `KeyboardInterrupt` at
whatever line comes next, where SQLAlchemy answers by closing the connection. While something is watched, Python's
C-level handler writes a byte to a socket even though the main thread is inside C++; one thread reads it, knows of every
time limit, and calls the connection's `interrupt()` until the watched block has ended, which then raises one error that
says who stopped it, and after how long.
"""

from __future__ import annotations

import _signal  # the C half of `signal`, whose Python half makes enums of all arguments: 30 µs of a 700 µs cell
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.errors import QueryCancelled, QueryInterrupted, QueryTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

logger = logging.getLogger(__name__)

_REPEAT = 0.05
"""Seconds between two calls of `interrupt()`: one call can fall between two statements."""

_TICK = 0.1
"""Seconds between two looks at what runs."""

_IDLE = 2.0
"""Seconds without anything to watch after which the thread sleeps until it is woken. A loop of quick cells wakes it
once; waking it for each of them would cost 20 µs."""

_WAKE, _MARK = 0, 255
"""Bytes of our own among the numbers of signals: look again; say that all before this one has been read."""

_STUCK = 5.0
"""Seconds after which a percentage that does not move tells nothing."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A way of being stopped: the error that it ends in, and the words that say who did it."""

    kind: type[QueryInterrupted | QueryCancelled]
    words: str


INTERRUPT = Stop(QueryInterrupted, "interrupted")
BUTTON = Stop(QueryCancelled, "cancelled with the button")


@dataclass(frozen=True, slots=True)
class Limit:
    """How long something may run."""

    seconds: float
    words: str
    """Who says so: `--timeout 2`."""


class Running:
    """What runs now, a cell or a query in the background: to be looked at, and stopped, from any thread.

    Only the thread that runs it writes to `target`, `statement`, `of` and `rows`; readers take them as they are. It
    can be watched several times, one after the other; its clock stands still in between.
    """

    def __init__(
        self,
        target: str = "",
        *,
        interrupt: Callable[[], object] | None = None,
        progress: Callable[[], float] | None = None,
        limit: Limit | None = None,
        after: float = 0.5,
        slow: Callable[[], object] | None = None,
    ) -> None:
        """Make one that has not begun. *interrupt* and *progress* are those of the connection that it runs on.

        *slow* is called once, when it has run for *after* seconds, on the watcher's thread: it must not take long.
        """
        self.target = target
        """The name of where it runs."""

        self.statement = 1
        """The number of the statement that runs, from 1."""

        self.of = 1
        """How many statements there are."""

        self.rows: int | None = None
        """How many rows of the present result have arrived; None where nobody counts them."""

        self.stopped: Stop | None = None
        """Who stopped it, if anybody did: the first to try."""

        self.limit = limit
        self.after = after
        self.slow = slow
        self._interrupt = interrupt
        self._progress = progress
        self._lock = threading.Lock()
        self._watched = False
        self._began: float | None = None
        self._paused = 0.0
        self._stopped_after = 0.0
        self._moved = (-1.0, 0.0)

    def on(
        self, target: str, interrupt: Callable[[], object] | None, progress: Callable[[], float] | None = None
    ) -> None:
        """Say where it runs from now on: another connection can take over in the middle of a cell."""
        with self._lock:
            self.target, self._interrupt, self._progress = target, interrupt, progress
            self._moved = (-1.0, 0.0)

    def begin_statement(self, number: int, of: int) -> None:
        """Note that statement *number* begins. Raises the error that `check` raises."""
        self.statement, self.of, self.rows = number, of, None
        self._moved = (-1.0, 0.0)
        self.check()

    def count(self, rows: int) -> None:
        """Note that *rows* more rows have arrived. Raises the error that `check` raises."""
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
        """Whether it has run for so long that a person wants to be told about it."""
        return self.elapsed >= self.after

    @property
    def can_stop(self) -> bool:
        """Whether the driver has something that stops it."""
        return self._interrupt is not None

    @property
    def percent(self) -> float | None:
        """Per cent of the statement that are done, as the database estimates; None while that says nothing."""
        ask = self._progress
        if ask is None:
            return None
        try:
            share = float(ask())
        except Exception:  # noqa: BLE001 - whatever the driver raises for a connection that is being closed
            return None
        now = time.monotonic()
        if share != self._moved[0]:
            self._moved = (share, now)
        return share if 0 < share <= 100 and now - self._moved[1] < _STUCK else None  # noqa: PLR2004 - per cent

    def stop(self, how: Stop) -> None:
        """Stop it: now, and again and again until it has ended. What has not begun yet ends as it begins."""
        with self._lock:
            if self.stopped is None:
                self.stopped, self._stopped_after = how, self.elapsed
        self._call_interrupt()

    def cancel(self) -> None:
        """Stop it as the Cancel button does."""
        self.stop(BUTTON)

    def check(self) -> None:
        """Raise `QueryInterrupted`, `QueryCancelled` or `QueryTimeout` if it was stopped: between statements, say."""
        if self.stopped is not None:
            raise self._error()

    def _error(self) -> QueryInterrupted | QueryCancelled:
        how = self.stopped or INTERRUPT
        where = f", in statement {self.statement} of {self.of}" if self.of > 1 else ""
        query = "the query" if issubclass(how.kind, KeyboardInterrupt) else "The query"
        after = f"{self._stopped_after:.1f} s{where}"
        return how.kind(f"{query} was {how.words} after {after}; the connection is still usable.")

    def _call_interrupt(self) -> None:
        with self._lock:  # an interrupt after the end would hit whatever runs next on the connection
            if self._watched and self._interrupt is not None:
                with contextlib.suppress(Exception):  # a connection closed meanwhile has nothing left to interrupt
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
        """Do what is due, and return the seconds until something will be."""
        elapsed = self.elapsed
        if self.limit is not None and elapsed >= self.limit.seconds and self.stopped is None:
            self.stop(Stop(QueryTimeout, f"cancelled by {self.limit.words}"))
        elif self.stopped is not None:
            self._call_interrupt()
        if elapsed >= self.after and self.slow is not None:
            slow, self.slow = self.slow, None
            try:
                slow()
            except Exception:  # a screen that fails must not take the stop button with it
                logger.debug("showing what runs failed", exc_info=True)
        if self.stopped is not None:
            return _REPEAT
        return _TICK if self.limit is None else max(0.001, min(_TICK, self.limit.seconds - elapsed))


class Watcher:
    """One thread for a session. Watching costs microseconds; starting a thread for each query cost 0.8 ms."""

    def __init__(self) -> None:
        """Make a watcher; its thread starts when there is something to watch."""
        self._lock = threading.Lock()
        self._runs: tuple[Running, ...] = ()
        self._signalled: Running | None = None
        self._outer_fd = -1
        self._awake = False
        self._seen = 0.0
        self._read = threading.Event()
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    @contextlib.contextmanager
    def watching(self, running: Running) -> Iterator[Running]:
        """Within the block, *running* can be stopped; at its end, if it was, the error that says by whom is raised.

        In the main thread SIGINT stops it, unless it is ignored. In other threads, and in a block within another, no
        signal can arrive, and the rest works. What is watched already, and what the driver cannot stop, is left alone
        by the signal: it is Python's then.
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
        """End the thread; what is watched next starts another."""
        with self._lock:
            if self._sockets is not None:
                self._sockets[1].close()
                self._sockets, self._awake = None, False

    def _begin(self, running: Running) -> None:
        running._begin()  # noqa: SLF001
        with self._lock:
            writer = self._started()
            self._runs = (*self._runs, running)
            if not self._awake or running.limit is not None:
                self._awake = True
                self._tell(writer, _WAKE)

    def _end(self, running: Running, old_handler: signal._HANDLER) -> None:
        if old_handler is not None:
            self._disarm(old_handler)
        running._end()  # noqa: SLF001
        with self._lock:
            self._runs = tuple(one for one in self._runs if one is not running)
        if old_handler is not None and running.stopped is not None:
            self._catch_up()

    def _arm(self, running: Running) -> signal._HANDLER:
        """Take SIGINT and return the handler that was there; `None`, with nothing taken, where it tells us nothing."""
        here = threading.current_thread() is threading.main_thread()
        if not (here and running.can_stop and self._signalled is None):
            return None
        self._signalled = running
        old_handler: signal._HANDLER = _signal.signal(signal.SIGINT, self._handle)
        if not callable(old_handler):  # SIG_IGN, SIG_DFL, or a handler of somebody's C code
            _signal.signal(signal.SIGINT, signal.SIG_DFL if old_handler is None else old_handler)
            self._signalled = None
            return None
        with self._lock:
            writer = self._started()
        self._outer_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        return old_handler

    def _disarm(self, old_handler: signal._HANDLER) -> None:
        signal.set_wakeup_fd(self._outer_fd)
        _signal.signal(signal.SIGINT, old_handler)
        self._signalled = None

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        """Take the place of Python's handler: no `KeyboardInterrupt` in the middle of SQLAlchemy."""
        running = self._signalled
        if running is not None and running.stopped is None:
            # Without its lock, which this very thread may hold; the watcher calls `interrupt`.
            running.stopped, running._stopped_after = INTERRUPT, running.elapsed  # noqa: SLF001

    def _catch_up(self) -> None:
        """Wait until the thread has read every signal so far: one read later would stop the next query."""
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
        with contextlib.suppress(OSError):  # full: it has enough to read and is awake
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
                os.write(self._outer_fd, received)  # another signal: whoever listened before us gets it

    def _look(self, reader: socket.socket) -> float | None:
        """Look at all that runs; return the seconds until the next look, or None if there is nothing to look at."""
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

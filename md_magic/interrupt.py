"""Interrupting: the kernel's SIGINT stops a running query, always, and nothing else.

Left alone, DuckDB misses the signal (15 of 20 long queries ran on), and Python raises `KeyboardInterrupt` at whatever
line comes next, where SQLAlchemy answers by closing the connection. While a guard is armed, Python's C-level handler
writes a byte to a socket even though the main thread is inside C++; a watcher reads it and calls the connection's
`interrupt()` until the guard is disarmed, which then raises one `QueryInterrupted`.
"""

from __future__ import annotations

import _signal  # the C half of `signal`, whose Python half makes enums of all arguments: 30 µs of a 700 µs cell
import contextlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

from md_magic.errors import QueryInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_REPEAT = 0.05
"""Seconds between two calls of `interrupt()`: one call can fall between two statements."""


class InterruptGuard:
    """One watcher thread for a session. Arming it costs microseconds; starting a thread for each query cost 0.8 ms."""

    def __init__(self) -> None:
        """Make a guard; its thread starts when it is first armed."""
        self._lock = threading.Lock()
        self._interrupt: Callable[[], object] | None = None
        self._outer_fd = -1
        self._hit = False
        self._started_at = 0.0
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    @contextlib.contextmanager
    def armed(self, interrupt: Callable[[], object] | None) -> Iterator[None]:
        """Within the block, SIGINT calls *interrupt*; at its end `QueryInterrupted` is raised if there was one.

        Does nothing where no signal can arrive: outside the main thread, with SIGINT ignored, without *interrupt*,
        or inside another guarded block.
        """
        here = threading.current_thread() is threading.main_thread()
        old_handler = self._arm(interrupt) if interrupt is not None and here and self._interrupt is None else None
        if old_handler is None:
            yield
            return
        started = self._started_at
        try:
            yield
        except BaseException:
            self._disarm(old_handler)
            if self._hit:
                raise QueryInterrupted(_message(started)) from None
            raise
        self._disarm(old_handler)
        if self._hit:
            raise QueryInterrupted(_message(started))

    def check(self) -> None:
        """Raise `QueryInterrupted` if there was a signal since the block began: between two statements, say."""
        if self._hit and self._interrupt is not None:
            raise QueryInterrupted(_message(self._started_at))

    def close(self) -> None:
        """End the watcher; the next `armed` starts another."""
        with self._lock:
            if self._sockets is not None:
                self._sockets[1].close()
                self._sockets = None

    def _arm(self, interrupt: Callable[[], object]) -> signal._HANDLER:
        """Return the handler that was there; `None`, with nothing armed, where a signal would have told nobody."""
        self._hit = False
        self._started_at = time.monotonic()
        old_handler: signal._HANDLER = _signal.signal(signal.SIGINT, self._handle)
        if not callable(old_handler):  # SIG_IGN, SIG_DFL, or a handler of somebody's C code
            _signal.signal(signal.SIGINT, signal.SIG_DFL if old_handler is None else old_handler)
            return None
        writer = self._started()
        with self._lock:
            self._interrupt = interrupt
        self._outer_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        return old_handler

    def _disarm(self, old_handler: signal._HANDLER) -> None:
        signal.set_wakeup_fd(self._outer_fd)
        with self._lock:
            self._interrupt = None
        _signal.signal(signal.SIGINT, old_handler)
        if self._hit:
            self.close()  # a byte that the watcher has not read yet must not interrupt the next query

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        """Take the place of Python's handler: no `KeyboardInterrupt` in the middle of SQLAlchemy."""
        self._hit = True

    def _started(self) -> socket.socket:
        if self._sockets is None:
            reader, writer = self._sockets = socket.socketpair()
            writer.setblocking(False)  # noqa: FBT003 - the standard library's signature
            threading.Thread(target=self._watch, args=(reader,), daemon=True, name="mdsql-interrupt").start()
        return self._sockets[1]

    def _watch(self, reader: socket.socket) -> None:
        with reader:
            while received := reader.recv(1):
                if received[0] == signal.SIGINT:
                    self._interrupt_until_disarmed(reader)
                elif self._outer_fd >= 0:
                    with contextlib.suppress(OSError):
                        os.write(self._outer_fd, received)  # another signal: whoever listened before us gets it

    def _interrupt_until_disarmed(self, reader: socket.socket) -> None:
        while True:
            with self._lock:
                if self._interrupt is None or self._sockets is None or self._sockets[0] is not reader:
                    return
                self._hit = True
                with contextlib.suppress(Exception):  # a connection closed meanwhile has nothing left to interrupt
                    self._interrupt()
            time.sleep(_REPEAT)


def _message(started: float) -> str:
    return f"the query was interrupted after {time.monotonic() - started:.1f} s; the connection is still usable."

"""The thread that reads a catalog in the background, between statements.

The invariant: no read begins while a statement that changes something runs, while reading is forbidden, or after
closing. `condition` guards all of the state below.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from md_magic import threads

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.03
"""Seconds without a statement before the catalog is read: in a loop, the next statement comes sooner."""

_LONG_PAUSE = 0.5
"""The same for a catalog that takes a long time to read."""

_AT_EXIT = 2
"""Seconds that a process that ends waits for a read to end."""

_BREATH = 0.0005
"""Seconds that a read sleeps now and then, to let other threads run."""


class Worker:
    """Calls *read* in its own thread whenever the catalog is stale; *interrupt* stops a read."""

    def __init__(self, read: Callable[[], None], interrupt: Callable[[], None]) -> None:
        """Make a worker whose thread starts when it is first woken."""
        self._read, self._interrupt = read, interrupt
        self.condition = threading.Condition()
        """Guards all attributes, and is notified when one of them changes."""

        self.is_stale = True
        self.is_reading = False
        self.is_shown = False
        """Whether the read has published its tables and continues with the functions."""

        self.is_slow = False
        """Whether reading is so slow that it waits for a longer pause."""

        self.is_forbidden = False
        """Whether queries are logged, so that the user would see ours."""

        self._is_closed, self._is_hurried = False, False
        self._pauses = 0
        self._thread: threading.Thread | None = None

    @property
    def may_read(self) -> bool:
        """Whether a read may begin now."""
        return not (self._pauses or self._is_closed or self.is_forbidden)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    @property
    def is_current(self) -> bool:
        """Whether this code runs in its thread."""
        return threading.current_thread() is self._thread

    def wake(self, *, hurry: bool) -> None:
        """Have the catalog read; in a *hurry*, without waiting for a pause between statements."""
        with self.condition:
            if self._is_closed or not threads.available():
                return
            self._is_hurried = self._is_hurried or hurry
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="md_magic catalog", daemon=True)
                self._thread.start()
                threads.end_at_exit(self.end)
            self.condition.notify_all()

    def pause(self, seconds: float) -> None:
        """Let no read begin until `resume`, and wait at most *seconds* for a running one to end."""
        with self.condition:
            self._pauses += 1
            self._stop_reading(seconds)

    def resume(self) -> None:
        """Undo one `pause`."""
        with self.condition:
            self._pauses -= 1

    def close(self, seconds: float) -> None:
        """Let no more reads begin, and wait at most *seconds* for a running one to end."""
        with self.condition:
            self._is_closed = True
            self.condition.notify_all()
            self._stop_reading(seconds)

    def end(self) -> None:
        """Close, and wait for the thread to end: the process does."""
        self.close(_AT_EXIT)
        if self._thread is not None:
            self._thread.join(_AT_EXIT)

    def breathe(self) -> None:
        """Let other threads run for a moment; in the worker's thread, raise if a statement is waiting."""
        time.sleep(_BREATH)
        if self.is_current and (self._pauses or self._is_closed):
            message = "A statement is about to run."
            raise RuntimeError(message)

    def _stop_reading(self, seconds: float) -> None:
        """Interrupt repeatedly until the read ends or *seconds* have passed: one call could fall between queries."""
        deadline = time.monotonic() + seconds
        while self.is_reading and time.monotonic() < deadline:
            self._interrupt()
            self.condition.wait_for(lambda: not self.is_reading, PAUSE)

    def _work(self) -> None:
        while self._wait():
            try:
                self._read()
            finally:
                with self.condition:
                    self.is_reading = False
                    self.condition.notify_all()

    def _wait(self) -> bool:
        """Wait until the catalog should be read, and mark it as being read. Return false once closed."""
        with self.condition:
            while True:
                self.condition.wait_for(lambda: self._is_closed or (self.is_stale and self.may_read))
                if not (self._is_closed or self._is_hurried):
                    pause = _LONG_PAUSE if self.is_slow else PAUSE
                    self.condition.wait_for(lambda: self._is_closed or self._is_hurried or self._pauses > 0, pause)
                if self._is_closed:
                    return False
                if self.may_read:
                    self._is_hurried = False
                    self.is_reading, self.is_stale, self.is_shown = True, False, False
                    return True

"""Waiting for a driver that nothing can stop: it works on another thread, and who waits can go on without it.

The invariant: a connection that was given up is used, and closed, by the thread that its driver still works on alone.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from md_magic import threads
from md_magic.errors import QueryInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import CursorResult

    from md_magic.engine.cancellation import Execution

T = TypeVar("T")

_TICK = 0.05
"""Seconds between two looks at whether to go on waiting."""

_AFTER = "in the database it may go on, and its connection was given up: the next cell has another"


class Waiter:
    """Calls one connection's driver."""

    def __init__(self, close: Callable[[], object] = lambda: None, *, after: str = _AFTER) -> None:
        """Make a waiter. *close* is called once the driver is free that was given up; *after* says what that means."""
        self._close, self._after = close, after
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self.has_given_up = False
        """Whether the driver was left alone with the connection."""

    def give_up(self) -> None:
        """Let who waits go on, from any thread."""
        self._enough.set()

    def call(self, work: Callable[[], T], execution: Execution | None) -> T:
        """Return what *work* returns, or raise what it raises; raise the error of *execution* if it was stopped."""
        if not threads.available():
            return work()
        done, answer, errors = threading.Event(), list[T](), list[BaseException]()

        def run() -> None:
            try:
                answer.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                errors.append(error)
            with self._lock:
                done.set()
                if not self.has_given_up:
                    return
            with contextlib.suppress(Exception):  # a driver's, which nobody is to see any more
                self._close()

        self._enough.clear()
        threading.Thread(target=run, daemon=True, name="mdsql-driver").start()
        try:
            while not done.wait(_TICK):
                if self._enough.is_set():
                    break
        except KeyboardInterrupt:
            self._enough.set()
        with self._lock:
            self.has_given_up = not done.is_set()
        if self.has_given_up:
            self._raise(execution)
        if errors:
            raise errors[0]
        return answer[0]

    def _raise(self, execution: Execution | None) -> None:
        if execution is not None:
            execution.after_stop = self._after
            execution.check()
        message = f"the query was interrupted; {self._after}."
        raise QueryInterrupted(message)


class WaitedResult:
    """A result whose rows are fetched by a `Waiter`."""

    def __init__(self, result: CursorResult[Any], waiter: Waiter, execution: Execution | None) -> None:
        """Fetch the rows of *result*."""
        self._result, self._waiter, self._execution = result, waiter, execution

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute
        """Return what the result says of itself."""
        return getattr(self._result, name)

    def fetchmany(self, size: int) -> Sequence[Any]:
        """Return up to *size* of the next rows."""
        return self._waiter.call(lambda: self._result.fetchmany(size), self._execution)

    def close(self) -> None:
        """Close the result, unless the driver was given up."""
        if not self._waiter.has_given_up:
            self._result.close()

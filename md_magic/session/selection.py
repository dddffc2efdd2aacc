"""Which target is current: the one that what names none runs on."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_magic.sql.target import Target


class Selection:
    """The current target of a session, which is that of all threads, but for one that has stepped aside."""

    def __init__(self) -> None:
        """Start without one."""
        self._of_session: Target | None = None
        self._of_thread = _Aside()

    @property
    def current(self) -> Target | None:
        """The target that what this thread runs without naming one runs on."""
        return self._of_thread.target or self._of_session

    @current.setter
    def current(self, target: Target | None) -> None:
        if self._of_thread.target is None:
            self._of_session = target
        elif target is not None:  # the same place, signed in or opened again
            self._of_thread.target = target

    def forget(self, closed: list[Target]) -> None:
        """Let no target be current where it was one of *closed*."""
        if self._of_session in closed:
            self._of_session = None

    @contextlib.contextmanager
    def aside(self, target: Target) -> Iterator[None]:
        """Let what this thread runs within the block run on *target*; that of the session stays what it is."""
        outer, self._of_thread.target = self._of_thread.target, target
        try:
            yield
        finally:
            self._of_thread.target = outer


class _Aside(threading.local):
    target: Target | None = None

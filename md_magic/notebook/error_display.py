"""How our errors are shown: as one message, also where another extension draws tracebacks, and beside a debugger."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from md_magic.display import host
from md_magic.errors import MdMagicError, QueryInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_OURS = (MdMagicError, QueryInterrupted)

_MACHINERY = frozenset({"IPython", "decorator", "ipykernel", "md_magic"})
"""Packages between the user's own functions and the error."""


class ErrorDisplay:
    """The handler of our errors in a shell, by IPython's `set_custom_exc`.

    IPython itself asks an error how it is rendered. `%load_ext rich` replaces the method that shows what is rendered,
    and `%pdb` opens a debugger in the frame that raised, which is ours.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        """Make the handler of *shell*."""
        self._shell: Any = shell
        self._before: tuple[tuple[type[BaseException], ...], Callable[..., object]] | None = None
        self._handled: tuple[type[BaseException], ...] = ()
        self._shown_by: Callable[..., object] | None = None
        """What another extension shows tracebacks with, where we stand before it."""

    def install(self) -> None:
        """Handle our errors; the handler that is there keeps the others."""
        self._before = (self._shell.custom_exceptions, self._shell.CustomTB)
        self._handled = (*_OURS, *self._shell.custom_exceptions)
        self._shell.set_custom_exc(self._handled, self._handle)

    def remove(self) -> None:
        """Give the place back, unless somebody else has taken it since."""
        if self._before is not None and self._shell.custom_exceptions is self._handled:
            self._shell.custom_exceptions, self._shell.CustomTB = self._before
        self._before = None
        if self._shown_by is not None and vars(self._shell).get("_showtraceback") == self._show:
            self._shell._showtraceback = self._shown_by  # noqa: SLF001 - see _stand_before
        self._shown_by = None

    def _handle(
        self,
        shell: Any,  # noqa: ANN401 - any IPython shell
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
        tb_offset: int | None = None,
    ) -> Any:  # noqa: ANN401 - what IPython asks for: the lines that were shown
        if not isinstance(error, _OURS):
            return self._before[1](kind, error, traceback, tb_offset) if self._before is not None else None
        users = _users_part(traceback)
        error.__traceback__ = users
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, users  # for %tb and %debug
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        lines = error._render_traceback_()
        type(shell)._showtraceback(shell, kind, error, lines)  # noqa: SLF001 - the shell's own may be rich's
        self._stand_before()
        if shell.call_pdb and not self._is_in_cell(users) and host.host_of_person(shell) != "batch":
            shell.InteractiveTB.tb = None  # else the debugger opens in an error before
            shell.debugger(force=True)
        return lines

    def _stand_before(self) -> None:
        """Stand before what another extension shows tracebacks with: `%tb` shows our error once more, by that."""
        other = vars(self._shell).get("_showtraceback")
        if other is not None and other != self._show:
            self._shown_by, self._shell._showtraceback = other, self._show  # noqa: SLF001 - rich's place too

    def _show(self, kind: Any, error: Any, lines: Any, *more: Any, **options: Any) -> None:  # noqa: ANN401 - IPython's
        """Show *lines* of ours as IPython does; leave others to the extension."""
        if isinstance(error, _OURS):
            type(self._shell)._showtraceback(self._shell, kind, error, lines)  # noqa: SLF001
        elif self._shown_by is not None:
            self._shown_by(kind, error, lines, *more, **options)

    def _is_in_cell(self, traceback: TracebackType | None) -> bool:
        """Whether *traceback* ends in the code of a cell itself, where there is nothing to look at with a debugger."""
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        return traceback is None or traceback.tb_frame.f_locals is self._shell.user_ns


def _users_part(traceback: TracebackType | None) -> TracebackType | None:
    """Return *traceback* without its end in our packages and IPython's."""
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    while entries and _package(entries[-1]) in _MACHINERY:
        entries.pop()
    users: TracebackType | None = None
    for entry in reversed(entries):
        users = TracebackType(users, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return users


def _package(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__", "")).partition(".")[0]

"""What runs, as a person sees it: one live line while it does, one quiet line when it has ended.

The live line is made by a thread of its own, and only for what is slow. A notebook has it with a bar and Cancel, a
terminal as text that writes over itself, a batch run not at all. Nothing of it stays in the saved notebook.
"""

from __future__ import annotations

import contextvars
import logging
import shutil
import sys
import threading
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from md_magic import markup, widgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.widgets import Host

logger = logging.getLogger(__name__)

_TICK = 0.25
"""Seconds between two looks at what runs; a look and a message take 2 ms. The browser counts the seconds by itself."""

_BAR = 24
"""Characters of the bar in a terminal."""


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see of what runs."""

    target: str
    elapsed: float
    percent: float | None = None
    rows: int | None = None
    statement: int = 1
    of: int = 1
    stopping: bool = False


class Live:
    """The line of one cell. It costs nothing until it is started."""

    def __init__(self, host: Callable[[], Host], look: Callable[[], View], cancel: Callable[[], object]) -> None:
        """Make a line that looks at what runs with *look*, and stops it with *cancel*; *host* says where it is."""
        self._host = host
        self._look = look
        self._cancel = cancel
        self._context = contextvars.copy_context()  # ipykernel finds in it the cell that an output belongs to
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._line: _Line | None = None

    def start(self) -> None:
        """Show the line, from a thread of its own: importing and making a widget takes longer than a stop may."""
        threading.Thread(target=self._context.run, args=(self._live,), daemon=True, name="mdsql-progress").start()

    def over(self, status: str, *, alone: bool = False) -> None:
        """Put *status* in the place of the line, if there is one; else print it, if it says something.

        *alone* tells that the cell shows nothing else, so that it can be cleared.
        """
        self._over.set()
        with self._lock:
            line = self._line
        if line is not None:
            line.close(status, alone=alone)
        elif status:
            print(status)

    def _live(self) -> None:
        try:
            line = _line(self._host(), self._cancel)
            if line is None:
                return
            self._open(line)
            while not self._over.wait(_TICK):
                with self._lock:
                    if not self._over.is_set():
                        line.show(self._look())
        except Exception:  # the query matters more than its line
            logger.debug("the line that shows what runs failed", exc_info=True)

    def _open(self, line: _Line) -> None:
        """Show *line*, unless the query has ended while it was being made."""
        try:
            with self._lock:
                if not self._over.is_set():
                    line.open(self._look())
                    self._line = line
        finally:
            if self._line is None:
                line.drop()


class _Line(Protocol):
    """A way of showing a line."""

    def open(self, view: View) -> None:
        """Begin."""

    def show(self, view: View) -> None:
        """Show what has become of it."""

    def close(self, status: str, *, alone: bool) -> None:
        """Take the line away, and leave *status* instead."""

    def drop(self) -> None:
        """Give back what was made for a line that nobody has seen."""


def _line(host: Host, cancel: Callable[[], object]) -> _Line | None:
    if host == "widgets" and not _captured():
        return _Widget(cancel)
    return _Text() if host == "terminal" and sys.stderr.isatty() else None


def _captured() -> bool:
    """Whether what is displayed is kept for later, by `%%capture` say: a line kept would be a dead one."""
    from IPython import get_ipython  # the rest of the module is for terminals and tests too
    from IPython.core.displaypub import CapturingDisplayPublisher

    shell = get_ipython()
    return shell is None or isinstance(shell.display_pub, CapturingDisplayPublisher)


class _Text:
    """A line of a terminal, written over itself."""

    def __init__(self) -> None:
        self._shown = 0

    def open(self, view: View) -> None:
        self.show(view)

    def show(self, view: View) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write(as_text(view, stop="Ctrl-C cancels")[:width])

    def close(self, status: str, *, alone: bool) -> None:  # noqa: ARG002 - a terminal is never cleared
        self._write("")
        sys.stderr.write("\r")
        sys.stderr.flush()
        if status:
            print(status)

    def drop(self) -> None:
        """Do nothing: what was not written needs no taking back."""

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._shown))
        sys.stderr.flush()
        self._shown = len(text)


class _Widget:
    """A line of a notebook: a widget that is closed at the end, in an output that then holds text."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._listens = False
        self._sent: dict[str, object] = {}
        self._widget = widgets.make("progress", {})
        self._widget.on_msg(self._heard)
        self._handle: Any = None

    def open(self, view: View) -> None:
        from IPython.display import display  # see _captured

        self.show(view)
        text = f"Running on {view.target}; interrupt the kernel to cancel."
        bundle = widgets.bundle(self._widget, text, escape(text))
        self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def show(self, view: View) -> None:
        seen = asdict(view) | {"listens": self._listens}
        if {**seen, "elapsed": 0} != {**self._sent, "elapsed": 0}:
            self._sent = seen
            self._widget.view = seen

    def close(self, status: str, *, alone: bool) -> None:
        from IPython.display import clear_output  # see _captured

        if status or not alone:
            # In a plain text JupyterLab makes a link of a target's name.
            html = f"<pre style='margin: 0; padding: 0'>{escape(status)}</pre>"
            self._handle.update({"text/plain": status} | ({"text/html": html} if status else {}), raw=True)
        else:
            clear_output()  # type: ignore[no-untyped-call]
        self.drop()

    def drop(self) -> None:
        """Close the widget, which ipywidgets and the browser keep otherwise, and with it what it can cancel."""
        widgets.close(self._widget)

    def _heard(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Take a message; on a thread of the kernel's while the cell runs, or, in old kernels, never."""
        kind = content.get("type")
        if kind == "hello":
            self._listens = True
        elif kind == "cancel":
            self._cancel()


def as_text(view: View, *, stop: str) -> str:
    """Return *view* as a line of text; *stop* says how to stop what runs."""
    parts = [duration(view.elapsed)]
    if view.percent is not None:
        done = round(_BAR * view.percent / 100)
        parts.insert(0, f"{'█' * done}{'░' * (_BAR - done)} {view.percent:3.0f} %")
    if view.rows is not None:
        parts.append(markup.count(view.rows, "row"))
    if view.of > 1:
        parts.append(f"statement {view.statement} of {view.of}")
    return " · ".join([*parts, view.target, "stopping ..." if view.stopping else stop])


def status(told: str, elapsed: float, target: str) -> str:
    """Return the quiet line: what there is to tell of the result, if anything, how long it took, where."""
    return " · ".join(part for part in (told, duration(elapsed), target) if part)


def size(value: Any) -> str:  # noqa: ANN401 - a result in any form
    """Return `1,234,567 rows × 5 columns` for a result in any form; a stream has columns only."""  # noqa: RUF002 - a sign, not a letter
    if isinstance(value, dict):
        rows, columns = len(next(iter(value.values()), [])), len(value)
    elif hasattr(value, "shape"):
        rows, columns = value.shape
    else:
        return markup.count(len(value.schema), "column") if hasattr(value, "schema") else ""
    return f"{markup.count(rows, 'row')} × {markup.count(columns, 'column')}"  # noqa: RUF001 - see above


def duration(seconds: float) -> str:
    """Return `2.3 s`, `1 min 05 s`, `2 h 05 min`."""
    if seconds < 59.95:  # noqa: PLR2004 - what is not rounded to a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"

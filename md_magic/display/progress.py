"""The progress of a running query: a live line while it runs, a status line at its end.

The live line is made in its own thread, and only for a slow query. A notebook shows it with a bar and a Cancel button,
a terminal as text that is overwritten, a batch run not at all. It does not stay in the saved notebook.
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

from md_magic import threads
from md_magic.display import host as screen
from md_magic.wording import count, data_size, duration
from md_magic.wording import size as table_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.display.host import Host
    from md_magic.engine.backends.motherduck.service import QueryTook

logger = logging.getLogger(__name__)

_TICK = 0.25
"""Seconds between updates, which take 2 ms each. The browser counts the elapsed seconds itself."""

_WAITED = 0.01
"""Seconds: a shorter wait is none."""

_BAR = 24
"""Characters of the bar in a terminal."""


@dataclass(frozen=True, slots=True)
class View:
    """The content of the live line."""

    target: str
    elapsed: float
    percent: float | None = None
    rows: int | None = None
    statement: int = 1
    of: int = 1
    stopping: bool = False


class Live:
    """The live line of one cell. It costs nothing until it is started."""

    def __init__(self, host: Callable[[], Host], look: Callable[[], View], cancel: Callable[[], object]) -> None:
        """Make a line that shows what *look* returns on *host*; its Cancel button calls *cancel*."""
        self._host = host
        self._look = look
        self._cancel = cancel
        self._context = contextvars.copy_context()  # ipykernel keeps there which cell an output belongs to
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._line: _Line | None = None

    def start(self) -> None:
        """Show the line from its own thread: importing and making a widget takes too long for the watcher's thread."""
        if not threads.available():
            return
        threading.Thread(target=self._context.run, args=(self._follow,), daemon=True, name="mdsql-progress").start()

    def finish(self, status: str, *, said: str = "", always: bool = False, only_output: bool = False) -> None:
        """Replace the line with *status*; without a line, print *status* unless it is empty.

        *said* is what a quick query says of its outcome. Where nobody looks, standard output gets that: the status of
        a slow query has a time in it, another one in every run; standard error gets the status, in a notebook where
        the user has *always* asked for it. *only_output* says that the cell shows nothing else, so that its output can
        be cleared.
        """
        self._finished.set()
        with self._lock:
            line = self._line
        if line is not None:
            line.close(status, said, only_output=only_output)
        elif status and status == said:
            print(status)
        elif status:
            print_status(status, said, self._where(), always=always)

    def _where(self) -> Host:
        try:
            return self._host()
        except Exception:  # the query matters more than its status
            logger.debug("the host is not known", exc_info=True)
            return "stdin"

    def _follow(self) -> None:
        try:
            line = _line(self._host(), self._cancel)
            if line is None:
                return
            self._open(line)
            while not self._finished.wait(_TICK):
                with self._lock:
                    if not self._finished.is_set():
                        line.show(self._look())
        except Exception:  # a failing display must not fail the query
            logger.debug("the live line failed", exc_info=True)

    def _open(self, line: _Line) -> None:
        """Show *line*, unless the query has ended while it was being made."""
        try:
            with self._lock:
                if not self._finished.is_set():
                    line.open(self._look())
                    self._line = line
        finally:
            if self._line is None:
                line.discard()


class _Line(Protocol):
    """One way of showing the live line."""

    def open(self, view: View) -> None:
        """Show the line for the first time."""

    def show(self, view: View) -> None:
        """Update the line."""

    def close(self, status: str, said: str, *, only_output: bool) -> None:
        """Replace it with *status*; *said* is a part of it that is printed in any case."""

    def discard(self) -> None:
        """Release a line that was never shown."""


def _line(host: Host, cancel: Callable[[], object]) -> _Line | None:
    if host == "widgets" and not _captured():
        return _Widget(cancel)
    return _Text() if host == "terminal" and sys.stderr.isatty() else None


def print_status(status: str, said: str, host: Host, *, always: bool = False) -> None:
    """Print the *status* of a slow query: to standard output in front of a person, else to standard error.

    The outputs of a batch run's kernel are kept in a notebook, and have none unless it is *always* asked for. *said* is
    what is printed in any case.
    """
    if host in {"widgets", "unsure", "stdin"} or (host == "terminal" and sys.stdout.isatty()):
        print(status)
        return
    if said:
        print(said)
    if status != said and (always or not _in_kernel()):
        print(status, file=sys.stderr)


def _in_kernel() -> bool:
    from IPython import get_ipython  # see _captured

    return getattr(get_ipython(), "kernel", None) is not None


def _captured() -> bool:
    """Whether outputs are captured, as by `%%capture`: a live line in them would no longer be live when shown."""
    from IPython import get_ipython  # the rest of the module is for terminals and tests too
    from IPython.core.displaypub import CapturingDisplayPublisher

    shell = get_ipython()
    return shell is None or isinstance(shell.display_pub, CapturingDisplayPublisher)


class _Text:
    """The line in a terminal, which is overwritten."""

    def __init__(self) -> None:
        self._width = 0

    def open(self, view: View) -> None:
        self.show(view)

    def show(self, view: View) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write(as_text(view, stop="Ctrl-C cancels")[:width])

    def close(self, status: str, said: str, *, only_output: bool) -> None:  # noqa: ARG002 - a terminal is never cleared
        self._write("")
        sys.stderr.write("\r")
        sys.stderr.flush()
        if status:
            print_status(status, said, "terminal")

    def discard(self) -> None:
        """Do nothing: nothing was written."""

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)


class _Widget:
    """The line in a notebook: a widget, which is closed at the end and replaced by text."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._listens = False
        self._sent: dict[str, object] = {}
        self._widget = screen.make("progress", {})
        self._widget.on_msg(self._on_message)
        self._handle: Any = None

    def open(self, view: View) -> None:
        from IPython.display import display  # see _captured

        self.show(view)
        text = f"Running on {view.target}; interrupt the kernel to cancel."
        bundle = screen.bundle(self._widget, text, escape(text))
        self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def show(self, view: View) -> None:
        state = asdict(view) | {"listens": self._listens}
        if {**state, "elapsed": 0} != {**self._sent, "elapsed": 0}:
            self._sent = state
            self._widget.view = state

    def close(self, status: str, said: str, *, only_output: bool) -> None:  # noqa: ARG002 - the status has it
        from IPython.display import clear_output  # see _captured

        if status or not only_output:
            # HTML, because JupyterLab turns a target's name in plain text into a link.
            html = f"<pre style='margin: 0; padding: 0'>{escape(status)}</pre>"
            self._handle.update({"text/plain": status} | ({"text/html": html} if status else {}), raw=True)
        else:
            clear_output()  # type: ignore[no-untyped-call]
        self.discard()

    def discard(self) -> None:
        """Close the widget: ipywidgets and the browser would keep it, and it keeps what it can cancel."""
        screen.close(self._widget)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Handle a message, in one of the kernel's threads while the cell runs; old kernels deliver none."""
        kind = content.get("type")
        if kind == "hello":
            self._listens = True
        elif kind == "cancel":
            self._cancel()


def as_text(view: View, *, stop: str) -> str:
    """Return *view* as a line of text; *stop* says how to stop the query."""
    parts = [duration(view.elapsed)]
    if view.percent is not None:
        done = round(_BAR * view.percent / 100)
        parts.insert(0, f"{'█' * done}{'░' * (_BAR - done)} {view.percent:3.0f} %")
    if view.rows is not None:
        parts.append(count(view.rows, "row"))
    if view.of > 1:
        parts.append(f"statement {view.statement} of {view.of}")
    return " · ".join([*parts, view.target, "stopping ..." if view.stopping else stop])


def status(result: str, elapsed: float, target: str, more: str = "") -> str:
    """Return the line at the end of a cell: what there is to say of the *result*, how long it took, and where."""
    return " · ".join(part for part in (result, duration(elapsed), target, more) if part)


def took(query: QueryTook) -> str:
    """Return what a service noted about a query: `waited 0.6 s · 2 MB up, 31 MB down · query 0190f3c2-...`."""
    waited = query.waited is not None and query.waited >= _WAITED
    travelled = [
        f"{data_size(size)} {way}"
        for size, way in ((query.uploaded, "up"), (query.downloaded, "down"))
        if size is not None
    ]
    parts = [f"waited {duration(query.waited or 0)}" if waited else "", ", ".join(travelled), f"query {query.id}"]
    return " · ".join(part for part in parts if part)


def size(value: Any) -> str:  # noqa: ANN401 - a result in any form
    """Return `1,234,567 rows × 5 columns` for a result in any form; a stream has columns only, a still says it."""  # noqa: RUF002 - a sign, not a letter
    if isinstance(value, dict):
        return table_size(len(next(iter(value.values()), [])), len(value))
    if hasattr(value, "shape"):
        return table_size(*value.shape)
    if hasattr(value, "schema"):
        return count(len(value.schema), "column")
    size = getattr(value, "size", "")
    return size if isinstance(size, str) else ""

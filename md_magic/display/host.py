"""The host: its capabilities, making widgets for it, and the outputs that are still open on it."""

from __future__ import annotations

import os
import re
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from md_magic import threads

if TYPE_CHECKING:
    from collections.abc import Sequence

Host = Literal[
    "widgets",  # a notebook with a person in front of it
    "unsure",  # a kernel with a person, whose front end has not said whether it has widgets: see `front_end`
    "stdin",  # a kernel with a person, and a front end without widgets
    "terminal",  # IPython in a terminal
    "batch",  # nbconvert, papermill, a script, CI: nobody can answer
]


GETS_WIDGETS: frozenset[Host] = frozenset({"widgets", "unsure"})
"""Where widgets are sent, each with a text for who cannot show it."""

_STATIC = Path(__file__).with_name("static")

_MOST_OPEN = 16
"""The most outputs that are open at a time; each has a file on disk or a connection."""


def host(shell: Any) -> Host:  # noqa: ANN401 - any IPython shell; `kernel` and `get_parent` are on a kernel's only
    """Return what *shell* can show, and whether a person is there; the setting `widgets` goes first.

    A batch run is recognised by Jupyter's protocol: its execute requests have `allow_stdin` false.
    """
    if getattr(shell, "kernel", None) is None:
        return "terminal" if shell is not None and sys.stdin is not None and sys.stdin.isatty() else "batch"
    setting = getattr(_magics(shell), "widgets", "auto")
    if setting == "on" and threads.available():  # a widget is answered by a thread
        return "widgets"
    if not _allows_input(shell):
        return "batch"
    if setting == "off" or not threads.available():
        return "stdin"
    widgets = "JPY_SESSION_NAME" in os.environ or "google.colab" in sys.modules
    if widgets or any(name.startswith("VSCODE_") for name in os.environ):
        return "widgets"
    return _ANSWERED[getattr(getattr(_magics(shell), "front_end", None), "has_widgets", "")]


_ANSWERED: dict[str, Host] = {"yes": "widgets", "no": "stdin", "": "unsure"}


def host_of_person(shell: Any) -> Host:  # noqa: ANN401 - see `host`
    """Return where *shell* can ask a person: as `host`, but widgets that nobody sees count as a batch run."""
    return host(shell) if getattr(shell, "kernel", None) is None or _allows_input(shell) else "batch"


def request(shell: Any) -> dict[str, Any]:  # noqa: ANN401 - see `host`
    """Return the message that *shell*'s kernel answers; empty without a kernel, and where it does not tell."""
    get_parent = getattr(shell, "get_parent", None)
    return (get_parent() or {}) if get_parent is not None else {}


class Run(NamedTuple):
    """A run of a cell: the cell's id, and that of the request; `None` where the front end sends none."""

    cell: str | None
    id: str | None


def running_cell(shell: Any) -> Run:  # noqa: ANN401 - see `host`
    """Return which run of which cell *shell* is at."""
    parent = request(shell)
    return Run(parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id"))


def _allows_input(shell: Any) -> bool:  # noqa: ANN401 - see `host`
    """Return whether a person can be asked. The callback of a widget counts as the cell before it."""
    if not hasattr(shell, "get_parent"):  # xeus-python, which is a kernel for people
        return True
    content = request(shell).get("content", {})
    return bool(content.get("allow_stdin", getattr(_magics(shell), "cell_allows_input", False)))


def _magics(shell: Any) -> Any:  # noqa: ANN401 - see `host`; the magics are above this floor
    """Return the magics of *shell*, which have its settings."""
    return getattr(getattr(shell, "magics_manager", None), "registry", {}).get("MdsqlMagics")


def static(name: str) -> str:
    """Return the text of the browser file *name*."""
    return _STATIC.joinpath(name).read_text(encoding="utf-8")


_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


def script(name: str) -> str:
    """Return `static/NAME.js` and the files it imports as one module: anywidget takes one text per widget.

    The files are ES modules, so that tests can import them. The result contains each file once, after its imports,
    without `import` statements and the word `export`. All files of a widget then share one scope: no two may declare
    the same top-level name, and imports cannot rename.
    """
    texts: dict[Path, str] = {}

    def add(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for imported in _IMPORT.findall(text):
            if (other := path.parent.joinpath(imported).resolve()) not in texts:
                add(other)
        texts[path] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(_STATIC.joinpath(f"{name}.js").resolve())
    return "".join(texts.values())


def make(name: str, view: dict[str, object]) -> Any:  # noqa: ANN401 - its class exists only after the imports
    """Return a widget that `static/NAME.js` renders from its one trait, *view*. It gets messages while a cell runs."""
    import anywidget  # 150 ms, and only a cell that shows a widget needs it
    import traitlets  # see above

    parts = {
        "_esm": script(name),
        "_css": static(f"{name}.css"),
        "view": traitlets.Dict().tag(sync=True),
    }
    widget = type(f"md_magic_{name}", (anywidget.AnyWidget,), parts)(view=view)  # browsers keep a style by class name
    listen_while_busy(widget.comm)
    return widget


def close(widget: Any) -> None:  # noqa: ANN401 - any widget
    """Close *widget* and its ipywidgets layout, which would otherwise stay in a notebook saved with widget state."""
    widget.layout.close()
    widget.close()


def bundle(widget: Any, text: str, html: str | None = None) -> dict[str, object]:  # noqa: ANN401 - any widget
    """Return the MIME bundle of *widget*, with *html* and *text* for hosts that cannot show it."""
    view = {"version_major": 2, "version_minor": 1, "model_id": widget.model_id}
    data: dict[str, object] = {"application/vnd.jupyter.widget-view+json": view, "text/plain": text}
    return data | ({"text/html": html} if html else {})


def listen_while_busy(comm: Any) -> None:  # noqa: ANN401 - private to ipykernel
    """Have *comm*'s messages handled on the subshell that receives them.

    ipykernel 7.4 passes them to the shell that last published on the comm: the main shell, which is busy with the cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001 - there is no public way


def kernel_id() -> str | None:
    """Return the kernel's id on its Jupyter Server, from the name of the connection file; `None` without a server."""
    try:
        import ipykernel  # only a kernel shows a card, and xeus-python has none

        match = re.search(r"kernel-([\da-f-]{36})\.json$", ipykernel.get_connection_file())
    except (ImportError, RuntimeError):
        return None
    return match[1] if match else None


class Closable(Protocol):
    """An output that owns a file or a connection."""

    def close(self) -> None:
        """Release it; a second call does nothing."""


class OnScreen:
    """The outputs of a shell that own a file or a connection.

    Running a cell again closes the outputs of its last run: those that it only displayed at once, those of variables
    once there are others. Beyond the limit, the oldest outputs are closed.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._open: list[_Output] = []

    def begin(self, run: Run) -> None:
        """Close what earlier runs of the cell displayed, and no variable has: the page has cleared it."""
        replaced = [other for other in self._of_earlier(run) if other.kept_alive is not None]
        self._open = [other for other in self._open if other not in replaced]
        _close(replaced)

    def add(self, output: Closable, *, run: Run, hold: bool) -> None:
        """Add the *output* of a *run*; close the outputs it replaces.

        With *hold*, the output lives while it is displayed, else as long as its variable.
        """
        replaced = self._of_earlier(run)
        kept = [other for other in self._open if other not in replaced and other.output() is not None]
        kept.append(_Output(weakref.ref(output), run, output if hold else None))
        self._open = kept[-_MOST_OPEN:]
        _close([*replaced, *kept[:-_MOST_OPEN]])

    def close_all(self) -> None:
        """Close everything."""
        _close(self._open)
        self._open = []

    def _of_earlier(self, run: Run) -> list[_Output]:
        return [other for other in self._open if run.cell and other.run.cell == run.cell and other.run.id != run.id]


class _Output(NamedTuple):
    """An open output."""

    output: weakref.ref[Closable]
    run: Run
    kept_alive: Closable | None
    """The output itself, if it is to live while it is displayed."""


def _close(outputs: Sequence[_Output]) -> None:
    for reference in outputs:
        if (output := reference.output()) is not None:
            output.close()

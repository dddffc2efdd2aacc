"""What the screens share: which host this is, and what a widget needs in order to live in it."""

from __future__ import annotations

import os
import re
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Host = Literal[
    "widgets",  # a notebook with a person in front of it
    "stdin",  # a kernel with a person, and a front end that may have no widgets: Jupyter console, qtconsole, Spyder
    "terminal",  # IPython in a terminal
    "batch",  # nbconvert, papermill, a script, CI: nobody can answer
]


_AT_ONCE = 16
"""What is open at a time; each has a file on disk, or a connection, and the oldest are closed first."""


def host(shell: Any) -> Host:  # noqa: ANN401 - any IPython shell; `kernel` and `get_parent` are on a kernel's only
    """Return what *shell* can show, and whether somebody is there to see it.

    Batch runs are told by the protocol: their requests to run a cell forbid asking for input.
    """
    if getattr(shell, "kernel", None) is None:
        return "terminal" if shell is not None and sys.stdin is not None and sys.stdin.isatty() else "batch"
    if not shell.get_parent().get("content", {}).get("allow_stdin", False):
        return "batch"
    widgets = "JPY_SESSION_NAME" in os.environ or "google.colab" in sys.modules
    return "widgets" if widgets or any(name.startswith("VSCODE_") for name in os.environ) else "stdin"


def static(name: str) -> str:
    """Return the text of the file *name* that is shipped for the browser."""
    return Path(__file__).with_name("static").joinpath(name).read_text(encoding="utf-8")


def make(name: str, view: dict[str, object]) -> Any:  # noqa: ANN401 - its class exists only after the imports
    """Return a widget that `static/NAME.js` draws from its one trait, *view*, and that is heard while a cell runs."""
    import anywidget  # 150 ms, and only a cell that shows a widget needs it
    import traitlets  # see above

    parts = {
        "_esm": static("parts.js") + static(f"{name}.js"),
        "_css": static(f"{name}.css"),
        "view": traitlets.Dict().tag(sync=True),
    }
    made = type(f"md_magic_{name}", (anywidget.AnyWidget,), parts)(view=view)  # the browser keeps a style by class name
    listen_while_busy(made.comm)
    return made


def close(widget: Any) -> None:  # noqa: ANN401 - any widget
    """Close *widget* and the layout that ipywidgets gives each, which a notebook saved with widget state would keep."""
    widget.layout.close()
    widget.close()


def bundle(widget: Any, text: str, html: str | None = None) -> dict[str, object]:  # noqa: ANN401 - any widget
    """Return the MIME bundle that shows *widget*, or *html*, or *text*: the first of them that the host can."""
    view = {"version_major": 2, "version_minor": 1, "model_id": widget.model_id}
    made: dict[str, object] = {"application/vnd.jupyter.widget-view+json": view, "text/plain": text}
    return made | ({"text/html": html} if html else {})


def listen_while_busy(comm: Any) -> None:  # noqa: ANN401 - private to ipykernel
    """Have *comm*'s messages handled on the subshell that they come in on.

    ipykernel 7.4 hands them to the shell that last published on the comm: the main one, which waits for this very card.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001 - there is no public way


def kernel_id() -> str | None:
    """Return the kernel's id at its Jupyter Server, from the name of the connection file; None elsewhere."""
    import ipykernel  # only a kernel shows a card

    try:
        match = re.search(r"kernel-([\da-f-]{36})\.json$", ipykernel.get_connection_file())
    except RuntimeError:
        return None
    return match[1] if match else None


class Closing(Protocol):
    """What is on the screen and holds a file or a connection."""

    def close(self) -> None:
        """Let go of it; a second call does nothing."""


class Shown:
    """What the cells of a shell have made and is open: at most so many, and of a cell only those of its last run."""

    def __init__(self) -> None:
        """Start with none."""
        self._open: list[_Kept] = []

    def keep(self, made: Closing, *, cell: str | None, run: str | None, hold: bool) -> None:
        """Note that *run* of *cell*, where the front end tells them, has *made* this; close those that it replaces.

        With *hold* it lives while it is on the screen; else as long as its variable.
        """
        replaced = [known for known in self._open if cell and known.cell == cell and known.run != run]
        kept = [known for known in self._open if known not in replaced and known.made() is not None]
        kept.append(_Kept(weakref.ref(made), cell, run, made if hold else None))
        self._open = kept[-_AT_ONCE:]
        _close([*replaced, *kept[:-_AT_ONCE]])

    def close_all(self) -> None:
        """Close everything."""
        _close(self._open)
        self._open = []


class _Kept(NamedTuple):
    """What is open."""

    made: weakref.ref[Closing]
    cell: str | None
    run: str | None
    held: Closing | None


def _close(several: Sequence[_Kept]) -> None:
    for known in several:
        if (made := known.made()) is not None:
            made.close()

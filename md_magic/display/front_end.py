"""Whether a kernel's front end has widgets: it is asked by a first comm.

The environment tells that only of a kernel on the server's own machine. The comm makes a widget that shows nothing and
whose script says "here"; a front end without widgets closes it. Neither has to come, or not before the cell has ended:
until then nothing is known, and what is shown has a widget and a text.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from md_magic.display import host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

_SCRIPT = 'export default { initialize({ model }) { model.send({ type: "here" }); } };'


class FrontEnd:
    """The front end of a shell."""

    def __init__(self) -> None:
        """Know nothing of it."""
        self.has_widgets: Literal["yes", "no", ""] = ""
        """What it answered; empty before it has."""

        self._comm: Any = None
        self._was_asked = False

    def ask(self, shell: Any) -> None:  # noqa: ANN401 - any IPython shell
        """Ask the front end of *shell*, once, and where nothing else tells. It does not wait for the answer."""
        if self._was_asked or host.host(shell) != "unsure":
            return
        self._was_asked = True
        try:
            self._comm = _open_comm(self._on_message, self._on_close)
        except Exception:  # a cell of anybody's must not fail for this
            logger.debug("the front end could not be asked", exc_info=True)

    @property
    def answer(self) -> str:
        """What it answered, for a bug report: it is asked only where nothing else tells."""
        return self.has_widgets or ("not answered" if self._was_asked else "not asked")

    def forget(self) -> None:
        """Close the comm, if it still waits for its answer."""
        comm, self._comm = self._comm, None
        if comm is not None:
            comm.close()

    def _on_message(self, message: Mapping[str, Any]) -> None:
        """Handle a message of the widget, in one of the kernel's threads."""
        if message["content"]["data"].get("method") == "custom":
            self.has_widgets = "yes"
            self.forget()

    def _on_close(self, _message: Mapping[str, Any]) -> None:
        """Handle that the front end, which knows no such widget, has closed the comm."""
        self.has_widgets, self._comm = "no", None


def _open_comm(on_message: Callable[[Any], None], on_close: Callable[[Any], None]) -> Any:  # noqa: ANN401 - of ipykernel, or of another kernel
    """Open a comm for a widget of anywidget's as ipywidgets would, without importing them: that takes 300 ms."""
    from comm import create_comm  # loaded with the kernel

    major, minor, *_ = version("anywidget").split(".")
    package = {"module": "anywidget", "module_version": f"~{major}.{minor}.*"}
    state = {f"_{part}_{name}": value for part in ("model", "view") for name, value in package.items()}
    state |= {"_model_name": "AnyModel", "_view_name": "AnyView", "_esm": _SCRIPT, "_anywidget_id": "md_magic.FrontEnd"}
    comm = create_comm(
        target_name="jupyter.widget",
        data={"state": state, "buffer_paths": []},
        metadata={"version": "2.1.0"},  # of the protocol
    )
    comm.on_msg(on_message)
    comm.on_close(on_close)
    host.listen_while_busy(comm)
    return comm

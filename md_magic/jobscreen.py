"""The handle of a background query on the screen: an output that changes by itself until the query has ended.

It is text and HTML that are displayed again under one id, and no widget: the saved notebook holds the last state that
was shown, and opens without a kernel.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.widgets import Host

_TICK = 0.5
"""Seconds between two looks at the query: often enough to see it move, and 2 messages a second."""


class Shown(Protocol):
    """What this module needs of `md_magic.jobs.Job`."""

    when_read: Callable[[], object] | None

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for at most *timeout* seconds; return whether it has ended."""

    def _repr_html_(self) -> str: ...


def show(where: Host, job: Shown) -> None:
    """Display *job*, again whenever its state changes. Raises `NotImplementedError` where a repr is all there is."""
    if where == "terminal":
        raise NotImplementedError
    from IPython.display import display  # the rest of the module is for tests too

    handle: Any = display(_bundle(job), raw=True, display_id=True)  # type: ignore[no-untyped-call]
    if handle is None or job.done:
        return
    if where == "batch":  # nbclient takes what is shown while a cell runs: the cell that waits for the result, say
        job.when_read = lambda: handle.update(_bundle(job), raw=True)
        return
    context = contextvars.copy_context()  # ipykernel keeps in it which cell an output belongs to
    threading.Thread(target=context.run, args=(_follow, job, handle), daemon=True, name="mdsql-job-screen").start()


def _follow(job: Shown, handle: Any) -> None:  # noqa: ANN401 - IPython's DisplayHandle
    last: object = None
    ended = False
    while not ended:
        ended = job.wait(_TICK)
        bundle = _bundle(job)
        if bundle != last:
            last = bundle
            with contextlib.suppress(Exception):  # a kernel that ends closes its sockets first
                handle.update(bundle, raw=True)


def _bundle(job: Shown) -> dict[str, str]:
    return {"text/plain": repr(job), "text/html": job._repr_html_()}

"""The display of a background query's handle: a live line with a Cancel button that ends as text.

In a notebook it is a widget, which a page that is loaded again finds in the kernel. When the query has ended, text and
HTML take its place under one display id, so that the saved notebook shows the last state without a kernel. Where there
are no widgets, the text itself is updated.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

from md_magic.display import host

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.display.host import Host
    from md_magic.session.background.job import Job

_TICK = 0.5
"""Seconds between updates: often enough to see progress."""

_MOST_PAGES, _LONGEST_PAGE = 2, 64
"""Pages that are told apart, and characters of what a page calls itself."""


def show(where: Host, keep: Callable[..., None], job: Job) -> None:
    """Display *job* and update it until it ends; *keep* is `OnScreen.add` for the running cell.

    Raises `NotImplementedError` if the host shows only its repr.
    """
    if where == "terminal":
        raise NotImplementedError
    from IPython.display import display  # loaded anyway wherever there is a screen

    line = _Line(job) if where == "widgets" and not job.done else None
    bundle = line.bundle(job) if line is not None else _bundle(job)
    handle: Any = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call] # of IPython's
    if line is not None:
        keep(line, hold=True)
    if handle is None or (job.done and line is None):
        return
    if where == "batch":  # nbclient would record every update in the cell that happens to be running
        job.when_read = lambda: handle.update(_bundle(job), raw=True)
        return
    context = contextvars.copy_context()  # ipykernel keeps in it which cell an output belongs to
    follow = threading.Thread(
        target=context.run, args=(_follow, job, handle, line), daemon=True, name="mdsql-job-screen"
    )
    follow.start()


def _follow(job: Job, handle: Any, line: _Line | None) -> None:  # noqa: ANN401 - IPython's DisplayHandle
    """Update what shows *job* until it ends: *line* while that is open, else the text of *handle*."""
    shown: object = None
    ended = False
    while not ended:
        ended = job.wait(_TICK)
        with contextlib.suppress(Exception):  # a kernel that ends closes its sockets first
            is_live = line is not None and line.draw()
            bundle = _bundle(job)
            if bundle != shown and (ended or not is_live):
                shown = bundle
                handle.update(bundle, raw=True)


class _Line:
    """The live line of a running query.

    After the end, text takes its place on the page that displayed it, and it is closed. A page that was loaded again
    cannot be given the text, because the saved notebook has no display id: there it stays open and shows the end.
    """

    def __init__(self, job: Job) -> None:
        """Make the widget that shows *job*."""
        self._job: Job | None = job
        self._made = time.monotonic()
        self._pages: set[str] = set()
        self._is_on_another_page = False
        self._widget: Any = host.make("job", self._view(job))
        self._widget.on_msg(self._on_message)

    def bundle(self, job: Job) -> dict[str, object]:
        """Return the MIME bundle of the line, with text and HTML for where there are no widgets."""
        return host.bundle(self._widget, *_bundle(job).values())

    def draw(self) -> bool:
        """Show the present state, and return whether the line is open. After the end the result is not kept alive."""
        job, widget = self._job, self._widget
        if job is not None and widget is not None:
            if job.done:
                self._job = None
            widget.view = self._view(job)
        return widget is not None

    def close(self) -> None:
        """Close the widget; a second call does nothing. The text goes on to be updated."""
        widget, self._widget = self._widget, None
        if widget is not None:
            host.close(widget)

    def _view(self, job: Job) -> dict[str, object]:
        """Return what `static/job.js` draws."""
        return {
            "name": job.name,
            "state": job.state,
            "percent": job.progress if job.state == "running" else None,
            "text": job.summary,
            "error": job.error,
            "age": round(time.monotonic() - self._made, 1),
        }

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        content = content if isinstance(content, dict) else {}
        if len(self._pages) < _MOST_PAGES:
            self._pages.add(str(content.get("page"))[:_LONGEST_PAGE])
        self._is_on_another_page |= content.get("again") is True or len(self._pages) > 1
        if content.get("type") == "cancel" and self._job is not None:
            self._job.stop("with the button")
        elif content.get("type") == "seen" and self._job is None and not self._is_on_another_page:
            self.close()


def _bundle(job: Job) -> dict[str, str]:
    return {"text/plain": repr(job), "text/html": job._repr_html_()}

"""The grid: a result to scroll, sort and filter. The browser gets only the pages in view.

It is our own anywidget because existing ones do not fit: quak creates tables in the user's database, itables and
ipydatagrid send every row to the browser, perspective is 30 MB. The rows are in a private file, a `ResultStore`; the
browser requests pages by custom messages, and a thread answers, also while a cell runs.

A notebook without its kernel cannot show a widget. So the first rows follow as a second output, a plain table, which a
live grid hides.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from md_magic.display import host
from md_magic.display.grid_requests import Requests, columns_of, view_of
from md_magic.display.kept import Kept
from md_magic.display.still import Still, size_of
from md_magic.engine.results.store import ResultStore, zone_of
from md_magic.errors import MdMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.store import Page

_MOST_ROWS, _MOST_COLUMNS = 512, 128
"""The largest page that a browser is given."""

_SOON = 0.2
"""Seconds after which the browser is told that a page is worked at: a message more costs each quick one a few ms."""


class Grid(Kept):
    """The grid of one result. Its file is deleted when the grid is closed or collected, or when the kernel ends."""

    def __init__(self, store: ResultStore) -> None:
        """Show *store*, which may still grow."""
        super().__init__(store)
        self.on_screen = False
        """Whether a running cell has shown it."""

        self._widget = host.make("grid", _facts(store))
        self._requests = Requests(store, self._widget.send)
        self._widget.on_msg(_listener(weakref.ref(self)))
        self._answers = ThreadPoolExecutor(1, thread_name_prefix="mdsql-grid")
        weakref.finalize(self, _end, store, self._widget).atexit = False

    def __repr__(self) -> str:
        """Return the size of the result, as far as it is known."""
        return f"<md_magic grid: {'' if self._store.complete else 'at least '}{size_of(self._store)}>"

    def close(self) -> None:
        """Delete the file. The displayed grid says that it is closed; a second call does nothing."""
        super().close()
        self._widget.view = {**self._widget.view, "closed": True}

    def discard(self) -> None:
        """Delete the file and clear the output, because the query failed."""
        from IPython.display import clear_output  # loaded anyway wherever there is a screen

        self._store.close()
        host.close(self._widget)
        if self.on_screen:
            clear_output()  # type: ignore[no-untyped-call]

    def grew(self) -> None:
        """Tell the browser how many rows there are."""
        self._widget.view = _facts(self._store)

    def show(self) -> None:
        """Display the grid, which may still grow."""
        from IPython.display import display  # see `discard`

        self.on_screen = True
        display(self.as_bundle(), raw=True)  # type: ignore[no-untyped-call]

    def as_bundle(self) -> dict[str, object]:
        """Return the MIME bundle of the grid alone, without the first rows below it."""
        text = f"{self!r}" if self._store.complete else "<md_magic grid>"  # its size is in the table below
        return host.bundle(self._widget, text, f"<p>{escape(text)}</p>")

    def show_still(self) -> None:
        """Show the first rows below it, for a notebook that is read later."""
        from IPython.display import display  # see `discard`

        still = Still.of(self._store, hint="Run the cell to scroll, sort and filter.")
        display(still)  # type: ignore[no-untyped-call]

    def _ipython_display_(self) -> None:
        """Display it as a cell's value, unless it was displayed when its first rows arrived."""
        if self.on_screen:
            self.on_screen = False
            return
        self.show()
        self.on_screen = False
        self.show_still()

    def receive(self, content: dict[str, Any]) -> None:
        """Handle a message from the browser, in any thread; another thread computes the answer."""
        if "stops" in content:  # with what is more urgent: a message more costs it a few ms
            self._requests.receive({"type": "stop", "id": content["stops"]})
        if self._requests.receive(content):
            return
        if content.get("type") == "stop":
            self._store.interrupt()
        elif content.get("type") == "seen":
            self._see(content)
        elif content.get("type") == "page":
            working = {"type": "working", "id": content.get("id")}
            notice = threading.Timer(_SOON, self._widget.send, [working])
            notice.daemon = True
            notice.start()
            self._answers.submit(self._answer, content, notice)

    def _answer(self, content: dict[str, Any], notice: threading.Timer) -> None:
        """Send a page, or what is wrong with the question. Until then *notice* may say that it takes long."""
        question = {"id": content.get("id")}
        try:
            page = _page(self._store, content)
            notice.cancel()
            self._seen = replace(self._seen, view=view_of(self._store, content))
        except (MdMagicError, TypeError, ValueError, KeyError) as error:
            notice.cancel()
            self._widget.send({"type": "error", "text": str(error)} | question)
        else:
            self._widget.send({"type": "page", "rows": page.rows, "total": page.total} | question)
            with contextlib.suppress(MdMagicError):  # stopped, or closed by now
                self._store.prepare(self._seen.view)

    def _see(self, content: dict[str, Any]) -> None:
        """Note which columns are shown; a malformed message changes nothing."""
        with contextlib.suppress(MdMagicError, TypeError, ValueError, KeyError):
            self._seen = replace(self._seen, columns=columns_of(self._store, content))


def fill(columns: Sequence[Column], batches: Batches, *, early: bool) -> Grid:
    """Return a grid with all of *batches*; with *early*, it is displayed when the first batch arrives.

    If the query fails or is interrupted, nothing remains.
    """
    store = ResultStore(columns, zone=zone_of(batches.schema))
    try:
        grid = Grid(store)
    except BaseException:
        store.close()
        raise
    try:
        for batch in batches:
            if store.append(batch):
                _grown(grid, show=early)
        store.finish()
    except BaseException:
        grid.discard()
        raise
    _grown(grid, show=early)
    if early:
        grid.show_still()
    return grid


def _grown(grid: Grid, *, show: bool) -> None:
    grid.grew()
    if show and not grid.on_screen:
        grid.show()


def _page(store: ResultStore, content: dict[str, Any]) -> Page:
    """Return the page that a message asks for. Raises TypeError, ValueError or KeyError for a malformed one."""
    most = len(store.columns)
    left = min(max(int(content["left"]), 0), most)
    right = min(max(int(content["right"]), left), most, left + _MOST_COLUMNS)
    count = min(max(int(content["count"]), 0), _MOST_ROWS)
    view = view_of(store, content)
    return store.page(view, first=max(int(content["first"]), 0), count=count, left=left, right=right)


def _facts(store: ResultStore) -> dict[str, object]:
    columns = [[column.name, column.kind, column.number] for column in store.columns]
    return {"columns": columns, "rows": store.rows, "complete": store.complete, "closed": False}


def _listener(grid: weakref.ref[Grid]) -> Callable[[object, dict[str, Any], object], None]:
    """Return a message handler that does not keep *grid* alive: ipywidgets' registry keeps widgets, and so handlers."""

    def on_message(_widget: object, content: dict[str, Any], _buffers: object) -> None:
        if (alive := grid()) is not None:
            alive.receive(content)

    return on_message


def _end(store: ResultStore, widget: Any) -> None:  # noqa: ANN401 - any widget
    store.close()
    host.close(widget)

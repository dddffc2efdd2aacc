"""A result as a table to scroll, sort and filter, of which the browser has only what is looked at.

An anywidget of its own, because of what was tried: quak makes tables in the user's database, itables and ipydatagrid
send every row to the browser, perspective is 30 MB. The rows are in a `Spill`, a private file on disk; the browser asks
for pages of them by custom messages, which a thread answers also while a cell runs.

A notebook that is read without its kernel cannot show a widget. So the first rows follow as an output of their own, a
plain table, which a living grid hides.
"""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from md_magic import markup, widgets
from md_magic.errors import MdMagicError
from md_magic.spill import Spill, View, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.frames import Batches
    from md_magic.spill import Column, Page

FEW = 20
"""Rows, and columns, of the plain table."""

_WIDE = 60
"""Characters of a value in the plain table."""

_MOST_ROWS, _MOST_COLUMNS = 512, 128
"""The largest page that a browser is given."""


@dataclass(frozen=True, slots=True)
class Still:
    """The first rows of a result as a plain table, for where no grid lives: a saved notebook, a terminal, nbconvert."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    said: str
    """How large the whole result is, and what else there is to say."""

    @classmethod
    def of(cls, spill: Spill, *, more: bool = False, note: str = "") -> Still:
        """Return the first rows of *spill*; *more* tells that the result has others, which were not fetched."""
        page = spill.page(View(), first=0, count=FEW, left=0, right=min(FEW, len(spill.columns)))
        said = [f"The first {len(page.rows)} rows; there are more." if more else f"{_size(spill)}."]
        if not more and spill.rows > FEW:
            said[0] = f"The first {FEW} of {said[0]}"
        if len(spill.columns) > FEW:
            said.append(f"Columns after the {FEW}th are not shown.")
        said += [note] if more or spill.rows > FEW else []
        return cls(spill.columns, tuple(page.rows), " ".join(said))

    def __str__(self) -> str:
        """Return the table as text."""
        table = [[f"{column.name}\n{column.kind}".replace("\n", " ") for column in self._shown()], *self._texts()]
        widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        return "\n".join([*lines, self.said])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self) -> str:
        """Return the table as HTML that needs nothing else."""
        names = "".join(
            f"<th>{escape(column.name)}<br><small>{escape(_short(column.kind))}</small></th>"
            for column in self._shown()
        )
        rows = "".join(f"<tr>{''.join(self._cell(value) for value in row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"
        return f'<div class="md-grid-still" style="overflow-x: auto">{table}<p>{escape(self.said)}</p></div>'

    def _shown(self) -> tuple[Column, ...]:
        return self.columns[:FEW]

    def _texts(self) -> list[list[str]]:
        return [["NULL" if value is None else _short(value) for value in row] for row in self.rows]

    @staticmethod
    def _cell(value: str | None) -> str:
        return "<td><em>NULL</em></td>" if value is None else f"<td>{escape(_short(value))}</td>"


class Grid:
    """A result on the screen. Its file is deleted when it is closed or collected, or when the kernel ends."""

    def __init__(self, spill: Spill) -> None:
        """Show *spill*, which may still grow."""
        self._spill = spill
        self.on_screen = False
        """Whether a running cell has shown it."""

        self._widget = widgets.make("grid", _facts(spill))
        self._widget.on_msg(_listener(weakref.ref(self)))
        self._answers = ThreadPoolExecutor(1, thread_name_prefix="mdsql-grid")
        weakref.finalize(self, _end, spill, self._widget).atexit = False

    def __repr__(self) -> str:
        """Say how large the result is."""
        return f"<md_magic grid: {_size(self._spill)}>"

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._spill.rows

    def close(self) -> None:
        """Delete the file. What is on the screen says so; a second call does nothing."""
        self._spill.close()
        self._widget.view = {**self._widget.view, "closed": True}

    def discard(self) -> None:
        """Take it off the screen as well: its query did not end."""
        from IPython.display import clear_output  # a kernel has it; a test of the rest need not

        self._spill.close()
        widgets.close(self._widget)
        if self.on_screen:
            clear_output()  # type: ignore[no-untyped-call]

    def grew(self) -> None:
        """Tell the browser how many rows there are."""
        self._widget.view = _facts(self._spill)

    def show(self) -> None:
        """Put it on the screen, while rows still come."""
        from IPython.display import display  # see `discard`

        self.on_screen = True
        text = f"{self!r}"
        display(widgets.bundle(self._widget, text, f"<p>{escape(text)}</p>"), raw=True)  # type: ignore[no-untyped-call]

    def show_still(self) -> None:
        """Put the first rows below it, for a notebook that is read later."""
        from IPython.display import display  # see `discard`

        still = Still.of(self._spill, note="Run the cell to scroll, sort and filter.")
        display(still)  # type: ignore[no-untyped-call]

    def _ipython_display_(self) -> None:
        """Show it as a cell's value, unless it is on the screen since its first rows came."""
        if self.on_screen:
            self.on_screen = False
            return
        self.show()
        self.on_screen = False
        self.show_still()

    def heard(self, content: dict[str, Any]) -> None:
        """Take a message of the browser's, on whatever thread it comes; another one computes the answer."""
        if content.get("type") == "stop":
            self._spill.interrupt()
        elif content.get("type") == "page":
            self._widget.send({"type": "working", "id": content.get("id")})
            self._answers.submit(self._answer, content)

    def _answer(self, content: dict[str, Any]) -> None:
        asked = {"id": content.get("id")}
        try:
            page = _page(self._spill, content)
        except (MdMagicError, TypeError, ValueError, KeyError) as error:
            self._widget.send({"type": "error", "text": str(error)} | asked)
        else:
            self._widget.send({"type": "page", "rows": page.rows, "total": page.total} | asked)


def fill(columns: Sequence[Column], batches: Batches, *, early: bool) -> Grid:
    """Return a grid with all of *batches*; with *early* it is on the screen from the first of them on.

    Nothing is left of it where the query fails or is interrupted.
    """
    spill = Spill(columns, zone=zone_of(batches.schema))
    try:
        grid = Grid(spill)
    except BaseException:
        spill.close()
        raise
    try:
        for batch in batches:
            if spill.append(batch):
                _grown(grid, show=early)
        spill.finish()
    except BaseException:
        grid.discard()
        raise
    _grown(grid, show=early)
    if early:
        grid.show_still()
    return grid


def still(columns: Sequence[Column], batches: Batches) -> Still:
    """Return the first rows of *batches* as a plain table, for a host without widgets. The others are not fetched."""
    spill = Spill(columns, zone=zone_of(batches.schema))
    more = False
    try:
        for batch in batches:
            more = spill.rows >= FEW
            if more:
                break
            spill.append(batch)
        spill.finish()
        note = "To scroll, sort and filter them all, run the cell in a notebook."
        return Still.of(spill, more=more or batches.more, note=note)
    finally:
        spill.close()


def _grown(grid: Grid, *, show: bool) -> None:
    grid.grew()
    if show and not grid.on_screen:
        grid.show()


def _page(spill: Spill, content: dict[str, Any]) -> Page:
    """Return the page that a message asks for. Raises what a malformed message deserves."""
    most = len(spill.columns)
    sort = tuple((_within(at, most), bool(down)) for at, down in content["sort"])
    filters = tuple((_within(at, most), str(text)) for at, text in content["filters"])
    left = min(max(int(content["left"]), 0), most)
    right = min(max(int(content["right"]), left), most, left + _MOST_COLUMNS)
    count = min(max(int(content["count"]), 0), _MOST_ROWS)
    view = View(sort, filters)
    return spill.page(view, first=max(int(content["first"]), 0), count=count, left=left, right=right)


def _within(at: object, most: int) -> int:
    if isinstance(at, int) and 0 <= at < most:
        return at
    message = f"The grid was asked for column {at!r}, and has {most}."
    raise ValueError(message)


def _facts(spill: Spill) -> dict[str, object]:
    columns = [[column.name, column.kind, column.number] for column in spill.columns]
    return {"columns": columns, "rows": spill.rows, "complete": spill.complete, "closed": False}


def _size(spill: Spill) -> str:
    rows, columns = spill.rows, len(spill.columns)
    return f"{markup.count(rows, 'row')}, {markup.count(columns, 'column')}"


def _short(text: str) -> str:
    line = " ".join(text[: 4 * _WIDE].split("\n"))
    return line if len(line) <= _WIDE else f"{line[:_WIDE]}…"


def _listener(grid: weakref.ref[Grid]) -> Callable[[object, dict[str, Any], object], None]:
    """Return what hands messages on without keeping the grid: the widget registry keeps its widgets for ever."""

    def heard(_widget: object, content: dict[str, Any], _buffers: object) -> None:
        alive = grid()
        if alive is not None:
            alive.heard(content)

    return heard


def _end(spill: Spill, widget: Any) -> None:  # noqa: ANN401 - any widget
    spill.close()
    widgets.close(widget)

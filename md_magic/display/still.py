"""The first rows of a result as a plain table, where there is no grid: a saved notebook, a terminal, nbconvert."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, NoReturn

from md_magic.engine.results.store import ResultStore, zone_of
from md_magic.engine.results.views import View
from md_magic.errors import FrameError
from md_magic.wording import shortened, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column

FEW = 20
"""Rows, and columns, of the plain table."""

_WIDE = 60
"""Characters of a value in the plain table."""

HINT = "To scroll, sort and filter them all, run the cell in a notebook."
"""How to see the rows that are not shown, where there are no widgets."""

_FIRST_ALONE = (
    "Without widgets a grid has its first rows alone. With a name it has all of them: `%%mdsql --grid -o g`, and then"
    " g.frame(), g.arrow(), g.reader() and g.sql."
)


@dataclass(frozen=True, slots=True)
class Still:
    """The first rows of a result as a plain table, where there is no grid: a saved notebook, a terminal, nbconvert."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    note: str
    """The size of the whole result, and which part is not shown."""

    size: str = ""
    """The size of what was fetched, for the status of a cell."""

    @classmethod
    def of(cls, store: ResultStore, *, more: bool = False, hint: str = "") -> Still:
        """Return the first rows of *store*; *more* says that the result has rows that were not fetched.

        *hint* says how to see the rows that are not shown.
        """
        page = store.page(View(), first=0, count=FEW, left=0, right=min(FEW, len(store.columns)))
        if more:
            sentences = [f"The first {len(page.rows)} rows; there are more."]
        else:
            sentences = [f"{f'The first {FEW} of ' if store.rows > FEW else ''}{size_of(store)}."]
        if len(store.columns) > FEW:
            sentences.append(f"Columns after the {FEW}th are not shown.")
        if more or store.rows > FEW:
            sentences.append(hint)
        size = f"the first {size_of(store)}; there are more" if more else size_of(store)
        return cls(store.columns, tuple(page.rows), " ".join(sentences), size)

    def __str__(self) -> str:
        """Return the table as text."""
        table = [[f"{_brief(column.name)} {_brief(column.kind)}" for column in self._shown()], *self._texts()]
        widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        return "\n".join([*lines, self.note])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self) -> str:
        """Return the table as self-contained HTML."""
        names = "".join(
            f"<th>{escape(_brief(column.name))}<br><small>{escape(_brief(column.kind))}</small></th>"
            for column in self._shown()
        )
        rows = "".join(f"<tr>{''.join(self._cell(value) for value in row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"
        return f'<div class="md-grid-still" style="overflow-x: auto">{table}<p>{escape(self.note)}</p></div>'

    def frame(self) -> NoReturn:
        """Raise `FrameError`: only the first rows are here."""
        raise FrameError(_FIRST_ALONE)

    arrow = reader = frame

    @property
    def sql(self) -> NoReturn:
        """Raise `FrameError`, as `frame`."""
        self.frame()

    def _shown(self) -> tuple[Column, ...]:
        return self.columns[:FEW]

    def _texts(self) -> list[list[str]]:
        return [["NULL" if value is None else _brief(value) for value in row] for row in self.rows]

    @staticmethod
    def _cell(value: str | None) -> str:
        return "<td><em>NULL</em></td>" if value is None else f"<td>{escape(_brief(value))}</td>"


def still(columns: Sequence[Column], batches: Batches) -> Still:
    """Return the first rows of *batches* as a plain table, for hosts without widgets. The rest is not fetched."""
    store = ResultStore(columns, zone=zone_of(batches.schema))
    more = False
    try:
        for batch in batches:
            more = store.rows >= FEW
            if more:
                break
            store.append(batch)
        store.finish()
        return Still.of(store, more=more or batches.more, hint=HINT)
    finally:
        store.close()


def size_of(store: ResultStore) -> str:
    """Return the size of a result in words."""
    return size(store.rows, len(store.columns))


def _brief(text: str) -> str:
    return shortened(" ".join(text[: 4 * _WIDE].split("\n")), _WIDE)

"""The catalogue as a person sees it: a tree to click; `<details>` where there are no widgets; else an indented text.

The tree's levels travel as messages and are in no trait, so a saved notebook holds only the bounded fallback.
"""

from __future__ import annotations

import logging
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from md_magic import widgets
from md_magic.errors import MdMagicError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.widgets import Host

logger = logging.getLogger(__name__)

_OUTLINED = 200
"""How many lines the fallback has at most."""


class Entry(Protocol):
    """A line of the tree."""

    @property
    def kind(self) -> str:
        """What it is, in a word."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where it is; the last is its name."""

    @property
    def note(self) -> str:
        """What stands behind the name."""

    @property
    def opens(self) -> bool:
        """Whether there is a level below."""


class Listing(Protocol):
    """Entries of one level or search."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries, or the first of them."""

    @property
    def total(self) -> int:
        """How many there are."""

    @property
    def warning(self) -> str:
        """What a person should know of them."""


class Sample(Protocol):
    """First rows."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names."""

    @property
    def rows(self) -> Sequence[Sequence[str | None]]:
        """The values as text."""


class Catalogue(Protocol):
    """What this module needs of `md_magic.explorer.Explorer`, which tells what each of them does."""

    @property
    def name(self) -> str:
        """Whose catalogue it is."""

    def children(self, path: tuple[str, ...]) -> Listing:
        """Return the level below *path*."""

    def search(self, text: str) -> Listing:
        """Return the tables whose name has *text* in it."""

    def preview(self, path: tuple[str, ...]) -> Sample:
        """Return the first rows of a table."""

    def count(self, path: tuple[str, ...]) -> int:
        """Return its number of rows."""

    def refresh(self) -> None:
        """Forget what is known."""

    def close(self) -> None:
        """Let go of the connection."""


def browse(where: Host, catalogue: Catalogue) -> Tree | None:
    """Show *catalogue* in what the host *where* has for it. It is closed with the tree, or where there is none."""
    from IPython.display import display  # a screen alone needs it

    tree = None
    try:
        lines = _outline(catalogue)
        text, html = _as_text(catalogue.name, lines), _as_html(catalogue.name, lines)
        tree = Tree(catalogue) if where == "widgets" else None
        shown = tree.bundle(text, html) if tree else {"text/plain": text, "text/html": html}
        display(shown, raw=True)  # type: ignore[no-untyped-call]
    finally:
        if tree is None:
            catalogue.close()
    return tree


# ---- without widgets ------------------------------------------------------------------------------------------------

Line = tuple[int, str, str]
"""Depth, name, note."""


def _outline(catalogue: Catalogue) -> list[Line]:
    """Return the tree down to its tables, as far as the bound allows; where it does not, a line says how many more."""
    lines: list[Line] = []

    def descend(path: tuple[str, ...]) -> None:
        listing = catalogue.children(path)
        for position, entry in enumerate(listing.entries):
            if len(lines) >= _OUTLINED:
                lines.append((len(path), f"... and {listing.total - position:,} more", ""))
                return
            lines.append((len(path), entry.path[-1], entry.note))
            if entry.opens and entry.kind not in {"table", "view"}:
                descend(entry.path)

    descend(())
    return lines


def _as_text(name: str, lines: Sequence[Line]) -> str:
    return "\n".join(
        [name, *(f"{'  ' * (depth + 1)}{_flat(word)}  {_flat(note)}".rstrip() for depth, word, note in lines)]
    )


def _flat(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _as_html(name: str, lines: Sequence[Line]) -> str:
    """Return nested `<details>`: a line with deeper ones below it can be opened."""
    parts = [f"<div><b>{escape(name)}</b>"]
    depth = 0
    for position, (level, word, note) in enumerate(lines):
        parts.append("</details>" * (depth - level))
        depth = level
        line = f"{escape(word)} <small>{escape(note)}</small>"
        following = lines[position + 1][0] if position + 1 < len(lines) else 0
        if following > level:
            parts.append(f'<details {"open" if level < 1 else ""} style="margin-left:1em"><summary>{line}</summary>')
            depth = level + 1
        else:
            parts.append(f'<div style="margin-left:2em">{line}</div>')
    return "".join([*parts, "</details>" * depth, "</div>"])


# ---- the widget -----------------------------------------------------------------------------------------------------


class Tree:
    """A catalogue on the screen."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Make the widget that shows *catalogue*."""
        self._catalogue: Catalogue | None = catalogue
        self._widget = widgets.make("browser", {"title": catalogue.name})
        self._widget.on_msg(self._heard)

    def bundle(self, text: str, html: str) -> dict[str, object]:
        """Return the MIME bundle of the tree, with *text* and *html* for where there are no widgets."""
        return widgets.bundle(self._widget, text, html)

    def close(self) -> None:
        """Close the catalogue. What is asked then is answered so; a second call does nothing."""
        catalogue, self._catalogue = self._catalogue, None
        if catalogue is not None:
            catalogue.close()

    def _heard(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self._widget.send(answer(self._catalogue, content))


def answer(catalogue: Catalogue | None, content: dict[str, Any]) -> dict[str, Any]:
    """Return what the tree is told after it said *content*: `id` of the question, and the answer or an `error`.

    A *catalogue* that was closed is None.
    """
    told: dict[str, Any] = {"id": content.get("id")}
    if catalogue is None:
        return told | {"error": "This tree is closed: run its cell again."}
    try:
        return told | _answer(catalogue, content)
    except MdMagicError as error:
        return told | {"error": str(error)}
    except Exception as error:  # what a callback of a widget raises is swallowed, and the tree would wait for ever
        logger.debug("the catalogue failed", exc_info=True)
        return told | {"error": f"{type(error).__name__}: {error}"}


def _answer(catalogue: Catalogue, content: dict[str, Any]) -> dict[str, Any]:
    path = tuple(str(part) for part in content.get("path", ()))
    match content.get("type"):
        case "children":
            return _told(catalogue.children(path))
        case "search":
            return _told(catalogue.search(str(content.get("text", ""))))
        case "preview":
            sample = catalogue.preview(path)
            return {"columns": list(sample.columns), "rows": [list(row) for row in sample.rows]}
        case "count":
            return {"count": catalogue.count(path)}
        case _:
            catalogue.refresh()
            return {}


def _told(listing: Listing) -> dict[str, Any]:
    entries = [[entry.kind, list(entry.path), entry.note, entry.opens] for entry in listing.entries]
    return {"entries": entries, "total": listing.total, "warning": listing.warning}

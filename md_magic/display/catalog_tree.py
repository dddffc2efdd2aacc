"""The view of the catalog tree: a widget, and nested `<details>` or indented text for where there are no widgets.

The levels are sent as messages and are in no trait, so that a saved notebook contains only the bounded fallback. It is
an output of its own, which a live tree hides: where a notebook is read without its kernel, the widget is an error.
"""

from __future__ import annotations

import logging
import time
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from md_magic.display import host
from md_magic.errors import MdMagicError
from md_magic.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.catalog.tree import CatalogTree, Listing
    from md_magic.display.host import Host

logger = logging.getLogger(__name__)

_MOST_ANSWERS, _MOST_REFUSALS = 40, 200
"""Questions of a second that are answered, and up to which the others are refused: no person clicks so fast."""

_MOST_LINES = 200
"""The most lines of the fallback."""

_WIDE = 200
"""The most characters of a name or a note in it."""


def browse(where: Host, catalogue: CatalogTree) -> Tree | None:
    """Show *catalogue* as the host *where* can. It is closed with the widget; without one, at once."""
    from IPython.display import display  # loaded anyway wherever there is a screen

    tree = None
    try:
        lines = _outline(catalogue)
        text, html = _as_text(catalogue.name, lines), _as_html(catalogue.name, lines)
        tree = Tree(catalogue) if where in host.GETS_WIDGETS else None
        if tree is not None:
            display(tree.bundle(f"The catalogue of {catalogue.name}"), raw=True)  # type: ignore[no-untyped-call] # of IPython's
        # beside a tree that works it is hidden; a notebook that is read later has only this
        display({"text/plain": text, "text/html": html}, raw=True)  # type: ignore[no-untyped-call] # of IPython's
    finally:
        if tree is None:
            catalogue.close()
    return tree


# ---- without widgets ------------------------------------------------------------------------------------------------

Line = tuple[int, str, str]
"""Depth, name, note."""


def _outline(catalogue: CatalogTree) -> list[Line]:
    """Return the tree down to its tables, up to the limit; a last line says how many more there are."""
    lines: list[Line] = []

    def descend(path: tuple[str, ...]) -> None:
        listing = catalogue.children(path)
        for position, entry in enumerate(listing.entries):
            if len(lines) >= _MOST_LINES:
                lines.append((len(path), f"... and {listing.total - position:,} more", ""))
                return
            lines.append((len(path), shortened(entry.path[-1], _WIDE), shortened(entry.note, _WIDE)))
            if entry.opens and entry.kind not in {"table", "view"}:
                descend(entry.path)

    descend(())
    return lines


def _as_text(name: str, lines: Sequence[Line]) -> str:
    return "\n".join(
        [
            name,
            *(f"{'  ' * (depth + 1)}{_printable(label)}  {_printable(note)}".rstrip() for depth, label, note in lines),
        ]
    )


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _as_html(name: str, lines: Sequence[Line]) -> str:
    """Return nested `<details>`, one for each line with deeper lines below it."""
    parts = [f"<div class='md-browse-still'><b>{escape(name)}</b>"]
    depth = 0
    for position, (level, label, note) in enumerate(lines):
        parts.append("</details>" * (depth - level))
        depth = level
        line = f"{escape(label)} <small>{escape(note)}</small>"
        following = lines[position + 1][0] if position + 1 < len(lines) else 0
        if following > level:
            parts.append(f'<details {"open" if level < 1 else ""} style="margin-left:1em"><summary>{line}</summary>')
            depth = level + 1
        else:
            parts.append(f'<div style="margin-left:2em">{line}</div>')
    return "".join([*parts, "</details>" * depth, "</div>"])


# ---- the widget -----------------------------------------------------------------------------------------------------


class Pace:
    """What becomes of the questions of a page: a script can send 20,000, and a cell is to run meanwhile."""

    def __init__(self) -> None:
        """Begin with a whole second's questions."""
        self._second = 0.0
        self._asked = 0

    def step(self) -> Literal["answer", "refuse", "drop"]:
        """Count one question, and return what becomes of it."""
        now = time.monotonic()
        if now - self._second >= 1:
            self._second, self._asked = now, 0
        self._asked += 1
        if self._asked <= _MOST_ANSWERS:
            return "answer"
        return "refuse" if self._asked <= _MOST_REFUSALS else "drop"


class Tree:
    """The tree widget."""

    def __init__(self, catalogue: CatalogTree) -> None:
        """Make the widget that shows *catalogue*."""
        self._catalogue: CatalogTree | None = catalogue
        self._pace = Pace()
        self._widget = host.make("catalog_tree", {"title": catalogue.name})
        self._widget.on_msg(self._on_message)

    def bundle(self, text: str) -> dict[str, object]:
        """Return the MIME bundle of the tree, with *text* for where there are no widgets."""
        return host.bundle(self._widget, text)

    def close(self) -> None:
        """Close the catalog tree. Later messages are answered with an error; a second call does nothing."""
        catalogue, self._catalogue = self._catalogue, None
        if catalogue is not None:
            catalogue.close()

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        match self._pace.step():
            case "answer":
                self._widget.send(answer(self._catalogue, content))
            case "refuse":
                self._widget.send(answer(None, content) | {"error": "Too many questions at once. Try again."})
            case "drop":
                pass


def answer(catalogue: CatalogTree | None, content: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to the tree's message *content*: the `id` of its question, and the answer or an `error`.

    *catalogue* is `None` after it has been closed.
    """
    content = content if isinstance(content, dict) else {}
    reply: dict[str, Any] = {"id": content.get("id")}
    if catalogue is None:
        return reply | {"error": "This tree is closed: run its cell again."}
    try:
        return reply | _answer(catalogue, content)
    except MdMagicError as error:
        return reply | {"error": str(error)}
    except Exception as error:  # ipywidgets swallows a callback's exception, and the tree would wait for ever
        logger.debug("the catalogue failed", exc_info=True)
        return reply | {"error": f"{type(error).__name__}: {error}"}


def _answer(catalogue: CatalogTree, content: dict[str, Any]) -> dict[str, Any]:
    path = tuple(str(part) for part in content.get("path", ()))
    match content.get("type"):
        case "children":
            return _entries(catalogue.children(path))
        case "search":
            return _entries(catalogue.search(str(content.get("text", ""))))
        case "preview":
            sample = catalogue.preview(path)
            return {"columns": list(sample.columns), "rows": [list(row) for row in sample.rows]}
        case "count":
            return {"count": catalogue.count(path)}
        case _:
            catalogue.refresh()
            return {}


def _entries(listing: Listing) -> dict[str, Any]:
    entries = [[entry.kind, list(entry.path), entry.note, entry.opens] for entry in listing.entries]
    return {"entries": entries, "total": listing.total, "warning": listing.warning}

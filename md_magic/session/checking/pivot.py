"""PIVOT, whose columns come from the rows: what can be bound of it without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.sql.tokens import Token

_CLAUSES = ("pivot", "on", "using", "group", "order", "limit")


def expressions(sql: str) -> str | None:
    """Return a query of the expressions of *sql*, a PIVOT, over its table; `None` where they are not clear."""
    read = [token for token in tokens(sql)[0] if token.text != ";"]
    parts = {word: (start, end) for word, start, end in _clauses(read, len(sql))}
    if "pivot" not in parts or "on" not in parts:
        return None
    source, on = (sql[slice(*parts[word])].strip(" ;") for word in ("pivot", "on"))
    if any(token.low == "in" for token in tokens(on)[0]):
        return None
    using = sql[slice(*parts["using"])].strip(" ;") if "using" in parts else ""
    return f"SELECT {', '.join(filter(None, (on, using)))} FROM {source} GROUP BY ALL"  # noqa: S608 - only bound


def position(sql: str, name: str) -> int | None:
    """Return where in *sql*, in bytes, *name* stands; `None` where it stands at several places or at none."""
    places = [token.start for token in tokens(sql)[0] if token.name is not None and token.name.lower() == name.lower()]
    return len(sql[: places[0]].encode()) if len(places) == 1 else None


def _clauses(read: Sequence[Token], length: int) -> list[tuple[str, int, int]]:
    """Return each clause of the outermost level: its word, and where what follows the word begins and ends."""
    depth, begins = 0, []
    for token in read:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.low in _CLAUSES:
            begins.append(token)
    ends = [*(token.start for token in begins[1:]), length]
    return [(token.low, token.end, end) for token, end in zip(begins, ends, strict=True)]

"""Nesting tokens by their brackets, some of which are not closed yet while a statement is being typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from md_magic.sql.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}
_MOST_NESTED = 100
"""Levels of brackets that are distinguished."""

MOST_DEPTH = 110
"""Levels of nested queries that are read."""

_ENDS_BRACKETS = frozenset({"from", "where", "group", "having", "qualify", "limit", "union"})
_QUERIES = frozenset({"select", "with", "from", "values"})
_NO_CALLS = frozenset({"from", "join", "in", "exists", "as", "any", "all", "some", "lateral", "materialized", "union"})
FROM_CALLS = frozenset({"extract", "trim", "substring", "overlay", "position"})
"""Functions with a FROM among their arguments, which is not a clause."""


@dataclass(slots=True)
class Group:
    """A pair of brackets and their content."""

    bracket: str
    items: list[Token | Group] = field(default_factory=list)

    low = ""
    name = None
    kind = "group"
    text = ""

    @property
    def closing(self) -> str:
        """The closing bracket."""
        return _CLOSING[self.bracket]


Item = Token | Group


def nest(read: Sequence[Token]) -> list[Item]:
    """Nest tokens by their brackets. A bracket that is never closed ends before the next clause of the outer query."""
    root = Group("")
    stack = [root]
    unclosed = _unclosed(read)
    is_open: list[bool] = [False]
    for at, token in enumerate(read):
        while is_open[-1] and token.low in _ENDS_BRACKETS and not _begins_query(stack[-1], stack[-2]):
            stack.pop()
            is_open.pop()
        if token.kind == "sign" and token.text in _CLOSING and len(stack) < _MOST_NESTED:
            group = Group(token.text)
            stack[-1].items.append(group)
            stack.append(group)
            is_open.append(at in unclosed)
        elif token.kind == "sign" and token.text in _OPENING:
            opened = next((i for i in range(len(stack) - 1, 0, -1) if stack[i].closing == token.text), None)
            if opened is not None:
                del stack[opened:], is_open[opened:]
        else:
            stack[-1].items.append(token)
    return root.items


def holds_cursor(item: Item) -> bool:
    """Whether *item* is the cursor or contains it."""
    if isinstance(item, Group):
        return any(holds_cursor(inner) for inner in item.items)
    return item.kind == "cursor"


def cursor_at(items: Sequence[Item]) -> int | None:
    """Return the index of the item that is the cursor or contains it."""
    return next((at for at, item in enumerate(items) if holds_cursor(item)), None)


def _unclosed(read: Sequence[Token]) -> set[int]:
    """Return the indexes of the brackets that are never closed."""
    waiting: list[int] = []
    for at, token in enumerate(read):
        if token.kind != "sign":
            continue
        if token.text in _CLOSING:
            waiting.append(at)
        elif token.text in _OPENING:
            opened = next((i for i in reversed(waiting) if _CLOSING[read[i].text] == token.text), None)
            waiting = waiting if opened is None else [i for i in waiting if i < opened]
    return set(waiting)


def _begins_query(group: Group, around: Group) -> bool:
    """Whether an open bracket contains a query, to which the following clauses then belong."""
    before = around.items[-2] if len(around.items) > 1 else None
    first = next((item for item in group.items if item.kind != "cursor"), None)
    if before is not None and before.low in FROM_CALLS:
        return True
    if first is not None:
        return first.low in _QUERIES or (isinstance(first, Group) and first.bracket == "(" and before is None)
    called = before is not None and before.name is not None and before.low not in _NO_CALLS
    return not (called or group.bracket != "(")

"""Common table expressions: reading a WITH, and which CTEs are visible where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from md_magic.completion.scope.nesting import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.completion.scope.nesting import Item


@dataclass(frozen=True, slots=True)
class CteScope:
    """The CTEs visible at one position, as a linked list: the last defined comes first, and an empty scope ends it."""

    name: str = ""
    columns: tuple[str, ...] = ()
    """Names of its columns, if given: `WITH t(a, b) AS`."""

    query: Group | None = None
    outer: CteScope | None = None
    """The scope without this CTE, which is what its own query sees."""

    def find(self, name: str) -> CteScope | None:
        """Return the scope of the CTE called *name*."""
        return next((scope for scope in self._scopes() if scope.name.lower() == name.lower()), None)

    def names(self) -> list[str]:
        """Return the names of all visible CTEs."""
        return [scope.name for scope in self._scopes()]

    def _scopes(self) -> Iterator[CteScope]:
        scope: CteScope | None = self
        while scope is not None:
            if scope.query is not None:
                yield scope
            scope = scope.outer


class _Cte(NamedTuple):
    name: str
    columns: tuple[str, ...]
    query: Group | None
    end: int
    """Index of the item after it."""


def read_ctes(items: Sequence[Item], scope: CteScope) -> tuple[CteScope, list[Item]]:
    """Read the `WITH` of a query in *scope*; return the scope after it, and the items without it."""
    rest: list[Item] = []
    at = 0
    while at < len(items):
        if items[at].low != "with" or not _is_with(items, at):
            rest.append(items[at])
            at += 1
            continue
        at += 1
        at += at < len(items) and items[at].low == "recursive"
        while at < len(items) and items[at].name:
            cte = _read_cte(items, at)
            at = cte.end
            if cte.query is None:
                break
            scope = CteScope(cte.name, cte.columns, cte.query, scope)
            if at >= len(items) or items[at].text != ",":
                break
            at += 1
    return scope, rest


def _is_with(items: Sequence[Item], at: int) -> bool:
    following = items[at + 1] if at + 1 < len(items) else None
    if following is None or following.name is None:
        return False
    return following.low not in {"time", "no", "ordinality", "ties"}


def _read_cte(items: Sequence[Item], at: int) -> _Cte:
    name, at = items[at].name or "", at + 1
    columns: tuple[str, ...] = ()
    group = items[at] if at < len(items) else None
    if isinstance(group, Group):
        columns, at = tuple(item.name for item in group.items if item.name), at + 1
    elif group is not None and group.low == "using":  # USING KEY (a)
        at += 3
    while at < len(items) and items[at].low in {"as", "not", "materialized"}:
        at += 1
    body = items[at] if at < len(items) else None
    if isinstance(body, Group):
        return _Cte(name, columns, body, at + 1)
    return _Cte(name, columns, None, at)

"""The grammar of a half-typed statement: its blocks, clauses and items."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from md_magic.completion.scope.nesting import Group
from md_magic.sql import keywords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.completion.scope.nesting import Item

_STARTS = frozenset(
    {"update", "merge", "delete", "insert", "pivot", "unpivot", "describe", "summarize", "copy", "alter", "drop"}
    | {"create", "truncate", "use", "attach", "detach", "show", "reset", "pragma", "call", "explain", "comment", "set"}
    | {"desc"}
)
"""Words that begin a clause only at the start of a statement, or after a word that introduces one."""

CLAUSES = _STARTS | {"select", "from", "where", "group", "having", "qualify", "window", "order", "limit", "offset"}
CLAUSES |= {"values", "returning", "into", "using", "on", "with"}
"""Words that begin a clause."""

SET_OPERATORS = frozenset({"union", "intersect", "except"})
JOINS = frozenset({"join", "left", "right", "full", "inner", "outer", "cross", "natural", "semi", "anti", "asof"})
JOINS |= {"positional", "lateral"}

OPERATORS_IN_WORDS = frozenset(
    {"and", "or", "not", "in", "like", "ilike", "is", "between", "similar", "glob", "then", "when", "else", "case"}
    | {"escape", "distinct", "all", "any", "some", "by", "on", "where", "having", "qualify", "select", "returning"}
    | {"set", "values", "limit", "offset", "collate", "using", "exists", "interval", "array", "partition", "range"}
    | {"rows", "groups", "only", "lambda"}
)
"""Words after which an operand is expected."""

_CALLED_WORDS = frozenset({"between", "coalesce", "exists", "row"})
"""Words that could be names but are mostly syntax."""

_OPERAND_WORDS = frozenset({"end", "null", "true", "false", "all"})
"""Reserved words that can end an operand."""

_BEFORE_STATEMENT = frozenset({"as", "explain", "analyze", "do"})
_AFTER_WHEN = frozenset({"update", "delete", "insert"})
_QUERY = frozenset({"select", "from", "with", "values", "pivot", "unpivot", "summarize", "describe", "show"})
_ALIAS_TOO = frozenset(
    {"copy", "alter", "drop", "truncate", "use", "attach", "detach", "reset", "call", "explain", "comment", "insert"}
    | {"merge", "delete", "update", "pragma"}
)
"""Words that begin a statement but are an alias after a table."""


class Clause(NamedTuple):
    """A clause of a block."""

    word: str
    """The keyword that begins it, in lower case; empty for the items before the first keyword."""

    items: list[Item]


@cache
def reserved() -> frozenset[str]:
    """Return the words that are syntax and never a name."""
    return keywords.reserved() | _CALLED_WORDS


@cache
def no_alias() -> frozenset[str]:
    """Return the words that cannot be an alias after a table."""
    more = {"tablesample", "sample", "by", "when", "then"}
    return (reserved() | CLAUSES | JOINS | SET_OPERATORS | more) - _ALIAS_TOO


@cache
def _no_operand_end() -> frozenset[str]:
    return (reserved() | OPERATORS_IN_WORDS) - _OPERAND_WORDS


def is_reserved(item: Item) -> bool:
    """Whether *item* is a word that cannot be a name."""
    return item.kind == "word" and item.low in reserved()


def ends_operand(item: Item) -> bool:
    """Whether an operator can follow *item*."""
    if isinstance(item, Group) or item.kind in {"number", "string", "quoted"}:
        return True
    return item.kind == "word" and item.low not in _no_operand_end()


def is_query(group: Group) -> bool:
    """Whether the brackets contain a query."""
    first = next((item for item in group.items if item.kind != "cursor"), None)
    if isinstance(first, Group):
        return first.bracket == "(" and is_query(first)
    return first is not None and first.low in _QUERY


def by_commas(items: Sequence[Item]) -> list[list[Item]]:
    """Split a list at its commas, without empty parts."""
    parts: list[list[Item]] = [[]]
    for item in items:
        if item.text == "," and item.kind == "sign":
            parts.append([])
        else:
            parts[-1].append(item)
    return [part for part in parts if part]


def after_last_comma(items: Sequence[Item]) -> Sequence[Item]:
    """Return the last part of a list."""
    at = max((i for i, item in enumerate(items) if item.text == ","), default=-1)
    return items[at + 1 :]


def blocks(items: Sequence[Item]) -> list[list[Item]]:
    """Split a query at UNION, INTERSECT and EXCEPT."""
    parts: list[list[Item]] = [[]]
    skipping = False
    for at, item in enumerate(items):
        star = at > 0 and items[at - 1].text == "*"
        if item.low in SET_OPERATORS and not star:
            parts.append([])
            skipping = True
        elif not (skipping and item.low in {"all", "distinct", "by", "name"}):
            skipping = False
            parts[-1].append(item)
    return parts


def clauses(items: Sequence[Item]) -> list[Clause]:
    """Split a block into its clauses."""
    parts = [Clause("", [])]
    for at, item in enumerate(items):
        word = item.low if item.kind == "word" else ""
        if word in CLAUSES and _begins_clause(word, items, at, parts[-1].word):
            parts.append(Clause(word, []))
        else:
            parts[-1].items.append(item)
    return parts if parts[0].items else parts[1:] or parts


def _begins_clause(word: str, items: Sequence[Item], at: int, clause: str) -> bool:
    """Whether the *word* at *at*, which follows a *clause*, begins a new clause."""
    before = items[at - 1] if at else None
    following = items[at + 1] if at + 1 < len(items) else None
    if (before is not None and before.text == ".") or (following is not None and following.text == "."):
        return False
    if word in _STARTS:
        return _begins_statement(word, before, clause)
    low = before.low if before is not None else ""
    begins = {
        "group": following is None or following.low == "by" or following.kind == "cursor",
        "from": not (low == "distinct" and at > 1 and items[at - 2].low in {"is", "not"}),  # IS DISTINCT FROM
        "using": clause in {"delete", "merge", "into", "pivot", "from"} and not _is_joined(items[:at]),
        "on": clause not in {"from", "using", "into", "comment"},
        "into": low in {"insert", "merge", "replace", "ignore"},
        "values": before is None or clause in {"into", "insert", ""} or isinstance(before, Group),
    }
    return begins.get("group" if word == "order" else word, True)


def _begins_statement(word: str, before: Item | None, clause: str) -> bool:
    low = before.low if before is not None else ""
    if word == "set":
        return before is None or clause in {"update", "on", "merge"} or low == "update"
    return before is None or low in _BEFORE_STATEMENT or (word in _AFTER_WHEN and low == "then")


def _is_joined(items: Sequence[Item]) -> bool:
    """Whether the last significant word of a FROM clause is JOIN."""
    return next((item.low == "join" for item in reversed(items) if item.low in {"join", "from"}), False)

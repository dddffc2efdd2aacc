"""The relations of a half-typed statement: those of its FROM, and its target table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from md_magic.completion.scope import grammar
from md_magic.completion.scope.nesting import Group, holds_cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.completion.scope.ctes import CteScope
    from md_magic.completion.scope.grammar import Clause
    from md_magic.completion.scope.nesting import Item

_NAMES_TABLES = frozenset({"from", "update", "pivot", "unpivot", "describe", "summarize", "desc", "using"})
_CHANGES_FIRST = frozenset({"into", "update", "copy"})
_CHANGES_OBJECT = frozenset({"alter", "create", "comment", "drop", "truncate", "on"})


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, subquery or table function in a statement."""

    parts: tuple[str, ...] = ()
    """The dotted name, as typed; empty for a subquery or a function."""

    alias: str = ""
    query: Group | None = None
    function: str = ""
    arguments: Group | None = None
    columns: tuple[str, ...] = ()
    """Column aliases: `AS t(a, b)`."""

    ctes: CteScope | None = None
    """The common table expressions visible at its position."""

    @property
    def label(self) -> str:
        """The name that qualifies its columns."""
        return self.alias or (self.parts[-1] if self.parts else self.function)


def relations(items: Sequence[Item], ctes: CteScope, *, calls: bool = True) -> list[Relation]:
    """Return the relations of a FROM clause. Without *calls*, brackets after a name are not arguments."""
    tables: list[Relation] = []
    expected, at = True, 0
    while at < len(items):
        if expected and items[at].low not in {"lateral", "only"}:
            more, at = _relation(items, at, ctes, calls=calls)
            tables += more
            expected = False
        else:
            expected = expected or items[at].low == "join" or items[at].text == ","
            at += 1
    return tables


def block_relations(clauses: Sequence[Clause], ctes: CteScope) -> list[Relation]:
    """Return the relations that the expressions of a block can reference."""
    inserting = any(clause.word == "insert" for clause in clauses)
    return [
        relation
        for clause in clauses
        if clause.word in _NAMES_TABLES or (clause.word == "into" and not inserting)
        for relation in relations(clause.items, ctes)
    ]


def target(clauses: Sequence[Clause], ctes: CteScope) -> Relation | None:
    """Return the table that a statement changes."""
    first = clauses[0].word
    for word, items in clauses:
        start: int | None = None
        if word in _CHANGES_FIRST or (word == "from" and first == "delete"):
            start = 0
        elif word in _CHANGES_OBJECT:
            start = _object_start(word, items, first)
            items = [item for item in items[start:] if item.low not in {"if", "exists", "not"}]  # noqa: PLW2901
        if start is not None:
            return next(iter(relations(items, ctes, calls=False)), None)
    return None


def _object_start(word: str, items: Sequence[Item], first: str) -> int | None:
    """Return where the table's name begins in a DDL clause; `None` if the clause has no table."""
    if word == "on" and first == "create":  # CREATE INDEX i ON t
        return 0
    at = next((i for i, item in enumerate(items) if item.low in {"table", "on", "view"}), None)
    if at is None or (word == "create" and items[at].low != "on"):
        return None
    return at + 1


def _relation(items: Sequence[Item], at: int, ctes: CteScope, *, calls: bool) -> tuple[list[Relation], int]:
    prefix_alias = ""
    if at + 2 < len(items) and items[at].name and items[at + 1].text == ":":
        prefix_alias, at = items[at].name or "", at + 2
    item = items[at]
    if isinstance(item, Group):
        if not grammar.is_query(item):
            return relations(item.items, ctes), at + 1
        relation, at = Relation(query=item, ctes=ctes), at + 1
    elif item.kind == "string":
        relation, at = Relation(function="file", alias=_stem(item.text.strip("'"))), at + 1
    elif _is_table_name(items, at):
        relation, at = _named(items, at, ctes, calls=calls)
    else:
        return [], at + 1
    alias, columns, at = _aliased(items, at)
    return [replace(relation, alias=prefix_alias or alias or relation.alias, columns=columns)], at


def _stem(path: str) -> str:
    """Return the table name that DuckDB derives from a file's path."""
    return path.replace("\\", "/").rsplit("/", 1)[-1].partition(".")[0]


def _is_table_name(items: Sequence[Item], at: int) -> bool:
    item = items[at]
    dotted = at + 1 < len(items) and items[at + 1].text == "."
    is_syntax = item.kind == "word" and item.low in grammar.no_alias() - {"columns"} and not dotted
    return item.name is not None and not is_syntax


def _named(items: Sequence[Item], at: int, ctes: CteScope, *, calls: bool) -> tuple[Relation, int]:
    parts = [items[at].name or ""]
    at += 1
    while at + 1 < len(items) and items[at].text == "." and items[at + 1].name:
        parts.append(items[at + 1].name or "")
        at += 2
    following = items[at] if at < len(items) else None
    if calls and isinstance(following, Group) and following.bracket == "(":
        return Relation(function=parts[-1], arguments=following, ctes=ctes), at + 1
    return Relation(parts=tuple(parts), ctes=ctes), at


def _aliased(items: Sequence[Item], at: int) -> tuple[str, tuple[str, ...], int]:
    """Return the alias at *at*, its column names, and where it ends."""
    name_at = at + (at < len(items) and items[at].low == "as")
    item = items[name_at] if name_at < len(items) else None
    if item is None or item.name is None or (item.kind == "word" and item.low in grammar.no_alias()):
        return "", (), at
    at = name_at + 1
    group = items[at] if at < len(items) else None
    if isinstance(group, Group) and group.bracket == "(" and not holds_cursor(group):
        columns = tuple(part[0].name for part in grammar.by_commas(group.items) if part[0].name)
        return item.name, columns, at + 1
    return item.name, (), at

"""Resolving the columns of relations: from the cell, the catalog and Python frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from md_magic.catalog.snapshot import Column, Snapshot
from md_magic.completion.scope import grammar
from md_magic.completion.scope.ctes import CteScope, read_ctes
from md_magic.completion.scope.nesting import MOST_DEPTH, Group, nest
from md_magic.completion.scope.relations import Relation, block_relations, relations
from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.completion.scope.grammar import Clause
    from md_magic.completion.scope.nesting import Item

_CONSTRAINTS = frozenset({"primary", "foreign", "unique", "check", "constraint"})


@dataclass(slots=True)
class Resolver:
    """Resolves the columns of relations: from the cell, the catalog and Python frames."""

    names: Snapshot
    created: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    """Tables that earlier statements of the cell create, by lower-case name."""

    frames: Mapping[str, Sequence[Column]] = field(default_factory=dict)

    def columns(self, relation: Relation, depth: int = 0) -> list[Column]:
        """Return the columns of *relation*; empty if they are unknown."""
        if depth > MOST_DEPTH:
            return []
        columns = self._unrenamed(relation, depth)
        if not relation.columns:
            return columns
        renamed = _renamed(columns, relation.columns)
        return [*renamed, *columns[len(renamed) :]]

    def _unrenamed(self, relation: Relation, depth: int) -> list[Column]:
        ctes = relation.ctes or CteScope()
        if relation.query is not None:
            return self.query(relation.query.items, ctes, depth + 1)
        if relation.function:
            return _function_columns(relation)
        if len(relation.parts) == 1:
            name = relation.parts[0]
            cte = ctes.find(name)
            if cte is not None and cte.query is not None:
                columns = self.query(cte.query.items, cte.outer or CteScope(), depth + 1)
                return _renamed(columns, cte.columns) if cte.columns else columns
            if name.lower() in self.created:
                return list(self.created[name.lower()])
        return self._known(relation.parts)

    def _known(self, parts: tuple[str, ...]) -> list[Column]:
        """Return the columns of a catalog table or a frame."""
        table = self.names.find(parts)
        if table is not None:
            return list(self.names.columns_of(table))
        if len(parts) == 1 and parts[0] in self.frames:
            return list(self.frames[parts[0]])
        return list(self.names.ask(parts)) if parts else []

    def query(self, items: Sequence[Item], ctes: CteScope, depth: int = 0) -> list[Column]:
        """Return the columns of the query in *items*: those of its first SELECT."""
        if depth > MOST_DEPTH:
            return []
        ctes, items = read_ctes(items, ctes)
        block = grammar.blocks(items)[0]
        clauses = grammar.clauses(block)
        if len(block) == 1 and isinstance(block[0], Group):  # ((SELECT ...))
            return self.query(block[0].items, ctes, depth + 1)
        words = {clause.word for clause in clauses}
        if "values" in words and "select" not in words:
            row = next((item for item in block if isinstance(item, Group)), Group("("))
            return [Column(f"col{number}") for number in range(len(grammar.by_commas(row.items)))]
        tables = block_relations(clauses, ctes)
        select_list = _select_list(clauses)
        if select_list is None:
            return [column for table in tables for column in self.columns(table, depth + 1)]
        return [column for item in select_list for column in self._selected(item, tables, depth)]

    def aliases(self, clauses: Sequence[Clause], tables: Sequence[Relation]) -> list[Column]:
        """Return the columns that the select list defines by an alias."""
        return [column for item in _select_list(clauses) or () if (column := self._alias(item, tables, 0))]

    def _selected(self, item: Sequence[Item], tables: Sequence[Relation], depth: int) -> list[Column]:
        """Return the columns of one item of a select list."""
        item = [part for part in item if part.low not in {"distinct", "all"}]
        star = next((i for i, part in enumerate(item) if part.low == "*" and part.kind == "sign"), None)
        if star is not None and (star == 0 or (star == 2 and item[1].text == ".")):  # noqa: PLR2004 - `*` or `t.*`
            wanted = tables if star == 0 else [table for table in tables if _is(table.label, item[0].name or "")]
            columns = [column for table in wanted for column in self.columns(table, depth + 1)]
            return _starred(columns, item[star + 1 :])
        alias = self._alias(item, tables, depth)
        if alias is not None:
            return [alias]
        name = _reference(item)
        return [self._typed(name, tables, depth)] if name else []

    def _typed(self, name: str, tables: Sequence[Relation], depth: int) -> Column:
        """Return the column *name* with its type, if one of the tables has it."""
        for table in tables:
            for column in self.columns(table, depth + 1):
                if _is(column.name, name):
                    return Column(name, column.type)
        return Column(name)

    def _alias(self, item: Sequence[Item], tables: Sequence[Relation], depth: int) -> Column | None:
        """Return the alias of a select item, with its type if that is obvious."""
        named = _split_alias(item)
        if named is None:
            return None
        name, body = named
        reference = _reference(body)
        if reference:
            return Column(name, self._typed(reference, tables, depth).type)
        if len(body) > 2 and body[-2].text == "::":  # noqa: PLR2004 - an operand, the sign and a type
            return Column(name, body[-1].text.upper())
        return Column(name)


def created(statements: Sequence[Sequence[Item]], names: Snapshot) -> dict[str, list[Column]]:
    """Return the tables and views that *statements* create, by lower-case name, with their columns."""
    tables: dict[str, list[Column]] = {}
    for items in statements:
        words = [item.low for item in items]
        if words[:1] != ["create"] or not {"table", "view"} & set(words[:6]):
            continue
        at = next(i for i, word in enumerate(words) if word in {"table", "view"}) + 1
        while at < len(items) and items[at].low in {"if", "not", "exists"}:
            at += 1
        as_at = next((i for i in range(at, len(items)) if items[i].low == "as"), len(items))
        parsed = relations(items[at:as_at], CteScope())
        if not parsed or at >= len(items):
            continue
        name = (parsed[0].parts or (parsed[0].function,))[-1]
        body = list(items[as_at + 1 :])
        resolver = Resolver(names, dict(tables))
        tables[name.lower()] = resolver.query(body, CteScope()) if body else _definitions(parsed[0].arguments)
    return tables


def fields(type_text: str) -> list[Column]:
    """Return the fields of a type written as `STRUCT(a INTEGER, b VARCHAR)`; none for any other type."""
    if not type_text.upper().startswith("STRUCT("):
        return []
    nested = nest(tokens(type_text)[0])
    if len(nested) != 2 or not isinstance(nested[1], Group):  # noqa: PLR2004 - the word and its brackets
        return []
    parts = grammar.by_commas(nested[1].items)
    return [Column(part[0].name, _written(part[1:])) for part in parts if part[0].name]


def _function_columns(relation: Relation) -> list[Column]:
    name = relation.function.lower()
    if name in {"range", "generate_series"}:
        return [Column(relation.alias or name, "BIGINT")]
    return [Column("unnest")] if name == "unnest" else []


def _select_list(clauses: Sequence[Clause]) -> list[list[Item]] | None:
    """Return the items of a block's SELECT list; `None` if it has none."""
    return next((grammar.by_commas(clause.items) for clause in clauses if clause.word == "select"), None)


def _renamed(columns: list[Column], names: Sequence[str]) -> list[Column]:
    """Return the columns with their first ones renamed to *names*."""
    types = [column.type for column in columns] + [""] * len(names)
    return [Column(name, kind) for name, kind in zip(names, types, strict=False)]


def _is(name: str, other: str) -> bool:
    return name.lower() == other.lower()


def _starred(columns: list[Column], rest: Sequence[Item]) -> list[Column]:
    """Apply `EXCLUDE (a)` and `RENAME (a AS b)` after a star."""
    for word, group in pairwise(rest):
        inner = group.items if isinstance(group, Group) else [group]
        if word.low in {"exclude", "except"}:
            left_out = {(item.name or "").lower() for item in inner}
            columns = [column for column in columns if column.name.lower() not in left_out]
        elif word.low == "rename":
            new = {(part[0].name or "").lower(): part[-1].name or "" for part in grammar.by_commas(inner)}
            columns = [replace(column, name=new.get(column.name.lower(), column.name)) for column in columns]
    return columns


def _reference(item: Sequence[Item]) -> str:
    """Return the last name of `a`, `t.a` or `s.t.a`; empty for anything else."""
    names, dots = item[::2], item[1::2]
    is_dotted = all(part.name for part in names) and all(part.text == "." for part in dots)
    if not item or not is_dotted or len(item) % 2 == 0 or grammar.is_reserved(names[-1]):
        return ""
    return names[-1].name or ""


def _split_alias(item: Sequence[Item]) -> tuple[str, Sequence[Item]] | None:
    """Split `a: x`, `x AS a` and `x a` into name and expression; `None` without an alias."""
    last = item[-1].name if item else None
    if len(item) > 2 and item[1].text == ":" and item[0].name and not item[2].low.startswith(":"):  # noqa: PLR2004
        return item[0].name, item[2:]
    if len(item) > 2 and item[-2].low == "as" and last:  # noqa: PLR2004 - an operand, AS and a name
        return last, item[:-2]
    if len(item) > 1 and last and grammar.ends_operand(item[-2]) and not grammar.is_reserved(item[-1]):
        return last, item[:-1]
    return None


def _definitions(group: Group | None) -> list[Column]:
    """Return the columns defined in the parentheses of a CREATE TABLE."""
    return [
        Column(part[0].name, part[1].text.upper() if len(part) > 1 else "")
        for part in grammar.by_commas(group.items if group else [])
        if part[0].name and part[0].low not in _CONSTRAINTS
    ]


def _written(items: Sequence[Item]) -> str:
    """Return the tokens of a type as text."""
    text = ""
    for item in items:
        if isinstance(item, Group):
            inner = ", ".join(_written(part) for part in grammar.by_commas(item.items))
            text += f"{item.bracket}{inner}{item.closing}"
        else:
            text += (" " if text and text[-1] not in "([" else "") + item.text
    return text

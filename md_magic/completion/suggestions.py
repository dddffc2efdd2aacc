"""Suggestions for SQL: text, cursor and surroundings in, ranked suggestions out. It does not depend on IPython."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from md_magic.catalog.snapshot import Column, Snapshot
from md_magic.completion import candidates, scope
from md_magic.completion.menu import MOST, Candidate, Suggested, ranked
from md_magic.completion.paths import in_string
from md_magic.completion.quotes import as_standard
from md_magic.completion.scope.ctes import CteScope
from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.completion.scope import CursorContext, Resolver, Typed

__all__ = ["MOST", "Suggested", "Surroundings", "parameters", "resolver_of", "result_columns", "sql"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything besides the text that suggestions draw on."""

    names: Snapshot = field(default_factory=Snapshot)
    frames: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    """The columns of the tables in Python variables, by variable."""

    values: tuple[str, ...] = ()
    """Python variables that can be bound to parameters."""

    engines: tuple[str, ...] = ()
    """Python variables with a SQLAlchemy engine or a DuckDB connection."""

    dicts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """Known targets and aliases."""

    saved: tuple[str, ...] = ()
    """Saved queries, as statements that create views."""

    running: tuple[str, ...] = ()
    """The ids of the queries that were listed last as running on a server."""


def sql(text: str, cursor: int, around: Surroundings) -> Suggested:
    """Suggest how the SQL *text* can continue at the offset *cursor*."""
    quoting = around.names.quoting
    typed = scope.read(as_standard(text, quoting), cursor)
    typed = replace(typed, fragment=text[typed.start : cursor])
    if typed.tail is not None:
        return in_string(typed, text, cursor, lambda: _context(typed, resolver_of(typed, around)).role == "relation")
    if typed.number or (typed.before and typed.before[-1].text == "."):  # the fields of `f(x).` are unknown
        return Suggested()
    if _is_parameter(typed):
        variables = (Candidate(name, "variable", 0) for name in around.values)
        return ranked(variables, typed, quoting, plain=True)
    resolver = resolver_of(typed, around)
    return ranked(candidates.at_cursor(typed, _context(typed, resolver), resolver), typed, quoting)


def resolver_of(typed: Typed, around: Surroundings) -> Resolver:
    """Return the resolver for columns from the cell, saved queries, the catalog and Python frames."""
    saved = [scope.nest(tokens(as_standard(view, around.names.quoting))[0]) for view in around.saved]
    return scope.Resolver(around.names, scope.created([*saved, *typed.earlier], around.names), around.frames)


def result_columns(text: str, around: Surroundings) -> list[Column]:
    """Return the columns that the last statement of *text* would give, as far as they are known."""
    whole = text.rstrip().rstrip(";") + " "
    typed = scope.read(whole, len(whole))
    query = [item for item in typed.items if item.kind != "cursor"]
    return resolver_of(typed, around).query(query, CteScope()) if query else []


def _context(typed: Typed, resolver: Resolver) -> CursorContext:
    return scope.cursor_context(typed.items, resolver)


def _is_parameter(typed: Typed) -> bool:
    """Whether a `:name` or `$name` is being typed, and the colon is not part of DuckDB's own syntax."""
    if not typed.before or typed.qualifiers or typed.quoted:
        return False
    sign = typed.before[-1]
    if sign.end != typed.start or sign.text not in {":", "$"}:
        return False
    before = typed.before[-2] if len(typed.before) > 1 else None
    if sign.text == "$" or before is None:
        return True
    is_operand = before.kind in {"number", "string", "quoted"} or before.text in {")", "]", "}"}
    is_glued = before.kind == "word" and before.end == sign.start  # `a:1`, `x[a:b]`; but `WHERE :x`
    return not (is_operand or is_glued)


def parameters(sql_text: str) -> list[str]:
    """Return the names of what look like parameters in *sql_text*."""
    read, _ = tokens(sql_text)
    names: dict[str, None] = {}
    for at, (sign, name) in enumerate(pairwise(read)):
        if sign.text in {":", "$"} and name.kind == "word" and sign.end == name.start:
            before = read[at - 1] if at else None
            glued = before is not None and before.end == sign.start and before.kind in {"word", "number", "string"}
            if sign.text == "$" or not glued:
                names[name.text] = None
    return list(names)

"""Inlining saved queries as text: finding the insertion points for CTEs in a statement, and inserting them.

Positions in errors must be those of the user's text: `Inserted` records which lines and bytes are not the user's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from md_magic.sql.statement import Inserted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.sql.quoting import Quoting
    from md_magic.sql.statement import Statement
    from md_magic.sql.tokens import Token

Form = Literal[
    "with",  # a WITH of their own
    "list",  # before the CTEs of a WITH that is there
    "from",  # before a bare name, in `DESCRIBE name`: a WITH and a FROM
]

CHANGES = frozenset({"insert", "update", "delete", "merge"})
"""Words that begin a statement which changes a table."""

QUERIES = frozenset({"select", "from", "values", "table", "pivot", "unpivot", "pivot_wider", "pivot_longer"})
"""Words that begin a query."""

_COMBINES = frozenset({"union", "intersect", "except"})
_DESCRIBES = frozenset({"describe", "desc", "show", "summarize"})
_BEGINS_EXPLAINED = frozenset({"select", "with", "from", "values", "("})


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A SELECT under a name."""

    name: str
    statement: Statement
    """Its text, without a semicolon at its end, and its parameters: they are bound where it is used."""


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """A position in a statement's text at which saved queries can be inserted."""

    at: int
    """Offset in characters."""

    form: Form
    end: int
    """Offset of the end of the query that sees them."""


def points(read: Sequence[Token], end: int) -> Iterator[InsertionPoint]:
    """Yield the insertion points of a DuckDB statement, whose tokens end at *end*, likeliest first."""
    if not read:
        return
    first, rest, word = read[0], read[1:], read[0].low
    if word in CHANGES | QUERIES or first.text == "(":
        yield InsertionPoint(first.start, "with", end)
    if word == "with":
        recursive = len(rest) > 1 and rest[0].low == "recursive" and rest[1].low != "as"
        yield InsertionPoint((rest[1] if recursive else rest[0]).start if rest else first.end, "list", end)
    elif word in _DESCRIBES and len(rest) == 1 and rest[0].name is not None:
        yield InsertionPoint(rest[0].start, "from", end)
    elif word == "copy" and rest and rest[0].text == "(":
        close = _closing(read, 1)
        yield from points(read[2:close], read[close].start if close < len(read) else end)
    elif word == "explain":
        yield from points(_after_options(rest), end)
    elif word == "create":
        yield from points(_after_as(rest), end)
    elif word in _DESCRIBES or first.text == "(":  # in `(WITH ...)`: see `is_bracketed_with`
        yield from points(rest, end)


def is_bracketed_with(read: Sequence[Token]) -> bool:
    """Whether *read* is `(WITH ...)`, and no UNION of it: behind another WITH that is not SQL.

    DuckDB 2 reads it, and forgets the inner CTEs.
    """
    while read and read[0].text == "(":
        closed = _closing(read, 0)
        if _is_combined(read[closed + 1 :]):
            return False
        read = read[1:closed]
    return bool(read) and read[0].low == "with"


def query_start(read: Sequence[Token], point: InsertionPoint, end: int) -> int:
    """Return where the query around *point* begins, including its WITH or DESCRIBE; *end* if there is none."""
    if point.form == "with":
        return point.at
    before = [token for token in read if token.start < point.at]
    wanted = {"with"} if point.form == "list" else _DESCRIBES
    return next((token.start for token in reversed(before) if token.low in wanted), end)


def inserted(statement: Statement, point: InsertionPoint, queries: Sequence[SavedQuery], quoting: Quoting) -> Statement:
    """Return *statement* with *queries* at *point*, on lines of their own; its errors are counted without them."""
    text = statement.text
    line_start = text.rfind("\n", 0, point.at) + 1
    head = text[line_start : point.at]
    divided = bool(head.strip())
    at = point.at if divided else line_start
    opening = "" if point.form == "list" else "WITH "
    parts, parameters, marks = ["\n" if divided else ""], [], []
    size = at + len(parts[0])
    line = statement.line + text.count("\n", 0, at) + 1 + divided
    first = line
    for number, saved in enumerate(queries):
        before = f"{'), ' if number else opening}{quoting.identifier(saved.name)} AS (\n"
        start = size + len(before)
        parameters += [replace(parameter, start=parameter.start + start) for parameter in saved.statement.parameters]
        body = f"{saved.statement.text}\n"
        lines = 1 + body.count("\n")
        marks.append((saved.name, line, lines))
        parts += [before, body]
        size, line = start + len(body), line + lines
    closing = {"with": ")\n", "list": "),\n", "from": ") FROM\n"}[point.form]
    parts.append(closing + (re.sub(r"\S", " ", head) if divided else ""))
    added = "".join(parts)
    tail = text[point.at :].partition("\n")[0]
    mark = Inserted(
        line=first,
        lines=added.count("\n") - divided,
        offset=statement.offset + len(text[:at].encode()),
        size=len(added.encode()),
        head=head if divided else "",
        tail=tail if divided else "",
        queries=tuple(marks),
    )
    parameters += [
        replace(parameter, start=parameter.start + len(added)) if parameter.start >= at else parameter
        for parameter in statement.parameters
    ]
    ordered = tuple(sorted(parameters, key=lambda parameter: parameter.start))
    return replace(statement, text=text[:at] + added + text[at:], parameters=ordered, inserted=mark)


def _after_options(rest: Sequence[Token]) -> Sequence[Token]:
    """Return what an EXPLAIN explains."""
    while rest and rest[0].low in {"analyze", "analyse", "verbose"}:
        rest = rest[1:]
    if rest and rest[0].text == "(" and not (len(rest) > 1 and rest[1].low in _BEGINS_EXPLAINED):
        return rest[_closing(rest, 0) + 1 :]
    return rest


def _after_as(rest: Sequence[Token]) -> Sequence[Token]:
    """Return the query of a CREATE TABLE or VIEW; nothing where that has none, and for what else is created."""
    depth = 0
    words = [token.low for token in rest[:6]]
    if not {"table", "view"} & set(words) or {"macro", "function"} & set(words):
        return ()
    for at, token in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(token.low, 0)
        if token.low == "as" and depth == 0:
            return rest[at + 1 :]
    return ()


def _is_combined(after: Sequence[Token]) -> bool:
    """Whether a query in brackets, with the tokens *after* it, is only a part of a UNION or the like."""
    depth = 0
    for token in after:
        depth += {"(": 1, ")": -1}.get(token.low, 0)
        if depth < 0:
            return False
        if depth == 0 and token.low in _COMBINES:
            return True
    return False


def _closing(read: Sequence[Token], opened: int) -> int:
    depth = 0
    for at in range(opened, len(read)):
        depth += {"(": 1, ")": -1}.get(read[at].low, 0)
        if depth == 0:
            return at
    return len(read)

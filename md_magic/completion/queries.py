"""Which query a SELECT or the name of a CTE stands for, as a text that can be bound by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.sql.tokens import Token

_BEGIN = frozenset({"select", "with", "from", "values"})
_AT = frozenset({"select", "from"})
_TAKE_FROM = frozenset({"delete", "update", "copy"})
"""Statements whose own FROM begins no query."""

_BEFORE_QUERY = frozenset({"as", "explain", "analyze", "into", "copy", "materialized", "recursive"})


def at_select(text: str, offset: int) -> str | None:
    """Return the query of the SELECT at *offset* of *text*, with the CTEs that it can read; `None` where there is none.

    Of a UNION it is the whole: its columns are those of the first. A FROM that a query begins with counts too.
    """
    read = _statement(tokens(text)[0], offset)
    at = next((i for i, token in enumerate(read) if token.low in _AT and token.start <= offset <= token.end), None)
    if at is None:
        return None
    opened = _opened(read, at)
    begin = opened[-1] + 1 if opened else _outermost(read, at)
    end = _closing(read, opened[-1]) if opened else len(read)
    if begin >= len(read) or read[begin].low not in _BEGIN:
        return None
    if read[at].low == "from" and not _is_first(read, begin, at):
        return None
    query = text[read[begin].start : read[end - 1].end]
    outer = [level for level in _levels(read, opened) if level != begin]
    ctes = [cte for level in outer for cte in _ctes_before(text, read, level, at)]
    return _with(ctes, query)


def before(text: str, offset: int) -> str:
    """Return the statements of *text* that end before *offset*."""
    return text[: max((token.end for token in tokens(text)[0] if token.text == ";" and token.end <= offset), default=0)]


def of_cte(text: str, offset: int) -> str | None:
    """Return a query of all columns of the CTE whose name is at *offset* of *text*; `None` where it is no such name."""
    read = _statement(tokens(text)[0], offset)
    at = next(
        (i for i, token in enumerate(read) if token.start <= offset <= token.end and token.name is not None), None
    )
    if at is None:
        return None
    name = (read[at].name or "").lower()
    ctes: list[tuple[str, str]] = []
    for level in _levels(read, _opened(read, at)):
        for cte in _ctes_before(text, read, level, len(read)):
            ctes.append(cte)
            if cte[0] == name:
                return _with(ctes, f"FROM {read[at].text}")
    return None


def _statement(read: Sequence[Token], offset: int) -> list[Token]:
    """Return the tokens of the statement at *offset*."""
    begin = max((index + 1 for index, token in enumerate(read) if token.text == ";" and token.end <= offset), default=0)
    end = next((index for index, token in enumerate(read) if token.text == ";" and token.start >= offset), len(read))
    return list(read[begin:end])


def _opened(read: Sequence[Token], at: int) -> list[int]:
    """Return the parentheses around *at* that a query begins in, the outermost first."""
    stack: list[int] = []
    for index, token in enumerate(read[:at]):
        if token.text == "(":
            stack.append(index)
        elif token.text == ")" and stack:
            stack.pop()
    return [index for index in stack if index + 1 < len(read) and read[index + 1].low in _BEGIN]


def _outermost(read: Sequence[Token], at: int) -> int:
    """Return where the query begins that no parentheses are around: behind INSERT INTO t, CREATE TABLE t AS, say."""
    depth = 0
    for index, token in enumerate(read[: at + 1]):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        begins = index == 0 or read[index - 1].low in _BEFORE_QUERY or index == at
        if depth == 0 and begins and token.low in _BEGIN:
            return index
    return at


def _is_first(read: Sequence[Token], begin: int, at: int) -> bool:
    """Return whether the query at *begin* begins with the FROM at *at*: nothing but CTEs stands between."""
    if read[0].low in _TAKE_FROM and begin == at and not _opened(read, at):
        return False
    depth = 0
    for token in read[begin:at]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.low in _BEGIN - {"with"}:
            return False
    return depth == 0


def _levels(read: Sequence[Token], opened: Sequence[int]) -> list[int]:
    """Return where each query around the innermost begins, the outermost first: their CTEs can be read within."""
    outer = next((index for index, token in enumerate(read) if token.low == "with"), None)
    return ([outer] if outer is not None else []) + [index + 1 for index in opened if index + 1 != outer]


def _ctes_before(text: str, read: Sequence[Token], begin: int, before: int) -> list[tuple[str, str]]:
    """Return name and text of the CTEs of a WITH at *begin* that end before the token *before*."""
    if begin >= len(read) or read[begin].low != "with":
        return []
    ctes, index = [], begin + 1
    if index < len(read) and read[index].low == "recursive":
        return []
    while index < len(read) and read[index].name is not None:
        start = index
        while index < len(read) and read[index].low != "as":
            index += 1
        while index < len(read) and read[index].text != "(":
            index += 1
        end = _closing(read, index)
        if end >= len(read) or end >= before:
            break
        ctes.append(((read[start].name or "").lower(), text[read[start].start : read[end].end]))
        index = end + 1
        if index >= len(read) or read[index].text != ",":
            break
        index += 1
    return ctes


def _closing(read: Sequence[Token], opened: int) -> int:
    """Return the index of the parenthesis that closes the one at *opened*; the number of tokens where none does."""
    depth = 0
    for index in range(opened, len(read)):
        depth += {"(": 1, ")": -1}.get(read[index].text, 0)
        if depth == 0:
            return index
    return len(read)


def _with(ctes: Sequence[tuple[str, str]], query: str) -> str:
    texts = ", ".join(cte for _, cte in dict(ctes).items())
    first, _, rest = query.partition(" ")
    if not texts or first.lower() == "with":
        return query if not texts else f"WITH {texts}, {rest}"
    return f"WITH {texts} {query}"

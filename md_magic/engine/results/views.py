"""A view of a result: its rows in some order, some of them filtered out, and some of its columns.

A filter is what a person typed above a column: `null`, `not null`, comparisons such as `> 5` or `= x`, also joined by
`and` and `or`, or a text that values contain, in any case; `"> 5"` in quotes is such a text. It is read here into
terms; what makes SQL of them binds the values, or writes them as literals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.results.columns import Column

Sign = Literal["null", "not null", "contains", "=", "<>", "<", "<=", ">", ">="]

_HUGEST = 2**127
"""One more than the largest HUGEINT."""

_COMPARISON = re.compile(r"\A\s*+(>=|<=|<>|!=|=|>|<)\s*+")
_NULLNESS = re.compile(r"(?i)\A\s*+(not\s++)?null(?!\w)\s*+")
_CONNECTOR = re.compile(r"(?i)(?<=\s)(and|or)\s++(?=>|<|=|!=|(?:not\s++)?null\s*+(?:\Z|\s(?:and|or)\s))")
_QUOTED = re.compile(r'(?s)\A"((?:[^"]|"")*+)"(?:\s*+\Z|\s++)')


@dataclass(frozen=True, slots=True)
class View:
    """An order and a choice of rows."""

    sort: tuple[tuple[int, bool], ...] = ()
    """Columns, by position, and whether each goes down; NULLs are last, equal rows stay in the result's order."""

    filters: tuple[tuple[int, str], ...] = ()
    """Columns, by position, and what a person typed above them."""


class FilterError(FrameError):
    """A filter that cannot be understood, or does not fit the column's type; the text says what can be written."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition on the values of a column."""

    sign: Sign
    value: str | int | float | Decimal | None = None
    """What is compared with, or contained; `None` where *sign* needs nothing."""

    kind: str = ""
    """The type that a text is compared as; empty for numbers, and for texts that are contained."""


def terms(column: Column, typed: str) -> list[list[Term]]:
    """Return what *typed* above *column* means: any of the lists holds, of which all terms do.

    Raises `FilterError` for a number that is none; whether a text fits its type is the database's to say.
    """
    if not (_COMPARISON.match(typed) or _NULLNESS.match(typed)):
        return [[_contained(typed)]]
    either: list[list[Term]] = [[]]
    at = 0
    while True:
        term, at = _term(column, typed, at)
        if term is None:
            return [[_contained(typed)]]
        either[-1].append(term)
        connector = _CONNECTOR.match(typed, at)
        if connector is None:
            return either
        at = connector.end()
        if connector[1].lower() == "or":
            either.append([])


def _contained(typed: str) -> Term:
    quoted = re.fullmatch(r'(?s)\s*+"(.*)"\s*', typed)
    return Term("contains", quoted[1] if quoted else typed.strip())


def _term(column: Column, typed: str, at: int) -> tuple[Term | None, int]:
    """Return the term that begins at *at*, and where the connector after it begins, or the text ends.

    There is no term where the text goes on behind a `null`: that is a text which begins so.
    """
    rest = typed[at:]  # the patterns are anchored, so that none is tried anywhere else
    if nullness := _NULLNESS.match(rest):
        end = at + nullness.end()
        if end < len(typed) and not _CONNECTOR.match(typed, end):
            return None, at
        return Term("not null" if nullness[1] else "null"), end
    compared = _COMPARISON.match(rest)
    if compared is None:  # not after a connector, which looks at what follows
        return None, at
    sign: Sign = "<>" if compared[1] == "!=" else compared[1]  # type: ignore[assignment] # one of the pattern's
    start = at + compared.end()
    quoted = _QUOTED.match(typed[start:]) if column.kind == "VARCHAR" or column.kind.startswith("ENUM(") else None
    if quoted is not None and (_CONNECTOR.match(typed, start + quoted.end()) or start + quoted.end() == len(typed)):
        text, end = quoted[1].replace('""', '"'), start + quoted.end()
    else:
        following = _CONNECTOR.search(typed, start)
        end = following.start() if following else len(typed)
        text = typed[start:end].strip()
        if not text:
            message = f"{column.name}: a value is missing after {compared[1]}."
            raise FilterError(message)
    if column.number:
        return Term(sign, _number(column, text)), end
    kind = "VARCHAR" if column.kind in {"TYPE", "VARIANT", "JSON", '"NULL"'} else column.kind
    return Term(sign, text, kind), end


def _number(column: Column, text: str) -> int | float | Decimal:
    """Return *text* as the number that the same text is in SQL: compared exactly, and never out of a type's range."""
    plain = text.replace("_", "")
    try:
        if re.fullmatch(r"[+-]?\d{1,39}", plain) and -_HUGEST <= int(plain) < _HUGEST:
            return int(plain)
        if column.kind != "DOUBLE" and re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)", plain) and len(plain) <= 38:  # noqa: PLR2004 - digits of a DECIMAL
            return Decimal(plain)
        return float(plain)
    except ValueError as error:
        message = f"{column.name}: {text!r} is no number, and {column.name} is {column.kind}."
        raise FilterError(message) from error


def bound(terms_of: Sequence[Sequence[Term]], column: str, values: dict[str, object]) -> str:
    """Return DuckDB's condition of terms on *column*, a name of ours; the values are added to *values*."""

    def condition(term: Term) -> str:
        if term.value is None:
            return f"{column} IS {term.sign.upper()}"
        name = f"v{len(values)}"
        values[name] = term.value
        if term.sign == "contains":
            return f"contains(lower({column}::VARCHAR), lower(${name}))"
        return f"{column} {term.sign} {f'CAST(${name} AS {term.kind})' if term.kind else f'${name}'}"

    return either_of([[condition(term) for term in every] for every in terms_of])


def either_of(conditions: Sequence[Sequence[str]]) -> str:
    """Return the SQL of conditions of which those in any of the lists hold together."""
    joined = [" AND ".join(every) for every in conditions]
    return joined[0] if len(joined) == 1 else f"({' OR '.join(joined)})"

"""The statement splitter for DuckDB: where the statements of a cell begin and end, and which colons are parameters.

The invariant: DuckDB's own parser decides. A colon is a parameter only if the parser stops at it; everything that the
parser accepts is left unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from md_magic.sql import parser
from md_magic.sql.statement import Parameter, Statement
from md_magic.sql.syntax import kinds
from md_magic.sql.tokens import scan, semicolons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Extract = Callable[[str], list[duckdb.Statement]]
    """A connection's `extract_statements`."""

_RETURNING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE_INTO"})
_READING_SEVERAL = {
    **{word: word.upper() for word in ("copy", "create", "delete", "explain", "insert", "prepare", "set", "update")},
    "merge": "MERGE_INTO",
}
"""By the first word, the kinds but SELECT that can read what DuckDB runs as several statements."""

_MANY = 8
"""At most this many parameters are found one by one, each with a call of the parser."""

_NO_COLON_AFTER = frozenset(",(=<>+*/|")
_NAME = re.compile(r"[^\W\d]\w*")


def statements(sql: str, extract: Extract) -> list[Statement]:
    """Split *sql* into statements as the DuckDB behind *extract* reads it, and find their parameters.

    Nothing is run. Raises what DuckDB raises for SQL that it cannot parse.
    """
    ours: frozenset[int] = frozenset()
    try:
        parsed = extract(sql)
    except duckdb.ParserException:
        rewritten, ours = _with_dollars(sql)
        if not ours:
            raise
        sql = rewritten
        parsed = extract(sql)
    if len(parsed) == 1:
        return [_statement(sql, parsed, ours)]
    pieces = list(_pieces(sql, extract, ours))
    if len(pieces) == 1:  # one statement that DuckDB expands into several, such as PIVOT
        return [_statement(sql, parsed, ours)]
    return [
        _statement(text, parsed, here, number=number, of=len(pieces), line=line, offset=offset)
        for number, (text, parsed, here, line, offset) in enumerate(pieces, 1)
    ]


def first_word(text: str) -> str:
    """Return the first word of *text* that is no comment, in capitals."""
    for offset, kind in scan(text):
        if kind != duckdb.token_type.comment:
            return re.compile(r"\w*").match(text, offset)[0].upper()  # type: ignore[index] # it always matches
    return ""


def kind_of(text: str, parsed: Sequence[duckdb.Statement]) -> str:
    """Return the kind of the statement *text*, which DuckDB reads as *parsed*, in DuckDB's words.

    What it runs as several, such as a PIVOT without a list of values, is all `MULTI` to DuckDB 2.
    """
    kind = parsed[-1].type.name
    if kind != "MULTI":
        return kind
    first, *others = kinds.words(text) or [""]
    words = others if first == "with" else [first]
    return next((_READING_SEVERAL[word] for word in words if word in _READING_SEVERAL), "SELECT")


def without_semicolon(text: str) -> str:
    """Return *text*, one statement, without its final semicolons and what follows them."""
    offsets = [offset for offset, kind in scan(text) if kind != duckdb.token_type.comment]
    end = len(text)
    while offsets and text[offsets[-1]] == ";":
        end = offsets.pop()
    return text[:end]


def _with_dollars(sql: str) -> tuple[str, frozenset[int]]:
    """Write `$name` for each `:name` at whose colon DuckDB's parser stops; return also their offsets.

    The parser stops at the first token that cannot follow what stands before it, so a colon at which it stops is
    no part of DuckDB's own syntax. It is a parameter if the parser then gets past it; if one does not, none is: the
    text is no SQL in either spelling. Both are equally long, so that DuckDB's carets stay in place.
    """
    dollars: list[int] = []
    stop = parser.stop(sql)
    while stop is not None and sql[stop : stop + 1] == ":" and _NAME.match(sql, stop + 1):
        glue = " " if re.search(r"\w\Z", sql[:stop]) else ""  # `x$y` is one name
        start = stop + len(glue)
        sql = f"{sql[:stop]}{glue}${sql[stop + 1 :]}"
        dollars.append(start)
        stop = parser.stop(sql)
        if stop is not None and stop <= start:
            return sql, frozenset()
        if stop is not None and len(dollars) == _MANY:
            sql, more = _after_operators(sql, stop)
            dollars.extend(more)
            stop = parser.stop(sql)
    return sql, frozenset(dollars)


def _after_operators(sql: str, start: int) -> tuple[str, list[int]]:
    """Write `$name` for every `:name` from *start* on that follows a sign after which DuckDB's syntax has no colon.

    Calling the parser for each of 2,000 parameters would parse the whole text 2,000 times.
    """
    offsets = [offset for offset, _ in scan(sql)]
    colons = [
        here
        for before, here, after in zip(offsets, offsets[1:], offsets[2:], strict=False)
        if here >= start and sql[here] == ":" and after == here + 1 and sql[before] in _NO_COLON_AFTER
    ]
    chars = list(sql)
    for colon in colons:
        chars[colon] = "$"
    return "".join(chars), colons


def _pieces(
    sql: str, extract: Extract, ours: frozenset[int]
) -> Iterator[tuple[str, list[duckdb.Statement], frozenset[int], int, int]]:
    """Give each statement of *sql*: text, what DuckDB reads in it, our parameters' offsets, lines and bytes before.

    The last has what follows it, semicolons and comments, as `current_query()` shows.
    """
    start = line = before = 0
    pieces: list[tuple[list[duckdb.Statement], int, int, int, int]] = []
    for end in (*semicolons(sql), len(sql)):
        text = sql[start:end]
        if parsed := extract(text):
            pieces.append((parsed, start, end, line, before))
        start, line, before = end + 1, line + text.count("\n"), before + len(text.encode()) + 1
    for number, (parsed, start, end, line, before) in enumerate(pieces, 1):
        text = sql[start : end if number < len(pieces) else None]
        yield text, parsed, frozenset(at - start for at in ours if start <= at < end), line, before


def _statement(
    text: str,
    parsed: list[duckdb.Statement],
    ours: frozenset[int],
    *,
    number: int = 1,
    of: int = 1,
    line: int = 0,
    offset: int = 0,
) -> Statement:
    kind = kind_of(text, parsed)
    named = "$" in text and kind != "PREPARE" and any(statement.named_parameters for statement in parsed)
    parameters = tuple(_parameters(text, ours)) if ours or named else ()
    returns = kind in _RETURNING and "returning" in text.lower() and _has_keyword(text, "returning")
    return Statement(text, kind, parameters, returning=returns, number=number, of=of, line=line, offset=offset)


def _has_keyword(text: str, keyword: str) -> bool:
    """Whether *keyword* stands in *text* outside strings, quoted names and comments."""
    return any(
        kind == duckdb.token_type.keyword and text[offset : offset + len(keyword)].lower() == keyword
        for offset, kind in scan(text)
    )


def _parameters(text: str, ours: frozenset[int]) -> Iterator[Parameter]:
    for start, _ in scan(text):
        if text[start] != "$":
            continue
        name = _NAME.match(text, start + 1)
        if name and not text.startswith("$", name.end()):  # `$tag$` opens a string
            yield Parameter(name=name.group(), start=start, sign=":" if start in ours else "$")

"""The reader of a cell's SQL: where its statements begin and end, and which colons are parameters.

The invariant: DuckDB's own parser decides. A colon is a parameter only where that parser stops at it; whatever the
parser accepts is left as it was typed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.statement import Parameter, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETURNING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE_INTO"})
_MANY = 8
"""As many parameters are looked for one by one."""

_NO_COLON_AFTER = frozenset({b",", b"(", b"=", b"<", b">", b"+", b"*", b"/", b"|"})
_NAME = re.compile(r"[^\W\d]\w*")
_WIDE_SPACE = re.compile("[\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")
"""What DuckDB's parser takes for blanks, and its tokenizer for letters."""


class Reader:
    """Reads DuckDB SQL. One serves a session; it keeps a private parser for the cells that have `:parameters`."""

    def __init__(self) -> None:
        """Make a reader; its parser is opened by the first cell that needs it."""
        self._parser: duckdb.DuckDBPyConnection | None = None

    def read(self, sql: str, connection: duckdb.DuckDBPyConnection) -> list[Statement]:
        """Split *sql* into statements as *connection*'s DuckDB reads it, and find their parameters.

        Nothing is run. Raises what DuckDB raises for SQL that it cannot parse.
        """
        ours: frozenset[int] = frozenset()
        try:
            parsed = connection.extract_statements(sql)
        except duckdb.ParserException:
            rewritten, ours = self._with_dollars(sql)
            if not ours:
                raise
            sql = rewritten
            parsed = connection.extract_statements(sql)
        if len(parsed) == 1:
            return [_statement(sql, parsed, ours)]
        found = list(_statements(sql, connection, ours))
        if len(found) == 1:  # one statement that DuckDB expands into several, such as PIVOT
            return [_statement(sql, parsed, ours)]
        return [
            _statement(text, parsed, here, number=number, of=len(found), line=line, offset=offset)
            for number, (text, parsed, here, line, offset) in enumerate(found, 1)
        ]

    def _with_dollars(self, sql: str) -> tuple[str, frozenset[int]]:
        """Write `$name` for each `:name` at whose colon DuckDB's parser stops; return also their offsets.

        The parser stops at the first token that cannot follow what stands before it, so a colon at which it stops is
        no part of DuckDB's own syntax. It is a parameter if the parser then gets past it; if one does not, none is: the
        text is no SQL in either spelling. Both are equally long, so that DuckDB's carets stay in place.
        """
        found: list[int] = []
        stop = self._stop(sql)
        while stop is not None and sql[stop : stop + 1] == ":" and _NAME.match(sql, stop + 1):
            glue = " " if re.search(r"\w\Z", sql[:stop]) else ""  # `x$y` is one name
            start = stop + len(glue)
            sql = f"{sql[:stop]}{glue}${sql[stop + 1 :]}"
            found.append(start)
            stop = self._stop(sql)
            if stop is not None and stop <= start:
                return sql, frozenset()
            if stop is not None and len(found) == _MANY:
                sql, more = _after_operators(sql, stop)
                found.extend(more)
                stop = self._stop(sql)
        return sql, frozenset(found)

    def _stop(self, sql: str) -> int | None:
        """Return the offset at which DuckDB's parser gives up on *sql*, in characters; `None` where it does not."""
        if self._parser is None:
            parser = duckdb.connect(":memory:")
            parser.execute("SET errors_as_json = true")
            self._parser = parser
        try:
            self._parser.extract_statements(sql)
        except duckdb.Error as error:
            _, _, details = str(error).partition(": ")
            try:
                return int(json.loads(details)["position"])
            except (ValueError, KeyError):
                return None
        return None


def tokens(sql: str) -> list[tuple[int, Any]]:
    """Return offset, in bytes, and kind of each token that DuckDB's parser would find in *sql*."""
    if not sql.isascii():
        sql = _WIDE_SPACE.sub(lambda space: " " * len(space[0].encode()), sql)
    return duckdb.tokenize(sql)


def _pieces(sql: str) -> Iterator[str]:
    """Give the texts between semicolons, also those that are empty; joined by `;` they are *sql* again."""
    raw = sql.encode()
    start = 0
    for offset, _ in tokens(sql):  # offsets are in bytes
        if raw[offset : offset + 1] == b";":
            yield raw[start:offset].decode()
            start = offset + 1
    yield raw[start:].decode()


def _statements(
    sql: str, connection: duckdb.DuckDBPyConnection, ours: frozenset[int]
) -> Iterator[tuple[str, list[duckdb.Statement], frozenset[int], int, int]]:
    """Give each statement of *sql*: text, what DuckDB reads in it, our parameters' offsets, lines and bytes before.

    The last has what follows it, semicolons and comments, as `current_query()` shows.
    """
    start = line = before = 0
    found: list[tuple[list[duckdb.Statement], int, int, int, int]] = []
    for text in _pieces(sql):
        end = start + len(text)
        if parsed := connection.extract_statements(text):
            found.append((parsed, start, end, line, before))
        start, line, before = end + 1, line + text.count("\n"), before + len(text.encode()) + 1
    for number, (parsed, start, end, line, before) in enumerate(found, 1):
        text = sql[start : end if number < len(found) else None]
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
    kind = parsed[-1].type.name
    named = "$" in text and kind != "PREPARE" and any(statement.named_parameters for statement in parsed)
    parameters = tuple(_parameters(text, ours)) if ours or named else ()
    returns = kind in _RETURNING and "returning" in text.lower() and _has_keyword(text, "returning")
    return Statement(text, kind, parameters, returning=returns, number=number, of=of, line=line, offset=offset)


def _after_operators(sql: str, start: int) -> tuple[str, list[int]]:
    """Write `$name` for every `:name` from *start* on that follows a sign after which DuckDB has no colon of its own.

    Asking the parser about each of 2,000 parameters would read the whole text 2,000 times.
    """
    raw = sql.encode()
    offsets = [offset for offset, _ in tokens(sql)]
    found = [
        here
        for before, here, after in zip(offsets, offsets[1:], offsets[2:], strict=False)
        if raw[here : here + 1] == b":" and after == here + 1 and raw[before : before + 1] in _NO_COLON_AFTER
    ]
    first = len(sql[:start].encode())
    found = [offset for offset in found if offset >= first]
    for offset in found:
        raw = raw[:offset] + b"$" + raw[offset + 1 :]
    return raw.decode(), [len(raw[:offset].decode()) for offset in found]


def _has_keyword(text: str, keyword: str) -> bool:
    """Whether *keyword* stands in *text* outside strings, quoted names and comments."""
    raw = text.encode().lower()
    return any(
        kind == duckdb.token_type.keyword and raw.startswith(keyword.encode(), offset) for offset, kind in tokens(text)
    )


def first_word(text: str) -> str:
    """Return the first word of *text* that is no comment, in capitals."""
    raw = text.encode()
    for offset, kind in tokens(text):
        if kind != duckdb.token_type.comment:
            return re.match(r"\w*", raw[offset:].decode())[0].upper()  # type: ignore[index] # it always matches
    return ""


def without_semicolon(text: str) -> str:
    """Return *text*, one statement, without the semicolons at its end and what stands after them."""
    raw = text.encode()
    tokens = [offset for offset, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    end = len(raw)
    while tokens and raw[tokens[-1] : tokens[-1] + 1] == b";":
        end = tokens.pop()
    return raw[:end].decode()


def _parameters(text: str, ours: frozenset[int]) -> Iterator[Parameter]:
    raw = text.encode()
    for offset, _ in tokens(text):
        if raw[offset : offset + 1] != b"$":
            continue
        start = len(raw[:offset].decode())
        name = _NAME.match(text, start + 1)
        if name and not text.startswith("$", name.end()):  # `$tag$` opens a string
            yield Parameter(name=name.group(), start=start, sign=":" if start in ours else "$")

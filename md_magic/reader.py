"""The reader of a cell's SQL: where its statements begin and end, and which colons are parameters.

The invariant: DuckDB's own parser decides. A colon is a parameter only where that parser stops at it; whatever the
parser accepts is left as it was typed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import duckdb

from md_magic.statement import Parameter, Statement, without_parentheses

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETURNING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE_INTO"})
_NAME = re.compile(r"[^\W\d]\w*")


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
        pieces = list(_pieces(sql))
        if len(pieces) == 1:  # one statement that DuckDB expands into several, such as PIVOT
            return [_statement(sql, parsed, ours)]
        return list(_statements(sql, pieces, connection, ours))

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
            sql = without_parentheses(f"{sql[:stop]}{glue}${sql[stop + 1 :]}", start)
            found.append(start)
            stop = self._stop(sql)
            if stop is not None and stop <= start:
                return sql, frozenset()
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


def _pieces(sql: str) -> Iterator[tuple[int, int]]:
    """Give the start and end of each statement between semicolons, in characters, without those that are empty."""
    raw = sql.encode()
    start, some = 0, False
    for offset, _ in duckdb.tokenize(sql):  # offsets are in bytes
        if raw[offset : offset + 1] != b";":
            some = True
            continue
        if some:
            yield len(raw[:start].decode()), len(raw[:offset].decode())
        start, some = offset + 1, False
    if some:
        yield len(raw[:start].decode()), len(sql)


def _statements(
    sql: str,
    pieces: list[tuple[int, int]],
    connection: duckdb.DuckDBPyConnection,
    ours: frozenset[int],
) -> Iterator[Statement]:
    for number, (start, end) in enumerate(pieces, 1):
        text = sql[start:end]
        here = frozenset(offset - start for offset in ours if start <= offset < end)
        parsed = connection.extract_statements(text)
        yield _statement(text, parsed, here, number=number, of=len(pieces), line=sql.count("\n", 0, start))


def _statement(
    text: str,
    parsed: list[duckdb.Statement],
    ours: frozenset[int],
    *,
    number: int = 1,
    of: int = 1,
    line: int = 0,
) -> Statement:
    kind = parsed[-1].type.name
    named = any(statement.named_parameters for statement in parsed)
    parameters = tuple(_parameters(text, ours)) if ours or (named and kind != "PREPARE") else ()
    returns = kind in _RETURNING and "returning" in text.lower() and _has_keyword(text, "returning")
    return Statement(text, kind, parameters, returning=returns, number=number, of=of, line=line)


def _has_keyword(text: str, keyword: str) -> bool:
    """Whether *keyword* stands in *text* outside strings, quoted names and comments."""
    raw = text.encode().lower()
    return any(
        kind == duckdb.token_type.keyword and raw.startswith(keyword.encode(), offset)
        for offset, kind in duckdb.tokenize(text)
    )


def _parameters(text: str, ours: frozenset[int]) -> Iterator[Parameter]:
    raw = text.encode()
    for offset, _ in duckdb.tokenize(text):
        if raw[offset : offset + 1] != b"$":
            continue
        start = len(raw[:offset].decode())
        name = _NAME.match(text, start + 1)
        if name and not text.startswith("$", name.end()):  # `$tag$` opens a string
            yield Parameter(name=name.group(), start=start, sign=":" if start in ours else "$")

"""DuckDB's SQL as text: its parser and its tokens tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.errors import StatementError
from md_magic.sql import inline, parser, references, split, values
from md_magic.sql.syntax.base import Syntax
from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from md_magic.sql.inline import InsertionPoint
    from md_magic.sql.statement import Statement
    from md_magic.sql.syntax.base import KeptColumn, Parse
    from md_magic.sql.tokens import Token

_TAKES_NO_CTE = frozenset({"PREPARE", "SET", "VARIABLE_SET", "SET_VARIABLE", "CREATE", "COPY", "CALL", "EXPLAIN"})
"""Kinds of statements that can read a table where no CTE can be put."""

_CHANGE_ROWS = frozenset({"INSERT", "UPDATE", "DELETE"})
"""Kinds of statements that DuckDB 2 takes in a CTE, and that are no query: they would run each time."""

_BETWEEN_VERB_AND_TABLE = frozenset({"into", "from", "or", "replace", "ignore", "only"})


class DuckDBSyntax(Syntax):
    """DuckDB's SQL, of a file, in memory or at MotherDuck."""

    dialect = "duckdb"
    names_are_sure = True
    as_before = ("row_number() OVER ()",)

    def bound_literal(self, value: Any) -> str:  # noqa: ANN401 - see base
        """Return *value* as SQL of the type that DuckDB gives it as a parameter: its own text, cast, where need be."""
        return values.literal(value)

    def operand(self, column: KeptColumn) -> str:
        """Return *column* so that it is sorted and compared as it is kept: as text, where it cannot be kept.

        Texts have a collation of the query's own otherwise, or that of the setting `default_collation`.
        """
        return self.text(column) if column.kind in {"TYPE", "VARCHAR", "VARIANT"} else column.quoted

    def text(self, column: KeptColumn) -> str:
        """Return the text of the values of *column*."""
        return f"{column.quoted}{'' if column.kind == 'VARCHAR' else '::VARCHAR'} COLLATE C"

    def ordered(self, column: KeptColumn, *, down: bool) -> str:
        """Return the part of an ORDER BY that sorts by *column*, with NULLs last."""
        return f"{self.operand(column)} {'DESC' if down else 'ASC'} NULLS LAST"

    def contains(self, column: KeptColumn, text: str) -> str:
        """Return the condition that *column* contains *text* in any case."""
        return f"contains(lower({self.text(column)}), lower({self.quoting.literal(text)}))"

    def comparand(self, column: KeptColumn, value: str | float | Decimal, kind: str) -> str:  # noqa: ARG002 - see base
        """Return *value*, compared as *kind*."""
        literal = self.quoting.literal(value)
        return literal if kind in {"", "VARCHAR"} else f"CAST({literal} AS {kind})"

    def split(self, sql: str, parse: Parse | None = None) -> list[Statement]:
        """Split *sql* as *parse*, a connection's `extract_statements`, reads it. Raises what DuckDB raises."""
        return split.statements(sql, parse or parser.extract)

    def is_finished(self, sql: str) -> bool:
        """Whether *sql* ends with a `;` that is in no string and no comment."""
        read, still_open = tokens(f"{sql}\n")
        return still_open is None and bool(read) and read[-1].text == ";"

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of *text*, as DuckDB's tokenizer reads them."""
        return tokens(text)[0]

    def without_semicolon(self, text: str) -> str:
        """Return *text*, one statement, without the semicolons at its end and what stands after them."""
        return split.without_semicolon(text)

    def is_query(self, text: str, parse: Parse | None = None) -> bool:
        """Whether *text* can be the body of a CTE."""
        parse = parse or parser.extract
        try:
            parse(f"WITH q AS (\n{text}\n) FROM q")
            return split.kind_of(text, parse(text)) not in _CHANGE_ROWS
        except duckdb.Error:
            return False

    def tables(self, query: str, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that a query reads: by its tree, or by its tokens where there is none."""
        return references.tables(query, candidates)

    def tables_read(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that *statement* reads, at its likeliest insertion point or where it has none."""
        text = statement.text
        read, points = _points(text)
        if not points:
            reads = statement.kind in _TAKES_NO_CTE
            return references.tables_in_text(_without_target(text, read), candidates) if reads else []
        point = points[0]
        inner = read if point.form == "list" else [token for token in read if token.end > point.at]
        change = _change(text, inner)
        if change is None:
            return references.tables(text[inline.query_start(read, point, len(text)) : point.end], candidates)
        target = change.target if change.verb != "insert" else None  # what is changed is always the table
        return references.tables_in_text(change.rest, [name for name in candidates if name != target])

    def insertion_points(self, text: str) -> list[InsertionPoint]:
        """Return where CTEs can be put: before a query, in its WITH, behind EXPLAIN, AS, COPY and the like."""
        read, points = _points(text)

        def is_sql(point: InsertionPoint) -> bool:
            return point.form != "with" or not inline.is_bracketed_with([one for one in read if one.start >= point.at])

        return [point for point in points if is_sql(point)]

    def check(self, text: str, parse: Parse | None = None) -> None:
        """Raise `StatementError` for what DuckDB cannot parse."""
        try:
            (parse or parser.extract)(text)
        except duckdb.Error as error:
            raise StatementError(str(error)) from error


def _points(text: str) -> tuple[list[Token], list[InsertionPoint]]:
    read, _ = tokens(text)
    return read, list(inline.points([token for token in read if token.text != ";"], len(text)))


@dataclass(frozen=True, slots=True)
class _Change:
    """The table that a statement changes."""

    verb: str
    target: str
    """Its name in lower case; empty where it is qualified."""

    rest: str
    """The statement without its verb and that name."""


def _change(text: str, read: Sequence[Token]) -> _Change | None:
    """Return what a statement changes; `None` for a query."""
    depth = 0
    for at, token in enumerate(read):
        depth += {"(": 1, ")": -1}.get(token.low, 0)
        is_cte = at + 1 < len(read) and read[at + 1].low == "as"
        if depth or is_cte or token.low not in inline.CHANGES | inline.QUERIES:
            continue
        first = at + 1
        while first < len(read) and read[first].low in _BETWEEN_VERB_AND_TABLE:
            first += 1
        if token.low in inline.QUERIES or first >= len(read):
            return None
        last = first
        while last + 2 < len(read) and read[last + 1].text == ".":
            last += 2
        target = (read[last].name or "").lower() if last == first else ""
        return _Change(token.low, target, f"{text[: token.start]} {text[read[last].end :]}")
    return None


def _without_target(text: str, read: Sequence[Token]) -> str:
    """Return *text*, which makes, sets or copies something, without what it makes; nothing where it only takes rows."""
    if read and read[0].low == "copy":
        way = next((token.low for token in read if token.low in {"from", "to"}), "")
        return text if way == "to" else ""
    begins = {"from", "select", "(", "with", "as", "="}
    return text[next((token.start for token in read if token.low in begins), len(text)) :]

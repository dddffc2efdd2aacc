"""The SQL of databases other than DuckDB as text: their tokens, and sqlglot's trees of their queries.

A colon is a parameter where a name follows it at once, and it is no part of the dialect's own syntax: not in strings,
comments and routines, not in slices such as `a[1:n]` and `a[:n]`, nor in `x::int`, `@a := 1` and `column:field`.
"""

from __future__ import annotations

import logging
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from md_magic.errors import StatementError
from md_magic.sql import references
from md_magic.sql.inline import CHANGES, InsertionPoint
from md_magic.sql.statement import Parameter, Statement
from md_magic.sql.syntax import kinds, lexicon, splitting
from md_magic.sql.syntax.base import Syntax

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.sql.syntax.base import Parse
    from md_magic.sql.syntax.lexicon import Lexicon
    from md_magic.sql.syntax.splitting import Piece
    from md_magic.sql.tokens import Token

_SQLGLOT = {
    "postgresql": "postgres",
    "mssql": "tsql",
    "mariadb": "mysql",
    "awsathena": "athena",
    "cockroachdb": "postgres",
}
"""sqlglot's name of a SQLAlchemy dialect, where the two differ."""

_OUTER_CTE_WINS = frozenset({"mariadb", "mysql"})
"""Dialects in which a WITH inside a CTE names the outer CTE of that name (MariaDB 10.11): another result."""

_CTE_BEFORE_QUERY_ONLY = frozenset({"mariadb", "mysql"})
"""Dialects in which a WITH cannot stand before UPDATE and DELETE: MariaDB's, which MySQL's URLs open as well."""

logging.getLogger("sqlglot").addHandler(logging.NullHandler())  # else Python prints its warnings of odd syntax

_BEGINS_QUERY = frozenset({"select", "values", "table", "with"})
_HOLDS_QUERY = frozenset({"insert", "replace", "explain", "analyze", "describe", "desc", "declare", "prepare", "copy"})
"""Words that begin a statement with a query in it, apart from `CREATE TABLE` and `VIEW`."""

_NAME = re.compile(r"[^\W\d]\w*")
_OPERAND_KINDS = frozenset({"number", "string", "quoted"})


class GenericSyntax(Syntax):
    """The SQL of one SQLAlchemy *dialect*; standard SQL where its lexicon is not known."""

    def __init__(self, dialect: str) -> None:
        """Read and write SQL of *dialect*."""
        self.dialect = dialect

    @cached_property
    def _lexicon(self) -> Lexicon:
        return lexicon.of(self.dialect)

    def split(self, sql: str, parse: Parse | None = None) -> list[Statement]:  # noqa: ARG002 - no driver has a parser
        """Split *sql* into statements and find their parameters.

        Raises `StatementError` for text that has no tokens, such as a string that does not end.
        """
        pieces = splitting.pieces(sql, self._lexicon.tokens(sql), self.dialect)
        return list(self._statements(sql, pieces))

    def _statements(self, sql: str, pieces: Sequence[Piece]) -> Iterator[Statement]:
        line = before = 0
        for number, piece in enumerate(pieces, 1):
            line += sql.count("\n", before, piece.start)
            before = piece.start
            yield Statement(
                text=sql[piece.start : piece.end],
                kind=kinds.kind_of(sql[piece.start : piece.end]),
                parameters=tuple(self._parameters(sql, piece)),
                number=number,
                of=len(pieces),
                line=line,
            )

    def is_finished(self, sql: str) -> bool:
        """Whether a statement below *sql* would be another: within BEGIN and END, a `;` ends none."""
        try:
            return len(self.split(f"{sql}\nSELECT 1")) > len(self.split(sql))
        except StatementError:  # a string that goes on
            return False

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of *text*, without comments. Raises `StatementError` for a string without its end."""
        return self._lexicon.tokens(text)

    def without_semicolon(self, text: str) -> str:
        """Return *text* without the semicolons at its end and what stands after them."""
        tokens, end = self._lexicon.tokens(text), len(text)
        while tokens and tokens[-1].text == ";":
            end = tokens.pop().start
        return text[:end]

    def is_query(self, text: str, parse: Parse | None = None) -> bool:  # noqa: ARG002 - see `split`
        """Whether *text* begins as a query does."""
        tokens = self._lexicon.tokens(text)
        words = [token.low for token in tokens if token.text != "("]
        if words[:1] == ["with"]:
            at = _verb(tokens)
            return at is not None and tokens[at].low not in CHANGES
        return words[:1] != [] and words[0] in _BEGINS_QUERY

    def tables(self, query: str, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that a query reads, by sqlglot's scopes, or its tokens where it has no tree."""
        from sqlglot import exp  # see `_dialect`

        tree = self._tree(query)
        if isinstance(tree, (exp.Query, exp.Values, exp.Insert, exp.Create)):
            read = references.tables_in(tree, self.dialect)  # type: ignore[arg-type] # Query is a mixin
            return [name for name in candidates if name in read]
        return references.tables_in_tokens(self._lexicon.tokens(query), self.reserved, candidates)

    def tables_read(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that *statement* reads; the table that it changes is not read."""
        text = statement.text
        points = self.insertion_points(text)
        if points and points[0].form == "with":
            text = text[points[0].at : points[0].end]
        tokens = self._lexicon.tokens(text)
        at = _verb(tokens)
        if at is None or tokens[at].low not in CHANGES - {"insert"}:
            return self.tables(text, candidates)
        return references.tables_in_tokens(_without_target(tokens, at), self.reserved, candidates)

    def tables_named(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that *statement* reads, or changes."""
        read = self.tables_read(statement, candidates)
        if self.is_query(statement.text):
            return read
        changed = references.tables_in_tokens(self._lexicon.tokens(statement.text), self.reserved, candidates)
        return list(dict.fromkeys([*read, *changed]))

    def insertion_points(self, text: str) -> list[InsertionPoint]:
        """Return where CTEs can be put: before a query, in its WITH, and before the query in another statement."""
        tokens = [token for token in self._lexicon.tokens(text) if token.text != ";"]
        return list(self._points(tokens, len(text)))

    def _points(self, tokens: Sequence[Token], end: int) -> Iterator[InsertionPoint]:
        if not tokens:
            return
        first, word = tokens[0], tokens[0].low
        if word == "with" and len(tokens) > 1:
            recursive = tokens[1].low == "recursive"
            yield InsertionPoint(tokens[1 + recursive].start if len(tokens) > 1 + recursive else end, "list", end)
        elif word in self._takes_with or first.text == "(":
            yield InsertionPoint(first.start, "with", end)
        elif word in _HOLDS_QUERY or _creates_relation(tokens):
            yield from self._points(*_inner(tokens, end))

    @property
    def _takes_with(self) -> frozenset[str]:
        """The words before which a WITH can stand."""
        changes = CHANGES - {"insert"}
        return _BEGINS_QUERY if self.dialect in _CTE_BEFORE_QUERY_ONLY else _BEGINS_QUERY | changes

    def check(self, text: str, parse: Parse | None = None) -> None:  # noqa: ARG002 - see `split`
        """Raise `StatementError` where a WITH defines a name twice, or one that the dialect takes for an outer one."""
        from sqlglot import exp  # see `_dialect`

        tree = self._tree(text)
        clauses = [clause.expressions for clause in tree.find_all(exp.With)] if tree is not None else []
        if self.dialect in _OUTER_CTE_WINS:
            clauses = [[cte for ctes in clauses for cte in ctes]]
        for ctes in clauses:
            names = [cte.alias_or_name.lower() for cte in ctes]
            if twice := [cte.alias_or_name for cte in ctes if names.count(cte.alias_or_name.lower()) > 1]:
                message = f'Duplicate CTE name "{twice[0]}"'
                raise StatementError(message)

    # ---- parameters -------------------------------------------------------------------------------------------------

    def _parameters(self, sql: str, piece: Piece) -> Iterator[Parameter]:
        if splitting.is_routine(piece.tokens):
            return
        before: Token | None = None
        brackets: list[Literal["in", "subscript", ""]] = []
        """What each open bracket is: one after IN, or after an array, where a colon is that of a slice."""

        for at, token in enumerate(piece.tokens):
            if token.text == ":" and (name := _NAME.match(sql, token.end)):
                is_slice = brackets[-1:] == ["subscript"] and (self._is_operand(before) or _text(before) == "[")
                if not (is_slice or self._is_path(before, token)):
                    after = piece.tokens[at + 2] if at + 2 < len(piece.tokens) else None
                    expands = _expands(before, after, in_list=brackets[-1:] == ["in"])
                    yield Parameter(name.group(), token.start - piece.start, ":", expands)
            elif token.text in _OPENS:
                is_subscript = token.text == "[" and self._is_operand(before)
                is_list = before is not None and before.low == "in"
                brackets.append("subscript" if is_subscript else "in" if is_list else "")
            elif token.text in _CLOSES:
                del brackets[-1:]
            before = token

    def _is_operand(self, token: Token | None) -> bool:
        if token is None:
            return False
        if token.kind == "word":
            return token.low not in self.reserved
        return token.kind in _OPERAND_KINDS or token.text in _CLOSES

    def _is_path(self, before: Token | None, colon: Token) -> bool:
        """Whether *colon* stands right after a column whose field it reads."""
        return self._lexicon.paths and before is not None and before.end == colon.start and self._is_operand(before)

    # ---- sqlglot ----------------------------------------------------------------------------------------------------

    def _dialect(self) -> Any:  # noqa: ANN401 - its class has another name in each sqlglot
        from sqlglot.dialects import Dialect  # 100 ms, which a DuckDB cell does not need

        return (Dialect.get(_SQLGLOT.get(self.dialect, self.dialect)) or Dialect)()

    def _tree(self, sql: str) -> Any:  # noqa: ANN401 - see `_dialect`
        import sqlglot  # see `_dialect`
        from sqlglot.errors import SqlglotError

        try:
            return sqlglot.parse_one(sql, dialect=self._dialect())
        except SqlglotError:
            return None


_OPENS, _CLOSES = frozenset("([{"), frozenset(")]}")


def _expands(before: Token | None, after: Token | None, *, in_list: bool) -> Literal["", "list", "whole", "item"]:
    """Return where a parameter between two tokens stands: in the parentheses of an IN it is an item by itself."""
    if before is not None and before.low == "in":
        return "list"
    if not in_list:
        return ""
    around = (_text(before), _text(after))
    return "whole" if around == ("(", ")") else "item" if around[0] in {"(", ","} and around[1] in {")", ","} else ""


def _text(token: Token | None) -> str:
    return token.text if token is not None else ""


def _verb(tokens: Sequence[Token]) -> int | None:
    """Return the index of the word that says what a query or a change does, after its WITH."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.low in CHANGES | {"select", "values"}:
            return at
    return None


def _creates_relation(tokens: Sequence[Token]) -> bool:
    """Whether a statement creates a table or a view."""
    words = [token.low for token in tokens[:8]]
    return words[:1] == ["create"] and bool({"table", "view"} & set(words))


def _inner(tokens: Sequence[Token], end: int) -> tuple[Sequence[Token], int]:
    """Return the tokens and the end of the query, or the change, within a statement such as EXPLAIN or INSERT."""
    verb = tokens[0].low
    if verb == "copy" and len(tokens) > 1 and tokens[1].text == "(":
        close = _closing(tokens, 1)
        return tokens[2:close], tokens[close].start if close < len(tokens) else end
    wanted = _BEGINS_QUERY | (CHANGES if verb in {"explain", "analyze", "prepare"} else frozenset())
    depth = 0
    for at, token in enumerate(tokens[1:-1], 1):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        follows_bracket = tokens[at + 1].text == "("
        is_option = token.low == "with" and follows_bracket  # WITH (fillfactor = 70)
        if depth or is_option:
            continue
        if token.low == "as" and follows_bracket:
            return tokens[at + 1 :], end
        if token.low in wanted - {"table"}:
            return tokens[at:], end
    return (), end


def _closing(tokens: Sequence[Token], opened: int) -> int:
    """Return the index of the parenthesis that closes the one at *opened*."""
    depth = 0
    for at in range(opened, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        if depth == 0:
            return at
    return len(tokens)


def _without_target(tokens: Sequence[Token], verb: int) -> Sequence[Token]:
    """Return the tokens of a change without its *verb* and the name of the table that it changes."""
    at = verb + 1
    while at < len(tokens) and tokens[at].low in {"from", "into", "only"}:
        at += 1
    while at + 2 < len(tokens) and tokens[at + 1].text == ".":
        at += 2
    return [*tokens[:verb], *tokens[at + 1 :]]

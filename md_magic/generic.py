"""The reader of a cell's SQL for databases other than DuckDB, over sqlglot's tokenizers.

A colon is a parameter where a name follows it at once and no operand stands before it: `a[1:n]`, `x::int` and strings
are left alone. Statements end at `;`, except inside a SQLite trigger, as the standard library's sqlite3 sees it.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

from md_magic.errors import StatementError
from md_magic.statement import Parameter, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlglot import Token

_SQLGLOT = {
    "postgresql": "postgres",
    "mssql": "tsql",
    "mariadb": "mysql",
    "awsathena": "athena",
    "cockroachdb": "postgres",
}
"""sqlglot's name of a SQLAlchemy dialect, where the two differ."""

_NAME = re.compile(r"[^\W\d]\w*")
_OPERANDS = frozenset(
    {"VAR", "NUMBER", "STRING", "IDENTIFIER", "R_PAREN", "R_BRACKET", "R_BRACE", "NULL", "TRUE", "FALSE"}
)


def read(sql: str, dialect: str) -> list[Statement]:
    """Split *sql*, in a SQLAlchemy *dialect*, into statements and find their parameters.

    Raises `StatementError` for text that has no tokens, such as a string that does not end.
    """
    tokens = _tokens(sql, dialect)
    pieces = list(_pieces(sql, tokens, dialect))
    return [
        Statement(
            text=sql[start:end],
            parameters=tuple(_parameters(sql, [token for token in tokens if start <= token.start < end], start)),
            number=number,
            of=len(pieces),
            line=sql.count("\n", 0, start),
        )
        for number, (start, end) in enumerate(pieces, 1)
    ]


def tables(sql: str, dialect: str) -> set[str]:
    """Return the tables, in lower case, that one statement names without a schema, but for its own CTEs.

    It is empty for a text that sqlglot cannot parse.
    """
    from sqlglot import exp

    tree = _tree(sql, dialect)
    if tree is None:
        return set()
    own = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    named = {table.name.lower() for table in tree.find_all(exp.Table) if not (table.db or table.catalog)}
    return named - own


def is_query(sql: str, dialect: str) -> bool:
    """Whether one statement is a query, which can stand in another."""
    from sqlglot import exp

    return isinstance(_tree(sql, dialect), exp.Query | exp.Values)


def place_of_with(sql: str, dialect: str) -> tuple[int, bool] | None:
    """Return where in a query CTEs can be put, and whether others follow there; `None` where the statement is none."""
    tokens = _tokens(sql, dialect)
    if not is_query(sql, dialect):
        return None
    if tokens[0].token_type.name != "WITH":
        return tokens[0].start, False
    return tokens[2 if tokens[1].token_type.name == "RECURSIVE" else 1].start, True


def _tree(sql: str, dialect: str) -> Any:  # noqa: ANN401 - its class has another name in each sqlglot
    import sqlglot  # 100 ms, see `_tokens`
    from sqlglot.dialects import Dialect
    from sqlglot.errors import SqlglotError

    name = _SQLGLOT.get(dialect, dialect)
    try:
        return sqlglot.parse_one(sql, dialect=name if Dialect.get(name) else None)
    except SqlglotError:
        return None


def _tokens(sql: str, dialect: str) -> list[Token]:
    from sqlglot.dialects import Dialect  # 100 ms, which a DuckDB cell does not need
    from sqlglot.errors import TokenError

    known = Dialect.get(_SQLGLOT.get(dialect, dialect))
    try:
        return list(known().tokenize(sql) if known else Dialect().tokenize(sql))
    except TokenError as error:
        message = f"The SQL cannot be read: {error}."
        raise StatementError(message) from error


def _pieces(sql: str, tokens: list[Token], dialect: str) -> Iterator[tuple[int, int]]:
    start, some = 0, False
    for token in tokens:
        if token.token_type.name != "SEMICOLON":
            some = True
        elif dialect == "sqlite" and some and not sqlite3.complete_statement(sql[start : token.end + 1]):
            continue  # the body of a trigger
        else:
            if some:
                yield start, token.start
            start, some = token.end + 1, False
    if some:
        yield start, len(sql)


def _parameters(sql: str, tokens: list[Token], base: int) -> Iterator[Parameter]:
    before = ""
    for token in tokens:
        kind = token.token_type.name
        name = _NAME.match(sql, token.start + 1)
        if kind == "COLON" and name and before not in _OPERANDS:
            yield Parameter(name=name.group(), start=token.start - base, sign=":")
        before = kind

"""How the SQL of one kind of database is read and written as text, without a connection.

`Syntax` is the interface; `DuckDBSyntax` asks DuckDB's parser, `GenericSyntax` and its subclasses sqlglot and
SQLAlchemy. A database's `backend.syntax` is one of them, and nothing else asks for a dialect's name to read or write
SQL.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.sql.syntax.base import Syntax


@cache
def of(dialect: str) -> Syntax:
    """Return the syntax of a SQLAlchemy *dialect*, one and the same for all its databases."""
    return _BY_DIALECT.get(dialect, _generic)(dialect)


def _duckdb(_dialect: str) -> Syntax:
    from md_magic.sql.syntax.duckdb import DuckDBSyntax  # imports duckdb, 100 ms

    return DuckDBSyntax()


def _generic(dialect: str) -> Syntax:
    from md_magic.sql.syntax.generic import GenericSyntax  # which DuckDB's cells do not need

    return GenericSyntax(dialect)


def _postgresql(dialect: str) -> Syntax:
    from md_magic.sql.syntax.postgresql import PostgreSQLSyntax  # see `_generic`

    return PostgreSQLSyntax(dialect)


def _sqlite(dialect: str) -> Syntax:
    from md_magic.sql.syntax.sqlite import SQLiteSyntax  # see `_generic`

    return SQLiteSyntax(dialect)


def _mysql(dialect: str) -> Syntax:
    from md_magic.sql.syntax.mysql import MySQLSyntax  # see `_generic`

    return MySQLSyntax(dialect)


_BY_DIALECT: dict[str, Callable[[str], Syntax]] = {
    "duckdb": _duckdb,
    "mariadb": _mysql,
    "mysql": _mysql,
    "postgresql": _postgresql,
    "sqlite": _sqlite,
}

"""The interface of a syntax."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from md_magic.sql import keywords, quoting
from md_magic.sql.statement import without_parentheses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from md_magic.sql.inline import InsertionPoint
    from md_magic.sql.quoting import Quoting
    from md_magic.sql.statement import Statement
    from md_magic.sql.tokens import Token

    Parse = Callable[[str], Any]
    """A connection's own parser: it raises the driver's error for a text that it does not accept."""


_TEXT_KINDS = {
    "bigquery": "STRING",
    "databricks": "STRING",
    "hive": "STRING",
    "mariadb": "CHAR",
    "mssql": "VARCHAR(MAX)",
    "mysql": "CHAR",
    "oracle": "VARCHAR2(4000)",
    "spark": "STRING",
}
"""What a value is cast to where VARCHAR is no text of any length."""


class Syntax(ABC):
    """How the SQL of one dialect is read and written as text."""

    dialect: str
    """SQLAlchemy's name of it."""

    @property
    def quoting(self) -> Quoting:
        """How names and values are quoted."""
        return quoting.of(self.dialect)

    @property
    def reserved(self) -> frozenset[str]:
        """The words, in lower case, that are no bare name."""
        return keywords.reserved(self.dialect)

    @property
    def main_schema(self) -> str:
        """The schema that every database has, and its tables by default; empty where none is so."""
        return {"duckdb": "main", "sqlite": "main", "postgresql": "public"}.get(self.dialect, "")

    def with_literals(self, statement: Statement, values: Mapping[str, object]) -> str:
        """Return the text of *statement* with *values* written into it, for what can only be asked without parameters.

        Raises `ValueError` for a value that has no literal.
        """
        text = statement.text
        for parameter in reversed(statement.parameters):
            end = parameter.start + 1 + len(parameter.name)
            if parameter.name in values:
                if isinstance(values[parameter.name], list):
                    text = without_parentheses(text, parameter.start)
                text = text[: parameter.start] + self.quoting.literal(values[parameter.name]) + text[end:]
        return text

    @property
    def as_before(self) -> tuple[str, ...]:
        """What ends an ORDER BY so that equal rows stay as they were; empty where nothing says so."""
        return ()

    def ordered(self, column: str, *, down: bool) -> str:
        """Return the part of an ORDER BY that sorts by *column*, a name in quotes, with NULLs last."""
        return f"CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {column}{' DESC' if down else ''}"

    def contains(self, column: str, text: str) -> str:
        """Return the condition that *column*, a name in quotes, contains *text* in any case."""
        pattern = re.sub(r"[!%_]", r"!\g<0>", text.lower())
        kind = _TEXT_KINDS.get(self.dialect, "VARCHAR")
        literal = self.quoting.literal(f"%{pattern}%")
        return f"lower(CAST({column} AS {kind})) LIKE {literal} ESCAPE '!'"

    def typed(self, literal: str, kind: str) -> str:  # noqa: ARG002 - for DuckDB
        """Return the *literal* of a text so that it is compared as DuckDB's type *kind*."""
        return literal

    @abstractmethod
    def split(self, sql: str, parse: Parse | None = None) -> list[Statement]:
        """Split *sql* into statements and find their parameters; *parse* is the connection's parser, if it has one."""

    @abstractmethod
    def is_finished(self, sql: str) -> bool:
        """Whether *sql* ends where a statement ends, with its `;`: what is typed below it belongs to another."""

    @abstractmethod
    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of *text*, without comments."""

    @abstractmethod
    def without_semicolon(self, text: str) -> str:
        """Return *text*, one statement, without a semicolon at its end and what stands after it."""

    @abstractmethod
    def is_query(self, text: str, parse: Parse | None = None) -> bool:
        """Whether *text*, one statement, is a query that can stand in another."""

    @abstractmethod
    def tables(self, query: str, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates*, in lower case, that a query reads as unqualified tables, but for its own CTEs."""

    @abstractmethod
    def tables_read(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that any *statement* reads; the table that it changes is not read."""

    def tables_named(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that *statement* reads, or changes, as far as is known."""
        return self.tables_read(statement, candidates)

    @abstractmethod
    def insertion_points(self, text: str) -> list[InsertionPoint]:
        """Return where CTEs can be put into a statement, the likeliest place first."""

    @abstractmethod
    def check(self, text: str, parse: Parse | None = None) -> None:
        """Raise `StatementError` for a statement with CTEs put into it that is no SQL, as far as the text tells."""

"""Names and values as SQL text, quoted as a database reads them."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any

from md_magic.sql import keywords

_KEEPS_CASE = frozenset({"duckdb", "sqlite", "mysql", "mariadb", "mssql"})
"""Dialects in which an unquoted name keeps its capitals, or they do not matter."""

_QUOTE_IN_STRING = {
    "bigquery": r"\'",
    "clickhouse": "''",
    "databricks": r"\'",
    "doris": "''",
    "hive": r"\'",
    "mariadb": "''",
    "mysql": "''",
    "singlestoredb": "''",
    "snowflake": "''",
    "spark": r"\'",
    "starrocks": "''",
}
"""How a quote is written within a string, by dialects in which a backslash escapes what follows it."""

_PLAIN_STRINGS = frozenset(
    {"cockroachdb", "duckdb", "mssql", "oracle", "postgresql", "redshift", "sqlite", "teradata", "trino"}
)
"""Dialects in which a backslash within a string is a backslash, as the standard says."""

_NO_TYPED_LITERALS = frozenset({"sqlite", "mssql"})
"""Dialects without `DATE '2024-01-31'`, in which a date is a text."""

_TIMESTAMPTZ = frozenset({"duckdb", "postgresql", "cockroachdb", "redshift"})
"""Dialects with `TIMESTAMPTZ '...'`; the others take a timestamp with an offset where they can."""


@dataclass(frozen=True, slots=True)
class Quoting:
    """How one dialect quotes."""

    dialect: str = "duckdb"
    """SQLAlchemy's name of it."""

    opening: str = '"'
    closing: str = '"'

    def identifier(self, *parts: str) -> str:
        """Return the name whose *parts* those are, such as a schema and a table, each in quotes."""
        doubled = self.closing * 2
        return ".".join(self.opening + part.replace(self.closing, doubled) + self.closing for part in parts)

    def where_needed(self, name: str) -> str:
        """Return *name*, in quotes only where it would not be read as this name without them."""
        plain = name[:1].isalpha() or name[:1] == "_"
        plain = plain and all(char.isalnum() or char == "_" for char in name)
        folded = self.dialect not in _KEEPS_CASE and name != name.lower()
        if plain and not folded and name.lower() not in keywords.reserved(self.dialect):
            return name
        return self.identifier(name)

    def literal(self, value: Any) -> str:  # noqa: ANN401 - whatever a variable holds
        """Return *value* as SQL: text quoted, None as NULL, a list in parentheses, for IN.

        Raises `ValueError` for a value that has no literal.
        """
        if isinstance(value, list | tuple | set | frozenset) and value:
            return f"({', '.join(self.literal(item) for item in value)})"
        if isinstance(value, dt.date | dt.time):
            return self._moment(value)
        if isinstance(value, str) and "\0" not in value:
            return self._text(str.__str__(value))  # a Markup would escape what is added to it
        if isinstance(value, uuid.UUID):
            return f"'{value}'"
        written = _number(value)
        if written is None:
            message = f"A {type(value).__name__} has no literal."
            raise ValueError(message)
        return written

    def _text(self, value: str) -> str:
        quote = _QUOTE_IN_STRING.get(self.dialect)
        if quote is not None:
            value = value.replace("\\", "\\\\")
        return "'" + value.replace("'", quote or "''") + "'"

    def _moment(self, value: dt.date | dt.time) -> str:
        if value != value:  # noqa: PLR0124 - pandas.NaT is a datetime, and not equal to itself
            return "NULL"
        if isinstance(value, dt.datetime):
            zoned = value.tzinfo is not None and self.dialect in _TIMESTAMPTZ
            kind, text = ("TIMESTAMPTZ" if zoned else "TIMESTAMP"), value.isoformat(" ")
        else:
            kind, text = ("DATE" if isinstance(value, dt.date) else "TIME"), value.isoformat()
        return f"'{text}'" if self.dialect in _NO_TYPED_LITERALS else f"{kind} '{text}'"


DUCKDB = Quoting()
"""DuckDB's quoting."""

_BUILT_IN = {DUCKDB.dialect: DUCKDB}
"""Known without SQLAlchemy, which a key press before the first cell must not import."""

identifier = DUCKDB.identifier
"""Quote a name for DuckDB, always."""


def is_known(dialect: str) -> bool:
    """Tell whether it is known how a string of *dialect* is written. Of the others a text could leave its quotes."""
    return dialect in _PLAIN_STRINGS or dialect in _QUOTE_IN_STRING


@cache
def of(dialect: str) -> Quoting:
    """Return how a SQLAlchemy *dialect* quotes; as the standard says where SQLAlchemy does not know the dialect."""
    if dialect in _BUILT_IN:
        return _BUILT_IN[dialect]
    preparer = keywords.identifier_preparer(dialect)
    return Quoting(dialect, preparer.initial_quote, preparer.final_quote)


def _number(value: Any) -> str | None:  # noqa: ANN401 - see `Quoting.literal`
    """Return what is no text as SQL; `None` for what has no literal."""
    written = None
    match value:
        case None:
            written = "NULL"
        case bool():
            written = "TRUE" if value else "FALSE"
        case int():
            written = str(int(value))
        case float() if math.isfinite(value):
            written = repr(float(value))
        case float():
            written = f"CAST('{value}' AS DOUBLE PRECISION)"
        case decimal.Decimal() if value.is_finite():
            written = f"{value:f}"
    return _signed(written) if written is not None else None


def _signed(number: str) -> str:
    """Return *number* so that a sign before it or a cast after it sees all of it: `1 --2` is a comment."""
    return f"({number})" if number.startswith("-") else number

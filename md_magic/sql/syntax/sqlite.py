"""SQLite's SQL as text: values as they are bound, and columns that are sorted and compared as DuckDB does."""

from __future__ import annotations

import decimal
import math
import uuid
from typing import TYPE_CHECKING, Any

from md_magic.sql.syntax.generic import GenericSyntax

if TYPE_CHECKING:
    from md_magic.sql.syntax.base import KeptColumn


_ASCII = "SQLite knows upper and lower case of ASCII only"


class SQLiteSyntax(GenericSyntax):
    """SQLite's SQL, in which a value has a type, and a column a collation."""

    def bound_literal(self, value: Any) -> str:  # noqa: ANN401 - see base
        """Return *value* as SQL as it is bound: what SQLite has no type for is a text."""
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{value} has no literal."
            raise ValueError(message)
        return super().bound_literal(str(value) if isinstance(value, decimal.Decimal | uuid.UUID) else value)

    def bytes_literal(self, value: bytes) -> str:
        """Return *value* as SQL."""
        return f"x'{value.hex()}'"

    def operand(self, column: KeptColumn) -> str:
        """Return *column* so that texts are compared by their characters, and texts among bytes as bytes."""
        written = super().operand(column)
        if column.kind == "BLOB":
            return f"CAST({written} AS BLOB)"
        return f"{written} COLLATE BINARY" if column.kind == "VARCHAR" else written

    def contains(self, column: KeptColumn, text: str) -> str:
        """Return the condition that *column* contains *text* in any case, which SQLite knows of ASCII alone."""
        if not text.isascii():
            raise column.has_no_sql(_ASCII)
        return super().contains(column, text)

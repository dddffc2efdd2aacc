"""MySQL's and MariaDB's SQL as text: values as they are bound, and columns that are compared as DuckDB does."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from md_magic.sql.syntax.generic import GenericSyntax

if TYPE_CHECKING:
    from md_magic.sql.syntax.base import KeptColumn


class MySQLSyntax(GenericSyntax):
    """The SQL of MySQL and MariaDB, in which most texts are equal in any case, and with blanks at their end."""

    def bound_literal(self, value: Any) -> str:  # noqa: ANN401 - see base
        """Return *value* as SQL of the type that it is bound as. A moment with a time zone has none."""
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            message = "A moment with a time zone has no literal."
            raise ValueError(message)
        written = super().bound_literal(value)
        is_decimal = isinstance(value, float) and "e" not in written.lower()
        return f"({written} + 0e0)" if is_decimal else written

    def bytes_literal(self, value: bytes) -> str:
        """Return *value* as SQL."""
        return f"x'{value.hex()}'"

    def operand(self, column: KeptColumn) -> str:
        """Return *column* so that texts are compared by their characters, as UTF-8."""
        written = super().operand(column)
        return f"CAST(CONVERT({written} USING utf8mb4) AS BINARY)" if column.kind == "VARCHAR" else written

    def contains(self, column: KeptColumn, text: str) -> str:
        """Return the condition that *column* contains *text* in any case, but with the same accents."""
        written = column.quoted if column.kind == "VARCHAR" else self.text(column)
        return f"lower(CONVERT({written} USING utf8mb4)) LIKE {self._pattern(text, 'COLLATE utf8mb4_bin')}"

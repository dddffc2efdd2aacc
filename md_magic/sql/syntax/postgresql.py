"""PostgreSQL's SQL as text: values of its types, and columns that are sorted and compared as DuckDB does."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from md_magic.sql.syntax.generic import GenericSyntax

if TYPE_CHECKING:
    from decimal import Decimal

    from md_magic.sql.syntax.base import KeptColumn

_SAME_TEXT = re.compile(r"BOOLEAN|TIME|TIMESTAMP( WITH TIME ZONE)?")
"""DuckDB's types of which PostgreSQL, beside those of every database, writes the values alike."""


class PostgreSQLSyntax(GenericSyntax):
    """PostgreSQL's SQL. A text of a grid is what the server itself writes, whatever the type is there."""

    def bound_literal(self, value: Any) -> str:  # noqa: ANN401 - see base
        """Return *value* as SQL of the type that drivers bind it as. Raises `ValueError` where it has none."""
        if isinstance(value, list) and value:
            return f"ARRAY[{', '.join(map(self.bound_literal, value))}]"
        if isinstance(value, uuid.UUID):
            return f"CAST('{value}' AS uuid)"
        written = super().bound_literal(value)
        return f"CAST({written} AS double precision)" if isinstance(value, float) else written

    def bytes_literal(self, value: bytes) -> str:
        """Return *value* as SQL, whatever a backslash means in strings."""
        return f"decode('{value.hex()}', 'hex')"

    def operand(self, column: KeptColumn) -> str:
        """Return *column* so that texts are compared by their characters, and numbers as doubles."""
        match column.kind:
            case "VARCHAR":
                return f'{self.text(column)} COLLATE "C"'
            case "DOUBLE" if column.converted:  # numeric
                return f"CAST({column.quoted} AS double precision)"
        return super().operand(column)

    def text(self, column: KeptColumn) -> str:
        """Return the text of the values of *column*: a cast drops blanks of char(n), and adds /32 to an address."""
        if column.kind == "VARCHAR":
            written = f"CASE WHEN {column.quoted} IS NOT NULL THEN format('%s', {column.quoted}) END"
            return written if column.converted else column.quoted
        if _SAME_TEXT.fullmatch(column.kind):
            return f"CAST({column.quoted} AS VARCHAR)"
        return super().text(column)

    def contains(self, column: KeptColumn, text: str) -> str:
        """Return the condition that *column* contains *text* in any case: that of all languages, where need be."""
        lower = 'COLLATE "C"' if text.isascii() else 'COLLATE "und-x-icu"'
        pattern = self._pattern(text)
        return f'lower({self.text(column)} {lower}) COLLATE "C" LIKE {pattern}'

    def comparand(self, column: KeptColumn, value: str | float | Decimal, kind: str) -> str:
        """Return what *column* is compared with: a number as `real` where DuckDB does so."""
        if column.kind == "FLOAT" and not isinstance(value, (str, float)):
            return f"CAST({self.quoting.literal(value)} AS real)"
        return self.quoting.literal(value) if column.kind == "FLOAT" else super().comparand(column, value, kind)

"""The columns of a result: their names, and their types as DuckDB spells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa

INTEGERS = frozenset(
    [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "BIGNUM",
    ]
)
"""DuckDB's types of whole numbers."""

_NUMBERS = INTEGERS | {"FLOAT", "DOUBLE"}
_BRIEF = frozenset(
    [
        "BOOLEAN",
        "DATE",
        "INTERVAL",
        "TIME",
        "TIME WITH TIME ZONE",
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP_MS",
        "TIMESTAMP_NS",
        "TIMESTAMP_S",
        "UUID",
    ]
)
"""Types beside numbers of which every value has a short text."""

_NO_ARROW = re.compile(r"\b(BIT|TIME WITH TIME ZONE|TYPE|VARIANT)\b")
"""Types that Arrow lacks, or that DuckDB 1.5 writes to it and does not read back as they were."""

_ENUM, _MANY = re.compile(r"\bENUM\("), re.compile(r"\[|\bMAP\(")
"""What DuckDB 1.5 must not read from Arrow together: many NULLs of an ENUM within lists end the process."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    name: str
    kind: str
    """DuckDB's type, as `DESCRIBE` spells it."""

    converted: bool = False
    """Whether the values were made from those of another type that another database has."""

    @property
    def number(self) -> bool:
        """Whether its values are numbers, which are compared as such and stand at the right."""
        return self.kind in _NUMBERS or self.kind.startswith("DECIMAL(")

    @property
    def brief(self) -> bool:
        """Whether the text of each value is short, whatever the value."""
        return self.kind in _BRIEF or (self.number and self.kind != "BIGNUM")

    @property
    def needs_text(self) -> bool:
        """Whether its values come here as text, because Arrow cannot hold them or DuckDB not read them from it."""
        kind = re.sub(r"\"[^\"]*\"|'[^']*'", "", self.kind)
        return _NO_ARROW.search(kind) is not None or (_ENUM.search(kind) is not None and _MANY.search(kind) is not None)


CONVERTED = {b"md_magic": b"converted"}
"""What a field of Arrow says of a column whose values were made from those of another type."""


def columns_of(schema: pa.Schema) -> list[Column]:
    """Return the columns of another database's rows, with the types that DuckDB has for them."""
    with duckdb.connect(":memory:") as own:
        relation = own.from_arrow(schema.empty_table())
        return [
            Column(field.name, str(kind), (field.metadata or {}).items() >= CONVERTED.items())
            for field, kind in zip(schema, relation.types, strict=True)
        ]

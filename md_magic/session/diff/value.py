"""What differs between two tables, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

    from md_magic.engine.backends.digests import Kind
    from md_magic.engine.results.scratch import Scratch

FEW = 10
"""Differing rows that are shown."""

_TYPES: dict[Kind, str] = {
    "boolean": "BOOLEAN",
    "integer": "HUGEINT",
    "single": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "nanoseconds": "TIMESTAMP_NS",
}
"""Types that the values of a frame get, where each of them has one; others stay texts, which are exact."""


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """A column of one table, or of both."""

    name: str
    here: str | None
    """Its type in the first table; `None` where it has none."""

    there: str | None
    differs: bool = False
    """Whether the types differ."""

    kind: Kind = "text"
    """As what the values are compared."""

    changed: int = 0
    """How many of the changed rows have another value in it."""

    as_type: str = ""
    """The type as which a database compares nested values; else empty."""


class DifferingRow(NamedTuple):
    """A row of one of the tables that the other has not so."""

    change: str
    """`only here`, `only there` or `changed`."""

    table: str
    """`here` or `there`."""

    changed_in: frozenset[str]
    """The columns that changed."""

    values: tuple[str | None, ...]
    """The columns of both tables, as texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Diff:
    """What differs between two tables. It is true where anything does: `if diff: ...`, `assert not diff`."""

    here: str
    """The first of them, as it was typed."""

    there: str
    columns: tuple[ComparedColumn, ...]
    key: tuple[str, ...]
    """The columns that say which rows belong together; empty where rows are compared as wholes."""

    rows_here: int
    rows_there: int
    only_here: int = 0
    only_there: int = 0
    changed: int = 0
    notes: tuple[str, ...] = ()
    examples: tuple[DifferingRow, ...] = ()
    """The first differing rows."""

    _scratch: Scratch | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Whether anything differs: columns, types or rows."""
        return self.schema_differs or self.rows_differ

    @property
    def same(self) -> int:
        """How many rows are the same in both."""
        return self.rows_here - self.only_here - self.changed

    @property
    def schema_differs(self) -> bool:
        """Whether a column is in one table only, or has another type."""
        return any(column.differs or column.here is None or column.there is None for column in self.columns)

    @property
    def rows_differ(self) -> bool:
        """Whether a row is in one table only, or changed."""
        return bool(self.only_here or self.only_there or self.changed)

    @property
    def compared(self) -> list[ComparedColumn]:
        """The columns of both tables."""
        return [column for column in self.columns if column.here is not None and column.there is not None]

    def frame(self) -> pd.DataFrame:
        """Return the differing rows: `change`, `table`, `columns` that changed, and what both tables have.

        A row that changed is there twice, as it is in each table. Numbers, dates and times have their types, other
        values are texts.
        """
        names = ["change", "table", "columns", *(column.name for column in self.compared)]
        if self._scratch is None:
            import pandas as pd  # loaded with the first result

            return pd.DataFrame(columns=names)
        shown = ", ".join(self._typed(at, column) for at, column in enumerate(self.compared))
        changed = "array_to_string(changed_in, ', ') AS changed_in"
        names_of_values = f", {shown}" if shown else ""
        rows = self._scratch.run(f"SELECT change, side, {changed}{names_of_values} FROM found ORDER BY nr, side")  # noqa: S608 - names of ours
        frame: pd.DataFrame = rows.to_pandas()
        return frame.set_axis(names, axis=1)

    def _typed(self, at: int, column: ComparedColumn) -> str:
        kind = _TYPES.get(column.kind)
        if kind is None or self._scratch is None:
            return f"v{at}"
        kinds = (kind, "BIGINT") if kind == "HUGEINT" else (kind,)
        for narrower in reversed(kinds):
            lost = f"v{at} IS NOT NULL AND TRY_CAST(v{at} AS {narrower}) IS NULL"
            asked: Any = self._scratch.run(f"SELECT count(*) FILTER ({lost}) AS n FROM found")  # noqa: S608 - see above
            if asked["n"][0].as_py() == 0:
                return f"CAST(v{at} AS {narrower})"
        return f"v{at}"

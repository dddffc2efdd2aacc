"""A statement: one piece of a cell's SQL with the places of its parameters, as a value.

The invariant: `Statement.clause` is the text as typed, except for the parameters to bind. Whatever SQLAlchemy's
`text()` would misread is escaped, so that the database receives the text as it was typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Form = Literal[
    "pandas",  # a DataFrame, as DuckDB's own `.df()` gives it
    "polars",  # a Polars DataFrame over the Arrow buffers
    "arrow",  # a pyarrow Table
    "reader",  # a streaming pyarrow RecordBatchReader
    "dict",  # column names to lists of Python values
]
"""The form of a result."""

How = Literal[
    "create",  # a table that is not there yet
    "replace",  # whatever table has the name now
    "append",  # rows of a table that is there, by the names of its columns
]
"""How a frame is written to a table."""

_GLUED = re.compile(r"[:\w\\]\Z")
"""What must not stand right before a `:name` for `text()` to see it as a parameter."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A place in a statement's text where a value can be bound."""

    name: str
    start: int
    """Offset of its sign in the statement's text, in characters."""

    sign: str
    """How it was written: `:` is ours and must have a value, `$` is DuckDB's own and may have one."""

    expands: Literal["", "list", "whole", "item"] = ""
    """Where a list becomes its items: right after IN, alone in the parentheses after it, or beside other values.

    DuckDB has lists, and none becomes its items.
    """


@dataclass(frozen=True, slots=True)
class Inserted:
    """Lines in a statement's text that are not in the cell: saved queries. Positions in errors do not count them."""

    line: int
    """Number of the first of them, in the cell as if it had them."""

    lines: int
    offset: int
    """How many bytes of the cell stand before them."""

    size: int
    """How many bytes they are."""

    head: str
    """What is typed before them on the line that they divide, and in its place stands blank after them; or empty."""

    tail: str
    """What is typed after them on that line."""

    queries: tuple[tuple[str, int, int], ...]
    """Of each query its name, the number of the line before its first, and how many lines these are."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a cell."""

    text: str
    """The SQL as the database understands it; a parameter is written `$name` for DuckDB, `:name` elsewhere."""

    kind: str = ""
    """DuckDB's statement type, such as `SELECT` or `INSERT`; empty where the database cannot tell."""

    parameters: tuple[Parameter, ...] = ()
    returning: bool = False
    """Whether it changes rows and gives them back."""

    number: int = 1
    of: int = 1
    """This is statement *number* of *of* in its cell."""

    line: int = 0
    """How many lines of the cell stand above this statement's text."""

    offset: int = 0
    """How many bytes of the cell stand before this statement's text: DuckDB counts positions in bytes."""

    inserted: Inserted | None = None

    def position_in_cell(self, byte: int) -> int:
        """Return the byte offset in the cell of what stands at *byte* of the text.

        Of what stands in an inserted saved query it is where that query is inserted.
        """
        position, added = byte + self.offset, self.inserted
        if added is None or position < added.offset:
            return position
        return max(position - added.size, added.offset)

    def clause(self, values: Mapping[str, object]) -> str:
        """Return the text for `sqlalchemy.text()`, with the parameters that have one of *values* as `:name`."""
        bound = [parameter for parameter in self.parameters if parameter.name in values]
        text = self.text
        for parameter in bound:
            if isinstance(values[parameter.name], list):
                text = without_parentheses(text, parameter.start)
        return self._clause(text, bound)

    @staticmethod
    def _clause(text: str, bound: Sequence[Parameter]) -> str:
        parts, done = [], 0
        for parameter in bound:
            parts.append(escape(text[done : parameter.start]))
            glue = " " if parts[-1] and _GLUED.search(parts[-1]) else ""
            parts.append(f"{glue}:{parameter.name}")
            done = parameter.start + 1 + len(parameter.name)
        parts.append(escape(text[done:]))
        return "".join(parts)


_IN_OPEN = re.compile(r"(?i)\bin\s*\(\s*\Z")
_IN_CLOSE = re.compile(r"[:$]\w+\s*\)")


def without_parentheses(sql: str, at: int) -> str:
    """Write `IN (:ids)`, whose parameter begins at *at*, as `IN  :ids `: one list expands in either spelling."""
    opened = _IN_OPEN.search(sql, 0, at)
    closed = _IN_CLOSE.match(sql, at)
    if not (opened and closed):
        return sql
    left = opened.group().rindex("(") + opened.start()
    right = closed.end() - 1
    return f"{sql[:left]} {sql[left + 1 : right]} {sql[right + 1 :]}"


def escape(sql: str) -> str:
    r"""Return *sql* so that `sqlalchemy.text()` finds no parameter in it and gives back *sql* itself.

    `text()` takes `\:` for a literal colon. With a backslash put before every colon, each backslash that `text()`
    removes is one of ours: the user's own, as in `'\:x'`, is never the one that stands next to the colon.
    """
    return sql.replace(":", "\\:")

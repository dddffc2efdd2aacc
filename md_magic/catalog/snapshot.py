"""The catalog snapshot: the names in an open target, as an immutable value for completion, tooltips and listings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from md_magic.sql.quoting import DUCKDB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from md_magic.sql.quoting import Quoting

TableKind = Literal["table", "view"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its *type* is empty where it is not known."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view, with its database and schema."""

    name: str
    schema: str = ""
    database: str = ""
    kind: TableKind = "table"
    rows: int | None = None
    """Number of rows, as the database estimates it."""

    comment: str = ""

    @property
    def home(self) -> tuple[str, str]:
        """Database and schema."""
        return self.database, self.schema


@dataclass(frozen=True, slots=True)
class Function:
    """A function name with all its overloads."""

    name: str
    kind: str
    """`scalar`, `aggregate`, `table`, `macro`, `table_macro` or `pragma`, as DuckDB says."""

    signatures: tuple[str, ...] = ()
    description: str = ""
    parameters: tuple[str, ...] = ()
    """Names of the parameters that a table function takes by name."""

    macros: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Parameters and body of each overload of a macro that somebody has made. Default values are not known."""


def _no_columns(_table: Table) -> tuple[Column, ...]:
    return ()


def _no_answer(_parts: tuple[str, ...]) -> tuple[Column, ...]:
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that SQL can name on a target, at one moment. Lookups never wait for a query, except in `ask`."""

    databases: tuple[str, ...] = ()
    schemas: tuple[tuple[str, str], ...] = ()
    """Database and schema."""

    tables: tuple[Table, ...] = ()
    path: tuple[tuple[str, str], ...] = ()
    """The search path: databases and schemas in which an unqualified name is looked up, in order."""

    functions: Mapping[str, Function] = field(default_factory=dict)
    """By lower-case name."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Name and description."""

    keywords: frozenset[str] = frozenset()
    """The database's keywords, in lower case; none where they are not known, or are DuckDB's."""

    types: tuple[str, ...] = ()
    """The types that somebody has made."""

    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values of those that are an ENUM, by lower-case name."""

    quoting: Quoting = DUCKDB
    """How a name is quoted here."""

    columns_of: Callable[[Table], tuple[Column, ...]] = field(default=_no_columns, repr=False)
    """Returns the columns of a table, as far as they are known."""

    ask: Callable[[tuple[str, ...]], tuple[Column, ...]] = field(default=_no_answer, repr=False)
    """Returns the columns of a table that may have been created after the snapshot was taken."""

    ordered: Sequence[tuple[str, bool, Table]] = field(init=False, repr=False)
    """Tuples of lower-case name, whether the unqualified name resolves to it, and table; those that do come first."""

    _index: Mapping[str, list[Table]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the tables once: a key press must not search 10,000 of them for each name in the cell."""
        index: dict[str, list[Table]] = defaultdict(list)
        for table in self.tables:
            index[table.name.lower()].append(table)
        object.__setattr__(self, "_index", dict(index))
        path = set(self.path)
        keyed = [(table.name.lower(), not path or table.home in path, table) for table in self.tables]
        keyed.sort(key=lambda entry: (not entry[1], entry[0]))
        object.__setattr__(self, "ordered", keyed)

    def find(self, parts: tuple[str, ...]) -> Table | None:
        """Return the table that the dotted name *parts* refers to: `t`, `schema.t`, `database.t` or all three parts.

        Case is ignored, unless two names differ in nothing else.
        """
        if not parts:
            return None
        *where, name = (part.lower() for part in parts)
        matching = [table for table in self._index.get(name, ()) if _fits(where, table)]
        if not matching:
            return None
        ranks = {schema: rank for rank, schema in reversed(list(enumerate(self.path)))}
        reachable = [table for table in matching if where or table.home in ranks or not self.path]

        def rank(table: Table) -> tuple[int, bool, bool]:
            return ranks.get(table.home, len(self.path)), table.database != self.current, table.name != parts[-1]

        return min(reachable, key=rank, default=None)

    @property
    def current(self) -> str:
        """The database in which an unqualified schema is looked up."""
        return next((database for database, _ in self.path if database != "temp"), "")

    def short(self, table: Table) -> str:
        """Return the shortest name that resolves to *table* on the current search path."""
        if self.find((table.name,)) == table:
            return self.quoting.where_needed(table.name)
        here = not self.path or table.database == self.current
        parts = [table.schema, table.name] if here else [table.database, table.schema, table.name]
        return ".".join(self.quoting.where_needed(part) for part in parts if part)


def _fits(where: Sequence[str], table: Table) -> bool:
    """Whether *where*, in lower case, can stand before the name of *table*: its schema, its database, or both."""
    database, schema = table.database.lower(), table.schema.lower()
    if not where:
        return True
    if len(where) == 1:
        return where[0] == schema or (where[0] == database and schema in {"main", "public", ""})
    return list(where) == [database, schema]

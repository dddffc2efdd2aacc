"""What an open target holds, by name: an immutable picture that completion and tooltips read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

TableKind = Literal["table", "view"]

RESERVED = frozenset(
    (
        "all analyse analyze and anti any array as asc asof asymmetric at authorization between both by case"
        " cast check coalesce collate collation column columns concurrently constraint create cross default"
        " deferrable desc describe distinct do else end except exists false fetch for foreign freeze from full"
        " generated glob group having ilike in initially inner intersect into is isnull join lambda lateral"
        " leading left like limit map natural not notnull null offset on only or order outer overlaps pivot"
        " pivot_longer pivot_wider placing positional primary qualify references returning right row select"
        " semi show similar some struct summarize symmetric table tablesample then to trailing true try_cast"
        " union unique unpack unpivot using variadic verbose when where window with"
    ).split()
)
"""Words that are no bare name everywhere in DuckDB 1.5: reserved ones, and those that are a function's or a type's."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its *type* is empty where nobody has said it."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view, and where it is."""

    name: str
    schema: str = ""
    database: str = ""
    kind: TableKind = "table"
    rows: int | None = None
    """The database's estimate."""

    comment: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Database and schema."""
        return self.database, self.schema


@dataclass(frozen=True, slots=True)
class Function:
    """A function under one name, with all the ways to call it."""

    name: str
    kind: str
    """`scalar`, `aggregate`, `table`, `macro`, `table_macro` or `pragma`, as DuckDB says."""

    signatures: tuple[str, ...] = ()
    description: str = ""
    parameters: tuple[str, ...] = ()
    """Names of the parameters that a table function takes by name."""


def _no_columns(_table: Table) -> tuple[Column, ...]:
    return ()


def _no_answer(_parts: tuple[str, ...]) -> tuple[Column, ...]:
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """Everything that can be named on a target, as of one moment. Looking something up never waits for a query."""

    databases: tuple[str, ...] = ()
    schemas: tuple[tuple[str, str], ...] = ()
    """Database and schema."""

    tables: tuple[Table, ...] = ()
    path: tuple[tuple[str, str], ...] = ()
    """Databases and schemas in which a bare name is looked for, first one first."""

    functions: Mapping[str, Function] = field(default_factory=dict)
    """By lower-case name."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Name and description."""

    types: tuple[str, ...] = ()
    quote: str = '"'
    """What a name is quoted with."""

    folds: bool = False
    """Whether an unquoted name loses its capitals, so that one with capitals has to be quoted."""

    columns_of: Callable[[Table], tuple[Column, ...]] = field(default=_no_columns, repr=False)
    """The columns of a table, as far as they are known."""

    ask: Callable[[tuple[str, ...]], tuple[Column, ...]] = field(default=_no_answer, repr=False)
    """The columns of a table that is not among these, where it may be younger than they are."""

    ordered: Sequence[tuple[str, bool, Table]] = field(init=False, repr=False)
    """Lower-case name, whether a bare name reaches it, table: those that are reached first, then by name."""

    _index: Mapping[str, list[Table]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the tables once: a key press must not walk through 10,000 of them for each name in the cell."""
        index: dict[str, list[Table]] = defaultdict(list)
        for table in self.tables:
            index[table.name.lower()].append(table)
        object.__setattr__(self, "_index", dict(index))
        path = set(self.path)
        keyed = [(table.name.lower(), not path or table.place in path, table) for table in self.tables]
        keyed.sort(key=lambda one: (not one[1], one[0]))
        object.__setattr__(self, "ordered", keyed)

    def find(self, parts: tuple[str, ...]) -> Table | None:
        """Return the table that the dotted name *parts* means: `t`, `schema.t`, `database.t` or all three."""
        if not parts:
            return None
        *where, name = (part.lower() for part in parts)
        found = [table for table in self._index.get(name, ()) if _fits(where, table)]
        ranks = {place: rank for rank, place in enumerate(self.path)}
        reachable = [table for table in found if where or table.place in ranks or not self.path]
        return min(reachable, key=lambda table: ranks.get(table.place, len(ranks)), default=None)

    @property
    def current(self) -> str:
        """The database in which a bare schema is looked for."""
        return next((database for database, _ in self.path if database != "temp"), "")

    def quoted(self, name: str) -> str:
        """Return *name* as it has to be written in SQL: quoted only where it must be."""
        plain = name[:1].isalpha() or name[:1] == "_"
        plain = plain and all(char.isalnum() or char == "_" for char in name) and name.lower() not in RESERVED
        if plain and not (self.folds and name != name.lower()):
            return name
        return self.wrapped(name)

    def wrapped(self, name: str) -> str:
        """Return *name* in quotes."""
        closing = {"[": "]"}.get(self.quote, self.quote)
        return f"{self.quote}{name.replace(closing, closing * 2)}{closing}"

    def short(self, table: Table) -> str:
        """Return the shortest way to write *table* from where the search path stands."""
        if self.find((table.name,)) == table:
            return self.quoted(table.name)
        here = not self.path or table.database == self.current
        parts = [table.schema, table.name] if here else [table.database, table.schema, table.name]
        return ".".join(self.quoted(part) for part in parts if part)


def _fits(where: Iterable[str], table: Table) -> bool:
    place = list(where)
    database, schema = table.database.lower(), table.schema.lower()
    if not place:
        return True
    if len(place) == 1:
        return place[0] == schema or (place[0] == database and schema in {"main", "public", ""})
    return place == [database, schema]

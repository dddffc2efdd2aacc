"""How a database writes a value so that every other database writes an equal value in the same way.

Two tables are compared where they are, by digests of such texts; rows leave a database only where digests differ. The
invariant: two values have one text exactly if SQL takes them for equal. NULL has none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

import sqlalchemy

from md_magic.sql import quoting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ask = Callable[[str], dict[str, list[object]]]
    """Runs SQL and returns the columns of its result."""

    About = Callable[[str, str], dict[str, list[object]]]
    """Runs a person's query with SQL of ours before and after it, and returns the columns of the result."""

Kind = Literal[
    "boolean",
    "integer",
    "decimal",
    "single",  # binary floating point of 32 bits, where the database compares decimals as such
    "double",  # binary floating point of any width
    "text",
    "date",
    "timestamp",  # without a zone, to the microsecond
    "nanoseconds",  # to the nanosecond
    "instant",  # with a zone
    "interval",
    "blob",
    "nested",  # lists, structs, maps and JSON
    "other",  # by the database's own text
    "own",  # nested, of one kind of database: as that compares them
    "document",  # nested, of two: as JSON documents
]
"""What values of a type are, whatever the database calls it."""

_NUMBERS: tuple[Kind, ...] = ("boolean", "integer", "decimal", "single", "double")
_MOMENTS: tuple[Kind, ...] = ("date", "timestamp", "nanoseconds")


def common(one: Kind, other: Kind) -> Kind:
    """Return the kind as which values of two kinds are compared: numbers as numbers, other mixtures as text."""
    if "nested" in {one, other}:
        return "document"
    if one == other:
        return one
    for order in (_NUMBERS, _MOMENTS):
        if one in order and other in order:
            return order[max(order.index(one), order.index(other))]
    return "text"


class Digests(ABC):
    """The SQL of one database for comparing tables."""

    dialect: str
    text_type = "VARCHAR"

    hashes_as: str = ""
    """The engine whose own hashes `hashes` gives: they are compared only with those of the same; empty without any."""

    def hashed(self, value: str, kind: Kind) -> str | None:
        """Return SQL of *value* that can be hashed in place of its text; `None` where equal values may hash apart."""
        del value, kind
        return None

    def hashes(self, values: Sequence[str]) -> tuple[str, str]:
        """Return SQL for two numbers of 64 bits that stand for a row of *values*."""
        raise NotImplementedError

    def hashed_bucket(self, values: Sequence[str], buckets: int) -> str:
        """Return SQL for the number of the bucket of *values*."""
        raise NotImplementedError

    @abstractmethod
    def columns(self, about: About) -> list[tuple[str, str]]:
        """Return name and type of each column of a query that *about* runs."""

    @abstractmethod
    def key(self, ask: Ask, table: Sequence[str]) -> list[str]:
        """Return the columns of the primary key that is declared for *table*, a name in parts; none without one."""

    @abstractmethod
    def kind(self, type_name: str) -> Kind:
        """Return what values of a type are."""

    @abstractmethod
    def canonical(self, value: str, kind: Kind, as_kind: Kind) -> str:
        """Return SQL for the text of *value*, an expression of *kind*, as it is compared with others *as_kind*."""

    @abstractmethod
    def owned(self, ask: Ask, here: str, there: str) -> str:
        """Return the type as which the database compares nested values of two types; empty where it does not."""

    @abstractmethod
    def own(self, value: str, type_name: str, as_type: str) -> str:
        """Return SQL for a text of the nested *value*: one for all that are equal to the database *as_type*."""

    @abstractmethod
    def document(self, value: str, type_name: str) -> str:
        """Return SQL for the JSON document of *value*."""

    @abstractmethod
    def digest(self, text: str) -> str:
        """Return SQL for the 32 hexadecimal digits of MD5 of a *text*."""

    @abstractmethod
    def number(self, digits: str) -> str:
        """Return SQL for the number that 15 hexadecimal *digits* write."""

    @abstractmethod
    def bucket_of(self, integer: str, buckets: int) -> str:
        """Return SQL for the text of the bucket of an *integer*."""

    def quoted(self, *names: str) -> str:
        """Return a name, which has parts, in quotes."""
        return quoting.of(self.dialect).identifier(*names)

    def literal(self, text: str) -> str:
        """Return *text* as a string of SQL."""
        return quoting.of(self.dialect).literal(text)

    def numbered(self, columns: int) -> str:
        """Return the alias of a query whose columns are `q.c0`, `q.c1`: names can be there twice."""
        return f"q({', '.join(f'c{at}' for at in range(columns))})" if columns else "q"

    def shown(self, value: str) -> str:
        """Return SQL for the text of *value* that a person sees."""
        return f"CAST({value} AS {self.text_type})"

    def without_zeros(self, text: str) -> str:
        """Return SQL for a decimal's *text* without the zeros at its end."""
        position = f"position('.' IN {text})"
        return f"CASE WHEN {position} > 0 THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"


def bare(type_name: str) -> str:
    """Return *type_name* in capitals, without its precision."""
    return type_name.upper().partition("(")[0].strip()


def declared_key(connection: sqlalchemy.Connection, table: Sequence[str]) -> list[str]:
    """Return the columns of the primary key of *table*, a name in parts, of a database without digests."""
    schema = table[-2] if len(table) > 1 else None
    try:
        return list(sqlalchemy.inspect(connection).get_pk_constraint(table[-1], schema)["constrained_columns"])
    except (sqlalchemy.exc.SQLAlchemyError, NotImplementedError):
        return []

"""The interface of introspection, and the rows it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_USUAL_KEYWORDS = """
add all alter and any as asc between by case cast column commit create cross default delete desc distinct drop else end
except exists explain extract false from full group having in inner insert interval intersect into is join key left like
limit natural not null offset on or order outer over partition primary references right rollback select set show table
then true union unique update using values view when where window with
"""


class DatabaseRow(NamedTuple):
    """A database that is attached."""

    name: str
    kind: str
    path: str
    read_only: bool
    current: bool
    comment: str


class AccountDatabase(NamedTuple):
    """A database or share of an account, attached or not."""

    name: str
    kind: str
    """In lower case; that of a share has the word in it."""

    attach: str = ""
    """The statement that attaches it."""

    address: str = ""
    """`md:my_db`, or `md:_share/name/uuid`."""

    owner: str = ""
    """Who shares it."""


class AttachedState(NamedTuple):
    """What a service says of an attached database."""

    error: str = ""
    """Why it cannot be used; empty where it can."""

    notes: tuple[str, ...] = ()


class SchemaRow(NamedTuple):
    """A schema; its *database* is empty where schemas are the first level."""

    database: str
    name: str


class TableRow(NamedTuple):
    """A table or view, with its database and schema."""

    database: str
    schema: str
    name: str
    kind: str
    """`table` or `view`."""

    temporary: bool = False
    rows: int | None = None
    """Number of rows, as the database estimates it."""

    comment: str = ""
    columns: int | None = None
    """Number of columns."""

    internal: bool = False
    """Whether it belongs to the system."""


class ColumnRow(NamedTuple):
    """A column, with its table."""

    database: str
    schema: str
    table: str
    name: str
    type: str
    nullable: bool = True
    default: str = ""
    comment: str = ""


class FunctionRow(NamedTuple):
    """One overload of a function."""

    name: str
    kind: str
    parameters: Sequence[str]
    types: Sequence[str | None]
    varargs: str | None
    returns: str | None
    description: str
    definition: str | None = None
    """What a macro stands for."""


class TypeRow(NamedTuple):
    """A type that somebody has made."""

    name: str
    labels: tuple[str, ...] = ()
    """The values of an ENUM."""


class SettingRow(NamedTuple):
    """A setting."""

    name: str
    description: str


class Rows(NamedTuple):
    """Some rows of a table, with the names of its columns."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


LONGEST = 10_000
"""Characters of a value that is shown."""


class Introspection(ABC):
    """Catalog queries on one connection. Drivers' errors pass through."""

    has_databases: ClassVar[bool] = False
    """Whether there is a level above the schemas."""

    in_process: ClassVar[bool] = False
    """Whether `beside` returns a cursor in this process, which costs nothing to open and keep."""

    is_local: ClassVar[bool] = True
    """Whether queries need no round trip to a service."""

    on_rows: Callable[[], object] | None = None
    """Called now and then while a long answer is fetched. An exception aborts the query."""

    views_error: Exception | None = None
    """Why the last call of `tables` could not list all views."""

    @abstractmethod
    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's, or DuckDB's own
        """Use *connection*."""

    @property
    def is_lone(self) -> bool:
        """Whether no other connection can see this database, as for SQLite in memory."""
        return False

    # ---- the connection ---------------------------------------------------------------------------------------------

    @abstractmethod
    def beside(self) -> Introspection:
        """Return an introspection on another connection to the same database."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection. Only for what `beside` returned."""

    def interrupt(self) -> None:  # noqa: B027 - not every driver can
        """Interrupt the running query, if the driver can."""

    def hide_progress_bar(self) -> None:  # noqa: B027 - most connections have none
        """Turn off the driver's own progress bar."""

    # ---- queries ----------------------------------------------------------------------------------------------------

    def databases(self, *, temporary: bool = False) -> list[DatabaseRow]:
        """Return the attached databases, by name; that of *temporary* objects on request."""
        del temporary
        return []

    def sizes(self) -> dict[str, int | None] | None:
        """Return the size of each database in bytes, by name; `None` if that is unknown."""
        return None

    def account_databases(self) -> list[AccountDatabase]:
        """Return the databases and shares that the account may attach, those that are attached included."""
        return []

    def attached_states(self) -> dict[str, AttachedState]:
        """Return what the service says of the attached databases, by name."""
        return {}

    @abstractmethod
    def schemas(self, database: str | None = None, *, internal: bool = False) -> list[SchemaRow]:
        """Return the schemas, of all databases or of one; with the *internal* ones on request."""

    @abstractmethod
    def tables(self, *, internal: bool = False, most_schemas: int | None = None) -> list[TableRow]:
        """Return tables and views, by database, schema and name; with the *internal* ones on request.

        If each schema takes a query, at most *most_schemas* are read.
        """

    def listed_tables(self) -> list[TableRow]:
        """Return the tables to list when a person asks for all tables."""
        return self.tables()

    def tables_for(self, parts: Sequence[str]) -> list[TableRow]:
        """Return tables and views that include the one named by *parts*, if it exists."""
        del parts
        return self.tables(internal=True)

    @abstractmethod
    def columns(self, database: str, schema: str, table: str) -> list[ColumnRow]:
        """Return the columns of one table, in order. A missing table has none, or raises the driver's error."""

    @abstractmethod
    def all_columns(self, *, most_schemas: int | None = None) -> list[ColumnRow]:
        """Return the columns of all tables. A table that is broken has none."""

    def columns_named(self, parts: Sequence[str]) -> list[ColumnRow]:
        """Return the columns of the table named by *parts*, if the database can do that in less than 1 ms; else none.

        A missing table raises the driver's error.
        """
        del parts
        return []

    def unlisted_columns(self, parts: Sequence[str]) -> list[ColumnRow]:
        """Return the columns of a table named by *parts* that `tables_for` did not list; none if there is none."""
        del parts
        return []

    def view_definition(self, parts: Sequence[str]) -> str:
        """Return the statement that makes the view of that database, schema and name; empty where it is not known."""
        del parts
        return ""

    def is_made(self, name: str) -> bool:
        """Whether somebody has made a function, a type or a schema of that *name*."""
        del name
        return False

    def functions(self) -> list[FunctionRow]:
        """Return the functions, one row for each overload."""
        return []

    usual_keywords: ClassVar[frozenset[str]] = frozenset(_USUAL_KEYWORDS.split())
    """The keywords, in lower case, that are surely the database's; none where they are DuckDB's."""

    def keywords(self) -> frozenset[str]:
        """Return the database's keywords, in lower case; none where they are DuckDB's."""
        return self.usual_keywords

    def settings(self) -> list[SettingRow]:
        """Return the settings, by name."""
        return []

    def types(self) -> list[TypeRow]:
        """Return the names of the types."""
        return []

    @abstractmethod
    def search_path(self) -> list[SchemaRow]:
        """Return the search path: the schemas in which an unqualified name is looked up, in order."""

    @abstractmethod
    def first_rows(self, parts: Sequence[str], limit: int, width: int = LONGEST) -> Rows:
        """Return the first rows of the table named by *parts*, with at most *width* characters of each value."""

    def count_quickly(self, tables: Sequence[TableRow]) -> dict[TableRow, int]:
        """Return the number of rows of those of *tables* for which counting is quick, as this connection sees them."""
        del tables
        return {}

    @abstractmethod
    def count_rows(self, parts: Sequence[str]) -> int:
        """Return the number of rows of the table named by *parts*."""

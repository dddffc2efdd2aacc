"""Introspection of databases other than DuckDB, with SQLAlchemy's inspector."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from md_magic.engine.backends.introspection.questions import (
    LONGEST,
    ColumnRow,
    FunctionRow,
    Introspection,
    Rows,
    SchemaRow,
    TableRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NOT_SUPPORTED = (NotImplementedError, SQLAlchemyError)
"""Errors of a dialect without views, or of an account that may not list them."""


class InspectorIntrospection(Introspection):
    """Introspection of any dialect. The inspector caches its answers."""

    system_schemas: ClassVar[frozenset[str]] = frozenset({"information_schema", "sys"})
    """System schemas, in lower case."""

    system_prefix: ClassVar[str] = ""
    """Prefix of further system schemas; empty if there are none."""

    substring: ClassVar[str] = "substr"
    """The function that cuts a text."""

    current_schema: ClassVar[str] = ""
    """The query for this connection's current schema; empty to use the dialect's default."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection

    def beside(self) -> InspectorIntrospection:
        """Return an introspection on another connection of the engine."""
        return type(self)(self._connection.engine.connect())

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def schemas(self, database: str | None = None, *, internal: bool = False) -> list[SchemaRow]:
        """Return the schemas, the default one first."""
        del database
        default = self._default_schema
        names = [name for name in self._inspector.get_schema_names() if internal or not self._is_system(name)]
        return [SchemaRow("", name) for name in sorted(names, key=lambda name: name != default)]

    def tables(self, *, internal: bool = False, most_schemas: int | None = None) -> list[TableRow]:
        """Return tables and views, schema by schema."""
        return [row for schema in self._asked(most_schemas, internal=internal) for row in self._tables_of(schema)]

    def listed_tables(self) -> list[TableRow]:
        """Return the tables of the default schema: other schemas may belong to other people."""
        return self._tables_of(self._default_schema)

    def tables_for(self, parts: Sequence[str]) -> list[TableRow]:
        """Return the tables of the schema in *parts*, or of the search path for an unqualified name."""
        if len(parts) > 1:
            wanted = parts[-2].casefold()
            schemas = [row.name for row in self.schemas(internal=True) if row.name.casefold() == wanted]
        else:
            schemas = [row.name for row in self.search_path()]
        return [row for schema in schemas for row in self._tables_of(schema)]

    def columns(self, database: str, schema: str, table: str) -> list[ColumnRow]:
        """Return the columns of one table."""
        del database
        try:
            columns = self._inspector.get_columns(table, schema or None)
        except NoSuchTableError:
            return []
        return self._columns(schema, table, columns)

    def all_columns(self, *, most_schemas: int | None = None) -> list[ColumnRow]:
        """Return the columns of all tables; if one table makes the query fail, query each by itself."""
        rows: list[ColumnRow] = []
        for schema in self._asked(most_schemas):
            self._tell()
            try:
                described = self._inspector.get_multi_columns(schema=schema or None, kind=ObjectKind.ANY)
            except _NOT_SUPPORTED:
                for table in self._tables_of(schema):
                    with contextlib.suppress(SQLAlchemyError):
                        rows += self.columns("", schema, table.name)
            else:
                for (_, table_name), columns in described.items():
                    rows += self._columns(schema, table_name, columns)
        return rows

    def unlisted_columns(self, parts: Sequence[str]) -> list[ColumnRow]:
        """Return the columns of an object that is neither table nor view, such as a foreign table or a synonym."""
        with contextlib.suppress(SQLAlchemyError):
            return self.columns("", ".".join(parts[:-1]), parts[-1])
        return []

    def search_path(self) -> list[SchemaRow]:
        """Return the default schema."""
        return [SchemaRow("", self._default_schema)]

    def first_rows(self, parts: Sequence[str], limit: int, width: int = LONGEST) -> Rows:
        """Return the first rows of a table; long values are cut before they are fetched."""
        schema = ".".join(parts[:-1]) or None
        try:
            described = self._inspector.get_columns(parts[-1], schema)
        except _NOT_SUPPORTED:
            described = []
        values: list[Any] = [self._cut(column, width) for column in described] or [sqlalchemy.text("*")]
        query = sqlalchemy.select(*values).select_from(_table(parts)).limit(limit)
        result = self._connection.execute(query)
        return Rows(list(result.keys()), [tuple(row) for row in result])

    def count_rows(self, parts: Sequence[str]) -> int:
        """Return how many rows a table has."""
        query = sqlalchemy.select(sqlalchemy.func.count()).select_from(_table(parts))
        return int(self._connection.execute(query).scalar() or 0)

    def _cut(self, column: Any, width: int) -> Any:  # noqa: ANN401 - SQLAlchemy's description, and its expression
        """Return the *column* of a SELECT; one whose type can be long is cut to *width* characters."""
        value: sqlalchemy.ColumnElement[Any] = sqlalchemy.column(column["name"])
        kind, cut = column["type"], getattr(sqlalchemy.func, self.substring)
        if isinstance(kind, (sqlalchemy.JSON, sqlalchemy.ARRAY)):
            return cut(sqlalchemy.cast(value, sqlalchemy.Text), 1, width).label(column["name"])
        if isinstance(kind, (sqlalchemy.String, sqlalchemy.LargeBinary)) and not isinstance(kind, sqlalchemy.Enum):
            return cut(value, 1, width).label(column["name"])
        return value

    @cached_property
    def _inspector(self) -> sqlalchemy.Inspector:
        return sqlalchemy.inspect(self._connection)

    @cached_property
    def _default_schema(self) -> str:
        if self.current_schema:  # the dialect's default is that of its first connection
            return self._connection.execute(sqlalchemy.text(self.current_schema)).scalar() or ""
        return self._inspector.default_schema_name or ""

    def _is_system(self, schema: str) -> bool:
        name = schema.lower()
        return name in self.system_schemas or bool(self.system_prefix and name.startswith(self.system_prefix))

    def _asked(self, most: int | None, *, internal: bool = False) -> list[str]:
        """Return the schemas to ask, the default one first."""
        names = [row.name for row in self.schemas(internal=internal)]
        return list(dict.fromkeys([self._default_schema, *names]))[:most]

    def _tell(self) -> None:
        if self.on_rows is not None:
            self.on_rows()

    def _tables_of(self, schema: str) -> list[TableRow]:
        self._tell()
        inspector = self._inspector
        views = {
            *self._names(inspector.get_view_names, schema),
            *self._names(inspector.get_materialized_view_names, schema),
        }
        kinds = dict.fromkeys(inspector.get_table_names(schema or None), "table") | dict.fromkeys(views, "view")
        internal = self._is_system(schema)
        return [TableRow("", schema, name, kind, internal=internal) for name, kind in sorted(kinds.items())]

    @staticmethod
    def _names(names: Callable[[str | None], list[str]], schema: str) -> list[str]:
        try:
            return names(schema or None)
        except _NOT_SUPPORTED:
            return []

    @staticmethod
    def _columns(schema: str, table: str, columns: Sequence[Any]) -> list[ColumnRow]:
        return [
            ColumnRow(
                "",
                schema,
                table,
                column["name"],
                _type(column["type"]),
                bool(column.get("nullable", True)),
                column.get("default") or "",
                column.get("comment") or "",
            )
            for column in columns
        ]


_SQLITE_KEYWORDS = """
abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case
cast check collate column commit conflict constraint create cross current current_date current_time current_timestamp
database default deferrable deferred delete desc detach distinct do drop each else end escape except exclude exclusive
exists explain fail filter first following for foreign from full generated glob group groups having if ignore
immediate in index indexed initially inner insert instead intersect into is isnull join key last left like limit match
materialized natural no not nothing notnull null nulls of offset on or order others outer over partition plan pragma
preceding primary query raise range recursive references regexp reindex release rename replace restrict returning
right rollback row rows savepoint select set table temp temporary then ties to transaction trigger true false
unbounded union unique update using vacuum values view virtual when where window with without
"""
"""SQLite's keywords, of which it has no list in SQL."""


class SQLiteIntrospection(InspectorIntrospection):
    """SQLite. Its schemas are the attached databases; the search path is `temp`, `main`, the others."""

    system_schemas = frozenset()
    usual_keywords = frozenset(_SQLITE_KEYWORDS.split())

    @property
    def is_lone(self) -> bool:
        """Whether it is in memory, so that other connections would see an empty database."""
        return isinstance(self._connection.engine.pool, (SingletonThreadPool, StaticPool))

    def schemas(self, database: str | None = None, *, internal: bool = False) -> list[SchemaRow]:
        """Return the attached databases, and `temp` if it has an object."""
        rows = super().schemas(database, internal=internal)
        inspector = self._inspector
        has_temporary = bool(inspector.get_temp_table_names() or inspector.get_temp_view_names())
        return [*rows, SchemaRow("", "temp")] if has_temporary else rows

    def listed_tables(self) -> list[TableRow]:
        """Return the tables of the file, of attached ones, and the temporary ones."""
        return list(dict.fromkeys([*self.tables(), *self._tables_of("temp")]))

    def functions(self) -> list[FunctionRow]:
        """Return the functions of this connection, its window functions and Python's included."""
        rows = self._connection.exec_driver_sql("SELECT DISTINCT name, type FROM pragma_function_list ORDER BY name")
        kinds = {"s": "scalar", "a": "aggregate", "w": "window"}
        return [FunctionRow(name, kinds.get(kind, "scalar"), [], [], None, None, "") for name, kind in rows]

    def search_path(self) -> list[SchemaRow]:
        """Return `temp`, and all schemas."""
        return list(dict.fromkeys([SchemaRow("", "temp"), *self.schemas()]))

    def _tables_of(self, schema: str) -> list[TableRow]:
        rows = super()._tables_of(schema)
        return [row._replace(temporary=True) for row in rows] if schema == "temp" else rows


class PostgreSQLIntrospection(InspectorIntrospection):
    """PostgreSQL, and databases compatible with it."""

    system_schemas = frozenset({"information_schema"})
    system_prefix = "pg_"
    current_schema = "SELECT current_schema()"

    def search_path(self) -> list[SchemaRow]:
        """Return the existing schemas of `search_path`, with those of temporary objects and of the system."""
        names = self._connection.execute(sqlalchemy.text("SELECT unnest(current_schemas(true))")).scalars()
        return [SchemaRow("", name) for name in names]


class MySQLIntrospection(InspectorIntrospection):
    """MySQL and MariaDB: their schemas are databases."""

    system_schemas = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
    current_schema = "SELECT DATABASE()"


class MSSQLIntrospection(InspectorIntrospection):
    """SQL Server."""

    substring = "substring"


def _table(parts: Sequence[str]) -> sqlalchemy.TableClause:
    *schema, name = parts
    return sqlalchemy.table(name, schema=(schema[0] or None) if schema else None)


def _type(kind: object) -> str:
    if isinstance(kind, sqlalchemy.types.NullType):  # which would be written as NULL
        return ""
    try:
        return str(kind)
    except SQLAlchemyError:  # a type that cannot be written as SQL
        return type(kind).__name__.upper()

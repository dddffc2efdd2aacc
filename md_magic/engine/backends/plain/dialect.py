"""duckdb-engine's dialect with a reflection that works, and keys that count by themselves.

SQLAlchemy's reflection asks PostgreSQL's catalogue, of which DuckDB has only a part (`pg_collation` and `REGCLASS` are
missing), and duckdb-engine finds tables of every schema and database. Here DuckDB's own functions are asked, and only
where SQL looks for a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb_engine
from sqlalchemy import text
from sqlalchemy.dialects import registry
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope, ReflectionDefaults
from sqlalchemy.exc import NoSuchTableError

from md_magic.engine.backends.plain.ddl import DDLCompiler
from md_magic.engine.backends.plain.types import sqlalchemy_type

if TYPE_CHECKING:
    from collections.abc import Collection, ItemsView, Sequence

    import sqlalchemy

NAME = "duckdb+md_magic_plain"
"""How a SQLAlchemy URL names the dialect below. The engine's own URL says `duckdb`."""

_HERE = "(database_name = current_database() AND schema_name = current_schema() OR database_name = 'temp')"
"""Where an unqualified name is looked for."""

_RELATIONS = """
SELECT database_name, schema_name, name, is_view, comment FROM (
    SELECT database_name, schema_name, table_name AS name, false AS is_view, comment
    FROM duckdb_tables() WHERE NOT internal
    UNION ALL
    SELECT database_name, schema_name, view_name, true, comment FROM duckdb_views() WHERE NOT internal
) WHERE {place} ORDER BY database_name = 'temp', name
"""
_COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, data_type, is_nullable, column_default, comment
FROM duckdb_columns() WHERE NOT internal AND {place} ORDER BY column_index
"""
_CONSTRAINTS = """
SELECT database_name, schema_name, table_name, constraint_type, constraint_name, constraint_column_names, expression,
    referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE {place} ORDER BY constraint_index
"""
_INDEXES = """
SELECT database_name, schema_name, table_name, index_name, is_unique, TRY_CAST(expressions AS VARCHAR[]) AS expressions
FROM duckdb_indexes() WHERE NOT is_primary AND {place} ORDER BY index_name
"""
_VIEW = "SELECT sql FROM duckdb_views() WHERE view_name = :name AND {place} ORDER BY database_name <> 'temp'"
_SCHEMA = "SELECT 1 FROM duckdb_schemas() WHERE {place}"

Key = tuple[str | None, str]
"""A table as SQLAlchemy's reflection names it: the schema that was asked for, and the name."""


class Dialect(duckdb_engine.Dialect):
    """duckdb-engine's dialect, which asks DuckDB's own catalogue, and only where SQL looks for a name."""

    supports_statement_cache = False
    ddl_compiler = DDLCompiler

    def do_rollback(self, connection: Any) -> None:  # noqa: ANN401 - a DB-API connection
        """Roll back; nothing is to be rolled back where the connection was closed with its target."""
        if not connection.closed:
            super().do_rollback(connection)

    # ---- which tables there are -------------------------------------------------------------------------------------

    def get_table_names(
        self, connection: sqlalchemy.Connection, schema: str | None = None, **_cache: object
    ) -> list[str]:
        """Return the tables of *schema*, by default the current one of the current database."""
        return self._names(connection, schema, ObjectKind.TABLE, ObjectScope.DEFAULT)

    def get_view_names(
        self,
        connection: sqlalchemy.Connection,
        schema: str | None = None,
        include: object = None,  # noqa: ARG002 - duckdb-engine's signature
        **_cache: object,
    ) -> list[str]:
        """Return the views of *schema*."""
        return self._names(connection, schema, ObjectKind.VIEW, ObjectScope.DEFAULT)

    def get_temp_table_names(
        self,
        connection: sqlalchemy.Connection,
        schema: str | None = None,  # noqa: ARG002 - SQLAlchemy's signature
        **_cache: object,
    ) -> list[str]:
        """Return the temporary tables of this connection."""
        return self._names(connection, None, ObjectKind.TABLE, ObjectScope.TEMPORARY)

    def get_temp_view_names(
        self,
        connection: sqlalchemy.Connection,
        schema: str | None = None,  # noqa: ARG002 - SQLAlchemy's signature
        **_cache: object,
    ) -> list[str]:
        """Return the temporary views of this connection."""
        return self._names(connection, None, ObjectKind.VIEW, ObjectScope.TEMPORARY)

    def has_table(
        self, connection: sqlalchemy.Connection, table_name: str, schema: str | None = None, **_cache: object
    ) -> bool:
        """Whether *schema* has a table or view *table_name*; one of another schema or database does not count."""
        return bool(self._relations(connection, schema, [table_name], ObjectScope.ANY, ObjectKind.ANY))

    def has_multi_table(
        self,
        connection: sqlalchemy.Connection,
        table_names: Collection[str],
        schema: str | None = None,
        **_cache: object,
    ) -> ItemsView[Key, bool]:
        """Whether *schema* has each of *table_names*; SQLAlchemy 2.1 asks for all at once."""
        there = {
            relation.name
            for relation in self._relations(connection, schema, table_names, ObjectScope.ANY, ObjectKind.ANY)
        }
        return {(schema, name): name in there for name in table_names}.items()

    def has_schema(self, connection: sqlalchemy.Connection, schema: str, **_cache: object) -> bool:  # type: ignore[override] # PostgreSQL's
        """Whether there is a *schema*; `database.schema` names one of another database."""
        return bool(_ask(connection, _SCHEMA, schema))

    def get_view_definition(
        self,
        connection: sqlalchemy.Connection,
        view_name: str,
        schema: str | None = None,
        **_cache: object,
    ) -> str:
        """Return the SQL that made the view. Raises `NoSuchTableError` where there is none."""
        rows = _ask(connection, _VIEW, schema, name=view_name)
        if not rows:
            raise NoSuchTableError(f"{schema}.{view_name}" if schema else view_name)
        return str(rows[0].sql)

    def _names(
        self, connection: sqlalchemy.Connection, schema: str | None, kind: ObjectKind, scope: ObjectScope
    ) -> list[str]:
        return [relation.name for relation in self._relations(connection, schema, None, scope, kind)]

    def _relations(
        self,
        connection: sqlalchemy.Connection,
        schema: str | None,
        names: Collection[str] | None,
        scope: ObjectScope | None,
        kind: ObjectKind | None,
    ) -> list[Relation]:
        """Return the tables and views of *schema* that SQLAlchemy asks for; temporary ones last."""
        wanted_kind, wanted_scope = kind or ObjectKind.TABLE, scope or ObjectScope.DEFAULT
        relations = [Relation(*row) for row in _ask(connection, _RELATIONS, schema)]
        return [
            relation
            for relation in relations
            if (not names or relation.name in names)
            and relation.kind in wanted_kind
            and (schema is not None or relation.scope in wanted_scope)
        ]

    # ---- what is in them --------------------------------------------------------------------------------------------

    def get_multi_columns(  # type: ignore[override] # duckdb-engine says it is a list
        self,
        connection: sqlalchemy.Connection,
        schema: str | None = None,
        filter_names: Collection[str] | None = None,
        scope: ObjectScope | None = None,
        kind: ObjectKind | None = None,
        **_cache: object,
    ) -> ItemsView[Key, Any]:
        """Return the columns of each table."""
        columns = self._of_each(connection, _COLUMNS, schema, filter_names, scope, kind)
        driver: Any = connection.connection.dbapi_connection
        return {
            key: [
                {
                    "name": row.column_name,
                    "type": sqlalchemy_type(driver.type, row.data_type),
                    "nullable": row.is_nullable,
                    "default": row.column_default,
                    "autoincrement": (row.column_default or "").startswith("nextval("),
                    "comment": row.comment,
                }
                for row in rows
            ]
            for key, rows in columns.items()
        }.items()

    def get_multi_pk_constraint(
        self,
        connection: sqlalchemy.Connection,
        *asked: Any,  # noqa: ANN401 - as `_constraints` takes them
        **more: Any,  # noqa: ANN401 - whatever SQLAlchemy gives
    ) -> ItemsView[Key, Any]:
        """Return the primary key of each table."""
        return {
            key: next(
                ({"constrained_columns": row.constraint_column_names, "name": row.constraint_name} for row in rows),
                ReflectionDefaults.pk_constraint(),
            )
            for key, rows in self._constraints(connection, "PRIMARY KEY", *asked, **more).items()
        }.items()

    def get_multi_foreign_keys(
        self,
        connection: sqlalchemy.Connection,
        *asked: Any,  # noqa: ANN401 - as `_constraints` takes them
        **more: Any,  # noqa: ANN401 - whatever SQLAlchemy gives
    ) -> ItemsView[Key, Any]:
        """Return the foreign keys of each table; DuckDB's stay within a schema."""
        return {
            key: [
                {
                    "name": row.constraint_name,
                    "constrained_columns": row.constraint_column_names,
                    "referred_schema": key[0],
                    "referred_table": row.referenced_table,
                    "referred_columns": row.referenced_column_names,
                    "options": {},
                }
                for row in rows
            ]
            for key, rows in self._constraints(connection, "FOREIGN KEY", *asked, **more).items()
        }.items()

    def get_multi_unique_constraints(
        self,
        connection: sqlalchemy.Connection,
        *asked: Any,  # noqa: ANN401 - as `_constraints` takes them
        **more: Any,  # noqa: ANN401 - whatever SQLAlchemy gives
    ) -> ItemsView[Key, Any]:
        """Return the UNIQUE constraints of each table."""
        return {
            key: [{"name": row.constraint_name, "column_names": row.constraint_column_names} for row in rows]
            for key, rows in self._constraints(connection, "UNIQUE", *asked, **more).items()
        }.items()

    def get_multi_check_constraints(
        self,
        connection: sqlalchemy.Connection,
        *asked: Any,  # noqa: ANN401 - as `_constraints` takes them
        **more: Any,  # noqa: ANN401 - whatever SQLAlchemy gives
    ) -> ItemsView[Key, Any]:
        """Return the CHECK constraints of each table."""
        return {
            key: [{"name": row.constraint_name, "sqltext": row.expression} for row in rows]
            for key, rows in self._constraints(connection, "CHECK", *asked, **more).items()
        }.items()

    def get_indexes(
        self,
        connection: sqlalchemy.Connection,
        table_name: str,
        schema: str | None = None,
        **cache: Any,  # noqa: ANN401 - whatever SQLAlchemy gives
    ) -> Any:  # noqa: ANN401 - whatever SQLAlchemy gives
        """Return the indexes of a table. Raises `NoSuchTableError`."""
        asked = (connection, schema, [table_name], ObjectScope.ANY, ObjectKind.ANY)
        indexes = dict(self.get_multi_indexes(*asked, **cache))
        if (schema, table_name) not in indexes:
            raise NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)
        return indexes[schema, table_name]

    def get_multi_indexes(
        self,
        connection: sqlalchemy.Connection,
        schema: str | None = None,
        filter_names: Collection[str] | None = None,
        scope: ObjectScope | None = None,
        kind: ObjectKind | None = None,
        **_cache: object,
    ) -> ItemsView[Key, Any]:
        """Return the indexes of each table."""
        asked = (connection, schema, filter_names, scope, kind)
        columns = {key: {column["name"] for column in reflected} for key, reflected in self.get_multi_columns(*asked)}
        indexes = self._of_each(connection, _INDEXES, *asked[1:])
        return {key: [_index(row, columns[key]) for row in rows] for key, rows in indexes.items()}.items()

    def get_multi_table_comment(
        self,
        connection: sqlalchemy.Connection,
        schema: str | None = None,
        filter_names: Collection[str] | None = None,
        scope: ObjectScope | None = None,
        kind: ObjectKind | None = None,
        **_cache: object,
    ) -> ItemsView[Key, Any]:
        """Return the comment on each table."""
        relations = self._relations(connection, schema, filter_names, scope, kind)
        return {(schema, relation.name): {"text": relation.comment} for relation in relations}.items()

    def get_multi_table_options(self, *_asked: Any, **_more: Any) -> ItemsView[Key, Any]:  # noqa: ANN401 - whatever SQLAlchemy gives
        """Return nothing: DuckDB's tables have no options."""
        return dict[Key, Any]().items()

    def _constraints(
        self,
        connection: sqlalchemy.Connection,
        constraint: str,
        schema: str | None = None,
        filter_names: Collection[str] | None = None,
        scope: ObjectScope | None = None,
        kind: ObjectKind | None = None,
        **_cache: object,
    ) -> dict[Key, list[Any]]:
        found = self._of_each(connection, _CONSTRAINTS, schema, filter_names, scope, kind)
        return {key: [row for row in rows if row.constraint_type == constraint] for key, rows in found.items()}

    def _of_each(
        self,
        connection: sqlalchemy.Connection,
        query: str,
        schema: str | None,
        filter_names: Collection[str] | None,
        scope: ObjectScope | None,
        kind: ObjectKind | None,
    ) -> dict[Key, list[Any]]:
        """Return the rows of *query* for each table that SQLAlchemy asks for; of one without rows an empty list."""
        relations = self._relations(connection, schema, filter_names, scope, kind)
        by_place: dict[tuple[str, str, str], list[Any]] = {relation[:3]: [] for relation in relations}
        for row in _ask(connection, query, schema):
            if (rows := by_place.get(tuple(row[:3]))) is not None:
                rows.append(row)
        return {(schema, name): rows for (_, _, name), rows in by_place.items()}


registry.register(NAME.replace("+", "."), __name__, Dialect.__name__)


class Relation(NamedTuple):
    """A table or view."""

    database: str
    schema: str
    name: str
    is_view: bool
    comment: str | None

    @property
    def kind(self) -> ObjectKind:
        """Whether it is a table or a view."""
        return ObjectKind.VIEW if self.is_view else ObjectKind.TABLE

    @property
    def scope(self) -> ObjectScope:
        """Whether it belongs to this connection alone."""
        return ObjectScope.TEMPORARY if self.database == "temp" else ObjectScope.DEFAULT


def _ask(connection: sqlalchemy.Connection, query: str, schema: str | None, **values: str) -> Sequence[Any]:
    """Return the rows of *query* for *schema*: `schema`, or `database.schema`, quoted where SQLAlchemy quotes."""
    if schema is None:
        return connection.execute(text(query.format(place=_HERE)), values).all()
    parts = [quoted.replace('""', '"') or plain for quoted, plain in re.findall(r'"((?:[^"]|"")+)"|([^."]+)', schema)]
    database = ":database" if len(parts) > 1 else "current_database()"
    place = f"database_name = {database} AND schema_name = :schema"
    values |= {"schema": parts[-1]} | ({"database": parts[-2]} if len(parts) > 1 else {})
    return connection.execute(text(query.format(place=place)), values).all()


def _index(row: Any, columns: set[str]) -> dict[str, Any]:  # noqa: ANN401 - a row of SQLAlchemy's
    """Return what reflection says of an index over *columns* of a table, or over expressions of them."""
    expressions = [_unquoted(expression) for expression in row.expressions or []]
    names = [expression if expression in columns else None for expression in expressions]
    index: dict[str, Any] = {"name": row.index_name, "unique": row.is_unique, "column_names": names}
    return index if all(names) else {**index, "expressions": expressions}


def _unquoted(expression: str) -> str:
    match = re.fullmatch(r'"((?:[^"]|"")+)"', expression)
    return match[1].replace('""', '"') if match else expression

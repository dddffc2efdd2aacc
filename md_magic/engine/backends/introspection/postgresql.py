"""PostgreSQL's introspection: one query of its own catalog for each question, whatever number of schemas there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy

from md_magic.engine.backends.introspection.inspector import PostgreSQLIntrospection
from md_magic.engine.backends.introspection.questions import (
    ColumnRow,
    FunctionRow,
    SchemaRow,
    SettingRow,
    TableRow,
    TypeRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_IS_SHOWN = r"""
(:internal OR n.oid = pg_catalog.pg_my_temp_schema() OR n.nspname <> 'information_schema' AND n.nspname !~ '^pg_')
AND n.nspname !~ '^pg_toast' AND (n.nspname !~ '^pg_temp' OR n.oid = pg_catalog.pg_my_temp_schema())
"""
_TABLES = f"""
SELECT n.nspname, c.relname, CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END, c.relpersistence = 't',
       pg_catalog.obj_description(c.oid, 'pg_class'), n.nspname = 'information_schema' OR n.nspname = 'pg_catalog'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_IS_SHOWN}
ORDER BY n.nspname <> pg_catalog.current_schema(), 1, 2
"""  # noqa: S608 - a constant
_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.col_description(c.oid, a.attnum)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
AND (:table IS NULL OR c.relname = :table) AND (:schema IS NULL OR n.nspname = :schema) AND {_IS_SHOWN}
ORDER BY 1, 2, a.attnum
"""  # noqa: S608 - a constant
_FUNCTIONS = """
SELECT p.proname,
       CASE WHEN p.prokind = 'a' THEN 'aggregate' WHEN p.proretset THEN 'table' ELSE 'scalar' END,
       ARRAY(SELECT coalesce(nullif(p.proargnames[k], ''), pg_catalog.format_type(t, NULL))
             FROM unnest(p.proargtypes) WITH ORDINALITY u(t, k) ORDER BY k),
       ARRAY(SELECT pg_catalog.format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u(t, k) ORDER BY k),
       pg_catalog.format_type(p.prorettype, NULL), coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '')
FROM pg_catalog.pg_proc p
WHERE pg_catalog.pg_function_is_visible(p.oid) AND p.proname !~ '^_'
AND NOT p.prorettype = ANY ('{internal,trigger,event_trigger,cstring,language_handler,fdw_handler,index_am_handler,
table_am_handler,tsm_handler}'::pg_catalog.regtype[])
AND NOT 'internal'::pg_catalog.regtype = ANY (p.proargtypes) AND NOT 'cstring'::pg_catalog.regtype = ANY (p.proargtypes)
"""
_TYPES = """
SELECT t.typname, ARRAY(SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE t.typtype IN ('e', 'd', 'c') AND (c.relkind IS NULL OR c.relkind = 'c')
AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY 1
"""
_SETTINGS = "SELECT name, short_desc FROM pg_catalog.pg_settings ORDER BY name"
_OWN_SCHEMA = """
SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = pg_catalog.pg_my_temp_schema()
AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f', 'v'))
"""
_KEYWORDS = "SELECT word FROM pg_catalog.pg_get_keywords()"


class PostgreSQLCatalog(PostgreSQLIntrospection):
    """PostgreSQL, with the temporary tables of this session and materialised views."""

    def schemas(self, database: str | None = None, *, internal: bool = False) -> list[SchemaRow]:
        """Return the schemas, the current one first, and that of this session's temporary tables if it has any."""
        rows = super().schemas(database, internal=internal)
        return [*rows, *(SchemaRow("", name) for (name,) in self._rows(_OWN_SCHEMA))]

    def tables(self, *, internal: bool = False, most_schemas: int | None = None) -> list[TableRow]:
        """Return tables and views of every schema, those of the current one first."""
        del most_schemas  # all schemas are one query
        return [
            TableRow("", schema, name, kind, temporary=temporary, comment=comment or "", internal=is_internal)
            for schema, name, kind, temporary, comment, is_internal in self._rows(_TABLES, internal=internal)
        ]

    def listed_tables(self) -> list[TableRow]:
        """Return the tables of every schema but the system's."""
        return self.tables()

    def tables_for(self, parts: Sequence[str]) -> list[TableRow]:
        """Return the tables of every schema, the system's included."""
        del parts
        return self.tables(internal=True)

    def columns(self, database: str, schema: str, table: str) -> list[ColumnRow]:
        """Return the columns of one table."""
        del database
        return self._columns_of(schema or None, table, internal=True)

    def all_columns(self, *, most_schemas: int | None = None) -> list[ColumnRow]:
        """Return the columns of all tables."""
        del most_schemas
        return self._columns_of(None, None, internal=False)

    def unlisted_columns(self, parts: Sequence[str]) -> list[ColumnRow]:
        """Return none: every table is listed."""
        del parts
        return []

    def functions(self) -> list[FunctionRow]:
        """Return the functions on the search path."""
        return [
            FunctionRow(name, kind, parameters, types, None, returns, description)
            for name, kind, parameters, types, returns, description in self._rows(_FUNCTIONS)
        ]

    def types(self) -> list[TypeRow]:
        """Return the types that somebody has made."""
        return [TypeRow(name, tuple(labels)) for name, labels in self._rows(_TYPES)]

    def settings(self) -> list[SettingRow]:
        """Return the settings."""
        return [SettingRow(name, description or "") for name, description in self._rows(_SETTINGS)]

    def keywords(self) -> frozenset[str]:
        """Return the server's keywords, in lower case."""
        return frozenset(word for (word,) in self._rows(_KEYWORDS))

    def _columns_of(self, schema: str | None, table: str | None, *, internal: bool) -> list[ColumnRow]:
        rows = self._rows(_COLUMNS, schema=schema, table=table, internal=internal)
        return [
            ColumnRow("", in_schema, of_table, name, kind, nullable, default or "", comment or "")
            for in_schema, of_table, name, kind, nullable, default, comment in rows
        ]

    def _rows(self, sql: str, **values: object) -> Sequence[Any]:
        self._tell()
        clause = sqlalchemy.text(sql)
        clause = clause.bindparams(
            *(sqlalchemy.bindparam(name, type_=sqlalchemy.Text()) for name in ("schema", "table") if name in values)
        )
        return self._connection.execute(clause, values).all()

"""MySQL's and MariaDB's introspection: the information schema, one query for each question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.exc import DBAPIError

from md_magic.engine.backends.introspection.inspector import MySQLIntrospection
from md_magic.engine.backends.introspection.questions import ColumnRow, FunctionRow, SettingRow, TableRow
from md_magic.sql import quoting

if TYPE_CHECKING:
    from collections.abc import Sequence

_SYSTEM = "('information_schema', 'mysql', 'performance_schema', 'sys')"
_HIDDEN = f"(table_schema IN {_SYSTEM} AND NOT coalesce(table_schema = database(), false))"
"""Whether a table is the system's, and not of the database in use."""

_TABLES = f"""
SELECT table_schema, table_name, CASE WHEN table_type LIKE '%VIEW%' THEN 'view' ELSE 'table' END,
       table_type = 'TEMPORARY',
       CASE WHEN table_type LIKE '%VIEW%' THEN '' ELSE table_comment END, {_HIDDEN}
FROM information_schema.tables
WHERE (:internal OR NOT {_HIDDEN}) AND table_type <> 'SEQUENCE'
ORDER BY NOT coalesce(table_schema = database(), false), 1, 2
"""  # noqa: S608 - a constant
_COLUMNS = f"""
SELECT table_schema, table_name, column_name, column_type, is_nullable = 'YES', column_default, column_comment
FROM information_schema.columns WHERE NOT {_HIDDEN} ORDER BY 1, 2, ordinal_position
"""  # noqa: S608 - a constant
_BUILT_IN = "SELECT lower(function) FROM information_schema.sql_functions"
_ROUTINES = """
SELECT routine_name FROM information_schema.routines WHERE routine_schema = database() AND routine_type = 'FUNCTION'
"""
_KEYWORDS = "SELECT lower(word) FROM information_schema.keywords"


class MySQLCatalog(MySQLIntrospection):
    """MySQL and MariaDB, which list no temporary tables (MariaDB from 11.2 on does)."""

    made: Sequence[str] = ()
    """The names of the temporary tables that this session has made, as far as is known."""

    def tables(self, *, internal: bool = False, most_schemas: int | None = None) -> list[TableRow]:
        """Return tables and views of every database, those of the current one first.

        A temporary table takes the place of the table that it hides.
        """
        del most_schemas  # all are one query
        listed = self._listed(internal=internal)
        own = self._unlisted(listed)
        hidden = {(row.schema, row.name) for row in own}
        return [*own, *(row for row in listed if (row.schema, row.name) not in hidden)]

    def _listed(self, *, internal: bool) -> list[TableRow]:
        return [
            TableRow("", schema, name, kind, temporary=bool(temporary), comment=comment or "", internal=bool(system))
            for schema, name, kind, temporary, comment, system in self._rows(_TABLES, internal=internal)
        ]

    def _unlisted(self, listed: Sequence[TableRow]) -> list[TableRow]:
        """Return the session's temporary tables that are not among those *listed*."""
        known = {row.name for row in listed if row.temporary}
        names = [name for name in self.made if name not in known]
        if not names:
            return []
        schemas = [row.name for row in self.schemas()]
        return [
            TableRow("", schema, name, "table", temporary=True)
            for name in names
            for schema in schemas
            if self._is_temporary(schema, name)
        ]

    def _is_temporary(self, schema: str, name: str) -> bool:
        text = self._rows_if_any(f"SHOW CREATE TABLE {_quoted(schema)}.{_quoted(name)}")
        return bool(text) and str(text[0][1]).startswith("CREATE TEMPORARY")

    def listed_tables(self) -> list[TableRow]:
        """Return the tables of every database but the system's."""
        return self.tables()

    def columns(self, database: str, schema: str, table: str) -> list[ColumnRow]:
        """Return the columns of one table, also of a temporary one, with their types as the server writes them."""
        del database
        name = ".".join(_quoted(part) for part in (schema, table) if part)
        return [
            ColumnRow("", schema, table, row.Field, _text(row.Type), row.Null == "YES", _text(row.Default), row.Comment)
            for row in self._rows_if_any(f"SHOW FULL COLUMNS FROM {name}")
        ]

    def all_columns(self, *, most_schemas: int | None = None) -> list[ColumnRow]:
        """Return the columns of all tables."""
        del most_schemas
        own = {(row.schema, row.name) for row in self._unlisted(self._listed(internal=False))} if self.made else set()
        rows = [
            ColumnRow("", schema, table, name, kind, bool(nullable), default or "", comment or "")
            for schema, table, name, kind, nullable, default, comment in self._rows(_COLUMNS)
            if (schema, table) not in own
        ]
        return rows + [column for schema, table in own for column in self.columns("", schema, table)]

    def functions(self) -> list[FunctionRow]:
        """Return the functions of the current database, and the names of MariaDB's own."""
        names = [row[0] for row in (*self._rows_if_any(_BUILT_IN), *self._rows(_ROUTINES))]
        return [FunctionRow(name, "scalar", [], [], None, None, "") for name in names]

    def settings(self) -> list[SettingRow]:
        """Return the settings of the session."""
        return [SettingRow(row[0], "") for row in self._rows("SHOW SESSION VARIABLES")]

    def keywords(self) -> frozenset[str]:
        """Return the server's keywords, in lower case."""
        words = frozenset(row[0] for row in self._rows_if_any(_KEYWORDS) if str(row[0]).isidentifier())
        return words or self.usual_keywords

    def _rows(self, sql: str, **values: object) -> Sequence[Any]:
        self._tell()
        return self._connection.execute(sqlalchemy.text(sql), values).all()

    def _rows_if_any(self, sql: str) -> Sequence[Any]:
        """Return the rows of a table that MySQL, or an older MariaDB, may not have."""
        try:
            return self._rows(sql)
        except DBAPIError:
            return []


def _quoted(name: str) -> str:
    """Return *name* in quotes, with no parameter in it."""
    return quoting.of("mysql").identifier(name).replace(":", r"\:")


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value) if value is not None else ""

"""Introspection of Hive and Spark, whose `SHOW` and `DESCRIBE` say more than PyHive's dialect reads."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from md_magic.engine.backends.introspection.inspector import InspectorIntrospection
from md_magic.engine.backends.introspection.questions import ColumnRow, FunctionRow, SchemaRow, TableRow
from md_magic.sql import quoting

if TYPE_CHECKING:
    from collections.abc import Sequence

_FURTHER = "#"
"""What begins the lines below a table's columns: its partitions, and other headings."""


class HiveIntrospection(InspectorIntrospection):
    """Hive and Spark. Their schemas are databases; temporary views have none."""

    current_schema = "SELECT current_database()"

    def schemas(self, database: str | None = None, *, internal: bool = False) -> list[SchemaRow]:
        """Return the databases, the current one first."""
        del database, internal
        default = self._default_schema
        names = [str(row[0]) for row in self._rows("SHOW SCHEMAS")]
        return [SchemaRow("", name) for name in sorted(names, key=lambda name: name != default)]

    def listed_tables(self) -> list[TableRow]:
        """Return the tables of every database."""
        return list(dict.fromkeys(self.tables()))

    def columns(self, database: str, schema: str, table: str) -> list[ColumnRow]:
        """Return the columns of one table, and no rows for one that does not exist."""
        del database
        try:
            return self._described(schema, table)
        except DBAPIError as error:
            if "NOT_FOUND" in str(error) or "not found" in str(error).lower():
                return []
            raise

    def all_columns(self, *, most_schemas: int | None = None) -> list[ColumnRow]:
        """Return the columns of all tables, which are asked one by one; a broken view has none."""
        rows: list[ColumnRow] = []
        for table in self.tables(most_schemas=most_schemas):
            self._tell()
            with contextlib.suppress(DBAPIError):
                rows += self._described(table.schema, table.name)
        return rows

    def functions(self) -> list[FunctionRow]:
        """Return the functions, of which only the names are known."""
        names = [str(row[0]).rpartition(".")[2] for row in self._rows("SHOW FUNCTIONS")]
        return [FunctionRow(name, "scalar", [], [], None, None, "") for name in names if name.isidentifier()]

    def search_path(self) -> list[SchemaRow]:
        """Return the temporary views, which have no database, and the current database."""
        return [SchemaRow("", ""), SchemaRow("", self._default_schema)]

    def _tables_of(self, schema: str) -> list[TableRow]:
        self._tell()
        where = f" IN {_quoted(schema)}" if schema else ""
        views = {_name(row) for row in self._shown_views(where)}
        rows = [row for row in self._rows(f"SHOW TABLES{where}") if schema or _is_temporary(row)]
        return [
            TableRow("", "" if _is_temporary(row) else schema, name, kind, temporary=_is_temporary(row))
            for row in rows
            for name in [_name(row)]
            for kind in ["view" if name in views or _is_temporary(row) else "table"]
        ]

    def _shown_views(self, where: str) -> Sequence[Any]:
        try:
            return self._rows(f"SHOW VIEWS{where}")
        except DBAPIError:  # Hive before 2.2
            return []

    def _described(self, schema: str, table: str) -> list[ColumnRow]:
        rows: list[ColumnRow] = []
        for name, kind, comment, *_ in self._rows(f"DESCRIBE {_quoted(*filter(None, (schema, table)))}"):
            if not name or str(name).startswith(_FURTHER):
                break
            rows.append(ColumnRow("", schema, table, str(name).strip(), str(kind).strip(), comment=comment or ""))
        return rows

    def _rows(self, sql: str) -> Sequence[Any]:
        return self._connection.exec_driver_sql(sql.replace("%", "%%")).all()


def _quoted(*parts: str) -> str:
    return quoting.Quoting("hive", "`", "`").identifier(*parts)


def _name(row: Sequence[Any]) -> str:
    """Return the name of a table: Hive gives it alone, Spark after its database."""
    return str(row[0] if len(row) == 1 else row[1])


def _is_temporary(row: Sequence[Any]) -> bool:
    return len(row) > 2 and bool(row[2])  # noqa: PLR2004 - Spark's third column

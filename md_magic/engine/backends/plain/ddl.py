"""CREATE and DROP TABLE for DuckDB: a key that counts by itself gets a sequence, for there is no `SERIAL`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql.base import PGDDLCompiler

if TYPE_CHECKING:
    import sqlalchemy

_SERIAL = {"SERIAL": "INTEGER", "BIGSERIAL": "BIGINT", "SMALLSERIAL": "SMALLINT"}
"""What PostgreSQL calls an integer that counts by itself, and what DuckDB calls the integer."""


class DDLCompiler(PGDDLCompiler):
    """Writes keys that count by themselves with a sequence."""

    def get_column_specification(self, column: Any, **kwargs: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        """Write *column*; PostgreSQL's `SERIAL` as an integer with a sequence."""
        written = str(super().get_column_specification(column, **kwargs))  # type: ignore[no-untyped-call] # of SQLAlchemy
        name = self.preparer.format_column(column)
        word, _, rest = written.removeprefix(f"{name} ").partition(" ")
        if word not in _SERIAL:
            return written
        sequence = self._sequence(column).replace("'", "''")
        return f"{name} {_SERIAL[word]} DEFAULT nextval('{sequence}') {rest}".rstrip()

    def visit_create_table(self, create: Any, **kwargs: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        """Write the table, after the sequence of its key."""
        written = super().visit_create_table(create, **kwargs)  # type: ignore[no-untyped-call] # of SQLAlchemy
        sequence = self._sequence_of_key(create.element)
        if "TEMP" in " ".join(create.element._prefixes).upper():  # noqa: SLF001 - TEMPORARY is a prefix to SQLAlchemy
            return f"CREATE TEMP SEQUENCE IF NOT EXISTS {sequence};{written}" if sequence else str(written)
        return f"CREATE SEQUENCE IF NOT EXISTS {sequence};{written}" if sequence else str(written)

    def visit_drop_table(self, drop: Any, **kwargs: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        """Drop the table, and then the sequence of its key."""
        written = super().visit_drop_table(drop, **kwargs)  # type: ignore[no-untyped-call] # of SQLAlchemy
        sequence = self._sequence_of_key(drop.element)
        return f"{written};\nDROP SEQUENCE IF EXISTS {sequence}" if sequence else str(written)

    def _sequence_of_key(self, table: sqlalchemy.Table) -> str:
        column = table._autoincrement_column  # noqa: SLF001 - what SQLAlchemy's own compilers ask
        if column is None or " DEFAULT nextval(" not in self.get_column_specification(column):
            return ""
        return self._sequence(column) if column.default is None and column.server_default is None else ""

    def _sequence(self, column: Any) -> str:  # noqa: ANN401 - a column of a table
        table = column.table
        name = str(self.preparer.quote(f"{table.name}_{column.name}_seq"))
        schema = self.preparer.schema_for_object(table)
        return f"{self.preparer.quote_schema(schema)}.{name}" if schema else name

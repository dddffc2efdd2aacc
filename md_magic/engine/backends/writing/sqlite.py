"""Writing to SQLite, whose types are few: what it has none for becomes text that is exact."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from md_magic.engine.backends.writing import source as frames
from md_magic.engine.backends.writing.writer import Writer
from md_magic.errors import FrameError, StatementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from md_magic.engine.backends.writing.source import Source
    from md_magic.sql.statement import How


class SQLiteWriter(Writer):
    """Writes with the standard library's sqlite3."""

    def _write(self, table: Sequence[str], source: Source, how: How) -> None:
        with self._change():
            self._make(table, source, how)
            name = self._identifier(*table)
            columns = ", ".join(self._identifier(field.name) for field in source.fields)
            places = ", ".join("?" * len(source.fields))
            statement = f"INSERT INTO {name} ({columns}) VALUES ({places})"  # noqa: S608 - quoted names
            converters = [_converter(field) for field in source.fields]
            for batch in source.batches():
                self._check()
                values = [convert(column) for convert, column in zip(converters, batch, strict=True)]
                self._driver.executemany(statement, zip(*values, strict=True))
                self._count(len(batch[0]))

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        """Make the block one change: within the transaction that is open, or one of its own."""
        self._run("SAVEPOINT md_magic")
        try:
            yield
            self._check()
            self._run("RELEASE md_magic")
        except BaseException:
            self._undo("ROLLBACK TO md_magic", "RELEASE md_magic")
            raise
        self._done()

    def _make(self, table: Sequence[str], source: Source, how: How) -> None:
        """Make the table, if it is to be made, temporary if it replaces one that is."""
        if how == "append":
            return
        schemas = self._schemas(table)
        if schemas and how == "create":
            raise self._exists(table)
        if schemas:
            self._run(f"DROP TABLE {self._identifier(schemas[0], table[-1])}")
        name = self._identifier(schemas[0], table[-1]) if schemas else self._identifier(*table)
        columns = ", ".join(f"{self._identifier(field.name)} {_type_name(field)}" for field in source.fields)
        self._run(f"CREATE TABLE {name} ({columns})")

    def _schemas(self, table: Sequence[str]) -> list[str]:
        """Return the schemas that have a table or view of that name, in the order in which SQLite looks for it."""
        names = [str(row[1]) for row in self._run("PRAGMA database_list")]
        if len(table) > 1 and table[-2].lower() not in {"temp", *(name.lower() for name in names)}:
            message = f"There is no database {table[-2]!r} here: ATTACH it first. These are: {', '.join(names)}."
            raise StatementError(message)
        names = [table[-2]] if len(table) > 1 else sorted(names, key=lambda name: name != "temp")
        found = []
        for name in names:
            master = self._identifier(name, "sqlite_temp_master" if name.lower() == "temp" else "sqlite_master")
            sql = f"SELECT 1 FROM {master} WHERE lower(name) = lower(?) AND type IN ('table', 'view')"  # noqa: S608 - see above
            if self._run(sql, [table[-1]]):
                found.append(name)
        return found


_TYPES = {
    "bool": "BOOLEAN",
    "halffloat": "REAL",
    "float": "REAL",
    "double": "REAL",
    "large_binary": "BLOB",
}


def _type_name(field: pa.Field) -> str:
    """Return the declared type. A DECIMAL would be kept as a float, in which digits are lost."""
    kind = field.type
    if frames.is_json(field) or pa.types.is_nested(kind):
        return "TEXT"
    if pa.types.is_integer(kind):
        return "INTEGER"
    tests = (
        (pa.types.is_date, "DATE"),
        (pa.types.is_timestamp, "TIMESTAMP"),
        (pa.types.is_time, "TIME"),
        (pa.types.is_fixed_size_binary, "TEXT" if frames.is_uuid(field) else "BLOB"),
    )
    return _TYPES.get(str(kind)) or next((name for is_kind, name in tests if is_kind(kind)), "TEXT")


def _converter(field: pa.Field) -> Callable[[Any], list[Any]]:
    """Return what makes Python values that sqlite3 binds, of a column that is *field*."""
    kind, name = field.type, field.name
    if pa.types.is_interval(kind):
        message = (
            f"The column {name!r} is of {kind}, which SQLite has no type for. Nothing was written. Make it a text or a"
            " number first."
        )
        raise FrameError(message)
    if frames.is_uuid(field):
        return lambda values: [None if raw is None else str(uuid.UUID(bytes=raw)) for raw in values.to_pylist()]
    tests: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], list[Any]]], ...] = (
        (pa.types.is_nested, lambda values: list(frames.json_texts(values, name).to_pylist())),
        (pa.types.is_uint64, lambda values: list(frames.cast(values, pa.int64(), name, "an INTEGER").to_pylist())),
        (pa.types.is_boolean, lambda values: list(values.cast(pa.int8()).to_pylist())),
        (pa.types.is_duration, lambda values: [None if value is None else str(value) for value in values.to_pylist()]),
        (pa.types.is_timestamp, _timestamps),
        (pa.types.is_decimal, _texts),
        (pa.types.is_temporal, _texts),
    )
    return next((convert for is_kind, convert in tests if is_kind(kind)), lambda values: list(values.to_pylist()))


def _texts(values: Any) -> list[str | None]:  # noqa: ANN401 - a pyarrow array
    return list(values.cast(pa.large_string()).to_pylist())


def _timestamps(values: Any) -> list[str | None]:  # noqa: ANN401 - a pyarrow array
    """Return timestamps as SQLite's functions read them; those with a time zone in UTC, with its offset."""
    kind = values.type
    if not kind.tz:
        return list(values.cast(pa.large_string()).to_pylist())
    texts = values.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit)).cast(pa.large_string())
    return [None if text is None else f"{text}+00:00" for text in texts.to_pylist()]

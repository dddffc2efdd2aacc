"""Writing to PostgreSQL by COPY: in binary with psycopg, as text with psycopg2 and where types have to be converted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from md_magic.engine.backends.postgresql import binary, text
from md_magic.engine.backends.writing import source as frames
from md_magic.engine.backends.writing.writer import Writer
from md_magic.errors import FrameError, StatementError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.engine.backends.postgresql.binary import Codec
    from md_magic.engine.backends.writing.source import Source
    from md_magic.sql.statement import How

_IDLE = 0
"""libpq's transaction status of a connection that has no transaction open."""

_RELATION = """SELECT c.oid::int8, n.nspname, c.relpersistence = 't', n.nspname IS NOT DISTINCT FROM current_schema()
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(%s)"""

_COLUMNS = """SELECT a.attname, CASE WHEN t.typbasetype = 0 THEN t.oid ELSE t.typbasetype END::int8,
t.typtype = 'e', CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::int8
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped"""

_BY_OID: dict[int, Codec] = {codec.oid: codec for codec in vars(binary).values() if isinstance(codec, binary.Codec)}
_INTEGERS = {
    "int8": binary.INT2,
    "int16": binary.INT2,
    "uint8": binary.INT2,
    "int32": binary.INT4,
    "uint16": binary.INT4,
    "int64": binary.INT8,
    "uint32": binary.INT8,
    "uint64": binary.NUMERIC,
    "bool": binary.BOOL,
    "halffloat": binary.FLOAT4,
    "float": binary.FLOAT4,
    "double": binary.FLOAT8,
    "large_string": binary.TEXT,
    "large_binary": binary.BYTEA,
    "null": binary.TEXT,
}
"""The type of PostgreSQL for a type of Arrow, by its name."""

_NUMBERS = frozenset({binary.INT2, binary.INT4, binary.INT8, binary.FLOAT4, binary.FLOAT8})
_TEXTS = frozenset({binary.TEXT, binary.VARCHAR, binary.BPCHAR})
_FITS: dict[Codec, frozenset[Codec]] = {
    **dict.fromkeys((binary.INT2, binary.INT4, binary.INT8), _NUMBERS | {binary.NUMERIC}),
    binary.FLOAT4: _NUMBERS,
    binary.FLOAT8: _NUMBERS,
    binary.NUMERIC: frozenset({binary.INT2, binary.INT4, binary.INT8}),
    binary.TEXT: _TEXTS,
    binary.JSONB: _TEXTS | {binary.JSON},
    binary.DATE: frozenset({binary.TIMESTAMP}),
    binary.TIMESTAMP: frozenset({binary.DATE}),
}
"""The types, besides its own, that a column can be appended to in binary; others are sent as text."""

_PARAMETER = re.compile(r': "[\s\S]*\Z')
_VALUE = re.compile(r'\bvalue "[\s\S]*?" ')
_COLUMN = re.compile(r"\ACOPY .*, line \d+, column ([^:\n]+)")


@dataclass(frozen=True, slots=True)
class _Column:
    """How one column of the frame is written."""

    name: str
    """In the database."""

    label: str
    """In the frame."""

    codec: Codec
    is_array: bool = False
    is_json: bool = False
    """Whether its values become JSON documents."""

    is_text: bool = False
    """Whether only the text format can convert its values to the type of the table's column."""

    precision: str = ""

    @property
    def type_name(self) -> str:
        return self.codec.name + self.precision + ("[]" if self.is_array else "")

    def prepared(self, values: Any) -> Any:  # noqa: ANN401 - pyarrow arrays
        """Return *values* in the Arrow type that is written."""
        if self.is_json and not pa.types.is_large_string(values.type):
            return frames.json_texts(values, self.label)
        if pa.types.is_interval(_element(values.type)):
            return _whole_microseconds(values, self.label)
        if self.is_text or (self.codec.arrow is None and pa.types.is_decimal(values.type)):
            return values
        kind = self.codec.arrow or pa.decimal128(20, 0)
        if pa.types.is_null(values.type):
            return pa.nulls(len(values), pa.large_list(kind) if self.is_array else kind)
        return frames.cast(values, pa.large_list(kind) if self.is_array else kind, self.label, self.type_name)

    def encoded(self, values: Any) -> Any:  # noqa: ANN401 - pyarrow arrays
        prepared = self.prepared(values)
        return binary.array_of(self.codec, prepared) if self.is_array else self.codec.encode(prepared)

    def written(self, values: Any) -> Any:  # noqa: ANN401 - pyarrow arrays
        return text.texts(self.prepared(values), is_uuid=self.codec is binary.UUID and not self.is_text)


def _element(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_large_list(kind) else kind


def _whole_microseconds(values: Any, label: str) -> Any:  # noqa: ANN401 - pyarrow arrays
    """Return *values*, intervals or lists of them, as they are. Raises `FrameError` for a part of a microsecond."""
    flat = values.flatten() if pa.types.is_large_list(values.type) else values
    if (binary.parts_of(flat)["nanoseconds"] % 1_000).any():
        message = (
            f"The column {label!r} has parts of a microsecond, which PostgreSQL's interval does not have. Nothing was"
            " written. Round them first."
        )
        raise FrameError(message)
    return values


class PostgreSQLWriter(Writer):
    """Writes with psycopg or psycopg2."""

    def _write(self, table: Sequence[str], source: Source, how: How) -> None:
        is_open = self._driver.info.transaction_status != _IDLE
        with self._transaction(is_open=is_open):
            try:
                name, columns = self._prepare(table, source, how)
                self._copy(name, columns, source)
            except Exception as error:
                diagnosis = getattr(error, "diag", None)
                if diagnosis is not None and diagnosis.message_primary and not self._driver.closed:
                    raise StatementError(_without_data(diagnosis)) from None
                raise

    def _prepare(self, table: Sequence[str], source: Source, how: How) -> tuple[str, list[_Column]]:
        """Make the table, if it is to be made; return its full name, and how each column is written."""
        rows = self._run(_RELATION, [self._identifier(*table)])
        oid, schema, is_temporary, is_current = rows[0] if rows else (0, "", False, False)
        if how == "create" and oid and (len(table) > 1 or is_temporary or is_current):
            raise self._exists(table)
        name = self._identifier(*table)
        if oid and len(table) == 1 and how != "create":
            name = self._identifier(schema, *table)
        columns = [_natural(field) for field in source.fields]
        if how == "append" and oid:
            return name, _fitted(columns, self._run(_COLUMNS, [oid]))
        if how == "replace" and oid:
            self._run(f"DROP TABLE {name}")
        listed = ", ".join(f"{self._identifier(column.name)} {column.type_name}" for column in columns)
        temporary = "TEMPORARY " if oid and is_temporary and how == "replace" else ""
        if how != "append":
            self._run(f"CREATE {temporary}TABLE {self._identifier(*table) if temporary else name} ({listed})")
        return name, columns

    def _copy(self, name: str, columns: list[_Column], source: Source) -> None:
        listed = ", ".join(self._identifier(column.name) for column in columns)
        is_binary = hasattr(self._driver, "pgconn") and not any(column.is_text for column in columns)
        statement = f"COPY {name} ({listed}) FROM STDIN" + (" (FORMAT BINARY)" if is_binary else "")
        chunks = self._binary_chunks(columns, source) if is_binary else self._text_chunks(columns, source)
        cursor = self._driver.cursor()
        if not hasattr(cursor, "copy"):
            _copy_from_file(cursor, statement, _File(chunks))
            return
        with cursor.copy(statement) as copy:
            for chunk in chunks:
                copy.write(chunk)

    def _binary_chunks(self, columns: list[_Column], source: Source) -> Iterator[bytes | memoryview]:
        yield binary.SIGNATURE
        for batch in source.batches():
            yield binary.tuples([column.encoded(values) for column, values in zip(columns, batch, strict=True)])
            self._count(len(batch[0]))
        yield binary.TRAILER

    def _text_chunks(self, columns: list[_Column], source: Source) -> Iterator[bytes | memoryview]:
        for batch in source.batches():
            yield text.tuples([column.written(values) for column, values in zip(columns, batch, strict=True)])
            self._count(len(batch[0]))


class _File:
    """What psycopg2 reads a COPY from."""

    def __init__(self, chunks: Iterator[bytes | memoryview]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.error: BaseException | None = None
        """What was raised while it was read: psycopg2 makes an error of its own of that, with the text of this one."""

    def read(self, size: int) -> bytes:
        while not self._rest:
            try:
                chunk = next(self._chunks, None)
            except BaseException as error:
                self.error = error
                raise
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)


def _copy_from_file(cursor: Any, statement: str, file: _File) -> None:  # noqa: ANN401 - of psycopg2
    try:
        cursor.copy_expert(statement, file)
    except Exception:
        if file.error is not None:
            raise file.error from None
        raise


def _natural(field: pa.Field) -> _Column:
    """Return how a column of a new table is written."""
    kind, name = field.type, field.name
    if frames.is_json(field):
        return _Column(name, name, binary.JSONB, is_json=True)
    if frames.is_uuid(field):
        return _Column(name, name, binary.UUID)
    if pa.types.is_decimal(kind):
        has_precision = 0 <= kind.scale <= kind.precision and not pa.types.is_decimal256(kind)
        return _Column(
            name, name, binary.NUMERIC, precision=f"({kind.precision},{kind.scale})" if has_precision else ""
        )
    codec = _codec(kind)
    if codec is not None:
        return _Column(name, name, codec)
    element = _codec(kind.value_type) if pa.types.is_large_list(kind) else None
    if element is not None and element is not binary.NUMERIC:
        return _Column(name, name, element, is_array=True)
    if pa.types.is_nested(kind):
        return _Column(name, name, binary.JSONB, is_json=True)
    message = (
        f"The column {name!r} is of {kind}, which PostgreSQL has no type for. Nothing was written. Convert it first."
    )
    raise FrameError(message)


def _codec(kind: pa.DataType) -> Codec | None:
    if str(kind) in _INTEGERS:
        return _INTEGERS[str(kind)]
    tests = (
        (pa.types.is_date, binary.DATE),
        (pa.types.is_time, binary.TIME),
        (pa.types.is_duration, binary.INTERVAL),
        (pa.types.is_interval, binary.INTERVAL),
        (pa.types.is_decimal, binary.NUMERIC),
        (pa.types.is_fixed_size_binary, binary.BYTEA),
    )
    if pa.types.is_timestamp(kind):
        return binary.TIMESTAMPTZ if kind.tz else binary.TIMESTAMP
    return next((codec for is_kind, codec in tests if is_kind(kind)), None)


def _fitted(columns: list[_Column], described: list[tuple[str, int, bool, int]]) -> list[_Column]:
    """Return how *columns* are appended to a table whose columns are *described*: name, type, enum, element type."""
    by_name = {name: (name, oid, is_enum, element) for name, oid, is_enum, element in described}
    folded = {name.lower(): row for name, row in by_name.items()}
    return [
        _appended(column, by_name.get(column.name) or folded.get(column.name.lower()) or ("", 0, False, 0))
        for column in columns
    ]


def _appended(column: _Column, described: tuple[str, int, bool, int]) -> _Column:
    name, oid, is_enum, element = described
    wanted = binary.TEXT if is_enum else _BY_OID.get(element or oid)
    fits = bool(element) == column.is_array and (wanted is column.codec or wanted in _FITS.get(column.codec, ()))
    if column.codec is binary.TIMESTAMPTZ and wanted is binary.TIMESTAMP:
        message = (
            f"The column {column.label!r} has a time zone, and that of the table has none. Nothing was written. Say"
            " which clock is meant: .dt.tz_convert('UTC').dt.tz_localize(None)."
        )
        raise FrameError(message)
    codec = wanted if fits and wanted is not None else column.codec
    return _Column(
        name or column.name,
        column.label,
        codec,
        is_array=column.is_array,
        is_json=column.is_json,
        is_text=not fits,
    )


def _without_data(diagnosis: Any) -> str:  # noqa: ANN401 - of psycopg and psycopg2
    """Return what PostgreSQL says, without the values that it repeats."""
    words = _VALUE.sub("a value ", _PARAMETER.sub("", diagnosis.message_primary))
    column = _COLUMN.match(diagnosis.context or "")
    where = f" (column {column[1]})" if column and f'"{column[1]}"' not in words else ""
    return f"{words}{where}"

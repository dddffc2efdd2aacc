"""A Python table as Arrow batches: types are those of the Arrow schema, and no value goes through a float.

The invariant: an error names the column, never a value.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import uuid
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from md_magic.engine import utf8
from md_magic.engine.results.batches import cast_views
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROWS = 20_000
"""Rows of a batch at most: a few MB, and tens of milliseconds."""

_KIND = b"md_magic.kind"
_JSON, _UUID = b"json", b"uuid"


class Source:
    """The batches of a Python table, once."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - any table
        """Read *value*. Raises `FrameError` for a column that has no Arrow type, and for a table without columns."""
        self._reader = _reader(value)
        self.schema: pa.Schema = self._reader.schema
        self.rows = 0
        """The number of rows that have been read."""

        if not self.schema.names:
            message = "The table has no columns, so that there is nothing to write."
            raise FrameError(message)

    @property
    def fields(self) -> list[pa.Field]:
        """The columns, with plain types: no dictionaries, views and extensions."""
        return [field.with_type(_plain_type(field.type)) for field in map(_marked, self.schema)]

    def batches(self) -> Iterator[list[pa.Array]]:
        """Give the columns of each batch, of plain types."""
        for batch in self._reader:
            utf8.check("the table", batch)
            for start in range(0, batch.num_rows, _ROWS):
                part = batch.slice(start, _ROWS)
                yield [_plain(column) for column in part.columns]
                self.rows += part.num_rows


def is_json(field: pa.Field) -> bool:
    """Whether the texts of *field* are JSON."""
    return (field.metadata or {}).get(_KIND) == _JSON


def is_uuid(field: pa.Field) -> bool:
    """Whether the bytes of *field* are UUIDs."""
    return (field.metadata or {}).get(_KIND) == _UUID


def cast(array: pa.Array, kind: pa.DataType, name: str, wanted: str) -> pa.Array:
    """Return *array*, of the column *name*, as *kind*, where no value changes. Raises `FrameError` where one would."""
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        message = (
            f"The column {name!r} holds {array.type}, and at least one value does not fit into {wanted} unchanged."
            " Nothing was written. Convert the column first, for instance with .round() or .astype()."
        )
        raise FrameError(message) from None


def json_texts(array: pa.Array, name: str) -> pa.Array:
    """Return each value of *array*, a column of structs, maps or lists, as the text of a JSON document."""
    convert = _json_value(array.type)
    values = (None if value is None else json_text(convert(value), name) for value in array.to_pylist())
    return pa.array(values, pa.large_string())


def json_text(value: object, name: str) -> str:
    """Return *value*, of the column *name*, as a JSON document. Raises `FrameError` where JSON has no such value."""
    try:
        return json.dumps(value, default=_as_json, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        message = f"The column {name!r} holds a value that JSON does not have: {_reason(error)}. Nothing was written."
        raise FrameError(message) from None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, TypeError) else "NaN, an infinity, or a value within itself"


def _as_json(value: object) -> object:
    """Return a value that JSON has no type for as one that it has, exactly."""
    if isinstance(value, dt.datetime | dt.date | dt.time | uuid.UUID):
        return value.isoformat() if not isinstance(value, uuid.UUID) else str(value)
    if isinstance(value, decimal.Decimal) and value.is_finite():
        number = int(value) if value == value.to_integral_value() else float(value)
        if decimal.Decimal(repr(number)) == value:
            return number
    if hasattr(value, "tolist"):  # of numpy
        return value.tolist()
    message = f"a {type(value).__name__}"
    raise TypeError(message)


def _json_value(kind: pa.DataType) -> Callable[[Any], Any]:
    """Return what makes a JSON value of a Python value of the Arrow type *kind*: a map is a list of pairs there."""
    if pa.types.is_map(kind) and (pa.types.is_string(kind.key_type) or pa.types.is_large_string(kind.key_type)):
        inner = _json_value(kind.item_type)
        return lambda value: None if value is None else {key: inner(item) for key, item in value}
    if pa.types.is_struct(kind):
        inners = {field.name: _json_value(field.type) for field in kind}
        return lambda value: None if value is None else {key: inners[key](item) for key, item in value.items()}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _json_value(kind.value_type)
        return lambda value: None if value is None else [inner(item) for item in value]
    return lambda value: value


# ---- reading -------------------------------------------------------------------------------------------------------


def _reader(value: Any) -> pa.RecordBatchReader:  # noqa: ANN401 - any table
    if isinstance(value, pd.DataFrame):
        return _of_pandas(value).to_reader()
    if type(value).__name__ == "LazyFrame":
        value = value.collect()
    if isinstance(value, pa.RecordBatchReader):
        return value
    if isinstance(value, pa.Table):
        return value.to_reader()
    if hasattr(value, "scanner"):  # a dataset
        value = value.scanner()
    if hasattr(value, "to_reader"):
        return value.to_reader()
    return pa.RecordBatchReader.from_stream(value)


def _of_pandas(frame: pd.DataFrame) -> pa.Table:
    fields, columns = [], []
    for at, label in enumerate(frame.columns):
        field, column = _of_series(str(label), frame.iloc[:, at])
        fields.append(field)
        columns.append(column)
    return pa.table(columns, schema=pa.schema(fields))


def _of_series(name: str, series: pd.Series[Any]) -> tuple[pa.Field, Any]:
    if series.dtype == object and isinstance(next(iter(series.dropna()), None), dict | uuid.UUID):
        return _of_objects(name, series)
    try:
        column = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, TypeError, ValueError):
        return _of_objects(name, series)
    if getattr(column.type, "extension_name", "").startswith("pandas."):  # of a Period, whose storage is a bare number
        return _of_objects(name, series)
    return pa.field(name, column.type), column


def _of_objects(name: str, series: pd.Series[Any]) -> tuple[pa.Field, Any]:
    """Return a column of Python objects that have no common Arrow type, if they are UUIDs or JSON."""
    values = [
        None if value is None or value is pd.NA or value is pd.NaT or _is_nan(value) else value for value in series
    ]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {uuid.UUID}:
        raw = [None if value is None else value.bytes for value in values]
        return pa.field(name, pa.binary(16), metadata={_KIND: _UUID}), pa.array(raw, pa.binary(16))
    if kinds and kinds <= {dict, list, tuple}:
        texts = [None if value is None else json_text(value, name) for value in values]
        return pa.field(name, pa.large_string(), metadata={_KIND: _JSON}), pa.array(texts, pa.large_string())
    if kinds == {int}:
        digits = [None if value is None else decimal.Decimal(value) for value in values]
        column = pa.array(digits, pa.decimal256(76, 0))
        return pa.field(name, column.type), column
    shown = " and ".join(sorted(kind.__name__ for kind in kinds)) or str(series.dtype)
    message = (
        f"The column {name!r} holds {shown}, for which there is no one type in a database. Nothing was written. Convert"
        f" it first: df[{name!r}] = df[{name!r}].astype(str)."
    )
    raise FrameError(message)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _marked(field: pa.Field) -> pa.Field:
    """Return *field* with its Arrow extension type, JSON or UUID, noted in its metadata."""
    extension = getattr(field.type, "extension_name", "") or (field.metadata or {}).get(b"ARROW:extension:name", b"")
    name = extension.decode() if isinstance(extension, bytes) else extension
    if name in {"arrow.json", "arrow.uuid"}:
        return field.with_metadata({_KIND: name.removeprefix("arrow.").encode()})
    return field


_PLAIN = {
    "string": pa.large_string(),
    "string_view": pa.large_string(),
    "binary": pa.large_binary(),
    "binary_view": pa.large_binary(),
}


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if str(kind).startswith(("decimal32", "decimal64")):
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        return pa.large_list(_plain_type(kind.value_type))
    return _PLAIN.get(str(kind), kind)


def _plain(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage)
    if pa.types.is_run_end_encoded(array.type):
        return _plain(pc.run_end_decode(array))
    kind = _plain_type(array.type)
    return array if array.type == kind else cast_views(array, kind)

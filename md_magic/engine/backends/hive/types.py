"""Hive's types as Arrow's, by what the server says of each column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from md_magic.engine.results import typed
from md_magic.engine.results.typed import ColumnType

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = {
    "BIGINT_TYPE": pa.int64(),
    "BINARY_TYPE": pa.binary(),
    "BOOLEAN_TYPE": pa.bool_(),
    "DATE_TYPE": pa.date32(),
    "DOUBLE_TYPE": pa.float64(),
    "FLOAT_TYPE": pa.float32(),
    "INT_TYPE": pa.int32(),
    "NULL_TYPE": pa.null(),
    "SMALLINT_TYPE": pa.int16(),
    "TIMESTAMP_TYPE": pa.timestamp("us"),
    "TINYINT_TYPE": pa.int8(),
}
"""The others, lists, maps and structs among them, come as text."""


def column(described: Sequence[Any]) -> ColumnType:
    """Return the column that *described*, an item of the cursor's description, is about."""
    name, code, _, _, precision, scale, _ = described
    if code == "DECIMAL_TYPE" and precision:
        kind: pa.DataType = pa.decimal128(precision, scale or 0)
        return ColumnType(name, kind, typed.native(kind))
    if code not in _KINDS:
        return ColumnType(name, pa.string(), typed.text)
    return ColumnType(name, _KINDS[code], typed.native(_KINDS[code]))

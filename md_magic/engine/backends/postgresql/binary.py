"""Arrow columns in PostgreSQL's binary COPY format, a batch at a time, without a Python object for each value.

A field is four bytes with its length, -1 for NULL, and that many bytes in network order; a tuple is the number of its
fields, and the fields. Each column becomes a binary array of its fields; Arrow joins the columns row by row.
"""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_NULL_LENGTH = -1
_EPOCH_DAYS = 10_957
"""Days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count."""

_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_INT64_DIGITS = 18
_GROUP = 10_000
"""A digit of PostgreSQL's `numeric`."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How a type of PostgreSQL is written in binary."""

    name: str
    oid: int
    arrow: pa.DataType | None
    """The Arrow type that is encoded; `None` for any decimal."""

    encode: Callable[[Any], Any]
    """Returns the fields of an array of that type."""


def tuples(fields: Sequence[pa.Array]) -> memoryview:
    """Return the tuples whose *fields*, one array for each column, are encoded."""
    count = pa.scalar(len(fields).to_bytes(2, "big"), pa.large_binary())
    return content(pc.binary_join_element_wise(count, *fields, pa.scalar(b"", pa.large_binary())))


def array_of(codec: Codec, values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow.LargeListArray
    """Return the fields of one-dimensional arrays with elements of *codec*."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    elements = codec.encode(values.flatten())
    starts = _offsets(elements)[np.concatenate(([0], np.cumsum(lengths)))]
    bodies = _binary(starts, elements.buffers()[2])
    head = np.empty(len(values), dtype=[(name, ">i4") for name in ("length", "ndim", "flags", "oid", "dim", "lower")])
    head["length"] = np.where(lengths > 0, 20 + np.diff(starts), 12)
    head["ndim"], head["flags"], head["oid"] = lengths > 0, 1, codec.oid
    head["dim"], head["lower"] = lengths, 1
    is_null = _is_null(values)
    head["length"][is_null] = _NULL_LENGTH
    sizes = np.where(is_null, 4, np.where(lengths > 0, 24, 16))
    heads = _ragged(head.view(np.uint8).reshape(len(values), 24), sizes)
    return pc.binary_join_element_wise(heads, bodies, pa.scalar(b"", pa.large_binary()))


# ---- fields --------------------------------------------------------------------------------------------------------


def _variable(values: Any, *, lead: bytes = b"") -> pa.Array:  # noqa: ANN401 - a pyarrow array of bytes
    """Return the fields of *values*, bytes of any length, each after *lead*."""
    lengths = pc.binary_length(values)
    sizes = pc.fill_null(pc.add(lengths, len(lead)), _NULL_LENGTH).to_numpy(zero_copy_only=False).astype(">i4")
    prefixes = _binary(np.arange(len(values) + 1, dtype=np.int64) * 4, pa.py_buffer(sizes.tobytes()))
    if lead:
        values = pc.binary_join_element_wise(
            pa.scalar(lead, pa.large_binary()), values, pa.scalar(b"", pa.large_binary())
        )
    return pc.binary_join_element_wise(
        prefixes, pc.fill_null(values, pa.scalar(b"", pa.large_binary())), pa.scalar(b"", pa.large_binary())
    )


def _fixed(values: Any, records: NDArray[Any]) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    """Return the fields of *values*, whose bytes, all of one length, are *records*."""
    width = records.dtype.itemsize
    rows = np.empty((len(records), 4 + width), dtype=np.uint8)
    rows[:, :4] = np.frombuffer(width.to_bytes(4, "big"), np.uint8)
    rows[:, 4:] = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), width)
    sizes = np.full(len(records), 4 + width)
    if values.null_count:
        is_null = _is_null(values)
        rows[is_null, :4] = 255
        sizes[is_null] = 4
    return _ragged(rows, sizes)


def _ragged(rows: NDArray[np.uint8], sizes: NDArray[Any]) -> pa.Array:
    """Return the first bytes of each of *rows*, as many as *sizes* says."""
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    if len(sizes) == 0 or sizes.min() == rows.shape[1]:
        return _binary(starts, pa.py_buffer(rows))
    return _binary(starts, pa.py_buffer(rows[np.arange(rows.shape[1]) < sizes[:, None]]))


def _binary(starts: NDArray[np.int64], data: pa.Buffer | None) -> pa.Array:
    offsets = pa.py_buffer(np.ascontiguousarray(starts, dtype=np.int64))
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(starts) - 1, [None, offsets, data or pa.py_buffer(b"")]
    )


def _offsets(array: Any) -> NDArray[np.int64]:  # noqa: ANN401 - a pyarrow.LargeBinaryArray
    buffer = array.buffers()[1]
    if buffer is None:  # of no values
        return np.zeros(1, dtype=np.int64)
    return np.frombuffer(buffer, np.int64)[array.offset : array.offset + len(array) + 1]


def content(array: Any) -> memoryview:  # noqa: ANN401 - a pyarrow.LargeBinaryArray
    """Return the bytes of all values of *array*, one after the other."""
    starts, data = _offsets(array), array.buffers()[2]
    return memoryview(data)[starts[0] : starts[-1]] if data is not None else memoryview(b"")


def _is_null(values: Any) -> NDArray[np.bool_]:  # noqa: ANN401 - a pyarrow array
    is_null: NDArray[np.bool_] = values.is_null().to_numpy(zero_copy_only=False)
    return is_null


def _numbers(values: Any, raw: pa.DataType) -> NDArray[Any]:  # noqa: ANN401 - a pyarrow array
    """Return *values* as numbers of the type *raw*, which is as wide; 0 for NULL."""
    plain = values.view(raw) if values.type != raw else values
    numbers: NDArray[Any] = pc.fill_null(plain, pa.scalar(0, raw)).to_numpy(zero_copy_only=False)
    return numbers


# ---- types ---------------------------------------------------------------------------------------------------------


def _integers(width: int) -> Callable[[Any], pa.Array]:
    return lambda values: _fixed(values, _numbers(values, values.type).astype(f">i{width}"))


def _floats(width: int) -> Callable[[Any], pa.Array]:
    return lambda values: _fixed(values, _numbers(values, values.type).astype(f">f{width}"))


def _booleans(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _fixed(
        values,
        pc.fill_null(values.cast(pa.uint8()), pa.scalar(0, pa.uint8())).to_numpy(zero_copy_only=False).astype(np.uint8),
    )


def _dates(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _fixed(values, (_numbers(values, pa.int32()) - _EPOCH_DAYS).astype(">i4"))


def _timestamps(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _fixed(values, (_numbers(values, pa.int64()) - _EPOCH_MICROSECONDS).astype(">i8"))


def _times(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _fixed(values, _numbers(values, pa.int64()).astype(">i8"))


def _intervals(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array of durations, or of intervals
    records = np.zeros(len(values), dtype=[("microseconds", ">i8"), ("days", ">i4"), ("months", ">i4")])
    if pa.types.is_interval(values.type):
        parts = parts_of(values)
        records["months"], records["days"] = parts["months"], parts["days"]
        records["microseconds"] = parts["nanoseconds"] // 1_000
    else:
        records["microseconds"] = _numbers(values, pa.int64())
    return _fixed(values, records)


def parts_of(values: Any) -> NDArray[Any]:  # noqa: ANN401 - a pyarrow.MonthDayNanoIntervalArray
    """Return the months, days and nanoseconds of intervals; 0 for NULL."""
    parts = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
    buffer = values.buffers()[1] if len(values) else b""
    read: NDArray[Any] = np.frombuffer(buffer, parts)[values.offset : values.offset + len(values)].copy()
    read[_is_null(values)] = 0
    return read


def _texts(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _variable(values.cast(pa.large_binary()))


def _uuids(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _variable(values.cast(pa.large_binary()))


def _jsonb(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return _variable(values.cast(pa.large_binary()), lead=b"\x01")


def _numerics(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array of decimals
    """Return the fields of decimals: PostgreSQL's digits have a value below 10,000, and leading zeros do no harm."""
    precision, scale = values.type.precision, values.type.scale
    pad = -scale % 4
    unscaled = _unscaled(values, precision + pad)
    groups = -(-max(precision - scale, 0) // 4) + (scale + pad) // 4
    digit_type = [("digits", ">i2", (groups,))] if groups else []
    records = np.zeros(
        len(values), dtype=[("count", ">i2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">i2"), *digit_type]
    )
    records["count"], records["scale"] = groups, scale
    records["weight"] = groups - (scale + pad) // 4 - 1
    records["sign"] = np.where(unscaled < 0, 0x4000, 0)
    rest = np.abs(unscaled) * 10**pad
    for at in range(groups - 1, -1, -1):
        records["digits"][:, at] = (rest % _GROUP).astype(np.int64)
        rest = rest // _GROUP
    return _fixed(values, records)


def _unscaled(values: Any, digits: int) -> NDArray[Any]:  # noqa: ANN401 - a pyarrow array of decimals
    """Return *values* without their decimal point, in 64 bits if their *digits* fit into them; 0 for NULL."""
    values = pc.fill_null(values, pa.scalar(decimal.Decimal(0), values.type))
    if digits <= _INT64_DIGITS and pa.types.is_decimal128(values.type):
        pairs = np.frombuffer(values.buffers()[1], np.int64).reshape(-1, 2)
        return pairs[values.offset : values.offset + len(values), 0]
    scale = values.type.scale
    return np.array([int(value.scaleb(scale, _EXACT)) for value in values.to_pylist()], dtype=object)


_EXACT = decimal.Context(prec=100)

BOOL = Codec("boolean", 16, pa.bool_(), _booleans)
BYTEA = Codec("bytea", 17, pa.large_binary(), _variable)
INT8 = Codec("bigint", 20, pa.int64(), _integers(8))
INT2 = Codec("smallint", 21, pa.int16(), _integers(2))
INT4 = Codec("integer", 23, pa.int32(), _integers(4))
TEXT = Codec("text", 25, pa.large_string(), _texts)
JSON = Codec("json", 114, pa.large_string(), _texts)
FLOAT4 = Codec("real", 700, pa.float32(), _floats(4))
FLOAT8 = Codec("double precision", 701, pa.float64(), _floats(8))
BPCHAR = Codec("character", 1042, pa.large_string(), _texts)
VARCHAR = Codec("character varying", 1043, pa.large_string(), _texts)
DATE = Codec("date", 1082, pa.date32(), _dates)
TIME = Codec("time", 1083, pa.time64("us"), _times)
TIMESTAMP = Codec("timestamp", 1114, pa.timestamp("us"), _timestamps)
TIMESTAMPTZ = Codec("timestamp with time zone", 1184, pa.timestamp("us", "UTC"), _timestamps)
INTERVAL = Codec("interval", 1186, pa.duration("us"), _intervals)
NUMERIC = Codec("numeric", 1700, None, _numerics)
UUID = Codec("uuid", 2950, pa.binary(16), _uuids)
JSONB = Codec("jsonb", 3802, pa.large_string(), _jsonb)

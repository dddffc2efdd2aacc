"""MySQL's types as Arrow's, by what the server says of each column, through PyMySQL, which hands over their text."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from md_magic.engine.results import typed
from md_magic.engine.results.typed import ColumnType, Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNSIGNED, _BINARY_CHARSET = 32, 63
_MOST_DIGITS = 38

_INTEGERS: dict[int, tuple[pa.DataType, pa.DataType]] = {
    1: (pa.int8(), pa.uint8()),
    2: (pa.int16(), pa.uint16()),
    3: (pa.int32(), pa.uint32()),
    8: (pa.int64(), pa.uint64()),
    9: (pa.int32(), pa.uint32()),
    13: (pa.int16(), pa.int16()),  # YEAR
}
"""TINYINT, SMALLINT, INT, BIGINT, MEDIUMINT and YEAR, with a sign and without."""

_DATE, _TIME, _BIT, _JSON, _NULL = 10, 11, 16, 245, 6
_TIMESTAMPS = frozenset({7, 12})
_DECIMALS = frozenset({0, 246})
_FLOAT, _DOUBLE = 4, 5
_BYTES_OR_TEXT = frozenset({15, 249, 250, 251, 252, 253, 254})
_GEOMETRY = 255

_LONG_TIME = re.compile(r"\A(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?\Z")


def column(field: Any) -> ColumnType:  # noqa: ANN401 - a field of PyMySQL's
    """Return the column that *field* describes."""
    name, code = str(field.name), int(field.type_code)
    if code in _INTEGERS:
        kind = _INTEGERS[code][bool(field.flags & _UNSIGNED)]
        return ColumnType(name, kind, typed.cast(kind))
    if code in _DECIMALS:
        return _decimal(name, field)
    if code == _GEOMETRY or (code in _BYTES_OR_TEXT and field.charsetnr == _BINARY_CHARSET):
        return ColumnType(name, pa.binary(), typed.native(pa.binary()))
    if code in _TIMESTAMPS:
        return ColumnType(name, pa.timestamp("us"), typed.cast(pa.timestamp("us")))
    return _OTHERS.get(code, partial(ColumnType, type=pa.string(), parse=typed.text))(name)


def _decimal(name: str, field: Any) -> ColumnType:  # noqa: ANN401 - see above
    """Return a DECIMAL, whose length counts its point and its sign; one with too many digits for Arrow is a double."""
    scale = int(field.scale)
    digits = int(field.length) - (scale > 0) - (not field.flags & _UNSIGNED)
    if not 0 < digits <= _MOST_DIGITS or scale > digits:
        return ColumnType(name, pa.float64(), typed.cast(pa.float64()), for_dict=Decimal, converted=True)
    return ColumnType(name, pa.decimal128(digits, scale), typed.cast(pa.decimal128(digits, scale)), for_dict=Decimal)


def _bits(values: Sequence[Any], _null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
    """Return the bytes of BIT values as numbers."""
    return pa.array([None if value is None else int.from_bytes(value) for value in values], pa.uint64())


def _durations(values: Sequence[Any], null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
    """Return TIME values, which reach from -838:59:59 to 838:59:59, as durations."""
    try:
        return typed.times(values, False).cast(pa.int64()).cast(pa.duration("us"))  # noqa: FBT003 - see Parse
    except Unfit:
        numbers = [None if value is None else _microseconds(value, null=null) for value in values]
        return pa.array(numbers, pa.int64()).cast(pa.duration("us"))


def _microseconds(text: str, *, null: bool) -> int | None:
    match = _LONG_TIME.match(text)
    if match is None:
        if null:
            return None
        raise Unfit
    total = (int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4])) * 1_000_000
    total += int((match[5] or "0").ljust(6, "0")[:6])
    return -total if match[1] else total


def _written_durations(chunk: pa.Array) -> pa.Array:
    """Return durations as MySQL writes times."""
    times = pc.strftime(chunk.cast(pa.int64()).cast(pa.timestamp("us")), format="%H:%M:%S")
    return pc.replace_substring_regex(times, r"\.0+$", "")


_OTHERS: dict[int, Callable[[str], ColumnType]] = {
    _BIT: partial(ColumnType, type=pa.uint64(), parse=_bits),
    _DATE: partial(ColumnType, type=pa.date32(), parse=typed.cast(pa.date32())),
    _DOUBLE: partial(ColumnType, type=pa.float64(), parse=typed.cast(pa.float64())),
    _FLOAT: partial(ColumnType, type=pa.float32(), parse=typed.cast(pa.float32())),
    _JSON: partial(ColumnType, type=pa.string(), parse=typed.text, objects=json.loads),
    _NULL: partial(ColumnType, type=pa.null(), parse=typed.native(pa.null())),
    _TIME: partial(ColumnType, type=pa.duration("us"), parse=_durations, write=_written_durations),
}

"""Arrow columns as literals of MySQL's SQL, a batch at a time, without a Python object for each value."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from md_magic.engine.backends.writing import source as frames
from md_magic.errors import FrameError

_MOST_DIGITS, _MOST_DECIMALS = 65, 38
_LONGEST = dt.timedelta(hours=838, minutes=59, seconds=59)
"""The longest TIME."""

_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "uint8": "TINYINT UNSIGNED",
    "uint16": "SMALLINT UNSIGNED",
    "uint32": "INT UNSIGNED",
    "uint64": "BIGINT UNSIGNED",
    "halffloat": "DOUBLE",
    "float": "DOUBLE",  # a FLOAT is shown with six digits
    "double": "DOUBLE",
    "large_string": "LONGTEXT",
    "large_binary": "LONGBLOB",
    "null": "LONGTEXT",
}
"""The type of MySQL for a type of Arrow, by its name."""


def type_name(field: pa.Field) -> str:
    """Return the type of a column for *field*. Raises `FrameError` where there is none."""
    kind = field.type
    if frames.is_uuid(field):
        return "CHAR(36)"
    if frames.is_json(field) or pa.types.is_nested(kind):
        return "JSON"
    if str(kind) in _TYPES:
        return _TYPES[str(kind)]
    if pa.types.is_decimal(kind) and 0 <= kind.scale <= min(kind.precision, _MOST_DECIMALS):
        return f"DECIMAL({min(kind.precision, _MOST_DIGITS)}, {kind.scale})"
    tests = (
        (pa.types.is_date, "DATE"),
        (pa.types.is_timestamp, "DATETIME(6)"),
        (pa.types.is_time, "TIME(6)"),
        (pa.types.is_duration, "TIME(6)"),
        (pa.types.is_fixed_size_binary, "LONGBLOB"),
    )
    name = next((name for is_kind, name in tests if is_kind(kind)), None)
    if name is None:
        message = f"The column {field.name!r} is of {kind}, which MySQL has no type for. Nothing was written."
        raise FrameError(message)
    return name


class Literals:
    """Writes literals as one session reads them."""

    def __init__(self, *, backslash: bool) -> None:
        r"""*backslash* says whether a backslash in a string escapes what follows it."""
        self._escaped = [("\\", "\\\\")] if backslash else []

    def of(self, values: Any, field: pa.Field, *, within: str = "{}") -> pa.Array:  # noqa: ANN401 - a pyarrow array
        """Return *values*, a column that is *field*, as literals, each of them *within* an expression."""
        written = self._written(values, field)
        if within != "{}":
            before, after = within.encode().split(b"{}")
            written = _joined(before, written, after)
        return pc.fill_null(written, _scalar(b"NULL"))

    def _written(self, values: Any, field: pa.Field) -> pa.Array:  # noqa: ANN401 - a pyarrow array
        kind, name = values.type, field.name
        if pa.types.is_floating(kind):
            check_finite(values, name)
            return _bytes(values.cast(pa.float64()))
        if pa.types.is_primitive(kind) and not pa.types.is_temporal(kind):  # integers and booleans
            return _bytes(values.cast(pa.int8()) if pa.types.is_boolean(kind) else values)
        if pa.types.is_decimal(kind):
            return _bytes(digits(values))
        if pa.types.is_null(kind):
            return _bytes(values)
        if is_binary(field):
            return _joined(b"_binary", self._texts(values.cast(pa.large_binary())), b"")
        return self._texts(characters(values, field))

    def _texts(self, values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
        for plain, escaped in (*self._escaped, ("'", "''")):
            values = pc.replace_substring(values, plain, escaped)
        return _joined(b"'", values.cast(pa.large_binary()), b"'")


def rows(columns: list[pa.Array]) -> tuple[memoryview, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the rows `(1,'x'),` of *columns* of literals as one text, and where each begins and ends in it."""
    joined = _joined(b"(", pc.binary_join_element_wise(*columns, _scalar(b",")), b"),")
    starts = np.frombuffer(joined.buffers()[1], np.int64)[joined.offset : joined.offset + len(joined) + 1]
    return memoryview(joined.buffers()[2]), starts


def is_binary(field: pa.Field) -> bool:
    """Whether *field* holds bytes, UUIDs aside."""
    is_bytes = pa.types.is_large_binary(field.type) or pa.types.is_fixed_size_binary(field.type)
    return is_bytes and not frames.is_uuid(field)


def characters(values: Any, field: pa.Field) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    """Return *values* as the texts that are quoted."""
    if frames.is_uuid(field):
        return _mapped(values, lambda raw: str(uuid.UUID(bytes=raw)))
    if pa.types.is_nested(values.type):
        return frames.json_texts(values, field.name)
    return values if pa.types.is_large_string(values.type) else _moments(values, field.name)


def digits(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    """Return decimals as texts without an exponent, which would make a literal a double."""
    texts = values.cast(pa.large_string())
    has_exponent = pc.fill_null(pc.match_substring(texts, "E"), False)  # noqa: FBT003 - pyarrow's signature
    if not pc.any(has_exponent).as_py():
        return texts
    return pc.replace_with_mask(texts, has_exponent, _mapped(values.filter(has_exponent), "{:f}".format))


def check_finite(values: Any, name: str) -> None:  # noqa: ANN401 - a pyarrow array
    """Raise `FrameError` for NaN and infinities among *values*, of the column *name*."""
    if not pc.all(pc.is_finite(values)).as_py() and len(values) > values.null_count:
        message = f"The column {name!r} holds NaN or an infinity, which MySQL does not have. Nothing was written."
        raise FrameError(message)


def _moments(values: Any, name: str) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    """Return dates and times as texts; one with a time zone in UTC."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit)) if kind.tz else values
        values = frames.cast(values, pa.timestamp("us"), name, "DATETIME(6)")
    elif pa.types.is_time(kind):
        values = frames.cast(values, pa.time64("us"), name, "TIME(6)")
    elif pa.types.is_duration(kind):
        values = frames.cast(values, pa.duration("us"), name, "TIME(6)")
        return _mapped(values, lambda value: _duration(value, name))
    else:
        values = frames.cast(values, pa.date32(), name, "DATE")
    return values.cast(pa.large_string())


def _duration(value: dt.timedelta, name: str) -> str:
    if abs(value) > _LONGEST:
        message = (
            f"The column {name!r} holds a duration of more than 838 hours, the most of a TIME. Nothing was written."
        )
        raise FrameError(message)
    minutes, rest = divmod(abs(value), dt.timedelta(minutes=1))
    sign = "-" if value < dt.timedelta() else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{rest.seconds:02}.{rest.microseconds:06}"


def _mapped(values: Any, write: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array, and a function
    written = [None if value is None else write(value) for value in values.to_pylist()]
    return pa.array(written, pa.large_string())


def _bytes(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array
    return values.cast(pa.large_string()).cast(pa.large_binary())


def _joined(before: bytes, values: pa.Array, after: bytes) -> pa.Array:
    return pc.binary_join_element_wise(_scalar(before), values, _scalar(after), _scalar(b""))


def _scalar(raw: bytes) -> pa.Scalar:
    return pa.scalar(raw, pa.large_binary())

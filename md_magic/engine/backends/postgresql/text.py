r"""Arrow columns in PostgreSQL's text COPY format: tabs between fields, `\N` for NULL, backslashes for what is odd."""

from __future__ import annotations

import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from md_magic.engine.backends.postgresql.binary import content

_ESCAPED = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
_NULL = pa.scalar("\\N", pa.large_string())


def tuples(columns: list[pa.Array]) -> memoryview:
    """Return the lines of *columns*, each the texts of one."""
    fields = [pc.fill_null(_escaped(column), _NULL) for column in columns]
    lines = pc.binary_join_element_wise(*fields, _scalar("\t"))
    return content(pc.binary_join_element_wise(lines, _scalar("\n"), _scalar("")).cast(pa.large_binary()))


def texts(values: Any, *, is_uuid: bool = False) -> pa.Array:  # noqa: ANN401 - a pyarrow array of a plain type
    """Return *values* as PostgreSQL reads them from text."""
    kind = values.type
    if pa.types.is_large_list(kind):
        return _arrays(values)
    if is_uuid:
        return _mapped(values, lambda raw: str(uuid.UUID(bytes=raw)))
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _mapped(values, lambda raw: "\\x" + raw.hex())
    if pa.types.is_duration(kind):
        microseconds = values.cast(pa.duration("us")).cast(pa.int64()).cast(pa.large_string())
        return pc.binary_join_element_wise(microseconds, _scalar("microseconds"), _scalar(" "))
    if pa.types.is_interval(kind):
        return _mapped(values, lambda parts: f"{parts[0]} months {parts[1]} days {parts[2] // 1_000} microseconds")
    if pa.types.is_timestamp(kind) and kind.tz:
        values = values.cast(pa.timestamp(kind.unit, "UTC"))
    return values.cast(pa.large_string())


def _arrays(values: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow.LargeListArray
    elements = texts(values.flatten())
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"')):
        elements = pc.replace_substring(elements, plain, escaped)
    quoted = pc.binary_join_element_wise(_scalar('"'), elements, _scalar('"'), _scalar(""))
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    ends = pc.cumulative_sum(lengths.cast(pa.int64()))
    starts = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    lists = pa.LargeListArray.from_arrays(starts, pc.fill_null(quoted, _scalar("NULL")))
    joined = pc.binary_join_element_wise(_scalar("{"), pc.binary_join(lists, _scalar(",")), _scalar("}"), _scalar(""))
    return pc.if_else(values.is_null(), pa.scalar(None, pa.large_string()), joined)


def _escaped(values: pa.Array) -> pa.Array:
    for plain, escaped in _ESCAPED:
        values = pc.replace_substring(values, plain, escaped)
    return values


def _mapped(values: Any, write: Any) -> pa.Array:  # noqa: ANN401 - a pyarrow array, and a function
    written = [None if value is None else write(value) for value in values.to_pylist()]
    return pa.array(written, pa.large_string())


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())

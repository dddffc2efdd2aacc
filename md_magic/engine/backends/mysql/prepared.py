"""INSERTs of many rows that the server has prepared: values arrive in binary, in half the server's time for literals.

pymysql has no prepared statements. Its packets are written here, and the answers read as those of its own.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE

from md_magic.engine.backends.mysql import columns, literals

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 500
"""Rows of a statement: more are no faster."""

_MOST_PARAMETERS = 65_535
"""Of one statement, says the protocol."""

_EXECUTE = 0x17
"""The protocol's COM_STMT_EXECUTE."""

_ONE_BYTE = 0xFB
"""Lengths below it are written as one byte."""

_UNSIGNED = 0x8000
"""The flag of a parameter's type."""


class Insert:
    """An INSERT of `rows` rows into one table, prepared on one connection."""

    def __init__(self, driver: Any, head: str, values: Sequence[str], fields: Sequence[pa.Field]) -> None:  # noqa: ANN401 - PyMySQL's connection
        """Prepare *head*, `INSERT INTO t (a) VALUES`, with rows of *values*, SQL with a `?` in each.

        Raises what PyMySQL raises.
        """
        self._driver = driver
        self._fields = fields
        self.rows = min(ROWS, _MOST_PARAMETERS // len(fields))
        row = f"({', '.join(values)})"
        self._number, _ = columns.prepare(driver, f"{head} {', '.join([row] * self.rows)}")
        self._types = b""
        """Those of one row's parameters."""

    def bodies(self, batch: Sequence[pa.Array]) -> list[bytes]:
        """Return *batch* as the bodies of executions, each of `rows` rows; rows that are left over are not in them.

        Raises `FrameError` for a value that MySQL does not have.
        """
        encoded = [_encoded(values, field) for values, field in zip(batch, self._fields, strict=True)]
        joined = pc.binary_join_element_wise(*(column for column, _ in encoded), pa.scalar(b"", pa.large_binary()))
        starts = np.frombuffer(joined.buffers()[1], np.int64)[joined.offset :]
        data = memoryview(joined.buffers()[2] or b"")
        nulls = np.column_stack([values.is_null().to_numpy(zero_copy_only=False) for values in batch])
        head = struct.pack("<IBI", self._number, 0, 1)
        types = b"\1" + b"".join(struct.pack("<H", kind) for _, kind in encoded) * self.rows
        return [
            b"".join(
                (head, _bits(nulls[first : first + self.rows]), types, data[starts[first] : starts[first + self.rows]])
            )
            for first in range(0, len(joined) - self.rows + 1, self.rows)
        ]

    def execute(self, body: bytes) -> None:
        """Insert the rows of *body*. Raises what PyMySQL raises."""
        self._driver._execute_command(_EXECUTE, body)  # noqa: SLF001 - see the module's docstring
        self._driver._read_query_result()  # noqa: SLF001

    def close(self) -> None:
        """Let the server forget it."""
        columns.forget(self._driver, self._number)


def _bits(nulls: np.ndarray[Any, Any]) -> bytes:
    return np.packbits(nulls.ravel(), bitorder="little").tobytes()


def _encoded(values: pa.Array, field: pa.Field) -> tuple[pa.Array, int]:
    """Return each of *values* as the bytes of a parameter, no bytes for NULL, and the type of all."""
    kind = values.type
    if pa.types.is_primitive(kind) and not pa.types.is_temporal(kind):  # numbers and booleans
        return _number(values, field.name)
    if pa.types.is_decimal(kind):
        return _of_length(literals.digits(values)), FIELD_TYPE.NEWDECIMAL
    if pa.types.is_null(kind):
        return _of_length(values.cast(pa.large_binary())), FIELD_TYPE.VAR_STRING
    if literals.is_binary(field):
        return _of_length(values), FIELD_TYPE.BLOB
    return _of_length(literals.characters(values, field)), FIELD_TYPE.VAR_STRING


def _number(values: pa.Array, name: str) -> tuple[pa.Array, int]:
    kind: int = FIELD_TYPE.LONGLONG
    if pa.types.is_floating(values.type):
        literals.check_finite(values, name)
        values, kind = values.cast(pa.float64()), FIELD_TYPE.DOUBLE
    elif pa.types.is_unsigned_integer(values.type):
        values, kind = values.cast(pa.uint64()), kind | _UNSIGNED
    else:
        values = values.cast(pa.int8() if pa.types.is_boolean(values.type) else values.type).cast(pa.int64())
    eight_bytes = values.view(pa.binary(8)).cast(pa.large_binary())
    return pc.fill_null(eight_bytes, b""), kind


def _of_length(values: pa.Array) -> pa.Array:
    """Return texts and bytes with the length before each."""
    raw = values.cast(pa.large_binary())
    lengths = pc.fill_null(pc.binary_length(raw), 0).to_numpy(zero_copy_only=False)
    return pc.fill_null(pc.binary_join_element_wise(_lengths(lengths), raw, pa.scalar(b"", pa.large_binary())), b"")


def _lengths(lengths: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """Return *lengths* as the protocol writes them: one byte, or a mark and two, three or eight bytes."""
    sizes = [lengths < _ONE_BYTE, lengths < 1 << 16, lengths < 1 << 24]
    widths = np.select(sizes, [1, 3, 4], 9)
    raw = np.empty((len(lengths), 9), np.uint8)
    raw[:, 0] = np.select(sizes, [lengths, 0xFC, 0xFD], 0xFE)
    raw[:, 1:] = lengths.astype("<i8").view(np.uint8).reshape(-1, 8)
    data = raw[np.arange(9) < widths[:, None]]
    ends = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers)

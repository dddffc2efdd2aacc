"""Frames from Arrow batches, each column converted by its own Arrow type."""

from __future__ import annotations

import contextlib
import functools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from md_magic import threads
from md_magic.engine.results.batches import BATCH, EXACT, TEXT, batch_rows, open_reader, record_batches, unique_names
from md_magic.engine.results.vectors import BLOCKS, framed, text_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from duckdb.sqltypes import DuckDBPyType

    from md_magic.engine.results.batches import Count
    from md_magic.engine.results.masking import TokenMask

Doubles = np.ndarray[Any, np.dtype[np.float64]]

_NUMBERS_BATCH = 200_000
"""Rows of one batch where all columns are numbers and times, and none is a decimal: larger ones come faster."""

_PIECE = 1_000_000
"""Bytes of a column, on average, that are copied at a time, while the processor still has them."""

_TOGETHER = 8
"""Batches that are copied at a time, at most. With text, 8 of them make pieces of 512 kB of the numbers beside it, and
smaller ones Arrow's allocator does not give back one by one."""

_WAITING = 2
"""Pieces that wait for the thread that copies them, at most."""

_MANY_BYTES = 16_000_000
"""Bytes from which on a piece is complete, however many columns it has."""

_HUGE = 16_000_000
"""Bytes of a column of a batch from which on it takes as long to copy as to make: those of long texts."""

_MOST_TEXT = 2**31 - 1
"""Bytes of text that an Arrow array of `string` can hold."""

_JUST_BEGUN = 2
"""Per cent of a query: where the first rows are there before so many are done, there will be 10,000,000 of them."""

TEXT_SHARE = 8
"""At least one column in this many must be text: beside more numbers, their second copy costs more than text saves."""

_SMALL_DECIMAL = 18
"""Digits of the widest decimal that DuckDB keeps in 64 bits."""

_LAST_DAY = np.iinfo(np.int64).max // 86_400_000_000
"""The days since 1970 that still fit in 64 bits of microseconds; `infinity` does not."""


def fits(types: Sequence[str], text: pd.StringDtype | None) -> bool:
    """Whether Arrow has each of *types* as `.df()` reads it, and pandas Arrow's *text* where there is any."""
    return EXACT.issuperset(types) and (text is not None or TEXT.isdisjoint(types))


def profits(types: Sequence[str], text: pd.StringDtype | None) -> bool:
    """Whether a result with columns of *types* comes sooner by Arrow."""
    texts = sum(kind in TEXT for kind in types)
    return texts > 0 and texts * TEXT_SHARE >= len(types) and fits(types, text)


def is_long(con: duckdb.DuckDBPyConnection, types: Sequence[str], text: pd.StringDtype | None) -> bool:
    """Whether so many rows are still to come that a person may want to see the progress, or stop it.

    DuckDB doubles numpy's arrays as they fill, and holds the GIL for three seconds at 60,000,000 rows. It reports no
    progress where its progress bar is off.
    """
    bits = types.count("boolean")  # a byte for a row: they grow slowly, and Arrow takes twice as long for them
    few = len(types) <= BLOCKS and bits * 2 <= len(types)
    return few and fits(types, text) and 0 <= con.query_progress() < _JUST_BEGUN


def arrow_text() -> pd.StringDtype | None:
    """Return the dtype that pandas infers for text if it is Arrow's, else None."""
    return if_arrows(text_dtype())


def if_arrows(dtype: object) -> pd.StringDtype | None:
    """Return *dtype* if it is one of text that Arrow holds, else None."""
    return dtype if isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow" else None


def by_arrow(
    con: duckdb.DuckDBPyConnection,
    types: Sequence[str],
    text: pd.StringDtype | None,
    count: Count | None,
    mask: TokenMask | None = None,
) -> pd.DataFrame:
    """Return the open result of *con*, with columns of *types* and text as *text*, by way of Arrow, masked.

    Several batches are copied. That frees the memory of each batch at once, and DuckDB fills it again: new pages take
    as long as all the rest. And the columns, which share a batch's memory, can then be freed one by one.
    """
    reader = open_reader(con, batch_rows(types, BATCH if "decimal" in types else _NUMBERS_BATCH), None, mask)
    described = con.description
    names = [column[0] for column in described]
    if mask is not None:
        names = [mask.text(name) for name in names]
    with contextlib.closing(record_batches(reader, count)) as batches:
        columns = read(reader.schema, batches)
    columns.reverse()
    values = []
    while columns:
        if count is not None:
            count(0)  # raises where the cell was stopped: a column of 100,000,000 rows takes half a second
        values.append(array_of(pa.chunked_array(columns.pop()), text))
        if columns:  # left to itself, Arrow keeps the pieces until all are converted
            _text_pool().release_unused()
            pa.default_memory_pool().release_unused()
    if "enum" in types and len(values[0]) == 0 and _names_without_rows():
        kinds = [column[1] for column in described]
        values = [_named(value, kind, mask) for value, kind in zip(values, kinds, strict=True)]
    return framed(unique_names(names), values)


def read(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> list[list[pa.Array]]:
    """Return the columns of *schema* from all *batches*, in pieces copied by a thread while the next batches come.

    A piece has the types of `detached`. Where that thread cannot keep up, this one copies as well, so that few batches
    wait. What makes up no piece, as most results do not, needs no thread, and a single batch no copy.
    """
    batch, following = next(batches, None), next(batches, None)
    if batch is None:
        batch = pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)
    if following is None:
        return [[kept(array)] for array in batch.columns]
    batches = chain([batch, following], batches)
    del batch, following
    size = min(_PIECE * len(schema), _MANY_BYTES)
    group, full = _next_group(batches, size)
    if not full:
        return [[piece] for piece in _piece(group)]
    pieces: list[Future[list[pa.Array]] | list[pa.Array]] = []
    waiting: deque[Future[list[pa.Array]]] = deque()
    most_waiting = _WAITING if threads.available() else 0
    with ThreadPoolExecutor(1, "md_magic copies") as thread:  # its thread starts with what is first submitted
        while group:
            while waiting and waiting[0].done():
                waiting.popleft().result()  # raise the thread's error now, not after the last row
            if len(waiting) < most_waiting:
                waiting.append(thread.submit(_piece, group))
                pieces.append(waiting[-1])
            else:
                pieces.append(_piece(group))
            del group  # its memory is wanted for the next
            group, _ = _next_group(batches, size)
    arrays = [piece.result() if isinstance(piece, Future) else piece for piece in pieces]
    return [list(column) for column in zip(*arrays, strict=True)]


def _next_group(batches: Iterator[pa.RecordBatch], least: int) -> tuple[list[pa.RecordBatch], bool]:
    """Return as many of *batches* as make up a piece, and whether they do: those left at the end may not."""
    group, size = [], 0
    for batch in batches:
        group.append(batch)
        size += batch.get_total_buffer_size()
        if size >= least or len(group) == _TOGETHER:
            return group, True
    return group, False


def _piece(group: Sequence[pa.RecordBatch]) -> list[pa.Array]:
    """Return a copy of the columns of *group*, each in one piece.

    A batch of huge texts stays where it is: new memory for a copy would take as long as all the rest.
    """
    if len(group) == 1 and any(array.nbytes > _HUGE for array in group[0].columns):
        return [kept(array) for array in group[0].columns]
    columns = zip(*(batch.columns for batch in group), strict=True)
    return [detached(arrays) for arrays in columns]


def kept(array: pa.Array) -> pa.Array:
    """Return *array* with the type of `detached`, mostly where it is; that keeps all of its batch."""
    if is_text(array.type):
        return array.cast(pa.large_string())
    return array if pa.types.is_primitive(array.type) else detached([array])


def detached(arrays: Sequence[pa.Array]) -> pa.Array:
    """Return a copy of *arrays* in buffers of its own and its own size, decimals as doubles, text as pandas has it."""
    kind = arrays[0].type
    if pa.types.is_decimal128(kind):  # copied once more, from numpy's memory into Arrow's, which is given back
        arrays = [pa.array(_decimals(array)) for array in arrays]
    if pa.types.is_dictionary(kind):  # its names as well: to share them keeps all buffers of the batch
        codes, names = detached([array.indices for array in arrays]), detached([arrays[0].dictionary])
        return pa.DictionaryArray.from_arrays(codes, names)
    if is_text(kind):
        pool, large = _text_pool(), pa.large_string()
        if sum(array.nbytes for array in arrays) > _MOST_TEXT:
            arrays = [array.cast(large) for array in arrays]
        return pa.concat_arrays(arrays, memory_pool=pool).cast(large, memory_pool=pool)  # after: in half the time
    return pa.concat_arrays(arrays)


@functools.cache
def _text_pool() -> pa.MemoryPool:
    """Return where text that stays in a frame is allocated: jemalloc, which takes ordinary pages, where Arrow has it.

    A virtual machine may have to ask its host for each of Arrow's usual huge pages: five times as long, measured.
    """
    try:
        return pa.jemalloc_memory_pool()
    except NotImplementedError:
        return pa.default_memory_pool()


def array_of(column: pa.ChunkedArray, text: pd.StringDtype | None) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return *column* as the array that `.df()` would hand to pandas, chosen by its Arrow type."""
    if is_text(column.type):
        return _text(column, text)
    return next((convert for test, convert in CONVERSIONS if test(column.type)), _through_duckdb)(column)


def is_text(kind: pa.DataType) -> bool:
    """Whether *kind* is Arrow's text, with offsets of either size."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(column: pa.ChunkedArray, dtype: pd.StringDtype | None) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return text as *dtype*, or as objects where pandas has no dtype for it, or infers none: nothing but NULLs."""
    if column.null_count == len(column):
        nulls = np.full(len(column), None, dtype=object)
        return pd.Series(nulls, dtype=object, copy=False)  # a Series: pandas would look at every value of an array
    if dtype is None:
        return column.to_numpy()
    return dtype.__from_arrow__(column)  # type: ignore[attr-defined] # of pandas' protocol for Arrow, not in its stubs


def _integers(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return integers: numpy's, or pandas' nullable ones if there are NULLs."""
    return _maskable(column, pd.arrays.IntegerArray)


def _booleans(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return booleans: numpy's, or pandas' nullable ones if there are NULLs."""
    return _maskable(column, pd.arrays.BooleanArray)


def _maskable(column: pa.ChunkedArray, masked: type[Any]) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return *column* as a numpy array, or as a *masked* one of pandas if there are NULLs."""
    if column.null_count == 0:
        return _joined(column)
    values = pa.chunked_array([_without_nulls(chunk) for chunk in column.iterchunks()])
    return masked(_joined(values), _joined(column.is_null()))


def _without_nulls(array: pa.Array) -> pa.Array:
    """Return *array* with whatever stands where it is NULL; to fill that in takes longer than all the rest."""
    return pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)


def _joined(column: pa.ChunkedArray, dtype: str | None = None) -> Any:  # noqa: ANN401 - numpy array
    """Return *column* as one numpy array, which numpy puts into huge pages: Arrow's own takes twice as long."""
    joined = np.empty(len(column), dtype or column.slice(0, 0).to_numpy().dtype)
    end = 0
    for chunk in column.iterchunks():
        joined[end : end + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        end += len(chunk)
    return joined


def _timestamps(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return timestamps in their own unit, in the zone of the connection if they have one."""
    zone = column.type.tz
    values = _joined(column)
    return values if zone is None else pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone).array


def _dates(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return dates in microseconds; DuckDB says what is wrong with those that do not fit, such as `infinity`."""
    extremes = pc.min_max(column.cast(pa.int32())).as_py().values()
    if any(day is not None and abs(day) > _LAST_DAY for day in extremes):
        return _through_duckdb(column)
    return _joined(column, "M8[us]")


def _decimals(array: pa.Array) -> Doubles:
    """Return 128-bit decimals as doubles with DuckDB's own arithmetic, which Arrow's cast rounds otherwise."""
    values = _unscaled(array, small=array.type.precision <= _SMALL_DECIMAL)
    values /= 10.0**array.type.scale
    if array.null_count:
        values[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values


def _unscaled(chunk: pa.Array, *, small: bool) -> Doubles:
    """Return the integers behind the decimals of *chunk* as doubles; *small* ones fill the low word alone."""
    words = np.frombuffer(chunk.buffers()[1], np.int64).reshape(-1, 2)[chunk.offset : chunk.offset + len(chunk)]
    signed, high = words.T
    if small:
        doubles: Doubles = signed.astype(np.float64)
        return doubles
    low = signed.view(np.uint64)
    if _rounds_once():
        return _nearest(low, high)
    # DuckDB's Hugeint cast: a high word of -1 is counted down from zero, so that small negatives stay exact.
    near_zero = -((~low).astype(np.float64) + 1.0)
    otherwise: Doubles = low.astype(np.float64) + high.astype(np.float64) * 2.0**64
    return np.where(high == -1, near_zero, otherwise)


def _nearest(low: np.ndarray[Any, np.dtype[np.uint64]], high: np.ndarray[Any, np.dtype[np.int64]]) -> Doubles:
    """Return the nearest double of each integer of 128 bits, which has at most 38 digits."""
    negative = high < 0
    size_low = np.where(negative, ~low + np.uint64(1), low)
    size_high = np.where(negative, ~high + (low == 0), high).astype(np.uint64)
    length = np.frexp(size_high.astype(np.float64))[1].astype(np.uint64)  # in bits; perhaps one more
    shift = np.uint64(64) - np.maximum(length, np.uint64(1))
    # The first 64 bits, of which the last stands for all that follow it: numpy rounds them once.
    first = (size_high << shift) | (size_low >> (np.uint64(64) - shift)) | ((size_low << shift) != 0)
    doubles: Doubles = np.where(
        size_high == 0, size_low.astype(np.float64), np.ldexp(first.astype(np.float64), 64 - shift.astype(np.int64))
    )
    return np.where(negative, -doubles, doubles)


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    """Return an ENUM as ordered categories; a result without rows has none, as in `.df()` of DuckDB 1."""
    names = column.chunk(0).dictionary.to_pylist() if len(column) else []
    codes = [chunk.indices.cast(pa.int32()).fill_null(-1).to_numpy() for chunk in column.chunks]
    dtype = pd.CategoricalDtype(names, ordered=True)
    return pd.Categorical.from_codes(np.concatenate(codes) if codes else [], dtype=dtype)


def _named(value: Any, kind: DuckDBPyType, mask: TokenMask | None) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return *value*, a column without rows of DuckDB's type *kind*, with the names of an ENUM, masked."""
    if kind.id != "enum":
        return value
    children: Any = kind.children
    names = dict(children)["values"]
    return pd.Categorical([], [mask.text(name) for name in names] if mask is not None else names, ordered=True)


@functools.cache
def _names_without_rows() -> bool:
    """Whether `.df()` of no rows has the names of an ENUM, as in DuckDB 2; 10 ms, like the next."""
    with duckdb.connect() as con:
        return len(con.execute("SELECT 'a'::ENUM ('a') AS e LIMIT 0").df()["e"].cat.categories) > 0


@functools.cache
def _rounds_once() -> bool:
    """Whether DuckDB makes the nearest double of 128 bits, as in 2.0, and not of their two halves, each rounded."""
    number = 2**118 + 2**65 + 1
    with duckdb.connect() as con:
        return con.execute(f"SELECT {number}::HUGEINT::DOUBLE").fetchone() == (float(number),)


def _through_duckdb(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - pandas array
    """Return what `.df()` makes of *column*, or raise what it raises; 10 ms for a connection of its own."""
    with duckdb.connect() as con:
        return con.from_arrow(pa.table({"column": column})).df()["column"].array


CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], Any]], ...] = (
    (pa.types.is_integer, _integers),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_floating, _joined),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_date32, _dates),
    (pa.types.is_dictionary, _categories),
)
"""How the columns of an Arrow type, other than text, become what `.df()` makes of them."""

"""Results become frames here, and nowhere else.

The invariant: a DuckDB result as pandas equals what `con.df()` gives, in every name, dtype, value and index, down to
the string storage. Only the time differs: `.df()` makes a Python string per text value and pandas 3 makes Arrow text
of them again, which is nine tenths of the time that such a result takes; and the arrays that it fills it has pandas
copy and look at as if they could hold anything. So there are three roads:

* **Arrow**, where every column has a type whose Arrow form holds exactly what `.df()` reads (`_EXACT`), and the result
  has text and pandas infers an Arrow-backed `str` dtype, or it is so long that it must be stopped in the middle. Each
  column is then converted by its own Arrow type.
* **numpy**, where every column has a type that `.df()` reads into a numpy array as well (`_NUMPY`): those arrays.
* **`con.df()`** for everything else: nested values, blobs, UUIDs and the like cost a Python object each on any road;
  and an Arrow result cannot be taken back once fetched, so a type that might fail on the way (`HUGEINT` has more digits
  than a decimal) does not set out.
"""

from __future__ import annotations

import contextlib
import functools
import string
import warnings
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl
    from sqlalchemy import CursorResult

    from md_magic.statement import Form

__all__ = [
    "Batches",
    "Fetched",
    "from_cursor",
    "from_duckdb",
    "to_arrow",
    "to_dict",
    "to_pandas",
    "to_polars",
    "to_reader",
]

T = TypeVar("T")
Doubles = np.ndarray[Any, np.dtype[np.float64]]
Count = Callable[[int], object]
"""What is told of rows that have arrived: how many more. What it raises ends the fetching."""

_VECTOR = 2048
"""Rows of one DuckDB vector: the unit of `fetch_df_chunk`."""

_BATCH = 32_768
"""Rows of one batch of a reader: large enough for numpy, small enough that a reader holds megabytes."""

_PORTION = 100_000
"""Rows that another database's driver is asked for at a time; a reader types its columns by the first of them."""

_NUMBERS_BATCH = 200_000
"""The same on the way to pandas where there are nothing but numbers and times, and no decimals: those come faster."""

_TEXT_BATCH = 8_192
"""The same where there is text or anything else of any length: documents make hundreds of MB of more rows, which take
new memory each time, and 2 GB of text are too many for a batch."""

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

_CELLS = 2_000_000
"""Values of one batch that is to be kept elsewhere: some 30 MB, also where it has 500 columns."""

_GROUP = 122_880
"""Rows of one batch, at most, of what is kept as fetched: those of one of DuckDB's row groups."""

_TEXT = frozenset({"varchar"})
_EXACT = _TEXT | {
    "boolean",
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "float",
    "double",
    "decimal",
    "date",
    "timestamp",
    "timestamp_s",
    "timestamp_ms",
    "timestamp_ns",
    "timestamp with time zone",
    "enum",
}
"""DuckDB types, as `DuckDBPyType.id` spells them, that Arrow holds exactly as `.df()` reads them."""

_NUMPY = _EXACT - _TEXT - {"timestamp with time zone", "enum"}
"""Types whose numpy arrays are those that `.df()` makes its columns of."""

_SHORT = _EXACT - _TEXT
"""Types whose values take a few bytes each."""

_JUST_BEGUN = 2
"""Per cent of a query: where the first rows are there before so many are done, there will be 10,000,000 of them."""

_TEXT_SHARE = 8
"""The Arrow road needs a text column in this many: beside more numbers, their second copy outweighs what text saves."""

_BLOCKS = 100
"""Blocks of memory beyond which pandas calls a frame fragmented."""

_SMALL_DECIMAL = 18
"""Digits of the widest decimal that DuckDB keeps in 64 bits."""

_LAST_DAY = np.iinfo(np.int64).max // 86_400_000_000
"""The days since 1970 that still fit in 64 bits of microseconds; `infinity` does not."""

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""How DuckDB folds names: ASCII only, `É` and `é` are two names."""


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    """A result in the form asked for."""

    value: T
    more: bool = False
    """Whether there were more rows than the limit. False where no limit was given."""


class Batches:
    """The rows of an open result on their way to somewhere else, at most *limit* of them; they can be read once."""

    def __init__(self, reader: pa.RecordBatchReader, *, limit: int | None = None) -> None:
        """Read *reader* while this is iterated."""
        self.schema: pa.Schema = reader.schema
        self.more = False
        """Whether there were more rows than the limit; known at the end."""

        self.count: Count | None = None
        """Called with the number of rows of each batch as it comes."""

        self.check: Callable[[], object] = lambda: None
        """Called before each batch: what it raises ends the reading."""

        self._reader = reader
        self._left = limit

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection, *, limit: int | None = None) -> Batches:
        """Return those of the open result of *con*, which must not run anything else until they are read."""
        types = _types(con)
        most = min(max(_CELLS // max(len(types), 1), _VECTOR), _GROUP)
        return cls(_opened(con, _batch_rows(types, most), limit), limit=limit)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give one batch after the other."""
        self.check()
        for batch in _batches(self._reader, self.count):
            if self._left is not None:
                self.more = batch.num_rows > self._left
                batch = batch.slice(0, self._left)  # noqa: PLW2901 - the rest is not wanted
                self._left -= batch.num_rows
            yield batch
            self.check()
            if self.more:
                return


def from_duckdb(
    con: duckdb.DuckDBPyConnection, form: Form, *, limit: int | None = None, count: Count | None = None
) -> Fetched[Any]:
    """Return the open result of *con* as *form*, with at most *limit* rows.

    The result must be fresh: executed, nothing fetched. With a *limit*, what is left of it is discarded unread. *con*
    stays the caller's: a `reader` is one over what was fetched, and `to_reader` streams. *count* is told of rows as
    they arrive, on the roads on which they do so in batches: all but `.df()` and `dict` without a limit.
    """
    match form:
        case "pandas":
            return to_pandas(con, limit=limit, count=count)
        case "polars":
            return to_polars(con, limit=limit, count=count)
        case "arrow":
            return to_arrow(con, limit=limit, count=count)
        case "dict":
            return to_dict(con, limit=limit)
        case "reader":  # of what is fetched already: *con* is the caller's, and a stream would keep it
            fetched = to_arrow(con, limit=limit, count=count)
            return Fetched(fetched.value.to_reader(), more=fetched.more)


def to_pandas(
    con: duckdb.DuckDBPyConnection, *, limit: int | None = None, count: Count | None = None
) -> Fetched[pd.DataFrame]:
    """Return the open result of *con* as the DataFrame that `con.df()` would give, sooner."""
    types = _types(con)
    if limit is not None:
        with _quiet(types):
            return _limited(con, types, limit)
    text = None if _TEXT.isdisjoint(types) else _arrow_text()
    if _profits(types, text) or _is_long(con, types, text):
        return Fetched(_by_arrow(con, types, text, count))
    if _NUMPY.issuperset(types):
        return Fetched(_by_numpy(con))
    with _quiet(types):
        return Fetched(con.df())


def to_arrow(
    con: duckdb.DuckDBPyConnection, *, limit: int | None = None, count: Count | None = None
) -> Fetched[pa.Table]:
    """Return the open result of *con* as an Arrow table, as DuckDB names and types it."""
    reader = _opened(con, _GROUP, limit)
    batches, rows = [], 0
    for batch in _batches(reader, count):
        batches.append(batch)
        rows += batch.num_rows
        if limit is not None and rows > limit:
            break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    _discard(con)
    return Fetched(table.slice(0, limit), more=limit is not None and rows > limit)


def to_polars(
    con: duckdb.DuckDBPyConnection, *, limit: int | None = None, count: Count | None = None
) -> Fetched[pl.DataFrame]:
    """Return the open result of *con* as a Polars DataFrame over the same buffers.

    Raises `FrameError` if Polars is not installed, before anything is fetched, or if it lacks one of the types.
    """
    _polars()
    fetched = to_arrow(con, limit=limit, count=count)
    return Fetched(_polars_frame(fetched.value), more=fetched.more)


def to_dict(con: duckdb.DuckDBPyConnection, *, limit: int | None = None) -> Fetched[dict[str, list[Any]]]:
    """Return the open result of *con* as column names and lists of Python values."""
    names = unique_names([column[0] for column in con.description])
    with _own_errors():
        rows = con.fetchall() if limit is None else con.fetchmany(limit + 1)
    if limit is not None:
        _discard(con)
    return _columns(rows, names, limit)


def to_reader(con: duckdb.DuckDBPyConnection, *, limit: int | None = None) -> pa.RecordBatchReader:
    """Return a reader that streams the open result of *con* and owns *con*.

    *con* is closed when the reader is exhausted, fails or is collected, whichever comes first; nothing else may use it.
    """
    source = _opened(con, _batch_rows(_types(con), _BATCH), limit)
    reader = pa.RecordBatchReader.from_batches(source.schema, _streamed(con, source, limit))
    weakref.finalize(reader, con.close).atexit = False
    return reader


def from_cursor(
    result: CursorResult[Any], form: Form, *, limit: int | None = None, count: Count | None = None
) -> Fetched[Any]:
    """Return the rows of a SQLAlchemy *result* of any dialect as *form*, with at most *limit* rows.

    Columns are typed by their values, and a frame has the dtypes that `.df()` gives the same values: integers with
    NULLs are `Int64`, decimals `float64`, dates and times `datetime64[us]`; what has no dtype stays Python objects.
    Raises `FrameError` if an Arrow column would have to mix types. A `reader` keeps *result* open until its end.
    *count* is told of rows as they arrive.
    """
    names = unique_names(list(result.keys()))
    if form == "polars":
        _polars()
    if form == "reader":
        return Fetched(_cursor_reader(result, names, limit))
    rows = _all_rows(result, count) if limit is None else result.fetchmany(limit + 1)
    result.close()
    fetched = _columns(rows, names, limit)
    if form == "dict":
        return fetched
    if form == "pandas":
        columns = {name: _inferred(values) for name, values in fetched.value.items()}
        return Fetched(pd.DataFrame(columns), more=fetched.more)
    table = pa.table({name: _arrow_column(name, values) for name, values in fetched.value.items()})
    return Fetched(_polars_frame(table) if form == "polars" else table, more=fetched.more)


def unique_names(names: Sequence[str]) -> list[str]:
    """Return *names* with `_1`, `_2` appended to those seen before, in any case, as DuckDB's `.df()` does."""
    seen: set[str] = set()
    unique = []
    for name in names:
        new, count = name, 0
        while new.translate(_LOWER) in seen:
            count += 1
            new = f"{name}_{count}"
        seen.add(new.translate(_LOWER))
        unique.append(new)
    return unique


# --- pandas, by numpy ---------------------------------------------------------------------------------------------


def _by_numpy(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the open result of *con*, whose types are all of `_NUMPY`, over the arrays that DuckDB fills."""
    columns = con.fetchnumpy()
    arrays = [_unmasked(array) if isinstance(array, np.ma.MaskedArray) else array for array in columns.values()]
    return _framed(columns, arrays)


def _framed(names: Iterable[str], arrays: Sequence[Any]) -> pd.DataFrame:
    """Return a frame over *arrays*, of numpy or pandas, which are nobody else's.

    A second copy, into pandas' blocks, is left to pandas where it would complain of too many of them later.
    """
    index = pd.RangeIndex(len(arrays[0]))
    frame = pd.DataFrame(dict(enumerate(arrays)), index=index, copy=len(arrays) > _BLOCKS)
    frame.columns = _labels(tuple(names), _text_dtype()).copy()
    return frame


@functools.lru_cache(maxsize=64)
def _labels(names: tuple[str, ...], _text: object) -> pd.Index[str]:
    """Return *names* as pandas infers them while *_text* is what it infers for text; that takes 0.05 ms."""
    return pd.Index(names)


def _text_dtype() -> object:
    """Return the dtype that pandas infers for text.

    Asked rather than looked up: it depends on pandas' version and on two of its options.
    """
    return pd.api.types.pandas_dtype(str)  # the dtype of a Series of text says the same, 0.1 ms later


def _unmasked(array: Any) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return a masked *array* as `.df()` has it: NULL is `NA`, or `NaN` and `NaT` where the dtype has them."""
    masked = {"b": pd.arrays.BooleanArray, "i": pd.arrays.IntegerArray, "u": pd.arrays.IntegerArray}
    if (kind := array.dtype.kind) in masked:
        return masked[kind](array.data, array.mask)
    array.data[array.mask] = "NaT" if kind == "M" else np.nan
    return array.data


# --- pandas, by Arrow ---------------------------------------------------------------------------------------------


def _fits(types: Sequence[str], text: pd.StringDtype | None) -> bool:
    """Tell whether Arrow has each of *types* as `.df()` reads it, and pandas Arrow's *text* where there is any."""
    return _EXACT.issuperset(types) and (text is not None or _TEXT.isdisjoint(types))


def _profits(types: Sequence[str], text: pd.StringDtype | None) -> bool:
    """Tell whether a result with columns of *types* comes sooner by Arrow."""
    texts = sum(kind in _TEXT for kind in types)
    return texts > 0 and texts * _TEXT_SHARE >= len(types) and _fits(types, text)


def _is_long(con: duckdb.DuckDBPyConnection, types: Sequence[str], text: pd.StringDtype | None) -> bool:
    """Tell whether so much is still to come that somebody may want to see how far it is, or stop it.

    DuckDB doubles numpy's arrays as they fill, and at 60,000,000 rows nobody else gets a word in for three seconds.
    Where its progress bar is off, it does not say how much is to come.
    """
    bits = types.count("boolean")  # a byte for a row: they grow slowly, and Arrow takes twice as long for them
    few = len(types) <= _BLOCKS and bits * 2 <= len(types)
    return few and 0 <= con.query_progress() < _JUST_BEGUN and _fits(types, text)


def _arrow_text() -> pd.StringDtype | None:
    """Return the dtype that pandas infers for text if it is Arrow's, else None."""
    dtype = _text_dtype()
    return dtype if isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow" else None


def _by_arrow(
    con: duckdb.DuckDBPyConnection, types: Sequence[str], text: pd.StringDtype | None, count: Count | None
) -> pd.DataFrame:
    """Return the open result of *con*, with columns of *types* and text as *text*, by the Arrow road.

    What comes in several batches is copied out of them. That gives the memory of a batch back at once, so that DuckDB
    fills it again: new pages take as long as all the rest. And its columns, which share that memory, can be let go one
    by one as they are converted.
    """
    names = unique_names([column[0] for column in con.description])
    reader = _opened(con, _batch_rows(types, _BATCH if "decimal" in types else _NUMBERS_BATCH), None)
    columns = _read(reader.schema, _batches(reader, count))
    columns.reverse()
    values = []
    while columns:
        if count is not None:
            count(0)  # somebody may want to stop: a column of 100,000,000 rows takes half a second
        values.append(_values(columns.pop(), text))
        if columns:  # left to itself, Arrow keeps the pieces until all are converted
            _text_pool().release_unused()
            pa.default_memory_pool().release_unused()
    return _framed(names, values)


def _read(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> list[pa.ChunkedArray]:
    """Return the columns of *schema* from all *batches*, copied by a thread while the next batches come.

    Where that thread cannot keep up, this one copies as well, so that few batches wait. What makes up no piece, as most
    results do not, needs no thread, and a single batch no copy.
    """
    batch, following = next(batches, None), next(batches, None)
    if batch is None:
        return [pa.chunked_array([], field.type) for field in schema]
    if following is None:
        return [pa.chunked_array([array]) for array in _kept(batch)]
    batches = chain([batch, following], batches)
    del batch, following
    size = min(_PIECE * len(schema), _MANY_BYTES)
    group, full = _group(batches, size)
    if not full:
        return [pa.chunked_array([array]) for array in _piece(group)]
    pieces: list[Future[list[pa.Array]] | list[pa.Array]] = []
    waiting: deque[Future[list[pa.Array]]] = deque()
    with ThreadPoolExecutor(1, "md_magic copies") as thread:
        while group:
            while waiting and waiting[0].done():
                waiting.popleft().result()  # what went wrong there is told here, and not after the last row
            if len(waiting) < _WAITING:
                waiting.append(thread.submit(_piece, group))
                pieces.append(waiting[-1])
            else:
                pieces.append(_piece(group))
            del group  # its memory is wanted for the next
            group, _ = _group(batches, size)
    arrays = [piece.result() if isinstance(piece, Future) else piece for piece in pieces]
    return [pa.chunked_array(column) for column in zip(*arrays, strict=True)]


def _group(batches: Iterator[pa.RecordBatch], least: int) -> tuple[list[pa.RecordBatch], bool]:
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
        return _kept(group[0])
    return [_detached(arrays) for arrays in zip(*(batch.columns for batch in group), strict=True)]


def _kept(batch: pa.RecordBatch) -> list[pa.Array]:
    """Return the columns of *batch* with the types of `_detached`, most of them where they are; one keeps all of it."""
    columns = []
    for array in batch.columns:
        if _is_text(array.type):
            columns.append(array.cast(pa.large_string()))
        else:
            columns.append(array if pa.types.is_primitive(array.type) else _detached([array]))
    return columns


def _detached(arrays: Sequence[pa.Array]) -> pa.Array:
    """Return a copy of *arrays* in buffers of its own and its own size, decimals as doubles, text as pandas has it."""
    kind = arrays[0].type
    if pa.types.is_decimal128(kind):  # copied once more, from numpy's memory into Arrow's, which is given back
        arrays = [pa.array(_decimals(array)) for array in arrays]
    if pa.types.is_dictionary(kind):  # its names as well: to share them keeps all buffers of the batch
        codes, names = _detached([array.indices for array in arrays]), _detached([arrays[0].dictionary])
        return pa.DictionaryArray.from_arrays(codes, names)
    if _is_text(kind):
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


def _values(column: pa.ChunkedArray, text: pd.StringDtype | None) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return *column* as the array that `.df()` would hand to pandas, chosen by its Arrow type."""
    if _is_text(column.type):
        return _text(column, text)
    return next((convert for test, convert in _CONVERSIONS if test(column.type)), _through_duckdb)(column)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(column: pa.ChunkedArray, dtype: pd.StringDtype | None) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return text as *dtype*, or as objects where pandas has none for it or cannot tell: nothing but NULLs."""
    if column.null_count == len(column):
        nulls = np.full(len(column), None, dtype=object)
        return pd.Series(nulls, dtype=object, copy=False)  # no array: pandas would look in vain for a dtype of its own
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
    # DuckDB's Hugeint cast: a high word of -1 is counted down from zero, so that small negatives stay exact.
    near_zero = -((~low).astype(np.float64) + 1.0)
    otherwise: Doubles = low.astype(np.float64) + high.astype(np.float64) * 2.0**64
    return np.where(high == -1, near_zero, otherwise)


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    """Return an ENUM as ordered categories; a result without rows has none, as in `.df()`."""
    names = column.chunk(0).dictionary.to_pylist() if len(column) else []
    codes = [chunk.indices.cast(pa.int32()).fill_null(-1).to_numpy() for chunk in column.chunks]
    dtype = pd.CategoricalDtype(names, ordered=True)
    return pd.Categorical.from_codes(np.concatenate(codes) if codes else [], dtype=dtype)


def _through_duckdb(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - pandas array
    """Return what `.df()` makes of *column*, or raise what it raises; 10 ms for a connection of its own."""
    with duckdb.connect() as con:
        return con.from_arrow(pa.table({"column": column})).df()["column"].array


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], Any]], ...] = (
    (pa.types.is_integer, _integers),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_floating, _joined),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_date32, _dates),
    (pa.types.is_dictionary, _categories),
)
"""How the columns of an Arrow type, other than text, become what `.df()` makes of them."""


# --- pandas, by vectors -------------------------------------------------------------------------------------------


def _limited(con: duckdb.DuckDBPyConnection, types: Sequence[str], limit: int) -> Fetched[pd.DataFrame]:
    """Return the first *limit* rows as `.df()` would give them, fetching no more vectors than that takes."""
    first = con.fetch_df_chunk(limit // _VECTOR + 1)
    parts, rows = [first], len(first)
    while len(parts[-1]) > 0 and rows <= limit:
        parts.append(con.fetch_df_chunk(1))
        rows += len(parts[-1])
    _discard(con)
    whole = rows == len(first)
    if whole and rows <= limit:
        return Fetched(first)
    parts = [part for part in parts if len(part)]
    columns = {
        name: _prefix([part.iloc[:, i] for part in parts], limit, text=types[i] in _TEXT)
        for i, name in enumerate(first.columns)
    }
    return Fetched(pd.DataFrame(columns), more=rows > limit)


def _prefix(parts: list[pd.Series[Any]], limit: int, *, text: bool) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return *limit* rows of a column in the form in which DuckDB hands them to pandas, which infers their dtype.

    A dtype depends on the rows it was inferred from, and those of *parts* are not the rows that are returned: only
    NULLs make integers `Int64`, text without a value is no `str`, and a union of texts is one until a number comes.
    """
    column = pd.concat([_raw(part, text=text) for part in parts], ignore_index=True).iloc[:limit]
    dtype = column.dtype
    if hasattr(dtype, "numpy_dtype") and not column.hasnans:
        return column.to_numpy(dtype.numpy_dtype)
    if isinstance(dtype, pd.CategoricalDtype) and column.empty:
        return pd.Categorical([], categories=[], ordered=True)
    return column.array if pd.api.types.is_extension_array_dtype(dtype) else column.to_numpy()


def _raw(part: pd.Series[Any], *, text: bool) -> pd.Series[Any]:
    """Return *part* before pandas inferred text from it: objects, with None or NA for NULL."""
    if not isinstance(part.dtype, pd.StringDtype):
        return part
    objects = part.astype(object)
    return objects.where(part.notna(), None if text else pd.NA)


# --- streams ------------------------------------------------------------------------------------------------------


def _types(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the types of the columns of the open result of *con*."""
    return [column[1].id for column in con.description]


def _batch_rows(types: Sequence[str], most: int) -> int:
    """Return how many rows of *types* are best fetched at a time, *most* where all of them are short."""
    return most if _SHORT.issuperset(types) else min(most, _TEXT_BATCH)


def _opened(con: duckdb.DuckDBPyConnection, rows: int, limit: int | None) -> pa.RecordBatchReader:
    """Return a reader over the open result of *con* with batches of *rows*, or of one more than *limit* if smaller."""
    return con.to_arrow_reader(rows if limit is None else min(rows, limit + 1))


def _streamed(
    con: duckdb.DuckDBPyConnection, source: pa.RecordBatchReader, limit: int | None
) -> Iterator[pa.RecordBatch]:
    """Give the batches of *source*, up to *limit* rows, and close *con* at the end, however it comes."""
    with con:
        left = limit
        for batch in _batches(source):
            if left is None:
                yield batch
                continue
            yield batch.slice(0, left)
            left -= batch.num_rows
            if left <= 0:
                return


def _batches(reader: pa.RecordBatchReader, count: Count | None = None) -> Iterator[pa.RecordBatch]:
    """Give the batches of DuckDB's *reader*, with DuckDB's own errors; *count* is told the rows of each."""
    with _own_errors():
        for batch in reader:
            if count is not None:
                count(batch.num_rows)
            yield batch


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Raise DuckDB's exception in place of one that only quotes it.

    A query that fails halfway fails a stream as an `OSError`, and `fetchall` as one about a closed result; both have
    the text of the error, which begins with its kind.
    """
    try:
        yield
    except (OSError, pa.ArrowInvalid, duckdb.InvalidInputException) as error:
        text = str(error).partition("closed pending query result\nError: ")[2] or str(error)
        kind = text.partition(" Error: ")[0].replace(" ", "").lower() + "exception"
        own = {name.lower(): value for name, value in vars(duckdb).items()}.get(kind)
        if own is None or (type(error) is own and str(error) == text):
            raise
        raise own(text) from error


def _discard(con: duckdb.DuckDBPyConnection) -> None:
    """Close the open result of *con* without computing the rest of it: executing nothing does, in 0.1 ms."""
    con.execute("")


@contextlib.contextmanager
def _quiet(types: Sequence[str]) -> Iterator[None]:
    """Keep back what pandas deprecates in DuckDB's own conversion: as of 1.5, that of time zones.

    Python's filters belong to the whole process, so they are touched for such columns only.
    """
    if "timestamp with time zone" not in types:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
        yield


# --- Polars -------------------------------------------------------------------------------------------------------


def _polars() -> Any:  # noqa: ANN401 - a module
    """Return Polars, or raise `FrameError`. Imported here because it is optional, and takes 60 ms."""
    try:
        import polars as pl
    except ImportError as error:
        message = "Polars is not installed. Run `pip install polars`, or ask for `--as arrow` or `--as pandas`."
        raise FrameError(message) from error
    return pl


def _polars_frame(table: pa.Table) -> pl.DataFrame:
    """Return *table* as a Polars frame over the same buffers."""
    polars = _polars()
    try:
        frame: pl.DataFrame = polars.from_arrow(table.rename_columns(unique_names(table.column_names)), rechunk=False)
    except polars.exceptions.PolarsError as error:
        message = f"Polars cannot hold this result: {error}. Cast the column in SQL, or ask for `--as arrow`."
        raise FrameError(message) from error
    return frame


# --- other databases ----------------------------------------------------------------------------------------------


def _columns(rows: Sequence[Sequence[Any]], names: list[str], limit: int | None) -> Fetched[dict[str, list[Any]]]:
    """Return *rows*, of which there is one too many if there were more than *limit*, as columns."""
    kept = rows[:limit]
    columns = zip(*kept, strict=True) if kept else ([] for _ in names)
    return Fetched(
        {name: list(column) for name, column in zip(names, columns, strict=True)}, more=len(rows) > len(kept)
    )


def _inferred(values: list[Any]) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return Python *values* as the array that `.df()` gives for the like, or as objects if there is none."""
    with contextlib.suppress(pa.ArrowException, OverflowError):
        array = pa.array(values)
        column = pa.chunked_array([_detached([array]) if pa.types.is_decimal128(array.type) else array])
        if _is_text(column.type) or any(test(column.type) for test, _ in _CONVERSIONS):
            return _values(column, _arrow_text())
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects


def _arrow_column(name: str, values: list[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Return *values* as an Arrow array of *kind*, or of the type that fits them."""
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowException, OverflowError) as error:
        message = (
            f"The column {name!r} cannot become an Arrow column: {error}. Arrow columns hold one type: "
            "cast it in SQL, or ask for `--as pandas` or `--as dict`."
        )
        raise FrameError(message) from error


def _cursor_reader(result: CursorResult[Any], names: list[str], limit: int | None) -> pa.RecordBatchReader:
    """Return a reader over *result*, with the types of its first batch."""
    portions = _portions(result, limit)
    first = _columns(next(portions, []), names, None).value
    head = pa.record_batch({name: _arrow_column(name, values) for name, values in first.items()})

    def batches() -> Iterator[pa.RecordBatch]:
        with contextlib.closing(result):
            yield head
            for rows in portions:
                columns = _columns(rows, names, None).value
                arrays = [_arrow_column(field.name, columns[field.name], field.type) for field in head.schema]
                yield pa.record_batch(arrays, schema=head.schema)

    return pa.RecordBatchReader.from_batches(head.schema, batches())


def _all_rows(result: CursorResult[Any], count: Count | None) -> list[Any]:
    rows: list[Any] = []
    for portion in _portions(result, None):
        rows += portion
        if count is not None:
            count(len(portion))
    return rows


def _portions(result: CursorResult[Any], limit: int | None) -> Iterator[Sequence[Any]]:
    """Give up to *limit* rows of *result*, so many at a time. No driver is asked for 0 rows: some give all then."""
    left = limit
    while left is None or left > 0:
        rows = result.fetchmany(_PORTION if left is None else min(_PORTION, left))
        if not rows:
            return
        yield rows
        left = None if left is None else left - len(rows)

"""Text as Python objects, as pandas before 3 has it, sooner than by `.df()`.

`.df()` makes an object of each value. Where the first rows have few different texts, the others come by Arrow, and
equal ones of a batch are one object. Everywhere else DuckDB makes the objects, of which Arrow would make a second copy;
what is saved then is pandas' inspection, a fifth of the time.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from md_magic import threads
from md_magic.engine.results.arrow import array_of, kept
from md_magic.engine.results.batches import GROUP, TEXT, VECTOR, open_reader, record_batches
from md_magic.engine.results.vectors import BLOCKS, NUMPY, OBJECTS, by_numpy, framed, over_arrays, prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from md_magic.engine.results.batches import Count

T = TypeVar("T")

_WITH_TEXT = NUMPY | TEXT

_SAMPLE = 256
"""Values that are enough to tell texts that all differ; to look at all of a vector takes 0.1 ms."""

_FEW = 64
"""Rows of a first chunk that is most often the last: DuckDB joins smaller ones where it filters and joins tables."""

_SHARE = 2
"""At least one column in this many must be text with few different values: numbers come sooner by numpy."""

_AT_ONCE = 16_384
"""Pointers that are moved at a time: so many stay in the processor's cache."""

_WAITING = 2
"""Batches that may wait for the thread that makes objects of them."""

_BATCH_BYTES = 4_000_000
"""Bytes of a column's text in one batch, on average."""

_NEARLY_DONE = 40
"""Per cent of a query that are done at its first row where a few batches are all: smaller ones begin and end sooner."""

_SMALL = 150_000
"""Rows of a table that DuckDB makes into objects in less time than a look at the first of them would save."""


def applies(types: Sequence[str], text: object) -> bool:
    """Whether a result with columns of *types* has text that is to be Python objects, and no other objects.

    *text* is the dtype that pandas infers for text.
    """
    return _WITH_TEXT.issuperset(types) and not (TEXT.isdisjoint(types) or isinstance(text, pd.StringDtype))


def are_few(con: duckdb.DuckDBPyConnection, types: Sequence[str]) -> bool:
    """Whether the open result of *con* is a small one of *types* that numpy has, or that are Python objects by numpy.

    It is all that is asked of a small result: each question takes a hundredth of its time.
    """
    return OBJECTS and _is_small(con.query_progress()) and _WITH_TEXT.issuperset(types)


def by_objects(con: duckdb.DuckDBPyConnection, types: Sequence[str], count: Count | None) -> pd.DataFrame:
    """Return the open result of *con*, to whose *types* this applies; small ones are left to numpy by `are_few`."""
    if not OBJECTS or len(types) > BLOCKS:
        return by_numpy(con)
    percent = con.query_progress()
    texts = [i for i, kind in enumerate(types) if kind in TEXT]
    first = con.fetch_df_chunk(1)
    if not len(first):
        return by_numpy(con)
    values = {i: _contiguous(first.iloc[:, i]) for i in texts}
    samples = [column[:_SAMPLE].tolist() for column in values.values()]
    if len(first) < _FEW or not _has_few(samples, len(types)):
        arrays: dict[str, Any] = con.fetchnumpy()
        if not len(next(iter(arrays.values()))):
            return first
        return _beneath([first, over_arrays(arrays)], texts)
    if count is not None:
        count(len(first))
    rows = _batch_rows(samples, GROUP if percent < _NEARLY_DONE else GROUP // 2)
    reader = open_reader(con, rows, None)

    def converted(batch: pa.RecordBatch) -> list[Any]:
        return [_objects(array) if i in texts else kept(array) for i, array in enumerate(batch.columns)]

    with contextlib.closing(record_batches(reader, count)) as batches:
        pieces = list(zip(*_behind(converted, batches, rows), strict=True)) or [()] * len(types)
    columns = []
    for i, column in enumerate(pieces):
        if i in texts:
            objects = _one([values[i], *column])
            columns.append(pd.Series(objects, dtype=object, copy=False))  # of an array, pandas would look for dates
        else:
            columns.append(_values(first.iloc[:, i], column or [kept(pa.nulls(0, reader.schema.types[i]))]))
    return framed(first.columns, columns)


def _is_small(percent: float) -> bool:
    """Whether *percent* of a query says that a small table was read to its end, or that none is read.

    DuckDB (1.5) counts k rows that were all read as k of k + 1.
    """
    if not 0 <= percent < 100:  # noqa: PLR2004 - per cent
        return True
    rows = round(percent / (100 - percent))
    return 0 < rows < _SMALL and math.isclose(percent, 100 * rows / (rows + 1), rel_tol=1e-12)


def _behind(act: Callable[[pa.RecordBatch], T], batches: Iterator[pa.RecordBatch], rows: int) -> list[T]:
    """Return what *act* makes of each of *batches*, of *rows* but the last: in a thread while the next ones come.

    DuckDB makes those without the GIL, which objects take. It is this thread that waits for DuckDB: another one would
    need the GIL to begin with.
    """
    first = next(batches, None)
    if first is None:
        return []
    if first.num_rows < rows or not threads.available():
        return [act(batch) for batch in chain([first], batches)]
    with ThreadPoolExecutor(1, "md_magic objects") as thread:
        coming: list[Future[T]] = []
        for batch in chain([first], batches):
            coming.append(thread.submit(act, batch))
            if len(coming) > _WAITING:
                coming[-_WAITING].result()  # no more than these wait, and an error is raised now
        return [future.result() for future in coming]


def _beneath(frames: Sequence[pd.DataFrame], texts: Sequence[int]) -> pd.DataFrame:
    """Return one frame with the rows of *frames*, one after the other."""
    width = len(frames[0].columns)
    columns = [_joined([frame.iloc[:, i] for frame in frames], text=i in texts) for i in range(width)]
    return framed(frames[0].columns, columns)


def _values(first: pd.Series[Any], rest: Sequence[pa.Array]) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return the values of *first* and of *rest*, copied once where Arrow has numpy's own type."""
    dtype = first.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf" and pa.from_numpy_dtype(dtype) == rest[0].type:
        return array_of(pa.chunked_array([pa.array(first.to_numpy()), *rest]), None)
    others: pd.Series[Any] = pd.Series(array_of(pa.chunked_array(rest), None), copy=False)
    return _joined([first, others], text=False)


def _batch_rows(samples: Sequence[Sequence[object]], most: int) -> int:
    texts = [text for sample in samples for text in sample if isinstance(text, str)]
    return min(max(_BATCH_BYTES * len(texts) // max(sum(map(len, texts)), 1), VECTOR), most)


def _has_few(samples: Sequence[Sequence[object]], columns: int) -> bool:
    """Whether the columns of *samples*, and so most of all *columns*, are mostly text with few different values."""
    few = sum(map(_repeats, samples))
    return few > 0 and few * 2 >= len(samples) and few * _SHARE >= columns


def _repeats(sample: Sequence[object]) -> bool:
    """Whether *sample* has few different values, and an object each: Python has but one of most single letters."""
    if len(set(sample)) * 2 > len(sample):
        return False
    letters = sum(isinstance(text, str) and len(text) <= 1 for text in sample)
    return letters * 2 <= len(sample)


def _joined(parts: Sequence[pd.Series[Any]], *, text: bool) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return the whole of a column as `.df()` would have it."""
    if text:
        return _one([_contiguous(part) for part in parts])
    filled = [part for part in parts if len(part)]  # pandas 2 warns of empty ones
    return prefix(filled, sum(map(len, parts)), text=False)


def _one(parts: Sequence[Any]) -> Any:  # noqa: ANN401 - numpy array
    """Return one array of the objects of *parts*, which nobody else needs: they are left empty.

    The pointers move, so that every object has as many references as before. To count anew, as `np.concatenate` does,
    takes a tenth of the time of all the rest: each object has to be visited. No pointer is ever in two arrays, as an
    interrupt may come between any two lines.
    """
    whole = np.empty(sum(map(len, parts)), dtype=object)
    free = _pointers(whole)
    for part in parts:
        taken = _pointers(part)
        for start in range(0, len(part), _AT_ONCE):
            moved = taken[start : start + _AT_ONCE].copy()
            taken[start : start + _AT_ONCE] = 0  # what numpy reads as None
            free[: len(moved)] = moved
            free = free[len(moved) :]
    return whole


def _contiguous(column: pd.Series[Any]) -> Any:  # noqa: ANN401 - numpy array
    return np.ascontiguousarray(column.to_numpy())


def _pointers(objects: Any) -> Any:  # noqa: ANN401 - numpy arrays
    """Return the pointers of a contiguous array of objects as numbers, in the same memory."""
    memory = (ctypes.c_size_t * len(objects)).from_address(objects.ctypes.data)
    return np.ctypeslib.as_array(memory)


def _objects(array: pa.Array) -> Any:  # noqa: ANN401 - numpy array
    """Return the text of *array* as Python objects, and equal ones as one where few differ.

    To look for equal ones where all differ costs half as much again.
    """
    sample = array.take(pa.array(np.arange(0, len(array), len(array) // _SAMPLE + 1)))
    few = len(sample.unique()) * 2 <= len(sample)
    return array.to_pandas(deduplicate_objects=few).to_numpy()

"""Text as Python objects, as pandas before 3 has it, sooner than by `.df()`.

`.df()` makes an object of each value. Where the first rows have few different texts, the others come by Arrow, and
equal ones of a batch are one object. Everywhere else DuckDB makes the objects, of which Arrow would make a second copy;
what is saved then is pandas' inspection, a fifth of the time.
"""

from __future__ import annotations

import contextlib
import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from md_magic import threads
from md_magic.engine.results.arrow import array_of, kept
from md_magic.engine.results.batches import GROUP, TEXT, VECTOR, open_reader, record_batches
from md_magic.engine.results.vectors import BLOCKS, NUMPY, by_numpy, framed, over_arrays, prefix, text_dtype

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import duckdb

    from md_magic.engine.results.batches import Count


_OBJECTS = int(pd.__version__.partition(".")[0]) < 3  # noqa: PLR2004 - since 3 pandas has a dtype for text
"""Whether pyarrow makes Python objects of text for this pandas, which has them for an option alone since 3."""

_SAMPLE = 256
"""Values that are enough to tell texts that all differ; to look at all of a vector takes 0.1 ms."""

_FEW = 64
"""Rows of a first chunk that is most often the last: DuckDB joins smaller ones where it filters and joins tables."""

_SHARE = 2
"""At least one column in this many must be text with few different values: numbers come sooner by numpy."""

_AT_ONCE = 16_384
"""Pointers that are moved at a time: so many stay in the processor's cache."""

_BATCH_BYTES = 4_000_000
"""Bytes of a column's text in one batch, on average."""

_DONE = 99
"""Per cent of a query from which on few rows are to come. DuckDB reports none of a result that is complete."""


def applies(types: Sequence[str]) -> bool:
    """Whether a result with columns of *types* has text that is to be Python objects, and no other objects."""
    if TEXT.isdisjoint(types) or not (NUMPY | TEXT).issuperset(types):
        return False
    return not isinstance(text_dtype(), pd.StringDtype)


def by_objects(con: duckdb.DuckDBPyConnection, types: Sequence[str], count: Count | None) -> pd.DataFrame:
    """Return the open result of *con*, to whose *types* this applies."""
    if not _OBJECTS or len(types) > BLOCKS or not 0 <= con.query_progress() < _DONE:
        return by_numpy(con)
    texts = [i for i, kind in enumerate(types) if kind in TEXT]
    first = con.fetch_df_chunk(1)
    if not len(first):
        return by_numpy(con)
    if len(first) < _FEW or not _has_few(first, texts):
        arrays: dict[str, Any] = con.fetchnumpy()
        if not len(next(iter(arrays.values()))):
            return first
        return _beneath([first, over_arrays(arrays)], texts)
    if count is not None:
        count(len(first))
    reader = open_reader(con, _batch_rows(first, texts), None)
    pieces: list[list[Any]] = [[] for _ in types]
    with contextlib.closing(record_batches(reader)) as fetched, contextlib.closing(_ahead(fetched)) as batches:
        for batch in batches:
            for i, array in enumerate(batch.columns):
                pieces[i].append(_objects(array) if i in texts else kept(array))
            if count is not None:
                count(batch.num_rows)
    columns = []
    for i, column in enumerate(pieces):
        if i in texts:
            columns.append(_one([_contiguous(first.iloc[:, i]), *column]))
        else:
            rest = _series(column or [kept(pa.nulls(0, reader.schema.types[i]))])
            columns.append(_joined([first.iloc[:, i], rest], text=False))
    return framed(first.columns, columns)


def _ahead(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
    """Give *batches*, while a thread gets the next one: DuckDB makes it without the GIL, which objects take."""
    if not threads.available():
        yield from batches
        return
    with ThreadPoolExecutor(1, "md_magic fetches") as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def _beneath(frames: Sequence[pd.DataFrame], texts: Sequence[int]) -> pd.DataFrame:
    """Return one frame with the rows of *frames*, one after the other."""
    width = len(frames[0].columns)
    columns = [_joined([frame.iloc[:, i] for frame in frames], text=i in texts) for i in range(width)]
    return framed(frames[0].columns, columns)


def _series(pieces: Sequence[pa.Array]) -> pd.Series[Any]:
    return pd.Series(array_of(pa.chunked_array(pieces), None), copy=False)


def _batch_rows(first: pd.DataFrame, texts: Sequence[int]) -> int:
    sample = [value for i in texts for value in first.iloc[:_SAMPLE, i] if value is not None]
    return min(max(_BATCH_BYTES * len(sample) // max(sum(map(len, sample)), 1), VECTOR), GROUP)


def _has_few(rows: pd.DataFrame, texts: Sequence[int]) -> bool:
    """Whether the columns *texts* of *rows* are mostly text with few different values, and most columns are such."""
    few = sum(_repeats(rows.iloc[:, i].to_numpy()) for i in texts) if len(rows) else 0
    return few > 0 and few * 2 >= len(texts) and few * _SHARE >= len(rows.columns)


def _repeats(values: Any) -> bool:  # noqa: ANN401 - numpy array
    """Whether *values* have few different ones, and an object each: Python has but one of most single letters."""
    sample = values[:_SAMPLE]
    letters = sum(isinstance(value, str) and len(value) <= 1 for value in sample)
    return letters * 2 <= len(sample) and len(set(sample)) * 2 <= len(sample)


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

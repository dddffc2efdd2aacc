"""Frames over the numpy arrays that DuckDB fills, whole or in the first vectors of a result."""

from __future__ import annotations

import contextlib
import functools
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from md_magic.engine.results.batches import EXACT, TEXT, VECTOR, Fetched, discard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import duckdb

_from_blocks: Callable[..., pd.DataFrame] | None = None
"""Makes a frame in a third of the time of `pd.DataFrame`. Since pandas 3."""

with contextlib.suppress(ImportError):
    from pandas.api.internals import create_dataframe_from_blocks as _from_blocks  # type: ignore[import-not-found,no-redef] # pandas-stubs lacks it

OBJECTS = int(pd.__version__.partition(".")[0]) < 3  # noqa: PLR2004 - since 3 pandas has a dtype for text
"""Whether pandas has Python objects for text, as it has for an option alone since 3."""

_OBJECT = np.dtype(object)

BLOCKS = 100
"""Blocks of memory beyond which pandas calls a frame fragmented."""

NUMPY = EXACT - TEXT - {"timestamp with time zone", "enum"}
"""Types whose numpy arrays are those that `.df()` makes its columns of."""


def by_numpy(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the open result of *con*, whose types are all of `NUMPY`, over the arrays that DuckDB fills."""
    return over_arrays(con.fetchnumpy())


def over_arrays(columns: dict[str, Any]) -> pd.DataFrame:
    """Return a frame over what `fetchnumpy` gave."""
    arrays = [_unmasked(array) if isinstance(array, np.ma.MaskedArray) else array for array in columns.values()]
    if _from_blocks is None or len(arrays) > BLOCKS:
        return framed(columns, arrays)
    blocks = [_block(array, np.array([at])) for at, array in enumerate(arrays)]  # nothing is left to be inferred
    return _from_blocks(blocks, pd.RangeIndex(len(arrays[0])), _columns(columns))


def _block(array: Any, at: np.ndarray) -> tuple[Any, np.ndarray]:  # noqa: ANN401 - numpy or pandas array
    return array.reshape(1, -1) if isinstance(array, np.ndarray) else array, at


def framed(names: Iterable[str], arrays: Sequence[Any]) -> pd.DataFrame:
    """Return a frame over *arrays*, of numpy or pandas, which nothing else refers to.

    A second copy, into pandas' blocks, is left to pandas where it would complain of too many of them later.
    """
    if _from_blocks is None:  # before pandas 3 there is nothing to be saved by keeping the labels
        return pd.DataFrame(dict(zip(names, arrays, strict=True)), copy=len(arrays) > BLOCKS)
    index = pd.RangeIndex(len(arrays[0]))
    frame = pd.DataFrame(dict(enumerate(arrays)), index=index, copy=len(arrays) > BLOCKS)
    frame.columns = _columns(names)
    return frame


def _columns(names: Iterable[str]) -> pd.Index[str]:
    return _labels(tuple(names), text_dtype()).view()  # of its own: an index can be named


@functools.lru_cache(maxsize=64)
def _labels(names: tuple[str, ...], _text: object) -> pd.Index[str]:
    """Return *names* as pandas infers them while *_text* is what it infers for text; that takes 0.05 ms."""
    return pd.Index(names)


def text_dtype() -> object:
    """Return the dtype that pandas infers for text.

    Asked rather than looked up: it depends on pandas' version and on two of its options.
    """
    if OBJECTS:
        return pd.Series([""]).dtype if pd.get_option("future.infer_string") else _OBJECT
    return pd.api.types.pandas_dtype(str)  # the dtype of a Series of text says the same, 0.1 ms later


_NULLS = {"M": "NaT", "O": None}
"""What NULL is by the kind of a dtype, `NaN` elsewhere."""


def _unmasked(array: Any) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return a masked *array* as `.df()` has it: NULL is `NA`, or `NaN` and `NaT` where the dtype has them."""
    masked = {"b": pd.arrays.BooleanArray, "i": pd.arrays.IntegerArray, "u": pd.arrays.IntegerArray}
    if (kind := array.dtype.kind) in masked:
        return masked[kind](array.data, array.mask)
    array.data[array.mask] = _NULLS.get(kind, np.nan)
    return array.data


def limited(con: duckdb.DuckDBPyConnection, types: Sequence[str], limit: int) -> Fetched[pd.DataFrame]:
    """Return the first *limit* rows as `.df()` would give them, fetching no more vectors than that takes."""
    first = con.fetch_df_chunk(limit // VECTOR + 1)
    parts, rows = [first], len(first)
    while len(parts[-1]) > 0 and rows <= limit:
        parts.append(con.fetch_df_chunk(1))
        rows += len(parts[-1])
    discard(con)
    whole = rows == len(first)
    if whole and rows <= limit:
        return Fetched(first)
    parts = [part for part in parts if len(part)]
    columns = {
        name: prefix([part.iloc[:, i] for part in parts], limit, text=types[i] in TEXT)
        for i, name in enumerate(first.columns)
    }
    return Fetched(pd.DataFrame(columns), more=rows > limit)


def prefix(parts: list[pd.Series[Any]], limit: int, *, text: bool) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return *limit* rows of a column in the form in which DuckDB hands them to pandas, which infers their dtype.

    A dtype depends on the rows it was inferred from, and those of *parts* are not the rows that are returned: only
    NULLs make integers `Int64`, text without a value is no `str`, and a union of texts is one until a number or a NULL
    comes.
    """
    column = pd.concat([_raw(part, text=text) for part in parts], ignore_index=True).iloc[:limit]
    dtype = column.dtype
    if hasattr(dtype, "numpy_dtype") and not column.hasnans:
        return column.to_numpy(dtype.numpy_dtype)
    if isinstance(dtype, pd.CategoricalDtype) and column.empty:
        return pd.Categorical([], categories=[], ordered=True)
    if pd.api.types.is_extension_array_dtype(dtype):
        return column.array
    objects = column.to_numpy()
    # DuckDB's NA keeps a union's texts objects; pandas infers `str` beside it from an array, and not from a Series.
    keeps = objects.dtype.kind == "O" and not text and column.hasnans and any(value is pd.NA for value in objects)
    return pd.Series(objects, dtype=object, copy=False) if keeps else objects


def _raw(part: pd.Series[Any], *, text: bool) -> pd.Series[Any]:
    """Return *part* before pandas inferred text from it: objects, with None or NA for NULL."""
    if not isinstance(part.dtype, pd.StringDtype):
        return part
    objects = part.astype(object)
    return objects.where(part.notna(), None if text else pd.NA)


_YEAR_1, _YEAR_9999 = (np.datetime64(day, "us").astype(np.int64) for day in ("0001-01-02", "9999-12-31"))
_NO_TIME = np.iinfo(np.int64).min


def noted(fetched: Fetched[pd.DataFrame], types: Sequence[str]) -> Fetched[pd.DataFrame]:
    """Return *fetched* with a note on columns that pandas cannot show: times with a zone outside the years 1 to 9999.

    It raises when it draws them, and IPython then shows nothing at all.
    """
    if "timestamp with time zone" not in types:
        return fetched
    frame = fetched.value
    columns = [frame.iloc[:, at] for at, kind in enumerate(types) if kind == "timestamp with time zone"]
    names = [str(column.name) for column in columns if not _is_shown(column)]
    if not names:
        return fetched
    note = (
        f"pandas cannot show times with a zone outside the years 1 to 9999, which {', '.join(map(repr, names))} holds:"
        " select it as text (::VARCHAR) to see it, or take `--as arrow`."
    )
    return replace(fetched, note=note)


def _is_shown(column: pd.Series[Any]) -> bool:
    micros = column.to_numpy(dtype="datetime64[us]").view(np.int64)
    micros = micros[micros != _NO_TIME]
    if not micros.size or (micros.min() >= _YEAR_1 and micros.max() < _YEAR_9999):
        return True
    try:
        ends = np.array([micros.min(), micros.max()]).view("datetime64[us]")
        return bool(repr(pd.DataFrame({"end": pd.Series(ends).dt.tz_localize("UTC").dt.tz_convert(column.dt.tz)})))
    except (NotImplementedError, OverflowError, ValueError):
        return False


@contextlib.contextmanager
def without_zone_warning(types: Sequence[str]) -> Iterator[None]:
    """Keep back what pandas deprecates in DuckDB's own conversion: as of 1.5, that of time zones.

    Python's filters belong to the whole process, so they are touched for such columns only.
    """
    if "timestamp with time zone" not in types:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
        yield

"""Rows of a SQLAlchemy result, of any database but DuckDB, in the form asked for: columns are typed by their values."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from md_magic.engine.results.arrow import CONVERSIONS, array_of, arrow_text, detached, is_text
from md_magic.engine.results.batches import Fetched, unique_names
from md_magic.engine.results.columns import CONVERTED
from md_magic.engine.results.polars import frame_over, import_polars
from md_magic.engine.results.typed import blob_text, text
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import CursorResult

    from md_magic.engine.results.batches import Count
    from md_magic.sql.statement import Form

    Declared = Callable[[], Sequence[pa.DataType | None]]
    """Returns the declared types of the columns, `None` for one without; no types where they are not known."""

_PORTION = 100_000
"""Rows that another database's driver is asked for at a time; a reader types its columns by the first of them."""


def from_cursor(
    result: CursorResult[Any],
    form: Form,
    *,
    limit: int | None = None,
    count: Count | None = None,
    declared: Declared = tuple,
    exact: bool = True,
) -> Fetched[Any]:
    """Return the rows of a SQLAlchemy *result* of any dialect as *form*, with at most *limit* rows.

    Columns are typed by their values, one without values as it is *declared*. A frame has the dtypes that `.df()` gives
    the same values: integers with NULLs are `Int64`, decimals `float64`, dates and times `datetime64[us]`; what
    has no dtype stays Python objects. An Arrow column whose values are of several types is text, with bytes as DuckDB
    writes them; only text and bytes together are bytes. A `reader` has the types of its first rows, raises `FrameError`
    for later ones that do not fit, and keeps *result* open until its end.
    *count* is called with the rows of each batch. *exact* says whether names that differ in case only are two names, as
    they are not to DuckDB.
    """
    names = unique_names(list(result.keys()), exact=exact)
    if form == "polars":
        import_polars()
    if form == "reader":
        return Fetched(_cursor_reader(result, names, limit, declared))
    rows = _all_rows(result, count) if limit is None else result.fetchmany(limit + 1)
    result.close()
    fetched = columns_of_rows(rows, names, limit)
    if form == "dict":
        return fetched
    kinds = _kinds(fetched.value, declared)
    if form == "pandas":
        columns = {name: _inferred(values, kinds.get(name)) for name, values in fetched.value.items()}
        return Fetched(pd.DataFrame(columns), more=fetched.more)
    table = pa.table({name: _arrow_column(values, kinds.get(name)) for name, values in fetched.value.items()})
    return Fetched(frame_over(table) if form == "polars" else table, more=fetched.more)


def columns_of_rows(
    rows: Sequence[Sequence[Any]], names: list[str], limit: int | None
) -> Fetched[dict[str, list[Any]]]:
    """Return *rows*, of which there is one too many if there were more than *limit*, as columns."""
    kept = rows[:limit]
    columns = zip(*kept, strict=True) if kept else ([] for _ in names)
    return Fetched(
        {name: list(column) for name, column in zip(names, columns, strict=True)}, more=len(rows) > len(kept)
    )


def _kinds(columns: dict[str, list[Any]], declared: Declared) -> dict[str, pa.DataType]:
    """Return the declared types of those *columns* that have no values."""
    bare = {name for name, values in columns.items() if all(value is None for value in values)}
    kinds = dict(zip(columns, declared(), strict=False)) if bare else {}
    return {name: kind for name, kind in kinds.items() if name in bare and kind is not None}


def _inferred(values: list[Any], kind: pa.DataType | None) -> Any:  # noqa: ANN401 - numpy or pandas array
    """Return Python *values* as the array that `.df()` gives for the like, or as objects if there is none."""
    with contextlib.suppress(pa.ArrowException, OverflowError):
        array = pa.array(values, kind)
        dtype = arrow_text()
        if kind is not None and is_text(kind) and dtype is not None:  # where no value tells that it is text
            return dtype.__from_arrow__(pa.chunked_array([array.cast(pa.large_string())]))  # type: ignore[attr-defined] # of pandas' protocol
        column = pa.chunked_array([detached([array]) if pa.types.is_decimal128(array.type) else array])
        if is_text(column.type) or any(test(column.type) for test, _ in CONVERSIONS):
            return array_of(column, dtype)
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects


def _arrow_column(values: list[Any], kind: pa.DataType | None) -> pa.Array:
    """Return *values* as an Arrow array of *kind*, or of the type that fits them: text where they are of several."""
    array = _of_one_type(values, kind)
    return _mixed(values) if array is None else array


def _of_one_type(values: list[Any], kind: pa.DataType | None) -> pa.Array | None:
    """Return *values* as an Arrow array of *kind*, or of the type that fits them all, if there is one."""
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowException, OverflowError):
        return None


def _mixed(values: list[Any]) -> pa.Array:
    """Return *values* of several types as text. Bytes are written as DuckDB does, so that none is lost."""
    return text([blob_text(value) if isinstance(value, bytes) else value for value in values])


def _fitting(name: str, values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return later *values* of the stream's column *name*, which is of *kind*."""
    try:
        if not (is_text(kind) and any(isinstance(value, bytes) for value in values)):
            return pa.array(values, type=kind)
        problem = None
    except (pa.ArrowException, OverflowError) as error:
        problem = error
    message = (
        f"The column {name!r} cannot become an Arrow column: by its first rows it is {kind}, and later values are not."
        " Cast it in SQL. Alone, without `--grid`, `--as pandas` and `--as dict` take any values."
    )
    raise FrameError(message) from problem


def _cursor_reader(
    result: CursorResult[Any], names: list[str], limit: int | None, declared: Declared
) -> pa.RecordBatchReader:
    """Return a reader over *result*, with the types of its first batch."""
    portions = _portions(result, limit)
    first = columns_of_rows(next(portions, []), names, None).value
    kinds = _kinds(first, declared)
    columns = {name: _of_one_type(values, kinds.get(name)) for name, values in first.items()}
    mixed = {name for name, array in columns.items() if array is None}
    arrays = [_mixed(first[name]) if array is None else array for name, array in columns.items()]
    fields = [
        pa.field(name, array.type, metadata=CONVERTED if name in mixed else None)
        for name, array in zip(columns, arrays, strict=True)
    ]
    head = pa.record_batch(arrays, schema=pa.schema(fields))
    del first, columns, arrays

    def array(field: pa.Field, values: list[Any]) -> pa.Array:
        return _mixed(values) if field.name in mixed else _fitting(field.name, values, field.type)

    def batches() -> Iterator[pa.RecordBatch]:
        with contextlib.closing(result):
            yield head
            for rows in portions:
                columns = columns_of_rows(rows, names, None).value
                arrays = [array(field, columns[field.name]) for field in head.schema]
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

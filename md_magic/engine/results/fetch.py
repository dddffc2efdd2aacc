"""Fetching a DuckDB result in the form that was asked for.

The invariant: a result as pandas equals what `con.df()` gives, in every name, dtype, value and index, down to the
string storage. Only the time differs. `.df()` makes a Python string of each text value, and pandas 3 makes Arrow text
of those: nine tenths of the time of such a result. pandas also copies and inspects the arrays that `.df()` fills. So
there are three ways to a DataFrame:

* **Arrow**, where Arrow holds every type exactly as `.df()` reads it (`EXACT`), and either the result has text and
  pandas infers an Arrow-backed `str` dtype, or the result is so long that it must be possible to stop it halfway. Each
  column is then converted by its Arrow type.
* **numpy**, where `.df()` reads every type into a numpy array (`NUMPY`): the same arrays, without the inspection.
* **`con.df()`** for everything else. Nested values, blobs, UUIDs and the like cost a Python object each either way. And
  an Arrow result cannot be fetched a second time, so types that might fail halfway are not tried: a `HUGEINT` has more
  digits than a decimal.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from md_magic.engine.results.arrow import by_arrow, if_arrows, is_long, profits
from md_magic.engine.results.batches import (
    GROUP,
    TEXT,
    Fetched,
    discard,
    open_reader,
    own_errors,
    record_batches,
    types_of,
    unique_names,
)
from md_magic.engine.results.masking import masked_types
from md_magic.engine.results.objects import applies, are_few, by_objects
from md_magic.engine.results.polars import frame_over, import_polars
from md_magic.engine.results.rows import columns_of_rows
from md_magic.engine.results.vectors import NUMPY, by_numpy, limited, noted, text_dtype, without_zone_warning

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from md_magic.engine.results.batches import Count
    from md_magic.engine.results.masking import TokenMask
    from md_magic.sql.statement import Form


def from_duckdb(
    con: duckdb.DuckDBPyConnection,
    form: Form,
    *,
    limit: int | None = None,
    count: Count | None = None,
    mask: TokenMask | None = None,
) -> Fetched[Any]:
    """Return the open result of *con* as *form*, with at most *limit* rows.

    The result must be fresh: executed, nothing fetched. With a *limit*, what is left of it is discarded unread. *con*
    stays the caller's: a `reader` is one over what was fetched, and `to_reader` streams. *count* is called
    with the rows of each batch, where rows arrive in batches: everywhere but in `.df()`, and `dict` without a limit.
    With a *mask*, tokens are masked in the values: in Arrow's batches, or in what Python got where there are none.
    """
    match form:
        case "pandas":
            return to_pandas(con, limit=limit, count=count, mask=mask)
        case "polars":
            return to_polars(con, limit=limit, count=count, mask=mask)
        case "arrow":
            return to_arrow(con, limit=limit, count=count, mask=mask)
        case "dict":
            return to_dict(con, limit=limit, count=count, mask=mask)
        case "reader":  # of what is fetched already: *con* is the caller's, and a stream would keep it
            fetched = to_arrow(con, limit=limit, count=count, mask=mask)
            return Fetched(fetched.value.to_reader(), more=fetched.more)


def to_pandas(
    con: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
    count: Count | None = None,
    mask: TokenMask | None = None,
) -> Fetched[pd.DataFrame]:
    """Return the open result of *con* as the DataFrame that `con.df()` would give, sooner."""
    try:
        return _to_pandas(con, limit, count, mask)
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # DuckDB 2 keeps what `.df()` cannot hold for another try
            discard(con)
        raise


def _to_pandas(
    con: duckdb.DuckDBPyConnection, limit: int | None, count: Count | None, mask: TokenMask | None
) -> Fetched[pd.DataFrame]:
    types = types_of(con)
    if limit is None and mask is None and are_few(con, types):
        return Fetched(by_numpy(con))
    searched = masked_types(con, mask)
    dtype = None if TEXT.isdisjoint(types) else text_dtype()
    text = if_arrows(dtype)
    if limit is not None:
        with without_zone_warning(types):
            fetched = limited(con, types, limit)
    elif profits(types, text) or is_long(con, types, text):
        return noted(Fetched(by_arrow(con, types, text, count, mask)), types)
    elif mask is None and applies(types, dtype):
        fetched = Fetched(by_objects(con, types, count))
    elif NUMPY.issuperset(types):
        fetched = Fetched(by_numpy(con))
    else:
        with without_zone_warning(types):
            fetched = Fetched(con.df())
    if mask is not None:
        fetched = Fetched(mask.frame(fetched.value, searched, count), more=fetched.more)
    return noted(fetched, types)


def to_arrow(
    con: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
    count: Count | None = None,
    mask: TokenMask | None = None,
) -> Fetched[pa.Table]:
    """Return the open result of *con* as an Arrow table, as DuckDB names and types it."""
    reader = open_reader(con, GROUP, limit, mask)
    batches, rows = [], 0
    with contextlib.closing(record_batches(reader, count)) as coming:
        for batch in coming:
            batches.append(batch)
            rows += batch.num_rows
            if limit is not None and rows > limit:
                break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    discard(con)
    return Fetched(table.slice(0, limit), more=limit is not None and rows > limit)


def to_polars(
    con: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
    count: Count | None = None,
    mask: TokenMask | None = None,
) -> Fetched[pl.DataFrame]:
    """Return the open result of *con* as a Polars DataFrame over the same buffers.

    Raises `FrameError` if Polars is not installed, before anything is fetched, or if it lacks one of the types.
    """
    import_polars()
    fetched = to_arrow(con, limit=limit, count=count, mask=mask)
    table = fetched.value
    return Fetched(frame_over(table.rename_columns(unique_names(table.column_names))), more=fetched.more)


def to_dict(
    con: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
    count: Count | None = None,
    mask: TokenMask | None = None,
) -> Fetched[dict[str, list[Any]]]:
    """Return the open result of *con* as column names and lists of Python values."""
    names = unique_names([column[0] for column in con.description])
    searched = masked_types(con, mask)
    with own_errors():
        rows = con.fetchall() if limit is None else con.fetchmany(limit + 1)
    if limit is not None:
        discard(con)
    fetched = columns_of_rows(rows, names, limit)
    return fetched if mask is None else Fetched(mask.columns(fetched.value, searched, count), more=fetched.more)

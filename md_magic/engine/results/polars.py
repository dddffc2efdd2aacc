"""Arrow tables as Polars frames. Polars is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.errors import FrameError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def import_polars() -> Any:  # noqa: ANN401 - a module
    """Return Polars, or raise `FrameError`. Imported here because it is optional, and takes 60 ms."""
    try:
        import polars as pl
    except ImportError as error:
        message = "Polars is not installed. Run `pip install polars`, or ask for `--as arrow` or `--as pandas`."
        raise FrameError(message) from error
    return pl


def frame_over(table: pa.Table) -> pl.DataFrame:
    """Return *table*, whose names are unique, as a Polars frame over the same buffers."""
    polars = import_polars()
    try:
        frame: pl.DataFrame = polars.from_arrow(table, rechunk=False)
    except polars.exceptions.PolarsError as error:
        message = f"Polars cannot hold this result: {error}. Cast the column in SQL, or ask for `--as arrow`."
        raise FrameError(message) from error
    return frame

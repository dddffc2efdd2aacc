"""The value of `--grid`: a result on disk, of which what is seen can be had as a frame, or as a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.display.still import HINT, Still, size_of
from md_magic.engine.results import seen
from md_magic.engine.results.store import kept
from md_magic.engine.results.views import View
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.restated import Origin
    from md_magic.engine.results.store import ResultStore


class Kept:
    """A result on disk. What is seen of it is all of it, until a grid says otherwise."""

    def __init__(self, store: ResultStore) -> None:
        """Keep *store*, which may still grow."""
        self._store = store
        self._seen = seen.Part(View(), tuple(range(len(store.columns))))
        self.origin: Origin | None = None
        """The statement that gave the result, where it is known."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._store.rows

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns, as those of a frame."""
        return self._store.rows, len(self._store.columns)

    def frame(self) -> pd.DataFrame:
        """Return what is seen, all rows and the columns that are shown, as a pandas DataFrame. Raises `FrameError`."""
        return seen.frame(self._store, self._seen)

    def arrow(self) -> pa.Table:
        """Return what is seen as an Arrow table. Raises `FrameError`."""
        return seen.arrow(self._store, self._seen)

    def reader(self) -> pa.RecordBatchReader:
        """Return a reader that streams what is seen, and keeps its rows as long as it lives. Raises `FrameError`."""
        return seen.reader(self._store, self._seen, self)

    @property
    def sql(self) -> str:
        """The statement that gives what is seen, for another cell on the same target.

        It is the statement of the grid's cell, within one that sorts and filters. Raises `FrameError` where that cannot
        be: the statement changed something, or is none that can stand in another one.
        """
        if self.origin is None:
            message = "The statement of this grid is not known. g.frame(), g.arrow() and g.reader() give what is seen."
            raise FrameError(message)
        return self.origin.restated(self._store.columns, self._seen)

    def close(self) -> None:
        """Delete the file; a second call does nothing."""
        self._store.close()


class Plain(Kept):
    """A result that was given a name where there are no widgets. Its first rows are shown as a table.

    Its file is deleted when it is closed or collected, or when Python ends.
    """

    def __init__(self, store: ResultStore, *, more: bool) -> None:
        """Keep *store*; *more* says that the result has rows that were not fetched."""
        super().__init__(store)
        self._still = Still.of(store, more=more, hint=HINT)

    def __repr__(self) -> str:
        """Return the size of the result."""
        return f"<md_magic grid: {size_of(self._store)}>"

    def _repr_mimebundle_(self, **options: object) -> dict[str, str]:
        return self._still._repr_mimebundle_(**options)


def plain(columns: Sequence[Column], batches: Batches) -> Plain:
    """Return all of *batches* for where there are no widgets; if the query fails or is stopped, nothing remains."""
    store = kept(columns, batches)
    try:
        return Plain(store, more=batches.more)
    except BaseException:
        store.close()
        raise

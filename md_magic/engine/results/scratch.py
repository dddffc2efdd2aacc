"""A private DuckDB on disk for what is computed beside the user's databases: memory is bounded, nothing is left."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from md_magic.engine.results import store
from md_magic.engine.results.batches import table_of
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Stoppable = Callable[[str, Callable[[], object]], contextlib.AbstractContextManager[object]]
    """Takes a name to show and what stops; within the block, that stops what runs."""

_COLUMNS = 128
"""As many columns as its memory is reckoned for."""


class Scratch:
    """One such database, attached as `disk`. It is deleted when it is closed or collected, or when Python ends."""

    def __init__(self, stoppable: Stoppable | None = None) -> None:
        """Make an empty one; what runs on it can be stopped within *stoppable*. Raises `FrameError` without a disk."""
        self._stoppable = stoppable
        store._sweep()  # noqa: SLF001 - the same kind of folder, and what a killed kernel leaves is swept alike
        folder = tempfile.mkdtemp(prefix=store._PREFIX)  # noqa: SLF001 - see above
        owner = store._own(folder)  # noqa: SLF001 - see above
        with _disk_errors():
            self._connection = store._connected(folder, _COLUMNS, None)  # noqa: SLF001 - see above
            self._connection.execute("SET preserve_insertion_order = false; USE disk")
        self._lock = threading.Lock()
        parts = (self._connection, self._connection, owner, folder, os.getpid())
        self._close = weakref.finalize(self, store._remove, *parts)  # noqa: SLF001 - see above

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> pa.Table:
        """Run *sql* and return its rows."""
        stoppable = self._stoppable("the comparison", self.interrupt) if self._stoppable else contextlib.nullcontext()
        with stoppable, self._lock, _disk_errors():
            return table_of(self._connection.execute(sql, values or {}))

    def define(self, name: str, function: Callable[..., pa.Array], types: Sequence[str]) -> None:
        """Let its SQL call *function* as *name*, with Arrow arrays of *types*; it returns one of texts."""
        with self._lock, _disk_errors():
            self._connection.create_function(name, function, list(types), "VARCHAR", type="arrow")  # type: ignore[call-overload] # names of types

    def append(self, table: str, batch: pa.RecordBatch) -> None:
        """Add the rows of *batch* to *table*, which is made of the first one."""
        rows = pa.Table.from_batches([batch])
        with self._lock, _disk_errors():
            self._connection.register("incoming", rows)
            try:
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM incoming LIMIT 0")
                self._connection.execute(f"INSERT INTO {table} FROM incoming")
            finally:
                self._connection.unregister("incoming")

    def interrupt(self) -> None:
        """Stop what runs."""
        if self._close.alive:
            self._connection.interrupt()

    def close(self) -> None:
        """Delete it. A second call does nothing."""
        self.interrupt()
        with self._lock:
            self._close()


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Raise errors of the private file as `FrameError`, so that they are not taken for the user's database's."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        message = f"The private file for this cannot be used: {error}"
        raise FrameError(message) from error

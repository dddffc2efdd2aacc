"""The result store: one private DuckDB file on disk that a grid sorts, filters and reads pages of.

The invariants: nothing is made in the user's database, the file's memory is bounded whatever the result's size, and no
file outlives its `ResultStore`; what a killed kernel leaves is removed by the next. Rows are those of the run: what is
looked at later does not change, and no query runs again.

Why not the other places that a grid could read from: the query itself (run anew for each page: `random()` and changing
tables would change under the eyes, and MotherDuck would be asked at every scroll), an open cursor of the notebook's
connection (only forwards, and other cells need it), a table of the user's database, or a frame in memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from md_magic.engine.results.views import FilterError, bound, terms
from md_magic.errors import FrameError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.views import Term, View

_MEMORY, _MEMORY_OF_A_COLUMN = 256, 2
"""Megabytes that the private database may hold, and for each column: writing takes blocks of 256 kB of every one of
them, on each of `_THREADS`. Sorts beyond it go to disk."""

_THREADS = 2

_SPARING = max(1, min(_THREADS, (os.cpu_count() or 1) - 1))
"""Threads for what nobody waits for. With all cores of two busy, a page is drawn 40 ms later: what it needs on its way,
the browser and the kernel's other threads, has to wait for a core several times."""

_FLUSH, _FLUSH_OF_A_COLUMN = 64 * 2**20, 2**18
"""Bytes of Arrow batches that are written at once, and for each column: a write of a few rows costs as much as one of
many, because each column takes a block of its own."""

_CHECKPOINT = "1GB"
"""How much is written before DuckDB makes a checkpoint. Each writes the last row group anew, and a wide result fills
that only in many writes: at DuckDB's default of 16 MB, 500 columns take twice as long."""

_GROUP = 122_880
"""Rows of one of DuckDB's row groups: batches of about so many are written in two thirds of the time of small ones."""

_LOOKED_UP = 1_000
"""Rows of a sorted view that DuckDB looks for by where they can be, not by reading all: more than a page has."""

_ORDERS = 4
"""Sorted or filtered views that are remembered, 8 bytes a row on disk at most each."""

LONGEST = 2_000
"""Characters of a value that a page holds; the text of a longer one ends there, with an ellipsis."""

_PREFIX = "md_magic-grid-"
_LOCK = "owner.lock"
"""A file in each folder that its process holds locked: the system lets go of it when the process is gone, however."""

_YOUNG = 60.0
"""Seconds for which a folder is left alone, because its owner may be about to lock it."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of some columns of a view, as text."""

    rows: list[tuple[str | None, ...]]
    """DuckDB's own text of each value, at most `LONGEST` characters and an ellipsis; `None` for NULL."""

    total: int
    """How many rows the whole view has."""


class ResultStore:
    """A result on disk. One thread appends; any thread may read pages meanwhile, of what is there."""

    def __init__(self, columns: Sequence[Column], *, zone: str | None = None) -> None:
        """Make an empty file for *columns*; times with a zone are shown in *zone*. Raises `FrameError`."""
        self.columns = tuple(columns)
        self.rows = 0
        """How many rows can be read."""

        self.complete = False
        _sweep()
        self._folder = tempfile.mkdtemp(prefix=_PREFIX)
        owner = _own(self._folder)
        self._lock = threading.Lock()
        self._orders: OrderedDict[View, tuple[str, int]] = OrderedDict()
        self._orders_made = 0
        self._kinds: list[str] = []
        self._waiting: list[pa.RecordBatch] = []
        self._size = 0
        self._cursors: list[tuple[int, duckdb.DuckDBPyConnection]] = []
        with _disk_errors():
            self._writer = _connected(self._folder, len(self.columns), zone)
            self._reader = self._writer.cursor()
            self._writer.execute(f"CREATE TABLE disk.kept ({self._declared()})")
        self._close = weakref.finalize(self, _remove, self._writer, self._reader, owner, self._folder, os.getpid())

    def append(self, batch: pa.RecordBatch) -> bool:
        """Take a *batch*; return whether rows became readable, which the first do at once. Raises `FrameError`."""
        self._waiting.append(batch)
        self._size += batch.nbytes
        first = self.rows == 0
        return self._flush() if first or self._size > _FLUSH + _FLUSH_OF_A_COLUMN * len(self.columns) else False

    def finish(self) -> None:
        """Write what is left; the rows are all there then."""
        self._flush()
        self.complete = True

    def page(self, view: View, *, first: int, count: int, left: int, right: int) -> Page:
        """Return *count* rows of *view* from *first* on, of the columns from *left* to before *right*.

        Values are bound as parameters. The first page of a new view pays for the sort.
        Raises `FilterError`, and `FrameError` where the file is closed or the disk full.
        """
        with self._lock, _disk_errors():
            self._check_open()
            shown = ", ".join(self._as_text(at) for at in range(left, right)) or "NULL"
            if not (view.sort or view.filters):
                where = "rowid >= $first AND rowid < $last ORDER BY rowid"
                sql = f"SELECT {shown} FROM disk.kept WHERE {where}"  # noqa: S608 - positions and constants
                values = {"first": first, "last": min(first + count, self.rows)}
                return Page([_cut(row) for row in self._reader.execute(sql, values).fetchall()], self.rows)
            if first == 0 and not view.sort and view not in self._orders:
                return self._filtered(view, shown, count)
            table, total = self._ordered(view)
            ids = f"SELECT id FROM {table} WHERE rowid >= $first AND rowid < $last ORDER BY rowid"  # noqa: S608 - a name of ours
            rowids = [
                rowid for (rowid,) in self._reader.execute(ids, {"first": first, "last": first + count}).fetchall()
            ]
            sql = f"SELECT rowid, {shown} FROM disk.kept WHERE rowid IN (SELECT unnest($rowids::BIGINT[]))"  # noqa: S608 - positions
            rows = {rowid: row for rowid, *row in self._reader.execute(sql, {"rowids": rowids}).fetchall()}
            return Page([_cut(rows[rowid]) for rowid in rowids], total)

    def select(
        self, view: View, columns: Sequence[str], *, first: int = 0, count: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Return a query of *count* rows of *view*, or of all from *first* on, in its order, and the values to bind.

        *columns* are expressions over `c0`, `c1` and so on. Raises `FilterError`, and `FrameError` where the file is
        closed. A part of a view is found by its remembered order; the whole is sorted anew, because so it streams.
        """
        with self._lock, _disk_errors():
            self._check_open()
            shown = ", ".join(columns)
            if first == 0 and count is None:
                conditions, values = self._conditions(view)
                where = " AND ".join(["rowid < $rows", *conditions])
                order = f" ORDER BY {_order(view)}" if view.sort else ""
                return f"SELECT {shown} FROM disk.kept WHERE {where}{order}", values | {"rows": self.rows}  # noqa: S608 - positions
            last = self.rows if count is None else first + count
            if not (view.sort or view.filters):
                where = "rowid >= $first AND rowid < $last"
                return f"SELECT {shown} FROM disk.kept WHERE {where}", {"first": first, "last": min(last, self.rows)}  # noqa: S608 - see above
            table, _ = self._ordered(view)
            ids = f"SELECT rowid AS n, id FROM {table} WHERE rowid >= $first AND rowid < $last"  # noqa: S608 - see above
            sql = f"SELECT {shown} FROM ({ids}) AS o JOIN disk.kept AS k ON k.rowid = o.id ORDER BY o.n"  # noqa: S608 - see above
            return sql, {"first": first, "last": last}

    def ordered(self, view: View) -> tuple[str, int]:
        """Return what the rows of *view* are read from, where `n` counts them from 0, and their number.

        It is a table in a FROM, with `c0`, `c1` and so on; raises as `select`.
        """
        with self._lock, _disk_errors():
            self._check_open()
            if not (view.sort or view.filters):
                return f"(SELECT rowid AS n, * FROM disk.kept WHERE rowid < {self.rows}) AS q", self.rows  # noqa: S608 - a number
            table, total = self._ordered(view)
            joined = f"{table} AS o JOIN disk.kept AS k ON k.rowid = o.id"
            return f"(SELECT o.rowid AS n, k.* FROM {joined}) AS q", total  # noqa: S608 - a name of ours

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection to the file that pages do not wait for; closing the store stops what runs there.

        Raises `FrameError` where the file is closed, and for what goes wrong within the block.
        """
        with _disk_errors():
            cursor = self._new_cursor()
            entry = (threading.get_ident(), cursor)
            self._cursors.append(entry)
            try:
                yield cursor
            finally:
                self._cursors.remove(entry)
                cursor.close()

    @contextlib.contextmanager
    def sparing(self) -> Iterator[None]:
        """Leave a core free meanwhile, for the browser and the kernel. Raises as `cursor`."""
        with _disk_errors(), self._new_cursor() as cursor:  # which `stop` does not know: the last statement has to run
            cursor.execute(f"SET GLOBAL threads = {_SPARING}")
            try:
                yield
            finally:
                cursor.execute(f"SET GLOBAL threads = {_THREADS}")

    def _new_cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            self._check_open()
            return self._writer.cursor()

    def stop(self, thread: int | None = None) -> None:
        """Stop what runs on the cursors that *thread* opened, by its identifier, or on all of them."""
        for owner, cursor in list(self._cursors):
            if thread in {None, owner}:
                with contextlib.suppress(duckdb.Error):  # it may be closed by now
                    cursor.interrupt()

    @property
    def folder(self) -> Path:
        """The folder of the file, for what is written beside it; it is deleted with it."""
        return Path(self._folder)

    def _check_open(self) -> None:
        if not self._close.alive:
            message = "This grid is closed: run its cell again."
            raise FrameError(message)

    query = "FROM disk.kept"
    """The query of all rows, for `aggregate`."""

    def kinds(self) -> list[str]:
        """Return DuckDB's types of the columns, as they are kept."""
        with self._lock, _disk_errors():
            if not self._kinds:
                self._kinds = [row[1] for row in self._reader.execute(f"DESCRIBE {self.query}").fetchall()]
            return self._kinds

    def aggregate(self, sql: str) -> dict[str, Any]:
        """Return the one row of *sql*, which reads `query`, by the names of its columns. Raises `FrameError`."""
        with self._lock, _disk_errors():
            result = self._reader.execute(sql)
            row = result.fetchone() or ()
            return dict(zip([column[0] for column in result.description or ()], row, strict=True))

    def interrupt(self) -> None:
        """Stop a page that is being computed: its caller gets a `FrameError`."""
        if self._close.alive:
            self._reader.interrupt()

    def close(self) -> None:
        """Delete the file. A second call does nothing."""
        self.interrupt()
        self.stop()
        with self._lock:
            self._close()

    def _declared(self) -> str:
        """Return the columns of the table: numbered, because a result may have one name twice."""
        declared = []
        for at, column in enumerate(self.columns):
            kind = "VARCHAR" if column.kind in {'"NULL"', "NULL"} else column.kind
            try:
                self._writer.execute(f"SELECT NULL::{kind}")
            except duckdb.Error:  # a type of an extension that is loaded in the user's database only
                kind = "VARCHAR"
            declared.append(f"c{at} {'VARCHAR' if kind in {'TYPE', 'VARIANT'} else kind}")
        return ", ".join(declared)

    def _flush(self) -> bool:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if not any(batch.num_rows for batch in waiting):
            return False
        rows = _in_groups(waiting)
        waiting.clear()
        rows = rows.rename_columns([f"c{at}" for at in range(rows.num_columns)])
        with _disk_errors():
            # not `register`, which would keep the last rows in memory
            self._writer.execute("INSERT INTO disk.kept FROM rows")
        self.rows += rows.num_rows
        return True

    def _ordered(self, view: View) -> tuple[str, int]:
        """Return the table with the row ids of *view*, in its order, and their number."""
        if view in self._orders:
            self._orders.move_to_end(view)
            return self._orders[view]
        conditions, values = self._conditions(view)
        name = f"disk.order{self._orders_made}"
        self._orders_made += 1
        where = " AND ".join(["rowid < $rows", *conditions])
        order = f" ORDER BY {_order(view)}" if view.sort else ""  # a table keeps the order of its rows
        sql = f"CREATE TABLE {name} AS SELECT rowid AS id FROM disk.kept WHERE {where}{order}"  # noqa: S608 - positions
        self._reader.execute(sql, values | {"rows": self.rows})
        counted = self._reader.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608 - a name of ours
        self._orders[view] = (name, counted[0] if counted else 0)
        while len(self._orders) > _ORDERS:
            _, (old, _) = self._orders.popitem(last=False)
            self._reader.execute(f"DROP TABLE {old}")
        return self._orders[view]

    def prepare(self, view: View) -> None:
        """Remember the order of *view*, so that its other pages come at once. Raises `FrameError`."""
        with self._lock, _disk_errors():
            self._check_open()
            if view.sort or view.filters:
                self._ordered(view)

    def _filtered(self, view: View, shown: str, count: int) -> Page:
        """Return the first rows that the filters of *view* let through, sooner than its order can be made."""
        conditions, values = self._conditions(view)
        source = f"FROM disk.kept WHERE {' AND '.join(['rowid < $rows', *conditions])}"
        values["rows"] = self.rows
        counted = self._reader.execute(f"SELECT count(*) {source}", values).fetchone()
        rows = self._reader.execute(f"SELECT {shown} {source} LIMIT {count}", values).fetchall()
        return Page([_cut(row) for row in rows], counted[0] if counted else 0)

    def _as_text(self, at: int) -> str:
        """Return the text of a column, of which not more leaves DuckDB than tells whether it is cut.

        Nothing beside the cast where no text is long: DuckDB plans a page of 500 such columns in a third of the time.
        """
        text = f"c{at}::VARCHAR"
        return text if self.columns[at].brief else f"left({text}, {LONGEST + 1})"

    def _conditions(self, view: View) -> tuple[list[str], dict[str, Any]]:
        """Return the conditions of *view*, and the values to bind. Raises `FilterError`."""
        values: dict[str, Any] = {}
        conditions = []
        for at, typed in view.filters:
            either = terms(self.columns[at], typed)
            for term in (term for every in either for term in every if term.kind):
                self._check(self.columns[at], term)
            conditions.append(bound(either, f"c{at}", values))
        return conditions, values

    def _check(self, column: Column, term: Term) -> None:
        try:
            self._reader.execute(f"SELECT CAST($value AS {term.kind})", {"value": term.value}).fetchall()
        except duckdb.Error as error:
            message = f"{column.name}: {term.value!r} is no {column.kind[:60]}."
            raise FilterError(message) from error


def kept(columns: Sequence[Column], batches: Batches) -> ResultStore:
    """Return a store with all of *batches*; if the query fails or is stopped, nothing remains."""
    store = ResultStore(columns, zone=zone_of(batches.schema))
    try:
        for batch in batches:
            store.append(batch)
        store.finish()
    except BaseException:
        store.close()
        raise
    return store


def zone_of(schema: pa.Schema) -> str | None:
    """Return the time zone in which the connection behind *schema* shows times, if it has columns with one."""
    zone = re.search(r"timestamp\[\w+, tz=([^\]]+)\]", " ".join(str(field.type) for field in schema))
    return zone[1] if zone else None


def _connected(folder: str, columns: int, zone: str | None) -> duckdb.DuckDBPyConnection:
    memory = f"{_MEMORY + _MEMORY_OF_A_COLUMN * columns}MB"
    temporary = str(Path(folder, "sorts"))
    connection = duckdb.connect(config={"memory_limit": memory, "threads": _THREADS, "temp_directory": temporary})
    connection.execute("SET enable_progress_bar = false; SET preserve_insertion_order = true")
    connection.execute(f"SET wal_autocheckpoint = '{_CHECKPOINT}'")
    connection.execute(f"SET GLOBAL dynamic_or_filter_threshold = {_LOOKED_UP}")  # a session's own otherwise
    path = str(Path(folder, "rows.db")).replace("'", "''")
    connection.execute(f"ATTACH '{path}' AS disk (RECOVERY_MODE no_wal_writes)")  # the file is deleted, never recovered
    if zone:
        connection.execute("SET GLOBAL TimeZone = $zone", {"zone": zone})
    return connection


def _in_groups(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Return *batches* as fewer, of up to the rows of DuckDB's row groups.

    They are joined and never cut: DuckDB 1.5 reads the unions of a slice from the beginning of the whole.
    """
    groups: list[list[pa.RecordBatch]] = []
    rows = 0
    for batch in batches:
        if not groups or rows + batch.num_rows > _GROUP:
            groups.append([])
            rows = 0
        groups[-1].append(batch)
        rows += batch.num_rows
    return pa.concat_tables([pa.Table.from_batches(group).combine_chunks() for group in groups])


def _own(folder: str) -> IO[bytes]:
    """Return an open file in *folder* that is locked as long as it is open, where the system has locks."""
    owner = Path(folder, _LOCK).open("xb")  # noqa: SIM115 - `_remove` closes it
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return owner


def _sweep() -> None:
    """Remove the folders of this user's processes that were killed. Those of living ones, and of others, stay."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_ours(entry) and _is_left(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Whether *entry* is a folder, and no link to one, of the user of this process: root may delete anybody's."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    return sys.platform == "win32" or entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def _is_left(folder: Path) -> bool:
    """Whether the process that owned *folder* is gone."""
    lock = folder / _LOCK
    try:
        if time.time() - lock.lstat().st_mtime < _YOUNG or not stat.S_ISREG(lock.lstat().st_mode):
            return False
        if sys.platform == "win32":
            lock.unlink()  # refused for an open file
            return True
        with open(os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK), "r+b") as owner:  # noqa: PTH123 - of a descriptor
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(
    writer: duckdb.DuckDBPyConnection, reader: duckdb.DuckDBPyConnection, owner: IO[bytes], folder: str, process: int
) -> None:
    if os.getpid() != process:  # a fork, which has a copy of this: the folder and its connections are the parent's
        return
    for connection in (reader, writer):
        with contextlib.suppress(duckdb.Error):
            connection.close()
    owner.close()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _disk_errors() -> Any:  # noqa: ANN401 - a generator, to the decorator
    """Raise errors of the private file as `FrameError`, so that they are not taken for the query's."""
    try:
        yield
    except (duckdb.Error, RuntimeError, OSError) as error:
        message = f"The grid's own file cannot be used: {error}"
        raise FrameError(message) from error


def _order(view: View) -> str:
    return ", ".join([*(f"c{at} {'DESC' if down else 'ASC'} NULLS LAST" for at, down in view.sort), "rowid"])


def _cut(row: Iterable[str | None]) -> tuple[str | None, ...]:
    return tuple(text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…" for text in row)

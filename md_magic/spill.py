"""A result kept aside: one private DuckDB file on disk that a grid sorts, filters and reads pages of.

The invariants: nothing is made in the user's database, the file's memory is bounded whatever the result's size, and no
file outlives its `Spill`; what a killed kernel leaves is removed by the next. Rows are those of the run: what is looked
at later does not change, and no query runs again.

Why not the other places that a grid could read from: the query itself (run anew for each page: `random()` and changing
tables would change under the eyes, and MotherDuck would be asked at every scroll), an open cursor of the notebook's
connection (only forwards, and other cells need it), a table of the user's database, or a frame in memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from md_magic.errors import FrameError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEMORY, _MEMORY_OF_A_COLUMN = 256, 2
"""Megabytes that the private database may hold, and for each column: writing takes blocks of 256 kB of every one of
them, on each of `_THREADS`. Sorts beyond it go to disk."""

_THREADS = 2

_FLUSH = 64 * 2**20
"""Bytes of Arrow batches that are written at once: a write of a few rows costs as much as one of many."""

_GROUP = 122_880
"""Rows of one of DuckDB's row groups: batches of about so many are written in two thirds of the time of small ones."""

_ORDERS = 4
"""Sorted or filtered views that are remembered, 8 bytes a row on disk at most each."""

LONGEST = 2_000
"""Characters of a value that a page holds; the text of a longer one ends there, with an ellipsis."""

_NUMBERS = frozenset(
    [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "BIGNUM",
        "FLOAT",
        "DOUBLE",
    ]
)
_NO_ARROW = re.compile(r"\b(BIT|TIME WITH TIME ZONE|TYPE|VARIANT)\b")
"""Types that Arrow lacks, or that DuckDB 1.5 writes to it and does not read back as they were."""

_ENUM, _MANY = re.compile(r"\bENUM\("), re.compile(r"\[|\bMAP\(")
"""What DuckDB 1.5 must not read from Arrow together: many NULLs of an ENUM within lists end the process."""

_PREFIX = "md_magic-grid-"
_LOCK = "owner.lock"
"""A file in each folder that its process holds locked: the system lets go of it when the process is gone, however."""

_YOUNG = 60.0
"""Seconds for which a folder is left alone, because its owner may be about to lock it."""

_FILTER = re.compile(r"(?s)\s*(>=|<=|<>|!=|=|>|<)\s*(.*?)\s*\Z")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    name: str
    kind: str
    """DuckDB's type, as `DESCRIBE` spells it."""

    @property
    def number(self) -> bool:
        """Whether its values are numbers, which are compared as such and stand at the right."""
        return self.kind in _NUMBERS or self.kind.startswith("DECIMAL(")

    @property
    def needs_text(self) -> bool:
        """Whether its values come here as text, because Arrow cannot hold them or DuckDB not read them from it."""
        kind = re.sub(r"\"[^\"]*\"|'[^']*'", "", self.kind)
        return _NO_ARROW.search(kind) is not None or (_ENUM.search(kind) is not None and _MANY.search(kind) is not None)


@dataclass(frozen=True, slots=True)
class View:
    """An order and a choice of rows."""

    sort: tuple[tuple[int, bool], ...] = ()
    """Columns, by position, and whether each goes down; NULLs are last, equal rows stay in the result's order."""

    filters: tuple[tuple[int, str], ...] = ()
    """Columns, by position, and what a person typed above them: see `Spill.page`."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of some columns of a view, as text."""

    rows: list[tuple[str | None, ...]]
    """DuckDB's own text of each value, at most `LONGEST` characters and an ellipsis; `None` for NULL."""

    total: int
    """How many rows the whole view has."""


class FilterError(FrameError):
    """A filter that cannot be understood, or does not fit the column's type; the text says what can be written."""


class Spill:
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
        self._made = 0
        self._waiting: list[pa.RecordBatch] = []
        self._size = 0
        with _disk_errors():
            self._writer = _opened(self._folder, len(self.columns), zone)
            self._reader = self._writer.cursor()
            self._writer.execute(f"CREATE TABLE disk.kept ({self._declared()})")
        self._close = weakref.finalize(self, _remove, self._writer, self._reader, owner, self._folder)

    def append(self, batch: pa.RecordBatch) -> bool:
        """Take a *batch*; return whether rows became readable, which the first do at once. Raises `FrameError`."""
        self._waiting.append(batch)
        self._size += batch.nbytes
        first = self.rows == 0
        return self._flush() if first or self._size > _FLUSH else False

    def finish(self) -> None:
        """Write what is left; the rows are all there then."""
        self._flush()
        self.complete = True

    def page(self, view: View, *, first: int, count: int, left: int, right: int) -> Page:
        """Return *count* rows of *view* from *first* on, of the columns from *left* to before *right*.

        A filter is `null`, `not null`, a comparison such as `> 5` or `= x`, or text that a value contains, in any case;
        `"> 5"` in quotes is text. Values are bound as parameters. The first page of a new view pays for the sort.
        Raises `FilterError`, and `FrameError` where the file is closed or the disk full.
        """
        with self._lock, _disk_errors():
            if not self._close.alive:
                message = "This grid is closed: run its cell again."
                raise FrameError(message)
            shown = ", ".join(_as_text(at) for at in range(left, right)) or "NULL"
            if not (view.sort or view.filters):
                where = "rowid >= $first AND rowid < $last ORDER BY rowid"
                sql = f"SELECT {shown} FROM disk.kept WHERE {where}"  # noqa: S608 - positions and constants
                values = {"first": first, "last": min(first + count, self.rows)}
                return Page(self._reader.execute(sql, values).fetchall(), self.rows)
            table, total = self._ordered(view)
            asked = f"SELECT place FROM {table} WHERE rowid >= $first AND rowid < $last ORDER BY rowid"  # noqa: S608 - a name of ours
            places = [at for (at,) in self._reader.execute(asked, {"first": first, "last": first + count}).fetchall()]
            sql = f"SELECT rowid, {shown} FROM disk.kept WHERE rowid IN (SELECT unnest($places::BIGINT[]))"  # noqa: S608 - positions
            found = {at: row for at, *row in self._reader.execute(sql, {"places": places}).fetchall()}
            return Page([tuple(found[at]) for at in places], total)

    def interrupt(self) -> None:
        """Stop a page that is being computed: its caller gets a `FrameError`."""
        if self._close.alive:
            self._reader.interrupt()

    def close(self) -> None:
        """Delete the file. A second call does nothing."""
        self.interrupt()
        with self._lock:
            self._close()

    def _declared(self) -> str:
        """Return the columns of the table: numbered, because a result may have one name twice."""
        made = []
        for at, column in enumerate(self.columns):
            kind = "VARCHAR" if column.kind in {'"NULL"', "NULL"} else column.kind
            try:
                self._writer.execute(f"SELECT NULL::{kind}")
            except duckdb.Error:  # a type of an extension that is loaded in the user's database only
                kind = "VARCHAR"
            made.append(f"c{at} {'VARCHAR' if kind in {'TYPE', 'VARIANT'} else kind}")
        return ", ".join(made)

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
        """Return the table with the places of the rows of *view*, and their number."""
        if view in self._orders:
            self._orders.move_to_end(view)
            return self._orders[view]
        conditions, values = self._conditions(view)
        order = ", ".join([*(f"c{at} {'DESC' if down else 'ASC'} NULLS LAST" for at, down in view.sort), "rowid"])
        name = f"disk.order{self._made}"
        self._made += 1
        where = " AND ".join(["rowid < $rows", *conditions])
        sql = f"CREATE TABLE {name} AS SELECT rowid AS place FROM disk.kept WHERE {where} ORDER BY {order}"  # noqa: S608 - positions
        self._reader.execute(sql, values | {"rows": self.rows})
        counted = self._reader.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608 - a name of ours
        self._orders[view] = (name, counted[0] if counted else 0)
        while len(self._orders) > _ORDERS:
            _, (old, _) = self._orders.popitem(last=False)
            self._reader.execute(f"DROP TABLE {old}")
        return self._orders[view]

    def _conditions(self, view: View) -> tuple[list[str], dict[str, Any]]:
        conditions, values = [], {}
        for number, (at, typed) in enumerate(view.filters):
            condition, value = self._condition(at, typed, f"v{number}")
            conditions.append(condition)
            if value is not None:
                values[f"v{number}"] = value
        return conditions, values

    def _condition(self, at: int, typed: str, name: str) -> tuple[str, Any]:
        """Return the condition on column *at* that was *typed*, and the value to bind as *name*, if there is one."""
        words = typed.lower().split()
        if words == ["null"]:
            return f"c{at} IS NULL", None
        if words == ["not", "null"]:
            return f"c{at} IS NOT NULL", None
        compared = _FILTER.match(typed)
        if compared is None:
            quoted = re.fullmatch(r'(?s)\s*"(.*)"\s*', typed)
            return f"contains(lower(c{at}::VARCHAR), lower(${name}))", quoted[1] if quoted else typed.strip()
        sign, text = compared.groups()
        column = self.columns[at]
        if not text:
            message = f"{column.name}: a value is missing after {sign}."
            raise FilterError(message)
        if column.number:
            return f"c{at} {sign} ${name}", _number(column, text)
        kind = "VARCHAR" if column.kind in {"TYPE", "VARIANT", "JSON", '"NULL"'} else column.kind
        try:
            self._reader.execute(f"SELECT CAST($value AS {kind})", {"value": text}).fetchall()
        except duckdb.Error as error:
            message = f"{column.name}: {text!r} is no {column.kind[:60]}."
            raise FilterError(message) from error
        return f"c{at} {sign} CAST(${name} AS {kind})", text


def columns_of(schema: pa.Schema) -> list[Column]:
    """Return the columns of another database's rows, with the types that DuckDB has for them."""
    with duckdb.connect(":memory:") as own:
        found = own.from_arrow(schema.empty_table())
        return [Column(name, str(kind)) for name, kind in zip(schema.names, found.types, strict=True)]


def zone_of(schema: pa.Schema) -> str | None:
    """Return the time zone in which the connection behind *schema* shows times, if it has columns with one."""
    found = re.search(r"timestamp\[\w+, tz=([^\]]+)\]", " ".join(str(field.type) for field in schema))
    return found[1] if found else None


def _opened(folder: str, columns: int, zone: str | None) -> duckdb.DuckDBPyConnection:
    memory = f"{_MEMORY + _MEMORY_OF_A_COLUMN * columns}MB"
    temporary = str(Path(folder, "sorts"))
    made = duckdb.connect(config={"memory_limit": memory, "threads": _THREADS, "temp_directory": temporary})
    made.execute("SET enable_progress_bar = false; SET preserve_insertion_order = true")
    path = str(Path(folder, "rows.db")).replace("'", "''")
    made.execute(f"ATTACH '{path}' AS disk (RECOVERY_MODE no_wal_writes)")  # nobody recovers a file that is deleted
    if zone:
        made.execute("SET GLOBAL TimeZone = $zone", {"zone": zone})
    return made


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
    owner = Path(folder, _LOCK).open("wb")  # noqa: SIM115 - `_remove` closes it
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return owner


def _sweep() -> None:
    """Remove the folders of this user's processes that were killed. Those of living ones, and of others, stay."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False) and _is_left(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Whether the process that owned *folder* is gone."""
    lock = folder / _LOCK
    try:
        if time.time() - lock.stat().st_mtime < _YOUNG:
            return False
        if sys.platform == "win32":
            lock.unlink()  # refused for an open file
            return True
        with lock.open("r+b") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(
    writer: duckdb.DuckDBPyConnection, reader: duckdb.DuckDBPyConnection, owner: IO[bytes], folder: str
) -> None:
    for connection in (reader, writer):
        with contextlib.suppress(duckdb.Error):
            connection.close()
    owner.close()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _disk_errors() -> Any:  # noqa: ANN401 - a generator, to the decorator
    """Tell an error of the private file from one of the user's query."""
    try:
        yield
    except (duckdb.Error, RuntimeError, OSError) as error:
        message = f"The grid's own file cannot be used: {error}"
        raise FrameError(message) from error


def _as_text(at: int) -> str:
    text = f"c{at}::VARCHAR"
    return f"CASE WHEN length({text}) > {LONGEST} THEN left({text}, {LONGEST}) || '…' ELSE {text} END"


def _number(column: Column, text: str) -> int | float | Decimal:
    """Return *text* as the number that the same text is in SQL: compared exactly, and never out of a type's range."""
    plain = text.replace("_", "")
    try:
        if re.fullmatch(r"[+-]?\d{1,38}", plain):
            return int(plain)
        if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)", plain) and len(plain) <= 38:  # noqa: PLR2004 - digits of a DECIMAL
            return Decimal(plain)
        return float(plain)
    except ValueError as error:
        message = f"{column.name}: {text!r} is no number, and {column.name} is {column.kind}."
        raise FilterError(message) from error

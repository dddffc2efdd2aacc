"""An open result of DuckDB: its names and types, and its rows on their way in Arrow batches."""

from __future__ import annotations

import contextlib
import string
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from md_magic.engine.results.masking import TokenMask

T = TypeVar("T")

Count = Callable[[int], object]
"""Progress callback: gets the number of rows that have just arrived. An exception aborts the fetch."""

BATCH = 32_768
"""Rows of one batch of a reader: large enough for numpy, small enough that a reader holds megabytes."""

_TEXT_BATCH = 8_192
"""Rows of one batch where values can have any length. More rows of documents make hundreds of MB, which take new memory
each time, and an Arrow array cannot hold 2 GB of text."""

_CELLS = 2_000_000
"""Values of one batch that is to be kept elsewhere: some 30 MB, also where it has 500 columns."""

GROUP = 122_880
"""Rows of one batch, at most, of what is kept as fetched: those of one of DuckDB's row groups."""

VECTOR = 2048
"""Rows of one DuckDB vector: the unit of `fetch_df_chunk`."""

_WARNS_OF_A_COPY = not duckdb.__version__.startswith("1.")
"""Whether this is DuckDB 2, which advises against Arrow from a connection: it copies the rows once more."""

TEXT = frozenset({"varchar"})
"""What `DuckDBPyType.id` says for text, JSON included."""

EXACT = TEXT | {
    "boolean",
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "float",
    "double",
    "decimal",
    "date",
    "timestamp",
    "timestamp_s",
    "timestamp_ms",
    "timestamp_ns",
    "timestamp with time zone",
    "enum",
}
"""DuckDB types, as `DuckDBPyType.id` spells them, that Arrow holds exactly as `.df()` reads them."""

_SHORT = EXACT - TEXT
"""Types whose values take a few bytes each."""

_HUGE = pa.decimal128(38, 0)
"""What DuckDB gives Arrow for HUGEINT and UHUGEINT."""

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""How DuckDB folds names: ASCII only, `É` and `é` are two names."""


class Reader(Protocol):
    """Arrow batches to come, such as a `pyarrow.RecordBatchReader`."""

    schema: pa.Schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give one batch after the other."""

    def close(self) -> None:
        """Give up the rest. As long as a reader of DuckDB 2 is open, its connection runs nothing else."""


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    """A result in the form asked for."""

    value: T
    more: bool = False
    """Whether there were more rows than the limit. False where no limit was given."""

    note: str = ""
    """What a person must know to read *value*."""


class Batches:
    """The rows of an open result on their way to somewhere else, at most *limit* of them; they can be read once."""

    def __init__(self, reader: Reader, *, limit: int | None = None) -> None:
        """Read *reader* while this is iterated."""
        self.schema: pa.Schema = reader.schema
        self.more = False
        """Whether there were more rows than the limit; known at the end."""

        self.count: Count | None = None
        """Called with the number of rows of each batch as it comes."""

        self.check: Callable[[], object] = lambda: None
        """Called before each batch. An exception aborts the fetch."""

        self._reader = reader
        self._left = limit

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection, *, limit: int | None = None, mask: TokenMask | None = None) -> Batches:
        """Return those of the open result of *con*, masked; *con* must not run anything else until they are read."""
        types = types_of(con)
        most = min(max(_CELLS // max(len(types), 1), VECTOR), GROUP)
        return cls(open_reader(con, batch_rows(types, most), limit, mask), limit=limit)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give one batch after the other."""
        self.check()
        with contextlib.closing(record_batches(self._reader, self.count)) as batches:
            for batch in batches:
                if self._left is not None:
                    self.more = batch.num_rows > self._left
                    batch = batch.slice(0, self._left)  # noqa: PLW2901 - the rest is not wanted
                    self._left -= batch.num_rows
                yield batch
                self.check()
                if self.more:
                    return


def to_reader(
    con: duckdb.DuckDBPyConnection, *, limit: int | None = None, mask: TokenMask | None = None
) -> pa.RecordBatchReader:
    """Return a reader that streams the open result of *con*, masked, and owns *con*.

    *con* is closed when the reader is exhausted, fails or is collected, whichever comes first; nothing else may use it.
    """
    source = open_reader(con, batch_rows(types_of(con), BATCH), limit, mask)
    reader = pa.RecordBatchReader.from_batches(source.schema, _streamed(con, source, limit))
    weakref.finalize(reader, con.close).atexit = False
    return reader


def unique_names(names: Sequence[str], *, exact: bool = False) -> list[str]:
    """Return *names* with `_1`, `_2` appended to those seen before, in any case, as DuckDB's `.df()` does.

    With *exact*, names of different cases are different ones, as they are to Python.
    """
    seen: set[str] = set()
    unique = []
    for name in names:
        new, count = name, 0
        while (new if exact else new.translate(_LOWER)) in seen:
            count += 1
            new = f"{name}_{count}"
        seen.add(new if exact else new.translate(_LOWER))
        unique.append(new)
    return unique


def types_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the types of the columns of the open result of *con*."""
    return [column[1].id for column in con.description]


def batch_rows(types: Sequence[str], most: int) -> int:
    """Return how many rows of *types* are best fetched at a time, *most* where all of them are short."""
    return most if _SHORT.issuperset(types) else min(most, _TEXT_BATCH)


def open_reader(con: duckdb.DuckDBPyConnection, rows: int, limit: int | None, mask: TokenMask | None = None) -> Reader:
    """Return a reader over the open result of *con* with batches of *rows*, or of one more than *limit* if smaller.

    With a *mask*, tokens are masked in it.
    """
    with own_errors():
        reader = _reader(con, rows if limit is None else min(rows, limit + 1))
    if _HUGE in reader.schema.types and (
        unsigned := [at for at, kind in enumerate(types_of(con)) if kind == "uhugeint"]
    ):
        reader = _Unsigned(reader, unsigned)
    return reader if mask is None else mask.reader(reader)


class _Unsigned:
    """A reader of *columns* of UHUGEINT: DuckDB (1.5) gives Arrow what is over 2^127 as a negative number."""

    def __init__(self, reader: Reader, columns: Sequence[int]) -> None:
        """Read *reader*."""
        self.schema = reader.schema
        self._reader, self._columns = reader, columns

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Give one batch after the other. Raises `FrameError` for a value that is not what DuckDB has."""
        for batch in self._reader:
            for at in self._columns:
                least = pc.min_max(batch.column(at))["min"].as_py()
                if least is not None and least < 0:
                    message = (
                        f"The column {self.schema.names[at]} has a UHUGEINT over 2^127, and Arrow cannot hold it."
                        " Cast the column in SQL: to VARCHAR, say. Alone, without `--grid`, `--as dict` is exact."
                    )
                    raise FrameError(message)
            yield batch

    def close(self) -> None:
        """Give up the rest."""
        self._reader.close()


def _reader(con: duckdb.DuckDBPyConnection, rows: int) -> Reader:
    with _without_copy_warning():
        reader: Reader = con.to_arrow_reader(rows)
    return reader


def table_of(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the open result of *con*, which must be one of ours, as a table."""
    with _without_copy_warning():
        return con.to_arrow_table()


@contextlib.contextmanager
def _without_copy_warning() -> Iterator[None]:
    """Keep back what `_WARNS_OF_A_COPY` is about. Python's filters belong to the whole process: only where needed."""
    if not _WARNS_OF_A_COPY:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
        yield


def _streamed(con: duckdb.DuckDBPyConnection, source: Reader, limit: int | None) -> Iterator[pa.RecordBatch]:
    """Give the batches of *source*, up to *limit* rows, and close *con* at the end, however it comes."""
    with con:
        left = limit
        for batch in record_batches(source):
            if left is None:
                yield batch
                continue
            yield batch.slice(0, left)
            left -= batch.num_rows
            if left <= 0:
                return


def record_batches(reader: Reader, count: Count | None = None) -> Generator[pa.RecordBatch]:
    """Give the batches of DuckDB's *reader*, with DuckDB's own errors; *count* is called with the rows of each.

    The reader is closed at the end. Who may leave earlier closes this.
    """
    with contextlib.closing(reader), own_errors():
        for batch in reader:
            if count is not None:
                count(batch.num_rows)
            yield batch


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Raise DuckDB's exception in place of one that only quotes it.

    A query that fails halfway fails a stream as an `OSError`, and `fetchall` as one about a closed result; both have
    the text of the error, which begins with its kind.
    """
    try:
        yield
    except (OSError, pa.ArrowInvalid, duckdb.InvalidInputException) as error:
        text = str(error).partition("closed pending query result\nError: ")[2] or str(error)
        kind = text.partition(" Error: ")[0].replace(" ", "").lower() + "exception"
        own = {name.lower(): value for name, value in vars(duckdb).items()}.get(kind)
        if own is None or (type(error) is own and str(error) == text):
            raise
        raise own(text) from error


def discard(con: duckdb.DuckDBPyConnection) -> None:
    """Close the open result of *con* without computing the rest of it: executing nothing does, in 0.1 ms."""
    con.execute("")


def cast_views(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return *array* as one of *kind*. Old versions of pyarrow cast no views."""
    try:
        return array.cast(kind)
    except pa.ArrowNotImplementedError:
        return pa.array(array.to_pylist(), type=kind)

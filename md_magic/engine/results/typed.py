"""Rows of a driver's cursor whose columns have the types of its description, whatever their values are.

The invariant: an empty result has the types of a full one. A value that its type does not have (`infinity`,
`0000-00-00`, an array of two dimensions) makes its column text, as the database writes it. A stream cannot change its
types: there a type that may fail so is text from the beginning, `infinity` is what DuckDB streams for it, and a date
that no calendar has is NULL.

Drivers hand over the text of most types, which Arrow parses by the column, in a fraction of the time of Python values.
"""

from __future__ import annotations

import contextlib
import gc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from md_magic.engine.results.arrow import array_of, arrow_text
from md_magic.engine.results.batches import Fetched, unique_names
from md_magic.engine.results.columns import CONVERTED
from md_magic.engine.results.polars import frame_over, import_polars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from md_magic.engine.results.batches import Count
    from md_magic.sql.statement import Form

    Rows = Sequence[Sequence[Any]]
    Fetch = Callable[[int], Rows]
    """Returns so many of the next rows; fewer only at the end."""

    Parse = Callable[[Sequence[Any], bool], pa.Array]
    """Returns the values as an Arrow array; raises `Unfit`, or with `True` puts NULL for what does not fit."""

_FIRST, _MOST = 1_000, 20_000
"""Rows of the first portion, which is to come at once, and of the largest."""

_PORTION = 8_000_000
"""Bytes of a portion, about."""

_DAY = 86_400_000_000
"""Microseconds."""

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""The days since 1970 of Python's first date and its last."""


class Unfit(Exception):
    """A value that the column's type does not have."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column of a result."""

    name: str
    type: pa.DataType
    parse: Parse
    objects: Callable[[Any], Any] | None = None
    """Makes the Python object that pandas and `dict` get of a text, where Arrow has no type for it."""

    certain: bool = True
    """Whether every value fits: a stream has text in place of other types."""

    for_dict: Callable[[Any], Any] | None = None
    """Makes the Python object that `dict` gets of a text, where that is more exact than Arrow's type."""

    write: Callable[[pa.Array], pa.Array] | None = None
    """Turns parsed values into texts again, as the database writes them, where `_as_text` would not."""

    converted: bool = False
    """Whether the database has another type, from whose values these are made."""


# ---- parsing ---------------------------------------------------------------------------------------------------------


def native(kind: pa.DataType) -> Parse:
    """Return what takes the driver's own Python values for *kind*."""

    def parse(values: Sequence[Any], null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
        try:
            return pa.array(values, kind)
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            if null:
                return pa.nulls(len(values), kind)
            raise Unfit from error

    return parse


def text(values: Sequence[Any], _null: bool = True) -> pa.Array:  # noqa: FBT001, FBT002 - see Parse
    """Return values as text: those that are none are written as Python writes them."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, TypeError):
        return pa.array([None if value is None else _written(value) for value in values], pa.string())


def _written(value: Any) -> str:  # noqa: ANN401 - any value of a driver
    if not isinstance(value, (bytes, bytearray)):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return blob_text(value)


def blob_text(value: bytes | bytearray) -> str:
    """Return *value* as DuckDB writes a BLOB: no two are written alike, and DuckDB reads each back."""
    return "".join(_BLOB_TEXT[byte] for byte in value)


_BLOB_TEXT = [
    chr(byte) if " " <= chr(byte) <= "~" and chr(byte) not in "\\'\"" else f"\\x{byte:02X}" for byte in range(256)
]
"""How DuckDB writes each byte of a BLOB."""


def cast(kind: pa.DataType, slowly: Callable[[str], int | None] | None = None) -> Parse:
    """Return what reads texts as *kind*; *slowly* reads one that Arrow cannot, as the integer behind it."""

    def parse(values: Sequence[Any], null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
        texts = text(values)
        try:
            return texts.cast(kind)
        except pa.ArrowException:
            return _one_by_one(texts.to_pylist(), kind, slowly, null=null)

    return parse


def _one_by_one(
    texts: Sequence[str | None], kind: pa.DataType, slowly: Callable[[str], int | None] | None, *, null: bool
) -> pa.Array:
    """Return *texts* as *kind*, each read alone.

    One that cannot be, or that Python's dates do not reach, raises `Unfit`. With *null* it is what *slowly* says, which
    for `infinity` is the value that DuckDB's streams have, or NULL.
    """
    arrays = []
    size = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    for value in texts:
        try:
            arrays.append(pa.array([value], pa.string()).cast(kind))
        except pa.ArrowException:
            number = slowly(value) if slowly is not None and value is not None else None
            if not null and (number is None or not is_pythons(number, kind)):
                raise Unfit from None
            arrays.append(pa.array([number], size).cast(kind) if number is not None else pa.nulls(1, kind))
    return pa.concat_arrays(arrays)


def is_pythons(number: int, kind: pa.DataType) -> bool:
    """Whether Python has the date, or the timestamp, behind *number*."""
    days = number if pa.types.is_date32(kind) else number // _DAY
    return _FIRST_DAY <= days <= _LAST_DAY


def times(values: Sequence[Any], null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
    """Return texts such as `10:00:00.5` as times. `24:00:00` is no time of Python's; in a stream, it is DuckDB's."""
    texts = text(values)
    try:
        days = pc.binary_join_element_wise("1970-01-01", texts, " ")
        return days.cast(pa.timestamp("us")).cast(pa.time64("us"))
    except pa.ArrowException:
        if not null:
            raise Unfit from None
        days = pc.replace_substring_regex(days, "24:00:00$", "00:00:00")
        read = _one_by_one(days.to_pylist(), pa.timestamp("us"), None, null=True).cast(pa.int64())
        ends = pc.fill_null(pc.equal(texts, "24:00:00"), False)  # noqa: FBT003 - Arrow's
        return pc.if_else(ends, pa.scalar(_DAY, pa.int64()), read).cast(pa.time64("us"))


# ---- fetching --------------------------------------------------------------------------------------------------------


class Portions:
    """The rows of a cursor in portions of some megabytes; the first is small, so that it comes at once."""

    def __init__(self, fetch: Fetch, *, limit: int | None = None, count: Count | None = None) -> None:
        """Ask *fetch* for up to *limit* rows and one more; *count* is called with the rows of each portion."""
        self.more = False
        """Whether there were more rows than the limit; known at the end."""

        self.ended = False
        """Whether the cursor has no more rows."""

        self._fetch, self._left, self._count = fetch, limit, count
        self._wanted = _FIRST

    def __iter__(self) -> Iterator[Rows]:
        """Give one portion after the other."""
        while not self.ended:
            wanted = self._wanted if self._left is None else min(self._wanted, self._left + 1)
            with _without_collecting():
                rows = self._fetch(wanted)
            self.ended = len(rows) < wanted
            if self._left is not None:
                self.more = len(rows) > self._left
                rows = rows[: self._left]
                self._left -= len(rows)
            if rows:
                if self._count is not None:
                    self._count(len(rows))
                yield rows
            if self.more:
                return

    def measured(self, rows: int, size: int) -> None:
        """Learn from a portion of so many *rows* and *size* bytes how many to ask for."""
        self._wanted = max(16, min(_MOST, 4 * self._wanted, _PORTION * rows // max(size, 1)))


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Keep Python from looking for garbage among a portion's tuples, which takes as long as to make them."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def fetched(types: Sequence[ColumnType], portions: Portions, form: Form) -> Fetched[Any]:
    """Return all rows of *portions* in a complete *form*."""
    if form == "polars":
        import_polars()
    columns = [_Column(_as_wanted(kind, form)) for kind in types]
    for rows in portions:
        with _without_collecting():
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.append(values)
        portions.measured(len(rows), sum(column.last for column in columns))
    return Fetched(_built(columns, [kind.name for kind in types], form), more=portions.more)


def built(types: Sequence[ColumnType], chunks: Sequence[list[pa.Array]], form: Form) -> Any:  # noqa: ANN401 - in any form
    """Return columns of *types*, whose *chunks* have those types already, in a complete *form*; *chunks* is emptied."""
    columns = [_Column(_as_wanted(kind, form)) for kind in types]
    for column, arrays in zip(columns, chunks, strict=True):
        column.take(arrays)
    return _built(columns, [kind.name for kind in types], form)


def _built(columns: list[_Column], names: Sequence[str], form: Form) -> Any:  # noqa: ANN401 - see above
    """Return *columns* in *form*, and free each before the next is made."""
    names = unique_names(names, exact=True)
    columns.reverse()
    if form == "pandas":
        return pd.DataFrame({name: columns.pop().for_pandas() for name in names}, copy=False)
    if form == "dict":
        return {name: columns.pop().for_dict() for name in names}
    table = pa.table([columns.pop().chunked() for _ in names], names=names)
    return frame_over(table) if form == "polars" else table.to_reader() if form == "reader" else table


def stream(
    types: Sequence[ColumnType],
    portions: Portions,
    *,
    done: Callable[[], object] = lambda: None,
    exact: bool = True,
) -> pa.RecordBatchReader:
    """Return a reader over *portions*, whose types are known before the first row. *done* is called at the end.

    *exact* says whether names that differ in case only are two names, as they are not to DuckDB.
    """
    kinds = [kind if kind.certain else replace(kind, type=pa.string(), parse=text, converted=True) for kind in types]
    names = unique_names([kind.name for kind in kinds], exact=exact)
    schema = pa.schema(
        [
            pa.field(name, kind.type, metadata=CONVERTED if kind.converted else None)
            for name, kind in zip(names, kinds, strict=True)
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in portions:
            with _without_collecting():
                arrays = [kind.parse(values, True) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]  # noqa: FBT003 - see Parse
            batch = pa.record_batch(arrays, schema=schema)
            portions.measured(len(rows), batch.nbytes)
            yield batch
        done()

    return pa.RecordBatchReader.from_batches(schema, batches())


def _as_wanted(kind: ColumnType, form: Form) -> ColumnType:
    """Return *kind* as *form* has it: a frame has decimals as doubles, as `.df()` does."""
    if form == "pandas" and pa.types.is_decimal(kind.type):
        return replace(kind, type=pa.float64(), parse=cast(pa.float64()))
    if form == "dict" and kind.for_dict is not None:
        return replace(kind, type=pa.string(), parse=text, objects=kind.for_dict)
    return kind


class _Column:
    """A column that is being filled."""

    def __init__(self, kind: ColumnType) -> None:
        """Begin with no values of *kind*."""
        self._kind = kind
        self._chunks: list[pa.Array] = []
        self.last = 0
        """Bytes of the last portion."""

    def append(self, values: Sequence[Any]) -> None:
        """Take more values; one that does not fit makes all of them text."""
        try:
            chunk = self._kind.parse(values, False)  # noqa: FBT003 - see Parse
        except Unfit:
            self._chunks = [(self._kind.write or _as_text)(chunk) for chunk in self._chunks]
            self._kind = replace(self._kind, type=pa.string(), parse=text, objects=None)
            chunk = text(values)
        self._chunks.append(chunk)
        self.last = chunk.nbytes

    def take(self, chunks: list[pa.Array]) -> None:
        """Take values that have the type already, and leave *chunks* empty."""
        self._chunks = chunks[:]
        chunks.clear()

    def chunked(self) -> pa.ChunkedArray:
        """Return the values."""
        return pa.chunked_array(self._chunks, type=self._kind.type)

    def for_pandas(self) -> Any:  # noqa: ANN401 - numpy or pandas array
        """Return the values as `.df()` has such, or as objects."""
        if self._kind.objects is not None:
            return _objects(self._python())
        column = self.chunked()
        self._chunks = []
        kind, dtype = self._kind.type, arrow_text()
        if pa.types.is_duration(kind):
            return column.to_numpy()
        if pa.types.is_string(kind) and dtype is not None:  # also where nothing but NULLs tells that it is text
            return dtype.__from_arrow__(column.cast(pa.large_string()))  # type: ignore[attr-defined] # of pandas' protocol
        if any(test(kind) for test in _AS_OBJECTS):
            return _objects(column.to_pylist())
        return array_of(column, dtype)

    def for_dict(self) -> list[Any]:
        """Return the values as Python objects; a date that Python does not have is text."""
        if self._kind.objects is not None:
            return self._python()
        try:
            values: list[Any] = self.chunked().to_pylist()
        except (OverflowError, ValueError):
            values = [value for chunk in self._chunks for value in _as_text(chunk).to_pylist()]
        return values

    def _python(self) -> list[Any]:
        make = self._kind.objects or str
        texts = (value for chunk in self._chunks for value in chunk.to_pylist())
        return [None if value is None else _made(make, value) for value in texts]


_AS_OBJECTS = (pa.types.is_list, pa.types.is_null, pa.types.is_binary, pa.types.is_time64, pa.types.is_string)


def _objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    objects = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):  # one by one: numpy would look into lists
        objects[at] = value
    return objects


def _made(make: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401 - any value
    """Return what *make* makes of *value*, or *value* itself where it cannot."""
    try:
        return make(value)
    except (ValueError, ArithmeticError):  # json.JSONDecodeError is a ValueError
        return value


def _as_text(chunk: pa.Array) -> pa.Array:
    """Return *chunk* as the texts that it was read from, as nearly as can be."""
    if pa.types.is_timestamp(chunk.type):
        zone = "%z" if chunk.type.tz else ""
        written = pc.strftime(chunk, format=f"%Y-%m-%d %H:%M:%S{zone}")
        written = pc.replace_substring_regex(written, r"\.?0+($|[+-])", r"\1")
        return pc.replace_substring_regex(written, r"([+-]\d\d)00$", r"\1")
    if pa.types.is_time64(chunk.type):
        return pc.replace_substring_regex(chunk.cast(pa.string()), r"\.0+$", "")
    return chunk.cast(pa.string())

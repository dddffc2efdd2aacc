"""What a person sees of a result on disk, to take along: as a frame, as text, or as a file. Rows are streamed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from md_magic.engine.results import fetch
from md_magic.engine.results.batches import BATCH, batch_rows, open_reader, record_batches, types_of, unique_names
from md_magic.errors import FrameError
from md_magic.sql.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from md_magic.engine.results.store import ResultStore
    from md_magic.engine.results.views import View

_ROWS = 2_048
"""Rows of text that are in memory at once."""

_MARKS = re.compile(r'[\t\r\n"]')
"""What puts a value of tab-separated text into quotes, as spreadsheets read it."""

_NO_PARQUET = re.compile(r"\b(U?HUGEINT|TIME WITH TIME ZONE|INTERVAL)\b|\bUNION\(")
"""Types that Parquet lacks, and for which DuckDB writes what is not the same."""

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
"""Names and labels within a type."""

_SECONDS = re.compile(rf"(?P<quoted>{_QUOTED.pattern})|\bTIMESTAMP_S(?=[\[,)]|\Z)")
"""That type, and not a field of that name, behind which its own type stands."""

_WIDEST = 10**38 - 1
"""The largest number of a DECIMAL(38, 0)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what is seen."""

    view: View
    columns: tuple[int, ...]
    """The columns that are shown, from left to right."""

    first: int = 0
    count: int | None = None
    """Rows from *first* on; `None` for all."""


def frame(store: ResultStore, part: Part) -> pd.DataFrame:
    """Return *part* of *store* as the DataFrame that its SELECT would give.

    Raises `FrameError` for values that DuckDB does not give to pandas.
    """
    with store.cursor() as cursor:
        cursor.execute(*_query(store, part))
        try:
            return fetch.to_pandas(cursor).value
        except (duckdb.NotImplementedException, duckdb.ConversionException) as error:
            message = f"What is seen has values that pandas lacks; arrow() gives them. {error}"
            raise FrameError(message) from error


def arrow(store: ResultStore, part: Part) -> pa.Table:
    """Return *part* of *store* as an Arrow table."""
    with store.cursor() as cursor:
        cursor.execute(*_query(store, part))
        return fetch.to_arrow(cursor).value


def reader(store: ResultStore, part: Part, keep: object = None) -> pa.RecordBatchReader:
    """Return a reader that streams *part* of *store*; *keep* lives as long as it does."""
    batches = _batches(store, part, keep)
    schema = next(batches)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _batches(store: ResultStore, part: Part, _keep: object) -> Iterator[Any]:
    """Give the schema of *part*, and then its batches."""
    with store.cursor() as cursor:
        cursor.execute(*_query(store, part))
        source = open_reader(cursor, batch_rows(types_of(cursor), BATCH), None)
        yield source.schema
        yield from record_batches(source)


def _query(store: ResultStore, part: Part) -> tuple[str, dict[str, Any]]:
    named = [f"c{at} AS {identifier(store.columns[at].name)}" for at in part.columns]
    return store.select(part.view, named, first=part.first, count=part.count)


def write_text(store: ResultStore, part: Part, path: Path, *, headers: bool, check: Callable[[], object]) -> int:
    """Write *part* to *path* as tab-separated text, and return its rows; *check* is called now and then, to stop it.

    NULL is nothing, a text with nothing in it `""`. A value with a tab, a line end or a quote stands in quotes, its own
    are doubled. One value alone is written as it is. There is no line end behind the last line.
    """
    sql, values = store.select(
        part.view, [f"c{at}::VARCHAR" for at in part.columns], first=part.first, count=part.count
    )
    alone = part.count == 1 and len(part.columns) == 1 and not headers
    rows = 0
    with store.cursor() as cursor, path.open("w", encoding="utf-8", newline="") as file:
        if headers:
            file.write("\t".join(_field(store.columns[at].name) for at in part.columns))
        cursor.execute(sql, values)
        while fetched := cursor.fetchmany(_ROWS):
            check()
            lines = [_line(row, alone=alone) for row in fetched]
            file.write(("\n" if headers or rows else "") + "\n".join(lines))
            rows += len(lines)
    return rows


def _line(row: tuple[str | None, ...], *, alone: bool) -> str:
    return (row[0] or "") if alone else "\t".join([_field(value) for value in row])


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if not value or _MARKS.search(value):
        return f'"{value.replace(chr(34), chr(34) * 2)}"'
    return value


def write_csv(store: ResultStore, part: Part, path: Path) -> int:
    """Write *part* to *path* as CSV with the columns' names, as DuckDB writes it, and return its rows."""
    named = [f"c{at}::VARCHAR AS {name}" for at, name in _names(store, part)]
    return _copy(store, part, named, path, "FORMAT csv, HEADER true")


def write_parquet(store: ResultStore, part: Part, path: Path) -> int:
    """Write *part* to *path* as Parquet, and return its rows. A type that Parquet lacks is text, or a wide DECIMAL."""
    kinds = store.kinds()
    named = [f"{_parquet(store, at, kinds[at])} AS {name}" for at, name in _names(store, part)]
    return _copy(store, part, named, path, "FORMAT parquet, COMPRESSION zstd")


def _names(store: ResultStore, part: Part) -> list[tuple[int, str]]:
    names = unique_names([store.columns[at].name for at in part.columns])
    return [(at, identifier(name)) for at, name in zip(part.columns, names, strict=True)]


def _parquet(store: ResultStore, at: int, kind: str) -> str:
    if kind in {"HUGEINT", "UHUGEINT"}:
        beyond = f"SELECT 1 {store.query} WHERE NOT c{at} BETWEEN -{_WIDEST}::HUGEINT AND {_WIDEST}::HUGEINT LIMIT 1"
        with store.cursor() as cursor:
            if cursor.execute(beyond).fetchone() is None:
                return f"c{at}::DECIMAL(38, 0)"
    plain = _QUOTED.sub("", kind)
    if _NO_PARQUET.search(plain):
        return f"c{at}::VARCHAR"
    if "TIMESTAMP_S" in plain:  # of which DuckDB 1.5 cannot write `infinity`
        return f"c{at}::{_SECONDS.sub(lambda found: found['quoted'] or 'TIMESTAMP', kind)}"
    return f"c{at}"


def _copy(store: ResultStore, part: Part, named: list[str], path: Path, options: str) -> int:
    sql, values = store.select(part.view, named, first=part.first, count=part.count)
    target = str(path).replace("'", "''")
    with store.cursor() as cursor:
        try:
            written = cursor.execute(f"COPY ({sql}) TO '{target}' ({options})", values).fetchone()
        except (duckdb.NotImplementedException, duckdb.ConversionException) as error:
            message = f"What is seen has values that the file cannot hold; arrow() gives them. {error}"
            raise FrameError(message) from error
    return int(written[0]) if written else 0

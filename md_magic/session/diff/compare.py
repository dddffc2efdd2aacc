"""Comparing two tables: digests by bucket where the tables are, then the rows of the buckets that differ.

The invariants: what is counted is exact for multisets of rows, duplicates and NULLs included, up to a collision: of 120
bits of MD5 sums, or of 64 bits of DuckDB's own hash of each value where both sides are in this process. That is faster
by far, and holds against accidents, not against values made to collide. Rows are on disk, never in memory. Every number
is of the rows that were fetched, or of digests that they have: a side that gives others the second time is read once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine.backends.duckdb.digests import DuckDBDigests
from md_magic.engine.results.scratch import Scratch
from md_magic.session.diff import columns as reading
from md_magic.session.diff import documents
from md_magic.session.diff.counting import counted, notes
from md_magic.session.diff.sides import in_reach
from md_magic.session.diff.value import Diff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.engine.results.scratch import Stoppable
    from md_magic.session.diff.columns import Columns
    from md_magic.session.diff.sides import OnTarget, Side
    from md_magic.session.diff.value import ComparedColumn

    Sums = Mapping[str, tuple[int, str, str]]
    """By bucket the number of its rows, and two sums over their digests, in whatever order they are."""

_BUCKETS = 4096
"""Groups of rows, each with a digest: of 10,000,000 rows, a row that differs brings 2,400 others with it."""

_DIGITS = 3
"""Hexadecimal digits that name as many buckets."""

_TABLES = ("here", "there")


def compare(here: OnTarget, there: OnTarget, on: Sequence[str], stoppable: Stoppable) -> Diff:
    """Return what differs between *here* and *there*; rows with the same values in the columns *on* belong together.

    Without *on*, these are the columns of a key that one of the databases declares. Raises `OptionError` for a column
    that is not in both. *stoppable* lets a person stop what runs beside the databases.
    """
    scratch = Scratch(stoppable)
    try:
        scratch.define("document", documents.canonical, ["VARCHAR", "BOOLEAN"])
        found = _compared(here, there, on, scratch)
    except BaseException:
        scratch.close()
        raise
    if not found.rows_differ:
        scratch.close()
    return found


def _compared(here: OnTarget, there: OnTarget, on: Sequence[str], scratch: Scratch) -> Diff:
    """Return what differs, with its rows in *scratch*."""
    sides = in_reach(here, there, scratch)
    columns = reading.read(*sides)
    key = reading.key(sides, columns, on)
    engines = {side.digests.hashes_as for side in sides}
    hashed = len(engines) == 1 and "" not in engines
    work = [_Work(side, columns, key, at, hashed=hashed) for at, side in enumerate(sides)]
    labels = here.label, there.label
    if columns.documents:
        return _of_all_rows(work, scratch, labels, columns, key)
    digests = [one.digests() for one in work]
    differing = [bucket for bucket in {**digests[0], **digests[1]} if digests[0].get(bucket) != digests[1].get(bucket)]
    counts = [sum(number for number, *_ in digest.values()) for digest in digests]
    if not differing:
        return Diff(*labels, columns.every, tuple(key), counts[0], counts[1], notes=notes(columns, key))
    for one, table in zip(work, _TABLES, strict=True):
        one.fetch(scratch, table, differing)
    again = [one.fetched(scratch, table) for one, table in zip(work, _TABLES, strict=True)]
    unstable = [
        label
        for label, first, second in zip(labels, digests, again, strict=True)
        if second != {bucket: first[bucket] for bucket in differing if bucket in first}
    ]
    if unstable:
        return _of_all_rows(work, scratch, labels, columns, key, unstable)
    return counted(scratch, labels, columns, key, counts)


def _of_all_rows(
    work: Sequence[_Work],
    scratch: Scratch,
    labels: tuple[str, str],
    columns: Columns,
    key: Sequence[str],
    unstable: Sequence[str] = (),
) -> Diff:
    """Return what differs, of all rows of both sides, each of which is read once."""
    for one, table in zip(work, _TABLES, strict=True):
        one.fetch(scratch, table, None)
    counts = [scratch.run(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py() for table in _TABLES]  # noqa: S608 - names of ours
    return counted(scratch, labels, columns, key, counts, unstable)


class _Work:
    """The SQL that one side runs."""

    def __init__(self, side: Side, columns: Columns, key: Sequence[str], at: int, *, hashed: bool) -> None:
        """Compare *columns* of *side*; *at* tells which of the two it is.

        With *hashed*, both sides have the same engine's hashes.
        """
        self._side = side
        write = side.digests
        self._columns = compared = columns.compared
        self._rows = f"\n) AS {write.numbered(columns.widths[at])}"
        self._values = [f"q.c{place}" for place in columns.places[at]]
        self._texts = [
            _text(side, value, (column.there if at else column.here) or "", column)
            for value, column in zip(self._values, compared, strict=True)
        ]
        self._row = write.digest(_joined(self._texts, compared) or "''")
        self._keyed = [place for place, column in enumerate(compared) if column.name in key]
        self._hashes: tuple[str, str] | None = None
        if hashed:
            whole = [
                (write.hashed(value, column.kind) if column.here == column.there else None) or text
                for value, text, column in zip(self._values, self._texts, compared, strict=True)
            ]
            self._hashes = write.hashes(whole)
            self._bucket = write.hashed_bucket([whole[at] for at in self._keyed] or whole, _BUCKETS)
        else:
            self._bucket = self._bucket_by_text(at)

    def _bucket_by_text(self, at: int) -> str:
        """Return SQL for the bucket of a row, by its key, else by its digest `r`; *at* tells which of the two it is."""
        write = self._side.digests
        texts, columns = [self._texts[place] for place in self._keyed], [self._columns[place] for place in self._keyed]
        if len(columns) == 1 and columns[0].kind == "integer":
            value = self._values[self._keyed[0]]
            if write.kind((columns[0].there if at else columns[0].here) or "") == "boolean":
                value = f"CAST({value} AS int)"
            return f"coalesce({write.bucket_of(value, _BUCKETS)}, '-')"
        digest = write.digest(_joined(texts, columns)) if columns else "r"
        return f"substr({digest}, 1, {_DIGITS})"

    @property
    def _by_row(self) -> bool:
        """Whether the bucket is read off the digest of the row, which is computed before."""
        return self._bucket.startswith("substr(r,")

    def digests(self) -> Sums:
        """Return the sums of each bucket."""
        write = self._side.digests
        bucket, inner = (self._bucket, "") if self._by_row else ("b", f", {self._bucket} AS b")
        if self._hashes is not None:
            summed, columns = ("h0", "h1"), f"{self._hashes[0]} AS h0, {self._hashes[1]} AS h1"
        else:
            summed = write.number("substr(r, 1, 15)"), write.number("substr(r, 16, 15)")
            columns = f"{self._row} AS r"
        one, two = (f"CAST(sum({number}) AS {write.text_type})" for number in summed)
        sums = f"SELECT {bucket} AS bucket, count(*) AS n, {one} AS one, {two} AS two"
        answer = self._side.about(f"{sums} FROM (SELECT {columns}{inner} FROM (\n", f"{self._rows}) AS d GROUP BY 1")  # noqa: S608 - the user's own query
        return _sums(answer)

    def fetch(self, scratch: Scratch, table: str, buckets: Sequence[str] | None) -> None:
        """Copy the rows of *buckets*, or all, to *table* of *scratch*: texts to show, and to compare, and their digest.

        A text has a `+` before it, and NULL is `-`: a batch whose values are all NULL has no type.
        """
        write = self._side.digests
        inner = [f"coalesce('+' || {write.shown(value)}, '-') AS v{at}" for at, value in enumerate(self._values)]
        inner += [f"coalesce('+' || {text}, '-') AS t{at}" for at, text in enumerate(self._texts)]
        outer = [f"{letter}{at}" for letter in "vt" for at in range(len(self._values))]
        names, where = list(outer), ""
        if buckets is not None:
            inner.append(f"{self._row} AS r" if self._by_row else f"{self._bucket} AS b")
            bucket = self._bucket if self._by_row else "b"
            if len(buckets) < _BUCKETS:
                where = f" WHERE {bucket} IN ({', '.join(map(write.literal, buckets))})"
            outer.append(f"CAST({bucket} AS {write.text_type}) AS b")
            names.append("b")
            if self._hashes is not None:
                inner += [f"CAST({number} AS VARCHAR) AS h{at}" for at, number in enumerate(self._hashes)]
                outer += ["h0", "h1"]
                names += ["h0", "h1"]
        inner, outer, names = inner or ["1 AS one"], outer or ["'-' AS one"], names or ["one"]
        scratch.run(f"DROP TABLE IF EXISTS {table}")
        scratch.run(f"CREATE TABLE raw ({', '.join(f'{name} VARCHAR' for name in names)})")
        self._side.stream(
            f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM (\n",  # noqa: S608 - see above
            f"{self._rows}) AS d{where}",
            lambda batch: scratch.append("raw", batch),
        )
        self._read_fetched(scratch, table)

    def _read_fetched(self, scratch: Scratch, table: str) -> None:
        """Make *table* of what was fetched, with the key `k` and the digest `r` of each row."""
        documents = [
            f"CASE t{at} WHEN '-' THEN '-' ELSE '+' || document(substr(t{at}, 2), {_has_moments(column)}) END AS t{at}"
            for at, column in enumerate(self._columns)
            if column.kind == "document"
        ]
        replaced = f" REPLACE ({', '.join(documents)})" if documents else ""
        texts = [f"CASE WHEN t{at} <> '-' THEN substr(t{at}, 2) END" for at in range(len(self._columns))]
        row = DuckDBDigests().digest(_joined(texts, self._columns) or "''")
        key = _joined([texts[at] for at in self._keyed], [self._columns[at] for at in self._keyed]) or row
        scratch.run(f"CREATE TABLE {table} AS SELECT {key} AS k, {row} AS r, * FROM (SELECT *{replaced} FROM raw) AS x")  # noqa: S608 - names of ours
        scratch.run("DROP TABLE raw")

    def fetched(self, scratch: Scratch, table: str) -> Sums:
        """Return the sums of each bucket of what is in *table*: those of `digests`, if it gave the same rows."""
        write = DuckDBDigests()
        summed = write.number("substr(r, 1, 15)"), write.number("substr(r, 16, 15)")
        one, two = ("CAST(h0 AS UBIGINT)", "CAST(h1 AS UBIGINT)") if self._hashes is not None else summed
        sums = f"CAST(sum({one}) AS VARCHAR) AS one, CAST(sum({two}) AS VARCHAR) AS two"
        return _sums(
            scratch.run(f"SELECT b AS bucket, count(*) AS n, {sums} FROM {table} GROUP BY 1").to_pydict()  # noqa: S608 - see above
        )


def _sums(answer: Mapping[str, Sequence[Any]]) -> Sums:
    rows = zip(answer["bucket"], answer["n"], answer["one"], answer["two"], strict=True)
    return {str(bucket): (int(n), str(one), str(two)) for bucket, n, one, two in rows}


def _text(side: Side, value: str, type_name: str, column: ComparedColumn) -> str:
    """Return SQL for the text of *value*, of *type_name*, as it is compared."""
    write = side.digests
    match column.kind:
        case "own":
            return write.own(value, type_name, column.as_type)
        case "document":
            return write.document(value, type_name)
        case kind:
            return write.canonical(value, write.kind(type_name), kind)


def _joined(texts: Sequence[str], columns: Sequence[ComparedColumn]) -> str:
    """Return SQL for one text of several, from which each can be read: a text has its length before it."""
    free = {"text", "other", "blob", "own", "document"}
    return " || '|' || ".join(
        f"coalesce(length({text}) || ':' || {text}, '-')" if column.kind in free else f"coalesce({text}, '-')"
        for text, column in zip(texts, columns, strict=True)
    )


def _has_moments(column: ComparedColumn) -> bool:
    """Whether texts in the documents of *column* are moments, which databases write in several ways."""
    return "TIMESTAMP" in f"{column.here} {column.there}".upper()

"""Comparing two tables: digests by bucket where the tables are, then the rows of the buckets that differ.

The invariant: what is counted is exact for multisets of rows, duplicates and NULLs included, up to a collision: of 120
bits of MD5 sums, or of 64 bits of DuckDB's own hash of each value where both sides are in this process. That is faster
by far, and holds against accidents, not against values made to collide. Rows are on disk, never in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine.backends.digests import common
from md_magic.engine.results.scratch import Scratch
from md_magic.errors import OptionError
from md_magic.session.diff.sides import InScratch
from md_magic.session.diff.value import FEW, ComparedColumn, Diff, DifferingRow
from md_magic.wording import count, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.results.scratch import Stoppable
    from md_magic.session.diff.sides import OnTarget, Side

_BUCKETS = 4096
"""Groups of rows, each with a digest: of 10,000,000 rows, a row that differs brings 2,400 others with it."""

_DIGITS = 3
"""Hexadecimal digits that name as many buckets."""


def compare(here: OnTarget, there: OnTarget, on: Sequence[str], stoppable: Stoppable) -> Diff:
    """Return what differs between *here* and *there*; rows with the same values in the columns *on* belong together.

    Without *on*, these are the columns of a key that one of the databases declares. Raises `OptionError` for a column
    that is not in both. *stoppable* lets a person stop what runs beside the databases.
    """
    scratch = Scratch(stoppable)
    try:
        found = _compared(here, there, on, scratch)
    except BaseException:
        scratch.close()
        raise
    if not found.rows_differ:
        scratch.close()
    return found


def _compared(here: OnTarget, there: OnTarget, on: Sequence[str], scratch: Scratch) -> Diff:
    """Return what differs, with its rows in *scratch*."""
    sides = [_where_digests_are(here, scratch, "copy_here"), _where_digests_are(there, scratch, "copy_there")]
    columns, names = _columns(*sides)
    key = _key(sides, columns, on)
    engines = {side.digests.hashes_as for side in sides}
    hashed = len(engines) == 1 and "" not in engines
    work = [_Work(side, columns, names[at], key, at, hashed=hashed) for at, side in enumerate(sides)]
    digests = [one.digests() for one in work]
    differing = [bucket for bucket in {**digests[0], **digests[1]} if digests[0].get(bucket) != digests[1].get(bucket)]
    counts = [sum(number for number, *_ in digest.values()) for digest in digests]
    if not differing:
        notes = _notes(columns, key, 0)
        return Diff(here.label, there.label, tuple(columns), tuple(key), counts[0], counts[1], notes=notes)
    few = differing if len(differing) < _BUCKETS else None
    for one, table in zip(work, ("here", "there"), strict=True):
        one.fetch(scratch, table, few)
    return _counted(scratch, here.label, there.label, columns, key, counts)


def _where_digests_are(side: OnTarget, scratch: Scratch, table: str) -> Side:
    """Return *side*, or a copy of it as *table* in *scratch* where its database computes no digests."""
    return side if side.digests else InScratch(side, scratch, table)


def _columns(here: Side, there: Side) -> tuple[list[ComparedColumn], list[list[str]]]:
    """Return the columns of both sides, matched by name, and the names that each side gives to those of both.

    A name that differs in its capitals only is the same: an unquoted name is written so on one database, so on another.
    """
    described = [side.digests.columns(side.ask, side.query) for side in (here, there)]
    of_there = dict(described[1])
    by_folded = {name.casefold(): name for name in of_there}
    one_dialect = here.digests.dialect == there.digests.dialect
    columns, names = [], [[], []]  # type: ignore[var-annotated] # two lists of names
    for name, kind in described[0]:
        other = name if name in of_there else by_folded.get(name.casefold())
        if other is None or other in names[1]:
            columns.append(ComparedColumn(name, kind, None))
            continue
        kinds = here.digests.kind(kind), there.digests.kind(of_there[other])
        differs = kinds[0] != kinds[1] or (one_dialect and kind != of_there[other])
        columns.append(ComparedColumn(name, kind, of_there[other], differs, common(*kinds)))
        names[0].append(name)
        names[1].append(other)
    columns += [ComparedColumn(name, None, kind) for name, kind in described[1] if name not in names[1]]
    return columns, names


def _key(sides: Sequence[Side], columns: Sequence[ComparedColumn], on: Sequence[str]) -> list[str]:
    """Return the names of the key's columns, as the first side has them."""
    both = {column.name.casefold(): column.name for column in columns if column.here and column.there}
    for name in on:
        if name.casefold() not in both:
            near, names = did_you_mean(name, both.values()), ", ".join(both.values()) or "none"
            message = f"--on {name}: no such column is in both.{near} Both have: {names}."
            raise OptionError(message)
    if on:
        return [both[name.casefold()] for name in on]
    for side in sides:
        declared = side.key()
        if declared and all(name.casefold() in both for name in declared):
            return [both[name.casefold()] for name in declared]
    return []


class _Work:
    """The SQL that one side runs."""

    def __init__(
        self,
        side: Side,
        columns: Sequence[ComparedColumn],
        names: Sequence[str],
        key: Sequence[str],
        at: int,
        *,
        hashed: bool,
    ) -> None:
        """Compare *columns* of *side*, which has them under *names*; *at* tells which of the two it is.

        With *hashed*, both sides have the same engine's hashes.
        """
        self._side = side
        write = side.digests
        compared = [column for column in columns if column.here is not None and column.there is not None]
        types = [column.there if at else column.here for column in compared]
        self._values = [f"q.{write.quoted(name)}" for name in names]
        self._texts = [
            write.canonical(value, write.kind(kind or ""), column.kind)
            for value, kind, column in zip(self._values, types, compared, strict=True)
        ]
        self._row = write.digest(_joined(self._texts, compared) or "''")
        keyed = [position for position, column in enumerate(compared) if column.name in key]
        self._key = _joined([self._texts[at] for at in keyed], [compared[at] for at in keyed]) if key else "r"
        self._hashes: tuple[str, str] | None = None
        if hashed:
            whole = [
                (write.hashed(value, column.kind) if column.here == column.there else None) or text
                for value, text, column in zip(self._values, self._texts, compared, strict=True)
            ]
            self._hashes = write.hashes(whole)
            self._bucket = write.hashed_bucket([whole[at] for at in keyed] if key else whole, _BUCKETS)
        elif len(keyed) == 1 and compared[keyed[0]].kind == "integer":
            value = self._values[keyed[0]]
            if write.kind(types[keyed[0]] or "") == "boolean":
                value = f"CAST({value} AS int)"
            self._bucket = f"coalesce({write.bucket_of(value, _BUCKETS)}, '-')"
        elif key:
            self._bucket = f"substr({write.digest(self._key)}, 1, {_DIGITS})"
        else:
            self._bucket = f"substr(r, 1, {_DIGITS})"

    def digests(self) -> dict[str, tuple[int, str, str]]:
        """Return of each bucket the number of its rows, and two sums over their digests, in whatever order they are."""
        write = self._side.digests
        at_once = self._bucket.startswith("substr(r,")
        bucket, inner = (self._bucket, "") if at_once else ("b", f", {self._bucket} AS b")
        if self._hashes is not None:
            summed, columns = ("h0", "h1"), f"{self._hashes[0]} AS h0, {self._hashes[1]} AS h1"
        else:
            summed = write.number("substr(r, 1, 15)"), write.number("substr(r, 16, 15)")
            columns = f"{self._row} AS r"
        one, two = (f"CAST(sum({number}) AS {write.text_type})" for number in summed)
        rows = f"SELECT {columns}{inner} FROM ({self._side.query}\n) AS q"  # noqa: S608 - the user's own query
        answer = self._side.ask(
            f"SELECT {bucket} AS bucket, count(*) AS n, {one} AS one, {two} AS two FROM ({rows}) AS d GROUP BY 1"  # noqa: S608 - see above
        )
        sums = zip(answer["n"], answer["one"], answer["two"], strict=True)
        return {
            str(bucket): (int(n), str(one), str(two))
            for bucket, (n, one, two) in zip(answer["bucket"], sums, strict=True)
        }

    def fetch(self, scratch: Scratch, table: str, buckets: Sequence[str] | None) -> None:
        """Copy the rows of *buckets*, by default of all, to *table* of *scratch*: texts to show, and to compare.

        A text has a `+` before it, and NULL is `-`: a batch whose values are all NULL has no type.
        """
        write, side = self._side.digests, self._side
        shown = [f"coalesce('+' || {write.shown(value)}, '-') AS v{at}" for at, value in enumerate(self._values)]
        texts = [f"coalesce('+' || {text}, '-') AS t{at}" for at, text in enumerate(self._texts)]
        at_once = self._bucket.startswith("substr(r,")
        key = "r AS k" if at_once else "k"
        inner = "" if at_once else f", {self._key} AS k, {self._bucket} AS b"
        values = "".join(f", {value}" for value in (*shown, *texts))
        rows = f"SELECT {self._row} AS r{inner}{values} FROM ({side.query}\n) AS q"  # noqa: S608 - see above
        names = [f"{letter}{at}" for letter in "vt" for at in range(len(shown))]
        wanted = ", ".join(map(write.literal, buckets or ()))
        where = f" WHERE {self._bucket if at_once else 'b'} IN ({wanted})" if buckets else ""
        declared = ", ".join(f"{name} VARCHAR" for name in ("k", "r", *names))
        scratch.run(f"CREATE TABLE {table} ({declared})")
        side.stream(
            f"SELECT {', '.join([key, 'r', *names])} FROM ({rows}) AS d{where}",  # noqa: S608 - see above
            lambda batch: scratch.append(table, batch),
        )


def _joined(texts: Sequence[str], columns: Sequence[ComparedColumn]) -> str:
    """Return SQL for one text of several, from which each can be read: a text has its length before it."""
    free = {"text", "other", "blob"}
    return " || '|' || ".join(
        f"coalesce(length({text}) || ':' || {text}, '-')" if column.kind in free else f"coalesce({text}, '-')"
        for text, column in zip(texts, columns, strict=True)
    )


def _counted(
    scratch: Scratch,
    here: str,
    there: str,
    columns: Sequence[ComparedColumn],
    key: Sequence[str],
    counts: Sequence[int],
) -> Diff:
    """Return what differs, of the rows of both sides in *scratch*."""
    compared = [column for column in columns if column.here is not None and column.there is not None]
    numbers = range(len(compared))
    repeated = _one(scratch, "SELECT count(*) FROM (SELECT k FROM here GROUP BY k HAVING count(*) > 1)")
    for one, other in (("here", "there"), ("there", "here")):
        numbered = "SELECT *, row_number() OVER (PARTITION BY k, r) AS d FROM {}"
        scratch.run(
            f"CREATE TABLE rest_{one} AS SELECT *, row_number() OVER (PARTITION BY k ORDER BY r) AS p"  # noqa: S608 - names of ours
            f" FROM ({numbered.format(one)}) AS x ANTI JOIN ({numbered.format(other)}) AS y USING (k, r, d)"
        )
    differs = [f"a.t{at} IS DISTINCT FROM b.t{at}" for at in numbers]
    named = ", ".join(f"CASE WHEN {differs[at]} THEN {_literal(compared[at].name)} END" for at in numbers)
    sides = [", ".join(f"{side}.v{at} AS {side}{at}" for at in numbers) for side in "ab"]
    flags = ", ".join(f"(a.k IS NOT NULL AND b.k IS NOT NULL AND {differs[at]}) AS c{at}" for at in numbers)
    scratch.run(
        "CREATE TABLE pairs AS SELECT row_number() OVER (ORDER BY TRY_CAST(k AS HUGEINT), k, p) AS nr,"  # noqa: S608 - names of ours
        " CASE WHEN b.k IS NULL THEN 'only here' WHEN a.k IS NULL THEN 'only there' ELSE 'changed' END AS change,"
        " CASE WHEN a.k IS NOT NULL AND b.k IS NOT NULL"
        f" THEN [name FOR name IN CAST([{named}] AS VARCHAR[]) IF name IS NOT NULL] END AS changed_in"
        f"{''.join(', ' + part for part in (*sides, flags) if part)}"
        " FROM rest_here AS a FULL JOIN rest_there AS b USING (k, p)"
    )
    values = [
        ", ".join(f"CASE WHEN {side}{at} LIKE '+%' THEN substr({side}{at}, 2) END AS v{at}" for at in numbers)
        for side in "ab"
    ]
    scratch.run(
        f"CREATE TABLE found AS SELECT nr, change, 'here' AS side, changed_in{', ' + values[0] if values[0] else ''}"  # noqa: S608 - see above
        " FROM pairs WHERE change <> 'only there' UNION ALL"
        f" SELECT nr, change, 'there', changed_in{', ' + values[1] if values[1] else ''} FROM pairs"
        " WHERE change <> 'only here'"
    )
    by_change = {
        change: _one(scratch, f"SELECT count(*) FROM pairs WHERE change = '{change}'")  # noqa: S608 - see above
        for change in ("only here", "only there", "changed")
    }
    changed = [_one(scratch, f"SELECT count(*) FILTER (c{at}) FROM pairs") for at in numbers]  # noqa: S608 - see above
    by_name = dict(zip((column.name for column in compared), changed, strict=True))
    shown = ", ".join(["change", "side", "changed_in", *(f"v{at}" for at in numbers)])
    examples = scratch.run(
        f"SELECT {shown} FROM found WHERE nr IN (SELECT nr FROM pairs ORDER BY nr LIMIT {FEW}) ORDER BY nr, side"  # noqa: S608 - see above
    )
    for table in ("here", "there", "rest_here", "rest_there"):
        scratch.run(f"DROP TABLE {table}")
    return Diff(
        here=here,
        there=there,
        columns=tuple(_with_changes(column, by_name) for column in columns),
        key=tuple(key),
        rows_here=counts[0],
        rows_there=counts[1],
        only_here=by_change["only here"],
        only_there=by_change["only there"],
        changed=by_change["changed"],
        notes=_notes(columns, key, repeated if key else 0),
        examples=tuple(_example(row) for row in examples.to_pylist()),
        _scratch=scratch,
    )


def _example(row: dict[str, Any]) -> DifferingRow:
    change, side, changed_in, *values = row.values()
    return DifferingRow(change, side, frozenset(changed_in or ()), tuple(values))


def _with_changes(column: ComparedColumn, changed: dict[str, int]) -> ComparedColumn:
    return ComparedColumn(
        column.name, column.here, column.there, column.differs, column.kind, changed.get(column.name, 0)
    )


def _notes(columns: Sequence[ComparedColumn], key: Sequence[str], repeated: int) -> tuple[str, ...]:
    notes = []
    if not key:
        notes.append("No key is declared: rows are compared as wholes. Name one to see what changed: --on COLUMN.")
    if repeated:
        notes.append(f"{count(repeated, 'value')} of the key stand in several of the differing rows.")
    as_text = [
        column.name for column in columns if column.here and column.there and column.differs and column.kind == "text"
    ]
    if as_text:
        notes.append(f"Compared as text, because the types differ: {', '.join(as_text)}.")
    return tuple(notes)


def _one(scratch: Scratch, sql: str) -> int:
    rows: Any = scratch.run(sql)
    return int(rows.column(0)[0].as_py())


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

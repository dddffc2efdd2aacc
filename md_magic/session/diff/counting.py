"""What differs between the rows of two tables in a private DuckDB: counts, rows, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from md_magic.session.diff.value import FEW, ComparedColumn, Diff, DifferingRow
from md_magic.wording import count, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.results.scratch import Scratch
    from md_magic.session.diff.columns import Columns

_LONGEST = 60
"""Characters of a side in a note."""

_HOW = {
    "text": "Compared as text, because the types differ",
    "document": "Compared as JSON documents, because lists, structs and JSON of two kinds have no other equality",
    "own": "1 month differs from 30 days within lists and structs",
}
"""What is said of columns that are compared as a kind."""


def counted(
    scratch: Scratch,
    labels: tuple[str, str],
    columns: Columns,
    key: Sequence[str],
    counts: Sequence[int],
    unstable: Sequence[str] = (),
) -> Diff:
    """Return what differs, of the rows of both sides in *scratch*. Those called *unstable* gave others before."""
    compared = columns.compared
    numbers = range(len(compared))
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
        "CREATE TABLE pairs AS SELECT k, row_number() OVER (ORDER BY TRY_CAST(k AS HUGEINT), k, p) AS nr,"  # noqa: S608 - names of ours
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
    several = "SELECT k FROM {} GROUP BY k HAVING count(*) > 1"
    ambiguous = f"{several.format('here')} UNION {several.format('there')}"
    repeated = _one(scratch, f"SELECT count(DISTINCT k) FROM pairs WHERE k IN ({ambiguous})") if key else 0  # noqa: S608 - see above
    for table in ("here", "there", "rest_here", "rest_there"):
        scratch.run(f"DROP TABLE {table}")
    return Diff(
        *labels,
        columns=tuple(_with_changes(column, by_name) for column in columns.every),
        key=tuple(key),
        rows_here=counts[0],
        rows_there=counts[1],
        only_here=by_change["only here"],
        only_there=by_change["only there"],
        changed=by_change["changed"],
        notes=notes(columns, key, repeated, unstable),
        examples=tuple(_example(row) for row in examples.to_pylist()),
        _scratch=scratch if any(by_change.values()) else None,
    )


def _example(row: dict[str, Any]) -> DifferingRow:
    change, side, changed_in, *values = row.values()
    return DifferingRow(change, side, frozenset(changed_in or ()), tuple(values))


def _with_changes(column: ComparedColumn, changed: dict[str, int]) -> ComparedColumn:
    return replace(column, changed=changed.get(column.name, 0))


def notes(columns: Columns, key: Sequence[str], repeated: int = 0, unstable: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what a person must know to read the counts."""
    said = []
    if not key:
        said.append("No key is declared: rows are compared as wholes. Name one to see what changed: --on COLUMN.")
    if repeated:
        said.append(
            f"{count(repeated, 'value')} of the key {'stands' if repeated == 1 else 'stand'} in several rows, here or"
            " there: which of those belong together is not known."
        )
    said += [
        f"{shortened(label, _LONGEST)} gave other rows the second time: it uses random(), say, or somebody writes to"
        " it. Both tables were read once more, and those rows are compared."
        for label in unstable
    ]
    for kind, how in _HOW.items():
        if names := [column.name for column in columns.compared if _is_noted(column, kind)]:
            said.append(f"{how}: {', '.join(names)}.")
    return tuple(said)


def _is_noted(column: ComparedColumn, kind: str) -> bool:
    match column.kind:
        case "own":
            return kind == "own" and "INTERVAL" in column.as_type.upper()
        case "text":
            return kind == "text" and column.differs
        case of_column:
            return of_column == kind


def _one(scratch: Scratch, sql: str) -> int:
    rows: Any = scratch.run(sql)
    return int(rows.column(0)[0].as_py())


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

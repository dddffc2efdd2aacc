"""The one statement that computes a profile, and runs the query once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from md_magic.engine import execute
from md_magic.session.profile import distinct
from md_magic.session.profile.kinds import (
    MARK,
    family_of,
    has_steps,
    is_endless,
    is_finite,
    is_integer,
    number_text,
    position,
)
from md_magic.session.profile.values import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.sql.statement import Statement

SAMPLE = 10_000
"""Rows in the sample: a share of 10 % is then right to within 0.6 percentage points, in 19 of 20 cases."""

MOST_COLUMNS = 500
"""Columns that are profiled at most: DuckDB takes five seconds to plan that many."""

FINE = 2_000
"""A column with at most so many distinct values in the sample answers all of them, to draw from; else so many bins."""

_TOP = 20
"""Frequent values that are fetched of each column."""

_CELLS = 500_000
"""Rows times columns of the sample: a wide table has a smaller one."""

_TOGETHER = 50
"""Columns that one query aggregates the sample of: one query for 500 columns took twice as long."""

_DRAWN = frozenset({"number", "moment", "text", "label"})
"""Families whose values are in the sample."""

_WHOLE = "9007199254740992"
"""2**53: whole numbers up to here are exact as DOUBLE."""


def build(statement: Statement, kinds: Sequence[str], *, cut: int | None) -> Statement:
    """Return the one statement that computes everything. *cut* is the length at which long values end.

    All of it stands on the line above the user's text and below it: errors are counted in the text as it was typed.
    """
    shown = list(enumerate(kinds[:MOST_COLUMNS]))
    names = ", ".join(f"c{at}" for at in range(len(kinds)))
    size = max(1, min(SAMPLE, _CELLS // max(len(shown), 1)))
    bits = distinct.bits(len(shown))
    whole = ", ".join(part for at, kind in shown for part in _of_every_row(at, kind, cut, bits))
    row = ", ".join(f"c{at} := {_sampled(at, kind, cut)}" for at, kind in shown if family_of(kind) in _DRAWN)
    hashes = [f"{distinct.hashed(f'c{at}', kind)} AS h{at}" for at, kind in shown if distinct.needs_hash(kind)]
    before = (  # names and values of the user are in none of these texts: columns are c0, c1, ...
        f"WITH seen AS MATERIALIZED (SELECT count(*) AS n, {whole},"  # noqa: S608
        f" min_by(struct_pack(one := true{', ' * bool(row)}{row}), r, {size}) AS s"
        f" FROM (SELECT *, random() AS r{_comma(hashes)} FROM (\n"
    )
    axes = [(at, kind, place) for at, kind in shown if (place := position(f"c{at}", kind)) is not None]
    places = [f"{place} AS x{at}" for at, _, place in axes]
    ends = ["true AS one_row", *(part for at, kind, _ in axes for part in _ends(at, kind))]
    aggregates = [f"part{at} AS MATERIALIZED ({query})" for at, query in enumerate(_of_sample(shown))]
    parts = [f"part{at}" for at in range(len(aggregates))]
    typed = ", ".join(["s", *(f"f{end}{at}" for at, _, _ in axes for end in "lu")])
    results = [f"seen.* EXCLUDE ({typed})", *(f"{part}.*" for part in parts)]
    after = (
        f"\n) AS q({names}))), drawn AS MATERIALIZED (SELECT *{_comma(places)} FROM"  # noqa: S608
        f" (SELECT unnest(s, max_depth := 2) FROM seen)),"
        f" ends AS MATERIALIZED (SELECT {', '.join(ends)} FROM seen),"
        f" {', '.join(aggregates)}"
        f" SELECT {', '.join(results)} FROM {', '.join(['seen', *parts])}"
    )
    return replace(execute.within(statement, before, after), number=statement.number, of=statement.of)


def _comma(parts: Sequence[str]) -> str:
    return "".join(f", {part}" for part in parts)


def _short(value: str, cut: int | None) -> str:
    return f"{value}::VARCHAR" if cut is None else f"left({value}::VARCHAR, {cut + 1})"


def _of_every_row(at: int, kind: str, cut: int | None, bits: int) -> list[str]:
    """Return the aggregates of a column over every row."""
    c, family = f"c{at}", family_of(kind)
    cut = None if family == "number" else cut
    finite = f"CASE WHEN {is_finite(c, kind)} THEN {c} END" if is_endless(kind) else c  # no FILTER: see `distinct`
    aggregates = [
        f"count({c}) AS k{at}",
        *distinct.aggregates(at, kind, bits),
        f"{_short(f'min({c})', cut)} AS lo{at}",
        f"{_short(f'max({c})', cut)} AS hi{at}",
    ]
    if family in {"number", "moment"}:
        aggregates += [f"min({finite}) AS fl{at}", f"max({finite}) AS fu{at}"]
    if kind == "BIGNUM":
        number = number_text(c, kind)
        aggregates.append(f"avg(CASE WHEN isfinite({number}) THEN {number} END) AS a{at}")
    elif family == "number":
        aggregates.append(f"avg({c})::DOUBLE AS a{at}")
    if kind in {"FLOAT", "DOUBLE"}:
        aggregates.append(f"bool_and({finite} = trunc({finite})) AS z{at}")
    if family == "moment":
        aggregates.append(f"avg(TRY(epoch({finite}))) AS a{at}")
    lengths = {"text": f"length({c}::VARCHAR)", "bytes": f"octet_length({c})", "list": f"len({c})"}
    if family in lengths:
        length = f"cardinality({c})" if kind.startswith("MAP(") and not kind.endswith("]") else lengths[family]
        aggregates += [f"min({length}) AS s{at}", f"max({length}) AS g{at}", f"avg({length}) AS m{at}"]
    if family in {"list", "other"}:
        aggregates.append(f"{_short(f'any_value({c})', cut)} AS e{at}_")
    return aggregates


def _sampled(at: int, kind: str, cut: int | None) -> str:
    """Return the expression of a value in the sample."""
    c = f"c{at}"
    if family_of(kind) != "text" or cut is None:
        return c
    long = f"left({c}::VARCHAR, {cut}) || chr({ord(MARK)}) || hash({c})::VARCHAR"
    return f"CASE WHEN strlen({c}::VARCHAR) <= {cut} THEN {c}::VARCHAR ELSE {long} END"


def _ends(at: int, kind: str) -> list[str]:
    """Return where the axis begins and ends, in all rows, and the width of a fine bin: whole where values are."""
    low, high = (position(f"f{end}{at}", kind) for end in "lu")
    if has_steps(kind):
        width = f"TRY((({high}) - ({low})) // {FINE} + 1)"  # NULL where the range of a DECIMAL(38) is too wide
    else:
        whole = "true" if is_integer(kind) else f"z{at}"
        width = (
            f"CASE WHEN {whole} AND abs({low}) < {_WHOLE} AND abs({high}) < {_WHOLE}"
            f" THEN ceil((({high}) - ({low}) + 1) / {FINE}) END"
        )
    return [f"{low} AS l{at}", f"{high} AS u{at}", f"{width} AS f{at}"]


def _of_sample_column(at: int, kind: str) -> list[str]:
    """Return the aggregates of a column over the sample."""
    c, family = f"c{at}", family_of(kind)
    if family not in _DRAWN:
        return []
    aggregates = [f"count({c}) AS w{at}", f"{_counted(c, kind)} AS o{at}"]
    quantiles = list(QUANTILES)
    if family == "number":
        aggregates.append(f"quantile_cont({number_text(c, kind)}, {quantiles}) AS q{at}")
    if family == "moment":
        aggregates.append(f"quantile_disc({c}, {quantiles})::VARCHAR[] AS q{at}")
    if position(c, kind) is not None:
        bins = f"histogram(CASE WHEN x{at} IS NOT NULL AND u{at} > l{at} THEN {_fine_bin(at, kind)} END) AS b{at}"
        aggregates += [f"histogram(x{at}) AS p{at}", bins, *(f"any_value({name}{at}) AS {name}{at}" for name in "luf")]
    return aggregates


def _counted(c: str, kind: str) -> str:
    """Return the aggregate that counts each value. DuckDB's own takes NaN for equal to whatever it meets."""
    if kind not in {"FLOAT", "DOUBLE"}:
        return f"histogram({c})"
    others, nans = f"CASE WHEN NOT isnan({c}) THEN {c} END", f"count(CASE WHEN isnan({c}) THEN 1 END)"
    nan = f"CASE WHEN {nans} > 0 THEN map(['nan'::{kind}], [{nans}::UBIGINT]) END"
    return f"map_concat(histogram({others}), {nan})"


def _fine_bin(at: int, kind: str) -> str:
    """Return the expression of the fine bin that a sampled value is in."""
    x, low, high, width = f"x{at}", f"l{at}", f"u{at}", f"f{at}"
    if has_steps(kind):
        return f"TRY(({x} - {low}) // {width})"
    share = f"({x} / 2 - {low} / 2) / ({high} / 2 - {low} / 2) * {FINE}"  # halves, because a range may overflow
    whole, other = f"floor(({x} - {low}) / {width})", f"least(floor({share}), {FINE - 1})"
    return f"CASE WHEN {width} > 0 THEN {whole} ELSE {other} END"


def _of_sample(shown: Sequence[tuple[int, str]]) -> list[str]:
    """Return queries of the sample, each over some of the columns: one query over all of them takes longer."""
    queries = ["SELECT count(*) AS sampled FROM drawn"]
    for first in range(0, len(shown), _TOGETHER):
        parts = [part for at, kind in shown[first : first + _TOGETHER] for part in _of_sample_column(at, kind)]
        answers = ", ".join(part for at, kind in shown[first : first + _TOGETHER] for part in _answers(at, kind))
        queries += [f"SELECT {answers} FROM (SELECT {', '.join(parts)} FROM drawn, ends)"] if parts else []  # noqa: S608
    return queries


def _answers(at: int, kind: str) -> list[str]:
    """Return the columns of the answer: numbers, and a few of the values."""
    family = family_of(kind)
    if family not in _DRAWN:
        return []
    entries = f"list_transform(map_entries(o{at}), lambda e: {{'n': -e.value::BIGINT, 'v': e.key::VARCHAR}})"
    answers = [f"w{at}", f"list_slice(list_sort({entries}), 1, {_TOP}) AS t{at}", f"cardinality(o{at}) AS d{at}"]
    if position("", kind) is not None:
        is_fine = f"coalesce(cardinality(p{at}), 0) > {FINE}"
        answers += [f"q{at}", f"l{at}", f"u{at}", f"f{at}", f"{is_fine} AS i{at}"]
        answers.append(f"map_entries(CASE WHEN {is_fine} THEN b{at} ELSE p{at} END) AS b{at}")
    return answers

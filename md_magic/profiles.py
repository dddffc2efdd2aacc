"""What the columns of a query hold, asked of DuckDB in one statement that reads the query once.

How one pass suffices:

* Rows, NULLs, smallest, largest and mean of each column, and the lengths of texts and lists, are ordinary aggregates
  over every row, and exact.
* The same pass draws a uniform sample of the rows: those with the smallest random numbers, `min_by(row, random(), n)`.
  DuckDB goes on with it and computes quantiles, histogram and frequent values. A query of at most *n* rows is its own
  sample: then everything is exact.
* Distinct values are those of the sample where it has seen nearly all of them, and else DuckDB's HyperLogLog, which
  was mostly within a fifth, and once 31 % off.

Nothing is made in the user's database, and one row of numbers is fetched.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from md_magic import catalog, masking, query, reader
from md_magic.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from md_magic.engines import Database
    from md_magic.statement import Statement

T = TypeVar("T")

Family = Literal[
    "number",
    "moment",  # dates, times, timestamps, intervals: what has a place on a time axis
    "text",  # VARCHAR and JSON: what has a length in characters
    "label",  # BOOLEAN, ENUM, UUID, BIT: a few values, or names
    "bytes",
    "list",  # lists, arrays, maps: what has a number of items
    "other",  # structs, unions, geometries
]

SAMPLE = 10_000
"""Rows that are drawn: a share of 10 % is then right to within 0.6 percentage points, in 19 of 20 cases."""

MOST_COLUMNS = 500
"""Columns that are profiled at most: planning so many takes DuckDB five seconds."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 20
_CUT = 200
"""Characters of a value that are kept. A longer one is told from others by a hash, after `_MARK`."""

_MARK = "\x1f"
_TOP = 20
"""How many of the frequent values are asked for."""

_CELLS = 500_000
"""Rows times columns of the sample: fewer rows are drawn of a wide table."""

_TOGETHER = 50
"""Columns of which the sample is asked in one query: 500 in one took twice as long."""

_TABLE = re.compile(r"""\s*('(?:[^']|'')+'|(?:"(?:[^"]|"")+"|[^\W\d]\w*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|\w+))*)\s*;?\s*""")
"""Nothing but a name, quoted or dotted or not, or a file in quotes."""

_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DECIMAL\(.*\)|FLOAT|DOUBLE")
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM")
_ENDLESS = re.compile(r"DATE|TIMESTAMP.*")
"""Moments that may be infinite."""


@dataclass(frozen=True, slots=True)
class Count:
    """How often a value was met in the sample."""

    value: str
    rows: int
    share: float
    """Part of the sampled values that are not NULL, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram: finite values from *low* on and below *high*; the last bar holds *high* too."""

    low: float
    """A number; for a moment, seconds since 1970 or since midnight."""

    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Column:
    """What one column holds."""

    name: str
    type: str
    """DuckDB's name of it; a long one, of an ENUM say, is cut."""

    family: Family
    nulls: int
    distinct: int
    """How many values there are but NULL; exact where the profile has every row in its sample."""

    smallest: object = None
    """An `int`, `float` or `Decimal` of numbers, else text as DuckDB writes it, cut; `None` without values."""

    largest: object = None
    mean: object = None
    """A `float` of numbers, text of moments, else `None`."""

    quantiles: tuple[object, ...] = ()
    """At 5, 25, 50, 75 and 95 %: numbers interpolated, moments as text; empty for other families."""

    lengths: tuple[int, int, float] | None = None
    """Shortest, longest and mean length: in characters, bytes or items."""

    frequent: tuple[Count, ...] = ()
    """The most frequent values of the sample, at most 20, the most frequent first."""

    bins: tuple[Bin, ...] = ()
    """A histogram of the sample's finite values, in 20 bars of equal width."""

    example: str | None = None
    """Some value of a nested column."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the columns of a query or table hold."""

    columns: tuple[Column, ...]
    rows: int
    sampled: int
    """How many rows quantiles, histograms and frequent values are from; all of them where it equals *rows*."""

    left_out: int = 0
    """How many further columns the query has."""

    @property
    def exact(self) -> bool:
        """Whether every number is, because the sample is the whole."""
        return self.sampled == self.rows

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each column: what the cards show, to compute with."""
        return catalog.frame([_row(self, column) for column in self.columns], list(_row(self, _NOTHING)))

    @property
    def frame(self) -> pd.DataFrame:
        """The DataFrame of `to_frame`."""
        return self.to_frame()


_NOTHING = Column("", "", "other", 0, 0)


def _row(profile: Profile, column: Column) -> dict[str, object]:
    quantiles = column.quantiles or (None,) * len(QUANTILES)
    shortest, longest, _ = column.lengths or (None, None, None)
    return {
        "column": column.name,
        "type": column.type,
        "rows": profile.rows,
        "nulls": column.nulls,
        "distinct": column.distinct,
        "smallest": column.smallest,
        "largest": column.largest,
        "mean": column.mean,
        **{f"q{round(at * 100):02}": value for at, value in zip(QUANTILES, quantiles, strict=True)},
        "shortest": shortest,
        "longest": longest,
        "most_frequent": column.frequent[0].value if column.frequent else None,
    }


def as_query(sql: str) -> str:
    """Return *sql*, or the query of everything in it, where it is nothing but the name of a table or file."""
    named = _TABLE.fullmatch(sql)
    return f"FROM {named[1]}" if named else sql


def profile(database: Database, statement: Statement, values: Mapping[str, Any]) -> Profile:
    """Run *statement*, a query, once, and return what its columns hold. Raises `StatementError`."""
    first = reader.first_word(statement.text)
    if statement.kind != "SELECT" or first == "PRAGMA":
        message = (
            f"--profile looks at the columns of a query or a table, and {first or 'this'} is neither; nothing of it was"
            " run. Write SELECT ..., or the name of a table."
        )
        raise StatementError(message)
    described = query.describe(database, statement, values)
    kinds = [(one["column"], one["type"]) for one in described]
    guarded = database.target.is_motherduck and masking.may_tell(statement.text)
    asked = _asked(statement, [kind for _, kind in kinds], cut=None if guarded else _CUT)
    told = query.run(database, asked, values, form="dict").value
    return _profile({name: column[0] for name, column in told.items()}, kinds)


def family_of(kind: str) -> Family:
    """Return what a column of DuckDB's type *kind* is profiled as."""
    families: list[tuple[str, Family]] = [
        (r".*\]|MAP\(.*", "list"),
        (_NUMBERS.pattern, "number"),
        (r"(DATE|TIME|INTERVAL).*", "moment"),
        (r"VARCHAR|JSON", "text"),
        (r"BOOLEAN|ENUM\(.*|UUID|BIT", "label"),
        (r"BLOB", "bytes"),
    ]
    return next((family for words, family in families if re.fullmatch(words, kind, re.DOTALL)), "other")


# ---- the statement ---------------------------------------------------------------------------------------------------


def _asked(statement: Statement, kinds: Sequence[str], *, cut: int | None) -> Statement:
    """Return the one statement that computes everything. *cut* is the length at which long values end.

    All of it stands on the line above the user's text and below it: errors are counted in the text as it was typed.
    """
    shown = list(enumerate(kinds[:MOST_COLUMNS]))
    names = ", ".join(f"c{at}" for at in range(len(kinds)))
    size = max(1, min(SAMPLE, _CELLS // max(len(shown), 1)))
    seen = ", ".join(part for at, kind in shown for part in _seen(at, kind, cut))
    row = ", ".join(f"c{at} := {_kept(at, kind, cut)}" for at, kind in shown if family_of(kind) in _DRAWN)
    before = (  # names and values of the user are in none of these texts: columns are c0, c1, ...
        f"WITH seen AS MATERIALIZED (SELECT count(*) AS n, {seen},"  # noqa: S608
        f" min_by(struct_pack(one := true{', ' * bool(row)}{row}), r, {size}) AS s"
        " FROM (SELECT *, random() AS r FROM (\n"
    )
    places = [part for at, kind in shown for part in _place(at, kind)]
    ranges = ["count(*) AS l", *(f"min({x}) AS l{at}, max({x}) AS u{at}" for at, x in _axes(shown))]
    told = [f"told{at} AS MATERIALIZED ({one})" for at, one in enumerate(_told(shown))]
    tables = ", ".join(["seen", *(f"told{at}" for at in range(len(told)))])
    answers = ["sampled", *(part for at, kind in shown for part in _answers(at, kind))]
    after = (
        f"\n) AS q({names}))), drawn AS MATERIALIZED (SELECT *{_comma(places)} FROM"  # noqa: S608
        f" (SELECT unnest(s, max_depth := 2) FROM seen)),"
        f" ranged AS MATERIALIZED (SELECT {', '.join(ranges)} FROM drawn),"
        f" {', '.join(told)}"
        f" SELECT {', '.join(['seen.* EXCLUDE (s)', *answers])} FROM {tables}"
    )
    return replace(query.within(statement, before, after), number=statement.number, of=statement.of)


_DRAWN = frozenset({"number", "moment", "text", "label"})
"""Families whose values are looked at in the sample."""


def _comma(parts: Sequence[str]) -> str:
    return "".join(f", {part}" for part in parts)


def _short(value: str, cut: int | None) -> str:
    return f"{value}::VARCHAR" if cut is None else f"left({value}::VARCHAR, {cut + 1})"


def _seen(at: int, kind: str, cut: int | None) -> list[str]:
    """Return the aggregates over every row."""
    c, family = f"c{at}", family_of(kind)
    cut = None if family == "number" else cut
    found = [
        f"count({c}) AS k{at}",
        f"approx_count_distinct({c}) AS h{at}",
        f"{_short(f'min({c})', cut)} AS lo{at}",
        f"{_short(f'max({c})', cut)} AS hi{at}",
    ]
    if family == "number":
        found.append(f"avg({c})::DOUBLE AS a{at}")
    if family == "moment":
        finite = f" FILTER (isfinite({c}))" if _ENDLESS.fullmatch(kind) else ""
        found.append(f"avg(epoch({c})){finite} AS a{at}")
    lengths = {"text": f"length({c}::VARCHAR)", "bytes": f"octet_length({c})", "list": f"len({c})"}
    if family in lengths:
        length = f"cardinality({c})" if kind.startswith("MAP(") and not kind.endswith("]") else lengths[family]
        found += [f"min({length}) AS s{at}", f"max({length}) AS g{at}", f"avg({length}) AS m{at}"]
    if family in {"list", "other"}:
        found.append(f"{_short(f'any_value({c})', cut)} AS e{at}")
    return found


def _kept(at: int, kind: str, cut: int | None) -> str:
    """Return what the sample keeps of a value."""
    c = f"c{at}"
    if family_of(kind) != "text" or cut is None:
        return c
    long = f"left({c}::VARCHAR, {cut}) || chr({ord(_MARK)}) || hash({c})::VARCHAR"
    return f"CASE WHEN strlen({c}::VARCHAR) <= {cut} THEN {c}::VARCHAR ELSE {long} END"


def _place(at: int, kind: str) -> list[str]:
    """Return a sampled value as its place on the axis of a histogram."""
    c, family = f"c{at}", family_of(kind)
    if family == "number":
        x = f"TRY_CAST({c} AS DOUBLE)"
        return [f"CASE WHEN isfinite({x}) THEN {x} END AS x{at}"]
    if family == "moment":
        return [
            f"CASE WHEN isfinite({c}) THEN epoch({c}) END AS x{at}"
            if _ENDLESS.fullmatch(kind)
            else f"epoch({c}) AS x{at}"
        ]
    return []


def _axes(shown: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(at, f"x{at}") for at, kind in shown if family_of(kind) in {"number", "moment"}]


def _drawn(at: int, kind: str) -> list[str]:
    """Return the aggregates over the sample."""
    c, family = f"c{at}", family_of(kind)
    if family not in _DRAWN:
        return []
    found = [f"count({c}) AS w{at}", f"histogram({c}) AS o{at}"]
    wanted = list(QUANTILES)
    if family == "number":
        found.append(f"quantile_cont(TRY_CAST({c} AS DOUBLE), {wanted}) AS q{at}")
    if family == "moment":
        found.append(f"quantile_disc({c}, {wanted})::VARCHAR[] AS q{at}")
    if family in {"number", "moment"}:
        bin_ = f"least(floor((x{at} / 2 - l{at} / 2) / (u{at} / 2 - l{at} / 2) * {BINS}), {BINS - 1})"
        bins = f"histogram(TRY_CAST({bin_} AS TINYINT)) FILTER (x{at} IS NOT NULL AND u{at} > l{at})"
        found += [f"any_value(l{at}) AS l{at}", f"any_value(u{at}) AS u{at}", f"{bins} AS b{at}"]
    return found


def _told(shown: Sequence[tuple[int, str]]) -> list[str]:
    """Return queries of the sample, each about some of the columns: DuckDB takes longer for one about all of them."""
    queries = ["SELECT count(*) AS sampled FROM drawn"]
    for first in range(0, len(shown), _TOGETHER):
        parts = [part for at, kind in shown[first : first + _TOGETHER] for part in _drawn(at, kind)]
        queries += [f"SELECT {', '.join(parts)} FROM drawn, ranged"] if parts else []  # noqa: S608
    return queries


def _answers(at: int, kind: str) -> list[str]:
    """Return what is fetched of those: no more than a few of the values."""
    family = family_of(kind)
    if family not in _DRAWN:
        return []
    entries = f"list_transform(map_entries(o{at}), lambda e: {{'n': -e.value::BIGINT, 'v': e.key::VARCHAR}})"
    found = [
        f"w{at}",
        f"list_slice(list_sort({entries}), 1, {_TOP}) AS t{at}",
        f"cardinality(o{at}) AS d{at}",
        *(f"len(list_filter(map_values(o{at}), lambda n: n = {often})) AS f{often}_{at}" for often in (1, 2)),
    ]
    if family in {"number", "moment"}:
        found += [f"q{at}", f"l{at}", f"u{at}", f"map_entries(b{at}) AS b{at}"]
    return found


# ---- the answer ------------------------------------------------------------------------------------------------------


def _profile(told: Mapping[str, Any], kinds: Sequence[tuple[str, str]]) -> Profile:
    rows, sampled = told["n"], told["sampled"]
    columns = tuple(_column(told, at, name, kind) for at, (name, kind) in enumerate(kinds[:MOST_COLUMNS]))
    return Profile(columns, rows, sampled, left_out=max(0, len(kinds) - MOST_COLUMNS))


def _column(told: Mapping[str, Any], at: int, name: str, kind: str) -> Column:
    family = family_of(kind)
    values = told[f"k{at}"]
    convert = _python(kind)
    lengths: tuple[Any, Any, Any] = (told.get(f"s{at}"), told.get(f"g{at}"), told.get(f"m{at}"))
    return Column(
        name=name,
        type=_shown(kind),
        family=family,
        nulls=told["n"] - values,
        distinct=_distinct(told, at),
        smallest=_if_any(told[f"lo{at}"], convert),
        largest=_if_any(told[f"hi{at}"], convert),
        mean=_if_any(told.get(f"a{at}"), lambda number: _mean(number, kind)),
        quantiles=tuple(_if_any(one, convert if family == "moment" else float) for one in told.get(f"q{at}") or ()),
        lengths=lengths if None not in lengths else None,
        frequent=_frequent(told, at),
        bins=_bins(told, at),
        example=_if_any(told.get(f"e{at}"), _shown),
    )


def _if_any(value: Any, convert: Callable[[Any], T]) -> T | None:  # noqa: ANN401 - any value of the answer
    return None if value is None else convert(value)


def _distinct(told: Mapping[str, Any], at: int) -> int:
    """Return how many values there are: of the sample and what it has probably missed (Chao), or HyperLogLog's number.

    The first is better where few values were met only once, and the second has to be near it: rare values may have
    been missed altogether.
    """
    values, roughly, met = told[f"k{at}"], told[f"h{at}"], told.get(f"d{at}")
    if told["sampled"] == told["n"] and met is not None:
        return int(met)
    if met is not None:
        once, twice = told[f"f1_{at}"], told[f"f2_{at}"]
        likely = met + once * (once - 1) / (2 * (twice + 1))
        if once <= met * 0.1 and abs(roughly - likely) <= likely * 0.5:
            return int(min(round(likely), values))
    return int(min(max(roughly, met or 0), values))


def _frequent(told: Mapping[str, Any], at: int) -> tuple[Count, ...]:
    found = told.get(f"t{at}") or []
    total = told.get(f"w{at}") or 1
    return tuple(Count(_shown(one["v"]), -one["n"], -one["n"] / total) for one in found)


def _bins(told: Mapping[str, Any], at: int) -> tuple[Bin, ...]:
    low, high = told.get(f"l{at}"), told.get(f"u{at}")
    if low is None or high is None or not told.get(f"b{at}"):
        return ()
    rows = {one["key"]: one["value"] for one in told[f"b{at}"]}
    edges = [low * (1 - number / BINS) + high * (number / BINS) for number in range(BINS + 1)]  # no overflow
    return tuple(Bin(edges[number], edges[number + 1], rows.get(number, 0)) for number in range(BINS))


def _python(kind: str) -> Callable[[str], object]:
    """Return what makes a Python value of DuckDB's text of a *kind*."""
    if _INTEGERS.fullmatch(kind):
        return _integer
    if kind.startswith("DECIMAL("):
        return Decimal
    return float if _NUMBERS.fullmatch(kind) else _shown


def _integer(text: str) -> object:
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return _shown(text)


def _shown(text: str) -> str:
    """Return *text* with an ellipsis where it was cut."""
    text, _, hashed = text.partition(_MARK)
    return text[:_CUT] + "…" if hashed or len(text) > _CUT else text


def _mean(number: float, kind: str) -> object:
    """Return the mean: a number, or for a moment the text of what lies that many seconds after its zero."""
    if family_of(kind) == "number":
        return number
    if not math.isfinite(number):
        return None
    try:
        delta = dt.timedelta(milliseconds=round(number * 1000))
        exactly = "milliseconds" if delta.microseconds else "seconds"
        if kind == "INTERVAL":
            return str(delta)
        moment = dt.datetime(1970, 1, 1) + delta  # noqa: DTZ001 - as DuckDB writes it, or with +00 below
    except OverflowError:
        return None
    if kind.startswith("TIME") and not kind.startswith("TIMESTAMP"):
        return moment.time().isoformat(exactly)
    return moment.isoformat(" ", exactly) + ("+00" if kind.endswith("ZONE") else "")

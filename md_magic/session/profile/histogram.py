"""The histogram in a header of a grid: how many rows each bar has, of all and of those that are seen.

It is exact, because it is computed from every row of the result on disk. Whole numbers, decimals and dates have bars of
equal whole width, moments of whole seconds, minutes, hours or days. Each bar has the filter that keeps its rows.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from md_magic.engine.results.views import View, bound, terms
from md_magic.session.profile import bins, kinds
from md_magic.session.profile.values import Bin

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.store import ResultStore

_FINE = 2_000
"""Different values that are counted one by one. Of more, the range has at most so many cells, and a bar whole ones."""

_NAMED = 1_000
"""Different texts that are counted one by one. Where there are more, only their number is told, about."""

_TOP = 8
"""Texts that have a bar."""

_LONGEST = 200
"""Characters of a text that has a bar: a longer one does not fit in a filter."""

_MOST, _WIDEST = 2**62, 2**126
_SHORT_DECIMAL = 17
"""Digits of a DECIMAL that can be multiplied without an overflow."""

_EXACT = Context(prec=60)

_SECOND, _DAY = 1_000_000, 86_400_000_000
_WIDTHS = [
    *(10**power * times for power in range(6) for times in (1, 2, 5)),
    *(_SECOND * seconds for seconds in (1, 2, 5, 10, 15, 30)),
    *(_SECOND * 60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(_SECOND * 3600 * hours for hours in (1, 2, 3, 6, 12)),
    *(_DAY * days for days in (1, 2, 7, 14, 28, 91, 182, 365)),
    *(_DAY * 365 * years for years in (2, 5, 10, 20, 50, 100, 1000, 10_000, 100_000)),
]
"""Microseconds that bars of moments are wide."""

_MOMENT_BARS = 30
_WITH_ZONE = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    label: str
    rows: int
    seen: int
    """Those of its rows that the filters of the other columns let through."""

    low: str
    """The filter for its lower end, such as `>= 5`, or for its one value; empty where there is none."""

    high: str = ""
    """The filter for its upper end."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """The bars of a column, and what no bar shows."""

    bars: tuple[Bar, ...] = ()
    ordered: bool = True
    """Whether neighbouring bars can be selected together."""

    rows: int = 0
    nulls: int = 0
    different: str = ""
    """What there is to say where the values have no bars."""


@dataclass(frozen=True, slots=True)
class _Counter:
    """Counts the rows of one column, all and seen."""

    cursor: duckdb.DuckDBPyConnection
    source: str
    seen: str
    values: dict[str, Any]

    def one(self, shown: str) -> tuple[Any, ...]:
        return self.cursor.execute(f"SELECT {shown} {self.source}").fetchone() or ()

    def groups(self, key: str, where: str) -> list[tuple[Any, int, int]]:
        counts = f"count(*), count(*) FILTER (WHERE {self.seen})"
        sql = f"SELECT {key} AS k, {counts} {self.source} WHERE {where} GROUP BY k ORDER BY k"
        return self.cursor.execute(sql, self.values).fetchall()


def histogram(store: ResultStore, view: View, at: int) -> Histogram:
    """Return the histogram of column *at*; *view* says which rows are seen. Raises `FrameError`."""
    column = store.columns[at]
    values: dict[str, Any] = {}
    others = [(other, typed) for other, typed in view.filters if other != at]
    seen = [bound(terms(store.columns[other], typed), f"c{other}", values) for other, typed in others]
    with store.cursor() as cursor:
        count = _Counter(cursor, store.query, " AND ".join(seen) or "true", values)
        name, kind = f"c{at}", _kind(store, column)
        rows, valid, low, high, different = count.one(
            f"count(*), count({name}), {_ends(name, kind)}, approx_count_distinct({name})"
        )
        empty = Histogram(rows=rows, nulls=rows - valid)
        if not valid:
            return empty
        family = kinds.family_of(kind)
        if family in {"text", "label"} and not kind.startswith("BIT"):
            return _categories(count, column, name, empty, different)
        if low is None or family not in {"number", "moment"}:
            return empty
        if family == "moment" and kind != "DATE":
            bars = _moments(count, name, kind, (low, high))
        elif kind in {"FLOAT", "DOUBLE"}:
            bars = _floats(count, name, (low, high), different)
        else:
            bars = _steps(count, name, kind, (low, high), different)
        return replace(empty, bars=tuple(bars))


def _kind(store: ResultStore, column: Column) -> str:
    kind = store.kinds()[store.columns.index(column)]
    return "OTHER" if kind in {"BIGNUM", "UHUGEINT", "INTERVAL"} or kind.startswith("TIME WITH") else kind


def _ends(name: str, kind: str) -> str:
    """Return the smallest and the largest position of the values, as SQL."""
    family = kinds.family_of(kind)
    if family not in {"number", "moment"}:
        return "NULL, NULL"
    finite = f"CASE WHEN {kinds.is_finite(name, kind)} THEN {name} END" if kinds.is_endless(kind) else name
    return ", ".join(_position(f"{end}({finite})", kind) for end in ("min", "max"))


def _position(value: str, kind: str) -> str:
    """Return where a value stands, as SQL: a whole number but for FLOAT and DOUBLE."""
    if kind == "DATE":
        return f"({value} - DATE '1970-01-01')"
    if kinds.family_of(kind) == "moment":
        return f"epoch_us({kinds.moment(value, kind)})"
    if scale := re.fullmatch(r"DECIMAL\(\d+, ?(\d+)\)", kind):
        return (
            f"({value}::DECIMAL(38, {scale[1]})::VARCHAR).replace('.', '')::HUGEINT"
            if int(scale[1])
            else f"{value}::HUGEINT"
        )
    return f"{value}::DOUBLE" if kind in {"FLOAT", "DOUBLE"} else f"{value}::HUGEINT"


# ---- numbers and dates ----------------------------------------------------------------------------------------------


def _steps(count: _Counter, name: str, kind: str, ends: tuple[int, int], different: int) -> list[Bar]:
    """Return the bars of values that stand at whole positions."""
    low, high = int(ends[0]), int(ends[1])
    if high - low >= _WIDEST:
        return []
    unit = kinds.unit(kind) if kind != "DATE" else Decimal(1)
    finite = f"isfinite({name})" if kind == "DATE" else f"{name} IS NOT NULL"
    small = max(abs(low), abs(high)) < _MOST
    decimals = re.fullmatch(r"DECIMAL\((\d+), ?(\d+)\)", kind)
    if kind == "DATE":
        at = f"({name} - DATE '1970-01-01')"
    elif decimals and int(decimals[1]) <= _SHORT_DECIMAL:
        at = f"({name} * {10 ** int(decimals[2])})::BIGINT"
    elif decimals:
        at = _position(name, kind)
    else:
        at = f"{name}::{'BIGINT' if small else 'HUGEINT'}"
    if low == high:
        groups = [(low, *group[1:]) for group in count.groups("true", finite)]
        found: Sequence[Bin] = [Bin(low, low, rows) for _, rows, _ in groups]
    elif different <= _FINE:
        groups = count.groups(at, finite)
        found = bins.of_steps([(value, rows) for value, rows, _ in groups], low, high)
    else:
        width = (high - low) // _FINE + 1
        wide = width * bins.together((high - low) // width + 1)
        counted = count.groups(f"({at} - {low}) // {wide}", finite)
        found = bins.of_fine_steps([(int(bar), rows) for bar, rows, _ in counted], low, high, wide)
        groups = [(low + int(bar) * wide, rows, seen) for bar, rows, seen in counted]
    edges = [(int(bar.low), int(bar.high)) for bar in found]  # whole positions
    seen = _added([first for first, _ in edges], groups)
    texts = _written([end for pair in edges for end in pair], kind, unit, count.cursor)
    return [
        Bar(_range(first, last), bar.rows, seen[at], f">= {first}" if first != last else f"= {first}", f"<= {last}")
        for at, (bar, first, last) in enumerate(zip(found, texts[::2], texts[1::2], strict=True))
    ]


def _written(positions: Sequence[int], kind: str, unit: Decimal, cursor: duckdb.DuckDBPyConnection) -> list[str]:
    if kind == "DATE":
        sql = "SELECT (DATE '1970-01-01' + unnest($days)::INTEGER)::VARCHAR"
        return [text for (text,) in cursor.execute(sql, {"days": list(positions)}).fetchall()]
    return [str(at) if unit == 1 else f"{_EXACT.multiply(Decimal(at), unit):f}" for at in positions]


def _floats(count: _Counter, name: str, ends: tuple[float, float], different: int) -> list[Bar]:
    """Return the bars of floats: one for each while they are few, else of equal width."""
    low, high = ends
    finite = f"isfinite({name})"
    if different <= bins.BARS or low == high:
        groups = count.groups(f"{name}::DOUBLE", finite)
        if len(groups) <= bins.MOST_BARS:
            return [Bar(f"{value!r}", rows, seen, f"= {value!r}", f"= {value!r}") for value, rows, seen in groups]
    if low == int(low) and high == int(high) and high - low < _MOST:
        is_whole = count.one(f"coalesce(bool_and({name} = trunc({name})) FILTER (WHERE {finite}), false)")[0]
        if is_whole and max(abs(low), abs(high)) < 2**53:
            return _steps(count, f"(CASE WHEN {finite} THEN {name} END)", "BIGINT", (int(low), int(high)), different)
    edges = [low * (1 - at / bins.BARS) + high * (at / bins.BARS) for at in range(bins.BARS + 1)]
    cases = " ".join(f"WHEN {name}::DOUBLE < {edge!r}::DOUBLE THEN {at}" for at, edge in enumerate(edges[1:-1]))
    groups = count.groups(f"CASE {cases} ELSE {bins.BARS - 1} END", finite)
    counted = {at: (rows, seen) for at, rows, seen in groups}
    bars = []
    for at in range(bins.BARS):
        first, last = edges[at], edges[at + 1]
        rows, seen = counted.get(at, (0, 0))
        end = f"<= {last!r}" if at == bins.BARS - 1 else f"< {last!r}"
        bars.append(Bar(f"{first:.4g} to {last:.4g}", rows, seen, f">= {first!r}", end))
    return bars


def _moments(count: _Counter, name: str, kind: str, ends: tuple[int, int]) -> list[Bar]:
    """Return the bars of moments, which begin at whole seconds, hours or days."""
    low, high = int(ends[0]), int(ends[1])
    width = next((width for width in _WIDTHS if high // width - low // width < _MOMENT_BARS), _WIDTHS[-1])
    first = low // width
    number = min(high // width - first + 1, 4 * _MOMENT_BARS)
    finite = kinds.is_finite(name, kind)
    us_of = f"epoch_us({kinds.moment(name, kind)}){'::HUGEINT' if max(abs(low), abs(high)) >= _MOST else ''}"
    floor = f"(({us_of} - (({us_of} % {width}) + {width}) % {width}) // {width})" if low < 0 else f"{us_of} // {width}"
    counted = {int(cell) - first: (rows, seen) for cell, rows, seen in count.groups(floor, finite)}
    make = {"TIME": "TIME '00:00' + to_microseconds({us})", **dict.fromkeys(_WITH_ZONE, "make_timestamptz({us})")}
    sql = make.get(kind, "make_timestamp({us})").format(us="unnest($us)")
    us = [(first + at) * width for at in range(number + 1)]
    if kind == "TIME":
        us = [min(at, _DAY - 1) for at in us]
    texts = [text for (text,) in count.cursor.execute(f"SELECT ({sql})::VARCHAR", {"us": us}).fetchall()]
    return [
        Bar(f"{texts[at]} to {texts[at + 1]}", *counted.get(at, (0, 0)), f">= {texts[at]}", f"< {texts[at + 1]}")
        for at in range(number)
    ]


def _added(firsts: Sequence[int], groups: Sequence[tuple[int, int, int]]) -> list[int]:
    """Return the rows that are seen of each bar, which begin at *firsts*."""
    seen = [0] * len(firsts)
    for value, _, rows in groups:
        seen[bisect.bisect_right(firsts, value) - 1] += rows
    return seen


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


# ---- texts ----------------------------------------------------------------------------------------------------------


def _categories(count: _Counter, column: Column, name: str, empty: Histogram, different: int) -> Histogram:
    """Return a bar for each of the most frequent texts, and one for the others."""
    if different > _NAMED:
        is_below = different < empty.rows - empty.nulls  # an estimate: one in three is more than 13 % off
        return replace(empty, different=f"about {different:,} different" if is_below else "mostly different")
    groups = count.groups(f"{name}::VARCHAR", f"{name} IS NOT NULL")
    if len(groups) == 1 or (len(groups) > _TOP and max(rows for _, rows, _ in groups) == 1):
        return replace(empty, different=f"{len(groups):,} different" if len(groups) > 1 else "one value")
    groups.sort(key=lambda group: -group[1])
    top, rest = groups[:_TOP], groups[_TOP:]
    bars = [Bar(_short(text), rows, seen, _equal(text, column.kind)) for text, rows, seen in top]
    if rest:
        label = f"{len(rest):,} others"
        bars.append(Bar(label, sum(rows for _, rows, _ in rest), sum(seen for _, _, seen in rest), ""))
    return replace(empty, bars=tuple(bars), ordered=False)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - characters of a label


def _equal(text: str, kind: str) -> str:
    """Return the filter for *text* alone; empty where it is too long to be one."""
    if len(text) > _LONGEST:
        return ""
    if kind != "VARCHAR" and not kind.startswith("ENUM("):
        return f"= {text}"
    return '= "' + text.replace('"', '""') + '"'

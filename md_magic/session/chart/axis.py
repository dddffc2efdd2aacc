"""Axes of numbers and moments: in SQL the fine cell that a value is in, and in Python the bars made of fine cells.

Each bar has exactly the rows from its start to before its end. Whole numbers and moments are computed with as integers;
an edge between floating point numbers is the least number that the database's own arithmetic puts above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from md_magic.session.profile import bins, kinds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from md_magic.session.chart.channels import Source

Steps = Literal[
    "whole",  # integers: bars have a whole number of them
    "real",  # numbers as DOUBLE
    "moment",  # microseconds: bars are seconds, hours, days, weeks
]

_DAY = 86_400_000_000
_UNITS = {
    1: (1, 2, 5, 10, 20, 50, 100, 200, 500),
    1_000: (1, 2, 5, 10, 20, 50, 100, 200, 500),
    1_000_000: (1, 2, 5, 10, 15, 30),
    60_000_000: (1, 2, 5, 10, 15, 30),
    3_600_000_000: (1, 2, 3, 6, 12),
    _DAY: (1, 2, 7, 14, 28, 56, 91, 182, 364, 728, 1_820, 3_640, 7_280, 18_200, 36_400, 91_000, 364_000, 3_640_000),
}
_WIDTHS = [unit * number for unit, numbers in _UNITS.items() for number in numbers]
"""Widths of bars of time, in microseconds."""

_ROUND = [factor * 10**power for power in range(36) for factor in (1, 2, 5)]
"""Widths of bars of whole numbers."""

_MOST_STEPS = 60
"""Whole steps that have a bar each."""

_HUGE = {"UBIGINT": "UBIGINT", "HUGEINT": "HUGEINT"}
"""Types whose values are computed with as they are; those of smaller integers as BIGINT."""

_SMALL = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
"""Types whose values DuckDB widens by itself, where a BIGINT is taken from them; to write a cast costs more."""

_MOST = {"BIGINT": 2**62, "HUGEINT": 2**126}
"""The largest difference to compute with in a type, with room for a bar; that of other integers always fits."""

_GREATEST = "1.7976931348623157e308"
"""The greatest finite DOUBLE. A comparison takes half the time of `isfinite`."""

_WRITTEN = 15
"""Digits before or behind the point that a width is written with."""

_BYTE = 250
"""Fine cells that are numbered in a byte: by those, DuckDB groups without hashes."""

_TOO_HUGE = frozenset({"UHUGEINT", "BIGNUM"})

_YEARS = ("0001-01-01", "10000-01-01")
"""The first moment that Altair writes, and the one after the last. A comparison costs nearly nothing."""

_WITH_YEARS = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"})

_ORDERED = frozenset({"FLOAT", "DOUBLE", "DATE", "TIME"})
"""Types whose order is that of their positions, with integers, decimals and timestamps; not that of an INTERVAL."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of a column of numbers or moments."""

    name: str
    """The name of the column within the statement."""

    kind: str
    """DuckDB's type."""

    steps: Steps
    fine: int
    """Fine cells, about."""

    on_wall: bool
    """Whether moments are computed as the wall clock shows them; else they are converted when they are drawn."""

    @classmethod
    def of(cls, name: str, source: Source, *, fine: int, on_wall: bool = True) -> Axis:
        """Return the axis *name* of *source*."""
        steps: Steps = "moment" if source.role == "moment" else "real"
        if kinds.is_integer(source.kind) and source.kind not in _TOO_HUGE:
            steps = "whole"
        return cls(name, source.kind, steps, fine, on_wall)

    def value(self, column: str) -> str:
        """Return SQL for the position of a *column* of the result; NULL where it has none on the axis."""
        if self.steps == "whole":
            return column if self.kind in _SMALL else f"{column}::{self._whole}"
        if self.steps == "real":
            return finite(real(column, self.kind))
        on_clock = self.kind == "DATE" or (self.on_wall and self.zoned)
        moment = f"epoch_us({f'{column}::TIMESTAMP' if on_clock else kinds.moment(column, self.kind)})"
        if not self.has_years:
            return moment
        first, after = (f"'{end}'::{self.kind}" for end in _YEARS)
        return f"CASE WHEN {column} >= {first} AND {column} < {after} THEN {moment} END"

    @property
    def has_years(self) -> bool:
        """Whether its moments may be in years that cannot be drawn."""
        return self.kind in _WITH_YEARS

    @property
    def zoned(self) -> bool:
        """Whether its moments are shown in the session's time zone."""
        return self.kind == "TIMESTAMP WITH TIME ZONE"

    @property
    def _whole(self) -> str:
        return _HUGE.get(self.kind, "BIGINT")

    @property
    def _may_be_wide(self) -> bool:
        """Whether the difference of two values may be more than their type holds."""
        return self.kind in {"BIGINT", "HUGEINT"}

    @property
    def least(self) -> int:
        """The least width of a bar of moments."""
        return _DAY if self.kind == "DATE" else 1

    def shown(self, value: str) -> str:
        """Return SQL for a position as it is drawn."""
        if self.zoned and not self.on_wall:
            return f"epoch_us(make_timestamptz({value})::TIMESTAMP)"
        return value

    def ends(self) -> list[str]:
        """Return aggregates over all rows."""
        x = self.name
        return [f"min({x}) AS {x}_lo", f"max({x}) AS {x}_hi"]

    @property
    def keeps_order(self) -> bool:
        """Whether positions have the order of the column's values, so that its ends are theirs."""
        if self.zoned and self.on_wall:
            return False  # the clock is put back in autumn
        exact = kinds.is_integer(self.kind) and self.kind not in _TOO_HUGE
        return exact or self.kind.startswith(("DECIMAL", "TIMESTAMP")) or self.kind in _ORDERED

    def known(self, column: str) -> list[str]:
        """Return aggregates of a *column* of a table, which DuckDB takes from the table's statistics."""
        return [f"min({column}) AS {self.name}_least", f"max({column}) AS {self.name}_most"]

    def known_ends(self) -> tuple[list[str], str]:
        """Return the ends from `known`, and SQL for whether that does not give them: one is infinite, or no number.

        That SQL is empty for whole numbers, which are neither.
        """
        x = self.name
        low, high = self.value(f"{x}_least"), self.value(f"{x}_most")
        unknown = f"({x}_least IS NOT NULL AND (({low}) IS NULL OR ({high}) IS NULL))" if self.steps != "whole" else ""
        return [f"{low} AS {x}_lo", f"{high} AS {x}_hi"], unknown

    def cut(self) -> list[str]:
        """Return where the fine cells begin, and their width, from the ends."""
        x, lo, hi = self.name, f"{self.name}_lo", f"{self.name}_hi"
        if self.steps == "whole":
            span = f"TRY({hi}::HUGEINT - {lo}::HUGEINT)"
            width = f"({span} // {self.fine} + 1)"
            wide = f"coalesce({span} > {_MOST[self._whole]}, true)" if self._may_be_wide else "false"
            half = f"({wide})::INTEGER AS {x}_half"  # of a difference that is too wide, both sides are halved
            step = f"({x}_w // (1 + {x}_half))::{self._whole} AS {x}_step"
            if self._whole == "BIGINT":  # else bars are round
                near = f"list_filter('{_ROUND}'::HUGEINT[], lambda w: w >= {width})[1]"
                least = f"greatest({lo}::HUGEINT - ({lo}::HUGEINT % {x}_w + {x}_w) % {x}_w, {-(2**63)}::HUGEINT)"
                return [
                    half,
                    f"CASE WHEN {wide} THEN ({width} + 1) // 2 * 2 ELSE {near} END AS {x}_w",
                    f"CASE WHEN {wide} THEN {lo} >> 1 ELSE ({least})::BIGINT END AS {x}_base",
                    step,
                ]
            if self._may_be_wide:
                halved = f"(({hi} >> 1) - ({lo} >> 1)) // {self.fine} * 2 + 2"
                base = f"CASE WHEN {wide} THEN {lo} >> 1 ELSE {lo} END"
                return [half, f"CASE WHEN {wide} THEN {halved} ELSE {width} END AS {x}_w", f"{base} AS {x}_base", step]
            return [f"{lo} AS {x}_base", f"{width}::{self._whole} AS {x}_step", f"{width} AS {x}_w"]
        if self.steps == "moment":
            span = f"({hi}::HUGEINT - {lo}::HUGEINT)"
            units = " ".join(f"WHEN {span} >= {unit} THEN {unit}" for unit in reversed(_UNITS))
            unit = f"(CASE {units} ELSE 1 END)"
            widths = f"{[w for w in _WIDTHS if w >= self.least]}::BIGINT[]"
            width = f"list_filter({widths}, lambda w: w >= {span} / {self.fine})[1]"
            base = f"({lo} - ({lo} % {unit} + {unit}) % {unit})"
            # where the difference is too wide for a BIGINT, both sides are halved: a day is an even number
            return [f"{base} AS {x}_base", f"{width} AS {x}_w", f"{span} > {_MOST['BIGINT']} AS {x}_far"]
        least = f"greatest(abs({lo}), abs({hi})) * 1e-14"
        span = f"greatest({hi} / {self.fine} - {lo} / {self.fine}, {least}, 1e-300)"
        power = f"pow(10, floor(log10({span})))"
        factors = " ".join(f"WHEN {span} <= {factor} * {power} THEN {factor}" for factor in (1, 2, 5))
        width = f"{power} * (CASE {factors} ELSE 10 END)"
        return [f"{width} AS {x}_w"]

    def scaled(self) -> list[str]:
        """Return the number by which a position is multiplied, then divided, to give cells, and the first cell.

        1 / 0.05 is exactly 20, and 0.3 * 20 exactly 6, where 0.3 / 0.05 is less.
        """
        x = self.name
        if self.steps != "real":
            return []
        times, by = f"CASE WHEN {x}_w < 1 THEN 1 / {x}_w ELSE 1 END", f"greatest({x}_w, 1)"
        return [f"{times} AS {x}_times", f"{by} AS {x}_by", f"floor({x}_lo * ({times}) / {by}) AS {x}_first"]

    def cell(self) -> str:
        """Return SQL for the number of the fine cell that a position is in."""
        number = self._cell()
        if self.fine > _BYTE:
            return number
        if self.steps == "whole" and not self._may_be_wide:  # a division takes as long as all the rest
            x = self.name
            return f"CASE WHEN {x}_step = 1 THEN ({x} - {x}_base)::UTINYINT ELSE ({number})::UTINYINT END"
        return f"({number})::UTINYINT"

    def _cell(self) -> str:
        x = self.name
        if self.steps == "moment":
            halved = f"(({x} >> 1) - ({x}_base >> 1)) // ({x}_w >> 1)"
            return f"CASE WHEN {x}_far THEN {halved} ELSE ({x} - {x}_base) // {x}_w END"
        if self.steps == "real":
            return f"(floor({x} * {x}_times / {x}_by) - {x}_first)::INTEGER"
        if not self._may_be_wide:
            return f"(({x} - {x}_base) // {x}_step)::BIGINT"
        return f"((({x} >> {x}_half) - {x}_base) // {x}_step)::BIGINT"

    def pixels(self, number: int) -> list[str]:
        """Return the factor that makes *number* columns of pixels; the last position is in the last of them."""
        x = self.name
        span = f"({x}_hi::DOUBLE / 2 - {x}_lo::DOUBLE / 2)"
        return [f"CASE WHEN {span} > 0 THEN {number} * (1 - 1e-12) / {span} ELSE 0 END AS {x}_pixels"]

    def column_of_pixels(self) -> str:
        """Return SQL for the column of pixels that a position is in."""
        x = self.name
        return f"floor(({x}::DOUBLE / 2 - {x}_lo::DOUBLE / 2) * {x}_pixels)::INTEGER"


def real(column: str, kind: str) -> str:
    """Return SQL for a number, or the seconds of an INTERVAL, as a DOUBLE."""
    if kind == "INTERVAL":
        return f"epoch({column})::DOUBLE"
    return kinds.number_text(column, kind) if kind in _TOO_HUGE else f"{column}::DOUBLE"


def finite(number: str) -> str:
    """Return SQL for a DOUBLE; NULL for one that is infinite or no number."""
    return f"CASE WHEN {number} <= {_GREATEST} AND {number} >= -{_GREATEST} THEN {number} END"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars, and which of them each fine cell is in."""

    of: Mapping[int, int]
    starts: Sequence[Any]
    """Numbers, or microseconds."""

    ends: Sequence[Any] | None
    """`None` where each bar is a single value."""

    width: str = ""
    """The width of a bar in words, where values were put together."""


Cells: TypeAlias = "Collection[int]"
"""The fine cells that have rows."""

Single: TypeAlias = "Mapping[int, Any]"
"""The one value of each fine cell."""


def bars(
    axis: Axis,
    ends: Mapping[str, Any],
    cells: Cells,
    single: Single | None,
    *,
    most: int,
    singly: int = 0,
    as_bins: bool = False,
) -> Bars:
    """Return at most *most* bars of *cells*, of an answer that holds the *ends*; *single* where all have one value.

    Up to *singly* values have a bar each, wherever they lie. With *as_bins*, bars of single values have ends too.
    """
    low, high = (ends[f"{axis.name}_{end}"] for end in ("lo", "hi"))
    base, width = ends.get(f"{axis.name}_base", 0), ends[f"{axis.name}_w"]
    if not cells:
        return Bars({}, (), None)
    if single is None and width == 1 and axis.steps != "real":
        single = {at: base + at for at in cells}
    if axis.steps == "moment":
        return _moments(cells, single, low, high, base, width, most=most, singly=max(singly, _MOST_STEPS))
    if axis.steps == "whole":
        made = _whole(single, low, high, Decimal(1), most=most, singly=singly) or _whole_bins(
            cells, base << ends.get(f"{axis.name}_half", 0), high, width, most=most
        )
    else:
        found: Bars | None = None
        decimals = _as_decimals(single) if single and len(single) <= max(singly, most, _MOST_STEPS) else None
        if decimals is not None:
            whole, unit = decimals
            found = _whole(whole, min(whole.values()), max(whole.values()), unit, most=most, singly=singly)
        made = found or _real_bins(axis.name, ends, cells, most=most)
    return _with_ends(made) if as_bins and made.ends is None else made


def _with_ends(made: Bars) -> Bars:
    steps = [after - before for before, after in pairwise(made.starts)]
    step = min(steps, default=1)
    return Bars(made.of, made.starts, [start + step for start in made.starts], made.width)


def _as_decimals(single: Mapping[int, float]) -> tuple[dict[int, int], Decimal] | None:
    """Return the values as whole numbers of a decimal unit; `None` for numbers of too many digits."""
    digits = bins.digits_of(list(single.values()))
    if digits is None:
        return None
    return {at: int(Decimal(repr(value)).scaleb(digits)) for at, value in single.items()}, Decimal(1).scaleb(-digits)


def _whole(
    single: Mapping[int, int] | None, low: int, high: int, unit: Decimal, *, most: int, singly: int
) -> Bars | None:
    """Return a bar for each step, or for each of a few values; `None` where there are too many."""
    if single is None:
        return None
    step = max(reduce(math.gcd, (value - low for value in single.values()), 0), 1)
    number = (high - low) // step + 1
    if number <= min(most, _MOST_STEPS):
        of = {at: (value - low) // step for at, value in single.items()}
        return Bars(of, [_worth(low + at * step, unit) for at in range(number)], None)
    if len(single) <= min(singly, most):
        values = sorted(set(single.values()))
        places = {value: at for at, value in enumerate(values)}
        return Bars({at: places[value] for at, value in single.items()}, [_worth(v, unit) for v in values], None)
    together = bins.together(number, most)
    wide = together * step
    of = {at: (value - low) // wide for at, value in single.items()}
    starts = [low + at * wide for at in range(-(-number // together))]
    ends = [min(start + wide, high + step) for start in starts]
    return Bars(of, [_worth(s, unit) for s in starts], [_worth(e, unit) for e in ends], f"{_worth(wide, unit):,}")


def _whole_bins(cells: Cells, base: int, high: int, width: int, *, most: int) -> Bars:
    """Return bars whose width is round and whose starts are its multiples, where the fine cells' are so."""
    number = (high - base) // width + 1
    fits = (wide for wide in _ROUND if wide % width == 0 and (high - base // wide * wide) // wide < most)
    is_round = base % width == 0
    wide = next(fits, 0) if is_round else 0
    together = wide // width or bins.together(number, most)
    wide = together * width
    before = base % wide // width if is_round else 0
    starts = [base + (at * together - before) * width for at in range(-(-(number + before) // together))]
    return Bars({at: (at + before) // together for at in cells}, starts, [each + wide for each in starts], f"{wide:,}")


def _real_bins(name: str, ends: Mapping[str, Any], cells: Cells, *, most: int) -> Bars:
    low, high, width = (ends[f"{name}_{end}"] for end in ("lo", "hi", "w"))
    times, by, first = ends[f"{name}_times"], ends[f"{name}_by"], int(ends[f"{name}_first"])
    fine = Decimal(f"{width:.0e}")
    wide, factors = fine, (2, Decimal("2.5"), 2)
    turn = {1: 0, 2: 1, 5: 2}[int(fine.scaleb(-fine.adjusted()))]
    while (high / 2 - low / 2) / float(wide) * 2 > most:
        wide *= factors[turn % 3]
        turn += 1
    together = int(wide / fine)
    begin = first // together
    of = {at: (at + first) // together - begin for at in cells}
    edges = [_edge((begin + at) * together, fine, times, by) for at in range(max(of.values()) + 2)]
    written = f"{wide.normalize():,f}" if -_WRITTEN <= wide.adjusted() <= _WRITTEN else f"{wide.normalize():e}"
    return Bars(of, edges[:-1], edges[1:], written)


def _edge(cell: int, width: Decimal, times: float, by: float) -> float:
    """Return the least number in *cell*, counted from 0; it is a decimal wherever rounding does not interfere."""
    edge = float(cell * width)
    if not cell:
        return edge
    while math.floor(edge * times / by) < cell:
        edge = math.nextafter(edge, math.inf)
    while math.floor((below := math.nextafter(edge, -math.inf)) * times / by) >= cell:
        edge = below
    return edge


def _moments(
    cells: Cells,
    single: Mapping[int, int] | None,
    low: int,
    high: int,
    base: int,
    width: int,
    *,
    most: int,
    singly: int,
) -> Bars:
    if single is not None and len(single) <= min(singly, most):
        values = sorted(set(single.values()))
        step = min((after - before for before, after in pairwise(values)), default=_DAY if low % _DAY == 0 else 1)
        places = {value: at for at, value in enumerate(values)}
        return Bars({at: places[value] for at, value in single.items()}, values, [value + step for value in values])
    wide = next(
        (each for each in _WIDTHS if each % width == 0 and (high - base) // each < most), -(-(high - base + 1) // most)
    )
    together = -(-wide // width)
    of = {at: at // together for at in cells}
    starts = [base + at * together * width for at in range(max(of.values()) + 1)]
    return Bars(of, starts, [start + together * width for start in starts], _in_words(together * width))


def _worth(position: int, unit: Decimal) -> int | float:
    return position if unit == 1 else float(position * unit)


def _in_words(micros: int) -> str:
    """Return a duration as a width: `1 hour`, `14 days`."""
    names = ["microsecond", "millisecond", "second", "minute", "hour", "day"]
    unit, name = next((u, n) for u, n in zip(reversed(_UNITS), reversed(names), strict=True) if micros % u == 0)
    return f"{micros // unit:,} {name}{'s' * (micros != unit)}"

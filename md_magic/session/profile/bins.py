"""Histograms: which bars are drawn of a sample's values, so that even values give even bars.

Whole numbers, dates and decimals have steps, and each bar has the same whole number of them: one while there are few
steps, else there are about twenty bars. Bars of a fraction of a step would show peaks that are not there.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from md_magic.session.profile.values import Bin

if TYPE_CHECKING:
    from collections.abc import Sequence

BARS = 20
MOST_BARS = 40
"""A histogram has this many bars at most: one for each step, while there are so few."""

_FEWEST = 12
_MOST_DIGITS = 9
"""Digits after the point of floats that are taken for decimals: 0.1, 0.2, 0.3."""

Rows = tuple[float, int]
"""A position, and its rows."""


def of_steps(values: Sequence[tuple[int, int]], low: int, high: int, *, unit: Decimal = Decimal(1)) -> tuple[Bin, ...]:
    """Return the bars of whole positions with their rows, from *low* to *high*; a step of 1 is worth *unit*.

    If all values are multiples of something, such as full hours, that is the step.
    """
    step = math.gcd(high - low, *(value - low for value, _ in values))
    return _of_cells([((value - low) // step, rows) for value, rows in values], low, high, step, step, unit)


def of_fine_steps(
    bins: Sequence[tuple[int, int]], low: int, high: int, width: int, *, unit: Decimal = Decimal(1)
) -> tuple[Bin, ...]:
    """Return the bars of fine bins, numbered from 0 and *width* wide, between *low* and *high*."""
    return _of_cells(bins, low, high, width, 1, unit)


def of_floats(values: Sequence[Rows], low: float, high: float) -> tuple[Bin, ...]:
    """Return the bars of *values* with their rows; of decimals such as 0.1, 0.2, 0.3 with whole steps."""
    digits = digits_of([low, high, *(value for value, _ in values)])
    if digits is None:
        return _continuous([(_share(value, low, high) * BARS, rows) for value, rows in values], low, high)
    first, last, *others = (int(Decimal(repr(value)).scaleb(digits)) for value in (low, high, *(v for v, _ in values)))
    rows = [(value, rows) for value, (_, rows) in zip(others, values, strict=True)]
    return of_steps(rows, first, last, unit=Decimal(1).scaleb(-digits))


def of_fine_floats(bins: Sequence[tuple[int, int]], low: float, high: float, number: int) -> tuple[Bin, ...]:
    """Return the bars of *number* fine bins between *low* and *high*."""
    return _continuous([(at * BARS / number, rows) for at, rows in bins], low, high)


def _of_cells(
    cells: Sequence[tuple[int, int]], low: int, high: int, width: int, step: int, unit: Decimal
) -> tuple[Bin, ...]:
    """Return the bars of *cells*, numbered from 0 and *width* wide; values are multiples of *step*."""
    number = (high - low) // width + 1
    joined = together(number)
    rows = [0] * -(-number // joined)
    for at, count in cells:
        rows[at // joined] += count
    wide = joined * width
    bars = []
    for at, count in enumerate(rows):
        first = low + at * wide
        last = min(first + wide - step, high)
        part = (last - first + step) / wide
        bars.append(Bin(_worth(first, unit), _worth(last, unit), count, part))
    return tuple(bars)


def _worth(position: int, unit: Decimal) -> int | Decimal:
    return position if unit == 1 else position * unit


def together(cells: int, most: int = MOST_BARS) -> int:
    """Return how many of *cells* make a bar, so that the last bar has nearly as many.

    There are at most *most* bars, and at least 12 where that allows it.
    """
    if cells <= most:
        return 1

    def cost(joined: int) -> float:
        bars = -(-cells // joined)
        return (bars * joined - cells) / joined + abs(bars - BARS) / (4 * BARS)

    return min({-(-cells // bars) for bars in range(min(_FEWEST, most), most + 1)}, key=lambda each: (cost(each), each))


def _continuous(positions: Sequence[Rows], low: float, high: float) -> tuple[Bin, ...]:
    rows = [0] * BARS
    for at, count in positions:
        rows[min(int(at), BARS - 1)] += count
    edges = [low * (1 - at / BARS) + high * (at / BARS) for at in range(BARS + 1)]  # no overflow
    return tuple(Bin(edges[at], edges[at + 1], rows[at]) for at in range(BARS))


def _share(value: float, low: float, high: float) -> float:
    return (value / 2 - low / 2) / (high / 2 - low / 2)  # halves, because a range may overflow


def digits_of(values: Sequence[float]) -> int | None:
    """Return how many digits after the point *values* have; `None` if they are no decimals of a few digits."""
    digits = 0
    for value in values:
        exponent = Decimal(repr(value)).normalize().as_tuple().exponent
        if not isinstance(exponent, int) or abs(value) >= 2**53 or exponent < -_MOST_DIGITS:
            return None
        digits = max(digits, -exponent)
    return digits

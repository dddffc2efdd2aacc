"""What a profile says: plain, frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from md_magic.catalog import listing

if TYPE_CHECKING:
    from decimal import Decimal

    import pandas as pd

Family = Literal[
    "number",
    "moment",  # dates, times, timestamps, intervals: values on a time axis
    "text",  # VARCHAR and JSON: values with a length in characters
    "label",  # BOOLEAN, ENUM, UUID, BIT: a few values, or names
    "bytes",
    "list",  # lists, arrays, maps: values with a number of items
    "other",  # structs, unions, geometries
]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Count:
    """How often a value occurs in the sample."""

    value: str
    rows: int
    share: float
    """Its part of the sampled values that are not NULL, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram. All bars of a column are equally wide; the first and last end where the values do."""

    low: float | Decimal
    """A number; for a moment, seconds since 1970 or since midnight."""

    high: float | Decimal
    """For steps (whole numbers, dates, decimals) the last value in the bar; else the next bar begins here."""

    rows: int
    part: float = 1.0
    """How much of the bar's width lies before the largest value, from 0 to 1: below 1 in the last bar at most."""


@dataclass(frozen=True, slots=True)
class Column:
    """The summary of one column."""

    name: str
    type: str
    """DuckDB's name of the type; a long one, such as an ENUM's, is cut."""

    family: Family
    nulls: int
    distinct: int
    """The number of different values other than NULL."""

    smallest: object = None
    """An `int`, `float` or `Decimal` for numbers, else DuckDB's text, cut; `None` where there are no values."""

    largest: object = None
    mean: object = None
    """A `float` for numbers, text for moments, else `None`."""

    quantiles: tuple[object, ...] = ()
    """At 5, 25, 50, 75 and 95 %: interpolated for numbers, text for moments; empty for other families."""

    lengths: tuple[int, int, float] | None = None
    """The shortest, longest and mean length: in characters, bytes or items."""

    frequent: tuple[Count, ...] = ()
    """The most frequent values of the sample, at most 20, the most frequent first."""

    bins: tuple[Bin, ...] = ()
    """A histogram of the sample's finite values between the smallest and the largest of all rows."""

    example: str | None = None
    """Any value of a nested column."""

    distinct_exact: bool = True
    """Whether `distinct` is exact; else it was within 1 % of the truth wherever it was measured."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The summary of the columns of a query or table."""

    columns: tuple[Column, ...]
    rows: int
    sampled: int
    """Rows in the sample that quantiles, histograms and frequent values come from; at most *rows*."""

    left_out: int = 0
    """Number of further columns that were not profiled."""

    @property
    def exact(self) -> bool:
        """Whether every number but distinct nested values is exact, because the sample has every row."""
        return self.sampled == self.rows

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each column: the numbers of the cards, to compute with.

        `sampled` is the number of rows that quantiles and the most frequent value were taken from.
        """
        return listing.frame([_row(self, column) for column in self.columns], list(_row(self, _NOTHING)))

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
        "distinct_exact": column.distinct_exact,
        "smallest": column.smallest,
        "largest": column.largest,
        "mean": column.mean,
        "sampled": profile.sampled,
        **{f"q{round(at * 100):02}": value for at, value in zip(QUANTILES, quantiles, strict=True)},
        "shortest": shortest,
        "longest": longest,
        "most_frequent": column.frequent[0].value if column.frequent else None,
    }

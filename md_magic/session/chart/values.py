"""What is asked of a chart, and what the database answered: plain, frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal[
    "bar",  # a bar for each x
    "line",
    "area",  # a filled line; with a colour, stacked
    "point",
    "histogram",  # how many rows are in each bin of x
    "box",  # quartiles, whiskers and the extremes
    "heatmap",  # a cell for each x and y
]

KINDS: tuple[Kind, ...] = get_args(Kind)

Scale = Literal[
    "quantitative",
    "temporal",  # microseconds on the wall clock since 1970
    "ordinal",  # values in the order of `Field.order`
    "nominal",  # the same, of which each has a colour of its own
]
"""Vega-Lite's types of fields."""

MOST_MARKS = 5_000
"""Marks that a chart has at most."""


OF_OBJECTS = frozenset(
    {
        *("__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "__proto__", "constructor"),
        *("hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "prototype", "toLocaleString", "toString"),
        *("valueOf",),
    }
)
"""Names that every object of a browser has: Vega takes one, as a column or a text, for what stands behind it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the line asks for."""

    kind: Kind | None = None
    """`None` where the types of the columns decide."""

    x: str | None = None
    """The name of a column, as the other three."""

    y: str | None = None
    color: str | None = None
    facet: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the marks."""

    name: str
    scale: Scale
    title: str
    """The name that a person reads: the result's own."""

    order: tuple[object, ...] | None = None
    """The values of a scale that is ordinal or nominal, in their order."""

    end: str = ""
    """The column with the end of each bar, which is no longer a part of it; empty for single values."""

    whole: bool = False
    """Whether every value is a whole number."""

    clock: bool = False
    """Whether a temporal field is a time of day."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart: the marks and what they mean. Its `data` has a list for each column, all of one length."""

    kind: Kind
    title: str
    channels: Mapping[str, Field]
    """By the channel that draws them: `x`, `y`, `color`, `facet`, `opacity`, `tooltip`."""

    data: Mapping[str, Sequence[Any]]
    rows: int = 0
    """Rows of the query, as many as were read."""

    reduced: tuple[str, ...] = ()
    """Sentences that say what the database has done with the rows, and what is not drawn."""

    dense: bool = False
    """Whether points are drawn as cells with their number of rows."""

    five: bool = False
    """Whether a box has nine values that stand for all: the extremes, the whiskers' ends and the quartiles."""

    stacked: bool = False

    other: str = field(default="")
    """The name of the colour for all values that have none of their own; empty where each has."""

    @property
    def marks(self) -> int:
        """The number of marks."""
        return len(next(iter(self.data.values()), ()))

"""Which columns are drawn where: what the line says, and the types of the columns where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from md_magic.engine.results.batches import unique_names
from md_magic.errors import OptionError
from md_magic.session.profile.kinds import family_of
from md_magic.wording import did_you_mean, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.session.chart.values import Kind, Wish

Role = Literal[
    "number",
    "moment",  # dates, timestamps and times of day
    "label",  # everything else, by its text
]

_LISTED = 12
_DRAWN_TOGETHER = 3
"""Columns of a result of which a label is taken as the colour unasked: then nothing else can be meant."""


@dataclass(frozen=True, slots=True)
class Source:
    """A column of the result."""

    at: int
    """Its position."""

    name: str
    kind: str
    """DuckDB's type."""

    @property
    def role(self) -> Role:
        """How its values are drawn."""
        family = family_of(self.kind)
        if family == "number" or self.kind == "INTERVAL":
            return "number"
        return "moment" if family == "moment" else "label"


@dataclass(frozen=True, slots=True)
class Plan:
    """The kind of the chart, and the columns of its channels."""

    kind: Kind
    x: Source | None = None
    y: Source | None = None
    color: Source | None = None
    facet: Source | None = None
    across: bool = False
    """Whether bars or boxes lie: the categories are on the y axis, and stand in `x` here."""


def choose(columns: Sequence[tuple[str, str]], wish: Wish) -> Plan:
    """Return what is drawn of *columns*, names and DuckDB's types, as *wish* says. Raises `OptionError`."""
    written = [name for name, _ in columns]
    sources = [Source(at, name, columns[at][1]) for at, name in enumerate(unique_names(written))]
    x, y, color, facet = (
        _named(option, name, sources, written)
        for option, name in (("--x", wish.x), ("--y", wish.y), ("--color", wish.color), ("--facet", wish.facet))
    )
    left = _Left([source for source in sources if source not in (x, y, color, facet)], few=len(sources))
    plan = Plan(wish.kind or _suggested(x, y, left), x, y, color, facet)
    return _FILLS[plan.kind](plan, left)


class _Left:
    """The columns that no option names, each of which is taken once."""

    def __init__(self, sources: Sequence[Source], *, few: int) -> None:
        self.sources = list(sources)
        self.few = few <= _DRAWN_TOGETHER

    def take(self, *roles: Role) -> Source | None:
        """Take the first column of the first of *roles* that has one."""
        for role in roles:
            for source in self._of(role):
                self.sources.remove(source)
                return source
        return None

    def has(self, role: Role, number: int = 1) -> bool:
        """Whether *number* columns of *role* are left."""
        return len(list(self._of(role))) >= number

    def _of(self, role: Role) -> Iterator[Source]:
        return (source for source in self.sources if source.role == role)


def _named(option: str, name: str | None, sources: Sequence[Source], written: Sequence[str]) -> Source | None:
    if name is None:
        return None
    exact = [source for source in sources if source.name == name]
    exact = exact or [source for source in sources if written[source.at] == name]  # a frame has A_1 beside a for A
    found = exact or [source for source in sources if source.name.casefold() == name.casefold()]
    if found:
        return found[0]
    names = [source.name for source in sources]
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    message = f"{option} {name}: the result has no such column.{did_you_mean(name, names)} It has {listed}."
    raise OptionError(message)


def _suggested(x: Source | None, y: Source | None, left: _Left) -> Kind:
    """Return the kind that the types of the columns suggest: see docs/charts.md."""
    roles = {source.role for source in (x, y) if source is not None}
    has = {role: role in roles or left.has(role) for role in ("number", "moment", "label")}
    label_pair = (x is not None and x.role == "label") + (y is not None and y.role == "label")
    labels = label_pair if x is not None and y is not None else label_pair or (2 if left.has("label", 2) else 1)
    kind: Kind
    if x is not None and y is not None and roles <= {"number", "moment"}:
        kind = "line" if x.role == "moment" else "point"
    elif x is not None and x.role == "label":
        kind = "heatmap" if y is not None and y.role != "number" else "bar"
    elif x is not None and x.role == "number":
        kind = "bar" if y is not None else "point" if left.has("number") else "histogram"
    elif has["moment"]:
        kind = "line" if has["number"] else "histogram"
    elif has["label"]:
        kind = "bar" if labels == 1 or roles & {"number"} else "heatmap"
    else:
        kind = "point" if "number" in roles or left.has("number", 2) else "histogram"
    return kind


# ---- filling the channels of a kind ---------------------------------------------------------------------------------


def _histogram(plan: Plan, left: _Left) -> Plan:
    if plan.y is not None:
        message = (
            f"--y {plan.y.name} was given with a histogram, whose heights are numbers of rows. Draw --chart bar for"
            " sums, or --chart box for the spread of a number."
        )
        raise OptionError(message)
    x = plan.x or left.take("number", "moment", "label")
    return replace(plan, kind="bar" if x is not None and x.role == "label" else "histogram", x=x)


def _bar(plan: Plan, left: _Left) -> Plan:
    x, y = plan.x, plan.y
    lies = y is not None and y.role != "number" and (x is None or x.role == "number")
    if lies:
        x, y = y, x
    if x is None:
        x = left.take("label", "moment") or (left.take("number") if y is not None or left.has("number", 2) else None)
        x = x or left.take("number")
    y = y or left.take("number")
    _check_number(plan.kind, "--y", y)
    return replace(plan, x=x, y=y, color=plan.color or _color(left), across=lies)


def _line(plan: Plan, left: _Left) -> Plan:
    x = plan.x or left.take("moment")
    y = plan.y
    if x is None:
        x = left.take("number") if y is not None or left.has("number", 2) else left.take("label", "number")
    y = y or left.take("number")
    _check_number(plan.kind, "--y", y)
    return replace(plan, x=x, y=y, color=plan.color or _color(left))


def _point(plan: Plan, left: _Left) -> Plan:
    x = plan.x or left.take("number", "moment", "label")
    y = plan.y or left.take("number", "moment", "label")
    if x is None or y is None:
        message = "A cloud of points needs two columns, and the result has one. Draw --chart histogram or bar."
        raise OptionError(message)
    return replace(plan, x=x, y=y)


def _box(plan: Plan, left: _Left) -> Plan:
    x, y = plan.x, plan.y
    lies = x is not None and x.role == "number" and (y is None or y.role != "number")
    if lies:
        x, y = y, x
    y = y or left.take("number")
    x = x or (left.take("label") if plan.x is None or lies else None)
    if y is None:
        message = "A box is drawn of numbers, and the result has none."
        raise OptionError(message)
    _check_number(plan.kind, "--y", y)
    return replace(plan, x=x, y=y, across=lies)


def _heatmap(plan: Plan, left: _Left) -> Plan:
    x = plan.x or left.take("label", "moment", "number")
    y = plan.y or left.take("label", "moment", "number")
    if x is None or y is None:
        message = "A heatmap needs two columns, x and y, and the result has one. Draw --chart histogram or bar."
        raise OptionError(message)
    color = plan.color or (left.take("number") if left.few else None)
    _check_number(plan.kind, "--color", color)
    return replace(plan, x=x, y=y, color=color)


_FILLS = {
    "bar": _bar,
    "line": _line,
    "area": _line,
    "point": _point,
    "histogram": _histogram,
    "box": _box,
    "heatmap": _heatmap,
}


def _color(left: _Left) -> Source | None:
    return left.take("label") if left.few else None


def _check_number(kind: Kind, option: str, source: Source | None) -> None:
    if source is not None and source.role != "number":
        message = f"{option} {source.name} is {shortened(source.kind, 40)}, and {option} of --chart {kind} is a number."
        raise OptionError(message)

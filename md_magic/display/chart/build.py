"""From a drawing to an `altair.Chart`: which mark, which scales, which colours."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from md_magic.display.chart import colors
from md_magic.display.chart.bundle import Chart
from md_magic.session.chart.values import OF_OBJECTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.session.chart.values import Drawing, Field

_WIDTH, _HEIGHT = 600, 300
_PANEL_WIDTH, _PANEL_HEIGHT = 180, 140
_PANELS = 3
"""Panels beside each other."""

_STEP = 12
"""Pixels of a bar at least: a chart of many bars is wider."""

_BOX = 24
"""Pixels that a box is wide."""

_LONGEST_LINE = 100
_FEW_POINTS = 100
"""Points of a line that are drawn as such too."""

_PLACE = "md_place"
"""The place of a colour in its legend."""

_NOTHING = "\u200b"
"""A character without width. A title is a part of expressions, too, where a backslash takes the next one along."""

_DAY = 86_400_000_000
"""Microseconds."""

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
_SMALL = 10_000
"""Whole numbers below it have no commas on an axis: a year is 2013."""


def chart(drawing: Drawing) -> Chart:
    """Return *drawing* as an `altair.Chart`, with its marks as a DataFrame in `data`."""
    drawing = _spelled(drawing)
    made = Chart(
        _frame(drawing),
        title=alt.TitleParams(
            text=drawing.title,
            subtitle=[line for said in drawing.reduced for line in textwrap.wrap(said, _LONGEST_LINE)],
            anchor="start",
        ),
        description=" ".join([f"{drawing.kind}: {drawing.title}.", *drawing.reduced]),
    )
    made = _marked(made, drawing).encode(**_encoded(drawing))
    color = drawing.channels.get("color")
    if drawing.stacked and color is not None and color.order is not None:
        # a stack has the order of its legend, read from above or from the left
        place = f"indexof({json.dumps(color.order)}, datum[{json.dumps(color.name)}])"
        made = made.transform_calculate(**{_PLACE: place})
    config: dict[str, Any] = {"customFormatTypes": True}
    if _is_plane(drawing):
        config["view"] = alt.ViewConfig(fill=colors.GROUND, stroke=None)
        config["axis"] = alt.AxisConfig(grid=False)
    sized: Chart = _sized(made, drawing).configure(**config)
    return sized


def _spelled(drawing: Drawing) -> Drawing:
    """Return *drawing* with its titles and labels as Vega shows them as they are."""
    channels, data = dict(drawing.channels), dict(drawing.data)
    for channel, field in drawing.channels.items():
        channels[channel] = replace(field, title=_whole(field.title).replace("\\", f"\\{_NOTHING}"))
        if field.order is not None and not OF_OBJECTS.isdisjoint(field.order):
            channels[channel] = replace(channels[channel], order=tuple(map(_whole, field.order)))
            data[field.name] = [_whole(value) for value in data[field.name]]
    return replace(drawing, title=_whole(drawing.title), channels=channels, data=data)


def _whole(text: Any) -> Any:  # noqa: ANN401 - a label of any type
    """Return *text*; what every object has under this name would stand in its place."""
    return f"{text}{_NOTHING}" if text in OF_OBJECTS else text


# ---- data -----------------------------------------------------------------------------------------------------------


def _frame(drawing: Drawing) -> pd.DataFrame:
    """Return the marks. Moments are the wall clock's, with the zone that Vega-Lite draws without shifting them: UTC."""
    moments = {
        name for field in drawing.channels.values() if field.scale == "temporal" for name in (field.name, field.end)
    }
    columns = {name: _moments(values) if name in moments else _values(values) for name, values in drawing.data.items()}
    return pd.DataFrame(columns)


def _moments(values: Sequence[int | None]) -> pd.Series[Any]:
    # Altair writes the years 1 to 9999; a bar may begin before them or end behind, and so may a zone's clock, by hours
    kept = [None if value is None else min(max(value, _FIRST), _LAST) for value in values]
    micros = np.array([np.datetime64("NaT") if each is None else np.datetime64(each, "us") for each in kept], "M8[us]")
    return pd.Series(micros).dt.tz_localize("UTC")


def _values(values: Sequence[Any]) -> pd.Series[Any]:
    """Return numbers as such where they are exact, and anything else as the objects that they are."""
    if values and all(type(value) is int and abs(value) < 2**53 for value in values):
        return pd.Series(values, dtype="int64")
    if values and all(isinstance(value, float) for value in values):
        return pd.Series(values, dtype="float64")
    return pd.Series(list(values), dtype="object")


# ---- marks ----------------------------------------------------------------------------------------------------------


def _is_plane(drawing: Drawing) -> bool:
    return "color" in drawing.channels and drawing.channels["color"].scale == "quantitative"


def _lies(drawing: Drawing) -> bool:
    """Whether bars or boxes go from left to right."""
    y = drawing.channels.get("y")
    return drawing.kind in {"bar", "box"} and y is not None and y.order is not None


def _marked(made: Chart, drawing: Drawing) -> Any:  # noqa: ANN401 - a `Chart`, which Altair does not declare
    x = drawing.channels.get("x")
    across = _lies(drawing)
    # without a colour of its own, a mark has the first
    plain: dict[str, Any] = {} if "color" in drawing.channels else {"color": colors.ONE}
    orient: Any = "horizontal" if across else "vertical"
    if drawing.kind == "line":
        few = drawing.marks <= _FEW_POINTS
        return made.mark_line(point=few, **plain)
    if drawing.kind == "area":
        return made.mark_area(opacity=0.8, line=not drawing.stacked, **plain)
    if drawing.kind == "box":
        extent: Any = 1.5
        return made.mark_boxplot(extent=extent, orient=orient, size=_BOX, **plain)
    if drawing.dense:
        return made.mark_rect()
    if drawing.kind == "point":
        return made.mark_point(filled=True, opacity=0.7, size=30, **plain)
    gap: dict[str, Any] = (
        {"binSpacing": 1} if x is not None and x.end and drawing.marks <= _WIDTH / 4 else {"binSpacing": 0}
    )
    return made.mark_bar(orient=orient, **plain, **gap)


def _sized(made: Any, drawing: Drawing) -> Any:  # noqa: ANN401 - see above
    if "facet" in drawing.channels:
        return made.properties(width=_PANEL_WIDTH, height=_PANEL_HEIGHT)
    sizes: dict[str, Any] = {"width": _WIDTH, "height": _HEIGHT}
    for channel, size in (("x", "width"), ("y", "height")):
        field = drawing.channels.get(channel)
        if field is None:
            sizes[size] = 60
        elif field.order is not None and len(field.order) * _STEP > sizes[size]:
            sizes[size] = alt.Step(_STEP)
    return made.properties(**sizes)


# ---- channels -------------------------------------------------------------------------------------------------------


def _encoded(drawing: Drawing) -> dict[str, Any]:
    channels = drawing.channels
    encoded: dict[str, Any] = {}
    for channel in ("x", "y"):
        if channel in channels:
            encoded[channel] = _position(channel, channels[channel], drawing)
            if channels[channel].end:
                encoded[f"{channel}2"] = (alt.X2 if channel == "x" else alt.Y2)(field=escaped(channels[channel].end))
    if "color" in channels:
        encoded |= _color(channels["color"], drawing)
    if "opacity" in channels:
        rows = channels["opacity"]
        encoded["opacity"] = alt.Opacity(
            field=escaped(rows.name),
            type="quantitative",
            title=rows.title,
            scale=alt.Scale(type="log", range=[0.25, 1]),
        )
    if "facet" in channels:
        facet = channels["facet"]
        encoded["facet"] = alt.Facet(
            field=escaped(facet.name), type="nominal", title=facet.title, columns=_PANELS, sort=_order(facet)
        )
    if drawing.kind != "box":
        encoded["tooltip"] = [tip for field in channels.values() for tip in _tips(field, drawing)]
    return encoded


def _position(channel: str, field: Field, drawing: Drawing) -> Any:  # noqa: ANN401 - of x or y
    kind = alt.X if channel == "x" else alt.Y
    more: dict[str, Any] = {}
    if field.scale == "temporal":
        more["scale"] = alt.Scale(type="utc")
        if field.clock:
            more["axis"] = alt.Axis(format="%H:%M")
    elif field.scale == "quantitative":
        starts_at_zero = drawing.kind in {"bar", "histogram", "area"} and not field.end
        more["scale"] = alt.Scale(zero=starts_at_zero)
        values = [value for value in drawing.data[field.name] if value is not None]
        if field.whole and all(abs(value) < _SMALL for value in values):
            more["axis"] = alt.Axis(format="d", tickMinStep=1)
        if field.end:
            more["bin"] = "binned"
    else:
        labels: dict[str, Any] = {"labelOverlap": True} | (
            {"labelAngle": -45} if channel == "x" and _are_long(field) else {}
        )
        if channel == "x" and not _are_long(field):
            labels["labelAngle"] = 0
        more = {"sort": _order(field), "axis": alt.Axis(**labels), "scale": alt.Scale(domain=_domain(field))}
    if drawing.stacked and field.scale == "quantitative" and not field.end:
        more["stack"] = "zero"
    elif field.scale == "quantitative" and not field.end and drawing.kind in {"area", "bar"}:
        more["stack"] = None
    return kind(field=escaped(field.name), type=field.scale, title=field.title, **more)


def _are_long(field: Field) -> bool:
    order = field.order or ()
    return max((len(str(value)) for value in order), default=0) * 7 * len(order) > _WIDTH


def _order(field: Field) -> Any:  # noqa: ANN401 - a list, or Vega-Lite's own order
    return list(field.order) if field.order else alt.Undefined


def _domain(field: Field) -> Any:  # noqa: ANN401 - see above
    return list(field.order) if field.order else alt.Undefined


def _color(field: Field, drawing: Drawing) -> dict[str, Any]:
    """Return the colour, and for lines and points a dash or a shape that says the same."""
    name = escaped(field.name)
    if field.scale == "quantitative":
        return {"color": alt.Color(field=name, type="quantitative", title=field.title, scale=_ramp(field, drawing))}
    order: Any = list(field.order or ())
    palette = [
        colors.OTHER if drawing.other and value == drawing.other else colors.CATEGORIES[at % len(colors.CATEGORIES)]
        for at, value in enumerate(order)
    ]
    scale = alt.Scale(domain=order, range=palette) if order else alt.Undefined
    shared: dict[str, Any] = {"field": name, "type": "nominal", "title": field.title}
    encoded: dict[str, Any] = {"color": alt.Color(**shared, sort=order, scale=scale)}
    same = alt.Scale(domain=order) if order else alt.Undefined  # the same domain makes one legend of both
    if drawing.kind == "line":
        encoded["strokeDash"] = alt.StrokeDash(**shared, sort=order, scale=same)
    if drawing.kind == "point" and not drawing.dense:
        encoded["shape"] = alt.Shape(**shared, sort=order, scale=same)
    if drawing.stacked:
        way: Any = "ascending" if _lies(drawing) else "descending"
        encoded["order"] = alt.Order(field=_PLACE, type="quantitative", title="order", sort=way)
    return encoded


def _ramp(field: Field, drawing: Drawing) -> alt.Scale:
    values = [value for value in drawing.data[field.name] if value is not None]
    counts = field.title == "rows" and drawing.kind == "point" and max(values, default=1) > 1
    return alt.Scale(range=list(colors.RAMP), **({"type": "log"} if counts else {"type": "linear", "zero": False}))


def _tips(field: Field, drawing: Drawing) -> list[alt.Tooltip]:
    """Return the tooltips of *field*: exact values, and moments as the clock shows them, wherever the browser is."""
    tips = []
    shown = field.title.replace(f"\\{_NOTHING}", "\\\\")  # it is a part of an expression alone
    for name, title in ((field.name, shown), (field.end, f"{shown}, end")):
        if not name:
            continue
        more: dict[str, Any] = {}
        if field.scale == "temporal":
            more = {"formatType": "utcFormat", "format": _moment_format(field, drawing)}
        tips.append(alt.Tooltip(field=escaped(name), type=field.scale, title=title, **more))
    return tips


def _moment_format(field: Field, drawing: Drawing) -> str:
    if field.clock:
        return "%H:%M:%S"
    days = all(value is None or value % _DAY == 0 for value in drawing.data[field.name])
    return "%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S"


def escaped(name: str) -> str:
    r"""Return *name* as a field of Vega-Lite, which reads `a.b`, `a[0]` and quotes as paths: `a\.b`."""
    return re.sub(r"([.\[\]\\'\"])", r"\\\1", name)

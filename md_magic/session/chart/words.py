"""The words on a chart: its title, and how a type's own values are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.session.chart.channels import Plan, Source
    from md_magic.session.chart.values import Field


def title(plan: Plan, channels: Mapping[str, Field]) -> str:
    """Return what the chart shows: `sum of sales by city`."""
    x, y = channels.get("x"), channels.get("y")
    if plan.across:
        x, y = y, x
    said = y.title if y is not None else "rows"
    if plan.kind == "heatmap" and (color := channels.get("color")) is not None and x is not None:
        said = f"{color.title} by {x.title} and {said}"
    elif x is not None:
        said += f" by {x.title}"
    if plan.kind != "heatmap" and plan.color is not None:
        said += f" and {plan.color.name}"
    return said + (f", for each {plan.facet.name}" if plan.facet is not None else "")


def sum_of(source: Source, *, summed: bool) -> str:
    """Return the title of the sums of *source*."""
    name = f"{source.name} (seconds)" if source.kind == "INTERVAL" else source.name
    return f"sum of {name}" if summed else name


def enum_values(kind: str) -> list[str]:
    """Return the values of an ENUM type as DuckDB spells it, in their order."""
    return [value.replace("''", "'") for value in re.findall(r"'((?:[^']|'')*)'", kind)]

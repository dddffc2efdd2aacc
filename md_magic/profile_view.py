"""A profile as a person sees it: a card for each column in a notebook, a line for each in a terminal.

Static HTML without a script, which stays in the saved notebook; the words are enough where styles are taken away.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from md_magic import profiles
from md_magic.markup import SPARKS, count, escaped, line, number, percent, rule, table

if TYPE_CHECKING:
    from typing import Self

    from md_magic.profiles import Column

_CARDS = 100
"""Cards that are drawn; every column is in `.frame`."""

_VALUES = 6
"""Frequent values on a card."""

_FEW = 15
"""A number or date of at most so many values is drawn value by value."""

_WIDTH, _HEIGHT = 200, 44

_STYLE = """
& { color: var(--jp-ui-font-color1, inherit); font-size: 13px; line-height: 1.4 }
& .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 10px; margin-top: 6px }
& .card { border: 1px solid rgba(128, 128, 128, .45); border-radius: 6px; padding: 8px 10px; min-width: 0;
  overflow-wrap: anywhere }
& .card .type { opacity: .75; font-size: 11px; font-family: var(--jp-code-font-family, ui-monospace, monospace) }
& .card svg { display: block; width: 100%; height: 44px; margin: 6px 0 0; fill: var(--jp-brand-color1, #4285d6) }
& .axis { display: flex; justify-content: space-between; font-size: 11px; opacity: .75 }
& .card table { width: 100%; margin: 6px 0 0; border-collapse: collapse; border: 0; font-size: 12px;
  table-layout: fixed }
& .card table tbody tr:nth-child(n) { background: transparent }
& .card table tr td { padding: 0 3px; border: 0; text-align: left; vertical-align: top; white-space: normal }
& .card table tr td + td { text-align: right }
& .card table.facts tr td:first-child { width: 34%; opacity: .75 }
& .card table.values tr td + td { width: 27% }
"""


@dataclass(frozen=True, slots=True, repr=False)
class Profile(profiles.Profile):
    """A profile that shows itself as cards. To compute with: `frame`, a DataFrame, and `columns`."""

    @classmethod
    def of(cls, profile: profiles.Profile) -> Self:
        """Return *profile* as one that shows itself."""
        return cls(**{one.name: getattr(profile, one.name) for one in fields(profile)})

    def __repr__(self) -> str:
        """Return a line for each column."""
        header = ["column", "type", "NULLs", "distinct", "smallest", "median", "mean", "largest", ""]
        rows = [header, *(_cells(self, column) for column in self.columns)]
        return "\n".join([*_heading(self), *table(rows, right=frozenset({2, 3}))])

    def _repr_html_(self) -> str:
        """Return a card for each column."""
        heading = "<br>".join(escaped(one, 400) for one in _heading(self))
        cards = "".join(_card(self, column) for column in self.columns[:_CARDS])
        left = len(self.columns) - _CARDS
        more = f"<div>{count(left, 'further column')} not drawn; .frame has them.</div>" if left > 0 else ""
        return (
            f"<div class='md-profile'>{rule('md-profile', _STYLE)}<div>{heading}</div>"
            f"<div class='cards'>{cards}</div>{more}</div>"
        )


def _heading(profile: Profile) -> list[str]:
    said = [f"{count(profile.rows, 'row')}, {count(len(profile.columns), 'column')}."]
    if not profile.exact:
        said.append(
            "Rows, NULLs, smallest, largest, mean and lengths are exact. Distinct values (≈) are estimated; quantiles,"
            f" histograms and frequent values are of a random sample of {count(profile.sampled, 'row')}."
        )
    if profile.left_out:
        said.append(f"{count(profile.left_out, 'further column')} left out: name the ones to look at in a SELECT.")
    return said


def _nulls(profile: Profile, column: Column) -> str:
    if not column.nulls:
        return "no NULLs"
    return f"{count(column.nulls, 'NULL')} ({percent(column.nulls / profile.rows)})"


def _distinct(profile: Profile, column: Column) -> str:
    return f"{'' if _is_exact(profile, column) else '≈ '}{column.distinct:,}"


def _is_exact(profile: Profile, column: Column) -> bool:
    """Whether the number of distinct values is: of nested values it is always HyperLogLog's."""
    values = profile.rows - column.nulls
    return values <= 1 or (profile.exact and bool(column.frequent))


def _cells(profile: Profile, column: Column) -> list[str]:
    """Return the line of one column."""
    median = column.quantiles[len(column.quantiles) // 2] if column.quantiles else None
    values = (column.smallest, median, column.mean, column.largest)
    return [
        line(column.name, 30),
        line(column.type, 20),
        f"{column.nulls:,}",
        _distinct(profile, column),
        *("" if value is None else line(number(value), 20) for value in values),
        _picture(column),
    ]


def _picture(column: Column) -> str:
    """Return a histogram of characters, or the most frequent values."""
    if column.bins and len(column.frequent) > _FEW:
        tallest = max(one.rows for one in column.bins)
        heights = [one.rows * (len(SPARKS) - 1) / tallest for one in column.bins]
        return "".join(SPARKS[round(height)] if height else " " for height in heights)
    if len(column.frequent) > _FEW and column.frequent[0].rows == 1:
        return "each value once"
    shown = [f"{line(one.value, 14)} {percent(one.share)}" for one in column.frequent[:3]]
    return ", ".join(shown)


def _card(profile: Profile, column: Column) -> str:
    distinct = f"{_distinct(profile, column)} distinct"
    drawing = _histogram(column) if column.bins and len(column.frequent) > _FEW else _values(column)
    facts = "".join(
        f'<tr><td>{name}</td><td title="{escaped(value, 300)}">{escaped(value, 60)}</td></tr>'
        for name, value in _facts(column)
    )
    return (
        f"<div class='card'><div><b title=\"{escaped(column.name, 300)}\">{escaped(column.name, 60)}</b>"
        f" <span class='type'>{escaped(column.type, 60)}</span></div>"
        f"<div>{_nulls(profile, column)} · {distinct}</div>{drawing}"
        f"<table class='facts'><tbody>{facts}</tbody></table></div>"
    )


def _facts(column: Column) -> list[tuple[str, str]]:
    facts: list[tuple[str, object]] = [
        ("smallest", column.smallest),
        ("largest", column.largest),
        ("mean", column.mean),
    ]
    names = [f"{round(at * 100)} %" if at != 0.5 else "median" for at in profiles.QUANTILES]  # noqa: PLR2004 - the middle
    facts += zip(names, column.quantiles, strict=False)
    if column.lengths is not None:
        shortest, longest, mean = column.lengths
        unit = {"text": "character", "bytes": "byte", "list": "item"}[column.family]
        several = f"{shortest:,} to {count(longest, unit)}, mean {number(mean)}"
        facts.append(("length", count(longest, unit) if shortest == longest else several))
    facts.append(("example", column.example))
    return [(name, number(value)) for name, value in facts if value is not None]


def _histogram(column: Column) -> str:
    """Return the histogram as SVG: the height is the number of rows."""
    tallest = max(one.rows for one in column.bins)
    step = _WIDTH / len(column.bins)
    bars = "".join(
        f"<rect x='{at * step:.1f}' y='{_HEIGHT - height:.1f}' width='{step - 1:.1f}' height='{height:.1f}'>"
        f"<title>{escaped(f'{_axis(column, one.low)} to {_axis(column, one.high)}')}: {count(one.rows, 'row')}</title>"
        "</rect>"
        for at, one in enumerate(column.bins)
        if (height := max(_HEIGHT * one.rows / tallest, 1.0 if one.rows else 0.0))
    )
    low, high = (_axis(column, place) for place in (column.bins[0].low, column.bins[-1].high))
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' preserveAspectRatio='none' role='img'"
        f' aria-label="histogram of {escaped(column.name, 60)}">{bars}</svg>'
        f"<div class='axis'><span>{escaped(low)}</span> <span>{escaped(high)}</span></div>"
    )


def _axis(column: Column, place: float) -> str:
    """Return a place on a histogram's axis: a number, or the moment that lies so many seconds after its zero."""
    if column.family == "number":
        return number(place)
    try:
        delta = dt.timedelta(seconds=round(place))
        if column.type == "INTERVAL":
            return str(delta)
        moment = dt.datetime(1970, 1, 1) + delta  # noqa: DTZ001 - as DuckDB writes it
    except OverflowError:
        return number(place)
    if column.type == "DATE":
        return moment.date().isoformat()
    return moment.isoformat(" ") if column.type.startswith("TIMESTAMP") else moment.time().isoformat()


def _values(column: Column) -> str:
    """Return the most frequent values with bars; few numbers or dates stand in their own order."""
    shown = list(column.frequent[:_VALUES])
    if not shown:
        return ""
    if len(column.frequent) > _FEW and shown[0].rows == 1:
        examples = ", ".join(escaped(one.value, 40) for one in shown[:3])
        return f"<div>each value once, such as {examples}</div>"
    if column.family in {"number", "moment"} and len(column.frequent) <= _FEW:
        order = {one.value: one for one in column.frequent}
        shown = [order[value] for value in sorted(order, key=lambda value: _place(column, value))]
    most = max(one.share for one in shown)
    rows = "".join(
        f"<tr><td title=\"{escaped(one.value, 300)}\" style='background: {_bar(one.share / most)}'>"
        f"{escaped(one.value, 40) or '<i>empty</i>'}</td><td>{percent(one.share)}</td></tr>"
        for one in shown
    )
    rest = 1 - sum(one.share for one in shown)
    others = f"<tr><td>others</td><td>{percent(rest)}</td></tr>" if rest > 1e-9 else ""  # noqa: PLR2004 - rounding
    return f"<table class='values'><tbody>{rows}{others}</tbody></table>"


def _place(column: Column, value: str) -> tuple[float, str]:
    try:
        return (float(value) if column.family == "number" else 0.0), value
    except ValueError:  # a BIGNUM, cut
        return math.inf, value


def _bar(part: float) -> str:
    return f"linear-gradient(90deg, rgba(66, 133, 214, .38) {part * 100:.0f}%, transparent {part * 100:.0f}%)"

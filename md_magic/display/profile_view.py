"""The view of a profile: a card for each column in a notebook, a line for each in a terminal.

It is static HTML without a script, so that it stays in the saved notebook: one table with a row for each column and a
line of bars in it. Its style makes a card of each row. Where styles are taken out, as on GitHub, the table is left.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from md_magic.display.markup import SPARKS, escaped, line, percent, rule, table, value_text
from md_magic.session.profile.values import QUANTILES
from md_magic.wording import count, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from md_magic.session.profile.values import Bin, Column, Profile

_CARDS = 100
"""The most cards that are drawn; every column is in `.frame`."""

_VALUES = 6
"""Frequent values on a card."""

_FEW = 15
"""Numbers and dates with at most this many distinct values, and gaps between them, are drawn value by value."""

_STYLE = """
& { color: var(--jp-ui-font-color1, inherit); font-size: 13px; line-height: 1.4 }
& table.cards { display: block; border: 0; margin: 6px 0 0; width: 100%; table-layout: auto; font-size: 13px }
& table.cards thead, & .plain { display: none }
& table.cards tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 10px }
& table.cards tbody tr.card:nth-child(n) { display: flex; flex-direction: column; background: transparent; min-width: 0;
  border: 1px solid rgba(128, 128, 128, .45); border-radius: 6px; padding: 8px 10px; overflow-wrap: anywhere }
& table.cards tr.card td { display: block; padding: 0; border: 0; text-align: left; white-space: normal;
  max-width: none; font-size: 12px; vertical-align: top }
& table.cards tr.card td.fact { display: flex; justify-content: space-between; gap: 8px }
& table.cards tr.card td.fact::before { content: attr(data-name); opacity: .75; flex: none }
& table.cards tr.card td.fact > span { text-align: right; min-width: 0 }
& table.cards tr.card td:empty { display: none }
& table.cards tr.card td.picture { order: -1; margin: 6px 0 }
& table.cards tr.card td.head { order: -2; font-size: 13px }
& .type { opacity: .75; font-size: 11px; font-family: var(--jp-code-font-family, ui-monospace, monospace) }
& .bars { display: flex; align-items: flex-end; height: 44px; gap: 1px }
& .bars i { flex: 1 1 0; min-width: 1px; background: var(--jp-brand-color1, #4285d6) }
& .axis { display: flex; justify-content: space-between; font-size: 11px; opacity: .75 }
& .value { display: flex; justify-content: space-between; gap: 8px; padding: 0 3px }
& .sample { font-size: 11px; opacity: .75 }
"""


def as_text(profile: Profile) -> str:
    """Return *profile* as a line for each column."""
    header = ["column", "type", "NULLs", "distinct", "smallest", "median", "mean", "largest", ""]
    rows = [header, *(_cells(profile, column) for column in profile.columns)]
    return "\n".join([*_heading(profile), *table(rows, right=frozenset({2, 3}))])


def as_html(profile: Profile) -> str:
    """Return *profile* as a card for each column, in static HTML."""
    heading = "<br>".join(escaped(sentence, 400) for sentence in _heading(profile))
    names = ["column", "NULLs", "distinct", "", "smallest", *_quantile_names(), "largest", "mean", "length", "example"]
    header = "".join(f"<th>{name}</th>" for name in names)
    cards = "".join(_card(profile, column) for column in profile.columns[:_CARDS])
    omitted = len(profile.columns) - _CARDS
    note = f"<div>{count(omitted, 'further column')} not drawn; .frame has them.</div>" if omitted > 0 else ""
    return (
        f"<div class='md-profile'>{rule('md-profile', _STYLE)}<div>{heading}</div>"
        f"<table class='cards'><thead><tr>{header}</tr></thead><tbody>{cards}</tbody></table>{note}</div>"
    )


def _heading(profile: Profile) -> list[str]:
    sentences = [f"{size(profile.rows, len(profile.columns))}."]
    if not profile.exact:
        sentences.append(
            "Rows, NULLs, smallest, largest, mean and lengths are exact. Numbers after ≈ are estimates: distinct values"
            " of all rows, within 1 %; quantiles, histograms and frequent values of a random sample of"
            f" {count(profile.sampled, 'row')}."
        )
    elif any(not column.distinct_exact for column in profile.columns):
        sentences.append("Distinct values after ≈ are estimates.")
    if profile.left_out:
        sentences.append(f"{count(profile.left_out, 'further column')} left out: name the ones to look at in a SELECT.")
    return sentences


def _about(profile: Profile) -> str:
    """Return the sign before what is a sample's."""
    return "" if profile.exact else "≈ "


def _distinct(column: Column) -> str:
    return f"{'' if column.distinct_exact else '≈ '}{column.distinct:,}"


def _cells(profile: Profile, column: Column) -> list[str]:
    """Return the line of one column."""
    median = column.quantiles[len(column.quantiles) // 2] if column.quantiles else None
    values = [column.smallest, median, column.mean, column.largest]
    smallest, middle, mean, largest = ("" if value is None else line(value_text(value), 20) for value in values)
    return [
        line(column.name, 30),
        line(column.type, 20),
        f"{column.nulls:,}",
        _distinct(column),
        smallest,
        f"{_about(profile)}{middle}" if middle else "",
        mean,
        largest,
        _picture(profile, column),
    ]


def _has_bars(column: Column) -> bool:
    """Whether *column* is drawn as a histogram: few values with gaps between them are drawn one by one."""
    few = len(column.frequent) <= _FEW
    return bool(column.bins) and not (few and len(column.bins) > len(column.frequent))


def _is_all_different(column: Column) -> bool:
    """Whether no value of the sample occurs twice in it."""
    return len(column.frequent) > _FEW and column.frequent[0].rows == 1


def _picture(profile: Profile, column: Column) -> str:
    """Return a text histogram, or the most frequent values, marked where they are a sample's."""
    about = _about(profile)
    if _has_bars(column):
        return about + _blocks(column.bins)
    if _is_all_different(column):
        return "each value once" if profile.exact else "≈ no value twice in the sample"
    return about + ", ".join(f"{line(value.value, 14)} {percent(value.share)}" for value in column.frequent[:3])


def _heights(bins: Sequence[Bin]) -> list[float]:
    """Return the heights of the bars, from 0 to 1: rows for the same width, also of a last bar that ends early."""
    rows = [bar.rows / bar.part for bar in bins]
    tallest = max([*rows, 1])
    return [each / tallest for each in rows]


def _blocks(bins: Sequence[Bin]) -> str:
    last = len(SPARKS) - 1
    return "".join(SPARKS[round(height * last)] if height else " " for height in _heights(bins))


def _card(profile: Profile, column: Column) -> str:
    drawing = _histogram(profile, column) if _has_bars(column) else _values(profile, column)
    if drawing and not profile.exact:
        drawing += f"<div class='sample'>≈ of {count(profile.sampled, 'sampled row')}</div>"
    return (
        f"<tr class='card'><td class='head'><b title=\"{escaped(column.name, 300)}\">{escaped(column.name, 60)}</b>"
        f" <span class='type'>{escaped(column.type, 60)}</span></td>"
        f"{_fact('NULLs', _nulls(profile, column))}{_fact('distinct', _distinct(column))}"
        f"<td class='picture'>{drawing}</td>{''.join(_fact(*fact) for fact in _facts(profile, column))}</tr>"
    )


def _fact(name: str, value: str) -> str:
    """Return a cell; an empty one, which keeps the columns of the plain table, is not drawn on a card."""
    if not value:
        return "<td></td>"
    return f'<td class="fact" data-name="{name}" title="{escaped(value, 300)}"><span>{escaped(value, 60)}</span></td>'


def _nulls(profile: Profile, column: Column) -> str:
    return f"{column.nulls:,} ({percent(column.nulls / profile.rows)})" if column.nulls else "0"


def _quantile_names() -> list[str]:
    return [f"{round(at * 100)} %" if at != 0.5 else "median" for at in QUANTILES]  # noqa: PLR2004 - the middle


def _facts(profile: Profile, column: Column) -> list[tuple[str, str]]:
    def text(value: object, before: str = "") -> str:
        return "" if value is None else f"{before}{value_text(value)}"

    names = _quantile_names()
    quantiles = column.quantiles or (None,) * len(names)
    length = ""
    if column.lengths is not None:
        shortest, longest, mean = column.lengths
        unit = {"text": "character", "bytes": "byte", "list": "item"}[column.family]
        several = f"{shortest:,} to {count(longest, unit)}, mean {value_text(mean)}"
        length = count(longest, unit) if shortest == longest else several
    return [
        ("smallest", text(column.smallest)),
        *((name, text(value, _about(profile))) for name, value in zip(names, quantiles, strict=True)),
        ("largest", text(column.largest)),
        ("mean", text(column.mean)),
        ("length", length),
        ("example", column.example or ""),
    ]


def _histogram(profile: Profile, column: Column) -> str:
    """Return the histogram as bars of CSS, of which nothing is left where styles are taken out, and as bars of text."""
    bars = "".join(
        f'<i title="{escaped(_range(column, bar))}: {count(bar.rows, "row")}"'
        f" style='height:{max(height * 100, 2.5 if bar.rows else 0):.3g}%'></i>"
        for bar, height in zip(column.bins, _heights(column.bins), strict=True)
    )
    low, high = (_axis(column, end) for end in (column.bins[0].low, column.bins[-1].high))
    return (
        f"<span class='plain'>{escaped(_picture(profile, column))}</span>"
        f"<div class='bars' role='img' aria-label=\"histogram of {escaped(column.name, 60)}\">{bars}</div>"
        f"<div class='axis'><span>{escaped(low)}</span> <span>{escaped(high)}</span></div>"
    )


def _range(column: Column, bar: Bin) -> str:
    low, high = _axis(column, bar.low), _axis(column, bar.high)
    return low if low == high else f"{low} to {high}"


def _axis(column: Column, value: float | Decimal) -> str:
    """Return the label of *value* on a histogram's axis: a number, or a time for a value in seconds."""
    if column.family == "number":
        return value_text(value)
    try:
        delta = dt.timedelta(seconds=round(value))
        if column.type == "INTERVAL":
            return str(delta)
        moment = dt.datetime(1970, 1, 1) + delta  # noqa: DTZ001 - as DuckDB writes it
    except OverflowError:
        return value_text(value)
    if column.type == "DATE":
        return moment.date().isoformat()
    return moment.isoformat(" ") if column.type.startswith("TIMESTAMP") else moment.time().isoformat()


def _values(profile: Profile, column: Column) -> str:
    """Return the most frequent values with bars; a few numbers or dates in their natural order."""
    shown = list(column.frequent[:_VALUES])
    if not shown:
        return ""
    if _is_all_different(column):
        examples = ", ".join(line(value.value, 40) for value in shown[:3])
        said = "each value once" if profile.exact else "no value twice in the sample"
        return f"<div>{escaped(f'{said}, such as {examples}', 200)}</div>"
    if column.family in {"number", "moment"} and len(column.frequent) <= _FEW:
        shown = sorted(column.frequent, key=lambda value: _sort_key(column, value.value))
    longest = max(value.share for value in shown)
    about = _about(profile)
    rows = "<span class='plain'>, </span>".join(
        f"<span class='value' title=\"{escaped(value.value, 300)}\" style='background: {_bar(value.share / longest)}'>"
        f"<span>{escaped(value.value, 40) or '<i>empty</i>'}</span> <span>{about}{percent(value.share)}</span></span>"
        for value in shown
    )
    rest = 1 - sum(value.share for value in shown)
    others = f"<span class='value'><span>others</span> <span>{about}{percent(rest)}</span></span>"
    return rows + (f"<span class='plain'>, </span>{others}" if rest > 1e-9 else "")  # noqa: PLR2004 - rounding


def _sort_key(column: Column, value: str) -> tuple[float, str]:
    try:
        return (float(value) if column.family == "number" else 0.0), value
    except ValueError:  # a BIGNUM, cut
        return math.inf, value


def _bar(part: float) -> str:
    return f"linear-gradient(90deg, rgba(66, 133, 214, .38) {part * 100:.0f}%, transparent {part * 100:.0f}%)"

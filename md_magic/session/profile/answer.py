"""Reading the answer of the statement: the values of a profile."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, TypeVar

from md_magic.session.profile import bins, distinct
from md_magic.session.profile.kinds import family_of, has_steps, python, shown, unit
from md_magic.session.profile.query import FINE, MOST_COLUMNS
from md_magic.session.profile.values import Bin, Column, Count, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


def read(answer: Mapping[str, Any], kinds: Sequence[tuple[str, str]]) -> Profile:
    """Return the profile of columns with these names and types from the *answer*, one value for each name."""
    rows, sampled = answer["n"], answer["sampled"]
    bits = distinct.bits(min(len(kinds), MOST_COLUMNS))
    columns = tuple(_column(answer, at, name, kind, bits) for at, (name, kind) in enumerate(kinds[:MOST_COLUMNS]))
    return Profile(columns, rows, sampled, left_out=max(0, len(kinds) - MOST_COLUMNS))


def _column(answer: Mapping[str, Any], at: int, name: str, kind: str, bits: int) -> Column:
    family = family_of(kind)
    convert = python(kind)
    number, is_exact = distinct.count(answer, at, bits)
    lengths: tuple[Any, Any, Any] = (answer.get(f"s{at}"), answer.get(f"g{at}"), answer.get(f"m{at}"))
    return Column(
        name=name,
        type=shown(kind),
        family=family,
        nulls=answer["n"] - answer[f"k{at}"],
        distinct=number,
        smallest=_if_any(answer[f"lo{at}"], convert),
        largest=_if_any(answer[f"hi{at}"], convert),
        mean=_if_any(answer.get(f"a{at}"), lambda number: _mean(number, kind)),
        quantiles=tuple(
            _if_any(value, convert if family == "moment" else float) for value in answer.get(f"q{at}") or ()
        ),
        lengths=lengths if None not in lengths else None,
        frequent=_frequent(answer, at),
        bins=_bins(answer, at, kind),
        example=_if_any(answer.get(f"e{at}_"), shown),
        distinct_exact=is_exact,
    )


def _if_any(value: Any, convert: Callable[[Any], T]) -> T | None:  # noqa: ANN401 - any value of the answer
    return None if value is None else convert(value)


def _frequent(answer: Mapping[str, Any], at: int) -> tuple[Count, ...]:
    entries = answer.get(f"t{at}") or []
    total = answer.get(f"w{at}") or 1
    return tuple(Count(shown(entry["v"]), -entry["n"], -entry["n"] / total) for entry in entries)


def _bins(answer: Mapping[str, Any], at: int, kind: str) -> tuple[Bin, ...]:
    low, high = answer.get(f"l{at}"), answer.get(f"u{at}")
    rows = [(entry["key"], entry["value"]) for entry in answer.get(f"b{at}") or () if entry["key"] is not None]
    if low is None or high is None or not low < high or not rows:
        return ()
    is_fine, width = answer[f"i{at}"], answer[f"f{at}"]
    if has_steps(kind) or (is_fine and width):
        low, high, steps = int(low), int(high), [(int(place), count) for place, count in rows]
        drawn = (
            bins.of_fine_steps(steps, low, high, int(width), unit=unit(kind))
            if is_fine
            else bins.of_steps(steps, low, high, unit=unit(kind))
        )
    else:
        drawn = bins.of_fine_floats(rows, low, high, FINE) if is_fine else bins.of_floats(rows, low, high)
    return drawn


def _mean(number: float, kind: str) -> object:
    """Return the mean as a number; for moments, as the text of the moment *number* seconds after 1970 or midnight."""
    if family_of(kind) == "number":
        return number
    if not math.isfinite(number):
        return None
    try:
        delta = dt.timedelta(milliseconds=round(number * 1000))
        exactly = "milliseconds" if delta.microseconds else "seconds"
        if kind == "INTERVAL":
            return str(delta)
        moment = dt.datetime(1970, 1, 1) + delta  # noqa: DTZ001 - as DuckDB writes it, or with +00 below
    except OverflowError:
        return None
    if kind.startswith("TIME") and not kind.startswith("TIMESTAMP"):
        end = delta >= dt.timedelta(days=1)  # a time that DuckDB has, and Python has not
        return "24:00:00" if end else moment.time().isoformat(exactly)
    return moment.isoformat(" ", exactly) + ("+00" if kind.endswith("ZONE") else "")

"""How counts, durations, sizes, shortened texts and suggestions are worded, wherever a person reads them.

It is on the bottom floor because error messages and `repr`s use it as well as the display.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TENS, _ROUNDS_TO_THOUSAND, _THOUSAND = 9.95, 999.5, 1000
_MICROSECONDS_BELOW = 0.001
_MILLISECONDS_BELOW = 0.5
_SECONDS_BELOW = 59.95
"""Below this many seconds, a duration is not rounded up to a minute."""


def duration(seconds: float) -> str:
    """Return *seconds* in the unit that suits them: `120 µs`, `1.5 ms`, `2.3 s`, `1 min 05 s`, `2 h 05 min`."""
    if seconds < _MICROSECONDS_BELOW:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < _MILLISECONDS_BELOW:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < _SECONDS_BELOW:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def count(number: int, noun: str) -> str:
    """Return *number* with its noun: `1 row`, `2,000 rows`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def data_size(number: int) -> str:
    """Return a number of bytes in the unit that suits it, of 1000: `512 bytes`, `2.1 kB`, `31 MB`, `1.2 GB`."""
    if number < _THOUSAND:
        return count(number, "byte")
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= _THOUSAND
        if value < _ROUNDS_TO_THOUSAND or unit == "TB":
            break
    return f"{value:,.1f} {unit}" if value < _TENS else f"{value:,.0f} {unit}"


def size(rows: int, columns: int) -> str:
    """Return the shape of a table: `1,234,567 rows × 5 columns`."""  # noqa: RUF002 - a times sign
    return f"{count(rows, 'row')} × {count(columns, 'column')}"  # noqa: RUF001 - see above


def shortened(text: str, most: int) -> str:
    """Return *text* cut to at most *most* characters, the last of which is an ellipsis if anything was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def did_you_mean(name: str, candidates: Iterable[str], *, sign: str = "", most: int = 1) -> str:
    """Return ` Did you mean x?` with the *candidates* similar to *name*, best first; empty if there are none.

    Case is ignored. *sign* is put before each candidate, such as the `:` of a parameter.
    """
    near = near_names(name, candidates, most=most)
    return f" Did you mean {', '.join(sign + candidate for candidate in near)}?" if near else ""


def near_names(name: str, candidates: Iterable[str], *, most: int = 1) -> list[str]:
    """Return at most *most* of the *candidates* that *name* may be a misspelling of, best first. Case is ignored."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    return [by_folded[folded] for folded in difflib.get_close_matches(name.casefold(), by_folded, n=most)]


def near_tables(name: str, candidates: Iterable[str], *, most: int = 1) -> list[str]:
    """Return the same for names of tables: `q1` is near `q2`, where nothing else is."""
    names = list(candidates)
    stem = name.casefold().rstrip("0123456789")
    numbered = [other for other in names if stem and stem == other.casefold().rstrip("0123456789")]
    return near_names(name, names, most=most) or numbered[:most]

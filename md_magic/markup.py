"""How numbers and foreign texts are written on a screen: on one line, cut, and escaped where they go into HTML."""

from __future__ import annotations

import html

SPARKS = "▁▂▃▄▅▆▇█"

_MINUTE = 60


def line(text: object, most: int = 80) -> str:
    """Return *text* on one line of at most *most* characters, without characters that a terminal would obey."""
    whole = " ".join(str(text).split())
    clean = "".join(char if char.isprintable() else "·" for char in whole[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def escaped(text: object, most: int = 80) -> str:
    """Return *text* as `line` does, for HTML: between tags, or in an attribute's double quotes."""
    return html.escape(line(text, most))


def block(text: str, most: int = 2000) -> str:
    """Return *text* for HTML with its line breaks, cut after *most* characters."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return html.escape("".join(char if char.isprintable() or char == "\n" else "·" for char in cut))


def number(value: object) -> str:
    """Return a number with separators of thousands, a float with six digits; any other value as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def duration(seconds: float) -> str:
    """Return *seconds* in a unit that suits them, such as `12.3 ms`."""
    if seconds >= _MINUTE:
        return f"{int(seconds // _MINUTE):,} min {seconds % _MINUTE:.0f} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.001 else f"{seconds * 1e6:.0f} µs"  # noqa: PLR2004 - a millisecond


def percent(share: float) -> str:
    """Return *share*, from 0 to 1, in percent."""
    if 0 < share < 0.001:  # noqa: PLR2004 - what would be written as 0.0 %
        return "< 0.1 %"
    return f"{share * 100:.1f} %" if share < 0.1 else f"{share * 100:.0f} %"  # noqa: PLR2004


def count(rows: int, noun: str) -> str:
    """Return how many there are, such as `1 row` or `2,000 rows`."""
    return f"{rows:,} {noun}{'s' * (rows != 1)}"


def table(rows: list[list[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Return the lines of a table of texts, its first row the header; columns in *right* end at the same place."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def rule(name: str, style: str) -> str:
    """Return *style*, CSS in which `&` stands for the class *name*, as an element of its own."""
    return f"<style>{style.replace('&', f'.{name}')}</style>"

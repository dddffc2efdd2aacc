"""Formatting numbers and untrusted text for display: on one line, shortened, and escaped for HTML."""

from __future__ import annotations

import html

from md_magic.wording import shortened

_GROUPED = 10_000
_MOST_WHOLE = 10**15

SPARKS = "▁▂▃▄▅▆▇█"


def line(text: object, most: int = 80) -> str:
    """Return *text* on one line of at most *most* characters, without terminal control characters."""
    one_line = " ".join(str(text).split())
    return shortened("".join(char if char.isprintable() else "·" for char in one_line[: most + 1]), most)


def escaped(text: object, most: int = 80) -> str:
    """Return *text* like `line`, escaped for HTML: between tags, or in an attribute's double quotes."""
    return html.escape(line(text, most))


def block(text: str, most: int = 2000) -> str:
    """Return *text* escaped for HTML with its line breaks, cut after *most* characters."""
    printable = "".join(char if char.isprintable() or char == "\n" else "·" for char in shortened(text, most))
    return html.escape(printable)


def number(value: object) -> str:
    """Return a number with thousands separators, a float with six digits; any other value as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def value_text(value: object) -> str:
    """Return a value of the data as text: as `number`, but a whole number of up to four digits may be a year."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MOST_WHOLE:
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _GROUPED:
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    return number(value)


def percent(share: float) -> str:
    """Return *share*, from 0 to 1, in percent."""
    if 0 < share < 0.001:  # noqa: PLR2004 - would be rounded to 0.0 %
        return "< 0.1 %"
    return f"{share * 100:.1f} %" if share < 0.1 else f"{share * 100:.0f} %"  # noqa: PLR2004


def table(rows: list[list[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Return the lines of a text table whose first row is the header; the columns in *right* are right-aligned."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def rule(name: str, style: str) -> str:
    """Return *style*, CSS in which `&` stands for the class *name*, as a `<style>` element."""
    return f"<style>{style.replace('&', f'.{name}')}</style>"

"""A repair as a person sees it: the difference between the cell that failed and what is suggested in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.display.markup import block, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_magic.session.platform import Repair

_LONGEST = 2_000
"""Characters of a line that are drawn."""

_WHERE = " Nothing was run. The whole text is _.repaired, in the next cell."
_BY_MODEL = f"Suggested by MotherDuck's model.{_WHERE}"
_BY_NAMES = f"With the only names that are near.{_WHERE}"
_NOTHING = "MotherDuck's model suggests no change. Nothing was run."

_KINDS = {"+": "added", "-": "removed", "@": "place"}

_STYLE = """
& pre { margin: 4px 0; padding: 4px 8px; line-height: 1.45; color: inherit; background: rgba(128, 128, 128, .10);
  white-space: pre-wrap }
& pre span { display: block }
& .added { background: rgba(47, 158, 68, .25) }
& .removed { background: rgba(224, 49, 49, .25) }
& .place { opacity: .75 }
"""


def as_text(repair: Repair) -> str:
    """Return the difference as a unified diff."""
    return "\n".join([_note(repair), *map(_printable, repair.diff)]) if repair.diff else _NOTHING


def as_html(repair: Repair) -> str:
    """Return the difference as static HTML, a unified diff in two colours."""
    if not repair.diff:
        return f"<div class='md-repair'>{_NOTHING}</div>"
    head = rule("md-repair", _STYLE) + block(_note(repair))
    return f"<div class='md-repair'>{head}<pre>{''.join(_lines(repair))}</pre></div>"


def _note(repair: Repair) -> str:
    return _BY_MODEL if repair.by_model else _BY_NAMES


def _lines(repair: Repair) -> Iterator[str]:
    for number, line in enumerate(repair.diff):
        kind = "place" if number < 2 else _KINDS.get(line[:1], "")  # noqa: PLR2004 - the names of the two texts
        yield f"<span class='{kind}'>{block(line, _LONGEST)}</span>"


def _printable(line: str) -> str:
    """Return *line* without characters that a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\t" else "·" for char in line)

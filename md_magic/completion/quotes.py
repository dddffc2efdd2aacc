"""SQL of a database that quotes names with backticks, as text that the one reader of half-typed SQL can read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from md_magic.sql.quoting import Quoting

_QUOTED = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.|'')*'?|"(?:[^"\\]|\\.|"")*"?)|(?P<name>`(?:[^`]|``)*`?)"""
    r"""|(?P<comment>--[ \t][^\n]*|/\*[\s\S]*?\*/)|(?P<hash>\#[^\n]*)"""
)


def as_standard(text: str, quoting: Quoting) -> str:
    """Return *text*, character for character, with standard quotes: names in double ones, texts in single ones."""
    return _QUOTED.sub(_standard, text) if quoting.opening == "`" else text


def _standard(match: re.Match[str]) -> str:
    found = match[0]
    if match["name"] is not None:
        return found.replace('"', "_").replace("`", '"')
    if match["hash"] is not None:
        return " " * len(found)
    if match["string"] is None:
        return found
    inner, closed = found[1:], len(found) > 1 and found.endswith(found[0])
    inner = inner[:-1] if closed else inner
    return "'" + re.sub(r"['\\]", " ", inner) + ("'" if closed else "")

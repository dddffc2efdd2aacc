"""Completion of paths, on the magic line and in SQL strings that name a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from md_magic.completion.menu import MOST, Suggested, Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.completion.scope.typed import Typed
    from md_magic.sql.tokens import Token

_FILE_CALLS = ("read_", "scan_", "sniff_")
_FILE_CALLS_END = ("_scan",)
_CLOSING = frozenset({")", "]", "}"})
_OPENING = frozenset({"(", "[", "{"})


def in_string(typed: Typed, text: str, cursor: int, expects_table: Callable[[], bool]) -> Suggested:
    """Suggest files if the cursor is in a string that names one. *expects_table* says whether a table is expected."""
    if typed.tail is None or typed.tail.kind != "string" or not _names_file(typed.before, expects_table):
        return Suggested()
    fragment = text[typed.tail.start + 1 : cursor]
    escaped = [path.replace("'", "''") for path in paths(fragment.replace("''", "'"))]
    return Suggested(fragment, tuple(Suggestion(path, "path") for path in escaped))


def paths(fragment: str) -> list[str]:
    """Return the files and folders that begin with the path *fragment*. Folders end with a slash."""
    if "://" in fragment or "\0" in fragment or any(char in fragment for char in "*?["):
        return []
    start = fragment.rpartition("/")[2]
    shown = fragment[: len(fragment) - len(start)]
    names = []
    try:
        with os.scandir(Path(shown or ".").expanduser()) as entries:
            for entry in entries:
                if not entry.name.lower().startswith(start.lower()) or (entry.name[0] == "." and start[:1] != "."):
                    continue
                names.append(shown + entry.name + ("/" if entry.is_dir() else ""))
    except (OSError, RuntimeError, ValueError):  # no such folder, ~nobody
        return []
    return sorted(names, key=lambda name: (not name.startswith(fragment), name.lower()))[:MOST]


def _names_file(before: Sequence[Token], expects_table: Callable[[], bool]) -> bool:
    call = _enclosing_call(before)
    if call is not None:
        is_named_parameter = before[-1].text in {"=", ":=", "=>"}
        reads = call.startswith(_FILE_CALLS) or call.endswith(_FILE_CALLS_END) or call == "glob"
        return reads and not is_named_parameter and _is_first_argument(before)
    low = before[-1].low if before else ""
    if low in {"to", "from"} and before[0].low in {"copy", "export", "import"}:
        return True
    if low in {"attach", "load", "install", "database", "exists"}:
        return before[0].low in {"attach", "load", "install", "export", "import"}
    return expects_table()


def _enclosing_call(before: Sequence[Token]) -> str | None:
    """Return the function whose argument list is still open after these tokens."""
    depth = 0
    for at in range(len(before) - 1, 0, -1):
        text = before[at].text
        if before[at].kind != "sign":
            continue
        depth += (text in _CLOSING) - (text in _OPENING)
        if depth < 0 and text == "(":
            word = before[at - 1].low
            return word if word and word not in {"from", "join", "in", "as", ","} else None
    return None


def _is_first_argument(before: Sequence[Token]) -> bool:
    """Whether the cursor is in the call's first argument, which may be a list of paths."""
    signs = [token.text for token in before if token.kind == "sign"]
    in_list = signs.count("[") > signs.count("]")
    depth = 0
    for sign in reversed(signs):
        depth += (sign in _CLOSING) - (sign in _OPENING)
        if depth < 0:
            return True
        if sign == "," and depth == 0 and not in_list:
            return False
    return True

"""Statements that open MotherDuck from a local DuckDB, on which its driver would start an invisible login."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.sql.tokens import Token

UNKNOWN_PRAGMA = "pragma function with name md_connect does not exist"
"""DuckDB's error, in lower case, for `PRAGMA MD_CONNECT` if MotherDuck's extension is not loaded."""

_DOORS = {"ATTACH": "ATTACH 'md:'", "LOAD": "LOAD motherduck", "PRAGMA": "PRAGMA MD_CONNECT"}
"""The kinds of statements that can start the login, and how they are written."""

_PATHS = ("md:", "motherduck:")
_EXTENSIONS = frozenset({"md", "motherduck"})


def opens_login(kind: str, text: str) -> bool:
    """Whether the statement *text*, of DuckDB's *kind*, starts MotherDuck's login where no token is known.

    That is `ATTACH 'md:...'` without a token in its path, `ATTACH ... (TYPE motherduck)`, `PRAGMA MD_CONNECT`, and
    `LOAD motherduck`, after which any statement that needs the service starts it. The login blocks for minutes and
    cannot be interrupted.
    """
    if kind not in _DOORS:  # nearly every statement
        return False
    read, _ = tokens(text)
    first = read[0].low if read else ""
    if first == "attach":
        return _attaches(read)
    if first == "load":
        return len(read) > 1 and _is_extension(_value(read[1]))
    return [token.low for token in read[:2]] == ["pragma", "md_connect"]


def login_refused(kind: str) -> str:
    """Return what to tell a person whose statement of this *kind* would start the login, and is not run."""
    return (
        f"{_DOORS[kind]} needs a MotherDuck token, and this connection has none: the driver's own login would block the"
        " kernel. Run `%%mdsql md:`, which signs in, and attach the local file there: ATTACH 'file.duckdb'. Or set"
        " motherduck_token before the kernel starts."
    )


def _attaches(read: Sequence[Token]) -> bool:
    path = next((_value(token) for token in read if token.kind == "string"), "")
    if path.startswith(_PATHS):
        return "motherduck_token=" not in path
    types = (_value(after) for token, after in pairwise(read) if token.low == "type")
    return any(map(_is_extension, types))


def _is_extension(name: str) -> bool:
    """Whether *name* is that of MotherDuck's extension, or the path of its file."""
    file = name.replace("\\", "/").rpartition("/")[2]
    return file.removesuffix(".duckdb_extension") in _EXTENSIONS


def _value(token: Token) -> str:
    """Return the name or the string that *token* is, in lower case."""
    if token.kind != "string":
        return (token.name or "").lower()
    text = token.text.removeprefix("e").removeprefix("E")
    if text.startswith("$"):
        tag = text[: text.find("$", 1) + 1]
        return text.removeprefix(tag).removesuffix(tag).lower()
    return text.strip("'").lower()

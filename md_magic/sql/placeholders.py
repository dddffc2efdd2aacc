"""Targets with variables in them: `$NAME` for a whole one, `${NAME}` inside a URI.

The invariant: what a variable holds is in no name and `repr` of the target, nor in an error about it: there stands what
was typed.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from md_magic.auth.secret import Secret, mask_uris
from md_magic.errors import TargetError
from md_magic.sql import target as targets
from md_magic.sql.habits import in_a_variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.sql.target import Target

_WHOLE = re.compile(r"\$([^\W\d]\w*)\Z")
_INSIDE = re.compile(r"\$\{([^{}]*)\}")
_SCHEME = re.compile(r"\A[A-Za-z][\w+.-]*+:")


def name_in(word: str) -> str | None:
    """Return NAME where *word* is `$NAME`."""
    match = _WHOLE.match(word)
    return match[1] if match else None


def are_in(word: str) -> bool:
    """Whether a variable stands in *word*: its secrets are nothing that was typed."""
    return _WHOLE.match(word) is not None or _INSIDE.search(word) is not None


def without(uri: str) -> str:
    """Return *uri* without the `${NAME}` in it."""
    return _INSIDE.sub("", uri)


def value_of(name: str, variables: Mapping[str, Any], *, word: str) -> str:
    """Return what the Python variable *name*, else the environment variable, holds; *word* is where it stands.

    Raises `TargetError` where there is none, and for a variable that holds no text, or nothing: without it the rest of
    a URI is another place, such as the memory in place of a file.
    """
    value = _text(name, variables, word=word)
    if not value.strip():
        kind = "Python" if name in variables else "environment"
        message = (
            f"{word}: the {kind} variable {name!r} holds nothing. Give it the target, or the part of it that is meant."
        )
        raise TargetError(message)
    return value


def _text(name: str, variables: Mapping[str, Any], *, word: str) -> str:
    if name not in variables:
        if name in os.environ:
            return os.environ[name]
        message = (
            f"{word}: there is neither a Python variable nor an environment variable {name!r}. Define one that holds"
            " the target, or the part of it that is meant."
        )
        raise TargetError(message)
    value = variables[name]
    if hasattr(value, "render_as_string"):  # SQLAlchemy's URL, whose text has no password
        return str(value.render_as_string(hide_password=False))
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    hint = f" An engine is named with --engine {name}." if hasattr(value, "connect") or hasattr(value, "sql") else ""
    held = "None" if value is None else f"a {type(value).__name__}"
    message = f"{word}: the Python variable {name!r} holds {held}, where text is needed.{hint}"
    raise TargetError(message)


def holds_target(name: str, variables: Mapping[str, Any]) -> bool:
    """Whether the variable *name* holds a target, and not, say, SQL. Raises what `value_of` raises."""
    value = value_of(name, variables, word=f"${name}").strip()
    return targets.is_target(value) and name_in(value) is None


def read(word: str, variables: Mapping[str, Any]) -> Target:
    """Return the target that the URI *word* means, with *variables* in the places of `$NAME` and `${NAME}`.

    Raises `TargetError`, also where what a variable holds cannot be read.
    """
    if (name := name_in(word)) is not None:
        return _read_whole(word, value_of(name, variables, word=word).strip())
    names = list(dict.fromkeys(_INSIDE.findall(word)))
    if not names:
        return targets.read(word)
    values = {name: value_of(name, variables, word=f"${{{name}}}") for name in names}
    try:
        target = targets.read(_filled(word, values))
    except TargetError:
        targets.read(word)  # the same mistake is in what was typed, which can be shown
        message = (
            f"{mask_uris(word)!r} cannot be read as a URI with the"
            f" value{'s' * (len(names) > 1)} of {' and '.join(f'${{{name}}}' for name in names)} in it."
        )
        raise TargetError(message) from None
    hidden = {f"${{{name}}}": Secret(value) for name, value in values.items()}
    return replace(target, label=mask_uris(word), hidden=hidden)


def _read_whole(word: str, value: str) -> Target:
    try:
        target = targets.read(value)
    except TargetError:
        scheme = _SCHEME.match(value)
        begins = f", which begins with {scheme[0]!r}" if scheme else ""
        message = (
            f"{word}: what it holds{begins}, cannot be read as a target: {targets.WORDS}. The value is not shown; typed"
            " out on the line it gives the reason."
        )
        error = TargetError(message)
        if scheme is None:
            error.add_note(f"\n{in_a_variable(word[1:])}")
        raise error from None
    return replace(target, label=word, hidden={word: Secret(value)})


def _filled(word: str, values: Mapping[str, str]) -> str:
    """Return *word* with *values*, which are encoded where a user, a password or the value of a parameter stands."""
    authority = word.find("//") + 2
    at, query = word.rfind("@"), word.find("?")

    def filled(match: re.Match[str]) -> str:
        value, start = values[match[1]], match.start()
        encoded = authority <= start < at or -1 < query < start
        return quote(value, safe="") if encoded else value

    return _INSIDE.sub(filled, word)

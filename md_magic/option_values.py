"""The values of options: read from their text, or refused with a sentence that says what is needed."""

from __future__ import annotations

import keyword
import math
import re
import threading

from md_magic.errors import OptionError

_NAMES = re.compile(r"""\s*"((?:[^"]|"")*)"\s*(?=,|\Z)|([^,]+)""")
"""A name in SQL's quotes, or what stands between commas."""


def python_name(text: str) -> str:
    """Return *text*, the name of a Python variable."""
    if text.isidentifier() and not keyword.iskeyword(text):
        return text
    why = "is a Python keyword" if keyword.iskeyword(text) else "is not a Python name"
    message = f"{text!r} {why}. A variable's name has letters, digits and underscores, and no digit first."
    raise OptionError(message)


def alias(text: str) -> str:
    """Return the alias in *text*, without its `@`."""
    name = text.removeprefix("@")
    if re.fullmatch(r"[\w.-]+", name):
        return name
    message = f"{name!r} is no alias. An alias has letters, digits, `_`, `-` and `.`, and is written @name later."
    raise OptionError(message)


def row_count(text: str) -> int:
    """Return the number of rows in *text*."""
    if text.replace("_", "").isdecimal():
        return int(text)
    message = f"--limit: got {text!r}, where a number of rows is needed, such as --limit 1000."
    raise OptionError(message)


def seconds(text: str) -> float:
    """Return the number of seconds in *text*, above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 < value < threading.TIMEOUT_MAX:
        return value
    message = f"--timeout: got {text!r}, where a number of seconds above 0 is needed, such as --timeout 30."
    raise OptionError(message)


def parameter(text: str) -> tuple[str, str]:
    """Return the name and the expression of a parameter, `NAME=EXPR`."""
    name, equals, expression = text.partition("=")
    if not (equals and expression.strip()):
        message = f"--param: got {text!r}, where NAME=EXPRESSION is needed, such as --param day=7 or --param ids=[1,2]."
        raise OptionError(message)
    return python_name(name.strip().removeprefix(":")), expression.strip()


# ---- the table ------------------------------------------------------------------------------------------------------


def names(text: str) -> tuple[str, ...]:
    """Return the names in *text*, with commas between them; one in double quotes may have a comma in it."""
    parts = (quoted.replace('""', '"') or plain.strip().strip('"') for quoted, plain in _NAMES.findall(text))
    found = tuple(name for name in parts if name)
    if found:
        return found
    message = f"--on: got {text!r}, where names of columns are needed, such as --on id or --on year,month."
    raise OptionError(message)

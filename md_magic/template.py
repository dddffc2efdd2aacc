"""Jinja in a cell, for `--jinja`: the text is rendered first, in a sandbox, and what comes out is the SQL.

Parameters stay the better way for values: they are bound. A template is for what SQL cannot bind, such as a table's
name or a list of columns, and its filters `identifier` and `literal` quote what they are given.
"""

from __future__ import annotations

import datetime as dt
import decimal
import difflib
import math
import re
import uuid
from typing import TYPE_CHECKING, Any

from md_magic.errors import OptionError, ParameterError
from md_magic.statement import identifier as quoted

if TYPE_CHECKING:
    from collections.abc import Mapping


def render(sql: str, variables: Mapping[str, Any]) -> str:
    """Return *sql* rendered with *variables*.

    Raises `OptionError` where Jinja is missing or the template is not one, `ParameterError` for a variable that is not
    defined or a value that has no literal. Nothing has been run then.
    """
    try:
        import jinja2  # optional, and only a cell that asks for it pays 40 ms
        from jinja2.sandbox import SandboxedEnvironment
    except ImportError as error:
        message = "--jinja needs the package jinja2: %pip install 'md_magic[jinja]'."
        raise OptionError(message) from error
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"identifier": identifier, "literal": literal}
    try:
        return environment.from_string(sql).render(dict(variables))
    except jinja2.UndefinedError as error:
        message = (
            f"--jinja: {error}.{_near(str(error), variables)} Define it, or write `{{{{ name | default(...) }}}}`."
        )
        raise ParameterError(message) from error
    except jinja2.TemplateSyntaxError as error:
        message = (
            f"--jinja: line {error.lineno} is no template: {error.message} Write {{% raw %}} around braces of SQL."
        )
        raise OptionError(message) from error
    except ParameterError:
        raise
    except Exception as error:  # whatever the expressions of a template raise
        message = f"--jinja: the template cannot be rendered: {type(error).__name__}: {error}."
        raise ParameterError(message) from error


def identifier(value: object) -> str:
    """Return a name quoted for SQL; several, in a list, separated by commas."""
    if isinstance(value, str) and value and "\0" not in value:
        return quoted(value)
    if isinstance(value, list | tuple) and value:
        return ", ".join(identifier(one) for one in value)
    message = f"--jinja: {value!r} is no name. The filter `identifier` takes text, or a list of texts."
    raise ParameterError(message)


def literal(value: Any) -> str:  # noqa: ANN401, C901, PLR0911 - whatever a variable holds; a case for each type
    """Return a value as SQL: text quoted, None as NULL, a list in parentheses, for IN."""
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value  # numpy's scalars
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return _signed(str(int(value)))
        case float():
            return _signed(repr(float(value))) if math.isfinite(value) else f"CAST('{value}' AS DOUBLE PRECISION)"
        case decimal.Decimal() if value.is_finite():
            return _signed(f"{value:f}")
        case str() if "\0" not in value:
            return "'" + value.replace("'", "''") + "'"
        case dt.datetime() if value == value:  # noqa: PLR0124 - pandas.NaT is a datetime, and not equal to itself
            return f"TIMESTAMP{'TZ' if value.tzinfo else ''} '{value.isoformat(' ')}'"
        case dt.datetime():
            return "NULL"
        case dt.date():
            return f"DATE '{value.isoformat()}'"
        case dt.time():
            return f"TIME '{value.isoformat()}'"
        case uuid.UUID():
            return f"'{value}'"
        case list() | tuple() | set() | frozenset() if value:
            return f"({', '.join(literal(one) for one in value)})"
    message = (
        f"--jinja: a {type(value).__name__} such as {str(value)[:40]!r} has no literal. Bind it as a parameter, :name."
    )
    raise ParameterError(message)


def _signed(number: str) -> str:
    """Return *number* so that a sign before it or a cast after it sees all of it: `1 --2` is a comment."""
    return f"({number})" if number.startswith("-") else number


def _near(message: str, variables: Mapping[str, Any]) -> str:
    missing = re.match(r"'(\w+)' is undefined", message)
    near = difflib.get_close_matches(missing[1], list(variables), n=1) if missing else []
    return f" Did you mean {near[0]}?" if near else ""

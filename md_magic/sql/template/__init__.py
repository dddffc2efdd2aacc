"""Jinja in a cell, for `--jinja`: the text is rendered first, in a sandbox, and what comes out is the SQL.

A template sees plain data only (`values`), and its loops and sizes are bounded (`sandbox`). Parameters stay
the better way for values: they are bound. A template is for what SQL cannot bind, such as a table's name or a list of
columns, and its filters `identifier` and `literal` quote what they are given for the database of the cell.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from md_magic.errors import OptionError, ParameterError
from md_magic.sql import quoting as quotings
from md_magic.sql.quoting import DUCKDB
from md_magic.sql.template import values
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.sql.quoting import Quoting


def render(sql: str, variables: Mapping[str, Any], *, quoting: Quoting = DUCKDB) -> str:
    """Return *sql* rendered with *variables*; its filters quote for the database of *quoting*.

    Raises `OptionError` where Jinja is missing or the template is not one, `ParameterError` for a variable that is not
    defined or no plain data, a value that has no literal, and a template that is too large. Nothing has been run then.
    """
    try:
        import jinja2  # optional, and only a cell that asks for it pays 40 ms

        from md_magic.sql.template.sandbox import Sandbox
    except ImportError as error:
        message = "--jinja needs the package jinja2: %pip install 'md_magic[jinja]'."
        raise OptionError(message) from error
    filters = {"identifier": partial(identifier, quoting=quoting), "literal": partial(literal, quoting=quoting)}
    environment = Sandbox(filters)
    try:
        template, used = environment.compiled(sql)
        return environment.rendered(
            template, {name: values.plain(variables[name], name) for name in used if name in variables}
        )
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


def identifier(value: object, quoting: Quoting = DUCKDB) -> str:
    """Return a name quoted for SQL; several, in a list, separated by commas."""
    if isinstance(value, str) and value and "\0" not in value:
        return quoting.identifier(str.__str__(value))
    if isinstance(value, list | tuple) and value:
        return ", ".join(identifier(part, quoting) for part in value)
    message = f"--jinja: {value!r} is no name. The filter `identifier` takes text, or a list of texts."
    raise ParameterError(message)


def literal(value: Any, quoting: Quoting = DUCKDB) -> str:  # noqa: ANN401 - whatever a variable holds
    """Return a value as SQL: text quoted, None as NULL, a list in parentheses, for IN."""
    if not quotings.is_known(quoting.dialect):
        message = (
            f"--jinja: how {quoting.dialect} writes a text is not known, so the filter `literal` cannot quote for it. "
            "Bind the value as a parameter, :name."
        )
        raise ParameterError(message)
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value  # numpy's scalars
    if isinstance(value, list | tuple | set | frozenset) and value:
        return f"({', '.join(literal(item, quoting) for item in value)})"
    try:
        return quoting.literal(value)
    except ValueError:
        shown = str(value)[:40]
    message = f"--jinja: a {type(value).__name__} such as {shown!r} has no literal. Bind it as a parameter, :name."
    raise ParameterError(message)


def _near(message: str, variables: Mapping[str, Any]) -> str:
    missing = re.match(r"'(\w+)' is undefined", message)
    return did_you_mean(missing[1], variables) if missing else ""

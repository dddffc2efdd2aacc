"""The names of the magic, `mdsql` and the alias, and where they stand in a cell's text."""

from __future__ import annotations

import functools
import re

NAME = "mdsql"


@functools.lru_cache(maxsize=8)
def cell_magic(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what matches `%%mdsql` at a cell's beginning, by any of *names*; neither `%%mdsqlx` nor `%%mdsql?`."""
    return re.compile(rf"\s*%%(?:{'|'.join(names)})(?![\w?])")


@functools.lru_cache(maxsize=8)
def line_magic(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what matches `%mdsql`, or `x = %mdsql`, at the beginning of a line, by any of *names*."""
    return re.compile(rf"\s*(?:[\w.\[\]'\", ()*]+?=\s*)?%(?:{'|'.join(names)})(?![\w?])")

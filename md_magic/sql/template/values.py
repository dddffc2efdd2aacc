"""What a template sees of the notebook: numbers, texts, dates, lists and dicts of them, names of columns."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from md_magic.errors import ParameterError

_MOST_VALUES = 1_000_000
"""Values of one variable."""

_MOST_LEVELS = 50
"""Lists in lists. One that contains itself has no end."""

_AS_THEY_ARE = (bool, type(None), dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID)


_EXACT: dict[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}
"""Conversions from a derived class, without a call of its methods."""


def plain(value: Any, name: str, level: int = 0) -> Any:  # noqa: ANN401 - whatever a variable holds
    """Return *value* as plain data, of which nothing runs the notebook's code; a frame as `{"columns": [...]}`.

    Raises `ParameterError` for anything else; *name* is the variable, for the message.
    """
    if isinstance(value, _AS_THEY_ARE):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return _EXACT[kind](value)
    if level > _MOST_LEVELS:
        message = f"--jinja: `{name}` has lists in lists, more than {_MOST_LEVELS} levels deep."
        raise ParameterError(message)
    if isinstance(value, Mapping):
        items = _counted(value, name)
        return {plain(key, name, level + 1): plain(item, name, level + 1) for key, item in items.items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [plain(item, name, level + 1) for item in _counted(value, name)]
    return _of_a_library(value, name, level)


def _of_a_library(value: Any, name: str, level: int) -> Any:  # noqa: ANN401
    """Return a frame, a column or a scalar of a library as plain data."""
    library = type(value).__module__.partition(".")[0]
    if library == "numpy" and getattr(value, "ndim", 1) == 0 and (kept := value.astype(object)) is not value:
        return plain(kept, name, level + 1)
    if library in {"pandas", "polars", "pyarrow", "duckdb", "_duckdb"}:
        columns = getattr(value, "column_names", None) or getattr(value, "columns", None)
        if columns is not None:
            return {"columns": [str(column) for column in columns]}
    if library in {"numpy", "pandas", "polars", "pyarrow"}:
        for method in ("tolist", "to_list", "to_pylist"):
            if hasattr(value, method):
                return plain(getattr(_counted(value, name), method)(), name, level + 1)
        if str(value) == "<NA>":  # pandas.NA
            return None
    message = (
        f"--jinja: `{name}` is or holds a {type(value).__name__}. A template sees numbers, texts, dates, lists and "
        f"dicts of them, and a frame's names of columns ({{{{ df.columns }}}}). Compute the value in a Python cell."
    )
    raise ParameterError(message)


def _counted(value: Any, name: str) -> Any:  # noqa: ANN401
    """Return *value*, if its values are not too many."""
    if hasattr(value, "__len__") and len(value) > _MOST_VALUES:
        message = (
            f"--jinja: `{name}` has {len(value):,} values; a template takes {_MOST_VALUES:,}. FROM {name} reads all."
        )
        raise ParameterError(message)
    return value

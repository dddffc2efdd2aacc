"""The Python tables that a statement names, and when one has changed: it can be changed in place."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from md_magic.engine import variables as python
from md_magic.session.checking.shadow import Unknown

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_SAMPLED = 20
"""Values of an object column whose types are compared."""

_PLAIN = frozenset({"str", "int", "float", "bool", "bytes", "NoneType", "date", "datetime", "time", "Decimal", "UUID"})
"""Types of which DuckDB reads no more from a value than that it is one."""


def without_rows(variables: Mapping[str, Any], named: Iterable[str]) -> dict[str, object]:
    """Return the Python tables among *variables* that are *named*, without rows where their types do not need them.

    Raises `Unknown` for one whose columns cannot be read without a person's code, or without using up a stream.
    """
    frames: dict[str, object] = {}
    for name, table in python.tables({name: variables[name] for name in named}).items():
        match _kind(table):
            case "pandas", "DataFrame":
                frames[name] = table  # the types of its object columns are in their values
            case "polars", "DataFrame":
                frames[name] = table.clear()
            case "pyarrow", "Table" | "RecordBatch":
                frames[name] = table.slice(0, 0)
            case _:
                raise Unknown
    return frames


def fingerprint(value: Any) -> Hashable | None:  # noqa: ANN401 - a variable of anybody's
    """Return what is equal for two Python tables, or two moments of one, whose columns are the same.

    `None` where that is not known.
    """
    match _kind(value):
        case "pandas", "DataFrame":
            return _of_pandas(value)
        case ("polars", "DataFrame") | ("pyarrow", "Table" | "RecordBatch"):
            return str(value.schema)
    return id(value)


def _kind(value: object) -> tuple[str, str]:
    return type(value).__module__.partition(".")[0], type(value).__name__


def _of_pandas(frame: Any) -> Hashable | None:  # noqa: ANN401 - a frame of pandas, which is not imported here
    columns: list[Hashable] = []
    for at, (name, kind) in enumerate(frame.dtypes.items()):
        types: Hashable = ()
        if kind == "object":
            values = frame.iloc[:, at]
            found = {type(value).__name__ for value in islice(values, _SAMPLED)}
            if not found <= _PLAIN:
                return None
            types = frozenset(found), values.to_numpy().__array_interface__["data"]
        columns.append((str(name), str(kind) if kind != "category" else kind, types))
    return tuple(columns)

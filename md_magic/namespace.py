"""What SQL sees of the notebook's variables: tables by their name, and values that can be bound.

The invariant: variables that are neither a table nor asked for by a parameter are never touched.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import os
import uuid
from typing import TYPE_CHECKING, Any

from md_magic.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NATIVE_TABLES = {
    "Dataset": "pyarrow",
    "FileSystemDataset": "pyarrow",
    "InMemoryDataset": "pyarrow",
    "LazyFrame": "polars",
    "Scanner": "pyarrow",
    "UnionDataset": "pyarrow",
}
"""Tables that DuckDB reads and that have no Arrow C stream of their own: class and package."""

_BINDABLE = (
    bool,
    int,
    float,
    str,
    bytes,
    bytearray,
    memoryview,
    decimal.Decimal,
    uuid.UUID,
    dt.date,  # datetime and pandas.Timestamp are dates
    dt.time,
    dt.timedelta,
    type(None),
)


class _Stream:
    """Gives DuckDB only the Arrow C stream of a table: it would refuse a relation of another connection."""

    def __init__(self, table: Any) -> None:  # noqa: ANN401 - anything with the protocol
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def tables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return those *variables* that hold a table: pandas, Polars, Arrow, or anything with the Arrow C stream."""
    found = list(variables.items())
    kinds = {kind for kind in {type(value) for _, value in found} if _is_table(kind)}  # few types, many variables
    return {name: _scannable(value) for name, value in found if type(value) in kinds} if kinds else {}


def names(variables: Mapping[str, Any]) -> list[str]:
    """Return the names of those *variables* that hold a table."""
    return [name for name, value in list(variables.items()) if _is_table(type(value))]


def columns(table: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - a table of any package
    """Return name and type of the columns of the Python *table*, as its package writes them; nothing is computed."""
    package = type(table).__module__.partition(".")[0]
    if package == "pandas":
        return [(str(name), str(kind)) for name, kind in table.dtypes.items()]
    if package == "polars":
        schema = table.collect_schema() if type(table).__name__ == "LazyFrame" else table.schema
        return [(name, str(kind)) for name, kind in schema.items()]
    if type(table).__name__ == "DuckDBPyRelation":
        return list(zip(table.columns, map(str, table.types), strict=True))
    schema = getattr(table, "schema", None)  # of pyarrow
    if schema is None or not hasattr(schema, "names"):
        return []
    return list(zip(schema.names, map(str, getattr(schema, "types", schema.names)), strict=True))


def is_bindable(value: object) -> bool:
    """Whether *value* looks like one that a parameter can be bound to. It is not looked into."""
    plain = isinstance(value, (*_BINDABLE, list, tuple, set, frozenset, range, dict, enum.Enum, os.PathLike))
    return plain or (type(value).__module__.partition(".")[0] in {"numpy", "pandas"} and not _is_table(type(value)))


def _is_table(kind: type) -> bool:
    if hasattr(kind, "__arrow_c_stream__"):
        # a column (pandas.Series, polars.Series, pyarrow.ChunkedArray) streams too, and is not a table
        return not (hasattr(kind, "dtype") or hasattr(kind, "chunks"))
    package = _NATIVE_TABLES.get(kind.__name__)
    return package is not None and kind.__module__.startswith(f"{package}.")


def _scannable(value: object) -> object:
    return _Stream(value) if type(value).__name__ == "DuckDBPyRelation" else value


def snapshot(table: Any) -> Any:  # noqa: ANN401 - a table of any package
    """Return *table*, one of `tables`, as it is now: what is done to the variable later is not seen in it.

    Memory that can be written to is copied: pandas' own copy-on-write does not see writes through NumPy. Arrow and
    Polars share theirs, which never changes. What can be read only once is left as it is.
    """
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(table).__mro__}
    if "pandas.DataFrame" in kinds:
        return _copied(table)
    if kinds & {"polars.DataFrame", "polars.LazyFrame"}:
        return table.clone()
    if any(name.startswith("pyarrow.") for name in kinds):
        return table
    import pyarrow as pa  # loaded with the first result

    return pa.RecordBatchReader.from_stream(table).read_all()  # a relation, say: another connection runs it now


def _copied(frame: Any) -> Any:  # noqa: ANN401 - a pandas DataFrame, and this module imports no pandas
    """Return a copy of *frame* down to the Python lists and dicts in it, which pandas' own deep copy shares."""
    copied = frame.copy(deep=True)
    for at, dtype in enumerate(copied.dtypes):
        if str(dtype) == "object" and any(map(_can_change, copied.iloc[:, at])):
            copied.isetitem(at, copied.iloc[:, at].map(copy.deepcopy))
    return copied


def _can_change(value: object) -> bool:
    return hasattr(type(value), "__setitem__") or isinstance(value, set)


def bindable(name: str, value: object) -> object:
    """Return *value*, of the parameter *name*, as a plain Python value that DuckDB binds as the type it has.

    numpy and pandas scalars become Python's, arrays, sets and tuples become lists, and missing values become `None`.
    Raises `ParameterError` for what is no value of SQL, such as a function or a DataFrame.
    """
    value = _python(value)
    if isinstance(value, _BINDABLE) or type(value).__name__ == "datetime64":  # of numpy, to its own precision
        return value
    if isinstance(value, dict):
        return {key: bindable(name, item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)) or (
        hasattr(value, "tolist") and not _is_table(type(value))
    ):
        return [bindable(name, item) for item in _items(value)]
    raise ParameterError(_not_bindable(name, value))


def _python(value: Any) -> Any:  # noqa: ANN401 - whatever a variable holds
    """Return a scalar of numpy or pandas, an enum's member or a path as what Python has for it."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "pandas" and kind.__name__ in {"NaTType", "NAType"}:
        return None
    if package == "numpy" and kind.__name__ == "MaskedConstant":
        return None
    if package == "numpy" and kind.__name__ == "timedelta64":
        return value.astype("timedelta64[us]").item()
    if package == "numpy" and kind.__name__ != "datetime64" and getattr(value, "ndim", 0) == 0:
        return value.item() if hasattr(value, "item") else value
    if isinstance(value, enum.Enum):
        return _python(value.value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _items(value: Any) -> Iterable[object]:  # noqa: ANN401 - lists and arrays of several packages
    return value if isinstance(value, (list, tuple, set, frozenset, range)) else value.tolist()


def _not_bindable(name: str, value: object) -> str:
    got = f"The parameter :{name} is a {type(value).__name__}, which cannot be bound to SQL."
    if _is_table(type(value)):
        return f"{got} It is a table: name it without the colon, as in FROM {name}."
    return f"{got} Numbers, text, bytes, dates, times, Decimal, UUID, None, lists and dicts can."

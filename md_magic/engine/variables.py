"""The notebook's variables as SQL sees them: tables by name, and values for parameters.

The invariant: variables that are neither a table nor named by a parameter are never touched.
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
    "ResultSet": "sql",
    "Scanner": "pyarrow",
    "UnionDataset": "pyarrow",
}
"""Tables that have no Arrow C stream: class and package. DuckDB reads them, or `Rows` does (of JupySQL)."""

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


_SCALARS = frozenset(_BINDABLE)


class Stream:
    """Shows DuckDB only a table's Arrow C stream: it would refuse a relation of another connection.

    One of the connection that reads it must be handed over as `relation`: its stream waits for the lock that the
    reading statement holds, for ever and deaf to an interrupt.
    """

    def __init__(self, relation: Any) -> None:  # noqa: ANN401 - a DuckDBPyRelation, and this module imports no duckdb
        self.relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.relation.__arrow_c_stream__(requested_schema)


class Rows(Stream):
    """Shows DuckDB a result of JupySQL as a table. Its rows are fetched when a statement names it."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        import pyarrow as pa  # loaded with the first result

        frame = self.relation.DataFrame()
        frame.columns = self.relation.field_names  # each once, as Arrow and DuckDB need it
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table.__arrow_c_stream__(requested_schema)


def tables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the *variables* with a table: pandas, Polars, Arrow, or anything with an Arrow C stream."""
    pairs = list(variables.items())
    kinds = {kind for kind in {type(value) for _, value in pairs} if _is_table(kind)}  # few types, many variables
    return {name: _scannable(value) for name, value in pairs if type(value) in kinds} if kinds else {}


def scannable(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return *variables* as DuckDB looks for a table among them: the one that a statement names, and no other.

    It reads arrays of numpy, and dicts and lists of them, as well, and says of other objects why they are no tables. A
    number or a text is nobody's table: where a missing table has the name of one, the error is that of a missing table.
    """
    scanned = {name: value for name, value in list(variables.items()) if type(value) not in _SCALARS}
    wrapped = {kind for kind in set(map(type, scanned.values())) if kind.__name__ in _WRAPPED and _is_table(kind)}
    if wrapped:
        scanned |= {name: _scannable(value) for name, value in scanned.items() if type(value) in wrapped}
    return scanned


def names(variables: Mapping[str, Any]) -> list[str]:
    """Return the names of the *variables* with a table."""
    return [name for name, value in list(variables.items()) if _is_table(type(value))]


def columns(table: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - a table of any package
    """Return name and type of the columns of a Python *table*, as its package writes them, computing nothing."""
    package = type(table).__module__.partition(".")[0]
    if package == "pandas":
        return [(str(name), str(kind)) for name, kind in table.dtypes.items()]
    if package == "polars":
        schema = table.collect_schema() if type(table).__name__ == "LazyFrame" else table.schema
        return [(name, str(kind)) for name, kind in schema.items()]
    if type(table).__name__ == "DuckDBPyRelation":
        return list(zip(table.columns, map(str, table.types), strict=True))
    if type(table).__name__ == "ResultSet":
        return [(name, "") for name in table.field_names]
    schema = getattr(table, "schema", None)  # of pyarrow
    if schema is None or not hasattr(schema, "names"):
        return []
    return list(zip(schema.names, map(str, getattr(schema, "types", schema.names)), strict=True))


def is_bindable(value: object) -> bool:
    """Whether *value* can probably be bound to a parameter, judging by its type alone."""
    plain = isinstance(value, (*_BINDABLE, list, tuple, set, frozenset, range, dict, enum.Enum, os.PathLike))
    plain = plain or _is_widget(type(value))
    return plain or (type(value).__module__.partition(".")[0] in {"numpy", "pandas"} and not _is_table(type(value)))


def is_control(value: object) -> bool:
    """Whether *value* is a control of ipywidgets, which binds what it holds."""
    return _is_widget(type(value))


def _is_column(kind: type) -> bool:
    """Whether it is a Series, an Index or an array of Arrow's: most stream as tables do, and are none."""
    is_array = hasattr(kind, "__arrow_c_array__") and not hasattr(kind, "schema")
    return (hasattr(kind, "dtype") and hasattr(kind, "to_frame")) or hasattr(kind, "chunks") or is_array


def _is_table(kind: type) -> bool:
    if hasattr(kind, "__arrow_c_stream__"):
        return not (hasattr(kind, "dtype") or hasattr(kind, "chunks"))
    package = _NATIVE_TABLES.get(kind.__name__)
    return package is not None and kind.__module__.startswith(f"{package}.")


_WRAPPED = frozenset({"DuckDBPyRelation", "ResultSet"})
"""Tables that `_scannable` wraps."""


def _scannable(value: object) -> object:
    if type(value).__name__ == "DuckDBPyRelation":
        return Stream(value)
    return Rows(value) if type(value).__name__ == "ResultSet" and _is_table(type(value)) else value


def runs_python(table: object) -> bool:
    """Whether reading *table* may run a person's own Python code: a reader over a generator, a class of their own."""
    module = type(table).__module__.partition(".")[0]
    name = type(table).__name__
    if f"{module}.{name}" in {"polars.LazyFrame", "pyarrow.Scanner"}:
        return True
    in_memory = name in {"DataFrame", "RecordBatch", "Table"} and module in {"pandas", "polars", "pyarrow"}
    return not in_memory and hasattr(type(table), "__arrow_c_stream__")


def read_whole(table: Any) -> Any:  # noqa: ANN401 - anything with the Arrow C stream, a LazyFrame or a scanner
    """Return the rows of *table*, which are computed now, as an Arrow table."""
    import pyarrow as pa  # loaded with the first result

    if hasattr(table, "to_reader"):  # a scanner
        return table.to_reader().read_all()
    return pa.RecordBatchReader.from_stream(table.collect() if hasattr(table, "collect") else table).read_all()


def snapshot(table: Any) -> Any:  # noqa: ANN401 - a table of any package
    """Return a snapshot of *table*, one of `tables`, that later changes to the variable do not affect.

    Mutable memory is copied: pandas' copy-on-write does not notice writes through NumPy. Arrow and Polars tables share
    their immutable memory. Streams that can be read only once are returned unchanged, and so is a column, which is no
    table: DuckDB refuses it where a query reads it.
    """
    if _is_column(type(table)):
        return table
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(table).__mro__}
    if "pandas.DataFrame" in kinds:
        return _copied(table)
    if kinds & {"polars.DataFrame", "polars.LazyFrame"}:
        return table.clone()
    if any(name.startswith("pyarrow.") for name in kinds):
        return table
    if not hasattr(table, "__arrow_c_stream__"):
        return _copied_arrays(table)
    return read_whole(table)  # a relation, say: another connection runs it now


def _copied_arrays(value: Any) -> Any:  # noqa: ANN401 - whatever a variable holds
    """Return a copy of an array, or of a dict or list of arrays; anything else, which is no table, as it is."""
    if "numpy.ndarray" in {f"{kind.__module__}.{kind.__name__}" for kind in type(value).__mro__}:
        return value.copy()
    if isinstance(value, dict):
        return {name: _copied_arrays(item) for name, item in value.items()}
    return type(value)(map(_copied_arrays, value)) if type(value) in {list, tuple} else value


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
    """Return *value*, of the parameter *name*, as a plain Python value that DuckDB binds with the right type.

    NumPy and pandas scalars become Python scalars, arrays, sets and tuples become lists, and missing values become
    `None`. Raises `ParameterError` for values that SQL does not have, such as a function or a DataFrame.
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
    if _is_widget(type(value)):
        return bindable(name, value.value)  # type: ignore[attr-defined] # every one of them has it
    raise ParameterError(_not_bindable(name, value))


def _is_widget(kind: type) -> bool:
    """Whether *kind* is a control of ipywidgets that holds a value: a slider, a text, a choice."""
    return any(base.__name__ == "ValueWidget" and base.__module__.startswith("ipywidgets.") for base in kind.__mro__)


def _python(value: Any) -> Any:  # noqa: ANN401 - whatever a variable holds
    """Return the plain Python value of a NumPy or pandas scalar, an enum member or a path."""
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
    got = f"The parameter :{name} is of the type {type(value).__name__}, which cannot be bound to SQL."
    if _is_table(type(value)):
        return f"{got} It is a table: name it without the colon, as in FROM {name}."
    return f"{got} Numbers, text, bytes, dates, times, Decimal, UUID, None, lists and dicts can."


# ---- columns that DuckDB cannot read --------------------------------------------------------------------------------

_WAYS_OUT = {
    "interval": "{name} = {name}.assign(**{{{column!r}: {name}[{column!r}].astype(str)}})",
    "period": "{name} = {name}.assign(**{{{column!r}: {name}[{column!r}].dt.to_timestamp()}})",
    "geometry": "{name} = {name}.assign(**{{{column!r}: {name}[{column!r}].to_wkb()}})",
    "Sparse": "{name} = {name}.assign(**{{{column!r}: {name}[{column!r}].sparse.to_dense()}})",
}
"""What turns a column of such a dtype, by how its name begins, into one that DuckDB reads."""


def unreadable(variables: Mapping[str, Any], dtype: str | None) -> str:
    """Return which column of the tables in *variables* has *dtype*, which DuckDB does not read, and what to do.

    *dtype* may be that of the categories of a column. Without it, as DuckDB 1 says it, it is the first categorical
    column whose categories DuckDB does not read. Empty where there is none.
    """
    for name, table in variables.items():
        if type(table).__name__ == "ndarray" and str(table.dtype) == dtype:
            other = "datetime64[ns]" if dtype.startswith("datetime64") else "str"
            way = f"pandas.DataFrame({name})" if table.dtype.names else f"{name}.astype({other!r})"
            return f"The array {name} is of {dtype}, which DuckDB does not read. Run {name} = {way}."
        if not hasattr(type(table), "dtypes") or not hasattr(type(table), "assign"):
            continue
        for column, kind in table.dtypes.items():
            categories = getattr(getattr(kind, "categories", None), "dtype", None)
            is_of_categories = categories is not None and (
                str(categories) not in _PLAIN if dtype is None else str(categories) == dtype
            )
            if dtype == str(kind) or is_of_categories:
                shown = dtype or str(categories)
                way = next((way for start, way in _WAYS_OUT.items() if shown.startswith(start)), _WAYS_OUT["interval"])
                return (
                    f"The column {column!r} of {name} is of {shown}, which DuckDB does not read. Run"
                    f" {way.format(name=name, column=column)}, or leave the column out."
                )
    return ""


def a_column(variables: Mapping[str, Any]) -> str:
    """Return which of *variables* is a column where a table is needed, and what to do; empty where none is."""
    for name, value in variables.items():
        if _is_column(type(value)):
            way = f"{name}.to_frame()" if hasattr(value, "to_frame") else f"pyarrow.table({{{name!r}: {name}}})"
            return f"{name} is a {type(value).__name__}: one column, and no table. Run {name} = {way}."
    return ""


_PLAIN = frozenset({"object", "str", "string", "int64", "float64", "bool"})
"""Dtypes of categories that DuckDB reads."""

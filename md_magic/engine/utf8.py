"""Text of Python tables that is not UTF-8, though Arrow calls it text.

DuckDB takes Arrow's word for it. What it makes of such a column breaks later, in pandas or Polars, or on a disk. Tables
in memory are looked at before a statement reads them, streams and datasets while they are read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

_EVERYTHING = "*"
_WORD, _COUNTED = re.compile(r"\w+"), re.compile(r"(?i)\bcount\(\*\)")

_WAY_OUT = "Read it with the encoding that it has, or leave the column out."
_SAID = re.compile(rf"The column .* is said to be text, and is not UTF-8: .*? {re.escape(_WAY_OUT)}")


def checked(name: str, table: Any, sql: str) -> Any:  # noqa: ANN401 - a table of any package
    """Return *table*, which *sql* reads as *name*, so that none of its text that is not UTF-8 gets into the database.

    Raises `FrameError` for a table in memory, if *sql* names the column. A stream or a dataset fails while it is read,
    with an error of Arrow in which `said_in` finds the same sentence.
    """
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(table).__mro__}
    in_memory = kinds & {"pandas.DataFrame", "polars.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch"}
    if not in_memory and (kinds & {"pyarrow.Scanner", "pyarrow.Dataset"} or hasattr(table, "__arrow_c_stream__")):
        from md_magic.engine import datasets  # pyarrow.dataset takes 40 ms, and DuckDB needs it only then as well

        return datasets.checked(table, has_text, lambda batch: check(name, batch))
    _check(name, _columns(kinds, table), sql)
    if "pandas.DataFrame" in kinds:
        _check(name, _strings(table), _EVERYTHING)  # DuckDB makes objects of all of them, whatever *sql* reads
    return table


def check(name: str, batch: pa.RecordBatch) -> None:
    """Raise `FrameError` if *batch*, of the table *name*, has text that is not UTF-8."""
    _check(name, zip(batch.schema.names, batch.columns, strict=True), _EVERYTHING)


def said_in(text: str) -> str:
    """Return what such a stream or dataset says in *text*, the error of a database; empty where it says nothing."""
    match = _SAID.search(text)
    return match[0] if match else ""


def has_text(kind: pa.DataType) -> bool:
    """Whether a column of *kind* holds text: itself, or in a dictionary, a list, a map or a struct."""
    if str(kind) in {"string", "large_string", "string_view"}:
        return True
    inner = [kind.field(at).type for at in range(kind.num_fields)] if kind.num_fields else []
    return any(map(has_text, [*inner, *filter(None, [getattr(kind, "value_type", None)])]))


def _columns(kinds: set[str], table: Any) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 - a table of any package
    """Give name and Arrow values of the columns of *table*, in memory, that Arrow may hold."""
    if kinds & {"pyarrow.Table", "pyarrow.RecordBatch"}:
        yield from zip(table.schema.names, table.columns, strict=True)
    elif "pandas.DataFrame" in kinds:
        yield from _of_pandas(table, lambda dtype: hasattr(dtype, "pyarrow_dtype"))
    elif "polars.DataFrame" in kinds:
        yield from ((column.name, column.to_arrow()) for column in table if str(column.dtype) == "String")


def _strings(frame: Any) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 - a pandas.DataFrame
    return _of_pandas(frame, lambda dtype: type(dtype).__name__ == "StringDtype" and "pyarrow" in dtype.storage)


def _of_pandas(frame: Any, wanted: Callable[[Any], bool]) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 - as above
    for at, dtype in enumerate(frame.dtypes):
        if wanted(dtype):
            yield str(frame.columns[at]), frame.iloc[:, at].array.__arrow_array__()


def _check(name: str, columns: Iterable[tuple[str, Any]], sql: str) -> None:
    words = set(_WORD.findall(sql.casefold()))
    everything = _EVERYTHING in _COUNTED.sub("", sql) or "select" not in words
    for column, values in columns:
        if not has_text(values.type) or not (everything or words & set(_WORD.findall(column.casefold()))):
            continue
        try:
            values.validate(full=True)
        except ValueError as error:  # pyarrow.ArrowInvalid is one
            message = f"The column {column!r} of {name} is said to be text, and is not UTF-8: {error}. {_WAY_OUT}"
            raise FrameError(message) from error

"""Python values as DuckDB's SQL, each of the type that it has as a parameter: a private in-memory DuckDB says which.

It is opened on first use (13 ms) and shared by all threads.
"""

from __future__ import annotations

import contextlib
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.sql.quoting import DUCKDB

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = threading.Lock()
"""One thread at a time: a connection has one result."""


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def literal(value: Any) -> str:  # noqa: ANN401 - what a parameter is bound to
    """Return *value* as SQL: the usual literal where it is of the same type, else DuckDB's own text, cast.

    Raises `ValueError` where neither gives the same value.
    """
    for candidate in _candidates(value):
        same = f"SELECT typeof({candidate}) = typeof($value) AND {candidate} IS NOT DISTINCT FROM $value"  # noqa: S608 - tried here, in memory
        if _answer(same, value) == (True,):
            return candidate
    message = f"A {type(value).__name__} has no literal."
    raise ValueError(message)


def _candidates(value: Any) -> Iterator[str]:  # noqa: ANN401 - see above
    with contextlib.suppress(ValueError):
        yield DUCKDB.literal(value)
    kind, text = _answer("SELECT typeof($value), $value::VARCHAR", value) or ("", None)
    if text is not None:
        yield f"CAST({DUCKDB.literal(text)} AS {kind})"


def _answer(sql: str, value: Any) -> tuple[Any, ...] | None:  # noqa: ANN401 - see above
    with _LOCK, contextlib.suppress(duckdb.Error):
        return _connection().execute(sql, {"value": value}).fetchone()
    return None

"""Keeping a token out of results: MotherDuck's SQL can ask for the token that it was opened with.

Only statements that mention a token or a setting are looked at, so that no other result pays. What a person computes
from the token on purpose, such as its reverse or its hash, is not found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.auth import MASK, scrub

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from md_magic.auth import Secret

PRINTED = f"SELECT '{MASK}' AS motherduck_token"
"""Run in place of the pragma that prints the token: some drivers print it past Python, where it cannot be masked."""

_TELLS = re.compile(r"(?i)token|setting")
_PRINTS = re.compile(r"(?is)\A(\s|--[^\n]*(\n|\Z)|/\*.*?\*/)*PRAGMA\s+PRINT_MD_TOKEN\b")


def may_tell(sql: str) -> bool:
    """Whether the result of *sql* may hold the token: `current_setting(...)`, `duckdb_settings()`, `pg_settings`."""
    return _TELLS.search(sql) is not None


def prints(sql: str) -> bool:
    """Whether *sql* is `PRAGMA PRINT_MD_TOKEN`, which has no other use than to show the token."""
    return _PRINTS.match(sql) is not None


def masked(result: duckdb.DuckDBPyConnection, secrets: Sequence[Secret]) -> duckdb.DuckDBPyConnection:
    """Return a connection whose open result is that of *result*, with *secrets* masked in its values."""
    table: pa.Table = result.to_arrow_table()
    for at, column in enumerate(table.columns):
        values = column.to_pylist()
        clean = [_clean(value, secrets) for value in values]
        if clean != values:
            table = table.set_column(at, table.schema.field(at).name, [_array(clean, column.type)])
    own = duckdb.connect(":memory:")
    own.register("masked", table)
    return own.execute("FROM masked")


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa  # 100 ms, and only a result that held the token gets here

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.array(values, type=kind)


def _clean(value: Any, secrets: Sequence[Secret]) -> Any:  # noqa: ANN401 - any value of a result
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, bytes):
        text = value.decode("latin-1")  # one character for each byte
        clean = scrub(text, secrets)
        return value if clean == text else clean.encode("latin-1")
    if isinstance(value, dict):
        return {_clean(key, secrets): _clean(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_clean(item, secrets) for item in value)
    return value

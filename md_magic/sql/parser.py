"""DuckDB's parser without a database: a private in-memory DuckDB that parses text and never runs it.

It is used where the user's connection must not be touched: for errors as JSON, query trees and keywords. It is opened
on first use (13 ms) and shared by all threads.
"""

from __future__ import annotations

import json
import threading
from functools import cache
from typing import Any

import duckdb

_LOCK = threading.Lock()
"""One thread at a time: a connection has one result."""


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


@cache
def _json_errors() -> duckdb.DuckDBPyConnection:
    connection = _connection().cursor()
    connection.execute("SET SESSION errors_as_json = true")
    return connection


def stop(sql: str) -> int | None:
    """Return the offset at which DuckDB's parser gives up on *sql*; `None` where it does not."""
    with _LOCK:
        try:
            _json_errors().extract_statements(sql)
        except duckdb.Error as error:
            _, _, details = str(error).partition(": ")
            try:
                position = int(json.loads(details)["position"])
            except (ValueError, KeyError):
                return None
            return characters(sql, position)
    return None


def characters(sql: str, position: int) -> int:
    """Return the *position* that an error of DuckDB's parser has in *sql* as an offset in characters."""
    return len(sql.encode()[:position].decode(errors="ignore")) if _counts_bytes() else position


@cache
def _counts_bytes() -> bool:
    """Whether this DuckDB gives positions in bytes, as 2.0 does, and not in characters."""
    try:
        _json_errors().extract_statements("SELECT 'é' :")
    except duckdb.Error as error:
        return '"position":"12"' in str(error)  # 11 in characters
    return False


def tree(query: str) -> list[Any] | None:
    """Return the parser's tree of *query*, as `json_serialize_sql` gives it; `None` where it gives none.

    It gives none for anything but a SELECT, and for a PIVOT without its list of values, which is several statements.
    """
    if "\0" in query:
        return None
    literal = "'" + query.replace("'", "''") + "'"  # to bind a parameter imports pandas
    with _LOCK:
        try:
            row = _connection().execute(f"SELECT json_serialize_sql({literal})").fetchone()
            parsed = json.loads(row[0]) if row else {}
        except (duckdb.Error, RecursionError):
            return None
    return None if parsed.get("error", True) else parsed["statements"]


def keywords() -> dict[str, str]:
    """Return DuckDB's keywords in lower case, each with its category, such as `reserved`."""
    with _LOCK:
        rows = _connection().execute("SELECT keyword_name, keyword_category FROM duckdb_keywords()").fetchall()
    listed = dict(rows)
    return listed if duckdb.__version__.startswith("1.") else listed | {"recursive": "reserved"}  # 2 lists it as a name


def extract(sql: str) -> list[duckdb.Statement]:
    """Return the statements of *sql*. Raises what DuckDB raises."""
    with _LOCK:
        return _connection().extract_statements(sql)

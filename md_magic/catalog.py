"""The catalogue of an open database as frames, asked of the database with bound parameters."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from md_magic.errors import StatementError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from md_magic.engines import Database

_DATABASES = """
SELECT database_name AS name, type, coalesce(path, '') AS path, readonly AS read_only,
       database_name = current_database() AS current, coalesce(comment, '') AS comment
FROM duckdb_databases() WHERE NOT internal ORDER BY name
"""

_SIZED = f"""
SELECT d.* EXCLUDE (comment), s.block_size * s.total_blocks AS bytes, d.comment
FROM ({_DATABASES}) AS d LEFT JOIN pragma_database_size() AS s ON s.database_name = d.name ORDER BY name
"""  # noqa: S608 - a constant

_TABLES = """
SELECT database_name AS "database", schema_name AS "schema", table_name AS name,
       CASE WHEN temporary THEN 'temporary table' ELSE 'table' END AS kind,
       column_count AS columns, estimated_size AS rows, coalesce(comment, '') AS comment
FROM duckdb_tables() WHERE NOT internal
UNION ALL
SELECT database_name, schema_name, view_name,
       CASE WHEN temporary THEN 'temporary view' ELSE 'view' END, column_count, NULL, coalesce(comment, '')
FROM duckdb_views() WHERE NOT internal
ORDER BY ALL
"""

_COLUMNS = """
SELECT column_name AS "column", data_type AS type, is_nullable AS nullable,
       coalesce(column_default, '') AS "default", coalesce(comment, '') AS comment
FROM duckdb_columns()
WHERE database_name = :database AND schema_name = :schema AND table_name = :name
ORDER BY column_index
"""

_NAMED = """
SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()
UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views()
"""


def frame(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return a frame of *rows* with *columns*, also where there are no rows."""
    return pd.DataFrame(list(rows), columns=columns)


def databases(database: Database) -> pd.DataFrame:
    """Return the databases that *database* sees: name, type, path, read-only, current, bytes, comment."""
    if database.target.is_duckdb:
        try:
            return _ask(database, _SIZED)
        except StatementError:  # a kind of database that does not tell its size, or MotherDuck
            return _ask(database, _DATABASES)
    inspector = sqlalchemy.inspect(database.connection)
    return frame([{"name": name} for name in inspector.get_schema_names()], ["name"])


def tables(database: Database, pattern: str | None) -> pd.DataFrame:
    """Return the tables and views of *database* whose name matches *pattern*, without regard to case.

    `%` stands for any text; a pattern without it matches a part of the name. With a dot in it, it is matched against
    `database.schema.name` as well.
    """
    found = _ask(database, _TABLES) if database.target.is_duckdb else _inspected_tables(database)
    if pattern is None:
        return found
    names = found["name"].astype(str)
    if "." in pattern:
        names = found["database"].astype(str) + "." + found["schema"].astype(str) + "." + names
    return found[names.map(lambda name: _matches(pattern, name)).astype(bool)].reset_index(drop=True)


def _matches(pattern: str, name: str) -> bool:
    parts = pattern.lower().split("%")
    if len(parts) == 1:
        return parts[0] in name.lower()
    rest = name.lower()
    if not rest.startswith(parts[0]):
        return False
    rest = rest[len(parts[0]) :]
    for part in parts[1:-1]:
        _, found, rest = rest.partition(part)
        if part and not found:
            return False
    return rest.endswith(parts[-1])


def describe(database: Database, table: str) -> pd.DataFrame:
    """Return the columns of *table*: column, type, nullable, default, comment. Quoted and dotted names work.

    Raises `TargetError`, with near names, where there is no such table.
    """
    if not database.target.is_duckdb:
        return _inspected_columns(database, table)
    place = _find(database, table)
    if place is None:
        names = [row["name"] for row in _rows(database, _NAMED)]
        near = difflib.get_close_matches(table, names, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "`%mdsql --tables` lists what there is."
        message = f"There is no table or view {table!r} in {database.target.name}. {hint}"
        raise TargetError(message)
    return _ask(database, _COLUMNS, place)


def _find(database: Database, table: str) -> dict[str, str] | None:
    """Return database, schema and name of *table*, as DuckDB's search path resolves it."""
    wanted = [part.lower() for part in name_parts(table)]
    path = {schema: rank for rank, schema in enumerate(_search_path(database))}
    best: tuple[int, dict[str, str]] | None = None
    for row in _rows(database, _NAMED):
        parts = [row["database_name"], row["schema_name"], row["name"]]
        lowered = [part.lower() for part in parts]
        fits = lowered[-len(wanted) :] == wanted or (len(wanted) == 2 and [lowered[0], lowered[2]] == wanted)  # noqa: PLR2004
        rank = path.get((parts[0], parts[1]), len(path))
        reachable = len(wanted) > 1 or rank < len(path)
        if fits and reachable and (best is None or rank < best[0]):
            best = rank, dict(zip(("database", "schema", "name"), parts, strict=True))
    return best[1] if best else None


def name_parts(name: str) -> list[str]:
    """Split a dotted name at the dots outside its quotes, and take the quotes off."""
    found, inside = [""], False
    for char in name.strip():
        inside ^= char == '"'
        if char == "." and not inside:
            found.append("")
        else:
            found[-1] += char
    return [part[1:-1].replace('""', '"') if re.fullmatch(r'".*"', part, re.DOTALL) else part for part in found]


def _search_path(database: Database) -> list[tuple[str, str]]:
    rows = _rows(database, "SELECT current_database() AS d, unnest(current_schemas(true)) AS s")
    here = [(row["d"], row["s"]) for row in rows]
    return [("temp", "main"), *here, ("system", "main")]


def _inspected_tables(database: Database) -> pd.DataFrame:
    inspector = sqlalchemy.inspect(database.connection)
    schema = inspector.default_schema_name or ""
    rows = [(name, "table") for name in inspector.get_table_names()]
    rows += [(name, "view") for name in inspector.get_view_names()]
    return frame(
        [
            {"database": database.target.database, "schema": schema, "name": name, "kind": kind}
            for name, kind in sorted(rows)
        ],
        ["database", "schema", "name", "kind"],
    )


def _inspected_columns(database: Database, table: str) -> pd.DataFrame:
    schema, _, name = table.rpartition(".")
    try:
        columns = sqlalchemy.inspect(database.connection).get_columns(name, schema or None)
    except sqlalchemy.exc.NoSuchTableError:
        message = f"There is no table {table!r} in {database.target.name}. `%mdsql --tables` lists what there is."
        raise TargetError(message) from None
    return frame(
        [
            {
                "column": column["name"],
                "type": str(column["type"]),
                "nullable": column["nullable"],
                "default": column.get("default") or "",
                "comment": column.get("comment") or "",
            }
            for column in columns
        ],
        ["column", "type", "nullable", "default", "comment"],
    )


def _ask(database: Database, sql: str, values: Mapping[str, str] | None = None) -> pd.DataFrame:
    try:
        result = database.connection.execute(sqlalchemy.text(sql), values)
        return pd.DataFrame([tuple(row) for row in result], columns=list(result.keys()))
    except DBAPIError as error:
        cause = error.orig
    raise StatementError(str(cause)) from cause


def _rows(database: Database, sql: str) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in _ask(database, sql).to_dict("records")]

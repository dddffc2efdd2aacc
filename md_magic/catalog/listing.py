"""The catalog as frames, for `--databases`, `--tables` and `--describe`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from md_magic.catalog import introspect
from md_magic.catalog.snapshot import Snapshot, Table
from md_magic.errors import TargetError
from md_magic.sql import quoting as quotings
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from md_magic.catalog.snapshot import TableKind
    from md_magic.engine.backends.introspection.questions import ColumnRow, Introspection, TableRow
    from md_magic.engine.database import Database


def frame(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return a frame of *rows* with *columns*, also if there are no rows."""
    return pd.DataFrame(list(rows), columns=columns)


def databases(database: Database) -> pd.DataFrame:
    """Return the databases that *database* sees: name, type, path, read-only, current, bytes, comment.

    `bytes` is missing if the sizes are unknown. For a database without this level, the rows are its schemas.
    """
    with introspect.on_notebook(database) as introspection:
        if not introspection.has_databases:
            return frame([{"name": row.name} for row in introspection.schemas(internal=True)], ["name"])
        rows = introspection.databases()
        sizes = introspection.sizes()
    shown = pd.DataFrame(rows, columns=["name", "type", "path", "read_only", "current", "comment"])
    if sizes is not None:
        shown.insert(5, "bytes", [sizes.get(row.name) for row in rows])
    return shown


def tables(database: Database, pattern: str | None) -> pd.DataFrame:
    """Return the tables and views of *database* whose name matches *pattern*, without regard to case.

    `%` matches any text; a pattern without `%` matches part of a name. A pattern with a dot is also matched against
    `database.schema.name`. A pattern with double quotes is a whole name: `"a.b"` is the table `a.b` in any schema,
    `s1."a.b"` the one in `s1`.

    `rows` is counted, as the notebook sees them; it is missing for views and where counting may take long. What the
    database estimates instead is in `≈ rows`.
    """
    with introspect.on_notebook(database) as introspection:
        rows = introspection.listed_tables()
        has_details = introspection.has_databases
        rows = [row for row in rows if pattern is None or _matches(pattern, row)]
        counted = introspection.count_quickly(rows) if has_details else {}
    shown = [_shown(row, database.target.database) for row in rows]
    table = pd.DataFrame(shown, columns=["database", "schema", "name", "kind", "columns", "comment"])
    if not has_details:
        return table[["database", "schema", "name", "kind"]]
    table.insert(5, "rows", pd.Series([counted.get(row) for row in rows], dtype="Int64"))
    estimates = [None if row in counted else row.rows for row in rows]
    if any(number is not None for number in estimates):
        table.insert(6, ESTIMATED, pd.Series(estimates, dtype="Int64"))
    return table


ESTIMATED = "≈ rows"
"""The column of the database's own estimates, which is there only if a table was not counted."""


def _shown(row: TableRow, database: str) -> tuple[Any, ...]:
    kind = f"temporary {row.kind}" if row.temporary else row.kind
    return row.database or database, row.schema, row.name, kind, row.columns, row.comment


def _matches(pattern: str, row: TableRow) -> bool:
    if '"' not in pattern:
        dotted = ".".join(row[:3]) if "." in pattern else row.name
        return _is_like(pattern, dotted) if "%" in pattern else pattern.casefold() in dotted.casefold()
    parts, names = name_parts(pattern), row[:3]
    return len(parts) <= len(names) and all(map(_is_like, parts, names[-len(parts) :]))


def _is_like(pattern: str, name: str) -> bool:
    """Whether *pattern*, in which `%` stands for any text, is the whole *name*.

    A regular expression would backtrack.
    """
    first, *others = pattern.casefold().split("%")
    name = name.casefold()
    if not others:
        return name == first
    *between, last = others
    at, end = len(first), len(name) - len(last)
    if at > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for part in between:
        at = name.find(part, at, end) + len(part)
        if at < len(part):  # it was not found
            return False
    return True


def describe(database: Database, table: str) -> pd.DataFrame:
    """Return the columns of *table*: column, type, nullable, default, comment. Quoted and dotted names work.

    Raises `TargetError`, with similar names, if there is no such table.
    """
    parts = name_parts(table)
    with introspect.on_notebook(database) as introspection:
        rows = introspection.tables_for(parts)
        named = _snapshot(rows, introspection).find(tuple(parts))
        if named is None:
            columns = introspection.unlisted_columns(parts)
        else:
            columns = introspection.columns(named.database, named.schema, named.name)
    if named is None and not columns:
        quoting = quotings.of(database.backend.dialect)
        names = [quoting.where_needed(row.name) for row in rows if not row.internal]
        hint = did_you_mean(parts[-1], names, most=3) or " `%mdsql --tables` lists what there is."
        message = f"There is no table or view {table!r} in {database.target.name}.{hint}"
        raise TargetError(message)
    return _described(columns)


def _snapshot(rows: Sequence[TableRow], introspection: Introspection) -> Snapshot:
    """Return a snapshot of *rows*, which resolves names as the database does."""
    listed = [Table(row.name, row.schema, row.database, cast("TableKind", row.kind)) for row in rows]
    path = [(row.database, row.name) for row in introspection.search_path()]
    return Snapshot(tables=tuple(listed), path=tuple(path))


def _described(columns: Sequence[ColumnRow]) -> pd.DataFrame:
    shown = [(row.name, row.type, row.nullable, row.default, row.comment) for row in columns]
    return pd.DataFrame(shown, columns=["column", "type", "nullable", "default", "comment"])


def name_parts(name: str) -> list[str]:
    """Split a dotted name at the dots outside its quotes, and take the quotes off.

    Only double quotes are recognised: those of DuckDB, SQLite and the standard, and not MySQL's backquotes.
    """
    parts, is_quoted = [""], False
    for char in name.strip():
        is_quoted ^= char == '"'
        if char == "." and not is_quoted:
            parts.append("")
        else:
            parts[-1] += char
    return [part[1:-1].replace('""', '"') if re.fullmatch(r'".*"', part, re.DOTALL) else part for part in parts]

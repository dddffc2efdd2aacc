"""Reading a snapshot: the rows of an introspection become what can be named, tables first and functions after them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from md_magic.catalog.snapshot import Column, Function, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from md_magic.catalog.snapshot import Snapshot, TableKind
    from md_magic.engine.backends.introspection.questions import ColumnRow, FunctionRow, Introspection

_FEW = 5_000
"""Up to this many columns are read with the tables; else a table's columns are read when it is named (0.4 ms)."""

_MOST_SCHEMAS = 20
"""At most this many schemas are read where each takes a query."""

_SHOWN_PARAMETERS = 4
"""At most this many named parameters are shown in a signature."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot, and how it was read."""

    snapshot: Snapshot
    columns: Mapping[Table, tuple[Column, ...]]
    """Columns by table; those of a missing table have not been read."""

    is_local: bool
    """Whether all databases are in this process, so that looking up one table is quick."""


def with_tables(before: Snapshot, introspection: Introspection, path: tuple[tuple[str, str], ...]) -> Reading:
    """Return *before* with databases, schemas, tables and types as they are now; *path* may be empty: not known."""
    databases = introspection.databases()
    is_local = introspection.is_local and all(row.kind == "duckdb" for row in databases)
    schemas = introspection.schemas()
    rows = introspection.tables(most_schemas=_MOST_SCHEMAS)
    tables = [
        Table(row.name, row.schema, row.database, cast("TableKind", row.kind), row.rows, row.comment) for row in rows
    ]
    columns: Mapping[Table, tuple[Column, ...]] = {}
    if sum(row.columns or 0 for row in rows) <= _FEW or not is_local:
        columns = _by_table(tables, introspection.all_columns(most_schemas=_MOST_SCHEMAS))
    if not path and not introspection.in_process:
        path = tuple((row.database, row.name) for row in introspection.search_path())
    types = introspection.types()
    snapshot = replace(
        before,
        databases=tuple(row.name for row in databases),
        schemas=tuple((row.database, row.name) for row in schemas),
        tables=tuple(tables),
        path=path,
        types=tuple(dict.fromkeys(row.name for row in types)),
        enums={row.name.lower(): row.labels for row in types if row.labels},
    )
    return Reading(snapshot, columns, is_local)


def with_functions(before: Snapshot, introspection: Introspection) -> Snapshot:
    """Return *before* with functions and settings as they are now."""
    settings = {row.name: row.description for row in introspection.settings()}
    functions, keywords = _functions(introspection.functions()), introspection.keywords()
    return replace(before, functions=functions, settings=settings, keywords=keywords)


def columns(rows: Iterable[ColumnRow]) -> tuple[Column, ...]:
    """Return *rows*, those of one table, as columns."""
    return tuple(Column(row.name, row.type) for row in rows)


def _by_table(tables: Sequence[Table], rows: Iterable[ColumnRow]) -> dict[Table, tuple[Column, ...]]:
    by_name = {(table.database, table.schema, table.name): table for table in tables}
    grouped: dict[Table, list[Column]] = {table: [] for table in tables}
    for row in rows:
        table = by_name.get(row[:3])
        if table is not None:
            grouped[table].append(Column(row.name, row.type))
    return {table: tuple(columns) for table, columns in grouped.items()}


def _functions(rows: Iterable[FunctionRow]) -> dict[str, Function]:
    functions: dict[str, Function] = {}
    for row in rows:
        signature, by_name = _signature(row)
        overload = functions.get(row.name.lower())
        functions[row.name.lower()] = Function(
            name=row.name,
            kind=overload.kind if overload else row.kind,
            signatures=tuple(dict.fromkeys((*(overload.signatures if overload else ()), signature))),
            description=(overload.description if overload else "") or row.description,
            parameters=tuple(dict.fromkeys((*(overload.parameters if overload else ()), *by_name))),
            macros=(*(overload.macros if overload else ()), *_macro(row)),
        )
    return functions


def _macro(row: FunctionRow) -> tuple[tuple[tuple[str, ...], str], ...]:
    return () if row.definition is None else ((tuple(row.parameters), row.definition),)


def _signature(row: FunctionRow) -> tuple[str, list[str]]:
    """Return how a function is called, and the parameters that a table function takes by name."""
    shown, by_name = [], []
    for parameter, kind in zip(row.parameters, [*row.types, *[None] * len(row.parameters)], strict=False):
        number = parameter.removeprefix("col")
        if row.kind == "table" and not number.isdigit():
            by_name.append(parameter)
            continue
        shown.append(str(kind) if number.isdigit() and kind else " ".join(filter(None, (parameter, kind))))
    shown += [f"{row.varargs}..."] if row.varargs else []
    shown += [f"{parameter} := ..." for parameter in by_name[:_SHOWN_PARAMETERS]]
    shown += ["..."] if len(by_name) > _SHOWN_PARAMETERS else []
    return f"{row.name}({', '.join(shown)})" + (f" -> {row.returns}" if row.returns else ""), by_name

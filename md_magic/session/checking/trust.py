"""Whether the user's own database would say the same as the shadow: a mark must never be wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from md_magic.engine import variables as python
from md_magic.session.checking import names as naming
from md_magic.session.checking.marks import only_near
from md_magic.sql.split import first_word
from md_magic.sql.tokens import semicolons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.catalog.snapshot import Snapshot
    from md_magic.session.checking.known import Known
    from md_magic.session.checking.names import Names
    from md_magic.session.checking.shadow import Problem
    from md_magic.sql.statement import Statement

_SURE_KINDS = frozenset({"EXECUTE", "SELECT", "INSERT", "UPDATE", "DELETE", "EXPLAIN", "PREPARE"})
"""Kinds of statements in which every error of the binder is about names and types."""

_ABOUT_NAMES = frozenset({"COLUMN_NOT_FOUND", "MISSING_ENTRY"})
_ABOUT_FUNCTIONS = ("No function matches", "Macro ")
"""How messages begin that depend on which functions there are."""

_NOT_SURE = ("conflict target", "UNIQUE", "PRIMARY KEY", "foreign key", "values were supplied", "generated", "rowid")
"""Parts of messages about constraints and generated columns, which the shadow's tables do not have."""

_SURE = ("Column name/value mismatch",)
"""How messages begin that have such a part, and are not about constraints."""

_QUERIES = ("select", "with", "from", "values", "insert", "delete", "pivot", "unpivot", "summarize", "merge")
"""How statements begin that no extension has another grammar for."""

_SERVICE = "md_"
"""How MotherDuck's own schemas begin, which are in no list."""

_NO_COLUMN = "does not have a column named"
_NO_SCHEMA = re.compile(r'does not exist because schema "(.*)" does not exist')


def is_sure(found: Problem, statement: Statement, known: Known, snapshot: Snapshot) -> bool:
    """Whether *found* is what the user's database would say of *statement*, and not only what the shadow lacks."""
    written = naming.names(statement.text)
    if known.is_extended and any(part.lower().startswith(_SERVICE) for parts in written.dotted for part in parts):
        return False
    if not _is_about_typed(found, written, snapshot):
        return False
    if found.kind == "Catalog":
        if schema := _NO_SCHEMA.search(found.message):
            return schema[1].lower() not in {part.lower() for each in snapshot.schemas for part in each}
        return _is_missing(found.detail("type"), found.detail("name"), known, snapshot)
    return found.kind == "Binder" and _is_about_names_and_types(found, statement, known)


def _is_about_names_and_types(found: Problem, statement: Statement, known: Known) -> bool:
    """Whether *found*, of the binder, depends on nothing that the shadow's tables lack."""
    message = found.message
    if any(part in message for part in _NOT_SURE) and not message.startswith(_SURE):
        return False
    if not known.has_all_functions and message.startswith(_ABOUT_FUNCTIONS):
        return False
    is_about_column = found.detail("error_subtype") == "COLUMN_NOT_FOUND" or _NO_COLUMN in message
    return statement.kind in _SURE_KINDS or is_about_column


def is_of_duckdb(sql: str, position: int) -> bool:
    """Whether the statement at *position* of *sql*, which DuckDB cannot parse, is in its own language.

    MotherDuck, and some extensions, have statements that begin with other words, such as LIST or GRANT.
    """
    begin = max((at + 1 for at in semicolons(sql) if at < position), default=0)
    word = first_word(sql[begin:]).lower()
    return word in _QUERIES or only_near(word, _QUERIES) is not None


def still_holds(found: Problem, statement: Statement, known: Known, snapshot: Snapshot) -> bool:
    """Whether the catalog is still as *snapshot* says, as far as *found* depends on it."""
    if found.kind == "Parser":
        return True
    dotted = naming.names(statement.text).dotted
    tables = [table for table in {snapshot.find(parts): None for parts in dotted} if table is not None]
    if found.kind != "Catalog":
        return known.still_holds(snapshot, [table for table in tables if table.database != "temp"], (), "")
    if schema := _NO_SCHEMA.search(found.message):
        return known.still_holds(snapshot, (), (), schema[1])
    name = found.detail("name")
    if found.detail("type") not in {"Table", "View"}:
        return known.still_holds(snapshot, (), (), name)
    places = [place for place in snapshot.path if place[0] not in {"temp", "system"}]
    missing = {place for parts in dotted if parts[-1].lower() == name.lower() for place in _places(parts, places)}
    return known.still_holds(snapshot, (), sorted(missing), "")


def _places(parts: tuple[str, ...], path: Sequence[tuple[str, str]]) -> Sequence[tuple[str, ...]]:
    """Return where a table that is named *parts* would be: database, schema and name."""
    if len(parts) == 1:
        return [(*place, *parts) for place in path]
    if len(parts) == 2:  # noqa: PLR2004 - a schema or a database, and the name
        return [(database, *parts) for database, _ in path] + [(parts[0], "main", parts[1])]
    return [parts]


def _is_about_typed(found: Problem, written: Names, snapshot: Snapshot) -> bool:
    """Whether *found* is about what is typed, and not about a macro: the default values of those are not known."""
    if not any(snapshot.functions[name].macros for name in written.called & snapshot.functions.keys()):
        return True
    name = found.detail("name")
    inner = (
        naming.names(body).single
        for function in naming.macros(snapshot.functions, written.called).values()
        for _, body in function.macros
    )
    is_typed = name in written.single and not any(name in names for names in inner)
    return is_typed and found.detail("error_subtype") in _ABOUT_NAMES


def _is_missing(kind: str, name: str, known: Known, snapshot: Snapshot) -> bool:
    """Whether nothing of the *kind* that DuckDB looked for has the *name*."""
    if kind in {"Table", "View"}:
        value = known.variables.get(name)
        return value is None or not python.scannable({name: value})
    if kind.endswith("Function"):
        return known.has_all_functions and bool(snapshot.functions) and name.lower() not in snapshot.functions
    return kind == "Type" and name.lower() not in {each.lower() for each in snapshot.types}

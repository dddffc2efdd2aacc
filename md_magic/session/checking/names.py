"""The names in a statement, and which objects of the catalog they can mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from md_magic.session.checking.shadow import Relation, Unknown
from md_magic.sql.quoting import DUCKDB, identifier
from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from md_magic.catalog.snapshot import Function, Snapshot

_MOST_PARTS = 3
"""A database, a schema and a table."""

_DEPTH = 8
"""Macros that call macros are followed this far."""


@dataclass(frozen=True, slots=True)
class Names:
    """What is written in a statement where a name can stand."""

    dotted: frozenset[tuple[str, ...]]
    """Every run of up to three names with dots between them, and what each begins with: `a`, `a.b`, `a.b.c`."""

    called: frozenset[str]
    """The names before a parenthesis, in lower case, the last part of each."""

    qualifying: frozenset[str]
    """The first parts, in lower case, of the dotted names before a parenthesis: `geo` of `geo.near(`."""

    single: frozenset[str]
    """The names, as typed, that stand alone or first."""

    ordered: tuple[tuple[str, ...], ...]
    """`dotted`, always in the same order."""


@lru_cache(maxsize=2000)
def names(sql: str) -> Names:
    """Return the names in *sql*. A text such as `'t'` counts, because `query_table` and others take a name as text."""
    read, _ = tokens(sql)
    dotted: set[tuple[str, ...]] = set()
    called: set[str] = set()
    qualifying: set[str] = set()
    for at, token in enumerate(read):
        name = token.text.strip("'") if token.kind == "string" else token.name
        if name is None:
            continue
        if at + 1 < len(read) and read[at + 1].text == "(":
            called.add(name.lower())
        if at and read[at - 1].text == ".":
            continue
        parts = [name]
        dotted.add((name,))
        following = at + 1
        while len(parts) < _MOST_PARTS and following + 1 < len(read) and read[following].text == ".":
            part = read[following + 1].name
            if part is None:
                break
            parts.append(part)
            dotted.add(tuple(parts))
            following += 2
        if len(parts) > 1 and following < len(read) and read[following].text == "(":
            qualifying.add(name.lower())
    single = frozenset(parts[0] for parts in dotted if len(parts) == 1)
    return Names(frozenset(dotted), frozenset(called), frozenset(qualifying), single, tuple(sorted(dotted)))


def relations(snapshot: Snapshot, dotted: Iterable[tuple[str, ...]]) -> list[Relation]:
    """Return the tables and views that names of *dotted* can mean. Raises `Unknown` where the columns are not known."""
    meant = {table: None for parts in dotted if (table := snapshot.find(parts)) is not None}
    held = []
    for table in meant:
        columns = snapshot.columns_of(table)
        if not columns:
            raise Unknown
        pairs = tuple((column.name, column.type) for column in columns)
        held.append(Relation(table.database, table.schema, table.name, pairs))
    return held


def schemas(snapshot: Snapshot, dotted: Iterable[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Return the schemas that names of *dotted* can be in, whether or not they have such a table."""
    heads = {tuple(part.lower() for part in parts[:-1]) for parts in dotted if len(parts) > 1}
    single = {head[0] for head in heads if len(head) == 1}
    return [
        (database, schema)
        for database, schema in snapshot.schemas
        if {schema.lower(), database.lower()} & single or (database.lower(), schema.lower()) in heads
    ]


def types(enums: Mapping[str, tuple[str, ...]], made: Iterable[str], single: Iterable[str]) -> list[str]:
    """Return statements that make the types that somebody has *made* and *single* names. Raises `Unknown`."""
    by_name = {name.lower(): name for name in made}
    statements = []
    for name in {single_name.lower() for single_name in single} & by_name.keys():
        if name not in enums:
            raise Unknown
        labels = ", ".join(map(DUCKDB.literal, enums[name]))
        statements.append(f"CREATE TEMP TYPE {identifier(by_name[name])} AS ENUM ({labels})")
    return statements


def macros(functions: Mapping[str, Function], called: Iterable[str]) -> dict[str, Function]:
    """Return the macros that are *called*, also within others, those that are needed first."""
    order: dict[str, Function] = {}

    def add(name: str, depth: int) -> None:
        function = functions.get(name)
        if function is None or not function.macros or name in order:
            return
        if depth > _DEPTH:
            raise Unknown
        for _, body in function.macros:
            for inner in sorted(names(body).called - {name}):
                add(inner, depth + 1)
        order[name] = function

    for name in sorted(called):
        add(name, 0)
    return order


def macro_sql(function: Function) -> str:
    """Return the statement that makes a macro."""
    is_table = function.kind == "table_macro"
    overloads = ", ".join(
        f"({', '.join(map(identifier, parameters))}) AS {'TABLE ' if is_table else ''}{body}"
        for parameters, body in function.macros
    )
    return f"CREATE OR REPLACE TEMP MACRO {identifier(function.name)}{overloads}"

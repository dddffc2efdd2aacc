"""Completion candidates for a cursor context: names from the catalog, the cell and Python, functions, keywords."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from md_magic.completion import scope
from md_magic.completion.menu import LONG, MOST, Candidate, fit
from md_magic.completion.words import (
    COMMON_FUNCTIONS,
    EXPRESSION,
    INTERNAL_FUNCTIONS,
    INTERNAL_PREFIXES,
    KEYWORDS,
    OPERATORS,
    STANDARD_TYPES,
    STATEMENTS,
    TABLE_FUNCTIONS,
    TYPES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from md_magic.catalog.snapshot import Column, Snapshot
    from md_magic.completion.scope import CursorContext, Relation, Resolver, Typed

_NO_FRAMES = frozenset({"drop", "alter", "into", "update", "truncate", "create", "comment"})
"""Clauses that take a table of the database only, and no Python frame."""

_BEHIND_OPERAND = frozenset({"operator", "after_relation"})


def at_cursor(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    """Yield everything that can be typed at the cursor."""
    if typed.qualifiers:
        return _qualified(typed, context, resolver)
    return _unqualified(typed, context, resolver)


# ---- names behind a dot ---------------------------------------------------------------------------------------------


def _qualified(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    """Yield the names that can follow `t.`, `schema.`, `database.schema.` or a struct."""
    names, parts = resolver.names, tuple(part.lower() for part in typed.qualifiers)
    if context.role not in {"relation", "schema", "database", "called"}:
        columns = columns_of(parts, context, resolver)
        yield from _columns(columns)
        if columns:
            return
    inside = [table for table in names.tables if _within(parts, table.database.lower(), table.schema.lower())]
    for table in inside:
        if table.kind in context.kinds or context.role != "relation":
            yield Candidate(table.name, table.kind, 1)
    if len(parts) == 1:
        for database, schema in names.schemas:
            if database.lower() == parts[0]:
                yield Candidate(schema, "schema", 2)
    if context.role not in {"relation", "schema", "database"} and not inside and len(parts) <= 3:  # noqa: PLR2004 - a table has no more parts
        table_named = names.find(typed.qualifiers)
        if table_named is not None:
            yield from _columns(names.columns_of(table_named))


def _columns(columns: Iterable[Column]) -> Iterator[Candidate]:
    return (Candidate(column.name, "column", 0, order=i) for i, column in enumerate(columns))


def _within(parts: tuple[str, ...], database: str, schema: str) -> bool:
    if len(parts) == 1:
        return parts[0] == schema or (parts[0] == database and schema in {"main", "public", ""})
    return parts == (database, schema)


def columns_of(parts: tuple[str, ...], context: CursorContext, resolver: Resolver) -> list[Column]:
    """Return the columns of the table, or the fields of the struct, that *parts* name among the statement's tables."""
    relations = [relation for level in context.relations for relation in level]
    relations += [context.target] if context.target is not None else []
    for relation in relations:
        written = tuple(part.lower() for part in relation.parts)
        if parts == (relation.label.lower(),) or (not relation.alias and written and written[-len(parts) :] == parts):
            return resolver.columns(relation)
    for relation in relations:
        if parts[0] == relation.label.lower() and len(parts) > 1:
            return _fields(resolver.columns(relation), parts[1:])
    for relation in relations:
        fields = _fields(resolver.columns(relation), parts)
        if fields:
            return fields
    return _columns_elsewhere(parts[0], context, resolver) if len(parts) == 1 else []


def _columns_elsewhere(name: str, context: CursorContext, resolver: Resolver) -> list[Column]:
    """Return the columns of a CTE, a table of the cell or a frame that the statement does not reference yet."""
    if context.ctes.find(name) is not None or name in resolver.created:
        return resolver.columns(scope.Relation(parts=(name,), ctes=context.ctes))
    frame = next((frame for frame in resolver.frames if frame.lower() == name), None)
    if frame is not None and resolver.names.find((name,)) is None:
        return list(resolver.frames[frame])
    return []


def _fields(columns: Sequence[Column], path: tuple[str, ...]) -> list[Column]:
    """Return the fields of the struct that *path* leads to."""
    fields = list(columns)
    for name in path:
        fields = scope.fields(next((column.type for column in fields if column.name.lower() == name), ""))
    return fields


# ---- names without a dot --------------------------------------------------------------------------------------------


def _unqualified(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    by_role = _BY_ROLE.get(context.role)
    if by_role is not None:
        yield from by_role(typed, context, resolver)
    if not typed.quoted and context.role not in {"name", "column", "using"}:
        yield from _known_to(resolver.names, _keywords(typed, context))


def _tables(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    names = resolver.names
    if "table" in context.kinds:
        yield from (Candidate(name, "table", 0) for name in dict.fromkeys(context.ctes.names()))
        yield from (Candidate(name, "table", 1) for name in resolver.created)
    yield from _known_tables(context, names, typed.prefix.lower())
    with_frames = context.clause not in _NO_FRAMES
    if with_frames:
        yield from (Candidate(name, "variable", 3) for name in resolver.frames)
    yield from (Candidate(schema, "schema", 4) for database, schema in names.schemas if database == names.current)
    yield from (Candidate(name, "database", 6) for name in names.databases)
    if with_frames and context.kinds == ("table", "view"):
        yield from _functions(names, ("table", "table_macro"), 7)


def _known_tables(context: CursorContext, names: Snapshot, wanted: str) -> Iterator[Candidate]:
    """Yield tables of the catalog. Of 10,000 that match, only the first become candidates."""
    counts = [0, 0, 0]
    for name, here, table in names.ordered:
        tier = fit(name, wanted, LONG)
        if tier is None or counts[tier] >= MOST or table.kind not in context.kinds:
            continue
        counts[tier] += 1
        yield Candidate(table.name, table.kind, 2 if here else 5, partial(names.short, table))
        if not wanted and counts[0] == MOST:
            return


def _operands(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    order = 0
    for depth, level in enumerate(context.relations):
        resolved = [(relation, resolver.columns(relation)) for relation in level]
        counts: dict[str, int] = {}
        for _, columns in resolved:
            for column in columns:
                counts[column.name.lower()] = counts.get(column.name.lower(), 0) + 1
        for relation, columns in resolved:
            for column in columns:
                order += 1
                rank = 2 * depth
                if counts[column.name.lower()] > 1 and relation.label and not typed.quoted:
                    yield Candidate(column.name, "column", rank, _labelled(relation, column, resolver.names), order)
                    rank += 1
                yield Candidate(column.name, "column", rank, order=order)
    if context.clause == "returning" and context.target is not None and not any(context.relations):
        yield from _columns(resolver.columns(context.target))
    yield from (Candidate(column.name, "column", 1, order=order + i) for i, column in enumerate(context.aliases))
    labels = dict.fromkeys(relation.label for level in context.relations for relation in level if relation.label)
    yield from (Candidate(label, "table", 8) for label in labels)
    called = resolver.names.functions.get(context.function.lower())
    yield from (Candidate(name, "option", 7, keyword=True) for name in (called.parameters if called else ()))
    if not typed.quoted:
        yield from _functions(resolver.names, ("scalar", "aggregate", "window", "macro"), 11)


def _labelled(relation: Relation, column: Column, names: Snapshot) -> Callable[[], str]:
    quoted = names.quoting.where_needed
    return lambda: f"{quoted(relation.label)}.{quoted(column.name)}"


def _columns_instead(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    """Yield columns where an operator is expected: the user may have left out a comma or an operator."""
    if typed.prefix:
        operands = _operands(typed, context, resolver)
        yield from (replace(candidate, rank=14) for candidate in operands if candidate.kind == "column")


def _own_columns(typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    """Yield the columns of the table that the statement changes; those already listed come last."""
    taken = {token.text.lower() for token in typed.before[-100:] if token.kind == "word"}
    columns = resolver.columns(context.target) if context.target is not None else []
    for i, column in enumerate(columns):
        yield Candidate(column.name, "column", int(column.name.lower() in taken), order=i)


def _shared_columns(_typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    """Yield the columns of the innermost tables; columns that two tables share come first."""
    level = context.relations[0] if context.relations else ()
    seen: dict[str, tuple[str, int]] = {}
    for relation in level:
        for column in resolver.columns(relation):
            name, count = seen.get(column.name.lower(), (column.name, 0))
            seen[column.name.lower()] = name, count + 1
    for i, (name, count) in enumerate(seen.values()):
        yield Candidate(name, "column", 0 if count > 1 else 1, order=i)


def _types(_typed: Typed, _context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    built_in = STANDARD_TYPES if resolver.names.keywords else TYPES
    yield from (Candidate(name, "type", 1, keyword=True) for name in built_in)
    yield from (Candidate(name, "type", 0) for name in resolver.names.types)


def _databases(_typed: Typed, context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    names = resolver.names
    schema_first = context.role == "schema"
    yield from (Candidate(name, "database", int(schema_first)) for name in names.databases)
    yield from (Candidate(schema, "schema", int(not schema_first)) for _, schema in names.schemas)


def _settings(_typed: Typed, _context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    return (Candidate(name, "setting", 0, keyword=True) for name in resolver.names.settings)


def _called(_typed: Typed, _context: CursorContext, resolver: Resolver) -> Iterator[Candidate]:
    return _functions(resolver.names, ("table", "table_macro", "pragma"), 0)


_BY_ROLE: dict[str, Callable[[Typed, CursorContext, Resolver], Iterator[Candidate]]] = {
    "relation": _tables,
    "expression": _operands,
    "operator": _columns_instead,
    "column": _own_columns,
    "using": _shared_columns,
    "type": _types,
    "schema": _databases,
    "database": _databases,
    "setting": _settings,
    "called": _called,
}


def _known_to(names: Snapshot, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
    """Yield the keywords of which the database has every word, where its words are known."""
    known = names.keywords
    return (one for one in candidates if not known or known.issuperset(one.name.lower().split()))


def _functions(names: Snapshot, kinds: tuple[str, ...], rank: int) -> Iterator[Candidate]:
    if not names.functions and names.keywords:
        return  # of another database, that has not said which functions it has
    if not names.functions:
        by_heart = TABLE_FUNCTIONS if "table" in kinds else COMMON_FUNCTIONS
        yield from (Candidate(name, "function", rank, keyword=True) for name in by_heart)
        return
    common = frozenset((*COMMON_FUNCTIONS, *TABLE_FUNCTIONS))
    for function in names.functions.values():
        if function.kind in kinds and (function.name[:1].isalpha() or "macro" in function.kind):
            is_builtin = not function.kind.endswith("macro")
            yield Candidate(function.name, "function", rank + _remoteness(function.name, common), keyword=is_builtin)


def _remoteness(name: str, common: frozenset[str]) -> int:
    """Return how far from the first functions that of this *name* stands."""
    if name in common:
        return 0
    return 3 if name in INTERNAL_FUNCTIONS or name.startswith(INTERNAL_PREFIXES) else 1


# ---- keywords -------------------------------------------------------------------------------------------------------


def _keywords(typed: Typed, context: CursorContext) -> Iterator[Candidate]:
    """Yield keywords in the user's case."""
    upper = _writes_capitals(typed)
    likely = _likely_keywords(typed, context)
    rank = 0 if context.role in _BEHIND_OPERAND | {"statement"} else 10
    yield from (
        Candidate(_cased(word, upper=upper), "keyword", rank, order=i, keyword=True) for i, word in enumerate(likely)
    )
    if len(typed.prefix) >= LONG and context.role in _BEHIND_OPERAND | {"expression"}:
        rest = (word for word in KEYWORDS if word not in likely)
        yield from (Candidate(_cased(word, upper=upper), "keyword", 13, keyword=True) for word in rest)


def _likely_keywords(typed: Typed, context: CursorContext) -> Sequence[str]:
    """Return the keywords that can be typed at the cursor, likeliest first."""
    if context.role == "statement":
        return ("SELECT", "FROM", "WITH", "VALUES") if context.function == "(" else STATEMENTS
    if context.role == "expression":
        return _operand_keywords(context)
    if context.role in _BEHIND_OPERAND:
        in_case = any(token.low == "case" for token in typed.before[-60:])
        case_words = ("WHEN", "THEN", "ELSE", "END") if in_case else ()
        return (*case_words, *OPERATORS.get(context.clause, OPERATORS["where"]))
    if context.role == "relation" and context.clause in {"drop", "alter"}:
        return ("IF EXISTS",)
    if context.role == "relation" and context.clause == "show":
        return ("TABLES", "ALL TABLES", "DATABASES")
    return ()


def _operand_keywords(context: CursorContext) -> Sequence[str]:
    words: Sequence[str] = EXPRESSION
    if context.clause == "select" and context.previous is None:
        words = ("DISTINCT", *words)
    if context.function == "(":
        words = ("SELECT", "FROM", "WITH", *words)
    if context.clause in {"group", "order"}:
        words = ("ALL", *words)
    return words


def _writes_capitals(typed: Typed) -> bool:
    """Whether the user writes keywords in capitals, judging by the typed prefix or else by the last keyword."""
    if any(char.isalpha() for char in typed.prefix):
        return not typed.prefix[:LONG].islower()
    last = next((token for token in reversed(typed.before) if token.text.upper() in _single_keywords()), None)
    return last is None or not last.text.islower()


@cache
def _single_keywords() -> frozenset[str]:
    return frozenset(word for phrase in KEYWORDS for word in phrase.split())


def _cased(word: str, *, upper: bool) -> str:
    return word if upper else word.lower()

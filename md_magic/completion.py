"""What can be typed next: SQL, magic line and notebook in, ranked suggestions out. Nothing here knows IPython."""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from md_magic import options, scope, sqltext
from md_magic.names import Column, Names
from md_magic.words import COMMON_FUNCTIONS, EXPRESSION, KEYWORDS, OPERATORS, STATEMENTS, TABLE_FUNCTIONS, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from md_magic.scope import Place, Relation
    from md_magic.sqltext import Typed

Word = Literal[
    "column",
    "database",
    "function",
    "keyword",
    "option",
    "path",
    "schema",
    "setting",
    "table",
    "type",
    "variable",
    "view",
    "target",
]
"""What a suggestion is. JupyterLab shows the word beside it, and has room for one."""

MOST = 200
"""As many suggestions are given: more make the menu slow, and nobody reads them."""

_FILE_CALLS = ("read_", "scan_", "sniff_")
_FILE_CALLS_END = ("_scan",)
_LONG = 2
"""Letters after which every keyword is offered, wherever the cursor seems to be, and parts of names match."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line of the menu."""

    text: str
    """What takes the fragment's place."""

    kind: Word


@dataclass(frozen=True, slots=True)
class Suggested:
    """The menu."""

    fragment: str = ""
    """The text before the cursor that a suggestion replaces."""

    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is besides the text."""

    names: Names = field(default_factory=Names)
    frames: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    """Python variables that hold a table, with its columns."""

    values: tuple[str, ...] = ()
    """Python variables that can be bound."""

    engines: tuple[str, ...] = ()
    """Python variables that hold a SQLAlchemy engine or a DuckDB connection."""

    dicts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """Targets and aliases that are known."""

    saved: tuple[str, ...] = ()
    """Saved queries, as statements that create views."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A suggestion that may or may not be among the first."""

    name: str
    kind: Word
    rank: int
    text: Callable[[], str] | None = None
    order: int = 0
    keyword: bool = False


def sql(text: str, cursor: int, around: Surroundings) -> Suggested:
    """Suggest how the SQL *text* can go on at the offset *cursor*."""
    typed = sqltext.read(text, cursor)
    if typed.tail is not None:
        return _path(typed, text, cursor, around)
    if typed.number or (typed.before and typed.before[-1].text == "."):  # `f(x).` has fields that nobody knows
        return Suggested()
    if _is_parameter(typed):
        found: Iterable[_Found] = (_Found(name, "variable", 0) for name in around.values)
        return _ranked(found, typed, around.names, plain=True)
    resolver = resolver_of(typed, around)
    place = scope.place(typed.items, resolver)
    found = _qualified(typed, place, resolver) if typed.qualifiers else _bare(typed, place, resolver)
    return _ranked(found, typed, around.names)


def resolver_of(typed: Typed, around: Surroundings) -> scope.Resolver:
    """Return what finds the columns of relations: of the cell, saved, in the catalogue, among the Python frames."""
    saved = [sqltext.nest(sqltext.tokens(one)[0]) for one in around.saved]
    return scope.Resolver(around.names, scope.created([*saved, *typed.earlier], around.names), around.frames)


def _is_parameter(typed: Typed) -> bool:
    """Whether a `:name` or `$name` is being typed, and no colon of DuckDB's own stands there."""
    if not typed.before or typed.qualifiers or typed.quoted:
        return False
    sign, start = typed.before[-1], _start(typed)
    if sign.end != start or sign.text not in {":", "$"}:
        return False
    before = typed.before[-2] if len(typed.before) > 1 else None
    if sign.text == "$" or before is None:
        return True
    operand = before.kind in {"number", "string", "quoted"} or before.text in {")", "]", "}"}
    word = before.kind == "word" and before.end == sign.start  # `a:1`, `x[a:b]`; but `WHERE :x`
    return not (operand or word)


def _start(typed: Typed) -> int:
    return next(item.start for item in _flat(typed.items) if item.kind == "cursor")


def _flat(items: Sequence[sqltext.Item]) -> Iterator[sqltext.Token]:
    for item in items:
        if isinstance(item, sqltext.Group):
            yield from _flat(item.items)
        else:
            yield item


# ---- names behind a dot ----------------------------------------------------------------------------------------------


def _qualified(typed: Typed, place: Place, resolver: scope.Resolver) -> Iterator[_Found]:
    """Suggest what stands behind `t.`, `schema.`, `database.schema.` or a struct."""
    names, parts = resolver.names, tuple(part.lower() for part in typed.qualifiers)
    if place.role not in {"relation", "schema", "database", "called"}:
        columns = columns_of(parts, place, resolver)
        yield from (_Found(column.name, "column", 0, order=i) for i, column in enumerate(columns))
        if columns:
            return
    inside = [table for table in names.tables if _within(parts, table.database.lower(), table.schema.lower())]
    for table in inside:
        if table.kind in place.kinds or place.role != "relation":
            yield _Found(table.name, table.kind, 1)
    if len(parts) == 1:
        for database, schema in names.schemas:
            if database.lower() == parts[0]:
                yield _Found(schema, "schema", 2)
    if place.role not in {"relation", "schema", "database"} and not inside and len(parts) <= 3:  # noqa: PLR2004
        table_named = names.find(typed.qualifiers)
        if table_named is not None:
            for i, column in enumerate(names.columns_of(table_named)):
                yield _Found(column.name, "column", 0, order=i)


def _within(parts: tuple[str, ...], database: str, schema: str) -> bool:
    if len(parts) == 1:
        return parts[0] == schema or (parts[0] == database and schema in {"main", "public", ""})
    return parts == (database, schema)


def columns_of(parts: tuple[str, ...], place: Place, resolver: scope.Resolver) -> list[Column]:
    """Return the columns of the table, or the fields of the struct, that *parts* name among the statement's tables."""
    relations = [one for level in place.relations for one in level]
    relations += [place.target] if place.target is not None else []
    for relation in relations:
        named = tuple(part.lower() for part in relation.parts)
        if parts == (relation.label.lower(),) or (not relation.alias and named and named[-len(parts) :] == parts):
            return resolver.columns(relation)
    for relation in relations:
        if parts[0] == relation.label.lower() and len(parts) > 1:
            return _fields(resolver.columns(relation), parts[1:])
    for relation in relations:
        found = _fields(resolver.columns(relation), parts)
        if found:
            return found
    if len(parts) == 1:
        known = place.env.find(parts[0])
        if known is not None or parts[0] in resolver.created:
            return resolver.columns(scope.Relation(parts=parts, env=place.env))
        frame = next((name for name in resolver.frames if name.lower() == parts[0]), None)
        if frame is not None and resolver.names.find(parts) is None:
            return list(resolver.frames[frame])
    return []


def _fields(columns: Sequence[Column], path: tuple[str, ...]) -> list[Column]:
    found = list(columns)
    for name in path:
        kind = next((column.type for column in found if column.name.lower() == name), "")
        found = scope.fields(kind)
    return found


# ---- names without a dot ---------------------------------------------------------------------------------------------


def _bare(typed: Typed, place: Place, resolver: scope.Resolver) -> Iterator[_Found]:
    names = resolver.names
    role = place.role
    if role == "relation":
        yield from _tables(place, resolver, typed.prefix.lower())
    elif role == "expression":
        yield from _operands(typed, place, resolver)
    elif role == "operator" and typed.prefix:  # a comma or an operator may be missing
        yield from (replace(one, rank=14) for one in _operands(typed, place, resolver) if one.kind == "column")
    elif role == "column":
        target = resolver.columns(place.target) if place.target is not None else []
        taken = _taken(typed)
        for i, column in enumerate(target):
            yield _Found(column.name, "column", int(column.name.lower() in taken), order=i)
    elif role == "using":
        yield from _shared(place, resolver)
    elif role == "type":
        yield from (_Found(name, "type", 1, keyword=True) for name in TYPES)
        yield from (_Found(name, "type", 0) for name in names.types)
    elif role in {"schema", "database"}:
        yield from (_Found(name, "database", 1 if role == "schema" else 0) for name in names.databases)
        yield from (_Found(schema, "schema", 1 if role == "database" else 0) for _, schema in names.schemas)
    elif role == "setting":
        yield from (_Found(name, "setting", 0, keyword=True) for name in names.settings)
    elif role == "called":
        yield from _functions(names, ("table", "table_macro", "pragma"), 0)
    if typed.quoted or role in {"name", "column", "using"}:
        return
    yield from _keywords(typed, place)


def _taken(typed: Typed) -> set[str]:
    """Return the names that stand before the cursor: a column that is listed already comes last."""
    return {token.text.lower() for token in typed.before[-100:] if token.kind == "word"}


def _tables(place: Place, resolver: scope.Resolver, wanted: str) -> Iterator[_Found]:
    names = resolver.names
    if "table" in place.kinds:
        yield from (_Found(name, "table", 0) for name in dict.fromkeys(place.env.names()))
        yield from (_Found(name, "table", 1) for name in resolver.created)
    yield from _known_tables(place, names, wanted)
    if place.clause in {"drop", "alter", "into", "update", "truncate", "create", "comment"}:
        frames: Iterable[str] = ()
    else:
        frames = resolver.frames
    yield from (_Found(name, "variable", 3) for name in frames)
    yield from (_Found(schema, "schema", 4) for database, schema in names.schemas if database == names.current)
    yield from (_Found(name, "database", 6) for name in names.databases)
    if frames is resolver.frames and place.kinds == ("table", "view"):
        yield from _functions(names, ("table", "table_macro"), 7)


def _known_tables(place: Place, names: Names, wanted: str) -> Iterator[_Found]:
    """Suggest tables of the catalogue. Of 10,000 that fit only the first are made into suggestions."""
    counts = [0, 0, 0]
    for name, here, table in names.ordered:
        tier = _fit(name, wanted, _LONG)
        if tier is None or counts[tier] >= MOST or table.kind not in place.kinds:
            continue
        counts[tier] += 1
        yield _Found(table.name, table.kind, 2 if here else 5, partial(names.short, table))
        if not wanted and counts[0] == MOST:
            return


def _operands(typed: Typed, place: Place, resolver: scope.Resolver) -> Iterator[_Found]:
    order = 0
    for depth, level in enumerate(place.relations):
        known = [(relation, resolver.columns(relation)) for relation in level]
        counts: dict[str, int] = {}
        for _, columns in known:
            for column in columns:
                counts[column.name.lower()] = counts.get(column.name.lower(), 0) + 1
        for relation, columns in known:
            for column in columns:
                order += 1
                shared = counts[column.name.lower()] > 1
                if shared and relation.label and not typed.quoted:
                    yield _Found(column.name, "column", 2 * depth, _labelled(relation, column, resolver.names), order)
                    yield _Found(column.name, "column", 2 * depth + 1, order=order)
                else:
                    yield _Found(column.name, "column", 2 * depth, order=order)
    if place.clause == "returning" and place.target is not None and not any(place.relations):
        for i, column in enumerate(resolver.columns(place.target)):
            yield _Found(column.name, "column", 0, order=i)
    yield from (_Found(column.name, "column", 1, order=order + i) for i, column in enumerate(place.aliases))
    labels = dict.fromkeys(relation.label for level in place.relations for relation in level if relation.label)
    yield from (_Found(label, "table", 8) for label in labels)
    if place.function:
        called = resolver.names.functions.get(place.function.lower())
        yield from (_Found(name, "option", 7, keyword=True) for name in (called.parameters if called else ()))
    if not typed.quoted:
        yield from _functions(resolver.names, ("scalar", "aggregate", "macro"), 11)


def _labelled(relation: Relation, column: Column, names: Names) -> Callable[[], str]:
    return lambda: f"{names.quoted(relation.label)}.{names.quoted(column.name)}"


def _shared(place: Place, resolver: scope.Resolver) -> Iterator[_Found]:
    level = place.relations[0] if place.relations else ()
    columns = [resolver.columns(relation) for relation in level]
    seen: dict[str, tuple[str, int]] = {}
    for column in (one for found in columns for one in found):
        name, count = seen.get(column.name.lower(), (column.name, 0))
        seen[column.name.lower()] = name, count + 1
    for i, (name, count) in enumerate(seen.values()):
        yield _Found(name, "column", 0 if count > 1 else 1, order=i)


def _functions(names: Names, kinds: tuple[str, ...], rank: int) -> Iterator[_Found]:
    if not names.functions:
        known = TABLE_FUNCTIONS if "table" in kinds else COMMON_FUNCTIONS
        yield from (_Found(name, "function", rank, keyword=True) for name in known)
        return
    common = frozenset((*COMMON_FUNCTIONS, *TABLE_FUNCTIONS))
    for function in names.functions.values():
        if function.kind in kinds and (function.name[:1].isalpha() or "macro" in function.kind):
            usual = function.name in common
            yield _Found(function.name, "function", rank + (not usual), keyword=not function.kind.endswith("macro"))


def _keywords(typed: Typed, place: Place) -> Iterator[_Found]:
    """Suggest keywords in the case in which the user writes them."""
    upper = _writes_capitals(typed)
    role = place.role
    if role == "statement":
        likely: Sequence[str] = ("SELECT", "FROM", "WITH", "VALUES") if place.function == "(" else STATEMENTS
    elif role == "expression":
        likely = EXPRESSION
        if place.clause == "select" and (place.previous is None):
            likely = ("DISTINCT", *likely)
        if place.function == "(":
            likely = ("SELECT", "FROM", "WITH", *likely)
        if place.clause in {"group", "order"}:
            likely = ("ALL", *likely)
    elif role in {"operator", "after_relation"}:
        likely = OPERATORS.get(place.clause, OPERATORS["where"])
        if any(token.low == "case" for token in typed.before[-60:]):
            likely = ("WHEN", "THEN", "ELSE", "END", *likely)
    elif role == "relation" and place.clause in {"drop", "alter"}:
        likely = ("IF EXISTS",)
    elif role == "relation" and place.clause == "show":
        likely = ("TABLES", "ALL TABLES", "DATABASES")
    else:
        likely = ()
    rank = 0 if role in {"operator", "after_relation", "statement"} else 10
    yield from (
        _Found(_cased(word, upper=upper), "keyword", rank, order=i, keyword=True) for i, word in enumerate(likely)
    )
    if len(typed.prefix) >= _LONG and role in {"expression", "operator", "after_relation"}:
        rest = (word for word in KEYWORDS if word not in likely)
        yield from (_Found(_cased(word, upper=upper), "keyword", 13, keyword=True) for word in rest)


def _writes_capitals(typed: Typed) -> bool:
    if any(char.isalpha() for char in typed.prefix):
        return not typed.prefix[:_LONG].islower()
    known = frozenset(word for phrase in KEYWORDS for word in phrase.split())
    last = next((token for token in reversed(typed.before) if token.text.upper() in known), None)
    return last is None or not last.text.islower()


def _cased(word: str, *, upper: bool) -> str:
    return word if upper else word.lower()


# ---- ranking ---------------------------------------------------------------------------------------------------------


def _ranked(found: Iterable[_Found], typed: Typed, names: Names, *, plain: bool = False) -> Suggested:
    wanted = typed.prefix.lower()
    keyed = []
    for number, one in enumerate(found):
        tier = _tier(one, wanted)
        if tier is not None:
            keyed.append(((tier, one.rank, one.order, number if one.order else one.name.lower(), number), one))
    first = heapq.nsmallest(MOST * 2, keyed, key=lambda pair: (*pair[0][:3], str(pair[0][3]), pair[0][4]))
    made: dict[str, Suggestion] = {}
    for _, one in first:
        text = _written(one, typed, names, plain=plain)
        made.setdefault(text, Suggestion(text, one.kind))
    return Suggested(typed.fragment, tuple(made.values())[:MOST])


def _tier(one: _Found, wanted: str) -> int | None:
    """Tell how well a name fits what is typed: its beginning, the beginning of a word in it, a part of it."""
    enough = {"function": _LONG + 2, "keyword": len(wanted) + 1}.get(one.kind, _LONG)
    return _fit(one.name.lower(), wanted, enough)


def _fit(name: str, wanted: str, enough: int) -> int | None:
    if not wanted or name.startswith(wanted):
        return 0
    if len(wanted) < enough or wanted not in name:
        return None
    return 1 if f"_{wanted}" in name or f" {wanted}" in name else 2


def _written(one: _Found, typed: Typed, names: Names, *, plain: bool) -> str:
    if plain or (one.keyword and not typed.quoted):
        return one.name
    if typed.quoted:
        text = names.wrapped(one.name)
        return text[:-1] if typed.closed else text
    return one.text() if one.text is not None else names.quoted(one.name)


# ---- paths -----------------------------------------------------------------------------------------------------------


def _path(typed: Typed, text: str, cursor: int, around: Surroundings) -> Suggested:
    """Suggest files, where the string that the cursor is in names one."""
    if typed.tail is None or typed.tail.kind != "string" or not _names_file(typed, around):
        return Suggested()
    fragment = text[typed.tail.start + 1 : cursor]
    found = [path.replace("'", "''") for path in paths(fragment.replace("''", "'"))]
    return Suggested(fragment, tuple(Suggestion(path, "path") for path in found))


def _names_file(typed: Typed, around: Surroundings) -> bool:
    before = typed.before
    call = _enclosing_call(before)
    if call is not None:
        named_parameter = bool(before) and before[-1].text in {"=", ":=", "=>"}
        reads = call.startswith(_FILE_CALLS) or call.endswith(_FILE_CALLS_END) or call == "glob"
        return reads and not named_parameter and _first_argument(before)
    low = before[-1].low if before else ""
    if low in {"to", "from"} and before[0].low in {"copy", "export", "import"}:
        return True
    if low in {"attach", "load", "install", "database", "exists"}:
        return before[0].low in {"attach", "load", "install", "export", "import"}
    return scope.place(typed.items, resolver_of(typed, around)).role == "relation"


def _enclosing_call(before: Sequence[sqltext.Token]) -> str | None:
    depth = 0
    for at in range(len(before) - 1, 0, -1):
        text = before[at].text
        if before[at].kind != "sign":
            continue
        depth += (text in {")", "]", "}"}) - (text in {"(", "[", "{"})
        if depth < 0 and text == "(":
            word = before[at - 1].low
            return word if word and word not in {"from", "join", "in", "as", ","} else None
    return None


def _first_argument(before: Sequence[sqltext.Token]) -> bool:
    """Whether no argument of the call stands before: a list of paths may."""
    depth = 0
    for token in reversed(before):
        if token.kind != "sign":
            continue
        if token.text in {")", "]", "}"}:
            depth += 1
        elif token.text in {"(", "[", "{"}:
            depth -= 1
            if token.text == "[" and depth < 0:
                return True
            if depth < 0:
                return True
        elif token.text == "," and depth == 0 and not _in_list(before):
            return False
    return True


def _in_list(before: Sequence[sqltext.Token]) -> bool:
    opened = 0
    for token in before:
        if token.kind == "sign":
            opened += (token.text == "[") - (token.text == "]")
    return opened > 0


def paths(fragment: str) -> list[str]:
    """Return the files and folders that the half-typed path *fragment* can become. Folders end with a slash."""
    if "://" in fragment or "\0" in fragment or any(char in fragment for char in "*?["):
        return []
    folder, _, start = fragment.rpartition("/")
    shown = fragment[: len(fragment) - len(start)]
    found = []
    try:
        place = Path(shown or ".").expanduser() if folder or shown else Path()
        with os.scandir(place) as entries:
            for entry in entries:
                if not entry.name.lower().startswith(start.lower()) or (entry.name[0] == "." and start[:1] != "."):
                    continue
                found.append(shown + entry.name + ("/" if entry.is_dir() else ""))
    except (OSError, RuntimeError, ValueError):  # no such folder, ~nobody
        return []
    return sorted(found, key=lambda name: (not name.startswith(fragment), name.lower()))[:MOST]


# ---- the magic line --------------------------------------------------------------------------------------------------


def line(spot: options.Spot, sql_text: str, around: Surroundings, *, single: bool) -> Suggested:
    """Suggest what stands at *spot* of a magic line: an option, its value, a target. *single* says `%mdsql`."""
    if spot.option is not None:
        return _value(spot, sql_text, around)
    found = [(name, "option") for name in options.declared() if name.startswith("--")]
    if not spot.fragment.startswith("-"):
        targets: list[tuple[str, str]] = [] if spot.has_target else [(name, "target") for name in around.targets]
        folder = _database_files(spot.fragment) if not spot.has_target else []
        words = [(word, "keyword") for word in STATEMENTS] if single else []
        found = [*targets, *folder, *found, *words]
    return _line_suggested(spot.fragment, found)


def _line_suggested(fragment: str, found: Iterable[tuple[str, str]]) -> Suggested:
    made: dict[str, Suggestion] = {}
    for text, kind in found:
        if text.lower().startswith(fragment.lower()):
            cased = text.lower() if kind == "keyword" and fragment and fragment.islower() else text
            made.setdefault(cased, Suggestion(cased, kind))  # type: ignore[arg-type]
    return Suggested(fragment, tuple(made.values())[:MOST])


def _database_files(fragment: str) -> list[tuple[str, str]]:
    scheme = "duckdb:///"
    if not fragment.startswith(scheme):
        return []
    return [(scheme + path, "path") for path in paths(fragment.removeprefix(scheme))]


def _value(spot: options.Spot, sql_text: str, around: Surroundings) -> Suggested:
    action = spot.option
    if action is None:
        return Suggested()
    values: Iterable[tuple[str, str]]
    if action.choices:
        values = [(str(choice), "option") for choice in action.choices]
    elif action.dest in {"engine", "config", "frame"}:
        known = {"engine": around.engines, "config": around.dicts, "frame": tuple(around.frames)}
        values = [(name, "variable") for name in known[action.dest]]
    elif action.dest == "parameters":
        values = [(f"{name}=", "variable") for name in parameters(sql_text)]
    elif action.metavar in {"TABLE", "PATTERN"}:
        names = around.names
        values = [(names.short(table), table.kind) for table in _starting(names, spot.fragment)]
    elif action.metavar == "TARGET":
        values = [(name, "target") for name in around.targets]
    elif action.metavar in {"PATH", "FILE"}:
        quoted = spot.fragment[:1] in {"'", '"'}
        return Suggested(
            spot.fragment,
            tuple(Suggestion(_shell_quoted(path, spot.fragment), "path") for path in paths(spot.fragment[quoted:])),
        )
    else:
        values = []
    return _line_suggested(spot.fragment, values)


def _starting(names: Names, fragment: str) -> list:  # type: ignore[type-arg]
    low = fragment.lower().lstrip('"')
    return heapq.nsmallest(
        MOST,
        (
            table
            for table in names.tables
            if table.name.lower().startswith(low) or names.short(table).lower().startswith(low)
        ),
        key=lambda table: table.name.lower(),
    )


def _shell_quoted(path: str, fragment: str) -> str:
    opening = fragment[:1] if fragment[:1] in {"'", '"'} else ""
    if opening or not any(char.isspace() or char in "'\"" for char in path):
        return opening + path
    quote = "'" if "'" not in path else '"'
    return f"{quote}{path}{quote}"


def parameters(sql_text: str) -> list[str]:
    """Return the names of the parameters that *sql_text* seems to have."""
    found, _ = sqltext.tokens(sql_text)
    made: dict[str, None] = {}
    for at, (sign, name) in enumerate(pairwise(found)):
        if sign.text in {":", "$"} and name.kind == "word" and sign.end == name.start:
            before = found[at - 1] if at else None
            glued = before is not None and before.end == sign.start and before.kind in {"word", "number", "string"}
            if sign.text == "$" or not glued:
                made[name.text] = None
    return list(made)

"""What the names of a half-written statement mean at the cursor: its tables, their columns, the clause it is in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from md_magic.names import RESERVED, Column, Names
from md_magic.sqltext import Group, holds_cursor, nest, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.sqltext import Item

Role = Literal[
    "statement",  # nothing of the statement has been typed
    "relation",  # a table, a view, a frame, a table function
    "after_relation",  # behind a table: an alias, a JOIN, the next clause
    "expression",  # an operand: a column, a function, a value
    "operator",  # behind an operand: AND, the next clause
    "column",  # a column of the statement's own table, and nothing else: INSERT INTO t (, UPDATE t SET
    "using",  # a column of both tables
    "type",  # a data type
    "schema",
    "database",
    "setting",
    "called",  # a table function or macro
    "name",  # a new name: there is nothing to suggest
]

_CLAUSES = frozenset(
    (
        "select from where group having qualify window order limit offset values set returning into update"
        " using merge delete insert on pivot unpivot describe summarize copy alter drop create truncate use"
        " attach detach show with reset pragma call explain comment desc"
    ).split()
)
_STARTS = frozenset(
    (
        "update merge delete insert pivot unpivot describe summarize copy alter drop create truncate use"
        " attach detach show reset pragma call explain comment set desc"
    ).split()
)
"""Words that are a clause only where a statement begins, or behind one that introduces a statement."""

_BEFORE_STATEMENT = frozenset({"as", "explain", "analyze", "do"})
_QUERY = frozenset({"select", "from", "with", "values", "pivot", "unpivot", "summarize", "describe", "show"})
_SET_OPERATORS = frozenset({"union", "intersect", "except"})
_JOINS = frozenset(("join left right full inner outer cross natural semi anti asof positional lateral").split())
_NO_ALIAS = (RESERVED | _CLAUSES | _JOINS | _SET_OPERATORS | {"tablesample", "sample", "by", "when", "then"}) - {
    "copy", "alter", "drop", "truncate", "use", "attach", "detach", "reset", "call", "explain", "comment", "insert",
    "merge", "delete", "update", "pragma",
}  # fmt: skip
_FROM_CALLS = frozenset({"extract", "trim", "substring", "overlay", "position"})
"""Functions whose arguments have a FROM that is no clause."""

_OPERATORS_IN_WORDS = frozenset(
    (
        "and or not in like ilike is between similar glob then when else case escape distinct all any some by"
        " on where having qualify select returning set values limit offset collate using exists interval array"
        " partition range rows groups only lambda"
    ).split()
)
"""Words behind which an operand is expected."""

_RELATION_WORDS = frozenset({"from", "join", "into", "update", "describe", "summarize", "desc", "pivot", "unpivot"})
_MOST_DEPTH = 110


@dataclass(frozen=True, slots=True)
class Relation:
    """Something that has columns and a name."""

    parts: tuple[str, ...] = ()
    """The dotted name, as typed; empty for a subquery or a function."""

    alias: str = ""
    query: Group | None = None
    function: str = ""
    arguments: Group | None = None
    columns: tuple[str, ...] = ()
    """Names given to the columns: `AS t(a, b)`."""

    env: Env | None = None

    @property
    def label(self) -> str:
        """The name that stands before the dot of its columns."""
        return self.alias or (self.parts[-1] if self.parts else self.function)


@dataclass(frozen=True, slots=True)
class Env:
    """The common table expressions that are known at some place, the innermost first."""

    name: str = ""
    columns: tuple[str, ...] = ()
    query: Group | None = None
    within: Env | None = None
    """What the body of this one sees."""

    outer: Env | None = None

    def find(self, name: str) -> Env | None:
        """Return the expression called *name*."""
        env: Env | None = self
        while env is not None:
            if env.query is not None and env.name.lower() == name.lower():
                return env
            env = env.outer
        return None

    def names(self) -> list[str]:
        """Return the names of all of them."""
        env: Env | None = self
        found = []
        while env is not None:
            if env.query is not None:
                found.append(env.name)
            env = env.outer
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of the cursor's place."""

    role: Role
    clause: str = ""
    """The keyword that begins the clause, in lower case: `select`, `from`, `group`."""

    relations: tuple[tuple[Relation, ...], ...] = ()
    """The tables that can be named, the innermost query's first."""

    target: Relation | None = None
    """The table that the statement changes."""

    aliases: tuple[Column, ...] = ()
    """What the select list calls its columns."""

    env: Env = field(default_factory=Env)
    previous: Item | None = None
    function: str = ""
    """The function whose arguments these are."""

    kinds: tuple[str, ...] = ("table", "view")
    """What a relation may be here."""

    statement: str = ""
    """The statement's first word, in lower case."""


@dataclass(slots=True)
class Resolver:
    """Finds the columns of relations: in the cell, in the catalogue, among the Python frames."""

    names: Names
    created: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    """Tables that earlier statements of the cell create, by lower-case name."""

    frames: Mapping[str, Sequence[Column]] = field(default_factory=dict)

    def columns(self, relation: Relation, depth: int = 0) -> list[Column]:
        """Return the columns of *relation*; none where nobody knows them."""
        if depth > _MOST_DEPTH:
            return []
        found = self._own(relation, depth)
        if relation.columns:
            types = [column.type for column in found] + [""] * len(relation.columns)
            renamed = [Column(name, kind) for name, kind in zip(relation.columns, types, strict=False)]
            return [*renamed, *found[len(renamed) :]]
        return found

    def _own(self, relation: Relation, depth: int) -> list[Column]:
        env = relation.env or Env()
        if relation.query is not None:
            return self.query(relation.query.items, env, depth + 1)
        if relation.function:
            return self._function(relation)
        if len(relation.parts) == 1:
            name = relation.parts[0]
            cte = env.find(name)
            if cte is not None and cte.query is not None:
                found = self.query(cte.query.items, cte.within or Env(), depth + 1)
                return _renamed(found, cte.columns)
            if name.lower() in self.created:
                return list(self.created[name.lower()])
        table = self.names.find(relation.parts)
        if table is not None:
            return list(self.names.columns_of(table))
        if len(relation.parts) == 1 and relation.parts[0] in self.frames:
            return list(self.frames[relation.parts[0]])
        return list(self.names.ask(relation.parts)) if relation.parts else []

    def _function(self, relation: Relation) -> list[Column]:
        name = relation.function.lower()
        if name in {"range", "generate_series"}:
            return [Column(relation.alias or name, "BIGINT")]
        if name == "unnest":
            return [Column("unnest")]
        return []

    def query(self, items: Sequence[Item], env: Env, depth: int = 0) -> list[Column]:
        """Return the columns that the query in *items* gives: those of its first SELECT."""
        if depth > _MOST_DEPTH:
            return []
        env, items = common_tables(items, env)
        block = blocks(items)[0]
        clauses = split(block)
        if len(block) == 1 and isinstance(block[0], Group):  # ((SELECT ...))
            return self.query(block[0].items, env, depth + 1)
        words = [clause for clause, _ in clauses]
        if "values" in words and "select" not in words:
            row = next((item for item in block if isinstance(item, Group)), Group("("))
            return [Column(f"col{number}") for number in range(len(_commas(row.items)))]
        relations = _block_relations(clauses, env)
        for clause, content in clauses:
            if clause == "select":
                return [column for item in _commas(content) for column in self._selected(item, relations, depth)]
        return [column for relation in relations for column in self.columns(relation, depth + 1)]

    def selected(self, clauses: Sequence[tuple[str, Sequence[Item]]], relations: Sequence[Relation]) -> list[Column]:
        """Return the columns that the select list names by an alias of its own."""
        for clause, content in clauses:
            if clause == "select":
                return [column for item in _commas(content) if (column := self._alias(item, relations, 0))]
        return []

    def _selected(self, item: Sequence[Item], relations: Sequence[Relation], depth: int) -> list[Column]:
        item = [one for one in item if one.low not in {"distinct", "all"}]
        star = next((i for i, one in enumerate(item) if one.low == "*" and one.kind == "sign"), None)
        if star is not None and (star == 0 or (star == 2 and item[1].text == ".")):  # noqa: PLR2004 - `*` or `t.*`
            wanted = relations if star == 0 else [one for one in relations if _is(one.label, item[0].name or "")]
            found = [column for relation in wanted for column in self.columns(relation, depth + 1)]
            return _starred(found, item[star + 1 :])
        alias = self._alias(item, relations, depth)
        if alias is not None:
            return [alias]
        name = _reference(item)
        if name:
            return [self._typed(name, relations, depth)]
        return []

    def _typed(self, name: str, relations: Sequence[Relation], depth: int) -> Column:
        for relation in relations:
            for column in self.columns(relation, depth + 1):
                if _is(column.name, name):
                    return Column(name, column.type)
        return Column(name)

    def _alias(self, item: Sequence[Item], relations: Sequence[Relation], depth: int) -> Column | None:
        """Return the name that a select item is given, with its type where that is plain to see."""
        body: Sequence[Item]
        if len(item) > 2 and item[1].text == ":" and item[0].name and not item[2].low.startswith(":"):  # noqa: PLR2004
            name, body = item[0].name, item[2:]
        elif len(item) > 2 and item[-2].low == "as" and item[-1].name:  # noqa: PLR2004
            name, body = item[-1].name, item[:-2]
        elif len(item) > 1 and item[-1].name and _ends_operand(item[-2]) and not _is_reserved(item[-1]):
            name, body = item[-1].name, item[:-1]
        else:
            return None
        reference = _reference(body)
        if reference:
            return Column(name, self._typed(reference, relations, depth).type)
        if len(body) > 2 and body[-2].text == "::":  # noqa: PLR2004
            return Column(name, body[-1].text.upper())
        return Column(name)


def _renamed(found: list[Column], names: Sequence[str]) -> list[Column]:
    if not names:
        return found
    types = [column.type for column in found] + [""] * len(names)
    return [Column(name, kind) for name, kind in zip(names, types, strict=False)]


def _is(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _starred(found: list[Column], rest: Sequence[Item]) -> list[Column]:
    """Apply `EXCLUDE (a)` and `RENAME (a AS b)` behind a star."""
    for word, group in pairwise(rest):
        inner = group.items if isinstance(group, Group) else [group]
        if word.low in {"exclude", "except"}:
            left_out = {(one.name or "").lower() for one in inner}
            found = [column for column in found if column.name.lower() not in left_out]
        elif word.low == "rename":
            new = {(one[0].name or "").lower(): one[-1].name or "" for one in _commas(inner) if one}
            found = [replace(column, name=new.get(column.name.lower(), column.name)) for column in found]
    return found


def _reference(item: Sequence[Item]) -> str:
    """Return the last name of `a`, `t.a` or `s.t.a`; empty for anything else."""
    names = item[::2]
    dots = item[1::2]
    plain = all(one.name for one in names) and all(one.text == "." for one in dots)
    return (names[-1].name or "") if item and plain and len(item) % 2 and not _is_reserved(names[-1]) else ""


def _is_reserved(item: Item) -> bool:
    return item.kind == "word" and item.low in RESERVED


def _ends_operand(item: Item) -> bool:
    if isinstance(item, Group):
        return True
    if item.kind in {"number", "string", "quoted"}:
        return True
    return item.kind == "word" and (
        item.low not in RESERVED | _OPERATORS_IN_WORDS or item.low in {"end", "null", "true", "false", "all"}
    )


def _commas(items: Sequence[Item]) -> list[list[Item]]:
    found: list[list[Item]] = [[]]
    for item in items:
        if item.text == "," and item.kind == "sign":
            found.append([])
        else:
            found[-1].append(item)
    return [one for one in found if one]


def blocks(items: Sequence[Item]) -> list[list[Item]]:
    """Split a query at UNION, INTERSECT and EXCEPT."""
    found: list[list[Item]] = [[]]
    skipping = False
    for at, item in enumerate(items):
        star = at > 0 and items[at - 1].text == "*"
        if item.low in _SET_OPERATORS and not star:
            found.append([])
            skipping = True
        elif skipping and item.low in {"all", "distinct", "by", "name"}:
            continue
        else:
            skipping = False
            found[-1].append(item)
    return found


def split(items: Sequence[Item]) -> list[tuple[str, list[Item]]]:
    """Split a block into its clauses: keyword and what follows it. What stands before the first has the keyword ``."""
    found: list[tuple[str, list[Item]]] = [("", [])]
    for at, item in enumerate(items):
        word = item.low if item.kind == "word" else ""
        before = items[at - 1] if at else None
        if word in _CLAUSES and _begins_clause(word, before, items, at, found[-1][0]):
            found.append((word, []))
        else:
            found[-1][1].append(item)
    return found if found[0][1] else found[1:] or found


def _begins_clause(word: str, before: Item | None, items: Sequence[Item], at: int, clause: str) -> bool:
    if before is not None and before.text == ".":
        return False
    following = items[at + 1] if at + 1 < len(items) else None
    if following is not None and following.text == ".":
        return False
    low = before.low if before is not None else ""
    if word in _STARTS:
        if word == "set":
            return before is None or clause in {"update", "on", "merge"} or low == "update"
        return before is None or low in _BEFORE_STATEMENT or (word in {"update", "delete", "insert"} and low == "then")
    if word in {"group", "order"}:
        return following is None or following.low == "by" or following.kind == "cursor"
    if word == "from":
        return low != "distinct" or at < 2 or items[at - 2].low not in {"is", "not"}  # noqa: PLR2004 - IS DISTINCT FROM
    if word == "using":
        return clause in {"delete", "merge", "into", "pivot", "from"} and not _joined(items[:at])
    if word == "on":
        return clause not in {"from", "using", "into", "comment"}
    if word == "into":
        return low in {"insert", "merge", "replace", "ignore"}
    if word == "values":
        return before is None or clause in {"into", "insert", ""} or isinstance(before, Group)
    if word in {"limit", "offset", "window", "with"}:
        return True
    return True


def _joined(items: Sequence[Item]) -> bool:
    """Whether the last word of a FROM clause that matters is a JOIN."""
    for item in reversed(items):
        if item.low in {"join", "from"}:
            return item.low == "join"
    return False


def common_tables(items: Sequence[Item], env: Env) -> tuple[Env, list[Item]]:
    """Read the `WITH` of a query; return what is known after it, and the items without it."""
    rest: list[Item] = []
    at = 0
    while at < len(items):
        if items[at].low != "with" or not _is_with(items, at):
            rest.append(items[at])
            at += 1
            continue
        at += 1
        recursive = at < len(items) and items[at].low == "recursive"
        at += recursive
        while at < len(items) and items[at].name:
            name, columns, body, at = _common_table(items, at)
            if body is None:
                break
            inner = Env(name, columns, body, env, env) if recursive else env
            env = Env(name, columns, body, inner if not recursive else env, env)
            if at < len(items) and items[at].text == ",":
                at += 1
            else:
                break
    return env, rest


def _is_with(items: Sequence[Item], at: int) -> bool:
    following = items[at + 1] if at + 1 < len(items) else None
    return (
        following is not None
        and following.name is not None
        and following.low not in {"time", "no", "ordinality", "ties"}
    )


def _common_table(items: Sequence[Item], at: int) -> tuple[str, tuple[str, ...], Group | None, int]:
    name, at = items[at].name or "", at + 1
    columns: tuple[str, ...] = ()
    group = items[at] if at < len(items) else None
    if isinstance(group, Group):
        columns, at = tuple(one.name for one in group.items if one.name), at + 1
    elif group is not None and group.low == "using":  # USING KEY (a)
        at += 3
    while at < len(items) and items[at].low in {"as", "not", "materialized"}:
        at += 1
    body = items[at] if at < len(items) else None
    if isinstance(body, Group):
        return name, columns, body, at + 1
    return name, columns, None, at


def _block_relations(clauses: Sequence[tuple[str, Sequence[Item]]], env: Env) -> list[Relation]:
    """Return the tables that the expressions of a block can name."""
    found: list[Relation] = []
    inserting = any(clause == "insert" for clause, _ in clauses)
    for clause, content in clauses:
        named = clause in {"from", "update", "pivot", "unpivot", "describe", "summarize", "desc"}
        if named or clause == "using" or (clause == "into" and not inserting):
            found += relations(content, env)
    return found


def target(clauses: Sequence[tuple[str, Sequence[Item]]], env: Env) -> Relation | None:
    """Return the table that a statement changes."""
    for clause, content in clauses:
        if clause in {"into", "update", "copy"} or (clause == "from" and clauses[0][0] == "delete"):
            return next(iter(relations(content, env, calls=False)), None)
        if clause in {"alter", "create", "comment", "drop", "truncate", "on"}:
            at = next((i for i, item in enumerate(content) if item.low in {"table", "on", "view"}), None)
            start = 0 if clause == "on" and clauses[0][0] == "create" else None if at is None else at + 1
            if start is not None and (clause != "create" or (at is not None and content[at].low == "on")):
                named = [one for one in content[start:] if one.low not in {"if", "exists", "not"}]
                return next(iter(relations(named, env, calls=False)), None)
    return None


def relations(items: Sequence[Item], env: Env, *, calls: bool = True) -> list[Relation]:
    """Return the tables of a FROM clause. Without *calls* brackets behind a name are no arguments."""
    found: list[Relation] = []
    expected, at = True, 0
    while at < len(items):
        if expected and items[at].low not in {"lateral", "only"}:
            more, at = _relation(items, at, env, calls=calls)
            found += more
            expected = False
        else:
            expected = expected or items[at].low == "join" or items[at].text == ","
            at += 1
    return found


def _relation(items: Sequence[Item], at: int, env: Env, *, calls: bool) -> tuple[list[Relation], int]:
    prefix = ""
    if at + 2 < len(items) and items[at].name and items[at + 1].text == ":":
        prefix, at = items[at].name or "", at + 2
    item = items[at]
    made: Relation
    if isinstance(item, Group):
        if not is_query(item):
            return relations(item.items, env), at + 1
        made, at = Relation(query=item, env=env), at + 1
    elif item.kind == "string":
        path = item.text.strip("'")
        made, at = Relation(function="file", alias=path.replace("\\", "/").rsplit("/", 1)[-1].partition(".")[0]), at + 1
    elif item.name is not None and not (
        item.kind == "word" and item.low in _NO_ALIAS - {"columns"} and not _dotted(items, at)
    ):
        made, at = _named(items, at, env, calls=calls)
    else:
        return [], at + 1
    alias, columns, at = _aliased(items, at)
    return [replace(made, alias=prefix or alias or made.alias, columns=columns)], at


def _dotted(items: Sequence[Item], at: int) -> bool:
    return at + 1 < len(items) and items[at + 1].text == "."


def _named(items: Sequence[Item], at: int, env: Env, *, calls: bool) -> tuple[Relation, int]:
    parts = [items[at].name or ""]
    at += 1
    while at + 1 < len(items) and items[at].text == "." and items[at + 1].name:
        parts.append(items[at + 1].name or "")
        at += 2
    following = items[at] if at < len(items) else None
    if calls and isinstance(following, Group) and following.bracket == "(":
        return Relation(function=parts[-1], arguments=following, env=env), at + 1
    return Relation(parts=tuple(parts), env=env), at


def _aliased(items: Sequence[Item], at: int) -> tuple[str, tuple[str, ...], int]:
    explicit = at < len(items) and items[at].low == "as"
    name_at = at + explicit
    item = items[name_at] if name_at < len(items) else None
    if item is None or item.name is None or (item.kind == "word" and item.low in _NO_ALIAS):
        return "", (), at
    at = name_at + 1
    group = items[at] if at < len(items) else None
    if isinstance(group, Group) and group.bracket == "(" and not holds_cursor(group):
        return item.name, tuple(one[0].name for one in _commas(group.items) if one[0].name), at + 1
    return item.name, (), at


def is_query(group: Group) -> bool:
    """Whether what stands in brackets is a query."""
    first = next((item for item in group.items if item.kind != "cursor"), None)
    if isinstance(first, Group):
        return first.bracket == "(" and is_query(first)
    return first is not None and first.low in _QUERY


# ---- the cursor's place ----------------------------------------------------------------------------------------------


def place(items: Sequence[Item], resolver: Resolver) -> Place:
    """Return what is known of the place of the cursor in the statement *items*."""
    first = next((item.low for item in items if item.low), "")
    return replace(_query_place(items, Env(), (), resolver, 0), statement=first)


def _query_place(
    items: Sequence[Item], env: Env, outer: tuple[tuple[Relation, ...], ...], resolver: Resolver, depth: int
) -> Place:
    inside = _in_common_table(items, env, resolver, depth)
    if inside is not None:
        return inside
    env, items = common_tables(items, env)
    block = next((one for one in blocks(items) if any(holds_cursor(item) for item in one)), list(items))
    clauses = split(block)
    own = tuple(_block_relations(clauses, env))
    seen = (own, *outer)
    clause, content = next(((word, found) for word, found in clauses if any(map(holds_cursor, found))), ("", []))
    made = Place(
        "expression",
        clause=clause,
        relations=seen,
        target=target(clauses, env),
        aliases=tuple(resolver.selected(clauses, own)),
        env=env,
    )
    return _clause_place(content, made, clauses, resolver, depth)


def _in_common_table(items: Sequence[Item], env: Env, resolver: Resolver, depth: int) -> Place | None:
    """Return the place, where the cursor is in the body of a common table expression: it sees only those before it."""
    for at, item in enumerate(items):
        if not (isinstance(item, Group) and holds_cursor(item)):
            continue
        before = [one.low for one in items[max(at - 3, 0) : at]]
        if not before or before[-1] not in {"as", "materialized"}:
            return None
        known, rest = common_tables(items[: at + 1], env)
        if any(one is item for one in rest):
            return None
        own = known
        visible = known.outer if own.within is own.outer or own.within is env else known
        recursive = any(one.low == "recursive" for one in items[:at])
        return _query_place(item.items, (known if recursive else visible) or Env(), (), resolver, depth + 1)
    return None


def _clause_place(
    content: Sequence[Item],
    made: Place,
    clauses: Sequence[tuple[str, Sequence[Item]]],
    resolver: Resolver,
    depth: int,
) -> Place:
    at = next((i for i, item in enumerate(content) if holds_cursor(item)), 0)
    item = content[at] if content else None
    if isinstance(item, Group):
        return _group_place(content, at, item, made, clauses, resolver, depth)
    previous = content[at - 1] if at > 0 else None
    made = replace(made, previous=previous)
    first = made.clause
    if first == "" and previous is None:
        return replace(made, role="statement")
    if first in {"from", "using", "pivot", "unpivot", "describe", "summarize", "desc"} or (first == "into"):
        return _from_place(content[:at], made)
    return _other_place(content[:at], made, clauses[0][0])


def _from_place(before: Sequence[Item], made: Place) -> Place:
    """Tell what can follow *before* in a list of tables: a table, an alias, a join, or part of a join's condition."""
    previous = before[-1] if before else None
    words = [item.low for item in before]
    if previous is None or previous.low in {"join", "lateral", "only", "table"} or previous.text == ",":
        if previous is not None and previous.text == "," and _within_condition(words):
            return replace(made, role="relation")
        return replace(made, role="relation")
    if previous.text == ":" and len(before) > 1 and before[-2].name:
        return replace(made, role="relation")
    if previous.low == "as":
        return replace(made, role="name")
    if previous.low in _JOINS or (previous.low == "outer"):
        return replace(made, role="after_relation", clause="join type")
    on = max((i for i, word in enumerate(words) if word == "on"), default=-1)
    join = max((i for i, word in enumerate(words) if word == "join"), default=-1)
    if on > join:
        condition = before[on + 1 :]
        return replace(made, role=_operand_role(condition), clause="on")
    return replace(made, role="after_relation")


def _within_condition(words: Sequence[str]) -> bool:
    return "on" in words


def _operand_role(before: Sequence[Item]) -> Role:
    """Tell whether an operand or an operator follows *before*."""
    previous = before[-1] if before else None
    if previous is None:
        return "expression"
    if previous.text == "::":
        return "type"
    if _ends_operand(previous):
        return "operator"
    if previous.text == "*" and (len(before) == 1 or before[-2].text in {",", "."} or before[-2].low == "distinct"):
        return "operator"
    return "expression"


_OBJECTS: dict[str, tuple[Role, tuple[str, ...]]] = {
    "table": ("relation", ("table",)),
    "view": ("relation", ("view",)),
    "schema": ("schema", ()),
    "database": ("database", ()),
}


def _other_place(before: Sequence[Item], made: Place, first: str) -> Place:
    clause, previous = made.clause, before[-1] if before else None
    words = [item.low for item in before]
    low = previous.low if previous is not None else ""
    if clause in {"drop", "alter", "comment", "truncate"}:
        return _object_place([word for word in words if word not in {"if", "exists", "on"}], made)
    if clause == "create":
        return _create_place(before, made)
    if clause == "on" and first == "create":
        return replace(made, role="operator" if before else "relation", kinds=("table",))
    if clause in {"use", "detach"}:
        return replace(made, role="database" if not before or low in {"database", "exists"} else "operator")
    if clause in {"reset", "pragma"} or (clause == "set" and made.target is None):
        scoped = low in {"global", "session", "local", "variable"}
        return replace(made, role="setting" if not before or scoped else "expression", clause=clause)
    if clause == "set":
        assigned = next((one for one in reversed(list(_last_after_comma(before))) if one.text == "="), None)
        if previous is None or previous.text == ",":
            return replace(made, role="column")
        return replace(made, role=_operand_role(before) if assigned is not None else "operator")
    if clause == "call":
        return replace(made, role="called")
    if clause == "show":
        return replace(made, role="relation" if low in {"from", ""} else "operator")
    if clause == "copy":
        if low in {"to", "from"}:
            return replace(made, role="name")
        return replace(made, role="relation" if not before else "operator")
    if clause == "update":
        return replace(made, role="relation" if not before else "after_relation")
    if clause in {"explain", ""} and (not before or low == "analyze"):
        return replace(made, role="statement")
    if clause in {"group", "order"}:
        if not before:
            return replace(made, role="operator", clause=f"{clause} without by")
        return replace(made, role="expression" if low == "by" else _operand_role(before))
    if clause in {"limit", "offset"}:
        return replace(made, role="operator" if before else "expression")
    if clause == "attach":
        return replace(made, role="name" if low in {"as", ""} else "operator")
    if clause == "values":
        return replace(made, role="operator")
    if clause in {"insert", "merge", "delete"}:
        return replace(made, role="operator")
    if low == "as":
        return replace(made, role="name")
    return replace(made, role=_operand_role(before))


def _last_after_comma(before: Sequence[Item]) -> Sequence[Item]:
    at = max((i for i, item in enumerate(before) if item.text == ","), default=-1)
    return before[at + 1 :]


def _object_place(words: Sequence[str], made: Place) -> Place:
    last = words[-1] if words else ""
    if made.clause == "truncate" and not words:
        return replace(made, role="relation", kinds=("table",))
    if last in _OBJECTS and len(words) <= 3:  # noqa: PLR2004 - DROP TABLE IF EXISTS
        role, kinds = _OBJECTS[last]
        return replace(made, role=role, kinds=kinds or made.kinds)
    if last in {"column", "drop", "rename", "alter"} and made.clause == "alter":
        return replace(made, role="column")
    if "type" in words[-1:] or "add" in words[-3:-1]:
        return replace(made, role="type")
    if last in {"to", "add"}:
        return replace(made, role="name")
    return replace(made, role="operator")


def _create_place(before: Sequence[Item], made: Place) -> Place:
    words = [item.low for item in before]
    last = words[-1] if words else ""
    if last == "on":
        return replace(made, role="relation", kinds=("table",))
    if last in {
        "table",
        "view",
        "macro",
        "function",
        "schema",
        "index",
        "type",
        "sequence",
        "exists",
        "database",
        "secret",
    }:
        return replace(made, role="name")
    if last == "as":
        return replace(made, role="statement")
    return replace(made, role="operator")


def _group_place(
    content: Sequence[Item],
    at: int,
    group: Group,
    made: Place,
    clauses: Sequence[tuple[str, Sequence[Item]]],
    resolver: Resolver,
    depth: int,
) -> Place:
    """Return the place of a cursor that is within brackets, in a clause."""
    previous = content[at - 1] if at else None
    low = previous.low if previous is not None else ""
    only_cursor = all(item.kind == "cursor" for item in group.items)
    called = previous.name if previous is not None and previous.name and low not in _OPERATORS_IN_WORDS else None
    clause = made.clause
    from_like = clause in {"from", "using", "pivot", "unpivot", "describe", "summarize"}
    if (is_query(group) and low not in _FROM_CALLS) or depth > _MOST_DEPTH:
        return _query_place(group.items, made.env, made.relations, resolver, depth + 1)
    if clause == "" and previous is None:
        return _query_place(group.items, made.env, made.relations, resolver, depth + 1)
    if _is_first_word(group) and (
        from_like and (previous is None or low in {"join", "lateral"} or previous.text == ",")
    ):
        return replace(made, role="statement", previous=None, function="(")
    if from_like and (previous is None or low == "join" or previous.text == ","):
        inner = replace(made, clause="from")
        return _clause_place(group.items, inner, clauses, resolver, depth + 1)
    if low == "using" and from_like:
        return replace(made, role="using")
    if (clause == "into" and called and not only_cursor) or (clause == "into" and called):
        return replace(made, role="column", previous=previous)
    if clause == "values" or low == "values":
        return _inner(group, replace(made, clause="values", relations=()), clauses, resolver, depth)
    if low in {"exclude", "replace", "rename"} and clause == "select":
        return replace(_inner(group, made, clauses, resolver, depth), function="")
    if clause == "create":
        return _defined(group, content, made, clauses, resolver, depth)
    if clause == "on" and made.target is not None and clauses[0][0] == "create":
        return replace(made, role="column")
    if clause == "on" and low == "conflict":
        return replace(made, role="column")
    if clause == "copy":
        return replace(made, role="name" if any(item.low in {"to", "from"} for item in content[:at]) else "column")
    if only_cursor and low in {"in", "exists", "any", "all", "some", "as"}:
        made = replace(made, function="(")
    return _inner(group, replace(made, function=called or made.function), clauses, resolver, depth)


def _is_first_word(group: Group) -> bool:
    return bool(group.items) and group.items[0].kind == "cursor" and len(group.items) == 1


def _defined(
    group: Group,
    content: Sequence[Item],
    made: Place,
    clauses: Sequence[tuple[str, Sequence[Item]]],
    resolver: Resolver,
    depth: int,
) -> Place:
    """Return the place within the brackets of a CREATE: names and types of columns, or an index's columns."""
    words = [item.low for item in content]
    if "index" in words:
        return replace(made, role="column")
    if "macro" in words or "function" in words:
        return _inner(group, made, clauses, resolver, depth)
    item = _last_after_comma(group.items[: next(i for i, one in enumerate(group.items) if holds_cursor(one))])
    if len(item) == 1:
        return replace(made, role="type")
    return replace(made, role="operator" if item else "name", clause="definition")


def _inner(
    group: Group, made: Place, clauses: Sequence[tuple[str, Sequence[Item]]], resolver: Resolver, depth: int
) -> Place:
    """Return the place in brackets that hold expressions: arguments, a window, a list."""
    at = next(i for i, item in enumerate(group.items) if holds_cursor(item))
    before = group.items[:at]
    item = group.items[at]
    previous = before[-1] if before else None
    if isinstance(item, Group):
        return _group_place(
            group.items, at, item, replace(made, clause=made.clause or "select"), clauses, resolver, depth + 1
        )
    function = made.function
    if previous is not None and previous.low == "as" and function.lower() in {"cast", "try_cast"}:
        return replace(made, role="type", previous=previous)
    if previous is not None and previous.low in {"order", "partition"}:
        return replace(made, role="operator", clause="group without by", previous=previous)
    role = _operand_role(before)
    window = any(one.low in {"partition", "order"} for one in before)
    inner = "window" if window or made.function == "over" else "arguments"
    return replace(made, role=role, clause=inner if role == "operator" else made.clause, previous=previous)


# ---- what earlier statements of the cell create, and structs ---------------------------------------------------------


def created(statements: Sequence[Sequence[Item]], names: Names) -> dict[str, list[Column]]:
    """Return the tables and views that *statements* create, by lower-case name, with their columns."""
    found: dict[str, list[Column]] = {}
    for items in statements:
        words = [item.low for item in items]
        if "create" not in words[:1] or not {"table", "view"} & set(words[:6]):
            continue
        at = next(i for i, word in enumerate(words) if word in {"table", "view"}) + 1
        while at < len(items) and items[at].low in {"if", "not", "exists"}:
            at += 1
        parsed = relations(items[at : _as_at(items, at)], Env())
        if not parsed or at >= len(items):
            continue
        name = (parsed[0].parts or (parsed[0].function,))[-1]
        resolver = Resolver(names, dict(found))
        body = list(items[_as_at(items, at) + 1 :])
        columns = resolver.query(body, Env()) if body else _definitions(parsed[0].arguments)
        found[name.lower()] = columns
    return found


def _as_at(items: Sequence[Item], at: int) -> int:
    return next((i for i in range(at, len(items)) if items[i].low == "as"), len(items))


def _definitions(group: Group | None) -> list[Column]:
    constraints = {"primary", "foreign", "unique", "check", "constraint"}
    return [
        Column(one[0].name, one[1].text.upper() if len(one) > 1 else "")
        for one in _commas(group.items if group else [])
        if one[0].name and one[0].low not in constraints
    ]


def fields(kind: str) -> list[Column]:
    """Return the fields of a type written as `STRUCT(a INTEGER, b VARCHAR)`; none for any other type."""
    if not kind.upper().startswith("STRUCT("):
        return []
    nested = nest(tokens(kind)[0])
    if len(nested) != 2 or not isinstance(nested[1], Group):  # noqa: PLR2004 - the word and its brackets
        return []
    return [Column(one[0].name, _written(one[1:])) for one in _commas(nested[1].items) if one[0].name]


def _written(items: Sequence[Item]) -> str:
    text = ""
    for item in items:
        if isinstance(item, Group):
            closing = {"(": ")", "[": "]", "{": "}"}[item.bracket]
            text += f"{item.bracket}{', '.join(_written(one) for one in _commas(item.items))}{closing}"
        else:
            text += (" " if text and text[-1] not in "([" else "") + item.text
    return text

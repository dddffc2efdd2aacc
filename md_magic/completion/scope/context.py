"""The cursor context: what can be typed at the cursor of a half-typed statement, and which names are visible there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from md_magic.completion.scope import grammar
from md_magic.completion.scope.ctes import CteScope, read_ctes
from md_magic.completion.scope.nesting import FROM_CALLS, MOST_DEPTH, Group, cursor_at
from md_magic.completion.scope.relations import Relation, block_relations, target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.catalog.snapshot import Column
    from md_magic.completion.scope.columns import Resolver
    from md_magic.completion.scope.nesting import Item

Role = Literal[
    "statement",  # the statement is still empty
    "relation",  # a table, a view, a frame, a table function
    "after_relation",  # after a table: an alias, a JOIN, the next clause
    "expression",  # an operand: a column, a function, a value
    "operator",  # after an operand: AND, the next clause
    "column",  # only a column of the statement's target table: INSERT INTO t (, UPDATE t SET
    "using",  # a column of both tables
    "type",  # a data type
    "schema",
    "database",
    "setting",
    "called",  # a table function or macro
    "name",  # a new name: nothing to suggest
]

_FROM_LIKE = frozenset({"from", "using", "pivot", "unpivot", "describe", "summarize"})
_TABLE_LISTS = _FROM_LIKE | {"desc", "into"}
_BEFORE_QUERY = frozenset({"in", "exists", "any", "all", "some", "as"})
_CREATED = frozenset({"table", "view", "macro", "function", "schema", "index", "type", "sequence", "exists"})
_CREATED |= {"database", "secret"}
_OBJECTS: dict[str, tuple[Role, tuple[str, ...]]] = {
    "table": ("relation", ("table",)),
    "view": ("relation", ("view",)),
    "schema": ("schema", ()),
    "database": ("database", ()),
}


@dataclass(frozen=True, slots=True)
class CursorContext:
    """The context at the cursor."""

    role: Role
    clause: str = ""
    """The keyword that begins the clause, in lower case: `select`, `from`, `group`."""

    relations: tuple[tuple[Relation, ...], ...] = ()
    """The visible tables, those of the innermost query first."""

    target: Relation | None = None
    """The table that the statement changes."""

    aliases: tuple[Column, ...] = ()
    """The aliases of the select list."""

    ctes: CteScope = field(default_factory=CteScope)
    previous: Item | None = None
    function: str = ""
    """The function whose argument list contains the cursor."""

    kinds: tuple[str, ...] = ("table", "view")
    """The kinds of relations allowed here."""

    statement: str = ""
    """The statement's first word, in lower case."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The part of a query, between its set operators, that contains the cursor."""

    first: str
    """The word that begins it."""

    resolver: Resolver
    depth: int

    def deeper(self) -> _Block:
        return replace(self, depth=self.depth + 1)


def cursor_context(items: Sequence[Item], resolver: Resolver) -> CursorContext:
    """Return the context at the cursor in the statement *items*."""
    first = next((item.low for item in items if item.low), "")
    return replace(_in_query(items, CteScope(), (), resolver, 0), statement=first)


def _in_query(
    items: Sequence[Item], ctes: CteScope, outer: tuple[tuple[Relation, ...], ...], resolver: Resolver, depth: int
) -> CursorContext:
    inside = _in_cte(items, ctes, resolver, depth)
    if inside is not None:
        return inside
    ctes, items = read_ctes(items, ctes)
    block = next((part for part in grammar.blocks(items) if cursor_at(part) is not None), list(items))
    clauses = grammar.clauses(block)
    own = tuple(block_relations(clauses, ctes))
    clause = next((part for part in clauses if cursor_at(part.items) is not None), grammar.Clause("", []))
    context = CursorContext(
        "expression",
        clause=clause.word,
        relations=(own, *outer),
        target=target(clauses, ctes),
        aliases=tuple(resolver.aliases(clauses, own)),
        ctes=ctes,
    )
    return _in_clause(clause.items, context, _Block(clauses[0].word, resolver, depth))


def _in_cte(items: Sequence[Item], ctes: CteScope, resolver: Resolver, depth: int) -> CursorContext | None:
    """Return the context if the cursor is in the query of a CTE, which sees only the CTEs before it."""
    at = next((i for i, item in enumerate(items) if isinstance(item, Group) and cursor_at([item]) is not None), None)
    if at is None or not at or items[at - 1].low not in {"as", "materialized"}:
        return None
    defined, rest = read_ctes(items[: at + 1], ctes)
    if any(item is items[at] for item in rest):
        return None
    recursive = any(item.low == "recursive" for item in items[:at])
    visible = defined if recursive else defined.outer
    return _in_query(_inner_items(items[at]), visible or CteScope(), (), resolver, depth + 1)


def _inner_items(item: Item) -> Sequence[Item]:
    return item.items if isinstance(item, Group) else ()


def _in_clause(items: Sequence[Item], context: CursorContext, block: _Block) -> CursorContext:
    at = cursor_at(items) or 0
    item = items[at] if items else None
    if isinstance(item, Group):
        return _in_group(items, at, item, context, block)
    before = items[:at]
    context = replace(context, previous=before[-1] if before else None)
    if context.clause == "" and not before:
        return replace(context, role="statement")
    if context.clause in _TABLE_LISTS:
        return _in_table_list(before, context)
    if context.clause == "on" and block.first == "create":
        return replace(context, role="operator" if before else "relation", kinds=("table",))
    return _BY_CLAUSE.get(context.clause, _in_expression)(before, context)


def _low(items: Sequence[Item]) -> str:
    """Return the last word or sign, in lower case."""
    return items[-1].low if items else ""


# ---- lists of tables --------------------------------------------------------------------------------------------


def _in_table_list(before: Sequence[Item], context: CursorContext) -> CursorContext:
    """Return what can follow *before* in a list of tables: a table, an alias, a join, part of a join condition."""
    if _expects_table(before):
        return replace(context, role="relation")
    low = _low(before)
    if low == "as":
        return replace(context, role="name")
    if low in grammar.JOINS:
        return replace(context, role="after_relation", clause="join type")
    words = [item.low for item in before]
    on, join = (max((i for i, word in enumerate(words) if word == wanted), default=-1) for wanted in ("on", "join"))
    if on > join:
        return replace(context, role=_operand_role(before[on + 1 :]), clause="on")
    return replace(context, role="after_relation")


def _expects_table(before: Sequence[Item]) -> bool:
    if not before or before[-1].low in {"join", "lateral", "only", "table"} or before[-1].text == ",":
        return True
    return before[-1].text == ":" and len(before) > 1 and bool(before[-2].name)


# ---- clauses ----------------------------------------------------------------------------------------------------


def _in_expression(before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="name" if _low(before) == "as" else _operand_role(before))


def _operand_role(before: Sequence[Item]) -> Role:
    """Return whether an operand or an operator follows *before*."""
    if not before:
        return "expression"
    previous = before[-1]
    if previous.text == "::":
        return "type"
    if grammar.ends_operand(previous):
        return "operator"
    if previous.text == "*" and (len(before) == 1 or before[-2].text in {",", "."} or before[-2].low == "distinct"):
        return "operator"
    return "expression"


def _in_object(before: Sequence[Item], context: CursorContext) -> CursorContext:
    """Return what follows in DROP, ALTER, COMMENT and TRUNCATE."""
    words = [item.low for item in before if item.low not in {"if", "exists", "on"}]
    last = words[-1] if words else ""
    if context.clause == "truncate" and not words:
        return replace(context, role="relation", kinds=("table",))
    if last in _OBJECTS and len(words) <= 3:  # noqa: PLR2004 - DROP TABLE IF EXISTS
        role, kinds = _OBJECTS[last]
        return replace(context, role=role, kinds=kinds or context.kinds)
    if last in {"column", "drop", "rename", "alter"} and context.clause == "alter":
        return replace(context, role="column")
    if last == "type" or "add" in words[-3:-1]:
        return replace(context, role="type")
    return replace(context, role="name" if last in {"to", "add"} else "operator")


def _in_create(before: Sequence[Item], context: CursorContext) -> CursorContext:
    last = _low(before)
    role: Role = "name" if last in _CREATED else "statement" if last == "as" else "operator"
    return replace(context, role=role)


def _in_database(before: Sequence[Item], context: CursorContext) -> CursorContext:
    is_name = not before or _low(before) in {"database", "exists"}
    return replace(context, role="database" if is_name else "operator")


def _in_setting(before: Sequence[Item], context: CursorContext) -> CursorContext:
    is_name = not before or _low(before) in {"global", "session", "local", "variable"}
    return replace(context, role="setting" if is_name else "expression")


def _in_set(before: Sequence[Item], context: CursorContext) -> CursorContext:
    """Return what follows in `UPDATE t SET`, and in `SET` alone."""
    if context.target is None:
        return _in_setting(before, context)
    if not before or before[-1].text == ",":
        return replace(context, role="column")
    is_assigned = any(item.text == "=" for item in grammar.after_last_comma(before))
    return replace(context, role=_operand_role(before) if is_assigned else "operator")


def _in_call(_before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="called")


def _in_show(before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="relation" if _low(before) in {"from", ""} else "operator")


def _in_copy(before: Sequence[Item], context: CursorContext) -> CursorContext:
    if _low(before) in {"to", "from"}:
        return replace(context, role="name")
    return replace(context, role="operator" if before else "relation")


def _in_update(before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="after_relation" if before else "relation")


def _in_explain(before: Sequence[Item], context: CursorContext) -> CursorContext:
    if not before or _low(before) == "analyze":
        return replace(context, role="statement")
    return _in_expression(before, context)


def _in_group_or_order(before: Sequence[Item], context: CursorContext) -> CursorContext:
    if not before:
        return replace(context, role="operator", clause=f"{context.clause} without by")
    return replace(context, role="expression" if _low(before) == "by" else _operand_role(before))


def _in_limit(before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="operator" if before else "expression")


def _in_attach(before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="name" if _low(before) in {"as", ""} else "operator")


def _expects_keyword(_before: Sequence[Item], context: CursorContext) -> CursorContext:
    return replace(context, role="operator")


_BY_CLAUSE: dict[str, Callable[[Sequence[Item], CursorContext], CursorContext]] = {
    "": _in_explain,
    "alter": _in_object,
    "attach": _in_attach,
    "call": _in_call,
    "comment": _in_object,
    "copy": _in_copy,
    "create": _in_create,
    "delete": _expects_keyword,
    "detach": _in_database,
    "drop": _in_object,
    "explain": _in_explain,
    "group": _in_group_or_order,
    "insert": _expects_keyword,
    "limit": _in_limit,
    "merge": _expects_keyword,
    "offset": _in_limit,
    "order": _in_group_or_order,
    "pragma": _in_setting,
    "reset": _in_setting,
    "set": _in_set,
    "show": _in_show,
    "truncate": _in_object,
    "update": _in_update,
    "use": _in_database,
    "values": _expects_keyword,
}
"""The function for each clause that is neither a list of tables nor an expression."""


# ---- brackets ---------------------------------------------------------------------------------------------------


def _in_group(items: Sequence[Item], at: int, group: Group, context: CursorContext, block: _Block) -> CursorContext:
    """Return the context of a cursor inside the brackets *group* of a clause."""
    before = items[:at]
    low = _low(before)
    is_query = grammar.is_query(group) and low not in FROM_CALLS
    if is_query or block.depth > MOST_DEPTH or (context.clause == "" and not before):
        return _in_query(group.items, context.ctes, context.relations, block.resolver, block.depth + 1)
    in_list = _in_table_group(before, group, context, block)
    if in_list is not None:
        return in_list
    if context.clause == "values" or low == "values":
        return _in_arguments(group, replace(context, clause="values", relations=()), block)
    in_names = _in_name_group(items, at, group, context, block)
    if in_names is not None:
        return in_names
    if _is_empty(group) and low in _BEFORE_QUERY:
        context = replace(context, function="(")
    return _in_arguments(group, replace(context, function=_called(before) or context.function), block)


def _in_table_group(
    before: Sequence[Item], group: Group, context: CursorContext, block: _Block
) -> CursorContext | None:
    """Return the context in brackets that begin a query or a join in a list of tables; `None` for others."""
    if context.clause not in _FROM_LIKE:
        return None
    previous, low = (before[-1] if before else None), _low(before)
    if low == "using":
        return replace(context, role="using")
    is_first = previous is None or low == "join" or previous.text == ","
    if _is_empty(group) and (is_first or low == "lateral"):
        return replace(context, role="statement", previous=None, function="(")
    if is_first:
        return _in_clause(group.items, replace(context, clause="from"), block.deeper())
    return None


def _in_name_group(
    items: Sequence[Item], at: int, group: Group, context: CursorContext, block: _Block
) -> CursorContext | None:
    """Return the context in brackets that contain names, depending on the clause; `None` for others."""
    before, clause = items[:at], context.clause
    low = _low(before)
    if clause == "create":
        return _in_definitions(group, items, context, block)
    if clause == "copy":
        is_options = any(item.low in {"to", "from"} for item in before)
        return replace(context, role="name" if is_options else "column")
    if clause == "select" and low in {"exclude", "replace", "rename"}:
        return replace(_in_arguments(group, context, block), function="")
    is_index = clause == "on" and context.target is not None and block.first == "create"
    if is_index or (clause == "on" and low == "conflict"):
        return replace(context, role="column")
    if clause == "into" and _called(before):
        return replace(context, role="column", previous=before[-1])
    return None


def _in_definitions(group: Group, items: Sequence[Item], context: CursorContext, block: _Block) -> CursorContext:
    """Return the context in the brackets of a CREATE: names and types of columns, or the columns of an index."""
    words = {item.low for item in items}
    if "index" in words:
        return replace(context, role="column")
    if words & {"macro", "function"}:
        return _in_arguments(group, context, block)
    item = grammar.after_last_comma(group.items[: cursor_at(group.items)])
    if len(item) == 1:
        return replace(context, role="type")
    return replace(context, role="operator" if item else "name", clause="definition")


def _in_arguments(group: Group, context: CursorContext, block: _Block) -> CursorContext:
    """Return the context in brackets that contain expressions: arguments, a window, a list."""
    at = cursor_at(group.items) or 0
    before, item = group.items[:at], group.items[at]
    if isinstance(item, Group):
        return _in_group(group.items, at, item, replace(context, clause=context.clause or "select"), block.deeper())
    low = _low(before)
    context = replace(context, previous=before[-1] if before else None)
    if low == "as" and context.function.lower() in {"cast", "try_cast"}:
        return replace(context, role="type")
    if low in {"order", "partition"}:
        return replace(context, role="operator", clause="group without by")
    role = _operand_role(before)
    if role != "operator":
        return replace(context, role=role)
    is_window = context.function == "over" or any(part.low in {"partition", "order"} for part in before)
    return replace(context, role=role, clause="window" if is_window else "arguments")


def _called(before: Sequence[Item]) -> str | None:
    """Return the name of the function whose arguments follow; `None` if there is none."""
    previous = before[-1] if before else None
    if previous is None or previous.low in grammar.OPERATORS_IN_WORDS:
        return None
    return previous.name or None


def _is_empty(group: Group) -> bool:
    """Whether the brackets contain nothing but the cursor."""
    return all(item.kind == "cursor" for item in group.items)

"""References: the tables and connection-local objects that a statement names.

For a query, DuckDB's parser returns a tree whose `BASE_TABLE`s are the tables. Other statements, such as an INSERT, and
fragments have no tree; there a name is a reference if an object of its kind can occur at its position: a table after
`FROM`, `JOIN`, `INTO` and the like, or in their lists; a macro before a parenthesis; a sequence in `nextval('...')`; a
type after `::` or in a `CAST`. Columns, names in other schemas and CTEs do not count. For other databases, sqlglot's
scopes decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from md_magic.sql import keywords, parser
from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from sqlglot import exp

    from md_magic.sql.tokens import Token

Kind = Literal["table", "view", "sequence", "macro", "type"]

_BEFORE_TABLE = frozenset(
    {"copy", "desc", "describe", "from", "into", "join", "pivot", "summarize", "table", "truncate"}
    | {"unpivot", "update", "using", "view", "show", "only", "like", "export"}
)
_ENDS_LIST = frozenset({"where", "group", "order", "having", "limit", "window", "qualify", "union", "except", "set"})
_ENDS_LIST |= {"intersect", "select", "returning", "values", "offset", "by"}
_OWN_FROM = frozenset({"extract", "trim", "substring", "overlay", "position"})
"""Functions with a `FROM` of their own: `extract(year FROM x)`."""

_PASSED_OVER = frozenset({"if", "not", "exists", "lateral", "or", "replace"})
"""Words that stand between `DROP TABLE` and a name."""

_GRAMMAR = _BEFORE_TABLE | _ENDS_LIST | _OWN_FROM | _PASSED_OVER | {"recursive", "materialized", "on"}
"""Words that are grammar to this module; any other word can be a name unless DuckDB reserves it."""

_READS_SEQUENCE = frozenset({"nextval", "currval"})
_RUNS_TEXT = frozenset({"query", "query_table"})
_READS_TABLE = frozenset({"pragma_table_info", "pragma_show"})
_CREATES = frozenset({"table", "view", "macro", "function", "sequence", "type"})
TEMPORARY_QUALIFIERS = frozenset({(), ("temp",), ("main",), ("temp", "main")})
"""The qualifiers with which a name can refer to a temporary object: none, `temp.x`, `main.x`, `temp.main.x`."""

_ALL_CTES_VISIBLE = frozenset({"sqlite"})
"""Dialects in which every CTE of a WITH can read every other, itself too, without the word RECURSIVE."""

_RECURSIVE_UNSAID = frozenset({"mssql", "oracle"})
"""Dialects in which a CTE can read itself, and there is no word RECURSIVE."""


@dataclass(frozen=True, slots=True)
class Object:
    """A table, view, macro, sequence or type of one connection."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"temporary {self.kind} {self.name}"


def words(text: str) -> set[str]:
    """Return every word of *text*, in strings and comments too: what could be a name, in lower case."""
    return set(re.findall(r"\w+", text.lower()))


def reached(words_of_statement: set[str], definitions: Mapping[str, str]) -> list[str]:
    """Return the SQL of those *definitions*, of views and macros, that a statement may name, directly or in another."""
    names, left, found = words_of_statement, dict(definitions), []
    while used := {name for name in left if name in names}:
        texts = [left.pop(name) for name in used]
        found += texts
        names = names.union(*map(words, texts))
    return found


def named(sql: str, objects: Sequence[Object]) -> Object | None:
    """Return the first of *objects*, temporary ones, that *sql* names; `None` where it names none.

    SQL that `query` and `query_table` are given counts; where they compute it, it may name any of *objects*.
    """
    present = words(sql)
    if objects and not present.isdisjoint(_RUNS_TEXT) and (found := _in_given_text(sql, objects)):
        return found
    candidates = [candidate for candidate in objects if words(candidate.name) <= present]
    if not candidates:
        return None
    read = _words(sql)
    in_tree = _tables_in_tree(sql)
    if in_tree is None:
        tables = {read[at].text for at in _table_positions(read) if _qualifiers(read, at) in TEMPORARY_QUALIFIERS}
    else:
        tables = {name for *where, name in in_tree if tuple(where) in TEMPORARY_QUALIFIERS}
    tables |= _in_calls(read, _READS_TABLE)
    return next((candidate for candidate in candidates if _is_named(candidate, read, tables)), None)


def created_name(sql: str) -> set[str]:
    """Return the name, in lower case, of the object that *sql* creates, as a set; empty if it creates none."""
    read = [token.text for token in _words(sql)]
    if read[:1] != ["create"]:
        return set()
    at = next((index for index, text in enumerate(read) if text in _CREATES), len(read))
    names = [text for text in read[at + 1 :] if text not in _PASSED_OVER]
    while len(names) > 2 and names[1] == ".":  # noqa: PLR2004 - a name, a dot, and a name
        names = names[2:]
    return set(names[:1])


def tables(query: str, candidates: Iterable[str]) -> list[str]:
    """Return those *candidates*, in lower case, that a DuckDB *query* reads as unqualified tables.

    A CTE hides the table of its name from the part of the query that sees the CTE.
    """
    in_tree = _tables_in_tree(query)
    if in_tree is None:
        return tables_in_text(query, candidates)
    return [name for name in candidates if (name,) in in_tree]


def tables_in_text(text: str, candidates: Iterable[str]) -> list[str]:
    """Return those *candidates*, in lower case, that *text*, part of a statement, references as unqualified tables."""
    read = _words(text)
    unqualified = {read[at].text for at in _table_positions(read) if not _qualifiers(read, at)}
    return [name for name in candidates if name in unqualified]


def tables_in_tokens(read: Iterable[Token], reserved: Container[str], candidates: Iterable[str]) -> list[str]:
    """Return those *candidates*, in lower case, that *read*, a statement's tokens, references as unqualified tables.

    *reserved* are the words of its dialect that are no names.
    """
    words = [_word(token, is_grammar=token.low in _GRAMMAR or token.low in reserved) for token in read]
    unqualified = {words[at].text for at in _table_positions(words) if not _qualifiers(words, at)}
    return [name for name in candidates if name in unqualified]


def tables_in(tree: exp.Expression, dialect: str) -> set[str]:
    """Return the unqualified tables, in lower case, that sqlglot's *tree* of one statement reads, but for its CTEs."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    sources = [source for scope in traverse_scope(tree) for source in scope.sources.values()]
    return {
        table.name.lower()
        for table in sources
        if isinstance(table, exp.Table) and table.name and not (table.db or table.catalog)
        if not _is_own_cte(table, dialect)
    }


def _is_own_cte(table: exp.Table, dialect: str) -> bool:
    """Whether *table* is a CTE that sqlglot's scopes, which want the word RECURSIVE, do not see from there."""
    from sqlglot import exp

    name = table.name.lower()
    around: Any = table.parent  # its class has another name in each sqlglot
    while around is not None:
        if dialect in _RECURSIVE_UNSAID and isinstance(around, exp.CTE) and around.alias_or_name.lower() == name:
            return True
        if dialect in _ALL_CTES_VISIBLE and any(cte.alias_or_name.lower() == name for cte in _ctes_of(around)):
            return True
        around = around.parent
    return False


def _ctes_of(node: Any) -> list[Any]:  # noqa: ANN401 - see `_is_own_cte`
    clause = node.args.get("with_") or node.args.get("with")  # the key has an underscore since sqlglot 28
    return clause.expressions if clause is not None else []


# ---- DuckDB's tree ----------------------------------------------------------------------------------------------


def _tables_in_tree(sql: str) -> set[tuple[str, ...]] | None:
    """Return the dotted names, in lower case, of the tables that *sql* reads; `None` where there is no tree of it."""
    tree = parser.tree(sql)
    if tree is None:
        return None
    try:
        return set(_base_tables(tree, frozenset()))
    except RecursionError:
        return None


def _base_tables(node: Any, hidden: frozenset[str]) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - any JSON
    """Give the tables in a parser's tree, but for those that CTEs around them define, which are *hidden*."""
    if isinstance(node, list):
        for child in node:
            yield from _base_tables(child, hidden)
    elif isinstance(node, dict):
        for entry in (node.get("cte_map") or {}).get("map", ()):
            name = entry["key"].lower()
            value = entry["value"] or {}
            query = value.get("query_node") or (value.get("query") or {}).get("node") or {}  # the first since DuckDB 2
            recursive = query.get("type") == "RECURSIVE_CTE_NODE"
            yield from _base_tables(entry["value"], hidden | {name} if recursive else hidden)
            hidden |= {name}
        if node.get("type") == "BASE_TABLE" or (node.get("type") == "SHOW_REF" and node.get("table_name")):
            parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
            name_parts = tuple(str(part).lower() for part in parts if part)
            if len(name_parts) != 1 or name_parts[0] not in hidden:
                yield name_parts
        for key, child in node.items():
            if key != "cte_map":
                yield from _base_tables(child, hidden)


# ---- tokens -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    """Folded to lower case, without quotes."""

    kind: Literal["name", "string", "other"]


def _words(sql: str) -> list[_Word]:
    """Return the tokens of *sql*, words folded; which of them can be a name."""
    read = []
    for token in tokens(sql)[0]:
        is_grammar = token.keyword and (token.low in _GRAMMAR or token.low in keywords.reserved())
        read.append(_word(token, is_grammar=is_grammar))
    return read


def _word(token: Token, *, is_grammar: bool) -> _Word:
    if token.kind == "string":
        return _Word(token.text.strip("'").lower(), "string")
    if token.kind == "quoted":
        return _Word((token.name or "").lower(), "name")
    if token.kind == "word":
        return _Word(token.low, "other" if is_grammar else "name")
    return _Word(token.text, "other")


def _is_named(candidate: Object, read: Sequence[_Word], tables: set[str]) -> bool:
    """Whether an object is among the *tables*, or stands in the tokens where one of its kind can."""
    name = candidate.name.lower()
    if candidate.kind in {"table", "view"}:
        return name in tables
    if candidate.kind == "sequence" and name in _in_calls(read, _READS_SEQUENCE):
        return True
    return any(
        token.kind == "name"
        and token.text == name
        and _qualifiers(read, at) in TEMPORARY_QUALIFIERS
        and _stands_as(candidate.kind, _text(read, at - 1), _text(read, at + 1))
        for at, token in enumerate(read)
    )


def _stands_as(kind: Kind, before: str, after: str) -> bool:
    """Whether a name between these two tokens is that of an object of this *kind*."""
    if kind == "macro":
        return after == "(" and before not in {"table", "into", "macro", "function"}
    if kind == "sequence":
        return before in {"sequence", "exists"}
    return before in {"::", ":", "type", "exists"} or (before == "as" and after == ")")


def _in_calls(read: Sequence[_Word], functions: frozenset[str]) -> set[str]:
    """Return the temporary names that one of *functions* is given as text: `nextval('s')`."""
    return {
        _unqualified(token.text)
        for at, token in enumerate(read)
        if token.kind == "string" and _text(read, at - 1) == "(" and _text(read, at - 2) in functions
    } - {""}


def _in_given_text(sql: str, objects: Sequence[Object]) -> Object | None:
    """Return the first of *objects* that is named in what *sql* gives to `query` and `query_table`."""
    read = tokens(sql)[0]
    texts = [token.low for token in read]
    for at, text in enumerate(texts):
        if text not in _RUNS_TEXT or texts[at + 1 : at + 2] != ["("]:
            continue
        for given in read[at + 2 : _closing(texts, at + 1) - 1]:
            if given.kind != "string" or not given.text.startswith("'"):
                if given.low not in {"[", "]", ","}:  # computed
                    return objects[0]
                continue
            inner = given.text[1:-1].replace("''", "'")
            if found := named(inner if text == "query" else f"FROM {inner}", objects):
                return found
    return None


def _unqualified(name: str) -> str:
    *where, last = name.replace('"', "").split(".")
    return last if tuple(where) in TEMPORARY_QUALIFIERS else ""


def _table_positions(read: Sequence[_Word]) -> set[int]:
    """Return the indexes of the names that stand where a table does, the last part of a qualified one."""
    ctes = _ctes(read)
    positions: set[int] = set()
    lists = [False]  # for each open parenthesis, whether it is in a list of tables
    expected = False
    for at, token in enumerate(read):
        text = token.text
        if token.kind == "other" and text in "([{":
            lists.append(expected)
        elif token.kind == "other" and text in ")]}":
            lists = lists[:-1] or [False]
            expected = False
        elif text == ",":
            expected = lists[-1]
        elif _opens_list(read, at):
            lists[-1] = lists[-1] or text in {"from", "using"}
            expected = True
        elif token.kind == "other" and text in _ENDS_LIST:
            lists[-1] = expected = False
        elif expected and (token.kind == "name" or _text(read, at + 1) == "."):
            expected = _text(read, at + 1) == "."
            if not expected and (_text(read, at - 1) == "." or not _is_hidden(ctes, text, at)):
                positions.add(at)
        elif text != "." and text not in _PASSED_OVER:
            expected = False
    return positions


def _opens_list(read: Sequence[_Word], at: int) -> bool:
    """Whether a table follows the word at *at*."""
    text, before, texts = read[at].text, _text(read, at - 1), [token.text for token in read[:at]]
    if read[at].kind != "other":
        return False
    if text == "from":
        return not _is_argument(texts)
    if text == "on":  # CREATE INDEX i ON t
        return texts[:1] == ["create"] and "index" in texts
    if text in {"table", "view"} and texts[:1] == ["create"]:
        return "table" in texts or "view" in texts  # the first is what is made
    if text == "using" and _text(read, at + 1) == "(":  # columns, or a query with a FROM of its own
        return False
    return text in _BEFORE_TABLE and before != "."


def _is_argument(before: Sequence[str]) -> bool:
    """Whether a `FROM` with these words *before* it is no list of tables: `extract(day FROM x)`, `IS DISTINCT FROM`."""
    if before[-1:] == ["distinct"]:
        return before[-2:-1] in (["is"], ["not"])
    depth = 0
    for index in range(len(before) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(before[index], 0)
        if depth < 0:
            return before[index - 1] in _OWN_FROM
    return False


def _ctes(read: Sequence[_Word]) -> list[tuple[str, range]]:
    """Return the names that the statement gives to queries of its own, `WITH t AS (...)`, and where each is not yet.

    In its own query a name that is not recursive is still that of a table.
    """
    texts = [token.text for token in read]
    if "with" not in texts:
        return []
    ctes: list[tuple[str, range]] = []
    for at, token in enumerate(read):
        if token.kind == "name" and _text(read, at - 1) in {"with", ",", "recursive"}:
            after = _closing(texts, at + 1) if _text(read, at + 1) == "(" else at + 1
            opened = next((index for index in range(after, after + 4) if _text(read, index) == "("), None)
            if _text(read, after) == "as" and opened is not None:
                own = range(0) if "recursive" in texts[:at] else range(opened, _closing(texts, opened))
                ctes.append((token.text, own))
    return ctes


def _is_hidden(ctes: Sequence[tuple[str, range]], name: str, at: int) -> bool:
    return any(name == cte and at not in own for cte, own in ctes)


def _closing(texts: Sequence[str], opened: int) -> int:
    """Return the index after the parenthesis that closes the one at *opened*."""
    depth = 0
    for index in range(opened, len(texts)):
        depth += {"(": 1, ")": -1}.get(texts[index], 0)
        if depth == 0:
            return index + 1
    return len(texts)


def _qualifiers(read: Sequence[_Word], at: int) -> tuple[str, ...]:
    """Return the names, each with a dot after it, before the name at *at*."""
    parts: list[str] = []
    while _text(read, at - 1) == "." and at >= 2:  # noqa: PLR2004 - a part and its dot
        at -= 2
        parts.insert(0, read[at].text)
    return tuple(parts)


def _text(read: Sequence[_Word], at: int) -> str:
    return read[at].text if 0 <= at < len(read) else ""

"""Which objects a statement names, by DuckDB's own tokens: for what lives in one connection and not in another.

A name counts where an object of its kind can stand: a table after `FROM`, `JOIN`, `INTO` and the like, or in their
lists; a macro before a parenthesis; a sequence in `nextval('...')`; a type after `::` or in a `CAST`. A column of the
same name, a name of another schema and a CTE of that name do not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

_READS_SEQUENCE = frozenset({"nextval", "currval"})
_READS_TABLE = frozenset({"query_table", "pragma_table_info", "pragma_show"})
_TEMPORARY = ("temp", "main")


@dataclass(frozen=True, slots=True)
class Object:
    """A table, view, macro, sequence or type of one connection."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"temporary {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    """Folded to lower case, without quotes."""

    kind: Literal["name", "string", "other"]


def words(text: str) -> set[str]:
    """Return every word of *text*, in strings and comments too: what could be a name, in lower case."""
    return set(re.findall(r"\w+", text.lower()))


def named(sql: str, objects: Iterable[Object]) -> Object | None:
    """Return the first of *objects*, temporary ones, that *sql* names; `None` where it names none."""
    present = words(sql)
    candidates = [one for one in objects if words(one.name) <= present]
    if not candidates:
        return None
    tokens = _tokens(sql)
    tables = _table_places(tokens)
    return next((one for one in candidates if _names(one, tokens, tables)), None)


def made(sql: str) -> set[str]:
    """Return the name, in lower case, that *sql* creates: what follows may use it as its own."""
    tokens = _tokens(sql)
    if not tokens or tokens[0].text != "create":
        return set()
    kinds = {"table", "view", "macro", "function", "sequence", "type"}
    at = next((index for index, token in enumerate(tokens) if token.text in kinds), len(tokens))
    names = [token.text for token in tokens[at + 1 :] if token.text not in _PASSED_OVER]
    while len(names) > 2 and names[1] == ".":  # noqa: PLR2004 - a name, a dot, and a name
        names = names[2:]
    return set(names[:1])


def _names(one: Object, tokens: Sequence[_Token], tables: set[int]) -> bool:
    name = one.name.lower()
    for at, token in enumerate(tokens):
        before, after = _text(tokens, at - 1), _text(tokens, at + 1)
        if token.kind == "string":
            reads = _READS_SEQUENCE if one.kind == "sequence" else _READS_TABLE
            if _unqualified(token.text) == name and before == "(" and _text(tokens, at - 2) in reads:
                return True
        elif token.kind == "name" and token.text == name and _is_temporary(tokens, at):
            if one.kind in {"table", "view"} and at in tables:
                return True
            if one.kind == "macro" and after == "(" and before not in {"table", "into", "macro", "function"}:
                return True
            if one.kind == "sequence" and before in {"sequence", "exists"}:
                return True
            if one.kind == "type" and (before in {"::", ":", "type", "exists"} or (before == "as" and after == ")")):
                return True
    return False


def _table_places(tokens: Sequence[_Token]) -> set[int]:
    """Return the indexes of the names that stand where a table does, the last part of a qualified one."""
    ctes = _ctes(tokens)
    places: set[int] = set()
    lists = [False]  # for each open parenthesis, whether it is in a list of tables
    expected = False
    for at, token in enumerate(tokens):
        text, before = token.text, _text(tokens, at - 1)
        if token.kind == "other" and text in "([{":
            lists.append(expected)
        elif token.kind == "other" and text in ")]}":
            lists = lists[:-1] or [False]
            expected = False
        elif text == ",":
            expected = lists[-1]
        elif _opens(tokens, at):
            lists[-1] = lists[-1] or text in {"from", "using"}
            expected = True
        elif token.kind == "other" and text in _ENDS_LIST:
            lists[-1] = expected = False
        elif expected and (token.kind == "name" or _text(tokens, at + 1) == "."):
            expected = _text(tokens, at + 1) == "."
            if not expected and (before == "." or not _shadowed(ctes, text, at)):
                places.add(at)
        elif text != "." and text not in _PASSED_OVER:
            expected = False
    return places


def _opens(tokens: Sequence[_Token], at: int) -> bool:
    """Whether a table follows the word at *at*."""
    text, before, texts = tokens[at].text, _text(tokens, at - 1), [token.text for token in tokens[:at]]
    if tokens[at].kind != "other" and text not in {"summarize", "describe", "truncate"}:
        return False
    if text == "from":
        return not _is_argument(texts)
    if text == "on":  # CREATE INDEX i ON t
        return texts[:1] == ["create"] and "index" in texts
    if text in {"table", "view"} and texts[:1] == ["create"]:
        return "table" in texts or "view" in texts  # the first is what is made
    if text == "using" and _text(tokens, at + 1) == "(":  # columns, or a query with a FROM of its own
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


def _ctes(tokens: Sequence[_Token]) -> list[tuple[str, range]]:
    """Return the names that the statement gives to queries of its own, `WITH t AS (...)`, and where each is not yet.

    In its own query a name that is not recursive is still that of a table.
    """
    texts = [token.text for token in tokens]
    found: list[tuple[str, range]] = []
    if "with" not in texts:
        return found
    for at, token in enumerate(tokens):
        if token.kind == "name" and _text(tokens, at - 1) in {"with", ",", "recursive"}:
            after = _closing(texts, at + 1) if _text(tokens, at + 1) == "(" else at + 1
            opened = next((index for index in range(after, after + 4) if _text(tokens, index) == "("), None)
            if _text(tokens, after) == "as" and opened is not None:
                own = range(0) if "recursive" in texts[:at] else range(opened, _closing(texts, opened))
                found.append((token.text, own))
    return found


def _shadowed(ctes: Sequence[tuple[str, range]], name: str, at: int) -> bool:
    return any(name == cte and at not in own for cte, own in ctes)


def _closing(texts: Sequence[str], opened: int) -> int:
    """Return the index after the parenthesis that closes the one at *opened*."""
    depth = 0
    for index in range(opened, len(texts)):
        depth += {"(": 1, ")": -1}.get(texts[index], 0)
        if depth == 0:
            return index + 1
    return len(texts)


def _is_temporary(tokens: Sequence[_Token], at: int) -> bool:
    """Whether the name at *at* can be one of the temporary schema: unqualified, `temp.x`, `main.x`, `temp.main.x`."""
    parts: list[str] = []
    while _text(tokens, at - 1) == "." and at >= 2:  # noqa: PLR2004 - a part and its dot
        at -= 2
        parts.insert(0, tokens[at].text)
    return parts in ([], ["temp"], ["main"], ["temp", "main"])


def _unqualified(name: str) -> str:
    *schemas, last = name.replace('"', "").split(".")
    return last if all(schema in _TEMPORARY for schema in schemas) else ""


def _text(tokens: Sequence[_Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""


def _tokens(sql: str) -> list[_Token]:
    """Return the tokens of *sql*; signs that are written without a blank between them come one by one, but for `::`."""
    raw = sql.encode()
    found = duckdb.tokenize(sql)
    ends = [*(offset for offset, _ in found[1:]), len(raw)] if found else []
    return [
        token
        for (start, kind), end in zip(found, ends, strict=True)
        for token in _token(raw[start:end].decode(errors="replace"), kind)
    ]


def _token(text: str, kind: duckdb.token_type) -> list[_Token]:
    if kind == duckdb.token_type.string_const:
        return [_Token(text.strip().strip("'").lower(), "string")]
    quoted = re.match(r'"((?:[^"]|"")*)"', text)
    if quoted:
        return [_Token(quoted[1].replace('""', '"').lower(), "name")]
    word = re.match(r"\w+", text)
    if word:
        return [_Token(word[0].lower(), "name" if kind == duckdb.token_type.identifier else "other")]
    sign = re.match(r"::|[^\s\w]", text)
    return [_Token(sign[0], "other")] if sign else []

"""Saved queries: SELECTs kept under a name, which later statements that name them get as common table expressions.

The invariants: a statement that names none of them is left as it was typed, object for object; what a name means is
decided by the parser's tree of the statement, not by its words; and a statement with saved queries in it is parsed once
more before anything runs.

Names are resolved as in SQL's own `WITH`: the statement's CTEs come first, then the saved queries, then tables and
views, then Python frames. In its own SELECT a saved name means the table. A qualified name is always a table's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from md_magic import generic, mentions, sqltext
from md_magic.errors import StatementError
from md_magic.reader import without_semicolon
from md_magic.statement import Inserted, Parameter, identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from md_magic.sqltext import Token
    from md_magic.statement import Statement

    Parse = Callable[[str], object]
    """Raises what the database's parser raises for a text that it does not accept."""

Form = Literal[
    "with",  # a WITH of their own
    "list",  # before the CTEs of a WITH that is there
    "from",  # before a bare name, in `DESCRIBE name`: a WITH and a FROM
]

_CHANGES = frozenset({"insert", "update", "delete", "merge"})
_QUERIES = frozenset({"select", "from", "values", "table", "pivot", "unpivot", "pivot_wider", "pivot_longer"})
_DESCRIBES = frozenset({"describe", "desc", "show", "summarize"})
_CANNOT = frozenset({"PREPARE", "SET", "VARIABLE_SET", "SET_VARIABLE", "CREATE", "COPY", "CALL", "EXPLAIN"})
"""Kinds of statements that can read a table where no CTE can be put; those that can have been seen to before."""

_DUPLICATE = re.compile(r'Duplicate CTE name "([^"]*)"')


@dataclass(frozen=True, slots=True)
class Saved:
    """A SELECT under a name."""

    name: str
    statement: Statement
    """Its text, without a semicolon at its end, and the places of its parameters: they are bound where it is used."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a statement's text saved queries can be put."""

    at: int
    """Offset in characters."""

    form: Form
    end: int
    """Where the query ends that sees them."""


class Shelf:
    """The saved queries of a session for one dialect of SQL, by lower-case name."""

    def __init__(self, dialect: str) -> None:
        """Make an empty shelf for a SQLAlchemy *dialect*."""
        self._dialect = dialect
        self._kept: dict[str, Saved] = {}
        self._parser: duckdb.DuckDBPyConnection | None = None

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def names(self) -> list[str]:
        """The names, as they were typed."""
        return [one.name for one in self._kept.values()]

    def views(self) -> list[str]:
        """Return the saved queries as statements that create views of their names, which is what completion reads."""
        return [f"CREATE VIEW {identifier(one.name)} AS {one.statement.text}" for one in self._kept.values()]

    def checked(self, name: str, statements: Sequence[Statement], parse: Parse) -> Saved:
        """Return what is to be kept as *name*. Raises `StatementError` for all but one SELECT, and for a cycle."""
        if len(statements) != 1:
            got = "and there is none" if not statements else f"and these are {len(statements)} statements"
            message = f"--save {name} keeps one SELECT, {got}. Put it into a cell of its own."
            raise StatementError(message)
        [statement] = statements
        text = without_semicolon(statement.text) if self._is_duckdb else statement.text
        try:
            if self._is_duckdb:
                parse(f"WITH {identifier(name)} AS (\n{text}\n) FROM {identifier(name)}")  # a CTE takes what is a query
            elif not generic.is_query(text, self._dialect):
                raise StatementError(_not_one(name, ""))
        except duckdb.Error as error:
            raise StatementError(_not_one(name, statement.kind)) from error
        saved = Saved(name, replace(statement, text=text, line=0, offset=0))
        if cycle := self._cycle(saved):
            message = (
                f"--save {name}: the query would read itself: {' → '.join(cycle)}. Save it under another name, or"
                f" change {cycle[1]} first."
            )
            raise StatementError(message)
        return saved

    def keep(self, saved: Saved) -> None:
        """Keep *saved*, in place of what had its name."""
        self._kept.pop(saved.name.lower(), None)
        self._kept[saved.name.lower()] = saved

    def forget(self, name: str) -> bool:
        """Forget *name*; return whether it was known."""
        return self._kept.pop(name.lower(), None) is not None

    def put_into(self, statement: Statement, parse: Parse, *, but: str | None = None) -> Statement:
        """Return *statement* with the saved queries that it names, and those that they name; itself if there are none.

        *but* is a name that is not looked for. Raises `StatementError` where a saved query is named and cannot be put.
        """
        lowered = statement.text.lower()
        candidates = [key for key in self._kept if key in lowered and key != (but or "").lower()]
        if not candidates:
            return statement
        if not self._is_duckdb:
            return self._put_generic(statement, candidates)
        found, _ = sqltext.tokens(statement.text)
        places = list(_places([token for token in found if token.text != ";"], len(statement.text)))
        named = self._named(statement.text, found, places, candidates)
        if not places:
            self._refuse(statement, candidates)
        if not named:
            return statement
        order, error = self._in_order(named), None
        for place in places:
            made = _inserted(statement, place, order)
            try:
                parse(made.text)
            except duckdb.Error as refused:
                error = error or refused
            else:
                return made
        raise StatementError(_nowhere(named, statement, str(error))) from error

    # ---- names ------------------------------------------------------------------------------------------------------

    @property
    def _is_duckdb(self) -> bool:
        return self._dialect == "duckdb"

    def _named(self, text: str, found: Sequence[Token], places: Sequence[_Place], candidates: list[str]) -> list[str]:
        """Return those *candidates* that the statement *text* reads as tables."""
        if not places:
            return []
        place = places[0]
        inner = [token for token in found if token.end > place.at]
        if (change := _change(text, found if place.form == "list" else inner)) is not None:
            hidden = change.target if change.verb != "insert" else None  # what is changed is always the table
            return [name for name in candidates if name != hidden and _mentions(change.rest, name)]
        start = _word_before(text, place, found)
        return self._read(text[start : place.end], candidates)

    def _read(self, query: str, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that *query* reads as tables."""
        tree = self._tree(query)
        if tree is None:  # such as a PIVOT without its list of values, which is several statements to DuckDB
            return [name for name in candidates if _mentions(query, name)]
        try:
            free = set(_free(tree, frozenset()))
        except RecursionError:
            return [name for name in candidates if _mentions(query, name)]
        return [name for name in candidates if name in free]

    def _tree(self, query: str) -> Any:  # noqa: ANN401 - any JSON
        """Return the tree that DuckDB's parser makes of *query*; `None` where it gives none."""
        if self._parser is None:
            self._parser = duckdb.connect(":memory:")
        try:
            [told] = self._parser.execute("SELECT json_serialize_sql($query)", {"query": query}).fetchone() or ("{}",)
            tree = json.loads(told)
        except (duckdb.Error, RecursionError):
            return None
        return None if tree.get("error", True) else tree["statements"]

    def _reads(self, saved: Saved) -> list[str]:
        """Return the names of the saved queries, but for its own, that *saved* reads."""
        lowered = saved.statement.text.lower()
        candidates = [key for key in self._kept if key in lowered and key != saved.name.lower()]
        if not candidates:
            return []
        if not self._is_duckdb:
            tables = generic.tables(saved.statement.text, self._dialect)
            return [name for name in candidates if name in tables]
        return self._read(saved.statement.text, candidates)

    def _in_order(self, named: Sequence[str]) -> list[Saved]:
        """Return the saved queries that are *named*, after those that they read themselves."""
        order: dict[str, Saved] = {}

        def add(name: str) -> None:
            if name in order:
                return
            saved = self._kept[name]
            for other in self._reads(saved):
                add(other)
            order[name] = saved

        for name in named:
            add(name)
        return list(order.values())

    def _cycle(self, saved: Saved) -> list[str]:
        """Return the way from *saved* through those that are kept back to itself, by name; empty if there is none."""
        own = saved.name.lower()
        ways = [[name] for name in self._reads(saved)]
        while ways:
            way = ways.pop()
            kept = self._kept[way[-1]]
            if own in kept.statement.text.lower() and own in self._read_or_generic(kept.statement.text, [own]):
                return [saved.name, *(self._kept[name].name for name in way), saved.name]
            ways += [[*way, name] for name in self._reads(kept) if name != own]
        return []

    def _read_or_generic(self, text: str, candidates: Sequence[str]) -> list[str]:
        if self._is_duckdb:
            return self._read(text, candidates)
        tables = generic.tables(text, self._dialect)
        return [name for name in candidates if name in tables]

    # ---- texts ------------------------------------------------------------------------------------------------------

    def _refuse(self, statement: Statement, candidates: Sequence[str]) -> None:
        """Raise `StatementError` for a *statement* that reads a saved query where none can be put."""
        if statement.kind not in _CANNOT:
            return
        named = [name for name in candidates if _mentions(_without_target(statement.text), name)]
        if named:
            raise StatementError(_nowhere(named, statement))

    def _put_generic(self, statement: Statement, candidates: Sequence[str]) -> Statement:
        tables = generic.tables(statement.text, self._dialect)
        named = [name for name in candidates if name in tables]
        if not named:
            return statement
        at = generic.place_of_with(statement.text, self._dialect)
        if at is None:
            raise StatementError(_nowhere(named, statement))
        offset, form = at
        return _inserted(
            statement, _Place(offset, "list" if form else "with", len(statement.text)), self._in_order(named)
        )


def _mentions(text: str, name: str) -> bool:
    return mentions.named(text, [mentions.Object("table", name)]) is not None


def _free(node: Any, hidden: frozenset[str]) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Give the unqualified tables in a parser's tree, in lower case, but for those that CTEs around them define."""
    if isinstance(node, list):
        for one in node:
            yield from _free(one, hidden)
    elif isinstance(node, dict):
        for entry in (node.get("cte_map") or {}).get("map", ()):
            name = entry["key"].lower()
            query = ((entry["value"] or {}).get("query") or {}).get("node") or {}
            recursive = query.get("type") == "RECURSIVE_CTE_NODE"
            yield from _free(entry["value"], hidden | {name} if recursive else hidden)
            hidden |= {name}
        if node.get("type") == "BASE_TABLE" and not (node.get("schema_name") or node.get("catalog_name")):
            name = str(node.get("table_name", "")).lower()
            if name not in hidden:
                yield name
        for key, value in node.items():
            if key != "cte_map":
                yield from _free(value, hidden)


def _places(found: Sequence[Token], end: int) -> Iterator[_Place]:
    """Give the places of a statement's tokens where CTEs can stand, the likeliest first."""
    if not found:
        return
    first, rest, word = found[0], found[1:], found[0].low
    if word in _CHANGES | _QUERIES or first.text == "(":
        yield _Place(first.start, "with", end)
    if word == "with":
        recursive = len(rest) > 1 and rest[0].low == "recursive" and rest[1].low != "as"
        yield _Place((rest[1] if recursive else rest[0]).start if rest else first.end, "list", end)
    elif word in _DESCRIBES and len(rest) == 1 and rest[0].name is not None:
        yield _Place(rest[0].start, "from", end)
    elif word == "copy" and rest and rest[0].text == "(":
        close = _closing(found, 1)
        yield from _places(found[2:close], found[close].start if close < len(found) else end)
    elif word in {"explain", "create"}:
        yield from _places((_after_options if word == "explain" else _after_as)(rest), end)
    elif word in _DESCRIBES or first.text == "(":  # in `(WITH ...)`: a second WITH before the bracket is not SQL
        yield from _places(rest, end)


def _after_options(rest: Sequence[Token]) -> Sequence[Token]:
    """Return what an EXPLAIN explains."""
    while rest and rest[0].low in {"analyze", "analyse", "verbose"}:
        rest = rest[1:]
    if rest and rest[0].text == "(" and (len(rest) < 2 or rest[1].low not in {"select", "with", "from", "values", "("}):  # noqa: PLR2004 - the bracket and a word
        return rest[_closing(rest, 0) + 1 :]
    return rest


def _after_as(rest: Sequence[Token]) -> Sequence[Token]:
    """Return the query of a CREATE TABLE or VIEW; nothing where that has none, and for what else is created."""
    depth = 0
    words = [token.low for token in rest[:6]]
    if not {"table", "view"} & set(words) or {"macro", "function"} & set(words):
        return ()
    for at, token in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(token.low, 0)
        if token.low == "as" and depth == 0:
            return rest[at + 1 :]
    return ()


def _closing(found: Sequence[Token], opened: int) -> int:
    depth = 0
    for at in range(opened, len(found)):
        depth += {"(": 1, ")": -1}.get(found[at].low, 0)
        if depth == 0:
            return at
    return len(found)


@dataclass(frozen=True, slots=True)
class _Change:
    """The table that a statement changes."""

    verb: str
    target: str
    """Its name in lower case; empty where it is qualified."""

    rest: str
    """The statement without its verb and that name."""


def _change(text: str, found: Sequence[Token]) -> _Change | None:
    """Return what a statement changes; `None` for a query."""
    depth = 0
    for at, token in enumerate(found):
        depth += {"(": 1, ")": -1}.get(token.low, 0)
        named = at + 1 < len(found) and found[at + 1].low == "as"  # a CTE of that name
        if depth or named or token.low not in _CHANGES | _QUERIES:
            continue
        last = at + 1
        while last < len(found) and found[last].low in {"into", "from", "or", "replace", "ignore", "only"}:
            last += 1
        first = last
        while last + 2 < len(found) and found[last + 1].text == ".":
            last += 2
        if token.low in _QUERIES or last >= len(found):
            return None
        target = (found[last].name or "").lower() if last == first else ""
        return _Change(token.low, target, f"{text[: token.start]} {text[found[last].end :]}")
    return None


def _word_before(text: str, place: _Place, found: Sequence[Token]) -> int:
    """Return where the query begins that *place* is in: with its WITH, or the word that describes."""
    if place.form == "with":
        return place.at
    before = [token for token in found if token.start < place.at]
    wanted = {"with"} if place.form == "list" else _DESCRIBES
    return next((token.start for token in reversed(before) if token.low in wanted), len(text))


def _without_target(text: str) -> str:
    """Return *text*, which makes, sets or copies something, without what it makes; nothing where it only takes rows."""
    found, _ = sqltext.tokens(text)
    if found and found[0].low == "copy":
        way = next((token.low for token in found if token.low in {"from", "to"}), "")
        return text if way == "to" else ""
    begins = {"from", "select", "(", "with", "as", "="}
    return text[next((token.start for token in found if token.low in begins), len(text)) :]


def _inserted(statement: Statement, place: _Place, queries: Sequence[Saved]) -> Statement:
    """Return *statement* with *queries* at *place*, on lines of their own; its errors are counted without them."""
    text = statement.text
    line_start = text.rfind("\n", 0, place.at) + 1
    head = text[line_start : place.at]
    divided = bool(head.strip())
    at = place.at if divided else line_start
    opening = "" if place.form == "list" else "WITH "
    parts, parameters, marks = ["\n" if divided else ""], [], []
    size = at + len(parts[0])
    line = statement.line + text.count("\n", 0, at) + 1 + divided
    first = line
    for number, saved in enumerate(queries):
        before = f"{'), ' if number else opening}{identifier(saved.name)} AS (\n"
        start = size + len(before)
        parameters += [replace(one, start=one.start + start) for one in saved.statement.parameters]
        body = f"{saved.statement.text}\n"
        lines = 1 + body.count("\n")
        marks.append((saved.name, line, lines))
        parts += [before, body]
        size, line = start + len(body), line + lines
    closing = {"with": ")\n", "list": "),\n", "from": ") FROM\n"}[place.form]
    parts.append(closing + (re.sub(r"\S", " ", head) if divided else ""))
    added = "".join(parts)
    tail = text[place.at :].partition("\n")[0]
    inserted = Inserted(
        line=first,
        lines=added.count("\n") - divided,
        offset=statement.offset + len(text[:at].encode()),
        size=len(added.encode()),
        head=head if divided else "",
        tail=tail if divided else "",
        queries=tuple(marks),
    )
    moved = [replace(one, start=one.start + len(added)) if one.start >= at else one for one in statement.parameters]
    every: list[Parameter] = sorted([*moved, *parameters], key=lambda one: one.start)
    return replace(statement, text=text[:at] + added + text[at:], parameters=tuple(every), inserted=inserted)


def _not_one(name: str, kind: str) -> str:
    got = f"this is {kind.replace('_', ' ')}" if kind not in {"", "SELECT"} else "this cannot"
    return (
        f"--save {name} keeps a SELECT (or WITH, FROM, VALUES, PIVOT), which can stand in another query, and {got}."
        " Nothing was run."
    )


def _nowhere(named: Sequence[str], statement: Statement, why: str = "") -> str:
    if (twice := _DUPLICATE.search(why)) is not None:
        return (
            f"{twice[1]} is a saved query, and the statement reads it outside a CTE of its own of the same name. Give"
            f" that CTE another name, or write main.{twice[1]} for the table of that name. Nothing was run."
        )
    names = " and ".join(named)
    what = statement.kind.replace("_", " ") or "kind of"
    said = f" ({why.partition(chr(10))[0]})" if why else ""
    return (
        f"{names}: saved with --save, and a saved query cannot be put into this {what} statement{said}; nothing was"
        f" run. Make a table of it first, CREATE TEMP TABLE t AS FROM {named[0]}, or write main.{named[0]} for the"
        " table of that name."
    )

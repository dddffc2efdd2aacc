"""What Shift-Tab shows: the table, column, function, parameter or option at the cursor. Nothing here knows IPython."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from md_magic import completion, options, scope, sqltext
from md_magic.names import RESERVED, Column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.completion import Surroundings
    from md_magic.names import Function, Table

_MOST_COLUMNS = 200
_MOST_SIGNATURES = 12


@dataclass(frozen=True, slots=True)
class Note:
    """A tooltip: a heading, lines of text under it, and a list of names with their types."""

    heading: str
    lines: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The note as text. JupyterLab shows this one."""
        width = max((len(name) for name, _ in self.pairs[:_MOST_COLUMNS]), default=0)
        rows = [f"  {name.ljust(width)}  {kind}".rstrip() for name, kind in self.pairs[:_MOST_COLUMNS]]
        return "\n".join([self.heading, *self.lines, *rows, *self._more()])

    @property
    def html(self) -> str:
        """The note as HTML, everything in it escaped."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td><code>{escape(kind)}</code></td></tr>"
            for name, kind in self.pairs[:_MOST_COLUMNS]
        )
        lines = "".join(f"<div>{escape(line)}</div>" for line in (*self.lines, *self._more()))
        return f"<b>{escape(self.heading)}</b>{lines}" + (f"<table>{rows}</table>" if rows else "")

    def _more(self) -> list[str]:
        more = len(self.pairs) - _MOST_COLUMNS
        return [f"  and {more:,} more columns"] if more > 0 else []


def sql(text: str, cursor: int, around: Surroundings, value: Callable[[str], str | None]) -> Note | None:
    """Return the note on the name at the offset *cursor* of the SQL *text*; none where there is nothing to say.

    *value* describes the Python variable of a name, for parameters.
    """
    found = _at(text, cursor)
    if found is None:
        return None
    tokens, at = found
    token = tokens[at]
    before = tokens[at - 1] if at else None
    if before is not None and before.text in {":", "$"} and before.end == token.start:
        name = token.text
        if before.text == "$" or name in completion.parameters(text):
            shown = value(name)
            return Note(f"{before.text}{name}", (shown or f"There is no Python variable {name!r}.",))
    typed = sqltext.read(text, token.end)
    parts = (*typed.qualifiers, token.name or "")
    resolver = completion.resolver_of(typed, around)
    place = scope.place(typed.items, resolver)
    calls = at + 1 < len(tokens) and tokens[at + 1].text == "("
    return _note(parts, place, resolver, calls=calls and place.clause != "into", bare=token.kind == "word")


def _at(text: str, cursor: int) -> tuple[list[sqltext.Token], int] | None:
    """Return the tokens of *text*, and which of them is the name at *cursor*, or the function called around it."""
    tokens, tail = sqltext.tokens(text)
    if tail is not None and tail.start < cursor:
        return None
    at = next((i for i, one in enumerate(tokens) if one.start <= cursor <= one.end and one.name is not None), None)
    if at is None:  # behind `f(`, as Python's own tooltips do
        at = next((i for i, one in enumerate(tokens) if one.end == cursor and one.text == "(" and i), None)
        at = at - 1 if at is not None and tokens[at - 1].name is not None else None
    return None if at is None else (tokens, at)


def _note(
    parts: tuple[str, ...], place: scope.Place, resolver: scope.Resolver, *, calls: bool, bare: bool
) -> Note | None:
    names = resolver.names
    function = names.functions.get(parts[-1].lower())
    if calls and function is not None:
        return _function(function)
    in_list = place.role in {"relation", "schema", "database"}
    column = None if in_list else _column(parts, place, resolver)
    if column is not None:
        return column
    table = _table(parts, place, resolver)
    if table is not None:
        return table
    if function is not None and len(parts) == 1 and not (bare and parts[0].lower() in RESERVED):
        return _function(function)
    if len(parts) == 1 and parts[0].lower() in names.settings:
        return Note(f"setting {parts[0].lower()}", (names.settings[parts[0].lower()],))
    return None


def _column(parts: tuple[str, ...], place: scope.Place, resolver: scope.Resolver) -> Note | None:
    *where, name = (part.lower() for part in parts)
    levels = [*place.relations, (place.target,) if place.target is not None else ()]
    for relation in (one for level in levels for one in level):
        named = tuple(part.lower() for part in relation.parts)
        if where and where != [relation.label.lower()] and named[-len(where) :] != tuple(where):
            continue
        for column in resolver.columns(relation):
            if column.name.lower() == name:
                return Note(f"column {column.name} {column.type}".rstrip(), (f"of {_described(relation, resolver)}",))
    for column in completion.columns_of(tuple(where), place, resolver) if where else ():
        if column.name.lower() == name:
            return Note(f"column {column.name} {column.type}".rstrip(), (f"of {'.'.join(parts[:-1])}",))
    for column in place.aliases:
        if not where and column.name.lower() == name:
            return Note(f"column {column.name} {column.type}".rstrip(), ("of this SELECT",))
    return None


def _described(relation: scope.Relation, resolver: scope.Resolver) -> str:
    table = resolver.names.find(relation.parts)
    if relation.query is not None:
        return f"the subquery {relation.alias}".rstrip()
    if relation.env is not None and relation.parts and relation.env.find(relation.parts[-1]):
        return f"the common table expression {relation.parts[-1]}"
    if table is None:
        return relation.label
    return f"{table.kind} {_dotted(table)}"


def _dotted(table: Table) -> str:
    return ".".join(part for part in (table.database, table.schema, table.name) if part)


def _pairs(columns: Sequence[Column]) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.type) for column in columns)


def _table(parts: tuple[str, ...], place: scope.Place, resolver: scope.Resolver) -> Note | None:
    names, name = resolver.names, parts[-1]
    if len(parts) == 1:
        for relation in (one for level in place.relations for one in level):
            if relation.alias and relation.alias.lower() == name.lower():
                heading = f"{relation.alias}: {_described(relation, resolver)}"
                return Note(heading, pairs=_pairs(resolver.columns(relation)))
        if place.env.find(name) is not None:
            own = scope.Relation(parts=parts, env=place.env)
            return Note(f"common table expression {name}", pairs=_pairs(resolver.columns(own)))
        if name.lower() in resolver.created:
            return Note(f"table {name}", ("made by this cell",), _pairs(resolver.created[name.lower()]))
    table = names.find(parts)
    if table is not None:
        rows = f"about {table.rows:,} rows" if table.rows is not None else ""
        lines = tuple(line for line in (rows, table.comment) if line)
        return Note(f"{table.kind} {_dotted(table)}", lines, _pairs(names.columns_of(table)))
    if len(parts) == 1 and name in resolver.frames:
        return Note(f"Python variable {name}", pairs=_pairs(resolver.frames[name]))
    return None


def _function(function: Function) -> Note:
    more = len(function.signatures) - _MOST_SIGNATURES
    shown = [f"  {signature}" for signature in function.signatures[:_MOST_SIGNATURES]]
    shown += [f"  and {more} more ways to call it"] if more > 0 else []
    description = (function.description,) if function.description else ()
    by_name = (f"By name: {', '.join(function.parameters)}",) if function.parameters else ()
    kind = function.kind.replace("_", " ")
    return Note(f"{kind if 'macro' in kind else f'{kind} function'} {function.name}", (*description, *shown, *by_name))


def line(text: str, cursor: int, around: Surroundings) -> Note | None:
    """Return the note on the word at *cursor* of a magic line's *text*: an option's help, a table given to one."""
    end = cursor
    while end < len(text) and not text[end].isspace() and text[end] != "=":
        end += 1
    spot = options.spot(text[:end])
    action = options.declared().get(spot.fragment)
    if action is not None and spot.option is None:
        spellings = ", ".join(action.option_strings)
        value = f" {action.metavar}" if action.metavar else f" {'|'.join(action.choices)}" if action.choices else ""
        return Note(f"{spellings}{value}", ((action.help or "").replace("%%", "%"),))
    if spot.option is not None and spot.option.metavar in {"TABLE", "PATTERN"}:
        parts = tuple(part.strip('"') for part in spot.fragment.split("."))
        return _table(parts, scope.Place("relation"), scope.Resolver(around.names))
    return None

"""Inspection (Shift-Tab) of a table, column, function, parameter or option. It does not depend on IPython."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from md_magic.completion import candidates, line_options, queries, scope, suggestions
from md_magic.completion.quotes import as_standard
from md_magic.options import BY_FLAG
from md_magic.sql.tokens import Token, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.catalog.snapshot import Column, Function, Table
    from md_magic.completion.suggestions import Surroundings

_MOST_COLUMNS = 200
_MOST_SIGNATURES = 12


@dataclass(frozen=True, slots=True)
class Note:
    """A tooltip: a heading, lines of text, and a list of names with their types."""

    heading: str
    lines: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The note as text, which is what JupyterLab shows."""
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


def sql(
    text: str,
    cursor: int,
    around: Surroundings,
    value: Callable[[str], str | None],
    result: Callable[[str], Sequence[tuple[str, str]]] = lambda _query: (),
) -> Note | None:
    """Return the note on the name or SELECT at the offset *cursor* of the SQL *text*; `None` if there is none.

    *value* returns a description of the Python variable of a name, for parameters; *result* the names and types of the
    columns that the last of some statements would give, without running them, as far as they are known.
    """
    text = as_standard(text, around.names.quoting)
    earlier = queries.before(text, cursor)
    if (query := queries.at_select(text, cursor)) and (columns := result(f"{earlier}\n{query}")):
        return Note(f"columns of this {'query' if query[:4].lower() == 'from' else 'SELECT'}", pairs=tuple(columns))
    if (query := queries.of_cte(text, cursor)) and (columns := result(f"{earlier}\n{query}")):
        name = query.rpartition("FROM ")[2].strip('"')
        return Note(f"common table expression {name}", pairs=tuple(columns))
    named = _at(text, cursor)
    if named is None:
        return None
    read, at = named
    token = read[at]
    before = read[at - 1] if at else None
    if before is not None and before.text in {":", "$"} and before.end == token.start:
        name = token.text
        if before.text == "$" or name in suggestions.parameters(text):
            shown = value(name)
            return Note(f"{before.text}{name}", (shown or f"There is no Python variable {name!r}.",))
    typed = scope.read(text, token.end)
    parts = (*typed.qualifiers, token.name or "")
    resolver = suggestions.resolver_of(typed, around)
    context = scope.cursor_context(typed.items, resolver)
    calls = at + 1 < len(read) and read[at + 1].text == "("
    return _note(parts, context, resolver, calls=calls and context.clause != "into", bare=token.kind == "word")


def _at(text: str, cursor: int) -> tuple[list[Token], int] | None:
    """Return the tokens of *text*, and the index of the name at *cursor* or of the function called around it."""
    read, tail = tokens(text)
    if tail is not None and tail.start < cursor:
        return None
    at = next(
        (i for i, token in enumerate(read) if token.start <= cursor <= token.end and token.name is not None), None
    )
    if at is None:  # after `f(`: describe `f`, as Python's tooltips do
        at = next((i for i, token in enumerate(read) if token.end == cursor and token.text == "(" and i), None)
        at = at - 1 if at is not None and read[at - 1].name is not None else None
    return None if at is None else (read, at)


def _note(
    parts: tuple[str, ...], context: scope.CursorContext, resolver: scope.Resolver, *, calls: bool, bare: bool
) -> Note | None:
    names = resolver.names
    function = names.functions.get(parts[-1].lower())
    if calls and function is not None:
        return _function(function)
    in_list = context.role in {"relation", "schema", "database"}
    column = None if in_list else _column(parts, context, resolver)
    if column is not None:
        return column
    table = _table(parts, context, resolver)
    if table is not None:
        return table
    if function is not None and len(parts) == 1 and not (bare and parts[0].lower() in scope.reserved()):
        return _function(function)
    if len(parts) == 1 and parts[0].lower() in names.settings:
        return Note(f"setting {parts[0].lower()}", (names.settings[parts[0].lower()],))
    return None


def _column(parts: tuple[str, ...], context: scope.CursorContext, resolver: scope.Resolver) -> Note | None:
    *where, name = (part.lower() for part in parts)
    levels = [*context.relations, (context.target,) if context.target is not None else ()]
    for relation in (relation for level in levels for relation in level):
        written = tuple(part.lower() for part in relation.parts)
        if where and where != [relation.label.lower()] and written[-len(where) :] != tuple(where):
            continue
        for column in resolver.columns(relation):
            if column.name.lower() == name:
                return Note(f"column {column.name} {column.type}".rstrip(), (f"of {_described(relation, resolver)}",))
    for column in candidates.columns_of(tuple(where), context, resolver) if where else ():
        if column.name.lower() == name:
            return Note(f"column {column.name} {column.type}".rstrip(), (f"of {'.'.join(parts[:-1])}",))
    for column in context.aliases:
        if not where and column.name.lower() == name:
            return Note(f"column {column.name} {column.type}".rstrip(), ("of this SELECT",))
    return None


def _described(relation: scope.Relation, resolver: scope.Resolver) -> str:
    table = resolver.names.find(relation.parts)
    if relation.query is not None:
        return f"the subquery {relation.alias}".rstrip()
    if relation.ctes is not None and relation.parts and relation.ctes.find(relation.parts[-1]):
        return f"the common table expression {relation.parts[-1]}"
    if table is None:
        return relation.label
    return f"{table.kind} {_dotted(table)}"


def _dotted(table: Table) -> str:
    return ".".join(part for part in (table.database, table.schema, table.name) if part)


def _pairs(columns: Sequence[Column]) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.type) for column in columns)


def _table(parts: tuple[str, ...], context: scope.CursorContext, resolver: scope.Resolver) -> Note | None:
    names, name = resolver.names, parts[-1]
    if len(parts) == 1:
        for relation in (relation for level in context.relations for relation in level):
            if relation.alias and relation.alias.lower() == name.lower():
                heading = f"{relation.alias}: {_described(relation, resolver)}"
                return Note(heading, pairs=_pairs(resolver.columns(relation)))
        if context.ctes.find(name) is not None:
            cte = scope.Relation(parts=parts, ctes=context.ctes)
            return Note(f"common table expression {name}", pairs=_pairs(resolver.columns(cte)))
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
    """Return the note on the word at *cursor* of a magic line: an option's help, or the table given as its value."""
    end = cursor
    while end < len(text) and not text[end].isspace() and text[end] != "=":
        end += 1
    context = line_options.context_at_end(text[:end])
    option = BY_FLAG.get(context.fragment)
    if option is not None and context.option is None:
        return Note(option.spelling, (option.help,))
    if context.option is not None and context.option.completes == "table":
        parts = tuple(part.strip('"') for part in context.fragment.split("."))
        return _table(parts, scope.CursorContext("relation"), scope.Resolver(around.names))
    return None

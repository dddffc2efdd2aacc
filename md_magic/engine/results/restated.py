"""The statement that gives what is seen of a result: the statement that gave it, within one that sorts and filters."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from md_magic.engine.results.batches import unique_names
from md_magic.engine.results.views import either_of, terms
from md_magic.engine.variables import bindable
from md_magic.errors import FrameError
from md_magic.sql.syntax.base import KeptColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.seen import Part
    from md_magic.engine.results.views import Term
    from md_magic.sql.statement import Statement
    from md_magic.sql.syntax.base import Syntax


@dataclass(frozen=True, slots=True)
class Origin:
    """The statement that gave a result."""

    statement: Statement
    syntax: Syntax
    limit: int | None = None
    """Rows that were fetched, if there were more."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """Values of parameters that no variable has: they are written into the text."""

    def text(self) -> str:
        """Return its text, with *values* in it. Raises `FrameError` for a value that has no literal of its type."""
        used = {parameter.name for parameter in self.statement.parameters} & set(self.values)
        values = {name: bindable(name, self.values[name]) for name in used}
        try:
            text = self.syntax.with_literals(self.statement, values)
        except ValueError as error:
            names = " and ".join(f":{name}" for name in sorted(used))
            raise FrameError(_NO_LITERAL.format(names=names)) from error
        return self.syntax.without_semicolon(text).strip()

    def restated(self, columns: Sequence[Column], part: Part) -> str:
        """Return the statement that gives *part* of the result, which has *columns*.

        Raises `FrameError` where the statement changes something, or is none that can stand in another one, and where
        the database has no expression for what is seen.
        """
        if self.statement.returning or self.statement.kind not in {"SELECT", ""}:
            raise FrameError(_CANNOT.format(kind=self.statement.kind.replace("_", " ")))
        text, syntax = self.text(), self.syntax
        is_whole = part.columns == tuple(range(len(columns)))
        if is_whole and not (part.view.sort or part.view.filters or self.limit is not None):
            return text
        if not syntax.is_query(text):
            raise FrameError(_CANNOT.format(kind=text.split(maxsplit=1)[0].upper() if text else ""))
        within = _Within.of(text, columns, syntax)
        source = within.source
        if self.limit is not None:
            source = f"(SELECT * FROM {source} LIMIT {self.limit}) AS {within.name}"  # noqa: S608 - the user's own
        shown = "*" if is_whole and not within.repeats else ", ".join(within.shown(at) for at in part.columns)
        lines = [f"{within.head}SELECT {shown} FROM {source}"]  # noqa: S608 - see above
        filters = [
            either_of(
                [[_condition(syntax, within.kept[at], term) for term in every] for every in terms(columns[at], typed)]
            )
            for at, typed in part.view.filters
        ]
        if filters:
            lines.append(f"WHERE {' AND '.join(filters)}")
        if part.view.sort:
            order = [syntax.ordered(within.kept[at], down=down) for at, down in part.view.sort]
            lines.append(f"ORDER BY {', '.join([*order, *syntax.as_before])}")
        return "\n".join(lines)


_CANNOT = (
    "The statement that gave this grid ({kind}) cannot be repeated within another one. g.frame(), g.arrow() and"
    " g.reader() give what is seen."
)

_NO_LITERAL = (
    "A value that --param gave ({names}) cannot be written into the statement. Put it into a variable, and run the cell"
    " again without --param. g.frame(), g.arrow() and g.reader() give what is seen."
)


@dataclass(frozen=True, slots=True)
class _Within:
    """A statement as what another one reads. Its columns get names of their own where theirs are not sure."""

    head: str
    """What stands before the other statement."""

    source: str
    """What stands behind its FROM."""

    name: str
    """What it calls that."""

    kept: Sequence[KeptColumn]
    names: Sequence[str]
    """What the columns are called in the result."""

    repeats: bool
    """Whether the result has a name twice."""

    @classmethod
    def of(cls, text: str, columns: Sequence[Column], syntax: Syntax) -> _Within:
        """Return *text*, whose result has *columns*."""
        names = [column.name for column in columns]
        unique, name = unique_names(names), "result"
        repeats = unique != names
        head, source = "", f"(\n{text}\n) AS {name}"
        quoted = [syntax.quoting.identifier(one) for one in unique]
        if repeats or not (syntax.names_are_sure or _are_sure(names)):
            while name in text.lower():
                name += "_"
            head, source = f"WITH {name}({', '.join(quoted)}) AS (\n{text}\n)\n", name
        prefix = f"{name}." if repeats else ""  # else ORDER BY would mean the result's name
        kept = [
            KeptColumn(column.name, f"{prefix}{one}", column.kind, column.converted)
            for column, one in zip(columns, quoted, strict=True)
        ]
        return cls(head, source, name, kept, [syntax.quoting.identifier(one) for one in names], repeats)

    def shown(self, at: int) -> str:
        """Return the column *at* as a part of a SELECT list."""
        return f"{self.kept[at].quoted} AS {self.names[at]}" if self.repeats else self.kept[at].quoted


def _are_sure(names: Sequence[str]) -> bool:
    """Whether a driver's *names* are surely those of the query's columns: plain, and none made unique by a number."""
    known = {name.lower() for name in names}
    parts = [name.rstrip(string.digits).lower() for name in names]
    made = (
        part != name.lower() and part[-1:] == "_" and part[:-1] in known
        for name, part in zip(names, parts, strict=True)
    )
    return all(map(str.isidentifier, names)) and not any(made)


def _condition(syntax: Syntax, column: KeptColumn, term: Term) -> str:
    if term.value is None:
        return f"{column.quoted} IS {term.sign.upper()}"
    if term.sign == "contains":
        return syntax.contains(column, str(term.value))
    return syntax.compared(column, term.sign, term.value, term.kind)

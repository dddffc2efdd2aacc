"""The statement that gives what is seen of a result: the statement that gave it, within one that sorts and filters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from md_magic.engine.results.batches import unique_names
from md_magic.engine.results.views import either_of, terms
from md_magic.errors import FrameError

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
        """Return its text, with *values* in it as far as they have literals."""
        try:
            text = self.syntax.with_literals(self.statement, self.values)
        except ValueError:
            text = self.statement.text
        return self.syntax.without_semicolon(text).strip()

    def restated(self, columns: Sequence[Column], part: Part) -> str:
        """Return the statement that gives *part* of the result, which has *columns*.

        Raises `FrameError` where the statement changes something, or is none that can stand in another one.
        """
        text, syntax = self.text(), self.syntax
        if self.statement.returning or self.statement.kind not in {"SELECT", ""}:
            raise FrameError(_CANNOT.format(kind=self.statement.kind.replace("_", " ")))
        shown = list(part.columns)
        is_whole = shown == list(range(len(columns)))
        if is_whole and not (part.view.sort or part.view.filters or self.limit is not None):
            return text
        if not syntax.is_query(text):
            raise FrameError(_CANNOT.format(kind=text.split(maxsplit=1)[0].upper() if text else ""))
        names = [column.name for column in columns]
        unique = unique_names(names)
        quoted = [syntax.quoting.identifier(name) for name in unique]
        aliases = f"({', '.join(quoted)})" if unique != names else ""
        source = f"(\n{text}\n) AS result{aliases}"
        if self.limit is not None:
            source = f"(SELECT * FROM {source} LIMIT {self.limit}) AS result"  # noqa: S608 - the user's own
        lines = [f"SELECT {'*' if is_whole else ', '.join(quoted[at] for at in shown)} FROM {source}"]  # noqa: S608 - see above
        filters = [
            either_of([[_condition(syntax, quoted[at], term) for term in every] for every in terms(columns[at], typed)])
            for at, typed in part.view.filters
        ]
        if filters:
            lines.append(f"WHERE {' AND '.join(filters)}")
        if part.view.sort:
            order = [syntax.ordered(quoted[at], down=down) for at, down in part.view.sort]
            lines.append(f"ORDER BY {', '.join([*order, *syntax.as_before])}")
        return "\n".join(lines)


_CANNOT = (
    "The statement that gave this grid ({kind}) cannot be repeated within another one. g.frame(), g.arrow() and"
    " g.reader() give what is seen."
)


def _condition(syntax: Syntax, column: str, term: Term) -> str:
    if term.value is None:
        return f"{column} IS {term.sign.upper()}"
    if term.sign == "contains":
        return syntax.contains(column, str(term.value))
    literal = syntax.quoting.literal(term.value)
    return f"{column} {term.sign} {syntax.typed(literal, term.kind) if term.kind else literal}"

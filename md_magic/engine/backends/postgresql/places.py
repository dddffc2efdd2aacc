"""Where in a statement a parameter stands: PostgreSQL gives one without a type that of its place, if that has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.sql.syntax import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLAUSES = {"select", "from", "where", "group", "having", "order", "limit", "offset", "values", "set", "returning"}
_CLAUSES |= {"union", "except", "intersect", "insert"}

_NO_FUNCTIONS = _CLAUSES | {"and", "as", "between", "by", "case", "else", "filter", "in", "not", "on", "or", "over"}
_NO_FUNCTIONS |= {"then", "using", "when"}
"""Words before a parenthesis that are no function's name."""

_TAKE_ANY = {"array_agg", "concat", "concat_ws", "count", "format", "num_nonnulls", "num_nulls", "pg_typeof", "row"}
_TAKE_ANY |= {"json_agg", "json_build_array", "json_build_object", "json_object_agg", "to_json", "to_jsonb"}
_TAKE_ANY |= {"jsonb_agg", "jsonb_build_array", "jsonb_build_object", "jsonb_object_agg"}
"""Functions whose arguments may be of any type: there the server cannot tell what a text without a type is."""


@dataclass(slots=True)
class Place:
    """What stands around a parameter, on its side of the innermost parenthesis that is open."""

    function: str = ""
    """The word before the parenthesis, in lower case; empty if there is none."""

    clause: str = ""
    """The last word that begins a clause."""

    before: str = ""
    """The word or sign right before it."""

    inserts: bool = False
    """Whether the statement is an INSERT, whose table has the types."""

    @property
    def takes_any(self) -> bool:
        """Whether it is an argument of any type."""
        return self.function in _TAKE_ANY and self.before in {"(", ","}

    @property
    def is_first(self) -> bool:
        """Whether it is the first of some arguments."""
        return self.before == "("

    @property
    def is_column(self) -> bool:
        """Whether it is, or begins, a column of a result."""
        return self.clause == "select" and self.before in {"select", ","} and not self.inserts


def of(parts: Sequence[str]) -> Place:
    """Return the place behind *parts*, the beginning of a statement."""
    levels, first = [Place()], ""
    for word in kinds.tokens("".join(parts)):
        place = levels[-1]
        first = first or word
        if word == "(":
            is_call = place.before.isidentifier() and place.before not in _NO_FUNCTIONS
            levels.append(Place(function=place.before if is_call else "", before="("))
            continue
        if word == ")" and len(levels) > 1:
            levels.pop()
            levels[-1].before = ")"
            continue
        place.before = word
        if word in _CLAUSES:
            place.clause = word
    levels[-1].inserts = first == "insert"
    return levels[-1]

"""Binding to PostgreSQL: arrays, jsonb, and the places where its protocol takes no parameter."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from typing import TYPE_CHECKING, Any

from md_magic.engine.backends.binding import Binding, Bound, without_in
from md_magic.engine.backends.postgresql import places
from md_magic.errors import ParameterError
from md_magic.sql import quoting
from md_magic.sql.statement import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.sql.statement import Parameter, Statement

_MOST_PARAMETERS = 20_000
"""Items of a list that are bound one by one; a statement has 65,535 parameters at most."""

_TYPE_BEFORE = re.compile(r'(?i)(?<![\w."])(interval|date|time|timestamp|timestamptz)\s{0,99}\Z')
"""A type right before a parameter: `INTERVAL :x`, where the protocol takes a string only."""

_COMPARE = frozenset({"", "all", "any", "in", "some", "values"})
"""What has the type of an array of texts from elsewhere: uuid, say. A function such as `unnest` has not."""

_PLANNED = frozenset({"", "CALL", "DELETE", "EXPLAIN", "INSERT", "MERGE_INTO", "SELECT", "UPDATE", "DECLARE"})
"""Kinds of statements with parameters in the protocol; others, such as SET, take literals."""

_CREATES_TABLE = re.compile(r"(?i)\A\s{0,99}create\s{1,99}(?:(?:temp|temporary|unlogged)\s{1,99})?table\b")


class PostgreSQLBinding(Binding):
    """PostgreSQL through psycopg or psycopg2."""

    def bound(self, statement: Statement, values: Mapping[str, Any]) -> Bound:
        """Return *statement* with *values* bound, or as literals where the protocol has no parameters."""
        if not values or statement.kind in _PLANNED or _CREATES_TABLE.match(statement.text):
            return super().bound(statement, values)
        bound, done, text = Bound(), 0, statement.text
        for parameter in statement.parameters:
            if parameter.name in values:
                bound.parts.append(escape(text[done : parameter.start]))
                bound.parts.append(escape(_literal(parameter.name, values[parameter.name])))
                done = parameter.start + 1 + len(parameter.name)
        bound.parts.append(escape(text[done:]))
        return bound

    def bind(self, bound: Bound, parameter: Parameter, value: Any) -> None:  # noqa: ANN401 - any value
        """Add *parameter* with *value* to *bound*; with a cast after the name of a type, and for any type."""
        typed = _TYPE_BEFORE.search(bound.parts[-1]) if bound.parts else None
        if typed is None or isinstance(value, dict | list):
            if not isinstance(value, str | None) or not places.of(bound.parts).takes_any:
                super().bind(bound, parameter, value)
                return
            kind = "text"
            bound.parts.append("CAST(")
        else:
            kind = typed[1]
            bound.parts[-1] = bound.parts[-1][: typed.start()] + "CAST("
        super().bind(bound, parameter, value)
        bound.parts.append(f" AS {kind})")

    def bind_list(self, bound: Bound, name: str, items: list[Any]) -> None:
        """Add a list as an array."""
        array, place = _array(name, items), places.of(bound.parts)
        if not all(isinstance(item, str | None) for item in _flat(array)):
            bound.add_name(name, array)
            return
        cast = place.is_column or (place.is_first and place.function not in _COMPARE)
        bound.parts.append("CAST(" * cast)
        bound.add_name(name, _array_text(array))  # a text takes the type of its place, as uuid[]
        bound.parts.append(" AS text[])" * cast)

    def bind_document(self, bound: Bound, name: str, value: object) -> None:
        """Add a dict, or a list with dicts, as `jsonb`."""
        bound.parts.append("CAST(")
        super().bind_document(bound, name, value)
        bound.parts.append(" AS jsonb)")

    def bind_empty(self, bound: Bound, *, in_parentheses: bool) -> None:
        """Add an empty list: in a subquery, NULL would be a text."""
        if in_parentheses:
            bound.parts[-1] = bound.parts[-1].rstrip().removesuffix("(")
        negated = without_in(bound)
        if negated is None:  # a comment stands in between
            bound.parts.append("(" * in_parentheses)
            super().bind_empty(bound, in_parentheses=in_parentheses)
            return
        bound.parts.append(("<> ALL ('{}'" if negated else "= ANY ('{}'") + ")" * (not in_parentheses))

    def bind_items(self, bound: Bound, name: str, items: list[Any]) -> None:
        """Add *items* one by one, where their types are those of what they are compared with; very many as an array."""
        if len(items) <= _MOST_PARAMETERS or (negated := without_in(bound)) is None:
            super().bind_items(bound, name, items)
            return
        bound.parts.append("<> ALL (" if negated else "= ANY (")
        self.bind_list(bound, name, items)
        bound.parts.append(")")


def _array(name: str, items: list[Any]) -> list[Any]:
    """Return *items*, of the parameter *name*, as a list of one type. Raises `ParameterError` for several types."""
    flat = list(_flat(items))
    kinds = {type(item) for item in flat if item is not None}
    if len(kinds) <= 1 or kinds <= {dt.date, dt.datetime}:
        return items
    if kinds == {int, float} and all(float(item) == item for item in flat if isinstance(item, int)):
        return _mapped(items, float)
    if kinds == {int, decimal.Decimal}:
        return _mapped(items, decimal.Decimal)
    shown = " and ".join(sorted(kind.__name__ for kind in kinds))
    message = f"The parameter :{name} is a list of {shown}, and an array has values of one type. Convert them first."
    raise ParameterError(message)


def _array_text(items: list[Any]) -> str:
    """Return an array of texts as PostgreSQL reads it."""
    return "{" + ",".join(_array_text(item) if isinstance(item, list) else _element(item) for item in items) + "}"


def _element(item: str | None) -> str:
    return "NULL" if item is None else '"' + item.replace("\\", r"\\").replace('"', r"\"") + '"'


def _flat(items: list[Any]) -> Any:  # noqa: ANN401 - a generator of values
    for item in items:
        yield from _flat(item) if isinstance(item, list) else (item,)


def _mapped(items: list[Any], make: Any) -> list[Any]:  # noqa: ANN401 - a type
    return [_mapped(item, make) if isinstance(item, list) else item if item is None else make(item) for item in items]


def _literal(name: str, value: object) -> str:
    try:
        return quoting.of("postgresql").literal(value)
    except ValueError:
        message = (
            f"The parameter :{name} is a {type(value).__name__}, and PostgreSQL has no parameters in such a statement,"
            " nor a literal for that. Use its text."
        )
        raise ParameterError(message) from None

"""Binding values to the parameters of a statement: lists where `IN` stands before them, arrays, documents.

The invariant: a value is bound and never pasted, and an error names the parameter.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy

from md_magic.errors import ParameterError
from md_magic.sql.statement import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.sql.statement import Parameter, Statement

_GLUED = re.compile(r"[:\w\\]\Z")
_IN = re.compile(r"(?i)\b(not\s{1,99})?in\s{0,99}\Z")


@dataclass(slots=True)
class Bound:
    """A statement for SQLAlchemy, while it is put together."""

    parts: list[str] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)

    @property
    def clause(self) -> sqlalchemy.TextClause:
        """The text with its parameters."""
        return sqlalchemy.text("".join(self.parts))

    def add_name(self, name: str, value: object) -> None:
        """Add the parameter *name* with its *value*."""
        glue = " " if self.parts and _GLUED.search(self.parts[-1]) else ""
        self.parts.append(f"{glue}:{name}")
        self.values[name] = value


class Binding:
    """How a database takes lists and dicts. The defaults are for one about which nothing is known."""

    empty_list: ClassVar[str] = "SELECT NULL WHERE 1 = 0"
    """What stands in the parentheses after IN for an empty list: it finds nothing, and after NOT IN everything."""

    def bound(self, statement: Statement, values: Mapping[str, Any]) -> Bound:
        """Return *statement* with *values* bound. Raises `ParameterError` for a value that the database cannot take."""
        bound, done = Bound(), 0
        for parameter in statement.parameters:
            if parameter.name in values:
                bound.parts.append(escape(statement.text[done : parameter.start]))
                self.bind(bound, parameter, values[parameter.name])
                done = parameter.start + 1 + len(parameter.name)
        bound.parts.append(escape(statement.text[done:]))
        return bound

    def bind(self, bound: Bound, parameter: Parameter, value: Any) -> None:  # noqa: ANN401 - any value
        """Add *parameter* with *value* to *bound*."""
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)):
            self.bind_document(bound, parameter.name, value)
        elif isinstance(value, list) and parameter.expands:
            self._expand(bound, parameter, value)
        elif isinstance(value, list):
            self.bind_list(bound, parameter.name, value)
        else:
            self.bind_value(bound, parameter.name, value)

    def bind_value(self, bound: Bound, name: str, value: Any) -> None:  # noqa: ANN401 - any value
        """Add a value that is no list and no dict, also one of a list."""
        bound.add_name(name, value)

    def bind_document(self, bound: Bound, name: str, value: object) -> None:
        """Add a dict, or a list with dicts: as the text of a JSON document."""
        bound.add_name(name, document(name, value))

    def bind_list(self, bound: Bound, name: str, items: list[Any]) -> None:
        """Add a list that does not stand after IN: as a row, where nothing else is known."""
        bound.parts.append("(")
        self._add_items(bound, name, items)
        bound.parts.append(")")

    def bind_empty(self, bound: Bound, *, in_parentheses: bool) -> None:
        """Add an empty list after IN."""
        bound.parts.append(self.empty_list if in_parentheses else f" ({self.empty_list})")

    def _expand(self, bound: Bound, parameter: Parameter, items: list[Any]) -> None:
        """Add each of *items*; `IN :ids` and `IN (:ids)` and `IN (1, :ids)` are all right."""
        if not items and parameter.expands != "item":
            self.bind_empty(bound, in_parentheses=parameter.expands == "whole")
        elif parameter.expands == "list":
            self.bind_items(bound, parameter.name, items)
        elif items:
            self._add_items(bound, parameter.name, items)
        else:
            message = (
                f"The list :{parameter.name} is empty, and stands beside other values in its IN. Write"
                f" IN :{parameter.name} by itself, where an empty list finds nothing."
            )
            raise ParameterError(message)

    def bind_items(self, bound: Bound, name: str, items: list[Any]) -> None:
        """Add *items* in parentheses."""
        bound.parts.append(" (")
        self._add_items(bound, name, items)
        bound.parts.append(")")

    def _add_items(self, bound: Bound, name: str, items: list[Any]) -> None:
        for number, item in enumerate(items):
            bound.parts.append(", " if number else "")
            if isinstance(item, list):
                bound.parts.append("(")
                self._add_items(bound, f"{name}__{number}", item)
                bound.parts.append(")")
            else:
                self.bind_value(bound, f"{name}__{number}", item)


class _WithoutArrays(Binding):
    """A database that has no arrays."""

    called: ClassVar[str]

    def bind_list(self, bound: Bound, name: str, items: list[Any]) -> None:  # noqa: ARG002 - it is refused
        """Refuse a list that does not stand after IN."""
        message = (
            f"The parameter :{name} is a list, and {self.called} has no arrays: a list stands after IN, as in"
            f" `x IN :{name}`. Bind it as a JSON document with json.dumps({name})."
        )
        raise ParameterError(message)


class MySQLBinding(_WithoutArrays):
    """MySQL and MariaDB: a document is a text."""

    called = "MySQL"
    empty_list = "SELECT NULL FROM DUAL WHERE FALSE"

    def bind_value(self, bound: Bound, name: str, value: Any) -> None:  # noqa: ANN401 - any value
        """Add a value: a moment with a time zone in the session's, which has no types with one."""
        if isinstance(value, float) and not math.isfinite(value):
            message = f"The parameter :{name} is {value}, which MySQL does not have. Bind None for NULL."
            raise ParameterError(message)
        if not isinstance(value, dt.datetime):
            bound.add_name(name, value)
            return
        # a plain datetime: drivers know no pandas.Timestamp, and drop or keep the zone as a text
        moment = dt.datetime.combine(value.date(), value.time(), value.tzinfo)
        if moment.tzinfo is None:
            bound.add_name(name, moment)
            return
        bound.parts.append("CONVERT_TZ(")
        bound.add_name(name, moment.astimezone(dt.UTC).replace(tzinfo=None))
        bound.parts.append(", '+00:00', @@session.time_zone)")


class SQLiteBinding(_WithoutArrays):
    """SQLite: a document is a text, and what it has no type for is a text as its functions read it."""

    called = "SQLite"
    empty_list = ""

    def bind(self, bound: Bound, parameter: Parameter, value: Any) -> None:  # noqa: ANN401 - any value
        """Add *parameter* with *value* to *bound*."""
        super().bind(bound, parameter, [_sqlite(item) for item in value] if isinstance(value, list) else _sqlite(value))


def _sqlite(value: Any) -> Any:  # noqa: ANN401 - any value
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID | decimal.Decimal) else value


def document(name: str, value: object) -> str:
    """Return *value*, of the parameter *name*, as a JSON document.

    Raises `ParameterError` where JSON has no such value.
    """
    try:
        return json.dumps(value, default=_json, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, TypeError) else "NaN or an infinity"
        message = f"The parameter :{name} becomes a JSON document, which has no value for {reason}. Convert it first."
        raise ParameterError(message) from None


def _json(value: object) -> object:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, decimal.Decimal) and value.is_finite():
        number = int(value) if value == value.to_integral_value() else float(value)
        if decimal.Decimal(repr(number)) == value:
            return number
    message = f"a {type(value).__name__}"
    raise TypeError(message)


def without_in(bound: Bound) -> str | None:
    """Take `IN` or `NOT IN` from the end of *bound*; return `NOT` or nothing; `None` where it does not end so."""
    matched = _IN.search(bound.parts[-1]) if bound.parts else None
    if matched is None:
        return None
    bound.parts[-1] = bound.parts[-1][: matched.start()]
    return "NOT" if matched[1] else ""

"""A statement with saved queries in it: its text, its parameters, and what is noted for its errors."""

from __future__ import annotations

import pytest

from md_magic.sql import quoting
from md_magic.sql.inline import InsertionPoint, SavedQuery, inserted
from md_magic.sql.statement import Parameter, Statement

ONE = SavedQuery("q1", Statement("SELECT :p AS a", parameters=(Parameter("p", 7, ":"),)))
TWO = SavedQuery("q2", Statement("SELECT 2\n-- c"))


@pytest.mark.parametrize(
    ("text", "point", "expected"),
    [
        pytest.param(
            "from q1", InsertionPoint(0, "with", 7), "WITH {q}q1{q} AS (\nSELECT :p AS a\n)\nfrom q1", id="with"
        ),
        pytest.param(
            "describe q1",
            InsertionPoint(9, "from", 11),
            "describe \nWITH {q}q1{q} AS (\nSELECT :p AS a\n) FROM\n         q1",
            id="from",
        ),
        pytest.param(
            "with\nw as (from q1) from w",
            InsertionPoint(5, "list", 26),
            "with\n{q}q1{q} AS (\nSELECT :p AS a\n),\nw as (from q1) from w",
            id="list on a line of its own",
        ),
        pytest.param(
            "with w as (from q1) from w",
            InsertionPoint(5, "list", 26),
            "with \n{q}q1{q} AS (\nSELECT :p AS a\n),\n     w as (from q1) from w",
            id="list on a line that it divides",
        ),
    ],
)
@pytest.mark.parametrize(("dialect", "quote"), [("duckdb", '"'), ("mysql", "`"), ("mariadb", "`")])
def test_the_text(text, point, expected, dialect, quote):
    composed = inserted(Statement(text), point, [ONE], quoting.of(dialect))
    assert composed.text == expected.replace("{q}", quote)
    [parameter] = composed.parameters
    assert composed.text[parameter.start : parameter.start + 2] == ":p"


def test_parameters_are_in_the_order_of_the_text():
    statement = Statement("explain select :x from q1", parameters=(Parameter("x", 15, ":"),))
    composed = inserted(statement, InsertionPoint(8, "with", 25), [TWO, ONE], quoting.DUCKDB)
    assert [parameter.name for parameter in composed.parameters] == ["p", "x"]
    assert [composed.text[one.start : one.start + 2] for one in composed.parameters] == [":p", ":x"]


def test_what_is_noted_for_errors():
    statement = Statement("\nexplain from q1, q2", line=3, offset=10)
    composed = inserted(statement, InsertionPoint(9, "with", 20), [ONE, TWO], quoting.DUCKDB)
    mark = composed.inserted
    added = 'WITH "q1" AS (\nSELECT :p AS a\n), "q2" AS (\nSELECT 2\n-- c\n)\n'
    assert composed.text == f"\nexplain \n{added}        from q1, q2"
    assert (mark.line, mark.lines) == (6, 6)
    assert (mark.offset, mark.size) == (19, len(f"\n{added}        "))
    assert (mark.head, mark.tail) == ("explain ", "from q1, q2")
    assert mark.queries == (("q1", 6, 2), ("q2", 8, 3))

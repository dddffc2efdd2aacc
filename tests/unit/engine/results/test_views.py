"""Filters as a person types them, and the statement that gives what is seen."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from md_magic.engine.results.columns import Column
from md_magic.engine.results.restated import Origin
from md_magic.engine.results.seen import Part
from md_magic.engine.results.views import FilterError, Term, View, terms
from md_magic.errors import FrameError
from md_magic.sql import syntax
from md_magic.sql.statement import Parameter, Statement

NUMBER, TEXT = Column("n", "BIGINT"), Column("t", "VARCHAR")


@pytest.mark.parametrize(
    ("column", "typed", "read"),
    [
        (NUMBER, ">= 5 and < 10", [[Term(">=", 5), Term("<", 10)]]),
        (NUMBER, "= 1 or = 2  OR null", [[Term("=", 1)], [Term("=", 2)], [Term("null")]]),
        (NUMBER, "not null and > 1.5", [[Term("not null"), Term(">", Decimal("1.5"))]]),
        (NUMBER, "5", [[Term("contains", "5")]]),
        (TEXT, "rock and roll", [[Term("contains", "rock and roll")]]),
        (TEXT, "= rock and roll", [[Term("=", "rock and roll", "VARCHAR")]]),
        (TEXT, "= a and != b", [[Term("=", "a", "VARCHAR"), Term("<>", "b", "VARCHAR")]]),
        (TEXT, '= "a and = b"', [[Term("=", "a and = b", "VARCHAR")]]),
        (TEXT, '= "say ""x""" or = ""', [[Term("=", 'say "x"', "VARCHAR")], [Term("=", "", "VARCHAR")]]),
        (TEXT, '= " edges "', [[Term("=", " edges ", "VARCHAR")]]),
        (TEXT, '= a "b"', [[Term("=", 'a "b"', "VARCHAR")]]),
        (TEXT, "null and void", [[Term("contains", "null and void")]]),
        (TEXT, "nullable", [[Term("contains", "nullable")]]),
        (TEXT, '"> 5"', [[Term("contains", "> 5")]]),
        (Column("j", "JSON"), '= "a"', [[Term("=", '"a"', "VARCHAR")]]),
        (Column("d", "DATE"), ">= 2024-01-01 and < 2024-02-01", [[Term(">=", "2024-01-01", "DATE"), Term("<", "2024-02-01", "DATE")]]),
    ],
)  # fmt: skip
def test_a_filter_is_read(column, typed, read):
    assert terms(column, typed) == read


@pytest.mark.parametrize("typed", [">", "> 5 and <", "= 1 or > x"])
def test_a_filter_that_is_half_typed_says_so(typed):
    with pytest.raises(FilterError):
        terms(NUMBER, typed)


QUERY = "SELECT i AS n, CASE WHEN i % 7 > 0 THEN 'it''s ' || i % 7 END AS t, i % 5 AS n FROM range(100) r(i)"
COLUMNS = [NUMBER, TEXT, Column("n", "BIGINT")]


def restated(part, text=QUERY, dialect="duckdb", kind="SELECT", **rest):
    return Origin(Statement(text, kind=kind, **rest), syntax.of(dialect)).restated(COLUMNS, part)


def test_what_is_not_changed_is_the_statement_itself():
    assert restated(Part(View(), (0, 1, 2)), QUERY + " ; -- done") == QUERY


def test_the_statement_gives_what_is_seen():
    view = View(sort=((2, True), (1, False)), filters=((1, "IT'S"), (0, ">= 10 and < 90 or = 5")))
    sql = restated(Part(view, (1, 0)), QUERY + " -- a comment at the end")
    with duckdb.connect() as con:
        found = con.execute(sql).fetchall()
        expected = con.execute(
            f"SELECT t, n FROM ({QUERY}) AS q(n, t, k) WHERE t IS NOT NULL AND (n >= 10 AND n < 90 OR n = 5)"
            " ORDER BY k DESC, t NULLS LAST, n"
        ).fetchall()
    assert found == expected
    assert len(found) > 50


def test_a_limit_is_within_it():
    part = Part(View(sort=((0, True),)), (0,))
    origin = Origin(Statement(QUERY, kind="SELECT"), syntax.of("duckdb"), limit=10)
    with duckdb.connect() as con:
        assert con.execute(origin.restated(COLUMNS, part)).fetchall() == [(n,) for n in range(9, -1, -1)]


def test_a_value_that_no_variable_has_is_written_into_it():
    statement = Statement("SELECT $x AS n, $y AS t", "SELECT", (Parameter("x", 7, "$"), Parameter("y", 16, "$")))
    origin = Origin(statement, syntax.of("duckdb"), values={"x": 5})
    assert origin.text() == "SELECT 5 AS n, $y AS t"
    assert Origin(statement, syntax.of("duckdb"), values={"x": object()}).text() == statement.text


@pytest.mark.parametrize(("text", "kind"), [("INSERT INTO t VALUES (1) RETURNING n", "INSERT"), ("CALL x()", "CALL")])
def test_what_cannot_be_repeated_says_so(text, kind):
    with pytest.raises(FrameError, match=kind):
        restated(Part(View(), (0, 1, 2)), text, kind=kind)


def test_other_databases_get_what_they_understand():
    part = Part(View(sort=((0, True),), filters=((1, "50%_"), (0, "> 5"))), (0, 1, 2))
    assert restated(part, "SELECT * FROM t", "mysql").splitlines()[-2:] == [
        "WHERE lower(CAST(`t` AS CHAR)) LIKE '%50!%!_%' ESCAPE '!' AND `n` > 5",
        "ORDER BY CASE WHEN `n` IS NULL THEN 1 ELSE 0 END, `n` DESC",
    ]

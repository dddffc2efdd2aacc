"""Filters as a person types them, and the statement that gives what is seen."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import pytest

from md_magic.engine.results.columns import Column
from md_magic.engine.results.restated import Origin
from md_magic.engine.results.seen import Part
from md_magic.engine.results.views import FilterError, Term, View, terms
from md_magic.engine.variables import bindable
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


def text_with(value, text="SELECT $x AS n, $y AS t", dialect="duckdb", **rest):
    places = [Parameter(match[1], match.start(), match[0][0], **rest) for match in re.finditer(r"[$:](\w+)", text)]
    return Origin(Statement(text, "SELECT", tuple(places)), syntax.of(dialect), values={"x": value}).text()


def test_a_value_that_no_variable_has_is_written_into_it():
    assert text_with(5) == "SELECT 5 AS n, $y AS t"


@pytest.mark.parametrize(
    "value",
    [
        5, -5, 5_000_000_000, 2**70, 0.1, float("inf"), "it's", None, True, [1, 2], [], [[1], []], ["it's", None, "NULL", "a,b"],
        {"a": 1, "b c": "it's"}, b"\0\xff'", UUID("aed3f336-5471-4e0e-a13b-2f5ac082d9e0"), dt.timedelta(days=-400, seconds=3),
        Decimal("1.50"), Decimal(1), dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC),
        dt.time(1, 2), np.int64(5), np.float32(0.1), np.arange(3), np.timedelta64(5, "s"), np.datetime64("2024-01-02"),
        pd.Timestamp("2024-01-02 03:04"), (1, 2),
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_is_written_with_its_type(value):
    with duckdb.connect() as con:
        written = con.execute(f"SELECT typeof(x), x FROM ({text_with(value, 'SELECT $x AS x')})").fetchone()
        assert written == con.execute("SELECT typeof($x), $x", {"x": bindable("x", value)}).fetchone()


@pytest.mark.parametrize("items", [[1, 2], []])
@pytest.mark.parametrize("place", ["IN :x", "IN (:x)", "NOT IN :x"])
def test_a_list_behind_in_is_one(items, place):
    with duckdb.connect() as con:
        [split] = syntax.of("duckdb").split(f"SELECT 1 {place}")
        text = Origin(split, syntax.of("duckdb"), values={"x": items}).text()
        assert con.execute(text).fetchone() == ((1 in items) != ("NOT" in place),)


def test_a_value_without_a_literal_says_so():
    with pytest.raises(FrameError, match="--param"):
        text_with("\0")
    with pytest.raises(FrameError, match="--param"):
        text_with([], "SELECT 1 IN :x", "sqlite", expands="list")
    with pytest.raises(FrameError, match="--param"):
        text_with({"a": 1}, "SELECT :x", "postgresql")


def test_lists_of_other_databases_are_items_behind_in():
    assert text_with([1, 2], "SELECT 1 IN :x", "sqlite", expands="list") == "SELECT 1 IN (1, 2)"
    assert text_with([1, 2], "SELECT 1 IN (0, :x)", "sqlite", expands="item") == "SELECT 1 IN (0, 1, 2)"
    assert text_with([1, 2], "SELECT 1 = ANY(:x)", "postgresql") == "SELECT 1 = ANY(ARRAY[1, 2])"


def test_columns_with_one_name_are_told_apart():
    text = 'SELECT 1 AS a, 2 AS a, 3 AS "A", 4 AS a_1'
    columns = [Column(name, "INTEGER") for name in ("a", "a", "A", "a_1")]
    view = View(sort=((1, True),), filters=((1, "= 2"),))
    sql = Origin(Statement(text, kind="SELECT"), syntax.of("duckdb")).restated(columns, Part(view, (1, 3, 0, 2)))
    with duckdb.connect() as con:
        shown = con.execute(sql)
        assert ([column[0] for column in shown.description], shown.fetchall()) == (
            ["a", "a_1", "a", "A"],
            [(2, 4, 1, 3)],
        )


def test_a_name_of_the_statement_is_not_taken():
    with duckdb.connect() as con:
        con.execute("CREATE TABLE result AS SELECT 1 AS n, 'x' AS t, 2 AS n_1")
        sql = restated(
            Part(View(filters=((0, "= 1"),)), (0, 1, 2)), "SELECT *, n FROM result LIMIT 1", dialect="duckdb"
        )
        assert len(con.execute(sql.replace("SELECT *, n FROM", "SELECT n, t, n FROM")).fetchall()) == 1


@pytest.mark.parametrize(("text", "kind"), [("INSERT INTO t VALUES (1) RETURNING n", "INSERT"), ("CALL x()", "CALL")])
def test_what_cannot_be_repeated_says_so(text, kind):
    with pytest.raises(FrameError, match=kind):
        restated(Part(View(), (0, 1, 2)), text, kind=kind)


def test_other_databases_get_what_they_understand():
    part = Part(View(sort=((0, True),), filters=((1, "50%_"), (0, "> 5"))), (0, 1, 2))
    assert restated(part, "SELECT * FROM t", "mysql").splitlines()[-2:] == [
        "WHERE lower(CONVERT(result.`t` USING utf8mb4)) LIKE '%50!%!_%' COLLATE utf8mb4_bin ESCAPE '!' AND result.`n` > 5",
        "ORDER BY CASE WHEN result.`n` IS NULL THEN 1 ELSE 0 END, result.`n` DESC",
    ]

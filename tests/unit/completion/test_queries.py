"""The query that a SELECT or a CTE's name stands for."""

from __future__ import annotations

import pytest

from md_magic.completion import queries


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("|SELECT a FROM t", "SELECT a FROM t"),
        ("SEL|ECT a FROM t; SELECT b", "SELECT a FROM t"),
        ("SELECT a; |SELECT b FROM u;", "SELECT b FROM u"),
        ("INSERT INTO t |SELECT a FROM u", "SELECT a FROM u"),
        ("CREATE TABLE n AS |SELECT a FROM u", "SELECT a FROM u"),
        ("EXPLAIN |SELECT 1", "SELECT 1"),
        ("SELECT * FROM (|SELECT a FROM t) AS s", "SELECT a FROM t"),
        ("SELECT (|SELECT max(a) FROM t), f(b) FROM u", "SELECT max(a) FROM t"),
        ("WITH q AS (SELECT 1 AS a) |SELECT a FROM q", "WITH q AS (SELECT 1 AS a) SELECT a FROM q"),
        ("WITH q AS (|SELECT 1 AS a) SELECT a FROM q", "SELECT 1 AS a"),
        (
            "WITH q AS (SELECT 1 AS a), r AS (|SELECT a FROM q) SELECT * FROM r",
            "WITH q AS (SELECT 1 AS a) SELECT a FROM q",
        ),
        (
            "WITH q AS (SELECT 1 AS a) SELECT * FROM (|SELECT a FROM q)",
            "WITH q AS (SELECT 1 AS a) SELECT a FROM q",
        ),
        ("SELECT a UNION |SELECT b", "SELECT a UNION SELECT b"),
        ("SELECT |a FROM t", None),
        ("SELECT a |FROM t", None),
        ("|FROM t", "FROM t"),
        ("FROM t |SELECT a", "FROM t SELECT a"),
        ("|FROM t SELECT a WHERE b", "FROM t SELECT a WHERE b"),
        ("WITH q AS (SELECT 1 AS a) |FROM q", "WITH q AS (SELECT 1 AS a) FROM q"),
        ("WITH q AS (|FROM t) FROM q", "FROM t"),
        ("SELECT * FROM (|FROM t)", "FROM t"),
        ("INSERT INTO t (a) |FROM u", "FROM u"),
        ("CREATE TABLE n AS |FROM u", "FROM u"),
        ("DELETE |FROM t", None),
        ("UPDATE t SET a = 1 |FROM u", None),
        ("COPY t |FROM 'f.csv'", None),
        ("SELECT extract(year |FROM d) FROM t", None),
        ("", None),
    ],
)
def test_the_query_of_a_select(text, query):
    assert queries.at_select(text.replace("|", ""), text.index("|") if "|" in text else 0) == query


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ("SELECT a", ""),
        ("CREATE TABLE t (a INT); SELECT |a", "CREATE TABLE t (a INT);"),
        ("SELECT ';'; |", "SELECT ';';"),
    ],
)
def test_what_stands_before_a_statement(text, earlier):
    assert queries.before(text.replace("|", ""), text.index("|") if "|" in text else 0) == earlier


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("WITH q AS (SELECT 1 AS a) SELECT a FROM |q", "WITH q AS (SELECT 1 AS a) FROM q"),
        ("WITH |q AS (SELECT 1 AS a) SELECT a FROM q", "WITH q AS (SELECT 1 AS a) FROM q"),
        (
            'WITH q AS (SELECT 1 AS a), "R s" AS MATERIALIZED (FROM q) FROM |"R s"',
            'WITH q AS (SELECT 1 AS a), "R s" AS MATERIALIZED (FROM q) FROM "R s"',
        ),
        ("WITH q AS (SELECT 1 AS a) FROM |other", None),
        ("FROM |q", None),
        ("WITH q AS (SELECT", None),
    ],
)
def test_the_query_of_a_cte(text, query):
    assert queries.of_cte(text.replace("|", ""), text.index("|") if "|" in text else 0) == query

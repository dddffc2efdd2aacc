"""Saved queries: what is kept, what a name means, and the statement that has them in it."""

from __future__ import annotations

import sqlite3

import duckdb
import pytest

from md_magic.errors import StatementError
from md_magic.session.saved_queries import SavedQueries
from md_magic.sql import syntax


def saved(dialect, **queries):
    spoken = syntax.of(dialect)
    kept = SavedQueries(spoken)
    for name, sql in queries.items():
        kept.keep(kept.checked(name, spoken.split(sql)))
    return kept


def composed(kept, dialect, sql, **options):
    [statement] = syntax.of(dialect).split(sql)
    return kept.inline(statement, **options).text


def test_names_and_views():
    kept = saved("mysql", Q1="SELECT 1 AS a;", q2="SELECT * FROM q1")
    assert kept.names == ["Q1", "q2"]
    assert kept.views() == ['CREATE VIEW "Q1" AS SELECT 1 AS a', 'CREATE VIEW "q2" AS SELECT * FROM q1']
    assert kept.forget("q1")
    assert not kept.forget("q1")
    assert kept.names == ["q2"]
    assert kept
    assert not saved("duckdb")


@pytest.mark.parametrize(
    ("dialect", "sql", "rows"),
    [
        pytest.param("duckdb", "from q", [(7,)], id="duckdb"),
        pytest.param("sqlite", "select * from q", [(7,)], id="sqlite"),
        pytest.param("sqlite", "select * from r", [(8,)], id="one that reads another"),
        pytest.param("sqlite", "select q.b, r.c from r, q", [(7, 8)], id="one of them twice"),
        pytest.param("sqlite", "with x as (select b from q) select b + 1 from x", [(8,)], id="in a WITH"),
        pytest.param(
            "sqlite",
            "with x as (with q as (select 1 as a) select * from q) select x.a, q.b from x, q",
            [(1, 7)],
            id="beside a CTE of its name further in",
        ),
        pytest.param("sqlite", "with q as (select 1 as a) select * from q", [(1,)], id="under a CTE of its name"),
        pytest.param(
            "sqlite",
            "with q(n) as (select 1 union all select n + 1 from q where n < 3) select max(n) from q",
            [(3,)],
            id="under a recursive CTE without the word",
        ),
    ],
)
def test_the_statement_runs(dialect, sql, rows):
    kept = saved(dialect, q="SELECT 7 AS b", r="SELECT b + 1 AS c FROM q")
    connection = duckdb.connect() if dialect == "duckdb" else sqlite3.connect(":memory:")
    assert connection.execute(composed(kept, dialect, sql)).fetchall() == rows


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_names_are_in_the_quotes_of_their_database(dialect):
    kept = saved(dialect, q1="SELECT 7 AS `b`", q2="SELECT b FROM q1")
    text = composed(kept, dialect, "SELECT * FROM q2 WHERE b > 1")
    assert text == "WITH `q1` AS (\nSELECT 7 AS `b`\n), `q2` AS (\nSELECT b FROM q1\n)\nSELECT * FROM q2 WHERE b > 1"


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("duckdb", "select 1 as q"),
        ("duckdb", "select 'q' from main.q"),
        ("duckdb", "create table q (a int)"),
        ("sqlite", "select 'q' from main.q"),
        ("sqlite", "create table q (a int)"),
    ],
)
def test_a_statement_that_names_none_is_itself(dialect, sql):
    kept = saved(dialect, q="select 7 as b")
    [statement] = syntax.of(dialect).split(sql)
    assert kept.inline(statement) is statement


def test_a_name_can_be_left_out():
    kept = saved("duckdb", q="select 7 as b")
    assert composed(kept, "duckdb", "from q", but="Q") == "from q"


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_a_cycle_is_an_error(dialect):
    kept = saved(dialect, a="select * from t", b="select * from a")
    with pytest.raises(StatementError, match="a → b → a"):
        kept.checked("a", syntax.of(dialect).split("select * from b"))
    kept.keep(kept.checked("a", syntax.of(dialect).split("select * from a")))  # its own name means the table


@pytest.mark.parametrize(
    ("dialect", "sql", "message"),
    [
        ("duckdb", "insert into t values (1)", "this is INSERT"),
        ("duckdb", "select 1; select 2", "these are 2 statements"),
        ("duckdb", "-- c", "there is none"),
        ("sqlite", "create table t (a int)", "this is CREATE"),
    ],
)
def test_only_a_query_is_kept(dialect, sql, message):
    with pytest.raises(StatementError, match=message):
        saved(dialect).checked("q", syntax.of(dialect).split(sql))


@pytest.mark.parametrize(
    ("dialect", "sql", "message"),
    [
        ("duckdb", "create macro m() as table from q", "cannot be put into this CREATE statement"),
        ("duckdb", "with q as (from q) from q", "Give that CTE another name"),
        (
            "sqlite",
            "create trigger z after insert on t begin select * from q; end",
            r"into this CREATE statement.*write main\.q",
        ),
        ("mysql", "update t set a = (select b from q)", r"CREATE TEMPORARY TABLE t AS SELECT \* FROM q, or write the"),
        ("mysql", "with q as (select * from q) select * from q", "Give that CTE another name"),
    ],
)
def test_where_it_cannot_be_put_is_an_error(dialect, sql, message):
    kept = saved(dialect, q="select 7 as b")
    with pytest.raises(StatementError, match=message):
        composed(kept, dialect, sql)


def test_a_database_that_refuses_the_text_is_the_cause():
    kept = saved("duckdb", q="select 7 as b")

    def refuse(sql):
        message = f"no: {sql[:4]}"
        raise duckdb.ParserException(message)

    with pytest.raises(StatementError, match="no: WITH") as raised:
        composed(kept, "duckdb", "from q", parse=refuse)
    assert isinstance(raised.value.__cause__, duckdb.ParserException)

"""The SQL of databases other than DuckDB, read by sqlglot: statements, parameters, tables, and where CTEs can go."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from md_magic.errors import StatementError
from md_magic.sql import syntax
from md_magic.sql.inline import InsertionPoint


@pytest.mark.parametrize(
    ("dialect", "sql", "texts", "names"),
    [
        pytest.param("sqlite", "select :x, ':y' -- :z", ["select :x, ':y' -- :z"], ["x"], id="sqlite"),
        pytest.param(
            "sqlite",
            "create trigger t after insert on a begin update a set b=1; end; select 2",
            ["create trigger t after insert on a begin update a set b=1; end", " select 2"],
            [],
            id="sqlite trigger",
        ),
        pytest.param("postgresql", "select a[1:n], :x::int", ["select a[1:n], :x::int"], ["x"], id="postgres slice"),
        pytest.param("postgresql", "select $$a;:b$$; select 1", ["select $$a;:b$$", " select 1"], [], id="dollars"),
        pytest.param("mysql", "select `a;:b`, :x", ["select `a;:b`, :x"], ["x"], id="mysql backticks"),
        pytest.param("nobody_knows", "select :x; select 2", ["select :x", " select 2"], ["x"], id="unknown dialect"),
    ],
)
def test_other_databases_are_read_by_their_tokens(dialect, sql, texts, names):
    statements = syntax.of(dialect).split(sql)
    assert [statement.text for statement in statements] == texts
    assert [parameter.name for statement in statements for parameter in statement.parameters] == names


def test_a_string_that_does_not_end_is_an_error():
    with pytest.raises(StatementError, match="cannot be read"):
        syntax.of("sqlite").split("select 'a")


@pytest.mark.parametrize(
    ("dialect", "sql", "read"),
    [
        pytest.param("sqlite", "select * from t", ["t"], id="plain"),
        pytest.param("sqlite", "select * from T, main.u", ["t"], id="case, and a schema"),
        pytest.param("mysql", "select * from `t` join u on 1", ["t", "u"], id="quoted"),
        pytest.param("sqlite", "with t as (select 1) select * from t", [], id="a CTE"),
        pytest.param(
            "sqlite",
            "with x as (with t as (select 1 as a) select * from t) select x.a, t.b from x, t",
            ["t"],
            id="a CTE further in hides only there",
        ),
        pytest.param("postgresql", "with t as (select * from t) select * from t", ["t"], id="its namesake"),
        pytest.param("sqlite", "with t as (select * from t) select * from t", [], id="itself, on SQLite"),
        pytest.param("sqlite", "with a as (select * from t), t as (select 1) select * from a", [], id="a later CTE"),
        pytest.param("mysql", "with a as (select * from t), t as (select 1) select * from a", ["t"], id="and on MySQL"),
        pytest.param(
            "postgresql",
            "with recursive t as (select 1 as n union all select n + 1 from t) select * from t",
            [],
            id="recursive",
        ),
        pytest.param(
            "mssql",
            "with t as (select 1 as n union all select n + 1 from t) select * from t",
            [],
            id="without the word",
        ),
        pytest.param("postgresql", "select * from x where a in (select b from t)", ["t"], id="a subquery"),
        pytest.param("postgresql", "select * from x, lateral (select * from t where t.a = x.a) y", ["t"], id="lateral"),
        pytest.param("sqlite", "(select * from t) union all select * from u", ["t", "u"], id="union"),
        pytest.param("sqlite", "insert into z select * from t", ["t"], id="insert"),
        pytest.param("sqlite", "select 't', u.t from x u", [], id="a string, a column, an alias"),
        pytest.param("sqlite", "selec t from", [], id="no SQL"),
    ],
)
def test_tables_that_a_statement_reads(dialect, sql, read):
    assert syntax.of(dialect).tables(sql, ["t", "u"]) == read


@pytest.mark.parametrize(
    ("sql", "is_query"),
    [
        ("select 1", True),
        ("with a as (select 1) select * from a", True),
        ("select 1 union select 2", True),
        ("values (1)", True),
        ("insert into t values (1)", False),
        ("create table t (a int)", False),
        ("selec", False),
    ],
)
def test_what_is_a_query(sql, is_query):
    assert syntax.of("sqlite").is_query(sql) == is_query


@pytest.mark.parametrize(
    ("sql", "points"),
    [
        (" select 1", [InsertionPoint(1, "with", 9)]),
        ("with a as (select 1) select * from a", [InsertionPoint(5, "list", 36)]),
        ("with recursive a as (select 1) select * from a", [InsertionPoint(15, "list", 46)]),
        ("insert into t select 1", [InsertionPoint(14, "with", 22)]),
        ("insert into t (a) with a as (select 1) select * from a", [InsertionPoint(23, "list", 54)]),
        ("explain query plan select 1", [InsertionPoint(19, "with", 27)]),
        ("create table t as select 1", [InsertionPoint(18, "with", 26)]),
        ("create view t as (select 1)", [InsertionPoint(17, "with", 27)]),
        ("update t set a = 1", [InsertionPoint(0, "with", 18)]),
        ("create trigger t after insert on a begin select 1; end", []),
        ("drop table t", []),
    ],
)
def test_where_ctes_can_be_put(sql, points):
    assert syntax.of("sqlite").insertion_points(sql) == points


def test_a_name_that_a_with_defines_twice_is_an_error():
    with pytest.raises(StatementError, match='Duplicate CTE name "T"'):
        syntax.of("mysql").check("with T as (select 1), t as (select 2) select * from t")
    nested = "with x as (with t as (select 1) select * from t), t as (select 2) select * from t, x"
    syntax.of("sqlite").check(nested)
    with pytest.raises(StatementError, match='Duplicate CTE name "t"'):
        syntax.of("mysql").check(nested)  # which takes the inner t for the outer one: a wrong result


@pytest.mark.parametrize(("sql", "expected"), [("select ';';; -- c", "select ';'"), ("select 1", "select 1")])
def test_a_semicolon_at_the_end_is_left_out(sql, expected):
    assert syntax.of("sqlite").without_semicolon(sql) == expected


def test_quoting_and_keywords_are_the_dialects():
    mysql = syntax.of("mysql")
    assert mysql.quoting.identifier("a", "b") == "`a`.`b`"
    assert "rank" in mysql.reserved
    assert syntax.of("mysql") is mysql


def test_sqlite_sees_every_cte_of_a_with_from_every_other():
    """What `tables` takes for granted of SQLite."""
    connection = sqlite3.connect(":memory:")
    sql = "with a as (select * from t), t as (select 5) select * from a"
    assert connection.execute(sql).fetchall() == [(5,)]
    with pytest.raises(sqlite3.OperationalError, match="circular reference"):
        connection.execute("with t as (select * from t) select * from t")


def test_what_sqlglot_does_not_read_prints_no_warning() -> None:
    """In a process of its own: under pytest the logging has handlers, and prints nothing."""
    code = "from md_magic.sql import syntax; syntax.of('postgresql').tables('EXPLAIN WITH q AS (SELECT 1) SELECT 2', ['q'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""

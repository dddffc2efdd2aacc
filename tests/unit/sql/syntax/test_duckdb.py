"""DuckDB's SQL as text: what a statement reads, and where CTEs can be put into it."""

from __future__ import annotations

import duckdb
import pytest

from md_magic.errors import StatementError
from md_magic.sql import syntax

DUCKDB = syntax.of("duckdb")


def test_it_splits_with_a_connections_parser_or_its_own():
    asked = []

    def parse(sql):
        asked.append(sql)
        return duckdb.connect().extract_statements(sql)

    assert [one.text for one in DUCKDB.split("select 1; select 2", parse)] == ["select 1", " select 2"]
    assert asked[0] == "select 1; select 2"
    assert [one.kind for one in DUCKDB.split("select 1; create table t (a int)")] == ["SELECT", "CREATE"]


@pytest.mark.parametrize(
    ("sql", "is_query"),
    [
        ("select 1", True),
        ("from t", True),
        ("pivot t on a using sum(b)", True),
        ("values (1)", True),
        ("insert into t values (1)", False),
        ("with x as (select 1) delete from t", False),
        ("create table t(a int)", False),
        ("select 1 -- c", True),
        ("insert into z (pivot t on a)", False),
        ("insert into z (pivot t on a) returning a", False),
    ],
)
def test_what_is_a_query(sql, is_query):
    assert DUCKDB.is_query(sql) == is_query


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        pytest.param("from t", ["t"], id="from"),
        pytest.param("from\u00a0t", ["t"], id="an odd blank"),
        pytest.param("select 1; ", [], id="none"),
        pytest.param("describe t", ["t"], id="describe"),
        pytest.param("explain analyze select * from t", ["t"], id="explain"),
        pytest.param("explain (format json) with a as (from t) from a", ["t"], id="explain with options"),
        pytest.param("create table z as (from t)", ["t"], id="create table as"),
        pytest.param("create table t (u int)", [], id="create table"),
        pytest.param("create macro m() as table from t", ["t"], id="a macro, which takes no CTE"),
        pytest.param("copy (from t) to 'x'", ["t"], id="copy a query"),
        pytest.param("copy t to 'x'", ["t"], id="copy a table, which takes no CTE"),
        pytest.param("copy t from 'x'", [], id="copy into a table"),
        pytest.param("insert into t select * from u", ["u"], id="insert"),
        pytest.param("insert into t select * from t", ["t"], id="insert what it has"),
        pytest.param("insert into main.t select * from t", ["t"], id="insert into a qualified table"),
        pytest.param("update main.t set a = (select max(a) from t)", ["t"], id="update a qualified table"),
        pytest.param("insert into z select * from main.t", [], id="insert from a qualified table"),
        pytest.param("with a as (from u) insert into t from a", ["u"], id="with insert"),
        pytest.param("update t set a = (select max(a) from u)", ["u"], id="update"),
        pytest.param("delete from t where a in (from u)", ["u"], id="delete"),
        pytest.param("merge into t using u on t.a = u.a when matched then delete", ["u"], id="merge"),
        pytest.param("prepare p as from t", ["t"], id="prepare, which takes no CTE"),
        pytest.param("set variable t = 1", [], id="set"),
        pytest.param("drop table t", [], id="drop"),
    ],
)
def test_what_a_statement_reads(sql, read):
    [statement] = DUCKDB.split(sql)
    assert DUCKDB.tables_read(statement, ["t", "u"]) == read


@pytest.mark.parametrize(
    ("sql", "at"),
    [
        ("|select 1", "with"),
        ("with |a as (select 1) from a", "list"),
        ("with recursive |a as (select 1) from a", "list"),
        ("with |recursive as (select 1) from recursive", "list"),
        ("describe |t", "from"),
        ("describe |select 1", "with"),
        ("explain analyze |select 1", "with"),
        ("explain (format json) |select 1", "with"),
        ("create or replace table z as |from t", "with"),
        ("copy (|from t) to 'x'", "with"),
        ("|insert into z from t", "with"),
        ("(with |a as (select 1) from a)", "list"),
        ("|(with a as (select 1) from a) union from t", "with"),
    ],
)
def test_the_likeliest_place_of_ctes(sql, at):
    point = DUCKDB.insertion_points(sql.replace("|", ""))[0]
    assert (point.at, point.form) == (sql.index("|"), at)


@pytest.mark.parametrize("sql", ["drop table t", "create macro m() as 1", "create table t (a int)", "set a = 1", ""])
def test_where_no_cte_can_be_put(sql):
    assert DUCKDB.insertion_points(sql) == []


def test_a_text_that_does_not_parse_is_an_error_of_ours():
    with pytest.raises(StatementError, match="Duplicate CTE name") as raised:
        DUCKDB.check("with a as (select 1), a as (select 2) from a")
    assert isinstance(raised.value.__cause__, duckdb.ParserException)

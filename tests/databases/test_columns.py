"""`--dry-run`: the columns of a query, which is not run."""

from __future__ import annotations

import pytest

from md_magic.errors import MdMagicError

WITH_TYPES = {
    "postgresql": (
        "SELECT 1 AS i, 2::bigint AS b, 1.5::numeric(12,2) AS n, 'x'::varchar(5) AS s, now() AS ts, ARRAY[1] AS l, NULL AS z",
        ["integer", "bigint", "numeric(12,2)", "character varying(5)", "timestamp with time zone", "integer[]", "text"],
    ),
    "mysql": (
        "SELECT CAST(1 AS UNSIGNED) AS i, n, s, ts, b, e, u, y FROM kinds",
        ["int unsigned", "decimal(12,2)", "varchar(5)", "datetime", "blob", "enum", "int unsigned", "year"],
    ),
    "sqlite": ("SELECT i, s, n, i + 1 AS k FROM kinds", ["INTEGER", "VARCHAR(5)", "NUMERIC(12,2)", ""]),
}
KINDS = {
    "mysql": (
        "CREATE TABLE kinds (n DECIMAL(12,2), s VARCHAR(5), ts DATETIME, b BLOB, e ENUM('a', 'b'), u INT UNSIGNED, y YEAR)"
    ),
    "sqlite": "CREATE TABLE kinds (i INTEGER, s VARCHAR(5), n NUMERIC(12,2))",
}


@pytest.fixture
def kind(database):
    return database.partition("+")[0].partition(":")[0]


def test_names_and_types(cells, kind):
    if kind in KINDS:
        cells.sql(KINDS[kind])
    sql, types = WITH_TYPES[kind]
    assert cells.sql(sql, "--dry-run").value["type"].tolist() == types


def test_nothing_is_run(cells, kind):
    cells.sql("CREATE TABLE t (a INTEGER)")
    sleep = {"postgresql": "pg_sleep(100)", "mysql": "SLEEP(100)", "sqlite": "abs(-9223372036854775807 - 1)"}[kind]
    frame = cells.sql(
        f"SELECT {sleep} AS slept, q.n FROM (SELECT count(*) AS n, max(a) AS m FROM t) q", "--dry-run"
    ).value
    assert frame["column"].tolist() == ["slept", "n"]
    assert len(cells.sql("INSERT INTO t VALUES (1)", "--dry-run").value) == 0
    assert cells.sql("SELECT count(*) AS n FROM t").value["n"].tolist() == [0]


def test_two_columns_of_one_name(cells):
    assert cells.sql("SELECT 1 AS i, 2 AS i", "--dry-run").value["column"].tolist()[0] == "i"


def test_parameters_and_hostile_texts(cells):
    cells.variables |= {"v": "it's; \\ %s :x", "ids": [1, 2], "none": None}
    sql = "SELECT :v AS v, '%' AS p, ':v' AS c, :none AS z FROM (SELECT 1 AS a) q WHERE a IN :ids -- :nope"
    assert cells.sql(sql, "--dry-run").value["column"].tolist() == ["v", "p", "c", "z"]
    sql = "SELECT 1 AS a FROM (SELECT 1 AS a) q WHERE a IN (:ids);"
    assert cells.sql(sql, "--dry-run").value["column"].tolist() == ["a"]


def test_an_error_is_the_databases_own_and_the_session_goes_on(cells):
    failed = cells.sql("SELECT nope FROM nowhere", "--dry-run", error=True)
    assert isinstance(failed.error, MdMagicError)
    assert "nowhere" in failed.message
    assert cells.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_it_sees_the_transaction_and_an_error_leaves_it_open(cells):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql("BEGIN")
    cells.sql("INSERT INTO t VALUES (1)")
    cells.sql("CREATE TEMPORARY TABLE mine (z INTEGER)")
    assert cells.sql("SELECT z FROM mine", "--dry-run").value["column"].tolist() == ["z"]
    cells.sql("SELECT nope FROM t", "--dry-run", error=True)
    assert cells.sql("SELECT count(*) AS n FROM t").value["n"].tolist() == [1]
    cells.sql("ROLLBACK")
    assert cells.sql("SELECT count(*) AS n FROM t").value["n"].tolist() == [0]


def test_saved_queries_are_in_it(cells):
    cells.sql("SELECT 7 AS b", "--save q")
    assert cells.sql("SELECT b AS c FROM q", "--dry-run").value["column"].tolist() == ["c"]

"""`:name` on real servers: wherever SQL has an operand, lists after IN, arrays, documents, and nothing else."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from md_magic.errors import ParameterError
from tests.shell.conftest import Shell


@pytest.fixture
def numbers(cells):
    """A shell with a table `t`: a is 1, 2, 3, and b is x, y, z."""
    cells.sql("CREATE TABLE t (a INTEGER, b VARCHAR(9))")
    cells.sql("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    return cells


LISTS = [
    ("a IN :ids", [1, 3], [1, 3]),
    ("a IN (:ids)", [1, 3], [1, 3]),
    ("a IN ( :ids )", [], []),
    ("a IN (2, :ids)", [3], [2, 3]),
    ("a in :ids", [], []),
    ("a NOT IN :ids", [], [1, 2, 3]),
    ("a NOT IN (:ids)", [1], [2, 3]),
    ("b IN :ids", ["x", "it's"], [1]),
    ("b IN :ids", [], []),
    ("b NOT IN (:ids)", [], [1, 2, 3]),
    ("b IN :ids OR a IN :ids2", ["x"], [1, 2]),
    ("a IN :ids AND b <> ':ids'", (3, 3), [3]),
    ("(a, b) IN :ids", [(1, "x"), (2, "z")], [1]),
    ("a IN :ids", range(1, 10_000), [1, 2, 3]),
]


@pytest.mark.parametrize(("condition", "ids", "expected"), LISTS)
def test_a_list_expands_after_in(numbers, condition, ids, expected):
    numbers.variables |= {"ids": ids, "ids2": [2]}
    assert numbers.sql(f"SELECT a FROM t WHERE {condition} ORDER BY a", "--as dict").value["a"] == expected


def test_an_empty_list_beside_others_is_an_error(numbers):
    numbers.variables["ids"] = []
    failed = numbers.sql("SELECT a FROM t WHERE a IN (1, :ids)", error=True)
    assert isinstance(failed.error, ParameterError)
    assert "The list :ids is empty" in failed.message


def test_a_saved_query_keeps_its_list(numbers):
    numbers.variables["ids"] = [2]
    numbers.sql("SELECT a FROM t WHERE a IN (:ids)", "--save q")
    numbers.variables["ids"] = []
    assert numbers.sql("SELECT count(*) AS n FROM q", "--as dict").value["n"] == [0]
    numbers.variables["ids"] = [1, 3]
    assert numbers.sql("INSERT INTO t SELECT a + 10, 'q' FROM q").printed.strip() == "2 rows inserted"


@pytest.mark.parametrize("sql", ["SELECT 5 % 3 AS x, '100%' AS p", "SELECT 5 % :n AS x, '100%' AS p"])
def test_per_cent_signs_are_sql(cells, sql):
    cells.variables["n"] = 3
    assert cells.sql(sql, "--as dict").value == {"x": [2], "p": ["100%"]}


@pytest.mark.parametrize("text", ["%s", "%(x)s", ":x", "a::b", "\\:x", "100%%"])
def test_strings_are_left_alone(cells, text):
    cells.variables["x"] = 1
    literal = cells.magics.session.use().backend.syntax.quoting.literal(text)
    assert cells.sql(f"SELECT {literal} AS t", "--as dict").value == {"t": [text]}


def test_a_dict_is_a_document(cells, database):
    cells.variables["d"] = {"a": [1, None], "day": dt.date(2024, 1, 31), "n": decimal.Decimal("1.10"), "q": "it's \"\\"}
    read = ":d ->> 'q'" if "postgresql" in database else "json_extract(:d, '$.q')"
    if "mysql" in database:
        read = f"json_unquote({read})"
    assert cells.sql(f"SELECT {read} AS q", "--as dict").value == {"q": ["it's \"\\"]}
    cells.sql("CREATE TABLE j (d JSON)")
    cells.sql("INSERT INTO j VALUES (:d)")
    assert cells.sql("SELECT count(*) AS n FROM j", "--as dict").value == {"n": [1]}
    cells.variables["d"] = {"a": object()}
    failed = cells.sql("SELECT :d", error=True)
    assert isinstance(failed.error, ParameterError)
    assert ":d" in failed.message


def test_a_list_elsewhere_is_an_array_or_an_error(numbers, database):
    numbers.variables["ids"] = [1, 3]
    ran = numbers.sql("SELECT a FROM t WHERE a = ANY(:ids) ORDER BY a", "--as dict", error="postgresql" not in database)
    if "postgresql" in database:
        assert ran.value == {"a": [1, 3]}
        return
    assert isinstance(ran.error, ParameterError)
    assert "The parameter :ids is a list" in ran.message
    assert "`x IN :ids`" in ran.message


# ---- PostgreSQL ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["psycopg", "psycopg2"])
def postgresql(ip, request, postgresql_uri):
    """A shell on PostgreSQL, by each driver."""
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {postgresql_uri.replace('+psycopg:', f'+{request.param}:')}")
    return shell


OPERANDS = [
    ("timestamptz '2024-01-01 12:00+00' AT TIME ZONE :x", "Asia/Tokyo", "2024-01-01 21:00:00"),
    ("trim(both :x from 'xxaxx')", "x", "a"),
    ("2 BETWEEN SYMMETRIC :x AND 1", 3, "true"),
    ("INTERVAL :x", "1 day", "1 day"),
    ("date '2024-01-31' + INTERVAL :x", "1 day", "2024-02-01 00:00:00"),
    ("DATE :x + 1", "2024-01-31", "2024-02-01"),
    ("date_trunc('day', TIMESTAMP :x)", dt.datetime.fromisoformat("2024-01-31T10:00:00"), "2024-01-31 00:00:00"),
    ("(ARRAY[10, 20, 30])[(:x)]", 2, "20"),
    ("(ARRAY[10, 20, 30])[2:3]", None, "{20,30}"),
    ("ARRAY[:x, 2]", 1, "{1,2}"),
    ("cardinality(:x)", [1, 2, None], "3"),
    ("3.5 = ANY(:x)", [1, 3.5], "true"),
    ("1 = ANY(:x)", [decimal.Decimal("1.0"), 2], "true"),
    ("1 = ANY(:x)", [], "false"),
    ("'a' <> ALL(:x)", ["b", "c"], "true"),
    ("array_to_string(:x, ',')", ["a", "it's"], "a,it's"),
    ("(:x)[2][1]", [[1, 2], [3, 4]], "3"),
    ("(:x) -> 'a' -> 1", {"a": [1, 2]}, "2"),
    ("jsonb_array_length(:x)", [{"a": 1}, {"a": 2}], "2"),
    ("'{\"a\": {\"b\": 1}}'::jsonb @? '$.a.b'", None, "true"),
    ("jsonb_build_object('k', :x::text)", "v", '{"k": "v"}'),
    (":x::uuid = '12345678-1234-5678-1234-567812345678'", uuid.UUID("12345678-1234-5678-1234-567812345678"), "true"),
    ("extract(hour from :x::timestamptz at time zone 'UTC')", dt.datetime(2024, 1, 1, 5, tzinfo=ZoneInfo("UTC")), "5"),
    ("encode(:x, 'hex')", b"\x00\xff", "00ff"),
    ("(SELECT count(*) FROM generate_series(1, 10) LIMIT :x OFFSET 0)", 1, "10"),
    ("E'\\':x' || :x", "!", "':x!"),
    ("concat(':x(', /* ( */ :x, 1)", "v", ":x(v1"),
    ("concat_ws('-', :x, 'b')", None, "b"),
    ("json_build_object('k', :x)", "it's", '{"k" : "it\'s"}'),
    ("jsonb_build_array(1, :x, (2))", None, "[1, null, 2]"),
    ("ROW(1, :x)", "a b", '(1,"a b")'),
    ("format('%s|%s', lower(:x), :x)", "A", "a|A"),
    ("to_jsonb(:x)", "a", '"a"'),
    ("count(:x)", "a", "1"),
    ("(SELECT :x)", ["a", None, "b"], "{a,NULL,b}"),
    ("array_to_string(:x, ' ')", ['a"b', "c\\d", "e,{}", " ", "NULL", ""], 'a"b c\\d e,{}   NULL '),
    ("cardinality((SELECT :x))", ["a", None, "b"], "3"),
    ("1 = 1 AND (:x && ARRAY['a'])", ["a", "b"], "true"),
]


@pytest.mark.parametrize(("sql", "value", "expected"), OPERANDS)
def test_postgresql_takes_a_parameter_where_it_has_an_operand(postgresql, sql, value, expected):
    postgresql.variables["x"] = value
    got = postgresql.sql(f"SELECT ({sql})::text AS v", "--as dict").value["v"]
    assert got == [expected] if "extract" not in sql else got[0].startswith(expected)


def test_postgresql_has_parameters_in_statements_that_take_none(postgresql):
    postgresql.variables |= {"x": "it's; --", "n": 7, "ids": [2], "u": "ab\\c"}
    postgresql.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    postgresql.sql(
        "CREATE PROCEDURE p(n int) LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (n); DELETE FROM t WHERE a = 1; END"
    )
    postgresql.sql("CALL p(:n)")
    assert postgresql.sql("SELECT a FROM t ORDER BY a", "--as dict").value == {"a": [2, 7]}
    postgresql.sql("SET application_name TO :u")
    assert postgresql.sql("SHOW application_name", "--as dict").value == {"application_name": ["ab\\c"]}
    postgresql.sql("CREATE VIEW v AS SELECT a, :x AS x FROM t WHERE a IN :ids")
    assert postgresql.sql("SELECT * FROM v", "--as dict").value == {"a": [2], "x": ["it's; --"]}
    postgresql.sql("COMMENT ON TABLE t IS :x")
    postgresql.sql("CREATE TABLE made AS SELECT :n::int AS n")
    assert postgresql.sql("EXPLAIN SELECT a FROM t WHERE a = :n").value.shape[0] > 0
    assert postgresql.sql("SELECT n FROM made", "--as dict").value == {"n": [7]}
    postgresql.sql("PREPARE plus(int, text) AS SELECT $1 + 1 AS n, $2 AS x")
    assert postgresql.sql("EXECUTE plus(:n, :x)", "--as dict").value == {"n": [8], "x": ["it's; --"]}


def test_postgresql_gives_a_list_the_type_of_the_column_that_it_goes_to(postgresql):
    one = "12345678-1234-5678-1234-567812345678"
    postgresql.variables |= {"x": [one], "names": ["a", None]}
    postgresql.sql("CREATE TABLE t (u uuid[], v varchar(9)[])")
    postgresql.sql("INSERT INTO t VALUES (:x, :names); INSERT INTO t SELECT :x, :names")
    found = postgresql.sql("SELECT count(*) AS n FROM t WHERE u = :x AND (v @> ARRAY['a'::varchar]) AND u && :x")
    assert found.value["n"].tolist() == [2]
    assert postgresql.sql("SELECT 1 AS one, :names AS l", "--as dict").value == {"one": [1], "l": [["a", None]]}


def test_postgresql_names_a_list_of_several_types(postgresql):
    postgresql.variables["ids"] = [1, "x"]
    failed = postgresql.sql("SELECT 1 = ANY(:ids)", error=True)
    assert isinstance(failed.error, ParameterError)
    assert "The parameter :ids is a list of int and str" in failed.message


@pytest.mark.parametrize("size", [40_000, 100_000])
def test_postgresql_takes_very_long_lists(postgresql, size):
    postgresql.variables["ids"] = list(range(size))
    sql = "SELECT count(*) AS n FROM generate_series(5, 9) g WHERE g IN :ids AND g NOT IN :ids IS FALSE"
    assert postgresql.sql(sql, "--as dict").value == {"n": [5]}


# ---- the others ----------------------------------------------------------------------------------------------------


def test_mariadb_takes_a_parameter_where_it_has_an_operand(ip, mariadb_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {mariadb_uri}")
    shell.variables |= {"n": 2, "x": "it's \\ %s", "day": dt.date(2024, 1, 31)}
    shell.sql("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20))")
    shell.sql("REPLACE INTO t VALUES (1, :x), (:n, 'b')")
    shell.sql(
        "DELIMITER //\nCREATE PROCEDURE p(IN v VARCHAR(20))\nBEGIN\n  IF v <> '' THEN INSERT INTO t VALUES (9, v); END IF;\n"
        "  SELECT count(*) AS n FROM t;\nEND//\nDELIMITER ;"
    )
    shell.sql("CALL p(:x)")
    assert shell.sql("SELECT b FROM t ORDER BY a LIMIT :n OFFSET 1", "--as dict").value == {"b": ["b", "it's \\ %s"]}
    found = shell.sql("SELECT CAST(:day + INTERVAL :n DAY AS CHAR) AS d, @v := :n AS v # :not\n", "--as dict").value
    assert found == {"d": ["2024-02-02"], "v": [2]}
    assert shell.sql("EXPLAIN SELECT * FROM t WHERE a = :n").value.shape[0] == 1


def test_mariadb_gets_moments_in_the_sessions_time_zone(ip, mariadb_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {mariadb_uri}")
    moment = pd.Timestamp("2024-07-01 12:00:00.5", tz="Europe/Berlin")
    shell.variables |= {
        "a": moment,
        "b": moment.to_pydatetime(),
        "naive": pd.Timestamp("2024-07-01 12:00"),
        "both": [moment],
    }
    shell.sql("SET time_zone = '+05:00'; CREATE TABLE t (d DATETIME(6), s TIMESTAMP(6) NULL)")
    shell.sql("INSERT INTO t VALUES (:a, :b)")
    local = dt.datetime.fromisoformat("2024-07-01T15:00:00.500000")
    assert shell.sql("SELECT * FROM t WHERE s = :a AND d IN :both", "--as dict").value == {"d": [local], "s": [local]}
    assert shell.sql("SELECT hour(:naive) AS h", "--as dict").value == {"h": [12]}
    shell.sql("SET time_zone = '+00:00'")
    assert shell.sql("SELECT s FROM t", "--as dict").value == {
        "s": [dt.datetime.fromisoformat("2024-07-01T10:00:00.5")]
    }
    shell.variables["f"] = float("nan")
    assert ":f is nan" in shell.sql("SELECT :f", error=True).message


def test_sqlite_takes_a_parameter_where_it_has_an_operand(ip):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.variables |= {"n": 2, "moment": dt.datetime.fromisoformat("2024-01-31T10:00:00"), "u": uuid.UUID(int=5)}
    shell.variables["price"] = decimal.Decimal("1.10")
    sql = "SELECT date(:moment, '+1 day') AS d, :u AS u, '{\"a\": [1, 2]}' -> '$.a' AS j, :price AS p, [n] FROM (SELECT :n AS n)"
    found = shell.sql(sql, "sqlite:// --as dict").value
    assert found == {"d": ["2024-02-01"], "u": [str(uuid.UUID(int=5))], "j": ["[1,2]"], "p": ["1.10"], "n": [2]}
    shell.sql("CREATE TABLE t (a INT); REPLACE INTO t VALUES (:n)")
    shell.sql(
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN a > 5 THEN 0 END; SELECT 1; END; INSERT INTO t VALUES (9)"
    )
    assert shell.sql("SELECT a FROM t ORDER BY a", "--as dict").value["a"] == [None, 0]

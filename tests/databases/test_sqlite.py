"""SQLite: a column without values has the type that its table declares; everything else is typed by its values."""

from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from md_magic.errors import QueryTimeout
from tests.shell.conftest import Shell

TABLE = """CREATE TABLE kinds (i INTEGER, b BIGINT, t VARCHAR(10), r DOUBLE, n NUMERIC(12,2), x BLOB, d DATE,
  ok BOOLEAN, j JSON, "odd name" INT)"""
ROW = "INSERT INTO kinds VALUES (1, 9007199254740993, 'é', 1.5, 2.25, x'00ff', '2024-01-02', 1, '{}', 7)"


@pytest.fixture
def shell(ip):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.sql(TABLE, "sqlite:///lab.db")
    return shell


def arrow(shell, sql):
    return [str(field.type) for field in shell.sql(sql, "--as reader").value.read_all().schema]


@pytest.mark.parametrize("form", ["pandas", "arrow", "polars", "reader"])
@pytest.mark.parametrize("row", ["", "INSERT INTO kinds (i) VALUES (NULL)"], ids=["empty", "null"])
def test_types_of_a_full_result_are_those_of_none_and_of_nulls(shell, form, row):
    def types():
        value = shell.sql("SELECT * FROM kinds AS k LIMIT :n", f"--as {form} --param n=5").value
        if form == "pandas":
            return [str(dtype).lower() for dtype in value.dtypes]
        return list(value.dtypes) if form == "polars" else value.schema.types

    if row:
        shell.sql(row)
    bare = types()
    shell.sql(f"DELETE FROM kinds; {ROW}")
    assert bare == types()


def test_an_expression_and_what_is_not_declared_have_the_type_of_their_values(shell):
    assert arrow(shell, "SELECT i + 1, upper(t) FROM kinds") in (["null", "null"], ["null", "string"])
    shell.sql(ROW)
    assert arrow(shell, "SELECT i + 1, upper(t), count(*), NULL FROM kinds") == ["int64", "string", "int64", "null"]
    shell.sql("CREATE TABLE loose (a, i INTEGER); INSERT INTO loose VALUES (1.5, 'text')")
    assert arrow(shell, "SELECT a, i FROM loose") == ["double", "string"]


@pytest.mark.parametrize("form", ["--as arrow", "--as polars", "--as reader", "--grid"])
def test_bytes_among_other_values_are_written_as_duckdb_writes_them(shell, form):
    shell.sql(
        "CREATE TABLE s1 (v, w); INSERT INTO s1 VALUES (1, 'é'), (x'00ff5c', x'00ff'), ('x', NULL), (x'c3a9', 'a')"
    )
    value = shell.sql("SELECT v, w FROM s1", form).value
    if form == "--grid":
        assert r"\x00\xFF\x5C" in str(value)
        return
    table = pa.table(value.read_all() if form == "--as reader" else value)
    texts = table["v"].to_pylist()
    assert texts == ["1", r"\x00\xFF\x5C", "x", r"\xC3\xA9"]
    assert table["w"].to_pylist() == ["é".encode(), b"\0\xff", None, b"a"]
    with duckdb.connect() as con:
        assert con.execute("SELECT $text::BLOB", {"text": texts[1]}).fetchone() == (b"\0\xff\\",)


def test_a_column_that_is_mixed_from_the_beginning_stays_so_in_a_stream(shell):
    numbers = "WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < 100001)"
    read = shell.sql(
        f"{numbers} SELECT CASE i WHEN 1 THEN 'x' WHEN 100001 THEN x'00' ELSE i END AS a FROM t", "--as reader"
    )
    assert read.value.read_all()["a"].to_pylist()[-2:] == ["100000", r"\x00"]


def test_bytes_behind_the_texts_of_a_stream_are_an_error_that_names_the_column(shell):
    numbers = "WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < 100001)"
    sql = f"{numbers} SELECT CASE i WHEN 100001 THEN x'61' ELSE 't' || i END AS a FROM t"
    assert "column 'a'" in shell.sql(sql, "--grid --quiet", error=True).message


def test_the_question_leaves_nothing_and_may_be_refused(shell):
    shell.sql("BEGIN; INSERT INTO kinds (i) VALUES (NULL)")
    assert arrow(shell, "SELECT i, i, t FROM kinds") == ["int64", "int64", "string"]
    shell.sql("ROLLBACK")
    assert shell.sql("SELECT count(*) AS n FROM kinds").value["n"].tolist() == [0]
    assert shell.sql("SELECT name FROM temp.sqlite_master").value["name"].tolist() == []
    shell.sql("PRAGMA query_only = ON")
    assert shell.sql("SELECT i FROM kinds", "--as arrow").value.equals(pa.table({"i": pa.nulls(0)}))


def test_writing_to_a_database_that_is_not_attached_says_so(shell):
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    assert "There is no database 'nos' here" in shell.cell("%mdsql --to nos.t --frame df", error=True).message
    shell.sql("ATTACH ':memory:' AS nos")
    assert "1 row written" in shell.cell("%mdsql --to NOS.t --frame df").printed


ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


def test_a_time_limit_stops_a_query_and_keeps_the_session(shell):
    shell.sql("CREATE TEMPORARY TABLE mine AS SELECT 7 AS a")
    failed = shell.sql(ENDLESS, "--timeout 0.2", error=True)
    assert isinstance(failed.error, QueryTimeout)
    assert shell.sql("SELECT a FROM mine").value["a"].tolist() == [7]
    assert shell.sql(ENDLESS, "--background").value.cancel()

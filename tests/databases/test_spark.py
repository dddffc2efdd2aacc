"""Spark: a cluster of a master and two workers, over its Thrift server. `pytest -m spark` runs these, and nothing else does."""

from __future__ import annotations

import datetime as dt
import logging
import os
import signal
import threading
import time
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy

from md_magic.errors import ConnectError, MdMagicError, QueryInterrupted, QueryTimeout
from tests.shell.conftest import Shell

pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:past|pyhive|thrift_sasl|future"),
]

TYPES = (
    "CREATE TABLE every (i INT, s STRING, d DATE, ts TIMESTAMP, n DECIMAL(12,2), b BINARY, ok BOOLEAN, f FLOAT, x DOUBLE,"
    " big BIGINT, small SMALLINT, tiny TINYINT, l ARRAY<INT>, m MAP<STRING, INT>, st STRUCT<p: INT, q: STRING>)"
)
ROW = (
    "INSERT INTO every VALUES (1, 'a:b%c', DATE '2024-01-02', TIMESTAMP '2024-01-02 03:04:05.678', 12.30, X'00ff', true,"
    " 1.5, 2.5, 9007199254740993, 3, 4, array(1, 2), map('k', 1), named_struct('p', 1, 'q', 'z')),"
    " (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)
VALUES = {
    "i": 1,
    "s": "a:b%c",
    "d": dt.date(2024, 1, 2),
    "ts": dt.datetime(2024, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001 - Spark's, without a zone
    "n": Decimal("12.30"),
    "b": b"\x00\xff",
    "ok": True,
    "f": 1.5,
    "x": 2.5,
    "big": 9007199254740993,
    "small": 3,
    "tiny": 4,
    "l": "[1,2]",
    "m": '{"k":1}',
    "st": '{"p":1,"q":"z"}',
}
ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.id * b.id = -1"


@pytest.fixture
def cells(ip, spark_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {spark_uri}")
    for (name,) in shell.sql("SHOW DATABASES").value.itertuples(index=False):
        shell.sql(f"DROP DATABASE {name} CASCADE" if name != "default" else "SELECT 1")
    for row in shell.sql("SHOW TABLES IN default").value.itertuples():
        shell.sql(
            f"DROP VIEW IF EXISTS `{row.tableName}`" if row.isTemporary else f"DROP TABLE IF EXISTS `{row.tableName}`"
        )
    return shell


@pytest.fixture
def filled(cells):
    cells.sql(TYPES)
    cells.sql(ROW)
    return cells


def test_it_opens_without_isolation_levels(cells):
    assert cells.sql("SELECT 1 AS a, 'x' AS b").value.to_dict("list") == {"a": [1], "b": ["x"]}
    assert cells.cell("%mdsql --connections").value["state"].tolist() == ["open"]


def test_a_statement_without_rows_has_no_value(cells):
    assert cells.sql("CREATE TABLE t (a INT)").value is None
    assert cells.sql("INSERT INTO t VALUES (1), (2)").value is None
    assert cells.sql("SELECT a AS Result FROM t ORDER BY a").value["Result"].tolist() == [1, 2]


def test_a_place_that_does_not_answer_says_why(cells):
    failed = cells.cell("%mdsql hive://nobody@127.0.0.1:1/default", error=True)
    assert isinstance(failed.error, ConnectError)
    assert "Could not connect" in failed.message


def test_values_are_exact(filled):
    assert filled.sql("SELECT * FROM every WHERE i = 1", "--as dict").value == {
        name: [value] for name, value in VALUES.items()
    }


@pytest.mark.parametrize("form", ["pandas", "arrow"])
def test_a_column_of_nulls_and_no_rows_have_the_types_of_a_full_result(filled, form):
    full, nulls, none = (
        filled.sql(f"SELECT * FROM every WHERE {where}", f"--as {form}").value for where in ("i = 1", "i = 2", "i = 3")
    )
    types = [table.schema if form == "arrow" else table.dtypes.astype(str).tolist() for table in (full, nulls, none)]
    assert types[2] == types[0]
    assert form == "pandas" or types[1] == types[0]  # a frame has NULLs in `boolean`, and none in `bool`


def test_decimals_and_whole_numbers_have_their_arrow_types(filled):
    schema = filled.sql("SELECT * FROM every", "--as arrow").value.schema
    assert schema.field("n").type == pa.decimal128(12, 2)
    assert schema.field("tiny").type == pa.int8()
    assert schema.field("d").type == pa.date32()


@pytest.mark.parametrize(
    "value",
    [
        "it's \\ ; -- \n :x",
        b"\x00\xff",
        Decimal("12.30"),
        dt.date(2024, 1, 2),
        dt.datetime(2024, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001 - Spark's, without a zone
        True,
        1.5,
        -7,
        2**40,
        None,
        "%(x)s 100%",
    ],
    ids=repr,
)
def test_a_parameter_arrives_as_it_is(cells, value):
    cells.variables["v"] = value
    assert cells.sql("SELECT :v AS v, '%' AS p, ':v' AS c", "--as dict").value == {
        "v": [value],
        "p": ["%"],
        "c": [":v"],
    }


def test_a_list_expands(filled):
    filled.variables["ids"] = [2, 3]
    assert filled.sql("SELECT i FROM every WHERE i IN :ids").value["i"].tolist() == [2]


def test_a_value_that_cannot_be_bound_names_its_parameter(cells):
    cells.variables["d"] = {"a": object()}
    assert ":d" in cells.sql("SELECT :d", error=True).message


def test_a_list_is_an_array(cells):
    cells.variables.update(ids=[1, 2], none=[])
    found = cells.sql("SELECT array_contains(:ids, 2) AS a, size(:none) AS n, transform(:ids, x -> x + 1)[0] AS t")
    assert found.value.to_dict("list") == {"a": [True], "n": [0], "t": [2]}


def test_writing_is_refused_before_anything_is_made(cells):
    cells.variables["df"] = pd.DataFrame({"a": [1]})
    assert "nor Spark has transactions" in cells.cell("%mdsql --to w --frame df", error=True).message
    assert "w" not in cells.cell("%mdsql --tables").value["name"].tolist()


def test_no_logger_prints_what_is_said_or_what_nobody_needs(cells, capfd, caplog):
    cells.sql("CREATE TEMPORARY VIEW `a b` AS SELECT 1 AS a")
    cells.cell("%mdsql --close")
    cells.sql("SELECT 1", "hive://someone@127.0.0.1:1/default", error=True)
    assert capfd.readouterr().err == ""
    assert "Exception closing connection" not in caplog.text
    assert logging.getLogger("thrift.transport.TSocket").handlers


def test_a_dict_is_a_document(cells):
    cells.variables["d"] = {"a": [1, "it's"]}
    assert cells.sql("SELECT get_json_object(:d, '$.a[1]') AS v").value["v"].tolist() == ["it's"]


def test_a_limit_of_a_large_result_does_not_collect_it(cells):
    ran = cells.sql("SELECT id FROM range(0, 5000000, 1, 8)", "--limit 3")
    assert ran.value["id"].tolist() == [0, 1, 2]
    assert "there are more" in ran.printed
    setting = "SET spark.sql.thriftServer.incrementalCollect"
    assert cells.sql(setting).value["value"].tolist() == ["false"]


def test_a_reader_streams(cells):
    reader = cells.sql("SELECT id FROM range(0, 250000, 1, 4)", "--as reader").value
    assert sum(batch.num_rows for batch in reader) == 250_000


def test_temporary_views_and_settings_live_from_cell_to_cell(cells):
    cells.sql("CREATE TEMPORARY VIEW mine AS SELECT 42 AS a")
    assert cells.sql("SELECT a FROM mine").value["a"].tolist() == [42]
    cells.sql("CREATE DATABASE other")
    cells.sql("USE other")
    cells.sql("CREATE TABLE here (a INT)")
    assert cells.cell("%mdsql --describe here").value["column"].tolist() == ["a"]


def test_the_catalogue_has_every_database_temporary_views_and_exact_types(filled):
    filled.sql("CREATE DATABASE other")
    filled.sql("CREATE TABLE other.odd (`a b` INT COMMENT 'mine')")
    filled.sql("CREATE VIEW seen AS SELECT 1 AS a")
    filled.sql("CREATE TEMPORARY VIEW mine AS SELECT 42 AS a")
    rows = filled.cell("%mdsql --tables").value[["schema", "name", "kind"]].to_numpy().tolist()
    assert ["other", "odd", "table"] in rows
    assert ["default", "every", "table"] in rows
    assert ["default", "seen", "view"] in rows
    assert ["", "mine", "temporary view"] in rows
    assert len(rows) == 4
    described = filled.cell("%mdsql --describe other.odd").value
    assert described[["column", "type", "comment"]].to_numpy().tolist() == [["a b", "int", "mine"]]
    types = dict(filled.cell("%mdsql --describe every").value[["column", "type"]].to_numpy().tolist())
    assert types["n"] == "decimal(12,2)"
    assert types["st"] == "struct<p:int,q:string>"


def test_names_are_quoted_as_spark_reads_them(cells):
    quoting = cells.magics.session.use().backend.syntax.quoting
    for word in ("table", "Mixed", "a b", "q`u", "select"):
        name = quoting.where_needed(word)
        cells.sql(f"CREATE TEMPORARY VIEW {name} AS SELECT 1 AS a")
        assert cells.sql(f"SELECT a FROM {name}").value["a"].tolist() == [1]


def test_saved_queries_are_put_in(cells):
    cells.sql("SELECT 7 AS b", "--save q")
    assert cells.sql("SELECT b + 1 AS c FROM q").value["c"].tolist() == [8]


def test_the_columns_of_a_query_are_told_without_running_it(filled):
    frame = filled.sql("SELECT i, n, l FROM every WHERE raise_error('it ran') IS NULL", "--dry-run").value
    assert frame.to_numpy().tolist() == [["i", "int"], ["n", "decimal(12,2)"], ["l", "array<int>"]]
    filled.sql("CREATE TABLE t (a INT)")
    assert len(filled.sql("INSERT INTO t VALUES (1)", "--dry-run").value) == 0
    assert "too many" in filled.sql("INSERT INTO t VALUES (1, 2)", "--dry-run", error=True).message
    assert filled.sql("SELECT count(*) AS n FROM t").value["n"].tolist() == [0]


@pytest.mark.parametrize(
    ("sql", "beginning"),
    [
        ("SELECT nope FROM range(3)", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable"),
        ("SELEC 1", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'"),
        ("SELECT * FROM nowhere", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found."),
        ("SELECT raise_error('late: :i') FROM range(3)", "[USER_RAISED_EXCEPTION] late: :i"),
    ],
)
def test_an_error_is_the_servers_own_without_java(cells, sql, beginning):
    failed = cells.sql(sql, error=True)
    assert isinstance(failed.error, MdMagicError)
    assert failed.message.startswith(beginning)
    assert "\tat " not in failed.message
    assert "org.apache" not in failed.message
    assert cells.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_a_name_that_spark_does_not_know_has_the_near_ones(cells):
    cells.sql("CREATE TABLE flights (id INT, carrier STRING)")
    assert "Did you mean flights?" in cells.sql("SELECT * FROM flihgts", error=True).printed
    assert "`carrier`" in cells.sql("SELECT carier FROM flights", error=True).printed  # Spark says it itself
    assert cells.cell("%mdsql --fix").value.repaired == "SELECT carrier FROM flights"
    cells.variables["people"] = pd.DataFrame({"a": [1]})
    assert "people is a Python table" in cells.sql("SELECT * FROM people", error=True).printed
    assert "mean" not in cells.sql("SELECT * FROM zzz", error=True).printed


def test_a_time_limit_stops_the_query_on_the_server(cells):
    began = time.monotonic()
    failed = cells.sql(ENDLESS, "--timeout 2", error=True)
    assert isinstance(failed.error, QueryTimeout)
    assert time.monotonic() - began < 3
    assert cells.sql("SELECT sum(id) AS n FROM range(0, 1000, 1, 2)").value["n"].tolist() == [
        499500
    ]  # both cores are free


def test_an_interrupt_stops_it_and_temporary_views_stay(cells):
    cells.sql("CREATE TEMPORARY VIEW mine AS SELECT 42 AS a")
    timer = threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    failed = cells.sql(ENDLESS, error=True)
    timer.join()
    assert isinstance(failed.error, QueryInterrupted)
    assert cells.sql("SELECT a FROM mine").value["a"].tolist() == [42]


def test_a_background_query_is_cancelled(cells):
    job = cells.sql(ENDLESS, "--background").value
    time.sleep(2)
    job.cancel()
    with pytest.raises(MdMagicError, match="cancelled"):
        job.result()
    assert cells.sql("SELECT sum(id) AS n FROM range(0, 1000, 1, 2)").value["n"].tolist() == [499500]


def test_a_background_query_gives_its_result(filled):
    job = filled.sql("SELECT i FROM every ORDER BY i", "--background").value
    assert job.result()["i"].tolist() == [1, 2]


def test_a_profile_looks_at_every_row(filled):
    profile = filled.sql("SELECT * FROM every", "--profile").value
    columns = {column.name: column for column in profile.columns}
    assert (profile.rows, columns["s"].nulls, columns["i"].largest) == (2, 1, 2)


def test_the_plan_is_shown(filled):
    plan = filled.sql("SELECT i FROM every", "--explain").value
    assert "Physical Plan" in "\n".join(plan["plan"])


def test_an_engine_of_the_users_own_is_used(cells, spark_uri):
    cells.variables["mine"] = sqlalchemy.create_engine(spark_uri)
    assert cells.cell("%mdsql --engine mine SELECT DATE '2024-01-02' AS d").value["d"].dt.day.tolist() == [2]
    cells.variables["mine"].dispose()

"""`--timeout` and the setting: which of them ends a cell, what is said, and what is left as it was."""

from __future__ import annotations

import re
import threading

import pytest
import sqlalchemy

from md_magic.errors import OptionError, QueryTimeout

LONG = {
    "aggregation": "SELECT count(*) FROM (SELECT i % 100003 AS k, sum(i) FROM range(3_000_000_000) r(i) GROUP BY k)",
    "window over a sort": "SELECT sum(s) FROM (SELECT sum(i) OVER (ORDER BY hash(i)) AS s FROM range(40_000_000) r(i))",
    "join": "SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)",
    "fetch of numbers": "SELECT i, i + 1 AS j, i / 7 AS x FROM range(60_000_000) r(i)",
    "fetch of text": "SELECT i, 'text ' || i AS t FROM range(50_000_000) r(i)",
    "create table": "CREATE TABLE made AS SELECT i, hash(i) AS h, 'text ' || i AS t FROM range(1_000_000_000) r(i)",
    "copy": "COPY (SELECT i, hash(i) AS h, 'text ' || i AS t FROM range(1_000_000_000) r(i)) TO 'made.csv'",
    "several": "SELECT 1; SELECT sum(hash(i)) FROM range(300_000_000) r(i); SELECT sum(hash(i)) FROM range(4_000_000_000) r(i)",
}
JOIN = LONG["join"]


@pytest.fixture(autouse=True)
def _small(shell):
    shell.sql("SET threads = 2; SET memory_limit = '3GB'")


def stopped(shell, sql, line="--timeout 0.3"):
    """Run what takes longer than its time; how soon after it the cell ends is measured by benchmarks/stopping.py."""
    ran = shell.sql(sql, line, error=True)
    assert isinstance(ran.error, QueryTimeout)
    assert ran.printed.startswith("The query was cancelled by")  # the error, and nothing else
    assert "Traceback" not in ran.printed
    return ran


@pytest.mark.parametrize("sql", LONG.values(), ids=LONG)
def test_it_ends_every_kind_of_query(shell, sql):
    shell.sql("CREATE TEMP TABLE kept AS SELECT 1 AS i")
    ran = stopped(shell, sql)
    assert re.search(r"was cancelled by --timeout 0\.3 after (\d+ ms|\d+\.\d s)", ran.message)
    assert "still usable" in ran.message
    assert shell.sql("FROM kept").value["i"].tolist() == [1]


@pytest.mark.parametrize("form", ["arrow", "polars", "dict", "reader"])
def test_it_ends_a_fetch_in_every_form(shell, form):
    shell.sql("SELECT 1", f"--as {form}")  # imports
    sql = JOIN if form == "reader" else "SELECT i, 'text ' || i AS t FROM range(100_000_000) r(i)"
    stopped(shell, sql, f"--timeout 0.3 --as {form}")


def test_the_setting_ends_a_query_and_the_option_is_stronger(shell):
    shell.cell("%config MdsqlMagics.timeout = 0.2")
    assert "by the setting MdsqlMagics.timeout = 0.2 after " in stopped(shell, JOIN, "").message
    assert "by --timeout 0.6 after " in stopped(shell, JOIN, "--timeout 0.6").message
    shell.cell("%config MdsqlMagics.timeout = None")
    assert shell.sql("SELECT 1 AS i").value.shape == (1, 1)


def test_it_is_the_time_of_the_whole_cell(shell):
    ran = stopped(shell, f"CREATE TABLE t AS SELECT 1;\nSELECT 1;\n{JOIN}")
    assert "in statement 3 of 3" in ran.message
    assert len(shell.sql("FROM t").value) == 1  # those before it have happened


def test_a_transaction_is_in_the_state_that_duckdb_says(shell):
    shell.sql("CREATE TABLE t AS SELECT 1 AS i; BEGIN; INSERT INTO t VALUES (2)")
    ran = stopped(shell, JOIN)
    assert "run ROLLBACK" in "".join(ran.error.__notes__)
    assert "please ROLLBACK" in shell.sql("FROM t", error=True).message
    shell.sql("ROLLBACK")
    assert len(shell.sql("FROM t").value) == 1


@pytest.mark.parametrize("bad", ["0", "-1", "soon", "nan", "inf", "1e300"])
def test_what_is_no_time_is_refused(shell, bad):
    ran = shell.sql("SELECT 1", f"--timeout={bad}", error=True)
    assert isinstance(ran.error, OptionError)
    assert f"--timeout: got {bad!r}, where a number of seconds above 0 is needed" in ran.message


@pytest.mark.parametrize("setting", ["timeout = -1", "timeout = 0", "progress_after = -1"])
def test_a_setting_that_is_no_time_is_refused(shell, caplog, setting):
    name = setting.split()[0]
    before = getattr(shell.magics, name)
    shell.cell(f"%config MdsqlMagics.{setting}")  # IPython logs what a setting refuses
    assert f"{name} is a number of seconds above 0" in caplog.text
    assert getattr(shell.magics, name) == before


def test_it_works_in_a_thread_without_signals(shell):
    errors = []

    def work():
        try:
            shell.ip.run_line_magic("mdsql", f"--timeout 0.3 {JOIN}")
        except QueryTimeout as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert len(errors) == 1


def test_it_works_on_another_database(shell):
    shell.sql("SELECT 1", "sqlite://")  # imports
    counting = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"
    stopped(shell, counting, "sqlite:// --timeout 0.3")
    assert shell.sql("SELECT 1 AS i").value["i"].tolist() == [1]


def test_a_driver_that_cannot_stop_is_named(shell):
    shell.variables["engine"] = sqlalchemy.create_engine("sqlite://")
    shell.sql("SELECT 1", "--engine engine")
    database = next(one for one in shell.magics.session.pool if one.target.name == "--engine engine")
    database.backend.interrupt = None  # as pymysql, say
    ran = shell.sql("SELECT 1", "--timeout 3", error=True)
    assert isinstance(ran.error, OptionError)
    assert "--timeout 3: nothing can stop a query on" in ran.message
    assert shell.sql("SELECT 1 AS i").value["i"].tolist() == [1]

"""Background queries in a shell of this process: the handle, what it sees, what it must not touch, how it ends."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
import weakref

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from md_magic.errors import (
    ConnectError,
    OptionError,
    ParameterError,
    QueryCancelled,
    QueryTimeout,
    StatementError,
    StillRunning,
)

LONG = "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3"


@pytest.fixture(autouse=True)
def _one_thread(shell):
    shell.sql("SET threads = 1", "--quiet")


def start(shell, sql, line="", name="job"):
    ran = shell.sql(sql, f"--background -o {name} {line}")
    assert ran.value is None
    return shell.variables[name]


def jobs(shell):
    return shell.cell("%mdsql --jobs").value


# The handle


def test_the_handle_comes_at_once_and_the_result_is_that_of_the_cell(shell):
    job = start(shell, "SELECT range AS a, 'x' || range AS b FROM range(1000)")
    pd.testing.assert_frame_equal(
        job.result(60), shell.sql("SELECT range AS a, 'x' || range AS b FROM range(1000)").value
    )
    assert job.done
    assert (job.progress, job.state, job.exception()) == (100.0, "done", None)
    elapsed = job.elapsed
    assert elapsed > 0
    time.sleep(0.01)
    assert job.elapsed == elapsed  # its clock stands still when it has ended
    assert job.result() is job.result()
    assert "done" in repr(job)
    assert "1,000 rows \N{MULTIPLICATION SIGN} 2 columns" in repr(job)


def test_a_long_one_runs_beside_other_cells(shell):
    job = start(shell, LONG)
    assert not job.done
    assert shell.sql("SELECT 42 AS a").value["a"][0] == 42
    assert job.state == "running"
    assert "running" in repr(job)
    with pytest.raises(StillRunning, match="still running") as caught:
        job.result(timeout=0.1)
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(StillRunning):
        job.exception(timeout=0)
    assert job.cancel()


def test_cancelling_stops_it_and_can_be_repeated(shell):
    job = start(shell, LONG)
    time.sleep(0.2)
    assert job.cancel() is True
    assert job.done
    assert job.cancel() is True
    assert job.state == "cancelled"
    assert job.progress is None
    for _ in range(2):
        with pytest.raises(QueryCancelled, match=r"cancelled by job\.cancel\(\) after (\d+ ms|\d+\.\d s)"):
            job.result()
    assert isinstance(job.exception(), QueryCancelled)


def test_cancelling_what_has_ended_does_nothing(shell):
    job = start(shell, "SELECT 1 AS a")
    job.result(60)
    assert job.cancel() is False
    assert job.result()["a"][0] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(DISTINCT hash(range)) FROM range(3_000_000_000)",
        "SELECT range FROM range(300_000_000) ORDER BY hash(range)",
        "CREATE TABLE made AS SELECT range, hash(range) h FROM range(3_000_000_000)",
        "COPY (SELECT range, hash(range) FROM range(3_000_000_000)) TO 'out.parquet'",
        "SELECT range, range::VARCHAR FROM range(300_000_000)",
    ],
    ids=["aggregation", "sort", "CTAS", "COPY", "large result"],
)
def test_cancelling_in_every_phase(shell, sql):
    job = start(shell, sql)
    time.sleep(0.4)
    assert job.cancel()
    assert job.done
    assert isinstance(job.exception(), QueryCancelled)
    assert shell.sql("SELECT 1 AS a").value["a"][0] == 1
    assert "made" not in shell.sql("SHOW TABLES").value["name"].tolist()


def test_a_failing_one_says_so_and_raises_what_the_cell_raises(shell):
    job = start(shell, "SELECT 1;\nSELECT nothing FROM nowhere")
    said = job.exception(60)
    cell = shell.sql("SELECT 1;\nSELECT nothing FROM nowhere", error=True).error
    assert type(said) is type(cell) is StatementError
    assert str(said) == str(cell)
    assert "Statement 2 of 2" in str(said)
    assert "nowhere" in repr(job)
    assert job.state == "failed"
    assert "nowhere" in job._repr_html_()
    for _ in range(3):
        with pytest.raises(StatementError) as caught:
            job.result()
        assert len(caught.traceback) <= 2  # the frames of the calls before are not in it
        assert type(caught.value.__cause__).__name__ == "CatalogException"
    ran = shell.cell("job.result()", error=True)
    assert ran.error._render_traceback_()[0].startswith("Catalog Error")


def test_an_error_is_escaped_in_a_notebook(shell):
    job = start(shell, "SELECT error('<script>alert(1)</script>')")
    job.wait(60)
    assert "<script>" not in job._repr_html_()
    assert "&lt;script&gt;" in job._repr_html_()


def test_several_await_one_and_the_loop_goes_on(shell):
    job = start(shell, "SELECT count(*) AS n FROM range(200_000_000) WHERE range % 7 = 3")

    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while not job.done:
                ticks += 1
                await asyncio.sleep(0.01)

        async def value():
            return (await job)["n"][0]

        first, second, _ = await asyncio.gather(value(), value(), tick())
        return first, second, ticks

    first, second, ticks = asyncio.run(both())
    assert first == second == job.result()["n"][0]
    assert ticks > 3


def test_awaiting_can_be_given_up_and_the_query_runs_on(shell):
    job = start(shell, LONG)

    async def wait():
        await asyncio.wait_for(job, 0.1)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())
    assert job.state == "running"
    job.cancel()

    async def again():
        return await job

    with pytest.raises(QueryCancelled):
        asyncio.run(again())


def test_await_in_a_cell(shell):
    start(shell, "SELECT 7 AS a")
    assert shell.cell("(await job)['a'][0]").value == 7


# What it sees


def test_it_sees_what_is_committed_and_disturbs_no_transaction(shell):
    shell.sql("CREATE TABLE t AS SELECT 1 AS a; BEGIN; INSERT INTO t VALUES (2)", "--quiet")
    job = start(shell, "SELECT count(*) AS n FROM t")
    assert job.result(60)["n"][0] == 1
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 2
    job = start(shell, "CREATE TABLE other AS SELECT 1 AS a")
    assert job.result(60) is None
    shell.sql("ROLLBACK", "--quiet")
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 1
    assert shell.sql("SELECT count(*) AS n FROM other").value["n"][0] == 1


def test_it_has_the_settings_and_variables_of_the_session(shell):
    shell.sql("SET VARIABLE x = 5; CREATE SCHEMA s; CREATE TABLE s.here AS SELECT 3 AS a; SET schema = 's'", "--quiet")
    job = start(shell, "SELECT a, getvariable('x') AS x FROM here")
    assert job.result(60).to_dict("records") == [{"a": 3, "x": 5}]
    start(shell, "SET VARIABLE x = 6; SET schema = 'main'").result(60)
    assert shell.sql("SELECT a, getvariable('x') AS x FROM here").value.to_dict("records") == [{"a": 3, "x": 5}]


def in_place(frame):
    frame.loc[0, "x"] = 99
    frame.loc[:, "x"] = 98


def by_numpy(frame):
    for values in (frame["x"].to_numpy(), frame["x"].values):  # noqa: PD011 - the old way is one that people use
        values.flags.writeable = True
        values[:] = 97


def by_objects(frame):
    for items in frame["items"]:
        items.append(96)


def by_inserting(frame):
    frame.insert(0, "first", 1)
    del frame["items"]


@pytest.mark.parametrize("change", [in_place, by_numpy, by_objects, by_inserting])
def test_a_dataframe_is_as_it_was_at_the_start(shell, change):
    values = np.arange(3)
    shell.variables["df"] = frame = pd.DataFrame({"x": values}, copy=False)
    frame["items"] = [[1], [2], [3]]
    waits = "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3; SELECT x, items FROM df"
    job = start(shell, waits)
    change(frame)
    result = job.result(30)
    assert result["x"].tolist() == [0, 1, 2]
    assert [list(items) for items in result["items"]] == [[1], [2], [3]]


def test_memory_that_a_dataframe_shares_with_numpy(shell):
    values = np.arange(3)
    shell.variables["df"] = pd.DataFrame({"x": values}, copy=False)
    job = start(shell, "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3; SELECT x FROM df")
    values[:] = 95
    assert job.result(30)["x"].tolist() == [0, 1, 2]


def test_a_polars_frame_is_as_it_was_at_the_start(shell):
    shell.variables["df"] = frame = pl.DataFrame({"x": [0, 1, 2]})
    job = start(shell, "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3; SELECT x FROM df")
    frame[0, "x"] = 9
    frame.extend(frame)
    assert job.result(30)["x"].tolist() == [0, 1, 2]


def test_a_table_that_a_variable_no_longer_holds(shell):
    shell.variables["df"] = pa.table({"x": [1]})
    job = start(shell, "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3; SELECT x FROM df")
    del shell.variables["df"]
    assert job.result(30)["x"].tolist() == [1]


def test_a_relation_and_a_view_over_a_dataframe(shell):
    shell.cell("import duckdb; relation = duckdb.sql('SELECT 5 AS a')")
    assert start(shell, "SELECT a FROM relation").result(60)["a"][0] == 5
    shell.variables["df"] = pd.DataFrame({"x": [1]})
    shell.sql("CREATE VIEW v AS FROM df; CREATE VIEW w AS FROM v", "--quiet")
    assert start(shell, "FROM w").result(60)["x"].tolist() == [1]


def test_tables_that_are_not_named_are_not_copied_and_not_kept(shell):
    shell.variables["big"] = frame = pd.DataFrame({"x": [1]})
    shell.variables["small"] = pd.DataFrame({"y": [1]})
    job = start(shell, LONG + " AND EXISTS (FROM small)")
    gone = weakref.ref(frame)
    del frame, shell.variables["big"]
    gc.collect()
    assert gone() is None
    job.cancel()


def test_parameters_are_bound_at_the_start(shell):
    shell.variables |= {"x": 1, "ids": [1, 2], "raw": bytearray(b"ab")}
    waits = "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3;"
    job = start(
        shell, f"{waits} SELECT :x AS x, :y AS y, list_sum(:ids) AS s, :raw = 'ab'::BLOB AS same", "--param y=x+1"
    )
    shell.variables["x"] = 10
    shell.variables["ids"].append(100)
    shell.variables["raw"][0] = 0
    assert job.result(30).to_dict("records") == [{"x": 1, "y": 2, "s": 3, "same": True}]
    with pytest.raises(ParameterError, match="nothing_here"):
        raise shell.sql("SELECT :nothing_here", "--background", error=True).error


# Temporary objects

_HIDDEN = """
CREATE TABLE mine AS SELECT 7 AS a; CREATE VIEW under AS FROM mine; CREATE VIEW over AS FROM under;
CREATE MACRO first() AS (SELECT min(a) FROM mine); CREATE MACRO any_of(x) AS TABLE FROM query('FROM ' || x);
CREATE TEMP TABLE mine AS SELECT 1 AS a
"""


@pytest.mark.parametrize(
    ("made", "sql", "what"),
    [
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "SELECT * FROM Mine", "temporary table mine"),
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "INSERT INTO mine VALUES (1)", "temporary table mine"),
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "SELECT 1; FROM range(3), temp.mine", "temporary table mine"),
        ("CREATE TABLE mine(a INT); CREATE TEMP TABLE mine AS SELECT 1 AS a", "FROM mine", "temporary table mine"),
        ("CREATE TABLE mine(a INT); CREATE TEMP TABLE mine AS SELECT 1 AS a", "FROM\u00a0mine", "temporary table mine"),
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "INSERT INTO\u2003mine VALUES (1)", "temporary table mine"),
        ("CREATE TABLE data(a INT); CREATE TEMP TABLE data AS SELECT 1 AS a", "FROM data", "temporary table data"),
        ("CREATE TEMP VIEW mine AS SELECT 1 AS a", "DESCRIBE mine", "temporary view mine"),
        ("CREATE TEMP MACRO mine(x) AS x + 1", "SELECT mine(1)", "temporary macro mine"),
        ("CREATE TEMP SEQUENCE mine", "SELECT nextval('mine')", "temporary sequence mine"),
        ("CREATE TEMP TYPE mine AS ENUM ('a')", "SELECT 'a'::mine", "temporary type mine"),
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "FROM query('FROM mine')", "temporary table mine"),
        (_HIDDEN, "FROM over", "temporary table mine"),
        (_HIDDEN, "SELECT first()", "temporary table mine"),
        (_HIDDEN, "FROM any_of('mine')", "temporary table mine"),
    ],
    ids=[
        "read",
        "written",
        "qualified",
        "beside a permanent one",
        "behind an odd blank",
        "written behind one",
        "a keyword",
        "view",
        "macro",
        "sequence",
        "type",
        "in the text of a query",
        "through a view",
        "through a macro",
        "through a macro that computes",
    ],
)
def test_what_is_temporary_is_refused_at_once(shell, made, sql, what):
    shell.sql(made, "--quiet")
    error = shell.sql(sql, "--background", error=True).error
    assert isinstance(error, StatementError)
    assert f"The {what} is this session's own" in str(error)
    assert jobs(shell).empty


def test_the_permanent_table_can_be_named_in_full_and_the_jobs_own_is_its_own(shell):
    shell.sql("CREATE TABLE mine AS SELECT 7 AS a; CREATE TEMP TABLE mine AS SELECT 1 AS a", "--quiet")
    assert start(shell, "FROM memory.main.mine").result(60)["a"][0] == 7
    assert start(shell, "SELECT mine.a AS mine FROM (SELECT 2 AS a) mine").result(60)["mine"][0] == 2
    assert start(shell, "CREATE TEMP TABLE mine AS SELECT 3 AS a; FROM mine").result(60)["a"][0] == 3
    assert shell.sql("FROM mine").value["a"][0] == 1


# With the other options


def test_several_statements_and_their_last_result(shell):
    job = start(shell, "CREATE TABLE t AS SELECT 1 AS a; INSERT INTO t VALUES (2), (3)")
    assert job.result(60) is None
    assert "2 rows inserted" in repr(job)
    assert jobs(shell)["rows"].tolist() == [2]


@pytest.mark.parametrize(("form", "kind"), [("polars", pl.DataFrame), ("arrow", pa.Table), ("dict", dict)])
def test_forms(shell, form, kind):
    result = start(shell, "SELECT 1 AS a", f"--as {form}").result(60)
    assert isinstance(result, kind)


def test_a_reader_is_another_one_each_time(shell):
    job = start(shell, "SELECT range AS a FROM range(10)", "--as reader")
    for _ in range(2):
        reader = job.result(60)
        assert isinstance(reader, pa.RecordBatchReader)
        assert reader.read_all().num_rows == 10


def test_limit_file_and_quiet(shell, tmp_path):
    (tmp_path / "q.sql").write_text("CREATE TABLE t AS SELECT range AS a FROM range(5)")
    job = start(shell, "FROM t ORDER BY a", f"--limit 3 --quiet --file {tmp_path / 'q.sql'}")
    assert job.result(60)["a"].tolist() == [0, 1, 2]
    assert "there are more" in repr(job)


def test_all_and_dry_run_do_not_go_with_it(shell):
    assert "--background gives one handle" in shell.sql("SELECT 1", "--background --all", error=True).message
    error = shell.sql("SELECT 1", "--background --dry-run", error=True).error
    assert isinstance(error, OptionError)


def test_a_time_limit(shell):
    job = start(shell, LONG, "--timeout 0.3")
    with pytest.raises(QueryTimeout, match=r"--timeout 0\.3"):
        job.result(60)
    assert job.state == "cancelled"
    assert start(shell, "SELECT 1 AS a", "--timeout 5").result(60)["a"][0] == 1


def test_a_transaction_of_its_own(shell):
    shell.sql("CREATE TABLE t(a INT)", "--quiet")
    start(shell, "BEGIN; INSERT INTO t VALUES (1); COMMIT").result(60)
    job = start(shell, "BEGIN; INSERT INTO t VALUES (2)")
    with pytest.raises(StatementError, match="COMMIT"):
        job.result(60)
    assert shell.sql("FROM t").value["a"].tolist() == [1]


def test_sql_that_cannot_be_parsed_is_an_error_of_the_cell(shell):
    assert isinstance(shell.sql("SELEC 1", "--background", error=True).error, StatementError)


def test_an_empty_one_has_no_result(shell):
    assert start(shell, "-- nothing").result(60) is None


# Targets


def test_a_file_and_its_closing(shell, tmp_path):
    line = f"duckdb:///{tmp_path / 'd.duckdb'}"
    shell.sql("CREATE TABLE t AS SELECT 1 AS a; SET threads = 1", f"{line} --quiet")
    assert start(shell, "FROM t").result(60)["a"][0] == 1
    job = start(shell, LONG)
    shell.cell("%mdsql --close")
    assert "was closed" in str(job.exception(60))
    assert isinstance(job.exception(), QueryCancelled)


@pytest.mark.parametrize("ending", ["%mdsql --close-all", "%unload_ext md_magic", "%reload_ext md_magic"])
def test_everything_that_closes_cancels(shell, ending):
    running = [start(shell, LONG, name=f"job{number}") for number in range(3)]
    shell.cell(ending)
    assert [type(job.exception(60)) for job in running] == [QueryCancelled] * 3


def test_only_the_jobs_of_the_closed_target(shell, tmp_path):
    other = start(shell, LONG, name="other")
    start(shell, LONG, line=f"duckdb:///{tmp_path / 'd.duckdb'}")
    shell.cell("%mdsql --close")
    assert shell.variables["job"].done
    assert not other.done
    other.cancel()


def test_another_database_in_a_file(shell, tmp_path):
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE t (a INTEGER)")
        made.execute("INSERT INTO t VALUES (4)")
    made.close()
    job = start(shell, "SELECT a FROM t WHERE a = :x", f"sqlite:///{path} --param x=4")
    assert job.result(60)["a"].tolist() == [4]
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
    job = start(shell, long)
    time.sleep(0.2)
    assert job.cancel()
    assert isinstance(start(shell, "SELECT nothing").exception(60), StatementError)


def test_another_database_in_memory_is_refused(shell):
    error = shell.sql("SELECT 1", "sqlite:// --background", error=True).error
    assert isinstance(error, ConnectError)
    assert "Use a file" in str(error)


def test_a_connection_in_a_variable(shell):
    shell.cell("import duckdb; con = duckdb.connect(); _ = con.execute('CREATE TABLE t AS SELECT 8 AS a')")
    assert start(shell, "FROM t", "--engine con").result(60)["a"][0] == 8


def test_it_does_not_change_the_current_target(shell):
    start(shell, "ATTACH ':memory:' AS other; USE other; SELECT 1").result(60)
    assert shell.sql("SELECT current_database() AS d").value["d"][0] == "memory"
    assert shell.cell("%mdsql --connections").value["name"].tolist() == ["duckdb:///:memory:"]


# The list


def test_the_list(shell):
    start(shell, "SELECT range FROM range(5)", name="first").result(60)
    start(shell, "SELECT nothing", name="second").wait(60)
    third = start(shell, LONG, name="third")
    shell.sql("SELECT 1", "--background")
    frame = jobs(shell)
    assert list(frame.columns) == ["name", "target", "state", "progress", "elapsed", "rows", "error"]
    assert frame["name"].tolist() == ["first", "second", "third", "job 4"]
    assert frame["state"].tolist()[:3] == ["done", "failed", "running"]
    assert frame["rows"].tolist()[0] == 5
    assert "nothing" in frame["error"][1]
    third.cancel()
    assert jobs(shell)["state"][2] == "cancelled"


def test_it_is_empty_before_the_first(shell):
    assert jobs(shell).empty


def test_a_dropped_handle_runs_to_the_end_and_its_result_is_let_go(shell):
    shell.cell("import gc")
    job = start(shell, "CREATE TABLE made AS SELECT count(*) AS n FROM range(30_000_000) WHERE hash(range) % 7 = 3")
    gone = weakref.ref(job)
    del job, shell.variables["job"]
    deadline = time.monotonic() + 20
    while jobs(shell)["state"][0] == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert shell.sql("FROM made").value["n"][0] > 0
    assert jobs(shell)["state"].tolist() == ["done"]
    time.sleep(0.1)
    gc.collect()
    assert gone() is None


def test_many_at_once(shell):
    handles = [start(shell, f"SELECT sum(range) + {n} AS a FROM range(1_000_000)", name=f"job{n}") for n in range(20)]
    assert [job.result(30)["a"][0] - handles[0].result()["a"][0] for job in handles] == list(range(20))


def test_progress_of_a_scan(shell):
    shell.sql("CREATE TABLE big AS SELECT range AS i, range * 7 % 1000 AS h FROM range(5_000_000)", "--quiet")
    job = start(shell, "SELECT max(md5(md5(md5((i + h)::VARCHAR)))) FROM big")
    seen = []
    while not job.done:
        seen.append(job.progress)
        time.sleep(0.02)
    known = [share for share in seen if share is not None]
    assert known
    assert all(0 < share < 100 for share in known)
    assert job.progress == 100.0

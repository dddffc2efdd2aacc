"""Background queries on real databases: the handle, what a job sees, how it ends, and what the list says."""

from __future__ import annotations

import _thread
import asyncio
import gc
import threading
import time
import weakref
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from md_magic.engine.cancellation import Limit
from md_magic.engine.results.spec import AS_DICT, AS_FRAME, ResultSpec
from md_magic.errors import (
    ConnectError,
    QueryCancelled,
    QueryInterrupted,
    QueryTimeout,
    StatementError,
    StillRunning,
)
from md_magic.session.background.job import Status

LONG = "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3"
MEDIUM = "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3"
"""Takes long enough for the notebook to change something meanwhile."""


@pytest.fixture
def start(session):
    """Start a background query, on one thread of DuckDB's."""
    list(session.run("SET threads = 1", {}))

    def start(*texts, name="job", **more):
        return session.start(texts, more.pop("variables", {}), name=name, **more)

    return start


# The handle


def test_the_result_is_that_of_the_cell(start, run):
    job = start("SELECT range AS a, 'x' || range AS b FROM range(1000)")
    pd.testing.assert_frame_equal(job.result(10), run("SELECT range AS a, 'x' || range AS b FROM range(1000)"))
    assert job.result() is job.result()
    assert (job.name, job.state, job.done, job.progress, job.exception()) == ("job", "done", True, 100.0, None)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        pytest.param(AS_FRAME._replace(limit=2), [0, 1], id="limited"),
        pytest.param(AS_DICT, [0, 1, 2], id="dict"),
        pytest.param(ResultSpec(form="arrow"), [0, 1, 2], id="arrow"),
    ],
)
def test_a_result_has_the_form_that_is_asked_for(start, spec, value):
    result = start("SELECT range AS a FROM range(3)", spec=spec).result(10)
    assert list(pa.table(result)["a"].to_pylist() if spec.form == "arrow" else result["a"]) == value


def test_a_reader_is_a_new_one_each_time(start):
    job = start("SELECT range AS a FROM range(10)", spec=ResultSpec(form="reader"))
    readers = [job.result(10) for _ in range(2)]
    assert [type(reader) for reader in readers] == [pa.RecordBatchReader] * 2
    assert [reader.read_all().num_rows for reader in readers] == [10, 10]


def test_waiting_ends_when_the_time_is_over_and_the_query_runs_on(start):
    job = start(LONG)
    assert job.wait(0.05) is False
    for wait in (job.result, job.exception):
        with pytest.raises(
            StillRunning, match=r"^job is still running after \d.*\. Call result\(\) again, with a longer"
        ):
            wait(0)
    assert (job.state, job.done) == ("running", False)
    assert job.cancel()


def test_an_interrupt_ends_the_waiting_and_not_the_query(start):
    job = start(LONG)
    threading.Timer(0.2, _thread.interrupt_main).start()
    with pytest.raises(
        QueryInterrupted, match=r"^waiting for job was interrupted; it runs on, and job\.cancel\(\) stops"
    ):
        job.result()
    assert job.state == "running"
    job.cancel()


def test_cancelling_can_be_repeated(start, run):
    job = start(LONG)
    time.sleep(0.2)
    assert [job.cancel(), job.cancel()] == [True, True]
    assert (job.state, job.done, job.progress) == ("cancelled", True, None)
    with pytest.raises(QueryCancelled, match=r"^The background query was cancelled by job\.cancel\(\) after \d+"):
        job.result()
    assert run("SELECT 1 AS a")["a"].tolist() == [1]


def test_a_query_that_has_ended_is_not_cancelled(start):
    job = start("SELECT 1 AS a")
    job.result(10)
    assert job.cancel() is False
    assert job.state == "done"


def test_a_time_limit_says_whose_it_was_and_which_statement_ran(start):
    job = start("SELECT 1", LONG, time_limit=Limit(0.2, "--timeout 0.2"))
    error = job.exception(10)
    assert isinstance(error, QueryTimeout)
    assert str(error).startswith("The background query was cancelled by --timeout 0.2 after ")
    assert str(error).endswith(", in statement 2 of 2.")


def test_an_error_is_that_of_the_cell_and_a_new_one_each_time(start, run):
    sql = "SELECT 1;\nSELECT nothing FROM nowhere"
    job = start(sql)
    with pytest.raises(StatementError) as in_cell:
        run(sql)
    first, second = job.exception(10), job.exception()
    assert type(first) is StatementError
    assert str(first) == str(second) == str(in_cell.value)
    assert first is not second
    assert first.__cause__ is second.__cause__
    for _ in range(3):
        with pytest.raises(StatementError) as caught:
            job.result()
        assert len(caught.traceback) <= 2
    assert job.state == "failed"


def test_a_table_that_cannot_be_copied_is_an_error_at_the_start(session, start):
    class Table:
        def __arrow_c_stream__(self, requested_schema=None):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start("FROM broken", variables={"broken": Table()})
    assert session.jobs().empty


def test_a_job_that_cannot_connect_has_failed(session, use):
    Path("folder").mkdir()
    use("sqlite:///folder/a.db")
    Path("folder").rename("elsewhere")
    job = session.start(["SELECT 1"], {})
    assert "unable to open database file" in str(job.exception(10))
    assert job.state == "failed"
    assert session.jobs()["error"].tolist() == ["unable to open database file"]


def test_several_can_await_one_job_and_the_loop_goes_on(start):
    job = start(MEDIUM.replace("count(*)", "count(*) AS n"))
    ticks = 0

    async def tick():
        nonlocal ticks
        while not job.done:
            ticks += 1
            await asyncio.sleep(0.01)

    async def value():
        return (await job)["n"][0]

    async def everything():
        return await asyncio.gather(value(), value(), tick())

    first, second, _ = asyncio.run(everything())
    assert first == second == job.result()["n"][0]
    assert ticks > 3


def test_awaiting_can_be_given_up(start):
    job = start(LONG)

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


def test_a_handle_that_is_dropped_does_not_end_its_query(start, run):
    start("CREATE TABLE t AS SELECT count(*) AS n FROM range(3_000_000) WHERE hash(range) % 7 = 3")
    gc.collect()
    deadline = time.monotonic() + 10
    while run("SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 't'")["n"][0] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_result_is_gone_with_its_handle(session, start):
    job = start("SELECT 1 AS a", spec=ResultSpec(form="arrow"))
    result = weakref.ref(job.result(10))
    del job
    for thread in [thread for thread in threading.enumerate() if thread.name == "mdsql-job"]:
        thread.join(5)
    gc.collect()
    assert result() is None
    assert session.jobs()["rows"].tolist() == [1]


# What a job sees


def test_tables_and_values_are_those_of_the_start(start):
    buffer = bytearray(b"ab")
    frame = pd.DataFrame({"x": [0, 1, 2], "items": [[1], [2], [3]]})
    variables = {"df": frame, "least": 1, "buffer": buffer, "other": pd.DataFrame({"y": [1]})}
    job = start(f"{MEDIUM}; SELECT x, items, :buffer AS b FROM df WHERE x >= :least", variables=variables)
    frame.loc[:, "x"] = 99
    frame["items"][1].append(100)
    variables["least"] = 3
    buffer[0] = 0
    result = job.result(30)
    assert result["x"].tolist() == [1, 2]
    assert [list(items) for items in result["items"]] == [[2], [3]]
    assert [bytes(value) for value in result["b"]] == [b"ab", b"ab"]


def test_tables_that_are_named_by_way_of_a_view_are_copied_too(start, run):
    frame = pd.DataFrame({"x": [1]})
    run("CREATE VIEW v AS FROM df; CREATE MACRO m() AS TABLE FROM v", {"df": frame})
    job = start(f"{MEDIUM}; FROM m()", variables={"df": frame})
    frame.loc[0, "x"] = 2
    assert job.result(30)["x"].tolist() == [1]


def test_tables_that_are_not_named_are_not_kept(start):
    big = pd.DataFrame({"x": [1]})
    job = start(LONG, variables={"big": big})
    reference = weakref.ref(big)
    del big
    gc.collect()
    assert reference() is None
    job.cancel()


def test_settings_variables_and_schema_are_those_of_the_session(start, run):
    run("CREATE SCHEMA s; CREATE TABLE s.here AS SELECT 3 AS a; SET schema = 's'; SET VARIABLE x = 5")
    assert start("SELECT a, getvariable('x') AS x FROM here").result(10).to_dict("records") == [{"a": 3, "x": 5}]
    start("SET VARIABLE x = 6").result(10)
    assert run("SELECT getvariable('x') AS x")["x"].tolist() == [5]


def test_what_the_session_has_not_committed_is_not_seen(start, run):
    run("CREATE TABLE t AS SELECT 1 AS a; BEGIN; INSERT INTO t VALUES (2)")
    assert start("SELECT count(*) AS n FROM t").result(10)["n"].tolist() == [1]
    assert run("SELECT count(*) AS n FROM t")["n"].tolist() == [2]


@pytest.mark.parametrize(
    ("create", "sql", "what"),
    [
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "FROM mine", "temporary table mine"),
        (
            "CREATE TEMP TABLE mine AS SELECT 1 AS a",
            "CREATE TABLE x AS SELECT 1; FROM temp.mine",
            "temporary table mine",
        ),
        ("CREATE TEMP MACRO mine(x) AS x + 1", "SELECT mine(1)", "temporary macro mine"),
    ],
    ids=["table", "in a later statement", "macro"],
)
def test_temporary_objects_are_refused_and_nothing_runs(session, start, run, create, sql, what):
    run(create)
    with pytest.raises(StatementError, match=f"^The {what} is this session's own, .*Nothing was run"):
        start(sql)
    assert session.jobs().empty
    assert run("SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'x'")["n"].tolist() == [0]


def test_a_temporary_table_of_the_job_is_its_own(start, run):
    run("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    assert start("CREATE TEMP TABLE mine AS SELECT 3 AS a; FROM mine").result(10)["a"].tolist() == [3]
    assert run("FROM mine")["a"].tolist() == [1]


def test_a_transaction_that_is_left_open_is_an_error(start, run):
    run("CREATE TABLE t(a INT)")
    assert "left its transaction open" in str(start("BEGIN; INSERT INTO t VALUES (1)").exception(10))
    start("BEGIN; INSERT INTO t VALUES (2); COMMIT").result(10)
    assert run("FROM t")["a"].tolist() == [2]


def test_a_database_in_a_file_of_sqlite(session, use, run):
    use("sqlite:///a.db")
    run("CREATE TABLE t(a INT); INSERT INTO t VALUES (1), (2)")
    assert session.start(["SELECT a FROM t ORDER BY a"], {}).result(10)["a"].tolist() == [1, 2]
    job = session.start(["INSERT INTO t VALUES (3)"], {})
    assert job.result(10) is None
    assert "1 row inserted" in repr(job)
    assert run("SELECT count(*) AS n FROM t")["n"].tolist() == [3]


def test_a_transaction_that_is_left_open_on_another_database_is_an_error_too(session, use, run):
    use("sqlite:///a.db")
    run("CREATE TABLE t(a INT)")
    assert "left its transaction open" in str(session.start(["BEGIN; INSERT INTO t VALUES (1)"], {}).exception(10))
    assert session.start(["BEGIN; INSERT INTO t VALUES (2); COMMIT"], {}).result(10) is None
    assert run("SELECT a FROM t")["a"].tolist() == [2]


def test_a_database_in_the_memory_of_sqlite_is_refused(session, use):
    use("sqlite://")
    with pytest.raises(ConnectError, match="sqlite:// is in memory, and SQLite shows it to one connection only"):
        session.start(["SELECT 1"], {})
    assert session.jobs().empty


# The list of jobs, and closing


def test_the_list_has_a_row_for_each_job(session, start):
    start("SELECT range AS a FROM range(5)", name="rows").result(10)
    start("CREATE TABLE t AS SELECT range AS a FROM range(3)", name="count").result(10)
    start("SELECT nosuch", name=None).wait(10)
    running = start(LONG, name="long")
    frame = session.jobs()
    assert frame["name"].tolist() == ["rows", "count", "job 3", "long"]
    assert frame["state"].tolist() == ["done", "done", "failed", "running"]
    assert frame["rows"].astype(object).where(frame["rows"].notna(), None).tolist() == [5, 3, None, None]
    assert frame["progress"][0] == 100
    assert frame["target"].unique().tolist() == ["duckdb:///:memory:"]
    assert "nosuch" in frame["error"][2]
    running.cancel()
    assert session.jobs()["state"].tolist()[-1] == "cancelled"


def test_the_list_forgets_the_oldest_that_have_ended(session, start):
    running = start(LONG, name="long")
    for number in range(102):
        start("SELECT 1", name=f"short{number}").result(10)
    names = session.jobs()["name"].tolist()
    running.cancel()
    assert names[0] == "long"
    assert len(names) == 1 + 100 + 1  # the newest had not ended when it was added
    assert names[1] == "short1"


@pytest.mark.parametrize(
    ("close", "words"),
    [
        (lambda session: session.close(), "because duckdb:///:memory: was closed"),
        (lambda session: session.close_all(), "because every connection was closed"),
    ],
    ids=["one", "all"],
)
def test_closing_cancels(session, start, close, words):
    job = start(LONG)
    close(session)
    assert job.done
    assert f"cancelled {words} after" in str(job.exception(0))


def test_closing_another_target_leaves_a_job_alone(session, start, use):
    job = start(LONG)
    use("sqlite://")
    session.close()
    assert job.state == "running"
    job.cancel()


# In words


@pytest.mark.parametrize(
    ("status", "progress", "line"),
    [
        pytest.param(
            {"ended": 102.5}, ["40 %", "", "1,000 rows"], "running · 40 % · 1,000 rows · 2.5 s · md:db", id="running"
        ),
        pytest.param(
            {"ended": 165.0, "state": "done", "rows": 1, "columns": 2},
            ["40 %"],
            "done · 1 row × 2 columns · 1 min 05 s · md:db",
            id="done",
        ),
        pytest.param(
            {"ended": 100.2, "state": "done", "rows": 3, "line": "3 rows inserted"},
            [],
            "done · 3 rows inserted · 200 ms · md:db",
            id="done without rows",
        ),
        pytest.param({"ended": 103.0, "state": "cancelled"}, ["40 %"], "cancelled after 3.0 s · md:db", id="cancelled"),
    ],
)
def test_a_status_in_one_line(status, progress, line):
    assert Status("job", "md:db", began=100.0, **status).summary(progress) == line


def test_a_handle_says_how_it_ended(start):
    job = start("SELECT range AS a, 1 AS b FROM range(1000)")
    job.wait(10)
    assert repr(job).startswith("<job · done · 1,000 rows × 2 columns · ")
    assert repr(job).endswith(" · duckdb:///:memory:>")
    assert job._repr_html_().startswith("<div><b>job</b> · done · 1,000 rows × 2 columns · ")


def test_the_error_of_a_handle_is_below_it_and_escaped_in_a_notebook(start):
    job = start("SELECT error('<script>')", name="<b>")
    job.wait(10)
    head, _, error = repr(job).partition("\n")
    assert head.startswith("<<b> · failed after ")
    assert "<script>" in error
    assert "<script>" not in job._repr_html_()
    assert "<b>&lt;b&gt;</b> · failed after " in job._repr_html_()


def test_a_handle_is_displayed_by_what_was_injected(start):
    job = start("SELECT 1")
    with pytest.raises(NotImplementedError):
        job._ipython_display_()
    shown = []
    job.show = shown.append
    job._ipython_display_()
    assert shown == [job]


def test_who_reads_the_result_is_told(start):
    job = start("SELECT 1")
    reads = []
    job.when_read = lambda: reads.append(threading.current_thread())
    job.result(10)
    assert reads == [threading.current_thread()]


def test_a_transaction_that_was_open_at_a_failure_is_said_to_be_rolled_back(start, run):
    run("CREATE TABLE t(a INT)")
    error = start("BEGIN; INSERT INTO t VALUES (1); SELECT nothing FROM t").exception(10)
    assert error.__notes__[-1] == "\nThe transaction that was open is rolled back."
    assert run("FROM t")["a"].tolist() == []
    assert not hasattr(start("INSERT INTO t VALUES (1); SELECT nothing FROM t").exception(10), "__notes__")

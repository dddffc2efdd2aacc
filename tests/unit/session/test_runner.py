"""Execution a cell's statements on real databases: in order, all read before the first runs, watched and stopped."""

from __future__ import annotations

import threading

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from md_magic.engine.backends.sqlite import SQLiteBackend
from md_magic.engine.cancellation import Execution, Limit
from md_magic.engine.plans.plan import Plan
from md_magic.engine.results.spec import AS_DICT, ResultSpec
from md_magic.errors import (
    FrameError,
    OptionError,
    ParameterError,
    QueryCancelled,
    QueryTimeout,
    StatementError,
)

LONG = "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3"
WHERE = pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"], ids=["DuckDB", "SQLite"])


# Statements, one after the other


@WHERE
def test_statements_run_in_order_and_the_last_result_is_fetched(session, use, target):
    use(target)
    sql = "CREATE TABLE t(a INT); INSERT INTO t VALUES (1), (2); SELECT 5 AS n; SELECT a FROM t ORDER BY a"
    outcomes = list(session.run(sql, {}))
    assert [outcome.statement.number for outcome in outcomes] == [1, 2, 3, 4]
    assert [outcome.rowless for outcome in outcomes[:2]] == [True, True]
    assert outcomes[1].changed == 2
    assert outcomes[3].value["a"].tolist() == [1, 2]


def test_a_result_that_is_not_the_last_is_computed_and_thrown_away(session):
    first, second = session.run("SELECT 1 AS a; SELECT 2 AS a", {})
    assert (first.value, second.value["a"].tolist()) == (None, [2])
    with pytest.raises(StatementError, match=r"Statement 1 of 2 failed; nothing was run\."):
        list(session.run("SELECT error('no') FROM range(3); SELECT 2", {}))


def test_every_result_is_fetched_where_that_is_asked_for(session):
    values = [outcome.value for outcome in session.run("SELECT 1 AS a; SELECT 2 AS a", {}, spec=AS_DICT, every=True)]
    assert values == [{"a": [1]}, {"a": [2]}]


def test_an_outcome_is_given_as_its_statement_ends(session):
    outcomes = session.run("CREATE TABLE t AS SELECT 1 AS a; SELECT error('no')", {})
    assert next(outcomes).changed == 1
    with pytest.raises(StatementError, match="Statement 2 of 2 failed; those before it have run"):
        next(outcomes)


def test_no_statements_have_no_outcome(session):
    assert list(session.run(" -- nothing\n", {})) == []


def test_forms_and_limits_are_those_of_the_spec(session):
    [outcome] = session.run("SELECT range AS a FROM range(10)", {}, spec=ResultSpec(form="arrow", limit=3))
    assert isinstance(outcome.value, pa.Table)
    assert outcome.value.to_pydict() == {"a": [0, 1, 2]}
    assert outcome.limited_to == 3


@WHERE
@pytest.mark.parametrize(
    ("sql", "error"),
    [
        pytest.param("CREATE TABLE t(a INT); SELECT :nothing", ParameterError, id="a parameter without a value"),
        pytest.param("CREATE TABLE t(a INT); SELECT 'x", StatementError, id="text that cannot be read"),
    ],
)
def test_nothing_runs_where_a_later_statement_cannot(use, run, target, sql, error):
    use(target)
    with pytest.raises(error):
        run(sql)
    assert run("CREATE TABLE t(a INT)") is None  # and so it was not made before


# What statements see of the notebook


@WHERE
def test_values_come_from_the_variables_and_before_them_from_the_parameters(use, run, target):
    use(target)
    assert run("SELECT :a AS a, :b AS b", {"a": 1, "b": 2}, parameters={"b": 3}).to_dict("records") == [
        {"a": 1, "b": 3}
    ]


def test_tables_in_variables_can_be_named_and_change_between_cells(run):
    variables = {"frame": pd.DataFrame({"a": [1]}), "other": pl.DataFrame({"b": [2]})}
    assert run("SELECT a, b FROM frame, other", variables).to_dict("records") == [{"a": 1, "b": 2}]
    variables["frame"] = pd.DataFrame({"a": [5]})
    assert run("SELECT a FROM frame", variables)["a"].tolist() == [5]
    with pytest.raises(StatementError, match="frame"):
        run("SELECT a FROM frame")


def test_a_database_other_than_duckdb_does_not_see_tables_in_variables(use, run):
    use("sqlite://")
    with pytest.raises(StatementError, match="no such table: frame"):
        run("SELECT a FROM frame", {"frame": pd.DataFrame({"a": [1]})})


# One cell: watched, limited, stopped


def test_what_a_cell_runs_is_one_execution(session, run):
    running = Execution()
    with session.one_cell(running):
        run("SELECT 1; SELECT 2")
        assert (running.target, running.statement, running.of) == ("duckdb:///:memory:", 2, 2)
        run("SELECT range FROM range(5)")
    assert (running.statement, running.of) == (1, 1)
    assert running.elapsed > 0
    run("SELECT 1; SELECT 2; SELECT 3")
    assert running.of == 1  # the next cell's


def test_a_cell_within_a_cell_ends_without_ending_the_outer_one(session, run):
    outer, inner = Execution(), Execution()
    with session.one_cell(outer):
        with session.one_cell(inner):
            run("SELECT 1; SELECT 2; SELECT 3")
        run("SELECT 1; SELECT 2")
    assert (inner.of, outer.of) == (3, 2)


def test_a_time_limit_stops_the_cell_and_leaves_the_connection_usable(session, run):
    limited = session.one_cell(Execution(limit=Limit(0.2, "--timeout 0.2")))
    with pytest.raises(QueryTimeout, match=r"cancelled by --timeout 0\.2"), limited:
        run(LONG)
    assert run("SELECT 1 AS a")["a"].tolist() == [1]


def test_a_stopped_cell_says_what_became_of_the_transaction(session, run):
    run("CREATE TABLE t(a INT); BEGIN; INSERT INTO t VALUES (1)")
    running = Execution()
    threading.Timer(0.2, running.cancel).start()
    with pytest.raises(QueryCancelled, match="cancelled with the button") as caught, session.one_cell(running):
        run(LONG)
    assert caught.value.__notes__ == [
        "The open transaction was interrupted with it: run ROLLBACK before anything else."
    ]
    run("ROLLBACK")
    assert run("SELECT count(*) AS n FROM t")["n"].tolist() == [0]


def test_a_stop_between_two_statements_keeps_the_second_from_running(session, run):
    running = Execution()
    with pytest.raises(QueryCancelled, match="in statement 2 of 2"), session.one_cell(running):
        for outcome in session.run("CREATE TABLE t(a INT); INSERT INTO t VALUES (1)", {}):
            assert outcome.statement.number == 1
            running.cancel()
    assert run("SELECT count(*) AS n FROM t")["n"].tolist() == [0]


ACTS = {
    "run": lambda session: list(session.run("SELECT 1", {})),
    "background": lambda session: session.start(["SELECT 1"], {}, time_limit=Limit(3, "--timeout 3")),
    "write": lambda session: session.write("t", "df", pd.DataFrame({"a": [1]}), how="create"),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_driver_that_cannot_stop_a_query_refuses_a_time_limit(session, use, act):
    use("sqlite:///a.db").backend.interrupt = None  # as pymysql's
    limited = session.one_cell(Execution(limit=Limit(3, "--timeout 3")))
    with pytest.raises(OptionError, match="--timeout 3: nothing can stop a query on sqlite:///"), limited:
        ACTS[act](session)


# Columns, plans and profiles


def test_columns_are_those_of_the_last_statement_and_nothing_runs(session, run):
    columns = session.describe_result("CREATE TABLE t(a INT); SELECT :a AS a, 'x' AS b", {"a": 1})
    assert columns.to_dict("list") == {"column": ["a", "b"], "type": ["INTEGER", "VARCHAR"]}
    with pytest.raises(StatementError):
        run("FROM t")


@pytest.mark.parametrize("sql", ["", "CREATE TABLE t(a INT)"], ids=["nothing", "a statement without rows"])
def test_columns_of_what_gives_none(session, sql):
    assert session.describe_result(sql, {}).to_dict("list") == {"column": [], "type": []}


def test_columns_of_a_table_in_a_variable(session):
    columns = session.describe_result("FROM frame", {"frame": pd.DataFrame({"a": [1.5]})})
    assert columns.to_dict("list") == {"column": ["a"], "type": ["DOUBLE"]}


def test_columns_are_asked_of_another_database(session, use, run):
    use("sqlite://")
    run("CREATE TABLE t(a INT)")
    assert session.describe_result("SELECT a FROM t", {}).to_numpy().tolist() == [["a", "INT"]]


def test_a_plan_is_that_of_the_last_statement_and_nothing_runs(session, run):
    run("CREATE TABLE t AS SELECT 1 AS a")
    plan = session.plan("INSERT INTO t VALUES (1); SELECT * FROM t WHERE a > :least", {"least": 0}, run=False)
    assert plan.notes == ("The plan of the last of 2 statements. Nothing was run.",)
    assert not plan.analyzed
    assert [operator.name for operator in plan.operators][-1] == "SEQ_SCAN"
    assert run("SELECT count(*) AS n FROM t")["n"].tolist() == [1]
    assert session.plan("FROM t", {}, run=False).notes == ()


def test_a_plan_that_needs_what_was_not_run_says_so(session):
    with pytest.raises(StatementError) as caught:
        session.plan("CREATE TABLE t(a INT); FROM t", {}, run=False)
    assert caught.value.__notes__ == ["\nThis is the last statement, and --explain has not run those before it."]


def test_a_plan_needs_the_values_of_the_last_statement_alone(session):
    assert isinstance(session.plan("SELECT :nothing; SELECT 1 FROM range(3)", {}, run=False), Plan)
    with pytest.raises(ParameterError, match=":nothing has no value"):
        session.plan("SELECT :nothing; SELECT 1", {}, run=True)


@pytest.mark.parametrize("run_it", [False, True], ids=["--explain", "--analyze"])
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param("EXPLAIN SELECT 1", "the cell says EXPLAIN itself", id="an EXPLAIN"),
        pytest.param("SET threads = 1", "SET has no plan, because no rows flow in it; nothing was run", id="no rows"),
        pytest.param("CREATE TABLE made(a INT)", "CREATE TABLE has no plan", id="a CREATE without a query"),
        pytest.param(
            "PIVOT numbers ON a USING count(*)",
            "A PIVOT without its list of values",
            id="a PIVOT",
            marks=pytest.mark.skipif(duckdb.__version__ >= "2", reason="DuckDB 2 has its plan"),
        ),
    ],
)
def test_a_statement_without_a_plan_is_not_run(session, run, sql, message, run_it):
    run("CREATE TABLE numbers AS SELECT 1 AS a")
    with pytest.raises(StatementError, match=message):
        session.plan(sql, {}, run=run_it)
    assert session.tables()["name"].tolist() == ["numbers"]


def test_a_run_that_duckdb_has_not_measured_has_its_estimates(session):
    plan = session.plan("VALUES (1), (2)", {}, run=True)
    assert not plan.analyzed
    assert [operator.name for operator in plan.operators] == ["COLUMN_DATA_SCAN"]
    assert plan.notes[0].startswith("DuckDB ran the statement and measured nothing, as it does for constant rows.")


def test_analyzing_runs_every_statement_once(session, run):
    run("CREATE SEQUENCE s; CREATE TABLE t(a INT)")
    plan = session.plan("INSERT INTO t VALUES (nextval('s')); INSERT INTO t SELECT nextval('s') FROM t", {}, run=True)
    assert plan.analyzed
    assert plan.seconds is not None
    assert run("SELECT a FROM t ORDER BY a")["a"].tolist() == [1, 2]


@pytest.mark.parametrize("run_it", [False, True], ids=["--explain", "--analyze"])
def test_a_plan_of_nothing_names_the_option(session, run_it):
    option = "--analyze" if run_it else "--explain"
    with pytest.raises(StatementError, match=f"{option} needs a statement, and there is none"):
        session.plan("", {}, run=run_it)


def test_the_plan_of_another_database_is_its_own(session, use, run):
    use("sqlite://")
    run("CREATE TABLE t(a INT)")
    assert [operator.name for operator in session.plan("SELECT * FROM t", {}, run=False).operators] == ["SCAN t"]
    with pytest.raises(StatementError, match="--analyze: how sqlite is asked for that is not known here"):
        session.plan("SELECT * FROM t", {}, run=True)


def test_a_plan_that_cannot_be_read_is_the_rows_of_the_explain(session, use, run, monkeypatch):
    monkeypatch.setattr(SQLiteBackend, "reads_plans", False)  # as Trino's and Redshift's
    use("sqlite://")
    run("CREATE TABLE t(a INT)")
    assert session.plan("SELECT * FROM t", {}, run=False)["detail"].tolist() == ["SCAN t"]


@pytest.mark.parametrize("sql", ["t", "FROM t", "SELECT 1; FROM t"])
def test_a_profile_is_of_a_query_or_a_table(session, run, sql):
    run("CREATE TABLE t AS SELECT range AS a FROM range(4)")
    profile = session.profile(sql, {})
    [column] = profile.columns
    assert (profile.rows, column.name, column.smallest, column.largest, column.mean) == (4, "a", 0, 3, 1.5)


def test_statements_before_a_profile_are_run(session):
    profile = session.profile("CREATE TABLE t AS SELECT 7 AS a; FROM t", {})
    assert profile.columns[0].smallest == 7


def test_another_database_is_profiled_by_its_rows(session, use, run):
    use("sqlite://")
    run("CREATE TABLE t(a INT)")
    run("INSERT INTO t VALUES (3), (NULL)")
    [column] = session.profile("t", {}).columns
    assert (column.smallest, column.nulls) == (3, 1)


# Writing


@WHERE
def test_a_table_is_created_replaced_and_appended_to(session, use, run, target):
    use(target)
    frame = pd.DataFrame({"a": [1, 2]})
    assert session.write("t", "frame", frame, how="create") == 2
    assert session.write("t", "frame", frame, how="append") == 2
    assert run("SELECT a FROM t ORDER BY a")["a"].tolist() == [1, 1, 2, 2]
    assert session.write("t", "frame", pa.table({"a": [9]}), how="replace") == 1
    assert run("SELECT a FROM t")["a"].tolist() == [9]


@WHERE
def test_a_table_that_exists_is_not_overwritten(session, use, run, target):
    use(target)
    frame = pd.DataFrame({"a": [1]})
    session.write("t", "frame", frame, how="create")
    with pytest.raises(StatementError, match=r"^t exists already\. Write --append to add rows to it, or --replace"):
        session.write("t", "frame", frame, how="create")
    assert run("SELECT a FROM t")["a"].tolist() == [1]


def test_a_refused_write_is_the_databases_error(session, run):
    run("CREATE TABLE t(a INT NOT NULL)")
    with pytest.raises(StatementError, match="NOT NULL constraint failed"):
        session.write("t", "frame", pd.DataFrame({"a": [1, None]}), how="append")
    assert run("SELECT count(*) AS n FROM t")["n"].tolist() == [0]


def test_what_is_no_table_is_not_written(session):
    with pytest.raises(FrameError, match="--frame x: got list, where a pandas, Polars or Arrow table is needed"):
        session.write("t", "x", [1, 2], how="create")
    assert not session.ready  # and nothing was opened for it

"""`--explain`, `--analyze` and `--profile` as cells: parameters, frames, several statements, other databases, errors."""

from __future__ import annotations

import _thread
import pickle
import threading

import duckdb
import pandas as pd
import pytest

from md_magic.engine.plans.plan import Plan
from md_magic.errors import OptionError, QueryInterrupted, StatementError
from md_magic.session.profile.values import Profile


@pytest.fixture
def made(shell):
    shell.sql("CREATE TABLE t AS SELECT range AS i, range % 7 AS g FROM range(10_000)")
    return shell


def test_explain_runs_nothing(made):
    made.sql("CREATE SEQUENCE once")
    plan = made.sql("SELECT nextval('once') FROM t", "--explain").value
    assert type(plan) is Plan
    assert not plan.analyzed
    made.sql("DELETE FROM t", "--explain")
    assert made.sql("SELECT nextval('once') AS n, (SELECT count(*) FROM t) AS rows").value.iloc[0].tolist() == [
        1,
        10_000,
    ]


def test_analyze_runs_and_gives_rows_and_times(made):
    plan = made.sql("SELECT g, count(*) FROM t GROUP BY g", "--analyze").value
    assert plan.analyzed
    assert plan.operators[0].rows == 7
    assert plan.seconds > 0
    made.sql("DELETE FROM t WHERE i < 10", "--analyze")
    assert made.sql("SELECT count(*) AS n FROM t").value.n.tolist() == [9990]


def test_parameters_frames_and_out(made):
    made.variables.update(limit=500, df=pd.DataFrame({"i": [1, 2, 3]}))
    plan = made.sql("SELECT * FROM t JOIN df USING (i)\nWHERE i < :limit", "--analyze -o p")
    assert plan.value is None
    assert made.variables["p"].operators[0].rows == 3
    assert "500" in str([one.extra for one in made.variables["p"].operators])
    assert made.cell("%mdsql --explain --param limit=7 SELECT * FROM t WHERE i < :limit").value.operators
    assert made.sql("FROM t WHERE i < :limit", "--profile").value.rows == 500
    assert made.cell("%mdsql --profile df").value.columns[0].largest == 3
    made.cell("q = %mdsql --profile t")
    assert type(made.variables["q"]) is Profile
    assert made.variables["q"].frame["rows"].tolist() == [10_000, 10_000]


def test_of_several_statements_explain_runs_none_and_analyze_all(made):
    plan = made.sql("INSERT INTO t VALUES (1, 1); SELECT * FROM t", "--explain").value
    assert plan.notes == ("The plan of the last of 2 statements. Nothing was run.",)
    assert made.sql("SELECT count(*) AS n FROM t").value.n.tolist() == [10_000]
    failed = made.sql("CREATE TABLE new(i INT);\nSELECT * FROM new", "--explain", error=True)
    assert "LINE 2" in failed.message
    assert "have run" not in failed.message
    assert "has not run those before it" in failed.error.__notes__[0]
    plan = made.sql("INSERT INTO t VALUES (1, 1); SELECT * FROM t", "--analyze").value
    assert plan.operators[0].rows == 10_001
    assert made.sql("CREATE TABLE new AS FROM range(3); FROM new", "--profile").value.rows == 3
    failed = made.sql("SELECT 1; SELECT nope FROM t", "--analyze", error=True)
    assert "Statement 2 of 2 failed; those before it have run." in failed.message


@pytest.mark.parametrize("option", ["--explain", "--analyze"])
@pytest.mark.parametrize(
    "sql",
    [
        "SET threads = 1",
        "BEGIN",
        "PRAGMA version",
        "-- a comment\nPRAGMA version",
        "CREATE VIEW v AS FROM t",
        "CREATE TABLE v(i INT)",
        "CREATE MACRO v() AS 1",
        "DROP TABLE t",
        "PREPARE v AS SELECT 1",
        "ATTACH ':memory:' AS v",
        "ALTER TABLE t ADD COLUMN v INT",
    ],
)
def test_what_has_no_plan_says_so_and_is_not_run(made, option, sql):
    failed = made.sql(sql, option, error=True)
    assert isinstance(failed.error, StatementError)
    assert "has no plan" in failed.message
    state = made.sql(
        "SELECT (SELECT count(*) FROM t) AS rows, (SELECT count(*) FROM duckdb_views() WHERE view_name = 'v') AS views"
    ).value
    assert state.iloc[0].tolist() == [10_000, 0]
    assert made.sql("FROM t LIMIT 1").value.columns.tolist() == ["i", "g"]
    assert made.magics.session.connections()["state"].tolist() == ["open"]


def test_an_explain_of_ones_own_stays_as_duckdb_gives_it(made):
    assert made.sql("EXPLAIN SELECT 1").value.columns.tolist() == ["explain_key", "explain_value"]
    assert "says EXPLAIN itself" in made.sql("EXPLAIN SELECT 1", "--explain", error=True).message


def shown(made, value):
    return made.ip.display_formatter.format(value)[0]


def test_a_typed_explain_is_shown_as_text_and_stays_a_frame(made):
    plan = made.sql("EXPLAIN SELECT count(*) FROM t").value
    plain = made.magics.session.use().backend.native.execute("EXPLAIN SELECT count(*) FROM t").df()
    pd.testing.assert_frame_equal(plan, plain)
    assert type(plan) is pd.DataFrame
    data = shown(made, plan)
    text, hint = data["text/plain"].split("\n\n")
    assert text == plain.explain_value[0].rstrip("\n")
    assert "\n│" in text
    assert hint == "Write --explain above the statement, without its EXPLAIN, and this plan is drawn as a tree."
    assert text in data["text/html"].replace("&gt;", ">").replace("&lt;", "<")
    assert "<table" in shown(made, plan.copy())["text/html"]
    assert pd.DataFrame(pickle.loads(pickle.dumps(plan))).equals(plain)  # noqa: S301 - of ours


@pytest.mark.parametrize(
    ("sql", "option"),
    [("EXPLAIN ANALYZE SELECT 1", "--analyze"), ("/* c */ explain SELECT '<b>'", "--explain")],
)
def test_a_typed_explain_names_the_option_that_draws_it(made, sql, option):
    data = shown(made, made.sql(sql).value)
    assert f"Write {option} above" in data["text/plain"]
    assert "<b>" not in data["text/html"]


def test_each_of_several_plans_has_its_name(made):
    made.sql("SET explain_output = 'all'")
    text = shown(made, made.sql("EXPLAIN SELECT 1").value)["text/plain"]
    assert [line for line in text.split("\n") if line.endswith("_plan")] == ["logical_plan", "physical_plan"]


@pytest.mark.parametrize("line", ["--as polars", "--all", "-o kept"])
def test_a_typed_explain_in_another_form(made, line):
    ran = made.sql("EXPLAIN SELECT 1; EXPLAIN SELECT 2", line)
    value = made.variables["kept"] if "kept" in line else ran.value
    assert "drawn as a tree" in shown(made, value)["text/plain"]
    if line == "--all":
        assert "drawn as a tree" in ran.displayed[0].data["text/plain"]


def test_a_plan_that_is_a_table_stays_one_with_the_hint_below(made):
    plan = made.sql("/* c */ EXPLAIN  QUERY PLAN SELECT * FROM sqlite_master", "sqlite://").value
    data = shown(made, plan)
    assert "SCAN sqlite_master" in data["text/plain"]
    assert data["text/plain"].startswith("   id  parent")
    assert data["text/plain"].endswith(
        "\n\nWrite --explain above the statement, without its EXPLAIN QUERY PLAN, and this plan is drawn as a tree."
    )
    assert "<table" in data["text/html"]
    assert "drawn as a tree" in data["text/html"]
    assert "drawn" not in shown(made, made.sql("EXPLAIN SELECT 1").value)["text/plain"]


def test_statements_that_duckdb_does_not_measure_show_their_estimates(made):
    plan = made.sql("INSERT INTO t VALUES (7, 7)", "--analyze").value
    assert "measured nothing" in plan.notes[0]
    assert made.sql("SELECT count(*) AS n FROM t").value.n.tolist() == [10_001]


@pytest.mark.parametrize("option", ["--explain", "--analyze"])
def test_the_plan_of_a_pivot(made, option):
    sql = "PIVOT t ON g USING count(*)"
    if duckdb.__version__ < "2":  # which runs it as several statements
        assert "PIVOT" in made.sql(sql, option, error=True).message
    else:
        assert "PROJECTION" in shown(made, made.sql(sql, option).value)["text/plain"]


@pytest.mark.parametrize("option", ["--explain", "--analyze", "--profile"])
def test_errors_are_duckdbs_with_the_cells_own_lines(made, option):
    failed = made.sql("SELECT i\nFROM t\nWHERE nope = 1", option, error=True)
    assert failed.message.startswith("Binder Error: Referenced column")
    assert "LINE 3: WHERE nope = 1\n              ^" in failed.message
    assert "no value" in made.sql("FROM t WHERE i = :missing", option, error=True).message
    assert "needs a statement" in made.sql("", option, error=True).message
    assert made.sql("SELECT 1 AS x").value.x.tolist() == [1]


def test_the_modes_exclude_each_other(made):
    assert isinstance(made.sql("SELECT 1", "--explain --profile", error=True).error, OptionError)


def test_another_database_gives_its_own_plan(shell):
    found = shell.sql("SELECT 1", "sqlite:///:memory: --explain").value
    assert [operator.name for operator in found.operators] == ["SCAN CONSTANT ROW"]
    assert "sqlite" in shell.sql("SELECT 1", "--analyze", error=True).message
    assert shell.sql("SELECT 1 AS a", "--profile").value.columns[0].smallest == 1


def test_a_file_is_explained(made, tmp_path):
    path = tmp_path / "q.sql"
    path.write_text("SELECT count(*) FROM t")
    assert made.cell(f"%mdsql --explain --file {path}").value.operators


@pytest.mark.parametrize("option", ["--analyze", "--profile"])
def test_an_interrupt_stops_it_and_keeps_the_connection(made, option):
    made.sql("CREATE TEMP TABLE kept AS SELECT 1 AS x")
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    failed = made.sql("SELECT a.i, md5(b.i::TEXT) AS m FROM t a, t b, t c", option, error=True)
    timer.join()
    assert isinstance(failed.error, QueryInterrupted)
    assert made.sql("FROM kept").value.x.tolist() == [1]


def test_a_time_limit_holds(made):
    failed = made.sql("SELECT a.i, md5(b.i::TEXT) AS m FROM t a, t b, t c", "--profile --timeout 0.5", error=True)
    assert "0.5" in failed.message


def test_the_drawing_is_html_and_text_and_nothing_else(made):
    formatter = made.ip.display_formatter
    for option in ("--explain", "--analyze", "--profile"):
        data, _ = formatter.format(made.sql("SELECT '<b>' AS b FROM t", option).value)
        assert set(data) == {"text/plain", "text/html"}
        assert "<script" not in data["text/html"]
        assert "<b>&lt;" not in data["text/plain"]
        assert ("operator" in data["text/plain"]) is (option != "--profile")


def test_a_cell_of_a_terminal_shows_the_drawing(made):
    assert "3 rows × 1 column.\ncolumn  type" in made.sql("FROM range(3)", "--profile").printed
    printed = made.sql("FROM t", "--explain").printed
    assert "as the optimizer plans it; each reads from those below.\nestimated  operator" in printed


def test_an_unloaded_extension_draws_nothing(made):
    plan = made.sql("FROM t", "--explain").value
    formatter = made.ip.display_formatter
    assert set(formatter.format(plan)[0]) == {"text/plain", "text/html"}
    made.ip.run_line_magic("unload_ext", "md_magic")
    data, _ = formatter.format(plan)
    assert set(data) == {"text/plain"}
    assert data["text/plain"].startswith("Plan(operators=(")

"""Cells on the embedded default: values, state from cell to cell, parameters, frames, forms."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy

from md_magic.errors import FrameError, MdMagicError


def test_a_cell_gives_a_frame(shell):
    assert shell.sql("select 1 as a, 'x' as b").value.to_dict("records") == [{"a": 1, "b": "x"}]


def test_a_line_can_be_assigned(shell):
    shell.cell("df = %mdsql select 42 as x")
    assert shell.variables["df"].x.tolist() == [42]


def test_a_line_inside_a_function_sees_its_variables(shell):
    shell.cell("def f(n, frame):\n    out = %mdsql select sum(a) * :n as s from frame\n    return out\n")
    shell.variables["pd"] = pd
    assert shell.cell("f(10, pd.DataFrame({'a': [1, 2]})).s[0]").value == 30


def test_braces_and_dollars_are_not_expanded(shell):
    shell.variables["x"] = "SHOULD NOT APPEAR"
    assert shell.cell("%mdsql select '{x} $x' as a").value.a.tolist() == ["{x} $x"]
    assert shell.sql("select '{x} $x' as a").value.a.tolist() == ["{x} $x"]


@pytest.mark.parametrize("end", [";", " ;\n", ";\n-- done"])
def test_a_semicolon_at_the_end_does_not_silence_the_cell(shell, end):
    assert shell.sql(f"select 1 as a{end}").value.a.tolist() == [1]
    assert "a" in shell.sql(f"select 1 as a{end}").printed


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("insert into t values (1), (2)", "2 rows inserted"),
        ("insert into t values (1)", "1 row inserted"),
        ("update t set i = 5", "1 row updated"),
        ("delete from t", "1 row deleted"),
        ("copy t to 'out.csv'", "1 row copied"),
        ("create table u as from t", "1 row inserted"),
        ("create table u(i int)", "CREATE done"),
        ("set threads = 1", "SET done"),
    ],
)
def test_a_statement_without_rows_says_what_it_did(shell, sql, line):
    shell.sql("create table t(i int); insert into t values (0)", "--quiet")
    ran = shell.sql(sql)
    assert ran.value is None
    assert ran.printed.strip() == line
    assert shell.sql("select 1", "--quiet -o _ignored").printed == ""


def test_quiet_says_nothing(shell):
    assert shell.sql("create table t(i int)", "--quiet").printed == ""


@pytest.mark.parametrize("sql", ["", "   \n", "-- only a comment", "/* c */ ;"])
def test_a_cell_without_a_statement_does_nothing(shell, sql):
    assert shell.sql(sql).value is None


def test_several_statements_give_the_last_value(shell):
    ran = shell.sql("create table t(i int); insert into t values (1); select i + 1 as j from t; ")
    assert ran.value.j.tolist() == [2]
    assert ran.printed.count("inserted") == 0


def test_all_displays_every_result(shell):
    ran = shell.sql("select 1 as a; select 2 as b; create table t(i int); select 3 as c", "--all")
    shown = [output.data["text/plain"] for output in ran.displayed]
    assert [text.split()[0] for text in shown] == ["a", "b"]
    assert "CREATE done" in ran.printed
    assert ran.value.c.tolist() == [3]


def test_a_failing_statement_says_which_and_keeps_those_before(shell):
    ran = shell.sql("create table t(i int); insert into t values (1);\nselect nope from t; select 4", error=True)
    assert ran.message.startswith('Binder Error: Referenced column "nope" not found')
    assert "LINE 2" in ran.message
    assert "Statement 3 of 4 failed" in ran.message
    assert shell.sql("select count(*) as n from t").value.n.tolist() == [1]


def test_an_early_select_is_run_to_its_end(shell):
    shell.sql("create sequence s; select nextval('s') from range(5000); select 1")
    assert shell.sql("select currval('s') as v").value.v.tolist() == [5000]
    ran = shell.sql("select error('early') from range(5); select 1", error=True)
    assert "early" in ran.message


def test_nothing_runs_where_a_later_statement_does_not_parse(shell):
    shell.sql("create table t(i int); selecct 1", error=True)
    assert shell.cell("%mdsql --tables").value.empty


# ---- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["", "duckdb:///a.duckdb"])
def test_state_lives_from_cell_to_cell(shell, target):
    shell.sql("create temp table tt as select 1 as a", target)
    shell.sql("set variable v = 5")
    shell.sql("set timezone = 'Asia/Tokyo'")
    shell.sql("create schema s; use s; create macro m(x) as x * 2")
    shell.sql("attach ':memory:' as other; create table other.t as select 7 as a")
    shell.sql("prepare p as select $1 + 1 as b")
    assert shell.sql("from tt").value.a.tolist() == [1]
    assert shell.sql("select getvariable('v') as v, current_schema() as s, m(4) as m").value.iloc[0].tolist() == [
        5,
        "s",
        8,
    ]
    assert shell.sql("from other.t").value.a.tolist() == [7]
    assert shell.sql("execute p(1)").value.b.tolist() == [2]
    assert shell.sql("select current_setting('timezone') as z").value.z.tolist() == ["Asia/Tokyo"]


def test_transactions_live_from_cell_to_cell(shell):
    shell.sql("create table t(i int)")
    shell.sql("begin")
    shell.sql("insert into t values (1)")
    assert shell.cell("%mdsql --connections").value.state.tolist() == ["in transaction"]
    shell.sql("rollback")
    assert shell.cell("%mdsql --connections").value.state.tolist() == ["open"]
    assert shell.sql("select count(*) as n from t").value.n.tolist() == [0]
    shell.sql("begin transaction; insert into t values (2); commit")
    assert shell.sql("from t").value.i.tolist() == [2]


def test_an_error_does_not_abort_what_follows(shell):
    shell.sql("create table t(i int primary key)")
    shell.sql("insert into t values (1), (1)", error=True)
    shell.sql("insert into t values (1)")
    assert shell.sql("from t").value.i.tolist() == [1]


@pytest.mark.parametrize("line", ["", "--as arrow", "--as dict"])
def test_all_displays_the_results_of_a_file_and_of_the_cell(shell, tmp_path, line):
    (tmp_path / "two.sql").write_text("SELECT 1 AS first; SELECT 2 AS second")
    ran = shell.sql("CREATE TABLE t(i INT); SELECT 3 AS third", f"--all --file {tmp_path}/two.sql {line}")
    texts = [output.data["text/plain"] for output in ran.displayed]
    assert ["first" in texts[0], "second" in texts[1], "third" in str(ran.value), len(texts)] == [True, True, True, 2]


def test_every_statement_commits_by_itself(shell):
    shell.sql("create table t(i int); insert into t values (1)", "duckdb:///a.duckdb")
    shell.cell("%mdsql --close-all")
    with duckdb.connect("a.duckdb") as native:
        assert native.execute("from t").fetchall() == [(1,)]


def test_other_connections_of_a_session_see_the_same_memory_database(shell):
    shell.sql("create table t as select 1 as a")
    [database] = shell.magics.session.pool
    seen = []
    thread = threading.Thread(
        target=lambda: seen.extend(database.backend.engine.connect().execute(sqlalchemy.text("from t")))
    )
    thread.start()
    thread.join()
    assert seen == [(1,)]


# ---- the pool -----------------------------------------------------------------------------------------------------------


def test_a_repeated_cell_opens_nothing(shell, monkeypatch):
    shell.sql("select 1", "duckdb:///a.duckdb")
    opened = []
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *args, **kwargs: opened.append(args) or connect(*args, **kwargs))
    for target in ("duckdb:///a.duckdb", "duckdb:///./a.duckdb", f"duckdb:///{Path.cwd() / 'a.duckdb'}", ""):
        shell.sql("select 1", target)
    assert opened == []
    assert len(shell.cell("%mdsql --connections").value) == 1


def test_naming_a_target_makes_it_current(shell):
    shell.sql("create table t as select 'file' as place", "duckdb:///a.duckdb --alias a")
    shell.cell("%mdsql duckdb:///:memory:")
    shell.sql("create table t as select 'memory' as place")
    assert shell.sql("from t", "@a").value.place.tolist() == ["file"]
    assert shell.sql("from t").value.place.tolist() == ["file"]
    frame = shell.cell("%mdsql --connections").value
    assert frame.alias.tolist() == ["a", ""]
    assert frame.current.tolist() == [True, False]


def test_an_unknown_alias_lists_the_known_ones(shell):
    shell.sql("select 1", "--alias prod")
    ran = shell.sql("select 1", "@prd", error=True)
    assert "'@prd'" in ran.message
    assert "Did you mean @prod?" in ran.message


def test_aliases_come_from_the_configuration(shell):
    shell.cell("%config MdsqlMagics.targets = {'local': 'duckdb:///conf.duckdb'}")
    shell.sql("create table t(i int)", "@local")
    assert Path("conf.duckdb").exists()


def test_the_default_target_is_a_setting(shell):
    shell.cell("%config MdsqlMagics.default_target = 'duckdb:///default.duckdb'")
    shell.sql("create table t(i int)")
    assert Path("default.duckdb").exists()


def test_closing_is_idempotent(shell):
    shell.sql("select 1", "duckdb:///a.duckdb")
    assert "closed" in shell.cell("%mdsql --close").printed
    assert "Nothing is open" in shell.cell("%mdsql --close").printed
    assert "not open" in shell.cell("%mdsql --close duckdb:///a.duckdb").printed
    assert "0 connections closed" in shell.cell("%mdsql --close-all").printed
    assert shell.sql("select 1 as a").value.a.tolist() == [1]


def test_a_closed_file_can_be_opened_by_another_process(shell):
    shell.sql("create table t as select 5 as a", "duckdb:///a.duckdb")
    shell.cell("%mdsql --close")
    code = "import duckdb; print(duckdb.connect('a.duckdb').execute('from t').fetchall())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[(5,)]\n"


def test_a_dead_connection_is_replaced_where_nothing_is_lost(shell):
    shell.sql("create table t as select 1 as a; set variable x = 1", "duckdb:///a.duckdb")
    [database] = shell.magics.session.pool
    database.backend.native.close()
    ran = shell.sql("from t")
    assert ran.value.a.tolist() == [1]
    assert "again" in ran.printed
    assert "variables x" in ran.printed


def test_a_dead_connection_with_a_temporary_table_is_an_error_that_names_it(shell):
    shell.sql("create table t as select 1 as a; create temp table tt as select 2 as b", "duckdb:///a.duckdb")
    [database] = shell.magics.session.pool
    database.backend.native.close()
    error = shell.sql("from t", error=True).error
    assert "temporary table tt" in "".join(error.__notes__)
    ran = shell.sql("from t")
    assert ran.value.a.tolist() == [1]
    assert "again" in ran.printed
    assert "tt" in ran.printed


def test_an_interrupt_that_nobody_here_asked_for_says_what_else_it_may_be(shell):
    shell.sql("select 1 as a")
    [database] = shell.magics.session.pool
    native, ended = database.backend.native, threading.Event()

    def interrupt():
        while not ended.wait(0.3):
            native.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    error = shell.sql("select max(hash(i)) as h from range(20_000_000_000) r(i)", error=True).error
    ended.set()
    thread.join()
    assert "Interrupted" in str(error)
    assert "run the cell again" in "".join(error.__notes__)
    assert shell.sql("select 2 as a").value.a.tolist() == [2]


def test_cells_may_run_in_several_threads(shell):
    shell.sql("create table t(i int)")
    session = shell.magics.session
    errors = []

    def insert(number):
        try:
            for _ in range(20):
                list(session.run("insert into t values (:number)", {"number": number}))
        except Exception as error:  # noqa: BLE001 - reported by the assertion
            errors.append(error)

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert shell.sql("select count(*) as n from t").value.n.tolist() == [80]


# ---- engines and configuration ---------------------------------------------------------------------------------------


def test_an_engine_of_the_users_own(shell):
    engine = shell.variables["engine"] = sqlalchemy.create_engine("duckdb:///own.duckdb")
    shell.sql("create table t as select 1 as a", "--engine engine")
    shell.sql("begin; insert into t values (2); commit")
    shell.cell("%mdsql --close-all")
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("select count(*) from t")).scalar() == 2
    engine.dispose()


def test_a_duckdb_connection_of_the_users_own_is_shared_and_left_open(shell):
    native = shell.variables["con"] = duckdb.connect()
    native.execute("create temp table tt as select 1 as a")
    assert shell.sql("from tt", "--engine con").value.a.tolist() == [1]
    shell.sql("create temp table uu as select 2 as a")
    shell.cell("%mdsql --close-all")
    assert native.execute("from uu").fetchall() == [(2,)]
    native.close()


def test_the_users_own_connection_draws_no_bar_while_it_is_used_and_has_its_setting_back(shell):
    def setting(native):
        return native.execute("SELECT current_setting('enable_progress_bar_print')").fetchone()

    with duckdb.connect() as bar, duckdb.connect() as none:
        bar.execute("SET enable_progress_bar = true")
        none.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        shell.variables |= {"bar": bar, "none": none}
        for name in ("bar", "none"):
            shell.cell(f"%mdsql --engine {name}")
        assert setting(bar) == setting(none) == (False,)
        shell.cell("%mdsql --close-all")
        assert setting(bar) == (True,)
        assert setting(none) == (False,)


def test_a_users_engine_gets_its_connection_back_with_its_bar(shell):
    pool = sqlalchemy.create_engine("duckdb://", poolclass=sqlalchemy.pool.StaticPool)
    shell.variables["engine"] = pool
    ask = sqlalchemy.text("SELECT current_setting('enable_progress_bar_print')")
    with pool.connect() as connection:
        connection.execute(sqlalchemy.text("SET enable_progress_bar = true"))
    assert not shell.sql(ask.text, "--engine engine").value.iloc[0, 0]
    shell.cell("%mdsql --close-all")
    with pool.connect() as connection:
        assert connection.execute(ask).scalar() is True
    pool.dispose()


def test_a_sqlite_engine(shell):
    engine = shell.variables["lite"] = sqlalchemy.create_engine("sqlite://")
    shell.sql("create table t(i int); insert into t values (1), (2)", "--engine lite --alias lite")
    shell.variables["ids"] = [2, 3]
    assert shell.sql("select i from t where i in :ids", "@lite").value.i.tolist() == [2]
    shell.sql("begin; delete from t; rollback")
    assert shell.sql("select count(*) as n from t where ':x' = ':x'").value.n.tolist() == [2]
    engine.dispose()


def test_a_closed_connection_of_the_users_own_is_not_replaced(shell):
    native = shell.variables["con"] = duckdb.connect()
    shell.sql("select 1", "--engine con --alias mine")
    shell.cell("%mdsql --close")
    assert "run `%mdsql --engine con` again" in shell.sql("select 1", "@mine", error=True).message
    shell.sql("select 1", "--engine con")
    native.close()
    shell.sql("select 1", error=True)
    assert "only you can open it" in shell.sql("select 1", error=True).message


def test_engine_refuses_what_is_none(shell):
    shell.variables["df"] = pd.DataFrame()
    assert "DataFrame" in shell.sql("select 1", "--engine df", error=True).message
    assert "no Python variable 'nope'" in shell.sql("select 1", "--engine nope", error=True).message


def test_a_configuration_dictionary(shell):
    shell.variables["config"] = {"threads": 1, "default_null_order": "nulls_first"}
    frame = shell.sql(
        "select current_setting('threads') as t, current_setting('default_null_order') as o",
        "duckdb:///a.duckdb --config config",
    ).value
    assert frame.iloc[0].tolist() == [1, "NULLS_FIRST"]
    shell.variables["other"] = {"threads": 2}
    assert "another configuration" in shell.sql("select 1", "duckdb:///a.duckdb --config other", error=True).message
    shell.variables["nodict"] = 5
    assert "int" in shell.sql("select 1", "duckdb:///b.duckdb --config nodict", error=True).message


def test_settings_in_the_uri(shell):
    frame = shell.sql("select current_setting('threads') as t", "duckdb:///a.duckdb?threads=1").value
    assert frame.t.tolist() == [1]


# ---- parameters and frames -------------------------------------------------------------------------------------------


def test_parameters_are_bound(shell):
    shell.variables.update(name="o'brien; drop table t", ids=[1, 3], none=None)
    frame = shell.sql("select :name as n, 3 in :ids as i, 2 in (:ids) as j, :none is null as k, $name as d").value
    assert frame.iloc[0].tolist() == ["o'brien; drop table t", True, False, True, "o'brien; drop table t"]


@pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"])
def test_in_takes_a_list_or_values_in_parentheses(shell, target):
    shell.variables.update(ids=[1, 3], one=3, none=[])
    sql = "select 3 in (:ids) as a, 3 in :ids as b, 3 in (:one) as c, 3 in (:one, 4) as d, 3 in (:none) as e"
    assert shell.sql(sql, target).value.iloc[0].astype(bool).tolist() == [True, True, True, True, False]


def test_a_parameter_without_a_variable_is_named(shell):
    shell.variables["limits"] = 5
    ran = shell.sql("create table t(i int); select :limit", error=True)
    assert ":limit has no value" in ran.message
    assert "Did you mean :limits?" in ran.message
    assert shell.cell("%mdsql --tables").value.empty


def test_param_overrides_a_variable_and_is_any_expression(shell):
    shell.variables["n"] = 2
    assert shell.sql("select :n as n, :m as m", "--param n=n+40 --param m=len('abc')").value.iloc[0].tolist() == [42, 3]
    assert "NameError" in shell.sql("select :n", "--param n=nope", error=True).message


def test_frames_are_queried_by_name_and_tables_win(shell):
    shell.variables["t"] = pd.DataFrame({"a": ["frame"]})
    assert shell.sql("from t").value.a.tolist() == ["frame"]
    shell.variables["t"] = pl.DataFrame({"a": ["changed"]})
    assert shell.sql("from t").value.a.tolist() == ["changed"]
    shell.sql("create table t as select 'table' as a")
    assert shell.sql("from t").value.a.tolist() == ["table"]
    shell.sql("create schema s; create view s.w as select 'view' as a; use s")
    shell.variables["w"] = pa.table({"a": ["frame"]})
    assert shell.sql("from w").value.a.tolist() == ["view"]


def test_our_own_variables_are_never_seen(shell):
    for name in ("statement", "parameters", "context", "self", "text", "native", "frames", "call", "sql"):
        assert "does not exist" in shell.sql(f"from {name}", error=True).message


def test_frames_are_released_after_the_cell(shell):
    class Frame(pd.DataFrame):
        pass

    shell.variables["frame"] = Frame({"a": [1, 2]})
    gone = weakref.ref(shell.variables["frame"])
    assert shell.sql("select sum(a) as s from frame", "duckdb:///a.duckdb").value.s.tolist() == [3]
    shell.sql("select nope from frame", error=True)
    shell.sql("create table copied as from frame")
    del shell.variables["frame"]
    shell.ip.user_ns.pop("_", None)
    gc.collect()
    assert gone() is None
    assert shell.sql("from copied").value.a.tolist() == [1, 2]


# ---- forms and options -----------------------------------------------------------------------------------------------


def test_forms(shell):
    sql = "select 1 as a, 'x' as b"
    assert isinstance(shell.sql(sql, "--as arrow").value, pa.Table)
    assert isinstance(shell.sql(sql, "--as polars").value, pl.DataFrame)
    assert shell.sql(sql, "--as dict").value == {"a": [1], "b": ["x"]}
    assert shell.sql(sql, "--as reader").value.read_all().to_pylist() == [{"a": 1, "b": "x"}]
    shell.cell("%config MdsqlMagics.format = 'dict'")
    assert shell.sql(sql).value == {"a": [1], "b": ["x"]}


def test_a_reader_streams_while_other_cells_run(shell):
    shell.sql("set variable v = 7; create schema s; create table s.t as select range as a from range(500000); use s")
    shell.sql("select a + getvariable('v') as b from t order by a", "--as reader -o reader")
    first = shell.variables["reader"].read_next_batch()
    shell.sql("create table s.u as select 1 as c")
    rest = sum(batch.num_rows for batch in shell.variables["reader"])
    assert first.column(0)[0].as_py() == 7
    assert first.num_rows + rest == 500000


def test_a_reader_sees_temporary_tables_and_the_open_transaction(shell):
    shell.sql("create temp table tt as select 1 as a")
    assert shell.sql("from tt", "--as reader").value.read_all().num_rows == 1
    shell.sql("create table t(i int); begin; insert into t values (1)")
    assert shell.sql("from t", "--as reader").value.read_all().num_rows == 1
    shell.sql("rollback")


@pytest.mark.parametrize("sql", ["explain select 1", "insert into t values (2) returning i", "call pragma_version()"])
def test_a_reader_of_another_statement_leaves_the_connection_alone(shell, sql):
    shell.sql("create table t as select 1 as i")
    shell.sql(sql, "--as reader -o reader")
    assert shell.variables.pop("reader").read_all().num_rows >= 1
    gc.collect()
    assert shell.sql("from t").value.i.tolist()[0] == 1


@pytest.mark.parametrize(
    "made",
    [
        "create temp view private as select 1 as a",
        "begin; create temp table private as select 1 as a; commit",
        "-- a comment\nbegin; create table private as select 1 as a",
        "set variable u = union_value(k := 1); create table private as select 1 as a",
    ],
)
def test_a_reader_sees_all_that_the_connection_sees(shell, made):
    shell.sql(made)
    assert shell.sql("from private", "--as reader").value.read_all().num_rows == 1


def test_limit_fetches_no_more_and_says_so(shell):
    ran = shell.sql("select range as a from range(100000000)", "--limit 3")
    assert ran.value.a.tolist() == [0, 1, 2]
    assert "first 3 rows" in ran.printed
    assert shell.sql("from range(3)", "--limit 3").printed.count("more") == 0
    assert shell.sql("select 5 as a").value.a.tolist() == [5]


def test_out_binds_and_displays_nothing(shell):
    ran = shell.sql("select 1 as a", "-o result")
    assert ran.value is None
    assert ran.printed == ""
    assert shell.variables["result"].a.tolist() == [1]
    shell.cell("%mdsql other << select 2 as a")
    assert shell.variables["other"].a.tolist() == [2]


def test_a_file_is_run(shell):
    Path("q.sql").write_text("select 'é' as a,\n :n as n", encoding="utf-8")
    shell.variables["n"] = 5
    assert shell.sql("", "--file q.sql").value.iloc[0].tolist() == ["é", 5]
    assert shell.cell("%mdsql --file q.sql").value.n.tolist() == [5]
    assert "No such file" in shell.sql("", "--file nope.sql", error=True).message
    assert "directory" in shell.sql("", "--file .", error=True).message
    assert "may have no end" in shell.sql("", "--file /dev/zero", error=True).message
    os.mkfifo("pipe.sql")
    assert "may have no end" in shell.sql("", "--file pipe.sql", error=True).message
    with Path("huge.sql").open("wb") as huge:
        huge.truncate(64 * 10**6 + 1)
    assert "more than 64 MB" in shell.sql("", "--file huge.sql", error=True).message
    Path("bin.sql").write_bytes(b"\xff\xfe")
    assert "UTF-8" in shell.sql("", "--file bin.sql", error=True).message


def test_dry_run_runs_nothing(shell):
    shell.sql("create table t(i int)")
    shell.variables["x"] = 1
    frame = shell.sql("select i, 'a' as b, :x as c from t", "--dry-run").value
    assert frame.to_dict("list") == {"column": ["i", "b", "c"], "type": ["INTEGER", "VARCHAR", "INTEGER"]}
    assert shell.sql("insert into t values (1)", "--dry-run").value.empty
    assert shell.sql("drop table t", "--dry-run").value.empty
    assert shell.sql("select count(*) as n from t").value.n.tolist() == [0]
    assert "nope" in shell.sql("select nope from t", "--dry-run", error=True).message


@pytest.mark.parametrize("sql", ["describe t", "show tables", "summarize t", "pivot t on i using count(*)"])
def test_dry_run_of_what_describes_already(shell, sql):
    shell.sql("create table t as select 1 as i")
    assert not shell.sql(sql, "--dry-run").value.empty


def test_dry_run_counts_lines_as_the_cell_does(shell):
    shell.sql("create table t(i int)")
    ran = shell.sql("select 1;\nselect\n  nope from t", "--dry-run", error=True)
    assert "LINE 3:   nope from t" in ran.message
    assert "DESCRIBE" not in ran.message
    assert "have run" not in ran.message
    assert (
        "known only when it runs" in shell.sql("insert into t values (1) returning i", "--dry-run", error=True).message
    )


def test_the_catalogue(shell):
    shell.sql(
        'create table flights(id int primary key, "odd ""name" varchar default \'x\'); create view v as select 1 as a'
    )
    shell.sql("comment on table flights is 'all of them'; create temp table tt(i int)")
    tables = shell.cell("%mdsql --tables").value
    assert tables.name.tolist() == ["flights", "v", "tt"]
    assert tables.kind.tolist() == ["table", "view", "temporary table"]
    assert tables.comment.tolist() == ["all of them", "", ""]
    assert shell.cell("%mdsql --tables FLI%").value.name.tolist() == ["flights"]
    assert shell.cell("%mdsql --tables light").value.name.tolist() == ["flights"]
    assert shell.cell("%mdsql --tables nope").value.empty
    columns = shell.cell("%mdsql --describe flights").value
    assert columns["column"].tolist() == ["id", 'odd "name']
    assert columns["nullable"].tolist() == [False, True]
    assert shell.cell("%mdsql --describe memory.main.v").value["column"].tolist() == ["a"]
    assert "Did you mean flights?" in shell.cell("%mdsql --describe flight", error=True).message
    assert shell.cell("%mdsql --databases").value.name.tolist() == ["memory"]


@pytest.fixture
def shown_rows():
    """Have pandas show 200 rows, which is a user's own number."""
    before = pd.get_option("display.max_rows")
    pd.set_option("display.max_rows", 200)
    yield lambda: pd.get_option("display.max_rows")
    pd.set_option("display.max_rows", before)


def test_max_rows_displayed_is_pandas_own_setting(shell, shown_rows):
    shell.cell("%config MdsqlMagics.max_rows_displayed = 4")
    assert "..." in shell.sql("from range(50)").printed
    shell.cell("%config MdsqlMagics.max_rows_displayed = 5")
    assert shown_rows() == 5
    shell.cell("%config MdsqlMagics.max_rows_displayed = None")
    assert shown_rows() == 200
    shell.cell("%config MdsqlMagics.max_rows_displayed = 4")
    pd.set_option("display.max_rows", 30)
    shell.cell("%config MdsqlMagics.max_rows_displayed = None")
    assert shown_rows() == 30


def test_max_rows_displayed_ends_with_the_extension(shell, shown_rows):
    shell.cell("%config MdsqlMagics.max_rows_displayed = 4")
    shell.cell("%unload_ext md_magic")
    assert shown_rows() == 200


# ---- errors ----------------------------------------------------------------------------------------------------------


def native_error(sql):
    with pytest.raises(duckdb.Error) as caught, duckdb.connect() as native:
        native.execute(sql).df()
    return caught.value


@pytest.mark.parametrize(
    "sql",
    [
        "select\n  nope\nfrom range(3)",
        "selecct 1",
        "select 'a' + 1::int[]",
        "from missing",
        "select cast('x' as int)",
        "\n\n  select 1 +",
        "select $x",
        "pragma nope",
    ],
)
def test_an_error_is_duckdbs_own_text(shell, sql):
    ran = shell.sql(sql, error=True)
    native = native_error(sql)
    assert ran.message == str(native)
    assert type(ran.error.__cause__) is type(native)
    assert "".join(ran.error._render_traceback_()).startswith(str(native))


def test_a_failed_cell_shows_one_message_and_no_traceback(shell):
    ran = shell.sql("select nope", error=True)
    assert "Traceback" not in ran.printed
    assert "site-packages" not in ran.printed
    assert ran.printed.count("Binder Error") == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("duckdb:///no/such/folder/a.db", ["folder", "does not exist", "make it first"], id="folder"),
        pytest.param("duckdb:///text.txt", ["not a valid DuckDB database"], id="no database"),
        pytest.param("duckdb:///.", ["cannot be opened"], id="a folder"),
        pytest.param("duckdb:///a.db?nope=1", ["nope"], id="setting"),
        pytest.param("nosuch://x", ["'nosuch'", "%pip install"], id="dialect"),
        pytest.param("oracle+cx_oracle://u:SECRETPW@h/d", ["cx_Oracle", "%pip install cx_Oracle"], id="driver"),
        pytest.param("sqlite:///no/such/folder/a.db", ["cannot be opened", "unable to open"], id="other database"),
    ],
)
def test_a_target_that_cannot_be_opened(shell, line, words):
    Path("text.txt").write_text("this is plain text, and more than a header of a database would need " * 100)
    ran = shell.sql("select 1", line, error=True)
    shown = "\n".join(ran.error._render_traceback_())
    assert [word for word in words if word not in shown] == []
    assert "SECRETPW" not in shown
    assert shell.cell("%mdsql --connections").value.empty
    assert shell.sql("select 1 as a", "duckdb:///:memory:").value.a.tolist() == [1]


def test_a_locked_file_names_the_process(shell):
    code = "import duckdb, sys; c = duckdb.connect('a.duckdb'); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        holder.stdout.readline()
        ran = shell.sql("select 1", "duckdb:///a.duckdb", error=True)
        holder.stdin.close()
    assert f"PID {holder.pid}" in ran.message
    assert shell.sql("select 1 as a", "duckdb:///a.duckdb").value.a.tolist() == [1]


def test_a_read_only_file(shell):
    shell.sql("create table t(i int)", "duckdb:///a.duckdb")
    shell.cell("%mdsql --close")
    shell.sql("select 1", "duckdb:///a.duckdb?access_mode=read_only")
    assert "read-only" in shell.sql("create table u(i int)", error=True).message


@pytest.mark.parametrize(
    ("line", "sql"),
    [
        pytest.param("--file ~nobody_here/x.sql", "", id="home of nobody"),
        pytest.param("duckdb:///~nobody_here/x.db", "select 1", id="database of nobody"),
        pytest.param("duckdb:///a%00b.db", "select 1", id="null byte"),
        pytest.param("--config odd", "select 1", id="keys that are no names"),
        pytest.param("", "select :loop", id="a list that holds itself"),
        pytest.param("", "select '\ud800'", id="half a character"),
        pytest.param("http://x/y", "select 1", id="no database"),
        pytest.param("--connections", "select 1", id="an action and SQL"),
        pytest.param("sqlite:///x.db --config good", "select 1", id="configuration of another database"),
    ],
)
def test_bad_input_is_an_error_of_ours(shell, line, sql):
    loop = []
    loop.append(loop)
    shell.variables.update(odd={1: 2}, loop=loop, good={})
    shell.variables["good"]["threads"] = 1
    ran = shell.sql(sql, line, error=True)
    assert isinstance(ran.error, MdMagicError)
    assert "%pip install http" not in ran.message


def test_secrets_of_settings_reach_duckdb_and_nobody_else(shell):
    shell.variables["config"] = {"threads": 1, "secret_directory": "SECRETFOLDER"}
    shell.sql("select 1", "duckdb:///a.duckdb --config config")
    assert shell.sql("select current_setting('secret_directory') as s").value.s.tolist() == ["SECRETFOLDER"]
    assert "SECRETFOLDER" not in repr(list(shell.magics.session.pool))


def test_many_parameters_and_many_statements_are_read_in_no_time(shell):
    shell.variables.update({f"n{number}": number for number in range(2000)})
    names = ", ".join(f":n{number}" for number in range(2000))
    assert shell.sql(f"select list_sum([{names}]) as s").value.s.tolist() == [1999000]
    assert shell.sql("select 1;\n" * 2000 + "select 2 as a").value.a.tolist() == [2]


def test_a_semicolon_and_an_odd_blank_at_the_end(shell):
    assert shell.sql("select 1; select 2 as a;\u2003").value.a.tolist() == [2]


def test_executing_a_query_gives_its_rows_whatever_they_are_called(shell):
    shell.sql('prepare p as select true as "Success"')
    assert shell.sql("execute p").value.Success.tolist() == [True]
    assert shell.sql("checkpoint").value is None


def test_out_is_bound_by_everything_that_gives_something(shell):
    shell.variables["kept"] = "old"
    shell.sql("-- nothing", "-o kept")
    assert shell.variables["kept"] is None
    shell.cell("%mdsql --connections -o kept")
    assert len(shell.variables["kept"]) == 1


def test_html_in_values_and_names_is_escaped(shell):
    ran = shell.sql("select '<script>alert(1)</script>' as \"<b>x</b>\"")
    assert "<script>" not in ran.value._repr_html_()
    assert "<b>x</b>" not in ran.value._repr_html_()


def test_the_working_folder_of_the_kernel_counts(shell):
    os.mkdir("sub")  # noqa: PTH102
    shell.cell("import os; os.chdir('sub')")
    shell.sql("create table t(i int)", "duckdb:///a.duckdb")
    assert Path("a.duckdb").exists()
    shell.cell("%cd -q ..")


@pytest.mark.parametrize("pragma", ["PRAGMA table_info('t')", "-- a comment\npragma version", "PRAGMA database_size"])
def test_dry_run_of_a_pragma_says_that_it_has_to_run(shell, pragma):
    shell.sql("create table t(i int)")
    failed = shell.sql(pragma, "--dry-run", error=True)
    assert failed.message == "--dry-run: what PRAGMA gives is known only when it runs. Nothing was run."


@pytest.mark.skipif(pd.__version__ < "2.3", reason="pandas 2.2.0 crashes where it prints such times itself")
@pytest.mark.parametrize("value", ["9999-12-31 23:59:59", "290000-01-01", "0044-03-15 (BC)", "infinity"])
def test_times_that_pandas_cannot_show_are_announced(shell, value):
    shell.sql("SET TimeZone = 'America/New_York'")
    shown = shell.sql(f"SELECT 1 AS a, '{value}'::TIMESTAMPTZ AS far, now() AS near")
    assert shown.value.a.tolist() == [1]
    assert "pandas cannot show times with a zone outside the years 1 to 9999, which 'far' holds" in shown.printed
    shown = shell.sql(
        f"SELECT '{value}'::TIMESTAMPTZ::VARCHAR AS far, '9999-12-30'::TIMESTAMPTZ AS near, NULL::TIMESTAMPTZ AS n"
    )
    assert "cannot show" not in shown.printed
    assert "9999-12-30" in str(shown.value)


@pytest.mark.parametrize("value", ["1::UHUGEINT", "'infinity'::DATE", "INTERVAL 1000000000 DAYS"])
def test_what_a_frame_cannot_hold_says_the_way_out(shell, value):
    [note] = shell.sql(f"SELECT {value} AS v", error=True).error.__notes__
    assert "ask for `--as arrow`" in note
    assert shell.sql(f"SELECT {value} AS v", "--as arrow").value.num_rows == 1


@pytest.mark.parametrize("options", ["--as arrow", "--as polars", "--grid"])
def test_a_number_that_arrow_would_turn_negative_is_an_error(shell, options):
    sql = "SELECT x AS a FROM (VALUES (1::UHUGEINT), ({})) AS t(x)"
    failed = shell.sql(sql.format("340282366920938463463374607431768211455::UHUGEINT"), options, error=True)
    assert "The column a has a UHUGEINT over 2^127" in failed.printed
    assert "Cast the column in SQL: to VARCHAR, say." in failed.printed
    shell.sql(sql.format("170141183460469231731687303715884105727::UHUGEINT"), options)  # no error
    with pytest.raises(FrameError, match="UHUGEINT"):
        shell.sql(sql.format("2::UHUGEINT * 170141183460469231731687303715884105727"), "--as reader").value.read_all()


def test_the_largest_number_is_exact_as_a_python_integer(shell):
    assert shell.sql("SELECT 340282366920938463463374607431768211455::UHUGEINT AS a", "--as dict").value == {
        "a": [2**128 - 1]
    }


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        ("my.duckdb FROM t", "duckdb:///my.duckdb"),
        ("data/x.sqlite", "sqlite:///data/x.sqlite"),
        ("a.db", "duckdb:///a.db"),
    ],
)
def test_a_file_in_place_of_a_target_leads_on_to_its_uri(shell, typed, uri):
    error = shell.cell(f"%mdsql {typed}", error=True).error
    assert f"looks like a database in a file: {uri} names it." in "".join(error._render_traceback_())
    error = shell.sql("SELECT nope.db", error=True).error
    assert "looks like" not in "".join(error._render_traceback_())


@pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"])
@pytest.mark.parametrize("made", ["duckdb.connect()", "sqlalchemy.create_engine('sqlite://')"])
def test_a_connection_in_place_of_sql_leads_on_to_engine(shell, target, made):
    """`%sql conn` is how JupySQL is told where to run."""
    shell.cell(f"import duckdb, sqlalchemy\nconn = {made}\n%mdsql {target}")
    for cell in ("%mdsql conn", "%%mdsql conn\nSELECT 1", "%mdsql conn --alias duckdb"):
        error = shell.cell(cell, error=True).error
        assert "conn is a Python variable: --engine conn runs on what it holds." in "".join(error._render_traceback_())
    shell.cell("conn = 3")
    assert "--engine" not in "".join(shell.cell("%mdsql conn", error=True).error._render_traceback_())

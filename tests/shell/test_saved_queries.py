"""`--save NAME`: what is kept, where it is put, and how errors are counted."""

from __future__ import annotations

import json

import duckdb
import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter


@pytest.fixture
def saved(shell):
    """A shell with a table `t` (i 0..9), a table `z`, and the saved queries `small` (i 0..2) and `tiny` (i 0)."""
    shell.sql("create table t as select range as i, 'x' as x from range(10); create table z(i bigint)")
    shell.sql("select i, x from t where i < 3;", "--save small")
    shell.sql("from small where i < 1", "--save tiny")
    return shell


def column(ran):
    return ran.value.iloc[:, 0].tolist()


def test_the_cell_runs_and_is_kept(shell):
    ran = shell.sql("select 42 as a", "--save answer")
    assert column(ran) == [42]
    assert column(shell.sql("from answer")) == [42]


READS = [
    pytest.param("select i from small", [0, 1, 2], id="select"),
    pytest.param("from small", [0, 1, 2], id="from first"),
    pytest.param("from SMALL s where s.i > 0", [1, 2], id="capitals, alias"),
    pytest.param('from "small";', [0, 1, 2], id="quoted"),
    pytest.param("table small", [0, 1, 2], id="table"),
    pytest.param("-- c\n/* d */ from small -- small", [0, 1, 2], id="comments"),
    pytest.param("with w as (from small) select i from w", [0, 1, 2], id="with"),
    pytest.param(
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select n from r join small on n = i",
        [1, 2],
        id="with recursive",
    ),
    pytest.param(
        "with w as materialized (select 7 as i) from w union all select i from small", [7, 0, 1, 2], id="materialized"
    ),
    pytest.param("(select i from small) union all (select 9)", [0, 1, 2, 9], id="union"),
    pytest.param("((with w as (from small) select i from w))", [0, 1, 2], id="with in brackets"),
    pytest.param("(with w as (from small) select i from w) limit 2", [0, 1], id="with in brackets, limited"),
    pytest.param(
        "(with w as (from small) select i from w) union all select i from small",
        [0, 1, 2] * 2,
        id="with in brackets, combined",
    ),
    pytest.param("select (select max(i) from small) as m", [2], id="subquery"),
    pytest.param("select i from t where i in (from (select i from small))", [0, 1, 2], id="in"),
    pytest.param("values ((select count(*) from small))", [3], id="values"),
    pytest.param("select i from t semi join small using (i) order by i", [0, 1, 2], id="join"),
    pytest.param("pivot small on x using sum(i)", [3], id="pivot"),
    pytest.param("pivot small on x in ('x') using sum(i)", [3], id="pivot with values"),
    pytest.param("unpivot (select i from small) on i", ["i"] * 3, id="unpivot"),
    pytest.param("from tiny", [0], id="one that reads another"),
    pytest.param("select count(*) from small, tiny", [3], id="two"),
    pytest.param("describe small", ["i", "x"], id="describe"),
    pytest.param("describe select i from small", ["i"], id="describe select"),
    pytest.param("summarize small", ["i", "x"], id="summarize"),
    pytest.param("set threads = 2; from small", [0, 1, 2], id="the second statement"),
    pytest.param("select 1; with w as (from small)\nselect i from w;", [0, 1, 2], id="the second, with"),
    pytest.param("with small as (select 5 as i) from small", [5], id="own CTE"),
    pytest.param(
        "select * from (with small as (select 5 as i) from small), small s order by all",
        [5, 5, 5],
        id="own CTE further in",
    ),
    pytest.param("select i as small from t where i = 9", [9], id="a column of the name"),
    pytest.param("select 'from small' as s", ["from small"], id="a string"),
    pytest.param("select 'é' as e from small", ["é"] * 3, id="beyond ASCII"),
]


@pytest.mark.parametrize(("sql", "values"), READS)
def test_queries_read_it(saved, sql, values):
    assert column(saved.sql(sql)) == values


WRITES = [
    pytest.param("insert into z select i from small", id="insert"),
    pytest.param("insert into z(i) from (select i from small)", id="insert with columns"),
    pytest.param("insert into z with w as (from small) select i from w", id="insert with"),
    pytest.param("with w as (from small) insert into z select i from w", id="with insert"),
    pytest.param("insert into z select i from t; delete from z where i not in (select i from small)", id="delete"),
    pytest.param(
        "insert into z select i from t; delete from z using (select max(i) as m from small) as s where i > m",
        id="delete using",
    ),
    pytest.param(
        "insert into z values (0), (1), (7); update z set i = (select max(i) from small) where i = 7", id="update"
    ),
    pytest.param(
        "insert into z values (0), (1), (7); update z set i = s.i from small s where z.i = s.i + 5", id="update from"
    ),
    pytest.param("merge into z using small on z.i = small.i when not matched then insert values (small.i)", id="merge"),
    pytest.param("create or replace table z as select i from small", id="create table as"),
    pytest.param("create or replace table z as\nwith w as (from small) select i from w", id="create table as with"),
    pytest.param("drop table z; create view z as from small", id="create view"),
]


@pytest.mark.parametrize("sql", WRITES)
def test_statements_that_write_read_it(saved, sql):
    saved.sql(sql)
    saved.sql("select 1", "--save nothing")
    assert column(saved.sql("select i from z order by 1")) == [0, 1, 2]


def test_copy_reads_it(saved, tmp_path):
    saved.sql(f"copy (from small) to '{tmp_path}/a.csv' (header false)")
    assert (tmp_path / "a.csv").read_text() == "0,x\n1,x\n2,x\n"


def test_what_is_changed_is_the_table(saved):
    saved.sql("create table small as select 100 as i, 'y' as x")
    assert column(saved.sql("select i from small")) == [0, 1, 2]
    assert column(saved.sql("select i from main.small")) == [100]
    saved.sql("insert into small select * from small; update small set x = 'z'; delete from small where i = 1")
    assert column(saved.sql("select i from main.small order by i")) == [0, 2, 100]
    saved.sql("drop table small")
    assert column(saved.sql("from small")) == [0, 1, 2]


def test_it_goes_before_a_frame(saved):
    saved.variables["small"] = pd.DataFrame({"i": [77]})
    assert column(saved.sql("from small")) == [0, 1, 2]
    saved.cell("%mdsql --forget small")
    assert column(saved.sql("from small")) == [77]


def test_its_own_name_means_the_table(saved):
    for _ in range(2):
        saved.sql("select i from t where i > 7", "--save t")
    assert column(saved.sql("from t")) == [8, 9]
    assert len(saved.sql("from main.t").value) == 10


def test_it_can_read_a_frame(shell):
    shell.variables["df"] = pd.DataFrame({"a": [1, 2]})
    shell.sql("from df where a > 1", "--save more")
    assert column(shell.sql("from more")) == [2]


def test_saving_again_replaces(saved):
    saved.sql("select 5 as i", "--save SMALL")
    assert column(saved.sql("from small")) == [5]
    assert column(saved.sql("select count(*) from tiny")) == [0]


def test_parameters_are_bound_where_it_is_used(shell):
    shell.variables.update(low=7, ids=[1, 8, 9])
    shell.sql("select range as i from range(10) where range >= :low and range in :ids", "--save wide")
    assert column(shell.sql("from wide")) == [8, 9]
    shell.variables["low"] = 9
    assert column(shell.sql("select i from wide where i > :other and '%:x' <> ''", "--param other=1")) == [9]
    assert column(shell.sql("from wide", "--param low=0")) == [1, 8, 9]
    del shell.variables["low"]
    message = shell.sql("from wide", error=True).error
    assert ":low has no value" in str(message)
    assert "saved wide" in "".join(message.__notes__)


OPTIONS = [
    pytest.param("--as reader", lambda value: value.read_all().column(0).to_pylist() == [0, 1, 2], id="reader"),
    pytest.param("--limit 2", lambda value: len(value) == 2, id="limit"),
    pytest.param("--dry-run", lambda value: value["column"].tolist() == ["i", "x"], id="dry run"),
    pytest.param("--explain", lambda value: "SEQ_SCAN" in str(value).upper().replace(" ", "_"), id="explain"),
    pytest.param("--analyze", lambda value: "SCAN" in str(value).upper(), id="analyze"),
    pytest.param("--profile", lambda value: value.frame["column"].tolist() == ["i", "x"], id="profile"),
    pytest.param("--grid", lambda value: "3 rows × 2 columns." in str(value), id="grid"),
    pytest.param("--background", lambda value: len(value.result()) == 3, id="background"),
]


@pytest.mark.parametrize(("option", "holds"), OPTIONS)
def test_options_work_with_it(saved, option, holds):
    assert holds(saved.sql("from small", option).value)


def test_profile_takes_its_name(saved):
    assert saved.cell("%mdsql --profile small").value.frame["column"].tolist() == ["i", "x"]


def test_a_dry_run_keeps_without_running(shell):
    shell.sql("create sequence s; select 1")
    shell.sql("select nextval('s') as n", "--save once --dry-run")
    assert column(shell.sql("from once")) == [1]


def test_a_background_query_is_kept(shell):
    assert len(shell.sql("select 1 as a", "--save one --background").value.result()) == 1
    assert column(shell.sql("from one")) == [1]


def test_what_fails_is_not_kept(saved):
    saved.sql("select nosuch from t", "--save small", error=True)
    assert column(saved.sql("from small")) == [0, 1, 2]


IN_DUCKDB_1 = pytest.mark.skipif(duckdb.__version__ >= "2", reason="they can stand in a query of DuckDB 2")

REFUSED = [
    pytest.param("insert into z values (1)", "this is INSERT", id="insert"),
    pytest.param("create table q as select 1", "this is CREATE", id="create"),
    pytest.param("describe t", "keeps a SELECT", id="describe", marks=IN_DUCKDB_1),
    pytest.param("show tables", "keeps a SELECT", id="show", marks=IN_DUCKDB_1),
    pytest.param("explain select 1", "this is EXPLAIN", id="explain"),
    pytest.param("select 1; select 2", "these are 2 statements", id="two"),
    pytest.param("-- nothing", "there is none", id="none"),
    pytest.param("insert into z values (1) returning i", "this is INSERT", id="returning"),
]


@pytest.mark.parametrize(("sql", "said"), REFUSED)
def test_only_a_select_is_kept(saved, sql, said):
    message = saved.sql(sql, "--save other", error=True).message
    assert said in message
    assert column(saved.sql("select count(*) from z")) == [0]


@pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1 has no names in backticks")
def test_a_name_in_backticks_reads_it(saved):
    assert column(saved.sql("select i from `small` where i > 0")) == [1, 2]


@pytest.mark.skipif(duckdb.__version__ < "2", reason="they cannot stand in a query of DuckDB 1")
def test_what_describes_is_kept(saved):
    saved.sql("describe t", "--save columns")
    assert column(saved.sql("select column_name from columns"))[0] == "i"
    saved.sql("show tables", "--save shown")
    assert "t" in column(saved.sql("from shown"))


def test_a_name_is_checked(shell):
    assert "is not a Python name" in shell.sql("select 1", "--save 1a", error=True).message
    shell.sql("select 1 as a", "--save order")
    assert column(shell.sql('from "order"')) == [1]


def test_a_cycle_is_named(saved):
    message = saved.sql("from tiny", "--save small", error=True).message
    assert "small → tiny → small" in message
    assert column(saved.sql("from tiny")) == [0]


NOWHERE = [
    pytest.param("prepare p as from small", id="prepare"),
    pytest.param("create macro m() as table from small", id="macro"),
    pytest.param("set variable v = (select max(i) from small)", id="set"),
    pytest.param("copy small to 'x.csv'", id="copy"),
]


@pytest.mark.parametrize("sql", NOWHERE)
def test_where_it_cannot_be_put_is_said(saved, sql):
    assert "cannot be put into this" in saved.sql(sql, error=True).message


def test_an_own_cte_of_the_name_that_reads_it_is_an_error(saved):
    for sql in ["with small as (from small) from small", "with q as (from small), small as (select 1) from q"]:
        assert "Give that CTE another name" in saved.sql(sql, error=True).message


def test_numbered_parameters_do_not_go_with_named_ones(saved):
    saved.sql("from t where i < :n", "--save few --param n=2")
    assert "Mixing named and positional" in saved.sql("select $1 from few", error=True).message


def test_it_is_rendered_before_it_is_kept(saved):
    saved.sql("select {{ n }} as n", "--save rendered --jinja --param n=3")
    assert column(saved.sql("from rendered")) == [3]


def test_it_stands_with_sql(shell):
    assert "given with --tables" in shell.cell("%mdsql --save a --tables", error=True).message


def test_a_transaction_goes_on(saved):
    saved.sql("begin; insert into z values (1)")
    saved.sql("from small")
    saved.sql("rollback")
    assert column(saved.sql("select count(*) from z")) == [0]


UNTOUCHED = [
    "create table small (i int)",
    "create index n on t (i); drop index n",
    "drop table if exists small",
    "attach ':memory:' as small",
    "set variable small = 1",
    "create table y (small int); copy y from 'small.csv'",
]


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_other_statements_are_left_alone(saved, sql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.csv").write_text("small\n1\n")
    saved.sql(sql)


def test_statements_that_do_not_name_it_are_the_same(saved):
    session = saved.magics.session
    for sql in ["select 1", "select i as small from t", "select 'small' from t"]:
        database, reader = session.use(), session._reader
        (_, [typed]), (_, [read]) = reader.split(database, sql), reader.read(database, sql)
        assert typed == read


def line(shell, sql):
    """The part of an error's text with its caret."""
    message = shell.sql(sql, error=True).message
    return message[message.index("LINE") :].split("\n\n")[0].split("\n")


ERRORS = [
    "select nosuch from {}",
    "from {}\nwhere nosuch",
    "select 1;\n select 2, nosuch from {}",
    "with w as (select 1)\nselect nosuch from {}",
    "with w as (select nosuch from {}) from w",
    "explain select nosuch from {}",
    "create table q as select i,\n nosuch from {}",
    "create table q as select i, nosuch from {}",
    "insert into z select nosuch from {}",
    "select i from {} where i = (select nosuch)",
    "select 1; copy (select nosuch from {}) to 'x'",
]


@pytest.mark.parametrize("sql", ERRORS)
def test_errors_are_where_they_are_typed(saved, sql):
    saved.sql("create view table_as as select i, x from t where i < 3")
    saved.sql("select i, x from t\nwhere i < 3", "--save saved_as")
    expected = [text.replace("table_as", "saved_as") for text in line(saved, sql.format("table_as"))]
    assert line(saved, sql.format("saved_as")) == expected


def test_positions_in_json_are_where_they_are_typed(saved):
    saved.sql("set errors_as_json = true")
    for sql in [
        "select 1; with w as (select 'é')\nselect nosuch from small",
        "create table q as select nosuch from small",
    ]:
        message = saved.sql(sql, error=True).message
        details = json.loads(message[message.index("{") : message.rindex("}") + 1])
        assert int(details["position"]) == len(sql[: sql.index("nosuch")].encode())


def test_an_error_in_the_saved_query_says_so(saved):
    saved.sql("select i\nfrom t", "--save late")
    saved.sql("drop table t")
    shown = line(saved, "select 1;\nselect * from late")
    assert shown[0] == "LINE 2 of the saved query late: from t"
    assert shown[1].index("^") == shown[0].rindex("t")


def test_forgetting(saved):
    saved.cell("%mdsql --forget Small")
    assert "does not exist" in saved.sql("from small", error=True).message
    message = saved.cell("%mdsql --forget tinny", error=True).message
    assert "Saved: tiny. Did you mean tiny?" in message


def test_targets_of_duckdb_share_it(saved, tmp_path):
    sql = "create table t as select 1 as i, 'q' as x; from small"
    assert column(saved.sql(sql, f"duckdb:///{tmp_path}/other.duckdb")) == [1]


def test_another_database_has_its_own(saved):
    saved.sql("create table small (i int)", "sqlite://")
    assert column(saved.sql("select count(*) from small")) == [0]
    saved.sql("select 5 as i union all select :n", "--save five --param n=6")
    saved.variables["n"] = 8
    assert column(saved.sql("select i from five order by i")) == [5, 8]
    assert column(saved.sql("with w as (select i from five) select max(i) from w")) == [8]
    saved.sql("create table q as select * from five; insert into q select i + 1 from five")
    assert column(saved.sql("select i from q order by i")) == [5, 6, 8, 9]
    assert (
        "cannot be put"
        in saved.sql("create trigger g after insert on q begin select i from five; end", error=True).message
    )
    assert "keeps a SELECT" in saved.sql("create table q (i int)", "--save q", error=True).message


def test_a_cte_further_in_hides_it_only_there(shell):
    shell.sql("select 7 as b", "sqlite:// --save t")
    sql = "with x as (with t as (select 1 as a) select * from t) select x.a, t.b from x, t"
    assert shell.sql(sql).value.to_numpy().tolist() == [[1, 7]]


def test_a_qualified_table_of_its_name_is_no_use_of_it(saved):
    saved.sql("create table few as select 5 as i")
    saved.sql("from t where i < :missing", "--save few --param missing=2")
    saved.sql("insert into z select i from main.few")
    assert column(saved.sql("from z")) == [5]


def test_file_and_cell_are_two(shell, tmp_path):
    (tmp_path / "q.sql").write_text("select 3 as a")
    shell.sql("", f"--file {tmp_path}/q.sql --save three")
    assert column(shell.sql("from three")) == [3]
    assert "--file and SQL below" in shell.sql("select 1", f"--file {tmp_path}/q.sql --save three", error=True).message


@pytest.mark.parametrize(("text", "wanted"), [("from sma", {"small"}), ("select * from small s where s.", {"i", "x"})])
def test_tab_knows_it(saved, text, wanted):
    source = f"%%mdsql\n{text}"
    with provisionalcompleter():
        assert wanted <= {one.text for one in saved.ip.Completer.completions(source, len(source))}

"""`--to TABLE --frame NAME`: a Python table becomes one of the database, whole or not at all."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from md_magic.errors import FrameError, OptionError, StatementError

FRAMES = {
    "pandas": lambda: pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "it's"]}),
    "polars": lambda: pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "it's"]}),
    "arrow": lambda: pa.table({"a": [1, 2, 3], "b": ["x", None, "it's"]}),
}


def rows(shell, table="t"):
    return shell.sql(f"from {table} order by all", "--as arrow").value.to_pylist()


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("line", ["", "sqlite://"])
def test_a_frame_is_written(shell, kind, line):
    shell.variables["df"] = FRAMES[kind]()
    assert shell.cell(f"%mdsql {line} --to t --frame df").printed.strip() == "3 rows written to t"
    found = shell.sql("select * from t order by a", "--as dict").value
    assert found == {"a": [1, 2, 3], "b": ["x", None, "it's"]}


@pytest.mark.parametrize("line", ["", "sqlite://"])
def test_a_table_that_exists_is_left_alone_unless_one_says_how(shell, line):
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    shell.cell(f"%mdsql {line} --to t --frame df")
    ran = shell.cell("%mdsql --to t --frame df", error=True)
    assert isinstance(ran.error, StatementError)
    assert "--append" in ran.message
    assert "--replace" in ran.message
    shell.cell("%mdsql --to t --frame df --append")
    assert shell.sql("select count(*) as n from t").value.n.tolist() == [2]
    shell.variables["df"] = pd.DataFrame({"z": [7, 8, 9]})
    shell.cell("%mdsql --to t --frame df --replace")
    assert shell.sql("select z from t", "--as dict").value == {"z": [7, 8, 9]}


def test_rows_are_appended_by_the_names_of_columns(shell):
    shell.sql("create table t(a int, b varchar)")
    shell.variables["df"] = pd.DataFrame({"b": ["x"], "a": [5]})
    shell.cell("%mdsql --to t --frame df --append")
    assert rows(shell) == [{"a": 5, "b": "x"}]


def test_a_frame_that_does_not_fit_changes_nothing(shell):
    shell.sql("create table t(a int)")
    shell.variables["df"] = pd.DataFrame({"a": ["1", "two"]})
    assert "two" in shell.cell("%mdsql --to t --frame df --append", error=True).message
    assert rows(shell) == []


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ('"my table"', '"my table"'),
        ("memory.main.t", "t"),
        ('s."a.b"', 's."a.b"'),
        ('\'s."quoted ""name"""\'', 's."quoted ""name"""'),
        ("select", '"select"'),
        ("df", "memory.df"),
    ],
)
def test_names_may_be_quoted_and_dotted(shell, line, table):
    shell.sql("create schema s")
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    shell.cell(f"%mdsql --to {line} --frame df")
    assert rows(shell, table) == [{"a": 1}]
    shell.cell(f"%mdsql --to {line} --frame df --append")  # the variable, also where the table is called like it
    assert len(rows(shell, table)) == 2


def test_a_name_is_never_sql(shell):
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    shell.cell("%mdsql --to 't as select 42; drop table x; --' --frame df")
    assert shell.cell("%mdsql --tables").value["name"].tolist() == ["t as select 42; drop table x; --"]


def test_an_index_is_told_of(shell):
    shell.variables["df"] = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    assert "index was not written" in shell.cell("%mdsql --to t --frame df").printed
    assert rows(shell) == [{"a": 1}, {"a": 2}]


def test_frames_may_be_odd(shell):
    shell.variables["df"] = pd.DataFrame({"a": pd.Series([], dtype="int64")})
    assert shell.cell("%mdsql --to empty --frame df").printed.strip() == "0 rows written to empty"
    shell.variables["df"] = pd.DataFrame([[1, 2]], columns=["a", "a"])
    shell.cell("%mdsql --to twice --frame df")
    assert rows(shell, "twice") == [{"a": 1, "a_1": 2}]
    shell.variables["df"] = pd.DataFrame({"a": [{"k": 1}, {"k": 2}], "b": [[1], [2, 3]]})
    shell.cell("%mdsql --to nested --frame df")
    assert rows(shell, "nested")[1] == {"a": {"k": 2}, "b": [2, 3]}


def test_it_is_part_of_an_open_transaction(shell):
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    shell.sql("begin")
    shell.cell("%mdsql --to t --frame df")
    shell.sql("rollback")
    assert "does not exist" in shell.sql("from t", error=True).message


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("--to t", OptionError, ["--to t", "--frame NAME"]),
        ("--frame df", OptionError, ["--frame df", "--to TABLE"]),
        ("--append SELECT 1", OptionError, ["--append", "--to TABLE"]),
        ("--to t --frame df --append --replace", OptionError, ["not allowed with"]),
        ("--to t --frame nobody", OptionError, ["nobody"]),
        ("--to t --frame number", FrameError, ["int", "pandas"]),
        ("--to t --frame df SELECT 1", OptionError, ["alone"]),
    ],
)
def test_a_bad_line_says_what_is_missing(shell, line, kind, words):
    shell.variables |= {"df": pd.DataFrame({"a": [1]}), "number": 7}
    ran = shell.cell(f"%mdsql {line}", error=True)
    assert isinstance(ran.error, kind)
    assert [word for word in words if word not in ran.message] == []


def test_sqlite_keeps_nothing_of_a_frame_that_fails(shell):
    shell.sql("create table t(a int primary key)", "sqlite://")
    shell.variables["df"] = pd.DataFrame({"a": [1, 2, 2]})
    assert "UNIQUE" in shell.cell("%mdsql --to t --frame df --append", error=True).message
    assert shell.sql("select count(*) as n from t").value.n.tolist() == [0]


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        pytest.param([1, True, 0], "1 and True", id="True is 1"),
        pytest.param([0, 2, False], "0 and False", id="False is 0"),
        pytest.param(["a", "b", "a"], "'a' and 'a'", id="one twice"),
        pytest.param([1, "1", 2], "1 and '1'", id="a number and its text"),
        pytest.param([1, 1.0, 2], "1.0 and 1.0", id="two kinds of numbers"),
    ],
)
def test_no_column_is_lost(shell, labels, named):
    shell.variables["df"] = pd.DataFrame([[5, 6, 7]])
    shell.variables["df"].columns = labels
    failed = shell.cell("%mdsql sqlite:// --to t --frame df", error=True)
    assert isinstance(failed.error, FrameError)
    assert f"The columns {named} have one name" in failed.message
    assert len(shell.cell("%mdsql --tables").value) == 0
    shell.cell("%mdsql duckdb:// --to t --frame df")  # which renames them
    assert sorted(rows(shell)[0].values()) == [5, 6, 7]


def test_an_arrow_table_with_one_name_twice_is_an_error_as_well(shell):
    shell.variables["df"] = pa.table([[1], [2]], names=["a", "a"])
    assert "'a' and 'a'" in shell.cell("%mdsql sqlite:// --to t --frame df", error=True).message


@pytest.mark.parametrize("name", ["s1..t", "s1.", ".t", "a.b.c.d", '"a".""', "'a\0b'"])
def test_what_is_no_name_is_an_error_before_anything_runs(shell, name):
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    failed = shell.cell(f"%mdsql --to {name} --frame df", error=True)
    assert type(failed.error) is OptionError
    assert "names no table" in failed.message
    assert "CREATE TABLE" not in failed.message

"""Python objects in SQL: as DuckDB itself sees them, and an explanation where it sees no table."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from md_magic.errors import FrameError, StatementError

SUITABLE = 'not suitable for replacement scans.\nMake sure that "x" is either a pandas.DataFrame'


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.arange(3), id="array"),
        pytest.param(np.arange(6).reshape(2, 3), id="two axes"),
        pytest.param(np.array(["a", "b"]), id="texts"),
        pytest.param({"a": np.arange(3)}, id="dict of arrays"),
        pytest.param([np.arange(3), np.arange(3)], id="list of arrays"),
    ],
)
def test_arrays_are_tables(shell, value):
    x = value
    plain = duckdb.connect().execute("FROM x").df()
    shell.variables["x"] = x
    pd.testing.assert_frame_equal(shell.sql("FROM x").value, plain)
    assert shell.sql("SELECT count(*) AS n FROM x, x AS y").value.n.tolist() == [len(plain) ** 2]
    pd.testing.assert_frame_equal(shell.cell("j = %mdsql --background FROM x\nj.result()").value, plain)


def test_a_view_over_an_array_is_read_again(shell):
    shell.variables["x"] = np.arange(3)
    shell.sql("CREATE TEMP VIEW v AS FROM x")
    assert shell.sql("FROM v").value.iloc[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [[{"a": 1}], [1, 2], {"a": 1}, {1}, object, np.zeros((1, 1, 1))])
def test_what_is_no_table_gets_duckdbs_explanation(shell, value):
    shell.variables["x"] = value
    message = shell.sql("FROM x", error=True).message
    assert f'Python Object "x" of type "{type(value).__name__}" {SUITABLE}' in message


@pytest.mark.parametrize("value", [3, 2.5, "text", None, True])
def test_a_number_or_a_text_is_not_taken_for_a_table(shell, value):
    shell.variables["x"] = value
    assert "Table with name x does not exist" in shell.sql("FROM x", error=True).message


def test_a_table_of_the_database_goes_before_a_variable(shell):
    shell.variables.update(x=3, t=[1])
    shell.sql("CREATE TABLE x AS SELECT 42 AS a; CREATE TABLE t AS FROM x")
    assert shell.sql("SELECT x.a FROM x, t").value.a.tolist() == [42]


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        pytest.param("FROM my_frme", "my_frame", id="frame"),
        pytest.param("FROM Sales", "sales", id="another case"),
        pytest.param("FROM q2", "q1", id="saved query"),
        pytest.param("FROM order1", "orders", id="table"),
        pytest.param("SELECT * FROM my_tabel", "my_table", id="Arrow"),
    ],
)
def test_a_missing_table_is_looked_for_everywhere(shell, sql, meant):
    shell.variables.update(my_frame=pd.DataFrame({"a": [1]}), sales=pd.DataFrame({"a": [1]}), my_frme_number=3)
    shell.variables.update(my_table=pa.table({"a": [1]}))
    shell.sql("SELECT 1 AS a", "--save q1")
    shell.sql("CREATE TABLE orders AS SELECT 1 AS a")
    message = shell.sql(sql, error=True).message
    assert "does not exist" in message
    assert "pg_" not in message
    assert f'\nDid you mean "{meant}"?\n\nLINE 1: {sql}\n' in message


def test_where_nothing_is_near_duckdbs_own_text_stays(shell):
    shell.variables.update(my_frame=pd.DataFrame({"a": [1]}))
    with pytest.raises(duckdb.CatalogException) as plain:
        duckdb.connect().execute("FROM zzzzz")
    assert shell.sql("FROM zzzzz", error=True).message == str(plain.value)


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        pytest.param(pd.interval_range(0, 2), "interval[int64, right]", id="intervals"),
        pytest.param(pd.qcut([1, 2], 2), "interval[float64, right]", id="qcut"),
        pytest.param(pd.period_range("2024-01", periods=2, freq="M"), "period[M]", id="periods"),
        pytest.param(pd.arrays.SparseArray([0, 1]), "Sparse[int64, 0]", id="sparse"),
        pytest.param(np.array([1j, 2j]), "complex128", id="complex"),
    ],
)
def test_a_column_that_duckdb_does_not_read_is_named_with_a_way_out(shell, column, shown):
    shell.variables["frame"] = pd.DataFrame({"a": [1, 2], "my column": column})
    failed = shell.sql("FROM frame", error=True).error
    [note] = failed.__notes__
    assert f"The column 'my column' of frame is of {shown}, which DuckDB does not read." in note
    shell.cell(note.partition("Run ")[2].partition(", or leave")[0])
    assert shell.sql("FROM frame").value.a.tolist() == [1, 2]


def test_an_array_that_duckdb_does_not_read_is_named_with_a_way_out(shell):
    shell.variables["days"] = np.array(["2024-01-02"], dtype="datetime64[D]")
    [note] = shell.sql("FROM days", error=True).error.__notes__
    shell.variables["np"] = np
    shell.cell(note.partition("Run ")[2].removesuffix("."))
    assert shell.sql("FROM days").value.iloc[0, 0] == pd.Timestamp("2024-01-02")


def test_a_widget_binds_its_value(shell):
    widgets = pytest.importorskip("ipywidgets")
    shell.variables["w"] = widgets.IntSlider(value=7)
    assert shell.sql("SELECT :w + 1 AS a").value.a.tolist() == [8]


@pytest.fixture
def broken(shell):
    text = pa.array([b"ok", b"\xff\xfe bad"], pa.binary()).view(pa.string())
    shell.variables["t1"] = pa.table({"id": [1, 2], "txt": text})
    return shell


@pytest.mark.parametrize("line", ["", "--as arrow", "--as polars", "--as reader", "--as dict", "--grid", "--limit 1"])
def test_text_that_is_not_utf8_is_an_error_that_names_the_column(broken, line):
    failed = broken.sql("FROM t1", line, error=True)
    assert "The column 'txt' of t1" in failed.message
    assert "not UTF-8" in failed.message
    assert isinstance(failed.error, FrameError)
    assert "bad" not in failed.message


def test_text_that_is_not_utf8_does_not_get_into_a_table(broken):
    broken.sql("CREATE TABLE kept AS SELECT * FROM t1", error=True)
    broken.sql("", "--to kept --frame t1", error=True)
    assert len(broken.cell("%mdsql --tables").value) == 0


def test_the_other_columns_of_such_a_table_can_be_read(broken):
    assert broken.sql("SELECT sum(id) AS s FROM t1").value.s.tolist() == [3]


def test_a_hint_is_about_a_table_that_the_statement_names(shell):
    shell.variables["other"] = np.array([1j])
    shell.variables["x"] = pd.DataFrame({"c": [1j]})
    failed = shell.sql("FROM x", error=True)
    assert "The column 'c' of x is of complex128" in failed.error.__notes__[0]


def test_an_array_of_records_has_a_way_out(shell):
    shell.variables["x"] = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    failed = shell.sql("FROM x", error=True)
    assert "Run x = pandas.DataFrame(x)." in failed.error.__notes__[0]
    shell.cell("import pandas; x = pandas.DataFrame(x)")
    assert shell.sql("FROM x").value.columns.tolist() == ["a", "b"]


@pytest.mark.parametrize("sql", ["SELECT 1 AS a\0, 2 AS b", "SELECT '\0'", "\0", "SELECT 1 --\0\n, 2"])
@pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"])
def test_a_nul_character_is_refused(shell, sql, target):
    with pytest.raises(StatementError, match="The SQL holds a NUL character"):
        shell.magics.mdsql(target, sql)


_BROKEN = pa.array([b"ok", b"\xff"], pa.binary()).view(pa.string())


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), _BROKEN), id="dictionary"),
        pytest.param(pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), _BROKEN), id="list"),
        pytest.param(pa.StructArray.from_arrays([_BROKEN], ["x"]), id="struct"),
    ],
)
def test_text_within_another_type_that_is_not_utf8_is_an_error_that_names_the_column(shell, column):
    shell.variables["x"] = pa.table({"a": [1, 2], "s": column})
    failed = shell.sql("FROM x", error=True)
    assert type(failed.error) is FrameError
    assert "The column 's' of x is said to be text, and is not UTF-8" in failed.message


def test_a_column_that_is_not_read_may_be_no_utf8_whatever_it_is_called(shell):
    shell.variables["x"] = pa.table({"a": [1, 2], "s": _BROKEN})
    assert shell.sql("SELECT a FROM x").value.a.tolist() == [1, 2]
    assert shell.sql("SELECT count(*) AS n FROM x").value.n.tolist() == [2]


def _streams():
    table = pa.table({"id": [1, 2], "txt": _BROKEN})
    return {
        "dataset": ds.dataset(table),
        "scanner": ds.dataset(table).scanner(),
        "reader": table.to_reader(),
        "batch": table.to_batches()[0],
        "stream": Table(table),
        "pandas": table.to_pandas(types_mapper=pd.ArrowDtype),
        "text": pd.DataFrame({"id": [1, 2], "txt": pd.array(_BROKEN, dtype="string[pyarrow]")}),
        "polars": pl.from_arrow(table),
    }


class Table:
    """A table of somebody's own class."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


_KINDS = ["dataset", "scanner", "reader", "batch", "stream", "pandas", "text", "polars"]


@pytest.mark.parametrize("kind", _KINDS)
def test_text_that_is_not_utf8_is_an_error_whatever_holds_it(shell, kind):
    shell.variables["con"] = duckdb.connect()
    for line in ("", "--as arrow", "--as reader", "--grid", "--profile", "--background -o job", "--engine con"):
        shell.variables["x"] = _streams()[kind]
        if "job" in line:
            shell.sql("FROM x", line)
            failed = shell.cell("job.result()", error=True)
        else:
            failed = shell.sql("FROM x", line, error=True)
        assert type(failed.error) is FrameError
        assert "The column 'txt' of x is said to be text, and is not UTF-8" in failed.message


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"])
def test_no_such_text_is_written(shell, kind, target):
    shell.variables["x"] = _streams()[kind]
    failed = shell.sql("", f"{target} --to kept --frame x", error=True)
    assert "The column 'txt' of the table is said to be text, and is not UTF-8" in failed.message
    assert len(shell.cell("%mdsql --tables").value) == 0


@pytest.mark.parametrize("kind", sorted({*_KINDS} - {"stream", "text"}))
def test_the_other_columns_of_such_a_stream_can_be_read(shell, kind):
    shell.variables["x"] = _streams()[kind]
    assert shell.sql("SELECT sum(id) AS s FROM x WHERE id > 1").value.s.tolist() == [2]


@pytest.mark.parametrize(
    "make",
    [ds.dataset, lambda table: ds.dataset(table).scanner(), lambda table: table.to_reader()],
    ids=["dataset", "scanner", "reader"],
)
def test_datasets_scanners_and_readers_are_read_with_filters_and_columns(shell, make):
    table = pa.table({"id": [1, 2, 3], "txt": ["a", "b", None], "n": [1.5, 2.5, 3.5]})
    shell.variables["x"] = make(table)
    assert shell.sql("SELECT n FROM x WHERE txt = 'b'").value.n.tolist() == [2.5]
    shell.variables["x"] = make(table)
    assert shell.sql("FROM x", "--as arrow").value == table


def test_an_error_of_somebodys_own_stream_is_one_line(shell):
    def batches():
        yield pa.record_batch({"a": [1]})
        message = "the file is gone"
        raise OSError(message)

    class Fails:
        def __arrow_c_stream__(self, requested_schema=None):
            message = "no stream today"
            raise RuntimeError(message)

    shell.variables["x"] = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())
    failed = shell.sql("FROM x", error=True)
    assert failed.message.endswith("the file is gone")
    shell.variables["x"] = Fails()
    message = shell.sql("FROM x", error=True).message
    assert message.endswith("RuntimeError: no stream today")
    assert message == "RuntimeError: no stream today" or duckdb.__version__ >= "2"  # whose own words stand before it
    assert "\n" not in message


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(pd.Series, id="pandas"),
        pytest.param(pl.Series, id="polars"),
        pytest.param(lambda values: pa.chunked_array([values]), id="arrow"),
        pytest.param(
            pa.array,
            id="arrow array",
            marks=pytest.mark.skipif(duckdb.__version__ >= "2", reason="DuckDB 2 reads one as a table"),
        ),
    ],
)
def test_a_column_says_how_it_becomes_a_table(shell, make):
    shell.variables["x"] = make([1, 2])
    printed = shell.sql("FROM x", error=True).printed
    assert "x is a " in printed
    assert "one column, and no table" in printed
    for line in ("%mdsql --diff x x", "%mdsql --to t --frame x"):
        assert "one column, and no table" in shell.cell(line, error=True).printed
    job = shell.sql("FROM x", "--background").value
    assert "one column, and no table" in "".join(job.exception().__notes__)
    assert shell.sql("SELECT 1 AS x", "--background").value.result()["x"].tolist() == [1]
    shell.cell(printed.rpartition("Run ")[2].strip().removesuffix(".").replace("pyarrow", "__import__('pyarrow')"))
    assert shell.sql("FROM x").value.iloc[:, 0].tolist() == [1, 2]

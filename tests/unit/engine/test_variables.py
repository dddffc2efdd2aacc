"""What SQL sees of the notebook's variables."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import pathlib
import uuid

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from md_magic.engine import variables
from md_magic.errors import ParameterError


class Streams:
    """Anything with the Arrow C stream protocol."""

    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table({"a": [1]}).__arrow_c_stream__(requested_schema)


class Color(enum.Enum):
    RED = "red"


TABLES = {
    "pandas": pd.DataFrame({"a": [1]}),
    "polars": pl.DataFrame({"a": [1]}),
    "lazy polars": pl.LazyFrame({"a": [1]}),
    "arrow": pa.table({"a": [1]}),
    "arrow reader": pa.table({"a": [1]}).to_reader(),
    "arrow dataset": pyarrow.dataset.dataset(pa.table({"a": [1]})),
    "arrow stream": Streams(),
    "a relation of another connection": duckdb.connect().sql("select 1 as a"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_seen_and_duckdb_can_scan_them(name):
    found = variables.tables({"t": TABLES[name]})
    t = found["t"]  # DuckDB looks among local variables
    assert duckdb.connect().execute("select a from t").fetchall() == [(1,)]
    del t


@pytest.mark.parametrize(
    "value",
    [1, "x", None, [1], {"a": 1}, np.array([1]), pd.Series([1]), pl.Series([1]), pa.chunked_array([[1]]), print, pd],
    ids=lambda value: f"{type(value).__module__}.{type(value).__name__}",
)
def test_variables_that_are_no_tables_are_not_touched(value):
    assert variables.tables({"t": value}) == {}


@pytest.mark.parametrize(
    ("value", "kind", "back"),
    [
        pytest.param(1, "INTEGER", 1, id="int"),
        pytest.param(2**70, "HUGEINT", 2**70, id="large int"),
        pytest.param(True, "BOOLEAN", True, id="bool"),
        pytest.param(1.5, "DOUBLE", 1.5, id="float"),
        pytest.param("o'x", "VARCHAR", "o'x", id="text"),
        pytest.param(b"\x00", "BLOB", b"\x00", id="bytes"),
        pytest.param(dt.date(2020, 1, 2), "DATE", dt.date(2020, 1, 2), id="date"),
        pytest.param(dt.datetime(2020, 1, 2, 3), "TIMESTAMP", dt.datetime(2020, 1, 2, 3), id="datetime"),  # noqa: DTZ001
        pytest.param(dt.time(1, 2), "TIME", dt.time(1, 2), id="time"),
        pytest.param(dt.timedelta(1), "INTERVAL", dt.timedelta(1), id="timedelta"),
        pytest.param(decimal.Decimal("1.50"), "DECIMAL(3,2)", decimal.Decimal("1.50"), id="Decimal"),
        pytest.param(uuid.UUID(int=1), "UUID", uuid.UUID(int=1), id="UUID"),
        pytest.param(None, '"NULL"', None, id="None"),
        pytest.param(np.int64(3), "INTEGER", 3, id="numpy int"),
        pytest.param(np.float32(0.5), "DOUBLE", 0.5, id="numpy float"),
        pytest.param(np.bool_(1), "BOOLEAN", True, id="numpy bool"),
        pytest.param(np.str_("x"), "VARCHAR", "x", id="numpy text"),
        pytest.param(np.datetime64("2020-01-02"), "DATE", dt.date(2020, 1, 2), id="numpy date"),
        pytest.param(pd.Timestamp("2020-01-02"), "TIMESTAMP", dt.datetime(2020, 1, 2), id="Timestamp"),  # noqa: DTZ001
        pytest.param(pd.Timedelta("1D"), "INTERVAL", dt.timedelta(1), id="Timedelta"),
        pytest.param(np.timedelta64(1, "D"), "INTERVAL", dt.timedelta(1), id="numpy timedelta"),
        pytest.param(np.array(5), "INTEGER", 5, id="array without axes"),
        pytest.param(np.ma.masked, '"NULL"', None, id="masked"),
        pytest.param(pd.NaT, '"NULL"', None, id="NaT"),
        pytest.param(pd.NA, '"NULL"', None, id="NA"),
        pytest.param([1, np.int64(2)], "INTEGER[]", [1, 2], id="list"),
        pytest.param((1, 2), "INTEGER[]", [1, 2], id="tuple"),
        pytest.param({1}, "INTEGER[]", [1], id="set"),
        pytest.param(range(2), "INTEGER[]", [0, 1], id="range"),
        pytest.param(np.array([1, 2]), "INTEGER[]", [1, 2], id="array"),
        pytest.param(pd.Series(["a"]), "VARCHAR[]", ["a"], id="Series"),
        pytest.param({"a": np.int64(1)}, "STRUCT(a INTEGER)", {"a": 1}, id="dict"),
        pytest.param(Color.RED, "VARCHAR", "red", id="enum"),
        pytest.param(pathlib.PurePosixPath("/x"), "VARCHAR", "/x", id="path"),
    ],
)
def test_values_bind_as_their_duckdb_types(value, kind, back):
    bound = variables.bindable("v", value)
    assert duckdb.execute("select $v, typeof($v)", {"v": bound}).fetchall() == [(back, kind)]


@pytest.mark.parametrize("value", [print, object(), 1j, pd.DataFrame({"a": [1]}), [object()]])
def test_what_is_no_value_names_the_parameter(value):
    with pytest.raises(ParameterError, match=":v"):
        variables.bindable("v", value)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        pytest.param(np.arange(3), [(0,), (1,), (2,)], id="array"),
        pytest.param(np.arange(4).reshape(2, 2), [(0, 2), (1, 3)], id="two axes"),
        pytest.param({"a": np.arange(2), "b": np.array([5, 6])}, [(0, 5), (1, 6)], id="dict of arrays"),
        pytest.param([np.arange(2), np.arange(2)], [(0, 0), (1, 1)], id="list of arrays"),
        pytest.param((np.arange(2),), [(0,), (1,)], id="tuple of arrays"),
    ],
)
def test_arrays_are_scanned_as_duckdb_does(value, rows):
    x = variables.scannable({"x": value})["x"]
    assert duckdb.connect().execute("FROM x").fetchall() == rows
    x = variables.snapshot(value)  # for a job
    assert duckdb.connect().execute("FROM x").fetchall() == rows
    del x


def test_the_snapshot_of_an_array_does_not_change():
    array = np.arange(2)
    copies = [variables.snapshot(array), variables.snapshot({"a": array})["a"], variables.snapshot([array])[0]]
    array[0] = 9
    assert [copy.tolist() for copy in copies] == [[0, 1]] * 3


def test_a_widget_binds_its_value():
    widgets = pytest.importorskip("ipywidgets")
    assert variables.bindable("w", widgets.IntSlider(value=7)) == 7
    assert variables.bindable("w", widgets.SelectMultiple(options=[1, 2, 3], value=(1, 3))) == [1, 3]
    assert variables.bindable("w", widgets.DatePicker(value=dt.date(2024, 1, 2))) == dt.date(2024, 1, 2)
    assert variables.bindable("w", widgets.Text()) == ""
    assert variables.is_bindable(widgets.IntSlider())
    with pytest.raises(ParameterError, match="is of the type VBox"):
        variables.bindable("w", widgets.VBox())

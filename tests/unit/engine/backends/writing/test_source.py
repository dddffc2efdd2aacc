"""A Python table as Arrow batches: exact types, and errors that name a column and never a value."""

from __future__ import annotations

import decimal
import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from md_magic.engine.backends.writing import source
from md_magic.engine.backends.writing.source import Source
from md_magic.errors import FrameError


def read(value: Any) -> dict[str, list[Any]]:
    opened = Source(value)
    columns: dict[str, list[Any]] = {field.name: [] for field in opened.fields}
    for batch in opened.batches():
        for field, array in zip(opened.fields, batch, strict=True):
            assert array.type == field.type
            columns[field.name] += array.to_pylist()
    assert {len(values) for values in columns.values()} == {opened.rows}
    return columns


TABLES = {
    "pandas": pd.DataFrame({"a": pd.array([1, None], "Int64"), "s": ["x", None], 3: pd.Categorical(["u", None])}),
    "polars": pl.DataFrame({"a": [1, None], "s": ["x", None], "3": ["u", None]}),
    "lazy": pl.LazyFrame({"a": [1, None], "s": ["x", None], "3": ["u", None]}),
    "arrow": pa.table({"a": [1, None], "s": ["x", None], "3": pa.array(["u", None]).dictionary_encode()}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_is_read(kind: str) -> None:
    assert read(TABLES[kind]) == {"a": [1, None], "s": ["x", None], "3": ["u", None]}


def test_many_rows_come_in_batches() -> None:
    opened = Source(pa.table({"a": range(50_000)}))
    assert [len(batch[0]) for batch in opened.batches()] == [20_000, 20_000, 10_000]


def test_objects_have_the_types_that_they_are() -> None:
    one = uuid.UUID(int=7)
    frame = pd.DataFrame(
        {
            "id": [one, None],
            "doc": [{"a": 1}, {"b": [None, decimal.Decimal("1.5")], "n": np.array([1])}],
            "large": [2**70, None],
            "d": [decimal.Decimal("1.50"), None],
        },
        dtype=object,
    )
    opened = Source(frame)
    assert [source.is_uuid(field) for field in opened.fields] == [True, False, False, False]
    assert [source.is_json(field) for field in opened.fields] == [False, True, False, False]
    assert read(frame) == {
        "id": [one.bytes, None],
        "doc": ['{"a": 1}', '{"b": [null, 1.5], "n": [1]}'],
        "large": [2**70, None],
        "d": [decimal.Decimal("1.50"), None],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(["secret", 1], "'odd' holds int and str", id="mixed"),
        pytest.param([{"a": object()}, None], "'odd' holds a value that JSON does not have: a object", id="no JSON"),
        pytest.param([{"a": float("nan")}, None], "NaN", id="NaN in a document"),
        pytest.param(pd.interval_range(0, 2), "'odd' holds Interval", id="intervals"),
        pytest.param(pd.period_range("2024-01", periods=2, freq="M"), "'odd' holds Period", id="periods"),
    ],
)
def test_a_column_without_a_type_is_named(values: Any, message: str) -> None:
    with pytest.raises(FrameError) as caught:
        read(pd.DataFrame({"fine": [1, 2], "odd": values}))
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(FrameError, match="no columns"):
        Source(pd.DataFrame())


def test_a_value_that_would_change_is_not_cast() -> None:
    values = pa.array([1.5, 2.0])
    with pytest.raises(FrameError) as caught:
        source.cast(values, pa.int64(), "price", "bigint")
    assert "'price' holds double, and at least one value does not fit into bigint unchanged" in str(caught.value)
    assert "1.5" not in str(caught.value)

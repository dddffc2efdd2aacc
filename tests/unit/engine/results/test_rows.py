"""Rows of SQLite in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from md_magic.engine.results.rows import from_cursor
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sqlite() -> Iterator[Any]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("value", ["CASE WHEN i >= 50000 THEN i END", "CASE WHEN i < 50000 THEN i ELSE i + 0.5 END"])
def test_reader_of_another_database_types_its_columns_by_many_rows(sqlite: Any, value: str) -> None:
    numbers = "WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < 59999)"
    sql = f"{numbers} SELECT {value} AS a FROM t"
    read = from_cursor(sqlite.execute(text(sql)), "reader").value.read_all()
    assert read["a"].to_pylist() == [row[0] for row in sqlite.execute(text(sql))]


MANY = "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < 9) SELECT i, 'x' || i AS t FROM r"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2"], "int64"),
        (["1", "NULL"], "Int64"),
        (["1.5", "NULL"], "float64"),
        (["1", "2.5"], "float64"),
        (["'a'", "NULL"], str(pd.DataFrame({"a": np.array(["a", None], dtype=object)}).dtypes["a"])),
        (["NULL", "NULL"], "object"),
        (["1", "'a'"], "object"),
        (["x'00'", "NULL"], "object"),
    ],
    ids=str,
)
def test_sqlite_values_get_the_dtypes_of_df(sqlite: Any, values: list[str], dtype: str) -> None:
    sql = " UNION ALL ".join(f"SELECT {value} AS a" for value in values)
    frame = from_cursor(sqlite.execute(text(sql)), "pandas").value
    assert str(frame.dtypes["a"]) == dtype
    assert len(frame) == len(values)


def test_sqlite_result_takes_every_form(sqlite: Any) -> None:
    sql = "SELECT 1 AS a, 'x' AS a, 2.5 AS b"
    expected = {"a": [1], "a_1": ["x"], "b": [2.5]}
    assert from_cursor(sqlite.execute(text(sql)), "pandas").value.to_dict("list") == expected
    assert from_cursor(sqlite.execute(text(sql)), "dict").value == expected
    assert from_cursor(sqlite.execute(text(sql)), "arrow").value.to_pydict() == expected
    assert from_cursor(sqlite.execute(text(sql)), "polars").value.to_dict(as_series=False) == expected
    assert from_cursor(sqlite.execute(text(sql)), "reader").value.read_all().to_pydict() == expected


@pytest.mark.parametrize("form", ["pandas", "arrow", "polars", "dict"])
def test_sqlite_limit_tells_of_more(sqlite: Any, form: Any) -> None:
    for limit, more in ((0, True), (3, True), (10, False), (11, False)):
        fetched = from_cursor(sqlite.execute(text(MANY)), form, limit=limit)
        assert (len(fetched.value["i"]), fetched.more) == (min(limit, 10), more)
        assert from_cursor(sqlite.execute(text(MANY)), "reader", limit=limit).value.read_all().num_rows == min(
            limit, 10
        )


def test_sqlite_without_rows_keeps_its_columns(sqlite: Any) -> None:
    none = text("SELECT 1 AS a WHERE 0")
    assert list(from_cursor(sqlite.execute(none), "pandas").value.columns) == ["a"]
    assert from_cursor(sqlite.execute(none), "arrow").value.column_names == ["a"]
    assert from_cursor(sqlite.execute(none), "polars").value.columns == ["a"]
    assert from_cursor(sqlite.execute(none), "dict").value == {"a": []}
    assert from_cursor(sqlite.execute(none), "reader").value.read_all().column_names == ["a"]


def test_a_mixed_column_is_text_in_arrow(sqlite: Any) -> None:
    rows = sqlite.execute(text("SELECT 1 AS a, 2 AS b UNION ALL SELECT 'x', NULL UNION ALL SELECT x'61', 3"))
    table = from_cursor(rows, "arrow").value
    assert table.to_pydict() == {"a": ["1", "x", "a"], "b": [2, None, 3]}


def test_a_stream_whose_types_change_says_so(sqlite: Any) -> None:
    numbers = "WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < 100001)"
    sql = f"{numbers} SELECT CASE WHEN i > 100000 THEN 'x' ELSE i END AS a FROM t"
    reader = from_cursor(sqlite.execute(text(sql)), "reader").value
    with pytest.raises(FrameError, match="The column 'a' cannot become an Arrow column"):
        reader.read_all()

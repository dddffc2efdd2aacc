"""Text as Python objects: frames that equal DuckDB's own, whatever the first rows are like."""

from __future__ import annotations

import threading
import warnings
from contextlib import nullcontext

import duckdb
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from md_magic.engine.results import objects
from md_magic.engine.results.fetch import to_pandas
from tests.unit.engine.results.conftest import tell_progress

ROWS = 300_000

RESULTS = {
    "few": "'group ' || i % 100 AS t",
    "many": "'text ' || i AS t",
    "few, with NULLs": "CASE WHEN i % 3 > 0 THEN 'é' || i % 7 END AS t",
    "many, with NULLs": "CASE WHEN i % 3 > 0 THEN 'é' || i END AS t",
    "few at first": "CASE WHEN i < 100000 THEN 'a' ELSE 'text ' || i END AS t",
    "NULLs at first": "CASE WHEN i > 200000 THEN 'text ' || i END AS t",
    "nothing but NULLs": "NULL::VARCHAR AS t",
    "few beside many": "'group ' || i % 100 AS t, 'text ' || i AS u, i, i / 7.0 AS d, i % 2 = 0 AS b",
    "numbers with NULLs after the first rows": "'a' AS t, CASE WHEN i < 20000 THEN i END AS i, i % 5 = 0 AS b",
    "numbers with NULLs in the first rows": "'t' || i AS t, CASE WHEN i > 20000 THEN i END AS i, NULL::INT AS n",
    "one name twice": "'group ' || i % 100 AS t, 'text ' || i AS T",
    "JSON and dates": "('{\"i\": ' || i % 9 || '}')::JSON AS j, DATE '1969-12-01' + (i % 99)::INT AS d",
    "documents": "repeat('x', 3000 + (i % 3)::INT) AS t",
    "few beside decimals and an ENUM": """'group ' || i % 100 AS t, (i % 99)::DECIMAL(10, 2) AS d,
        CASE WHEN i % 7 > 0 THEN 'h' || i % 9 END AS u, (CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END)::ENUM('a', 'b') AS e""",
    "pieces of many": "CASE WHEN i // 50000 % 2 = 0 THEN 'a' || i % 9 ELSE 'text ' || i END AS t",
}


@pytest.fixture
def con():
    """DuckDB, and text as pandas before 3 has it."""
    has_str = int(pd.__version__.split(".")[0]) >= 3
    with warnings.catch_warnings(), duckdb.connect() as con:
        warnings.filterwarnings("ignore", "The 'future.infer_string' option", DeprecationWarning)
        with pd.option_context("future.infer_string", False) if has_str else nullcontext():
            tell_progress(con)
            yield con


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("rows", [0, 1, 3_000, 60 * 2048, ROWS])
def test_a_frame_equals_df(con, name, rows):
    count = rows // 20 if name == "documents" else rows
    con.execute(f"CREATE TABLE made AS SELECT {RESULTS[name]} FROM range({count}) r(i)")
    expected = con.execute("FROM made").df()
    got = to_pandas(con.execute("FROM made")).value
    assert_frame_equal(got, expected, check_exact=True)
    for column in range(expected.shape[1]):
        if pd.api.types.is_object_dtype(expected.dtypes.iloc[column]):  # other dtypes have been compared
            kinds = [set(map(type, frame.iloc[:, column].array)) for frame in (got, expected)]
            assert kinds[0] == kinds[1]


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("rows", [(10,), (10, 20), (63, 3_000), (64, 3_000), (1, 1, ROWS)])
def test_a_frame_equals_df_where_the_first_chunk_is_small(con, name, rows):
    tables = [
        f"(SELECT {RESULTS[name]} FROM range({count // 20 + 1 if name == 'documents' else count}) r(i))"
        for count in rows
    ]
    query = " UNION ALL ".join(f"FROM {table}" for table in tables)
    assert_frame_equal(to_pandas(con.execute(query)).value, con.execute(query).df(), check_exact=True)


BY_ARROW = pytest.mark.skipif(not objects.OBJECTS, reason="pandas has text of its own")


@BY_ARROW
@pytest.mark.parametrize("rows", [10, ROWS])
def test_text_of_pandas_3_that_an_option_asks_for_is_given(con, rows):
    con.execute(f"CREATE TABLE made AS SELECT 'group ' || i % 100 AS t, i FROM range({rows}) r(i)")
    with pd.option_context("future.infer_string", True):
        expected = con.execute("FROM made").df()
        got = to_pandas(con.execute("FROM made")).value
        assert isinstance(expected.dtypes["t"], pd.StringDtype)
        assert_frame_equal(got, expected, check_exact=True)


@BY_ARROW
def test_equal_texts_are_one_object_where_there_are_few(con):
    con.execute(f"CREATE TABLE made AS SELECT 'group ' || i % 100 AS t, i FROM range({ROWS}) r(i)")
    expected = con.execute("FROM made").df()
    got = to_pandas(con.execute("FROM made")).value
    assert len({id(value) for value in expected["t"]}) == ROWS
    assert len({id(value) for value in got["t"][3_000:]}) < 1_000
    assert got["t"].tolist() == expected["t"].tolist()


def test_an_error_after_the_first_rows_is_duckdbs(con):
    for text in ("'a'", "'text ' || i"):
        query = f"SELECT {text} AS t, CASE WHEN i = 250000 THEN error('boom') END AS e FROM range({ROWS}) r(i)"
        for _ in range(10):
            with pytest.raises(duckdb.Error) as failed:
                to_pandas(con.execute(query))
            if not isinstance(failed.value, duckdb.InterruptException):  # as DuckDB says of some, natively too
                break
        assert isinstance(failed.value, duckdb.InvalidInputException)
        assert "boom" in str(failed.value)
        assert con.execute("SELECT 42").fetchall() == [(42,)]


@BY_ARROW
def test_rows_are_counted_where_they_come_in_batches(con):
    arrived = []
    to_pandas(con.execute(f"SELECT 'group ' || i % 100 AS t FROM range({ROWS}) r(i)"), count=arrived.append)
    assert ROWS - 20_000 <= sum(arrived) <= ROWS


@BY_ARROW
def test_the_thread_that_makes_objects_has_ended_when_a_count_stops_the_fetch(con):
    def stop(rows):
        if rows > 2048:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        to_pandas(con.execute("SELECT 'group ' || i % 100 AS t FROM range(3_000_000) r(i)"), count=stop)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("md_magic objects")]
    assert con.execute("SELECT 42").fetchall() == [(42,)]


@pytest.mark.parametrize(
    ("percent", "small"),
    [
        *[(-1, True), (50, True), (100 * 63 / 64, True), (100 * 2048 / 2049, True)],  # nothing is read; k rows of k + 1
        *[(0, False), (12.287987712012288, False), (49.999975, False), (100 * 10**6 / (10**6 + 1), False)],
    ],
)
def test_a_small_table_that_was_read_to_its_end_is_known_by_its_progress(percent, small):
    assert objects._is_small(percent) is small


def test_single_letters_come_by_numpy():
    """Python has but one object of each: what is made of them by way of Arrow is no sooner."""
    letters = pd.Series(["a", None, "b", ""] * 500).to_numpy(dtype=object)
    assert not objects._repeats(letters)
    assert objects._repeats(pd.Series(["ab", None, "bc", ""] * 500).to_numpy(dtype=object))


def test_moved_objects_keep_their_references():
    """The pointers change places: nothing is freed too early, and nothing is kept."""

    class Alive:
        count = 0

        def __init__(self):
            Alive.count += 1

        def __del__(self):
            Alive.count -= 1

    parts = [pd.Series([Alive() for _ in range(size)], dtype=object).to_numpy().copy() for size in (3, 0, 40_000)]
    whole = objects._one(parts)
    del parts
    assert (len(whole), Alive.count) == (40_003, 40_003)
    assert all(type(value) is Alive for value in whole)
    del whole
    assert Alive.count == 0

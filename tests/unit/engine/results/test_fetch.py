"""Frames equal DuckDB's own `.df()` in everything but time, on every road."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import warnings
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from md_magic.engine.results.arrow import detached, read
from md_magic.engine.results.batches import Batches, to_reader, unique_names
from md_magic.engine.results.fetch import from_duckdb, to_arrow, to_dict, to_pandas, to_polars
from md_magic.errors import FrameError
from tests.unit.engine.results.corpus import CASES, EDGES, TYPES, failing

SHAPES = {
    "alone": "SELECT {e} AS a",
    "with NULLs": "SELECT CASE WHEN i % 3 = 1 THEN NULL ELSE {e} END AS a",
    "only NULLs": "SELECT CASE WHEN i < 0 THEN {e} END AS a",
    "beside text": "SELECT 'text ' || i AS t, {e} AS a, 1 AS A",
    "beside text, with NULLs": (
        "SELECT CASE WHEN i % 3 = 0 THEN 'x' END AS t, CASE WHEN i % 3 = 1 THEN NULL ELSE {e} END AS a"
    ),
    "in a list": "SELECT [{e}, {e}] AS a, 'x' AS t",
    "in a list, with NULL": "SELECT [{e}, NULL] AS a, 'x' AS t",
    "in a struct": "SELECT {{'f': {e}, 'g': [{e}]}} AS a, 'x' AS t",
    "in a map": "SELECT MAP {{'k': {e}}} AS a, 'x' AS t",
}
# DuckDB 1.5.6 leaves the place of a NULL in a list unset: its `.df()` crashes on objects and gives noise for decimals.
UNSET = ("BIT", "BLOB", "GEOMETRY", "TIME", "TIME_NS", "UUID", "DECIMAL", "decimal")
# NaN in a Python dict equals nothing, not even itself, so `assert_frame_equal` cannot compare it.
UNEQUAL = ("double, not finite",)
PAIRS = [
    pytest.param(expression, shape, id=f"{name}, {place}")
    for name, expression in CASES.items()
    for place, shape in SHAPES.items()
    if not (place == "in a list, with NULL" and name.startswith(UNSET))
    and not (place in ("in a struct", "in a map") and name in UNEQUAL)
]
NUMBERS = (
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT"),
    *("DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
    *("TIMESTAMP WITH TIME ZONE", "ENUM"),
)
BIG = ("VARCHAR", "INTEGER", "DECIMAL", "DATE", "TIMESTAMP WITH TIME ZONE", "ENUM", "BOOLEAN", "HUGEINT")


STREAMS = pytest.mark.skipif(
    duckdb.__version__ >= "2", reason="DuckDB 2 computes all of a DB-API result before it is Arrow"
)


def outcome(con: duckdb.DuckDBPyConnection, sql: str, limit: int | None = None, *, native: bool = False) -> Any:
    """Return the frame, or the error's class and text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if native else "error")
        try:
            con.execute(sql)
            return con.df() if native else to_pandas(con, limit=limit).value
        except (duckdb.Error, RuntimeError) as error:
            return type(error), str(error)


def assert_same(got: Any, expected: Any) -> None:
    if not isinstance(expected, pd.DataFrame):
        assert got == expected
        return
    assert_frame_equal(got, expected, check_exact=True, check_freq=True, check_flags=True)
    assert repr(got.index) == repr(expected.index)
    assert [kind(dtype) for dtype in got.dtypes] == [kind(dtype) for dtype in expected.dtypes]
    for column in range(expected.shape[1]):
        if pd.api.types.is_object_dtype(expected.dtypes.iloc[column]):
            pairs = zip(got.iloc[:2000, column], expected.iloc[:2000, column], strict=True)
            assert all(type(a) is type(b) for a, b in pairs)


def kind(dtype: Any) -> tuple[str, ...]:
    parts = (repr(dtype), repr(getattr(dtype, "storage", "")), repr(getattr(dtype, "na_value", "")))
    return (*parts, repr(dtype.categories.dtype)) if isinstance(dtype, pd.CategoricalDtype) else parts


def check(con: duckdb.DuckDBPyConnection, sql: str, rows: int) -> None:
    sql = f"{sql} FROM range({rows}) r(i)"
    assert_same(outcome(con, sql), outcome(con, sql, native=True))


def test_every_type_of_duckdb_has_a_row(con: duckdb.DuckDBPyConnection) -> None:
    named = {
        row[0] for row in con.execute("SELECT DISTINCT logical_type FROM duckdb_types() WHERE internal").fetchall()
    }
    assert named <= set(TYPES)


@pytest.mark.parametrize(("expression", "shape"), PAIRS)
def test_frame_equals_df(con: duckdb.DuckDBPyConnection, expression: str, shape: str) -> None:
    for rows in (0, 1, 7, 2_048, 2_049):
        check(con, shape.format(e=expression), rows)


def test_no_rows_keep_the_width_of_the_codes() -> None:
    schema = pa.schema([("a", pa.dictionary(pa.uint8(), pa.string()))])
    assert read(schema, iter(()))[0][0].type == pa.dictionary(pa.uint8(), pa.large_string())


@pytest.mark.parametrize("shape", ["beside text", "beside text, with NULLs"])
@pytest.mark.parametrize("name", BIG)
def test_large_frame_equals_df(con: duckdb.DuckDBPyConnection, name: str, shape: str) -> None:
    check(con, SHAPES[shape].format(e=TYPES[name]), 300_000)


@pytest.mark.parametrize("name", sorted(set(TYPES) - set(BIG)))
def test_large_frame_of_any_other_type_equals_df(con: duckdb.DuckDBPyConnection, name: str) -> None:
    check(con, SHAPES["beside text, with NULLs"].format(e=TYPES[name]), 50_000)


TEXTS = {
    "short": "'text ' || i",
    "long": "repeat('long ', 20) || i",
    "of many bytes": "'žluťoučký kůň 🐎 ' || i",
    "empty": "''",
    "sometimes empty": "CASE WHEN i % 2 > 0 THEN '' ELSE i::VARCHAR END",
    "NULL but for the last": "CASE WHEN i = {rows} - 1 THEN 'last' END",
    "NULL at the end": "CASE WHEN i < {rows} - 100 THEN 'text ' || i END",
    "NULL alone": "NULL::VARCHAR",
    "very long, once": "CASE WHEN i = 30000 THEN repeat('x', 3000000) ELSE 'x' END",
    "very long, once, early": "CASE WHEN i = 8000 THEN repeat('x', 3000000) ELSE 'x' END",
    "JSON": "('{{\"i\": ' || i || '}}')::JSON",
}


@pytest.mark.parametrize("rows", [8_192, 8_193, 20_480, 20_481, 30_000, 200_000])
@pytest.mark.parametrize("expression", TEXTS.values(), ids=TEXTS)
def test_text_of_several_batches_equals_df(con: duckdb.DuckDBPyConnection, expression: str, rows: int) -> None:
    check(con, f"SELECT {expression.format(rows=rows)} AS a, 'b' || i AS b", rows)


DOCUMENTS = "repeat('x', 3000) || i AS a"
"""Text of which a batch is too large to be copied, and few bytes of which come at the end."""


@pytest.mark.parametrize(
    "columns",
    [
        DOCUMENTS,
        f"{DOCUMENTS}, (i / 7.0)::DECIMAL(10, 2) AS d, i, (i % 300)::VARCHAR::many AS e, CASE WHEN i % 3 > 0 THEN i % 2 = 0 END AS b",
        "CASE WHEN i < 9000 THEN repeat('x', 3000) END AS a, i, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS t",
    ],
    ids=["alone", "beside others", "at first, NULL later"],
)
def test_documents_equal_df(con: duckdb.DuckDBPyConnection, columns: str) -> None:
    check(con, f"SELECT {columns}", 20_000)


@pytest.mark.parametrize("column", ["repeat('x', 5000)", "repeat('x', 5000)::BLOB", "[repeat('x', 5000)]"])
def test_batches_of_documents_are_small(con: duckdb.DuckDBPyConnection, column: str) -> None:
    sql = f"SELECT i, {column} AS a FROM range(20000) r(i)"
    for reader in (to_reader(con.cursor().execute(sql)), Batches.of(con.execute(sql))):
        assert max(batch.nbytes for batch in reader) < 50_000_000


def test_copied_enum_shares_no_memory(con: duckdb.DuckDBPyConnection) -> None:
    batch = con.sql("SELECT i::VARCHAR::many AS a FROM range(300) r(i)").to_arrow_table().combine_chunks()
    array = batch["a"].chunk(0)
    copy = detached([array])
    assert copy.to_pylist() == array.to_pylist()
    theirs = {buffer.address for part in (array.indices, array.dictionary) for buffer in part.buffers() if buffer}
    ours = {buffer.address for part in (copy.indices, copy.dictionary) for buffer in part.buffers() if buffer}
    assert not theirs & ours


@pytest.mark.parametrize(
    ("last", "ends"),
    [("i", None), ("error('boom')", duckdb.InvalidInputException), ("i", KeyboardInterrupt)],
    ids=["read to its end", "failed", "stopped"],
)
def test_long_result_leaves_no_thread(
    con: duckdb.DuckDBPyConnection, last: str, ends: type[BaseException] | None
) -> None:
    con.execute("SET threads = 1")  # with more, DuckDB now and then reports the thread that the error stopped
    before, during = threading.active_count(), []

    def count(_rows: int) -> None:
        during.append(threading.active_count())
        if ends is KeyboardInterrupt and during[-1] > before:
            raise KeyboardInterrupt

    sql = f"SELECT CASE WHEN i = 999999 THEN {last} ELSE i END AS i FROM range(1000000) r(i)"
    with contextlib.nullcontext() if ends is None else pytest.raises(ends):
        to_pandas(con.execute(sql), count=count)
    if duckdb.__version__ < "2":  # DuckDB 2 fails before the first batch
        assert max(during) > before
    assert threading.active_count() == before
    assert con.execute("RESET threads; SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("told", [True, False], ids=["long", "of unknown length"])
@pytest.mark.parametrize("name", NUMBERS)
def test_large_frame_of_numbers_equals_df(con: duckdb.DuckDBPyConnection, name: str, told: bool) -> None:
    con.execute(f"SET enable_progress_bar = {told}")
    columns = f"{TYPES[name]} AS a, CASE WHEN i % 3 > 0 THEN {TYPES[name]} END AS b, i, i / 7 AS x"
    check(con, f"SELECT {columns}", 300_000)
    con.execute("SET enable_progress_bar = true")


def test_rows_of_a_long_result_of_numbers_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    counted: list[int] = []
    frame = to_pandas(con.execute("SELECT i, i / 7 AS x FROM range(300000) r(i)"), count=counted.append).value
    assert len(frame) == sum(counted)
    assert max(counted) < len(frame)


def test_columns_can_be_named_without_others_noticing(con: duckdb.DuckDBPyConnection) -> None:
    first, second = (to_pandas(con.execute("SELECT 1 AS a")).value for _ in range(2))
    first.columns.name = "mine"
    assert second.columns.name is None
    assert to_pandas(con.execute("SELECT 1 AS a")).value.columns.name is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(st.tuples(st.sampled_from(sorted(CASES)), st.integers(0, 4)), min_size=1, max_size=12),
    texts=st.integers(0, 2),
    rows=st.sampled_from([0, 1, 5, 2_048, 2_049, 5_000]),
    limit=st.none() | st.integers(0, 6_000),
)
def test_any_mix_of_columns_equals_df(
    con: duckdb.DuckDBPyConnection, columns: list[tuple[str, int]], texts: int, rows: int, limit: int | None
) -> None:
    chosen = [*columns, *[("VARCHAR", 3)] * texts]
    parts = [f"CASE WHEN i % {n + 1} < {n or 1} THEN {CASES[name]} END AS c{n}" for name, n in chosen]
    sql = f"SELECT {', '.join(parts)} FROM range({rows}) r(i)"
    short = sql if limit is None else f"FROM ({sql}) LIMIT {limit}"
    assert_same(outcome(con, short), outcome(con, short, native=True))
    expected = outcome(con, short, native=True)
    if isinstance(expected, pd.DataFrame):
        whole = outcome(con, sql, native=True)
        if isinstance(whole, pd.DataFrame):
            assert_same(outcome(con, sql, limit), expected)


@pytest.mark.parametrize("rows", ["i % 2 = 0", "i > 0", "i < 1", "i < 0", "true"])
@pytest.mark.parametrize("limit", [0, 1, 2, 4, 6])
def test_limited_union_of_texts_has_the_dtype_of_those_rows(
    con: duckdb.DuckDBPyConnection, rows: str, limit: int
) -> None:
    sql = f"SELECT CASE WHEN {rows} THEN {EDGES['union of texts, later a number']} END AS u FROM range(7) r(i)"
    assert_same(outcome(con, sql, limit), outcome(con, f"FROM ({sql}) LIMIT {limit}", native=True))


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a", "a_1", "a"],
        ["a", "A", "a"],
        ["É", "é", "É"],
        ["a_1", "a", "a"],
        ["a", "b"],
        ["a_1", "a", "a", "A_1", "a"],
    ],
)
def test_names_are_made_unique_like_df(con: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    sql = "SELECT " + ", ".join(f"'x' AS \"{name}\"" for name in names)
    expected = list(con.execute(sql).df().columns)
    assert unique_names(names) == expected
    assert list(to_pandas(con.execute(sql)).value.columns) == expected
    assert list(to_dict(con.execute(sql)).value) == expected
    assert to_polars(con.execute(sql)).value.columns == expected


@pytest.mark.parametrize(
    "setting",
    ["arrow_large_buffer_size = true", "arrow_lossless_conversion = true", "arrow_output_version = '1.5'"],
)
def test_arrow_settings_of_the_user_change_nothing(setting: str) -> None:
    columns = ", ".join(
        f"{TYPES[name]} AS c{i}" for i, name in enumerate(("BOOLEAN", "DECIMAL", "ENUM", "DATE", "DOUBLE"))
    )
    sql = f"SELECT 'x' || i AS t, '{{}}'::JSON AS j, {columns} FROM range(3000) r(i)"
    with duckdb.connect() as con:
        expected = con.execute(sql).df()
        con.execute(f"SET {setting}")
        assert_same(outcome(con, sql), expected)


@pytest.mark.skipif(pd.__version__ < "3", reason="pandas 2 has no str dtype by default")
@pytest.mark.parametrize(("option", "value"), [("future.infer_string", False), ("mode.string_storage", "python")])
def test_string_options_of_pandas_are_respected(con: duckdb.DuckDBPyConnection, option: str, value: object) -> None:
    with warnings.catch_warnings(action="ignore"), pd.option_context(option, value):
        check(con, "SELECT 'x' || i AS a, i AS b", 3_000)


@pytest.mark.parametrize("rows", [5, 300_000])
def test_frame_can_be_written_to(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    columns = [*BIG[:-1], "DOUBLE", "BIGINT"]
    sql = ", ".join(f"{TYPES[name]} AS c{i}" for i, name in enumerate(columns))
    frame = to_pandas(con.execute(f"SELECT {sql} FROM range({rows}) r(i)")).value
    for column in frame:
        frame.loc[0, column] = frame.loc[1, column]
        assert frame.loc[0, column] == frame.loc[1, column]


def test_wide_frame_is_not_fragmented(con: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"i + {n} AS c{n}" if n % 4 else f"'t' || i AS c{n}" for n in range(400))
    frame = to_pandas(con.execute(f"SELECT {columns} FROM range(10) r(i)")).value
    expected = con.execute(f"SELECT {columns} FROM range(10) r(i)").df()
    assert frame._mgr.nblocks == expected._mgr.nblocks


@pytest.mark.parametrize("rows", [1, 250_000])
@pytest.mark.parametrize("form", ["pandas", "arrow", "polars", "dict"])
@pytest.mark.parametrize("limit", [None, 1_000_000])
def test_error_while_fetching_is_that_of_df(rows: int, form: Any, limit: int | None) -> None:
    sql = failing(rows)
    # With more threads DuckDB itself now and then reports the thread that the error stopped: "Interrupted!".
    with duckdb.connect(config={"threads": 1}) as con:
        with pytest.raises(duckdb.Error) as expected:
            con.execute(sql).df()
        with pytest.raises(duckdb.Error) as got:
            from_duckdb(con.execute(sql), form, limit=limit)
    assert type(got.value) is type(expected.value)
    assert str(got.value) == str(expected.value)


@pytest.mark.parametrize("form", ["pandas", "arrow", "dict"])
@pytest.mark.parametrize("limit", [None, 10**9])
def test_interrupt_while_fetching_is_duckdbs_own(form: Any, limit: int | None) -> None:
    with duckdb.connect() as con:
        con.execute("SELECT 'some text ' || i AS a FROM range(100000000) r(i)")
        timer = threading.Timer(0.2, con.interrupt)
        timer.start()
        with pytest.raises(duckdb.InterruptException, match="Interrupted"):
            from_duckdb(con, form, limit=limit)
        timer.join()
        assert con.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("form", ["pandas", "arrow", "polars", "dict"])
@pytest.mark.parametrize("limit", [0, 1, 2_047, 2_048, 2_049, 10_000])
def test_limit_gives_so_many_rows_and_tells_of_more(con: duckdb.DuckDBPyConnection, form: Any, limit: int) -> None:
    sql = "SELECT i, 'x' || i AS t FROM range(100000) r(i) WHERE i % 3 = 0"
    fetched = from_duckdb(con.execute(sql), form, limit=limit)
    assert len(fetched.value["i"]) == limit
    column = fetched.value["i"]
    numbers = column.to_pylist() if form == "arrow" else list(column)
    assert numbers == [3 * i for i in range(limit)]
    assert fetched.more


@pytest.mark.parametrize("form", ["pandas", "arrow", "polars", "dict"])
@pytest.mark.parametrize("rows", [0, 1, 2_048, 5_000])
def test_limit_that_is_not_reached_says_so(con: duckdb.DuckDBPyConnection, form: Any, rows: int) -> None:
    for limit in (rows, rows + 1, 10**9):
        fetched = from_duckdb(con.execute(f"SELECT i, 'x' AS t FROM range({rows}) r(i)"), form, limit=limit)
        assert (len(fetched.value["i"]), fetched.more) == (rows, False)


@pytest.mark.parametrize(
    "form", ["pandas", pytest.param("arrow", marks=STREAMS), pytest.param("polars", marks=STREAMS), "dict"]
)
def test_limit_computes_only_what_it_needs(form: Any) -> None:
    with duckdb.connect(config={"threads": 1}) as con:
        con.create_function("seen", seen := Seen(), ["BIGINT"], "BIGINT")
        con.execute("SELECT seen(i) AS i, 'x' AS t FROM range(3000000) r(i)")
        assert from_duckdb(con, form, limit=10).more
        assert con.execute("SELECT 1").fetchall() == [(1,)]
        assert seen.rows < 1_500_000


class Seen:
    """Counts the rows that a query computes."""

    rows = 0

    def __call__(self, value: int) -> int:
        self.rows += 1
        return value


def test_arrow_is_duckdbs_own_table(con: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT i, 'x' || i AS t, [i] AS l, {'a': i} AS s FROM range(5000) r(i)"
    expected = con.sql(sql).to_arrow_table()
    assert to_arrow(con.execute(sql)).value.equals(expected)
    assert to_arrow(con.execute(sql), limit=3_000).value.equals(expected[:3_000])
    assert to_arrow(con.execute(sql), limit=0).value.schema == expected.schema


def test_polars_shares_arrows_buffers(con: duckdb.DuckDBPyConnection) -> None:
    frame = to_polars(con.execute("SELECT i, 'x' || i AS t, DATE '2020-01-01' AS d FROM range(5000) r(i)")).value
    assert frame.schema == {"i": pl.Int64, "t": pl.String, "d": pl.Date}
    assert frame.row(4_999)[:2] == (4_999, "x4999")


def test_type_that_polars_lacks_is_a_frame_error(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(FrameError, match="Polars cannot hold this result"):
        to_polars(con.execute("SELECT INTERVAL 1 DAY AS a"))


def test_missing_polars_is_named(con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(FrameError, match="pip install polars"):
        to_polars(con.execute("SELECT 1"))


def test_dict_holds_duckdbs_python_values(con: duckdb.DuckDBPyConnection) -> None:
    fetched = to_dict(con.execute("SELECT 1.50 AS a, [1, NULL] AS b, NULL AS c UNION ALL SELECT 2.5, [], 3"))
    assert fetched.value == {"a": [Decimal("1.50"), Decimal("2.50")], "b": [[1, None], []], "c": [None, 3]}
    assert to_dict(con.execute("SELECT 1 AS a WHERE false")).value == {"a": []}


PEAK = """
import sys, duckdb
from md_magic.engine.results.fetch import to_pandas
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
with duckdb.connect(config={"threads": 1}) as con:
    for rows in (1, 1_000_000):
        before = peak()
        con.execute(f"SELECT {sys.argv[2]} FROM range({rows}) r(i)")
        frame = con.df() if sys.argv[1] == "df" else to_pandas(con).value
print(peak() - before)
"""
LITTLE_TEXT = {
    "sparse text beside one number": "CASE WHEN i % 1000 = 0 THEN 'text ' || i END, i",
    "sparse text beside 7 numbers": "CASE WHEN i % 1000 = 0 THEN 'text ' || i END" + ", i" * 7,
    "sparse text beside 7 decimals": "CASE WHEN i % 1000 = 0 THEN 'text ' || i END" + ", i::DECIMAL(18, 3)" * 7,
    "NULLs beside one number": "NULL::VARCHAR, i",
    "NULLs beside 7 numbers": "NULL::VARCHAR" + ", i" * 7,
    "text alone": "'text ' || i",
}


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
@pytest.mark.skipif(
    pd.__version__ < "3", reason="pandas 2 has only the road of `.df()`, and the same peak give or take"
)
@pytest.mark.parametrize("columns", LITTLE_TEXT.values(), ids=LITTLE_TEXT)
@STREAMS
def test_frame_takes_no_more_memory_than_df(columns: str) -> None:
    def peak(road: str) -> int:
        run = subprocess.run([sys.executable, "-c", PEAK, road, columns], capture_output=True, check=True, timeout=300)
        return int(run.stdout.split()[-1])  # after what DuckDB draws for a query of over two seconds

    assert peak("ours") <= peak("df")

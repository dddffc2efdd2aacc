"""The token is masked in every value that a result can hold it in, and nothing else is touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from md_magic.auth.secret import Secret
from md_magic.engine.results import fetch, masking
from md_magic.engine.results.batches import Batches, to_reader
from tests.unit.engine.results.corpus import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = "c2lnbmF0dXJlLW9mLWFubi1pcy1sb25nLWVub3VnaC4u"
TOKEN = f"eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSJ9.{SIGNATURE}"
OTHER = "eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSJ9.c2lnbmF0dXJlLW9mLWJvYi1pcy1vdGhlcndpc2UuLi4u"
"""A token of the same account: only its signature is another one."""

MASK = masking.TokenMask([Secret(TOKEN)])
FORMS = ("pandas", "polars", "arrow", "reader", "dict")

VALUES = [
    ("'{}'", "***"),
    ("'before {} after'", "before *** after"),
    ("'{}'::BLOB", b"***"),
    ("['x', '{}', NULL]", ["x", "***", None]),
    ("['{}']::VARCHAR[1]", ("***",)),
    ("[[['{}']]]", [[["***"]]]),
    ("{{'a': '{}', 'b': 1}}", {"a": "***", "b": 1}),
    ("{{'a': [{{'b': '{}'}}], 'c': 1.5}}", {"a": [{"b": "***"}], "c": 1.5}),
    ("MAP {{'{}': 1}}", {"***": 1}),
    ("MAP {{1: '{}'}}", {1: "***"}),
    ("union_value(k := '{}')", "***"),
    ("'{}'::ENUM('{}', 'x')", "***"),
    ("""'{{"a": ["{}"]}}'::JSON""", '{"a": ["***"]}'),
    ("'{}'::VARIANT", "***"),
]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def plain(value: Any) -> Any:
    """Return *value* in Python's own types, a map of Arrow as a dict."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
        return dict(value)
    return bytes(value) if isinstance(value, bytearray) else value


@pytest.mark.parametrize("secret", [TOKEN, SIGNATURE], ids=["token", "signature"])
@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_a_token_is_masked_in_any_value(
    con: duckdb.DuckDBPyConnection, expression: str, value: object, secret: str
) -> None:
    con.execute(f"SELECT 1 AS n, {expression.format(secret, secret)} AS v")
    assert fetch.to_dict(con, mask=MASK).value == {"n": [1], "v": [value]}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("expression", "value"), [pair for pair in VALUES if "VARIANT" not in pair[0]])
def test_it_is_masked_in_every_form(con: duckdb.DuckDBPyConnection, form: str, expression: str, value: object) -> None:
    if form == "polars" and ("MAP" in expression or "union" in expression):
        pytest.skip("Polars has no such type")
    con.execute(f"SELECT {expression.format(TOKEN, TOKEN)} AS v FROM range(3)")
    result = fetch.from_duckdb(con, form, mask=MASK).value
    if form == "reader":
        result = result.read_all()
    if form == "pandas":
        values = [plain(item) for item in result["v"]]
    else:
        values = (
            result["v"]
            if form == "dict"
            else [plain(item) for item in result["v"].to_pylist()]
            if (form != "polars")
            else [plain(item) for item in result["v"].to_list()]
        )
    wanted = list(value) if isinstance(value, tuple) and form != "dict" else value
    assert values == [wanted] * 3
    assert TOKEN not in repr(result)


@pytest.mark.parametrize("form", FORMS)
def test_the_text_of_somebody_else_stays(con: duckdb.DuckDBPyConnection, form: str) -> None:
    texts = [OTHER, TOKEN[:-1], SIGNATURE[:-1], SIGNATURE[:8], TOKEN.rpartition(".")[0]]
    con.execute("SELECT unnest($texts) AS token", {"texts": texts})
    result = fetch.from_duckdb(con, form, mask=MASK).value
    table = result.read_all() if form == "reader" else pa.table(dict(result)) if form == "dict" else pa.table(result)
    assert table["token"].to_pylist() == texts


@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("case", CASES)
def test_a_result_without_the_token_has_the_same_dtypes_and_values(
    con: duckdb.DuckDBPyConnection, case: str, limit: int | None
) -> None:
    sql = f"SELECT {CASES[case]} AS v FROM range(5000) t(i)"
    try:
        plain_frame = fetch.to_pandas(con.execute(sql), limit=limit).value
    except Exception as error:  # noqa: BLE001 - what pandas cannot hold: the same is raised
        with pytest.raises(type(error)):
            fetch.to_pandas(con.execute(sql), limit=limit, mask=MASK)
        return
    masked = fetch.to_pandas(con.execute(sql), limit=limit, mask=MASK).value
    pd.testing.assert_frame_equal(masked, plain_frame, check_exact=True)


def test_a_masked_frame_keeps_its_dtypes(con: duckdb.DuckDBPyConnection) -> None:
    """Whichever way it takes: Arrow, `.df()`, or the first rows alone."""
    for columns in ("t, 1 AS n", "t, uuid() AS u", "t, [1] AS l"):
        for limit in (None, 3):
            sql = f"SELECT {columns} FROM (SELECT CASE range WHEN 2 THEN '{{}}' ELSE 'x' END AS t FROM range(5))"
            masked = fetch.to_pandas(con.execute(sql.format(TOKEN)), limit=limit, mask=MASK).value
            harmless = fetch.to_pandas(con.execute(sql.format("***")), limit=limit).value
            assert masked["t"].tolist() == harmless["t"].tolist()
            assert (masked.dtypes == harmless.dtypes).all()
            assert masked.index.equals(harmless.index)


def test_long_lists_and_arrays_of_numpy_are_searched(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"SELECT list_concat(list(range::VARCHAR), ['{TOKEN}'], list('y' || range)) AS v FROM range(3000)")
    assert fetch.to_pandas(con, mask=MASK).value["v"][0][3000] == "***"
    array = np.array(["x", TOKEN])
    assert array.dtype.kind == "U"
    assert MASK.columns({"v": [array]}, [duckdb.sqltype("VARCHAR[]")])["v"][0].tolist() == ["x", "***"]


def test_names_of_columns_are_masked(con: duckdb.DuckDBPyConnection) -> None:
    """A PIVOT makes names of values."""
    for form in FORMS:
        con.execute(f"PIVOT (SELECT '{TOKEN}' AS t, 1 AS n) ON t USING sum(n)")
        result = fetch.from_duckdb(con, form, mask=MASK).value
        names = result.schema.names if form in {"arrow", "reader"} else list(getattr(result, "columns", result))
        assert names == ["***"]


def test_two_values_of_an_enum_that_become_one_stay_two(con: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT unnest(['{TOKEN}', '***', 'x']::ENUM('{TOKEN}', '***', 'x')[]) AS v"
    for form in ("pandas", "arrow"):
        result = fetch.from_duckdb(con.execute(sql), form, mask=MASK).value
        values = result["v"].tolist() if form == "pandas" else result["v"].to_pylist()
        assert values == ["***", "***_1", "x"]


def test_streams_and_grids_are_masked(con: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT CASE WHEN range = 50000 THEN '{TOKEN}' ELSE 'x' END AS v FROM range(60000)"
    for batches in (Batches.of(con.execute(sql), mask=MASK), to_reader(con.cursor().execute(sql), mask=MASK)):
        values = [value for batch in batches for value in batch.column(0).to_pylist()]
        assert values[50000] == "***"
        assert set(values) == {"x", "***"}


def test_an_error_halfway_is_duckdbs_own(con: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT CASE WHEN range = 500000 THEN error('halfway') ELSE 'x' END AS v FROM range(600000)"
    for form in FORMS:
        with pytest.raises(duckdb.InvalidInputException, match="halfway"):
            fetch.from_duckdb(con.execute(sql), form, mask=MASK)


def test_a_token_that_two_values_make_together_is_none(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SELECT unnest($parts) AS v", {"parts": [SIGNATURE[:20], SIGNATURE[20:]]})
    assert fetch.to_arrow(con, mask=MASK).value["v"].to_pylist() == [SIGNATURE[:20], SIGNATURE[20:]]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary_view(), pa.binary(99)])
def test_every_layout_of_text_is_searched(kind: pa.DataType) -> None:
    texts = [None, "x" * 99, TOKEN.ljust(99)[:99] if len(TOKEN) > 99 else TOKEN.ljust(99), SIGNATURE.rjust(99)]
    binary = pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind)
    array = pa.array([text and text.encode() if binary else text for text in texts], type=kind)
    if pa.types.is_fixed_size_binary(kind):
        with pytest.raises(pa.ArrowInvalid):  # the mask is shorter: nothing is shown
            MASK.array(array)
        return
    masked = MASK.array(array)
    assert masked.type == kind
    assert SIGNATURE not in repr(masked.to_pylist())
    assert masked.to_pylist()[:2] == array.to_pylist()[:2]


def test_what_is_sliced_is_searched_and_kept() -> None:
    for array in (
        pa.array(["x", TOKEN, None, "y"]),
        pa.array([["x"], [TOKEN, "z"], None, ["y"]]),
        pa.array([["x"], [TOKEN], None, ["y"]], pa.list_(pa.string(), 1)),
        pa.array([{"a": "x"}, {"a": TOKEN}, None, {"a": "y"}]),
        pa.array([[("x", 1)], [("k", 2)], None, [(TOKEN, 3)]], pa.map_(pa.string(), pa.int32())),
    ):
        masked = MASK.array(array.slice(1))
        masked.validate(full=True)
        wanted = json.loads(json.dumps(array.slice(1).to_pylist()).replace(TOKEN, "***"))
        assert json.loads(json.dumps(masked.to_pylist())) == wanted


def test_numbers_are_not_looked_at(con: duckdb.DuckDBPyConnection) -> None:
    reader = con.sql("SELECT 1 AS a, [1] AS b, {'c': DATE '2000-01-01'} AS c").to_arrow_reader()
    assert MASK.reader(reader) is reader


def test_searching_can_be_stopped(con: duckdb.DuckDBPyConnection) -> None:
    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    for form in FORMS:
        con.execute("SELECT [range::VARCHAR] AS v FROM range(300000)")
        with pytest.raises(KeyboardInterrupt):
            fetch.from_duckdb(con, form, count=stop, mask=MASK)


def test_a_typed_explain_is_searched_for_parts(con: duckdb.DuckDBPyConnection) -> None:
    """Its boxes break a long text into lines."""
    mask = masking.TokenMask([Secret(TOKEN)], fragments=True)
    text = fetch.to_dict(con.execute(f"EXPLAIN SELECT '{TOKEN}' AS t"), mask=mask).value["explain_value"][0]
    assert SIGNATURE[:12] not in text
    assert SIGNATURE[20:32] not in text


def test_what_is_too_short_for_a_token_is_not_looked_for() -> None:
    assert masking.TokenMask([Secret("x")]).text("xylophone") == "xylophone"
    assert masking.TokenMask([Secret("a-token-of-some-length-123")]).text("a-token-of-some-length-123") == "***"


@pytest.mark.parametrize(
    ("sql", "prints"),
    [
        ("PRAGMA PRINT_MD_TOKEN", True),
        ("/* a */ -- b\n pragma  print_md_token;", True),
        ("SELECT 'PRAGMA PRINT_MD_TOKEN'", False),
        ("PRAGMA table_info('t')", False),
        ("/* PRAGMA PRINT_MD_TOKEN */ SELECT 1", False),
    ],
)
def test_only_the_pragma_prints(sql: str, prints: bool) -> None:
    assert masking.prints(sql) is prints


def test_many_comments_are_read_in_no_time() -> None:
    comments = "/* a comment */\n" * 64  # a pattern that backtracks doubles its time with each
    assert masking.prints(f"{comments}SELECT 1 AS setting") is False
    assert masking.prints(f"{comments}PRAGMA print_md_token") is True

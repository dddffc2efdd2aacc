"""What is seen of a result, taken along: exact as a frame, as text and as a file, whatever the types."""

from __future__ import annotations

import csv
import io

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from md_magic.engine.results import fetch, seen
from md_magic.engine.results.views import FilterError, View
from md_magic.errors import FrameError
from tests.unit.engine.results.corpus import CASES
from tests.unit.engine.results.keeping import make_types


@pytest.fixture
def con():
    with duckdb.connect() as con:
        make_types(con)
        yield con


def part(store, view=View(), columns=None, first=0, count=None):  # noqa: B008 - frozen
    return seen.Part(view, tuple(range(len(store.columns))) if columns is None else columns, first, count)


def text(store, taken, path, *, headers=False):
    rows = seen.write_text(store, taken, path, headers=headers, check=lambda: None)
    return rows, path.read_bytes().decode()


NOT_THE_SAME = {"TYPE", "VARIANT"}
"""Types that a file on disk cannot have: they are kept as text."""

if duckdb.__version__ >= "2":  # where a NULL alone has no type, and not that of an INTEGER
    NOT_THE_SAME.add("NULL")


@pytest.mark.parametrize("name", CASES)
def test_what_is_taken_is_what_the_query_gives(con, kept, tmp_path, name):
    sql = f'SELECT {CASES[name]} AS c, i AS "a\tb" FROM range(9) t(i)'
    store = kept(sql)
    expected = con.execute(f'SELECT c::VARCHAR, "a\tb" FROM ({sql})').fetchall()
    if name not in NOT_THE_SAME:
        check_frames(store, con, sql)

    rows, written = text(store, part(store), tmp_path / "t", headers=True)
    read = list(csv.reader(io.StringIO(written, newline=""), delimiter="\t"))
    assert rows == 9
    assert read == [["c", "a\tb"], *[[text or "", str(i)] for text, i in expected]]
    assert not written.endswith("\n")

    assert seen.write_csv(store, part(store), tmp_path / "t.csv") == 9
    typed = "columns = {'c': 'VARCHAR', 'i': 'BIGINT'}, header = true, quote = '\"', escape = '\"'"
    csv_rows = con.execute(f"FROM read_csv('{tmp_path}/t.csv', {typed})").fetchall()
    assert csv_rows == [(text or None, i) for text, i in expected]  # DuckDB reads a quoted nothing as NULL

    assert seen.write_parquet(store, part(store), tmp_path / "t.parquet") == 9
    typed = "c::TUPLE(BIGINT, VARCHAR)" if name == "TUPLE" else "c"  # Parquet has none
    read = con.execute(f"SELECT {typed}::VARCHAR, \"a\tb\" FROM '{tmp_path}/t.parquet'").fetchall()
    assert read == expected


def check_frames(store, con, sql):
    try:
        own = fetch.to_pandas(con.execute(sql)).value
    except duckdb.Error:
        with pytest.raises(FrameError, match=r"arrow\(\)"):
            seen.frame(store, part(store))
    else:
        pd.testing.assert_frame_equal(seen.frame(store, part(store)), own)
    table = seen.arrow(store, part(store))
    assert str(table) == str(con.sql(sql).to_arrow_table())
    assert str(table) == str(seen.reader(store, part(store)).read_all())


def test_a_sum_is_a_number_in_parquet(kept, tmp_path):
    store = kept("SELECT sum(i) AS s, max(170141183460469231731687303715884105727) AS m FROM range(10) t(i)")
    seen.write_parquet(store, part(store), tmp_path / "t.parquet")
    schema = pa.parquet.read_schema(tmp_path / "t.parquet")
    assert [str(field.type) for field in schema] == ["decimal128(38, 0)", "string"]


@pytest.mark.parametrize("wrap", ["{}", "[{}]", "{{'TIMESTAMP_S': {}}}"])
def test_infinity_in_seconds_is_written_to_parquet(con, kept, tmp_path, wrap):
    store = kept("SELECT " + wrap.format("'infinity'::TIMESTAMP_S") + " AS c")
    seen.write_parquet(store, part(store), tmp_path / "t.parquet")
    [(text,)] = con.execute(f"SELECT c::VARCHAR FROM '{tmp_path}/t.parquet'").fetchall()
    assert text == wrap.replace("{}", "infinity").replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize(
    ("value", "alone", "beside"),
    [
        ("'plain'", "plain", "plain"),
        ("' edges '", " edges ", " edges "),
        ("'a' || chr(9) || 'b'", "a\tb", '"a\tb"'),
        ("'a' || chr(10) || 'b'", "a\nb", '"a\nb"'),
        ("'a' || chr(13) || chr(10)", "a\r\n", '"a\r\n"'),
        ("'say \"x\"'", 'say "x"', '"say ""x"""'),
        ("''", "", '""'),
        ("NULL", "", ""),
        ("'=1+1'", "=1+1", "=1+1"),
        ("9007199254740993", "9007199254740993", "9007199254740993"),
        ("repeat('x', 20000)", "x" * 20000, "x" * 20000),
        ("'\u00e4\U0001f986'", "\u00e4\U0001f986", "\u00e4\U0001f986"),
    ],
)
def test_one_value_is_as_it_is_and_in_a_block_quoted_where_a_spreadsheet_wants_it(kept, tmp_path, value, alone, beside):
    store = kept(f"SELECT {value} AS c, 1 AS n FROM range(2)")
    assert text(store, part(store, columns=(0,), first=1, count=1), tmp_path / "t") == (1, alone)
    assert text(store, part(store, first=0, count=2), tmp_path / "t") == (2, f"{beside}\t1\n{beside}\t1")


def test_a_block_is_rows_of_the_view_and_columns_in_their_order(kept, tmp_path):
    store = kept("SELECT i, i % 10 AS k, 'x' || i AS x FROM range(300000) t(i)")
    view = View(sort=((1, True), (0, False)), filters=((0, ">= 100"),))
    block = part(store, view, (2, 0), first=2, count=3)
    assert text(store, block, tmp_path / "t", headers=True) == (3, "x\ti\nx129\t129\nx139\t139\nx149\t149")
    late = part(store, View(), (0,), first=299_998, count=5)
    assert text(store, late, tmp_path / "t") == (2, "299998\n299999")
    whole = seen.frame(store, part(store, view, (2, 0)))
    assert whole.shape == (299_900, 2)
    assert whole.iloc[2:5]["i"].tolist() == [129, 139, 149]
    assert seen.arrow(store, block)["x"].to_pylist() == ["x129", "x139", "x149"]


def test_all_rows_are_those_of_the_pages_in_their_order(kept):
    store = kept("SELECT i, hash(i) % 7 AS h, (i % 3)::VARCHAR AS t FROM range(200000) t(i)")
    for view in (View(), View(filters=((2, "= 1"),)), View(sort=((1, False),)), View(((2, True),), ((1, "> 2"),))):
        taken = seen.frame(store, part(store, view))
        for first in (0, 12_345, 30_000):
            page = store.page(view, first=first, count=20, left=0, right=1)
            assert taken["i"].iloc[first : first + 20].tolist() == [int(row[0]) for row in page.rows]
        assert len(taken) == page.total


def test_names_that_stand_twice(kept, tmp_path):
    store = kept('SELECT 1 AS a, 2 AS a, 3 AS "x""y"')
    assert seen.frame(store, part(store)).columns.tolist() == ["a", "a_1", 'x"y']
    assert text(store, part(store), tmp_path / "t", headers=True)[1] == 'a\ta\t"x""y"\n1\t2\t3'
    seen.write_parquet(store, part(store), tmp_path / "t.parquet")
    assert pa.parquet.read_schema(tmp_path / "t.parquet").names == ["a", "a_1", 'x"y']


def test_a_bad_filter_and_a_closed_grid_say_so(kept):
    store = kept("SELECT 1 AS a")
    with pytest.raises(FilterError):
        seen.frame(store, part(store, View(filters=((0, "> x"),))))
    store.close()
    with pytest.raises(FrameError, match="run its cell again"):
        seen.arrow(store, part(store))


def test_a_reader_may_be_left_halfway(kept):
    store = kept("SELECT i FROM range(500000) t(i)")
    reader = seen.reader(store, part(store))
    assert reader.read_next_batch().num_rows > 0
    del reader
    assert store._cursors == []


def test_what_is_stopped_stops(kept, tmp_path):
    store = kept("SELECT i FROM range(100000) t(i)")
    seen_rows, message = [], "stopped"

    def check():
        seen_rows.append(1)
        if len(seen_rows) > 3:
            raise FrameError(message)

    with pytest.raises(FrameError, match="stopped"):
        seen.write_text(store, part(store), tmp_path / "t", headers=False, check=check)
    assert len(seen_rows) == 4

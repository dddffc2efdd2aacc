"""Profiles computed by DuckDB, against pandas, on every type, and on hostile names and values."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from md_magic.errors import StatementError
from md_magic.session.profile import query
from md_magic.session.profile.bins import BARS
from md_magic.session.profile.values import QUANTILES
from md_magic.session.session import Session


@pytest.fixture(scope="module")
def session():
    made = Session(notify=print)
    yield made
    made.close_all()


@pytest.fixture
def profile(session):
    def ask(sql, **variables):
        return session.profile(sql, variables)

    return ask


@pytest.fixture
def native(session):
    return session.use().backend.native


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(7)
    made = pd.DataFrame(
        {
            "n": random.integers(-50, 1000, 3000),
            "x": random.normal(10, 3, 3000),
            "word": random.choice(["one", "two", "three", ""], 3000, p=[0.5, 0.3, 0.15, 0.05]),
            "day": pd.Timestamp("2024-02-29") + pd.to_timedelta(random.integers(0, 400, 3000), unit="D"),
            "flag": random.random(3000) < 0.3,
        }
    )
    made.loc[made.index % 10 == 3, "x"] = None
    made.loc[made.index % 4 == 1, "word"] = None
    return made


def test_numbers_are_those_that_pandas_computes(profile, frame):
    found = profile("SELECT * FROM frame -- all of it", frame=frame)
    assert (found.rows, found.sampled, found.exact) == (3000, 3000, True)
    by_name = {column.name: column for column in found.columns}
    assert list(by_name) == list(frame)
    for name, column in by_name.items():
        values = frame[name]
        assert column.nulls == values.isna().sum()
        assert column.distinct == values.nunique()
    for name in ("n", "x"):
        column, values = by_name[name], frame[name].dropna()
        assert (column.smallest, column.largest) == (values.min(), values.max())
        assert column.mean == pytest.approx(values.mean())
        assert column.quantiles == pytest.approx(tuple(values.quantile(QUANTILES)))
        assert sum(one.rows for one in column.bins) == values.size
    bars = by_name["n"].bins
    assert {one.high - one.low for one in bars[:-1]} == {49}, "Fifty whole numbers in each bar."
    assert [one.rows for one in bars] == [frame["n"].between(one.low, one.high).sum() for one in bars]
    bars = by_name["x"].bins
    counts, edges = np.histogram(frame["x"].dropna(), bins=BARS)
    assert [one.low for one in bars] == pytest.approx(list(edges[:-1]))
    assert [one.rows for one in bars] == pytest.approx(list(counts), abs=2)  # rounding at the edges
    word = by_name["word"]
    counts = frame["word"].value_counts()
    assert {one.value: one.rows for one in word.frequent} == counts.to_dict()
    assert word.frequent[0].share == pytest.approx(counts.max() / frame["word"].count())
    assert word.lengths == (0, 5, pytest.approx(frame["word"].str.len().mean()))
    day = by_name["day"]
    assert (day.smallest, day.largest) == (str(frame["day"].min()), str(frame["day"].max()))
    assert abs(pd.Timestamp(day.mean) - frame["day"].mean()) <= pd.Timedelta("1ms")
    assert day.quantiles[2] == str(frame["day"].quantile(0.5, interpolation="lower"))
    assert {one.value: one.rows for one in by_name["flag"].frequent} == {
        "true": frame["flag"].sum(),
        "false": (~frame["flag"]).sum(),
    }


def test_the_frame_has_a_row_for_each_column(profile):
    found = profile("SELECT range AS n, range / 4 AS x, 'a' AS t FROM range(5)").frame
    assert found["column"].tolist() == ["n", "x", "t"]
    assert found["rows"].tolist() == [5, 5, 5]
    assert found["smallest"].tolist() == [0, 0.0, "a"]
    assert found["q50"].tolist()[:2] == [2, 0.5]
    assert found["mean"].tolist()[:2] == [2.0, 0.5]


def test_a_larger_query_is_sampled_and_says_so(profile):
    found = profile(
        "SELECT range AS id, range % 7 AS seven, 'c' || (range % 3) AS c, CASE WHEN range % 5 > 0 THEN 1.5 END AS n"
        " FROM range(200_000)"
    )
    assert (found.rows, found.sampled) == (200_000, query.SAMPLE)
    ids, seven, text, some = found.columns
    assert (ids.smallest, ids.largest, ids.mean, ids.nulls) == (0, 199_999, 99_999.5, 0)
    assert ids.distinct == pytest.approx(200_000, rel=0.02)
    assert not ids.distinct_exact
    assert (ids.bins[0].low, ids.bins[-1].high) == (0, 199_999), "The axis ends where all rows do."
    assert (text.distinct, text.distinct_exact) == (3, True)
    assert ids.quantiles == pytest.approx([200_000 * at for at in QUANTILES], abs=5000)
    assert (seven.distinct, seven.distinct_exact) == (7, True)
    assert [one.share for one in text.frequent] == pytest.approx([1 / 3] * 3, abs=0.03)
    assert (some.nulls, some.distinct) == (40_000, 1)
    assert some.frequent[0].share == 1


def test_rare_values_are_not_overlooked(profile):
    found = profile("SELECT CASE WHEN range % 500 = 0 THEN range ELSE -1 END AS n FROM range(1_000_000)")
    assert found.columns[0].distinct == pytest.approx(2001, rel=0.35)


def test_the_query_runs_once(profile, native):
    native.execute("CREATE OR REPLACE SEQUENCE once")
    found = profile("SELECT nextval('once') AS n, 'x' AS t FROM range(30_000)")
    assert found.rows == 30_000
    assert native.execute("SELECT nextval('once')").fetchone() == (30_001,)


def test_nothing_is_made_in_the_database(profile, native):
    def objects():
        return native.execute(
            "SELECT (SELECT count(*) FROM duckdb_tables()), (SELECT count(*) FROM duckdb_views()),"
            " (SELECT count(*) FROM duckdb_settings() WHERE scope = 'LOCAL'), (SELECT count(*) FROM duckdb_types())"
        ).fetchone()

    before = objects()
    profile("SELECT * FROM range(100)")
    assert objects() == before


def test_every_type_is_profiled(profile):
    found = profile("FROM test_all_types()")
    assert len(found.columns) > 50
    for column in found.columns:
        assert column.nulls == 1, column.name
        assert 1 <= column.distinct <= 2, column.name
        assert column.smallest is not None, column.name
    assert len(found.frame) == len(found.columns)
    by_name = {column.name: column for column in found.columns}
    assert by_name["hugeint"].largest == 2**127 - 1
    assert by_name["bignum"].largest == -by_name["bignum"].smallest > 10**300
    assert isinstance(by_name["dec38_10"].smallest, Decimal)
    assert by_name["timestamp"].largest == "294247-01-10 04:00:54.775806"


@pytest.mark.parametrize(
    ("sql", "smallest", "largest", "bins"),
    [
        pytest.param("SELECT unnest(['inf', '-inf', 'nan', '1', '3']::DOUBLE[]) AS x", -np.inf, np.nan, 2, id="floats"),
        pytest.param(
            "SELECT unnest(['infinity', '-infinity', '2024-01-01']::DATE[]) AS x",
            "-infinity",
            "infinity",
            0,
            id="dates",
        ),
        *(
            pytest.param(
                f"SELECT unnest(['1999-01-01', '8000-01-01', 'infinity']::{kind}[]) AS x",
                "1999-01-01 00:00:00",
                "infinity",
                2,
                id=kind,
            )
            for kind in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP")
        ),
        pytest.param("SELECT unnest([1e308, -1e308]::DOUBLE[]) AS x", -1e308, 1e308, 2, id="the largest range"),
        pytest.param("SELECT NULL::INT AS x FROM range(5)", None, None, 0, id="all NULL"),
        pytest.param("SELECT 1 AS x WHERE false", None, None, 0, id="no rows"),
        pytest.param("SELECT NULL AS x", None, None, 0, id="no type"),
        pytest.param("SELECT 7 AS x FROM range(5)", 7, 7, 0, id="one value"),
    ],
)
def test_odd_values(profile, sql, smallest, largest, bins):
    found = profile(sql)
    [column] = found.columns
    assert repr((column.smallest, column.largest)) == repr((smallest, largest))
    assert sum(one.rows for one in column.bins) == bins


@pytest.mark.parametrize(
    ("sql", "family", "lengths"),
    [
        pytest.param("SELECT [range, 1] AS x FROM range(3)", "list", (2, 2, 2.0), id="list"),
        pytest.param("SELECT MAP {'a': range} AS x FROM range(3)", "list", (1, 1, 1.0), id="map"),
        pytest.param("SELECT [MAP {'a': range}] AS x FROM range(3)", "list", (1, 1, 1.0), id="list of maps"),
        pytest.param("SELECT {'a': range} AS x FROM range(3)", "other", None, id="struct"),
        pytest.param("SELECT union_value(a := range) AS x FROM range(3)", "other", None, id="union"),
        pytest.param(r"SELECT '\xAA\xBB'::BLOB AS x", "bytes", (2, 2, 2.0), id="blob"),
        pytest.param("SELECT '{\"a\": 1}'::JSON AS x", "text", (8, 8, 8.0), id="json"),
        pytest.param("SELECT 1::VARIANT AS x", "other", None, id="variant"),
    ],
)
def test_nested_and_binary_values(profile, sql, family, lengths):
    [column] = profile(sql).columns
    assert (column.family, column.lengths) == (family, lengths)
    assert column.distinct == profile(sql).rows


def test_long_values_are_cut_and_still_told_apart(profile):
    found = profile("SELECT repeat('x', 100_000) || (range % 2) AS t FROM range(9)")
    [column] = found.columns
    assert column.distinct == 2
    assert sorted(one.rows for one in column.frequent) == [4, 5]
    assert all(len(one.value) == 201 for one in column.frequent)
    assert len(column.smallest) == 201


def test_duplicate_and_hostile_names_are_kept_as_they_are(profile):
    name = '"<script>alert(1)</script>"" x=\'"'
    found = profile(f"SELECT 1 AS a, 2 AS a, 'x' AS {name}")
    assert [column.name for column in found.columns] == ["a", "a", "<script>alert(1)</script>\" x='"]


@pytest.mark.parametrize("name", ["c0", "s", "n", "seen", "drawn", "told", "r", "one", "q"])
def test_our_own_names_do_not_meet_the_users(profile, native, name):
    native.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT range AS {name}, 5 AS c0_ FROM range(4)")
    assert profile(f"SELECT {name}.{name} FROM {name}").rows == 4
    native.execute(f"DROP TABLE {name}")


@pytest.mark.parametrize(
    "sql",
    [
        "tests_t",
        " tests_t ; ",
        '"tests_t"',
        "memory.main.tests_t",
        'memory . "main" . tests_t',
        "FROM tests_t;",
        "TABLE tests_t",
        "SELECT * FROM tests_t; -- and no more",
        "WITH a AS (FROM tests_t) SELECT * FROM a ORDER BY 1 LIMIT 10 -- a comment",
        "VALUES (1), (2), (3)",
        "PIVOT (SELECT range AS i, 1 AS k FROM range(3)) ON k USING count(*)",
    ],
)
def test_queries_and_names_of_tables(profile, native, sql):
    native.execute("CREATE OR REPLACE TABLE tests_t AS SELECT range AS i FROM range(3)")
    assert profile(sql).rows == 3


def test_a_table_with_a_strange_name_and_a_file(profile, native, tmp_path):
    native.execute('CREATE OR REPLACE TABLE "a ""b"". c" AS SELECT 1 AS i')
    assert profile('"a ""b"". c"').rows == 1
    path = tmp_path / "it's.csv"
    path.write_text("a,b\n1,2\n")
    quoted = str(path).replace("'", "''")
    assert profile(f"'{quoted}'").rows == 1


@pytest.mark.parametrize(
    "sql",
    ["CREATE TABLE zz(i INT)", "PRAGMA version", "EXPLAIN SELECT 1", "CALL pragma_version()", "DROP TABLE tests_t"],
)
def test_what_has_no_columns_is_refused_and_not_run(profile, native, sql):
    native.execute("CREATE OR REPLACE TABLE tests_t AS SELECT 1 AS i")
    with pytest.raises(StatementError, match="neither; nothing of it was run"):
        profile(sql)
    assert native.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'zz'").fetchone() == (0,)
    assert native.execute("FROM tests_t").fetchall() == [(1,)]


def test_too_many_columns_are_left_out_and_counted(profile):
    found = profile(f"SELECT {', '.join(f'{at} AS c{at}' for at in range(query.MOST_COLUMNS + 20))}")
    assert (len(found.columns), found.left_out) == (query.MOST_COLUMNS, 20)


@pytest.mark.parametrize(
    ("expression", "rows", "bars", "each"),
    [
        pytest.param("range % 24", 7440, 24, 310, id="hours"),
        pytest.param("1 + range % 31", 7440, 31, 240, id="days of a month"),
        pytest.param("-3 - range % 30", 6000, 30, 200, id="negative"),
        pytest.param("(range % 24)::DOUBLE", 7200, 24, 300, id="whole numbers as DOUBLE"),
        pytest.param("(range % 25)::HUGEINT", 7500, 25, 300, id="HUGEINT"),
        pytest.param("(range % 25)::UTINYINT", 7500, 25, 300, id="UTINYINT"),
        pytest.param("(range % 25)::BIGNUM", 7500, 25, 300, id="BIGNUM"),
        pytest.param("9007199254740993 + range % 25", 7500, 25, 300, id="BIGINT beyond a float"),
        pytest.param("range % 24 * 5", 7200, 24, 300, id="multiples"),
        pytest.param("((range % 25) / 10)::DECIMAL(4, 1)", 7500, 25, 300, id="DECIMAL"),
        pytest.param("((range % 25) / 10)::DOUBLE", 7500, 25, 300, id="decimals as DOUBLE"),
        pytest.param("((range % 25) / 10)::FLOAT", 7500, 25, 300, id="decimals as FLOAT"),
        pytest.param("DATE '2024-02-20' + (range % 25)::INTEGER", 7500, 25, 300, id="dates"),
        pytest.param("TIMESTAMP '2024-02-20' + to_hours(range % 25)", 7500, 25, 300, id="hours of a TIMESTAMP"),
        pytest.param("TIMESTAMPTZ '2024-02-20 00:00:00+00' + to_days((range % 25)::INTEGER)", 7500, 25, 300, id="days"),
        pytest.param("TIME '01:00:00' + to_minutes(range % 25)", 7500, 25, 300, id="TIME"),
        pytest.param("to_minutes(range % 25)", 7500, 25, 300, id="INTERVAL"),
        pytest.param("range % 100", 8000, 20, 400, id="more than forty: five in a bar"),
        pytest.param("range % 2000", 6000, 20, 300, id="a hundred in a bar"),
        pytest.param("range % 4000", 8000, 20, 400, id="more than are answered one by one"),
        pytest.param("(range % 4000)::DOUBLE", 8000, 20, 400, id="the same as DOUBLE"),
    ],
)
def test_even_values_give_even_bars(profile, expression, rows, bars, each):
    [column] = profile(f"SELECT {expression} AS x FROM range({rows})").columns
    assert [one.rows for one in column.bins] == [each] * bars
    assert [one.part for one in column.bins] == [1.0] * bars


@pytest.mark.parametrize("number", [41, 53, 61, 97, 367, 1009, 5003])
def test_the_last_of_bars_of_whole_width_says_how_much_of_it_there_is(profile, number):
    [column] = profile(f"SELECT range % {number} AS x FROM range({number})").columns
    *full, last = column.bins
    width = full[0].high - full[0].low + 1
    assert {one.high - one.low + 1 for one in full} == {width}
    assert [one.rows for one in full] == [width] * len(full)
    assert (last.rows, last.part, last.high) == (last.high - last.low + 1, pytest.approx(last.rows / width), number - 1)


SHAPES = {
    "pairs": ("range // 2", 150_000),
    "stride": ("range * 1024", 300_000),
    "high bits": ("range << 32", 300_000),
    "floats": ("range / 8", 300_000),
    "padded text": ("lpad((range % 120_000)::VARCHAR, 24, '0')", 120_000),
    "text with a common end": ("(range % 120_000) || repeat('x', 30)", 120_000),
    "dates": ("DATE '2000-01-01' + (range % 50_000)::INTEGER", 50_000),
    "timestamps": ("TIMESTAMP '2000-01-01' + to_seconds(range)", 300_000),
    "UUIDs": ("md5((range % 90_000)::VARCHAR)::UUID", 90_000),
    "few": ("'k' || range % 7", 7),
    "all the same": ("'same'", 1),
    "skewed": ("CASE WHEN range % 100 = 0 THEN range ELSE 0 END", 3000),
    "equal halves of a HUGEINT": ("((range % 70_000)::HUGEINT << 64) + range % 70_000", 70_000),
    "intervals": ("to_seconds(range % 80_000)", 80_000),
    "structs": ("{'a': range % 60_000, 'b': range % 60_000}", 60_000),
    "lists": ("[range % 60_000, 1]", 60_000),
    "DECIMAL": ("((range % 70_000) / 100)::DECIMAL(30, 2)", 70_000),
    "ENUM": ("(['a', 'b', 'c'][1 + range % 3])::ENUM('a', 'b', 'c', 'd')", 3),
}


@pytest.fixture(scope="module")
def counted():
    """Return the profile of all shapes, which is one statement."""
    made = Session(notify=print)
    columns = ", ".join(f'{expression} AS "{name}"' for name, (expression, _) in SHAPES.items())
    yield {column.name: column for column in made.profile(f"SELECT {columns} FROM range(300_000)", {}).columns}
    made.close_all()


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_fool_a_sketch(counted, name):
    number = SHAPES[name][1]
    column = counted[name]
    assert column.distinct == pytest.approx(number, rel=0.02)
    assert column.distinct == number or not column.distinct_exact
    assert column.distinct_exact or number > 500


def test_infinite_dates_are_counted_too(profile):
    [column] = profile(
        "SELECT CASE range % 3 WHEN 0 THEN 'infinity'::DATE WHEN 1 THEN '-infinity' ELSE DATE '2024-01-01' END AS d"
        " FROM range(30_000)"
    ).columns
    assert (column.distinct, column.distinct_exact) == (3, True)


def test_numbers_of_any_length_are_profiled(profile):
    [column] = profile("SELECT ('1' || repeat('0', 100_000 * range))::BIGNUM AS b FROM range(2)").columns
    assert (column.distinct, column.smallest, column.mean) == (2, 1, 1.0)
    assert column.largest.startswith("10000")
    assert column.largest.endswith("0…")


def test_the_widest_decimals_have_no_bars_that_overflow(profile):
    [column] = profile("SELECT unnest([repeat('9', 38), '-' || repeat('9', 38), '1'])::DECIMAL(38, 0) AS d").columns
    assert sum(one.rows for one in column.bins) == 3


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT"])
def test_nan_is_a_value_of_its_own(profile, kind):
    (column,) = profile(f"SELECT unnest(['nan', '1.5', 'nan', 'nan', '-inf', '1.5', NULL]::{kind}[]) AS x").columns
    assert (column.nulls, column.distinct) == (1, 3)
    assert {count.value: count.rows for count in column.frequent} == {"nan": 3, "1.5": 2, "-inf": 1}
    (alone,) = profile(f"SELECT 'nan'::{kind} AS x").columns
    assert [(count.value, count.rows) for count in alone.frequent] == [("nan", 1)]
    (none,) = profile(f"SELECT NULL::{kind} AS x").columns
    assert (none.distinct, none.frequent) == (0, ())


def test_the_mean_of_midnight_at_the_end_of_a_day_is_that(profile):
    (column,) = profile("SELECT TIME '24:00:00' AS x").columns
    assert (column.smallest, column.mean, column.largest) == ("24:00:00", "24:00:00", "24:00:00")

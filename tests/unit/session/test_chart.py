"""Charts: the marks, compared with exact numbers from the database; what the types suggest; hostile names and values."""

from __future__ import annotations

import datetime as dt

import pytest

from md_magic.errors import OptionError, StatementError
from md_magic.session.chart.values import MOST_MARKS, Wish
from md_magic.session.session import Session


@pytest.fixture(scope="module")
def session():
    made = Session(notify=print)
    script = """
    CREATE TABLE big AS SELECT range AS i, (hash(range) % 1000)::INT / 10 AS delay, sin(range / 1e4) + (hash(range) % 100)::INT / 100 AS y,
      TIMESTAMP '2024-01-01' + INTERVAL (range) SECOND AS ts, ['AA', 'B6', 'DL'][1 + (hash(range) % 3)::INT] AS carrier
      FROM range(200_000);
    CREATE TABLE flights AS SELECT range % 24 AS hour, 1 + range % 31 AS day FROM range(7440)"""
    list(made.run(script, {}))
    yield made
    made.close_all()


@pytest.fixture
def chart(session):
    def draw(sql, limit=None, **wish):
        return session.chart(sql, {}, {}, Wish(**wish), limit)

    return draw


@pytest.fixture
def rows(session):
    def ask(sql):
        return [tuple(row) for row in session.use().backend.native.execute(sql).fetchall()]

    return ask


def column(drawing, channel):
    return list(drawing.data[drawing.channels[channel].name])


def spans(drawing, channel="x"):
    field = drawing.channels[channel]
    return list(zip(drawing.data[field.name], drawing.data[field.end], strict=True))


def moment(micros):
    return dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=micros)  # noqa: DTZ001 - of the wall clock


# ---- exact numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "rows_each", "values"), [("hour", 310, range(24)), ("day", 240, range(1, 32))])
def test_few_whole_numbers_have_a_bar_each(chart, name, rows_each, values):
    drawing = chart(f"SELECT {name} FROM flights")
    assert (drawing.kind, column(drawing, "x"), set(column(drawing, "y"))) == ("histogram", list(values), {rows_each})
    assert drawing.channels["x"].order == tuple(values)


@pytest.mark.parametrize(
    "expression",
    [
        "delay",
        "y",
        "delay / 3",
        "i",
        "i * 1000003 - 9000000000",
        "i % 100 + 1",
        "hash(i)",
        "(hash(i) % 9999999)::BIGINT - 5000000",
        "i::HUGEINT * 10000000000000000000",
        "(i / 7)::DECIMAL(18, 3)",
        "(i % 10) / 10",
        "y::FLOAT",
        "1e15 + y",
        "y * 1e-30",
        "hash(i)::BIGNUM",
        "(-9223372036854775808)::BIGINT + i",
        "9223372036854775807 - i",
        "CASE WHEN i % 2 = 0 THEN (-9223372036854775808)::BIGINT ELSE 9223372036854775807 - i END",
        "CASE WHEN i % 2 = 0 THEN 0 ELSE 4611686018427387903 - i END",
        "i - 77",
        "(i * 30)::INTEGER",
    ],
)
def test_every_bin_has_exactly_the_rows_of_its_bounds(chart, rows, expression):
    drawing = chart(f"SELECT {expression} AS x FROM big", kind="histogram")
    field = drawing.channels["x"]
    assert 1 <= drawing.marks <= 60
    if not field.end:
        wanted = [n for _, n in rows(f"SELECT ({expression})::DOUBLE AS x, count(*) FROM big GROUP BY 1 ORDER BY 1")]
        assert [n for n in column(drawing, "y") if n] == wanted
        return
    for (start, end), number in zip(spans(drawing), column(drawing, "y"), strict=True):
        kind = "HUGEINT" if isinstance(start, int) else "DOUBLE"
        found = rows(
            f"SELECT count(*) FROM big WHERE ({expression})::{kind} >= {start!r}::{kind} AND ({expression})::{kind} < {end!r}::{kind}"
        )
        assert found == [(number,)], (start, end)
    assert sum(column(drawing, "y")) == 200_000


def test_bins_of_whole_numbers_are_equally_wide(chart):
    drawing = chart("SELECT 1 + range % 100 AS i FROM range(10_000)", kind="histogram")
    assert set(column(drawing, "y")) == {500}
    assert {end - start for start, end in spans(drawing)} == {5}


def test_many_whole_numbers_have_round_bins(chart):
    drawing = chart("SELECT range - 123 AS i FROM range(100_001)", kind="histogram")
    assert {end - start for start, end in spans(drawing)} == {5_000}
    assert {start % 5_000 for start, _ in spans(drawing)} == {0}
    assert sum(column(drawing, "y")) == 100_001


def test_decimals_of_floats_are_counted_evenly(chart):
    drawing = chart("SELECT (range % 100) / 10 AS x FROM range(10_000)", kind="histogram")
    assert set(column(drawing, "y")) == {500}
    assert spans(drawing)[:2] == [(0.0, 0.5), (0.5, 1.0)]


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        ("ts", dt.timedelta(hours=1)),
        ("ts::DATE", dt.timedelta(days=1)),
        ("DATE '2020-01-01' + (i % 1500)::INT", dt.timedelta(days=1)),
        ("ts::TIME", dt.timedelta(minutes=1)),
    ],
)
def test_bins_of_moments_are_whole_and_exact(chart, rows, expression, unit):
    drawing = chart(f"SELECT {expression} AS t FROM big", kind="histogram")
    for (start, end), number in zip(spans(drawing), column(drawing, "y"), strict=True):
        assert (end - start) % (unit // dt.timedelta(microseconds=1)) == 0
        found = f"SELECT count(*) FROM big WHERE epoch_us({expression}) >= {start} AND epoch_us({expression}) < {end}"
        assert rows(found) == [(number,)]


def test_each_month_has_a_bar_of_its_own(chart, rows):
    sql = "SELECT date_trunc('month', DATE '2020-01-01' + range::INT) AS m, count(*) AS n FROM range(2000) GROUP BY 1 ORDER BY 1"
    drawing = chart(sql, kind="bar")
    assert [(moment(at), n) for at, n in zip(column(drawing, "x"), column(drawing, "y"), strict=True)] == rows(sql)
    assert drawing.reduced == ()


def test_sums_are_the_database_s(chart, rows):
    drawing = chart("SELECT carrier, i FROM big", kind="bar")
    found = dict(zip(column(drawing, "x"), column(drawing, "y"), strict=True))
    assert found == dict(rows("SELECT carrier, sum(i) FROM big GROUP BY 1"))
    assert drawing.channels["y"].title == "sum of i"
    assert "200,000 rows, added up by the database in 3 bars." in drawing.reduced


def test_a_histogram_by_colour_and_facet_adds_up(chart, rows):
    drawing = chart("SELECT delay, carrier, i % 2 AS odd FROM big", kind="histogram", color="carrier", facet="odd")
    marks = zip(spans(drawing), column(drawing, "color"), column(drawing, "facet"), column(drawing, "y"), strict=True)
    for (start, end), carrier, odd, number in marks:
        where = f"delay >= {start!r} AND delay < {end!r} AND carrier = '{carrier}' AND i % 2 = {odd}"
        assert rows(f"SELECT count(*) FROM big WHERE {where}") == [(number,)]
    assert sum(column(drawing, "y")) == 200_000


def test_a_long_line_has_the_extremes_of_each_column_of_pixels(chart, rows):
    drawing = chart("SELECT ts, y FROM big")
    assert (drawing.kind, drawing.marks) == ("line", 2048)
    points = set(zip(column(drawing, "x"), column(drawing, "y"), strict=True))
    ((low, high),) = rows("SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM big")
    pixel = f"least(floor((epoch_us(ts) - {low}) / ({high} - {low}) * 1024), 1023)"
    for lowest, highest in rows(f"SELECT min(y), max(y) FROM big GROUP BY {pixel}"):
        assert lowest in {y for _, y in points}
        assert highest in {y for _, y in points}
    own = set(rows("SELECT epoch_us(ts), y FROM big"))
    assert points <= own
    assert "the smallest and the largest of each of 1,024 columns of pixels" in drawing.reduced[0]


def test_many_lines_have_fewer_columns_of_pixels(chart):
    drawing = chart("SELECT ts, y, i % 7 AS k, i % 5 AS f FROM big", kind="line", color="k", facet="f")
    assert 1000 < drawing.marks <= MOST_MARKS


def test_stacked_areas_have_the_mean_of_each_column(chart):
    drawing = chart("SELECT ts, 1 AS y, carrier FROM big", kind="area")
    assert drawing.stacked
    columns = {}
    for x, y in zip(column(drawing, "x"), column(drawing, "y"), strict=True):
        columns[x] = columns.get(x, 0) + y
    assert {round(total, 9) for total in columns.values()} == {1.0}


def test_a_cloud_becomes_a_density(chart, rows):
    drawing = chart("SELECT delay, y FROM big", kind="point")
    assert drawing.dense
    assert drawing.marks <= MOST_MARKS
    marks = list(zip(spans(drawing), spans(drawing, "y"), column(drawing, "color"), strict=True))
    assert sum(number for *_, number in marks) == 200_000
    for (left, right), (low, high), number in marks[::97]:
        where = f"delay >= {left!r} AND delay < {right!r} AND y >= {low!r} AND y < {high!r}"
        assert rows(f"SELECT count(*) FROM big WHERE {where}") == [(number,)]


def test_quartiles_and_whiskers_are_exact(chart, rows):
    drawing = chart("SELECT carrier, delay * delay AS d FROM big", kind="box")
    boxes = {}
    for carrier, value in zip(column(drawing, "x"), column(drawing, "y"), strict=True):
        boxes.setdefault(carrier, []).append(value)
    wanted = rows(
        "SELECT carrier, quantile_cont(d, [0, .25, .5, .75, 1]) FROM (SELECT carrier, delay * delay AS d FROM big) GROUP BY 1"
    )
    for carrier, (least, low, middle, high, largest) in wanted:
        assert boxes[carrier] == sorted(boxes[carrier])
        found = boxes[carrier]
        assert (found[0], found[2], found[4], found[6], found[8]) == (least, low, middle, high, largest)
        fence = high + 1.5 * (high - low)
        whisker = f"SELECT max(delay * delay) FROM big WHERE carrier = '{carrier}' AND delay * delay <= {fence!r}"
        assert rows(whisker) == [(found[7],)]


def test_a_heatmap_has_means_or_rows(chart, rows):
    means = chart("SELECT carrier, i % 4 AS k, y FROM big", kind="heatmap")
    found = set(zip(column(means, "x"), column(means, "y"), column(means, "color"), strict=True))
    wanted = {(c, k): y for c, k, y in rows("SELECT carrier, i % 4, avg(y) FROM big GROUP BY ALL")}
    assert {(c, k): pytest.approx(y) for c, k, y in found} == wanted
    assert means.channels["color"].title == "mean of y"
    counts = chart("SELECT carrier AS a, carrier AS b FROM big")
    assert (counts.kind, sum(column(counts, "color"))) == ("heatmap", 200_000)


# ---- what is left out is said ---------------------------------------------------------------------------------------


def test_few_rows_are_drawn_as_they_are(chart, rows):
    drawing = chart("SELECT i, y FROM big WHERE i < 5000", kind="point")
    assert set(zip(column(drawing, "x"), column(drawing, "y"), strict=True)) == set(
        rows("SELECT i, y FROM big WHERE i < 5000")
    )
    assert drawing.reduced == ()


def test_rare_colours_are_drawn_together_where_they_add_up(chart):
    sql = "SELECT i % 2 AS x, 'k' || (i % 20) AS k, 1 AS n FROM big"
    bars = chart(sql, kind="bar", x="x", y="n", color="k")
    assert bars.other == "13 others"
    assert sum(column(bars, "y")) == 200_000
    lines = chart("SELECT ts, y, 'k' || (i % 20) AS k FROM big", kind="line")
    assert len(set(column(lines, "color"))) == 7
    assert "The 7 most frequent of 20 values of k." in lines.reduced


def test_many_bars_are_the_largest(chart):
    drawing = chart("SELECT 'c' || (i % 1000) AS city, i AS n FROM big", kind="bar")
    assert drawing.marks == 100
    assert column(drawing, "x")[0] == "c999"
    assert "The 100 largest of 1,000 values of city." in drawing.reduced


def test_rows_without_a_value_are_counted(chart):
    drawing = chart("SELECT unnest(['inf'::DOUBLE, 'nan', 1, 2, NULL]) AS d", kind="histogram")
    assert (column(drawing, "x"), column(drawing, "y")) == ([1, 2], [1, 1])
    assert drawing.reduced == ("3 rows without d left out.",)
    points = chart("SELECT NULL::INT AS a, NULL::DOUBLE AS b FROM range(10)", kind="point")
    assert (points.marks, points.reduced) == (0, ("10 rows without a or b left out.",))


ODD = "(VALUES ('a', 1.0::DOUBLE), ('a', 'NaN'), ('b', 'inf'), ('b', 2), ('c', NULL), ('d', NULL), ('d', 5)) AS t(k, z)"


@pytest.mark.parametrize("kind", ["bar", "line"])
@pytest.mark.parametrize("x", ["k", "ascii(k)", "DATE '2024-01-01' + ascii(k)"])
def test_a_sum_counts_the_rows_that_it_adds_up(chart, kind, x):
    drawing = chart(f"SELECT {x} AS k, z FROM {ODD}", kind=kind, x="k")
    assert sorted(value for value in column(drawing, "y")) == [1, 2, 5]
    assert drawing.channels["y"].title == "z"
    names = {"k": "z", "ascii(k)": "k or z"}.get(x, "k (years 1 to 9999) or z")
    assert drawing.reduced == (f"4 rows without {names} left out.",)


@pytest.mark.parametrize("kind", ["bar", "line"])
def test_what_is_added_up_is_without_what_is_left_out(chart, kind):
    drawing = chart(f"SELECT k, z FROM {ODD}, range(2)", kind=kind)
    noun = "bar" if kind == "bar" else "point"
    assert drawing.reduced == (f"6 rows, added up by the database in 3 {noun}s.", "8 rows without z left out.")
    assert drawing.channels["y"].title == "sum of z"


@pytest.mark.parametrize("x", ["k", "ascii(k)"])
def test_a_mean_colour_counts_the_rows_that_have_one(chart, x):
    drawing = chart(f"SELECT {x} AS k, 'l' AS l, z FROM {ODD}, range(2)", kind="heatmap", x="k", y="l", color="z")
    assert sorted(column(drawing, "color")) == [1, 2, 5]
    assert column(drawing, "tooltip") == [2, 2, 2]
    assert drawing.reduced == ("6 rows in 3 cells.", f"8 rows without {'z' if x == 'k' else 'k or z'} left out.")
    few = chart(f"SELECT ascii(k) AS a, 1 AS b, z FROM {ODD}", kind="point", color="z")
    assert (few.marks, few.reduced) == (3, ("4 rows without a, b or z left out.",))


@pytest.mark.parametrize(
    ("sql", "wish", "said"),
    [
        (
            "SELECT 'c' || (range % 200) AS c, range AS n FROM range(2000)",
            {"kind": "bar"},
            ("1,000 rows, added up by the database in 100 bars.", "The 100 largest of 200 values of c."),
        ),
        (
            "SELECT 'c' || range AS c, range AS n FROM range(100_000)",
            {"kind": "box"},
            (
                "50 rows in 50 boxes: exact quartiles, and beyond the whiskers the extremes only.",
                "The 50 most frequent of 100,000 values of c.",
            ),
        ),
        (
            "SELECT 'c' || range AS c, 'd' AS d FROM range(100_000)",
            {"kind": "heatmap"},
            ("The 60 most frequent of 100,000 values of c.",),
        ),
        (
            "SELECT 'c' || range % 100 AS c, 'd' AS d FROM range(100_000)",
            {"kind": "heatmap"},
            ("60,000 rows in 60 cells.", "The 60 most frequent of 100 values of c."),
        ),
        (
            "SELECT 'f' || range % 20 AS f, 'a' AS a FROM range(2000)",
            {"kind": "bar", "x": "a", "facet": "f"},
            ("1,200 rows, counted by the database in 1 bar.", "The 12 most frequent of 20 values of f."),
        ),
        (
            "SELECT range AS i, 2 * range AS j, 'f' || range % 20 AS f FROM range(200_000)",
            {"kind": "line", "facet": "f"},
            (
                "120,000 rows: the smallest and the largest of each of 128 columns of pixels.",
                "The 12 most frequent of 20 values of f.",
            ),
        ),
        (
            "SELECT range AS i, 2 * range AS j, 'f' || range % 20 AS f FROM range(200_000)",
            {"kind": "point", "facet": "f"},
            ("120,000 rows in 480 cells.", "The 12 most frequent of 20 values of f."),
        ),
        (
            "SELECT range AS i, 1 AS j, 'c' || range % 2 AS c, 'f' || range % 20 AS f FROM range(200_000)",
            {"kind": "area", "facet": "f", "color": "c"},
            ("120,000 rows: the mean of each of 256 columns of pixels.", "The 12 most frequent of 20 values of f."),
        ),
    ],
)
@pytest.mark.parametrize("kept", ["", " WHERE random() >= 0"])
def test_the_rows_that_are_told_of_are_those_that_are_drawn(chart, sql, wish, said, kept):
    assert chart(sql + kept, **wish).reduced == said


@pytest.mark.parametrize("kind", ["histogram", "bar", "line", "point"])
@pytest.mark.parametrize("type_", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_S", "TIMESTAMP_MS"])
def test_what_is_outside_the_years_of_a_browser_is_counted(chart, kind, type_):
    dates = "'0001-01-01', '2024-01-01', '9999-12-31', '10000-01-01', '0044-03-15 (BC)', 'infinity', NULL"
    y = {} if kind == "histogram" else {"y": "n"}
    drawing = chart(f"SELECT unnest([{dates}])::{type_} AS d, 1 AS n", kind=kind, x="d", **y)
    assert drawing.marks == 3
    also = {"histogram": "", "bar": " or n"}.get(kind, " or n")
    assert drawing.reduced[-1] == f"4 rows without d (years 1 to 9999){also} left out."


def test_nanoseconds_are_all_in_years_of_a_browser(chart):
    drawing = chart("SELECT unnest([NULL, '1700-01-01', '2200-01-01'])::TIMESTAMP_NS AS d", kind="histogram")
    assert (drawing.marks, drawing.reduced) == (2, ("1 row without d left out.",))


def test_a_missing_label_is_one_too(chart):
    drawing = chart("SELECT unnest(['a', NULL, 'NULL', NULL]) AS k", kind="bar")
    assert dict(zip(column(drawing, "x"), column(drawing, "y"), strict=True)) == {"a": 1, "NULL": 2, "NULL (2)": 1}


@pytest.mark.parametrize("kind", ["bar", "line", "area", "point", "histogram", "box", "heatmap"])
@pytest.mark.parametrize(
    "columns",
    [
        "1 AS a, 2.5 AS b",
        "'x' AS a, 2 AS b",
        "DATE '2024-01-01' AS a, 2 AS b",
        "NULL AS a, NULL::INT AS b",
        "[1] AS a, {'s': 1} AS b, 2 AS c",
    ],
)
@pytest.mark.parametrize("rows_in", [0, 1])
def test_no_rows_and_one_row(chart, kind, columns, rows_in):
    drawing = chart(f"SELECT {columns} FROM range({rows_in})", kind=kind)
    assert drawing.marks <= 9
    assert ("The query gave no rows." in drawing.reduced) is (rows_in == 0)


def test_a_limit_takes_the_first_rows_and_says_so(chart):
    drawing = chart("SELECT range AS i, range AS j FROM range(100)", kind="point", limit=10)
    assert (column(drawing, "x"), drawing.reduced) == (list(range(10)), ("The first 10 rows; there are more.",))
    assert chart("SELECT 1 AS i", limit=1).reduced == ()


def test_the_query_runs_once(chart):
    drawing = chart("SELECT random() AS r FROM range(20_000)")
    assert sum(column(drawing, "y")) == 20_000


def test_a_view_of_random_numbers_runs_once_too(chart, rows):
    rows("CREATE OR REPLACE TEMP VIEW dice AS SELECT random() AS r FROM big")
    assert sum(column(chart("FROM dice"), "y")) == 200_000


@pytest.mark.parametrize(
    ("kind", "values", "wanted"),
    [
        ("DOUBLE", "('inf'), ('-inf'), ('nan'), (NULL), ('1'), ('2'), ('4')", {1: 1, 2: 1, 4: 1}),
        ("FLOAT", "('-inf'), ('1'), ('2')", {1: 1, 2: 1}),
        ("DOUBLE", "('nan'), ('inf')", {}),
        ("DOUBLE", "(NULL)", {}),
        ("BIGINT", "(-9223372036854775808), (9223372036854775807), (0)", None),
        ("UBIGINT", "(0), (18446744073709551615)", None),
        ("HUGEINT", "(-170141183460469231731687303715884105728), (170141183460469231731687303715884105727)", None),
        ("INTERVAL", "('361 days'), ('1 year')", None),
        ("DATE", "('infinity'), ('2024-01-01'), ('2024-01-02')", None),
        ("TIMESTAMP", "('infinity'), ('-infinity'), ('2024-01-01'), ('2024-01-02')", None),
        ("TIMETZ", "('00:00:00+02'), ('23:30:00-05')", None),
    ],
)
def test_the_ends_of_a_table_are_those_of_its_finite_values(chart, rows, kind, values, wanted):
    """DuckDB's statistics know the smallest and the largest value, which have no place here or another order."""
    rows(f"CREATE OR REPLACE TEMP TABLE ends AS SELECT v::{kind} AS v FROM (VALUES {values}) t(v)")
    of_table = chart("FROM ends", kind="histogram")
    of_query = chart("FROM ends WHERE 1 + random() > 0", kind="histogram")
    assert (of_table.data, of_table.reduced) == (of_query.data, of_query.reduced)
    if wanted is not None:
        drawn = zip(column(of_table, "x"), column(of_table, "y"), strict=True)
        assert {x: n for x, n in drawn if n} == wanted


@pytest.mark.parametrize("kind", ["histogram", "bar", "line", "area", "point", "heatmap"])
@pytest.mark.parametrize("kept", ["", " LIMIT 10000"])
def test_moments_at_both_ends_of_time_are_no_error(chart, rows, kind, kept):
    rows(
        "CREATE OR REPLACE TABLE far AS SELECT TIMESTAMP '290000-12-21 (BC)' + INTERVAL (range * 700) DAY AS t, range AS y"
        " FROM range(6000) UNION ALL SELECT TIMESTAMP '294247-01-10 04:00:54', 2"
        " UNION ALL SELECT TIMESTAMP '290309-12-22 (BC) 00:00:00', 3 UNION ALL SELECT TIMESTAMP '2024-01-01', 1"
    )
    drawing = chart(f"SELECT t, y FROM far{kept}", kind=kind, x="t")
    names = "t (years 1 to 9999)" + ("" if kind == "histogram" else " or y")
    assert (drawing.marks, drawing.reduced) == (1, (f"6,002 rows without {names} left out.",))


def test_the_hour_that_comes_twice_has_its_place_on_the_clock(chart, rows):
    rows("SET TimeZone = 'Europe/Berlin'")
    try:
        rows(
            "CREATE OR REPLACE TEMP TABLE autumn AS SELECT t, range AS n FROM (SELECT TIMESTAMPTZ '2024-10-27 00:50:00+00'"
            " + INTERVAL (range * 10) MINUTE AS t, range FROM range(3))"
        )
        drawing = chart("SELECT t FROM autumn", kind="histogram")
        assert sum(column(drawing, "y")) == 3
    finally:
        rows("RESET TimeZone")


@pytest.mark.parametrize("shift", ["-9223372036854775808", "-9223372036854775807", "-5"])
def test_bins_of_numbers_too_far_apart_are_exact(chart, rows, shift):
    rows(
        f"CREATE OR REPLACE TEMP TABLE far AS SELECT ({shift})::BIGINT AS v UNION ALL FROM (VALUES (9223372036854775807), (3))"
        " UNION ALL SELECT (hash(range) // 2)::BIGINT * (1 - 2 * (range % 2)) FROM range(2000)"
    )
    for sql in ("FROM far", "FROM far WHERE 1 + random() > 0"):
        drawing = chart(sql, kind="histogram")
        assert sum(column(drawing, "y")) == 2003
        for (start, end), number in zip(spans(drawing), column(drawing, "y"), strict=True):
            assert rows(f"SELECT count(*) FROM far WHERE v::HUGEINT >= {start} AND v::HUGEINT < {end}") == [(number,)]


@pytest.mark.parametrize("kind", ["histogram", "heatmap", "bar", "point"])
@pytest.mark.parametrize("least", [-(2**127), -(2**127) + 1, -3, 0])
def test_bins_of_huge_numbers_too_far_apart_are_exact(chart, rows, kind, least):
    rows(
        f"CREATE OR REPLACE TEMP TABLE far AS SELECT ({least})::HUGEINT AS v, 1 AS n UNION ALL"
        f" FROM (VALUES ({2**127 - 1}, 2), ({2**127 - 2}, 3))"
        f" UNION ALL SELECT hash(range)::HUGEINT * {2**62} * (1 - 2 * (range % 2)), 4 FROM range(6000)"
    )
    for sql in ("FROM far", "FROM far WHERE 1 + random() > 0"):
        drawing = chart(sql, kind=kind, x="v", **({} if kind == "histogram" else {"y": "n"}))
        assert drawing.marks > 2
        if kind == "histogram":
            assert sum(column(drawing, "y")) == 6003
            for (start, end), number in zip(spans(drawing), column(drawing, "y"), strict=True):
                high = f" AND v < '{end}'::HUGEINT" if end < 2**127 else ""
                assert rows(f"SELECT count(*) FROM far WHERE v >= '{max(start, -(2**127))}'::HUGEINT{high}") == [
                    (number,)
                ]
    two = chart(f"SELECT unnest(['{least}'::HUGEINT, {2**127 - 1}]) AS h, unnest([1, 2]) AS n", kind=kind, x="h")
    assert two.marks == 2


# ---- kinds and columns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "kind", "channels"),
    [
        ("1 AS n", "histogram", {"x": "n"}),
        ("'a' AS k", "bar", {"x": "k"}),
        ("now() AS t", "histogram", {"x": "t"}),
        ("'a' AS k, 1 AS n", "bar", {"x": "k", "y": "n"}),
        ("DATE '2024-01-01' AS d, 1 AS n", "line", {"x": "d", "y": "n"}),
        ("1 AS n, DATE '2024-01-01' AS d, 'a' AS k", "line", {"x": "d", "y": "n", "color": "k"}),
        ("1 AS a, 2 AS b", "point", {"x": "a", "y": "b"}),
        ("'a' AS k, 'b' AS l, 1 AS n", "heatmap", {"x": "k", "y": "l", "color": "n"}),
        ("'a' AS k, 'b' AS l", "heatmap", {"x": "k", "y": "l"}),
        ("true AS b, 1.5 AS n", "bar", {"x": "b", "y": "n"}),
    ],
)
def test_the_types_suggest_a_kind(chart, columns, kind, channels):
    drawing = chart(f"SELECT {columns}")
    titles = {channel: field.title.partition(" (")[0] for channel, field in drawing.channels.items()}
    assert drawing.kind == kind
    assert {channel: titles[channel] for channel in channels} == channels


def test_a_bar_lies_where_x_is_the_number(chart):
    drawing = chart("SELECT 3 AS n, 'a' AS k", kind="bar", x="n", y="k")
    assert (column(drawing, "x"), column(drawing, "y")) == ([3], ["a"])


def test_the_order_of_the_query_is_kept(chart):
    drawing = chart("SELECT * FROM (VALUES ('b', 1), ('c', 9), ('a', 5)) t(k, n) ORDER BY k DESC")
    assert chart("SELECT * FROM (VALUES ('b', 1), ('c', 9), ('a', 5)) t(k, n)").channels["x"].order == ("c", "a", "b")
    assert drawing.channels["x"].order == ("c", "b", "a")
    enum = chart("SELECT ['L', 'S', 'M'][1 + range % 3]::ENUM('S', 'M', 'L') AS size FROM range(9)")
    assert enum.channels["x"].order == ("S", "M", "L")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (
            {"x": "dealy"},
            "--x dealy: the result has no such column. Did you mean delay? It has i, delay, y, ts, carrier.",
        ),
        ({"kind": "bar", "x": "carrier", "y": "ts"}, "--y ts is TIMESTAMP, and --y of --chart bar is a number."),
        (
            {"kind": "histogram", "x": "i", "y": "y"},
            "--y y was given with a histogram, whose heights are numbers of rows.",
        ),
    ],
)
def test_a_wish_that_does_not_fit_is_refused(chart, wish, said):
    with pytest.raises(OptionError) as raised:
        chart("SELECT * FROM big", **wish)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("x", "y", "drawn"),
    [("A", "a", ([2], [1])), ("a", "A", ([1], [2])), ("a", "A_1", ([1], [2])), ("a", "B", ([1], [3]))],
)
def test_names_that_differ_in_case_are_two_columns(chart, x, y, drawn):
    drawing = chart('SELECT 1 AS a, 2 AS "A", 3 AS b', kind="bar", x=x, y=y)
    assert (column(drawing, "x"), column(drawing, "y")) == drawn


@pytest.mark.parametrize("others", ["13 others", "14 others"])
def test_a_colour_named_as_the_others_is_one_of_its_own(chart, others):
    sql = f"SELECT 'x' AS x, CASE WHEN range < 1000 THEN '{others}' ELSE 'k' || range % 19 END AS k FROM range(2900)"
    drawing = chart(sql, kind="bar", x="x", color="k")
    numbers = dict(zip(column(drawing, "color"), column(drawing, "y"), strict=True))
    assert (len(numbers), numbers[others], sum(numbers.values())) == (8, 1000, 2900)
    assert drawing.other in numbers
    assert drawing.other != others


@pytest.mark.parametrize(
    "sql", ["SHOW TABLES", "DESCRIBE big", "SUMMARIZE big", "DESCRIBE SELECT 1 AS a", "SHOW ALL TABLES"]
)
def test_a_list_of_names_is_a_query_too(chart, sql):
    assert chart(sql).marks


def test_names_are_found_in_any_case_and_a_table_by_its_name(chart):
    assert chart("big", kind="histogram", x="DELAY").channels["x"].title == "delay"


def test_what_is_no_query_is_refused_before_it_runs(chart, rows):
    with pytest.raises(StatementError, match="--chart draws the rows of a query or a table, and DROP is neither"):
        chart("DROP TABLE flights")
    assert rows("SELECT count(*) FROM flights") == [(7440,)]


def test_an_error_has_the_place_in_what_was_typed(chart):
    with pytest.raises(StatementError, match=r'Referenced column "nope" not found') as raised:
        chart("SELECT nope\nFROM big")
    assert "LINE 1: SELECT nope" in str(raised.value)


@pytest.mark.parametrize("name", ["a.b", "a[0]", "q'x", 'w""y', "c:Q", "", "__proto__", "a\nb", "x_end", "rows"])
def test_hostile_names_are_titles_and_no_two_columns_are_one(chart, name):
    drawing = chart(f'SELECT range AS "{name or "x"}" FROM range(20_000)', kind="histogram")
    assert drawing.channels["x"].title == (name or "x").replace('""', '"')
    assert len(drawing.data) == 3
    assert "__proto__" not in drawing.data


def test_moments_are_those_of_the_wall_clock_in_the_session_s_zone(session, chart):
    list(session.run("SET TimeZone = 'Europe/Berlin'", {}))
    try:
        drawing = chart(
            "SELECT TIMESTAMPTZ '2024-06-01 12:00:00+00' + INTERVAL (range) HOUR AS t, range AS n FROM range(3)"
        )
        assert moment(column(drawing, "x")[0]) == dt.datetime(2024, 6, 1, 14)  # noqa: DTZ001 - see above
        assert drawing.channels["x"].title == "t (Europe/Berlin)"
        days = chart(
            "SELECT date_trunc('day', TIMESTAMPTZ '2024-03-25 12:00:00+00' + INTERVAL (range) DAY) AS t, 1 AS n FROM range(14)",
            kind="bar",
        )
        assert {moment(at).hour for at in column(days, "x")} == {0}
    finally:
        list(session.run("RESET TimeZone", {}))


def test_long_labels_that_begin_alike_stay_apart(chart):
    drawing = chart("SELECT repeat('x', 1000) || range AS k FROM range(3)", kind="bar")
    assert len(set(column(drawing, "x"))) == 3
    assert max(map(len, column(drawing, "x"))) < 220

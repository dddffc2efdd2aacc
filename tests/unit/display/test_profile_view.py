"""How a profile is drawn, as text and as HTML, from values and from real profiles."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from md_magic.display.profile_view import as_html, as_text
from md_magic.session.profile.values import Bin, Column, Count, Profile
from md_magic.session.session import Session


@pytest.fixture(scope="module")
def profile():
    session = Session(notify=print)
    yield lambda sql: session.profile(sql, {})
    session.close_all()


def test_a_column_has_a_line_and_a_card():
    word = Column(
        "word",
        "VARCHAR",
        "text",
        nulls=1,
        distinct=2,
        smallest="a",
        largest="bb",
        lengths=(1, 2, 1.5),
        frequent=(Count("a", 2, 2 / 3), Count("bb", 1, 1 / 3)),
    )
    drawn = Profile((word,), rows=4, sampled=4)
    assert as_text(drawn).splitlines() == [
        "4 rows × 1 column.",
        "column  type     NULLs  distinct  smallest  median  mean  largest",
        "word    VARCHAR      1         2  a                       bb       a 67 %, bb 33 %",
    ]
    html = as_html(drawn)
    assert '<td class="fact" data-name="NULLs" title="1 (25 %)">' in html
    assert '<td class="fact" data-name="distinct" title="2">' in html
    assert '<td class="fact" data-name="length" title="1 to 2 characters, mean 1.5">' in html


def test_many_numbers_have_a_histogram():
    frequent = tuple(Count(str(value), 1, 1 / 20) for value in range(20))
    number = Column("n", "INTEGER", "number", 0, 20, 0, 19, bins=(Bin(0, 10, 7), Bin(10, 20, 0)), frequent=frequent)
    drawn = Profile((number,), rows=20, sampled=20)
    assert as_text(drawn).endswith("  19       █")
    assert '<i title="0 to 10: 7 rows"' in as_html(drawn)


def test_a_sample_and_what_it_estimates_are_marked(profile):
    drawn = as_text(profile("SELECT range AS id FROM range(200_000)"))
    assert "of a random sample of 10,000 rows." in drawn
    assert "≈ " in drawn


def test_what_is_a_samples_says_so_where_it_stands(profile):
    drawn = profile(
        "SELECT 'k' || (range // 2) AS pair, range % 24 AS hour, 'c' || (range % 3) AS c, range / 8 AS x"
        " FROM range(96_000)"
    )
    pair, hour, c, x = as_text(drawn).splitlines()[3:]
    assert "each value once" not in as_text(drawn) + as_html(drawn)
    assert "≈ no value twice in the sample" in pair or "≈ k" in pair
    assert "  ≈ ▁" not in hour
    assert re.search(r" 24  0 +≈ 1[12](\.5)? +11\.5 +23 +≈ [▄▅▆▇█]{24}$", hour)
    assert re.search(r" 3  c0 +c2 +≈ c\d 3\d %, c\d 3\d %, c\d 3\d %$", c)
    assert re.search(r" ≈ 9[567],\d\d\d  0 +≈ ", x)
    html = as_html(drawn)
    assert html.count("≈ of 10,000 sampled rows") == 4
    assert re.search(r'data-name="median" title="≈ 1[12](\.5)?"', html)
    assert 'data-name="mean" title="11.5"' in html


def test_years_are_not_thousands_and_counts_are(profile):
    drawn = profile("SELECT 2013 + range % 3 AS year, range * 1000 AS n FROM range(3000)")
    year, n = as_text(drawn).splitlines()[2:]
    assert re.search(r" 3  2013 +2014 +2014 +2015 ", year)
    assert re.search(r" 3,000  0 +1,499,500 +1,499,500 +2,999,000 ", n)
    assert "<span>2013</span>" in as_html(drawn)


def test_without_styles_a_profile_is_one_table_with_a_line_of_bars_for_each_column(profile):
    drawn = profile(
        "SELECT range % 24 AS hour, 'c' || (range % 3) AS c, range AS id, [range] AS l, CASE WHEN range > 9 THEN 1.5 END AS x"
        " FROM range(2400)"
    )
    html = re.sub(r"<style>.*?</style>", "", as_html(drawn), flags=re.DOTALL)
    plain = re.sub(r"<(\w+)[^>]*>", r"<\1>", html)
    assert plain.count("<table>") == 1
    rows = [[_text(cell) for cell in re.findall("<t[hd]>(.*?)</t[hd]>", row)] for row in plain.split("<tr>")[1:]]
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    assert frame["column"].tolist() == ["hour BIGINT", "c VARCHAR", "id BIGINT", "l BIGINT[]", "x DECIMAL(2,1)"]
    pictures = frame.iloc[:, 3]
    assert pictures[0] == "████████████████████████ 0 23"
    assert pictures[1] == "c0 33 %, c1 33 %, c2 33 %"
    assert pictures[2] == "████████████████████ 0 2399"
    assert frame["median"][0] == "11.5"
    assert frame["example"][3] == "[0]"
    assert all(frame["largest"])
    assert frame["NULLs"].tolist() == ["0", "0", "0", "0", "10 (0.4 %)"]


def _text(cell):
    return " ".join(re.sub("<[^>]*>", " ", cell).split()).replace(" ,", ",")


def test_every_type_has_a_card(profile):
    every = profile("FROM test_all_types()")
    assert as_html(every).count("<tr class='card'>") == len(every.columns)
    assert len(as_text(every).splitlines()) == len(every.columns) + 2


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT 1 AS x WHERE false", id="no rows"),
        pytest.param("SELECT NULL AS x", id="no type"),
        pytest.param("SELECT 'infinity'::DATE AS x", id="endless"),
        pytest.param("SELECT 'NaN'::DOUBLE AS x", id="no number"),
        pytest.param("SELECT [1, 2] AS x", id="nested"),
    ],
)
def test_odd_values_are_drawn(profile, sql):
    drawn = profile(sql)
    assert len(as_text(drawn).splitlines()) == 3
    assert as_html(drawn).count("<tr class='card'>") == 1


def test_long_values_are_shortened(profile):
    assert len(as_html(profile("SELECT repeat('x', 100_000) || (range % 2) AS t FROM range(9)"))) < 10_000


def test_hostile_names_and_values_are_escaped(profile):
    name = '"<script>alert(1)</script>"" x=\'"'
    drawn = profile(f"SELECT '<img src=x onerror=\"1\">' AS {name}, 'a\x1b[31m\u202eb' AS c")
    html, text = as_html(drawn), as_text(drawn)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html + text
    assert "\u202e" not in html + text


def test_columns_that_are_not_drawn_are_counted():
    columns = tuple(Column(f"c{number}", "INTEGER", "number", 0, 1) for number in range(130))
    drawn = Profile(columns, rows=1, sampled=1, left_out=20)
    assert "20 further columns left out" in as_text(drawn)
    assert "30 further columns not drawn; .frame has them." in as_html(drawn)

"""The histogram in a grid's header: exact, even, and each bar with the filter that keeps its rows."""

from __future__ import annotations

import duckdb
import pytest

from md_magic.engine.results.views import View
from md_magic.session.profile.histogram import histogram
from tests.unit.engine.results.corpus import CASES
from tests.unit.engine.results.keeping import keep, make_types


@pytest.fixture
def kept():
    """Return what keeps the result of a query."""
    made = []

    def kept(sql):
        with duckdb.connect() as con:
            make_types(con)
            con.execute("SET TimeZone = 'Europe/Paris'")
            made.append(keep(con, sql))
        return made[-1]

    yield kept
    for one in made:
        one.close()


MORE = {
    "hours": "TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR",
    "moments before 1970": "TIMESTAMP '1969-12-31 23:59:00' + INTERVAL (i * 7) SECOND",
    "seconds until 8000": "('2024-01-01'::TIMESTAMP + INTERVAL (i * 15) YEAR)::TIMESTAMP_S",
    "milliseconds until 8000": "('2024-01-01'::TIMESTAMP + INTERVAL (i * 15) YEAR)::TIMESTAMP_MS",
    "all of BIGINT": "CASE i WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 ELSE i * 1000003 END",
    "cents": "(i * 7 % 1000 / 100)::DECIMAL(9, 2)",
    "floats": "sin(i)",
    "floats that are whole": "(i % 50)::DOUBLE",
    "texts": """CASE i % 5 WHEN 0 THEN ' say "x" and > 5' WHEN 1 THEN '' WHEN 2 THEN 'null' WHEN 3 THEN '> 5' END""",
}


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_the_filters_of_the_bars_keep_their_rows(kept, name):
    store = kept(f"SELECT {(CASES | MORE)[name]} AS c, i FROM range(400) t(i)")
    found = histogram(store, View(), 0)
    assert found.rows == 400
    for bar in found.bars:
        if not bar.low:
            continue
        typed = bar.low if not found.ordered or bar.low.startswith("= ") else f"{bar.low} and {bar.high}"
        page = store.page(View(filters=((0, typed),)), first=0, count=1, left=0, right=1)
        assert (typed, page.total) == (typed, bar.rows)
        assert bar.seen == bar.rows
    if found.bars and "inf" not in name and "finite" not in name:
        assert sum(bar.rows for bar in found.bars) + found.nulls == 400


@pytest.mark.parametrize("value", ["range % 24", "1 + range % 31", "(range % 24) * 1000", "(range % 24)::DOUBLE"])
def test_whole_numbers_are_never_split_unevenly(kept, value):
    bars = histogram(kept(f"SELECT {value} AS c FROM range(7440)"), View(), 0).bars
    assert len(bars) in {24, 31}
    assert {bar.rows for bar in bars} == {7440 // len(bars)}


def test_wide_whole_numbers_have_bars_of_the_same_whole_width(kept):
    bars = histogram(kept("SELECT range AS c FROM range(100000)"), View(), 0).bars
    assert 12 <= len(bars) <= 40
    assert len({bar.rows for bar in bars[:-1]}) == 1
    assert bars[-1].rows <= bars[0].rows


def test_what_is_seen_is_what_the_other_filters_let_through(kept):
    store = kept("SELECT i % 4 AS a, i % 2 AS b FROM range(400) t(i)")
    view = View(filters=((1, "= 1"), (0, "= 3")))
    assert [(bar.rows, bar.seen) for bar in histogram(store, view, 0).bars] == [
        (100, 0),
        (100, 100),
        (100, 0),
        (100, 100),
    ]
    assert [(bar.rows, bar.seen) for bar in histogram(store, view, 1).bars] == [(200, 0), (200, 100)]


def test_many_texts_are_told_by_their_number(kept):
    found = histogram(kept("SELECT hash(i)::VARCHAR AS c, 'x' || i % 20 AS t FROM range(5000) t(i)"), View(), 0)
    assert found.bars == ()
    assert found.different == "mostly different" or int(found.different.split()[1].replace(",", "")) < 5000
    found = histogram(kept("SELECT i::VARCHAR AS c FROM range(3000) t(i)"), View(), 0)  # DuckDB estimates 3,562
    assert (found.bars, found.different) == ((), "mostly different")
    found = histogram(kept("SELECT 'x' || (i % 20) AS t FROM range(5000) t(i)"), View(), 0)
    assert [bar.label for bar in found.bars][-1] == "12 others"
    assert sum(bar.rows for bar in found.bars) == 5000


def test_there_is_none_without_values(kept):
    store = kept("SELECT NULL AS a, 1 AS b WHERE false")
    assert [histogram(store, View(), at).bars for at in (0, 1)] == [(), ()]

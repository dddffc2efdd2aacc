"""`--chart` on databases that do not compute one: their rows, once, in a private result store."""

from __future__ import annotations

import pytest

from tests.extras import needs


@pytest.fixture
def filled(cells):
    needs("altair")
    needs("vl_convert")
    cells.sql("CREATE TABLE t (id INTEGER, name VARCHAR(20), price DECIMAL(12,2), day DATE)")
    rows = (f"({n}, 'n{n % 7}', {n % 50}.50, '2024-01-{1 + n % 28:02}')" for n in range(1400))
    cells.sql("INSERT INTO t VALUES " + ", ".join(rows))
    return cells


def test_bars_bins_and_boxes_have_the_database_s_numbers(filled):
    bars = filled.sql("SELECT name, id FROM t", "--chart bar").value.data
    found = filled.sql("SELECT name, sum(id) AS n FROM t GROUP BY name").value
    assert dict(zip(bars["name"], bars["id"], strict=True)) == {
        k: int(n) for k, n in zip(found["name"], found["n"], strict=True)
    }
    bins = filled.sql("SELECT id FROM t", "--chart histogram").value.data
    for start, end, number in bins.itertuples(index=False):
        assert filled.sql(f"SELECT count(*) AS n FROM t WHERE id >= {start} AND id < {end}").value["n"].tolist() == [
            number
        ]
    boxes = filled.sql("SELECT price FROM t", "--chart box").value
    assert len(boxes.data) == 1400
    assert filled.sql("SELECT name, price FROM t", "--chart bar --limit 7").value.to_dict()["title"]["subtitle"] == [
        "The first 7 rows; there are more."
    ]


def test_a_change_is_refused_and_a_table_has_a_name(filled):
    assert "DELETE is neither" in filled.sql("DELETE FROM t", "--chart", error=True).message
    assert len(filled.sql("t", "--chart heatmap --x name --y id").value.data) > 0

"""One whole value of a result on disk, and the next place where a text stands."""

from __future__ import annotations

import duckdb
import pytest

from md_magic.engine.results import looking
from md_magic.engine.results.batches import Batches
from md_magic.engine.results.columns import Column
from md_magic.engine.results.looking import Place, Value
from md_magic.engine.results.seen import Part
from md_magic.engine.results.store import ResultStore
from md_magic.engine.results.views import View
from md_magic.errors import FrameError


@pytest.fixture
def kept():
    """Return what keeps the result of a query."""
    made = []

    def keep(sql):
        with duckdb.connect() as con:
            con.execute(sql)
            made.append(ResultStore([Column(name, str(kind)) for name, kind, *_ in con.description]))
            for batch in Batches.of(con):
                made[-1].append(batch)
        made[-1].finish()
        return made[-1]

    yield keep
    for one in made:
        one.close()


PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("repeat('ä', 1000000)", Value("text", "ä".encode() * 1_000_000)),
        ("NULL::VARCHAR", Value("null")),
        ("12345678901234567890123456789::HUGEINT", Value("text", b"12345678901234567890123456789")),
        ("'{\"a\": 1e400}'::JSON", Value("json", b'{"a": 1e400}')),
        ("{'a': [9007199254740993, NULL]}", Value("json", b'{"a":[9007199254740993,null]}')),
        ("MAP {'k': 1}", Value("json", b'{"k":1}')),
        ("'\\x00\\xFFabc'::BLOB", Value("bytes", b"\x00\xffabc")),
        (f"from_hex('{PNG.hex()}')", Value("image", PNG, "image/png")),
        (f"from_hex('{b'RIFF1234WEBPVP8 '.hex()}')", Value("image", b"RIFF1234WEBPVP8 ", "image/webp")),
    ],
)
def test_a_value_is_whole(kept, sql, value):
    store = kept(f"SELECT 1 AS i, {sql} AS c UNION ALL SELECT 2, NULL")
    assert looking.value(store, Part(View(), (1,), first=0)) == value
    assert looking.value(store, Part(View(sort=((0, True),)), (1,), first=1)) == value
    with pytest.raises(FrameError, match="no row 3"):
        looking.value(store, Part(View(), (1,), first=2))


def find(store, start, *, view=View(), columns=(0, 1), back=False, text="HIT"):  # noqa: B008 - frozen
    return looking.find(store, Part(view, columns), text, start=start, back=back, check=lambda: None)


def test_the_next_place_is_found_in_reading_order_and_around_the_end(kept):
    text = "CASE WHEN i IN (3, 70000, 199999) THEN 'a hit ' || i WHEN i % 2 = 0 THEN NULL ELSE 'x' END"
    store = kept(f"SELECT {text} AS a, CASE WHEN i = 3 THEN 'Hit' ELSE i::VARCHAR END AS b FROM range(200000) t(i)")
    places, start = [], (0, -1)
    for _ in range(5):
        places.append(find(store, start))
        start = (places[-1].row, places[-1].position)
    assert places == [Place(3, 0), Place(3, 1), Place(70_000, 0), Place(199_999, 0), Place(3, 0, wrapped=True)]
    assert find(store, (3, 0), back=True) == Place(199_999, 0, wrapped=True)
    assert find(store, (70_000, 0), back=True) == Place(3, 1)
    assert find(store, (3, 1), columns=(1,)) == Place(3, 0, wrapped=True)
    assert find(store, (5, 0), text="100%") is None
    view = View(sort=((1, True),), filters=((0, "not null"),))
    found = find(store, (0, -1), view=view)
    assert store.page(view, first=found.row, count=1, left=0, right=1).rows[0][0].startswith("a hit")


def test_there_is_nothing_in_no_rows(kept):
    assert find(kept("SELECT 'hit' AS a, 1 AS b WHERE false"), (0, -1)) is None

"""Charts: which queries are read twice or grouped, that the marks are the same then, and that no others are."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from md_magic.engine import execute
from md_magic.engine.backends.duckdb import reading
from md_magic.session.chart.values import Wish
from md_magic.session.session import Session
from md_magic.sql.statement import Statement


@pytest.fixture(scope="module")
def session():
    made = Session(notify=print)
    script = """
    CREATE TABLE t AS SELECT range AS i, range::DOUBLE AS x, TIMESTAMP '2024-01-01' + INTERVAL (range) HOUR AS at_time,
      ['AA', 'B6', 'DL'][1 + (hash(range) % 3)::INT] AS carrier FROM range(300);
    INSERT INTO t VALUES (300, 'inf', NULL, NULL), (301, 'nan', 'infinity', 'AA');
    CREATE TABLE computed(i BIGINT, r DOUBLE AS (random()));
    CREATE VIEW dice AS SELECT random() AS r, i FROM t;
    CREATE SCHEMA other; CREATE VIEW other.seen AS SELECT random() AS r FROM t; CREATE TABLE seen AS FROM t;
    CREATE MACRO upper(a) AS a || random();
    CREATE SEQUENCE counted;
    CREATE TABLE many AS SELECT range AS i, range % 24 AS few, (hash(range) % 1000)::DOUBLE AS x,
      ['AA', 'B6', 'DL'][1 + (hash(range) % 3)::INT] AS carrier FROM range(600_000);
    CREATE VIEW computed_many AS SELECT few * x AS few, carrier FROM many"""
    list(made.run(script, {}))
    yield made
    made.close_all()


@pytest.fixture(autouse=True)
def _few_rows_are_many(monkeypatch):
    monkeypatch.setattr(reading, "_MANY", 0)


def read(session, sql):
    return execute.reading(session.use(), Statement(sql), None, {})


READ_TWICE = [
    "FROM t",
    "SELECT x FROM t WHERE i > 7",
    "SELECT x * 2 + 1 AS x FROM t",
    "SELECT lower(carrier) AS c, date_trunc('day', at_time) AS d FROM t WHERE at_time < now() AND carrier IN ('AA', 'DL')",
    "WITH a AS (SELECT i, x FROM t WHERE x BETWEEN 3 AND 200) SELECT CASE WHEN i > 9 THEN x END AS x FROM a",
    "SELECT count FROM (SELECT i AS count FROM t) WHERE count % 2 = 0",
]
READ_ONCE = [
    "SELECT random() AS x FROM t",
    'SELECT "random"() AS x FROM t',
    "SELECT x FROM t WHERE random() < 0.5",
    "SELECT nextval('counted') AS x FROM t",
    "SELECT r FROM dice",
    "SELECT r FROM computed",
    "SELECT r FROM other.seen",
    "SELECT upper(carrier) AS x FROM t",
    "SELECT x FROM t TABLESAMPLE 10%",
    "SELECT x FROM t USING SAMPLE 30",
    "SELECT x FROM t LIMIT 30",
    "SELECT x FROM t ORDER BY i",
    "SELECT a.x FROM t AS a JOIN t AS b USING (i)",
    "SELECT x FROM t WHERE i IN (SELECT i FROM t)",
    "SELECT carrier, sum(x) AS x FROM t GROUP BY ALL",
    "SELECT row_number() OVER () AS x FROM t",
    "SELECT regexp_replace(carrier, 'A', random()::VARCHAR) AS x FROM t",
    "SELECT x FROM t UNION ALL SELECT 1",
    "SELECT x FROM range(30) AS r(x)",
    "SELECT unnest([i, i + 1]) AS x FROM t",
]


@pytest.mark.parametrize(
    ("sql", "wanted"), [*((sql, True) for sql in READ_TWICE), *((sql, False) for sql in READ_ONCE)]
)
def test_only_what_is_the_same_both_times_is_read_twice(session, sql, wanted):
    assert read(session, sql) == ("twice" if wanted else "kept")


def test_where_a_file_of_another_kind_is_attached_rows_are_kept(session, monkeypatch):
    monkeypatch.setattr(reading, "_ask", lambda _run, sql: ["duckdb", "sqlite"] if "databases" in sql else [])
    assert read(session, READ_TWICE[1]) == "kept"


@pytest.mark.parametrize("kind", ["histogram", "line", "point", "bar", "box", "heatmap"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT x, i, carrier FROM t WHERE i <> 5",
        "SELECT i % 7 AS i, carrier, x / 3 AS x FROM t",
        "SELECT at_time, i FROM t WHERE i > 2",
        "SELECT i, x FROM t WHERE i * i % 7 = 3",
    ],
)
def test_the_marks_are_those_of_rows_that_are_kept(session, monkeypatch, kind, sql):
    assert read(session, sql) == "twice"
    drawn = session.chart(sql, {}, {}, Wish(kind), None)
    monkeypatch.setattr(reading, "choose", lambda *_: "kept")
    assert repr(drawn) == repr(session.chart(sql, {}, {}, Wish(kind), None))


@pytest.mark.parametrize(
    ("sql", "wish"),
    [
        ("SELECT i % 7 AS i, carrier FROM t", {"kind": "heatmap"}),
        ("SELECT i % 7 AS i, carrier, x FROM t", {"kind": "heatmap", "x": "i", "y": "carrier", "color": "x"}),
        ("SELECT i % 7 AS a, x % 5 AS b, i FROM t", {"kind": "heatmap", "x": "a", "y": "b", "color": "i"}),
        ("SELECT i % 90 AS a, date_trunc('day', at_time) AS d FROM t", {"kind": "heatmap"}),
        ("SELECT i % 7 AS i, carrier FROM t", {"kind": "heatmap", "facet": "carrier", "x": "i", "y": "carrier"}),
        ("SELECT i % 7 AS i, carrier FROM t ORDER BY x", {"kind": "heatmap"}),
        ("SELECT i % 70 AS i FROM t", {"kind": "histogram"}),
        ("SELECT i % 7 * 1000003 AS i, carrier FROM t", {"kind": "histogram", "color": "carrier"}),
        ("SELECT x % 8 / 3 AS x FROM t", {"kind": "histogram"}),
        ("SELECT x / 3 AS x FROM t", {"kind": "histogram"}),
        ("SELECT (i / 9)::DECIMAL(9, 2) AS d FROM t", {"kind": "histogram"}),
        ("SELECT at_time FROM t", {"kind": "histogram"}),
        ("SELECT at_time::TIMESTAMPTZ AS a, carrier FROM t", {"kind": "histogram", "color": "carrier"}),
        ("SELECT at_time::DATE AS d, i FROM t", {"kind": "bar", "x": "d", "y": "i"}),
        ("SELECT i % 12 AS i, (i / 7)::DECIMAL(38, 3) AS y FROM t", {"kind": "bar", "x": "i", "y": "y"}),
        ("SELECT i % 12 AS i, carrier, x FROM t", {"kind": "bar", "x": "i", "y": "x", "color": "carrier"}),
        ("SELECT NULL::INTEGER AS i, carrier FROM t", {"kind": "heatmap"}),
        ("SELECT i, carrier FROM t WHERE i < 0", {"kind": "heatmap"}),
        ("SELECT a.i % 5 AS i, b.carrier FROM t AS a JOIN t AS b ON a.i = b.i + 1", {"kind": "heatmap"}),
    ],
)
def test_the_marks_are_those_of_groups(session, monkeypatch, sql, wish):
    def draw(how):
        monkeypatch.setattr(reading, "choose", lambda *_: how)
        drawing = session.chart(sql, {}, {}, Wish(**wish), None)
        rows = sorted(zip(*drawing.data.values(), strict=True), key=repr)  # of one x, colours come in any order
        return rows, repr(replace(drawing, data=dict.fromkeys(drawing.data, ())))

    assert draw("grouped") == draw("kept") == draw("twice")


@pytest.mark.parametrize(
    ("sql", "wish", "wanted"),
    [
        ("SELECT few, carrier, x FROM many", {"kind": "heatmap", "color": "x"}, "grouped"),
        ("SELECT few, carrier FROM many WHERE few > 2", {"kind": "heatmap"}, "grouped"),
        ("SELECT few + 1 AS few, lower(carrier) AS c FROM many", {"kind": "heatmap"}, "grouped"),
        ("SELECT a.few, b.carrier FROM many AS a JOIN many AS b USING (i)", {"kind": "heatmap"}, "grouped"),
        ("SELECT few FROM many", {"kind": "histogram"}, "grouped"),
        ("SELECT i % 24 AS few FROM many", {"kind": "histogram"}, "twice" if duckdb.__version__ < "2" else "grouped"),
        ("SELECT few * x AS n, carrier FROM many", {"kind": "heatmap"}, "twice"),
        ("SELECT few * random() AS n, carrier FROM many", {"kind": "heatmap"}, "kept"),
        ("SELECT few, carrier FROM computed_many", {"kind": "heatmap"}, "kept"),
        ("SELECT i FROM many", {"kind": "histogram"}, "twice"),
        ("SELECT i, carrier FROM many", {"kind": "heatmap"}, "twice"),
        ("SELECT few, x FROM many", {"kind": "point"}, "twice"),
        ("SELECT few, x FROM many", {"kind": "line"}, "twice"),
        ("SELECT random() AS r FROM many", {"kind": "histogram"}, "kept"),
    ],
)
def test_what_has_few_values_is_grouped(session, monkeypatch, sql, wish, wanted):
    monkeypatch.setattr(reading, "_MANY", 100_000)
    asked, choose = [], reading.choose
    monkeypatch.setattr(reading, "choose", lambda *given: asked.append(choose(*given)) or asked[-1])
    session.chart(sql, {}, {}, Wish(**wish), None)
    assert asked == [wanted]


@pytest.mark.parametrize("how", ["kept", "grouped"])
def test_a_sequence_counts_each_row_once_in_groups(session, monkeypatch, how):
    monkeypatch.setattr(reading, "choose", lambda *_: how)
    list(session.run("CREATE OR REPLACE SEQUENCE again", {}))
    session.chart("SELECT nextval('again') % 5 AS n, carrier FROM t", {}, {}, Wish("heatmap"), None)
    assert session.use().backend.native.execute("SELECT currval('again')").fetchone() == (302,)


def test_a_sequence_counts_each_row_once(session):
    session.chart("SELECT nextval('counted') AS n FROM t", {}, {}, Wish("histogram"), None)
    assert session.use().backend.native.execute("SELECT currval('counted')").fetchone() == (302,)


def test_a_parameter_is_bound_both_times(session):
    values = {"k": 2, "least": 3}
    drawn = session.chart("SELECT i, x * :k AS y FROM t WHERE i < :least", values, {}, Wish("point"), None)
    assert drawn.data["y"] == [0.0, 2.0, 4.0]

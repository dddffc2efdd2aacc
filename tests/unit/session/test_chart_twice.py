"""Charts: which queries are read twice, that the marks are the same then, and that no others are."""

from __future__ import annotations

import pytest

from md_magic.session.chart import twice
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
    CREATE SEQUENCE counted"""
    list(made.run(script, {}))
    yield made
    made.close_all()


@pytest.fixture(autouse=True)
def _few_rows_are_many(monkeypatch):
    monkeypatch.setattr(twice, "_MANY", 0)


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
    assert twice.is_better(session.use(), Statement(sql), {}) is wanted


def test_where_a_file_of_another_kind_is_attached_rows_are_kept(session, monkeypatch):
    monkeypatch.setattr(twice, "_ask", lambda _database, sql: ["duckdb", "sqlite"] if "databases" in sql else [])
    assert not twice.is_better(session.use(), Statement(READ_TWICE[1]), {})


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
    assert twice.is_better(session.use(), Statement(sql), {})
    drawn = session.chart(sql, {}, {}, Wish(kind), None)
    monkeypatch.setattr(twice, "is_better", lambda *_: False)
    assert repr(drawn) == repr(session.chart(sql, {}, {}, Wish(kind), None))


def test_a_sequence_counts_each_row_once(session):
    session.chart("SELECT nextval('counted') AS n FROM t", {}, {}, Wish("histogram"), None)
    assert session.use().backend.native.execute("SELECT currval('counted')").fetchone() == (302,)


def test_a_parameter_is_bound_both_times(session):
    values = {"k": 2, "least": 3}
    drawn = session.chart("SELECT i, x * :k AS y FROM t WHERE i < :least", values, {}, Wish("point"), None)
    assert drawn.data["y"] == [0.0, 2.0, 4.0]

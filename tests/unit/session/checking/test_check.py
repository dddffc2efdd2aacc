"""Mistakes in a cell that has not run: what is marked, where, what could stand there instead, and what never is."""

from __future__ import annotations

import time

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from md_magic.session.session import Session

SCHEMA = """
CREATE TABLE flights (carrier VARCHAR, dep_delay INTEGER, flown TIMESTAMPTZ, s STRUCT(a INTEGER));
CREATE SCHEMA geo;
CREATE TABLE geo.airports (faa VARCHAR, lat DOUBLE);
CREATE VIEW late AS SELECT * FROM flights WHERE dep_delay > 10;
CREATE TABLE "Odd Name" ("é x" INTEGER, "select" INTEGER);
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE people (name VARCHAR, mood mood);
CREATE MACRO plus1(x, y := 2) AS x + y;
CREATE MACRO twice(x) AS plus1(x) * 2;
CREATE MACRO of(c) AS TABLE SELECT * FROM flights WHERE carrier = c;
"""


@pytest.fixture
def check(session, use):
    """Return a function that checks a cell against what is there now, and gives place, message and names of marks."""
    use("duckdb:///:memory:")
    list(session.run(SCHEMA, {}))

    def check(sql, variables=None, **more):
        return [
            (sql[mark.start : mark.end], mark.message, mark.names)
            for mark in whole(session, sql, variables or {}, **more).marks
        ]

    return check


@pytest.fixture(scope="module")
def check_one():
    """Return the same on a session that many tests share, because none of them changes anything."""
    session = Session(notify=print)
    session.use(session.resolve("duckdb:///:memory:"))
    list(session.run(SCHEMA, {}))
    yield lambda sql: [(sql[mark.start : mark.end], mark.message, mark.names) for mark in whole(session, sql, {}).marks]
    session.close_all()


def whole(session, sql, variables, **more):
    """Check *sql* until everything that can be has been."""
    deadline = time.monotonic() + 30
    while not (checked := session.checks.check(sql, session.current, variables, **more)).is_whole:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return checked


IS_NEXT = duckdb.__version__ >= "2"


@pytest.mark.parametrize(
    ("sql", "word", "message", "names"),
    [
        ("SELEC 1", "SELEC", 'Parser Error: syntax error at or near "SELEC"', ()),
        ("SELECT 'ä😀' AS x; SELEC 1", "SELEC", 'Parser Error: syntax error at or near "SELEC"', ()),
        (
            "SELECT * FROM flights WHERE",
            "WHERE" if IS_NEXT else "E",
            "Parser Error: syntax error at " + ('or near "WHERE"' if IS_NEXT else "end of input"),
            (),
        ),
        (
            "SELECT carier FROM flights",
            "carier",
            'Binder Error: Referenced column "carier" not found in FROM clause!\nCandidate bindings: "carrier"',
            ("carrier",),
        ),
        (
            "SELECT f.lat, f.carrier FROM late AS f",
            "lat",
            'Binder Error: Table "f" does not have a column named "lat"\n\nCandidate bindings: : "carrier", "flown", "s"',
            ("flown", "carrier", "s"),
        ),
        (
            "FROM flihgts",
            "flihgts",
            'Catalog Error: Table with name flihgts does not exist!\nDid you mean "flights"?',
            ("flights",),
        ),
        (
            "FROM geo.airport",
            "geo.airport",
            'Catalog Error: Table with name airport does not exist!\nDid you mean "airports"?',
            ("geo.airports",),
        ),
        (
            'SELECT "é y" FROM "Odd Name"',
            '"é y"',
            'Binder Error: Referenced column "é y" not found in FROM clause!\nCandidate bindings: "é x"',
            ('"é x"',),
        ),
        (
            "SELECT 'ä😀', nope FROM people",
            "nope",
            'Binder Error: Referenced column "nope" not found in FROM clause!\nCandidate bindings: "name", "mood"',
            ("name", "mood"),
        ),
        (
            "SELECT s.b FROM flights",
            "b",
            'Binder Error: Could not find key "b" in struct\n\nCandidate Entries: "a"',
            ("a",),
        ),
        (
            "SELECT date_trunk('day', flown) FROM flights",
            "date_trunk",
            'Catalog Error: Scalar Function with name date_trunk does not exist!\nDid you mean "date_trunc"?',
            ("date_trunc",),
        ),
        (
            "UPDATE flights SET carier = 'x'",
            "carier",
            'Binder Error: Referenced update column carier not found in table!\n\nDid you mean: "carrier"',
            ("carrier",),
        ),
        (
            "WITH q AS (SELECT carrier FROM flights) SELECT carier FROM q",
            "carier",
            'Binder Error: Referenced column "carier" not found in FROM clause!\nCandidate bindings: "carrier"',
            ("carrier",),
        ),
        (
            "EXPLAIN ANALYZE SELECT carier FROM flights",
            "carier",
            'Binder Error: Referenced column "carier" not found in FROM clause!\nCandidate bindings: "carrier"',
            ("carrier",),
        ),
        (
            "PREPARE p AS SELECT carier FROM flights",
            "carier",
            'Binder Error: Referenced column "carier" not found in FROM clause!\nCandidate bindings: "carrier"',
            ("carrier",),
        ),
        (
            "PIVOT flights ON carier USING sum(dep_delay)",
            "carier",
            'Binder Error: Referenced column "carier" not found in FROM clause!\nCandidate bindings: "carrier"',
            ("carrier",),
        ),
    ],
)
def test_a_mistake_is_marked_with_the_databases_own_message(check_one, sql, word, message, names):
    assert check_one(sql) == [(word, message, names)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT carrier, count(*) FROM flights GROUP BY ALL",
        "SELECT faa FROM geo.airports JOIN late ON carrier = faa",
        "SELECT 'glad'::mood, mood = 'sad' FROM people",
        "SELECT plus1(1), plus1(1, y := 3), twice(2)",
        "FROM of('AA')",
        'SELECT "é x", "select" FROM "Odd Name"',
        "SELECT ST_Point(1, 2)",  # a function of an extension
        "FROM 'x.csv'",
        "FROM read_parquet('s3://bucket/*.parquet')",
        "COPY flights TO 'x.parquet'",
        "SELECT nextval('nobody_knows')",
        "INSERT INTO flights VALUES (1)",  # whether a column is generated is not known
        "INSERT INTO flights VALUES ('a', 1, now(), {'a': 1}) ON CONFLICT (carrier) DO NOTHING",
        "SELECT getvariable('v').anything",
        "SELECT current_setting('s3_region')",
        "SELECT $1 + $2",
        "ATTACH 'other.db' AS other; FROM other.t",
        "USE geo; FROM airports",
        "CREATE TABLE n (a INTEGER); INSERT INTO n VALUES (1); SELECT a FROM n",
        "CREATE TABLE n AS SELECT carrier AS c FROM flights; SELECT c FROM n",
        "CREATE VIEW v AS SELECT carrier AS c FROM flights; SELECT c FROM v",
        "CREATE MACRO mine(x) AS x; SELECT mine(1)",
        "CREATE SCHEMA made; CREATE TABLE made.t (a INTEGER); FROM made.t",
        "ALTER TABLE flights RENAME carrier TO c; SELECT c FROM flights",
        "DROP TABLE flights; CREATE TABLE flights (z INTEGER); SELECT z FROM flights",
        "CREATE OR REPLACE TABLE flights AS SELECT 1 AS z; SELECT z FROM flights",
        "CREATE TEMP TABLE flights AS SELECT 1 AS z; SELECT z FROM flights",
        "PREPARE p AS SELECT 1; EXECUTE p",
        "LOAD spatial; SELECT anything()",
        "",
        "-- nothing",
        "\ud800",
    ],
)
def test_what_may_well_run_is_never_marked(check_one, sql):
    assert check_one(sql) == []


def test_what_a_statement_above_makes_is_known_below_it_and_not_in_the_next_cell(check):
    sql = "CREATE TABLE n AS SELECT carrier AS c FROM flights; SELECT d FROM n"
    message = 'Binder Error: Referenced column "d" not found in FROM clause!\nCandidate bindings: "c"'
    assert check(sql) == [("d", message, ("c",))]
    assert check("FROM n") == [("n", "Catalog Error: Table with name n does not exist!", ())]


def test_each_statement_has_its_own_mark_in_the_lines_of_the_cell(session, check):
    sql = "SELECT a1 FROM flights;\n\n/* é */ SELECT carrier\nFROM flights;\nSELECT\n  a2 FROM flights"
    assert [word for word, *_ in check(sql)] == ["a1", "a2"]
    marks = whole(session, sql, {}).marks
    assert [mark.start for mark in marks] == [sql.index("a1"), sql.index("a2")]


def test_what_has_changed_in_the_catalog_is_seen(check, run):
    assert check("SELECT carrier FROM flights") == []
    run("ALTER TABLE flights RENAME carrier TO airline")
    assert [word for word, *_ in check("SELECT carrier FROM flights")] == ["carrier"]
    run("DROP VIEW late")
    assert [word for word, *_ in check("FROM late")] == ["late"]
    run("CREATE TABLE late (a INTEGER)")
    assert check("SELECT a FROM late") == []


def test_temporary_tables_and_open_transactions_are_seen(check, run):
    run("CREATE TEMP TABLE mine (z INTEGER)")
    assert check("SELECT z FROM mine") == []
    assert [word for word, *_ in check("SELECT y FROM mine")] == ["y"]
    run("BEGIN; CREATE TABLE pending (p INTEGER); CREATE MACRO fresh(x) AS x")
    assert check("SELECT p, fresh(1), unheard_of(2) FROM pending") == []
    assert [word for word, *_ in check("SELECT q FROM pending")] == ["q"]
    run("ROLLBACK")
    assert [word for word, *_ in check("FROM pending")] == ["pending"]


def test_attached_databases_and_the_search_path_count(check, run):
    run("ATTACH ':memory:' AS other; CREATE TABLE other.lone (here INTEGER); USE other")
    assert check("SELECT here FROM lone") == []
    assert check("SELECT carrier FROM memory.flights") == []
    assert [word for word, *_ in check("FROM flights")] == ["flights"]
    run("USE memory; DETACH other")
    assert [word for word, *_ in check("FROM other.lone")] == ["other.lone"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1], "o": [{"k": 1}]}),
        pl.DataFrame({"a": [1], "o": [{"k": 1}]}),
        pa.table({"a": [1], "o": [{"k": 1}]}),
        pa.record_batch({"a": [1], "o": [{"k": 1}]}),
    ],
    ids=["pandas", "polars", "Table", "RecordBatch"],
)
def test_python_tables_are_known_by_their_columns(check, frame):
    variables = {"my_frame": frame}
    assert check("SELECT a, o.k FROM my_frame", variables) == []
    [(word, _, names)] = check("SELECT b FROM my_frame", variables)
    assert (word, names[0]) == ("b", "a")
    [(word, message, names)] = check("FROM my_frme", variables)
    assert (word, message.splitlines()[1], names) == ("my_frme", 'Did you mean "my_frame"?', ("my_frame",))


def test_a_stream_and_other_objects_are_left_alone(check):
    reader = pa.table({"a": [1]}).to_reader()
    variables = {"reader": reader, "arr": np.arange(3), "d": {"a": [1]}, "rows": [{"a": 1}], "n": 5}
    for name in ("reader", "arr", "d", "rows"):
        assert check(f"SELECT whatever FROM {name}", variables) == []
    assert reader.read_all().num_rows == 1
    assert [word for word, *_ in check("FROM n", variables)] == ["n"]  # a number is nobody's table


def test_parameters_are_bound_with_their_values(check):
    variables = {"x": 5, "ids": [1, 2], "when": pd.Timestamp("2024-01-31")}
    sql = "FROM flights WHERE dep_delay = :x AND dep_delay IN :ids AND dep_delay IN (:ids) AND flown > :when"
    assert check(sql, variables) == []
    [(word, message, _)] = check("FROM flights WHERE dep_delay = :y", variables)
    assert (word, message.partition(".")[0]) == (":y", "The parameter :y has no value: there is no Python variable 'y'")
    assert check("FROM flights WHERE dep_delay = :y", variables, unvalued=frozenset({"y"})) == []
    [(word, message, _)] = check("SELECT :x + carier FROM flights", variables)
    assert word == "carier"


def test_saved_queries_are_known_and_a_cell_that_saves_reads_the_table_of_that_name(session, check):
    with session.saving("quick", "SELECT carrier AS c FROM flights"):
        pass
    assert check("SELECT c FROM quick") == []
    assert [(word, names) for word, _, names in check("SELECT d FROM quick WHERE c = 'x'")] == [("d", ("c",))]
    assert [(word, names) for word, _, names in check("FROM quik")] == [("quik", ("quick",))]
    assert [word for word, *_ in check("FROM quick", saving="quick")] == ["quick"]


def test_a_setting_that_may_change_what_sql_means_ends_the_binding(session, check, run):
    run("SET threads = 2")
    assert [word for word, *_ in check("SELECT carier FROM flights")] == ["carier"]
    run("SET old_implicit_casting = true")
    checked = session.checks.check("SELECT carier FROM flights", session.current, {})
    assert (checked.marks, checked.is_whole) == ((), True)


def test_nothing_is_bound_for_a_target_that_is_not_open(session):
    target = session.resolve("duckdb:///:memory:")
    checked = session.checks.check("SELECT 1 FROM nowhere", target, {})
    assert (checked.marks, checked.is_whole) == ((), True)
    [mark] = session.checks.check("SELEC 1", target, {}).marks
    assert mark.message == 'Parser Error: syntax error at or near "SELEC"'
    assert list(session.pool) == []


def test_other_databases_are_not_judged_by_duckdb(session, use):
    use("sqlite://")
    checked = session.checks.check("SELEC 1", session.current, {})
    assert (checked.marks, checked.is_whole) == ((), True)


def test_the_columns_that_a_query_would_give(session, check):
    assert check("FROM flights") == []
    sql = "SELECT carrier, sum(dep_delay) AS total, s.a FROM flights GROUP BY ALL"
    columns = session.checks.columns(sql, session.current, {})
    assert columns == (("carrier", "VARCHAR"), ("total", "HUGEINT"), ("a", "INTEGER"))
    assert session.checks.columns("SELECT nope FROM flights", session.current, {}) == ()
    assert session.checks.columns("SELECT 1; SELECT 2 AS b", session.current, {}) == (("b", "INTEGER"),)


def test_nothing_of_a_statement_is_run(check, tmp_path):
    target = tmp_path / "made.csv"
    for sql in (
        f"COPY (SELECT 1) TO '{target}'",
        f"CREATE TABLE n AS SELECT * FROM range(100_000_000_000); COPY n TO '{target}'; SELECT range FROM n",
        f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'",
        "DROP TABLE flights",
        "SELECT error('run')",
    ):
        assert check(sql) == []
    assert not target.exists()
    assert check("FROM flights") == []


def test_a_statement_that_did_not_change_is_not_bound_again(session, check, monkeypatch):
    statements = [f"SELECT carrier, {number} FROM flights" for number in range(50)]
    assert check(";\n".join(statements)) == []
    bound = []
    shadow = session.checks._checker._shadow
    bind = shadow.bind
    monkeypatch.setattr(shadow, "bind", lambda sql, *rest, **more: bound.append(sql) or bind(sql, *rest, **more))
    statements[7] = "SELECT carrier, 'new' FROM flights"
    assert check(";\n".join(statements)) == []
    assert [sql.strip() for sql in bound] == ["SELECT carrier, 'new' FROM flights"]


def test_a_frame_that_is_changed_in_place_is_looked_at_again(check):
    frames = {"df": pd.DataFrame({"a": ["x"]}), "pf": pl.DataFrame({"a": [1]})}
    assert [word for word, *_ in check("SELECT zz FROM df; SELECT zz FROM pf; SELECT a + 1 FROM df", frames)] == [
        "zz",
        "zz",
        "+",
    ]
    frames["df"]["zz"] = 1
    frames["df"]["a"] = frames["df"]["a"].str.len()
    frames["pf"].insert_column(0, pl.Series("zz", [1]))
    assert check("SELECT zz FROM df; SELECT zz FROM pf; SELECT a + 1 FROM df", frames) == []


@pytest.mark.parametrize(
    ("sql", "word", "change"),
    [
        ("SELECT a FROM made", "made", "CREATE TABLE made (a INTEGER)"),
        ("SELECT a FROM geo.made", "geo.made", "CREATE TABLE geo.made (a INTEGER)"),
        ("SELECT f.more FROM flights AS f", "more", "ALTER TABLE flights ADD COLUMN more INTEGER"),
        ("SELECT more FROM late", "more", "ALTER TABLE flights ADD COLUMN more INTEGER"),
        ("SELECT made(1)", "made", "CREATE MACRO made(x) AS x + 1"),
        ("FROM made(1)", "made", "CREATE MACRO made(x) AS TABLE SELECT x"),
        ("SELECT 'x'::made", "made", "CREATE TYPE made AS ENUM ('x')"),
        ("FROM made.t", "made.t", "CREATE SCHEMA made; CREATE TABLE made.t (a INTEGER)"),
    ],
)
def test_what_python_code_has_changed_beside_the_cells_is_no_mistake(session, check, sql, word, change):
    assert [marked for marked, *_ in check(sql)] == [word]
    with session.pool.plain_engine(session.current).begin() as connection:
        for statement in change.split("; "):
            connection.exec_driver_sql(statement)
    assert check(sql) == []


def test_nor_where_there_are_temporary_tables(session, check):
    list(session.run("CREATE TEMP TABLE t (a INTEGER)", {}))
    assert [marked for marked, *_ in check("FROM made")] == ["made"]
    with session.pool.plain_engine(session.current).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE made (b INTEGER)")
    assert check("SELECT t.a, made.b FROM t, made") == []
    assert [marked for marked, *_ in check("SELECT made.c FROM t, made")] == ["c"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("LIST SHARES", []),
        ("CREATE DATABASE d2; SELECT 1", []),
        ("CREATE SHARE s FROM my_db", []),
        ("GRANT READ ON SHARE s TO ann", []),
        ("SELECT 1; LIST SHARES; SELEC 1", []),
        ("SELEC 1", ["SELEC"]),
        ("SELECT 1; SELECT FROM WHERE", ["WHERE"]),
    ],
)
def test_a_statement_of_motherducks_own_is_not_marked(session, sql, words):
    target = session.resolve("md:my_db")  # not open, so that only the syntax is checked
    checked = session.checks.check(sql, target, {})
    assert [sql[mark.start : mark.end] for mark in checked.marks] == words


def test_nor_is_what_a_loaded_extension_may_parse(session, check):
    session.use().backend.local.note("LOAD", "LOAD duckpgq")
    assert check("CREATE PROPERTY GRAPH g VERTEX TABLES (flights)") == []
    assert [word for word, *_ in check("SELEC 1")] == ["SELEC"]


def test_a_macro_of_another_schema(session, check):
    list(session.run("CREATE MACRO geo.near(x) AS x + 1; CREATE MACRO main.here(x) AS x + 1", {}))
    assert check("SELECT geo.near(1), memory.geo.near(1), main.here(1), memory.main.here(1)") == []


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT sum(carrier) FROM flights", ()),
        ("SELECT 1 + INTERVAL 1 DAY", ()),
        ("SELECT list_contains(1, 1)", ()),
        ("SELECT carier FROM flights", ("carrier",)),
    ],
)
def test_only_names_are_offered_as_names(check_one, sql, names):
    [(_, _, offered)] = check_one(sql)
    assert offered == names


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("EXPLAIN (FORMAT json) SELECT carier FROM flights", "carier"),
        ("EXPLAIN (ANALYZE, FORMAT json) SELECT carier FROM flights", "carier"),
        ("INSERT INTO flights(carrier) VALUES ('a', 2)", "flights" if IS_NEXT else "INSERT"),
        ("MERGE INTO people USING flights AS f ON people.name = f.carier WHEN MATCHED THEN DELETE", "carier"),
    ],
)
def test_more_statements_that_are_marked(check_one, sql, word):
    assert [marked for marked, *_ in check_one(sql)] == [word]


@pytest.mark.parametrize(
    ("sql", "word", "names"),
    [
        ("FROM geo.airport", "geo.airport", ("geo.airports",)),
        ('SELECT 1 FROM memory . geo . "airport"', 'memory . geo . "airport"', ("geo.airports",)),
        ("INSERT INTO geo.airport VALUES ('a')", "geo.airport", ("geo.airports",)),
        ("DROP TABLE memory.geo.airport", "memory.geo.airport", ("geo.airports",)),
        ("FROM flights2", "flights2", ("flights",)),
        ("SELECT * FROM flights WHERE dep_delay > :delai", ":delai", (":delay",)),
    ],
)
def test_what_is_offered_fits_into_what_is_marked(check, sql, word, names):
    [(marked, _, offered)] = check(sql, {"delay": 3, "_dela": 4, "delaying": len})
    assert (marked, offered) == (word, names)
    assert check(sql.replace(word, names[0]), {"delay": 3}) == []

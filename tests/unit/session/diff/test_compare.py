"""Comparing two tables: what is counted and shown is what a comparison of all rows in Python finds."""

from __future__ import annotations

import random
from collections import Counter

import pandas as pd
import polars as pl
import pytest

from md_magic.engine.backends.duckdb.digests import DuckDBDigests, RemoteDigests
from md_magic.engine.cancellation import Execution, Limit
from md_magic.engine.results.scratch import Scratch
from md_magic.errors import OptionError, QueryTimeout, StatementError
from md_magic.session.diff.run import diff


@pytest.fixture
def differ(session):
    session.use()

    def compare(here, there, variables=None, on=()):
        return diff(session, here, there, variables or {}, on=on, opened=session.use)

    return compare


@pytest.fixture
def tables(run, differ):
    """Make two tables `a` and `b` of the same columns, and compare them."""

    def compare(columns, a, b, **more):
        for name, rows in (("a", a), ("b", b)):
            run(f"CREATE OR REPLACE TABLE {name} ({columns})")
            if rows:
                run(f"INSERT INTO {name} VALUES {', '.join(rows)}")
        return differ("a", "b", **more)

    return compare


def counts(found):
    return found.rows_here, found.rows_there, found.same, found.only_here, found.only_there, found.changed


def test_equal_tables_in_another_order_are_the_same(run, differ):
    run("CREATE TABLE a AS SELECT range AS i, 'n' || range AS n FROM range(10_000)")
    run("CREATE TABLE b AS SELECT n, i FROM a ORDER BY hash(i)")
    found = differ("a", "b")
    assert not found
    assert counts(found) == (10_000, 10_000, 10_000, 0, 0, 0)
    assert found.frame().empty
    assert found.frame().columns.tolist() == ["change", "table", "columns", "i", "n"]


def test_rows_here_there_and_changed_by_a_declared_key(tables):
    found = tables(
        "id INT PRIMARY KEY, n VARCHAR, x DOUBLE",
        ["(1, 'one', 1.5)", "(2, 'two', 2)", "(3, NULL, 3)", "(4, 'four', 4)"],
        ["(1, 'one', 1.5)", "(2, 'zwei', 2.5)", "(4, NULL, 4)", "(5, 'five', 5)"],
    )
    assert found
    assert found.key == ("id",)
    assert counts(found) == (4, 4, 1, 1, 1, 2)
    assert [(column.name, column.changed) for column in found.columns] == [("id", 0), ("n", 2), ("x", 1)]
    frame = found.frame()
    assert frame["change"].tolist() == ["changed", "changed", "only here", "changed", "changed", "only there"]
    assert frame["table"].tolist() == ["here", "there", "here", "here", "there", "there"]
    assert frame["columns"].fillna("").tolist() == ["n, x", "n, x", "", "n", "n", ""]
    assert frame["id"].tolist() == [2, 2, 3, 4, 4, 5]
    assert frame["x"].tolist() == [2.0, 2.5, 3.0, 4.0, 4.0, 5.0]


@pytest.mark.parametrize("on", [("i",), ("I",), ()])
def test_duplicates_count_as_often_as_they_are_there(tables, on):
    found = tables("i INT, n VARCHAR", ["(1, 'x')"] * 3 + ["(2, 'y')"], ["(1, 'x')", "(2, 'y')", "(2, 'y')"], on=on)
    assert counts(found) == (4, 3, 2, 2, 1, 0)
    assert any("--on COLUMN" in note for note in found.notes) is (not on)
    assert any("stand in several" in note for note in found.notes) is bool(on)


def test_nulls_equal_each_other_and_nothing_else(tables):
    found = tables(
        "i INT, n VARCHAR",
        ["(NULL, '')", "(1, NULL)", "(2, 'NULL')"],
        ["(NULL, NULL)", "(1, NULL)", "(2, '-')"],
        on=("i",),
    )
    assert counts(found) == (3, 3, 1, 0, 0, 2)
    assert not tables("i INT, n VARCHAR", ["(NULL, NULL)"], ["(NULL, NULL)"])


@pytest.mark.parametrize(
    ("columns", "a", "b"),
    [
        ("x VARCHAR, y VARCHAR", "('a', 'b:c')", "('a:b', 'c')"),
        ("x VARCHAR, y VARCHAR", "('1', NULL)", "(NULL, '1')"),
        ("x VARCHAR, y VARCHAR", "('a|b', 'c')", "('a', 'b|c')"),
        ("x VARCHAR", "('a')", "('a ')"),
        ("x VARCHAR", "('é')", "('e' || chr(769))"),
        ("x VARCHAR", "(chr(0))", "('')"),
        ("x BIGINT", "(9007199254740993)", "(9007199254740992)"),
        ("x DOUBLE", "(0.1)", "(0.1 + 1e-17 * 2)"),
        ("x DOUBLE", "('inf')", "('-inf')"),
        ("x DECIMAL(38, 10)", "(12345678901234567890.0000000001)", "(12345678901234567890.0000000002)"),
        ("x TIMESTAMP", "('2024-01-01 00:00:00.000001')", "('2024-01-01')"),
        ("x TIMESTAMP_NS", "('2024-01-01 00:00:00.000000001')", "('2024-01-01')"),
        ("x INTERVAL", "(INTERVAL 1 DAY)", "(INTERVAL 25 HOUR)"),
        ("x BLOB", r"('\x00\x01')", r"('\x00')"),
        ("x INT[]", "([1, NULL])", "([1])"),
        ("x VARCHAR[]", "([NULL])", "(['NULL'])"),
        ("x STRUCT(a INT, b VARCHAR)", "({'a': 1, 'b': 'x'})", "({'a': 1, 'b': 'y'})"),
        ("x BIT", "('0101')", "('101')"),
        ("x UUID", "('00000000-0000-0000-0000-000000000001')", "('00000000-0000-0000-0000-000000000002')"),
        ("x TIME", "('12:00:00.5')", "('12:00:00.05')"),
        ("x DATE", "('infinity')", "('2024-01-01')"),
        ("x HUGEINT", "(170141183460469231731687303715884105727)", "(170141183460469231731687303715884105726)"),
    ],
)
def test_values_that_sql_tells_apart_differ(tables, run, columns, a, b):
    assert run("SELECT count(*) AS n FROM (SELECT * FROM (VALUES (1)))")["n"][0] == 1
    cast = columns.removeprefix("x ")
    if "," not in columns or "DECIMAL" in columns or "STRUCT" in columns:
        a, b = (f"(CAST({value} AS {cast}))" for value in (a, b))
    found = tables(columns, [a], [b])
    assert counts(found) == (1, 1, 0, 1, 1, 0)
    assert not tables(columns, [a], [a])


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("1::TINYINT", "1::HUGEINT"),
        ("1.50::DECIMAL(10, 2)", "1.5::DECIMAL(10, 5)"),
        ("100::INT", "100.00::DECIMAL(10, 2)"),
        ("0.25::DECIMAL(10, 2)", "0.25::DOUBLE"),
        ("3::INT", "3::DOUBLE"),
        ("0.0::DOUBLE", "(-0.0)::DOUBLE"),
        ("'NaN'::DOUBLE", "'NaN'::DOUBLE"),
        ("0.5::FLOAT", "0.5::DOUBLE"),
        ("true", "1::INT"),
        ("DATE '2024-01-01'", "TIMESTAMP '2024-01-01'"),
        ("TIMESTAMP '2024-01-01 00:00:00.5'", "TIMESTAMP_NS '2024-01-01 00:00:00.5'"),
        ("DATE '-infinity'", "TIMESTAMP '-infinity'"),
        ("TIMESTAMP '8000-01-01 00:00:01'", "'8000-01-01 00:00:01'::TIMESTAMP_S"),
        ("'8000-01-01 00:00:00.005'::TIMESTAMP_MS", "TIMESTAMP '8000-01-01 00:00:00.005'"),
        ("'-infinity'::TIMESTAMP_S", "'-infinity'::TIMESTAMP_MS"),
        ("INTERVAL 1 MONTH", "INTERVAL 30 DAY"),
        ("TIMESTAMPTZ '2024-01-01 00:00:00+00'", "TIMESTAMPTZ '2024-01-01 02:00:00+02'"),
        ("'a'::ENUM('a', 'b')", "'a'"),
        ("NULL::INT", "NULL::VARCHAR"),
        ("DATE '0044-03-15 (BC)'", "DATE '0044-03-15 (BC)'"),
        ("0.1::FLOAT", "0.1::DECIMAL(3, 2)"),
        ("16777217::INT", "16777216::FLOAT"),
        ("[0.0::DOUBLE]", "[-0.0::DOUBLE]"),
        ("['NaN'::DOUBLE]", "['-NaN'::DOUBLE]"),
        ("[1.0::DECIMAL(3, 1)]", "[1.00::DECIMAL(3, 2)]"),
        ("[1]", "[1.0::DOUBLE]"),
        ("[1]::INT[1]", "[1]"),
        ("[DATE '2024-01-01']", "[TIMESTAMP '2024-01-01']"),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
        ("{'a': [0.5::FLOAT, NULL]}", "{'a': [0.50::DECIMAL(3, 2), NULL]}"),
        ("['a']::ENUM('a')[]", "['a']"),
        ("[1, 2]", "'[1,2]'"),
        ("{'a': 1}", """'{"a":1}'::JSON"""),
    ],
)
def test_values_that_sql_takes_for_equal_are_the_same(differ, here, there):
    found = differ(f"SELECT {here} AS x", f"SELECT {there} AS x")
    assert not found.rows_differ
    assert counts(found) == (1, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("0.1::FLOAT", "0.1::DOUBLE"),
        ("[1, NULL]", "[1]"),
        ("[NULL]", "['NULL']"),
        ("[[1], [2]]", "[[1, 2]]"),
        ("[[]]", "[NULL]"),
        ("[]::INT[]", "NULL"),
        ("{'a': NULL}", "NULL::STRUCT(a INT)"),
        ("{'a': 1, 'b': 2}", "{'a': 2, 'b': 1}"),
        ("MAP {'a': 1, 'b': 2}", "MAP {'b': 2, 'a': 1}"),
        ("""'{"a":1}'::JSON""", """'{"a": 1}'::JSON"""),
    ],
)
def test_values_of_several_types_that_sql_tells_apart_differ(differ, here, there):
    assert counts(differ(f"SELECT {here} AS x", f"SELECT {there} AS x")) == (1, 1, 0, 1, 1, 0)


def test_a_card_says_how_lists_of_intervals_and_texts_are_compared(differ):
    found = differ("SELECT [INTERVAL 1 MONTH] AS x", "SELECT [INTERVAL 30 DAY] AS x")
    assert any("1 month differs from 30 days" in note and "x" in note for note in found.notes)
    found = differ("SELECT [1] AS x", "SELECT '[2]' AS x")
    assert any("JSON documents" in note for note in found.notes)


def test_columns_and_types_that_differ(run, differ):
    run("CREATE TABLE a (id INT, Name VARCHAR, x DOUBLE, gone DATE)")
    run("CREATE TABLE b (id BIGINT, name VARCHAR, x VARCHAR, more INT)")
    run("INSERT INTO a VALUES (1, 'n', 1.5, NULL)")
    run("INSERT INTO b VALUES (1, 'n', '1.5', 3)")
    found = differ("a", "b")
    assert found
    assert found.schema_differs
    assert not found.rows_differ
    by_name = {column.name: (column.here, column.there, column.differs) for column in found.columns}
    assert by_name == {
        "id": ("INTEGER", "BIGINT", True),
        "Name": ("VARCHAR", "VARCHAR", False),
        "x": ("DOUBLE", "VARCHAR", True),
        "gone": ("DATE", None, False),
        "more": (None, "INTEGER", False),
    }
    assert "Compared as text, because the types differ: x." in found.notes


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_selects_saved_queries_and_names_in_quotes(session, run, differ, make):
    run('CREATE TABLE "odd ""name""" AS SELECT range AS i FROM range(3)')
    with session.saving("q1", "SELECT range AS i FROM range(4)"):
        pass
    frame = make({"i": [0, 1, 2]})
    given = {"df": frame, "n": 3}
    assert not differ('"odd ""name"""', "df", given)
    assert not differ("SELECT range AS i FROM range(:n)", "df", given)
    assert counts(differ("df", "q1", given)) == (3, 4, 3, 0, 1, 0)
    assert not differ("'WITH x AS (FROM df) SELECT * FROM x;'", "df", given)


def test_tables_without_rows_or_columns_in_common(tables, differ):
    assert not tables("i INT", [], [])
    assert counts(tables("i INT", [], ["(1)"])) == (0, 1, 0, 0, 1, 0)
    found = differ("SELECT 1 AS a", "SELECT 1 AS b")
    assert found.schema_differs
    assert counts(found) == (1, 1, 1, 0, 0, 0)


def test_hostile_names_of_columns(run, differ):
    names = ['"a""b"', '"select"', '"x y"', '"%(p)s"', '":n"', '"it\'s"', '"d"']
    values = ", ".join(f"{at} AS {name}" for at, name in enumerate(names))
    run(f"CREATE TABLE a AS SELECT {values}")
    run('CREATE TABLE b AS FROM a; UPDATE b SET "it\'s" = 99')
    found = differ("a", "b", on=('a"b',))
    assert [column.name for column in found.columns if column.changed] == ["it's"]
    assert found.frame()["it's"].tolist() == [5, 99]


def test_a_key_of_several_columns_and_a_column_that_is_not_there(tables):
    found = tables("y INT, m INT, v INT", ["(1, 1, 1)", "(1, 2, 2)"], ["(1, 1, 9)", "(1, 3, 2)"], on=("m", "y"))
    assert counts(found) == (2, 2, 0, 1, 1, 1)
    with pytest.raises(OptionError, match="Did you mean m"):
        tables("y INT, m INT", [], [], on=("mm",))


@pytest.mark.parametrize("name", ["nowhere", "SELECT nope FROM range(3)"])
def test_what_is_not_there_is_the_databases_own_error(run, differ, name):
    run("CREATE TABLE a (i INT)")
    with pytest.raises(StatementError):
        differ("a", name)


@pytest.mark.parametrize("seed", range(6))
def test_random_tables_differ_as_python_says(tables, seed):
    chance = random.Random(seed)  # noqa: S311 - rows, not secrets
    values = ["NULL", "'a'", "'b'", "''"]

    def rows(count):
        return [(chance.randrange(40), chance.choice(values), chance.choice(["NULL", "1", "2"])) for _ in range(count)]

    a = rows(60)
    b = [row for row in a if chance.random() < 0.8] + rows(15)
    found = tables(
        "k INT, s VARCHAR, n INT",
        [f"({k}, {s}, {n})" for k, s, n in a],
        [f"({k}, {s}, {n})" for k, s, n in b],
        on=("k",),
    )
    left, right = Counter(a) - Counter(b), Counter(b) - Counter(a)
    changed = only_here = only_there = 0
    for key in range(40):
        here = sum(number for row, number in left.items() if row[0] == key)
        there = sum(number for row, number in right.items() if row[0] == key)
        changed, only_here, only_there = (
            changed + min(here, there),
            only_here + max(0, here - there),
            only_there + max(0, there - here),
        )
    assert counts(found) == (len(a), len(b), len(a) - changed - only_here, only_here, only_there, changed)
    whole = tables(
        "k INT, s VARCHAR, n INT", [f"({k}, {s}, {n})" for k, s, n in a], [f"({k}, {s}, {n})" for k, s, n in b]
    )
    assert (whole.only_here, whole.only_there, whole.changed) == (left.total(), right.total(), 0)


@pytest.mark.parametrize(("here", "there"), [("a", "b"), ("b", "a")])
def test_a_key_that_stands_several_times_is_noted_for_both_tables(tables, differ, here, there):
    tables("k INT, v INT", ["(1, 1)", "(2, 1)"], ["(1, 1)", "(1, 2)", "(1, 3)", "(2, 1)"], on=("k",))
    found = differ(here, there, on=("k",))
    [note] = found.notes
    assert note.startswith("1 value of the key stands in several rows")
    assert not tables("k INT, v INT", ["(1, 1)", "(1, 2)"], ["(1, 2)", "(1, 1)"], on=("k",)).notes


@pytest.mark.parametrize("digests", ["hashes", "md5"])
@pytest.mark.parametrize("on", [(), ("i",)])
def test_counts_of_a_query_that_gives_other_rows_each_time_agree(differ, monkeypatch, digests, on):
    if digests == "md5":
        monkeypatch.setattr(DuckDBDigests, "hashes_as", "")
    rows = "FROM range(50) AS t(i)"
    found = differ(f"SELECT i, random() AS r {rows}", f"SELECT i, 1.0::DOUBLE AS r {rows}", on=on)
    here, there, same, only_here, only_there, changed = counts(found)
    assert (here, there, same) == (50, 50, 0)
    assert (only_here, only_there, changed) == ((0, 0, 50) if on else (50, 50, 0))
    assert any("SELECT i, random()" in note and "gave other rows the second time" in note for note in found.notes)
    assert not any("1.0::DOUBLE" in note for note in found.notes)


def test_a_query_that_gives_the_same_rows_each_time_is_not_called_unstable(tables):
    found = tables("i INT, s VARCHAR", ["(1, 'a')", "(2, NULL)"], ["(1, 'b')", "(3, NULL)"])
    assert not any("other rows" in note for note in found.notes)


def test_one_row_of_many_is_found(run, differ):
    run("CREATE TABLE a AS SELECT range AS i, hash(range) AS h FROM range(400_000)")
    run("CREATE TABLE b AS FROM a; UPDATE b SET h = 0 WHERE i = 123_456")
    found = differ("a", "b", on=("i",))
    assert counts(found) == (400_000, 400_000, 399_999, 0, 0, 1)
    assert found.frame()["i"].tolist() == [123_456, 123_456]


EVERY_KIND = """range AS i, range % 3 = 0 AS b, range::DECIMAL(9, 2) / 7 AS c, range / 7 AS d, (range / 7)::FLOAT AS f,
'n' || range AS s, range::VARCHAR::BLOB AS x, DATE '2020-01-01' + range::INT AS day, now()::TIMESTAMP AS at_time,
now() AS moment, range * INTERVAL 1 MONTH AS apart, [range, NULL] AS l, {'a': 'n' || range} AS r, uuid() AS u,
['p', 'q'][1 + range % 2]::ENUM('p', 'q') AS e, nullif(range % 4, 0) AS n, TIME '10:00' AS clock"""


@pytest.mark.parametrize(("digests", "on"), [("hashes", ()), ("hashes", ("n", "s")), ("md5", ("i",))])
def test_hashes_of_this_process_find_what_md5_finds(run, differ, monkeypatch, digests, on):
    if digests == "md5":
        monkeypatch.setattr(DuckDBDigests, "hashes_as", "")
    run(f"CREATE TABLE a AS SELECT {EVERY_KIND} FROM range(300)")
    run("CREATE TABLE b AS SELECT * REPLACE (apart - INTERVAL 1 MONTH + INTERVAL 30 DAY AS apart) FROM a ORDER BY u")
    run("UPDATE b SET n = NULL WHERE i = 13; UPDATE b SET l = [i] WHERE i = 15; DELETE FROM b WHERE i = 17")
    run("UPDATE b SET d = CASE i WHEN 20 THEN 21 / 7 ELSE 20 / 7 END WHERE i IN (20, 21)")  # the sum of both stays
    found = differ("a", "b", on=on)
    assert found.only_here + found.changed == 5
    assert counts(found)[:3] == (300, 299, 295)


def test_hashes_are_compared_only_with_those_of_the_same_engine(run, differ, use, tmp_path, monkeypatch):
    asked = []
    use(f"duckdb:///{tmp_path}/x.duckdb", alias="x")
    run("CREATE TABLE t AS SELECT range AS i, 'n' || range AS s FROM range(50)")
    use("duckdb:///:memory:")
    run("CREATE TABLE t AS SELECT range AS i, 'n' || range AS s FROM range(50)")
    monkeypatch.setattr(DuckDBDigests, "digest", lambda _, text: asked.append(text) or f"md5({text})")
    monkeypatch.setattr(
        DuckDBDigests, "number", lambda _, digits: asked.append("numbers") or f"CAST('0x' || {digits} AS BIGINT)"
    )
    assert not differ("t", "@x:t")
    assert "numbers" not in asked
    assert not RemoteDigests.hashes_as


def test_nothing_is_made_in_the_database_and_the_current_target_stays(run, differ, session):
    run("CREATE TABLE a AS SELECT 1 AS i; CREATE TABLE b AS SELECT 2 AS i")
    assert differ("a", "b")
    assert sorted(run("SHOW TABLES")["name"]) == ["a", "b"]
    assert session.current.name == "duckdb:///:memory:"


def test_what_runs_beside_the_databases_is_stopped_too(session):
    scratch = Scratch(session.stoppable)
    with session.one_cell(Execution(limit=Limit(0.2, "--timeout 0.2"))), pytest.raises(QueryTimeout):
        scratch.run("SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3")
    assert scratch.run("SELECT 42 AS a").to_pydict() == {"a": [42]}
    scratch.close()


def test_two_targets(session, run, use, differ, tmp_path):
    use(f"duckdb:///{tmp_path}/x.duckdb", alias="x")
    run("CREATE TABLE t AS SELECT range AS i FROM range(5)")
    use("sqlite://", alias="s")
    run("CREATE TABLE t (i INTEGER PRIMARY KEY)")
    run("INSERT INTO t VALUES (0), (1), (2), (3), (7)")
    use("duckdb:///:memory:")
    found = differ("@x:t", "@s:t")
    assert found.key == ("i",)
    assert counts(found) == (5, 5, 4, 1, 1, 0)
    assert session.current.name == "duckdb:///:memory:"
    with pytest.raises(OptionError, match="names nothing"):
        differ("@x: ", "@s:t")
    frame = pd.DataFrame({"i": [0, 1, 2, 3, 7]})
    use("@s")
    assert not differ("t", "df", {"df": frame}).rows_differ


@pytest.mark.parametrize(
    ("here", "there", "differ_in"),
    [
        ("(1), (x'00ff')", "(1), (x'00fe')", (1, 1)),
        ("(1), (x'00ff')", "(1), (x'00ff')", (0, 0)),
        ("(1), ('1')", "(1), (1)", (1, 1)),
        ("('a'), (1)", "('a'), ('1')", (1, 1)),
        ("('a'), (1)", "('a'), (1.0)", (0, 0)),
        ("('a'), (1.5)", "('a'), (1.5)", (0, 0)),
        ("('a'), (0.1)", "('a'), (0.1 + 1e-17 * 2)", (1, 1)),
        ("(1), (2.5)", "(1.0), (2.5)", (0, 0)),
        ("(9007199254740993), (0.5)", "(9007199254740992), (0.5)", (1, 1)),
        ("(9223372036854775807), (0.5)", "(9223372036854775807), (0.5)", (0, 0)),
        ("('00ff'), (1)", "(x'00ff'), (1)", (1, 1)),
        ("('é'), (1)", "(CAST('é' AS BLOB)), (1)", (1, 1)),
        ("(NULL), (x'')", "(NULL), ('')", (1, 1)),
        ("(quote(x'00')), (1)", "(x'00'), (1)", (1, 1)),
    ],
)
def test_sqlite_compares_values_with_their_storage_class(use, run, differ, here, there, differ_in):
    use("sqlite://")
    run(f"CREATE TABLE s1 (v); CREATE TABLE s2 (v); INSERT INTO s1 VALUES {here}; INSERT INTO s2 VALUES {there}")
    found = differ("s1", "s2")
    assert (found.only_here, found.only_there) == differ_in
    assert bool(found) is any(differ_in)


def test_sqlite_against_duckdb_compares_mixed_columns_as_text(use, run, differ):
    use("sqlite://", alias="s")
    run("CREATE TABLE t (v); INSERT INTO t VALUES (1), ('one'), (2.50), ('2')")
    use("duckdb:///:memory:")
    run("CREATE TABLE t AS SELECT * FROM (VALUES ('1'), ('one'), ('2.5'), ('2')) AS v(v)")
    assert not differ("t", "@s:t").rows_differ
    run("UPDATE t SET v = 'two' WHERE v = 'one'")
    assert counts(differ("t", "@s:t")) == (4, 4, 3, 1, 1, 0)

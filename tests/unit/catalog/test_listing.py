"""Frames of databases, tables and columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from md_magic.catalog import listing
from md_magic.errors import StatementError, TargetError
from tests.unit.catalog.hostile import NAMES, quoted

TARGETS = ["duckdb:///:memory:", "sqlite://"]


def names(frame):
    return frame["name"].tolist()


def test_databases(run):
    frame = listing.databases(run("ATTACH ':memory:' AS other"))
    assert frame.columns.tolist() == ["name", "type", "path", "read_only", "current", "bytes", "comment"]
    assert frame.iloc[1].tolist() == ["other", "duckdb", "", False, False, 0, ""]
    assert frame["current"].tolist() == [True, False]


def test_databases_of_sqlite_are_its_schemas(run):
    frame = listing.databases(run("ATTACH ':memory:' AS other", "sqlite://"))
    assert frame.to_dict("list") == {"name": ["main", "other"]}


def test_tables(run):
    database = run("CREATE TABLE t AS SELECT 1 AS a; CREATE TEMP VIEW v AS SELECT 1 AS b, 2 AS c")
    frame = listing.tables(database, None)
    assert frame.columns.tolist() == ["database", "schema", "name", "kind", "columns", "rows", "comment"]
    assert frame.drop(columns="rows").values.tolist() == [
        ["memory", "main", "t", "table", 1, ""],
        ["temp", "main", "v", "temporary view", 2, ""],
    ]
    assert frame["rows"].tolist()[0] == 1


def test_tables_of_sqlite(run):
    database = run("CREATE TABLE t (a INT); CREATE VIEW v AS SELECT 1; CREATE TEMP TABLE tt (i INT)", "sqlite:///f.db")
    frame = listing.tables(database, None)
    assert frame.columns.tolist() == ["database", "schema", "name", "kind"]
    path = str(Path("f.db").resolve())
    assert frame.values.tolist() == [
        [path, "main", "t", "table"],
        [path, "main", "v", "view"],
        [path, "temp", "tt", "temporary table"],
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_no_tables_have_their_columns(run, target):
    assert listing.tables(run(target=target), None).columns.tolist()[:4] == ["database", "schema", "name", "kind"]
    assert listing.tables(run(target=target), "x").empty


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        (None, ["s1.t", "Flights", "a.b", "t"]),
        ("FLI%", ["Flights"]),
        ("%S", ["Flights"]),
        ("f%g%s", ["Flights"]),
        ("light", ["Flights"]),
        ("f", ["Flights"]),
        ("nope", []),
        ("t", ["s1.t", "Flights", "t"]),
        ("s1.%", []),
        ("memory.s1.%", ["a.b", "t"]),
        ("s1.t", ["s1.t", "t"]),
        ('"s1.t"', ["s1.t"]),
        ('"S1.T"', ["s1.t"]),
        ('"a.b"', ["a.b"]),
        ('s1."a.b"', ["a.b"]),
        ('main."a.b"', []),
        ('"t"', ["t"]),
        ('"%t"', ["s1.t", "t"]),
        ('s1."%"', ["a.b", "t"]),
        ('memory.s1."t"', ["t"]),
        ('x.memory.s1."t"', []),
    ],
    ids=str,
)
def test_patterns(run, pattern, matched):
    database = run(
        'CREATE TABLE "s1.t" (i INT); CREATE TABLE "Flights" (i INT); CREATE SCHEMA s1;'
        'CREATE TABLE s1.t (i INT); CREATE TABLE s1."a.b" (i INT)'
    )
    assert sorted(names(listing.tables(database, pattern))) == sorted(matched)


def test_columns(run):
    database = run("CREATE TABLE t (a INT NOT NULL, b VARCHAR DEFAULT 'x'); COMMENT ON COLUMN t.a IS 'key'")
    frame = listing.describe(database, "t")
    assert frame.columns.tolist() == ["column", "type", "nullable", "default", "comment"]
    assert frame.values.tolist() == [["a", "INTEGER", False, "", "key"], ["b", "VARCHAR", True, "'x'", ""]]


def test_columns_of_sqlite(run):
    frame = listing.describe(run("CREATE TABLE t (a INT NOT NULL, b TEXT DEFAULT 'x')", "sqlite://"), "T")
    assert frame.values.tolist() == [["a", "INTEGER", False, "", ""], ["b", "TEXT", True, "'x'", ""]]


def test_a_table_of_the_database_that_is_used(run):
    database = run("ATTACH ':memory:' AS my_db; USE my_db; CREATE TABLE ducks AS SELECT 1 AS a")
    assert listing.describe(database, "ducks")["column"].tolist() == ["a"]


def test_a_table_further_down_the_search_path(run):
    database = run(
        "CREATE TABLE here (a INT); ATTACH ':memory:' AS other; CREATE TABLE other.there (b INT);"
        "CREATE TABLE other.twice (c INT); CREATE TABLE twice (d INT); SET search_path = 'other.main,memory.main'"
    )
    assert listing.describe(database, "here")["column"].tolist() == ["a"]
    assert listing.describe(database, "there")["column"].tolist() == ["b"]
    assert listing.describe(database, "twice")["column"].tolist() == ["c"]
    assert listing.describe(database, "memory.twice")["column"].tolist() == ["d"]
    assert listing.describe(database, "memory.main.twice")["column"].tolist() == ["d"]


def test_a_schema_of_the_current_database_comes_first(run):
    database = run(
        "ATTACH ':memory:' AS a; CREATE SCHEMA a.s; CREATE TABLE a.s.t (i INT); CREATE SCHEMA s; CREATE TABLE s.t (j INT)"
    )
    assert listing.describe(database, "s.t")["column"].tolist() == ["j"]


def test_a_temporary_table_hides_another(run):
    database = run("CREATE TABLE t (i INT); CREATE TEMP TABLE t (j INT)")
    assert listing.describe(database, "t")["column"].tolist() == ["j"]
    assert listing.describe(database, "main.t")["column"].tolist() == ["j"]  # as `FROM main.t` reads it
    assert listing.describe(database, "memory.main.t")["column"].tolist() == ["i"]


def test_duckdbs_own_views_are_described(run):
    assert "table_name" in listing.describe(run(), "duckdb_tables")["column"].tolist()
    assert "table_name" in listing.describe(run(), "information_schema.tables")["column"].tolist()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_quotes_is_one_name(run, target, name):
    database = run(f"CREATE TABLE {quoted(name)} ({quoted(name)} INT)", target)
    assert listing.describe(database, quoted(name))["column"].tolist() == [name]
    assert listing.describe(database, f"main.{quoted(name)}")["column"].tolist() == [name]


@pytest.mark.parametrize("target", TARGETS)
def test_a_dot_in_quotes_is_a_part_of_the_name(run, target):
    attach = "ATTACH ':memory:' AS s1" if target == "sqlite://" else "CREATE SCHEMA s1"
    database = run(f'{attach}; CREATE TABLE s1.t (a INT); CREATE TABLE "s1.t" (b INT)', target)
    assert listing.describe(database, '"s1.t"')["column"].tolist() == ["b"]
    assert listing.describe(database, "s1.t")["column"].tolist() == ["a"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("flight", "Did you mean flights?"),
        ("FLIGHT", "Did you mean flights?"),
        ("main.flight", "Did you mean flights?"),
        ("xyz", "`%mdsql --tables` lists what there is."),
        ("nowhere.flights", "in"),
        ('"main.flights"', "in"),
    ],
)
def test_a_table_that_is_not_there(run, target, table, hint):
    database = run("CREATE TABLE flights (i INT)", target)
    with pytest.raises(TargetError) as caught:
        listing.describe(database, table)
    assert str(caught.value).startswith(f"There is no table or view {table!r} in {database.target.name}.")
    assert hint in str(caught.value)
    assert "duckdb_" not in str(caught.value)


def test_sqlite_names_that_a_bare_name_reaches(run):
    database = run(
        "ATTACH ':memory:' AS other; CREATE TABLE other.o (i INT); CREATE TEMP TABLE tt (j INT)", "sqlite://"
    )
    assert listing.describe(database, "o")["column"].tolist() == ["i"]
    assert listing.describe(database, "Other.O")["column"].tolist() == ["i"]
    assert listing.describe(database, "tt")["column"].tolist() == ["j"]
    assert listing.describe(database, "temp.tt")["column"].tolist() == ["j"]


def test_a_broken_view_says_so_and_leaves_the_rest(run):
    database = run(
        "CREATE TABLE gone (i INT); CREATE VIEW v AS SELECT * FROM gone; DROP TABLE gone; CREATE TABLE t (a INT)",
        "sqlite://",
    )
    assert names(listing.tables(database, None)) == ["t", "v"]
    assert listing.describe(database, "t")["column"].tolist() == ["a"]
    with pytest.raises(StatementError, match=r"no such table: main\.gone"):
        listing.describe(database, "v")


@pytest.mark.parametrize("ask", [listing.databases, lambda database: listing.tables(database, None)])
def test_a_file_that_is_no_database(run, ask):
    Path("notes.db").write_text("Buy milk. " * 200)
    with pytest.raises(StatementError, match=r"^file is not a database$"):
        ask(run(target="sqlite:///notes.db"))
    with pytest.raises(StatementError, match=r"^file is not a database$"):
        listing.describe(run(), "t")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("t", ["t"]),
        (" s.t ", ["s", "t"]),
        ('"a.b"', ["a.b"]),
        ('d."a.b"."c""d"', ["d", "a.b", 'c"d']),
        ('""""', ['"']),
        ('"line\nfeed"', ["line\nfeed"]),
    ],
)
def test_parts_of_a_name(name, parts):
    assert listing.name_parts(name) == parts


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('"s%t"', True),
        ('"s%o%t"', True),
        ('"s%t%o"', False),
        ('"%"', True),
        ('"spot%spot"', False),
        ('"%p%p%"', False),
        ('"SP%T"', True),
    ],
)
def test_a_pattern_with_per_cent_signs_in_quotes(run, pattern, matches):
    assert names(listing.tables(run("CREATE TABLE spot(a INTEGER)"), pattern)) == ["spot"] * matches


@pytest.mark.parametrize("quote", ["", '"'], ids=["a part of a name", "a whole name"])
def test_a_pattern_of_many_per_cent_signs_does_not_backtrack(run, quote):
    database = run(f"CREATE TABLE {'a' * 200}(a INTEGER)")
    assert listing.tables(database, f"{quote}{'%a' * 60}%b{quote}").empty


@pytest.mark.parametrize("target", TARGETS)
def test_a_near_name_is_offered_as_the_database_reads_it(run, target):
    database = run('CREATE TABLE "sel ect"(a INTEGER)', target)
    with pytest.raises(TargetError, match='Did you mean "sel ect"'):
        listing.describe(database, "selectt")


def rows_of(frame):
    return dict(zip(frame["name"], frame["rows"].astype(object).where(frame["rows"].notna(), None), strict=True))


def test_rows_are_counted_as_the_notebook_sees_them(run):
    database = run(
        "CREATE TABLE t AS FROM range(10_000); DELETE FROM t WHERE range < 9990; CREATE VIEW v AS FROM t;"
        "CREATE TEMP TABLE tt AS FROM range(3); ATTACH ':memory:' AS other; CREATE TABLE other.\"a.b\" AS FROM range(4);"
        "BEGIN; CREATE TABLE new AS FROM range(7)"
    )
    frame = listing.tables(database, None)
    assert rows_of(frame) == {"t": 10, "v": None, "tt": 3, "a.b": 4, "new": 7}
    assert frame["rows"].dtype == "Int64"
    assert listing.ESTIMATED not in frame.columns
    assert frame["rows"].sum() == 24
    run("ROLLBACK")
    assert rows_of(listing.tables(database, "new")) == {}


def test_what_is_not_counted_is_marked_as_an_estimate(run, monkeypatch):
    database = run(
        "CREATE TABLE small AS FROM range(10); CREATE TABLE large AS FROM range(1000); CREATE VIEW v AS FROM large"
    )
    monkeypatch.setattr("md_magic.engine.backends.introspection.duckdb._MOST_COUNTED", 100)
    frame = listing.tables(database, None)
    assert rows_of(frame) == {"large": None, "small": 10, "v": None}
    assert frame[listing.ESTIMATED].fillna(-1).tolist() == [1000, -1, -1]


def test_more_tables_than_one_query_counts(run):
    database = run(";".join(f"CREATE TABLE t{number:03} AS FROM range({number})" for number in range(230)))
    frame = listing.tables(database, None)
    known = frame["rows"].notna()
    assert known.sum() >= 100
    assert frame["rows"][known].tolist() == list(range(known.sum()))
    estimated = frame.get(listing.ESTIMATED, frame["rows"].where(~known))
    assert (estimated.notna() == ~known).all(), "Each table has one of both."

"""The tree level by level, on real databases."""

from __future__ import annotations

import pytest

from md_magic.auth.secret import Secret
from md_magic.catalog import tree as trees
from md_magic.catalog.tree import CatalogTree, Entry
from md_magic.engine.backends.introspection.questions import AccountDatabase, AttachedState
from md_magic.errors import StatementError
from tests.unit.catalog.hostile import NAMES, quoted


@pytest.fixture
def tree(run):
    """Return a function that runs statements and gives a tree of their database."""
    opened = []

    def tree(sql="", target="duckdb:///:memory:"):
        opened.append(CatalogTree(run(sql, target)))
        return opened[-1]

    yield tree
    for catalog in opened:
        catalog.close()


def names(listing):
    return [entry.path[-1] for entry in listing.entries]


def test_levels_of_duckdb(tree):
    catalog = tree(
        "CREATE SCHEMA s; CREATE TABLE s.t (a INT, b VARCHAR); CREATE VIEW s.v AS SELECT 1 AS c;"
        "COMMENT ON TABLE s.t IS 'of s'; COMMENT ON COLUMN s.t.a IS 'key'; ATTACH ':memory:' AS other"
    )
    assert catalog.children(()).entries == (
        Entry("database", ("memory",), "duckdb · current"),
        Entry("database", ("other",), "duckdb"),
    )
    assert catalog.children(("memory",)).entries == (
        Entry("schema", ("memory", "main")),
        Entry("schema", ("memory", "s")),
    )
    assert catalog.children(("memory", "s")).entries == (
        Entry("table", ("memory", "s", "t"), "≈ 0 rows · of s"),
        Entry("view", ("memory", "s", "v")),
    )
    assert catalog.children(("memory", "s", "t")).entries == (
        Entry("column", ("memory", "s", "t", "a"), "INTEGER · key", opens=False),
        Entry("column", ("memory", "s", "t", "b"), "VARCHAR", opens=False),
    )
    assert catalog.children(("memory", "main")).total == 0


def test_levels_of_sqlite(tree):
    catalog = tree(
        "CREATE TABLE t (i INT, s TEXT); INSERT INTO t VALUES (1, NULL); ATTACH ':memory:' AS other;"
        "CREATE VIEW v AS SELECT 1; CREATE TABLE other.o (j INT)",
        "sqlite://",
    )
    assert catalog.children(()).entries == (Entry("schema", ("main",)), Entry("schema", ("other",)))
    assert catalog.children(("main",)).entries == (Entry("table", ("main", "t")), Entry("view", ("main", "v")))
    assert names(catalog.children(("other",))) == ["o"]
    assert catalog.children(("main", "t")).entries == (
        Entry("column", ("main", "t", "i"), "INTEGER", opens=False),
        Entry("column", ("main", "t", "s"), "TEXT", opens=False),
    )
    assert catalog.preview(("main", "t")) == trees.Sample(("i", "s"), (("1", None),))
    assert catalog.count(("main", "t")) == 1
    assert names(catalog.search("O")) == ["o"]
    assert names(catalog.search("main.")) == ["t", "v"]


@pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"])
@pytest.mark.parametrize("name", NAMES)
def test_hostile_names(tree, target, name):
    catalog = tree(f"CREATE TABLE {quoted(name)} AS SELECT 1 AS {quoted(name)}", target)
    schema = ("memory", "main") if target.startswith("duckdb") else ("main",)
    path = (*schema, name)
    assert names(catalog.children(schema)) == [name]
    assert names(catalog.children(path)) == [name]
    assert names(catalog.search(name)) == [name]
    assert catalog.preview(path) == trees.Sample((name,), (("1",),))
    assert catalog.count(path) == 1


def test_search(tree, monkeypatch):
    catalog = tree("CREATE SCHEMA s; CREATE TABLE s.other_t (i INT); CREATE TABLE t2 (i INT); CREATE TABLE T1 (i INT)")
    assert names(catalog.search("t")) == ["T1", "t2", "other_t"]  # first those that begin so
    assert names(catalog.search("s.o")) == ["other_t"]
    assert names(catalog.search("memory.main.")) == ["T1", "t2"]
    assert catalog.search("nope").entries == ()
    monkeypatch.setattr(trees, "FOUND", 2)
    assert (names(catalog.search("")), catalog.search("").total) == (["T1", "t2"], 3)


def test_tables_are_kept_until_they_are_old_or_forgotten(tree, run, monkeypatch):
    catalog = tree("CREATE TABLE t (i INT)")
    monkeypatch.setattr(trees, "_FRESH", 1e9)
    assert names(catalog.children(("memory", "main"))) == ["t"]
    run("CREATE TABLE u (i INT)")
    assert names(catalog.children(("memory", "main"))) == ["t"]
    catalog.refresh()
    assert names(catalog.children(("memory", "main"))) == ["t", "u"]
    run("DROP TABLE t")
    monkeypatch.setattr(trees, "_FRESH", 0)
    assert names(catalog.children(("memory", "main"))) == ["u"]


def test_temporary_and_uncommitted_objects(tree, run):
    catalog = tree("CREATE TEMP TABLE tt AS SELECT 5 AS a; BEGIN; CREATE TABLE mine (i INT)")
    assert names(catalog.children(())) == ["memory", "temp"]
    assert names(catalog.children(("temp", "main"))) == ["tt"]
    assert names(catalog.children(("memory", "main"))) == ["mine"]
    with pytest.raises(StatementError, match="in a transaction"):
        catalog.preview(("temp", "main", "tt"))
    run("ROLLBACK")
    assert catalog.preview(("temp", "main", "tt")).rows == (("5",),)


def test_a_failed_transaction_is_told_for_as_long_as_its_tables_are_kept(tree, session, run):
    catalog = tree("CREATE TABLE t (i INT PRIMARY KEY); BEGIN")
    with pytest.raises(StatementError):
        run("INSERT INTO t VALUES (1), (1)")
    for _ in range(2):
        listing = catalog.children(("memory", "main"))
        assert names(listing) == ["t"]
        assert listing.warning == "The open transaction failed and waits for its ROLLBACK: this is what was committed."
    assert session.use().backend.in_transaction


def test_a_broken_view_of_sqlite_leaves_the_rest(tree):
    catalog = tree(
        "CREATE TABLE gone (i INT); CREATE VIEW v AS SELECT * FROM gone; DROP TABLE gone; CREATE TABLE t (a INT)",
        "sqlite://",
    )
    assert names(catalog.children(("main",))) == ["t", "v"]
    assert names(catalog.children(("main", "t"))) == ["a"]
    assert names(catalog.search("")) == ["t", "v"]
    for ask in (catalog.children, catalog.preview, catalog.count):
        with pytest.raises(StatementError, match=r"no such table: main\.gone"):
            ask(("main", "v"))


def test_a_table_that_was_dropped_is_an_error(tree):
    catalog = tree()
    for ask in (catalog.children, catalog.preview, catalog.count):
        with pytest.raises(StatementError, match="gone does not exist"):
            ask(("memory", "main", "gone"))


def test_values_are_bounded_and_hold_no_secret(tree):
    catalog = tree("CREATE TABLE t AS SELECT repeat('x', 300) AS long, 'abc-secret-xyz' AS told, NULL AS nothing")
    catalog.database.backend.config = {"s3_secret": Secret("abc-secret-xyz")}
    [(text, told, nothing)] = catalog.preview(("memory", "main", "t")).rows
    assert text == "x" * 199 + "…"
    assert "abc-secret-xyz" not in told
    assert nothing is None


def test_at_most_twenty_rows(tree):
    catalog = tree("CREATE TABLE t AS FROM range(100)")
    assert len(catalog.preview(("memory", "main", "t")).rows) == 20
    assert catalog.count(("memory", "main", "t")) == 100


def test_a_slow_count_is_cancelled(tree, monkeypatch):
    monkeypatch.setattr(trees, "PATIENCE", 0.2)
    catalog = tree("CREATE VIEW slow AS SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")
    with pytest.raises(StatementError, match="cancelled"):
        catalog.count(("memory", "main", "slow"))
    assert names(catalog.children(())) == ["memory"]


def test_databases_of_an_account(tree, monkeypatch):
    catalog = tree("ATTACH ':memory:' AS farm")
    known = [
        AccountDatabase("farm", "motherduck share", "ATTACH 'md:farm'", "md:farm"),
        AccountDatabase("away", "motherduck", "ATTACH 'md:away'", "md:away"),
        AccountDatabase("far", "share", "ATTACH 'md:_share/far/1-2' AS \"far\"", "md:_share/far/1-2", "zoe"),
        AccountDatabase("far", "motherduck share", "ATTACH 'md:_share/far/1-2' AS \"far\"", "md:_share/far/1-2"),
        AccountDatabase("far", "share", "ATTACH 'md:_share/far/3-4' AS \"far\"", "md:_share/far/3-4"),
    ]
    states = {"memory": AttachedState(notes=("read-only",)), "gone": AttachedState("the share was\n dropped")}
    monkeypatch.setattr(catalog._reader, "account_databases", lambda: known)
    monkeypatch.setattr(catalog._reader, "attached_states", lambda: states)
    assert catalog.children(()).entries == (
        Entry("share", ("farm",), "duckdb"),
        Entry("database", ("memory",), "duckdb · read-only · current"),
        Entry("database", ("gone",), "broken: the share was dropped", opens=False),
        Entry("database", ("away",), "not attached · ATTACH 'md:away'", opens=False),
        Entry("share", ("far",), "not attached · of zoe · ATTACH 'md:_share/far/1-2' AS \"far\"", opens=False),
        Entry("share", ("far",), "not attached · ATTACH 'md:_share/far/3-4' AS \"far\"", opens=False),
    )


def test_a_share_that_is_attached_under_another_name_is_not_listed(tree, monkeypatch, tmp_path):
    path = tmp_path / "1-2.duckdb"
    catalog = tree(f"ATTACH '{path}' AS mine")
    shares = [AccountDatabase("far", "share", "ATTACH ...", "md:_share/far/1-2")]
    monkeypatch.setattr(catalog._reader, "account_databases", lambda: shares)
    assert names(catalog.children(())) == ["memory", "mine"]


def test_a_broken_database_that_is_attached_does_not_open(tree, monkeypatch):
    catalog = tree("ATTACH ':memory:' AS farm")
    monkeypatch.setattr(catalog._reader, "attached_states", lambda: {"farm": AttachedState("gone")})
    assert catalog.children(()).entries[0] == Entry("database", ("farm",), "broken: gone · duckdb", opens=False)

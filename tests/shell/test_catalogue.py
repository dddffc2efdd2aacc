"""The catalogue as frames, and the tree's answers and fallbacks, on real databases."""

from __future__ import annotations

import threading
import time

import duckdb
import pytest

from md_magic import browser
from md_magic.errors import StatementError

HOSTILE = ['we"ird', "do.ts", "line\nfeed", "日本語", "100%", "<script>alert(1)</script>", "o'brien"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def explorer(shell):
    """Return a function that gives the explorer of the current target."""
    made = []

    def explore():
        made.append(shell.magics.session.explorer())
        return made[-1]

    yield explore
    for one in made:
        one.close()


def names(listing):
    return [entry.path[-1] for entry in listing.entries]


# ---- frames ----------------------------------------------------------------------------------------------------------


def test_databases_have_sizes(shell):
    shell.sql("create table t as select range as i from range(300000); checkpoint", "duckdb:///a.duckdb")
    shell.sql("attach ':memory:' as other")
    frame = shell.cell("%mdsql --databases").value.set_index("name")
    assert frame.bytes["a"] > 200_000
    assert frame.bytes["other"] == 0
    assert bool(frame.current["a"])


def test_tables_have_estimated_rows_and_comments(shell):
    shell.sql("create table t as select range as i from range(1000); comment on table t is 'numbers'")
    shell.sql("comment on column t.i is 'counted'")
    frame = shell.cell("%mdsql --tables").value
    assert frame[["rows", "comment"]].values.tolist() == [[1000, "numbers"]]
    assert shell.cell("%mdsql --describe t").value.comment.tolist() == ["counted"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_listed_and_described(shell, explorer, name):
    shell.sql(f"create schema {quoted(name)}; create table {quoted(name)}.{quoted(name)} as select 1 as {quoted(name)}")
    assert shell.cell("%mdsql --tables").value.name.tolist() == [name]
    session = shell.magics.session
    assert session.describe(f"{quoted(name)}.{quoted(name)}")["column"].tolist() == [name]
    tree = explorer()
    path = ("memory", name, name)
    assert names(tree.children(path[:2])) == [name]
    assert names(tree.children(path)) == [name]
    assert names(tree.search(name)) == [name]
    assert tree.preview(path).rows == (("1",),)
    assert tree.count(path) == 1


# ---- the tree --------------------------------------------------------------------------------------------------------


def test_levels_of_attached_databases(shell, explorer):
    shell.sql("attach ':memory:' as other; create schema other.s; create table other.s.t(a int, b text)")
    shell.sql("comment on column other.s.t.a is 'key'; create view other.s.v as select 1 as c")
    tree = explorer()
    assert names(tree.children(())) == ["memory", "other"]
    assert names(tree.children(("other",))) == ["main", "s"]
    listed = tree.children(("other", "s")).entries
    assert [(entry.kind, entry.path[-1], entry.note) for entry in listed] == [
        ("table", "t", "~0 rows"),
        ("view", "v", ""),
    ]
    columns = tree.children(("other", "s", "t")).entries
    assert [(entry.path[-1], entry.note) for entry in columns] == [("a", "INTEGER · key"), ("b", "VARCHAR")]


def test_ddl_is_seen_when_the_root_is_asked_again(shell, explorer):
    tree = explorer()
    assert names(tree.children(("memory", "main"))) == []
    shell.sql("create table t(i int)")
    tree.refresh()
    assert names(tree.children(("memory", "main"))) == ["t"]


def test_temporary_and_uncommitted_tables_are_seen(shell, explorer):
    shell.sql("create temp table tt as select 5 as a")
    tree = explorer()
    assert "temp" in names(tree.children(()))
    assert names(tree.children(("temp", "main"))) == ["tt"]
    assert tree.preview(("temp", "main", "tt")).rows == (("5",),)
    shell.sql("begin; create table mine(i int)")
    tree.refresh()
    assert names(tree.children(("memory", "main"))) == ["mine"]
    shell.sql("rollback")


def test_a_failed_transaction_shows_what_was_committed(shell, explorer):
    shell.sql("create table t(i int primary key); begin")
    shell.sql("insert into t values (1), (1)", error=True)
    tree = explorer()
    listing = tree.children(("memory", "main"))
    assert names(listing) == ["t"]
    assert "ROLLBACK" in listing.warning
    assert "ROLLBACK" in shell.cell("%mdsql --tables", error=True).message
    shell.sql("rollback")


def test_a_broken_view_is_told_and_disturbs_nothing(shell, explorer):
    shell.sql("create table t as select 1 as a; create view v as from t; drop table t; create table u(i int)")
    shell.sql("begin; insert into u values (1)")
    tree = explorer()
    assert names(tree.children(("memory", "main"))) == ["u", "v"]
    with pytest.raises(StatementError, match="t does not exist"):
        tree.preview(("memory", "main", "v"))
    assert shell.sql("from u").value.i.tolist() == [1]
    shell.sql("rollback")


def test_the_notebooks_use_transaction_and_results_are_left_alone(shell, explorer):
    shell.sql("create schema s; create table s.t as select range as a from range(100000); use s")
    shell.sql("from t", "--as reader -o reader")
    first = shell.variables["reader"].read_next_batch().num_rows
    tree = explorer()
    tree.children(())
    tree.preview(("memory", "s", "t"))
    assert first + sum(batch.num_rows for batch in shell.variables["reader"]) == 100_000
    assert shell.sql("select current_schema() as s").value.s.tolist() == ["s"]


def test_an_open_result_of_the_users_own_connection_is_left_alone(shell, explorer):
    native = shell.variables["con"] = duckdb.connect()
    native.execute("create temp table tt as select 1 as a")
    shell.cell("%mdsql --engine con")
    native.execute("from range(5)")
    tree = explorer()
    tree.children(())
    tree.children(("memory", "main"))
    assert len(native.fetchall()) == 5
    native.close()


def test_it_answers_while_a_query_runs(shell, explorer):
    shell.sql("create table t(i int); set threads = 1; create temp table tt(i int)")
    tree = explorer()
    session = shell.magics.session
    database = session.use()
    held = threading.Event()
    release = threading.Event()

    def run():
        with database.lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=run)
    thread.start()
    held.wait(10)
    began = time.monotonic()
    listing = tree.children(("memory", "main"))
    release.set()
    thread.join()
    assert names(listing) == ["t"]
    assert "A cell is running" in listing.warning
    assert time.monotonic() - began < 2


def test_a_slow_preview_is_cancelled(shell, explorer, monkeypatch):
    monkeypatch.setattr("md_magic.explorer.PATIENCE", 0.2)
    shell.sql("create view slow as select sum(a.range * b.range) from range(1000000) a, range(1000000) b")
    with pytest.raises(StatementError, match="cancelled"):
        explorer().preview(("memory", "main", "slow"))


def test_ten_thousand_tables(shell, explorer):
    native = shell.variables["con"] = duckdb.connect()
    native.execute("begin")
    for number in range(10_000):
        native.execute(f"create table t{number:05d}(a int)")
    native.execute("commit")
    shell.cell("%mdsql --engine con")
    tree = explorer()
    assert tree.children(("memory", "main")).total == 10_000
    began = time.monotonic()
    found = tree.search("9")
    assert time.monotonic() - began < 0.2
    assert (len(found.entries), found.total) == (200, 10_000 - 9**4)
    ran = shell.cell("%mdsql --browse")
    assert "9,8" in ran.displayed[0].data["text/plain"]
    assert len(ran.displayed[0].data["text/html"]) < 60_000
    native.close()


def test_sqlite_has_a_tree(shell, explorer):
    shell.sql("create table t(i int, s text); insert into t values (1, 'x'); create view v as select 1", "sqlite://")
    tree = explorer()
    assert names(tree.children(())) == ["main"]
    assert names(tree.children(("main",))) == ["t", "v"]
    assert names(tree.children(("main", "t"))) == ["i", "s"]
    assert tree.preview(("main", "t")).rows == (("1", "x"),)
    assert tree.count(("main", "t")) == 1
    assert names(tree.search("T")) == ["t"]


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_without_widgets_there_are_details_and_text(shell):
    shell.sql('create table "<b>bold</b>"(i int); create schema s; create table s.t(i int)')
    [shown] = shell.cell("%mdsql --browse").displayed
    assert set(shown.data) == {"text/plain", "text/html"}
    lines = shown.data["text/plain"].splitlines()
    assert [line.split("  ~")[0].strip() for line in lines[1:]][1:] == ["main", "<b>bold</b>", "s", "t"]
    html = shown.data["text/html"]
    assert "<b>bold" not in html
    assert "&lt;b&gt;bold" in html
    assert html.count("<details") == html.count("</details>") == 3


def test_an_error_of_any_kind_is_an_answer(explorer):
    tree = explorer()
    told = browser.answer(tree, {"id": "1", "type": "preview", "path": ["memory", "main", "nope"]})
    assert told["id"] == "1"
    assert "nope does not exist" in told["error"]
    assert "error" in browser.answer(tree, {"id": "2", "type": "preview", "path": []})


def test_browse_stands_alone(shell):
    assert "stands on the line alone" in shell.cell("%mdsql --browse select 1", error=True).message

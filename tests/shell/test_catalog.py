"""The catalogue as frames, and the tree's answers and fallbacks, on real databases."""

from __future__ import annotations

import threading
import time

import duckdb
import pytest

from md_magic.display import catalog_tree
from md_magic.engine.backends.introspection.duckdb import DuckDBIntrospection
from md_magic.errors import StatementError

HOSTILE = ['we"ird', "do.ts", "line\nfeed", "日本語", "100%", "<script>alert(1)</script>", "o'brien"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def explorer(shell):
    """Return a function that gives the explorer of the current target."""
    made = []

    def explore():
        made.append(shell.magics.session.catalog_tree())
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


def test_tables_have_rows_and_comments(shell):
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


def test_a_name_in_double_quotes_is_one_name(shell):
    shell.sql('create schema s1; create table s1.t(a int); create table "s1.t"(b int); create table "two words"(c int)')
    assert shell.cell('%mdsql --describe "s1.t"').value["column"].tolist() == ["b"]
    assert shell.cell("%mdsql --describe '\"s1.t\"'").value["column"].tolist() == ["b"]
    assert shell.cell("%mdsql --describe s1.t").value["column"].tolist() == ["a"]
    assert shell.cell('%mdsql --describe="two words"').value["column"].tolist() == ["c"]
    assert shell.cell('%mdsql --tables "s1.t"').value.schema.tolist() == ["main"]
    assert shell.cell("%mdsql --tables s1.t").value.name.tolist() == ["s1.t", "t"]


def test_a_file_that_is_no_database_is_one_message(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.db").write_text("Buy milk. " * 200)
    shell.cell("%mdsql sqlite:///notes.db")
    for line in ("--tables", "--databases", "--describe t", "--browse"):
        ran = shell.cell(f"%mdsql {line}", error=True)
        assert type(ran.error).__name__ == "StatementError"
        assert ran.message == "file is not a database"


# ---- the tree --------------------------------------------------------------------------------------------------------


def test_levels_of_attached_databases(shell, explorer):
    shell.sql("attach ':memory:' as other; create schema other.s; create table other.s.t(a int, b text)")
    shell.sql("comment on column other.s.t.a is 'key'; create view other.s.v as select 1 as c")
    tree = explorer()
    assert names(tree.children(())) == ["memory", "other"]
    assert names(tree.children(("other",))) == ["main", "s"]
    listed = tree.children(("other", "s")).entries
    assert [(entry.kind, entry.path[-1], entry.note) for entry in listed] == [
        ("table", "t", "≈ 0 rows"),
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
            release.wait(60)

    thread = threading.Thread(target=run)
    thread.start()
    assert held.wait(60)
    listing = tree.children(("memory", "main"))
    assert thread.is_alive()  # the answer came before the query had ended
    release.set()
    thread.join()
    assert names(listing) == ["t"]
    assert "A cell is running" in listing.warning


def test_a_slow_preview_is_cancelled(shell, explorer, monkeypatch):
    monkeypatch.setattr("md_magic.catalog.tree.PATIENCE", 0.2)
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
    found = tree.search("9")
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
    assert [line.split("  ≈")[0].strip() for line in lines[1:]][1:] == ["main", "<b>bold</b>", "s", "t"]
    html = shown.data["text/html"]
    assert "<b>bold" not in html
    assert "&lt;b&gt;bold" in html
    assert html.count("<details") == html.count("</details>") == 3


def test_an_error_of_any_kind_is_an_answer(explorer):
    tree = explorer()
    told = catalog_tree.answer(tree, {"id": "1", "type": "preview", "path": ["memory", "main", "nope"]})
    assert told["id"] == "1"
    assert "nope does not exist" in told["error"]
    assert "error" in catalog_tree.answer(tree, {"id": "2", "type": "preview", "path": []})


def test_browse_stands_alone(shell):
    assert "stands on the line alone" in shell.cell("%mdsql --browse select 1", error=True).message


@pytest.mark.parametrize(
    "path",
    [
        ["{file}"],
        ["main", "{file}"],
        ["memory", "main", "{file}"],
        ["df"],
        ["t"],
        ["main", "t"],
        ["memory", "main", "t", "a"],
        ["pg_catalog", "pg_class"],
        "memory",
        7,
        {"memory": 1},
        [["memory"], None, 1],
    ],
)
@pytest.mark.parametrize("question", ["preview", "count"])
def test_a_message_reads_only_tables_of_the_tree(shell, tmp_path, path, question):
    (tmp_path / "private.csv").write_text("a\n42\n")
    shell.variables["df"] = shell.sql("SELECT 42 AS a").value
    shell.sql("CREATE TABLE t AS SELECT 42 AS a")
    tree = shell.magics.session.catalog_tree()
    parts = [str(part).format(file=tmp_path / "private.csv") for part in path] if isinstance(path, list) else path
    reply = catalog_tree.answer(tree, {"id": 1, "type": question, "path": parts})
    assert set(reply) == {"id", "error"}
    tree.close()


def test_a_table_made_a_moment_ago_has_a_preview(shell):
    tree = shell.magics.session.catalog_tree()
    tree.children(("memory", "main"))
    time.sleep(1.1)
    shell.sql("CREATE TABLE new_one AS SELECT 42 AS a")
    assert tree.preview(("memory", "main", "new_one")).rows == (("42",),)
    tree.close()


def test_a_preview_fetches_cut_values(shell, monkeypatch):
    shell.sql(
        "CREATE TABLE t AS SELECT repeat('x', 100_000) AS s, repeat('y', 100_000)::BLOB AS b, range(50_000) AS l, 1 AS i"
    )
    fetched = []
    real = DuckDBIntrospection._rows
    monkeypatch.setattr(DuckDBIntrospection, "_rows", lambda *asked: fetched.append(real(*asked)) or fetched[-1])
    tree = shell.magics.session.catalog_tree()
    sample = tree.preview(("memory", "main", "t"))
    assert sample.columns == ("s", "b", "l", "i")
    assert [len(value) for value in sample.rows[0]] == [200, 200, 200, 1]
    assert max(len(value) for row in fetched[-1] for value in row[:3]) == 201
    tree.close()


def test_a_preview_of_sqlite_fetches_cut_values(shell):
    shell.sql(
        "CREATE TABLE t(s TEXT, b BLOB, i INTEGER); INSERT INTO t VALUES (printf('%.100000c', 'x'), zeroblob(100000), 7)",
        "sqlite://",
    )
    columns, [row] = shell.magics.session.use().backend.introspect().first_rows(("main", "t"), 20, 201)
    assert (columns, [len(row[0]), len(row[1]), row[2]]) == (["s", "b", "i"], [201, 201, 7])


def test_twenty_thousand_questions_are_not_all_answered(notebook):
    notebook.sql("CREATE TABLE t AS SELECT 42 AS a")
    catalogue = notebook.magics.session.catalog_tree()
    tree = catalog_tree.Tree(catalogue)
    replies = []
    tree._widget.send = replies.append
    began = time.monotonic()
    for number in range(20_000):
        tree._on_message(None, {"id": number, "type": "preview", "path": ["memory", "main", "t"]}, [])
    seconds = int(time.monotonic() - began) + 1
    answered = [reply for reply in replies if "rows" in reply]
    assert 0 < len(answered) <= 40 * (seconds + 1)
    assert len(replies) <= 200 * (seconds + 1)
    tree.close()

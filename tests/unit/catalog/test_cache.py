"""What the catalog cache knows and when, and which queries it runs for that."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pytest
import sqlalchemy

from md_magic.catalog import cache, reading
from md_magic.catalog.cache import CatalogCache
from md_magic.catalog.snapshot import Column
from md_magic.errors import StatementError
from md_magic.sql.statement import Statement


def until(condition):
    """Wait until *condition* is true: what a statement changed is looked at in the background."""
    deadline = time.monotonic() + 30
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def tables(session):
    return {table.name for table in session.names().tables}


def columns(session, *parts):
    snapshot = session.names()
    table = snapshot.find(parts)
    return [column.name for column in (snapshot.columns_of(table) if table else snapshot.ask(parts))]


@pytest.fixture
def logged(run):
    """Return a function that gives the queries of all connections since logging began, without its own."""

    def read():
        native = run().backend.native
        rows = native.cursor().execute("SELECT message FROM duckdb_logs WHERE type = 'QueryLog'").fetchall()
        return [message for (message,) in rows if "duckdb_logs" not in message and "enable_logging" not in message]

    return read


# ---- when it reads ---------------------------------------------------------------------------------------------------


def test_nothing_is_read_and_no_thread_runs_before_somebody_types(run, session, logged):
    run("CREATE TABLE t (i INT)").backend.native.cursor().execute("CALL enable_logging('QueryLog')")
    run("CREATE TABLE u (i INT); DROP TABLE u; FROM t")
    threads = [thread.name for thread in threading.enumerate()]
    assert [sql for sql in logged() if "duckdb_" in sql or "current_" in sql] == []
    assert "md_magic catalog" not in threads
    assert until(lambda: "t" in tables(session))
    assert [sql for sql in logged() if "duckdb_tables()" in sql]
    assert "md_magic catalog" in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("SET log_query_path = 'log.txt'", "SET log_query_path = ''"),
        ("CALL enable_logging('QueryLog')", "CALL disable_logging()"),
    ],
    ids=["file", "table"],
)
def test_nothing_is_read_while_queries_are_logged(run, session, begin, end):
    run()
    until(lambda: session.names().functions)
    run(begin)
    run("CREATE TABLE t (i INT)")
    for _ in range(10):
        assert "t" not in tables(session)
        time.sleep(0.02)
    run(end)
    until(lambda: "t" in tables(session))
    if Path("log.txt").exists():
        assert Path("log.txt").read_text().splitlines() == ["CREATE TABLE t (i INT)", end]


def test_a_first_key_press_is_not_logged_either(run, session):
    run("SET log_query_path = 'log.txt'")
    for _ in range(5):
        session.names()
        time.sleep(0.02)
    assert Path("log.txt").read_text() == ""


def test_the_users_profile_is_of_the_users_query(run, session):
    run("CREATE TEMP TABLE keep (i INT)")
    until(lambda: session.names().functions)
    run("SET enable_profiling = 'json'; SET profiling_output = 'profile.json'; SELECT 'a query'")
    for _ in range(10):
        session.names()
        time.sleep(0.02)
    run("PRAGMA disable_profiling")
    text = Path("profile.json").read_text()
    assert "duckdb_" not in text
    assert "current_" not in text


def test_a_transaction_keeps_its_snapshot_for_its_first_query(run, session):
    other = duckdb.connect("shared.duckdb")
    run("CREATE TABLE t (i INT)", "duckdb:///shared.duckdb")
    until(lambda: "t" in tables(session))
    run("BEGIN")
    session.names()
    other.execute("INSERT INTO t VALUES (1)")
    assert next(iter(session.run("SELECT count(*) AS n FROM t", {}))).value["n"].tolist() == [1]
    run("ROLLBACK")
    other.close()


def test_a_statement_that_changes_something_waits_for_a_read_to_end(run):
    database = run()
    catalog = CatalogCache(database)
    began, go_on, ended = threading.Event(), threading.Event(), []

    def read():
        began.set()
        go_on.wait(10)
        ended.append(True)

    catalog._worker._read = read
    catalog._worker.wake(hurry=True)
    assert began.wait(10)
    threading.Timer(0.1, go_on.set).start()
    statement = Statement(text="CREATE TABLE t (i INT)", kind="CREATE")
    catalog.before(statement)
    assert ended == [True]
    catalog.after(statement)
    catalog.close()


def test_a_select_does_not_wait(run):
    catalog = CatalogCache(run())
    catalog.before(Statement(text="SELECT 1", kind="SELECT"))
    assert catalog._worker.may_read
    catalog.before(Statement(text="DROP TABLE t", kind="DROP"))
    assert not catalog._worker.may_read
    catalog.after(Statement(text="DROP TABLE t", kind="DROP"))
    assert catalog._worker.may_read
    catalog.close()
    assert not catalog._worker.may_read


# ---- what it knows ---------------------------------------------------------------------------------------------------


def test_a_snapshot_of_duckdb(run, session):
    run(
        "CREATE SCHEMA s; CREATE TABLE s.t (a INT); CREATE TYPE mood AS ENUM ('sad'); ATTACH ':memory:' AS other; USE s"
    )
    until(lambda: "t" in tables(session))
    snapshot = until(lambda: session.names() if session.names().functions else None)
    assert set(snapshot.databases) == {"memory", "other"}
    assert ("memory", "s") in snapshot.schemas
    assert snapshot.path[:3] == (("temp", "main"), ("memory", "s"), ("memory", "main"))
    assert snapshot.current == "memory"
    assert snapshot.types == ("mood",)
    assert "threads" in snapshot.settings
    assert "date_trunc" in snapshot.functions
    assert columns(session, "t") == ["a"]


def test_what_other_connections_change_is_noticed(run, session):
    database = run()
    until(lambda: session.names().databases)
    database.backend.native.cursor().execute("CREATE TABLE elsewhere (q INT)")
    until(lambda: "elsewhere" in tables(session))


def test_temporary_and_uncommitted_tables(run, session):
    run("CREATE TEMP TABLE tt (note VARCHAR)")
    until(lambda: columns(session, "tt") == ["note"])
    run("BEGIN; CREATE TABLE mine (i INT)")
    until(lambda: "mine" in tables(session))
    run("ROLLBACK")
    until(lambda: "mine" not in tables(session))


def test_a_large_catalog_is_right_at_once_about_what_a_statement_names(run, session, monkeypatch):
    monkeypatch.setattr(cache, "_SOON", 0)  # as with so many tables that reading them cannot be waited for
    monkeypatch.setattr(cache, "PATIENCE", 60)  # however busy this machine is
    columns = ", ".join(f"c{i} INTEGER" for i in range(20))
    run(";".join(["BEGIN", *(f"CREATE TABLE t{i} ({columns})" for i in range(1500)), "COMMIT"]))
    until(lambda: len(tables(session)) == 1500)
    run('CREATE TABLE "Brand new" (i INTEGER); DROP TABLE t7; ALTER TABLE t8 RENAME TO t8_renamed')
    known = tables(session)
    assert known >= {"Brand new", "t8_renamed", "t9"}
    assert not known & {"t7", "t8"}


def test_columns_that_are_not_read_are_looked_up(run, session, monkeypatch):
    monkeypatch.setattr(reading, "_FEW", 0)
    monkeypatch.setattr(cache, "PATIENCE", 60)
    run('CREATE TABLE t (a INT); CREATE TABLE "we""ird" (b INT)')
    until(lambda: "t" in tables(session))
    assert columns(session, "t") == ["a"]
    assert columns(session, 'we"ird') == ["b"]
    run("ALTER TABLE t RENAME COLUMN a TO c")
    until(lambda: columns(session, "t") == ["c"])


def test_sqlite_in_a_file(run, session):
    run('CREATE TABLE "liteTable" (Wide INT); CREATE VIEW v AS SELECT 1 AS one', "sqlite:///lite.db")
    until(lambda: "liteTable" in tables(session))
    snapshot = session.names()
    assert {(table.name, table.kind) for table in snapshot.tables} == {("liteTable", "table"), ("v", "view")}
    assert columns(session, "litetable") == ["Wide"]
    assert snapshot.databases == ()
    assert snapshot.schemas == (("", "main"),)
    assert snapshot.quoting.opening == '"'
    run("DROP VIEW v")
    until(lambda: "v" not in tables(session))


def test_sqlite_in_memory(run, session):
    run("CREATE TABLE small (thing TEXT)", "sqlite://")
    assert columns(session, "small") == ["thing"]
    run("CREATE TABLE other (b TEXT)")
    assert columns(session, "other") == ["b"]


def test_a_broken_view_of_sqlite_has_no_columns(run, session):
    run(
        "CREATE TABLE g (i INT); CREATE VIEW v AS SELECT * FROM g; DROP TABLE g; CREATE TABLE t (a INT)",
        "sqlite:///f.db",
    )
    until(lambda: tables(session) == {"t", "v"})
    assert columns(session, "t") == ["a"]
    assert columns(session, "v") == []


def test_an_engine_of_the_user(session):
    engine = sqlalchemy.create_engine("sqlite:///theirs.db")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (a INT)"))
    session.use_object("eng", engine)
    until(lambda: tables(session) == {"t"})
    assert columns(session, "t") == ["a"]
    session.close_all()
    engine.dispose()


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_has_an_empty_snapshot(run, session):
    Path("notes.db").write_text("Buy milk. " * 200)
    run(target="sqlite:///notes.db")
    for _ in range(5):
        assert tables(session) == set()
        time.sleep(0.02)


def test_a_failed_transaction_leaves_what_is_known(run, session):
    run("CREATE TABLE t (i INT PRIMARY KEY)")
    until(lambda: "t" in tables(session))
    with pytest.raises(StatementError, match="duplicate key"):
        run("BEGIN; INSERT INTO t VALUES (1), (1)")
    assert "t" in tables(session)
    run("ROLLBACK")


def test_a_read_that_failed_is_tried_again(run, monkeypatch):
    database = run("CREATE TABLE t (i INT)")
    catalog = CatalogCache(database)
    until(catalog.settled)
    failures = []

    def fail_once(snapshot, introspection):
        if not failures:
            failures.append(duckdb.IOException("a moment without a network"))
            raise failures[0]
        return real(snapshot, introspection)

    real = reading.with_functions
    monkeypatch.setattr(reading, "with_functions", fail_once)
    monkeypatch.setattr(cache, "_DOUBTED_AGE", 0.2)
    catalog._worker.is_stale = catalog._functions_are_stale = True
    catalog._worker.wake(hurry=True)
    until(lambda: failures and not catalog._worker.is_reading)
    assert catalog.settled() is None
    until(catalog.settled)
    catalog.close()


def test_a_connection_that_the_user_has_closed(session):
    native = duckdb.connect()
    session.use_object("con", native)
    native.close()
    assert session.names().tables == ()
    session.close_all()


def test_a_closed_cache_reads_no_more(run):
    database = run("CREATE TABLE t (i INT)", "duckdb:///kept.duckdb")
    catalog = CatalogCache(database)
    until(lambda: [table.name for table in catalog.snapshot().tables] == ["t"])
    catalog.close()
    catalog.close()
    before = catalog.snapshot()
    assert [table.name for table in before.tables] == ["t"]
    assert before.columns_of(before.tables[0]) == (Column("i", "INTEGER"),)
    worker = catalog._worker._thread
    worker.join(10)
    assert not worker.is_alive()


def test_a_key_press_does_not_wait_for_a_running_cell(run, session):
    database = run("CREATE TEMP TABLE tt (i INT)")
    until(lambda: "tt" in tables(session))
    holds, release = threading.Event(), threading.Event()

    def hold():
        with database.lock:
            holds.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait(10)
    assert "tt" in tables(session)  # while the lock is held: it would never return
    release.set()
    thread.join()

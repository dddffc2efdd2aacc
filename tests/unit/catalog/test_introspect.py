"""What is asked of real databases, on which connection, and what becomes of their errors."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import duckdb
import pytest
import sqlalchemy

from md_magic.auth.secret import Secret
from md_magic.catalog import introspect
from md_magic.engine.backends.introspection.duckdb import DuckDBIntrospection, MotherDuckIntrospection
from md_magic.engine.backends.introspection.inspector import (
    InspectorIntrospection,
    MySQLIntrospection,
    PostgreSQLIntrospection,
)
from md_magic.engine.backends.introspection.questions import AccountDatabase, AttachedState
from md_magic.errors import StatementError
from tests.unit.catalog.hostile import NAMES, quoted


@pytest.fixture
def duck():
    with duckdb.connect() as native:
        yield native


@pytest.fixture
def lite(run):
    """Return SQLAlchemy's connection to SQLite in memory."""
    return run(target="sqlite://").backend.connection


def execute(connection, *statements):
    for sql in statements:
        connection.execute(sqlalchemy.text(sql))


def ask(database):
    return introspect.of_notebook(database)


# ---- DuckDB ----------------------------------------------------------------------------------------------------------


def test_rows_of_duckdb(duck):
    duck.execute(
        "CREATE SCHEMA s; CREATE TABLE s.t (a INT NOT NULL, b VARCHAR DEFAULT 'x'); CREATE VIEW v AS SELECT 1 AS c"
    )
    duck.execute("COMMENT ON TABLE s.t IS 'of s'; COMMENT ON COLUMN s.t.a IS 'key'; ATTACH ':memory:' AS other")
    asked = DuckDBIntrospection(duck)
    assert asked.databases() == [
        ("memory", "duckdb", "", False, True, ""),
        ("other", "duckdb", "", False, False, ""),
    ]
    assert [row.name for row in asked.databases(temporary=True)] == ["memory", "other", "temp"]
    assert asked.sizes()["other"] == 0
    assert asked.schemas("memory") == [("memory", "main"), ("memory", "s")]
    assert ("memory", "information_schema") not in asked.schemas()
    assert asked.tables() == [
        ("memory", "main", "v", "view", False, None, "", 1, False),
        ("memory", "s", "t", "table", False, 0, "of s", 2, False),
    ]
    columns = [
        ("memory", "s", "t", "a", "INTEGER", False, "", "key"),
        ("memory", "s", "t", "b", "VARCHAR", True, "'x'", ""),
    ]
    assert asked.columns("memory", "s", "t") == columns
    assert [row for row in asked.all_columns() if row.table == "t"] == columns
    assert [row[:7] for row in asked.columns_named(("s", "t"))] == [("", *column[1:7]) for column in columns]
    with pytest.raises(duckdb.CatalogException, match="nope"):
        asked.columns("memory", "main", "nope")
    assert asked.count_rows(("memory", "s", "t")) == 0
    assert asked.first_rows(("v",), 20) == (["c"], [(1,)])


def test_functions_settings_and_types(duck):
    asked = DuckDBIntrospection(duck)
    [abs_row] = [row for row in asked.functions() if row.name == "abs" and row.types == ["DOUBLE"]]
    assert (abs_row.kind, abs_row.returns) == ("scalar", "DOUBLE")
    assert "threads" in {row.name for row in asked.settings()}
    duck.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS STRUCT(a INT); CREATE MACRO inc(x) AS x + 1")
    assert asked.types() == [("mood", ("sad",)), ("pair", ())]
    [macro] = [row for row in asked.functions() if row.name == "inc"]
    assert (macro.parameters, macro.definition, abs_row.definition) == (["x"], "(x + 1)", None)


@pytest.mark.parametrize(
    ("statements", "path"),
    [
        ([], [("memory", "main")]),
        (["CREATE SCHEMA s", "SET schema = 's'"], [("memory", "s"), ("memory", "main")]),
        (["ATTACH ':memory:' AS other", "USE other"], [("other", "main")]),
        (
            ["ATTACH ':memory:' AS other", "CREATE SCHEMA other.s", "SET search_path = 'other.s,memory.main'"],
            [("other", "s"), ("memory", "main"), ("other", "main")],
        ),
        (
            ['CREATE SCHEMA "a,b.c"', "SET search_path = '\"a,b.c\",main'"],
            [("memory", "a,b.c"), ("memory", "main")],
        ),
        (['ATTACH \':memory:\' AS "we.i""r""""d"', 'USE "we.i""r""""d"'], [('we.i"r""d', "main")]),
    ],
    ids=["fresh", "schema", "use", "two databases", "commas and dots", "quotes"],
)
def test_the_search_path_is_duckdbs(duck, statements, path):
    for sql in statements:
        duck.execute(sql)
    asked = DuckDBIntrospection(duck).search_path()
    assert asked == [("temp", "main"), *path, ("system", "main"), ("system", "pg_catalog")]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_in_duckdb(duck, name):
    duck.execute(f"CREATE SCHEMA {quoted(name)}")
    duck.execute(f"CREATE TABLE {quoted(name)}.{quoted(name)} AS SELECT 1 AS {quoted(name)}")
    asked = DuckDBIntrospection(duck)
    assert asked.tables()[0][:4] == ("memory", name, name, "table")
    assert [row.name for row in asked.columns("memory", name, name)] == [name]
    assert [row.name for row in asked.columns_named(("memory", name, name))] == [name]
    assert asked.first_rows(("memory", name, name), 1) == ([name], [(1,)])
    assert asked.count_rows((name, name)) == 1


def test_temporary_and_uncommitted_objects_are_seen_on_the_notebooks_connection_alone(run):
    database = run(
        "CREATE TEMP TABLE tt AS SELECT 1 AS a; CREATE TEMP VIEW tv AS SELECT 1 AS b; BEGIN; CREATE TABLE mine (i INT)"
    )
    with introspect.on_notebook(database) as asked:
        assert [(row.database, row.name, row.kind, row.temporary) for row in asked.tables()] == [
            ("memory", "mine", "table", False),
            ("temp", "tt", "table", True),
            ("temp", "tv", "view", True),
        ]
    beside = ask(database).beside()
    assert beside.tables() == []
    beside.close()
    run("ROLLBACK")


class _BrokenViews:
    """DuckDB's connection, where a view of an attached database is broken: `duckdb_views()` fails as a whole.

    With DuckDB 1.5.5 and an SQLite file that has a view over a dropped table that is what happens; the extension, which
    has to be downloaded, is not here.
    """

    def __init__(self, native):
        self.native = native

    def execute(self, sql, *values):
        if "duckdb_views()" in sql:
            message = 'Failed to prepare query "SELECT * FROM t": no such table: t'
            raise duckdb.Error(message)
        return self.native.execute(sql, *values)


def test_a_broken_view_of_an_attached_database_leaves_the_rest(duck):
    duck.execute("CREATE TABLE t (a INT); CREATE VIEW v AS SELECT 1 AS c; CREATE TEMP VIEW tv AS SELECT 1 AS c, 2 AS d")
    whole = DuckDBIntrospection(duck).tables()
    asked = DuckDBIntrospection(_BrokenViews(duck))
    assert asked.tables() == whole
    assert "no such table: t" in str(asked.views_error)
    assert asked.unlisted_columns(("nope",)) == []
    assert [row.name for row in asked.unlisted_columns(("v",))] == ["c"]


def test_a_failed_transaction_is_not_asked_otherwise(duck):
    duck.execute("CREATE TABLE t (i INT PRIMARY KEY); BEGIN")
    with pytest.raises(duckdb.ConstraintException):
        duck.execute("INSERT INTO t VALUES (1), (1)")
    with pytest.raises(duckdb.TransactionException):
        DuckDBIntrospection(duck).tables()


def test_motherduck_may_not_say_what_the_account_has(duck):
    asked = MotherDuckIntrospection(duck)
    assert asked.account_databases() == []
    assert asked.attached_states() == {}
    duck.execute("CREATE MACRO md_all_databases() AS TABLE SELECT 'my_db' AS alias, 'MotherDuck share' AS type")
    [database] = asked.account_databases()
    assert (database.name, database.kind, database.attach) == ("my_db", "motherduck share", "ATTACH 'md:my_db'")
    assert not asked.is_local


def test_motherduck_says_what_can_be_attached_and_what_is_broken(duck):
    asked = MotherDuckIntrospection(duck)
    duck.execute(
        "CREATE MACRO md_all_databases() AS TABLE"
        " SELECT 'it''s' AS alias, 'motherduck' AS type, false AS is_attached, 'md:it''s' AS fully_qualified_name"
    )
    duck.execute(
        "CREATE MACRO md_attached_databases() AS TABLE SELECT 'lost' AS alias, true AS is_error_catalog,"
        " 'gone' AS error_message, true AS is_readonly, true AS is_ducklake"
        " UNION ALL SELECT 'mute', true, NULL, false, false"
    )
    assert asked.account_databases() == [AccountDatabase("it's", "motherduck", "ATTACH 'md:it''s'", "md:it's")]
    assert asked.attached_states() == {
        "lost": AttachedState("gone", ("read-only", "DuckLake")),
        "mute": AttachedState("no reason is given"),
    }


def test_a_long_answer_is_stopped_by_what_is_called_meanwhile(duck):
    asked = DuckDBIntrospection(duck)

    def stop():
        message = "stop"
        raise RuntimeError(message)

    asked.on_rows = stop
    with pytest.raises(RuntimeError, match="stop"):
        asked.functions()
    asked.on_rows = None
    assert len(asked.functions()) > 1000


# ---- other databases -------------------------------------------------------------------------------------------------


def test_rows_of_sqlite(lite, run):
    execute(
        lite,
        "CREATE TABLE t (a INTEGER NOT NULL, b TEXT DEFAULT 'x')",
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE TEMP TABLE tt (c INT)",
        "ATTACH ':memory:' AS other",
        "CREATE TABLE other.o (d INT)",
        "INSERT INTO t VALUES (7, 'y')",
    )
    asked = ask(run())
    assert not asked.has_databases
    assert asked.databases() == []
    assert asked.is_lone
    assert [row.name for row in asked.schemas()] == ["main", "other", "temp"]
    assert asked.search_path() == [("", "temp"), ("", "main"), ("", "other")]
    assert [row[1:5] for row in asked.tables()] == [
        ("main", "t", "table", False),
        ("main", "v", "view", False),
        ("other", "o", "table", False),
        ("temp", "tt", "table", True),
    ]
    assert [row.name for row in asked.listed_tables()] == ["t", "v", "o", "tt"]
    assert asked.columns("", "main", "t") == [
        ("", "main", "t", "a", "INTEGER", False, "", ""),
        ("", "main", "t", "b", "TEXT", True, "'x'", ""),
    ]
    assert {(row.table, row.name) for row in asked.all_columns()} == {
        ("t", "a"),
        ("t", "b"),
        ("v", "a"),
        ("tt", "c"),
        ("o", "d"),
    }
    assert asked.columns("", "main", "nope") == asked.columns("", "other", "t") == []
    assert asked.first_rows(("main", "t"), 20) == (["a", "b"], [(7, "y")])
    assert asked.count_rows(("main", "t")) == 1
    assert (asked.settings(), asked.types()) == ([], [])
    assert "group_concat" in [row.name for row in asked.functions()]


def test_tables_among_which_a_name_is_looked_for(lite, run):
    execute(lite, "ATTACH ':memory:' AS Other", "CREATE TABLE other.o (d INT)", "CREATE TABLE t (a INT)")
    asked = ask(run())
    assert [row.name for row in asked.tables_for(("t",))] == ["t", "o"]
    assert [row.name for row in asked.tables_for(("OTHER", "o"))] == ["o"]
    assert asked.tables_for(("nowhere", "o")) == []


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_in_sqlite(lite, run, name):
    execute(lite, f"CREATE TABLE {quoted(name)} ({quoted(name)} INT)".replace(":", "\\:"))
    asked = ask(run())
    assert [row.name for row in asked.tables()] == [name]
    assert [row.name for row in asked.columns("", "main", name)] == [name]
    assert [(row.table, row.name) for row in asked.all_columns()] == [(name, name)]
    assert asked.count_rows(("main", name)) == 0


def test_a_broken_view_in_sqlite_has_no_columns_and_leaves_the_rest(lite, run):
    execute(lite, "CREATE TABLE gone (i INT)", "CREATE VIEW v AS SELECT * FROM gone", "DROP TABLE gone")
    execute(lite, "CREATE TABLE t (a INT)", "CREATE VIEW good AS SELECT a FROM t")
    database = run()
    asked = ask(database)
    assert [row.name for row in asked.tables()] == ["good", "t", "v"]
    assert [(row.table, row.name) for row in asked.all_columns()] == [("good", "a"), ("t", "a")]
    with pytest.raises(StatementError, match=r"no such table: main\.gone"), introspect.on_notebook(database) as asked:
        asked.columns("", "main", "v")


def test_an_uncommitted_table_of_sqlite_is_seen_on_the_notebooks_connection(run):
    database = run("BEGIN; CREATE TABLE mine (i INT)", "sqlite:///file.db")
    assert [row.name for row in ask(database).tables()] == ["mine"]
    assert not ask(database).is_lone
    beside = ask(database).beside()
    assert beside.tables() == []
    beside.close()
    run("ROLLBACK")


def test_most_schemas(lite, run):
    for number in range(3):
        execute(lite, f"ATTACH ':memory:' AS s{number}", f"CREATE TABLE s{number}.t{number} (i INT)")
    execute(lite, "CREATE TABLE t (i INT)")
    asked = ask(run())
    assert [row.name for row in asked.tables(most_schemas=2)] == ["t", "t0"]
    assert {row.table for row in asked.all_columns(most_schemas=2)} == {"t", "t0"}
    assert len(asked.tables()) == 4


def _in_sqlite(kind):
    """Return *kind* without the question that only its own database can answer."""
    return type(kind.__name__, (kind,), {"current_schema": ""})


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (InspectorIntrospection, ["app", "mysql", "pg_stuff"]),
        (_in_sqlite(PostgreSQLIntrospection), ["app", "mysql", "sys"]),
        (_in_sqlite(MySQLIntrospection), ["app", "pg_stuff"]),
    ],
)
def test_schemas_of_the_databases_own_are_left_out(lite, kind, shown):
    for name in ("app", "mysql", "pg_stuff", "sys", "information_schema"):
        execute(lite, f"ATTACH ':memory:' AS {name}")
    asked = kind(lite)
    assert [row.name for row in asked.schemas()] == ["main", *shown]
    assert len(asked.schemas(internal=True)) == 6
    execute(lite, "CREATE TABLE information_schema.t (i INT)")
    listed = {row.schema: row.internal for row in kind(lite).tables_for(("information_schema", "t"))}
    assert listed == {"information_schema": True}


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_one_message(run):
    Path("notes.db").write_text("Buy milk. " * 200)
    database = run(target="sqlite:///notes.db")
    with pytest.raises(StatementError) as caught, introspect.on_notebook(database) as asked:
        asked.tables()
    assert str(caught.value) == "file is not a database"


def test_a_name_that_is_no_text_is_one_message(run):
    with sqlite3.connect("odd.db") as native:
        native.executescript(
            "CREATE TABLE t (a INT); PRAGMA writable_schema = 1; UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT)"
        )
    native.close()
    database = run(target="sqlite:///odd.db")
    with pytest.raises(StatementError, match=r"(?i)utf-8"), introspect.on_notebook(database) as asked:
        asked.tables()


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        KeyError("column"),
        TypeError("not a string"),
        RuntimeError("the socket is gone"),
        sqlalchemy.exc.CompileError("no such type"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_an_inspector_raises_becomes_ours(run, error):
    database = run()
    with pytest.raises(StatementError) as caught, introspect.on_notebook(database):
        raise error
    assert str(error) in str(caught.value)
    assert not database.lock._is_owned()


def test_an_error_shows_no_secret(run):
    database = run()
    value = "eyJhbGciOi.eyJzdWIiOiJhbm4i.c2lnbmF0dXJl"
    database.backend.config = {"motherduck_token": Secret(value)}
    with pytest.raises(StatementError) as caught, introspect.on_notebook(database):
        message = f"the token {value} was refused"
        raise duckdb.Error(message)
    assert value not in str(caught.value)
    assert value not in str(caught.value.__cause__)


# ---- beside the notebook ---------------------------------------------------------------------------------------------


@pytest.fixture
def side():
    """Return a function that gives a reader beside the notebook's connection."""
    opened = []

    def side(database):
        opened.append(introspect.SideReader(database))
        return opened[-1]

    yield side
    for reader in opened:
        reader.close()


def table_names(reader):
    with reader.asking():
        return [row.name for row in reader.ask(lambda asked: asked.tables())]


class _Busy:
    """Holds the lock of *database* in another thread, as a running cell does."""

    def __init__(self, database):
        self.database, self.holds, self.release = database, threading.Event(), threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.hold)
        self.thread.start()
        assert self.holds.wait(10)

    def hold(self):
        with self.database.lock:
            self.holds.set()
            self.release.wait(10)

    def __exit__(self, *_):
        self.release.set()
        self.thread.join()


def test_while_a_cell_runs_duckdb_answers_without_what_is_private(run, side):
    database = run("CREATE TABLE t (i INT); CREATE TEMP TABLE tt (i INT)")
    reader = side(database)
    assert table_names(reader) == ["t", "tt"]
    assert reader.warning == ""
    with _Busy(database):
        assert table_names(reader) == ["t"]
        assert reader.warning == "A cell is running: temporary and uncommitted objects are not shown."
    assert table_names(reader) == ["t", "tt"]
    assert reader.warning == ""


def test_another_database_is_busy_while_a_cell_runs(run, side):
    database = run("CREATE TABLE t (i INT)", "sqlite:///file.db")
    reader = side(database)
    assert table_names(reader) == ["t"]
    with _Busy(database), pytest.raises(StatementError, match="A cell is running"):
        table_names(reader)
    run("CREATE TABLE u (i INT)")
    assert table_names(reader) == ["t", "u"]


def test_reading_a_table_is_stopped(run, side):
    reader = side(run("CREATE VIEW slow AS SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"))
    with pytest.raises(StatementError, match=r"It took longer than 200 ms and was cancelled\."), reader.asking():
        reader.read(("memory", "main", "slow"), lambda asked: asked.count_rows(("slow",)), seconds=0.2)


def test_a_temporary_table_is_read_on_the_notebooks_connection(run, side):
    database = run("CREATE TEMP TABLE tt AS SELECT 5 AS a")
    reader = side(database)
    path = ("temp", "main", "tt")
    with reader.asking():
        assert reader.read(path, lambda asked: asked.first_rows(path, 20), seconds=5).rows == [(5,)]
    with (
        _Busy(database),
        pytest.raises(StatementError, match="Only the notebook's connection"),
        reader.asking(),
    ):
        reader.read(path, lambda asked: asked.first_rows(path, 20), seconds=5)


def test_a_reader_can_be_closed_twice_and_after_its_connection(run, side, session):
    reader = side(run())
    session.close_all()
    reader.close()
    reader.close()
    with pytest.raises(StatementError):
        table_names(reader)

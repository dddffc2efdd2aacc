"""DuckDB's connections: how they are opened, what they share, and what a person's own one keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pytest
import sqlalchemy

from md_magic.engine.backends.duckdb import connection
from md_magic.errors import ConnectError, StatementError
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool


def bar(con: duckdb.DuckDBPyConnection) -> tuple[bool, ...]:
    return (
        con.execute(
            "SELECT current_setting('enable_progress_bar'), current_setting('enable_progress_bar_print')"
        ).fetchone()
        or ()
    )


def test_parameters_of_the_url_and_the_configuration_are_settings(opened: Callable[..., Database]) -> None:
    database = opened("duckdb:///file.db?access_mode=read_write&threads=3", max_expression_depth=500)
    sql = "SELECT current_setting('threads') AS threads, current_setting('max_expression_depth') AS depth"
    assert run(database, sql).value == {"threads": [3], "depth": [500]}


def test_a_file_that_is_no_database_is_explained(opened: Callable[..., Database], tmp_path) -> None:
    (tmp_path / "x.db").write_text("no database" * 1000)
    with pytest.raises(ConnectError, match="not a valid DuckDB database") as caught:
        opened(f"duckdb:///{tmp_path}/x.db")
    assert caught.value.__notes__ == ["\nName another file: a new one is made where none exists."]


def test_another_configuration_of_an_open_file_is_explained(opened: Callable[..., Database], tmp_path) -> None:
    with duckdb.connect(str(tmp_path / "x.db")), pytest.raises(ConnectError) as caught:
        opened(f"duckdb:///{tmp_path}/x.db", access_mode="read_only")
    assert "engine in your variable NAME" in caught.value.__notes__[0]


def test_python_tables_are_seen_within_the_block_only(duck: Database) -> None:
    with duck.scanning({"df": pd.DataFrame({"a": [1, 2]})}):
        assert run(duck, "SELECT sum(a)::INTEGER AS n FROM df").value == {"n": [3]}
    with pytest.raises(StatementError, match="Table with name df does not exist"):
        run(duck, "FROM df")


def test_the_users_own_connection_tells_its_state(pool: EnginePool) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TEMP TABLE mine(a INT)")
        con.begin()
        backend = pool.adopt("con", con).backend
        assert backend.local.in_words() == [
            "the open transaction, which was not committed",
            "temporary table mine",
        ]
        con.rollback()


def test_progress_is_counted_and_not_drawn(opened: Callable[..., Database]) -> None:
    """DuckDB counts it by itself in a notebook alone."""
    native = opened("duckdb:///:memory:").backend.native
    assert bar(native) == (True, False)
    native.execute("FROM range(3_000_000) t(i) SELECT i")
    assert 0 <= native.query_progress() < 100
    native.execute("SET enable_progress_bar = false")
    assert bar(native) == (False, False)


def test_the_users_own_connection_has_its_progress_bar_again(pool: EnginePool) -> None:
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = true")
        database = pool.adopt("con", con)
        assert bar(con) == (True, False)
        pool.close(database.target)
        assert bar(con) == (True, True)


def test_an_engine_of_duckdb_engine_is_adopted(pool: EnginePool) -> None:
    engine = sqlalchemy.create_engine("duckdb:///:memory:")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    database = pool.adopt("engine", engine)
    assert run(database, "SELECT 42 AS a").value == {"a": [42]}
    assert database.backend.dialect == "duckdb"
    pool.close(database.target)
    engine.dispose()


@pytest.mark.parametrize(
    ("after", "said"),
    [("", ""), ("BEGIN; CREATE TABLE t(a INT)", "is still open, with what ran in it before")],
    ids=["none", "open"],
)
def test_what_became_of_the_transaction_is_said(duck: Database, after: str, said: str) -> None:
    if after:
        run(duck, after)
    assert said in duck.backend.transaction_after_stop()
    assert bool(duck.backend.transaction_after_stop()) is bool(said)


def test_a_transaction_that_waits_for_its_rollback_is_said(duck: Database) -> None:
    run(duck, "CREATE TABLE t(a INT PRIMARY KEY); BEGIN; INSERT INTO t VALUES (1)")
    with pytest.raises(StatementError):
        run(duck, "INSERT INTO t VALUES (1)")
    assert duck.backend.transaction_after_stop().endswith("run ROLLBACK before anything else.")
    assert duck.state == "in transaction"


def test_an_attach_of_motherduck_without_a_token_is_refused(duck: Database) -> None:
    with pytest.raises(StatementError, match="ATTACH 'md:' needs a MotherDuck token"):
        run(duck, "ATTACH 'md:my_db'")


def test_definitions_are_those_of_a_person(duck: Database) -> None:
    run(duck, "CREATE VIEW V AS SELECT 1 AS a; CREATE MACRO m(x) AS x + 1")
    definitions = duck.backend.definitions()
    assert sorted(definitions) == ["m", "v"]
    assert "SELECT 1" in definitions["v"]


@pytest.mark.parametrize(
    ("how", "sql", "kind"),
    [
        ("create", 'CREATE TABLE "s"."t ""x" AS SELECT * FROM "md_magic frame"', "CREATE"),
        ("replace", 'CREATE OR REPLACE TABLE "s"."t ""x" AS SELECT * FROM "md_magic frame"', "CREATE"),
        ("append", 'INSERT INTO "s"."t ""x" BY NAME SELECT * FROM "md_magic frame"', "INSERT"),
    ],
)
def test_a_python_table_is_written_by_sql(duck: Database, how, sql: str, kind: str) -> None:
    statement = duck.backend.upload_statement(["s", 't "x'], how)
    assert statement is not None
    assert (statement.text, statement.kind) == (sql, kind)


@pytest.mark.parametrize("begin", [False, True], ids=["outside", "inside"])
def test_whether_a_transaction_is_open_is_asked_without_touching_it(pool: EnginePool, *, begin: bool) -> None:
    """`txid_current()` raises, and aborts the transaction, where the current database is not DuckDB's own."""
    with duckdb.connect() as con:
        con.execute("CREATE TABLE kept AS SELECT 1 AS a")
        con.execute("CREATE TEMP MACRO txid_current() AS error('INTERNAL Error: not DuckDB')")
        if begin:
            con.execute("BEGIN; INSERT INTO kept VALUES (2)")
        for _ in range(20):
            backend = pool.adopt("con", con).backend
            assert backend.in_transaction is begin
            pool.close(backend.target)
        if begin:
            con.execute("COMMIT")
        assert con.execute("SELECT count(*) FROM kept").fetchone() == (1 + begin,)


def test_outside_a_transaction_none_is_seen_however_fast_it_is_asked(duck: Database) -> None:
    for _ in range(500):
        duck.backend._note_transaction()
        assert duck.state == "open"


def test_two_statements_within_one_tick_are_no_transaction(duck: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third one, after a tick of a coarse clock, begins at another time."""
    run(duck, "CREATE SEQUENCE clock START 2")
    monkeypatch.setattr(connection, "_BEGAN", "SELECT nextval('clock') // 2")
    duck.backend._note_transaction()
    assert duck.state == "open"

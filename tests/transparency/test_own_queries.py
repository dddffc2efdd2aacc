"""No query of ours runs among the user's: their logs, profiles and snapshots are as they are natively."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.transparency.runner import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELLS = (
    "BEGIN",
    "CREATE TEMP TABLE q AS SELECT 1 AS i",
    "COMMIT",
    "/* ; */ -- :x\nstart transaction",
    "DROP TABLE q",
    "SELECT error('x')",
    "SELECT 1; SELECT 2 AS i",
    "ROLLBACK",
    "COMMIT",
)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


def test_the_query_log_is_the_same(pair: Pair) -> None:
    for sql in ("SET log_query_path = 'files/log.txt'", *CELLS, "SET log_query_path = ''"):
        assert pair.compare(sql) is None
    ours, theirs = ((folder / "files" / "log.txt").read_text() for folder in (pair.ours, pair.theirs))
    assert ours == theirs
    assert "CREATE TEMP TABLE q AS SELECT 1 AS i" in theirs


def test_the_table_of_logs_is_the_same(pair: Pair) -> None:
    for sql in ("CALL enable_logging('QueryLog')", *CELLS):
        assert pair.compare(sql) is None
    logged = "SELECT message FROM duckdb_logs WHERE type = 'QueryLog'"
    theirs = pair.run_theirs(logged).frame
    assert pair.run_ours(logged).frame.equals(theirs)
    assert "CREATE TEMP TABLE q AS SELECT 1 AS i" in theirs["message"].tolist()


@pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "CREATE TEMP TABLE other AS SELECT 1 AS i", "DROP TABLE keep"])
def test_the_profile_is_the_users_last_query(pair: Pair, sql: str) -> None:
    before = ("CREATE TEMP TABLE keep (i INTEGER)", *(["BEGIN"] if sql == "COMMIT" else []))
    for first in (*before, "SET enable_profiling = 'json'", "SET profiling_output = 'files/profile.json'"):
        pair.prepare(first)
    for following in ("SELECT 'a query'", sql, "PRAGMA disable_profiling"):
        pair.prepare(following)
    pair.prepare("SELECT query_name FROM 'files/profile.json'")


def test_a_transaction_sees_what_others_commit_until_its_first_query(pair: Pair) -> None:
    for sql in ("CREATE TABLE t (i INTEGER)", "BEGIN"):
        pair.prepare(sql)
    for connection in (pair.our_connection, pair.native):
        connection.cursor().execute("INSERT INTO t VALUES (1)")
    assert pair.compare("FROM t") is None
    assert len(pair.run_ours("FROM t").frame) == 1


@pytest.mark.parametrize(
    ("cells", "then"),
    [
        (["BEGIN"], "open"),
        (["/* COMMIT */ start\ntransaction"], "open"),
        (["\u00a0BEGIN"], "open"),
        (["BEGIN", "BEGIN"], "aborted"),
        (["BEGIN", "SELECT error('x')"], "aborted"),
        (["BEGIN; SELECT 1; COMMIT"], "none"),
        (["BEGIN", "-- begin\nEND"], "none"),
        (["BEGIN", "INSERT INTO t VALUES (1), (1)", "COMMIT"], "none"),
        (["COMMIT"], "none"),
        (["BEGIN", "ABORT"], "none"),
    ],
    ids=str,
)
def test_an_open_transaction_is_known_without_asking(pair: Pair, cells: list[str], then: str) -> None:
    pair.prepare("CREATE TABLE t (i INTEGER PRIMARY KEY)")
    for sql in cells:
        assert pair.compare(sql) is None
    state = pair.shell.run_line_magic("mdsql", "--connections")["state"].tolist()
    assert state == ["open" if then == "none" else "in transaction"]
    assert transaction(pair.our_connection) == transaction(pair.native) == then


def transaction(connection: duckdb.DuckDBPyConnection) -> str:
    """Ask DuckDB itself for the state of its transaction: `open`, `aborted` or `none`."""
    try:
        connection.execute("BEGIN")
    except duckdb.TransactionException as error:
        return "aborted" if "aborted" in str(error) else "open"
    connection.execute("ROLLBACK")
    return "none"


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["CREATE TEMP TABLE a AS SELECT 1 AS i"], ["a"]),
        (["CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS a (i INTEGER)"], []),
        (["CREATE TEMPORARY TABLE IF NOT EXISTS temp.main.a (i INTEGER)"], ["a"]),
        (['CREATE TEMP TABLE "a ""b" (i INTEGER)', "CREATE TABLE temp.c (i INTEGER)"], ['a "b']),
        (["CREATE TABLE kept AS SELECT 'temp table x' AS s"], []),
        (["CREATE TEMP TABLE a (i INTEGER)", "DROP TABLE IF EXISTS temp.a"], []),
        (["CREATE TEMP TABLE a (i INTEGER)", "DROP TABLE nothere"], ["a"]),
    ],
    ids=str,
)
def test_temporary_tables_are_known_without_asking(pair: Pair, cells: list[str], names: list[str]) -> None:
    for sql in cells:
        assert pair.compare(sql) is None
    local = pair.shell.magics_manager.registry["MdsqlMagics"].session.use().backend.local
    assert [str(temporary) for temporary in local.temporary] == [f"temporary table {name}" for name in names]
    kept = pair.our_connection.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
    assert [name for (name,) in kept] == names

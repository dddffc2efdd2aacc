"""No query of ours runs among the user's: their logs, profiles and snapshots are as they are natively."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from runner import Pair

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


def test_the_table_of_logs_is_the_same(pair: Pair) -> None:
    for sql in ("CALL enable_logging('QueryLog')", *CELLS):
        assert pair.compare(sql) is None
    logged = "SELECT message FROM duckdb_logs WHERE type = 'QueryLog'"
    assert pair.run_ours(logged).frame.equals(pair.run_theirs(logged).frame)


@pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "CREATE TEMP TABLE other AS SELECT 1 AS i", "DROP TABLE keep"])
def test_the_profile_is_the_users_last_query(pair: Pair, sql: str) -> None:
    before = ("CREATE TEMP TABLE keep (i INTEGER)", *(["BEGIN"] if sql == "COMMIT" else []))
    for first in (*before, "SET enable_profiling = 'json'", "SET profiling_output = 'files/profile.json'"):
        assert pair.compare(first) is None
    for following in ("SELECT 'a query'", sql, "PRAGMA disable_profiling"):
        assert pair.compare(following) is None
    assert pair.compare("SELECT query_name FROM 'files/profile.json'") is None
    assert pair.run_ours("SELECT query_name FROM 'files/profile.json'").error is None


def test_a_transaction_sees_what_others_commit_until_its_first_query(pair: Pair) -> None:
    for sql in ("CREATE TABLE t (i INTEGER)", "BEGIN"):
        assert pair.compare(sql) is None
    for connection in (pair.our_connection, pair.native):
        connection.cursor().execute("INSERT INTO t VALUES (1)")
    assert pair.compare("FROM t") is None
    assert len(pair.run_ours("FROM t").frame) == 1


@pytest.mark.parametrize(
    ("cells", "open_then"),
    [
        (["BEGIN"], True),
        (["/* COMMIT */ start\ntransaction"], True),
        (["\u00a0BEGIN"], True),
        (["BEGIN", "BEGIN"], True),
        (["BEGIN", "SELECT error('x')"], True),
        (["BEGIN; SELECT 1; COMMIT"], False),
        (["BEGIN", "-- begin\nEND"], False),
        (["BEGIN", "INSERT INTO t VALUES (1), (1)", "COMMIT"], False),
        (["COMMIT"], False),
        (["BEGIN", "ABORT"], False),
    ],
    ids=str,
)
def test_an_open_transaction_is_known_without_asking(pair: Pair, cells: list[str], open_then: bool) -> None:
    for sql in ("CREATE TABLE t (i INTEGER PRIMARY KEY)", *cells):
        assert pair.compare(sql) is None
    assert pair.run_ours("SELECT 1").error is None or open_then
    state = pair.shell.run_line_magic("mdsql", "--connections")["state"].tolist()
    assert state == ["in transaction" if open_then else "open"]


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
    assert pair.shell.magics_manager.registry["MdsqlMagics"].session.use().temporary == [
        f"temporary table {name}" for name in names
    ]

"""What one connection has to itself, noted by the words of the statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from md_magic.engine.connection_state import ConnectionState
from md_magic.errors import StatementError
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from md_magic.engine.database import Database


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1", []),
        ("BEGIN", ["the open transaction, which was not committed"]),
        ("/* now */ begin; COMMIT", []),
        ("BEGIN; ROLLBACK", []),
        ("CREATE TABLE t(a INT)", []),
        ("CREATE TEMP TABLE t(a INT)", ["temporary table t"]),
        ("-- mine\nCREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1", ["temporary view v"]),
        ('CREATE TEMP TABLE IF NOT EXISTS "a ""b"(a INT)', ['temporary table a "b']),
        ("CREATE TEMP TABLE temp.main.t(a INT)", ["temporary table t"]),
        ("CREATE TEMP FUNCTION f(x) AS x", ["temporary macro f"]),
        ("CREATE TEMP SEQUENCE s; CREATE TEMP TABLE t(a INT)", ["temporary sequence s, temporary table t"]),
        ("CREATE TEMP TABLE t(a INT); CREATE OR REPLACE TEMP TABLE t(b INT)", ["temporary table t"]),
        ("CREATE TEMP TABLE t(a INT); DROP TABLE IF EXISTS t", []),
        ("SET threads = 2", ["settings threads"]),
        ("SET threads = 2; RESET threads", []),
        ("SET VARIABLE x = 'secret'", ["variables x"]),
        ("SET VARIABLE x = 1; RESET VARIABLE x", []),
        ("PREPARE p AS SELECT 1", ["prepared statements p"]),
        ("PREPARE p AS SELECT 1; DEALLOCATE p", []),
        ("ATTACH ':memory:' AS other", ["attached databases other"]),
        ("ATTACH 'file.db?secret=1' ", ["attached databases file.db"]),
        ("ATTACH ':memory:' AS other; DETACH other", []),
        ("ATTACH ':memory:' AS o; USE\n o", ["attached databases o", "the current database (USE o)"]),
        ("SET schema = 'main'", ["the current database (SET schema = 'main')"]),
        ("CREATE /* x */ TEMP TABLE t(a INT)", ["temporary table t"]),
        ("CREATE -- x\n OR REPLACE /* /* y */ */ TEMP\u00a0VIEW /* z */ v AS SELECT 1", ["temporary view v"]),
        ("CREATE TEMP TABLE temp /* x */ . main.t AS SELECT 1", ["temporary table t"]),
        ("CREATE SCHEMA temperature; CREATE TABLE temperature.t(a INT)", []),
        ("CREATE TABLE temporary(temp INT)", []),
        pytest.param(
            "CREATE LOCAL TEMP TABLE t(a INT)",
            ["temporary table t"],
            marks=pytest.mark.skipif(duckdb.__version__ >= "2", reason="DuckDB 2.0 has no LOCAL"),
        ),
        ("\u200bCREATE\u200bTEMP\u2060TABLE\u3000t(a INT)", ["temporary table t"]),
        ("\ufeffCREATE TEMP TABLE t(a INT); DROP\u00a0/* x */TABLE T", []),
        (
            "CREATE TEMP TABLE t(a INT); CREATE TABLE memory.main.t(a INT); DROP TABLE memory.main.t",
            ["temporary table t"],
        ),
        ("\u200bSET\u00a0threads = 2", ["settings threads"]),
        ("SET /* x */ SESSION TimeZone = 'UTC'", ["settings TimeZone"]),
        ("SET threads = 2; RESET\u2060/* x */Threads", []),
        ("PRAGMA /* x */ threads = 2", ["settings threads"]),
        ("SET\u200bVARIABLE /* x */ x = 'secret'", ["variables x"]),
        ("SET VARIABLE x = 1;\u00a0RESET /* y */ VARIABLE x", []),
        ("PREPARE /* as */ p AS SELECT 1", ["prepared statements p"]),
        ("PREPARE p AS SELECT 1; DEALLOCATE\u200bPREPARE/* x */p", []),
        ("ATTACH /* as wrong */ ':memory:'\u00a0AS\u00a0other", ["attached databases other"]),
        ("ATTACH ':memory:' AS other; DETACH\u00a0DATABASE /* x */ IF EXISTS other", []),
        ("\u200bUSE\u00a0main; -- back", ["the current database (USE main)"]),
        ("SET /* x */ schema = 'main'", ["the current database (SET /* x */ schema = 'main')"]),
        ("\u200bBEGIN\u00a0TRANSACTION", ["the open transaction, which was not committed"]),
        ("/* " + "x" * 5000 + " */ CREATE TEMP TABLE t(a INT)", ["temporary table t"]),
        ("CREATE TEMP TABLE t AS SELECT * FROM (VALUES " + "(1)," * 9999 + "(1))", ["temporary table t"]),
    ],
)
def test_what_would_be_lost_is_said_in_words(duck: Database, sql: str, words: list[str]) -> None:
    local = duck.backend.local
    if "?secret" in sql:  # a path that DuckDB takes from a service only
        local.note("ATTACH", sql)
    else:
        run(duck, sql)
    assert local.in_words() == words


def test_the_current_database_can_be_left_out() -> None:
    local = ConnectionState(schema="USE my_db", settings=["threads"])
    assert local.in_words(schema=False) == ["settings threads"]


@pytest.mark.parametrize(
    ("sql", "hides"),
    [("SET threads = 2", False), ("BEGIN", True), ("CREATE TEMP TABLE t(a INT)", True)],
    ids=["setting", "transaction", "temporary table"],
)
def test_data_that_others_cannot_see(duck: Database, sql: str, hides: bool) -> None:
    run(duck, sql)
    assert duck.backend.local.hides_data is hides


def test_what_is_noted_is_what_duckdb_has(duck: Database) -> None:
    run(duck, "CREATE TEMP TABLE t(a INT); CREATE TEMP VIEW v AS SELECT 1; CREATE TEMP MACRO m(x) AS x")
    assert sorted(map(str, duck.backend.temporary_objects())) == sorted(map(str, duck.backend.local.temporary))
    assert duck.backend.temporary_objects()[0] in duck.backend.local.temporary


def test_duckdb_has_no_temporary_table_without_the_word(duck: Database) -> None:
    with pytest.raises(StatementError, match="Only TEMPORARY"):
        run(duck, "CREATE TABLE temp.t(a INT)")
    assert duck.backend.local.in_words() == []


def test_a_statement_that_fails_leaves_nothing(duck: Database) -> None:
    run(duck, "CREATE TABLE t(a INT)")
    with pytest.raises(Exception, match="already exists"):
        run(duck, "CREATE TEMP TABLE u(a INT); CREATE TEMP TABLE u(a INT)")
    assert duck.backend.local.in_words() == ["temporary table u"]


@pytest.mark.parametrize(
    "path",
    ["postgres://u:XYZZY@h/d", "postgres://u:XY?ZZY@h/d", "md:d?motherduck_token=XYZZY", "host=h password=XYZZY"],
)
def test_a_password_of_an_attached_database_is_not_noted(path):
    state = ConnectionState()
    state.note("ATTACH", f"ATTACH '{path}'")
    assert len(state.attached) == 1
    assert "XY" not in state.attached[0]
    assert "ZZY" not in state.attached[0]

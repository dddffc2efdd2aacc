"""An open target: its state, its clocks, and closing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from md_magic.auth.secret import Secret
from md_magic.engine.cancellation import Execution
from md_magic.errors import ConnectError, TargetError
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.database import Database


@pytest.mark.parametrize("uri", ["duckdb:///:memory:", "sqlite://"])
def test_state_follows_the_users_own_transaction(opened: Callable[..., Database], uri: str) -> None:
    database = opened(uri)
    assert database.state == "open"
    run(database, "BEGIN")
    assert database.state == "in transaction"
    run(database, "COMMIT")
    assert database.state == "open"
    database.close()
    assert database.state == "closed"


@pytest.mark.parametrize("uri", ["duckdb:///file.db", "sqlite:///file.db"])
def test_statements_commit_by_themselves(opened: Callable[..., Database], uri: str) -> None:
    database = opened(uri)
    run(database, "CREATE TABLE t(a INTEGER)")
    run(database, "INSERT INTO t VALUES (1)")
    branch = database.branch()
    assert run(branch, "SELECT a FROM t").value == {"a": [1]}
    branch.close()


def test_idle_counts_the_clock_that_goes_on_while_the_computer_sleeps(duck: Database) -> None:
    assert duck.idle < 60
    monotonic, wall = duck.used
    duck.used = (monotonic, wall - 1_000)
    assert 1_000 <= duck.idle < 1_060
    duck.used = (monotonic - 2_000, wall)
    assert 2_000 <= duck.idle < 2_060
    run(duck, "SELECT 1")
    assert duck.idle < 60


def test_a_local_database_is_never_probed(duck: Database, sqlite: Database) -> None:
    for database in (duck, sqlite):
        database.used = (0.0, 0.0)
        assert database.needs_probe is False


def test_before_close_is_called_in_order_while_the_connection_is_open_and_only_once(duck: Database) -> None:
    called = []
    duck.before_close = (
        lambda: called.append(duck.backend.connection.closed),
        lambda: 1 / 0,
        lambda: called.append("last"),
    )
    duck.close()
    duck.close()
    assert called == [False, "last"]
    assert duck.state == "closed"


def test_what_runs_is_stopped_on_this_connection(duck: Database) -> None:
    execution = Execution()
    duck.attach(execution)
    assert (execution.target, execution.can_stop) == ("duckdb:///:memory:", True)
    assert duck.execution is execution


def test_a_branch_of_duckdb_has_the_settings_and_variables_and_no_temporary_tables(duck: Database) -> None:
    run(duck, "SET TimeZone = 'Asia/Tokyo'; SET VARIABLE v = [1, 2]; CREATE TEMP TABLE t AS SELECT 1 AS a")
    run(duck, "CREATE TABLE p AS SELECT 2 AS a")
    branch = duck.branch()
    values = run(branch, "SELECT current_setting('TimeZone') AS zone, getvariable('v') AS v, a FROM p").value
    assert values == {"zone": ["Asia/Tokyo"], "v": [[1, 2]], "a": [2]}
    assert run(branch, "SELECT count(*) AS n FROM duckdb_tables() WHERE temporary").value == {"n": [0]}
    branch.close()
    assert duck.state == "open"


def test_a_variable_that_no_other_connection_takes_is_named(duck: Database) -> None:
    run(duck, "SET VARIABLE u = union_value(a := 1)")
    with pytest.raises(ConnectError, match="RESET VARIABLE removes one"):
        duck.branch()


def test_what_a_branch_of_another_database_sets_ends_with_it(opened: Callable[..., Database]) -> None:
    database = opened("sqlite:///file.db")
    first = database.branch()
    run(first, "CREATE TEMP TABLE mine(a INTEGER)")
    first.close()
    second = database.branch()
    assert run(second, "SELECT count(*) AS n FROM sqlite_temp_master").value == {"n": [0]}
    second.close()


def test_a_repr_holds_no_secret(opened: Callable[..., Database]) -> None:
    database = opened("duckdb:///:memory:", custom_user_agent=Secret("abcdefgh12345678"))
    assert repr(database) == "<Database duckdb:///:memory: · open>"
    assert [secret.reveal() for secret in database.secrets] == ["abcdefgh12345678"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:////no/folder/x.db", r"cannot be opened\. unable to open database file"),
        ("duckdb:////no/folder/x.db", r"cannot be opened\. IO Error"),
    ],
)
def test_a_missing_folder_is_named(opened: Callable[..., Database], uri: str, said: str) -> None:
    with pytest.raises(ConnectError, match=said) as caught:
        opened(uri)
    assert caught.value.__notes__ == ["\nThe folder '/no/folder' does not exist: make it first."]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgres://h/db", "SQLAlchemy calls it postgresql: write postgresql://"),
        ("postgres+psycopg://h/db", "write postgresql+psycopg://"),
        ("psql://h/db", "write postgresql://"),
        ("sqlite3:///x.db", "write sqlite:///"),
        ("bigquery://project", "%pip install sqlalchemy-bigquery"),
        ("nosuch://h", "Is it spelt right"),
        ("postgressql://h", "Did you mean postgresql?"),
        ("sqlite+aiosqlite:///x.db", "needs the Python module 'aiosqlite'. Install it with `%pip install aiosqlite`"),
    ],
)
def test_a_missing_driver_is_named(opened: Callable[..., Database], uri: str, said: str) -> None:
    with pytest.raises(TargetError) as caught:
        opened(uri)
    assert said in str(caught.value)


def test_only_duckdb_takes_a_configuration(opened: Callable[..., Database]) -> None:
    assert run(opened("duckdb:///:memory:", threads=2), "SELECT current_setting('threads') AS n").value == {"n": [2]}
    with pytest.raises(TargetError, match="--config is DuckDB's configuration"):
        opened("sqlite://", threads=2)


def test_opening_is_timed(duck: Database) -> None:
    assert 0 <= time.monotonic() - duck.opened < 60

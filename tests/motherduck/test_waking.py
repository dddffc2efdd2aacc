"""Waking up: what the next cell does when MotherDuck ended the connection while nobody used it, or in mid-query."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from md_magic.engine.backends.motherduck import backend as motherduck
from md_magic.session.recovery import Recovery
from tests.motherduck.test_cells import Cells, ann, bob, cells, in_lower, person, shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.motherduck.standin.service import Account, Service

__all__ = ["ann", "bob", "cells", "person", "shell"]  # fixtures


@pytest.fixture(autouse=True)
def session(cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = cells.sql(in_lower(cells, ann.token, monkeypatch), "CREATE TABLE log(a INT)")
    assert made is None, made
    return cells.shell.magics_manager.registry["MdsqlMagics"].session


@pytest.fixture
def asleep(session: Any) -> Callable[..., None]:
    """Let time pass: by both clocks, or by the one alone that goes on while a computer sleeps."""

    def pass_by(seconds: float = motherduck.IDLE + 1, *, awake: bool = True) -> None:
        [database] = session.pool
        monotonic, wall = database.used
        database.used = (monotonic - seconds * awake, wall - seconds)

    return pass_by


def gone(session: Any) -> None:
    """End the connection at the service's side, as after 15 minutes: a new one works."""
    [database] = session.pool
    database.backend.native.close()


def connected(motherduck: Service) -> int:
    return len(motherduck.recorded("connect"))


@pytest.mark.parametrize("awake", [True, False], ids=["kernel idle", "laptop asleep"])
def test_a_dead_connection_is_replaced_before_anything_runs(
    motherduck: Service, cells: Cells, session: Any, asleep: Callable[..., None], awake: bool
) -> None:
    gone(session)
    asleep(awake=awake)
    assert not isinstance(cells.sql("", "INSERT INTO log VALUES (1)"), BaseException)
    assert "Connected to md:my_db again" in cells.printed
    assert "Nothing else was lost" in cells.printed
    assert cells.sql("", "FROM log")["a"].tolist() == [1]
    assert connected(motherduck) == 2


def test_a_service_that_answers_is_asked_once_and_kept(
    motherduck: Service, cells: Cells, asleep: Callable[..., None]
) -> None:
    asleep()
    for number in range(2):
        cells.sql("", f"INSERT INTO log VALUES ({number})")
        assert "again" not in cells.printed
    assert cells.sql("", "FROM log")["a"].tolist() == [0, 1]
    assert connected(motherduck) == 1


def test_nobody_is_asked_within_the_fifteen_minutes(
    cells: Cells, asleep: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("md_magic.engine.execute.probe", asked.append)
    asleep(motherduck.IDLE - 60)
    cells.sql("", "FROM log")
    assert asked == []
    asleep()
    cells.sql("", "FROM log")
    assert asked


def test_a_local_database_is_never_asked(cells: Cells, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("md_magic.engine.execute.probe", asked.append)
    cells.sql("duckdb:///:memory:", "SELECT 1")
    database = session.pool.find(session.current)
    database.used = (database.used[0] - 10_000, database.used[1] - 10_000)
    cells.sql("", "SELECT 1")
    assert asked == []


@pytest.mark.parametrize(
    ("before", "lost"),
    [
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "temporary table mine"),
        ("CREATE TEMP VIEW mine AS SELECT 1 AS a", "temporary view mine"),
        ("CREATE OR REPLACE TEMP MACRO mine(x) AS x", "temporary macro mine"),
        ("CREATE TEMP SEQUENCE mine", "temporary sequence mine"),
        ("BEGIN; INSERT INTO log VALUES (7)", "the open transaction, which was not committed"),
    ],
    ids=["table", "view", "macro", "sequence", "transaction"],
)
def test_what_would_be_lost_is_named_and_nothing_runs(
    motherduck: Service, cells: Cells, session: Any, asleep: Callable[..., None], before: str, lost: str
) -> None:
    cells.sql("", before)
    gone(session)
    asleep()
    error = cells.sql("", "INSERT INTO log VALUES (1)")
    assert type(error).__name__ == "ConnectionLost"
    notes = "".join(error.__notes__)
    assert lost in notes
    assert "Nothing of this cell was run" in notes
    assert cells.sql("", "FROM log")["a"].tolist() == []
    assert "Connected to md:my_db again" in cells.printed
    assert lost in cells.printed
    assert connected(motherduck) == 2


def test_what_was_set_is_named_and_the_current_database_restored(
    cells: Cells, session: Any, asleep: Callable[..., None]
) -> None:
    cells.sql("", "SET threads = 2; SET VARIABLE x = 'secret value'; PREPARE p AS SELECT 1; USE sample_data")
    gone(session)
    asleep()
    assert cells.sql("", "SELECT current_database() AS d")["d"][0] == "sample_data"
    assert "settings threads; variables x; prepared statements p" in cells.printed
    assert "Restored: USE sample_data" in cells.printed
    assert "secret value" not in cells.printed
    cells.sql("", "RESET VARIABLE x; DEALLOCATE p; RESET threads")


def test_an_outage_when_waking_is_one_error_and_the_cell_after_it_connects(
    motherduck: Service, cells: Cells, asleep: Callable[..., None]
) -> None:
    asleep()
    motherduck.be(down=True)
    error = cells.sql("", "INSERT INTO log VALUES (1)")
    assert isinstance(error, BaseException)
    motherduck.be(down=False)
    assert cells.sql("", "FROM log")["a"].tolist() == []
    assert "Connected to md:my_db again" in cells.printed


def test_a_service_that_comes_back_between_the_question_and_the_connection(
    motherduck: Service, cells: Cells, asleep: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep()
    motherduck.be(down=True)
    forget = Recovery.forget
    monkeypatch.setattr(Recovery, "forget", lambda self, database: (motherduck.be(down=False), forget(self, database)))
    cells.sql("", "INSERT INTO log VALUES (1)")
    assert cells.sql("", "FROM log")["a"].tolist() == [1]


def test_a_token_revoked_meanwhile_asks_for_another_and_runs_the_cell(
    motherduck: Service,
    cells: Cells,
    ann: Account,
    asleep: Callable[..., None],
    person: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asleep()
    motherduck.revoke(ann)
    monkeypatch.setenv("ANSWER", motherduck.add_account(ann.email).token)
    cells.sql("", "INSERT INTO log VALUES (1)")
    assert len(person) == 1
    assert cells.sql("", "FROM log")["a"].tolist() == [1]


def test_lost_in_mid_query(motherduck: Service, cells: Cells) -> None:
    timer = threading.Timer(0.5, motherduck.be, kwargs={"down": True})
    timer.start()
    error = cells.sql(
        "", "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3"
    )
    timer.join()
    assert type(error).__name__ == "ConnectionLost"
    assert "The next cell connects again" in "".join(error.__notes__)
    motherduck.be(down=False)
    assert cells.sql("", "FROM log")["a"].tolist() == []
    assert "Connected to md:my_db again" in cells.printed


def test_lost_in_mid_transaction_says_what_was_lost(motherduck: Service, cells: Cells) -> None:
    cells.sql("", "CREATE TEMP TABLE mine AS SELECT 1; BEGIN; INSERT INTO log VALUES (1)")
    motherduck.be(down=True)
    notes = "".join(cells.sql("", "FROM log").__notes__)
    assert "the open transaction" in notes
    assert "temporary table mine" in notes
    motherduck.be(down=False)
    assert cells.sql("", "FROM log")["a"].tolist() == []


def test_the_catalogue_and_a_background_query_wake_up_too(
    cells: Cells, session: Any, asleep: Callable[..., None]
) -> None:
    gone(session)
    asleep()
    assert "log" in cells.run("%mdsql --tables")["name"].tolist()
    gone(session)
    asleep()
    cells.sql("--background -o job", "SELECT 3 AS a")
    assert cells.run("job.result(10)")["a"][0] == 3
    gone(session)  # without having been idle
    cells.sql("--background -o job", "SELECT 4 AS a")
    assert cells.run("job.result(10)")["a"][0] == 4


# Background queries on MotherDuck


def test_a_background_query_and_its_loss(motherduck: Service, cells: Cells) -> None:
    cells.sql(
        "--background -o job", "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE a.range % b.range = 3"
    )
    time.sleep(0.3)
    motherduck.be(down=True)
    job = cells.shell.user_ns["job"]
    assert type(job.exception(5)).__name__ == "ConnectionLost"
    motherduck.be(down=False)
    assert cells.sql("", "FROM log")["a"].tolist() == []


def test_a_token_refused_in_the_background_shows_no_card(
    motherduck: Service, cells: Cells, ann: Account, person: list[str]
) -> None:
    sql = "SELECT count(*) FROM range(30_000_000) WHERE hash(range) % 7 = 3; SELECT 1"
    cells.sql("--background -o job", sql)
    motherduck.revoke(ann)
    job = cells.shell.user_ns["job"]
    assert type(job.exception(20)).__name__ == "SignInError"
    assert person == []
    assert ann.token not in repr(job)


def test_signing_out_cancels(cells: Cells) -> None:
    cells.sql(
        "--background -o job", "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE a.range % b.range = 3"
    )
    cells.run("%mdsql --logout")
    assert "was closed" in str(cells.shell.user_ns["job"].exception(1))


def test_a_temporary_table_is_refused_and_the_clients_own_macros_are_not(cells: Cells) -> None:
    cells.sql("", "CREATE TEMP TABLE mine AS SELECT 1 AS a")
    assert "temporary table mine" in str(cells.sql("--background -o job", "FROM mine"))
    cells.sql("--background -o job", "SELECT count(*) AS n FROM md_user_info()")
    assert cells.run("job.result(10)")["n"][0] == 1

"""Lost connections: asked after a long idle time, replaced where nothing is missing, and described in words."""

from __future__ import annotations

import threading

import duckdb
import pytest

from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from md_magic.engine.backends.motherduck.backend import IDLE
from md_magic.errors import ConnectionLost, SignInError, SignInRequired
from md_magic.session.recovery import what_was_lost


@pytest.fixture
def ann(motherduck):
    return motherduck.add_account("ann@example.com")


@pytest.fixture
def database(session, ann):
    """Open `md:my_db` as ann, with an empty table `log`."""
    opened = session.use(session.resolve("md:my_db"), config={"motherduck_token": ann.token})
    list(session.run("CREATE TABLE log(a INT)", {}))
    return opened


def idle(database, seconds=IDLE + 1):
    """Let time pass since *database* last answered."""
    database.used = tuple(clock - seconds for clock in database.used)


def end(database):
    """End the connection at the service's side: a new one works."""
    database.backend.native.close()


def connects(motherduck):
    return len(motherduck.recorded("connect"))


def test_a_connection_that_was_used_lately_is_not_asked(session, database, motherduck):
    idle(database, IDLE - 60)
    motherduck.be(down=True)
    assert session.use() is database


def test_a_connection_that_answers_after_a_long_time_is_kept(session, database, notices, motherduck):
    idle(database)
    assert session.use() is database
    assert database.idle < IDLE
    assert notices == []
    assert connects(motherduck) == 1


def test_a_dead_connection_is_replaced_before_anything_runs(session, run, database, notices, motherduck):
    end(database)
    idle(database)
    assert run("INSERT INTO log VALUES (1)") is None
    assert run("FROM log")["a"].tolist() == [1]
    assert session.use() is not database
    assert notices == ["Connected to md:my_db again. Nothing else was lost."]
    assert connects(motherduck) == 2


def test_a_local_database_is_never_asked(session, run, monkeypatch):
    asked = []
    monkeypatch.setattr("md_magic.engine.execute.probe", asked.append)
    run("SELECT 1")
    idle(session.use())
    run("SELECT 1")
    assert asked == []


@pytest.mark.parametrize(
    ("before", "lost"),
    [
        ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "temporary table mine"),
        ("BEGIN; INSERT INTO log VALUES (7)", "the open transaction, which was not committed"),
    ],
    ids=["temporary table", "transaction"],
)
def test_nothing_runs_where_something_would_be_missing(run, database, notices, before, lost):
    run(before)
    end(database)
    idle(database)
    with pytest.raises(ConnectionLost) as caught:
        run("INSERT INTO log VALUES (1)")
    words = f"What lived in the old connection is lost: {lost}."
    assert caught.value.__notes__ == [f"\nNothing of this cell was run, and the next one connects again. {words}"]
    assert notices == []
    assert run("FROM log")["a"].tolist() == []
    assert notices == [f"Connected to md:my_db again. {words}"]


def test_the_current_schema_is_chosen_again(run, database, notices):
    run("SET VARIABLE x = 'secret value'; USE sample_data")
    end(database)
    idle(database)
    assert run("SELECT current_database() AS d")["d"].tolist() == ["sample_data"]
    assert notices == [
        "Connected to md:my_db again. What lived in the old connection is lost: variables x. Restored: USE sample_data."
    ]


def test_a_schema_that_is_gone_is_among_what_was_lost(session, run, notices):
    session.use(session.resolve("duckdb:///a.duckdb"))
    run("CREATE SCHEMA s; USE s")
    end(session.use())
    with duckdb.connect("a.duckdb") as other:
        other.execute("DROP SCHEMA s")
    assert run("SELECT current_schema() AS s")["s"].tolist() == ["main"]
    [notice] = notices
    assert notice.endswith("again. What lived in the old connection is lost: the current database (USE s).")


def test_the_configuration_is_that_of_the_lost_connection(session, run, ann, motherduck):
    config = {"motherduck_token": ann.token, "session_name": "s3"}
    end(session.use(session.resolve("md:my_db"), config=config))
    assert run("SELECT 1 AS a")["a"].tolist() == [1]
    assert [entry["parameters"]["session_name"] for entry in motherduck.recorded("connect")] == ["s3", "s3"]


def test_a_connection_in_a_variable_can_be_opened_by_its_owner_alone(session, run):
    connection = duckdb.connect()
    session.use_object("connection", connection)
    assert run("SELECT 1 AS a")["a"].tolist() == [1]
    connection.close()
    with pytest.raises(ConnectionLost) as caught:
        run("SELECT 1")
    assert not hasattr(caught.value, "__notes__")
    assert not session.ready


@pytest.mark.usefixtures("database")
def test_a_connection_lost_in_mid_query_is_new_for_the_next_cell(run, notices, motherduck):
    run("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    timer = threading.Timer(0.3, motherduck.be, kwargs={"down": True})
    timer.start()
    with pytest.raises(ConnectionLost) as caught:
        run("SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3")
    timer.join()
    assert caught.value.__notes__[-1] == (
        "\nThe next cell connects again. What lived in the old connection is lost: temporary table mine."
    )
    motherduck.be(down=False)
    assert run("FROM log")["a"].tolist() == []
    assert len(notices) == 1
    assert connects(motherduck) == 2


def test_a_connection_lost_while_columns_are_described_is_new_for_the_next_cell(session, run, database, motherduck):
    motherduck.be(down=True)
    with pytest.raises(ConnectionLost) as caught:
        session.describe_result("FROM log", {})
    assert caught.value.__notes__[-1] == "\nThe next cell connects again. Nothing else was lost."
    motherduck.be(down=False)
    assert run("FROM log")["a"].tolist() == []
    assert session.use() is not database
    assert connects(motherduck) == 2


ASKING = {
    "run": lambda session: list(session.run("FROM log", {})),
    "dry run": lambda session: session.describe_result("SELECT 1; FROM log", {}),
    "explain": lambda session: session.plan("SELECT 1; FROM log", {}, run=False),
    "analyze": lambda session: session.plan("FROM log", {}, run=True),
    "profile": lambda session: session.profile("log", {}),
}


@pytest.mark.parametrize("ask", ASKING)
def test_a_token_revoked_meanwhile_asks_for_another_where_nothing_has_run(session, database, motherduck, ann, ask):
    motherduck.revoke(ann)
    with pytest.raises(SignInRequired, match=r"did not accept the token from: config, of ann@example\.com"):
        ASKING[ask](session)
    assert not session.ready
    renewed = Token.of(Secret(motherduck.add_account(ann.email).token), "typed")
    session.sign_in(database.target, renewed)
    assert session.whoami()["source"].tolist() == ["typed"]
    [outcome] = session.run("FROM log", {})
    assert outcome.value["a"].tolist() == []


def test_a_token_refused_after_a_statement_has_run_is_an_error(session, database, motherduck, ann):
    outcomes = session.run("INSERT INTO log VALUES (1); FROM log", {})
    assert next(outcomes).changed == 1
    motherduck.revoke(ann)
    with pytest.raises(SignInError, match="Statement 2 of 2 failed; those before it have run") as caught:
        next(outcomes)
    assert not isinstance(caught.value, SignInRequired)  # after signing in, the INSERT would run again
    assert session.pool.find(database.target) is None


def test_what_has_run_nothing_yet_is_started_once_more(session):
    database = session.use()
    used = []

    def start():
        used.append(session.use())
        if len(used) == 1:
            raise ConnectionLost
        return "started"

    assert session._recovery.retried(database, start) == "started"
    assert used[0] is database
    assert used[1] is session.use() is not database


def test_a_start_whose_token_is_refused_asks_for_another(session, database):
    def start():
        message = "Jwt is expired"
        raise SignInError(message)

    with pytest.raises(SignInRequired, match="did not accept the token"):
        session._recovery.retried(database, start)
    assert not session.ready


def test_a_token_refused_on_waking_asks_for_another(session, database, motherduck, ann):
    idle(database)
    motherduck.revoke(ann)
    with pytest.raises(SignInRequired):
        session.use()
    assert not session.ready


def test_signing_out_forgets_what_was_lost(session, run, database, notices, motherduck, ann):
    run("SET VARIABLE x = 1")
    motherduck.be(down=True)
    with pytest.raises(ConnectionLost):
        run("FROM log")
    motherduck.be(down=False)
    session.sign_out()
    assert session.use(database.target, config={"motherduck_token": ann.token}) is not database
    assert notices == []


def test_a_background_query_starts_on_a_new_connection(session, database, notices):
    end(database)
    job = session.start(["SELECT 4 AS a"], {})
    assert job.result(10)["a"].tolist() == [4]
    assert notices == ["Connected to md:my_db again. Nothing else was lost."]


@pytest.mark.parametrize(
    ("before", "schema", "words"),
    [
        pytest.param("SELECT 1", True, "Nothing else was lost.", id="nothing"),
        pytest.param(
            "CREATE TEMP TABLE a(i INT); CREATE TEMP VIEW v AS FROM a; SET threads = 2",
            True,
            "What lived in the old connection is lost: temporary table a, temporary view v; settings threads.",
            id="several",
        ),
        pytest.param(
            "ATTACH ':memory:' AS small; USE small",
            True,
            "What lived in the old connection is lost: attached databases small; the current database (USE small).",
            id="current database",
        ),
        pytest.param("USE memory", False, "Nothing else was lost.", id="current database, restored"),
        pytest.param(
            "BEGIN; PREPARE p AS SELECT 1",
            True,
            "What lived in the old connection is lost: the open transaction, which was not committed;"
            " prepared statements p.",
            id="transaction",
        ),
    ],
)
def test_what_was_lost_in_words(session, run, before, schema, words):
    run(before)
    assert what_was_lost(session.use(), schema=schema) == words

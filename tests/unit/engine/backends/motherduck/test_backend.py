"""What MotherDuck adds, on a real DuckDB in the place of the service; the whole of it is in `tests/motherduck`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import duckdb
import pytest

from md_magic.auth.secret import Secret
from md_magic.engine import backends, execute
from md_magic.engine.backends.motherduck.backend import IDLE, MotherDuckBackend
from md_magic.engine.database import Database
from md_magic.engine.results.spec import AS_DICT
from md_magic.errors import ServiceUnavailable, SignInError, StatementError
from md_magic.sql import target
from md_magic.sql.statement import Statement
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = Secret("a-token-of-some-length-123")
PLACE = target.read("md:my_db").signed_in(TOKEN)


@pytest.fixture
def motherduck_database(duck: Database) -> Iterator[Database]:
    """A MotherDuck whose service is the DuckDB in this process."""
    engine = duck.backend.engine
    database = Database(MotherDuckBackend(PLACE, engine, engine.connect()))
    yield database
    database.close()


def test_its_parameters_ride_in_the_path_and_the_token_in_the_configuration() -> None:
    place = target.read("md:my_db?saas_mode=true&session_name=mine").signed_in(TOKEN)
    path, config, settings = MotherDuckBackend._arguments(place, {"attach_mode": "single", "threads": 2})
    digest = place.account
    assert path.startswith(f"md:my_db?attach_mode=single&saas_mode=true&session_name=mine&user={digest}-")
    assert config["motherduck_token"] is TOKEN
    assert config["threads"] == 2
    assert config["custom_user_agent"].startswith("md_magic/")
    assert settings == {}
    assert TOKEN.reveal() not in path


def test_a_person_can_name_an_agent_of_their_own() -> None:
    config = MotherDuckBackend._arguments(PLACE, {"custom_user_agent": "mine/1"})[1]
    assert config["custom_user_agent"].endswith("(mine/1)")


def test_two_configurations_are_two_instances() -> None:
    paths = {MotherDuckBackend._arguments(PLACE, config)[0] for config in ({}, {"threads": 2}, {"threads": 3})}
    assert len(paths) == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Invalid MotherDuck token", SignInError),
        ('Failed to download extension "motherduck" at URL', ServiceUnavailable),
    ],
)
def test_what_the_service_says_on_connecting_is_understood(text: str, kind: type) -> None:
    error = MotherDuckBackend.connect_refusal(PLACE, {}, text)
    assert type(error) is kind
    assert error.__notes__ == [f"\nMotherDuck said: {text}"]


def test_an_error_that_is_not_the_services_is_left_to_the_driver() -> None:
    assert MotherDuckBackend.connect_refusal(PLACE, {}, "Parser Error: syntax error") is None


def test_the_token_is_masked_in_results(motherduck_database: Database) -> None:
    sql = f"SELECT '{TOKEN.reveal()}' AS token, 42 AS a"
    assert run(motherduck_database, sql).value == {"token": ["***"], "a": [42]}


def test_the_pragma_that_prints_the_token_is_not_run(motherduck_database: Database) -> None:
    outcome = execute.run(motherduck_database, Statement("PRAGMA PRINT_MD_TOKEN", "PRAGMA"), {}, AS_DICT)
    assert outcome.value == {"motherduck_token": ["***"]}


def test_a_setting_is_made_like_elsewhere(motherduck_database: Database) -> None:
    assert run(motherduck_database, "SET VARIABLE token = 'x'").rowless
    assert motherduck_database.backend.local.in_words() == ["variables token"]


def test_every_result_is_searched_whatever_its_sql_says(motherduck_database: Database) -> None:
    assert motherduck_database.backend.secrets_in_results == [TOKEN]
    for sql in (
        f"CREATE VIEW v AS SELECT '{TOKEN.reveal()}' AS a; FROM v",
        f"CREATE MACRO m() AS '{TOKEN.reveal()}'; SELECT m() AS a",
        f"PREPARE p AS SELECT '{TOKEN.reveal()}' AS a; EXECUTE p",
        f"CREATE TEMP TABLE t(a VARCHAR); INSERT INTO t VALUES ('{TOKEN.reveal()}') RETURNING a",
    ):
        assert run(motherduck_database, sql).value == {"a": ["***"]}


def test_a_refused_token_asks_for_another(motherduck_database: Database) -> None:
    with pytest.raises(SignInError, match="MotherDuck did not accept the token") as caught:
        run(motherduck_database, "SELECT error('Jwt is ' || 'expired')")
    assert "MotherDuck said: " in caught.value.__notes__[0]


def test_the_same_words_in_the_query_are_not_the_services(motherduck_database: Database) -> None:
    with pytest.raises(StatementError) as caught:
        run(motherduck_database, "SELECT error('Jwt is expired')")
    assert type(caught.value) is StatementError


def test_a_share_that_is_gone_has_a_hint(motherduck_database: Database) -> None:
    with pytest.raises(StatementError) as caught:
        run(motherduck_database, "SELECT error('no database/share named ''_share/x/1'' ' || 'found')")
    assert "LIST SHARES" in caught.value.__notes__[0]


def test_it_is_probed_after_fifteen_minutes(motherduck_database: Database) -> None:
    assert motherduck_database.needs_probe is False
    monotonic, wall = motherduck_database.used
    motherduck_database.used = (monotonic, wall - IDLE - 1)
    assert motherduck_database.needs_probe is True


@pytest.mark.parametrize(
    ("cause", "answers"),
    [
        (duckdb.CatalogException("no such function"), True),
        (duckdb.TransactionException("aborted"), True),
        (duckdb.IOException("no route"), False),
        (duckdb.InterruptException("INTERRUPT Error"), False),
        (None, False),
    ],
)
def test_an_error_of_a_service_that_works_is_told_from_one_that_is_gone(
    motherduck_database: Database, cause: Exception | None, answers: bool
) -> None:
    assert motherduck_database.backend.answers(cause) is answers
    assert motherduck_database.backend.was_stopped(cause) is isinstance(cause, duckdb.InterruptException)


def test_what_the_client_makes_in_every_connection_is_nobodys(motherduck_database: Database) -> None:
    run(motherduck_database, "CREATE TEMP TABLE mine(a INT)")
    assert [str(temporary) for temporary in motherduck_database.backend.temporary_objects()] == ["temporary table mine"]


def test_the_server_is_told_to_stop_once_for_each_query(motherduck_database: Database) -> None:
    native = motherduck_database.backend.native  # type: ignore[attr-defined] # DuckDB's
    asked: list[str] = []
    told = threading.Event()

    def stop(client: str) -> bool:
        asked.append(client)
        told.set()
        return True

    native.execute("CREATE MACRO md_current_client_connection_id() AS 'client 7'")
    native.create_function("md_interrupt_server_connection", stop, ["VARCHAR"], "BOOLEAN", side_effects=True)
    native.execute(
        "CREATE MACRO md_active_server_connections() AS TABLE SELECT * FROM (VALUES ('client 7'), ('other'))"
        " t(client_connection_id)"
    )
    stopper = motherduck_database.backend.stopper(anew=True)
    assert stopper is not None
    stopper()
    stopper()
    assert told.wait(10)
    assert motherduck_database.backend.stopper(anew=True) is not None  # waits for the thread
    assert asked == ["client 7"]


def test_its_target_is_no_file_and_signs_in() -> None:
    kind = backends.of(PLACE)
    assert (kind, kind.signs_in, kind.is_file(PLACE)) == (MotherDuckBackend, True, False)


def test_its_probe_asks_the_service() -> None:
    assert MotherDuckBackend.probe == Statement("SELECT count(*) FROM md_active_server_connections()", "SELECT")

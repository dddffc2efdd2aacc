"""What a person is told about each text of MotherDuck's service: ours, plain, and wrapped in every way."""

from __future__ import annotations

import json
import time

import duckdb
import pytest
import sqlalchemy

from md_magic.auth.diagnosis import Diagnosis, connect_error, diagnose, unwrapped
from md_magic.errors import ConnectError, ServiceUnavailable, SignInError, UnknownDatabase
from tests.motherduck.standin import texts

UUID = "7962a053-3581-4ebf-abf6-57af957efb1c"
SIGN_IN = "did not accept the token: it is wrong, revoked or expired. Sign in again with %mdsql --login"
NO_DATABASE = "no database or share named 'my_db' that this account sees"
TRY_LATER = "The token is still good, and nothing has to be changed: run the cell again in a minute."
NOT_YET = "This kernel has DuckDB v2.0.0, which MotherDuck does not accept yet."
NO_LONGER = "which MotherDuck no longer accepts."
INSTALL = "%pip install 'duckdb==1.5.6'."
NO_EXTENSION = "There is no MotherDuck extension for this DuckDB, "
UNREACHABLE = "MotherDuck cannot be reached from here (api.motherduck.com). Check the network"
LOST = "The connection to MotherDuck was lost. Run the cell again: it connects anew."
NO_SHARE = f"knows no share '_share/x/{UUID}', or does not show it to this account"

UNAUTHENTICATED = "Your request is not authenticated. Please check your MotherDuck token."
WITH_ID = f"Invalid Error: Request failed: {UNAUTHENTICATED} (Jwt is expired, request id: '5f0c7f3e')"
UNKNOWN = "Failed to attach 'my_db': no database/share named 'my_db' found"
TOO_NEW = texts.OUTAGES["too new"]
FILE = "C:\\Users\\ann\\.duckdb\\extensions\\v1.5.6\\windows_amd64\\motherduck.duckdb_extension"


def threw(cause: str) -> str:
    return (
        f'Invalid Input Error: Initialization function "motherduck_duckdb_cpp_init" from file "{FILE}"'
        f' threw an exception: "{cause}"'
    )


def older(cause: str) -> str:
    return threw(cause).replace("motherduck_duckdb_cpp_init", "motherduck_init")


def failed(cause: str) -> str:
    return threw("").removesuffix(' threw an exception: ""') + f" failed: {cause}"


def of_sqlalchemy(cause: str, *, sql: str = "SELECT 1") -> str:
    """Return the text of SQLAlchemy's error around an error of the driver, made by SQLAlchemy itself."""
    error = sqlalchemy.exc.DBAPIError.instance(
        sql,
        [],
        duckdb.InvalidInputException(cause),
        duckdb.Error,
        dialect=sqlalchemy.create_engine("sqlite://").dialect,
    )
    return str(error)


def in_json(cause: str) -> str:
    """Return the text as DuckDB writes it after `SET errors_as_json = true`."""
    return "Invalid Input Error: " + json.dumps({"exception_type": "Invalid Input", "exception_message": cause})


CONNECTING = [
    # sign in again
    (UNAUTHENTICATED, "token", SIGN_IN),
    (f"Invalid Input Error: {UNAUTHENTICATED}", "token", SIGN_IN),
    (WITH_ID, "token", SIGN_IN),
    (threw(WITH_ID), "token", SIGN_IN),
    (older(WITH_ID), "token", SIGN_IN),
    (failed(WITH_ID), "token", SIGN_IN),
    (threw(threw(WITH_ID)), "token", SIGN_IN),
    (of_sqlalchemy(threw(WITH_ID)), "token", SIGN_IN),
    (in_json(threw(WITH_ID)), "token", SIGN_IN),
    (f"InvalidInputException: {threw(WITH_ID)}", "token", SIGN_IN),
    (threw(texts.MALFORMED), "token", SIGN_IN),
    (threw("Jwt verification fails"), "token", SIGN_IN),
    (threw(texts.NO_TOKEN), "token", SIGN_IN),
    (threw("Invalid MotherDuck token"), "token", SIGN_IN),
    (threw("UNAUTHENTICATED: bad credentials"), "token", SIGN_IN),
    ("Invalid Input Error: MD Authentication Error: Invalid token", "token", SIGN_IN),
    (threw(texts.REFUSED), "token", "or not allowed from here. Sign in again"),
    (threw("PERMISSION_DENIED, RPC 'CREATE_SLT'"), "token", "or not allowed from here. Sign in again"),
    (threw("Could not connect to MotherDuck (PERMISSION_DENIED, request id: '1')"), "token", "or not allowed from here."),
    (f"{texts.DENIED}{threw(texts.NO_TOKEN)}", "denied", "The sign-in was denied on MotherDuck's page"),
    # another name
    ("no database/share named 'my_db' found", "name", NO_DATABASE),
    (threw(UNKNOWN), "name", NO_DATABASE),
    (older(UNKNOWN), "name", NO_DATABASE),
    (failed(UNKNOWN), "name", NO_DATABASE),
    (of_sqlalchemy(threw(UNKNOWN)), "name", NO_DATABASE),
    (threw(UNKNOWN.replace("my_db", f"_share/x/{UUID}")), "name", NO_SHARE),
    (threw("no database/share named 'Jwt is expired' found"), "name", "named 'Jwt is expired' that"),
    # one thing that is not allowed signs nobody out
    (threw("Failed to attach '_share/x/1': (PERMISSION_DENIED, RPC 'GET_SHARE')"), "permission", "Ask the owner"),
    ("Invalid Error: Request failed: PERMISSION_DENIED: no access", "permission", "its token is good otherwise"),
    # another DuckDB
    (TOO_NEW, "version", f"{NOT_YET} Install one that it accepts and restart the kernel: {INSTALL}"),
    (threw(TOO_NEW), "version", f"{NOT_YET} Install one that it accepts and restart the kernel: {INSTALL}"),
    (of_sqlalchemy(older(TOO_NEW)), "version", f"{NOT_YET} Install one that it accepts"),
    (threw(texts.OUTAGES["too old"]), "version", f"This kernel has DuckDB v1.3.2, {NO_LONGER}"),
    (
        threw(
            "Invalid Error: Your MotherDuck extension is running on DuckDB v0.9.2 which is no longer supported. Please"
            " upgrade your DuckDB. We recommend DuckDB v1.0.0."
        ),
        "version",
        ("This kernel has DuckDB v0.9.2, which MotherDuck no longer accepts. Install one that it accepts and restart the"
        " kernel: %pip install 'duckdb==1.0.0'."),
    ),
    (
        older(
            "\nIt looks like you're using an unsupported version of DuckDB (0.10.1). MotherDuck currently only supports"
            " DuckDB 0.9.2. Please downgrade DuckDB to 0.9.2 to use MotherDuck."
        ),
        "version",
        ("This kernel has DuckDB 0.10.1, which MotherDuck does not accept yet. Install one that it accepts and restart"
        " the kernel: %pip install 'duckdb==0.9.2'."),
    ),
    (threw(texts.OUTAGES["not for this version"]), "version", f"{NO_EXTENSION}v1.5.9."),
    (texts.UNWRAPPED["unknown extension"], "version", f"{NO_EXTENSION}v1.5.6. Install one"),
    (f"{texts.UNWRAPPED['no extension']} (HTTP 403)", "version", "v1.5.6, or a proxy refuses its download."),
    (
        older('IO Error: Extension "/x/motherduck.duckdb_extension" could not be loaded: dlopen: symbol not found'),
        "version",
        "FORCE INSTALL motherduck",
    ),
    # no network
    (texts.UNWRAPPED["no extension"], "network", "extensions.duckdb.org cannot be reached"),
    (threw(texts.OUTAGES["no network"]), "network", UNREACHABLE),
    (older('Failed to download "http://api.motherduck.com/extension_version" (attempt 5): Connection'), "network", UNREACHABLE),
    (threw("UNAVAILABLE: failed to connect to all addresses; last error: x"), "network", UNREACHABLE),
    (threw("Network is unreachable"), "network", UNREACHABLE),
    (threw("UNAVAILABLE: DNS resolution failed for api.motherduck.com"), "network", UNREACHABLE),
    # the service: try later
    (threw(texts.OUTAGES["try later"]), "service", TRY_LATER),
    (of_sqlalchemy(failed(texts.OUTAGES["try later"])), "service", TRY_LATER),
    (threw(texts.OUTAGES["unavailable"]), "service", TRY_LATER),
    (threw("DEADLINE_EXCEEDED, RPC 'SETUP_PLAN_FRAGMENTS'"), "service", TRY_LATER),
    (threw("Request failed: request timed out"), "service", TRY_LATER),
    (threw('Failed to download "http://api.motherduck.com/extension_version". Status code "503"'), "service", TRY_LATER),
    (threw("Request failed: HTTP 502 Bad Gateway"), "service", TRY_LATER),
    # the plan's limit
    (threw(texts.OUTAGES["limit"]), "limit", "used up what its plan includes"),
    (of_sqlalchemy("You've reached the daily compute limit for this plan."), "limit", "used up what its plan includes"),
    # lost
    ("Connection Error: Connection already closed", "lost", LOST),
]  # fmt: skip

RUNNING = [
    (texts.REVOKED, "token", SIGN_IN),
    (of_sqlalchemy(texts.REVOKED), "token", SIGN_IN),
    (texts.LOSSES["unavailable"], "lost", LOST),
    (texts.LOSSES["deadline"], "lost", LOST),
    (texts.LOSSES["closed"], "lost", LOST),
    ("DEADLINE_EXCEEDED, RPC 'SETUP_PLAN_FRAGMENTS'", "lost", LOST),
    ("Invalid Error: Request failed: (UNAVAILABLE, RPC 'EXECUTE', request id: '1')", "lost", LOST),
    (of_sqlalchemy("IO Error: UNAVAILABLE: Socket closed"), "lost", LOST),
    ("Binder Error: Database my_db was detached", "lost", LOST),
    ("FATAL Error: Failed: database has been invalidated because of a previous fatal error.", "lost", LOST),
    (texts.NO_SHARE.format(name=f"_share/x/{UUID}"), "name", NO_SHARE),
    ("Catalog Error: no database/share named 'my_db' found", "name", NO_DATABASE),
    ("Invalid Error: Request failed: (PERMISSION_DENIED, RPC 'GET_SHARE', request id: '1')", "permission", "Ask the owner"),
    ("Invalid Error: Request failed: request timed out", "service", TRY_LATER),
    ("Could not connect to MotherDuck. Please try again later.", "service", TRY_LATER),
    ("You've reached the daily compute limit for this plan.", "limit", "used up what its plan includes"),
    ('IO Error: Failed to download "http://api.motherduck.com/x": Could not establish connection', "network", UNREACHABLE),
]  # fmt: skip

NOTHING = [
    ("running", 'Catalog Error: Table with name tbl does not exist!\nDid you mean "pg_tables"?'),
    ("running", "Catalog Error: Table with name UNAVAILABLE does not exist!"),
    ("running", 'Parser Error: syntax error at or near "PERMISSION_DENIED"'),
    ("running", "Conversion Error: Could not convert string 'Invalid MotherDuck token' to INT32"),
    ("running", 'Constraint Error: Duplicate key "text: closed connection" violates primary key constraint'),
    ("running", "Binder Error: Referenced column \"x\" not found\n\nLINE 2: SELECT x, 'Jwt is expired'\n               ^"),
    ("running", 'HTTP Error: Unable to connect to URL "https://data.example.com/a.csv": HTTP 503 (Service Unavailable)'),
    ("running", "IO Error: Could not establish connection error for HTTP GET to 'https://data.example.com/a.parquet'"),
    ("running", 'IO Error: Cannot open file "/root/x.csv": Permission denied'),
    ("running", "IO Error: Connection reset by peer, while reading https://motherduck-open-data.s3.amazonaws.com/x"),
    ("connecting", "Connection Error: Can't open a connection to same database file with a different configuration"),
    ("connecting", "Invalid Input Error: The following options were not recognized: colour"),
    ("connecting", ""),
]  # fmt: skip


def ids(rows: list[tuple[str, str, str]]) -> list[str]:
    return [f"{number} {cause}" for number, (_, cause, _) in enumerate(rows, 1)]


@pytest.mark.parametrize(("text", "cause", "advice"), CONNECTING, ids=ids(CONNECTING))
def test_at_connecting(text: str, cause: str, advice: str) -> None:
    diagnosis = diagnose(text, moment="connecting")
    assert diagnosis is not None
    assert diagnosis.cause == cause
    assert advice in diagnosis.advice
    assert diagnose(text) == diagnosis  # the moment that is meant where none is given


@pytest.mark.parametrize(("text", "cause", "advice"), RUNNING, ids=ids(RUNNING))
def test_in_the_middle_of_a_session(text: str, cause: str, advice: str) -> None:
    diagnosis = diagnose(text, moment="running", sql="SELECT count(*) FROM ducks")
    assert diagnosis is not None
    assert diagnosis.cause == cause
    assert advice in diagnosis.advice


@pytest.mark.parametrize(("moment", "text"), NOTHING)
def test_what_is_not_about_the_service(moment: str, text: str) -> None:
    assert diagnose(text, moment=moment) is None


def test_the_table_is_long_enough_to_mean_something() -> None:
    rows = [(text, "connecting") for text, *_ in CONNECTING] + [(text, "running") for text, *_ in RUNNING]
    assert len(set(rows)) == len(rows) >= 40
    assert {cause for _, cause, _ in CONNECTING + RUNNING} == {
        "denied", "token", "name", "permission", "version", "network", "service", "limit", "lost"
    }  # fmt: skip


def test_only_a_refused_token_shows_the_card_and_only_a_loss_connects_again() -> None:
    diagnoses = [diagnose(text, moment="connecting") for text, *_ in CONNECTING]
    diagnoses += [diagnose(text, moment="running") for text, *_ in RUNNING]
    assert {diagnosis.cause for diagnosis in diagnoses if diagnosis and diagnosis.asks_for_token} == {"token"}
    assert {diagnosis.cause for diagnosis in diagnoses if diagnosis and diagnosis.connection_lost} == {"lost"}


@pytest.mark.parametrize(
    "words",
    ["Invalid MotherDuck token", "closed connection", "UNAVAILABLE: x", "no database/share named 'x' found"],
)
def test_words_of_the_statement_itself_tell_nothing(words: str) -> None:
    text = f"Invalid Input Error: {words}"
    assert diagnose(text, moment="running") is not None
    assert diagnose(text, moment="running", sql=f"SELECT error('{words}')") is None


def test_words_of_the_statement_that_sqlalchemy_quotes_tell_nothing() -> None:
    text = of_sqlalchemy("Invalid Input Error: odd", sql="SELECT 'Jwt is expired'")
    assert "Jwt is expired" in text
    assert diagnose(text, moment="running") is None


def test_what_is_left_when_the_wrapping_is_off() -> None:
    assert unwrapped(of_sqlalchemy(threw(WITH_ID))) == (
        "Invalid",
        f"{UNAUTHENTICATED} (Jwt is expired, request id: '5f0c7f3e')",
    )
    assert unwrapped(threw(UNKNOWN)) == ("Invalid Input", "no database/share named 'my_db' found")
    assert unwrapped("nothing of the kind") == ("", "nothing of the kind")
    assert unwrapped('IO Error: {"exception_type": broken') == ("IO", '{"exception_type": broken')


def test_the_name_that_is_unknown() -> None:
    diagnosis = diagnose(threw(UNKNOWN))
    assert diagnosis is not None
    assert (diagnosis.name, diagnosis.words) == ("my_db", "no database/share named 'my_db' found")


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("token", SignInError),
        ("name", UnknownDatabase),
        ("network", ServiceUnavailable),
        ("service", ServiceUnavailable),
        ("version", ConnectError),
        ("limit", ConnectError),
        ("permission", ConnectError),
        ("lost", ConnectError),
    ],
)
def test_the_error_of_each_cause(cause: str, expected: type[ConnectError]) -> None:
    error = connect_error("md:my_db", Diagnosis(cause, "Do this.", "Its words."), near=" Did you mean my_dbs?")
    assert type(error) is expected
    assert str(error) == "md:my_db cannot be opened. Do this. Did you mean my_dbs?"
    assert error.__notes__ == ["\nMotherDuck said: Its words."]


HOSTILE = [
    "Invalid Error: ", "Request failed: ", "Failed to attach '", "no database named '", "(UNAVAILABLE ", "UNAVAILABLE",
    "HTTP ", "HTTP 5", "DuckDB version (", "DuckDB 1", 'Initialization function "a" from file "', "LINE 1: ", "\nLINE 1",
    '{"exception_type"', "[[", "extensions.duckdb.org/", "upgrade DuckDB to 1", "A", "a.", "(a.", '"', "\n", " ", "'",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_grows_no_faster_than_the_text(unit: str) -> None:
    """A pattern that backtracks takes 100 times as long for a text that is ten times as long, or for ever."""

    def seconds(size: int) -> float:
        started = time.process_time()
        for head in ("", threw("")[:-1]):
            for moment in ("connecting", "running"):
                diagnose(head + unit * (size // len(unit)), moment=moment)
        return time.process_time() - started

    short = min(seconds(10_000) for _ in range(3))
    assert seconds(100_000) < 40 * short + 0.5

"""The stand-in itself, through SQLAlchemy as md_magic uses it: what these tests rest on has to be true of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.motherduck.standin import texts
from tests.motherduck.standin.fixtures import PYTHONPATH
from tests.motherduck.standin.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.motherduck.standin.service import Account, Service


@pytest.fixture
def account(motherduck: Service) -> Account:
    return motherduck.add_account("ann@example.com")


def connect(token: str, path: str = "md:my_db") -> Any:
    return duckdb.connect(path, config={"motherduck_token": token})


def test_sqlalchemy_sees_the_databases_of_the_account(account: Account) -> None:
    engine = create_engine("duckdb:///md:my_db", connect_args={"config": {"motherduck_token": account.token}})
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ducks")).scalar() == 3
        assert connection.execute(text("SELECT count(*) FROM sample_data.main.ducks")).scalar() == 3
        assert connection.execute(text("SELECT alias, type FROM MD_ALL_DATABASES()")).fetchall() == [
            ("my_db", "motherduck"),
            ("sample_data", "motherduck"),
        ]
    engine.dispose()


def test_parameters_arrive_and_tokens_are_not_written_down(motherduck: Service, account: Account) -> None:
    duckdb.connect(f"md:my_db?session_name=u1&motherduck_token={account.token}").close()
    (line,) = motherduck.recorded("connect")
    assert (line["database"], line["parameters"]) == ("my_db", {"session_name": "u1"})
    assert account.token not in (motherduck.folder / "log.jsonl").read_text()


def test_local_paths_are_duckdb_s_own(motherduck: Service) -> None:
    with duckdb.connect() as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert motherduck.recorded("connect") == []


def test_two_accounts_on_one_path_are_refused_and_on_two_are_not(motherduck: Service, account: Account) -> None:
    other = motherduck.add_account("bob@example.com")
    connect(account.token).close()
    with pytest.raises(duckdb.ConnectionException, match="different configuration"):
        connect(other.token)
    bobs = connect(other.token, "md:my_db?user=bob")
    assert bobs.execute("SELECT email FROM owner").fetchone() == ("bob@example.com",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda _: "nonsense", "Jwt is not in the form", id="malformed"),
        pytest.param(lambda _: "a.b.c", "Invalid MotherDuck token", id="unknown"),
        pytest.param(lambda service: service.add_account("old@x.y", days=-1).token, "not authenticated", id="expired"),
    ],
)
@pytest.mark.parametrize("wrapper", texts.WRAPPERS)
def test_refusals_are_wrapped(motherduck: Service, make: Any, message: str, wrapper: str) -> None:
    motherduck.be(wrapper=wrapper)
    token = make(motherduck)
    with pytest.raises(duckdb.InvalidInputException, match=message) as caught:
        connect(token)
    assert ("Initialization function" in str(caught.value)) is (wrapper != "bare")


@pytest.mark.parametrize("outage", [*texts.OUTAGES, *texts.UNWRAPPED])
def test_outages_are_wrapped_but_for_what_duckdb_says_itself(
    motherduck: Service, account: Account, outage: str
) -> None:
    motherduck.be(outage=outage)
    with pytest.raises(duckdb.Error) as caught:
        connect(account.token)
    assert ("Initialization function" in str(caught.value)) is (outage in texts.OUTAGES)


def test_a_service_that_is_down_refuses_connections_too(motherduck: Service, account: Account) -> None:
    motherduck.be(down=True)
    with pytest.raises(duckdb.InvalidInputException, match="UNAVAILABLE"):
        connect(account.token)


def test_a_driver_that_signs_in_at_the_first_statement(motherduck: Service, account: Account) -> None:
    motherduck.be(login_at="statement")
    connection = duckdb.connect("md:")
    assert motherduck.recorded("login") == []
    threading.Thread(target=lambda: motherduck.approve(motherduck.wait_for_login(), account.email)).start()
    assert connection.execute("SELECT username FROM md_user_info()").fetchone() == (account.email,)
    assert len(motherduck.recorded("login")) == 1


def test_unknown_databases_options_and_parameters_are_errors(account: Account) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=r"threw an exception.*no database/share named 'nope' found"):
        connect(account.token, "md:nope")
    with pytest.raises(duckdb.InvalidInputException, match="not recognized: session_name"):
        duckdb.connect("md:", config={"motherduck_token": account.token, "session_name": "x"})
    with pytest.raises(duckdb.InvalidInputException, match="not recognized: colour"):
        connect(account.token, "md:?colour=blue")


def test_frames_of_the_caller_are_tables(account: Account) -> None:
    frame = pd.DataFrame({"n": [1, 2]})
    assert connect(account.token).execute("SELECT sum(n) FROM frame").fetchone() == (3,)
    assert len(frame) == 2


def test_shares(motherduck: Service, account: Account) -> None:
    connection = connect(account.token)
    url = motherduck.share("farm")
    connection.execute(f"ATTACH '{url}' AS farm")
    assert connection.execute("SELECT number FROM farm.eggs").fetchone() == (42,)
    assert connection.execute("SELECT name FROM md_information_schema.shared_with_me").fetchall() == [("farm",)]
    with pytest.raises(duckdb.CatalogException, match="no database/share named '_share/gone/0a1b' found"):
        connection.execute("ATTACH 'md:_share/gone/0a1b' AS gone")


def test_the_service_dies_in_mid_query_and_comes_back(motherduck: Service, account: Account) -> None:
    engine = create_engine("duckdb:///md:my_db", connect_args={"config": {"motherduck_token": account.token}})
    with engine.connect() as connection:
        threading.Timer(0.3, lambda: motherduck.be(down=True)).start()
        with pytest.raises(DBAPIError, match="UNAVAILABLE: failed to connect to all addresses"):
            connection.execute(text("SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(100000) b(i)"))
        motherduck.be(down=False)
        connection.rollback()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


def test_it_is_loaded_into_other_interpreters_from_outside(motherduck: Service, account: Account) -> None:
    code = "import duckdb; print(duckdb.connect('md:').execute('SELECT email FROM owner').fetchone()[0])"
    environ = os.environ | {"PYTHONPATH": PYTHONPATH, "motherduck_token": account.token}
    run = subprocess.run([sys.executable, "-P", "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "ann@example.com"
    assert motherduck.recorded("connect")[0]["pid"] != os.getpid()


def test_without_its_variable_nothing_is_loaded() -> None:
    code = "import duckdb, sys; print(type(duckdb.connect).__name__, 'sitecustomize' in sys.modules, 'tests.motherduck.standin' in sys.modules)"
    environ = {name: value for name, value in os.environ.items() if name != "MD_STANDIN"}
    environ["PYTHONPATH"] = PYTHONPATH
    run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["builtin_function_or_method", "True", "False"]


@pytest.fixture
def page(motherduck: Service) -> Iterator[Page]:
    with Page(motherduck, "ann@example.com") as page:
        yield page


def test_the_page_that_makes_a_token(page: Page, account: Account) -> None:
    with urllib.request.urlopen(f"{page.url}/token-request?appName=md_magic") as response:  # noqa: S310 - our server
        shown = response.read().decode()
    assert "Token for md_magic" in shown
    assert account.token in shown


@pytest.mark.parametrize(("answer", "state"), [("confirm", "approved"), ("deny", "denied")])
def test_the_page_settles_a_login_once(motherduck: Service, page: Page, answer: str, state: str) -> None:
    code = motherduck.start_login()
    form = urllib.parse.urlencode({"user_code": code, "email": "ann@example.com", "answer": answer}).encode()
    for heading in ("Device confirmation", None, "Invalid or expired code"):
        url = f"{page.url}/activate?user_code={code}"
        with urllib.request.urlopen(url, data=None if heading == "Device confirmation" else form) as response:  # noqa: S310
            shown = response.read().decode()
        assert heading is None or heading in shown
    assert motherduck.login(code)["state"] == state

"""The stand-in itself, through SQLAlchemy as md_magic uses it: what these tests rest on has to be true of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest
from md_standin.page import Page
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_standin.service import Account, Service

pytest_plugins = ("md_standin.fixtures",)


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
        assert connection.execute(text("FROM MD_ALL_DATABASES()")).fetchall() == [
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
def test_refusals(motherduck: Service, make: Any, message: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=message):
        connect(make(motherduck))


def test_unknown_databases_options_and_parameters_are_errors(account: Account) -> None:
    with pytest.raises(duckdb.CatalogException, match="no database/share named 'nope'"):
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
    with pytest.raises(duckdb.CatalogException, match="does not exist"):
        connection.execute("ATTACH 'md:_share/gone/0a1b' AS gone")


def test_the_service_dies_in_mid_query_and_comes_back(motherduck: Service, account: Account) -> None:
    engine = create_engine("duckdb:///md:my_db", connect_args={"config": {"motherduck_token": account.token}})
    with engine.connect() as connection:
        threading.Timer(0.3, lambda: motherduck.be(down=True)).start()
        started = time.monotonic()
        with pytest.raises(DBAPIError, match="closed connection"):
            connection.execute(text("SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(100000) b(i)"))
        assert time.monotonic() - started < 5
        motherduck.be(down=False)
        connection.rollback()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


def test_it_is_loaded_into_other_interpreters_from_outside(motherduck: Service, account: Account) -> None:
    code = "import duckdb; print(duckdb.connect('md:').execute('SELECT email FROM owner').fetchone()[0])"
    path = os.pathsep.join(sys.path)
    environ = os.environ | {"PYTHONPATH": path, "motherduck_token": account.token}
    run = subprocess.run([sys.executable, "-P", "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "ann@example.com"
    assert motherduck.recorded("connect")[0]["pid"] != os.getpid()


def test_without_its_variable_nothing_is_loaded() -> None:
    code = "import duckdb, sys; print(type(duckdb.connect).__name__, 'md_standin' in sys.modules)"
    environ = {name: value for name, value in os.environ.items() if name != "MD_STANDIN"}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["builtin_function_or_method", "False"]


@pytest.fixture
def page(motherduck: Service) -> Iterator[Page]:
    with Page(motherduck, "ann@example.com") as page:
        yield page


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

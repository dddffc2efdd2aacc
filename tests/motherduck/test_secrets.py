"""The token is in no result and no error, whatever asks for it, and the texts of other people stay whole."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from md_magic import options
from tests.motherduck.test_cells import ASKING, Cells, in_lower

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tests.motherduck.standin.service import Account, Service


@pytest.fixture
def cells(motherduck: Service, ip: InteractiveShell, capfd: pytest.CaptureFixture[str]) -> Cells:
    assert motherduck.folder
    ip.run_line_magic("load_ext", "md_magic")
    return Cells(ip, capfd)


@pytest.fixture
def ann(motherduck: Service) -> Account:
    return motherduck.add_account("ann@example.com")


@pytest.fixture
def bob(motherduck: Service) -> Account:
    return motherduck.add_account("bob@example.com")


def backend(cells: Cells) -> Any:
    session = cells.shell.magics_manager.registry["MdsqlMagics"].session
    return session.pool.get(session.current).backend


def telling(account: Account) -> tuple[str, ...]:
    """Return what must be nowhere: the token, and those of its parts that tell something."""
    return (account.token, *account.token.split(".")[1:])


@pytest.mark.parametrize(
    "option", ["--background -o job", "--profile", "--grid", "--explain", "--analyze", "--dry-run"]
)
def test_nothing_that_shows_a_result_holds_the_token(
    cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    line = in_lower(cells, ann.token, monkeypatch)
    cells.sql(line, f"CREATE OR REPLACE VIEW v1 AS SELECT t || repeat('x', 300) AS long, t FROM ({ASKING})")
    value = cells.sql(option, "FROM v1")
    if "job" in option:
        value = cells.run("job.result()")
    assert not isinstance(value, BaseException), value
    text = repr(value) + cells.printed
    for show in ("html", "to_dict", "to_frame", "_repr_html_"):
        if hasattr(value, show):
            text += str(getattr(value, show)())
    assert not [part for part in telling(ann) if part in text]


def test_the_text_of_somebody_else_is_shown_whole(
    cells: Cells, ann: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells.sql(in_lower(cells, ann.token, monkeypatch), f"CREATE TABLE logins AS SELECT '{bob.token}' AS jwt")
    assert cells.sql("", "SELECT jwt AS token FROM logins")["token"].tolist() == [bob.token]
    head = ann.token.rpartition(".")[0]
    assert cells.sql("", f"SELECT '{head}' AS token")["token"].tolist() == [head]


DOORS = {
    "path": "ATTACH 'md:my_db?motherduck_token={token}'",
    "environment": "ATTACH 'md:my_db'",
    "load": "LOAD motherduck",
}


@pytest.mark.parametrize("door", DOORS)
def test_a_local_database_that_opened_the_service_is_searched_from_then_on(
    motherduck: Service, cells: Cells, ann: Account, bob: Account, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    motherduck.be(attaches=True)
    assert cells.sql("duckdb:///:memory:", f"SELECT '{bob.token}' AS t")["t"].tolist() == [bob.token]
    assert not backend(cells).secrets_in_results
    if door != "path":
        in_lower(cells, ann.token, monkeypatch)
    value = cells.sql("", DOORS[door].format(token=ann.token))
    assert value is None
    cells.sql("", f"CREATE TABLE memory.mine AS {ASKING}")
    for line in ("", "--as arrow", "--as reader", "--background -o job"):
        value = cells.sql(line, f"FROM memory.mine UNION ALL BY NAME {ASKING}")
        value = cells.run("job.result()") if "job" in line else value
        value = value.read_all() if "reader" in line else value
        assert list(map(str, value["t"])) == ["***"] * 2
    assert cells.sql("", "PRAGMA PRINT_MD_TOKEN")["motherduck_token"].tolist() == ["***"]
    error = cells.sql("", "SELECT error(current_setting('motherduck_token'))")
    assert isinstance(error, Exception)
    assert not [part for part in telling(ann) if part in str(error)]


def test_what_a_background_query_opened_is_searched_in_the_notebook_too(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a connection of its own to the same instance."""
    motherduck.be(attaches=True)
    in_lower(cells, ann.token, monkeypatch)
    cells.sql("duckdb:///:memory: --background -o job", "ATTACH 'md:my_db'")
    cells.run("job.result()")
    assert cells.sql("", ASKING)["t"].tolist() == ["***"]


def test_the_users_own_connection_to_the_service_is_searched(cells: Cells, ann: Account, bob: Account) -> None:
    cells.shell.user_ns["token"] = ann.token
    cells.run("import duckdb\ncon = duckdb.connect('md:my_db', config={'motherduck_token': token})")
    value = cells.sql("--engine con", f"{ASKING} UNION ALL SELECT '{bob.token}'")
    assert value["t"].tolist() == ["***", bob.token]
    error = cells.sql("", "SELECT error(current_setting('motherduck_token'))")
    assert isinstance(error, Exception)
    assert not [part for part in telling(ann) if part in str(error)]


def test_a_connection_that_its_owner_opens_the_service_on_later_is_searched(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    motherduck.be(attaches=True)
    in_lower(cells, ann.token, monkeypatch)
    cells.run("import duckdb\ncon = duckdb.connect()")
    assert cells.sql("--engine con", "SELECT 1 AS a")["a"].tolist() == [1]
    cells.run("con.execute(\"ATTACH 'md:my_db'\");")
    assert cells.sql("--engine con", ASKING)["t"].tolist() == ["***"]


@pytest.mark.parametrize(
    "cell",
    [
        "%mdsql --engine x md:my_db?motherduck_token={token}",
        "%mdsql md:my_db?motherduck_token={token} --engine x",
        "%mdsql --limit {token} SELECT 1",
        "%mdsql --as {token} SELECT 1",
        "%mdsql --nonsense={token}",
        "%mdsql --{token}",
        "%mdsql --timeout={token} SELECT 1",
        "%mdsql --whoami SELECT '{token}'",
        "%mdsql md:my_db?motherduck_tokn={token}",
        "%mdsql md:my_db?attach_mod={token}",
        "%mdsql @{token}",
        "%mdsql --file {token}",
        "%mdsql --engine {token}",
        "%mdsql --to {token} --frame {token}",
        "%%mdsql --whoami\nSELECT '{token}'",
    ],
)
def test_an_error_that_repeats_what_was_typed_holds_no_token(cells: Cells, ann: Account, cell: str) -> None:
    error = cells.run(cell.format(token=ann.token))
    assert isinstance(error, Exception)
    text = "".join(traceback.format_exception_only(error)) + repr(error.args) + cells.printed
    text += str(error.__cause__) + repr(error)
    assert not [part for part in telling(ann) if part in text]


@pytest.mark.parametrize("password", ["pw", "p/w@x", "zebra", "longer-password-9"])
@pytest.mark.parametrize(
    "cell",
    [
        "%mdsql postgresql+psycopg://u:{}@h/db --engine x",
        "%mdsql --engine x postgresql+psycopg://u:{}@h/db",
        "%mdsql --whoami SELECT 'postgresql+psycopg://u:{}@h/db'",
        "%mdsql --whoami SELECT 1, 'postgresql://a-rather-long-name:{}@h/db'",
        "%mdsql --alias postgresql://u:{}@h/db SELECT 1",
        "%mdsql --nonsense=postgresql://u:{}@h/db",
    ],
)
def test_nor_the_password_of_a_url(cells: Cells, cell: str, password: str) -> None:
    error = cells.run(cell.format(password))
    assert isinstance(error, Exception)
    text = str(error) + repr(error.args) + "".join(getattr(error, "__notes__", []))
    assert password[:6] not in text.replace("psycopg", "")


def test_what_a_lost_connection_had_attached_is_said_without_its_password(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells.email(in_lower(cells, ann.token, monkeypatch))
    for path in ("postgres://u:hunter2secret@h/db", "host=h password=hunter2secret dbname=x"):
        backend(cells).local.note("ATTACH", f"ATTACH '{path}'")
    motherduck.be(down=True)
    error = cells.sql("")
    text = str(error) + "".join(error.__notes__)
    assert "postgres://u:***@h/db" in text
    assert "a database without a name" in text
    assert "hunter2" not in text


def test_no_cache_keeps_a_line_with_a_secret(cells: Cells, ann: Account) -> None:
    options._read.cache_clear()
    cells.run("%mdsql --connections")
    assert options._read.cache_info().currsize == 1
    cells.run(f"%mdsql --engine x md:my_db?motherduck_token={ann.token}")
    cells.run("%mdsql --engine x postgresql://u:pw@h/db")
    assert options._read.cache_info().currsize == 1

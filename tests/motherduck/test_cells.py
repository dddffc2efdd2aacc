"""Cells on MotherDuck, from the magic line to the stand-in: tokens, accounts, refusals, and what must not be shown."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from md_magic.auth import credentials
from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from md_magic.display import sign_in_card
from tests.motherduck.standin import texts
from tests.motherduck.standin.service import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from tests.motherduck.standin.service import Account, Service


OWNER = "SELECT email FROM owner"
ASKING = "SELECT current_setting('motherduck_token') AS t"


class Cells:
    """A shell with the extension loaded; a cell gives its value or its error, and what it printed."""

    def __init__(self, shell: InteractiveShell, capfd: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self.capfd = capfd
        self.printed = ""

    def run(self, source: str, **options: Any) -> Any:
        self.capfd.readouterr()
        result = self.shell.run_cell(source, **options)
        self.printed = "".join(self.capfd.readouterr())
        error = result.error_before_exec or result.error_in_exec
        return result.result if error is None else error

    def sql(self, line: str, sql: str = OWNER) -> Any:
        return self.run(f"%%mdsql {line}\n{sql}")

    def email(self, line: str = "") -> str:
        value = self.sql(line)
        assert not isinstance(value, BaseException), value
        return str(value["email"][0])

    def whoami(self) -> dict[str, Any]:
        frame = self.run("%mdsql --whoami")
        return {} if frame is None else frame.to_dict("records")[0]


@pytest.fixture
def shell(ip: InteractiveShell) -> InteractiveShell:
    ip.history_manager.enabled = True  # in memory
    ip.run_line_magic("load_ext", "md_magic")
    return ip


@pytest.fixture
def cells(motherduck: Service, shell: InteractiveShell, capfd: pytest.CaptureFixture[str]) -> Cells:
    assert motherduck.folder
    return Cells(shell, capfd)


@pytest.fixture
def ann(motherduck: Service) -> Account:
    return motherduck.add_account("ann@example.com")


@pytest.fixture
def bob(motherduck: Service) -> Account:
    return motherduck.add_account("bob@example.com")


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Somebody who answers each request to sign in, with the tokens given to `answers`; returns the reasons shown."""
    reasons: list[str | None] = []

    def sign_in(_where: object, *, check: Callable[[Token], object], reason: str | None, **_more: object) -> None:
        reasons.append(reason)
        check(Token.of(Secret(os.environ["ANSWER"]), "typed"))

    monkeypatch.setattr(sign_in_card, "sign_in", sign_in)
    return reasons


# Every way to give a token, and their order


def in_uri(_cells: Cells, token: str, _patch: pytest.MonkeyPatch) -> str:
    return f"duckdb:///md:my_db?motherduck_token={token}"


def in_config(cells: Cells, token: str, _patch: pytest.MonkeyPatch) -> str:
    cells.shell.user_ns["settings"] = {"motherduck_token": token}
    return "duckdb:///md:my_db --config settings"


def in_lower(_cells: Cells, token: str, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("motherduck_token", token)
    return "duckdb:///md:my_db"


def in_upper(_cells: Cells, token: str, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("MOTHERDUCK_TOKEN", token)
    return "md:my_db"


def in_keyring(_cells: Cells, token: str, _patch: pytest.MonkeyPatch) -> str:
    assert credentials.remember(Token.of(Secret(token), "typed"))
    return "md:"


def in_file(_cells: Cells, token: str, patch: pytest.MonkeyPatch) -> str:
    folder = Path(os.environ["HOME"]) / ".motherduck"
    folder.mkdir()
    (folder / "credentials.json").write_text(json.dumps({"user": {"anything": token}}))
    patch.delenv("MOTHERDUCK_HOME", raising=False)
    return "md:my_db"


WAYS = {
    "uri": in_uri,
    "config": in_config,
    "environment motherduck_token": in_lower,
    "environment MOTHERDUCK_TOKEN": in_upper,
    "keyring": in_keyring,
    "motherduck cli": in_file,
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_give_a_token(cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    assert cells.email(WAYS[way](cells, ann.token, monkeypatch)) == ann.email
    row = cells.whoami()
    assert {name: row[name] for name in ("account", "kind", "expires", "source")} == {
        "account": ann.email,
        "kind": "read/write",
        "expires": "never, or not said",
        "source": way,
    }


def test_the_order_of_the_ways(motherduck: Service, cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all of them given, each goes before those after it; taken away one by one, the next is used."""
    tokens = {way: motherduck.add_account(f"{number}@x.y").token for number, way in enumerate(WAYS)}
    for way, give in list(WAYS.items())[2:]:
        give(cells, tokens[way], monkeypatch)
    uri, config = in_uri(cells, tokens["uri"], monkeypatch), in_config(cells, tokens["config"], monkeypatch)
    _, option, name = config.split()
    takes_away = [
        (f"{uri} {option} {name}", lambda: None),
        (config, lambda: None),
        ("md:my_db", lambda: monkeypatch.delenv("motherduck_token")),
        ("md:my_db", lambda: monkeypatch.delenv("MOTHERDUCK_TOKEN")),
        ("md:my_db", credentials.forget),
        ("md:my_db", lambda: None),
    ]
    for number, (line, take_away) in enumerate(takes_away):
        assert cells.email(line) == f"{number}@x.y"
        cells.run("%mdsql --close-all")
        take_away()


def test_a_sqlalchemy_engine_of_the_user(cells: Cells, ann: Account) -> None:
    cells.shell.user_ns["token"] = ann.token
    cells.run(
        "from sqlalchemy import create_engine\n"
        "engine = create_engine('duckdb:///md:my_db', connect_args={'config': {'motherduck_token': token}})"
    )
    assert cells.email("--engine engine") == ann.email


def test_the_database_is_optional_and_others_can_be_named(
    cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_lower(cells, ann.token, monkeypatch)
    assert cells.sql("duckdb:///md:", "SELECT count(*) AS n FROM sample_data.main.ducks")["n"][0] == 3
    assert cells.sql("", "FROM MD_ALL_DATABASES()")["alias"].tolist() == ["my_db", "sample_data"]


def test_every_parameter_arrives_where_the_extension_reads_it(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_lower(cells, ann.token, monkeypatch)
    path = {
        "attach_mode": "single",
        "saas_mode": "true",
        "session_name": "a b&c",
        "dbinstance_inactivity_ttl": "0s",
        "connection_timeout": "30s",
        "session_hint": "older",
        "host": "h.example.com",
        "port": "443",
        "region_host": "r.example.com",
        "tls": "true",
        "user": "7",
    }
    query = (
        "attach_mode=single&saas_mode=true&session_name=a%20b%26c&dbinstance_inactivity_ttl=0s&connection_timeout=30s"
        "&session_hint=older&host=h.example.com&port=443&region_host=r.example.com&tls=true&user=7&cache_buster=9"
        "&motherduck_attach_mode=single&motherduck_enable_server_side_temp_tables=true"
    )
    cells.email(f"md:my_db?{query}&access_mode=read_only&custom_user_agent=mine/2")
    (arrived,) = motherduck.recorded("connect")
    user = Secret(ann.token).digest()
    assert arrived["parameters"].pop("cache_buster").startswith(f"9-{user}")  # in place of `user`, which is given
    assert arrived["parameters"] == path
    assert arrived["config"]["motherduck_attach_mode"] == "single"
    (after,) = motherduck.recorded("set")
    assert "motherduck_enable_server_side_temp_tables" in after["sql"]
    assert "true" in str(after["parameters"])
    assert arrived["config"]["access_mode"] == "read_only"
    assert arrived["config"]["custom_user_agent"].startswith("md_magic/")
    assert arrived["config"]["custom_user_agent"].endswith("(mine/2)")
    cells.shell.user_ns["settings"] = {"session_name": "u2", "saas_mode": False, "threads": 1}
    cells.email("md:my_db --config settings")
    arrived = motherduck.recorded("connect")[-1]
    assert arrived["parameters"].pop("user").startswith(user)
    assert arrived["parameters"] == {"session_name": "u2", "saas_mode": "false"}
    assert arrived["config"] == {"threads": "1", "custom_user_agent": arrived["config"]["custom_user_agent"]}


def test_an_unknown_parameter_is_an_error_that_lists_the_known(cells: Cells, motherduck: Service) -> None:
    error = cells.sql("md:my_db?session_nam=x")
    assert "knows no parameter 'session_nam'" in str(error)
    assert "Did you mean session_name?" in str(error)
    for name in ("session_name", "session_hint", "region_host", "motherduck_saas_mode", "cache_buster"):
        assert f" {name}" in str(error).partition("It knows:")[2]
    assert motherduck.recorded("connect") == []


def test_two_accounts_at_once(cells: Cells, ann: Account, bob: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cells.email(f"{in_lower(cells, ann.token, monkeypatch)} --alias ann") == ann.email
    assert cells.email(f"{in_config(cells, bob.token, monkeypatch)} --alias bob") == bob.email
    for _ in range(2):
        assert cells.email("@ann") == ann.email
        assert cells.email("@bob") == bob.email
    shown = cells.run("%mdsql --connections")
    assert shown["account"].tolist() == [ann.email, bob.email]
    assert shown["name"].tolist() == ["md:my_db", "md:my_db"]
    assert cells.run("%mdsql --close md:my_db") is None
    assert cells.run("%mdsql --connections")["state"].tolist() == ["not open", "not open"]
    assert cells.email("@bob") == bob.email  # an alias stays with its account
    assert cells.whoami()["source"] == "config"


def test_a_repeated_cell_never_connects_again(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = in_lower(cells, ann.token, monkeypatch)
    for again in (line, "", "md:my_db", "duckdb:///md:my_db"):
        assert cells.email(again) == ann.email
    assert len(motherduck.recorded("connect")) == 1


# Without a token, and with one that is refused


def test_without_a_token_and_a_person_the_error_lists_the_ways(motherduck: Service, cells: Cells) -> None:
    error = cells.sql("md:my_db")
    assert type(error).__name__ == "SignInRequired"
    for way in ("motherduck_token", "--config", "motherduck login", "remember me"):
        assert way in str(error)
    assert motherduck.recorded("connect") == motherduck.recorded("login") == []


BAD = {
    "wrong": lambda _: "eyJhbGciOiJI.eyJ3cm9uZyI6MX0x.c2lnbmF0dXJl",
    "no JWT": lambda _: "0123456789abcdefghijklmnopqrstuvwxyz",
    "expired": lambda service: service.add_account("old@x.y", days=-1).token,
}


@pytest.mark.parametrize("wrapper", texts.WRAPPERS)
@pytest.mark.parametrize("bad", BAD)
def test_a_refused_token_asks_whatever_it_is_wrapped_in(
    motherduck: Service,
    cells: Cells,
    ann: Account,
    person: list[str],
    monkeypatch: pytest.MonkeyPatch,
    bad: str,
    wrapper: str,
) -> None:
    motherduck.be(wrapper=wrapper)
    line = in_lower(cells, BAD[bad](motherduck), monkeypatch)
    monkeypatch.setenv("ANSWER", ann.token)
    assert cells.email(line) == ann.email
    (reason,) = person
    assert "did not accept the token from: environment motherduck_token" in reason


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("way", ["uri", "config", "environment motherduck_token", "keyring"])
def test_a_refused_token_asks_once_and_removes_nothing(
    motherduck: Service,
    cells: Cells,
    ann: Account,
    person: list[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    bad: str,
) -> None:
    token = BAD[bad](motherduck)
    line = WAYS[way](cells, token, monkeypatch).replace("md:my_db", "md:sample_data")
    monkeypatch.setenv("ANSWER", ann.token)
    for _ in range(3):  # as Run All does, again and again
        assert cells.email(line) == ann.email
    (reason,) = person
    assert "did not accept the token" in reason
    assert way in reason
    assert token not in reason
    assert cells.whoami()["source"] == "typed"
    assert cells.whoami()["account"] == ann.email
    expected = "sample_data" if way != "keyring" else "my_db"
    assert cells.sql("", "SELECT current_database() AS d")["d"][0] == expected
    if way == "keyring":
        assert credentials.find(environ={}).secret.reveal() == token


def test_a_token_refused_with_nobody_there_fails_the_same_way_each_time(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never does a cell go on with another account, because its own token was refused."""
    in_keyring(cells, ann.token, monkeypatch)
    line = in_lower(cells, motherduck.add_account("old@x.y", days=-1).token, monkeypatch)
    for _ in range(2):
        error = cells.sql(line)
        assert type(error).__name__ == "SignInRequired"
        assert "environment motherduck_token, of old@x.y" in str(error)
        assert "Give a token" in str(error)
        assert "not authenticated" in "".join(error.__notes__)
        assert "not authenticated" in str(error.__cause__)


def test_refused_in_the_middle_of_a_session(
    motherduck: Service,
    cells: Cells,
    bob: Account,
    person: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells.email(f"{in_config(cells, bob.token, monkeypatch)} --alias mine".replace("my_db", "my_db?session_name=s"))
    motherduck.revoke(bob)
    new = motherduck.add_account(bob.email)
    monkeypatch.setenv("ANSWER", new.token)
    assert cells.email() == bob.email
    assert len(person) == 1
    assert "lost" in cells.printed  # what lived in the old connection
    assert motherduck.recorded("connect")[-1]["parameters"]["session_name"] == "s"
    assert cells.email("@mine") == bob.email
    assert len(person) == 1


def test_refused_after_some_statements_does_not_run_them_twice(
    motherduck: Service,
    cells: Cells,
    ann: Account,
    person: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells.email(in_lower(cells, ann.token, monkeypatch))
    query = cells.shell.magics_manager.registry["MdsqlMagics"].session.pool
    revoked = lambda: motherduck.revoke(ann)  # noqa: E731 - a table function would do; the driver is Python's
    next(iter(query)).backend.native.create_function("revoke", lambda: bool(revoked() or True), [], "BOOLEAN")
    error = cells.sql("", "SELECT revoke(); SELECT 2")
    assert type(error).__name__ == "SignInError"
    assert "Statement 2 of 2 failed; those before it have run" in str(error)
    assert person == []
    monkeypatch.setenv("ANSWER", motherduck.add_account(ann.email).token)
    assert cells.email() == ann.email
    assert len(person) == 1


def test_words_in_a_query_do_not_sign_anybody_out(
    cells: Cells, ann: Account, person: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells.email(in_lower(cells, ann.token, monkeypatch))
    for words in ("Invalid MotherDuck token", "PERMISSION_DENIED", "closed connection"):
        assert type(cells.sql("", f"SELECT error('{words}')")).__name__ == "StatementError"
    assert cells.email() == ann.email
    assert person == []


def test_a_misspelt_database_does_not_ask_twice(
    cells: Cells, ann: Account, person: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWER", ann.token)
    error = cells.sql("md:my_bd")
    assert type(error).__name__ == "UnknownDatabase"
    assert "no database or share named 'my_bd' that this account sees" in str(error)
    assert "SHOW ALL DATABASES" in str(error)
    assert "Did you mean my_db?" in str(error)
    assert error.__notes__ == ["\nMotherDuck said: no database/share named 'my_bd' found"]
    assert cells.email("md:my_db") == ann.email
    assert len(person) == 1


def test_a_name_that_is_like_no_other_is_told_without_a_guess(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = in_lower(cells, ann.token, monkeypatch).replace("my_db", "zzz?attach_mode=single")
    assert str(cells.sql(line)).endswith("ATTACH 'md:_share/...'.")
    motherduck.be(missing=["md_all_databases"])  # an account that may not ask
    assert str(cells.sql(line)).endswith("ATTACH 'md:_share/...'.")


# Signing in and out by hand


def test_login_chooses_another_account_and_logout_forgets_it(
    cells: Cells, ann: Account, bob: Account, person: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_keyring(cells, bob.token, monkeypatch)
    assert cells.email(in_lower(cells, ann.token, monkeypatch)) == ann.email
    monkeypatch.setenv("ANSWER", bob.token)
    cells.run("%mdsql --login md:sample_data")
    assert person == [None]
    assert cells.whoami()["account"] == bob.email
    assert cells.email("md:my_db") == bob.email
    cells.run("%mdsql --logout")
    assert "md:sample_data" in cells.printed
    assert "still found in: environment motherduck_token" in cells.printed
    assert cells.run("%mdsql --connections").empty
    assert credentials.remembered() == ()
    assert cells.email("md:my_db") == ann.email
    monkeypatch.delenv("motherduck_token")
    cells.run("%mdsql --logout")
    assert cells.whoami() == {}
    assert type(cells.run("%mdsql --login duckdb:///x.db")).__name__ == "OptionError"


def test_logout_takes_the_account_from_aliases(cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    cells.email(f"{in_config(cells, ann.token, monkeypatch)} --alias mine")
    cells.run("%mdsql --logout")
    assert type(cells.sql("@mine")).__name__ == "SignInRequired"


def test_a_login_that_is_given_up_changes_nothing(cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    cells.email(in_lower(cells, ann.token, monkeypatch))
    assert type(cells.run("%mdsql --login")).__name__ == "SignInRequired"  # nobody is there
    assert cells.email("md:sample_data") == ann.email


def test_attaching_the_service_without_a_token_does_not_start_a_login(motherduck: Service, cells: Cells) -> None:
    """The driver's own login would block the kernel, unseen; its extension is not here, so the refusal is ours."""
    for sql, name in (
        ("ATTACH 'md:my_db'", "ATTACH 'md:'"),
        ("LOAD motherduck; FROM md_all_databases()", "LOAD motherduck"),
        ("PRAGMA MD_CONNECT", "PRAGMA MD_CONNECT"),
        ("SELECT 1; pragma md_connect", "PRAGMA MD_CONNECT"),
    ):
        error = cells.sql("duckdb:///:memory:", sql)
        assert type(error).__name__ == "StatementError"
        assert str(error).startswith(f"{name} needs a MotherDuck token")
    assert motherduck.recorded("login") == motherduck.recorded("connect") == []


def test_with_a_token_the_driver_is_left_to_open_the_service(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("motherduck_token", "x")
    for sql in ("ATTACH 'md:my_db'", "LOAD motherduck"):
        assert "Failed to download extension" in str(cells.sql("duckdb:///:memory:", sql))


# What is shown


@pytest.mark.parametrize(
    ("sql", "pragma"),
    [
        pytest.param("PRAGMA PRINT_MD_TOKEN", "row", id="pragma"),
        pytest.param("PRAGMA PRINT_MD_TOKEN", "prints", id="pragma that prints"),
        pytest.param("-- mine\nPRAGMA print_md_token;", "prints", id="pragma after a comment"),
        pytest.param("SELECT 1 AS n, current_setting('motherduck_token') AS t", "row", id="setting"),
        pytest.param("SELECT {'a': [current_setting('motherduck_token') || '!']} AS t, 7 AS n", "row", id="nested"),
        pytest.param("SELECT encode(current_setting('motherduck_token')) AS t", "row", id="bytes"),
        pytest.param("SELECT split_part(current_setting('motherduck_token'), '.', 3) AS t", "row", id="signature"),
        pytest.param("SELECT to_json([current_setting('motherduck_token')]) AS t", "row", id="JSON"),
        pytest.param(f"CREATE VIEW v1 AS {ASKING}; FROM v1", "row", id="view"),
        pytest.param(f"CREATE MACRO m1() AS TABLE {ASKING}; FROM m1()", "row", id="macro"),
        pytest.param(f"PREPARE p1 AS {ASKING}; EXECUTE p1", "row", id="prepared"),
        pytest.param(f"CREATE TABLE t1 AS {ASKING}; FROM t1", "row", id="table"),
        pytest.param(
            "EXPLAIN FROM range(3) t(i) WHERE i::VARCHAR = current_setting('motherduck_token')",
            "row",
            id="typed explain",
        ),
        pytest.param(f"PIVOT ({ASKING}) ON t USING count(*)", "row", id="name of a column"),
        pytest.param("SELECT name, value FROM duckdb_settings()", "row", id="settings"),
    ],
)
def test_a_result_does_not_hold_the_token(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch, sql: str, pragma: str
) -> None:
    motherduck.be(pragma=pragma)
    line = in_lower(cells, ann.token, monkeypatch)
    for form in ("pandas", "polars", "arrow", "reader", "dict"):
        value = cells.sql(f"{line} --as {form}", sql if form == "pandas" else sql.rpartition("; ")[2])
        if form == "polars":
            value = value.to_arrow()
        if form in {"polars", "arrow", "reader"}:
            value = (value.read_all() if form == "reader" else value).to_pylist()
        text = repr(value if isinstance(value, list | dict) else value.to_dict()) + cells.printed
        assert "***" in text
        for part in (ann.token, ann.token.rpartition(".")[2]):
            assert part not in text


def test_a_grid_does_not_hold_the_token(cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    line = in_lower(cells, ann.token, monkeypatch)
    for sql in ("SELECT 7 AS n, current_setting('motherduck_token') AS t", "PRAGMA PRINT_MD_TOKEN"):
        still = cells.sql(f"{line} --grid", sql)
        text = str(still) + still.html() + repr(still) + cells.printed
        assert "***" in text
        assert not [part for part in (ann.token, *ann.token.split(".")) if part in text]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT error(current_setting('motherduck_token'))",
        "SELECT current_setting('motherduck_token')::INT",
        "SELECT nonsense, '{token}'",
        "SELECT 1; SELECT '{token}'::DATE",
        "SELEC '{token}'",
    ],
)
def test_an_error_does_not_hold_the_token(cells: Cells, ann: Account, sql: str) -> None:
    cells.shell.user_ns["settings"] = {"motherduck_token": ann.token}
    error = cells.sql("md:my_db --config settings", sql.format(token=ann.token))
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    text = "".join("".join(traceback.format_exception(one, chain=True)) + repr(one.args) for one in seen)
    assert "Error" in text
    for part in (ann.token, *ann.token.split(".")):
        assert part not in text + cells.printed.replace(sql, "")


def test_a_token_in_a_cell_warns_once_and_is_not_in_the_history(
    cells: Cells, ann: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = cells.shell.history_manager
    warned = 0
    for account in (ann, bob, ann):
        cells.run(f"%%mdsql md:my_db?motherduck_token={account.token}\n{OWNER}", store_history=True)
        warned += cells.printed.count("This cell holds a MotherDuck token")
    assert warned == 1
    manager.writeout_cache()
    stored = manager.db.execute("SELECT source, source_raw FROM history").fetchall()
    everything = repr([stored, manager.input_hist_raw, manager.input_hist_parsed, cells.shell.user_ns["In"]])
    assert "motherduck_token=***" in everything
    for part in (*ann.token.split(".")[1:], *bob.token.split(".")[1:]):
        assert part not in everything
    cells.run(f"%mdsql {in_lower(cells, ann.token, monkeypatch)} --alias mine")
    cells.email("@mine")
    assert "This cell holds" not in cells.printed  # an alias is no token


# Troubles of the service


@pytest.mark.parametrize(
    ("outage", "message"),
    [
        ("no extension", "could not download its MotherDuck extension"),
        ("unknown extension", "There is no MotherDuck extension for this DuckDB, v1.5.6"),
        ("no network", "MotherDuck cannot be reached from here"),
        ("too new", "has DuckDB v2.0.0, which MotherDuck does not accept yet"),
        ("too old", "has DuckDB v1.3.2, which MotherDuck no longer accepts"),
        ("not for this version", "There is no MotherDuck extension for this DuckDB, v1.5.9"),
        ("try later", "run the cell again in a minute"),
        ("unavailable", "run the cell again in a minute"),
        ("limit", "has used up what its plan includes"),
        ("not allowed", "Ask the owner of the database or share"),
    ],
)
@pytest.mark.parametrize("wrapper", texts.WRAPPERS)
def test_an_outage_is_told_with_what_to_do_and_signs_nobody_out(
    motherduck: Service,
    cells: Cells,
    ann: Account,
    person: list[str],
    monkeypatch: pytest.MonkeyPatch,
    outage: str,
    message: str,
    wrapper: str,
) -> None:
    motherduck.be(outage=outage, wrapper=wrapper)
    error = cells.sql(in_lower(cells, ann.token, monkeypatch))
    later = {"no extension", "no network", "try later", "unavailable"}
    assert type(error).__name__ == ("ServiceUnavailable" if outage in later else "ConnectError")
    assert message in str(error)
    (note,) = error.__notes__
    assert "MotherDuck said: " in note
    assert "Initialization function" not in note
    assert person == []
    motherduck.be(outage=None)
    assert cells.email("md:my_db") == ann.email
    assert cells.whoami()["source"] == "environment motherduck_token"


def test_a_service_that_is_down_keeps_the_token_that_was_typed(
    motherduck: Service, cells: Cells, ann: Account, person: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWER", ann.token)
    assert cells.email("md:my_db") == ann.email
    for mood in ({"down": True}, {"outage": "try later", "down": False}):
        motherduck.be(**mood)
        assert type(cells.sql("md:sample_data")).__name__ == "ServiceUnavailable"
    motherduck.be(outage=None)
    assert cells.email("md:sample_data") == ann.email
    assert len(person) == 1


def test_a_share_that_is_there_and_one_that_is_gone(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = in_lower(cells, ann.token, monkeypatch)
    cells.sql(line, f"ATTACH '{motherduck.share('farm')}' AS farm")
    assert cells.sql("", "SELECT number FROM farm.eggs")["number"][0] == 42
    error = cells.sql("", "ATTACH 'md:_share/farn/0a1b' AS gone")
    assert "no database/share named '_share/farn/0a1b' found" in str(error)
    assert "Ask for its present URL" in "".join(error.__notes__)
    assert "Did you mean farm?" in "".join(error.__notes__)


def test_a_share_that_is_gone_when_it_is_opened(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    motherduck.share("farm")
    error = cells.sql(in_lower(cells, ann.token, monkeypatch).replace("my_db", "_share/farn/0a1b"))
    assert type(error).__name__ == "UnknownDatabase"
    assert "Ask for its present URL" in str(error)
    assert "Did you mean farm?" in str(error)


@pytest.mark.parametrize("loss", texts.LOSSES)
def test_a_lost_connection_comes_back_as_it_was(
    motherduck: Service, cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    motherduck.be(loss=loss)
    in_config(cells, ann.token, monkeypatch)
    cells.shell.user_ns["settings"]["session_name"] = "s3"
    cells.email("md:my_db --config settings")
    motherduck.be(down=True)
    assert type(cells.sql("")).__name__ == "ConnectionLost"
    motherduck.be(down=False)
    assert cells.email() == ann.email
    assert "Connected to md:my_db again" in cells.printed
    first, second = motherduck.recorded("connect")
    assert {**first, "pid": 0} == {**second, "pid": 0}
    assert second["token"] == digest(ann.token)
    assert cells.whoami()["source"] == "config"


def test_the_tree_of_an_account_needs_nothing_that_motherduck_may_not_have(cells: Cells, ann: Account) -> None:
    cells.shell.user_ns["config"] = {"motherduck_token": ann.token}
    assert cells.email("md:my_db --config config") == ann.email
    explorer = cells.shell.magics_manager.registry["MdsqlMagics"].session.catalog_tree()
    names = [entry.path for entry in explorer.children(()).entries]
    assert ("my_db",) in names
    assert ("sample_data",) in names
    assert ("my_db", "main", "owner") in [entry.path for entry in explorer.children(("my_db", "main")).entries]
    assert explorer.preview(("my_db", "main", "owner")).rows[0][0] == ann.email
    frame = cells.run("%mdsql --databases")
    assert {"my_db", "sample_data"} <= set(frame["name"])
    explorer.close()

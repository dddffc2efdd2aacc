"""The façade: targets and aliases, what is open, closing, and that every part of it works on the same connection."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest
import sqlalchemy

from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from md_magic.errors import ConnectError, SignInError, SignInRequired, TargetError

# Targets


def test_two_passwords_on_one_uri_are_two_connections(use):
    right = use("duckdb:///:memory:?http_proxy_password=right", alias="mine")
    wrong = use("duckdb:///:memory:?http_proxy_password=wrong")
    assert right is not wrong
    assert use("@mine") is right
    assert use("duckdb:///:memory:?http_proxy_password=right") is right
    assert use("duckdb:///:memory:") not in (right, wrong)


def test_closing_a_uri_without_its_password_closes_every_account(session, use):
    for password in ("one", "two"):
        use(f"duckdb:///:memory:?http_proxy_password={password}")
    assert session.close(session.resolve("duckdb:///:memory:")) is True
    assert list(session.pool) == []


def test_a_relative_path_is_listed_as_typed(session, use, tmp_path, monkeypatch):
    use("duckdb:///x2.duckdb")
    assert session.connections()[["name", "database"]].to_dict("records") == [
        {"name": "duckdb:///x2.duckdb", "database": "x2.duckdb"}
    ]
    monkeypatch.chdir(tmp_path)
    assert session.connections()["database"].tolist() == [str(tmp_path / "work" / "x2.duckdb")]
    with pytest.raises(ConnectError, match=r"duckdb:///no/x.duckdb cannot be opened.*") as caught:
        use("duckdb:///no/x.duckdb")
    assert str(tmp_path) not in "".join([str(caught.value), *caught.value.__notes__])
    assert "The folder 'no' does not exist" in caught.value.__notes__[0]


def test_nothing_is_open_before_the_first_use(session):
    assert not session.ready
    assert session.current is None
    assert list(session.pool) == []
    assert session.close() is False
    assert session.connections().columns.tolist() == ["name", "alias", "state", "database", "account", "age", "current"]


def test_the_first_use_opens_a_database_in_memory(session):
    database = session.use()
    assert session.ready
    assert session.current == database.target
    assert database.target.name == "duckdb:///:memory:"
    assert session.use() is database


def test_a_target_stays_current_until_another_is_used(session, use, run):
    first = use("duckdb:///a.duckdb", alias="a")
    second = use("sqlite:///b.db")
    assert session.use() is second
    assert session.use(session.resolve("@a")) is first
    assert run("SELECT current_database() AS d")["d"].tolist() == ["a"]


def test_an_alias_can_be_given_to_what_is_open(session, use):
    database = use("duckdb:///a.duckdb")
    assert session.use(alias="mine") is database
    assert session.aliases == {"mine": database.target}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        pytest.param(
            "@prdo",
            "No target has the alias '@prdo'. Known aliases: @prod. Give one with `%mdsql"
            " duckdb:///my.duckdb --alias prdo`. Did you mean @prod?",
            id="near",
        ),
        pytest.param(
            "@other",
            "No target has the alias '@other'. Known aliases: @prod. Give one with `%mdsql"
            " duckdb:///my.duckdb --alias other`.",
            id="unknown",
        ),
    ],
)
def test_an_unknown_alias_is_an_error_that_lists_the_others(session, use, word, message):
    use("duckdb:///a.duckdb", alias="prod")
    with pytest.raises(TargetError) as caught:
        session.resolve(word)
    assert str(caught.value) == message


def test_no_alias_at_all(session):
    with pytest.raises(TargetError, match="Known aliases: none yet"):
        session.resolve("@mine")


def test_a_target_that_cannot_be_opened_does_not_become_current(session, use):
    database = use("duckdb:///a.duckdb")
    with pytest.raises(ConnectError, match=r"The folder .*nowhere' does not exist"):
        raise_with_notes(lambda: use("duckdb:///nowhere/b.duckdb"))
    assert session.current == database.target


def raise_with_notes(act):
    """Let `match` see the notes of an error too."""
    try:
        act()
    except ConnectError as error:
        raise ConnectError(str(error) + "".join(error.__notes__)) from error


def test_another_configuration_of_what_is_open_is_refused(use, run):
    use("duckdb:///a.duckdb", config={"threads": 2})
    assert run("SELECT current_setting('threads') AS n")["n"].tolist() == [2]
    use("duckdb:///a.duckdb", config={"threads": 2})
    with pytest.raises(ConnectError, match="already open with another configuration"):
        use("duckdb:///a.duckdb", config={"threads": 3})


@pytest.mark.parametrize(
    "make", [duckdb.connect, lambda: sqlalchemy.create_engine("sqlite://")], ids=["DuckDB", "SQLAlchemy"]
)
def test_an_object_in_a_variable_is_a_target(session, run, make):
    value = make()
    database = session.use_object("value", value, alias="mine")
    assert database.target.name == "--engine value"
    assert session.use_object("value", value) is database
    assert run("SELECT 1 AS a")["a"].tolist() == [1]
    assert session.resolve("@mine") == database.target
    session.close()
    with pytest.raises(TargetError, match="--engine value is closed, and only you can open it"):
        session.use(session.resolve("@mine"))


# What is open


def test_connections_are_listed_with_alias_and_state(session, use, run):
    use("duckdb:///a.duckdb", alias="a")
    run("BEGIN")
    use("sqlite://")
    frame = session.connections()
    assert frame["name"].tolist()[1] == "sqlite://"
    assert frame["alias"].tolist() == ["a", ""]
    assert frame["state"].tolist() == ["in transaction", "open"]
    assert frame["current"].tolist() == [False, True]
    assert all(0 <= age < 60 for age in frame["age"])


def test_closing_one_and_all(session, use):
    first, second = use("duckdb:///a.duckdb", alias="a"), use("sqlite:///b.db")
    assert session.close(first.target) is True
    assert session.close(first.target) is False
    assert session.current == second.target
    assert session.close() is True
    assert session.current is None
    assert session.close() is False
    use("@a")
    use("sqlite:///b.db")
    assert session.close_all() == 2
    assert not session.ready
    assert first.backend.connection.closed


def test_a_closed_session_is_usable(session, run):
    run("CREATE TABLE t(a INT)")
    session.close_all()
    assert run("SELECT 1 AS a")["a"].tolist() == [1]
    assert session.tables().empty  # another database in memory


# Accounts


@pytest.fixture
def ann(motherduck):
    return motherduck.add_account("ann@example.com")


@pytest.fixture
def bob(motherduck):
    return motherduck.add_account("bob@example.com")


def typed(account):
    return Token.of(Secret(account.token), "typed")


def owner(session):
    [outcome] = session.run("SELECT email FROM owner", {})
    return outcome.value["email"][0]


def test_two_accounts_on_one_target_are_two_connections(session, use, ann, bob):
    for account in (ann, bob):
        use("md:my_db", config={"motherduck_token": account.token}, alias=account.email[:3])
        assert owner(session) == account.email
    use("@ann")
    assert owner(session) == ann.email
    assert session.connections()["account"].tolist() == [ann.email, bob.email]
    assert session.close(session.resolve("md:my_db")) is True  # of whatever account
    assert session.connections()["state"].tolist() == ["not open", "not open"]


def test_signing_in_opens_the_target_and_later_ones(session, use, ann):
    with pytest.raises(SignInRequired, match="md:my_db needs a MotherDuck token, and none was found"):
        use("md:my_db")
    session.sign_in(session.resolve("md:my_db"), typed(ann), alias="mine")
    assert owner(session) == ann.email
    use("md:sample_data")
    assert owner(session) == ann.email
    assert session.whoami().to_dict("records")[0]["source"] == "typed"


def test_a_refused_token_is_not_kept_and_one_for_an_unknown_database_is(session, use, motherduck, ann):
    with pytest.raises(SignInError):
        session.sign_in(session.resolve("md:my_db"), typed(motherduck.add_account("old@x.y", days=-1)))
    assert session.whoami().empty
    with pytest.raises(ConnectError, match="no database/share named 'nope'"):
        session.sign_in(session.resolve("md:nope"), typed(ann))
    use("md:my_db")
    assert owner(session) == ann.email


def test_a_refused_token_of_the_environment_asks_for_another(session, use, motherduck, ann, monkeypatch):
    monkeypatch.setenv("motherduck_token", motherduck.add_account("old@x.y", days=-1).token)
    for _ in range(2):
        with pytest.raises(SignInRequired, match=r"from: environment motherduck_token, of old@x\.y") as caught:
            use("md:my_db")
        assert "not authenticated" in str(caught.value.__cause__)
    session.sign_in(session.resolve("md:my_db"), typed(ann))
    use("md:sample_data")
    assert owner(session) == ann.email


def test_preferring_whoever_signed_in(session, use, ann, bob, monkeypatch):
    monkeypatch.setenv("motherduck_token", ann.token)
    session.sign_in(session.resolve("md:sample_data"), typed(bob))
    use("md:my_db")
    assert owner(session) == ann.email
    session.prefer_signed_in()
    session.close()
    use("md:my_db")
    assert owner(session) == bob.email


def test_signing_out_closes_what_a_token_opened_and_nothing_else(session, use, ann, bob, monkeypatch):
    local = use("duckdb:///a.duckdb")
    session.sign_in(session.resolve("md:my_db"), typed(ann), alias="mine")
    assert session.sign_out() == (["md:my_db"], None)
    assert [database.target for database in session.pool] == [local.target]
    with pytest.raises(SignInRequired):
        use("@mine")
    monkeypatch.setenv("motherduck_token", bob.token)
    _, left = session.sign_out()
    assert left.account == bob.email
    use("@mine")
    assert owner(session) == bob.email


# The parts together


def test_the_catalogue_is_that_of_the_current_target(session, use, run):
    run("CREATE TABLE ducks(a INT, b VARCHAR)")
    assert session.tables("duck")["name"].tolist() == ["ducks"]
    assert session.tables("%eese")["name"].tolist() == []
    assert session.describe("ducks")["column"].tolist() == ["a", "b"]
    assert session.databases()["name"].tolist() == ["memory"]
    with pytest.raises(
        TargetError, match=r"There is no table or view 'duks' in duckdb:///:memory:\. Did you mean ducks\?"
    ):
        session.describe("duks")
    use("sqlite://")
    assert session.tables()["name"].tolist() == []


def test_the_tree_asks_the_current_target(session, run):
    run("CREATE TABLE ducks(a INT)")
    explorer = session.catalog_tree()
    assert ("memory", "main", "ducks") in [entry.path for entry in explorer.children(("memory", "main")).entries]
    explorer.close()


def test_names_open_nothing_and_know_what_a_cell_has_made(session, run):
    assert session.names().tables == ()
    assert not session.ready
    run("CREATE TABLE ducks(a INT)")
    assert [table.name for table in session.names().tables] == ["ducks"]


def test_a_closed_database_leaves_no_catalog_cache(session, run):
    run("SELECT 1")
    assert len(session._caches) == 1
    session.close()
    assert session._caches == {}


def test_saved_queries_parameters_and_frames_work_in_every_way_of_running(session):
    variables = {"frame": pd.DataFrame({"i": range(10)}), "least": 7}
    with session.saving("top", "SELECT i FROM frame WHERE i > :least"):
        [outcome] = session.run("SELECT i FROM frame WHERE i > :least", variables)
    assert outcome.value["i"].tolist() == [8, 9]
    sql, parameters = "SELECT max(i) AS n FROM top", {"least": 8}
    [outcome] = session.run(sql, variables, parameters=parameters)
    assert outcome.value["n"].tolist() == [9]
    assert session.start([sql], variables, parameters=parameters).result(10)["n"].tolist() == [9]
    assert session.describe_result(sql, variables, parameters)["column"].tolist() == ["n"]
    assert session.plan(sql, variables, parameters, run=True).operators
    assert session.profile("FROM top", variables, parameters).rows == 1

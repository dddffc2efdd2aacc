"""What a session asks the service behind its target, where there is none, and what it keeps of a failure."""

from __future__ import annotations

import datetime as dt

import pytest

from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from md_magic.engine.backends.motherduck.service import RunningQuery, TokenInfo
from md_magic.errors import OptionError, StatementError
from md_magic.session import platform
from md_magic.session.session import Session
from md_magic.sql import target as targets

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def session():
    made = Session(notify=lambda _line: None)
    made.use(targets.read("duckdb:///:memory:"))
    yield made
    made.close_all()


def failed(session, sql):
    with pytest.raises(StatementError) as caught:
        list(session.run(sql, {}))
    session.platform.note_failure(sql, caught.value)


def test_a_database_without_a_service_says_nothing(session):
    assert session.platform.last_query() is None
    assert list(session.whoami().columns) == ["account", "kind", "expires", "source"]
    for ask in (session.platform.running, lambda: session.platform.stop("1")):
        with pytest.raises(StatementError, match="duckdb:///:memory: is another database"):
            ask()
    assert list(session.run("SELECT 1", {}))


def test_only_what_the_database_refused_is_kept(session):
    with pytest.raises(OptionError, match="none has failed"):
        session.platform.ask_consent()
    session.platform.note_failure("SELECT 1", StatementError("an error of ours"))
    with pytest.raises(OptionError, match="none has failed"):
        session.platform.ask_consent()
    failed(session, "SELECT nope")
    with pytest.raises(StatementError, match="found none of which it is sure"):
        session.platform.ask_consent()


def test_a_failure_is_kept_without_the_token_that_was_typed(session):
    token = f"ey{'a' * 20}.{'b1' * 20}.{'c2' * 20}"
    failed(session, f"SELECT nope, '{token}'")
    assert token[30:60] not in repr(session.platform._failure)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ([NOON], "0"),
        ([NOON + dt.timedelta(seconds=3), NOON + dt.timedelta(hours=1)], "0"),
        ([NOON, NOON + dt.timedelta(seconds=2)], None),
        ([NOON + dt.timedelta(seconds=9)], None),
        ([None], None),
        ([], None),
    ],
)
def test_the_token_is_the_one_that_was_made_when_it_says(made, name):
    tokens = [TokenInfo(str(number), "", created, None) for number, created in enumerate(made)]
    own = platform._own(tokens, Token(Secret("x"), "typed", issued=NOON))
    assert (own and own.name) == name
    assert platform._own(tokens, Token(Secret("x"), "typed")) is None


def test_an_id_may_be_shortened_to_what_is_one():
    queries = [RunningQuery(name, "SELECT 1", "", None, "") for name in ("abc", "abd")]
    assert platform._meant("ABC", queries) == "abc"
    with pytest.raises(OptionError, match="2 ids begin with it: abc, abd"):
        platform._meant("ab", queries)
    with pytest.raises(OptionError, match=r"no query with this id is running. Running: abc \(SELECT 1\); abd"):
        platform._meant("x", queries)

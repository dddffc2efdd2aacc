"""Tokens: which one opens a target, what happens to one that is refused, and signing in and out."""

from __future__ import annotations

import pytest

from md_magic.auth import credentials
from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from md_magic.engine.pool import EnginePool
from md_magic.errors import SignInError, SignInRequired
from md_magic.session.accounts import Accounts, sealed
from md_magic.sql import target as targets


@pytest.fixture
def ann(motherduck):
    return motherduck.add_account("ann@example.com")


@pytest.fixture
def bob(motherduck):
    return motherduck.add_account("bob@example.com")


@pytest.fixture
def accounts(motherduck):
    assert motherduck.folder
    return Accounts(use_keyring=lambda: True)


def typed(account):
    return Token.of(Secret(account.token), "typed")


def in_uri(account, _patch):
    return targets.read(f"md:my_db?motherduck_token={account.token}"), None


def in_config(account, _patch):
    return targets.read("md:my_db"), {"motherduck_token": account.token}


def in_environment(account, patch):
    patch.setenv("motherduck_token", account.token)
    return targets.read("md:my_db"), None


def in_keyring(account, _patch):
    assert credentials.remember(typed(account))
    return targets.read("md:my_db"), None


WAYS = {"uri": in_uri, "config": in_config, "environment motherduck_token": in_environment, "keyring": in_keyring}


@pytest.mark.parametrize("source", WAYS)
def test_a_token_is_found_wherever_it_was_given(accounts, ann, monkeypatch, source):
    token = accounts.token_for(*WAYS[source](ann, monkeypatch))
    assert (token.secret.reveal(), token.source, token.account) == (ann.token, source, ann.email)


def test_the_keyring_is_left_alone_where_it_may_not_be_used(motherduck, ann, monkeypatch):
    assert motherduck.folder
    target, config = in_keyring(ann, monkeypatch)
    with pytest.raises(SignInRequired, match="md:my_db needs a MotherDuck token, and none was found"):
        Accounts(use_keyring=lambda: False).token_for(target, config)


def test_a_person_signs_in_where_there_is_no_token(accounts, ann):
    target = targets.read("md:my_db")
    with pytest.raises(SignInRequired):
        accounts.token_for(target, None)
    accounts.sign_in(typed(ann))
    assert accounts.token_for(target, None) == typed(ann)


def test_the_environment_goes_before_the_person_until_they_choose(accounts, ann, bob, monkeypatch):
    target, _ = in_environment(bob, monkeypatch)
    accounts.sign_in(typed(ann))
    assert accounts.token_for(target, None).account == bob.email
    accounts.prefer_signed_in()
    assert accounts.token_for(target, None).account == ann.email


@pytest.mark.parametrize("source", WAYS)
def test_a_refused_token_is_tried_again_where_there_is_no_other(accounts, ann, monkeypatch, source):
    where = WAYS[source](ann, monkeypatch)
    accounts.refused(SignInError("no"), accounts.token_for(*where))
    assert accounts.token_for(*where).secret.reveal() == ann.token


@pytest.mark.parametrize("source", WAYS)
def test_a_refused_token_gives_way_to_the_one_signed_in_with(accounts, ann, bob, monkeypatch, source):
    where = WAYS[source](bob, monkeypatch)
    accounts.refused(SignInError("no"), accounts.token_for(*where))
    accounts.sign_in(typed(ann))
    assert accounts.token_for(*where) == typed(ann)


@pytest.fixture
def opened(bob):
    """Give a database that was opened with bob's token."""
    pool = EnginePool()
    yield pool.get(targets.read("md:my_db").signed_in(Secret(bob.token)), {}, typed(bob))
    pool.close_all()


def test_a_target_is_never_opened_with_another_account_because_its_own_was_refused(accounts, opened, ann, bob):
    accounts.opened(opened)
    assert accounts.token_for(opened.target, None) == typed(bob)
    accounts.refused(SignInError("no"), typed(bob))
    accounts.sign_in(typed(ann))
    assert accounts.token_for(opened.target, None) == typed(bob)


def test_an_account_that_was_refused_comes_back_with_its_new_token(accounts, opened, motherduck, bob):
    accounts.opened(opened)
    accounts.refused(SignInError("no"), typed(bob))
    renewed = typed(motherduck.add_account(bob.email))
    accounts.sign_in(renewed)
    assert accounts.token_for(opened.target, None) == renewed


def test_the_error_of_a_refused_token_says_whose_it_was_and_what_the_service_said(accounts, ann):
    error = SignInError("no")
    error.add_note("\nMotherDuck said: Jwt is expired")
    required = accounts.refused(error, typed(ann))
    assert str(required) == (
        "MotherDuck did not accept the token from: typed, of ann@example.com. It is wrong, revoked or expired."
    )
    assert required.__notes__ == ["\nMotherDuck said: Jwt is expired"]
    assert ann.token not in repr(required)


def test_the_error_of_a_token_that_nobody_knows(accounts):
    required = accounts.refused(SignInError("no"), None)
    assert str(required) == "MotherDuck did not accept the token. It is wrong, revoked or expired."


def test_a_token_that_was_refused_after_signing_in_is_not_found_again(accounts, ann):
    accounts.sign_in(typed(ann))
    accounts.refused(SignInError("no"), typed(ann))
    assert accounts.find() is None


def test_signing_out_forgets_the_keyring_and_returns_what_the_environment_has(accounts, ann, bob, monkeypatch):
    in_keyring(bob, monkeypatch)
    accounts.sign_in(typed(ann))
    assert accounts.sign_out() is None
    assert credentials.remembered() == ()
    assert accounts.find() is None
    in_environment(bob, monkeypatch)
    left = accounts.sign_out()
    assert (left.account, left.source) == (bob.email, "environment motherduck_token")


def test_whoami_is_about_the_open_database_or_else_the_next_one(accounts, opened, ann, bob):
    assert accounts.whoami(None).to_dict("list") == {"account": [], "kind": [], "expires": [], "source": []}
    accounts.sign_in(typed(ann))
    [row] = accounts.whoami(None).to_dict("records")
    assert row == {
        "account": ann.email,
        "kind": "read/write",
        "expires": "never, or not said",
        "source": "typed",
    }
    assert accounts.whoami(opened)["account"].tolist() == [bob.email]
    assert accounts.token_of(opened) == typed(bob)


def test_a_configuration_shows_no_secret():
    config = {"motherduck_token": "eyJ0", "threads": 2, "s3_secret_access_key": "abc", "custom_user_agent": "me"}
    kept = sealed(config)
    assert repr(kept) == (
        "{'motherduck_token': Secret(***), 'threads': 2, 's3_secret_access_key': Secret(***), 'custom_user_agent': 'me'}"
    )
    assert kept["motherduck_token"].reveal() == "eyJ0"
    assert sealed(None) == {}

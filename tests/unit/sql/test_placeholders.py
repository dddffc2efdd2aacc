"""Targets with variables in them: which place is meant, and that what the variables hold is never shown."""

from __future__ import annotations

import pytest
import sqlalchemy

from md_magic.errors import TargetError
from md_magic.sql import placeholders
from md_magic.sql import target as targets


def read(word, **variables):
    return placeholders.read(word, variables)


@pytest.mark.parametrize(
    ("word", "is_one"),
    [("$PROD", True), ("$_x1", True), ("$1", False), ("$$", False), ("$a-b", False), ("$", False), ("a$b", False)],
)
def test_a_whole_word_is_a_target(word, is_one):
    assert targets.is_target(word) is is_one


def test_the_python_variable_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("PLACE", "sqlite:///env.db")
    assert read("$PLACE").url.endswith("env.db")
    assert read("$PLACE", PLACE="sqlite:///python.db").url.endswith("python.db")
    assert read("sqlite:///${PLACE}", PLACE="x.db") == targets.read("sqlite:///x.db")


def test_it_is_the_same_target_as_if_it_had_been_typed():
    uri = "postgresql+psycopg://me:s3cret-pass@db.internal:5432/shop"
    assert read("$P", P=uri) == targets.read(uri)
    assert read("postgresql+psycopg://${U}:${PW}@${H}/shop", U="me", PW="s3cret-pass", H="db.internal:5432") == read(
        "$P", P=uri
    )
    assert read("$P", P=sqlalchemy.make_url(uri)) == targets.read(uri)
    assert read("md:${DB}", DB="my_db") == targets.read("md:my_db")
    assert read("$P", P="md:my_db?motherduck_token=abcdefgh12345678").secrets["motherduck_token"].reveal() == (
        "abcdefgh12345678"
    )


@pytest.mark.parametrize("password", ["p@ss:w/rd%1#?", "a b", "ä€", "%40"])
def test_a_password_is_taken_as_it_is(password):
    target = read("postgresql+psycopg://me:${PW}@h/db", PW=password)
    assert target.secrets["password"].reveal() == password
    assert read("postgresql+psycopg://me@h/db?password=${PW}", PW=password).secrets["password"].reveal() == password


def test_what_a_variable_holds_is_not_shown():
    uri = "postgresql+psycopg://someone:s3cret-pass@db.internal/shopdb"
    whole = read("$PROD", PROD=uri)
    part = read("postgresql+psycopg://${U}:${PW}@${H}/shopdb", U="someone", PW="s3cret-pass", H="db.internal")
    assert (whole.name, whole.shown_database, whole.user) == ("$PROD", "", "")
    assert part.name == "postgresql+psycopg://${U}:***@${H}/shopdb"
    assert (part.shown_database, part.user) == ("shopdb", "${U}")
    said = 'connection to "db.internal" failed: no database "shopdb" for someone, not db.internals'
    assert whole.as_typed(said) == 'connection to "$PROD" failed: no database "$PROD" for $PROD, not db.internals'
    assert part.as_typed(said) == 'connection to "${H}" failed: no database "shopdb" for ${U}, not db.internals'
    for shown in (repr(whole), repr(part), str(whole), f"{part}"):
        for value in ("someone", "s3cret-pass", "db.internal"):
            assert value not in shown


@pytest.mark.parametrize(
    ("word", "variables", "says"),
    [
        ("$NOWHERE_AT_ALL", {}, "neither a Python variable nor an environment variable 'NOWHERE_AT_ALL'"),
        ("sqlite:///${NOWHERE_AT_ALL}", {}, "neither a Python variable nor an environment variable"),
        ("$p", {"p": 1.5}, "holds a float, where text is needed"),
        ("$p", {"p": sqlalchemy.create_engine("sqlite://")}, "--engine p"),
        ("$p", {"p": "postgres//hidden-host"}, "cannot be read as a target"),
        ("$p", {"p": "duckdb://hidden.duckdb"}, "begins with 'duckdb:'"),
        ("duckdb://${p}", {"p": "hidden.duckdb"}, "three slashes: write duckdb:///${p}"),
        ("${p}://u@h/x", {"p": "hidden scheme"}, "'${p}://u@h/x' cannot be read as a URI"),
    ],
)
def test_what_cannot_be_meant_says_so_and_shows_no_value(word, variables, says):
    with pytest.raises(TargetError) as raised:
        placeholders.read(word, variables)
    assert says in str(raised.value)
    assert "hidden" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("empty", ["", " ", "\n\t "])
@pytest.mark.parametrize(
    "word",
    [
        "duckdb:///${DBN}",
        "sqlite:///${DBN}",
        "md:${DBN}",
        "duckdb:///data/${DBN}",
        "postgresql+psycopg://me:${DBN}@h/db",
        "sqlite:///${PLACE}${DBN}",
        "$DBN",
    ],
)
def test_a_variable_that_holds_nothing_opens_no_other_place(word, empty, monkeypatch):
    for variables in ({"DBN": empty, "PLACE": "x.db"}, {"PLACE": "x.db"}):
        monkeypatch.setenv("DBN", empty)
        with pytest.raises(TargetError, match="holds nothing") as raised:
            placeholders.read(word, variables)
        assert "DBN" in str(raised.value)


def test_none_is_no_target():
    with pytest.raises(TargetError, match="holds None, where text is needed"):
        read("duckdb:///${DBN}", DBN=None)

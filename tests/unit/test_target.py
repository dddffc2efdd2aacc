"""Targets: what a URI means, what is one place, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from md_magic import target
from md_magic.errors import TargetError


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("md:db", "duckdb:///md:db", id="short and documented"),
        pytest.param("md:db", "duckdb:///md%3Adb", id="percent-encoded"),
        pytest.param("MD:db", "motherduck:db", id="long scheme, upper case"),
        pytest.param("md:", "duckdb:///md:", id="no database"),
        pytest.param("md:db?attach_mode=single&session_name=a", "md:db?session_name=a&attach_mode=single", id="order"),
        pytest.param("duckdb://", "duckdb:///:memory:", id="empty is memory"),
        pytest.param("duckdb:///a.db", "duckdb:///./a.db", id="dot"),
        pytest.param("duckdb:///b/../a.db", "duckdb:///a.db", id="dot dot"),
        pytest.param("duckdb:///a%20b.db", "duckdb:///a b.db", id="percent-encoded file"),
        pytest.param("sqlite:///a.db", "sqlite:///./a.db", id="sqlite file"),
        pytest.param("postgresql://u:one@h/d", "postgresql://u:two@h/d", id="passwords are not part of the place"),
    ],
)
def test_two_spellings_of_one_place_are_equal(left, right):
    assert target.read(left) == target.read(right)
    assert hash(target.read(left)) == hash(target.read(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("md:a", "md:b", id="databases"),
        pytest.param("duckdb:///:memory:", "duckdb:///:memory:named", id="named memory"),
        pytest.param("postgresql://u@h/d", "postgresql://v@h/d", id="users"),
        pytest.param("md:a", "md:a?attach_mode=single", id="parameters"),
    ],
)
def test_two_places_are_not_equal(left, right):
    assert target.read(left) != target.read(right)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param("sqlite:///:memory:", "sqlite:///:memory:", id="memory"),
        pytest.param("sqlite:///%3Amemory%3A", "sqlite:///:memory:", id="memory, encoded"),
        pytest.param("sqlite+pysqlite:///:memory:", "sqlite+pysqlite:///:memory:", id="driver"),
        pytest.param("sqlite:///:memory:?a=%26b&password=x", "sqlite:///:memory:?a=%26b", id="parameters and a secret"),
        pytest.param("sqlite:///:memory:?a=/%3Amemory%3A", "sqlite:///:memory:?a=%2F%3Amemory%3A", id="in a parameter"),
        pytest.param("sqlite:////d/%3Amemory%3A", "sqlite:////d/%3Amemory%3A", id="a file of that name"),
        pytest.param("sqlite:////d/%3Fpassword=x", "sqlite:////d/%3Fpassword%3Dx", id="a hostile name"),
    ],
)
def test_sqlite_is_shown_so_that_it_can_be_written_again(written, shown):
    found = target.read(written)
    assert found.name == shown
    assert target.read(found.name) == found
    assert found.sqlalchemy_url().database == target.read(written).database


def test_a_relative_path_is_another_place_after_chdir(tmp_path, monkeypatch):
    before = target.read("duckdb:///a.db")
    monkeypatch.chdir(tmp_path)
    assert target.read("duckdb:///a.db") != before
    assert target.read("duckdb:///a.db") == target.read(f"duckdb:///{tmp_path.resolve() / 'a.db'}")


def test_a_link_and_its_file_are_one_place():
    Path("real.db").touch()
    Path("link.db").symlink_to("real.db")
    assert target.read("duckdb:///link.db") == target.read("duckdb:///real.db")


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        pytest.param("duckdb:///md:db?motherduck_token=SECRETVALUE", "motherduck_token", id="documented"),
        pytest.param("md:db?motherduck_token=SECRETVALUE&attach_mode=single", "motherduck_token", id="short"),
        pytest.param("postgresql://u:SECRETVALUE@h/d", "password", id="password"),
        pytest.param("trino://u@h/d?access_token=SECRETVALUE", "access_token", id="token of another"),
        pytest.param("postgresql://u@h/d?password=SECRETVALUE", "password", id="password parameter"),
        pytest.param("mssql://u@h/d?PWD=SECRETVALUE", "PWD", id="upper case"),
    ],
)
def test_secrets_are_taken_out_at_once(uri, secret):
    read = target.read(uri)
    assert read.secrets[secret].reveal() == "SECRETVALUE"
    assert "SECRETVALUE" not in f"{read!r} {read} {read.url} {read.name} {read.sqlalchemy_url()!r}"


def test_a_broken_uri_does_not_show_its_password():
    with pytest.raises(TargetError) as caught:
        target.read("postgresql//user:SECRETVALUE@host?token=SECRETVALUE")
    assert "SECRETVALUE" not in str(caught.value)
    assert "md:my_db" in str(caught.value)


def test_an_unknown_motherduck_parameter_lists_the_known_ones():
    with pytest.raises(TargetError, match=r"'sesion_name'.*session_name"):
        target.read("md:db?sesion_name=x")


@pytest.mark.parametrize("word", ["md:", "md:db", "duckdb:///x", "@prod", "postgresql+psycopg://u@h/d", "sqlite://"])
def test_a_scheme_or_an_at_sign_is_a_target(word):
    assert target.is_target(word)


@pytest.mark.parametrize("word", ["SELECT", "'md:x'", "(select", "--x", "1:2", "a", "::int", "$$a:b$$", ":x"])
def test_everything_else_is_sql(word):
    assert not target.is_target(word)

"""Targets: what a URI means, what is one place, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy

from md_magic.errors import TargetError
from md_magic.sql import target

OLD_SQLALCHEMY = sqlalchemy.__version__.startswith("2.0.")


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
        pytest.param("postgresql://u:one@h/d", "postgresql://u:one@h/d", id="one password"),
        pytest.param("duckdb:///duckdb:a.db", "duckdb:///a.db", id="DuckDB's own prefix"),
        pytest.param("duckdb:///file:///d/a.db", "duckdb:////d/a.db", id="a file as a URI"),
        pytest.param("duckdb+duckdb_engine:///a.db", "DUCKDB:///a.db", id="driver and capitals"),
        pytest.param("duckdb:///%C3%BC.db", "duckdb:///ü.db", id="a letter that is encoded"),
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
        pytest.param("postgresql://u:one@h/d", "postgresql://u:two@h/d", id="passwords"),
        pytest.param("postgresql://u:one@h/d", "postgresql://u@h/d", id="with and without a password"),
        pytest.param("mssql://u@h/d?PWD=one", "mssql://u@h/d?PWD=two", id="passwords in parameters"),
        pytest.param("mssql:///?odbc_connect=PWD%3Done", "mssql:///?odbc_connect=PWD%3Dtwo", id="connection strings"),
        pytest.param("duckdb:///a%2520b.db", "duckdb:///a b.db", id="a per cent sign in a file's name"),
        pytest.param("duckdb:///a%3Fb.db", "duckdb:///a", id="a question mark in a file's name"),
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
        pytest.param(
            "sqlite:////d/%3Fpassword=x",
            "sqlite:////d/%3Fpassword=x",
            id="a hostile name",
            marks=pytest.mark.xfail(OLD_SQLALCHEMY, reason="SQLAlchemy 2.0 reads this name otherwise", strict=True),
        ),
    ],
)
def test_sqlite_is_shown_so_that_it_can_be_written_again(written, shown):
    found = target.read(written)
    assert found.name == shown
    assert target.read(found.name).url == found.url
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
        pytest.param(
            "x://u@h/d?azure_storage_connection_string=SECRETVALUE", "azure_storage_connection_string", id="az"
        ),
        pytest.param("duckdb:///a.db?encryption_key=SECRETVALUE", "encryption_key", id="encryption"),
        pytest.param("mysql://u@h/d?pass=SECRETVALUE", "pass", id="pass"),
        pytest.param("snowflake://u@h/d?passcode=SECRETVALUE", "passcode", id="passcode"),
        pytest.param("x://u@h/d?passphrase=SECRETVALUE", "passphrase", id="passphrase"),
        pytest.param("postgresql://u@h/d?sslpassword=SECRETVALUE", "sslpassword", id="key of a certificate"),
        pytest.param("x://h/d?private_key_passphrase=SECRETVALUE", "private_key_passphrase", id="key pair"),
        pytest.param("x://h/d?aws_secret_access_key=SECRETVALUE", "aws_secret_access_key", id="AWS"),
        pytest.param("x://h/d?s3_access_key_id=SECRETVALUE", "s3_access_key_id", id="S3"),
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


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("duckdb://work.duckdb", "duckdb:///work.duckdb"),
        ("duckdb:work.duckdb", "duckdb:///work.duckdb"),
        ("duckdb:/data/work.duckdb", "duckdb:////data/work.duckdb"),
        ("duckdb://data/work.duckdb", "duckdb:///data/work.duckdb"),
        ("duckdb://md:my_db", "md:my_db"),
        ("duckdb:md:my_db", "md:my_db"),
        ("DuckDB://Work.duckdb?threads=1", "DuckDB:///Work.duckdb"),
        ("duckdb:", "duckdb:///:memory:"),
        ("duckdb://:memory:", "duckdb:///:memory:"),
        ("sqlite://x.db", "sqlite:///x.db"),
        ("sqlite+pysqlite://x.db", "sqlite+pysqlite:///x.db"),
        ("md://my_db", "md:my_db"),
        ("md:/my_db", "md:my_db"),
        ("motherduck://my_db", "md:my_db"),
        ("duckdb:///md://my_db", "md:my_db"),
        ("jdbc:postgresql://h/d", "postgresql://h/d"),
        ("ducklake:meta.ducklake", "duckdb:///ducklake:meta.ducklake"),
        ("duckdb:///:memory", ":memory:"),
        ("duckdb:///:foo:", "./:foo:"),
        ("duckdb:///:default:", "--engine con"),
        ("duckdb:///https://h/x.duckdb", "ATTACH 'https://h/x.duckdb'"),
        ("duckdb:///s3://b/x.duckdb", "ATTACH 's3://b/x.duckdb'"),
        ("duckdb:///q?x.duckdb", "%3F"),
        ("sqlite:///q?x.db", "%3F"),
        ("duckdb:///C:\\data\\x.duckdb", "Windows"),
        ("duckdb:///C:/data/x.duckdb", "Windows"),
        ("duckdb:///\\\\server\\x.duckdb", "Windows"),
        ("postgresql://u:p@w@h/d", "%40"),
        ("postgresql://u:p@s/w@h/d", "%2F"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_the_right_spelling(written, right):
    with pytest.raises(TargetError) as caught:
        target.read(written)
    assert right in str(caught.value)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("name", ["ducklake:meta.ducklake", "sqlite:x.db", "postgres:dbname=x", "foo:bar.db"])
def test_what_an_extension_opens_is_left_to_duckdb(name, tmp_path, monkeypatch):
    read = target.read(f"duckdb:///{name}")
    assert read.database == name
    assert read.name == f"duckdb:///{name}"
    assert target.read(read.name) == read
    monkeypatch.chdir(tmp_path)
    assert target.read(f"duckdb:///{name}") != read  # the name counts from another folder


@pytest.mark.parametrize(
    "written",
    [
        "duckdb:///ducklake:postgres:dbname=d password=XYZZYPLUGH",
        "duckdb:///postgres:postgres://u:XYZZYPLUGH@h/d",
        "duckdb:///https://u:XYZZYPLUGH@h/x.duckdb",
        "duckdb://u:XYZZYPLUGH@h/x.duckdb",
        "postgresql://u:XYZZY/PLUGH@x@h/d",
        "postgresql//u:XYZZY/PLUGH@h/d",
        "postgresql//u:XYZZY?PLUGH@h/d",
    ],
)
def test_a_password_where_none_can_be_is_not_shown(written):
    with pytest.raises(TargetError) as caught:
        target.read(written)
    assert "XYZZY" not in str(caught.value)
    assert "PLUGH" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "password"),
    [("postgresql://u:a/b@h/d", "a/b"), ("postgresql://u:a%40b@h/d", "a@b"), ("postgresql://:a@h/d", "a")],
)
def test_a_password_may_hold_signs(written, password):
    read = target.read(written)
    assert read.secrets["password"].reveal() == password
    assert read.sqlalchemy_url().host == "h"


def test_a_connection_string_with_a_password_is_a_secret_as_a_whole():
    read = target.read(
        "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Du%3BPWD%3DSECRETVALUE&connect=Server%3Dh;Pwd%3DSECRETVALUE"
    )
    assert "SECRETVALUE" not in f"{read!r} {read.url} {read.name}"
    assert read.secrets["odbc_connect"].reveal() == "DRIVER=X;UID=u;PWD=SECRETVALUE"


@pytest.mark.parametrize(
    "typed", ["x2.duckdb", "sub/x2.duckdb", "a b.duckdb", "ü.duckdb", "a%20b.duckdb", "~/x.duckdb"]
)
@pytest.mark.parametrize("scheme", ["duckdb", "sqlite"])
def test_a_path_is_shown_as_typed(scheme, typed, tmp_path, monkeypatch):
    read = target.read(f"{scheme}:///{typed}?a=1&password=SECRETVALUE")
    assert read.name == f"{scheme}:///{typed}?a=1"
    assert Path(read.database).is_absolute()
    assert target.read(read.url + "&password=SECRETVALUE") == read
    monkeypatch.chdir(tmp_path)  # where the same text would mean another file
    assert target.read(read.name + "&password=SECRETVALUE") == read


def test_a_drivers_text_shows_the_path_as_typed():
    read = target.read("duckdb:///sub/x.duckdb")
    folder = Path.cwd() / "sub"
    text = f'Cannot open file "{folder / "x.duckdb"}": no folder {str(folder)!r}'
    assert read.as_typed(text) == "Cannot open file \"sub/x.duckdb\": no folder 'sub'"


@pytest.mark.parametrize("word", ["duckdb:////md:my_db", "duckdb:////motherduck:my_db"])
def test_a_slash_too_many_makes_no_file(word: str) -> None:
    with pytest.raises(TargetError, match=f"MotherDuck is written {word[11:]}; a file of that name is"):
        target.read(word)


def test_a_driver_that_duckdb_does_not_have_is_no_driver():
    with pytest.raises(TargetError, match=r"no driver 'foo' for DuckDB: write duckdb:///x\.db\."):
        target.read("duckdb+foo:///x.db?motherduck_token=SECRETVALUE")

"""Where a token is found, in which order, and what is remembered."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backends.chainer import ChainerBackend
from keyring.backends.fail import Keyring as NoKeyring

from md_magic.auth import credentials
from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from tests.motherduck.standin.keyrings import FolderKeyring
from tests.motherduck.standin.service import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.motherduck.standin.service import Service


TOKENS = {name: make_token(f"{name}@example.com") for name in ("uri", "config", "lower", "upper", "ring", "cli")}


@pytest.fixture(autouse=True)
def ring(motherduck: Service) -> Iterator[None]:  # noqa: ARG001 - the folder that the keyring is in
    """Keep this computer's keyring, home and tokens out: a keyring in the stand-in's folder takes their place."""
    before = keyring.get_keyring()
    keyring.set_keyring(FolderKeyring())
    yield
    keyring.set_keyring(before)


def write_cli_file(folder: Path, value: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "credentials.json").write_text(value if isinstance(value, str) else json.dumps(value))


def token(name: str) -> Token:
    return Token.of(Secret(TOKENS[name]), "typed")


def test_the_order_of_the_documentation(tmp_path: Path) -> None:
    credentials.remember(token("ring"))
    write_cli_file(tmp_path / ".motherduck", {"token": TOKENS["cli"]})
    environ = {"motherduck_token": TOKENS["lower"], "MOTHERDUCK_TOKEN": TOKENS["upper"]}
    config: dict[str, object] = {"motherduck_token": TOKENS["config"]}
    found = [
        credentials.find(uri=Secret(TOKENS["uri"]), config=config, environ=environ),
        credentials.find(config=config, environ=environ),
        credentials.find(environ=environ),
        credentials.find(environ={"MOTHERDUCK_TOKEN": TOKENS["upper"]}),
        credentials.find(environ={}),
        credentials.find(environ={}, use_keyring=False),
    ]
    assert [one and (one.source, one.account) for one in found] == [
        ("uri", "uri@example.com"),
        ("config", "config@example.com"),
        ("environment motherduck_token", "lower@example.com"),
        ("environment MOTHERDUCK_TOKEN", "upper@example.com"),
        ("keyring", "ring@example.com"),
        ("motherduck cli", "cli@example.com"),
    ]


def test_nothing_anywhere_is_none() -> None:
    assert credentials.find(environ={}) is None


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_is_no_token(value: str) -> None:
    assert credentials.find(environ={"motherduck_token": value}, config={"motherduck_token": value}) is None


class TestCommandLineFile:
    @pytest.mark.parametrize(
        "content",
        [
            pytest.param({"token": TOKENS["cli"]}, id="flat"),
            pytest.param(
                {"user": {"id": "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"}, "x": [1, {"t": TOKENS["cli"]}]}, id="deep"
            ),
            pytest.param(
                {"client": "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8", "t": TOKENS["cli"]}, id="after an old one's look"
            ),
        ],
    )
    def test_any_shape(self, content: object, tmp_path: Path) -> None:
        write_cli_file(tmp_path / ".motherduck", content)
        found = credentials.find(environ={})
        assert found is not None
        assert found.secret.reveal() == TOKENS["cli"]

    def test_motherduck_home(self, tmp_path: Path) -> None:
        write_cli_file(tmp_path / "elsewhere", {"token": TOKENS["cli"]})
        found = credentials.find(environ={"MOTHERDUCK_HOME": str(tmp_path / "elsewhere")})
        assert found is not None
        assert found.source == "motherduck cli"

    @pytest.mark.parametrize(
        "content",
        ["", "{", "[" * 100_000, '"text"', '{"token": null}', '{"email": "ann@example.com"}', f"{{{TOKENS['cli']}"],
        ids=["empty", "cut off", "deep", "text", "null", "no token", "no JSON"],
    )
    def test_what_cannot_be_used_is_skipped_and_not_quoted(
        self, content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        write_cli_file(tmp_path / ".motherduck", content)
        with caplog.at_level("DEBUG"):
            assert credentials.find(environ={}) is None
        assert TOKENS["cli"][:20] not in caplog.text

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads every file")
    def test_a_file_of_somebody_else(self, tmp_path: Path) -> None:
        write_cli_file(tmp_path / ".motherduck", {"token": TOKENS["cli"]})
        (tmp_path / ".motherduck" / "credentials.json").chmod(0)
        assert credentials.find(environ={}) is None


class TestKeyring:
    def test_one_entry_per_account_the_last_one_first(self) -> None:
        assert [credentials.remember(token(name)) for name in ("uri", "ring", "uri")] == [True] * 3
        assert credentials.remembered() == ("uri@example.com", "ring@example.com")
        chosen = credentials.find(environ={}, account="ring@example.com")
        assert chosen is not None
        assert chosen.account == "ring@example.com"

    def test_a_token_that_names_no_account_has_an_entry_too(self) -> None:
        credentials.remember(Token.of(Secret("q8Zk3mWx7Tn2Lp5Rv9Yb4Hc6Jd1Fg0Sa"), "typed"))
        found = credentials.find(environ={})
        assert found is not None
        assert found.secret.reveal() == "q8Zk3mWx7Tn2Lp5Rv9Yb4Hc6Jd1Fg0Sa"

    def test_forgetting_one_and_all(self, motherduck: Service) -> None:
        for name in ("uri", "ring", "cli"):
            credentials.remember(token(name))
        assert credentials.forget("ring@example.com") == ("ring@example.com",)
        assert credentials.remembered() == ("cli@example.com", "uri@example.com")
        assert credentials.forget() == ("cli@example.com", "uri@example.com")
        assert credentials.find(environ={}) is None
        assert (motherduck.folder / "keyring.json").read_text() == "{}"

    def test_forgetting_nothing(self) -> None:
        assert credentials.forget() == ()

    def test_works(self) -> None:
        assert credentials.keyring_works()

    def test_without_a_backend_nothing_is_offered_and_nothing_fails(self) -> None:
        keyring.set_keyring(NoKeyring())
        assert not credentials.keyring_works()
        assert not credentials.remember(token("ring"))
        assert credentials.forget() == ()
        assert credentials.find(environ={}) is None

    def test_a_locked_one_neither(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MD_STANDIN_LOCKED", "1")
        assert not credentials.keyring_works()
        assert not credentials.remember(token("ring"))
        assert credentials.find(environ={}) is None

    def test_a_plain_text_file_is_no_keyring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(FolderKeyring, "priority", 0.5)
        assert not credentials.keyring_works()

    @pytest.mark.parametrize(("priority", "works"), [(1, True), (0.5, False)])
    def test_a_chain_is_as_good_as_its_weakest_member(
        self, monkeypatch: pytest.MonkeyPatch, priority: float, works: bool
    ) -> None:
        last = FolderKeyring()
        last.priority = priority
        monkeypatch.setattr(ChainerBackend, "backends", [FolderKeyring(), last])
        keyring.set_keyring(ChainerBackend())
        assert credentials.keyring_works() is works

    def test_an_index_that_somebody_broke_is_no_account(self) -> None:
        for broken in ("{", '{"a": 1}', "[1, null]"):
            keyring.set_password(credentials.SERVICE, "accounts", broken)
            assert credentials.remembered() == ()

"""What a token tells about itself, and how one is recognised."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import jwt
import pytest

from md_magic.auth.secret import Secret
from md_magic.auth.token import Token, looks_like_token, tokens_in
from tests.motherduck.standin.service import make_token

JWT = make_token("ann@example.com")
OLD = "q8Zk3mWx7Tn2Lp5Rv9Yb4Hc6Jd1Fg0Sa"
KEY = "a key that is long enough for HMAC with SHA-256"


def signed(**claims: object) -> Secret:
    return Secret(jwt.encode(claims, KEY, algorithm="HS256"))


class TestToken:
    def test_tells_account_kind_and_expiry(self) -> None:
        token = Token.of(
            signed(email="ann@example.com", tokenType="read_write", exp=1_900_000_000, iat=1_700_000_000), "keyring"
        )
        assert (token.account, token.kind) == ("ann@example.com", "read/write")
        assert token.issued == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
        assert token.expires == datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("claims", "kind"),
        [
            pytest.param({"tokenType": "read_scaling"}, "read scaling", id="type"),
            pytest.param({"readOnly": True}, "read scaling", id="read only"),
            pytest.param({"readOnly": False}, "read/write", id="not read only"),
            pytest.param({}, "unknown", id="silent"),
            pytest.param({"tokenType": 7}, "unknown", id="odd"),
        ],
    )
    def test_kinds(self, claims: dict[str, object], kind: str) -> None:
        assert Token.of(signed(**claims), "typed").kind == kind

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(OLD, id="no JWT"),
            pytest.param("", id="empty"),
            pytest.param("a.b.c", id="dotted noise"),
            pytest.param("eyJhbGciOiJub25lIn0.W10.", id="a list"),
            pytest.param("é.ü.ß", id="not ASCII"),
            pytest.param("." * 2000, id="dots"),
        ],
    )
    def test_odd_ones_tell_nothing_and_raise_nothing(self, text: str) -> None:
        token = Token.of(Secret(text), "typed")
        assert (token.account, token.kind, token.expires) == (None, "unknown", None)

    @pytest.mark.parametrize("expiry", [10**30, -(10**30), "soon", True, None, float("1e300")])
    def test_odd_expiries_are_none(self, expiry: object) -> None:
        text = jwt.api_jws.encode(json.dumps({"exp": expiry}).encode(), KEY)  # jwt.encode refuses some of them
        assert Token.of(Secret(text), "typed").expires is None

    def test_an_account_brings_no_terminal_escapes(self) -> None:
        assert Token.of(signed(email="ann\x1b[31m@example.com\n"), "typed").account == "ann[31m@example.com"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(JWT, True, id="JWT"),
        pytest.param(f" {JWT}\n", True, id="JWT with white space"),
        pytest.param(OLD, True, id="old"),
        pytest.param("0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", False, id="uuid"),
        pytest.param("ann@example.com", False, id="mail"),
        pytest.param("https://app.motherduck.com/a1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", False, id="link"),
        pytest.param("abcdefghijklmnopqrstuvwxyzabcdefghijkl", False, id="word"),
        pytest.param("2026-11-22T10:00:00.000Z", False, id="date"),
        pytest.param("", False, id="empty"),
    ],
)
def test_looks_like_token(text: str, expected: bool) -> None:
    assert looks_like_token(text) is expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param(f"%mdsql md:?motherduck_token={JWT} SELECT 1", [JWT], id="uri"),
        pytest.param(f"os.environ['motherduck_token'] = '{JWT}'", [JWT], id="environment"),
        pytest.param(f'CONFIG = {{"motherduck_token": "{OLD}"}}', [OLD], id="old in a dict"),
        pytest.param(f"%env MOTHERDUCK_TOKEN={OLD}", [OLD], id="old in %env"),
        pytest.param(f"SET motherduck_token='{JWT}'", [JWT], id="SET"),
        pytest.param("config = {'motherduck_token': getpass('token')}", [], id="getpass"),
        pytest.param("motherduck_token = os.environ['MOTHERDUCK_TOKEN_2']", [], id="variable"),
        pytest.param("SELECT 'eyes.on.the.prize' AS motherduck_token", [], id="words"),
    ],
)
def test_tokens_in_a_cell_are_found(source: str, found: list[str]) -> None:
    assert [secret.reveal() for secret in tokens_in(source)] == found

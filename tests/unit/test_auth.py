"""What a token tells about itself, what it never shows, and what MotherDuck's refusals mean."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import jwt
import pytest
from md_standin import texts
from md_standin.service import make_token

from md_magic import auth
from md_magic.auth import Secret, Token

pytest_plugins = ("md_standin.fixtures",)

JWT = make_token("ann@example.com")
OLD = "q8Zk3mWx7Tn2Lp5Rv9Yb4Hc6Jd1Fg0Sa"
KEY = "a key that is long enough for HMAC with SHA-256"


def signed(**claims: object) -> Secret:
    return Secret(jwt.encode(claims, KEY, algorithm="HS256"))


class TestSecret:
    def test_no_text_made_of_it_shows_its_value(self, caplog: pytest.LogCaptureFixture) -> None:
        secret = Secret(JWT)
        token = Token.of(secret, "typed")
        logging.getLogger("test").warning("%s %r", secret, token)
        shown = [
            repr(secret),
            str(secret),
            f"{secret:>400} {token}",
            f"{secret!r}",
            repr([token]),
            caplog.text,
        ]
        assert not [text for text in shown if any(part in text for part in JWT.split("."))]

    def test_it_cannot_be_pickled_and_the_refusal_does_not_quote_it(self) -> None:
        with pytest.raises(TypeError, match="not pickled") as caught:
            pickle.dumps(Token.of(Secret(JWT), "typed"))
        assert JWT not in str(caught.value)

    def test_it_compares_and_hashes_by_value(self) -> None:
        assert Secret("a") == Secret("a") != Secret("b")
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
        assert Secret("a") != "a"

    def test_copies_are_itself(self) -> None:
        secret = Secret("a")
        assert copy.copy(secret) is copy.deepcopy(secret) is secret

    def test_its_digest_tells_two_apart_and_is_none_of_it(self) -> None:
        assert Secret(JWT).digest() == Secret(JWT).digest() != Secret(OLD).digest()
        assert Secret(JWT).digest() not in JWT


class TestToken:
    def test_tells_account_kind_and_expiry(self) -> None:
        token = Token.of(signed(email="ann@example.com", tokenType="read_write", exp=1_900_000_000), "keyring")
        assert (token.account, token.kind) == ("ann@example.com", "read/write")
        assert token.expires == datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC)
        assert not token.expired

    def test_one_of_the_past_has_expired(self) -> None:
        assert Token.of(signed(exp=1_000_000_000), "uri").expired

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
    assert auth.looks_like_token(text) is expected


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
    assert [secret.reveal() for secret in auth.tokens_in(source)] == found


class TestScrub:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(JWT, id="whole"),
            pytest.param(f"LINE 1: SET motherduck_token='{JWT[:60]}...", id="shortened"),
            pytest.param(f"...{JWT[70:110]}...", id="a window"),
            pytest.param("-".join(JWT.split(".")), id="parts"),
            pytest.param(quote(JWT, safe=""), id="percent-encoded"),
            pytest.param(f"{JWT}{JWT}", id="twice"),
        ],
    )
    def test_no_part_of_a_token_stays(self, text: str) -> None:
        clean = auth.scrub(f"before {text} after", [Secret(OLD), Secret(JWT)])
        assert clean.startswith("before ")
        assert clean.endswith(" after")
        assert not [at for at in range(len(JWT) - 7) if JWT[at : at + 8] in clean]

    def test_passwords_with_odd_characters(self) -> None:
        word = "p@ss 'w/ö\\rd"
        written = [word, quote(word, safe=""), quote_plus(word), word.replace("'", "''"), repr(word)[1:-1]]
        assert [auth.scrub(text, [Secret(word)]) for text in written] == ["***"] * 5

    def test_everything_else_stays(self) -> None:
        text = "Catalog Error: Table with name tbl does not exist!\nLINE 1: FROM tbl\n             ^"
        assert auth.scrub(text, [Secret(JWT), Secret("")]) == text


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        pytest.param(texts.MALFORMED, "token", id="malformed"),
        pytest.param(texts.REFUSED, "token", id="refused"),
        pytest.param(texts.EXPIRED, "token", id="expired"),
        pytest.param(texts.NO_TOKEN, "token", id="none"),
        pytest.param(texts.DENIED + texts.NO_TOKEN, "denied", id="denied"),
        pytest.param(texts.OUTAGES["no extension"], "network", id="no extension"),
        pytest.param(texts.OUTAGES["no network"], "network", id="no network"),
        pytest.param(texts.OUTAGES["too new"], "version", id="too new"),
        pytest.param(texts.OUTAGES["too old"], "version", id="too old"),
        pytest.param(texts.LOST, "connection", id="lost"),
    ],
)
def test_refusals_are_understood(text: str, trouble: str) -> None:
    diagnosis = auth.diagnose(text)
    assert diagnosis is not None
    assert diagnosis.trouble == trouble


def test_a_version_is_named_with_the_one_to_install() -> None:
    diagnosis = auth.diagnose(texts.OUTAGES["too new"])
    assert diagnosis is not None
    assert "v2.0.0" in diagnosis.advice
    assert "duckdb==1.5.6'" in diagnosis.advice


def test_other_errors_mean_nothing_here() -> None:
    assert auth.diagnose("Catalog Error: Table with name tbl does not exist!") is None

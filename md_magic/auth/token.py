"""MotherDuck tokens: their claims, and how to recognise one in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from md_magic.auth.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_PAGE = "https://app.motherduck.com/settings/tokens"  # noqa: S105 - the address of a page
"""Where a person creates and revokes tokens."""

TOKEN_REQUEST_PAGE = "https://app.motherduck.com/token-request?appName=md_magic"  # noqa: S105 - the address of a page
"""Where a person can create a token to copy, without a local browser or driver."""

Source = Literal[
    "uri",  # ?motherduck_token=... in the target
    "config",  # the dict variable of --config
    "environment motherduck_token",
    "environment MOTHERDUCK_TOKEN",
    "keyring",  # the person asked to be remembered
    "motherduck cli",  # the credentials file of `motherduck login`
    "typed",  # pasted into the sign-in card
    "web login",  # approved in the browser
]
"""Where a token came from, in the words of `--whoami`."""

Kind = Literal[
    "read/write",
    "read scaling",  # read-only replicas
    "unknown",  # the token does not say
]

_JWT = re.compile(r"(?<![\w.])(?<!\w-)ey[\w-]{6,}\.[\w-]{8,}\.[\w-]{8,}(?![\w-])", re.ASCII)
_OPAQUE = re.compile(r"[\w-]{32,}", re.ASCII)
_UUID = re.compile(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"""motherduck_token["']?\]?\s*[=:,]\s*[rbu]?(?P<quote>["']?)(?P<value>[\w.%-]{16,})(?P=quote)(?!\s*\()""",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, its source, and its claims. The claims have not been verified."""

    secret: Secret
    source: Source
    account: str | None = None
    """The account's e-mail address, for display; None if the token does not name it."""
    kind: Kind = "unknown"
    expires: datetime | None = None
    """None for a token that does not expire, or does not tell."""
    issued: datetime | None = None
    """When it was made; None for a token that does not tell."""

    @classmethod
    def of(cls, secret: Secret, source: Source) -> Token:
        """Read the claims of *secret*. Odd and very old tokens have none, which is not an error."""
        claims = _claims(secret.reveal())
        return cls(
            secret,
            source,
            account=_account(claims),
            kind=_kind(claims),
            expires=_time(claims, "exp"),
            issued=_time(claims, "iat"),
        )


def _claims(text: str) -> Mapping[str, object]:
    import jwt  # 60 ms, mostly for `cryptography`, which it imports if it is installed

    try:
        claims = jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _account(claims: Mapping[str, object]) -> str | None:
    email = claims.get("email")
    if not isinstance(email, str):
        return None
    return "".join(filter(str.isprintable, email)) or None  # no terminal escapes from a token that anybody can write


def _kind(claims: Mapping[str, object]) -> Kind:
    kind = str(claims.get("tokenType", "")).lower()
    if "scaling" in kind or claims.get("readOnly") is True:
        return "read scaling"
    if "write" in kind or claims.get("readOnly") is False:
        return "read/write"
    return "unknown"


def _time(claims: Mapping[str, object], name: str) -> datetime | None:
    seconds = claims.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_jwt(text: str) -> bool:
    """Whether *text* has the form of a JSON Web Token, as today's tokens have."""
    return _JWT.fullmatch(text.strip()) is not None


def looks_like_token(text: str) -> bool:
    """Whether *text* may be a token: a JWT or, as very old tokens are, one long word of letters and digits."""
    text = text.strip()
    if is_jwt(text):
        return True
    mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return mixed and _OPAQUE.fullmatch(text) is not None and _UUID.fullmatch(text) is None


def tokens_in(source: str) -> tuple[Secret, ...]:
    """Return the tokens typed into *source*: every JWT, and whatever is assigned to `motherduck_token`."""
    if "ey" not in source and "otherduck_token" not in source.lower():  # nearly every cell
        return ()
    texts = [match[0] for match in _JWT.finditer(source)]
    texts += [match["value"] for match in _ASSIGNED.finditer(source) if any(map(str.isdigit, match["value"]))]
    return tuple(Secret(text) for text in dict.fromkeys(texts))

"""What a MotherDuck token is, and what its refusals mean; a token's value is in no `repr`, text or pickle made here."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NoReturn
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "***"
"""What is shown where a secret was."""

TOKEN_PAGE = "https://app.motherduck.com/settings/tokens"  # noqa: S105 - the address of a page
"""Where a person creates a token."""

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
    "unknown",  # a token that says nothing about it
]

_FRAGMENT = 8
"""A run of this many characters of a secret is treated as the secret: a database shortens the SQL that it quotes."""

_JWT = re.compile(r"(?<![\w.-])ey[\w-]{6,}\.[\w-]{8,}\.[\w-]{8,}(?![\w-])", re.ASCII)
_OPAQUE = re.compile(r"[\w-]{32,}", re.ASCII)
_UUID = re.compile(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"""motherduck_token["']?\]?\s*[=:,]\s*[rbu]?(?P<quote>["']?)(?P<value>[\w.%-]{16,})(?P=quote)(?!\s*\()""",
    re.IGNORECASE | re.ASCII,
)


class Secret:
    """A text that only `reveal` shows. It cannot be pickled, and it hashes and compares by its value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself: for the driver, the keyring and nobody else."""
        return self._value

    def digest(self) -> str:
        """Return twelve hexadecimal digits that tell two secrets apart and do not lead back to them."""
        return hashlib.sha256(self._value.encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        message = "A secret is not pickled: the file or the process that gets the pickle would hold it in clear."
        raise TypeError(message)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, where it came from and what it says about itself. Nothing it says has been verified."""

    secret: Secret
    source: Source
    account: str | None = None
    """The e-mail address of the account, for display; None for a token that does not tell."""
    kind: Kind = "unknown"
    expires: datetime | None = None
    """None for a token that does not expire, or does not tell."""

    @classmethod
    def of(cls, secret: Secret, source: Source) -> Token:
        """Read what *secret* says about itself. Odd and very old tokens say nothing, which is no error."""
        claims = _claims(secret.reveal())
        return cls(secret, source, account=_account(claims), kind=_kind(claims), expires=_expires(claims))

    @property
    def expired(self) -> bool:
        """Whether the token says that its time is over, by this computer's clock."""
        return self.expires is not None and self.expires <= datetime.now(UTC)


def _claims(text: str) -> Mapping[str, object]:
    import jwt  # 60 ms, of which most is the `cryptography` that it loads when it is there

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
    said = str(claims.get("tokenType", "")).lower()
    if "scaling" in said or claims.get("readOnly") is True:
        return "read scaling"
    if "write" in said or claims.get("readOnly") is False:
        return "read/write"
    return "unknown"


def _expires(claims: Mapping[str, object]) -> datetime | None:
    seconds = claims.get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_jwt(text: str) -> bool:
    """Whether *text* is three dotted parts that begin as a JSON Web Token does: today's tokens."""
    return _JWT.fullmatch(text.strip()) is not None


def looks_like_token(text: str) -> bool:
    """Whether *text* may be a token: a JWT or, for very old tokens, one long word of letters and digits."""
    text = text.strip()
    if is_jwt(text):
        return True
    mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return mixed and _OPAQUE.fullmatch(text) is not None and _UUID.fullmatch(text) is None


def tokens_in(source: str) -> tuple[Secret, ...]:
    """Return the tokens that a person typed into *source*: whatever is a JWT or is assigned to `motherduck_token`."""
    if "ey" not in source and "otherduck_token" not in source.lower():  # nearly every cell
        return ()
    found = [match[0] for match in _JWT.finditer(source)]
    found += [match["value"] for match in _ASSIGNED.finditer(source) if any(map(str.isdigit, match["value"]))]
    return tuple(Secret(text) for text in dict.fromkeys(found))


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """Return *text* with every one of *secrets*, and every fragment of eight characters or more of one, masked.

    A fragment counts because databases shorten the SQL that they quote, and because each dotted part of a token is
    readable by itself. Percent-encoded and quoted forms count as well.
    """
    forms = sorted({form for secret in secrets for form in _forms(secret.reveal())}, key=len, reverse=True)
    for form in forms:
        text = text.replace(form, MASK)
    for form in forms:  # after the whole ones, of which a fragment of another form would leave an end
        text = _without_fragments(text, form)
    return text


def _forms(value: str) -> set[str]:
    quoted = {quote(value, safe=""), quote(value), quote_plus(value), repr(value)[1:-1], value.replace("'", "''")}
    return {value, *quoted} - {""}


def _without_fragments(text: str, value: str) -> str:
    pieces = {value[at : at + _FRAGMENT] for at in range(len(value) - _FRAGMENT + 1)}
    hits = [at for at in range(len(text) - _FRAGMENT + 1) if text[at : at + _FRAGMENT] in pieces]
    for start, end in reversed(_spans(hits)):
        text = text[:start] + MASK + text[end:]
    return text


def _spans(hits: list[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for at in hits:
        if spans and at <= spans[-1][1]:
            spans[-1] = (spans[-1][0], at + _FRAGMENT)
        else:
            spans.append((at, at + _FRAGMENT))
    return spans


Trouble = Literal[
    "denied",  # somebody pressed Deny on the activation page
    "version",  # this DuckDB is too new or too old for MotherDuck
    "network",  # MotherDuck, or the place of its extension, cannot be reached
    "token",  # the token is wrong, revoked or expired: sign in again
    "connection",  # the connection was lost: connect again
]
"""Why MotherDuck said no, as far as a person or a program would act differently on it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a text of the service or its driver means, in a sentence for a person."""

    trouble: Trouble
    advice: str


_TEXTS: tuple[tuple[re.Pattern[str], Trouble, str], ...] = (
    (
        re.compile(r"User did not confirm|access_denied", re.IGNORECASE),
        "denied",
        (
            "The sign-in was denied on MotherDuck's page in the browser. Run the cell again to sign in,"
            f" or use a token from {TOKEN_PAGE}."
        ),
    ),
    (
        re.compile(
            r"DuckDB version \((?P<got>[^)]*)\) is not yet supported by MotherDuck"
            r"(.*?latest supported version is v?(?P<latest>\d[\w.]*\w))?",
            re.DOTALL,
        ),
        "version",
        (
            "This kernel has DuckDB {got}, which MotherDuck does not accept yet."
            " Install one that it accepts and restart the kernel: %pip install 'duckdb=={latest}'."
        ),
    ),
    (
        re.compile(
            r"DuckDB version \((?P<got>[^)]*)\) is not supported by MotherDuck"
            r"(.*?upgrade DuckDB to v?(?P<latest>\d[\w.]*\w))?",
            re.DOTALL,
        ),
        "version",
        (
            "This kernel has DuckDB {got}, which MotherDuck no longer accepts."
            " Install one that it accepts and restart the kernel: %pip install 'duckdb=={latest}'."
        ),
    ),
    (
        re.compile(r"Failed to download extension \"motherduck\""),
        "network",
        (
            "DuckDB could not download its MotherDuck extension: extensions.duckdb.org cannot be reached from here."
            " Check the network or its proxy and run the cell again."
        ),
    ),
    (
        re.compile(r"motherduck_duckdb_cpp_init|api\.motherduck\.com\S* \(attempt|Could not establish connection"),
        "network",
        (
            "MotherDuck cannot be reached from here (api.motherduck.com)."
            " Check the network or its proxy and run the cell again."
        ),
    ),
    (
        re.compile(
            r"request is not authenticated|Invalid MotherDuck token|PERMISSION_DENIED|UNAUTHENTICATED"
            r"|Jwt is (not in the form|expired)|Jwt verification fails|no token provided",
            re.IGNORECASE,
        ),
        "token",
        (
            "MotherDuck did not accept the token: it is wrong, revoked or expired."
            f" Sign in again with %mdsql --login, or create a token at {TOKEN_PAGE}."
        ),
    ),
    (
        re.compile(r"closed connection|was detached|database (was|has been) invalidated", re.IGNORECASE),
        "connection",
        "The connection to MotherDuck was lost. Run the cell again: it connects anew.",
    ),
)


def diagnose(text: str) -> Diagnosis | None:
    """Return what *text*, from MotherDuck or its driver, means; None for one that says nothing about signing in."""
    for pattern, trouble, advice in _TEXTS:
        if match := pattern.search(text):
            known = {name: value for name, value in match.groupdict().items() if value}
            return Diagnosis(trouble, advice.format_map({"got": "?", "latest": "1.5.*"} | known))
    return None

"""Diagnosis of an error message from MotherDuck or its driver: the cause, and what a person can do about it.

The extension raises during its initialisation; DuckDB and then SQLAlchemy wrap the message in text of their own. The
wrapping says nothing about the cause, so it is removed first. The remaining words are then looked up in a table.

Every search is a substring search or a pattern with bounded repeats, so that it takes linear time: some messages
contain data, and a backtracking pattern would hold the kernel's GIL.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from md_magic.auth.token import TOKEN_PAGE
from md_magic.errors import ConnectError, ServiceUnavailable, SignInError, UnknownDatabase

if TYPE_CHECKING:
    from collections.abc import Mapping

Cause = Literal[
    "denied",  # the person pressed Deny on the activation page
    "token",  # the token is wrong, revoked or expired: sign in again
    "name",  # there is no database or share of that name
    "permission",  # the token is good, but the account has no access to this object
    "version",  # MotherDuck does not support this version of DuckDB
    "network",  # MotherDuck, or the download server of its extension, cannot be reached
    "service",  # MotherDuck does not answer as it should: try later
    "limit",  # the quota of the account's plan is used up
    "lost",  # the connection was lost: connect again
]
"""Why MotherDuck refused; one value for each way a person or program could react."""

Moment = Literal["connecting", "running"]
"""When the error was raised: while opening a connection, or by a statement on an open one."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an error message of the service or its driver means."""

    cause: Cause
    advice: str
    """What happened and what to do next, in whole sentences."""

    words: str
    """The service's own message, without the driver's wrapping."""

    name: str = ""
    """The database or share that does not exist, where *cause* is `name`."""

    @property
    def asks_for_token(self) -> bool:
        """Whether another token would help, so that the sign-in card is shown."""
        return self.cause == "token"

    @property
    def connection_lost(self) -> bool:
        """Whether the open connection may be gone. Test the connection before dropping it: a message is no proof."""
        return self.cause == "lost"


def diagnose(text: str, *, moment: Moment = "connecting", sql: str = "") -> Diagnosis | None:
    """Return what the error message *text* means; `None` if it is not about the MotherDuck service.

    While connecting, an unavailable service means "no network" or "try later"; on an open connection the same words
    mean that it was lost, so *moment* matters. *sql* is the statement that was run: words that occur in it prove
    nothing, as in `SELECT error('Invalid MotherDuck token')`.
    """
    kind, words = unwrapped(text)
    if moment == "running" and kind in _ABOUT_THE_STATEMENT:
        return None
    folded, typed = words.lower(), sql.lower()
    from_service = moment == "connecting" or any(mark in text.lower() for mark in _SERVICE_MARKS)
    for rule in _RULES:
        if moment not in rule.moments or not (rule.distinct or from_service):
            continue
        phrase = rule.deciding_words(words, folded)
        if phrase is not None and phrase.lower() not in typed:
            values = _values(text, words)
            return Diagnosis(rule.cause, rule.advice.format_map(values), words, values["name"])
    return None


def connect_error(target: str, diagnosis: Diagnosis, *, near: str = "") -> ConnectError:
    """Return the error for a *target* that could not be opened. *near* is a sentence with similar names."""
    error = _CLASSES.get(diagnosis.cause, ConnectError)(f"{target} cannot be opened. {diagnosis.advice}{near}")
    error.add_note(f"\nMotherDuck said: {diagnosis.words}")
    return error


_CLASSES: Mapping[Cause, type[ConnectError]] = {
    "token": SignInError,
    "name": UnknownDatabase,
    "network": ServiceUnavailable,
    "service": ServiceUnavailable,
}


# ---- taking the wrapping off -----------------------------------------------------------------------------------------

_MOST_WRAPPINGS = 16
_LONGEST_KIND = 40

_KIND = re.compile(rf"(?!MD )([A-Z][\w ]{{0,{_LONGEST_KIND}}}) Error: ?")
_PYTHON_CLASS = re.compile(r"(?<![\w.])[\w.]{1,160}(?:Exception|Error): ")
_SQLALCHEMY = re.compile(r"\((?:[\w.]{1,80}\.)?\w{1,80}(?:Exception|Error)\) ")
_INITIALIZATION = re.compile(
    r'Initialization function "[^"\n]{1,100}" from file "[^"\n]{1,2000}" (?:threw an exception|failed): ?'
)
_PREFIXES = re.compile(r"Request failed: |motherduck(?:_duckdb_cpp)?_init failed: ")
_ATTACHING = re.compile(r"Failed to attach '[^'\n]{1,500}': ")
_STATEMENT_QUOTED = re.compile(r"\n\n?LINE \d{1,9}: ")


def unwrapped(text: str) -> tuple[str, str]:
    """Return the kind of the innermost error in *text*, such as `Catalog` or empty, and its own message."""
    text = text.strip()
    if match := _SQLALCHEMY.match(text):
        text = text[match.end() :].partition("\n[SQL: ")[0].partition("\n(Background on this error at: ")[0]
    elif match := _PYTHON_CLASS.match(text):
        text = text[match.end() :]
    kind = ""
    for _ in range(_MOST_WRAPPINGS):
        text = text.strip()
        if match := _KIND.match(text):
            kind = match[1]
            text = _message_of_json(text[match.end() :])
        elif match := _INITIALIZATION.match(text):
            text = _unquoted(text[match.end() :])
        elif match := _PREFIXES.match(text) or _ATTACHING.match(text):
            text = text[match.end() :]
        else:
            break
    if match := _STATEMENT_QUOTED.search(text):
        text = text[: match.start()]
    return kind, text


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:].removesuffix('"') if text.startswith('"') else text


def _message_of_json(text: str) -> str:
    """Return the message of an error in DuckDB's JSON format (`SET errors_as_json = true`); other texts unchanged."""
    if not text.startswith('{"exception_type"'):
        return text
    try:
        message = json.loads(text).get("exception_message")
    except (ValueError, RecursionError):
        return text
    return message if isinstance(message, str) else text


# ---- what the words mean ---------------------------------------------------------------------------------------------

_ABOUT_THE_STATEMENT = frozenset(
    [
        "Constraint",
        "Conversion",
        "Decimal",
        "Divide by Zero",
        "Mismatch Type",
        "Out of Memory",
        "Out of Range",
        "Parser",
    ]
)
"""Kinds of errors that DuckDB raises about a statement or its data; their messages can contain any words."""

_SERVICE_MARKS = ("motherduck.com", "connect to motherduck", "rpc '", "request failed: ")
"""Text that shows that a vague error, such as one about HTTP, is MotherDuck's and not about a URL of the user's."""

_BOTH = frozenset({"connecting", "running"})
_CONNECTING = frozenset({"connecting"})
_RUNNING = frozenset({"running"})

_LOST_CODES = re.compile(r"\b(?:UNAVAILABLE|DEADLINE_EXCEEDED)(?=$| ?[:,;)])|\((?:UNAVAILABLE|DEADLINE_EXCEEDED)\b")
_UNAUTHENTICATED = re.compile(r"\bUNAUTHENTICATED(?=$| ?[:,;)])|\(UNAUTHENTICATED\b")
_PERMISSION = re.compile(r"\bPERMISSION_DENIED(?=$| ?[:,;)])|\(PERMISSION_DENIED\b")
_SERVER_ERROR = re.compile(r"(?i)\b(?:HTTP|status(?: code)?)(?:/\d\.?\d?)?[ :=\"(]{0,4}5\d\d\b")
_NO_NAME = re.compile(r"(?i)\bno (?:database/share|database|share) named '([^\n]{1,500}?)' (?:was )?found")
_GOT = re.compile(r"(?i)\bDuckDB(?: version)? \(?(v?\d[\w.+-]{0,40})|extensions\.duckdb\.org/(\w[\w.+-]{0,40})/")
_LATEST = re.compile(
    r"(?i)(?:latest supported version is|currently (?:only )?supports DuckDB|(?:upgrade|downgrade) (?:your )?DuckDB to"
    r"|we recommend DuckDB) v?(\d[\w.]{0,20}\w)"
)


class _Rule(NamedTuple):
    """Matches a message that has one of *phrases* (in lower case) or *pattern*, and one of *with_any* if given."""

    cause: Cause
    advice: str
    phrases: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    with_any: tuple[str, ...] = ()
    moments: frozenset[str] = _BOTH
    distinct: bool = True
    """Whether only MotherDuck produces this message."""

    def deciding_words(self, words: str, folded: str) -> str | None:
        """Return the words that matched; `None` if the rule does not match. *folded* is *words* in lower case."""
        if self.with_any and not any(part in folded for part in self.with_any):
            return None
        phrase = next((phrase for phrase in self.phrases if phrase in folded), None)
        if phrase is None and self.pattern is not None and (match := self.pattern.search(words)):
            return match[0]
        return phrase


_INSTALL = "Install one that it accepts and restart the kernel: {install}"
_TRY_LATER = " The token is still good, and nothing has to be changed: run the cell again in a minute."
_SIGN_IN = f" Sign in again with %mdsql --login, or create a token at {TOKEN_PAGE}."

_RULES: tuple[_Rule, ...] = (
    _Rule(
        "name",
        "MotherDuck knows no share {name!r}, or does not show it to this account: it may have been dropped or renamed,"
        " or its owner may have closed it. Ask for its present URL. `LIST SHARES` lists your own.",
        pattern=_NO_NAME,
        with_any=("named '_share/", "no share named"),
    ),
    _Rule(
        "name",
        "MotherDuck has no database or share named {name!r} that this account sees."
        " `%mdsql md: SHOW ALL DATABASES` lists those that it sees; a share has to be attached first:"
        " ATTACH 'md:_share/...'.",
        pattern=_NO_NAME,
    ),
    _Rule(
        "denied",
        "The sign-in was denied on MotherDuck's page in the browser. Run the cell again to sign in,"
        f" or use a token from {TOKEN_PAGE}.",
        phrases=("user did not confirm", "access_denied"),
        moments=_CONNECTING,
    ),
    _Rule(
        "version",
        "This kernel has DuckDB {got}, which MotherDuck does not accept yet. " + _INSTALL,
        phrases=("not yet supported by motherduck", "please downgrade"),
        with_any=("motherduck",),
    ),
    _Rule(
        "version",
        "This kernel has DuckDB {got}, which MotherDuck no longer accepts. " + _INSTALL,
        phrases=("is not supported by motherduck", "is no longer supported", "please upgrade your duckdb"),
        with_any=("motherduck",),
    ),
    _Rule(
        "version",
        "This kernel has DuckDB {got}, which MotherDuck does not accept. " + _INSTALL,
        phrases=("please upgrade duckdb to",),
    ),
    _Rule(
        "version",
        "There is no MotherDuck extension for this DuckDB, {got}. " + _INSTALL,
        phrases=("extension is not available for this duckdb version", "(http 404)"),
        with_any=("motherduck extension is not available", 'download extension "motherduck"'),
    ),
    _Rule(
        "version",
        "There is no MotherDuck extension for this DuckDB, {got}, or a proxy refuses its download. " + _INSTALL,
        phrases=("(http 403)",),
        with_any=('download extension "motherduck"',),
    ),
    _Rule(
        "version",
        "The MotherDuck extension that is installed does not fit this DuckDB. Install it anew with"
        " `%mdsql duckdb:///:memory: FORCE INSTALL motherduck`, and restart the kernel.",
        phrases=("could not be loaded",),
        with_any=("motherduck",),
    ),
    _Rule(
        "network",
        "DuckDB could not download its MotherDuck extension: extensions.duckdb.org cannot be reached from here."
        " Check the network or its proxy and run the cell again.",
        phrases=('failed to download extension "motherduck"',),
    ),
    _Rule(
        "token",
        "MotherDuck did not accept the token: it is wrong, revoked or expired, or not allowed from here." + _SIGN_IN,
        phrases=("permission_denied, rpc 'create_slt'", "rpc 'create_slt'"),
        pattern=_PERMISSION,
        with_any=("rpc 'create_slt'", "could not connect to motherduck"),
    ),
    _Rule(
        "token",
        "MotherDuck did not accept the token: it is wrong, revoked or expired." + _SIGN_IN,
        phrases=(
            "request is not authenticated",
            "invalid motherduck token",
            "jwt is expired",
            "jwt is not in the form",
            "jwt verification fails",
            "no token provided",
            "md authentication error",
        ),
        pattern=_UNAUTHENTICATED,
    ),
    _Rule(
        "limit",
        "This MotherDuck account has used up what its plan includes. Wait until the limit starts anew, or change the"
        " plan at https://app.motherduck.com. The token is still good.",
        phrases=("daily compute limit", "limit for this plan", "limit for your plan"),
    ),
    _Rule(
        "permission",
        "This MotherDuck account may not do that, and its token is good otherwise. Ask the owner of the database or"
        " share for access.",
        pattern=_PERMISSION,
    ),
    _Rule(
        "lost",
        "The connection to MotherDuck was lost. Run the cell again: it connects anew.",
        phrases=("failed to connect to all addresses",),
        pattern=_LOST_CODES,
        moments=_RUNNING,
    ),
    _Rule(
        "lost",
        "The connection to MotherDuck was lost. Run the cell again: it connects anew.",
        phrases=(
            "closed connection",
            "connection already closed",
            "was detached",
            "database was invalidated",
            "has been invalidated",
        ),
    ),
    _Rule(
        "lost",
        "The connection to MotherDuck was lost. Run the cell again: it connects anew.",
        phrases=("connection reset by peer", "socket closed", "broken pipe"),
        moments=_RUNNING,
        distinct=False,
    ),
    _Rule(
        "service",
        "MotherDuck's service does not answer as it should at the moment." + _TRY_LATER,
        phrases=("please try again later", "temporarily unavailable", "currently unavailable", "request timed out"),
        pattern=_SERVER_ERROR,
        distinct=False,
    ),
    _Rule(
        "network",
        "MotherDuck cannot be reached from here (api.motherduck.com)."
        " Check the network or its proxy and run the cell again. The token is not to blame.",
        phrases=(
            "could not establish connection",
            "failed to connect to all addresses",
            "network is unreachable",
            "no route to host",
            "name resolution",
            "dns resolution failed",
            "could not resolve host",
            "connection refused",
            'failed to download "http://api.motherduck.com',
            'failed to download "https://api.motherduck.com',
        ),
        distinct=False,
    ),
    _Rule(
        "service",
        "MotherDuck's service does not answer at the moment." + _TRY_LATER,
        phrases=("service unavailable", "bad gateway", "gateway timeout", "could not connect to motherduck"),
        pattern=_LOST_CODES,
        distinct=False,
    ),
)
"""The first rule that matches wins. Names come first: a name can contain the words of another rule."""


def _values(text: str, words: str) -> dict[str, str]:
    """Return the values to insert into the advice: the installed version, the one to install, the unknown name."""
    got, latest, name = _GOT.search(text), _LATEST.search(words), _NO_NAME.search(words)
    install = (
        f"%pip install 'duckdb=={latest[1]}'."
        if latest
        else "%pip install 'duckdb==...', with a version that https://motherduck.com/docs names."
    )
    return {
        "got": (got[1] or got[2]) if got else "in a version unknown to MotherDuck",
        "install": install,
        "name": name[1] if name else "",
    }

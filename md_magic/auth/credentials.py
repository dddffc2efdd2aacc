"""Where a MotherDuck token can come from, in order, and the keyring that stores it. Nothing here opens a connection."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from md_magic.auth.secret import Secret
from md_magic.auth.token import Token, is_jwt, looks_like_token

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from types import ModuleType

logger = logging.getLogger(__name__)

SERVICE = "md_magic"
"""The name under which a system's keyring shows our entries."""

_INDEX = "accounts"
"""The entry with the names of the accounts, last remembered first: keyrings cannot be listed."""

_VARIABLES = ("motherduck_token", "MOTHERDUCK_TOKEN")

_RECOMMENDED = 1
"""Backends of a lower priority are, in the keyring library's words, not recommended: plain text files."""

WAYS = (
    "set the environment variable motherduck_token before the kernel starts;"
    " or pass it in a dict: --config NAME with NAME = {'motherduck_token': ...};"
    " or run `motherduck login`, whose credentials file is read;"
    " or sign in once in JupyterLab with 'remember me'"
)
"""Ways to pass a token that keep it out of the notebook; error messages list them."""


def find(
    *,
    environ: Mapping[str, str],
    uri: Secret | None = None,
    config: Mapping[str, object] | None = None,
    signed_in: Token | None = None,
    use_keyring: bool = True,
    account: str | None = None,
    passed_over: Collection[str] = (),
) -> Token | None:
    """Return the first token available, or None if a person has to sign in.

    The order is the documented one: *uri*, *config*, *environ*, the token that a person *signed_in* with in this
    session, the keyring (for *account*, or for the account remembered last), the credentials file of MotherDuck's
    command line. Tokens whose digest is in *passed_over* are skipped: MotherDuck refused them, or the user signed out.
    """
    sources: tuple[Callable[[], Token | None], ...] = (
        lambda: _in_uri(uri),
        lambda: _configured(config or {}),
        lambda: _in_environment(environ),
        lambda: signed_in,
        lambda: _in_keyring(account) if use_keyring else None,
        lambda: _in_cli_file(environ),
    )
    for source in sources:
        token = source()
        if token is not None and token.secret.digest() not in passed_over:
            logger.debug("Using the MotherDuck token of: %s", token.source)
            return token
    return None


def given(uri: Secret | None, config: Mapping[str, object] | None) -> Token | None:
    """Return the token given for one target, in its URI or its configuration; None if there is none."""
    return _in_uri(uri) or _configured(config or {})


def _in_uri(uri: Secret | None) -> Token | None:
    return Token.of(uri, "uri") if uri is not None and uri.reveal().strip() else None


def _configured(config: Mapping[str, object]) -> Token | None:
    value = config.get("motherduck_token")
    if isinstance(value, Secret):
        return Token.of(value, "config")
    return Token.of(Secret(value.strip()), "config") if isinstance(value, str) and value.strip() else None


def _in_environment(environ: Mapping[str, str]) -> Token | None:
    for name in _VARIABLES:
        if value := environ.get(name, "").strip():
            secret = Secret(value)
            lower = name == _VARIABLES[0]
            return Token.of(secret, "environment motherduck_token" if lower else "environment MOTHERDUCK_TOKEN")
    return None


def _in_keyring(account: str | None) -> Token | None:
    for name in [account] if account else remembered():
        if value := _read(name):
            return Token.of(Secret(value), "keyring")
    return None


def _in_cli_file(environ: Mapping[str, str]) -> Token | None:
    folder = environ.get("MOTHERDUCK_HOME")
    path = (Path(folder) if folder else Path.home() / ".motherduck") / "credentials.json"
    try:
        texts = list(_texts(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, RecursionError) as error:
        logger.debug("No token in %s: %s", path, type(error).__name__)  # the message of a JSON error quotes the file
        return None
    # The field names are undocumented. A JWT must be the token; an older token looks like any other word.
    for is_token in (is_jwt, looks_like_token):
        if text := next(filter(is_token, texts), None):
            return Token.of(Secret(text.strip()), "motherduck cli")
    return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def keyring_works() -> bool:
    """Whether this computer has a keyring that is installed, unlocked, and no plain text file, nor a chain to one."""
    works = False
    with _troubles_logged():
        keyring = _library()
        keyring.get_password(SERVICE, _INDEX)
        backend = keyring.get_keyring()
        # A chain stores a password in the first member that takes it, so that the weakest counts.
        works = all(member.priority >= _RECOMMENDED for member in (backend, *getattr(backend, "backends", ())))
    return bool(works)


def remembered() -> tuple[str, ...]:
    """Return the accounts whose tokens are in the keyring, most recent first."""
    try:
        names = json.loads(_read(_INDEX) or "[]")
    except ValueError:
        return ()
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def remember(token: Token) -> bool:
    """Store *token* in the keyring, one per account. Return whether that worked; a failure must not fail the cell."""
    name = account_key(token)
    others = [account for account in remembered() if account != name]
    return _write(name, token.secret.reveal()) and _write(_INDEX, json.dumps([name, *others]))


def forget(account: str | None = None) -> tuple[str, ...]:
    """Remove the token of *account*, or all tokens, from the keyring. Return the accounts that were removed."""
    accounts = remembered()
    forgotten = tuple(name for name in accounts if account is None or name == account)
    for name in forgotten:
        _delete(name)
    if kept := [name for name in accounts if name not in forgotten]:
        _write(_INDEX, json.dumps(kept))
    elif forgotten:
        _delete(_INDEX)
    return forgotten


def account_key(token: Token) -> str:
    """Return the name of *token*'s keyring entry: its account, or a digest if the token does not name one."""
    return token.account or f"token {token.secret.digest()}"


def _read(name: str) -> str | None:
    value = None
    with _troubles_logged():
        value = _library().get_password(SERVICE, name)
    return value if isinstance(value, str) else None


def _write(name: str, value: str) -> bool:
    written = False
    with _troubles_logged():
        _library().set_password(SERVICE, name, value)
        written = True
    return written  # noqa: RET504 - the block above may have ended early


def _delete(name: str) -> None:
    with _troubles_logged():
        _library().delete_password(SERVICE, name)


def _library() -> ModuleType:
    import keyring  # an optional extra, and 80 ms for its backends

    return keyring


@contextmanager
def _troubles_logged() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each backend raises what its system raises: D-Bus, ctypes, RuntimeError
        logger.debug("No keyring: %s", type(error).__name__)

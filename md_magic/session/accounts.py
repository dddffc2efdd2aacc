"""MotherDuck accounts: which token opens a target, and who is signed in.

The invariant: if a target's token is refused, no other account's token is tried in its place. Refused tokens are
skipped only after a person has signed in with another one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from md_magic.auth import credentials
from md_magic.auth.secret import Secret, is_secret_name, tells_secret
from md_magic.catalog import listing
from md_magic.errors import SignInRequired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from md_magic.auth.token import Token
    from md_magic.engine.database import Database
    from md_magic.errors import SignInError
    from md_magic.sql.target import Target

_WHOAMI = ["account", "kind", "expires", "source"]


class Accounts:
    """The tokens of one session: those that opened targets, those to skip, and the one a person signed in with."""

    def __init__(self, *, use_keyring: Callable[[], bool]) -> None:
        """Start without tokens. *use_keyring* tells whether a token may be taken from the keyring."""
        self._use_keyring = use_keyring
        self._signed_in: Token | None = None
        self._by_account: dict[str, Token] = {}
        self._passed_over: set[str] = set()

    def token_for(self, target: Target, config: Mapping[str, Any] | None) -> Token:
        """Return the token to open *target* with. Raises `SignInRequired` where there is none."""
        opened_with = self._by_account.get(target.account)  # an alias or a lost connection: the same account again
        if opened_with is not None and target.account not in self._passed_over:
            return opened_with
        uri = target.secrets.get("motherduck_token")
        written = opened_with or credentials.given(uri, config)
        if written is not None and written.secret.digest() in self._passed_over:
            signed_in = self._signed_in
            if signed_in is not None and (opened_with is None or opened_with.account == signed_in.account):
                return signed_in
            return written  # tried once more: no other account is meant
        token = self.find(uri, config)
        if token is None:
            message = f"{target.name} needs a MotherDuck token, and none was found. Give one: {credentials.WAYS}."
            raise SignInRequired(message)
        return token

    def find(self, uri: Secret | None = None, config: Mapping[str, Any] | None = None) -> Token | None:
        """Return the first token of *uri*, *config*, the environment, this session, the keyring and the CLI's file."""
        return credentials.find(
            environ=os.environ,
            uri=uri,
            config=config,
            signed_in=self._signed_in,
            use_keyring=self._use_keyring(),
            passed_over=self._passed_over if self._signed_in else (),  # without another, each attempt starts clean
        )

    def sign_in(self, token: Token) -> None:
        """Use *token*, which a person has just given, for the targets that are opened from now on."""
        self._signed_in = token
        self._passed_over.discard(token.secret.digest())

    def sign_out(self) -> Token | None:
        """Remove all tokens from the session and the keyring; return one that is still in the environment or a file."""
        self._by_account.clear()
        self._signed_in = None
        self._passed_over.clear()
        credentials.forget()
        return credentials.find(environ=os.environ)

    def prefer_signed_in(self) -> None:
        """Skip the tokens that would come before the one that a person has signed in with."""
        while (token := self.find()) and self._signed_in and token.secret != self._signed_in.secret:
            self.pass_over(token)

    def pass_over(self, token: Token | None) -> None:
        """Skip *token* once there is another one."""
        if token is not None:
            self._passed_over.add(token.secret.digest())
            if token == self._signed_in:
                self._signed_in = None

    def opened(self, database: Database) -> None:
        """Keep the token that opened *database*, for its alias and for connecting again."""
        if database.token is not None:
            self._by_account[database.target.account] = database.token

    def refused(self, error: SignInError, token: Token | None) -> SignInRequired:
        """Skip *token*, which MotherDuck refused with *error*; return the error that asks for another one."""
        self.pass_over(token)
        source = f" from: {token.source}" if token else ""
        account = f", of {token.account}" if token and token.account else ""
        required = SignInRequired(
            f"MotherDuck did not accept the token{source}{account}. It is wrong, revoked or expired."
        )
        for note in getattr(error, "__notes__", []):
            required.add_note(note)
        return required

    def token_of(self, database: Database | None) -> Token | None:
        """Return the token that opened *database*, or else the one that the next target would be opened with."""
        return database.token if database is not None and database.token is not None else self.find()

    def whoami(self, database: Database | None) -> pd.DataFrame:
        """Return a frame of one row about the token of `token_of`; it has no rows where there is no token."""
        token = self.token_of(database)
        if token is None:
            return listing.frame([], _WHOAMI)
        row = [token.account or "unknown", token.kind, token.expires or "never, or not said", token.source]
        return listing.frame([dict(zip(_WHOAMI, row, strict=True))], _WHOAMI)


def sealed(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *config* with its secrets as `Secret`, so that no `repr` of what is kept shows them."""
    return {
        name: Secret(value) if isinstance(value, str) and (is_secret_name(name) or tells_secret(value)) else value
        for name, value in (config or {}).items()
    }

"""A target: the place a cell runs on, as a value that can key a pool and be shown to anyone.

The invariant: nothing secret is in `Target.url` or in anything that equality, hashing or `repr` look at. Tokens and
passwords are taken out of what was written the moment it is read, and travel in `Target.secrets`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from md_magic.auth import Secret
from md_magic.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL

MEMORY = "duckdb:///:memory:"
"""What a cell uses when nothing was named."""

MOTHERDUCK_PARAMETERS = (
    "access_mode",
    "attach_mode",
    "connection_timeout",
    "custom_user_agent",
    "dbinstance_inactivity_ttl",
    "motherduck_token",
    "saas_mode",
    "session_name",
)
"""What a MotherDuck URI may carry after its `?` (MotherDuck's documentation, November 2026)."""

_SCHEME = re.compile(r"[A-Za-z][\w+.-]*:")
_MOTHERDUCK = re.compile(r"(?i)(md|motherduck):")
_SECRET_NAME = re.compile(r"(?i)(token|passw|pwd|secret|api_?key|private_?key|credential)")
_WORDS = "a target is md:my_db, duckdb:///file.duckdb, duckdb:///:memory:, any SQLAlchemy URL, or @alias"


@dataclass(frozen=True, slots=True)
class Target:
    """One place to run SQL. Two spellings of one place are equal; two accounts on it are not."""

    url: str
    """The SQLAlchemy URL without its secrets, spelt in one way."""

    account: str = ""
    """What tells two accounts on one URL apart: a digest of a MotherDuck token, else empty."""

    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False, compare=False)
    """What was taken out of the URL: `password`, or the name of a query parameter."""

    variable: str = ""
    """The Python variable that holds the engine or connection of this target, where one does."""

    @property
    def name(self) -> str:
        """The short way to write this target: `md:my_db` for MotherDuck, else its URL."""
        if self.variable:
            return f"--engine {self.variable}"
        return self.url.removeprefix("duckdb:///") if self.is_motherduck else self.url

    @property
    def dialect(self) -> str:
        """The SQLAlchemy dialect, without its driver: `duckdb`, `postgresql`, `sqlite`."""
        return self.url.partition(":")[0].partition("+")[0]

    @property
    def is_duckdb(self) -> bool:
        """Whether DuckDB runs the SQL, locally or with MotherDuck."""
        return self.dialect == "duckdb"

    @property
    def is_motherduck(self) -> bool:
        """Whether opening this target signs in to MotherDuck."""
        return self.url.startswith("duckdb:///md:")

    @property
    def is_file(self) -> bool:
        """Whether this is a database in a file of this machine."""
        return self.dialect in {"duckdb", "sqlite"} and "/" in self.database

    @property
    def database(self) -> str:
        """The database part of the URL: a file's path, `:memory:`, `md:my_db`, a server's database."""
        if self.variable:
            return ""
        return self.sqlalchemy_url().database or ""

    def signed_in(self, token: Secret) -> Target:
        """Return this target for the account of *token*: another one than for any other account."""
        return replace(self, account=token.digest(), secrets={**self.secrets, "motherduck_token": token})

    def signed_out(self) -> Target:
        """Return this target without an account and its token."""
        kept = {name: secret for name, secret in self.secrets.items() if name != "motherduck_token"}
        return replace(self, account="", secrets=kept) if self.is_motherduck else self

    def sqlalchemy_url(self) -> URL:
        """Return the URL as SQLAlchemy reads it, without secrets."""
        from sqlalchemy import make_url  # 150 ms, and `%load_ext` reads this module

        return make_url(self.url)


def is_target(word: str) -> bool:
    """Tell whether *word* names a target: an `@`, or a scheme with its `:`. Everything else is SQL."""
    return word.startswith("@") or _SCHEME.match(word) is not None


def is_secret(name: str) -> bool:
    """Tell whether the value of a parameter or setting of this *name* is a secret."""
    return _SECRET_NAME.search(name) is not None


def read(word: str) -> Target:
    """Return the target that the URI *word* means.

    Raises `TargetError` where *word* is not a URI, or carries a parameter that MotherDuck does not know.
    """
    url = _url(f"duckdb:///{word}" if _MOTHERDUCK.match(word) else word)
    if url.get_backend_name() == "duckdb":
        url = url.set(database=_duckdb_database(unquote(url.database or "")))
    elif url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        url = url.set(database=_path(url.database))
    url, secrets = _without_secrets(url)
    if (url.database or "").startswith("md:"):
        _check_motherduck(url)
    return Target(url=_spelt(url), secrets=secrets)


def _url(text: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
        return url.set(drivername=url.drivername.lower())
    except (ArgumentError, ValueError):
        pass  # the parser's own message repeats the text, password included
    shown = re.sub(r"//[^/@]*@", "//***@", text.partition("?")[0])
    message = f"{shown!r} cannot be read as a URI: {_WORDS}."
    raise TargetError(message)


def _duckdb_database(path: str) -> str:
    if _MOTHERDUCK.match(path):
        return "md:" + path.partition(":")[2]
    if not path or path.startswith(":memory:"):
        return path or ":memory:"
    return _path(path)


def _path(path: str) -> str:
    try:
        return str(Path(path).expanduser().resolve())
    except (RuntimeError, ValueError) as error:  # ~nobody, or a null byte
        message = f"{path!r} is no path: {error}."
        raise TargetError(message) from None


def _without_secrets(url: URL) -> tuple[URL, dict[str, Secret]]:
    secrets = {name: Secret(_single(value)) for name, value in url.query.items() if is_secret(name)}
    url = url.difference_update_query(list(secrets))
    if url.password is not None:
        secrets["password"] = Secret(str(url.password))
        url = url._replace(password=None)
    return url, secrets


def _single(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else value[-1]


def _check_motherduck(url: URL) -> None:
    unknown = sorted(set(url.query) - set(MOTHERDUCK_PARAMETERS))
    if unknown:
        known = ", ".join(MOTHERDUCK_PARAMETERS)
        message = f"MotherDuck knows no parameter {', '.join(map(repr, unknown))}. It knows: {known}."
        raise TargetError(message)


def _spelt(url: URL) -> str:
    """Spell *url* in one way: sorted parameters; DuckDB's `md:` and paths left readable."""
    url = url.set(query={name: url.query[name] for name in sorted(url.query)})
    text = url.render_as_string(hide_password=False)
    if url.get_backend_name() == "sqlite" and url.database == ":memory:":
        text = text.replace("/%3Amemory%3A", "/:memory:", 1)  # nothing before the database has a per cent sign
    return text.replace("duckdb:///md%3A", "duckdb:///md:").replace("duckdb:///%3Amemory%3A", MEMORY)

"""A target: the database that a cell runs on, as a value that can key a pool and be shown to anyone.

The invariants: `Target.url`, `Target.name` and every `repr` contain no secret: tokens and passwords are removed from
the URI as it is read, and are kept in `Target.secrets`; equality compares a digest of them. And no target opens another
place than the one written: what cannot be meant is an error with the right spelling.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from md_magic.auth.secret import Secret, is_secret_name, mask_uris, tells_secret
from md_magic.errors import TargetError
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL

MEMORY = "duckdb:///:memory:"
"""What a cell uses when nothing was named."""

MOTHERDUCK_IN_PATH = (
    "attach_mode",
    "cache_buster",
    "connection_timeout",
    "dbinstance_inactivity_ttl",
    "host",
    "port",
    "region_host",
    "saas_mode",
    "session_hint",
    "session_name",
    "tls",
    "user",
)
"""Parameters that MotherDuck's extension reads from the path of a connection, and nowhere else."""

MOTHERDUCK_PARAMETERS = (
    *MOTHERDUCK_IN_PATH,
    "access_mode",
    "custom_user_agent",
    "motherduck_token",
    "motherduck_enable_server_side_temp_tables",
    *(f"motherduck_{name}" for name in MOTHERDUCK_IN_PATH),
)
"""What a MotherDuck URI may carry after its `?`: what is documented, and what other clients send (November 2026)."""

_SCHEME = re.compile(r"\A[A-Za-z][\w+.-]*+:")
_MOTHERDUCK = re.compile(r"(?i)(md|motherduck):")
_FILES = re.compile(r"(?is)(duckdb|sqlite)(\+\w+)?:(/*)([^?]*)(\?.*)?")
"""The scheme, driver, slashes, name and parameters of a URI whose database is a file, or is in memory."""

_VARIABLE = re.compile(r"\$[^\W\d]\w*\Z")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_EXTENSION = re.compile(r"\A(\w{2,}+):(?!//)", re.ASCII)
"""How DuckDB begins the name of a database that an extension opens: `ducklake:`, `sqlite:`, `postgres:`."""

_REMOTE = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]++://")
_SALT = os.urandom(16)
"""Makes the digests of passwords useless outside this process."""

WORDS = "a target is md:my_db, duckdb:///file.duckdb, duckdb:///:memory:, any SQLAlchemy URL, or @alias"


@dataclass(frozen=True, slots=True)
class Target:
    """One place to run SQL. Two spellings of one place are equal; two accounts on it are not."""

    url: str
    """The SQLAlchemy URL without its secrets, spelt in one way."""

    account: str = ""
    """Distinguishes accounts on one URL: a digest of a MotherDuck token, else empty."""

    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False, compare=False)
    """What was taken out of the URL: `password`, or the name of a query parameter."""

    key: str = field(default="", repr=False)
    """A digest of what else tells two targets with one URL apart: the passwords, and the folder that a name counts
    from which only DuckDB can read."""

    typed: str = field(default="", repr=False, compare=False)
    """The URL as it was typed, without secrets, where it names a file; else empty."""

    folder: str = field(default="", repr=False, compare=False)
    """The current folder when a relative path was typed; else empty."""

    variable: str = ""
    """The Python variable that holds the engine or connection of this target, where one does."""

    label: str = field(default="", repr=False, compare=False)
    """What was typed, where a variable stands in it, `$NAME` or `${NAME}`: it is shown in place of the URL."""

    hidden: Mapping[str, Secret] = field(default_factory=dict, repr=False, compare=False)
    """What the variables in `label` hold."""

    def __repr__(self) -> str:
        """Show what may be shown of it."""
        return f"Target({self.name!r}{f', account={self.account!r}' if self.account else ''})"

    @property
    def name(self) -> str:
        """The short way to write this target: `md:my_db` for MotherDuck, a file as it was typed, else its URL."""
        if self.variable:
            return f"--engine {self.variable}"
        if self.label:
            return self.label
        if self.typed and self._is_here:
            return self.typed
        return self.url.removeprefix("duckdb:///") if self.is_motherduck else self.url

    @property
    def dialect(self) -> str:
        """The SQLAlchemy dialect, without its driver: `duckdb`, `postgresql`, `sqlite`."""
        return self.url.partition(":")[0].partition("+")[0]

    @property
    def is_motherduck(self) -> bool:
        """Whether opening this target signs in to MotherDuck."""
        return self.url.startswith("duckdb:///md:")

    @property
    def database(self) -> str:
        """The database part of the URL: a file's path, `:memory:`, `md:my_db`, a server's database."""
        if self.variable:
            return ""
        return self.sqlalchemy_url().database or ""

    @property
    def shown_database(self) -> str:
        """The database part as it was typed, for a person to read; empty where it is in a variable."""
        if self.label:
            return self._veiled(self.database)
        if self.typed and self._is_here:
            return unquote(self.typed.partition(":///")[2].partition("?")[0])
        return self.database

    @property
    def user(self) -> str:
        """The user name in the URL, for a person to read; empty where it is in a variable, and where there is none."""
        return self._veiled("" if self.variable else self.sqlalchemy_url().username or "")

    def _veiled(self, part: str) -> str:
        """Return a *part* of the URL without what variables hold."""
        if self.label.startswith("$"):
            return ""
        for name, value in self.hidden.items():
            part = part.replace(value.reveal(), name)
        return part

    def as_typed(self, text: str) -> str:
        """Return *text*, what a driver says, with the path of the database, and what variables hold, as typed."""
        for name, value in self._shown_as():
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, name=name: name, text)  # type: ignore[misc] # a default
        path, typed = self.database, self.shown_database
        if self.label or not typed or typed == path or not Path(path).is_absolute():
            return text
        text = text.replace(path, typed)
        folder = str(Path(path).parent)
        return text.replace(repr(folder), repr(str(Path(typed).parent)))

    def _shown_as(self) -> list[tuple[str, str]]:
        """Return what is written in place of the values of variables in a text: the names, the longest value first."""
        pairs = [(name, value.reveal()) for name, value in self.hidden.items()]
        url, whole = self.sqlalchemy_url(), self.label.startswith("$")
        folder = str(Path(self.database).parent).rstrip("/") if Path(self.database).is_absolute() else ""
        for part in (self.url, url.host, url.database, url.username, folder):
            pairs += [(name, part) for name, value in pairs[: len(self.hidden)] if part and (whole or part in value)]
        return sorted(((name, value) for name, value in pairs if value), key=lambda pair: -len(pair[1]))

    @property
    def _is_here(self) -> bool:
        """Whether a relative path still means what it meant when it was typed."""
        return not self.folder or self.folder == _current_folder()

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
    """Tell whether *word* names a target: an `@`, a scheme with its `:`, or a `$NAME`. Everything else is SQL."""
    return word.startswith("@") or _SCHEME.match(word) is not None or _VARIABLE.match(word) is not None


def read(word: str) -> Target:
    """Return the target that the URI *word* means.

    Raises `TargetError` where *word* is not a URI, cannot mean a place, or carries a parameter that MotherDuck does not
    know.
    """
    word = f"duckdb:///{word}" if _MOTHERDUCK.match(word) else word
    files = _FILES.fullmatch(word)
    if files is None:
        url = _url(word)
        _check_password(url)
        url, secrets = _without_secrets(url)
        return Target(url=_spelt(url), secrets=secrets, key=_key(secrets))
    return _read_file(word, files)


def anchored(uri: str, folder: Path) -> str:
    """Return *uri* so that the relative path of a file in it counts from *folder*; any other as it is.

    A path that begins with a variable may be one from the root.
    """
    files = _FILES.fullmatch(uri)
    scheme, driver, slashes, name, parameters = files.groups(default="") if files is not None else [""] * 5
    path = unquote(name)
    is_relative = slashes == "///" and path and path[0] not in ":$~"
    if not is_relative or _EXTENSION.match(path) or _REMOTE.match(path) or _WINDOWS.match(path):
        return uri
    return f"{scheme}{driver}:///{quote(folder.as_posix())}/{name}{parameters}"


def _read_file(word: str, match: re.Match[str]) -> Target:
    """Return the target that the URI *word* of DuckDB or SQLite means, which *match* has taken apart."""
    scheme, driver, slashes, name, parameters = match.groups(default="")
    _check_slashes(scheme + driver, slashes, name)
    if scheme.lower() == "duckdb" and driver.lower() not in ("", "+duckdb_engine"):
        message = f"There is no driver {driver[1:]!r} for DuckDB: write {mask_uris(f'duckdb:{slashes}{name}')}."
        raise TargetError(message)
    unnamed = [part for part in parameters[1:].split("&") if part and "=" not in part]
    if unnamed:
        message = (
            f"{mask_uris(word).partition('?')[0]!r} is followed by a `?` that begins no parameter: one is name=value."
            " Write %3F for a question mark that belongs to a file's name."
        )
        raise TargetError(message)
    scheme = scheme.lower()
    typed = slashes[3:] + name
    url = _url(f"{scheme}{driver.lower() if scheme == 'sqlite' else ''}:///{parameters}")
    database = (_duckdb_database if scheme == "duckdb" else _sqlite_database)(unquote(typed))
    url, secrets = _without_secrets(url._replace(database=database or None))
    if database.startswith("md:"):
        _check_motherduck(url)
        return Target(url=_spelt(url), secrets=secrets, key=_key(secrets))
    here = _current_folder() if scheme == "duckdb" and _EXTENSION.match(database) and not _is_path(database) else ""
    key = _key(secrets, here)
    if not _is_path(database) and not here:
        return Target(url=_spelt(url), secrets=secrets, key=key)
    query = _spelt(url).partition("?")[2]
    relative = not typed.startswith(("/", "~", "file:"))
    return Target(
        url=_spelt(url),
        secrets=secrets,
        key=key,
        typed=f"{scheme}{driver.lower()}:///{typed}" + (f"?{query}" if query else ""),
        folder=_current_folder() if relative else "",
    )


def _is_path(database: str) -> bool:
    return Path(database).is_absolute()


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it was deleted
        return ""


def _key(secrets: Mapping[str, Secret], folder: str = "") -> str:
    """Return a digest of *secrets*, but for a MotherDuck token, whose account says more, and of *folder*."""
    parts = [f"{name}={secret.reveal()}" for name, secret in sorted(secrets.items()) if name != "motherduck_token"]
    if not parts and not folder:
        return ""
    return hmac.digest(_SALT, "\0".join([*parts, folder]).encode(errors="surrogatepass"), hashlib.sha256).hex()[:16]


def _url(text: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
        return url.set(drivername=url.drivername.lower())
    except (ArgumentError, ValueError):
        pass  # the parser's own message repeats the text, password included
    shown = mask_uris(text).partition("?")[0]
    message = f"{shown!r} cannot be read as a URI: {WORDS}."
    scheme, _, rest = shown.partition(":")
    if scheme.lower() == "jdbc":
        message += f" Write it without jdbc: {rest}."
    elif scheme.lower() == "ducklake":
        message += f" A DuckLake is written duckdb:///{shown}."
    raise TargetError(message)


def _check_slashes(scheme: str, slashes: str, name: str) -> None:
    """Raise `TargetError` for a database after one or two slashes, where a host would be, or after none."""
    needed = 3
    short = _MOTHERDUCK.match(name)
    if short and name[short.end() :].startswith("/"):
        right = "md:" + mask_uris(name[short.end() :]).lstrip("/")
        message = f"md: takes no slashes: write {right}."
        raise TargetError(message)
    if len(slashes) >= needed or (len(slashes) == needed - 1 and not name):
        return
    name = mask_uris(f"//{name}")[2:]
    right = f"md:{name[short.end() :]}" if short else f"{scheme}:///{name or ':memory:'}"
    message = f"{scheme}:/// takes three slashes: write {right}."
    if slashes == "/" and name:
        message = message[:-1] + f", or {scheme}:////{name} for a path from the root."
    raise TargetError(message)


def _duckdb_database(path: str) -> str:
    """Return what the *path* after `duckdb:///` means to DuckDB: `:memory:`, `md:`, an extension's name, or a file."""
    if _MOTHERDUCK.match(path):
        return "md:" + path.partition(":")[2]
    if not path or path.startswith(":memory:"):
        return path or ":memory:"
    if _MOTHERDUCK.match(path.removeprefix("/")):
        message = (
            f"{path!r} is a path from the root. MotherDuck is written {path[1:]}; a file of that name is"
            f" duckdb:////./{path[1:]}."
        )
        raise TargetError(message)
    if path == ":default:":
        message = (
            "duckdb:///:default: is the connection that `duckdb.sql(...)` uses, which is not to be closed with a"
            " target. Write `con = duckdb.connect(':default:')`, and name it: --engine con."
        )
        raise TargetError(message)
    path = path.removeprefix("file://") if path.startswith("file:///") else path.removeprefix("duckdb:")
    if _REMOTE.match(path):
        shown = mask_uris(path)
        message = (
            f"DuckDB connects to no database at {shown!r}, only to files of this computer. Attach it on"
            f" duckdb:///:memory: with ATTACH '{shown}' AS name (READ_ONLY)."
        )
        raise TargetError(message)
    if _EXTENSION.match(path):
        if tells_secret(path):
            message = (
                f"{_EXTENSION.match(path)[1]}: with a password in it would be shown wherever the target is. Keep the"  # type: ignore[index] # it has just matched
                " password with CREATE SECRET, and ATTACH the database on duckdb:///:memory:."
            )
            raise TargetError(message)
        return path
    return _path(path, special=":memory:")


def _sqlite_database(path: str) -> str:
    if not path or path == ":memory:" or path.startswith("file:"):
        return path
    return _path(path, special=":memory:")


def _path(path: str, *, special: str) -> str:
    if path.startswith(":"):
        message = f"{path!r} is no special name: {special} is the one there is. Write ./{path} for a file of that name."
        raise TargetError(message)
    if _WINDOWS.match(path) and os.name != "nt":
        message = f"{path!r} is a path of Windows, and this kernel runs elsewhere. Write the path that it has here."
        raise TargetError(message)
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:  # ~nobody, a null byte, or the current folder is gone
        message = f"{path!r} is no path: {error}."
        raise TargetError(message) from None


def _check_password(url: URL) -> None:
    """Raise `TargetError` where an `@` behind the first one shows that the password's end is not known."""
    if "@" in (url.host or "") or (url.password is not None and "@" in (url.database or "")):
        message = (
            f"Where the password of {url.drivername}:// ends is not sure, because it holds an @ or a / as it is. Write"
            " %40 for an @, and %2F for a /."
        )
        raise TargetError(message)


def _without_secrets(url: URL) -> tuple[URL, dict[str, Secret]]:
    secrets = {
        name: Secret(_single(value))
        for name, value in url.query.items()
        if is_secret_name(name) or tells_secret(_single(value))
    }
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
        near = "".join(did_you_mean(name, MOTHERDUCK_PARAMETERS) for name in unknown[:1])
        message = (
            f"MotherDuck knows no parameter {', '.join(map(repr, unknown))}.{near}"
            f" It knows: {', '.join(MOTHERDUCK_PARAMETERS)}."
        )
        raise TargetError(message)


def _spelt(url: URL) -> str:
    """Spell *url* in one way: sorted parameters; DuckDB's `md:` and paths left readable."""
    url = url.set(query={name: url.query[name] for name in sorted(url.query)})
    text = url.render_as_string(hide_password=False)
    if url.get_backend_name() == "sqlite" and url.database == ":memory:":
        text = text.replace("/%3Amemory%3A", "/:memory:", 1)  # nothing before the database has a per cent sign
    return text.replace("duckdb:///md%3A", "duckdb:///md:").replace("duckdb:///%3Amemory%3A", MEMORY)

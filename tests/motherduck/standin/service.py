"""The service's side of the stand-in: accounts, logins and moods, kept in a folder that several processes look at."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "MD_STANDIN"
"""The environment variable that names the folder."""

_RUNS_ON = 0.5
"""Seconds that the server's half of a query goes on after the client's was interrupted."""


@dataclass(slots=True)
class Mood:
    """How the service behaves from now on. Read again at every connect, login and statement."""

    prompt: str = "1.2"
    """Which text a login prints: a key of `texts.PROMPTS`."""
    stream: int = 1
    """The file descriptor that it prints to."""
    chunk: int = 0
    """Bytes per write; 0 for one write."""
    pragma: str = "row"
    """What PRAGMA PRINT_MD_TOKEN does: gives a 'row', 'prints' a shell command, or is 'missing'."""
    login_seconds: float = 60.0
    """How long a login waits for somebody to confirm it."""
    login_at: str = "connect"
    """Where a driver without a token starts its login: at 'connect', or at the first 'statement'."""
    flood: int = 0
    """Bytes of other output that a login prints before its link."""
    flood_after: bool = False
    """Whether it prints them after its link instead."""
    missing: list[str] = field(default_factory=list)
    """Functions and views that the driver does not know, such as `md_user_info`."""
    forbidden: list[str] = field(default_factory=list)
    """Those that this account may not ask."""
    slow: list[str] = field(default_factory=list)
    """Those that do not answer until they are interrupted."""
    detached: list[str] = field(default_factory=list)
    """Databases of every account that are not attached."""
    broken: dict[str, str] = field(default_factory=dict)
    """Attached databases that are broken, with the reason."""
    fixup: str = "SELECT 42 AS answer"
    """What `prompt_fixup` answers."""
    fix_line: tuple[int, str] = (1, "SELECT 42 AS answer")
    """What `prompt_fix_line` answers: the number of a line, and what it should be."""
    login_delay: float = 0.0
    """Seconds before a login prints anything."""
    connect_delay: float = 0.0
    outage: str | None = None
    """A key of `texts.OUTAGES` or `texts.UNWRAPPED`: every connect fails with it."""
    wrapper: str = "threw"
    """A key of `texts.WRAPPERS`: what DuckDB puts around what the extension raises at connecting."""
    hangs: bool = False
    """Whether connecting never returns, with the GIL held in C++ or not: a process has to be killed."""
    dies: bool = False
    """Whether a login's process dies in the middle of it."""
    opens_browser: bool = False
    """Whether a login starts a process that outlives it and keeps its stdout, as a browser does."""
    down: bool = False
    """Whether statements fail, those that are running included."""
    attaches: bool = False
    """Whether local connections can `ATTACH 'md:'` and `LOAD motherduck`, as where the extension is installed."""
    lists_running: bool = True
    """Whether the server lists what runs, and stops it, which rolls its transaction back."""
    loss: str = "unavailable"
    """A key of `texts.LOSSES`: what statements fail with then."""


@dataclass(slots=True)
class Account:
    """One account, with its current token."""

    email: str
    token: str
    kind: str = "read_write"
    revoked: bool = False
    expired: bool = False
    databases: list[str] = field(default_factory=lambda: ["my_db", "sample_data"])


class Service:
    """The folder of a stand-in, seen from a test or from inside `duckdb.connect`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("accounts", "logins", "databases", "shares", "running"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    # The moods

    @property
    def mood(self) -> Mood:
        try:
            return Mood(**json.loads((self.folder / "mood.json").read_text()))
        except FileNotFoundError:
            return Mood()

    def be(self, **changes: object) -> None:
        """Change how the service behaves, for every process that looks at the folder."""
        _write(self.folder / "mood.json", asdict(self.mood) | changes)

    # Accounts

    def add_account(self, email: str, *, kind: str = "read_write", days: float | None = None) -> Account:
        """Make an account, or give an existing one a new token. *days* until it expires; negative for one that has."""
        account = Account(email, make_token(email, kind=kind, days=days), kind, expired=days is not None and days < 0)
        for name in account.databases:
            self._make_database(email, name)
        _write(self.folder / "accounts" / f"{digest(account.token)}.json", asdict(account))
        return account

    def revoke(self, account: Account) -> None:
        account.revoked = True
        _write(self.folder / "accounts" / f"{digest(account.token)}.json", asdict(account))

    def is_revoked(self, account: Account) -> bool:
        """Whether *account*'s token was revoked meanwhile: asked before every statement."""
        found = self.account_of(account.token)
        return found is None or found.revoked

    def account_of(self, token: str) -> Account | None:
        path = self.folder / "accounts" / f"{digest(token)}.json"
        return Account(**json.loads(path.read_text())) if path.exists() else None

    def times_of(self, account: Account) -> tuple[int, int | None]:
        """Return when the token of *account* was made, and when it expires."""
        part = account.token.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return payload["iat"], payload.get("exp")

    def find_account(self, email: str) -> Account | None:
        accounts = [Account(**json.loads(path.read_text())) for path in (self.folder / "accounts").iterdir()]
        return next((account for account in accounts if account.email == email and not account.revoked), None)

    def database_file(self, email: str, name: str) -> Path:
        return self.folder / "databases" / digest(email) / f"{name}.duckdb"

    def _make_database(self, email: str, name: str) -> None:
        path = self.database_file(email, name)
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        import duckdb  # it loads the stand-in, which imports this module

        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE ducks AS SELECT i AS id, 'duck ' || i AS name FROM range(3) t(i)")
            connection.execute(f"CREATE VIEW owner AS SELECT '{email}' AS email, '{name}' AS database_name")

    # Shares

    def share(self, name: str) -> str:
        """Publish a share and return its URL."""
        import duckdb  # see above

        key = str(uuid.uuid4())
        with duckdb.connect(str(self.share_file(key))) as connection:
            connection.execute("CREATE TABLE eggs AS SELECT 42 AS number")
        self.share_file(key).with_suffix(".name").write_text(name)
        return f"md:_share/{name}/{key}"

    def shares(self) -> dict[str, str]:
        """Return the name of each share by its key."""
        return {path.stem: path.read_text() for path in (self.folder / "shares").glob("*.name")}

    def share_file(self, key: str) -> Path:
        return self.folder / "shares" / f"{key}.duckdb"

    # Logins

    def start_login(self) -> str:
        alphabet = "BCDFGHJKLMNPQRSTVWXZ"
        code = "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(2))
        _write(self._login_file(code), {"state": "pending", "email": "", "pid": str(os.getpid())})
        return code

    def approve(self, code: str, email: str) -> None:
        self._set_login(code, "approved", email)

    def deny(self, code: str) -> None:
        self._set_login(code, "denied")

    def login(self, code: str) -> dict[str, str]:
        path = self._login_file(code)
        return json.loads(path.read_text()) if path.exists() else {"state": "unknown", "email": ""}

    def pending(self) -> list[str]:
        """Return the codes that somebody could confirm now."""
        codes = [path.stem for path in (self.folder / "logins").iterdir() if path.suffix == ".json"]
        return [code for code in codes if self.login(code)["state"] == "pending" and self._waits(code)]

    def _waits(self, code: str) -> bool:
        """Whether the process that waits for *code* is still there."""
        try:
            os.kill(int(self.login(code)["pid"]), 0)
        except ProcessLookupError:
            return False
        return True

    def wait_for_login(self, seconds: float = 60) -> str:
        """Return the code of a pending login, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            recorded = {entry.get("code") for entry in self.recorded("login")}  # it prints after that
            if codes := [code for code in self.pending() if code in recorded]:
                return codes[-1]
            time.sleep(0.02)
        message = f"No login was started within {seconds} s."
        raise TimeoutError(message)

    def _set_login(self, code: str, state: str, email: str = "") -> None:
        _write(self._login_file(code), self.login(code) | {"state": state, "email": email})

    def _login_file(self, code: str) -> Path:
        return self.folder / "logins" / f"{code}.json"

    # What runs

    def begin_running(self, account: Account, connection: str, query: str) -> None:
        entry = {"id": connection, "email": account.email, "query": query, "began": time.time()}
        _write(self._running_file(connection), entry)

    def end_running(self, connection: str) -> None:
        self._running_file(connection).unlink(missing_ok=True)

    def running(self, account: Account) -> list[dict[str, Any]]:
        """Return what runs for *account*; also what a process that was killed has left."""
        entries = [self._entry(path) for path in (self.folder / "running").glob("*.json")]
        return [entry for entry in entries if entry.get("email") == account.email and not entry.get("interrupted")]

    def interrupt(self, text: str) -> bool:
        """Stop the connection whose id *text* holds; return whether something ran on it."""
        for path in (self.folder / "running").glob("*.json"):
            if path.stem in text and (entry := self._entry(path)):
                _write(path, entry | {"interrupted": True})
                return True
        return False

    def is_interrupted(self, connection: str) -> bool:
        return bool(self._entry(self._running_file(connection)).get("interrupted"))

    def let_server_run_on(self, connection: str) -> None:
        """Let the server's half of a query run a little longer than the client's, unless it is told to stop."""
        deadline = time.monotonic() + _RUNS_ON
        while self.mood.lists_running and self._running_file(connection).exists() and time.monotonic() < deadline:
            if self.is_interrupted(connection):
                return
            time.sleep(0.01)

    @staticmethod
    def _entry(path: Path) -> dict[str, Any]:
        try:
            return dict(json.loads(path.read_text()))
        except FileNotFoundError:  # it has ended meanwhile
            return {}

    def _running_file(self, connection: str) -> Path:
        return self.folder / "running" / f"{connection}.json"

    # What arrived

    def record(self, event: str, **details: object) -> None:
        """Append to the log, in one write, so that processes do not mix their lines."""
        line = json.dumps({"event": event, "pid": os.getpid(), **details}) + "\n"
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(line)

    def recorded(self, event: str) -> list[dict[str, object]]:
        path = self.folder / "log.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if line["event"] == event]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_token(email: str, *, kind: str = "read_write", days: float | None = None) -> str:
    """Return a token with the shape of a real one: a JWT, with a signature that is noise."""
    now = int(time.time())
    payload: dict[str, object] = {
        "email": email,
        "session": email.replace("@", "."),
        "pat": secrets.token_urlsafe(24),
        "userId": str(uuid.uuid4()),
        "iss": "md_pat",
        "readOnly": kind == "read_scaling",
        "tokenType": kind,
        "iat": now,
    }
    if days is not None:
        payload["exp"] = now + int(days * 86400)
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256", "typ": "JWT"}, payload)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, secrets.token_bytes(32)))


def _write(path: Path, value: object) -> None:
    draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(2)}.draft")
    draft.write_text(json.dumps(value))
    draft.replace(path)

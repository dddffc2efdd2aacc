"""An open target: the notebook's connection to it, over the backend for its kind of database."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from md_magic.engine import backends
from md_magic.engine.backends.base import secrets_of
from md_magic.engine.driver_errors import clean, connect_error, driver_error
from md_magic.errors import STOPS, MdMagicError

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping

    from md_magic.auth.secret import Secret
    from md_magic.auth.token import Token
    from md_magic.engine.backends import Backend
    from md_magic.engine.cancellation import Execution
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)


def now() -> tuple[float, float]:
    """Return the time of two clocks in seconds: the monotonic one, and the wall clock.

    The monotonic clock stops while the computer sleeps; the wall clock can be set back.
    """
    return time.monotonic(), time.time()


class Database:
    """An open target and its execution. Only its `backend` knows the kind of database."""

    __slots__ = ("__weakref__", "backend", "before_close", "execution", "lock", "opened", "target", "token", "used")

    def __init__(self, backend: Backend, token: Token | None = None) -> None:
        """Take an open *backend*, and for MotherDuck the *token* that opened it."""
        self.backend = backend
        self.target = backend.target
        self.token = token
        self.lock = threading.RLock()
        """Held while a statement runs and is fetched: a connection has one open result."""

        self.execution: Execution | None = None
        """The current or last execution on it."""

        self.before_close: tuple[Callable[[], object], ...] = ()
        """Called, in order, before the connection is closed."""

        self.opened = time.monotonic()
        self.used = now()
        """The time of its last answer, by both clocks."""

    def __repr__(self) -> str:
        """Show the target and the state, without secrets."""
        return f"<Database {self.target.name} · {self.state}>"

    def attach(self, execution: Execution) -> None:
        """Let *execution* show the progress of this connection's statements, and stop them."""
        stopper = self.backend.stopper(anew=execution is not self.execution)
        self.execution = execution
        execution.attach(self.target.name, stopper, self.backend.progress)

    def touch(self) -> None:
        """Record that the database has just answered."""
        self.used = now()

    @property
    def idle(self) -> float:
        """Seconds since its last answer, including the time for which the computer slept."""
        return max(here - there for here, there in zip(now(), self.used, strict=True))

    @property
    def needs_probe(self) -> bool:
        """Whether the connection must be probed before the next statement."""
        return self.backend.needs_probe(self.idle)

    @property
    def state(self) -> str:
        """`open`, `in transaction` or `closed`."""
        if self.backend.is_closed:
            return "closed"
        return "in transaction" if self.backend.in_transaction else "open"

    @property
    def account(self) -> str:
        """The MotherDuck account, or the user name in the URL; empty if unknown."""
        if self.token is not None:
            return self.token.account or f"token {self.token.secret.digest()}"
        return self.backend.account

    @property
    def secrets(self) -> list[Secret]:
        """The values to mask in every text that a person sees."""
        return self.backend.secrets

    def scanning(self, frames: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
        """Let statements within the block read the Python tables in *frames*, if the database supports it."""
        return self.backend.scanning(frames)

    def branch(self) -> Database:
        """Return another connection to the same database, for use in another thread; it is closed separately.

        Raises `ConnectError` if no other connection can have this one's state.
        """
        return Database(self.backend.branch(), self.token)

    def close(self) -> None:
        """Close the connection and everything opened for it. A second call does nothing."""
        steps, self.before_close = self.before_close, ()
        for step in steps:
            try:
                step()
            except Exception:  # a failing callback must not keep the connection open
                logger.debug("closing %s failed", self.target.name, exc_info=True)
        self.backend.close()


def needs_token(target: Target) -> bool:
    """Whether opening *target* needs a MotherDuck token."""
    return backends.of(target).signs_in


def open_database(target: Target, config: Mapping[str, Any], token: Token | None = None) -> Database:
    """Connect to *target*. *config* is DuckDB's configuration dictionary.

    Raises `TargetError` for a missing driver, `ConnectError` if it cannot be opened, and `SignInError` if MotherDuck
    refuses the token. *token* is only recorded: its value is in the target and the configuration.
    """
    kind = backends.of(target)
    return Database(_connected(kind, target, config, lambda: kind.open(target, config)), token)


def adopt_database(target: Target, value: object) -> Database:
    """Connect through *value*, the SQLAlchemy engine or DuckDB connection in the variable that *target* names.

    Raises `ConnectError` if it is closed or cannot connect.
    """
    kind = backends.of(target)
    return Database(_connected(kind, target, {}, lambda: kind.adopt(target, value)))


def _connected(
    kind: type[Backend], target: Target, config: Mapping[str, Any], connect: Callable[[], Backend]
) -> Backend:
    try:
        return connect()
    except (MdMagicError, *STOPS):
        raise
    except BaseException as error:  # noqa: BLE001 - drivers raise classes of their own, and Python's
        cause = driver_error(error)
    secrets = secrets_of(target, config)
    raise connect_error(kind, target, config, cause, secrets) from clean(cause, secrets)

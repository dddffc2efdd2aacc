"""MotherDuck: a DuckDB in this process whose queries run on a service, in whole or in part."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import threading
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import duckdb
from sqlalchemy.exc import SQLAlchemyError

from md_magic.auth.diagnosis import connect_error, diagnose
from md_magic.engine.backends.duckdb.backend import DuckDBBackend
from md_magic.engine.backends.duckdb.connection import TEMPORARY
from md_magic.engine.backends.duckdb.digests import RemoteDigests
from md_magic.engine.backends.introspection.duckdb import MotherDuckIntrospection
from md_magic.engine.backends.motherduck.service import MotherDuckService
from md_magic.sql.quoting import identifier
from md_magic.sql.references import Object
from md_magic.sql.statement import Statement
from md_magic.sql.target import MOTHERDUCK_IN_PATH
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.engine.backends.base import Reading
    from md_magic.engine.backends.features import Feature
    from md_magic.errors import ConnectError
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)

IDLE = 15 * 60.0
"""Seconds without a statement after which MotherDuck may have ended a connection: its documented default of
`dbinstance_inactivity_ttl`, for which it keeps an instance."""

_AFTER_CONNECTING = frozenset({"motherduck_enable_server_side_temp_tables"})
"""Parameters that are `SET` once there is a connection."""

_SERVER_STOP = 2.0
"""Seconds for which the next query waits while the server is asked to stop the one before."""

_SERVER_INTERRUPT = """
SELECT md_interrupt_server_connection(client_connection_id) FROM md_active_server_connections()
WHERE client_connection_id::VARCHAR = $id
"""

_DATABASES = "SELECT alias FROM md_all_databases()"
_SHARES = "SELECT name FROM md_information_schema.shared_with_me"

_ALIVE = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.TransactionException,
)
"""Errors of a service that answers: it does not know the probe, forbids it, or waits for a ROLLBACK."""


class MotherDuckBackend(DuckDBBackend):
    """A connection to MotherDuck."""

    signs_in = True
    digests = RemoteDigests()
    extends_duckdb = True
    introspection = MotherDuckIntrospection
    probe = Statement(text="SELECT count(*) FROM md_active_server_connections()", kind="SELECT")
    """Asks MotherDuck itself, and changes nothing. A `SELECT 1` would run in this process."""

    _server_id: str | None = None
    _server_stop: _ServerStop | None = None

    # ---- opening ----------------------------------------------------------------------------------------------------

    @classmethod
    def is_meant(cls, target: Target) -> bool:
        """Whether opening *target* signs in to MotherDuck."""
        return target.is_motherduck

    @classmethod
    def is_file(cls, target: Target) -> bool:  # noqa: ARG003 - see base
        """Whether *target* is a file: never."""
        return False

    @classmethod
    def connect_refusal(cls, target: Target, config: Mapping[str, Any], text: str) -> ConnectError | None:
        """Return the error that says what MotherDuck's *text* means; a `SignInError` where another token is needed."""
        diagnosis = diagnose(text, moment="connecting")
        if diagnosis is None:
            return None
        near = cls._near_names(target, config, diagnosis.name) if diagnosis.name else ""
        return connect_error(target.name, diagnosis, near=near)

    @classmethod
    def _near_names(cls, target: Target, config: Mapping[str, Any], unknown: str) -> str:
        """Return a sentence with the databases and shares of the account whose names are near to *unknown*.

        It is empty where there are none, and where the account cannot be asked.
        """
        settings = {name: value for name, value in config.items() if name != "attach_mode"}
        try:
            account = cls.open(replace(target, url="duckdb:///md:"), settings)
        except (duckdb.Error, SQLAlchemyError):
            return ""
        try:
            return account.names_near(unknown)
        finally:
            account.close()

    def names_near(self, unknown: str) -> str:
        """Return a sentence with the databases and shares that the account sees and that *unknown* may have meant."""
        names = []
        for query in (_DATABASES, _SHARES):
            with contextlib.suppress(duckdb.Error):  # not every account may ask for the shares
                names += [str(name) for (name,) in self.native.execute(query).fetchall()]
        return did_you_mean(unknown.removeprefix("_share/").partition("/")[0], names)

    @classmethod
    def _arguments(cls, target: Target, config: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Return the path for `duckdb.connect`, with MotherDuck's parameters in it, and its configuration.

        duckdb-engine runs every parameter that it does not know as a `SET`, which most of MotherDuck's do not survive:
        what has no prefix must be in the path. What begins with `motherduck_` is a setting of the extension.
        """
        options = cls._settings(target, config)
        path = {name: _spelt(options.pop(name)) for name in MOTHERDUCK_IN_PATH if name in options}
        settings = {name: options.pop(name) for name in _AFTER_CONNECTING if name in options}
        if target.account:
            instance = _instance(target.account, {**options, **settings})
            if "user" in path:  # a person's own stays as it is
                path["cache_buster"] = "-".join(filter(None, (path.get("cache_buster"), instance)))
            else:
                path["user"] = instance
        own_agent = options.get("custom_user_agent")
        agent = f"md_magic/{version('md_magic')}" + (f"({own_agent})" if own_agent else "")
        database = target.database + ("?" + urlencode(path) if path else "")
        return database, {**options, "custom_user_agent": agent}, settings

    def _initial_schema(self) -> str:
        """Return the statement that chooses the database of the target; a share's name is not the one it gets."""
        name = self.target.database.removeprefix("md:").partition("?")[0]
        return f"USE {identifier(name)}" if name and "/" not in name else ""

    # ---- stopping ---------------------------------------------------------------------------------------------------

    def stopper(self, *, anew: bool) -> Callable[[], object]:
        """Return what stops what runs, here and on the server."""
        if anew and self._server_stop is not None:
            self._server_stop.join(_SERVER_STOP)  # or it would stop what runs now
            self._server_stop = None
        return functools.partial(self._stop_both, self._ask_server_id())

    def _ask_server_id(self) -> str:
        """Return the server's name for this connection; empty if the server does not say."""
        if self._server_id is None:
            self._server_id = ""
            with contextlib.suppress(duckdb.Error):
                row = self.native.execute("SELECT md_current_client_connection_id()::VARCHAR").fetchone()
                self._server_id = row[0] if row else ""
        return self._server_id

    def _stop_both(self, server_id: str) -> None:
        """Stop this process's half of a query, and once, from a thread, the server's."""
        self.native.interrupt()
        if server_id and self._server_stop is None:
            self._server_stop = _ServerStop(self.native, server_id)
            self._server_stop.start()

    # ---- what the service tells -------------------------------------------------------------------------------------

    def why_not(self, feature: Feature) -> str:  # noqa: ARG002 - all of them can be had
        """Return nothing: MotherDuck can do it."""
        return ""

    def service(self) -> MotherDuckService:
        """Return what asks MotherDuck about itself, beside this connection."""
        return MotherDuckService(self.native)

    # ---- connection-local state -------------------------------------------------------------------------------------

    def temporary_objects(self) -> list[Object]:
        """Return the temporary objects that a person has made; the client has macros of its own in every connection."""
        objects = self.native.execute(TEMPORARY).fetchall()
        if objects:
            with self.native.cursor() as other:
                of_client = other.execute(TEMPORARY).fetchall()
            objects = [row for row in objects if row not in of_client]
        return [Object(kind, name) for kind, name in objects]

    def transaction_after_stop(self) -> str:
        """Return what became of the user's transaction, here and on the server; empty where none was open."""
        here, stop = super().transaction_after_stop(), self._server_stop
        if not here or stop is None:
            return here
        stop.join(_SERVER_STOP)
        if stop.stopped is False:  # nothing ran on the server any more
            return here
        undone = "is undone" if stop.stopped else "may be undone"
        advice = " Run ROLLBACK before anything else." if self.local.in_transaction else ""
        return (
            "MotherDuck was told to stop the query on its server, which rolls the open transaction back: what ran in it"
            f" before {undone}.{advice}"
        )

    # ---- errors -----------------------------------------------------------------------------------------------------

    def diagnosis(self, statement: Statement, text: str) -> Diagnosis | None:
        """Return what *text*, an error of *statement*, means."""
        return diagnose(text, moment="running", sql=statement.text)

    def hint(self, statement: Statement, cause: BaseException, text: str, diagnosis: Diagnosis | None) -> str:
        """Return what to do about an error that MotherDuck, and not DuckDB, gave."""
        if (hint := super().hint(statement, cause, text, diagnosis)) or diagnosis is None or diagnosis.connection_lost:
            return hint
        return diagnosis.advice + (self.names_near(diagnosis.name) if diagnosis.name else "")

    def reading(
        self,
        statement: Statement,  # noqa: ARG002 - see base
        groups: Statement | None,  # noqa: ARG002
        run: Callable[[Statement], dict[str, list[Any]]],  # noqa: ARG002
    ) -> Reading:
        """Keep the rows: the plan of rows elsewhere is another, and asking for it a journey."""
        return "kept"

    def answers(self, cause: BaseException | None) -> bool:
        """Whether *cause*, of a failed `probe`, comes from a service that works."""
        return isinstance(cause, _ALIVE)

    def needs_probe(self, idle: float) -> bool:
        """Whether MotherDuck may have ended the connection after *idle* seconds."""
        return idle >= IDLE


class _ServerStop(threading.Thread):
    """Stops on MotherDuck's server what still runs for a connection, from another connection."""

    stopped: bool | None = None
    """Whether the server had something to stop; `None` where it has not answered."""

    def __init__(self, native: duckdb.DuckDBPyConnection, server_id: str) -> None:
        """Stop what runs for the connection *server_id*, which the server knows *native* by."""
        super().__init__(daemon=True)
        self._native, self._server_id = native, server_id

    def run(self) -> None:
        """Ask the server."""
        try:
            with self._native.cursor() as other:
                rows = other.execute(_SERVER_INTERRUPT, {"id": self._server_id}).fetchall()
        except (duckdb.Error, RuntimeError):
            logger.debug("the server was not asked to stop", exc_info=True)
        else:
            self.stopped = any(stopped for (stopped,) in rows)


def _instance(account: str, config: Mapping[str, Any]) -> str:
    """Return what separates DuckDB's instances of one path: it refuses a second account, or a second configuration.

    It is a digest of the token, never the token itself, and of the settings, if there are any.
    """
    settings = sorted(f"{name}={value}" for name, value in config.items() if name != "motherduck_token")
    if not settings:
        return account
    return f"{account}-{hashlib.sha256(repr(settings).encode()).hexdigest()[:6]}"


def _spelt(value: object) -> str:
    """Write *value* of a MotherDuck parameter; in a configuration dictionary it may be a Python `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)

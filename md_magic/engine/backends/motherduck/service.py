"""What MotherDuck tells of itself: who asks, what runs, what a query took, and its model's repair of a query.

Every question runs on a cursor beside the notebook's connection, so it is in no transaction of the user's. What the
account may not ask, and what this version of the service does not know, is `None`: no error of ours. None of the
functions has been tried against the live service, so that their columns are read by name, and each may be missing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import math
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import duckdb

from md_magic.auth.diagnosis import diagnose
from md_magic.sql.quoting import DUCKDB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that a question may take which only adds something to an answer."""

_NOT_ALLOWED = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.ParserException,
    duckdb.PermissionException,
)
"""What the service answers where the account may not ask, or where there is no such function."""

_ACCOUNT = "FROM md_user_info()"
_TOKENS = "FROM md_access_tokens()"
_RUNNING = "FROM md_active_server_connections()"
_OWN_ID = "SELECT md_current_client_connection_id()::VARCHAR AS id"
_INTERRUPT = "SELECT md_interrupt_server_connection({}::UUID) AS stopped"
_LAST_QUERY = "SELECT md_last_query_id()"
_TOOK = "FROM md_information_schema.recent_queries WHERE query_id = {}"

_CLOCK = re.compile(r"(?<!\d)(?:(\d{1,9}+):)?(\d{1,9}+):(\d{1,9}+(?:\.\d{1,9}+)?)")
"""A duration as DuckDB writes one: `00:01:05.3`."""

literal = DUCKDB.literal

Row = dict[str, Any]


class AccountInfo(NamedTuple):
    """Who is signed in, as the service says it; empty where it does not."""

    account: str = ""
    organisation: str = ""
    region: str = ""


class TokenInfo(NamedTuple):
    """A token of the account. Its value is never told."""

    name: str
    kind: str
    created: dt.datetime | None
    expires: dt.datetime | None


class RunningQuery(NamedTuple):
    """What runs on the server for the account, from whatever process."""

    id: str
    query: str
    stage: str
    elapsed: float | None
    """Seconds."""

    client: str


class QueryTook(NamedTuple):
    """What the service noted about a query that has ended; `None` where it does not say."""

    id: str
    seconds: float | None = None
    waited: float | None = None
    """Seconds before it began."""

    uploaded: int | None = None
    """Bytes."""

    downloaded: int | None = None
    """Bytes."""

    instance: str = ""


class MotherDuckService:
    """Asks MotherDuck, on a cursor of its own. Errors of the driver pass, unless the account may not ask."""

    def __init__(self, native: duckdb.DuckDBPyConnection) -> None:
        """Ask beside *native*, the notebook's connection."""
        self._notebook = native
        self._native = native.cursor()

    def __enter__(self) -> Self:
        """Return itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the cursor."""
        with contextlib.suppress(duckdb.Error):
            self._native.close()

    def interrupt(self) -> None:
        """Stop the question that is being answered."""
        self._native.interrupt()

    # ---- the questions ----------------------------------------------------------------------------------------------

    def account(self) -> AccountInfo:
        """Return who is signed in; empty where the service does not say within a few seconds."""
        row = next(iter(self._quietly(_ACCOUNT)), {})
        name = _text(row, "username", "email")
        return AccountInfo(name, _text(row, "org_name", "org_id"), _text(row, "region"))

    def tokens(self) -> list[TokenInfo]:
        """Return the tokens of the account; none where the service does not say within a few seconds."""
        return [
            TokenInfo(
                _text(row, "token_name"),
                _text(row, "token_type"),
                _time(row.get("created_ts")),
                _time(row.get("expire_at")),
            )
            for row in self._quietly(_TOKENS)
        ]

    def running(self) -> list[RunningQuery] | None:
        """Return what runs for the account, the longest first, without this question; `None` if it may not ask."""
        rows = self._asked(_RUNNING)
        if rows is None:
            return None
        own = {_text(row, "id") for row in self._asked(_OWN_ID) or ()}
        queries = [
            RunningQuery(
                id=_text(row, "client_connection_id"),
                query=_text(row, "client_query"),
                stage=_text(row, "server_transaction_stage"),
                elapsed=_seconds(row.get("server_transaction_elapsed_time")),
                client=_text(row, "client_user_agent"),
            )
            for row in rows
        ]
        return sorted((query for query in queries if query.id not in own), key=lambda query: -(query.elapsed or 0.0))

    def stop(self, connection: str) -> bool | None:
        """Stop what runs on the server for *connection*; return whether something was; `None` if it may not ask."""
        rows = self._asked(_INTERRUPT.format(literal(connection)))
        return None if rows is None else any(row.get("stopped") for row in rows)

    def last_query(self, seconds: float) -> QueryTook | None:
        """Return what the service noted about the notebook's last query, if it says so within some *seconds*.

        Only the notebook's connection knows which that was. Where its transaction is open, do not call this.
        """
        try:
            with _limited(self._notebook, seconds):
                [(query_id,)] = self._notebook.execute(_LAST_QUERY).fetchall()
            if not query_id:
                return None
            with _limited(self._native, seconds):
                rows = self._rows(_TOOK.format(literal(str(query_id))))
        except (duckdb.Error, ValueError, RuntimeError):
            logger.debug("MotherDuck does not tell of the last query", exc_info=True)
            return None
        if not rows:
            return None
        row = rows[0]
        return QueryTook(
            id=str(query_id),
            seconds=_seconds(row.get("execution_time")),
            waited=_seconds(row.get("wait_time")),
            uploaded=_bytes(row.get("bytes_uploaded")),
            downloaded=_bytes(row.get("bytes_downloaded")),
            instance=_text(row, "instance_type"),
        )

    def repaired(self, sql: str, error: str) -> str | None:
        """Return *sql* as MotherDuck's model would write it after *error*; `None` if the account may not ask.

        One line of it is asked for first, and the whole where that changes nothing. Both are billed.
        """
        lines = self._asked(f"CALL prompt_fix_line({literal(sql)}, error={literal(error)})")
        fixed = _with_line(sql, lines) if lines else None
        if fixed is not None and fixed.strip() != sql.strip():
            return fixed
        rows = self._asked(f"CALL prompt_fixup({literal(sql)})")
        if rows is None:
            return None if lines is None else sql
        return _text(rows[0], "query") or sql if rows else sql

    # ---- asking -----------------------------------------------------------------------------------------------------

    def _asked(self, sql: str) -> list[Row] | None:
        """Return the rows of *sql*; `None` where the account may not ask."""
        try:
            return self._rows(sql)
        except _NOT_ALLOWED as error:
            if diagnose(str(error), moment="running", sql=sql) is not None:
                raise  # a token that was revoked, or a connection that is lost
            logger.debug("MotherDuck does not answer", exc_info=True)
            return None

    def _quietly(self, sql: str) -> list[Row]:
        """Return the rows of *sql*; none where it fails or takes long, whatever the reason."""
        try:
            with _limited(self._native, PATIENCE):
                return self._rows(sql)
        except (duckdb.Error, RuntimeError):
            logger.debug("MotherDuck does not answer", exc_info=True)
            return []

    def _rows(self, sql: str) -> list[Row]:
        result = self._native.execute(sql)
        names = [column[0].lower() for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@contextlib.contextmanager
def _limited(native: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt *native* when the block takes longer than *seconds*, and never after it has ended."""
    lock, ended = threading.Lock(), threading.Event()

    def stop() -> None:
        with lock:
            if not ended.is_set():
                native.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            ended.set()


# ---- reading --------------------------------------------------------------------------------------------------------


def _text(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of the columns *names* that says something, as text on one line or several."""
    return next((str(row[name]) for name in names if row.get(name) not in {None, ""}), "")


def _time(value: object) -> dt.datetime | None:
    """Return *value* as a time in UTC; one without a zone is taken as UTC."""
    if not isinstance(value, dt.datetime):
        return None
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def _seconds(value: object) -> float | None:
    """Return a duration in seconds: an INTERVAL, a number of seconds, or a text such as `00:01:05.3`."""
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        match = _CLOCK.search(value)
        return int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3]) if match else None
    return _number(value)


def _bytes(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type] # what is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _with_line(sql: str, rows: list[Row]) -> str | None:
    """Return *sql* with the lines in *rows*, or the whole query that they are; `None` where they hold neither."""
    if query := _text(rows[0], "query"):
        return query
    lines = sql.split("\n")
    changed = False
    for row in rows:
        number, content = _bytes(row.get("line_number")), row.get("line_content")
        if number is not None and 0 < number <= len(lines) and content is not None:
            lines[number - 1] = str(content)
            changed = True
    return "\n".join(lines) if changed else None

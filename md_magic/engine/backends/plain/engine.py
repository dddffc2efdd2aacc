"""The SQLAlchemy engine that Python code gets beside the cells, with duckdb-engine's usual transactions."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from typing import TYPE_CHECKING

import duckdb
import sqlalchemy
from duckdb_engine import ConnectionWrapper
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from md_magic.engine.backends.plain.dialect import NAME
from md_magic.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import ExceptionContext


def make_engine(url: sqlalchemy.URL, connect: Callable[[], ConnectionWrapper]) -> sqlalchemy.Engine:
    """Return an engine that shows *url*; each of its connections is a new one that *connect* returns."""
    engine = sqlalchemy.create_engine(url.set(drivername=NAME), creator=connect, poolclass=NullPool)
    engine.url = url
    event.listen(engine, "handle_error", _name_closed_connection)
    return engine


_BUSY: type[Exception] | tuple[()] = getattr(duckdb, "ResourceInUseException", ())
"""What DuckDB 2 raises where a connection that is to be closed still runs something."""

_LONGEST = 5
"""Seconds to wait for a stopped query to end."""

_PAUSE = 0.01


class Connections:
    """The connections of Python code beside the one of the cells, which are closed together with it."""

    def __init__(self) -> None:
        """Start without any."""
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[ConnectionWrapper] = weakref.WeakSet()

    def add(self, native: duckdb.DuckDBPyConnection, place: str) -> ConnectionWrapper:
        """Return *native* as SQLAlchemy sees it, after the statement *place*, if any, has chosen the current schema."""
        if place:
            with contextlib.suppress(duckdb.Error):  # it was made in a transaction of the cells that is still open
                native.execute(place)
        connection = ConnectionWrapper(native)
        with self._lock:
            self._open.add(connection)
        return connection

    def close(self) -> None:
        """Close each, and stop what runs on it: it would keep a file locked."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _stop_and_close(connection)


def _stop_and_close(connection: ConnectionWrapper) -> None:
    """Close *connection*. DuckDB 2 refuses that until what was stopped has ended."""
    deadline = time.monotonic() + _LONGEST
    while True:
        with contextlib.suppress(duckdb.Error):  # it is closed already
            connection.interrupt()
        try:
            connection.close()
        except _BUSY:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _name_closed_connection(context: ExceptionContext) -> None:
    """Raise our error where a connection was closed with its target while Python code held it."""
    cause = context.original_exception
    if isinstance(cause, duckdb.ConnectionException) and "already closed" in str(cause):
        message = (
            "This connection was closed together with its target, and a transaction that was open in it is rolled back."
            " Open the target again with `%mdsql` or `md_magic.engine`, and connect anew."
        )
        raise ConnectError(message) from cause

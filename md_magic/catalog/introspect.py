"""Introspection: the one place that queries a database's catalog, chooses the connection, and translates errors.

The notebook's connection is queried under its lock. A `SideReader` answers from any thread, also while a cell runs. The
catalog cache has connections of its own and keeps its old snapshot if a query fails.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

import duckdb
from sqlalchemy.exc import SQLAlchemyError

from md_magic.engine.driver_errors import translated
from md_magic.errors import StatementError
from md_magic.wording import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from md_magic.engine.backends.introspection.questions import AccountDatabase, AttachedState, Introspection
    from md_magic.engine.database import Database

    Answer = TypeVar("Answer")

ERRORS = (SQLAlchemyError, duckdb.Error, RuntimeError, ValueError, OverflowError, LookupError, TypeError)
"""Errors that introspection can raise; the last five come from drivers and dialects that misread an answer."""

_BUSY = "A cell is running: temporary and uncommitted objects are not shown."
_FAILED = "The open transaction failed and waits for its ROLLBACK: this is what was committed."


def of_notebook(database: Database) -> Introspection:
    """Return an introspection on the notebook's own connection. The caller handles its lock and its errors."""
    return database.backend.introspect()


@contextlib.contextmanager
def on_notebook(database: Database) -> Iterator[Introspection]:
    """Query the notebook's connection, which sees temporary and uncommitted objects. Raises `StatementError`."""
    with database.lock, translated(database):
        yield of_notebook(database)


class SideReader:
    """Reads the catalog of *database* from any thread, also while a cell runs.

    On DuckDB it reads on a cursor, so that the notebook's open result, transaction and `USE` are never touched. Only
    temporary and uncommitted objects, which a cursor cannot see, are read on the notebook's connection while nothing
    runs there. Other databases have one connection, which may be busy.
    """

    def __init__(self, database: Database) -> None:
        """Open the cursor now, while nothing runs."""
        self._database = database
        self._lock = threading.RLock()
        self._notebook = of_notebook(database)
        self._cursor = self._notebook.beside() if self._notebook.in_process else None
        if self._cursor is not None:
            with translated(database):
                self._cursor.hide_progress_bar()
        self.warning = ""
        """A caveat about the last answer, for the person to read."""

    @property
    def has_databases(self) -> bool:
        """Whether there is a database level above the schemas."""
        return self._notebook.has_databases

    @property
    def holds_temporary(self) -> bool:
        """Whether the notebook's connection has temporary objects."""
        return bool(self._database.backend.local.temporary)

    def close(self) -> None:
        """Interrupt the cursor and close it."""
        if self._cursor is not None:
            self._cursor.interrupt()
            with self._lock:
                self._cursor.close()

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Let one thread ask at a time. Raises `StatementError`, also if a database without cursors is busy."""
        is_lent = self._cursor is None
        with self._lock:
            if is_lent and not self._database.lock.acquire(blocking=False):
                message = "A cell is running on this connection, which is the only one. Try again when it is done."
                raise StatementError(message)
            try:
                with translated(self._database):
                    yield
            finally:
                if is_lent:
                    self._database.lock.release()

    def ask(self, question: Callable[[Introspection], Answer]) -> Answer:
        """Return the answer to *question*, including temporary and uncommitted objects if that needs no waiting.

        To be called within `asking`.
        """
        self.warning = ""
        if self._cursor is None:
            return self._ask(of_notebook(self._database), question)  # a new one each time: inspectors cache answers
        if self._is_private:
            if self._database.lock.acquire(blocking=False):
                try:
                    return self._ask(self._notebook, question)
                except duckdb.TransactionException:
                    self.warning = _FAILED
                finally:
                    self._database.lock.release()
            else:
                self.warning = _BUSY
        return self._ask(self._cursor, question)

    def _ask(self, introspection: Introspection, question: Callable[[Introspection], Answer]) -> Answer:
        answer = question(introspection)
        if introspection.views_error is not None:
            lines = str(introspection.views_error).splitlines() or [""]
            self.warning = f"Views of attached databases are not shown, because one is broken: {lines[0]}"
            introspection.views_error = None
        return answer

    def account_databases(self) -> list[AccountDatabase]:
        """Return the databases and shares that the account may attach. Within `asking`."""
        return (self._cursor or self._notebook).account_databases()

    def attached_states(self) -> dict[str, AttachedState]:
        """Return what the service says of the attached databases, by name. Within `asking`."""
        return (self._cursor or self._notebook).attached_states()

    def read(self, path: Sequence[str], question: Callable[[Introspection], Answer], *, seconds: float) -> Answer:
        """Return the answer to *question*, which reads the table at *path*; DuckDB is interrupted after *seconds*.

        To be called within `asking`. Only the notebook's connection sees temporary tables.
        """
        if self._cursor is None:
            return question(of_notebook(self._database))
        is_temporary = path[0] == "temp" and self._is_private
        if is_temporary and (
            self._database.backend.local.in_transaction or not self._database.lock.acquire(blocking=False)
        ):
            message = "Only the notebook's connection sees temporary tables, and it is busy or in a transaction."
            raise StatementError(message)
        introspection = self._notebook if is_temporary else self._cursor
        timer = threading.Timer(seconds, introspection.interrupt)
        timer.start()
        try:
            return question(introspection)
        except duckdb.InterruptException:
            message = f"It took longer than {duration(seconds)} and was cancelled."
            raise StatementError(message) from None
        finally:
            timer.cancel()
            if is_temporary:
                self._database.lock.release()

    @property
    def _is_private(self) -> bool:
        """Whether the notebook's connection sees more. The user's own connection may have an open result: leave it."""
        database = self._database
        return not database.target.variable and database.backend.local.hides_data

"""What writes a Python table on the notebook's own connection: the part that all databases share."""

from __future__ import annotations

import contextlib
import logging
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from md_magic import threads
from md_magic.engine.backends.writing.source import Source
from md_magic.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.engine.backends.base import Backend
    from md_magic.engine.cancellation import Execution
    from md_magic.sql.statement import How

T = TypeVar("T")

logger = logging.getLogger(__name__)

_TRIES = 20
"""Calls of a statement that undoes: an interrupt is repeated until its execution has ended, and may hit this one."""


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Give *items*, of which the next is made while the last is used: the server works while the client does."""
    if not threads.available():
        yield from items
        return
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="mdsql-writer") as pool:
        following = pool.submit(next, items, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, items, end)
            yield item


class Writer(ABC):
    """Writes one Python table."""

    def __init__(self, backend: Backend, execution: Execution | None) -> None:
        """Write on the connection of *backend*. *execution* counts the rows, and raises if the cell was stopped."""
        self._backend = backend
        self._execution = execution
        proxied = backend.connection.connection
        self._driver: Any = proxied.driver_connection or proxied.dbapi_connection  # the first of a detached one is None
        self._identifier = backend.syntax.quoting.identifier

    def write(self, table: Sequence[str], value: Any, how: How) -> int:  # noqa: ANN401 - any table
        """Write *value* to *table*, a name in parts, whole or not at all; return the number of rows.

        Raises `FrameError` for a column that the database has no type for, `StatementError` for a table that exists,
        and whatever the driver raises, without values.
        """
        source = Source(value)
        self._write(table, source, how)
        return source.rows

    @abstractmethod
    def _write(self, table: Sequence[str], source: Source, how: How) -> None:
        """Write the rows of *source* as one change."""

    # ---- statements -------------------------------------------------------------------------------------------------

    def _run(self, sql: str | bytes, parameters: Sequence[Any] | None = None) -> list[Any]:
        """Run *sql* as it is, and return its rows."""
        cursor = self._driver.cursor()
        try:
            cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            with contextlib.suppress(Exception):  # of a connection that is gone
                cursor.close()

    def _undo(self, *statements: str) -> None:
        """Run *statements*, which put things back; go on where one fails."""
        for sql in statements:
            for _ in range(_TRIES):
                try:
                    self._run(sql)
                    break
                except Exception:  # any driver's; the error that is on its way is the one to see
                    logger.debug("undoing with %s failed", sql, exc_info=True)

    @contextlib.contextmanager
    def _transaction(self, *, is_open: bool) -> Iterator[None]:
        """Make the block one change: a transaction, or a part of the one that is open."""
        self._run("SAVEPOINT md_magic" if is_open else "BEGIN")
        try:
            yield
            self._check()
            self._run("RELEASE SAVEPOINT md_magic" if is_open else "COMMIT")
        except BaseException:
            if is_open:
                self._undo("ROLLBACK TO SAVEPOINT md_magic", "RELEASE SAVEPOINT md_magic")
            else:
                self._undo("ROLLBACK")
            raise
        self._done()

    # ---- the execution ----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise if the cell was stopped."""
        if self._execution is not None:
            self._execution.check()

    def _count(self, rows: int) -> None:
        if self._execution is not None:
            self._execution.count(rows)

    def _done(self) -> None:
        """Note that everything is written: what came to stop it came too late."""
        if self._execution is not None:
            self._execution.succeed()

    @staticmethod
    def _exists(table: Sequence[str]) -> StatementError:
        return StatementError(f"Table {table[-1]!r} already exists")

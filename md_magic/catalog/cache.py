"""The catalog cache: a `Snapshot` of an open target, taken without disturbing the notebook.

Lazy: the catalog is not queried until completion first needs it, so that running a notebook adds no queries. The other
invariants:

* A key press waits at most `PATIENCE` (the first one longer), opens nothing, and never waits for a network.
* Only a key press reads on the notebook's own connection, in the thread that runs its statements, and only where this
  changes neither a transaction's view of the data nor a profile. It never does while the user's Python code may be
  fetching from that connection.
* Nothing is read while queries are logged.
* A statement that changes something never runs beside a read of ours, which could keep a file or a transaction open.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from md_magic.catalog import introspect, reading
from md_magic.catalog.lookup import Lookup
from md_magic.catalog.snapshot import Snapshot
from md_magic.catalog.worker import Worker
from md_magic.sql import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from md_magic.catalog.snapshot import Column, Table
    from md_magic.engine.backends.introspection.questions import Introspection
    from md_magic.engine.database import Database
    from md_magic.sql.statement import Statement

logger = logging.getLogger(__name__)

PATIENCE = 0.03
"""Seconds that a key press waits for a new snapshot."""

_FIRST_PATIENCE = 0.4
"""The same for the first key press, when nothing has been read yet."""

_QUICK = 0.05
"""A catalog that takes at most this many seconds to read is read again on a key press, so that changes are seen."""

_SOON = 0.1
"""A key press waits for a read that takes at most this many seconds; a longer one would not be ready in time."""

_SHORT = 0.25
"""Seconds for which a read may delay the next statement on the notebook's connection."""

_AGE = 0.3
"""Seconds for which a snapshot taken for a key press is fresh."""

_SURE_AGE = 60.0
"""Seconds after which others may have changed a database that is not in this process: see `settled`."""

_DOUBTED_AGE = 5.0
"""The same where a mistake is about to be marked, and the seconds until a read that failed is tried again."""

_FUNCTIONS_AGE = 30.0
_STEP_BACK = 0.5
"""Seconds that a statement waits for a read to end, at most."""

_LONGEST = 5.0
"""Seconds that closing waits for a read to end, at most."""

_READS = frozenset({"SELECT", "EXPLAIN", "EXTENSION"})
_SHOWS_QUERIES = ("profil", "logging", "log_query_path")
"""Words in statements after which the user may see our queries, in a log or a profile."""

_CHANGES_FUNCTIONS = ("macro", "function", "load", "attach", "detach", "schema", "rollback", "commit", "use")
_MOST_TOUCHED = 12
"""At most this many names from statements are looked up one by one (0.4 ms each) until the whole catalog is read."""

_TOUCHES = frozenset({"CREATE", "DROP", "ALTER"})


class CatalogCache:
    """The snapshot of one database. Closing it closes its connections; a second time does nothing."""

    def __init__(self, database: Database) -> None:
        """Watch the statements of *database* from now on. Nothing is read and nothing is opened yet."""
        self._database = database
        self._worker = Worker(self._read, self._interrupt)
        self._notebook = introspect.of_notebook(database)
        self._cursor: Introspection | None = None
        """The worker's connection, if keeping one costs nothing."""

        self._lookup = Lookup()
        self._is_awake = False
        self._snapshot = Snapshot(quoting=database.backend.syntax.quoting, keywords=self._notebook.usual_keywords)
        self._path: tuple[tuple[str, str], ...] = ()
        self._path_is_stale = True
        self._functions_are_stale = True
        self._taken_at, self._functions_at = 0.0, 0.0
        self._cost, self._functions_cost = 0.0, 0.0
        self._is_local = self._notebook.is_local
        self._failed = False
        self._owner = threading.get_ident()
        self._has_begun = False
        self._is_profiled = False
        self._worker.is_forbidden = any("log" in name for name in database.backend.config)
        self._touched: dict[str, None] = {}
        self._changes = self._seen_changes = 0
        """How many statements may have changed the catalog, and how many of them had run at the last private read."""

    # ---- around a statement -----------------------------------------------------------------------------------------

    def before(self, statement: Statement) -> None:
        """Pause reading for a statement that changes something. `after` is always called next, even if it fails."""
        if statement.kind not in _READS:
            self._worker.pause(_STEP_BACK)

    def after(self, statement: Statement) -> None:
        """Note what a statement may have changed; it is read once no other statement follows at once."""
        text = statement.text.lower()
        self._owner = threading.get_ident()
        self._has_begun = self._database.backend.local.in_transaction and (
            self._has_begun or statement.kind != "TRANSACTION"
        )
        if any(word in text for word in _SHOWS_QUERIES):
            self._note_witness(text)
        if statement.kind not in _READS:
            with self._worker.condition:
                self._changes += 1
                self._worker.resume()
                self._worker.is_stale = self._path_is_stale = True
                self._lookup.forget()
                if statement.kind in _TOUCHES and self._is_awake:
                    self._touched |= dict.fromkeys(_names(statement.text))
                if any(word in text for word in _CHANGES_FUNCTIONS):
                    self._functions_are_stale = True
        if self._worker.is_stale and self._is_awake:
            if self._notebook.is_lone:
                self._read()
            self._worker.wake(hurry=False)

    def _note_witness(self, text: str) -> None:
        """Note statements after which the user would see our queries: in a log or in this connection's profile."""
        if "logging" in text or "log_query_path" in text:
            ends = "disable_logging" in text or text.replace(" ", "").rstrip(";").endswith("=''")
            self._worker.is_forbidden = not ends
        if "profil" in text:
            self._is_profiled = "disable_profiling" not in text

    @property
    def _is_readable(self) -> bool:
        """Whether this thread can read on the notebook's own connection now without visible effects."""
        database = self._database
        is_ours = threading.get_ident() == self._owner and not database.target.variable
        return is_ours and not self._is_profiled and (self._has_begun or not database.backend.local.in_transaction)

    @property
    def _is_private(self) -> bool:
        """Whether something lives in the notebook's connection alone."""
        return self._database.backend.local.hides_data

    # ---- for a key press --------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the current snapshot; if it may be out of date, wait a moment for a new one."""
        worker = self._worker
        self._wake_up()
        if self._path_is_stale and worker.may_read:
            self._note_path()
        with worker.condition:
            if self._has_news():
                self._refresh()
            self._lookup.deadline = time.monotonic() + PATIENCE
            return self._mended() if self._touched else self._snapshot

    def settled(self) -> Snapshot | None:
        """Return the current snapshot where it has every change that the notebook has made, else `None`."""
        self.snapshot()
        worker = self._worker
        with worker.condition:
            sure = _DOUBTED_AGE if self._failed else float("inf") if self._is_local else _SURE_AGE
            if time.monotonic() - self._taken_at > sure:
                worker.is_stale = True
                worker.wake(hurry=False)
            may_read = worker.may_read and not (self._is_profiled or self._database.target.variable)
            if self._is_private and may_read and (self._has_begun or not self._database.backend.local.in_transaction):
                self._read_private()
            if self._notebook.in_process and self._snapshot.path != self._path:  # a read began before a USE
                self._snapshot = replace(self._snapshot, path=self._path)
            is_settled = worker.may_read and not (worker.is_stale or worker.is_reading or self._path_is_stale)
            is_complete = not self._is_private or self._seen_changes == self._changes
            return self._snapshot if is_settled and is_complete and not (self._failed or self._touched) else None

    def still_holds(
        self, snapshot: Snapshot, tables: Iterable[Table], missing: Iterable[tuple[str, ...]], made: str
    ) -> bool:
        """Whether *snapshot* is still right: see `Lookup.agrees`. If not, the catalog is read again soon."""
        worker = self._worker
        if self._database.backend.local.in_transaction or not worker.may_read:
            return True
        is_young = time.monotonic() - self._taken_at < _DOUBTED_AGE
        if self._lookup.agrees(snapshot, tables, missing, made) if self._is_local else is_young:
            return True
        with worker.condition:
            self._changes, worker.is_stale, self._functions_are_stale = self._changes + 1, True, True
            self._lookup.forget()
        worker.wake(hurry=True)
        return False

    def _read_private(self) -> None:
        """Read what only the notebook's connection sees, in whatever thread, where it has changed since."""
        if self._seen_changes == self._changes or self._worker.is_reading:  # a read puts back what it began with
            return
        changes, snapshot = self._changes, None
        with contextlib.suppress(*introspect.ERRORS):
            snapshot = self._in_foreground()
        if snapshot is not None:
            self._snapshot, self._touched, self._seen_changes = snapshot, {}, changes

    def _wake_up(self) -> None:
        """Open our own connections on the first key press."""
        if self._is_awake or self._worker.is_closed:
            return
        self._is_awake = True
        if self._notebook.in_process:
            with contextlib.suppress(*introspect.ERRORS):  # the user has closed it
                self._cursor, self._lookup.connection = self._notebook.beside(), self._notebook.beside()
                self._cursor.on_rows = self._worker.breathe

    def _has_news(self) -> bool:
        """Whether the snapshot may be out of date and a new one can be taken now."""
        is_quick = self._cost < _QUICK and self._is_local and not self._failed
        is_old = time.monotonic() - self._taken_at > _AGE
        return self._worker.may_read and (self._worker.is_stale or (is_old and is_quick))

    def _refresh(self) -> None:
        """Take a new snapshot in this thread if only it can; else wait a moment for the worker's."""
        worker = self._worker
        is_ours = self._notebook.in_process and self._is_private and self._is_readable
        if (is_ours or self._notebook.is_lone) and self._cost < _SHORT:
            self._read()  # this thread runs the statements, so none is running
            if worker.is_stale:
                worker.wake(hurry=False)
            return
        worker.is_stale = True
        if time.monotonic() - self._functions_at > _FUNCTIONS_AGE:
            self._functions_are_stale = True
        is_soon = self._cost < _SOON  # otherwise it would not be ready in time
        patience = PATIENCE if self._taken_at else _FIRST_PATIENCE
        worker.wake(hurry=is_soon)
        if is_soon:
            worker.condition.wait_for(
                lambda: not worker.is_stale and (worker.is_shown or not worker.is_reading), patience
            )

    def _note_path(self) -> None:
        """Ask where unqualified names are looked up, unless the connection is busy."""
        if not self._notebook.in_process:
            return
        introspection = self._notebook if self._is_readable else self._cursor if not self._path else None
        if introspection is None or not self._database.lock.acquire(blocking=False):
            return
        try:
            path = introspection.search_path()
        except introspect.ERRORS:  # a transaction waits for its ROLLBACK
            return
        finally:
            self._database.lock.release()
        self._path, self._path_is_stale = tuple((row.database, row.name) for row in path), False
        with self._worker.condition:
            self._snapshot = replace(self._snapshot, path=self._path)

    def _mended(self) -> Snapshot:
        """Return the snapshot, corrected for tables that statements have named since it was taken.

        Reading 10,000 tables takes a second, looking up one takes 0.4 ms.
        """
        if self._current is None:
            return self._snapshot
        return self._lookup.mended(self._snapshot, self._current, [*self._touched][-_MOST_TOUCHED:], self._look_up)

    @property
    def _current(self) -> tuple[str, str] | None:
        """The database and schema in which an unqualified CREATE makes its table; `None` if unknown."""
        return next((schema for schema in self._path if schema[0] != "temp"), None)

    def _look_up_named(self, parts: tuple[str, ...]) -> tuple[Column, ...]:
        """Return the columns of a table that is not in the snapshot, while a new snapshot is being taken."""
        if self._current is None or not (self._worker.is_stale or self._worker.is_reading):
            return ()
        database, schema = self._current
        return self._look_up({1: (database, schema, *parts), 2: (database, *parts)}.get(len(parts), parts))

    def _look_up(self, parts: tuple[str, ...]) -> tuple[Column, ...]:
        return self._lookup.columns(parts, may_ask=self._is_local and not self._worker.is_forbidden)

    # ---- reading ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Take a new snapshot, in the worker's thread or in that of a key press; if it fails, keep the old one."""
        started = time.monotonic()
        snapshot = None
        try:
            snapshot = self._in_background() if self._worker.is_current else self._in_foreground()
            self._failed = False
        except introspect.ERRORS:
            logger.debug("the catalog of %s cannot be read", self._database.target.name, exc_info=True)
            self._failed = True
        with self._worker.condition:
            if snapshot is not None:
                self._snapshot = snapshot
                self._touched = self._touched if self._worker.is_stale else {}
            self._taken_at = time.monotonic()
            self._cost = self._taken_at - started - self._functions_cost
            self._functions_cost = 0.0
            self._worker.is_slow = self._cost >= _SOON
            if not self._worker.is_current:
                self._worker.is_stale = self._functions_are_stale or snapshot is None
            self._worker.condition.notify_all()

    def _in_foreground(self) -> Snapshot | None:
        """Read the tables on the connection that sees them all; `None` where it is busy."""
        if not self._database.lock.acquire(blocking=False):
            return None
        try:
            introspection = introspect.of_notebook(self._database)
            snapshot = self._with_tables(self._snapshot, introspection)
            return self._with_functions(snapshot, introspection) if self._notebook.is_lone else snapshot
        finally:
            self._database.lock.release()

    def _in_background(self) -> Snapshot:
        """Read tables and functions on our own connection; without one, return the current snapshot."""
        if self._notebook.in_process:
            return self._beside_the_notebook(self._cursor) if self._cursor is not None else self._snapshot
        if self._notebook.is_lone:
            return self._snapshot
        with contextlib.closing(self._notebook.beside()) as introspection:
            introspection.on_rows = self._worker.breathe
            return self._with_functions(self._with_tables(self._snapshot, introspection), introspection)

    def _beside_the_notebook(self, cursor: Introspection) -> Snapshot:
        snapshot = self._snapshot
        is_hidden = self._is_private and not (self._database.target.variable or self._is_profiled)
        if not is_hidden or not snapshot.databases:
            snapshot = self._with_tables(snapshot, cursor)
        started = time.monotonic()
        with self._worker.condition:  # a key press need not wait for the functions, which take ten times as long
            self._snapshot, self._worker.is_shown = snapshot, True
            self._worker.condition.notify_all()
        snapshot = self._with_functions(snapshot, cursor)
        self._functions_cost = time.monotonic() - started
        return snapshot

    def _with_functions(self, snapshot: Snapshot, introspection: Introspection) -> Snapshot:
        if not self._functions_are_stale:
            return snapshot
        self._functions_are_stale, self._functions_at = False, time.monotonic()
        return reading.with_functions(snapshot, introspection)

    def _with_tables(self, before: Snapshot, introspection: Introspection) -> Snapshot:
        taken = reading.with_tables(before, introspection, self._path)
        self._is_local = taken.is_local
        return replace(
            taken.snapshot,
            columns_of=lambda table: taken.columns.get(table) or self._look_up((*table.home, table.name)),
            ask=self._look_up_named,
        )

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        if self._cursor is not None:
            self._cursor.interrupt()

    def close(self) -> None:
        """Stop reading, and close the connections of our own. A second call does nothing."""
        self._worker.close(_LONGEST)
        self._lookup.close()
        if self._cursor is not None:
            self._cursor.close()


class CatalogCaches(dict["Database", CatalogCache]):
    """The cache of each open database that was asked for one."""

    def of(self, database: Database) -> CatalogCache:
        """Return the cache of *database*, which is closed before it."""
        cache = self.get(database)
        if cache is None:
            cache = self[database] = CatalogCache(database)
            database.before_close = (cache.close, lambda: self.pop(database, None))
        return cache


def _names(sql: str) -> list[str]:
    """Return the names in *sql*, keywords aside."""
    return [token.name for token in tokens.tokens(sql)[0] if token.name and not token.keyword]

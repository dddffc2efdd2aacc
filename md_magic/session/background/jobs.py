"""The background queries of a session: starting them, listing them, and stopping them all."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from md_magic import threads
from md_magic.errors import StatementError
from md_magic.session.background.job import PATIENCE, Job, Status
from md_magic.session.background.preparation import prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.cancellation import Watcher
    from md_magic.engine.database import Database
    from md_magic.session.background.job import Task

_REMEMBERED = 100
"""The most ended jobs in the list."""


class Jobs:
    """The jobs of one session: those that run, and the status of those that have ended."""

    def __init__(self, watcher: Watcher) -> None:
        """Make an empty list, whose jobs *watcher* stops."""
        self._watcher = watcher
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._running: dict[int, tuple[Database, Job]] = {}
        self._statuses: deque[tuple[Status, weakref.ref[Job]]] = deque()
        self._watches_exit = False

    def start(self, database: Database, task: Task, *, name: str | None = None) -> Job:
        """Start *task* on another connection to *database*, with copies of its tables, and return its handle.

        Raises `StatementError` for a statement that names an object of the notebook's connection alone, `ConnectError`
        where there can be no second connection, and `ConnectionLost` where the first one is gone.
        """
        if not threads.available():
            message = f"--background {threads.NEEDED} Without it the query runs in the cell."
            raise StatementError(message)
        number = next(self._numbers)
        connect, tables = prepared(database, task)
        task = replace(task, tables=tables)
        status = Status(name=name or f"job {number}", target=database.target.name)
        job = Job(status, task)
        with self._lock:
            self._running[number] = (database, job)
            self._statuses.append((status, weakref.ref(job)))
            self._forget_oldest()
        self._watch_exit()
        thread = threading.Thread(
            target=self._run, args=(number, job, task, connect), daemon=True, name=f"mdsql-{status.name}"
        )
        thread.start()
        return job

    def rows(self) -> list[dict[str, object]]:
        """Return a row for each job, oldest first."""
        with self._lock:
            statuses = list(self._statuses)
        return [_row(status, job()) for status, job in statuses]

    def cancel(self, how: str, database: Database | None = None) -> None:
        """Cancel the jobs on *database*, or all, and wait for at most two seconds until they have stopped."""
        with self._lock:
            running = [job for origin, job in self._running.values() if database is None or origin is database]
        for job in running:
            job.stop(how)
        deadline = time.monotonic() + 2 * PATIENCE
        for job in running:
            job.wait(max(0.0, deadline - time.monotonic()))

    def _run(self, number: int, job: Job, task: Task, connect: Callable[[], Database]) -> None:
        job.run(task, connect, self._watcher)
        with self._lock:
            self._running.pop(number, None)

    def _forget_oldest(self) -> None:
        ended = [entry for entry in self._statuses if entry[0].ended is not None]
        for entry in ended[: max(0, len(ended) - _REMEMBERED)]:
            self._statuses.remove(entry)

    def _watch_exit(self) -> None:
        """Stop all jobs when Python exits."""
        if not self._watches_exit:
            self._watches_exit = True
            threads.end_at_exit(self._cancel_at_exit)

    def _cancel_at_exit(self) -> None:
        self.cancel("because the kernel ended")


def _row(status: Status, job: Job | None) -> dict[str, object]:
    return {
        "name": status.name,
        "target": status.target,
        "state": status.state,
        "progress": job.progress if job is not None else 100.0 if status.state == "done" else None,
        "elapsed": round(status.elapsed, 1),
        "rows": status.rows,
        "error": status.error,
    }

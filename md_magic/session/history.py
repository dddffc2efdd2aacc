"""What ran in this kernel: when, where, for how long, how many rows, how it ended, and the SQL.

The invariant: no entry holds a secret. What is typed into a statement is masked as it is noted, and what the open
targets know of is masked once more when the list is shown. The list is bounded, and lives as long as the session.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pandas as pd

from md_magic.auth.secret import forms, mask_typed, scrub, secrets_in_sql, secrets_typed
from md_magic.auth.token import tokens_in
from md_magic.errors import QueryTimeout
from md_magic.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from md_magic.auth.secret import Secret
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.execute import Outcome
    from md_magic.engine.pool import EnginePool
    from md_magic.session.background.job import Status

_MOST_ENTRIES = 1_000
_MOST_SQL = 20_000
"""Characters of SQL that are kept of a statement."""

_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/)*+(\w*)")


class Entry(NamedTuple):
    """One statement that ran, or one background query."""

    when: float
    """Seconds since the epoch when it began."""

    where: str
    sql: str
    seconds: float = 0.0
    rows: int | None = None
    """Rows of its result, or changed by it; `None` where they are not counted."""

    state: str = "done"
    """`done`, `failed`, `interrupted`, `cancelled` or `timed out`."""

    job: Status | None = None
    """The status of a background query, which goes on: it has the seconds, rows and state."""


class History:
    """What ran in one session, oldest first."""

    def __init__(self, pool: EnginePool) -> None:
        """Start empty. The secrets of the databases in *pool* are masked in what is shown."""
        self._pool = pool
        self._entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)
        self._nowhere: deque[Entry] = deque(maxlen=0)
        self._aside = _Aside()

    def running(self, sql: str, execution: Execution | None) -> Running:
        """Return a block within which *sql* runs as *execution*, and at whose end it is noted."""
        return Running(self._nowhere if self._aside.is_set else self._entries, sql, execution)

    @contextlib.contextmanager
    def as_one(self, line: str, execution: Execution | None) -> Iterator[Running]:
        """Within the block, what this thread runs is noted as one *line*."""
        outer, self._aside.is_set = self._aside.is_set, True
        running = Running(self._entries, line, execution)
        try:
            with running:
                yield running
        finally:
            self._aside.is_set = outer

    def failed(self, sql: str, execution: Execution | None) -> None:
        """Note that *sql* cannot be parsed."""
        if not self._aside.is_set:
            self._entries.append(Entry(time.time(), _where(execution), _masked(sql), state="failed"))

    def follow(self, status: Status, texts: Iterable[str]) -> None:
        """Note a background query of *texts*, whose *status* tells how it goes on."""
        self._entries.append(Entry(time.time(), status.target, _masked("\n".join(texts)), job=status))

    def masked(self, text: str) -> str:
        """Return *text* as the list shows it: without what is secret in it by itself, or to the open targets."""
        return scrub(_masked(text), [secret for database in self._pool for secret in database.secrets])

    def frame(self, text: str | None = None) -> pd.DataFrame:
        """Return a frame of what ran and has *text* in its SQL, without regard to case."""
        secrets = tuple(secret for database in self._pool for secret in database.secrets)
        spelt = [form for secret in secrets for form in forms(secret.reveal())]
        rows = [_row(entry, secrets if any(form in entry.sql for form in spelt) else ()) for entry in self._kept(text)]
        frame = pd.DataFrame(rows, columns=["when", "where", "seconds", "rows", "state", "sql"])
        kinds = {"when": "datetime64[us]", "seconds": "float64", "rows": "Int64"}
        return frame.astype(kinds | dict.fromkeys(["where", "state", "sql"], "str"))

    def _kept(self, text: str | None) -> list[Entry]:
        wanted = (text or "").casefold()
        return [entry for entry in list(self._entries) if wanted in entry.sql.casefold()]


class _Aside(threading.local):
    is_set = False


class Running:
    """A statement that runs; the end of the block notes it. A class, because a generator costs a trivial cell more."""

    __slots__ = ("_began", "_entries", "_execution", "_sql", "_when", "outcome", "written")

    def __init__(self, entries: deque[Entry], sql: str, execution: Execution | None) -> None:
        """Note *sql*, which runs as *execution*, in *entries*."""
        self._entries = entries
        self._sql = sql
        self._execution = execution
        self.outcome: Outcome | None = None
        """What it gave, once it has ended."""

        self.written: int | None = None
        """Rows of a Python table that were written."""

    def __enter__(self) -> Self:
        """Start the clock."""
        self._when, self._began = time.time(), time.monotonic()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Note how it ended."""
        seconds = time.monotonic() - self._began
        rows = _rows(self.outcome, self._execution) if error is None and self.written is None else self.written
        state = "done" if error is None else self._failure()
        where = _where(self._execution)
        self._entries.append(Entry(self._when, where, _masked(self._sql), seconds, rows, state))

    def _failure(self) -> str:
        stopped = self._execution.stopped if self._execution is not None else None
        if stopped is None:
            return "failed"
        if issubclass(stopped.kind, KeyboardInterrupt):
            return "interrupted"
        return "timed out" if issubclass(stopped.kind, QueryTimeout) else "cancelled"


def _where(execution: Execution | None) -> str:
    return execution.target if execution is not None else ""


def _rows(outcome: Outcome | None, execution: Execution | None) -> int | None:
    """Return how many rows *outcome* has; those of a grid were counted as they arrived, those of a stream are not."""
    if outcome is None or outcome.rowless:
        return outcome.changed if outcome is not None else None
    if isinstance(outcome.value, dict):
        return len(next(iter(outcome.value.values()), ()))
    shape: Any = getattr(outcome.value, "shape", None)
    if isinstance(shape, tuple):
        return int(shape[0])
    return execution.rows if execution is not None and not hasattr(outcome.value, "read_next_batch") else None


def _masked(sql: str) -> str:
    """Return *sql* on its way into the list: without the secrets that are typed into it, and not too long."""
    match = _FIRST_WORD.match(sql)
    typed = (
        *tokens_in(sql),
        *secrets_in_sql(sql, match[1].upper() if match else ""),
        *secrets_typed("", sql),
    )
    text = shortened(mask_typed(sql, typed).strip(), _MOST_SQL)
    return text if text.isascii() else text.encode(errors="replace").decode()  # a lone surrogate is in no frame


def _row(entry: Entry, secrets: tuple[Secret, ...]) -> tuple[object, ...]:
    seconds, rows, state = entry.seconds, entry.rows, entry.state
    if entry.job is not None:
        seconds, rows, state = entry.job.elapsed, entry.job.rows, entry.job.state
    sql = scrub(entry.sql, secrets) if secrets else entry.sql
    return datetime.fromtimestamp(entry.when), entry.where, round(seconds, 6), rows, state, sql  # noqa: DTZ006 - the clock on the wall is what a person compares it with

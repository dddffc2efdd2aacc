"""The catalog tree of an open database, one level at a time, so that it can be opened lazily."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from md_magic.auth.secret import scrub
from md_magic.catalog import introspect
from md_magic.errors import StatementError
from md_magic.wording import count, shortened

if TYPE_CHECKING:
    from md_magic.engine.backends.introspection.questions import (
        AccountDatabase,
        AttachedState,
        DatabaseRow,
        TableRow,
    )
    from md_magic.engine.database import Database

PATIENCE = 5.0
"""Seconds after which a preview or a count is cancelled."""

FOUND = 200
"""The most matches that a search returns."""

_FRESH = 1.0
_TYPING = 5.0
"""Seconds for which a list of tables is reused, for opening levels and for typing into the search."""

_ROWS = 20
_WIDTH = 200
"""Rows of a preview, and characters of each of its values."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the tree."""

    kind: str
    """`database`, `share`, `schema`, `table`, `view` or `column`."""

    path: Path
    """Database, schema, table and column, as far as they are known; a database without levels has fewer."""

    note: str = ""
    """Details after the name: a type, an estimated number of rows, a comment."""

    opens: bool = True
    """Whether there is a level below."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries of one level or one search."""

    entries: tuple[Entry, ...]
    total: int
    """The number of all entries; *entries* may be only the first of them."""

    warning: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a table, as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(eq=False)
class CatalogTree:
    """The catalog tree of *database*. Its methods can be called from any thread, and can raise `StatementError`."""

    database: Database
    _tables: list[TableRow] | None = field(default=None, init=False, repr=False)
    _tables_at: float = field(default=0.0, init=False, repr=False)
    _tables_warning: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the connection now, while nothing runs."""
        self._reader = introspect.SideReader(self.database)

    @property
    def name(self) -> str:
        """The name of the target."""
        return self.database.target.name

    def close(self) -> None:
        """Interrupt the connection and close it."""
        self._reader.close()

    def refresh(self) -> None:
        """Drop the cached list of tables: the next call queries the database."""
        self._tables = None

    def children(self, path: Path) -> Listing:
        """Return the level below *path*; below `()` are the databases, or the schemas if there is no database level."""
        with self._reader.asking():
            depth = len(path) if self._reader.has_databases else len(path) + 1
            level = (self._databases, self._schemas, self._tables_in, self._columns)[min(depth, 3)]
            entries = level(path)
            return Listing(tuple(entries), len(entries), self._reader.warning)

    def search(self, text: str) -> Listing:
        """Return tables and views with *text* in their name or, if it has a dot, in their path; case is ignored."""
        with self._reader.asking():
            wanted = text.casefold()
            rows = [row for row in self._known(_TYPING) if wanted in _searched(row, wanted).casefold()]
            rows.sort(key=lambda row: not row.name.casefold().startswith(wanted))
            return Listing(tuple(_table(row) for row in rows[:FOUND]), len(rows), self._reader.warning)

    def preview(self, path: Path) -> Sample:
        """Return the first rows of the table at *path*. Raises `StatementError`, also if it takes too long."""
        with self._reader.asking():
            self._check(path)
            columns, rows = self._reader.read(
                path, lambda introspection: introspection.first_rows(path, _ROWS, _WIDTH + 1), seconds=PATIENCE
            )
            return Sample(tuple(columns), tuple(tuple(self._shown(value) for value in row) for row in rows))

    def count(self, path: Path) -> int:
        """Return the number of rows of the table at *path*. Raises like `preview`."""
        with self._reader.asking():
            self._check(path)
            return self._reader.read(path, lambda introspection: introspection.count_rows(path), seconds=PATIENCE)

    def _check(self, path: Path) -> None:
        """Raise `StatementError` unless *path* is a table of the tree: a shorter one may be a file, or a variable."""
        for seconds in (_TYPING, _FRESH):
            if any(_table(row).path == path for row in self._known(seconds)):
                return
        message = f"{shortened('.'.join(path), _WIDTH)} does not exist in this tree: refresh it."
        raise StatementError(message)

    # ---- levels -----------------------------------------------------------------------------------------------------

    def _databases(self, _path: Path) -> list[Entry]:
        temporary = self._reader.holds_temporary
        rows = self._reader.ask(lambda introspection: introspection.databases(temporary=temporary))
        known, states = self._reader.account_databases(), self._reader.attached_states()
        kinds = {database.name: database.kind for database in reversed(known)}
        attached = {row.name: row for row in rows}
        entries = [self._attached(row, kinds.get(row.name, row.kind), states.get(row.name)) for row in rows]
        entries += [
            Entry("database", (name,), self._broken(state.error), opens=False)
            for name, state in states.items()
            if state.error and name not in attached
        ]
        broken = {name for name, state in states.items() if state.error}
        paths = [row.path for row in rows]
        entries += [
            Entry(
                _database_kind(database.kind),
                (database.name,),
                _joined("not attached", database.owner and f"of {database.owner}", database.attach),
                opens=False,
            )
            for database in _unattached(known, {*attached, *broken}, paths)
        ]
        return entries

    def _attached(self, row: DatabaseRow, kind: str, state: AttachedState | None) -> Entry:
        """Return the line of an attached database; one that is broken cannot be opened, and says why."""
        current = "current" if row.current else ""
        error = self._broken(state.error) if state is not None and state.error else ""
        notes = state.notes if state is not None else ()
        note = _joined(error, row.kind, *notes, row.comment, current)
        return Entry(_database_kind(kind), (row.name,), note, opens=not error)

    def _broken(self, reason: str) -> str:
        return f"broken: {shortened(scrub(' '.join(reason.split()), self.database.secrets), _WIDTH)}"

    def _schemas(self, path: Path) -> list[Entry]:
        database = path[0] if path else None
        rows = self._reader.ask(lambda introspection: introspection.schemas(database))
        return [Entry("schema", (*path, row.name)) for row in rows]

    def _tables_in(self, path: Path) -> list[Entry]:
        database, schema = ("", *path)[-2:]
        return [_table(row) for row in self._known(_FRESH) if row[:2] == (database, schema)]

    def _columns(self, path: Path) -> list[Entry]:
        database, schema, table = path[:3] if self._reader.has_databases else ("", *path[:2])
        rows = self._reader.ask(lambda introspection: introspection.columns(database, schema, table))
        return [Entry("column", (*path, row.name), _joined(row.type, row.comment), opens=False) for row in rows]

    def _known(self, seconds: float) -> list[TableRow]:
        """Return all tables and views, from a list at most *seconds* old: DuckDB lists 10,000 in 0.3 s."""
        if self._tables is None or time.monotonic() - self._tables_at > seconds:
            self._tables = self._reader.ask(lambda introspection: introspection.tables())
            self._tables_at = time.monotonic()
            self._tables_warning = self._reader.warning
        self._reader.warning = self._tables_warning
        return self._tables

    def _shown(self, value: object) -> str | None:
        return None if value is None else shortened(scrub(str(value), self.database.secrets), _WIDTH)


def _searched(row: TableRow, wanted: str) -> str:
    return ".".join(row[:3]) if "." in wanted else row.name


def _database_kind(kind: str) -> str:
    return "share" if "share" in kind else "database"


def _unattached(known: list[AccountDatabase], attached: set[str], paths: list[str]) -> list[AccountDatabase]:
    """Return those of the *known* databases and shares, each once, that are not in *attached* and at none of *paths*.

    A share can be attached under any name: the last part of its address tells.
    """
    unattached: dict[str, AccountDatabase] = {}
    for database in known:
        _, slash, key = database.address.rpartition("/")
        is_attached = database.name in attached or (slash and any(key in path for path in paths))
        if not is_attached:
            unattached.setdefault(database.address, database)
    return list(unattached.values())


def _table(row: TableRow) -> Entry:
    path = (row.database, row.schema, row.name) if row.database else (row.schema, row.name)
    return Entry(row.kind, path, _joined("" if row.rows is None else f"≈ {count(row.rows, 'row')}", row.comment))


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)

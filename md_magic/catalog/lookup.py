"""Looking up single tables for a key press, on a connection of its own: 0.4 ms for each."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from md_magic.catalog import introspect, reading
from md_magic.catalog.snapshot import Table
from md_magic.sql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from md_magic.catalog.snapshot import Column, Snapshot
    from md_magic.engine.backends.introspection.questions import Introspection
    from md_magic.sql.tokens import Token

_BEFORE_A_FILE = frozenset({"from", "join", ",", "("})
"""What can stand before the name of a file that is read."""

_DEEPEST = 5
"""Views of views are followed this far."""


class Lookup:
    """The columns of tables that were looked up since the last change, by the parts of their names."""

    def __init__(self) -> None:
        """Make a lookup that finds nothing until it has a *connection*."""
        self.connection: Introspection | None = None
        self.deadline = 0.0
        """The monotonic time after which the key press has no time left."""

        self._lock = threading.Lock()
        self._found: dict[tuple[str, ...], tuple[Column, ...]] = {}

    def columns(self, parts: tuple[str, ...], *, may_ask: bool) -> tuple[Column, ...]:
        """Return the columns of the table named *parts*; none where that is not known and cannot be asked now."""
        if parts in self._found:
            return self._found[parts]
        if self.connection is None or not may_ask or time.monotonic() > self.deadline:
            return ()
        self._found[parts] = self._columns_now(parts)
        return self._found[parts]

    def mended(
        self,
        snapshot: Snapshot,
        current: tuple[str, str],
        touched: Iterable[str],
        look_up: Callable[[tuple[str, ...]], tuple[Column, ...]],
    ) -> Snapshot:
        """Return *snapshot* with the tables named *touched* of the schema *current* as they are now."""
        tables = {table.name.lower(): table for table in snapshot.tables if table.home == current}
        created, dropped = [], set()
        for name in touched:
            parts, table = (*current, name), tables.get(name.lower())
            columns = look_up(parts)
            if columns and table is None:
                created.append(Table(name, current[1], current[0]))
            elif table is not None and self.is_missing(parts):
                dropped.add(table)
        return replace(snapshot, tables=(*(table for table in snapshot.tables if table not in dropped), *created))

    def agrees(
        self, snapshot: Snapshot, tables: Iterable[Table], missing: Iterable[tuple[str, ...]], made: str
    ) -> bool:
        """Whether *tables* still have the columns of *snapshot*, and nothing is there that is named as *missing* says.

        *made* is the name of a function, type or schema that is not there; empty for none.
        """
        if self.connection is None:
            return True
        if made and self._is_made(made):
            return False
        for table in tables:
            parts = (*table.home, table.name)
            is_quick = table.kind == "table" or self._reads_tables_only(table, snapshot)
            if is_quick and self._columns_now(parts) != snapshot.columns_of(table):
                return False
        return not any(self._columns_now(parts) for parts in missing)

    def _columns_now(self, parts: tuple[str, ...]) -> tuple[Column, ...]:
        assert self.connection is not None  # noqa: S101 - callers have looked
        with self._lock:
            try:
                return reading.columns(self.connection.columns_named(parts))
            except introspect.ERRORS:  # dropped meanwhile, or visible in the notebook's transaction only
                return ()

    def _is_made(self, name: str) -> bool:
        assert self.connection is not None  # noqa: S101 - callers have looked
        with self._lock:
            try:
                return self.connection.is_made(name)
            except introspect.ERRORS:
                return False

    def _reads_tables_only(self, view: Table, snapshot: Snapshot, depth: int = 0) -> bool:
        """Whether asking for the columns of *view* reads no file and no network."""
        assert self.connection is not None  # noqa: S101 - callers have looked
        with self._lock:
            try:
                definition = self.connection.view_definition((*view.home, view.name))
            except introspect.ERRORS:
                return False
        read, _ = tokens(definition)
        if not read or depth > _DEEPEST or _can_read_a_file(read, snapshot):
            return False
        found = {snapshot.find((token.name,)): None for token in read if token.name and not token.keyword}
        views = [table for table in found if table is not None and table.kind == "view" and table != view]
        return all(self._reads_tables_only(inner, snapshot, depth + 1) for inner in views)

    def is_missing(self, parts: tuple[str, ...]) -> bool:
        """Whether a table named *parts* was looked up and not found."""
        return self._found.get(parts) == ()

    def forget(self) -> None:
        """Forget every answer, after a statement that may have changed it."""
        self._found = {}

    def close(self) -> None:
        """Close the connection. A second call does nothing."""
        if self.connection is not None:
            self.connection.close()


def _can_read_a_file(read: Sequence[Token], snapshot: Snapshot) -> bool:
    """Whether a query has a text or a quoted name where a table can stand, or calls a table function."""
    for before, token in pairwise(read):
        if token.kind == "string" and before.text.lower() in _BEFORE_A_FILE:
            return True
        if token.kind == "quoted" and any(sign in token.text for sign in "./*"):
            return True
        function = snapshot.functions.get(before.text.lower()) if token.text == "(" else None
        if function is not None and function.kind.startswith("table"):
            return True
    return False

"""Saved queries: named SELECTs that are inlined, as common table expressions, into later statements that use them.

The invariants: a statement that references none is returned unchanged, as the same object; references are found in the
parser's tree, not by searching for words; and a statement with inlined queries is parsed again before anything runs.

Names are resolved as in SQL's own `WITH`: first the statement's CTEs, then saved queries, then tables and views, then
Python frames. In its own SELECT, a saved name refers to a table. A qualified name always refers to a table.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from md_magic.errors import StatementError
from md_magic.sql.inline import SavedQuery, inserted
from md_magic.sql.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.sql.statement import Statement
    from md_magic.sql.syntax.base import Parse, Syntax

_DUPLICATE = re.compile(r'Duplicate CTE name \\?"([^"\\]*)')  # with a backslash where errors are JSON


class SavedQueries:
    """The saved queries of a session for one syntax of SQL, by lower-case name."""

    def __init__(self, syntax: Syntax) -> None:
        """Keep queries of *syntax*; there are none yet."""
        self._syntax = syntax
        self._kept: dict[str, SavedQuery] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def names(self) -> list[str]:
        """The names, as they were typed."""
        return [saved.name for saved in self._kept.values()]

    def views(self) -> list[str]:
        """Return the saved queries as statements that create views of their names.

        Completion reads them, with DuckDB's tokenizer whatever the database is: names are quoted for DuckDB.
        """
        return [f"CREATE VIEW {identifier(saved.name)} AS {saved.statement.text}" for saved in self._kept.values()]

    def checked(self, name: str, statements: Sequence[Statement], parse: Parse | None = None) -> SavedQuery:
        """Return the query to save as *name*. Raises `StatementError` for anything but one SELECT, and for a cycle."""
        if len(statements) != 1:
            got = "and there is none" if not statements else f"and these are {len(statements)} statements"
            message = f"--save {name} keeps one SELECT, {got}. Put it into a cell of its own."
            raise StatementError(message)
        [statement] = statements
        text = self._syntax.without_semicolon(statement.text)
        if not self._syntax.is_query(text, parse):
            raise StatementError(_not_a_query(name, statement.kind))
        saved = SavedQuery(name, replace(statement, text=text, line=0, offset=0))
        if cycle := self._cycle(saved):
            message = (
                f"--save {name}: the query would read itself: {' → '.join(cycle)}. Save it under another name, or"
                f" change {cycle[1]} first."
            )
            raise StatementError(message)
        return saved

    def keep(self, saved: SavedQuery) -> None:
        """Save *saved*, replacing the query of that name."""
        self._kept.pop(saved.name.lower(), None)
        self._kept[saved.name.lower()] = saved

    def forget(self, name: str) -> bool:
        """Remove the query *name*; return whether it existed."""
        return self._kept.pop(name.lower(), None) is not None

    def inline(self, statement: Statement, parse: Parse | None = None, *, but: str | None = None) -> Statement:
        """Return *statement* with all saved queries that it uses inlined, or *statement* itself if it uses none.

        *but* is a name to ignore. Raises `StatementError` if a saved query is used where none can be inlined.
        """
        candidates = self._candidates(statement.text, but)
        named = self._syntax.tables_read(statement, candidates) if candidates else []
        if not named:
            return statement
        queries, first_error = self._in_order(named), None
        for point in self._syntax.insertion_points(statement.text):
            composed = inserted(statement, point, queries, self._syntax.quoting)
            try:
                self._syntax.check(composed.text, parse)
            except StatementError as error:
                first_error = first_error or error
            else:
                return composed
        why = str(first_error) if first_error is not None else ""
        cause = first_error.__cause__ if first_error is not None else None
        raise StatementError(_nowhere(named, statement, why, self._syntax)) from cause

    # ---- names ------------------------------------------------------------------------------------------------------

    def _candidates(self, text: str, but: str | None) -> list[str]:
        """Return the saved names that occur anywhere in *text*, even in strings and comments, except *but*."""
        lowered, own = text.lower(), (but or "").lower()
        return [name for name in self._kept if name in lowered and name != own]

    def _reads(self, saved: SavedQuery) -> list[str]:
        """Return the names of the other saved queries that *saved* uses."""
        candidates = self._candidates(saved.statement.text, saved.name)
        return self._syntax.tables(saved.statement.text, candidates) if candidates else []

    def _in_order(self, named: Sequence[str]) -> list[SavedQuery]:
        """Return the saved queries *named*, each after those that it uses."""
        order: dict[str, SavedQuery] = {}

        def add(name: str) -> None:
            if name in order:
                return
            saved = self._kept[name]
            for other in self._reads(saved):
                add(other)
            order[name] = saved

        for name in named:
            add(name)
        return list(order.values())

    def _cycle(self, saved: SavedQuery) -> list[str]:
        """Return the names on a cycle through *saved*; empty if there is none."""
        own = saved.name.lower()
        ways = [[name] for name in self._reads(saved)]
        while ways:
            way = ways.pop()
            kept = self._kept[way[-1]]
            text = kept.statement.text
            if own in text.lower() and self._syntax.tables(text, [own]):
                return [saved.name, *(self._kept[name].name for name in way), saved.name]
            ways += [[*way, name] for name in self._reads(kept) if name != own]
        return []


def _not_a_query(name: str, kind: str) -> str:
    got = f"this is {kind.replace('_', ' ')}" if kind not in {"", "SELECT"} else "this cannot"
    return (
        f"--save {name} keeps a SELECT (or WITH, FROM, VALUES, PIVOT), which can stand in another query, and {got}."
        " Nothing was run."
    )


def _nowhere(named: Sequence[str], statement: Statement, why: str, syntax: Syntax) -> str:
    """Return the message for a statement that uses the saved queries *named* but cannot have them inlined."""
    if (twice := _DUPLICATE.search(why)) is not None:
        return (
            f"{twice[1]} is a saved query, and the statement reads it outside a CTE of its own of the same name. Give"
            f" that CTE another name, or write {_qualified(twice[1], syntax)} for the table of that name. Nothing was"
            " run."
        )
    names = " and ".join(named)
    remedy = f"CREATE TEMPORARY TABLE t AS SELECT * FROM {named[0]}"  # noqa: S608 - a message
    what = statement.kind.replace("_", " ") or "kind of"
    reason = f" ({why.partition(chr(10))[0]})" if why else ""
    return (
        f"{names}: saved with --save, and a saved query cannot be put into this {what} statement{reason}; nothing was"
        f" run. Make a table of it first, {remedy}, or write {_qualified(named[0], syntax)} for the table of that name."
    )


def _qualified(name: str, syntax: Syntax) -> str:
    return f"{syntax.main_schema}.{name}" if syntax.main_schema else f"the schema before {name}"

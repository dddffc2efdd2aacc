"""Reading a cell's SQL: splitting it into statements and inlining saved queries."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from md_magic.engine import execute
from md_magic.errors import ConnectionLost, OptionError
from md_magic.session.saved_queries import SavedQueries
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_magic.engine.database import Database
    from md_magic.session.recovery import Recovery
    from md_magic.session.runner import CurrentCell
    from md_magic.sql.statement import Statement


class StatementReader:
    """Reads SQL in the dialect of a database, and keeps the saved queries of each dialect."""

    def __init__(self, cell: CurrentCell, recovery: Recovery) -> None:
        """Start without saved queries. *recovery* replaces a connection that turns out lost while it parses."""
        self._cell = cell
        self._recovery = recovery
        self._saved: dict[str, SavedQueries] = {}

    def read(self, database: Database, sql: str) -> tuple[Database, list[Statement]]:
        """Return the statements of *sql* with the saved queries they reference, and the database to run them on.

        That is *database*, or a new connection to its target if the old one was lost. Nothing is run. Raises
        `StatementError` for SQL that cannot be parsed.
        """
        database, statements = self.split(database, sql)
        saved = self._saved.get(database.backend.dialect) if self._saved else None
        if not saved:
            return database, statements
        parse, but = database.backend.parse, self._cell.saving
        return database, [saved.inline(statement, parse, but=but) for statement in statements]

    def inlined(self, dialect: str, statement: Statement, *, but: str | None = None) -> Statement:
        """Return *statement* with the saved queries of *dialect* that it references; the database is not asked."""
        saved = self._saved.get(dialect)
        return saved.inline(statement, but=but) if saved else statement

    def split(self, database: Database, sql: str) -> tuple[Database, list[Statement]]:
        """Return the statements of *sql* as they were typed, and the database; otherwise like `read`."""
        try:
            return database, execute.read(database, sql)
        except ConnectionLost as error:
            database = self._recovery.reopened(database, error)
            return database, execute.read(database, sql)

    @contextlib.contextmanager
    def saving(self, database: Database, name: str, sql: str) -> Iterator[None]:
        """Save the SELECT *sql* as *name* if the block, which runs it, ends without an error."""
        database, statements = self.split(database, sql)
        dialect = database.backend.dialect
        saved = self._saved.setdefault(dialect, SavedQueries(database.backend.syntax))
        query = saved.checked(name, statements, database.backend.parse)
        outer, self._cell.saving = self._cell.saving, name
        try:
            yield
        finally:
            self._cell.saving = outer
        saved.keep(query)

    def forget(self, name: str) -> None:
        """Forget the query that was saved as *name*, in every dialect. Raises `OptionError` where there is none."""
        forgotten = [saved.forget(name) for saved in self._saved.values()]
        if not any(forgotten):
            names = self.names
            message = f"--forget {name}: no query is saved under that name. Saved: {', '.join(names) or 'none yet'}."
            raise OptionError(message + did_you_mean(name, names))

    @property
    def names(self) -> list[str]:
        """The names of the saved queries of every dialect."""
        return list(dict.fromkeys(name for saved in self._saved.values() for name in saved.names))

    def views(self, dialect: str) -> list[str]:
        """Return the saved queries of *dialect* as statements that create views, which is what completion reads."""
        saved = self._saved.get(dialect)
        return saved.views() if saved else []

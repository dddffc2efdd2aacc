"""Lost connections: detecting them, reconnecting, and reporting what was lost.

The invariant: no statement is ever sent twice, because one that failed may have taken effect. So an idle connection is
probed before a statement is sent, and a connection is replaced only before anything of the cell has run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from md_magic.engine import execute
from md_magic.errors import ConnectionLost, SignInError, StatementError
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool
    from md_magic.errors import SignInRequired
    from md_magic.session.accounts import Accounts
    from md_magic.session.runner import CurrentCell
    from md_magic.sql.target import Target

T = TypeVar("T")


class Recovery:
    """The connections that a session has lost, until their targets are open again."""

    def __init__(
        self,
        pool: EnginePool,
        accounts: Accounts,
        cell: CurrentCell,
        *,
        use: Callable[[Target], Database],
        notify: Callable[[str], None],
    ) -> None:
        """Start with nothing lost. *use* opens a target and makes it current; *notify* shows a person one line."""
        self._pool = pool
        self._accounts = accounts
        self._cell = cell
        self._use = use
        self.notify = notify
        self._lost: dict[Target, Database] = {}

    def awake(self, database: Database) -> Database:
        """Return *database* if it still answers, else a new connection to its target.

        MotherDuck is asked after a long idle time. Raises `SignInRequired` where it refuses the token, and
        `ConnectionLost` where something was lost with the old connection.
        """
        if database.backend.is_given_up:
            message = f"The connection to {database.target.name} was given up with the query that nothing could stop."
            return self.reopened(database, ConnectionLost(message))
        if not database.needs_probe:
            return database
        try:
            with self._cell.watched(database):
                execute.probe(database)
        except SignInError as error:
            raise self.refused(database, error) from error.__cause__
        except ConnectionLost as error:
            return self.reopened(database, error)
        return database

    def reopened(self, database: Database, error: ConnectionLost) -> Database:
        """Connect again to the target of *database*, which was lost with *error* while nothing ran.

        Raises *error*, with what was lost, if the cell might miss it; the next cell then reconnects.
        """
        self.forget(database)
        if database.target.variable:  # only its owner can open it again
            raise error
        if database.backend.local.is_missed:
            error.add_note(
                f"\nNothing of this cell was run, and the next one connects again. {what_was_lost(database)}"
            )
            raise error
        return self._use(database.target)

    def retried(self, database: Database, start: Callable[[], T]) -> T:
        """Return the result of *start*, which runs nothing yet; call it again if *database* turns out to be lost."""
        try:
            return start()
        except SignInError as error:
            raise self.refused(database, error) from error.__cause__
        except ConnectionLost as error:
            self.reopened(database, error)
            return start()

    def refused(self, database: Database, error: SignInError) -> SignInRequired:
        """Forget *database*, whose token MotherDuck no longer accepts; return the error that asks for another one."""
        self.forget(database)
        return self._accounts.refused(error, database.token)

    def lost_in_cell(self, database: Database, error: ConnectionLost) -> None:
        """Forget *database*, which was lost with *error* while a statement ran, and add to *error* what was lost."""
        self.forget(database)
        error.add_note(f"\nThe next cell connects again. {what_was_lost(database)}")

    def forget(self, database: Database) -> None:
        """Close *database*, and remember its connection-local state until its target is open again."""
        self._pool.close(database.target)
        self._lost[database.target] = database

    def config_of(self, target: Target) -> Mapping[str, Any] | None:
        """Return the configuration of the lost connection to *target*; `None` where none was lost."""
        lost = self._lost.get(target)
        return lost.backend.config if lost is not None else None

    def moved(self, before: Target, after: Target) -> None:
        """Record that the lost target *before* is reopened as *after*, with another token."""
        if (lost := self._lost.pop(before, None)) is not None:
            self._lost[after] = lost

    def connected(self, database: Database) -> None:
        """If *database*'s target was lost before, restore its state as far as possible, and report the rest."""
        lost = self._lost.pop(database.target, None)
        if lost is not None:
            self.notify(f"Connected to {database.target.name} again. {_restored(database, lost)}")

    def clear(self) -> None:
        """Forget what was lost: nothing is restored any more."""
        self._lost.clear()


def what_was_lost(lost: Database, *, schema: bool = True) -> str:
    """Return a sentence that lists what lived in the connection of *lost*; *schema* includes the current schema."""
    items = lost.backend.local.in_words(schema=schema)
    if not items:
        return "Nothing else was lost."
    return f"What lived in the old connection is lost: {'; '.join(items)}."


def _restored(database: Database, lost: Database) -> str:
    """Choose the schema that was current in *lost*; return what was restored and what was not."""
    choose = lost.backend.local.schema
    if choose is None:
        return what_was_lost(lost)
    try:
        execute.run(database, Statement(text=choose, kind="SET"), {})
    except StatementError:
        return what_was_lost(lost)
    return f"{what_was_lost(lost, schema=False)} Restored: {' '.join(choose.split())}."

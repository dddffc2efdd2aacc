"""A session: the connections of one kernel, its current target, and running SQL on it.

It is a façade: accounts, recovery, saved queries, background queries and running each have their own class. It does not
depend on the notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.catalog import listing
from md_magic.catalog.cache import CatalogCaches
from md_magic.catalog.snapshot import Snapshot
from md_magic.catalog.tree import CatalogTree
from md_magic.engine.cancellation import Watcher
from md_magic.engine.database import needs_token
from md_magic.engine.pool import EnginePool
from md_magic.engine.results.spec import AS_FRAME
from md_magic.errors import ConnectError, SignInError
from md_magic.session import parameters as binding
from md_magic.session.accounts import Accounts, sealed
from md_magic.session.background.jobs import Jobs
from md_magic.session.checking.checks import Checks
from md_magic.session.history import History
from md_magic.session.known_targets import KnownTargets
from md_magic.session.platform import Platform
from md_magic.session.reading import StatementReader
from md_magic.session.recovery import Recovery
from md_magic.session.runner import CurrentCell, Runner
from md_magic.session.selection import Selection
from md_magic.sql import target as targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from md_magic.auth.token import Token
    from md_magic.engine.cancellation import Execution, Limit
    from md_magic.engine.database import Database
    from md_magic.engine.execute import Outcome
    from md_magic.engine.plans.plan import Plan
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.session.background.job import Job
    from md_magic.session.chart.values import Drawing, Wish
    from md_magic.session.profile.values import Profile
    from md_magic.sql.statement import How
    from md_magic.sql.target import Target


class Session:
    """One for each shell. Closing it closes every connection and leaves it usable."""

    def __init__(self, *, notify: Callable[[str], None], use_keyring: Callable[[], bool] = lambda: True) -> None:
        """Make a session without connections. *notify* shows a person one line, such as a report of a lost connection.

        *use_keyring* tells whether a token may be taken from the keyring.
        """
        self.pool = EnginePool()
        self.known = KnownTargets(self.pool)
        self.aliases = self.known.aliases
        self.selection = Selection()
        self._watcher = Watcher()
        self._jobs = Jobs(self._watcher)
        self._caches = CatalogCaches()
        self._cell = CurrentCell(self._watcher)
        self._accounts = Accounts(use_keyring=use_keyring)
        self._recovery = Recovery(self.pool, self._accounts, self._cell, use=self.use, notify=notify)
        self._reader = StatementReader(self._cell, self._recovery)
        self.history: History = History(self.pool)
        parts = (self._cell, self._reader, self._recovery, self.history)
        self._runner = Runner(*parts, use=self.use, catalog_cache=self._caches.of)
        self.parameter_names = self._runner.parameter_names
        self.ask = self._runner.ask
        self.checks = Checks(self.pool, self._reader, catalog_cache=self._caches.of)
        self.platform: Platform = Platform(self.pool, self._cell, self._recovery, use=self.use, open_now=self._open_now)

    # ---- targets ----------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Target | None:
        """The target that what names none runs on: see `Selection`."""
        return self.selection.current

    def resolve(self, word: str, variables: Mapping[str, Any] | None = None) -> Target:
        """Return the target that *word* names: a URI, `@alias`, or `$NAME` of *variables*. Raises `TargetError`."""
        return self.known.resolve(word, variables)

    @property
    def ready(self) -> bool:
        """Whether the current target is open."""
        return self._open_now() is not None

    def use(
        self,
        target: Target | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        alias: str | None = None,
    ) -> Database:
        """Open *target*, by default the current one, if it is not open; make it current and give it *alias*.

        A connection that has been idle for long is probed, and reopened if it no longer works. Raises `SignInRequired`
        for a MotherDuck target without a token, or with a refused one, and `ConnectionLost` if state was lost with a
        connection that no longer works.
        """
        if target is None and config is None and alias is None and (open_now := self._open_now()) is not None:
            return self._recovery.awake(open_now)
        chosen = target or self.current or targets.read(targets.MEMORY)
        if config is None:
            config = self._recovery.config_of(chosen)
        token = None
        if needs_token(chosen) and self.pool.find(chosen) is None:
            token = self._accounts.token_for(chosen, config)
            chosen = chosen.signed_in(token.secret)
        try:
            database = self.pool.get(chosen, sealed(config), token)
        except SignInError as error:
            raise self._accounts.refused(error, token) from error.__cause__
        return self._settle(self._recovery.awake(database), alias)

    def use_object(self, name: str, value: object, *, alias: str | None = None) -> Database:
        """Make *value*, the SQLAlchemy engine or DuckDB connection in variable *name*, the current target."""
        return self._settle(self.pool.adopt(name, value), alias)

    def close(self, target: Target | None = None) -> bool:
        """Close *target*, by default the current one; return whether it was open."""
        chosen = target or self.current
        if chosen is None:
            return False
        closing = [chosen]
        if self.pool.find(chosen) is None and not chosen.account and not chosen.secrets:  # of whatever account
            closing = [database.target for database in self.pool if database.target.url == chosen.url]
        self.selection.forget(closing)
        for database in filter(None, map(self.pool.find, closing)):
            self._jobs.cancel(f"because {database.target.name} was closed", database)
        closed = [self.pool.close(each) for each in closing]
        return any(closed)

    def close_all(self) -> int:
        """Close every connection; return how many there were."""
        self.selection.current = None
        self._jobs.cancel("because every connection was closed")
        self._watcher.close()
        self.checks.close()
        return self.pool.close_all()

    def connections(self) -> pd.DataFrame:
        """Return a frame of what is open, or named: name, alias, state, database, account, age, whether current."""
        return self.known.connections(self.current)

    def _open_now(self) -> Database | None:
        return self.pool.find(self.current) if self.current is not None else None

    def _settle(self, database: Database, alias: str | None) -> Database:
        """Make *database* current, give it *alias*, and restore the state that its target had lost."""
        self.selection.current = database.target
        database.backend.known_names, database.backend.notify = lambda: self._reader.names, self._recovery.notify
        self._accounts.opened(database)
        if alias:
            self.aliases[alias] = database.target
        self._recovery.connected(database)
        return database

    @staticmethod
    def needs_token(target: Target) -> bool:
        """Whether opening *target* signs in to MotherDuck."""
        return needs_token(target)

    # ---- accounts ---------------------------------------------------------------------------------------------------

    def sign_in(
        self, target: Target, token: Token, *, config: Mapping[str, Any] | None = None, alias: str | None = None
    ) -> None:
        """Open the MotherDuck *target* with *token*, which a person has just given; later targets use it as well.

        Raises `SignInError` where MotherDuck refuses it. After any other error, such as an unknown database, the token
        is kept: nobody is to sign in twice for a misspelt name.
        """
        chosen = target.signed_in(token.secret)
        self._recovery.moved(target, chosen)
        try:
            database = self.pool.get(chosen, sealed(config or self._recovery.config_of(chosen)), token)
        except SignInError:
            raise
        except ConnectError:
            self._accounts.sign_in(token)
            raise
        self._accounts.sign_in(token)
        self._settle(database, alias)

    def sign_out(self) -> tuple[list[str], Token | None]:
        """Forget every token of this session and of the keyring, and close what was opened with one.

        Return the names of the targets that were closed, and a token that is still found: in the environment or a file.
        """
        closed = [database.target for database in self.pool if database.token is not None]
        for target in closed:
            self.close(target)
        self.aliases.update({alias: target.signed_out() for alias, target in self.aliases.items()})
        self._recovery.clear()
        return [target.name for target in closed], self._accounts.sign_out()

    def prefer_signed_in(self) -> None:
        """Skip the tokens that would come before the one that a person has signed in with, since that was a choice."""
        self._accounts.prefer_signed_in()

    def whoami(self) -> pd.DataFrame:
        """Return a frame of one row: account, kind, expiry and source of the token that is used. Nothing is verified.

        That is the token of the current MotherDuck target, with what the service says of both, or else the one that the
        next would be opened with. The frame has no rows where there is no token.
        """
        database = self._open_now()
        return self._accounts.whoami(database).assign(**self.platform.identity(database))

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(
        self,
        sql: str,
        variables: Mapping[str, Any],
        *,
        parameters: Mapping[str, Any] | None = None,
        spec: ResultSpec = AS_FRAME,
        every: bool = False,
    ) -> Iterator[Outcome]:
        """Run the statements of *sql* on the current target, in order, and give the outcome of each as it ends.

        SQL can read the tables in the notebook's *variables*, and bind their values as `:name`; *parameters* take
        precedence. Only the last result is fetched, according to *spec*, unless *every* result is wanted. Nothing is
        run if a statement cannot be parsed or a parameter has no value.
        """
        return self._runner.run(sql, variables, binding.merged(variables, parameters), spec, every=every)

    def start(
        self,
        texts: Sequence[str],
        variables: Mapping[str, Any],
        *,
        name: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        spec: ResultSpec = AS_FRAME,
        time_limit: Limit | None = None,
    ) -> Job:
        """Start the statements of *texts* in the background, beside the current target, and return their handle.

        *name* is the name of the handle; the other arguments are those of `run`. Values and tables are copied now.
        Nothing is run if a statement cannot be parsed, a parameter has no value, or a statement references an object of
        the notebook's connection alone.
        """
        task = self._runner.task(texts, variables, binding.merged(variables, parameters), spec, time_limit)
        job = self._recovery.retried(self.use(), lambda: self._jobs.start(self.use(), task, name=name))
        self.history.follow(job.status, texts)
        return job

    def jobs(self) -> pd.DataFrame:
        """Return a frame of the background queries: name, target, state, progress, elapsed seconds, rows, error."""
        return listing.frame(self._jobs.rows(), ["name", "target", "state", "progress", "elapsed", "rows", "error"])

    def one_cell(self, execution: Execution) -> AbstractContextManager[Execution]:
        """Within the block, everything that this thread runs is one *execution*, with one clock, limit and stop."""
        return self._cell.executing(execution)

    def stoppable(self, name: str, stop: Callable[[], object]) -> AbstractContextManager[object]:
        """Within the block, what runs beside the databases is shown as *name*, and *stop* stops it."""
        return self._cell.beside(name, stop)

    def describe_result(
        self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with the names and types of the columns that *sql* would give. Nothing is run."""
        return self._runner.columns(sql, variables, binding.merged(variables, parameters))

    def plan(
        self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, *, run: bool
    ) -> Plan | pd.DataFrame:
        """Return the plan of the last statement of *sql*; for databases other than DuckDB, the rows of their EXPLAIN.

        With *run*, all statements are run, the last result is discarded, and the plan has rows and times. Otherwise
        nothing is run, and a last statement that depends on the others is an error.
        """
        return self._runner.plan(sql, variables, binding.merged(variables, parameters), run=run)

    def profile(self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> Profile:
        """Return what the columns of *sql* hold, a query or the name of a table; statements before it are run."""
        return self._runner.profile(sql, variables, binding.merged(variables, parameters))

    def chart(
        self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any], wish: Wish, limit: int | None
    ) -> Drawing:
        """Return the marks of a chart of *sql*, or of its first *limit* rows; statements before it are run."""
        return self._runner.chart(sql, variables, binding.merged(variables, parameters), wish, limit=limit)

    def write(self, table: str, name: str, value: object, *, how: How) -> int:
        """Write *value*, the table in the Python variable *name*, to *table* of the current target; count its rows.

        Raises `FrameError` for a variable that is no table, `StatementError` where the database refuses, and nothing
        is written then.
        """
        return self._runner.write(table, name, value, how=how)

    # ---- saved queries ----------------------------------------------------------------------------------------------

    def saving(self, name: str, sql: str) -> AbstractContextManager[None]:
        """Keep the SELECT *sql* under *name* when the block, which runs or looks at it, has ended without an error.

        Raises `StatementError`, before the block, for anything but one SELECT, and for one that would read itself.
        """
        return self._reader.saving(self.use(), name, sql)

    def forget(self, name: str) -> None:
        """Forget what was saved as *name*. Raises `OptionError` where nothing was."""
        self._reader.forget(name)

    @property
    def saved(self) -> list[str]:
        """The names of the saved queries."""
        return self._reader.names

    def saved_views(self) -> list[str]:
        """Return the saved queries of the current target as statements that create views: what completion reads."""
        database = self._open_now()
        return self._reader.views(database.backend.dialect) if database is not None else []

    # ---- catalogue --------------------------------------------------------------------------------------------------

    def names(self) -> Snapshot:
        """Return the catalog snapshot of the current target; nothing is opened.

        Lazy: the catalog is not queried until completion first needs it.
        """
        database = self._open_now()
        return self._caches.of(database).snapshot() if database is not None else Snapshot()

    def databases(self) -> pd.DataFrame:
        """Return a frame of the databases that the current target sees."""
        return listing.databases(self.use())

    def tables(self, pattern: str | None = None) -> pd.DataFrame:
        """Return a frame of the tables and views whose name matches *pattern*."""
        return listing.tables(self.use(), pattern)

    def describe(self, table: str) -> pd.DataFrame:
        """Return a frame of the columns of *table*. Raises `TargetError` where there is no such table."""
        return listing.describe(self.use(), table)

    def catalog_tree(self) -> CatalogTree:
        """Return the catalog tree of the current target."""
        return CatalogTree(self.use())

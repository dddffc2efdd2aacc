"""A session: what one kernel has open, which target is current, and how a cell's SQL runs on it.

Plain values in, results out: nothing here knows that it is in a notebook.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from md_magic import catalog, credentials, generic, loading, namespace, plans, profiles, query
from md_magic import target as targets
from md_magic.auth import Secret
from md_magic.engines import IDLE, Database, EnginePool
from md_magic.errors import (
    ConnectError,
    ConnectionLost,
    FrameError,
    OptionError,
    ParameterError,
    QueryCancelled,
    QueryInterrupted,
    SignInError,
    SignInRequired,
    StatementError,
    TargetError,
)
from md_magic.explorer import Explorer
from md_magic.interrupt import Running, Watcher
from md_magic.jobs import Job, Jobs, Task
from md_magic.names import Names
from md_magic.observer import Observer
from md_magic.reader import Reader
from md_magic.saved import Shelf
from md_magic.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from md_magic.auth import Token
    from md_magic.interrupt import Limit
    from md_magic.plans import Plan
    from md_magic.profiles import Profile
    from md_magic.query import Outcome, Sink
    from md_magic.statement import Form, How
    from md_magic.target import Target

T = TypeVar("T")


class Session:
    """One for each shell. Closing it closes every connection and leaves it usable."""

    def __init__(self, *, notify: Callable[[str], None], use_keyring: Callable[[], bool] = lambda: True) -> None:
        """Make a session without connections. *notify* shows a person one line, such as what a lost connection took.

        *use_keyring* tells whether a token may be taken from the keyring.
        """
        self.pool = EnginePool()
        self._use_keyring = use_keyring
        self._signed_in: Token | None = None
        self._tokens: dict[str, Token] = {}
        self._passed_over: set[str] = set()
        self.aliases: dict[str, Target] = {}
        self.current: Target | None = None
        self._notify = notify
        self._reader = Reader()
        self.watcher = Watcher()
        self._cell = threading.local()
        self._lost: dict[Target, Database] = {}
        self._observers: dict[Database, Observer] = {}
        self._jobs = Jobs(self.watcher)
        self._shelves: dict[str, Shelf] = {}

    # ---- targets ----------------------------------------------------------------------------------------------------

    def resolve(self, word: str) -> Target:
        """Return the target that *word* names: a URI, or `@alias`. Raises `TargetError` for an unknown alias."""
        if not word.startswith("@"):
            return targets.read(word)
        name = word.removeprefix("@")
        if name in self.aliases:
            return self.aliases[name]
        known = ", ".join(f"@{alias}" for alias in self.aliases) or "none yet"
        message = (
            f"No target has the alias {word!r}. Known aliases: {known}. "
            f"Give one with `%mdsql duckdb:///my.duckdb --alias {name}`."
        )
        raise TargetError(message + _near(name, self.aliases, "@"))

    @property
    def ready(self) -> bool:
        """Whether the current target is open."""
        return self._open_now() is not None

    def _open_now(self) -> Database | None:
        return self.pool.find(self.current) if self.current is not None else None

    def use(
        self,
        target: Target | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        alias: str | None = None,
    ) -> Database:
        """Open *target*, by default the current one, where it is not open; make it current and give it *alias*.

        One that has been idle for long is asked whether it still answers, and opened again if it does not. Raises
        `SignInRequired` for a MotherDuck target without a token, or with one that was refused, and `ConnectionLost`
        where something was lost with a connection that no longer answers.
        """
        if target is None and config is None and alias is None and (open_now := self._open_now()) is not None:
            return self._awake(open_now)
        chosen = target or self.current or targets.read(targets.MEMORY)
        token = None
        if config is None and chosen in self._lost:
            config = self._lost[chosen].config
        if chosen.is_motherduck and self.pool.find(chosen) is None:
            token = self._token(chosen, config)
            chosen = chosen.signed_in(token.secret)
        try:
            database = self.pool.get(chosen, _hidden(config), token)
        except SignInError as error:
            self._pass_over(token)
            raise _again_required(error, token) from error.__cause__
        database = self._awake(database)
        self._settle(database, alias)
        return database

    def sign_in(
        self, target: Target, token: Token, *, config: Mapping[str, Any] | None = None, alias: str | None = None
    ) -> None:
        """Open the MotherDuck *target* with *token*, which a person has just given; later targets use it as well.

        Raises `SignInError` where MotherDuck refuses it. After any other error, such as an unknown database, the token
        is kept: nobody is to sign in twice for a misspelt name.
        """
        chosen = target.signed_in(token.secret)
        lost = self._lost.pop(target, None)
        if lost is not None:
            self._lost[chosen] = lost
        try:
            database = self.pool.get(chosen, _hidden(config or (lost.config if lost else None)), token)
        except SignInError:
            raise
        except ConnectError:
            self._accept(token)
            raise
        self._accept(token)
        self._settle(database, alias)

    def _accept(self, token: Token) -> None:
        self._signed_in = token
        self._passed_over.discard(token.secret.digest())

    def sign_out(self) -> tuple[list[str], Token | None]:
        """Forget every token of this session and of the keyring, and close what was opened with one.

        Return the names of the targets that were closed, and a token that is still found: in the environment or a file.
        """
        closed = [database.target for database in self.pool if database.token is not None]
        for target in closed:
            self.close(target)
        self.aliases = {alias: target.signed_out() for alias, target in self.aliases.items()}
        self._lost.clear()
        self._tokens.clear()
        self._signed_in = None
        self._passed_over.clear()
        credentials.forget()
        return [target.name for target in closed], credentials.find(environ=os.environ)

    def prefer_signed_in(self) -> None:
        """Pass over the tokens that would be found before the one a person has signed in with: that one was chosen."""
        while (token := self._found()) and self._signed_in and token.secret != self._signed_in.secret:
            self._pass_over(token)

    def who(self) -> Token | None:
        """Return the token of the current MotherDuck target, or else the one that the next would be opened with."""
        database = self.pool.find(self.current) if self.current else None
        return database.token if database is not None and database.token is not None else self._found()

    def whoami(self) -> pd.DataFrame:
        """Return a frame of one row about that token: account, kind, expiry, where it came from. Nothing is verified.

        It has no rows where there is no token.
        """
        token = self.who()
        columns = ["account", "kind", "expires", "source"]
        if token is None:
            return catalog.frame([], columns)
        row = [token.account or "unknown", token.kind, token.expires or "never, or not said", token.source]
        return catalog.frame([dict(zip(columns, row, strict=True))], columns)

    def _token(self, target: Target, config: Mapping[str, Any] | None) -> Token:
        known = self._tokens.get(target.account)  # an alias, or a connection that was lost: the same account again
        if known is not None and target.account not in self._passed_over:
            return known
        uri = target.secrets.get("motherduck_token")
        given = known or credentials.given(uri, config)
        if given is not None and given.secret.digest() in self._passed_over:
            mine = self._signed_in
            same = mine is not None and (known is None or known.account == mine.account)
            return mine if mine is not None and same else given  # asked once more: no other account is meant
        found = self._found(uri, config)
        if found is None:
            message = f"{target.name} needs a MotherDuck token, and none was found. Give one: {credentials.WAYS}."
            raise SignInRequired(message)
        return found

    def _found(self, uri: Secret | None = None, config: Mapping[str, Any] | None = None) -> Token | None:
        return credentials.find(
            environ=os.environ,
            uri=uri,
            config=config,
            signed_in=self._signed_in,
            use_keyring=self._use_keyring(),
            passed_over=self._passed_over if self._signed_in else (),  # without another, each attempt starts clean
        )

    def _pass_over(self, token: Token | None) -> None:
        if token is not None:
            self._passed_over.add(token.secret.digest())
            if token == self._signed_in:
                self._signed_in = None

    def use_object(self, name: str, value: object, *, alias: str | None = None) -> Database:
        """Make *value*, a SQLAlchemy engine or DuckDB connection held in variable *name*, the current target."""
        database = self.pool.adopt(name, value)
        self._settle(database, alias)
        return database

    def _settle(self, database: Database, alias: str | None) -> None:
        self.current = database.target
        if database.token is not None:
            self._tokens[database.target.account] = database.token
        if alias:
            self.aliases[alias] = database.target
        lost = self._lost.pop(database.target, None)
        if lost is not None:
            self._notify(f"Connected to {database.target.name} again. {self._restored(database, lost)}")

    def close(self, target: Target | None = None) -> bool:
        """Close *target*, by default the current one; return whether it was open."""
        chosen = target or self.current
        if chosen is None:
            return False
        meant = [chosen]
        if chosen.is_motherduck and not chosen.account:  # as it is typed: of whatever account
            meant = [database.target for database in self.pool if database.target.url == chosen.url]
        if self.current in meant:
            self.current = None
        for database in filter(None, map(self.pool.find, meant)):
            self._jobs.cancel(f"because {database.target.name} was closed", database)
        closed = [self.pool.close(one) for one in meant]
        return any(closed)

    def close_all(self) -> int:
        """Close every connection; return how many there were."""
        self.current = None
        self._jobs.cancel("because every connection was closed")
        self.watcher.close()
        return self.pool.close_all()

    def connections(self) -> pd.DataFrame:
        """Return a frame of what is open: name, alias, state, database, account, age in seconds, whether current."""
        names = {target: alias for alias, target in self.aliases.items()}
        rows = [
            {
                "name": database.target.name,
                "alias": names.get(database.target, ""),
                "state": database.state,
                "database": database.target.database,
                "account": database.account,
                "age": round(time.monotonic() - database.opened, 1),
                "current": database.target == self.current,
            }
            for database in self.pool
        ]
        return catalog.frame(rows, ["name", "alias", "state", "database", "account", "age", "current"])

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(
        self,
        sql: str,
        variables: Mapping[str, Any],
        *,
        parameters: Mapping[str, Any] | None = None,
        form: Form = "pandas",
        limit: int | None = None,
        every: bool = False,
        sink: Sink | None = None,
    ) -> Iterator[Outcome]:
        """Run the statements of *sql* on the current target, in order, and give the outcome of each as it ends.

        *variables* are the notebook's: its tables can be named, its values bound by `:name`; *parameters* go before
        them. Only the last result is fetched, unless *every* asks for each; *sink* gets its rows in place of a frame,
        if there is one. Nothing is run where a statement cannot be parsed or a parameter has no value.
        """
        database = self.use()
        with self._interruptible(database) as running:
            statements = self._read(database, sql)
            given = {**variables, **(parameters or {})} if parameters else variables
            values = [_values(statement, given) for statement in statements]
            tables = namespace.tables(variables) if database.target.is_duckdb else {}
            database = self._still_open(database, running)
            for statement, bound in zip(statements, values, strict=True):
                running.begin_statement(statement.number, statement.of)
                keep = every or statement.number == statement.of
                yield self._run_one(database, statement, bound, tables, form=form, limit=limit, keep=keep, sink=sink)

    def start(
        self,
        texts: Sequence[str],
        variables: Mapping[str, Any],
        *,
        name: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        form: Form = "pandas",
        limit: int | None = None,
        time_limit: Limit | None = None,
    ) -> Job:
        """Start the statements of *texts* in the background, beside the current target, and return their handle.

        *name* is what the handle is called; the others are those of `run`. Values and tables are those of now. Nothing
        is run where a statement cannot be parsed, a parameter has no value, or something is named that is in the
        notebook's connection alone.
        """
        database = self.use()
        if time_limit is not None and database.interrupt is None:
            raise OptionError(_cannot_stop(database, time_limit))
        statements = [statement for sql in texts for statement in self._read(database, sql)]
        given = {**variables, **(parameters or {})}
        task = Task(
            statements=[(statement, _frozen(_values(statement, given))) for statement in statements],
            tables=namespace.tables(variables) if database.target.is_duckdb else {},
            form=form,
            limit=limit,
            time_limit=time_limit,
        )
        return self._reconnecting(lambda: self._jobs.start(self.use(), task, name=name))

    def jobs(self) -> pd.DataFrame:
        """Return a frame of the background queries: name, target, state, progress, elapsed seconds, rows, error."""
        return catalog.frame(self._jobs.rows(), ["name", "target", "state", "progress", "elapsed", "rows", "error"])

    def _reconnecting(self, start: Callable[[], Job]) -> Job:
        """Call *start*, which runs nothing yet; once more on a new connection where the old one was gone."""
        database = self.use()
        try:
            return start()
        except SignInError as error:
            raise self._refused(database, error) from error.__cause__
        except ConnectionLost as error:
            self._again(database, error)
            return start()

    @contextlib.contextmanager
    def one_cell(self, running: Running) -> Iterator[Running]:
        """Let what this thread runs within the block be one thing to look at, to limit and to stop: *running*."""
        self._cell.running = running
        try:
            yield running
        finally:
            self._cell.running = None

    @contextlib.contextmanager
    def _interruptible(self, database: Database) -> Iterator[Running]:
        """Within the block, what runs on *database* can be watched, and stopped: see `one_cell` and `Watcher`.

        Raises `OptionError` where a time is limited, and the driver has nothing that stops a query.
        """
        running: Running = getattr(self._cell, "running", None) or Running()
        if running.limit is not None and database.interrupt is None:
            raise OptionError(_cannot_stop(database, running.limit))
        try:
            with database.lock:
                database.show_in(running)
                with self.watcher.watching(running):
                    yield running
        except (QueryInterrupted, QueryCancelled) as error:
            if state := database.transaction_after_stop():
                error.add_note(state)
            raise

    def describe_result(
        self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with the names and types of the columns that *sql* would give. Nothing is run."""
        statements = self._read(self.use(), sql)
        database = self.use()  # reading may have connected anew
        columns: list[dict[str, str]] = []
        for statement in statements[-1:]:
            values = _values(statement, {**variables, **(parameters or {})})
            tables = namespace.tables(variables)
            with self._interruptible(database), database.scanning(tables):
                columns = query.describe(database, statement, values)
        return catalog.frame(columns, ["column", "type"])

    def plan(
        self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, *, run: bool
    ) -> Plan | pd.DataFrame:
        """Return how the last statement of *sql* is run; of a database other than DuckDB, the rows of its EXPLAIN.

        With *run* all statements are run, the last one's result is thrown away, and the plan has rows and times. Else
        nothing is run, and a last statement that needs what the others would make is an error.
        """

        def ask(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan | pd.DataFrame:
            if not database.target.is_duckdb:
                asked = plans.other(database.target.dialect, statement, run=run)
                frame: pd.DataFrame = query.run(database, asked, values).value
                return frame
            if run:
                return plans.analyze(database, statement, values)
            plan = plans.explain(database, statement, values)
            note = f"The plan of the last of {statement.of} statements. Nothing was run."
            return replace(plan, notes=(note, *plan.notes)) if statement.of > 1 else plan

        return self._of_last(
            sql, variables, parameters, ask, run_others=run, option="--analyze" if run else "--explain"
        )

    def profile(self, sql: str, variables: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> Profile:
        """Return what the columns of *sql* hold, a query or the name of a table; statements before it are run."""
        database = self.use()
        if not database.target.is_duckdb:
            message = (
                f"--profile is computed with DuckDB's functions, and {database.target.name} is another database. Fetch"
                " what you want to look at, `df << SELECT ...`, and run `%mdsql duckdb:///:memory: --profile df`."
            )
            raise StatementError(message)
        return self._of_last(
            profiles.as_query(sql), variables, parameters, profiles.profile, run_others=True, option="--profile"
        )

    def _of_last(
        self,
        sql: str,
        variables: Mapping[str, Any],
        parameters: Mapping[str, Any] | None,
        ask: Callable[[Database, Statement, Mapping[str, Any]], T],
        *,
        run_others: bool,
        option: str,
    ) -> T:
        """Return what *ask* says of the last statement of *sql*; those before it are run, if *run_others*."""
        database = self.use()
        with self._interruptible(database) as running:
            statements = self._read(database, sql)
            if not statements:
                message = f"{option} needs a statement, and there is none. Write it below, or after the option."
                raise StatementError(message)
            given = {**variables, **(parameters or {})}
            bound = [(one, _values(one, given)) for one in (statements if run_others else statements[-1:])]
            tables = namespace.tables(variables) if database.target.is_duckdb else {}
            database = self._still_open(database, running)
            for statement, values in bound[:-1]:
                running.begin_statement(statement.number, statement.of)
                self._run_one(database, statement, values, tables, form="pandas", limit=None, keep=False, sink=None)
            last = statements[-1]
            running.begin_statement(last.number, last.of)
            with self._running_on(database, last, tables):
                return ask(database, *bound[-1])

    def write(self, table: str, name: str, value: object, *, how: How) -> int:
        """Write *value*, the table in the Python variable *name*, to *table* of the current target; count its rows.

        Raises `FrameError` for a variable that is no table, `StatementError` where the database refuses, and nothing
        is written then.
        """
        scannable = namespace.tables({loading.FRAME: value})
        if not scannable:
            message = f"--frame {name}: got {type(value).__name__}, where a pandas, Polars or Arrow table is needed."
            raise FrameError(message)
        database, parts = self.use(), catalog.name_parts(table)
        try:
            with self._interruptible(database):
                if not database.target.is_duckdb:
                    return loading.write_other(database, parts, value, how)
                statement = Statement(loading.statement(parts, how), "INSERT" if how == "append" else "CREATE")
                outcome = self._run_one(
                    database, statement, {}, scannable, form="pandas", limit=None, keep=True, sink=None
                )
        except StatementError as error:
            if how == "create" and "already exists" in str(error):
                message = (
                    f"{table} exists already. Write --append to add rows to it, or --replace to put it in its place."
                )
                raise StatementError(message) from error.__cause__
            raise
        return outcome.changed or 0

    @contextlib.contextmanager
    def saving(self, name: str, sql: str) -> Iterator[None]:
        """Keep the SELECT *sql* under *name* when the block, which runs or looks at it, has ended without an error.

        Raises `StatementError`, before the block, for anything but one SELECT, and for one that would read itself.
        """
        database = self.use()
        dialect = database.target.dialect
        shelf = self._shelves.setdefault(dialect, Shelf(dialect))
        statements = self._typed(database, sql)
        saved = shelf.checked(name, statements, _parser(self.use()))
        self._cell.saving = name
        try:
            yield
        finally:
            self._cell.saving = None
        shelf.keep(saved)

    def forget(self, name: str) -> None:
        """Forget what was saved as *name*. Raises `OptionError` where nothing was."""
        known_in = [shelf for shelf in self._shelves.values() if shelf.forget(name)]
        if not known_in:
            known = self.saved
            message = f"--forget {name}: no query is saved under that name. Saved: {', '.join(known) or 'none yet'}."
            raise OptionError(message + _near(name, dict.fromkeys(known), ""))

    @property
    def saved(self) -> list[str]:
        """The names of the saved queries."""
        return list(dict.fromkeys(name for shelf in self._shelves.values() for name in shelf.names))

    def saved_views(self) -> list[str]:
        """Return the saved queries of the current target as statements that create views: what completion reads."""
        shelf = self._shelves.get(self.current.dialect) if self.current else None
        return shelf.views() if shelf else []

    def _read(self, database: Database, sql: str) -> list[Statement]:
        """Return the statements of *sql*, with the saved queries that they name."""
        statements = self._typed(database, sql)
        shelf = self._shelves.get(database.target.dialect)
        if not shelf:
            return statements
        parse, saving = _parser(self.use()), getattr(self._cell, "saving", None)
        return [shelf.put_into(statement, parse, but=saving) for statement in statements]

    def _still_open(self, database: Database, running: Running) -> Database:
        """Return *database*, or the one that reading has connected anew in its place, and on which *running* is now."""
        if self._open_now() is database:
            return database
        anew = self.use()
        anew.show_in(running)
        return anew

    def _typed(self, database: Database, sql: str) -> list[Statement]:
        if not database.target.is_duckdb:
            return generic.read(sql, database.target.dialect)
        try:
            return query.read(self._reader, database, sql)
        except ConnectionLost as error:
            return query.read(self._reader, self._again(database, error), sql)

    def _run_one(
        self,
        database: Database,
        statement: Statement,
        values: Mapping[str, Any],
        tables: Mapping[str, Any],
        *,
        form: Form,
        limit: int | None,
        keep: bool,
        sink: Sink | None,
    ) -> Outcome:
        with self._running_on(database, statement, tables):
            return query.run(database, statement, values, form=form, limit=limit, keep=keep, sink=sink)

    @contextlib.contextmanager
    def _running_on(self, database: Database, statement: Statement, tables: Mapping[str, Any]) -> Iterator[None]:
        """Within the block *statement* is run on *database*, where it can name the Python *tables*.

        A connection that MotherDuck refuses or that is lost is forgotten: the next one is new.
        """
        observer = self._observer(database)
        try:
            observer.before(statement)
            try:
                with database.lock, database.scanning(tables):
                    yield
            finally:
                observer.after(statement)
        except SignInError as error:
            required = self._refused(database, error)
            if statement.number > 1:  # asking and running the cell again would run the first statements twice
                raise
            raise required from error.__cause__
        except ConnectionLost as error:
            self._forget(database)
            error.add_note(f"\nThe next cell connects again. {_what_was_lost(database)}")
            raise

    def _awake(self, database: Database) -> Database:
        """Return *database* if it answers. After a long idle time MotherDuck is asked, before a statement is sent.

        A statement that fails may have had its effect; so none is ever sent twice, and a question goes before it.
        """
        if not database.target.is_motherduck or database.idle < IDLE:
            return database
        try:
            with self._interruptible(database):
                query.probe(database)
        except SignInError as error:
            raise self._refused(database, error) from error.__cause__
        except ConnectionLost as error:
            return self._again(database, error)
        return database

    def _again(self, database: Database, error: ConnectionLost) -> Database:
        """Connect once more to a target whose connection died while nothing ran; not where that loses something.

        Raises *error* then, which says what.
        """
        self._forget(database)
        if database.target.variable:  # only its owner can open it again
            raise error
        if database.private:
            error.add_note(
                f"\nNothing of this cell was run, and the next one connects again. {_what_was_lost(database)}"
            )
            raise error
        return self.use(database.target)

    def _refused(self, database: Database, error: SignInError) -> SignInRequired:
        """Forget *database*, whose token is no longer good, and return the error that asks for another."""
        self._pass_over(database.token)
        self._forget(database)
        return _again_required(error, database.token)

    def _forget(self, database: Database) -> None:
        self.pool.close(database.target)
        self._lost[database.target] = database

    def _restored(self, database: Database, lost: Database) -> str:
        """Choose the current database that *lost* had, and return what became of all that it held."""
        place = lost.held.place
        if place is not None:
            try:
                query.run(database, Statement(text=place, kind="SET"), {})
            except StatementError:
                return _what_was_lost(lost)
            return f"{_what_was_lost(lost, place=False)} Restored: {' '.join(place.split())}."
        return _what_was_lost(lost)

    # ---- catalogue --------------------------------------------------------------------------------------------------

    def names(self) -> Names:
        """Return what can be named on the current target, as far as it is known; nothing is opened.

        Who never asks has nobody look: not one query of ours runs on the target.
        """
        database = self.pool.find(self.current) if self.current else None
        return self._observer(database).names() if database is not None else Names()

    def _observer(self, database: Database) -> Observer:
        observer = self._observers.get(database)
        if observer is None:
            observer = self._observers[database] = Observer(database)
            database.farewells = (observer.close, lambda: self._observers.pop(database, None))
        return observer

    def databases(self) -> pd.DataFrame:
        """Return a frame of the databases that the current target sees."""
        return catalog.databases(self.use())

    def tables(self, pattern: str | None = None) -> pd.DataFrame:
        """Return a frame of the tables and views whose name matches *pattern*."""
        return catalog.tables(self.use(), pattern)

    def describe(self, table: str) -> pd.DataFrame:
        """Return a frame of the columns of *table*. Raises `TargetError` where there is no such table."""
        return catalog.describe(self.use(), table)

    def explorer(self) -> Explorer:
        """Return what answers, level by level, what is in the current target."""
        return Explorer(self.use())


def _parser(database: Database) -> Callable[[str], object]:
    """Return what raises for a text that the DuckDB behind *database* cannot parse, and for no text of another."""
    return database.dbapi.native.extract_statements if database.dbapi is not None else str


def _values(statement: Statement, given: Mapping[str, Any]) -> dict[str, object]:
    """Return the values of the parameters. DuckDB's own `$name` without a usable variable is left to DuckDB's error."""
    values = {}
    for parameter in statement.parameters:
        try:
            values[parameter.name] = namespace.bindable(parameter.name, _given(parameter.name, given))
        except RecursionError:
            message = f"The parameter :{parameter.name} holds itself, and SQL has no such value."
            raise ParameterError(message) from None
        except ParameterError as error:
            if statement.inserted is not None:
                names = " and ".join(name for name, *_ in statement.inserted.queries)
                error.add_note(
                    f"\nThe statement has the saved {names} in it, whose parameters are bound when it is used."
                )
            if parameter.sign == ":":
                raise
    return values


def _given(name: str, given: Mapping[str, Any]) -> object:
    if name in given:
        return given[name]
    raise ParameterError(_no_value(name, given))


def _no_value(name: str, given: Mapping[str, Any]) -> str:
    missing = f"The parameter :{name} has no value: there is no Python variable {name!r}."
    return f"{missing} Define it, or run the cell with `--param {name}=...`.{_near(name, given, ':')}"


def _cannot_stop(database: Database, limit: Limit) -> str:
    return (
        f"{limit.words}: nothing can stop a query on {database.target.name}, because its driver has neither"
        " `interrupt()` nor `cancel()`. Run the cell without it, or limit the time in the database itself."
    )


def _near(name: str, known: Mapping[str, Any], sign: str) -> str:
    names = [other for other, value in known.items() if not (other.startswith("_") or callable(value))]
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {sign}{near[0]}?" if near else ""


def _hidden(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *config* with its token as a `Secret`, so that no `repr` of what we keep shows it."""
    return {
        name: Secret(value) if isinstance(value, str) and targets.is_secret(name) else value
        for name, value in (config or {}).items()
    }


def _again_required(error: SignInError, token: Token | None) -> SignInRequired:
    whose = f" from: {token.source}" + (f", of {token.account}" if token.account else "") if token else ""
    required = SignInRequired(f"MotherDuck did not accept the token{whose}. It is wrong, revoked or expired.")
    for note in getattr(error, "__notes__", []):
        required.add_note(note)
    return required


def _what_was_lost(lost: Database, *, place: bool = True) -> str:
    begun = ["the open transaction, which was not committed"] if lost.in_transaction else []
    words = [*begun, *lost.held.words(place=place)]
    if not words:
        return "Nothing else was lost."
    return f"What lived in the old connection is lost: {'; '.join(words)}."


def _frozen(values: Mapping[str, object]) -> dict[str, object]:
    """Return *values* with bytes in the place of what can be written to; lists and dicts are copies already."""
    return {
        name: bytes(value) if isinstance(value, (bytearray, memoryview)) else value for name, value in values.items()
    }

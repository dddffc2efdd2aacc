"""What the service behind a target tells: who is signed in, what runs, what a query took, how a failed one is repaired.

Nothing is asked before a person asks, or a cell has ended. What the account may not ask is no error: the answer is
`None`, or says less.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from md_magic.auth.secret import scrub
from md_magic.auth.token import tokens_in
from md_magic.catalog import listing
from md_magic.engine.driver_errors import translated
from md_magic.errors import ConnectionLost, OptionError, SignInError, StatementError
from md_magic.wording import count, did_you_mean, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from md_magic.auth.token import Token
    from md_magic.engine.backends.features import Feature
    from md_magic.engine.backends.motherduck.service import MotherDuckService, QueryTook, RunningQuery, TokenInfo
    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool
    from md_magic.session.recovery import Recovery
    from md_magic.session.runner import CurrentCell
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)

_MOMENT = 0.4
"""Seconds for each of the two questions about a query that has ended: its result waits for them."""

_SAME_TOKEN = 5.0
"""Seconds between the time in a token and that of the account's list, within which they are the same token."""

_RUNNING = ["id", "query", "stage", "elapsed", "client"]

_CONSENT = """\
--fix sends to MotherDuck's model, through {target}: the SQL of the cell that failed ({size}), its error, and from the
account the schema of what can be queried. That is billed to the account: one request, or two where the first changes
nothing. Nothing has been sent yet, and nothing is ever run. Run `%mdsql --fix` once more to send it; until the kernel
ends you are not asked again for {target}."""


class Failure(NamedTuple):
    """The last cell whose SQL the database refused, without secrets."""

    target: Target
    sql: str
    error: str


@dataclass(frozen=True, slots=True)
class Repair:
    """A query that failed, and what is suggested in its place. Nothing of it has been run."""

    sql: str
    repaired: str
    by_model: bool = True
    """Whether MotherDuck's model suggests it; else it is the only name that is near."""

    @property
    def diff(self) -> list[str]:
        """The lines of a unified diff; none where nothing is suggested."""
        before, after = self.sql.strip("\n").splitlines(), self.repaired.strip("\n").splitlines()
        return list(difflib.unified_diff(before, after, "the failed cell", "suggested", lineterm=""))


class Platform:
    """Asks the services of one session's databases, and keeps the last failure for a repair."""

    def __init__(
        self,
        pool: EnginePool,
        cell: CurrentCell,
        recovery: Recovery,
        *,
        use: Callable[[], Database],
        open_now: Callable[[], Database | None],
    ) -> None:
        """Ask nothing yet. *use* returns the current database, open; *open_now* the same, or `None` where it is not."""
        self._pool = pool
        self._cell = cell
        self._recovery = recovery
        self._use = use
        self._open_now = open_now
        self._failure: Failure | None = None
        self._agreed: set[Target] = set()
        self.running_ids: tuple[str, ...] = ()
        """The ids of the last list of running queries: what completion suggests."""

    # ---- who is signed in -------------------------------------------------------------------------------------------

    def identity(self, database: Database | None) -> dict[str, Any]:
        """Return what the service of *database* says of the account and of the token that opened it.

        It is empty where there is no service, and holds less where the account may not ask.
        """
        if database is None or database.token is None:
            return {}
        try:
            service = database.backend.service()
            if service is None:
                return {}
            with service:
                account, token = service.account(), _own(service.tokens(), database.token)
        except (duckdb.Error, RuntimeError):
            logger.debug("the service does not answer", exc_info=True)
            return {}
        told = {"user": account.account, "organisation": account.organisation, "region": account.region}
        if token is not None:
            told |= {"token": token.name}
        answers: dict[str, Any] = {name: scrub(text, database.secrets) for name, text in told.items() if text}
        if token is not None:
            answers["token_expires"] = token.expires or "never"
        return answers

    # ---- what runs --------------------------------------------------------------------------------------------------

    def running(self) -> pd.DataFrame | None:
        """Return a frame of what runs on the server for the account: id, query, stage, elapsed seconds, client.

        `None` where the account may not ask. Raises `StatementError` for a database without such a service.
        """
        database = self._use()
        with self._asking(database, "running") as service:
            queries = self._listed(service)
        if queries is None:
            return None
        rows = [
            {
                "id": query.id,
                "query": scrub(query.query, [*database.secrets, *tokens_in(query.query)]),
                "stage": query.stage,
                "elapsed": None if query.elapsed is None else round(query.elapsed, 1),
                "client": query.client,
            }
            for query in queries
        ]
        return listing.frame(rows, _RUNNING)

    def stop(self, word: str) -> str:
        """Stop the query whose id is *word*, or begins with it; return a sentence about what became of it.

        Raises `OptionError` where none, or more than one, is meant.
        """
        database = self._use()
        with self._asking(database, "running") as service:
            queries = self._listed(service)
            query_id = word if queries is None else _meant(word, queries)
            stopped = service.stop(query_id)
        if stopped is None:
            return f"MotherDuck does not let this account stop queries: {query_id} was not stopped."
        if not stopped:
            return f"MotherDuck stopped nothing for {query_id}: the query has ended by itself."
        return f"{query_id} was stopped. Its transaction is rolled back."

    def _listed(self, service: MotherDuckService) -> list[RunningQuery] | None:
        queries = service.running()
        self.running_ids = tuple(query.id for query in queries or ())
        return queries

    # ---- what a query took ------------------------------------------------------------------------------------------

    def last_query(self) -> QueryTook | None:
        """Return what the service noted about the last query of the current database; `None` where it does not say.

        It is asked for a moment only, and not at all while a transaction is open. The last result must be fetched.
        """
        database = self._open_now()
        if database is None or database.backend.in_transaction:
            return None
        try:
            service = database.backend.service()
            if service is None:
                return None
            with database.lock, service:
                return service.last_query(_MOMENT)
        except (duckdb.Error, RuntimeError):
            logger.debug("the service does not answer", exc_info=True)
            return None

    # ---- repairing --------------------------------------------------------------------------------------------------

    def note_failure(self, sql: str, error: StatementError) -> None:
        """Keep *sql*, the text of a cell that failed with *error*, without secrets."""
        database = self._open_now()
        is_refusal = error.__cause__ is not None and not isinstance(error, ConnectionLost)
        if database is None or not is_refusal:  # an error of ours says itself what to do
            return
        secrets = [*database.secrets, *tokens_in(sql)]
        self._failure = Failure(database.target, scrub(sql, secrets), scrub(str(error), secrets))

    def repair_by_names(self, mend: Callable[[str, Target, str], str | None]) -> Repair | None:
        """Return the query that failed last as *mend* makes it, given its target and the error's text.

        `None` where that is not sure, and where the database has a model to ask.
        """
        failure = self._failure
        database = self._pool.find(failure.target) if failure is not None else None
        if failure is None or (database is not None and not database.backend.why_not("fix")):
            return None
        mended = mend(failure.sql, failure.target, failure.error)
        return Repair(failure.sql, mended, by_model=False) if mended is not None else None

    def check_repairs(self) -> Failure:
        """Return what can be repaired by a model. Raises as `ask_consent`."""
        failure, database = self._failed()
        if reason := database.backend.why_not("fix"):
            raise StatementError(reason)
        return failure

    def ask_consent(self) -> str | None:
        """Return what a repair sends and costs, for a person to read first; `None` where that has been said before.

        Raises `OptionError` where nothing has failed, or where its database is no longer open, and `StatementError`
        for a database that repairs nothing.
        """
        failure = self.check_repairs()
        if failure.target in self._agreed:
            return None
        self._agreed.add(failure.target)
        return _CONSENT.format(target=failure.target.name, size=count(len(failure.sql), "character"))

    def repair(self) -> Repair | None:
        """Return what the service's model makes of the query that failed last; `None` if the account may not ask.

        Raises as `ask_consent`, which must have been called before.
        """
        failure, database = self._failed()
        with self._asking(database, "fix") as service:
            repaired = service.repaired(failure.sql, failure.error)
        return None if repaired is None else Repair(failure.sql, scrub(repaired, database.secrets))

    def _failed(self) -> tuple[Failure, Database]:
        """Return the last failure, and its database. Raises `OptionError` where there is none."""
        if self._failure is None:
            message = "--fix repairs the last query that failed, and none has failed in this kernel."
            raise OptionError(message)
        database = self._pool.find(self._failure.target)
        if database is None:
            message = f"--fix: {self._failure.target.name}, where the last query failed, is closed. Run the cell again."
            raise OptionError(message)
        return self._failure, database

    # ---- asking -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _asking(self, database: Database, feature: Feature) -> Iterator[MotherDuckService]:
        """Give what asks the service of *database*; a person can stop it, and errors are ours."""
        if reason := database.backend.why_not(feature):
            raise StatementError(reason)
        try:
            with self._cell.watched(database) as execution, translated(database):
                service = database.backend.service()
                assert service is not None  # noqa: S101 - `why_not` has said so
                with service:
                    execution.attach(database.target.name, service.interrupt)
                    yield service
        except SignInError as error:
            raise self._recovery.refused(database, error) from error.__cause__
        except ConnectionLost as error:
            self._recovery.lost_in_cell(database, error)
            raise


def _own(tokens: list[TokenInfo], token: Token) -> TokenInfo | None:
    """Return the one of the account's *tokens* that is *token*: that made at the same time; `None` if none is sure."""
    if token.issued is None:
        return None
    same = [
        info
        for info in tokens
        if info.created is not None and abs((info.created - token.issued).total_seconds()) <= _SAME_TOKEN
    ]
    return same[0] if len(same) == 1 else None


def _meant(word: str, queries: list[RunningQuery]) -> str:
    """Return the id among *queries* that *word* is, or begins. Raises `OptionError` where that is not one."""
    ids = [query.id for query in queries if query.id.startswith(word.lower())]
    if len(ids) == 1:
        return ids[0]
    if ids:
        message = f"--stop {word}: {len(ids)} ids begin with it: {', '.join(ids)}. Write more of one."
        raise OptionError(message)
    listed = "; ".join(f"{query.id} ({shortened(' '.join(query.query.split()), 30)})" for query in queries)
    message = f"--stop {word}: no query with this id is running. Running: {listed or 'none'}."
    raise OptionError(message + did_you_mean(word, [query.id for query in queries]))

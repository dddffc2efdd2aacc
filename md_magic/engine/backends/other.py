"""Every other database that SQLAlchemy supports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.introspection.inspector import MSSQLIntrospection
from md_magic.engine.backends.waiting import WaitedResult, Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy

    from md_magic.engine.cancellation import Execution
    from md_magic.engine.execute import Outcome
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.sql.statement import Statement


class OtherBackend(Backend):
    """A connection to a database about which nothing is assumed: its driver may be unable to stop a query."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of the base class
        """Take an open connection."""
        super().__init__(*args, **options)
        self._waiter = Waiter(self.connection.close) if self.interrupt is None else None
        self._execution: Execution | None = None
        self._is_warned = False

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement*. If nothing can stop it, say so before the first, and wait for it in a way that can end."""
        if self._waiter is not None and not self._is_warned:
            self._is_warned = True
            self.notify(
                f"Nothing can stop a query on {self.target.name}: its driver has neither interrupt() nor cancel()."
                " Interrupting the kernel frees it, gives up the connection, and leaves the query to the database."
            )
        self._execution = execution
        return super().run(statement, values, spec, execution)

    def stopper(self, *, anew: bool) -> Callable[[], object] | None:
        """Return the function that stops the following statements, or that ends the wait for them."""
        return super().stopper(anew=anew) if self._waiter is None else self._waiter.give_up

    @property
    def is_given_up(self) -> bool:
        """Whether the driver still works on a statement for which nobody waits any more."""
        return self._waiter is not None and self._waiter.has_given_up

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed, or was given up."""
        return self.is_given_up or super().is_closed

    def _execute(self, statement: Statement, values: Mapping[str, Any], **options: Any) -> sqlalchemy.CursorResult[Any]:  # noqa: ANN401 - see base
        execute = super()._execute
        if self._waiter is None:
            return execute(statement, values, **options)
        result = self._waiter.call(lambda: execute(statement, values, **options), self._execution)
        return cast("sqlalchemy.CursorResult[Any]", WaitedResult(result, self._waiter, self._execution))

    def _end_implicit(self, end: Callable[[], object]) -> None:
        waiter = self._waiter
        if waiter is None:
            super()._end_implicit(end)
        elif not waiter.has_given_up:
            super()._end_implicit(lambda: waiter.call(end, self._execution))


class RedshiftBackend(OtherBackend):
    """A connection to Redshift, which has EXPLAIN but no EXPLAIN ANALYZE."""

    explain_words = "EXPLAIN"
    plan_column = "QUERY PLAN"


class SQLServerBackend(OtherBackend):
    """A connection to SQL Server, whose names are compared by the collation of the database."""

    introspection = MSSQLIntrospection


class TrinoBackend(OtherBackend):
    """A connection to Trino."""

    explain_words = "EXPLAIN"
    analyze_words = "EXPLAIN ANALYZE"
    plan_column = "Query Plan"

"""Running one statement: the steps common to all databases, around the backend's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from md_magic.engine.driver_errors import clean, driver_error, secrets_of, translate, translated
from md_magic.engine.results.spec import AS_DICT, AS_FRAME, ResultSpec
from md_magic.errors import STOPS, ConnectionLost, MdMagicError, StatementError
from md_magic.sql.split import first_word, without_semicolon
from md_magic.sql.statement import Parameter, Statement
from md_magic.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.engine.backends.base import Reading
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.database import Database
    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column

COUNTED = {
    "INSERT": "inserted",
    "UPDATE": "updated",
    "DELETE": "deleted",
    "COPY": "copied",
    "CREATE": "inserted",
    "MERGE_INTO": "merged",
}
"""The verb for the counted rows, by DuckDB's kind of statement."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one statement."""

    statement: Statement
    value: Any = None
    """The result in the form asked for; `None` for a statement without rows."""

    changed: int | None = None
    """Number of rows that the statement changed; `None` if they are not counted."""

    limited_to: int | None = None
    """Number of rows that were fetched, if there were more."""

    rowless: bool = False
    """Whether the statement has no result rows."""

    said: str = ""
    """What the database said in place of doing what the statement asks for."""

    plan_column: str = ""
    """The column of `value` whose texts are a plan to read, where the statement is an EXPLAIN; else empty."""

    note: str = ""
    """What a person must know to read *value*."""

    @property
    def line(self) -> str:
        """The outcome in words: `3 rows inserted` for a statement without rows, the limit and a note; else empty."""
        if self.limited_to is not None or self.note:
            limit = f"The first {count(self.limited_to, 'row')}; there are more." if self.limited_to is not None else ""
            return " ".join(filter(None, [limit, self.note]))
        if self.said or not self.rowless:
            return self.said
        if self.changed is None:
            kind = self.statement.kind.replace("_", " ")
            return f"{first_word(self.statement.text) if kind == 'TRANSACTION' else kind} done".lstrip()
        return f"{count(self.changed, 'row')} {COUNTED.get(self.statement.kind, 'changed')}"


def run(
    database: Database,
    statement: Statement,
    values: Mapping[str, Any],
    spec: ResultSpec = AS_FRAME,
) -> Outcome:
    """Run *statement* with its parameters bound to *values*, and fetch its result according to *spec*.

    Raises one of our errors, from the driver's: `StatementError` if the database refuses, `ConnectionLost` if the
    connection is gone, and the others that `driver_errors.translate` returns.
    """
    backend = database.backend
    try:
        outcome = backend.run(statement, values, spec, database.execution)
    except (MdMagicError, *STOPS):
        raise
    except BaseException as error:  # noqa: BLE001 - SQLAlchemy wraps what a driver declares, and drivers raise more
        cause = driver_error(error)
    else:
        database.touch()
        backend.local.note(statement.kind, statement.text)
        column = backend.plan_column_of(statement)
        return replace(outcome, plan_column=column) if column else outcome
    backend.local.note_failure(statement.kind, statement.text)
    raise translate(backend, statement, cause, values) from clean(cause, secrets_of(backend, statement))


def through_sink(
    statement: Statement,
    spec: ResultSpec,
    columns: Sequence[Column],
    batches: Batches,
    execution: Execution | None,
) -> Outcome:
    """Let the sink of *spec* read *batches*. Rows are counted, and stopping the cell ends the reading.

    The query itself may already have ended.
    """
    assert spec.sink is not None  # noqa: S101 - callers have checked
    if execution is not None:
        batches.count, batches.check = execution.count, execution.check
    value = spec.sink(columns, batches)
    return Outcome(statement, value=value, limited_to=spec.limit if batches.more else None)


def probe(database: Database) -> None:
    """Check that the connection still works, before sending a statement that must not run twice.

    Raises `ConnectionLost` if it does not, and `SignInError` if the token is no longer valid.
    """
    backend = database.backend
    if backend.probe is None:
        return
    try:
        with database.lock:
            run(database, backend.probe, {}, AS_DICT)
    except ConnectionLost:
        raise
    except StatementError as error:
        if backend.was_stopped(error.__cause__):
            raise
        if not backend.answers(error.__cause__):
            raise ConnectionLost(str(error)) from error.__cause__
    database.touch()


def read(database: Database, sql: str) -> list[Statement]:
    """Split *sql* into statements as *database* reads it. Nothing is run.

    Raises `StatementError` if it cannot be parsed, `ConnectionLost` if the connection that parses is gone.
    """
    backend = database.backend
    if "\0" in sql:
        message = (
            "The SQL holds a NUL character, at which databases stop reading. Delete it, and write chr(0) where a text"
            " is to have one."
        )
        raise StatementError(message)
    try:
        return backend.syntax.split(sql, backend.parse)
    except (MdMagicError, *STOPS):
        raise
    except (TypeError, UnicodeError):  # a lone surrogate
        message = "The SQL holds a character that is no text, such as a lone surrogate. Delete it and type it again."
        raise StatementError(message) from None
    except BaseException as error:  # noqa: BLE001 - see run
        cause = driver_error(error)
    names = {name for name in re.findall(r"\$(\w+)", str(cause)) if f"${name}" not in sql}
    typed = tuple(Parameter(name=name, start=0, sign=":") for name in sorted(names))
    statement = Statement(text=sql, parameters=typed)
    raise translate(backend, statement, cause, {}) from clean(cause, secrets_of(backend, statement))


def describe(database: Database, statement: Statement, values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name and type of each column of *statement*'s result without running it.

    A statement without rows is only checked, as far as the database can. Raises `StatementError`.
    """

    def run_other(other: Statement) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = run(database, other, values, AS_DICT).value
        return columns

    with translated(database, statement, values):
        return database.backend.describe(statement, run_other, values)


def reading(database: Database, statement: Statement, groups: Statement | None, values: Mapping[str, Any]) -> Reading:
    """Return how the rows of *statement* are best read: see `Backend.reading`."""
    return database.backend.reading(statement, groups, lambda other: run(database, other, values, AS_DICT).value or {})


def within(statement: Statement, before: str, after: str = "") -> Statement:
    """Return *statement* wrapped in *before*, separate lines, and *after*. Line numbers in errors ignore *before*."""
    moved = tuple(replace(parameter, start=parameter.start + len(before)) for parameter in statement.parameters)
    text = before + (without_semicolon(statement.text) if after else statement.text) + after
    offset = statement.offset - len(before)
    return replace(
        statement, text=text, parameters=moved, line=statement.line - before.count("\n"), offset=offset, number=1, of=1
    )

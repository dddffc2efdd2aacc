"""Running one statement: the only place that hands SQL to a driver, and turns a driver's error into ours."""

from __future__ import annotations

import re
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb
import sqlalchemy
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from md_magic import frames
from md_magic.auth import diagnose, scrub, tokens_in
from md_magic.engines import clean
from md_magic.errors import ConnectionLost, SignInError, StatementError
from md_magic.statement import Parameter, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.engines import Database
    from md_magic.errors import MdMagicError
    from md_magic.frames import Form
    from md_magic.reader import Reader

_DRIVER_ERRORS = (SQLAlchemyError, duckdb.Error, RuntimeError, ValueError, OverflowError)
"""What a statement can raise while it runs or is fetched; the last three come from converting its values."""

_LINE = re.compile(r"\nLINE (\d+): (.*)\n( *)\^")
_LOST = re.compile(r"Connection already closed|has been invalidated|closed connection|was detached")
_TEMPORARY = re.compile(r"(?i)\btemp(orary)?\b")

_DONE = {
    "INSERT": "inserted",
    "UPDATE": "updated",
    "DELETE": "deleted",
    "COPY": "copied",
    "CREATE": "inserted",
    "MERGE_INTO": "merged",
}
"""What happened to the rows that a statement counts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one statement gave."""

    statement: Statement
    value: Any = None
    """The result in the form asked for; `None` for a statement without rows."""

    changed: int | None = None
    """How many rows the statement changed; `None` where it does not count."""

    limited_to: int | None = None
    """How many rows were fetched, where there were more."""

    rowless: bool = False
    """Whether the statement is one that gives no rows."""

    @property
    def line(self) -> str:
        """What there is to say: `3 rows inserted` for a statement without rows, a limit that cut; else nothing."""
        if self.limited_to is not None:
            return f"The first {self.limited_to:,} rows; there are more."
        if not self.rowless:
            return ""
        if self.changed is None:
            return f"{self.statement.kind.replace('_', ' ')} done" if self.statement.kind else "done"
        rows = "1 row" if self.changed == 1 else f"{self.changed:,} rows"
        return f"{rows} {_DONE.get(self.statement.kind, 'changed')}"


def run(
    database: Database,
    statement: Statement,
    values: Mapping[str, Any],
    *,
    form: Form = "pandas",
    limit: int | None = None,
    keep: bool = True,
) -> Outcome:
    """Run *statement* with its parameters bound to *values*; fetch at most *limit* rows of its result as *form*.

    With *keep* false the result is computed and thrown away. Raises `StatementError`, from the driver's error, where
    the database refuses, and `ConnectionLost` where it is no longer there.
    """
    try:
        outcome = _run(database, statement, values, form=form, limit=limit, keep=keep)
    except _DRIVER_ERRORS as error:
        cause = _driver_error(error)
    else:
        _remember(database, statement)
        return outcome
    raise _our_error(database, statement, cause) from clean(cause, database.secrets)


def _run(
    database: Database,
    statement: Statement,
    values: Mapping[str, Any],
    *,
    form: Form,
    limit: int | None,
    keep: bool,
) -> Outcome:
    clause = sqlalchemy.text(statement.clause(values))
    connection = database.dbapi
    if connection is None:
        lists = [name for name, value in values.items() if isinstance(value, list)]
        clause = clause.bindparams(*(sqlalchemy.bindparam(name, expanding=True) for name in lists))
        return _fetch_other(statement, database.connection.execute(clause, dict(values)), form, limit)
    if form == "reader" and keep and statement.kind == "SELECT":
        return _stream(database, statement, clause, values, limit)
    database.connection.execute(clause, dict(values))
    native = connection.native
    counted, count = _rowless(statement, native)
    if counted:
        return Outcome(statement, changed=count, rowless=True)
    if not keep:
        frames.to_arrow(native)  # an unread result has not been computed: its errors and effects would be missing
        return Outcome(statement)
    fetched = frames.from_duckdb(native, form, limit=limit)
    return Outcome(statement, value=fetched.value, limited_to=limit if fetched.more else None)


def _stream(
    database: Database,
    statement: Statement,
    clause: sqlalchemy.TextClause,
    values: Mapping[str, Any],
    limit: int | None,
) -> Outcome:
    """Run *statement* on a connection of the reader's own, so that other cells run while it streams.

    What lives in the notebook's connection alone, temporary tables and an open transaction, is read there, at once.
    """
    if database.in_transaction or database.temporary:
        outcome = _run(database, statement, values, form="arrow", limit=limit, keep=True)
        return replace(outcome, value=outcome.value.to_reader())
    own, native = database.sibling()
    try:
        own.execute(clause, dict(values))
        reader = frames.to_reader(native, limit=limit)
    except BaseException:
        own.close()
        raise
    weakref.finalize(reader, own.close).atexit = False
    return Outcome(statement, value=reader)


def _fetch_other(statement: Statement, result: sqlalchemy.CursorResult[Any], form: Form, limit: int | None) -> Outcome:
    if not result.returns_rows:
        return Outcome(statement, changed=result.rowcount if result.rowcount >= 0 else None, rowless=True)
    fetched = frames.from_cursor(result, form, limit=limit)
    return Outcome(statement, value=fetched.value, limited_to=limit if fetched.more else None)


def _rowless(statement: Statement, native: duckdb.DuckDBPyConnection) -> tuple[bool, int | None]:
    """Tell whether the statement gave no rows, only DuckDB's `Success` or `Count`, and what it counted."""
    if statement.kind == "SELECT":
        return False, None
    columns = native.description
    if columns is None or len(columns) != 1:
        return columns is None, None
    name, kind = columns[0][0], str(columns[0][1])
    if (name, kind) == ("Success", "BOOLEAN"):
        return True, None
    if (name, kind) == ("Count", "BIGINT") and statement.kind in _DONE and not statement.returning:
        row = native.fetchone()
        return True, row[0] if row else None
    return False, None


def _remember(database: Database, statement: Statement) -> None:
    """Note what a statement changed in the state of its connection, for the day on which that is lost."""
    if statement.kind == "TRANSACTION":
        database.in_transaction = statement.text.split()[0].lower() in {"begin", "start"}
    elif statement.kind in {"CREATE", "DROP"} and (database.temporary or _TEMPORARY.search(statement.text)):
        native = database.dbapi.native if database.dbapi else None
        if native is not None and not database.in_transaction:
            rows = native.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
            database.temporary = {name for (name,) in rows}


def read(reader: Reader, database: Database, sql: str) -> list[Statement]:
    """Split *sql* into statements as the DuckDB behind *database* reads it. Nothing is run.

    Raises `StatementError` where DuckDB cannot parse it, `ConnectionLost` where DuckDB is no longer there.
    """
    connection = database.dbapi
    if connection is None:
        message = f"The connection to {database.target.name} is closed."
        raise ConnectionLost(message)
    try:
        return reader.read(sql, connection.native)
    except (duckdb.Error, RuntimeError) as error:
        cause = error
    names = {name for name in re.findall(r"\$(\w+)", str(cause)) if f"${name}" not in sql}
    typed = tuple(Parameter(name=name, start=0, sign=":") for name in sorted(names))
    raise _our_error(database, Statement(text=sql, parameters=typed), cause) from clean(cause, database.secrets)


def describe(database: Database, statement: Statement, values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name and type of each column that *statement* would give; nothing is run.

    A statement that gives no rows is only checked, as far as the database can. Raises `StatementError`.
    """
    connection = database.dbapi
    if connection is None:
        message = "--dry-run asks DuckDB for the columns; another database has no such question."
        raise StatementError(message)
    selects = statement.kind == "SELECT"
    if not selects and statement.kind not in {"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY"}:
        return []
    prefix = "DESCRIBE " if selects else "EXPLAIN "
    asking = replace(
        statement,
        text=prefix + statement.text,
        parameters=tuple(replace(one, start=one.start + len(prefix)) for one in statement.parameters),
    )
    rows = run(database, asking, values, form="dict").value
    pairs = zip(rows["column_name"], rows["column_type"], strict=True) if selects else ()
    return [{"column": name, "type": kind} for name, kind in pairs]


def _driver_error(error: Exception) -> BaseException:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig
    return error


def _our_error(database: Database, statement: Statement, cause: BaseException) -> MdMagicError:
    text = scrub(str(cause), [*database.secrets, *tokens_in(statement.text)])
    meant = diagnose(text) if database.target.is_motherduck else None
    if meant and meant.trouble == "token":
        return SignInError(f"{meant.advice}\n\nMotherDuck said: {text}")
    text = _located(text, statement)
    if statement.of > 1:
        text += f"\n\nStatement {statement.number} of {statement.of} failed"
        text += "; those before it have run." if statement.number > 1 else "; nothing was run."
    return (ConnectionLost if _lost(database, statement, cause) else StatementError)(text)


def _lost(database: Database, statement: Statement, cause: BaseException) -> bool:
    """Whether the connection is gone. The words of an error do not decide it: a query can hold any words."""
    said = _LOST.search(str(cause))
    connection = database.dbapi
    if connection is None or database.connection.invalidated:
        return database.connection.closed or database.connection.invalidated
    if said is None or said[0] in statement.text:
        return False
    try:
        connection.native.execute("SELECT 1").fetchall()
    except duckdb.TransactionException:  # the user's transaction waits for its ROLLBACK
        return False
    except duckdb.Error:
        return True
    return database.target.is_motherduck  # a `SELECT 1` runs in this process, and the service is elsewhere


def _located(text: str, statement: Statement) -> str:
    """Count DuckDB's `LINE` from the cell's first line, keep its caret in place, and write our parameters as typed."""
    for parameter in statement.parameters:
        if parameter.sign == ":":
            text = re.sub(rf"\${parameter.name}\b", f":{parameter.name}", text)

    def moved(match: re.Match[str]) -> str:
        number = str(int(match[1]) + statement.line)
        caret = " " * (len(match[3]) + len(number) - len(match[1]))
        return f"\nLINE {number}: {match[2]}\n{caret}^"

    return _LINE.sub(moved, text) if statement.line else text

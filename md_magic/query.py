"""Running one statement: the only place that hands SQL to a driver, and turns a driver's error into ours."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import pyarrow as pa
import sqlalchemy
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from md_magic import frames, masking, spill
from md_magic.auth import diagnose, scrub, tokens_in
from md_magic.engines import clean, now
from md_magic.errors import ConnectionLost, SignInError, StatementError
from md_magic.reader import first_word, without_semicolon
from md_magic.statement import Parameter, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from md_magic.engines import Database
    from md_magic.errors import MdMagicError
    from md_magic.reader import Reader
    from md_magic.statement import Form

Sink: TypeAlias = "Callable[[Sequence[spill.Column], frames.Batches], object]"
"""What takes a result's columns and rows instead of a frame, and returns the value in its place."""

_DRIVER_ERRORS = (SQLAlchemyError, duckdb.Error, RuntimeError, ValueError, OverflowError)
"""What a statement can raise while it runs or is fetched; the last three come from converting its values."""

_LINE = re.compile(r"\nLINE (\d+): (.*)\n( *)\^")
_POSITION = re.compile(r'\A([\w ]+) Error: (\{"exception_type":"\1",.*?"position":")(\d+)')
"""Where an error is, as DuckDB tells it after `SET errors_as_json = true`: in bytes."""

_LOST = re.compile(r"Connection already closed|has been invalidated|closed connection|was detached")
_REFUSED = re.compile(
    r"(?i)request is not authenticated|invalid motherduck token|jwt (is expired|is not in the form|verification fails)"
)
"""What MotherDuck says when it wants another token. PERMISSION_DENIED alone may be about one share."""

_ATTACHES_MOTHERDUCK = re.compile(r"(?i)'\s*(md|motherduck):")
_NO_SHARE = re.compile(r"(?i)\bshare\b.*\b(does not exist|not found|no access)|no (database/)?share\b")
_NO_SHARE_HINT = (
    "The share may have been dropped or renamed, or its owner may have closed it to this account: ask for its present"
    " URL. `LIST SHARES` lists your own."
)
_LOST_ERROR_HINT = (
    'If nobody stopped it, the query failed: now and then DuckDB says "Interrupted" in place of the error.'
    " To see that, run the cell again, after `SET threads = 1` for certain."
)
_NOTED = frozenset({"ATTACH", "CREATE", "DETACH", "DROP", "PREPARE", "SET"})
"""Statements that leave something in their connection, or take it away."""

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
    sink: Sink | None = None,
) -> Outcome:
    """Run *statement* with its parameters bound to *values*; fetch at most *limit* rows of its result as *form*.

    With *keep* false the result is computed and thrown away; *sink*, if there is one, gets its rows as they come.
    Raises `StatementError`, from the driver's error, where the database refuses, and `ConnectionLost` where it is no
    longer there.
    """
    try:
        outcome = _run(database, statement, values, form=form, limit=limit, keep=keep, sink=sink)
    except _DRIVER_ERRORS as error:
        cause = _driver_error(error)
    else:
        _remember(database, statement)
        return outcome
    if statement.kind == "TRANSACTION" and not _begins(statement):  # a COMMIT that fails ends its transaction
        database.in_transaction = False
    raise _our_error(database, statement, cause) from clean(cause, database.secrets)


def _run(
    database: Database,
    statement: Statement,
    values: Mapping[str, Any],
    *,
    form: Form,
    limit: int | None,
    keep: bool,
    sink: Sink | None = None,
) -> Outcome:
    _refuse_blind_login(database, statement)
    guarded = database.target.is_motherduck and masking.may_tell(statement.text)
    if guarded and masking.prints(statement.text):
        statement = replace(statement, text=masking.PRINTED, kind="SELECT", parameters=())
    clause = sqlalchemy.text(statement.clause(values))
    connection = database.dbapi
    if connection is None:
        lists = [name for name, value in values.items() if isinstance(value, list)]
        clause = clause.bindparams(*(sqlalchemy.bindparam(name, expanding=True) for name in lists))
        result = database.connection.execute(clause, dict(values))
        return _fetch_other(database, statement, result, form, limit, sink)
    if form == "reader" and sink is None and keep and statement.kind == "SELECT" and not guarded:
        return _stream(database, statement, clause, values, limit)
    native = connection.native
    if sink is not None and keep and statement.kind == "SELECT" and not guarded:
        columns = _columns(database, statement, values)
        if any(column.needs_text for column in columns):
            batches = _in_text(database, statement, values, columns, native, limit)
            return _through(database, statement, sink, columns, batches, limit)
    database.connection.execute(clause, dict(values))
    counted, count = _rowless(statement, native)
    if counted:
        return Outcome(statement, changed=count, rowless=True)
    if not keep:
        frames.to_arrow(native)  # an unread result has not been computed: its errors and effects would be missing
        return Outcome(statement)
    if guarded:
        native = masking.masked(native, database.secrets)
    return _fetch(database, statement, native, form, limit, sink)


def _fetch(
    database: Database,
    statement: Statement,
    native: duckdb.DuckDBPyConnection,
    form: Form,
    limit: int | None,
    sink: Sink | None,
) -> Outcome:
    tell = database.running.count if database.running is not None else None
    if sink is not None:
        return _sunk(database, statement, native, sink, limit)
    fetched = frames.from_duckdb(native, form, limit=limit, count=tell)
    return Outcome(statement, value=fetched.value, limited_to=limit if fetched.more else None)


def _refuse_blind_login(database: Database, statement: Statement) -> None:
    """Refuse an `ATTACH 'md:'` without a token: the driver would wait for a login that nobody sees or can cancel."""
    if statement.kind != "ATTACH" or database.target.is_motherduck or database.dbapi is None:
        return
    if not _ATTACHES_MOTHERDUCK.search(statement.text) or "motherduck_token" in statement.text.lower():
        return
    setting = "SELECT value FROM duckdb_settings() WHERE name = 'motherduck_token' AND value <> ''"
    known = any(name.lower() == "motherduck_token" for name in os.environ)
    if not known and not database.dbapi.native.execute(setting).fetchall():
        message = (
            "ATTACH 'md:' needs a MotherDuck token, and this connection has none. Run `%%mdsql md:`, which signs in,"
            " and attach the local file there: ATTACH 'file.duckdb'. Or set motherduck_token before the kernel starts."
        )
        raise StatementError(message)


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
    own = None if database.has_private_state else database.sibling()
    if own is None:
        outcome = _run(database, statement, values, form="arrow", limit=limit, keep=True)
        return replace(outcome, value=outcome.value.to_reader())
    connection, native = own
    if database.running is not None:
        database.running.on(database.target.name, native.interrupt, native.query_progress)
    try:
        connection.execute(clause, dict(values))
        reader = frames.to_reader(native, limit=limit)
    except BaseException:
        connection.close()
        raise
    finally:
        if database.running is not None:
            database.show_in(database.running)
    weakref.finalize(reader, connection.close).atexit = False
    return Outcome(statement, value=reader)


def _sunk(
    database: Database, statement: Statement, native: duckdb.DuckDBPyConnection, sink: Sink, limit: int | None
) -> Outcome:
    """Hand the open result of *native* to *sink*, batch by batch; a column that Arrow cannot hold makes all text."""
    columns = [spill.Column(name, str(kind)) for name, kind, *_ in native.description]
    if any(column.needs_text for column in columns):
        rows = frames.to_dict(native).value
        texts = {name: [None if value is None else str(value) for value in found] for name, found in rows.items()}
        batches = frames.Batches(pa.table(texts).to_reader(), limit=limit)
    else:
        batches = frames.Batches.of(native, limit=limit)
    return _through(database, statement, sink, columns, batches, limit)


def _through(
    database: Database,
    statement: Statement,
    sink: Sink,
    columns: Sequence[spill.Column],
    batches: frames.Batches,
    limit: int | None,
) -> Outcome:
    """Let *sink* read *batches*, which are counted, and end where somebody stops the cell: the query may have ended."""
    if database.running is not None:
        batches.count, batches.check = database.running.count, database.running.check
    value = sink(columns, batches)
    return Outcome(statement, value=value, limited_to=limit if batches.more else None)


def _columns(database: Database, statement: Statement, values: Mapping[str, Any]) -> list[spill.Column]:
    """Return the columns that a SELECT will give, without running it; none where DuckDB cannot tell.

    What is wrong with the statement is told when it runs, at the right place.
    """
    if first_word(statement.text) == "PIVOT":  # without a list of values it would be looked for twice
        return []
    asked = within(statement, "DESCRIBE\n")
    try:
        database.connection.execute(sqlalchemy.text(asked.clause(values)), dict(values))
    except DBAPIError as error:
        if isinstance(error.orig, (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)):
            return []
        raise
    rows = database.dbapi.native.fetchall() if database.dbapi is not None else []
    return [spill.Column(name, kind) for name, kind, *_ in rows]


def _in_text(
    database: Database,
    statement: Statement,
    values: Mapping[str, Any],
    columns: Sequence[spill.Column],
    native: duckdb.DuckDBPyConnection,
    limit: int | None,
) -> frames.Batches:
    """Run a SELECT within another, which gives those columns as DuckDB's own text that Arrow cannot hold."""
    names = [f"c{at}" for at in range(len(columns))]
    casts = [f"{name}::VARCHAR" if column.needs_text else name for name, column in zip(names, columns, strict=True)]
    before = f"SELECT {', '.join(casts)} FROM (\n"  # noqa: S608 - names of ours
    wrapped = within(statement, before, f"\n) AS t({', '.join(names)})")
    database.connection.execute(sqlalchemy.text(wrapped.clause(values)), dict(values))
    return frames.Batches.of(native, limit=limit)


def _fetch_other(
    database: Database,
    statement: Statement,
    result: sqlalchemy.CursorResult[Any],
    form: Form,
    limit: int | None,
    sink: Sink | None,
) -> Outcome:
    if not result.returns_rows:
        return Outcome(statement, changed=result.rowcount if result.rowcount >= 0 else None, rowless=True)
    if sink is not None:
        reader = frames.from_cursor(result, "reader").value
        columns = spill.columns_of(reader.schema)
        return _through(database, statement, sink, columns, frames.Batches(reader, limit=limit), limit)
    tell = database.running.count if database.running is not None else None
    fetched = frames.from_cursor(result, form, limit=limit, count=tell)
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
        return not _has_success(statement, native), None
    if (name, kind) == ("Count", "BIGINT") and statement.kind in _DONE and not statement.returning:
        row = native.fetchone()
        return True, row[0] if row else None
    return False, None


def _has_success(statement: Statement, native: duckdb.DuckDBPyConnection) -> bool:
    """Whether a column named like DuckDB's own `Success` is the user's, which has rows; they are open again then."""
    if statement.kind not in {"CALL", "EXECUTE"}:
        return False
    rows = [value for (value,) in native.fetchall()]
    if rows:
        native.execute('SELECT unnest($rows::BOOLEAN[]) AS "Success"', {"rows": rows})
    return bool(rows)


def _remember(database: Database, statement: Statement) -> None:
    """Note what a statement changed in the state of its connection, for the day on which that is lost.

    Its words tell. To ask DuckDB would be a query among the user's: in their logs and profiles, and in a transaction
    the first, which takes its snapshot.
    """
    database.used = now()
    if statement.kind == "TRANSACTION":
        database.in_transaction = _begins(statement)
    elif statement.kind in _NOTED:
        database.held.note(statement.kind, statement.text)


def _begins(statement: Statement) -> bool:
    """Whether a statement of transactions is a `BEGIN`; all others end one, even where they fail."""
    return first_word(statement.text) in {"BEGIN", "START"}


@contextlib.contextmanager
def translated(database: Database) -> Iterator[None]:
    """Within the block, errors of *database*'s driver become ours, as those of a statement do."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        cause = _driver_error(error)
    else:
        return
    raise _our_error(database, Statement(text=""), cause) from clean(cause, database.secrets)


_PROBE = Statement(text="SELECT count(*) FROM md_active_server_connections()", kind="SELECT")
"""Asks MotherDuck itself, and changes nothing. A `SELECT 1` would run in this process."""

_ALIVE = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.TransactionException,
)
"""Errors of a service that answers: it does not know the probe, forbids it, or waits for a ROLLBACK."""


def probe(database: Database) -> None:
    """Ask MotherDuck whether the connection still works, before a statement that must not run twice is sent.

    Raises `ConnectionLost` if it does not, and `SignInError` if the token is no longer good.
    """
    try:
        with database.lock:
            run(database, _PROBE, {}, form="dict")
    except ConnectionLost:
        raise
    except StatementError as error:
        if isinstance(error.__cause__, duckdb.InterruptException):
            raise
        if not isinstance(error.__cause__, _ALIVE):
            raise ConnectionLost(str(error)) from error.__cause__
    database.used = now()


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
        cause: Exception = error
    except (TypeError, UnicodeError):  # half of a character that takes two
        message = "The SQL holds a character that is no text, such as a lone surrogate. Delete it and type it again."
        raise StatementError(message) from None
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
    if statement.kind == "SELECT":
        return _described(database, statement, values)
    if statement.kind in {"CALL", "EXECUTE", "EXPLAIN", "PRAGMA"} or statement.returning:
        message = f"--dry-run: what {statement.kind} gives is known only when it runs. Nothing was run."
        raise StatementError(message)
    if statement.kind in {"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY"}:
        run(database, within(statement, "EXPLAIN\n"), values, form="dict")
    return []


def _described(database: Database, statement: Statement, values: Mapping[str, Any]) -> list[dict[str, str]]:
    try:
        rows = run(database, within(statement, "DESCRIBE\n"), values, form="dict").value
    except StatementError as error:
        if not isinstance(error.__cause__, duckdb.ParserException):
            raise
        rows = run(database, within(statement, "DESCRIBE FROM (\n", "\n)"), values, form="dict").value  # a SHOW, say
    pairs = zip(rows["column_name"], rows["column_type"], strict=True)
    return [{"column": name, "type": kind} for name, kind in pairs]


def within(statement: Statement, before: str, after: str = "") -> Statement:
    """Return *statement* between *before*, a line of its own, and *after*; errors count lines as if it stood alone."""
    moved = tuple(replace(one, start=one.start + len(before)) for one in statement.parameters)
    text = before + (without_semicolon(statement.text) if after else statement.text) + after
    offset = statement.offset - len(before)
    return replace(statement, text=text, parameters=moved, line=statement.line - 1, offset=offset, number=1, of=1)


def _driver_error(error: Exception) -> BaseException:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig
    return error


def _our_error(database: Database, statement: Statement, cause: BaseException) -> MdMagicError:
    text = scrub(str(cause), [*database.secrets, *tokens_in(statement.text)])
    refused = _REFUSED.search(text) if database.target.is_motherduck else None
    if refused and refused[0] not in statement.text and (meant := diagnose(text)):
        error = SignInError(meant.advice + _progress(statement))
        error.add_note(f"\nMotherDuck said: {text}")
        return error
    hint = _LOST_ERROR_HINT if isinstance(cause, duckdb.InterruptException) else _hint(database, text)
    text = _located(text, statement)
    ours = (ConnectionLost if _lost(database, statement, cause) else StatementError)(text + _progress(statement))
    if hint:
        ours.add_note(f"\n{hint}")
    return ours


def _progress(statement: Statement) -> str:
    if statement.of == 1:
        return ""
    before = "; those before it have run." if statement.number > 1 else "; nothing was run."
    return f"\n\nStatement {statement.number} of {statement.of} failed{before}"


def _hint(database: Database, text: str) -> str:
    """Return what to do about an error that MotherDuck, and not DuckDB, gave; empty where there is nothing to say."""
    if not database.target.is_motherduck:
        return ""
    meant = diagnose(text)
    if meant and meant.trouble in {"network", "version"}:
        return meant.advice
    return _NO_SHARE_HINT if _NO_SHARE.search(text) else ""


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
    """Count DuckDB's `LINE` and position from the cell's beginning, and write our parameters as they were typed."""
    for parameter in statement.parameters:
        if parameter.sign == ":":
            text = re.sub(rf"\${parameter.name}\b", f":{parameter.name}", text)

    text = _LINE.sub(lambda match: _moved(match, statement), text) if statement.line or statement.inserted else text
    return _POSITION.sub(lambda match: f"{match[1]} Error: {match[2]}{_position(int(match[3]), statement)}", text)


def _moved(match: re.Match[str], statement: Statement) -> str:
    """Return what DuckDB says of a line with the number that the line has in the cell, or in a saved query."""
    line, shown, number = int(match[1]) + statement.line, match[2], ""
    added = statement.inserted
    if added is not None and added.line <= line < added.line + added.lines:
        name, first, _ = next(one for one in reversed(added.queries) if one[1] <= line)
        number = f"{max(line - first, 1)} of the saved query {name}"
    elif added is not None and line >= added.line + added.lines:
        blank = re.sub(r"\S", " ", added.head)
        if blank and line == added.line + added.lines and shown.startswith(blank):
            shown = added.head + shown[len(blank) :]
        line -= added.lines + bool(added.head)
    elif added is not None and added.head and line == added.line - 1 and shown == added.head:
        shown += added.tail
    number = number or str(line)
    caret = " " * (len(match[3]) + len(number) - len(match[1]))
    return f"\nLINE {number}: {shown}\n{caret}^"


def _position(told: int, statement: Statement) -> int:
    """Return the byte of the cell that DuckDB tells; of a place in a saved query, the byte before which that stands."""
    place, added = told + statement.offset, statement.inserted
    if added is None or place < added.offset:
        return place
    return max(place - added.size, added.offset)

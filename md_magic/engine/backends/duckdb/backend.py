"""DuckDB: in memory, in a file, or the user's own connection."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import sqlalchemy

from md_magic.auth.token import tokens_in
from md_magic.engine import variables
from md_magic.engine.backends.base import FRAME
from md_magic.engine.backends.duckdb import neighbours, reading
from md_magic.engine.backends.duckdb import run as running
from md_magic.engine.backends.duckdb.connection import TOKEN, DuckDBConnection
from md_magic.engine.backends.duckdb.digests import DuckDBDigests
from md_magic.engine.execute import Outcome, within
from md_magic.engine.plans import duckdb as plans
from md_magic.engine.results import masking
from md_magic.errors import StatementError
from md_magic.sql.motherduck import UNKNOWN_PRAGMA, login_refused, opens_login
from md_magic.sql.quoting import identifier
from md_magic.sql.split import first_word
from md_magic.sql.statement import Statement
from md_magic.wording import near_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.engine.backends.base import Reading
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.plans.plan import Plan
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.sql.statement import How

logger = logging.getLogger(__name__)

_LOST = re.compile(r"Connection already closed|has been invalidated|closed connection|was detached")
_INTERRUPTED_HINT = (
    'If nobody stopped it, the query failed: now and then DuckDB says "Interrupted" in place of the error.'
    " To see that, run the cell again, after `SET threads = 1` for certain."
)

_NO_PANDAS = re.compile(
    r"\ANot implemented Error: Unsupported type \""
    r"|\AConversion Error: Could not convert (?:DATE \(.{1,40}\)|Day) to [Mm]icroseconds"
)
_NO_EXCEL = "Copy Function with name xlsx does not exist"
_NO_EXCEL_HINT = (
    "Excel files need DuckDB's extension: INSTALL excel; LOAD excel; or write a DataFrame with df.to_excel(...)."
)

_NO_PANDAS_HINT = "A DataFrame cannot hold this: ask for `--as arrow`, or cast the column in SQL."

_PYTHON_STACK = re.compile(r"(?:\. Detail: Python exception: Traceback \(|\n\nAt:\n  ).*", re.DOTALL)
"""The stack of Python code that gave a table: pyarrow adds it after its words, pybind11 at the end."""

_STACK, _ADDRESS = "Stack Trace:", re.compile(r"\b0x[\da-fA-F]+")
"""What begins the stack of an internal error, and what is in each of its lines."""

_FOUND_ON = re.compile(r' found on line "<%%mdsql>:\d+"')
_WORD = re.compile(r"\w+")
_NO_TABLE_OF_COLUMNS = re.compile(
    r"describes non-struct type|must have at least one column|not suitable for replacement"
)
_NOT_READ = re.compile(r"Data type '([^\n]{1,500})' not recognized|Unable to cast Python instance")
_NO_TABLE = re.compile(
    r"\ACatalog Error: Table with name (?P<name>[^\n]*?) does not exist!"
    r"(?P<line>\n?(?:Did you mean \"(?P<near>[^\n]*)\"\?)?)"
)
_INTERNAL = re.compile(r"(?i)(pg|duckdb|sqlite|pragma|information_schema)_")

_TELLING = frozenset({"ATTACH", "CALL", "LOAD", "PRAGMA", "SET"})
"""Kinds of statements after which MotherDuck's extension may be there, with a token that SQL can ask for."""

_NAMES_MOTHERDUCK = re.compile(r"(?i)md|motherduck")
"""What is in each of those: others do not pay for asking DuckDB's settings, 4 ms."""


class DuckDBBackend(DuckDBConnection):
    """DuckDB: running on such a connection, its errors, and writing to it."""

    binds_like_duckdb = True
    scans_python_tables = True
    profiles = True
    reads_plans = True
    explain_words = "EXPLAIN (FORMAT JSON)"
    analyze_words = "EXPLAIN (ANALYZE, FORMAT JSON)"
    plan_column = "explain_value"
    digests = DuckDBDigests()

    # ---- running ----------------------------------------------------------------------------------------------------

    def execute(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Run *statement*, leaving its result open on `native`."""
        self.connection.execute(sqlalchemy.text(statement.clause(values)), dict(values))

    def run(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement* with *values* bound and fetch its result according to *spec*, with tokens masked."""
        if statement.kind in _TELLING and _NAMES_MOTHERDUCK.search(statement.text):
            return self._run_telling(statement, values, spec, execution)
        if self._tokens:
            return self._run_masked(statement, values, spec, execution)
        return running.run(self, statement, values, spec, execution)

    def _run_telling(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement*, after which SQL may be able to ask for a token, and look whether it is."""
        if not self._tokens and opens_login(statement.kind, statement.text):
            self._refuse_blind_login(statement.kind)
        self._expose(tokens_in(statement.text))
        try:
            return self._run_masked(statement, values, spec, execution)
        finally:
            self.look_again()

    def _run_masked(
        self, statement: Statement, values: Mapping[str, Any], spec: ResultSpec, execution: Execution | None
    ) -> Outcome:
        """Run *statement* and mask the tokens in its result; one that has no other use than to show it is not run."""
        if masking.prints(statement.text):
            statement = replace(statement, text=masking.PRINTED, kind="SELECT", parameters=())
        mask = masking.TokenMask(self._tokens, fragments=statement.kind == "EXPLAIN")
        return running.run(self, statement, values, spec, execution, mask)

    def _refuse_blind_login(self, kind: str) -> None:
        """Refuse a statement that would start MotherDuck's login: without a token, the driver waits invisibly."""
        if any(name.lower() == "motherduck_token" for name in os.environ):
            return
        row = self.native.execute(TOKEN).fetchone()
        if row is None or not row[0]:
            raise StatementError(login_refused(kind))

    @contextlib.contextmanager
    def scanning(self, frames: Mapping[str, Any]) -> Iterator[None]:
        """Let statements within the block read the Python tables in *frames*, and fetch their results natively."""
        connection = self.dbapi
        connection.frames, connection.fetched_natively = frames, True
        try:
            yield
        finally:
            connection.frames, connection.fetched_natively = {}, False

    def describe(
        self,
        statement: Statement,
        run: Callable[[Statement], dict[str, list[Any]]],
        values: Mapping[str, Any],  # noqa: ARG002 - *run* binds them
    ) -> list[dict[str, str]]:
        """Return name and type of each column of *statement*'s result.

        A statement without rows is only checked, as far as DuckDB can.
        """
        kind = "PRAGMA" if first_word(statement.text) == "PRAGMA" else statement.kind  # a SELECT, to DuckDB's parser
        if kind == "SELECT":
            return _described(statement, run)
        if kind in {"CALL", "EXECUTE", "EXPLAIN", "PRAGMA"} or statement.returning:
            message = f"--dry-run: what {kind} gives is known only when it runs. Nothing was run."
            raise StatementError(message)
        if statement.kind in {"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY"}:
            run(within(statement, "EXPLAIN\n"))
        return []

    def reading(
        self, statement: Statement, groups: Statement | None, run: Callable[[Statement], dict[str, list[Any]]]
    ) -> Reading:
        """Return how the rows of *statement* are best read: see `reading`."""
        return reading.choose(self, statement, groups, run)

    def plan(self, columns: Mapping[str, Sequence[Any]], *, analyzed: bool) -> Plan:
        """Return the plan in *columns*: JSON in the last column of the first row."""
        texts = list(columns.values())[-1] if columns else []
        return plans.read(str(texts[0]) if texts else "", analyzed=analyzed)

    def plan_column_of(self, statement: Statement) -> str:
        """Return the column in which the result of *statement* has a plan; empty if that is no EXPLAIN."""
        return self.plan_column if statement.kind == "EXPLAIN" else ""

    # ---- errors -----------------------------------------------------------------------------------------------------

    def is_lost(self, statement: Statement, cause: BaseException, diagnosis: Diagnosis | None) -> bool:
        """Whether the connection is gone. The message alone does not decide it: a query can contain any words."""
        if self.connection.invalidated:
            return True
        words = _LOST.search(str(cause))
        by_service = diagnosis is not None and diagnosis.connection_lost
        if not by_service and (words is None or words[0] in statement.text):
            return False
        try:
            self.native.execute("SELECT 1").fetchall()
        except duckdb.TransactionException:  # the user's transaction is aborted, waiting for its ROLLBACK
            return False
        except duckdb.Error:
            return True
        return self.signs_in  # for MotherDuck, `SELECT 1` proves nothing: it runs in this process

    def error_text(self, cause: BaseException) -> str:
        """Return the message of *cause*; for a pragma that would sign in to MotherDuck, that it is refused."""
        if UNKNOWN_PRAGMA in str(cause).lower():
            return login_refused("PRAGMA")
        text = _without_stack(_FOUND_ON.sub("", super().error_text(cause)))  # a line of ours
        missing = _NO_TABLE.match(text) if isinstance(cause, duckdb.CatalogException) else None
        return text if missing is None else self._with_near_name(text, missing)

    def _with_near_name(self, text: str, missing: re.Match[str]) -> str:
        """Return *text*, which says that a table is *missing*, with the name that was meant.

        DuckDB looks among its own tables, and in a new database finds `pg_attrdef` near to everything.
        """
        near = missing["near"]
        suggested = [near] if near and not _INTERNAL.match(near.rpartition(".")[2]) else []
        others = [*variables.names(self.dbapi.frames), *self.known_names()]
        meant = near_tables(missing["name"], [*suggested, *others])
        if not meant or meant[0] in suggested:
            return text
        line = f'\nDid you mean "{meant[0]}"?'
        return text[: missing.start("line")] + line + text[missing.end("line") :]

    def was_stopped(self, cause: BaseException | None) -> bool:
        """Whether *cause* is DuckDB's error for a stopped statement."""
        return isinstance(cause, duckdb.InterruptException)

    def hint(self, statement: Statement, cause: BaseException, text: str, diagnosis: Diagnosis | None) -> str:  # noqa: ARG002 - see base
        """Return a hint about an unexpected interrupt, or about a type that pandas or DuckDB lacks."""
        frames, words = self.dbapi.frames, _WORD.findall(statement.text)
        named = {name: frames[name] for name in words if name in frames}  # none where a view names them
        if unread := _NOT_READ.search(text):
            return variables.unreadable(named or frames, unread[1])
        if _NO_TABLE_OF_COLUMNS.search(text) and (a_column := variables.a_column(named)):
            return a_column
        if _NO_PANDAS.search(text):
            return _NO_PANDAS_HINT
        if _NO_EXCEL in text:
            return _NO_EXCEL_HINT
        if neighbours.ATTACHED in text:
            return neighbours.ATTACHED_HINT
        return _INTERRUPTED_HINT if self.was_stopped(cause) else ""

    # ---- writing ----------------------------------------------------------------------------------------------------

    def upload_statement(self, table: Sequence[str], how: How) -> Statement:
        """Return the SQL that writes the Python table named `FRAME` to *table*, a name in parts."""
        name = identifier(*table)
        rows = f"SELECT * FROM {identifier(FRAME)}"  # noqa: S608 - a name of ours
        match how:
            case "create":
                return Statement(f"CREATE TABLE {name} AS {rows}", "CREATE")
            case "replace":
                return Statement(f"CREATE OR REPLACE TABLE {name} AS {rows}", "CREATE")
            case "append":
                return Statement(f"INSERT INTO {name} BY NAME {rows}", "INSERT")


def _without_stack(text: str) -> str:
    """Return *text* without stacks: of Python, and of C++ addresses, which DuckDB adds to its internal errors."""
    text = _PYTHON_STACK.sub("", text)
    while _STACK in text:
        before, _, after = text.partition(_STACK)
        rest = itertools.dropwhile(lambda line: not line.strip() or _ADDRESS.search(line), after.splitlines())
        text = "\n\n".join(filter(None, (before.rstrip(), "\n".join(rest).strip())))
    return text


def _described(statement: Statement, run: Callable[[Statement], dict[str, list[Any]]]) -> list[dict[str, str]]:
    try:
        columns = run(within(statement, "DESCRIBE\n"))
    except StatementError as error:
        if not isinstance(error.__cause__, duckdb.ParserException):
            raise
        columns = run(within(statement, "DESCRIBE FROM (\n", "\n)"))  # a SHOW, say
    pairs = zip(columns["column_name"], columns["column_type"], strict=True)
    return [{"column": name, "type": kind} for name, kind in pairs]

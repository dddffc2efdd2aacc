"""Profiles: summaries of a query's columns, computed by one DuckDB statement that runs the query once.

One pass suffices:

* Rows, NULLs, the smallest and largest value, the mean, and the lengths of texts and lists are ordinary aggregates over
  every row, and exact.
* Distinct values are counted over every row with little memory: exactly, or within 1 %; see `distinct`.
* The same pass draws a uniform sample of the rows: those with the smallest random numbers, `min_by(row, random(), n)`.
  DuckDB computes quantiles, histograms and frequent values from it. A query of at most *n* rows is its own sample: then
  every number is exact.

Nothing is created in the user's database, and one row of numbers is fetched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from md_magic.engine import execute
from md_magic.engine.results.spec import AS_DICT, ResultSpec
from md_magic.engine.results.store import kept as keep
from md_magic.errors import StatementError
from md_magic.session.profile import answer, query
from md_magic.session.profile.kinds import CUT
from md_magic.sql import split
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.engine.backends import Backend
    from md_magic.engine.database import Database
    from md_magic.engine.results.store import ResultStore
    from md_magic.session.profile.values import Profile

_TABLE = re.compile(
    r"""\A\s*+('(?:[^']|'')+'|(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|[^\W\d]\w*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|\w+))*)\s*;?\s*"""
)
"""A name alone, quoted or dotted or not, or a file in quotes."""


def as_query(sql: str, backend: Backend) -> str:
    """Return *sql*; if it is just the name of a table or file, *backend*'s query for all its rows."""
    table = _TABLE.fullmatch(sql)
    return f"{'' if backend.profiles else 'SELECT * '}FROM {table[1]}" if table else sql


def require_query(backend: Backend, statement: Statement, does: str) -> None:
    """Raise `StatementError` unless *statement* is a query; *does* is the option and what it does with one."""
    first = split.first_word(statement.text)
    is_query = statement.kind == "SELECT" if backend.profiles else backend.syntax.is_query(statement.text)
    if not is_query or first == "PRAGMA":
        message = (
            f"{does} of a query or a table, and {first or 'this'} is neither; nothing of it was run."
            " Write SELECT ..., or the name of a table."
        )
        raise StatementError(message)


def profile(database: Database, statement: Statement, values: Mapping[str, Any]) -> Profile:
    """Run *statement*, a query, once, and return the summary of its columns. Raises `StatementError`."""
    own = database.backend.profiles
    require_query(database.backend, statement, "--profile looks at the columns")
    if not own:
        return _of_rows(database, statement, values)
    columns = [(column["column"], column["type"]) for column in execute.describe(database, statement, values)]
    guarded = bool(database.backend.secrets_in_results)
    built = query.build(statement, [kind for _, kind in columns], cut=None if guarded else CUT)
    found = execute.run(database, built, values, AS_DICT).value
    return answer.read({name: column[0] for name, column in found.items()}, columns)


def _of_rows(database: Database, statement: Statement, values: Mapping[str, Any]) -> Profile:
    """Run *statement* on another database, and compute the profile of its rows in a private result store."""
    kept: ResultStore = execute.run(database, statement, values, ResultSpec(sink=keep)).value
    execution = database.execution
    try:
        if execution is not None:
            execution.attach(database.target.name, kept.interrupt)
        kinds = kept.kinds()
        built = query.build(Statement(kept.query), kinds, cut=CUT)
        found = kept.aggregate(built.text)
    finally:
        if execution is not None:
            database.attach(execution)
        kept.close()
    names = [column.name for column in kept.columns]
    return answer.read(found, list(zip(names, kinds, strict=True)))

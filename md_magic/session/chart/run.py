"""Charts: the database reduces the rows of a query to at most 5,000 marks, in one statement that runs the query once.

How its rows are read is the backend's to say (see `Reading`). DuckDB reduces in place; the rows of another database are
reduced in a private result store. Nothing is created in the user's database, and only marks and numbers of rows come
back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine import execute
from md_magic.engine.results.spec import AS_DICT, ResultSpec
from md_magic.engine.results.store import kept as keep
from md_magic.session.chart import channels, marks, query
from md_magic.session.profile import require_query
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.engine.backends.base import Reading
    from md_magic.engine.database import Database
    from md_magic.engine.results.store import ResultStore
    from md_magic.session.chart.values import Drawing, Wish


def draw(
    database: Database, statement: Statement, values: Mapping[str, Any], wish: Wish, *, limit: int | None = None
) -> Drawing:
    """Run *statement*, a query, once, and return what is to be drawn of its first *limit* rows, or of all.

    Raises `StatementError` for what is no query, and `OptionError` where *wish* does not fit its columns.
    """
    own = database.backend.profiles
    require_query(database.backend, statement, "--chart draws the rows")
    if not own:
        return _of_rows(database, statement, values, wish, limit)
    columns = [(column["column"], column["type"]) for column in execute.describe(database, statement, values)]
    plan = channels.choose(columns, wish)
    cut = not database.backend.secrets_in_results  # a secret is recognised as a whole
    question = query.build(plan, statement.text, count=len(columns), limit=limit, cut=cut)
    groups = query.grouping(question, statement)
    reading = execute.reading(database, statement, groups, values) if limit is None else "kept"
    found = execute.run(database, query.reducing(question, statement, reading), values, AS_DICT).value
    return marks.read(question, {name: column[0] for name, column in found.items()}, limit=limit)


def _of_rows(
    database: Database, statement: Statement, values: Mapping[str, Any], wish: Wish, limit: int | None
) -> Drawing:
    """Run *statement* on another database, and reduce its rows in a private result store."""
    more = None if limit is None else limit + 1  # to know whether there are more
    kept: ResultStore = execute.run(database, statement, values, ResultSpec(sink=keep, limit=more)).value
    execution = database.execution
    try:
        if execution is not None:
            execution.attach(database.target.name, kept.interrupt)
        kinds = kept.kinds()
        plan = channels.choose([(c.name, kind) for c, kind in zip(kept.columns, kinds, strict=True)], wish)
        question = query.build(plan, statement.text, count=len(kinds), limit=limit, cut=True)
        reading: Reading = "twice" if limit is None else "kept"
        found = kept.aggregate(query.reducing(question, Statement(kept.query), reading).text)
    finally:
        if execution is not None:
            database.attach(execution)
        kept.close()
    return marks.read(question, found, limit=limit)

"""What a background query gets at its start: a connection, and copies of the Python tables that it references."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from md_magic.engine import execute, variables
from md_magic.engine.driver_errors import translated
from md_magic.errors import ConnectError, StatementError
from md_magic.sql import references
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from md_magic.engine.database import Database
    from md_magic.session.background.job import Task
    from md_magic.sql.references import Object


def prepared(database: Database, task: Task) -> tuple[Callable[[], Database], dict[str, Any]]:
    """Return the function that connects for *task*, and copies of the tables that its statements reference."""
    if reason := database.backend.why_not("background"):
        raise ConnectError(reason)
    if not database.backend.branches_at_once:
        _refuse_own(database, [statement for statement, _ in task.statements])
        return partial(_branched, database, database.backend.local.schema), {}
    with database.lock:
        with translated(database):
            _refuse_temporary(database, [statement.text for statement, _ in task.statements])
            branch = database.branch()
        try:
            tables = _snapshots(branch, task)
        except BaseException:
            branch.close()
            raise
    return lambda: branch, tables


def _branched(database: Database, choose: str | None) -> Database:
    """Return another connection to *database*, with the current schema that the SQL *choose* has chosen."""
    with translated(database):
        branch = database.branch()
    if choose is not None:
        execute.run(branch, Statement(text=choose, kind="SET"), {})
    return branch


def _refuse_own(database: Database, statements: Iterable[Statement]) -> None:
    """Refuse *statements* that name a temporary table of this session: see `_refuse_temporary`."""
    own = {each.name.lower(): each for each in database.backend.local.temporary}
    for statement in statements:
        named = database.backend.syntax.tables_named(statement, list(own)) if own else []
        if named:
            raise StatementError(_refusal(own[named[0]]))
        for name in references.created_name(statement.text):
            own.pop(name, None)


def _refusal(temporary: Object) -> str:
    return (
        f"The {temporary} is this session's own, and a background query runs on another connection, which does not see"
        " it. Make it permanent, or run the cell without --background. Nothing was run."
    )


def _refuse_temporary(database: Database, statements: Iterable[str]) -> None:
    """Refuse *statements* that reference a temporary object, directly or through a view or macro.

    Another connection does not have it, or has a permanent one of the same name.
    """
    objects = database.backend.temporary_objects()
    definitions = database.backend.definitions() if objects else {}
    for statement in statements:
        reached = [statement, *references.reached(references.words(statement), definitions)]
        temporary = next(filter(None, (references.named(text, objects) for text in reached)), None)
        if temporary is not None:
            raise StatementError(_refusal(temporary))
        created = references.created_name(statement)
        objects = [each for each in objects if each.name.lower() not in created]


def _snapshots(branch: Database, task: Task) -> dict[str, Any]:
    """Return copies of the Python tables that the statements reference, directly or through a view or macro."""
    if not task.tables:
        return {}
    words = set().union(*(references.words(statement.text) for statement, _ in task.statements))
    with translated(branch):
        definitions = branch.backend.definitions()
    words = words.union(*map(references.words, references.reached(words, definitions)))
    return {name: variables.snapshot(table) for name, table in task.tables.items() if name.lower() in words}

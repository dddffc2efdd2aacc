"""Asking a database for the plan of a statement: `--explain` and `--analyze`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from md_magic.engine import execute
from md_magic.engine.plans.plan import Plan
from md_magic.engine.results.spec import AS_DICT
from md_magic.errors import StatementError
from md_magic.sql import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from md_magic.engine.database import Database
    from md_magic.sql.statement import Statement

_PLANNED = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY", "CREATE", "CALL", "EXECUTE"})
"""Kinds of statements that have a plan. For others, DuckDB's EXPLAIN is empty, and EXPLAIN ANALYZE runs them."""

_ROWLESS = frozenset({"CREATE_TABLE", "CREATE_VIEW", "CREATE_MACRO", "CREATE_TYPE", "CREATE_SCHEMA", "CREATE_SEQUENCE"})
"""Root operators of a CREATE without a query."""


def explain(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan:
    """Return the plan of *statement*, the last of its cell, without running it.

    Raises `StatementError` for a statement without a plan, or one that depends on earlier statements of the cell.
    """
    _check(statement, "--explain")
    try:
        plan = _ask(database, replace(statement, number=1, of=1), values, run=False)
    except StatementError as error:
        if statement.of > 1:
            error.add_note("\nThis is the last statement, and --explain has not run those before it.")
        raise
    _check_root(plan, "--explain")
    if statement.of == 1:
        return plan
    return replace(plan, notes=(f"The plan of the last of {statement.of} statements. Nothing was run.", *plan.notes))


def analyze(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan:
    """Run *statement*, discard its result, and return its plan with measurements.

    Raises `StatementError` for a statement without a plan, which is not run.
    """
    _check(statement, "--analyze")
    if statement.kind == "CREATE":  # a CREATE VIEW would be run, and there would be nothing to show
        _check_root(_ask(database, statement, values, run=False), "--analyze")
    plan = _ask(database, statement, values, run=True)
    if plan.operators or plan.text:
        return plan
    planned = _ask(database, statement, values, run=False)
    _check_root(planned, "--analyze")
    note = "DuckDB ran the statement and measured nothing, as it does for constant rows. These are its estimates."
    return Plan(planned.operators, notes=(note,))


def rows(database: Database, statement: Statement, values: Mapping[str, Any], *, run: bool) -> pd.DataFrame:
    """Return the rows of the database's own EXPLAIN, for databases without DuckDB's plans.

    With *run*, it runs *statement* and measures. Raises `StatementError` if we do not know the database's EXPLAIN.
    """
    frame: pd.DataFrame = execute.run(database, database.backend.explaining(statement, run=run), values).value
    return frame


def _ask(database: Database, statement: Statement, values: Mapping[str, Any], *, run: bool) -> Plan:
    """Return the plan in the database's EXPLAIN of *statement*, or with *run* in the one that runs it and measures."""
    backend = database.backend
    asking = replace(backend.explaining(statement, run=run), number=statement.number, of=statement.of)
    return backend.plan(execute.run(database, asking, values, AS_DICT).value or {}, analyzed=run)


def _check(statement: Statement, option: str) -> None:
    first = split.first_word(statement.text)
    if statement.kind == "EXPLAIN" or first == "EXPLAIN":
        message = f"{option}: the cell says {first} itself. Delete the word, or run the cell without {option}."
        raise StatementError(message)
    if statement.kind and (statement.kind not in _PLANNED or first == "PRAGMA"):  # another database says so itself
        raise StatementError(_no_plan(option, first))


def _check_root(plan: Plan, option: str) -> None:
    if plan.operators and not plan.operators[0].children and plan.operators[0].name in _ROWLESS:
        raise StatementError(_no_plan(option, plan.operators[0].name.replace("_", " ")))
    if not plan.operators and not plan.text:
        message = (
            f"{option}: the database gives no plan for this statement. A PIVOT without its list of values is several"
            " statements to DuckDB: write ON column IN (...)."
        )
        raise StatementError(message)


def _no_plan(option: str, statement: str) -> str:
    return (
        f"{option}: {statement or 'this'} has no plan, because no rows flow in it; nothing was run."
        " A query, INSERT, UPDATE, DELETE, MERGE, COPY and CREATE TABLE ... AS have one."
    )

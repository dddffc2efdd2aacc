"""Whether the rows of a query are cheaper read twice than kept, and the same both times.

Columns of a table as they are may be: DuckDB knows their ends. So may filtered rows and cheap expressions of one table,
with none but known functions: a statement sees one state of a table. What draws at random, counts, reads a file, joins,
sorts or groups is run once, and its rows are kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from md_magic.engine import execute
from md_magic.engine.results.spec import AS_DICT
from md_magic.sql import parser, quoting
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from md_magic.engine.database import Database
    from md_magic.engine.plans.plan import Plan

_MANY = 100_000
"""Rows, by DuckDB's estimate, from which on the question costs less than what it saves."""

_ROWS_OF_ONE_TABLE = frozenset({"SEQ_SCAN", "PROJECTION", "FILTER"})

_OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "||", "&", "|", "<<", ">>"})
_ROUND = frozenset({"abs", "ceil", "ceiling", "floor", "round", "trunc", "sign", "sqrt", "greatest", "least"})
_TEXT = frozenset({"lower", "upper", "left", "right", "length", "substr", "substring", "trim"})
_TIME = frozenset({"date_part", "datepart", "date_trunc", "datetrunc", "epoch", "epoch_ms", "epoch_us", "make_date"})
_TIME |= {"year", "quarter", "month", "week", "day", "dayofweek", "dayofyear", "hour", "minute", "second", "monthname"}
_TIME |= {f"to_{unit}s" for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")}
_TIME |= {"now", "today", "current_date", "get_current_timestamp"}  # the same throughout a statement
_CHEAP = _OPERATORS | _ROUND | _TEXT | _TIME | {"nullif", "ifnull"}
"""DuckDB's own functions that always give the same and cost little."""


def is_better(database: Database, statement: Statement, values: Mapping[str, Any]) -> bool:
    """Whether *statement*, a query of which all rows are drawn, is better read twice."""
    backend = database.backend
    if backend.signs_in:  # the plan of rows elsewhere is another, and asking for it a journey
        return False
    asking = replace(backend.explaining(statement, run=False), number=statement.number, of=statement.of)
    plan = backend.plan(execute.run(database, asking, values, AS_DICT).value or {}, analyzed=False)
    return plan.scans_a_table or (_is_of_one_table(plan) and _repeats(database, statement.text))


def _is_of_one_table(plan: Plan) -> bool:
    """Whether *plan* has but the rows of one of DuckDB's own tables, and they are many."""
    scans = [operator for operator in plan.operators if operator.name == "SEQ_SCAN"]
    one = len(scans) == 1 and all(operator.name in _ROWS_OF_ONE_TABLE for operator in plan.operators)
    return one and "Sample" not in "".join(scans[0].extra) and (scans[0].estimated or 0) >= _MANY


def _repeats(database: Database, text: str) -> bool:
    """Whether each value that *text* computes is the same whenever it is computed, and computed at little cost."""
    tree = parser.tree(text)
    if tree is None:
        return False
    nodes = list(_nodes(tree))
    functions = {str(node["function_name"]).lower() for node in nodes if "function_name" in node}
    tables = {str(node["table_name"]).lower() for node in nodes if node.get("type") == "BASE_TABLE"}
    if not (tables and functions <= _CHEAP) or any(node.get("sample") for node in nodes):
        return False
    kinds = _ask(database, "SELECT type FROM duckdb_databases() WHERE NOT internal")
    if any(kind != "duckdb" for kind in kinds):  # to list their views may be a journey
        return False
    return not _ask(database, _hidden(functions, tables))


def _hidden(functions: Iterable[str], tables: Iterable[str]) -> str:
    """Return SQL for whatever computes under a name that the text has: macros, views, generated columns."""
    literal = quoting.of("duckdb").literal
    macros, names = (f"({', '.join(map(literal, sorted(each)))})" for each in (functions, tables))
    asked = [
        f"SELECT 1 FROM duckdb_views() WHERE NOT internal AND lower(view_name) IN {names}",  # noqa: S608 - quoted
        f"SELECT 1 FROM duckdb_tables() WHERE lower(table_name) IN {names} AND contains(sql, 'GENERATED')",  # noqa: S608 - quoted
    ]
    if functions:
        asked.append(f"SELECT 1 FROM duckdb_functions() WHERE NOT internal AND lower(function_name) IN {macros}")  # noqa: S608 - quoted
    return " UNION ALL ".join(asked)


def _ask(database: Database, sql: str) -> list[Any]:
    """Return the one column that *sql*, of ours, gives."""
    found = execute.run(database, Statement(sql), {}, AS_DICT).value
    return list(next(iter(found.values())))


def _nodes(tree: object) -> Iterable[dict[str, Any]]:
    """Give every object in a parser's *tree*, which may be deep."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left += node.values()
        elif isinstance(node, list):
            left += node

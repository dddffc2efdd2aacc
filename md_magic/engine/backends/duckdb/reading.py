"""How the rows of a query are read where their ends must be known before each has its place.

Rows of few different values become groups of equal ones, in one run of the query. DuckDB estimates how many groups
there are: well for columns of its tables, filtered or joined, and for what is computed of one column; where it is
computed of two, the estimate is the larger number, and the product possible.

Others may be cheaper read twice than kept, and the same both times. Columns of a table as they are may be: DuckDB knows
their ends. So may filtered rows and cheap expressions of one table, with none but known functions: a statement sees one
state of a table. What draws at random, counts, reads a file, joins, sorts or groups is run once, and its rows are kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from md_magic.sql import parser, quoting
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from md_magic.engine.backends.base import Reading
    from md_magic.engine.backends.duckdb.backend import DuckDBBackend
    from md_magic.engine.plans.plan import Plan

    Run = Callable[[Statement], Mapping[str, Sequence[Any]]]

_MANY = 100_000
"""Rows, by DuckDB's estimate, from which on the question costs less than what it saves."""

_EQUAL = 50
"""Rows of a group, by DuckDB's estimate, from which on groups cost less than rows that are kept."""

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


def choose(backend: DuckDBBackend, statement: Statement, groups: Statement | None, run: Run) -> Reading:
    """Return how the rows of *statement* are best read; *groups* groups them, and *run* runs another statement."""

    def plan(of: Statement) -> Plan:
        asking = replace(backend.explaining(of, run=False), number=of.number, of=of.of)
        return backend.plan(run(asking), analyzed=False)

    if groups is not None and _are_few(plan(groups)) and _is_known(run, statement.text, estimated=True):
        return "grouped"
    found = plan(statement)
    twice = found.scans_a_table or (_is_of_one_table(found) and _is_known(run, statement.text))
    return "twice" if twice else "kept"


def _are_few(plan: Plan) -> bool:
    """Whether the groups of *plan* are few, and their rows many."""
    group = next((operator for operator in plan.operators if operator.name.endswith("HASH_GROUP_BY")), None)
    if group is None or (group.children[0].estimated or 0) < _MANY:
        return False
    if group.name == "PERFECT_HASH_GROUP_BY":  # as many as a small array has places
        return True
    estimated = group.estimated or 0  # 0, where it knows nothing
    return 0 < estimated * _EQUAL <= (group.children[0].estimated or 0)


def _is_of_one_table(plan: Plan) -> bool:
    """Whether *plan* has but the rows of one of DuckDB's own tables, and they are many."""
    scans = [operator for operator in plan.operators if operator.name == "SEQ_SCAN"]
    one = len(scans) == 1 and all(operator.name in _ROWS_OF_ONE_TABLE for operator in plan.operators)
    return one and "Sample" not in "".join(scans[0].extra) and (scans[0].estimated or 0) >= _MANY


def _is_known(run: Run, text: str, *, estimated: bool = False) -> bool:
    """Whether each value that *text* computes is the same whenever it is computed, and computed at little cost.

    With *estimated*, whether DuckDB's estimate of the number of different values holds for each, too.
    """
    tree = parser.tree(text)
    if tree is None:
        return False
    nodes = list(_nodes(tree))
    functions = {str(node["function_name"]).lower() for node in nodes if "function_name" in node}
    tables = {str(node["table_name"]).lower() for node in nodes if node.get("type") == "BASE_TABLE"}
    if not (tables and functions <= _CHEAP) or any(node.get("sample") for node in nodes):
        return False
    if estimated and any(_reads_several(node) for node in nodes if "function_name" in node):
        return False
    kinds = _ask(run, "SELECT type FROM duckdb_databases() WHERE NOT internal")
    if any(kind != "duckdb" for kind in kinds):  # to list their views may be a journey
        return False
    return not _ask(run, _hidden(functions, tables))


def _reads_several(tree: object) -> bool:
    """Whether there is more than one column in *tree*, of a function."""
    return len({tuple(node["column_names"]) for node in _nodes(tree) if "column_names" in node}) > 1


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


def _ask(run: Run, sql: str) -> Sequence[Any]:
    """Return the one column that *sql*, of ours, gives."""
    return next(iter(run(Statement(sql)).values()))


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

"""What DuckDB says of how it runs a statement: its `EXPLAIN` as JSON in, a tree of operators out.

Nothing here recurses, and nothing relies on a key being there: plans are as deep as a query is, and MotherDuck's JSON
has not been seen.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from md_magic import query, reader
from md_magic.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from md_magic.engines import Database
    from md_magic.statement import Statement

Side = Literal[
    "local",  # MotherDuck runs the operator in this process
    "remote",  # MotherDuck runs the operator in its own
]

TOO_FAR = 10
"""An estimate is pointed out where the rows are more than this many times as many, or as few."""

_PLANNED = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY", "CREATE", "CALL", "EXECUTE"})
"""Kinds of statements that run operators. DuckDB draws an empty box for the others, and runs them for ANALYZE."""

_ROWLESS = frozenset({"CREATE_TABLE", "CREATE_VIEW", "CREATE_MACRO", "CREATE_TYPE", "CREATE_SCHEMA", "CREATE_SEQUENCE"})
"""Operators at the root of a CREATE that has no query in it."""

_ESTIMATE = "Estimated Cardinality"
_SIDE = re.compile(r"(?i)\s*\(\s*(?P<side>l|r|local|remote)\s*\)\s*\Z")
_WRAPPERS = frozenset({"", "EXPLAIN_ANALYZE", "QUERY", "QUERY_ROOT"})
_THEIRS: dict[str, tuple[str, str | None]] = {
    "sqlite": ("EXPLAIN QUERY PLAN", None),
    "mysql": ("EXPLAIN", "EXPLAIN ANALYZE"),
    "mariadb": ("EXPLAIN", "ANALYZE"),
    "postgresql": ("EXPLAIN", "EXPLAIN ANALYZE"),
    "redshift": ("EXPLAIN", None),
    "trino": ("EXPLAIN", "EXPLAIN ANALYZE"),
}
"""How other databases are asked, by SQLAlchemy's name of the dialect: for the plan, and for a run with timings."""


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One step of a plan. It reads what its children give."""

    name: str
    estimated: int | None = None
    """Rows that the optimizer expects; `None` where it does not say."""

    rows: int | None = None
    """Rows that it gave; `None` where the statement was not run."""

    seconds: float | None = None
    """Time that it took, over all threads; `None` where the statement was not run."""

    side: Side | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    """What else the database says: tables, conditions, filters, expressions; one line for each of several."""

    children: tuple[Operator, ...] = ()

    def __repr__(self) -> str:
        """Return one line, without the children: they may be a thousand deep."""
        known = {"estimated": self.estimated, "rows": self.rows, "seconds": self.seconds, "side": self.side}
        told = [f"{name}={value!r}" for name, value in known.items() if value is not None]
        return f"Operator({', '.join([repr(self.name), *told, f'children={len(self.children)}'])})"

    @property
    def misestimate(self) -> float | None:
        """How many times as many rows as expected there were, where that is more than 10, or less than a tenth.

        No rows count as one. `None` for an estimate that is near enough, or where there is nothing to compare.
        """
        if self.estimated is None or self.rows is None:
            return None
        times = max(self.rows, 1) / max(self.estimated, 1)
        return times if times > TOO_FAR or times < 1 / TOO_FAR else None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a statement is run: from `--explain` as the optimizer expects, from `--analyze` as it was measured."""

    operators: tuple[Operator, ...]
    """Every operator, each before its children; the first is the one that gives the result."""

    analyzed: bool = False
    seconds: float | None = None
    """How long the statement took, on the clock; `None` where it was not run."""

    notes: tuple[str, ...] = ()
    """What there is to say of the plan as a whole."""

    text: str = ""
    """The database's own answer, where it is not one that can be read."""

    @property
    def busy(self) -> float:
        """Seconds that all operators took, over all threads."""
        return sum(operator.seconds or 0.0 for operator in self.operators)

    @property
    def costliest(self) -> Operator | None:
        """The operator that took the most time; `None` where none was measured."""
        found = max(self.operators, key=lambda operator: operator.seconds or 0.0, default=None)
        return found if found is not None and found.seconds else None

    @property
    def misestimates(self) -> tuple[Operator, ...]:
        """The operators whose rows are far from what was expected."""
        return tuple(operator for operator in self.operators if operator.misestimate)

    def share(self, operator: Operator) -> float | None:
        """Return the part of all operators' time that *operator* took, from 0 to 1."""
        busy = self.busy
        return operator.seconds / busy if operator.seconds is not None and busy else None


def explain(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan:
    """Return the plan of *statement*, which is not run. Raises `StatementError` for one that has none."""
    _check(statement, "--explain")
    try:
        plan = read(_ask(database, replace(statement, number=1, of=1), values, "EXPLAIN (FORMAT JSON)"))
    except StatementError as error:
        if statement.of > 1:
            error.add_note("\nThis is the last statement, and --explain has not run those before it.")
        raise
    _check_root(plan, "--explain")
    return plan


def analyze(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan:
    """Run *statement*, throw its result away, and return its plan with what was measured.

    Raises `StatementError` for a statement that has no plan; it has not been run then.
    """
    _check(statement, "--analyze")
    if statement.kind == "CREATE":  # a CREATE VIEW would be run, and there would be nothing to show
        _check_root(read(_ask(database, statement, values, "EXPLAIN (FORMAT JSON)")), "--analyze")
    told = _ask(database, statement, values, "EXPLAIN (ANALYZE, FORMAT JSON)")
    plan = read(told, analyzed=True)
    if plan.operators or plan.text:
        return plan
    planned = read(_ask(database, statement, values, "EXPLAIN (FORMAT JSON)"))
    _check_root(planned, "--analyze")
    note = "DuckDB ran the statement and measured nothing, as it does for constant rows. These are its estimates."
    return Plan(planned.operators, notes=(note,))


def other(dialect: str, statement: Statement, *, run: bool) -> Statement:
    """Return *statement* in a SQLAlchemy *dialect*'s own EXPLAIN, whose answer is rows; with *run*, one that runs it.

    Raises `StatementError` where we know of none.
    """
    option = "--analyze" if run else "--explain"
    plain, measured = _THEIRS.get(dialect, (None, None))
    words = measured if run else plain
    if words is None:
        message = f"{option}: how {dialect} is asked for that is not known here. Type its own EXPLAIN into the cell."
        raise StatementError(message)
    return query.within(statement, f"{words}\n")


def _ask(database: Database, statement: Statement, values: Mapping[str, Any], words: str) -> str:
    asking = replace(query.within(statement, f"{words}\n"), number=statement.number, of=statement.of)
    asked = query.run(database, asking, values, form="dict").value
    cells = list(asked.values())[-1] if asked else []
    return str(cells[0]) if cells else ""


def _check(statement: Statement, option: str) -> None:
    first = reader.first_word(statement.text)
    if statement.kind == "EXPLAIN":
        message = f"{option}: the cell says {first} itself. Delete the word, or run the cell without {option}."
        raise StatementError(message)
    if statement.kind not in _PLANNED or first == "PRAGMA":
        raise StatementError(_no_plan(option, first))


def _check_root(plan: Plan, option: str) -> None:
    if plan.operators and not plan.operators[0].children and plan.operators[0].name in _ROWLESS:
        raise StatementError(_no_plan(option, plan.operators[0].name.replace("_", " ")))
    if not plan.operators and not plan.text:
        message = (
            f"{option}: DuckDB gives no plan for this statement. A PIVOT without its list of values is several"
            " statements to DuckDB: write ON column IN (...)."
        )
        raise StatementError(message)


def _no_plan(option: str, what: str) -> str:
    return (
        f"{option}: {what or 'this'} has no plan, because no rows flow in it; nothing was run."
        " A query, INSERT, UPDATE, DELETE, MERGE, COPY and CREATE TABLE ... AS have one."
    )


def read(text: str, *, analyzed: bool = False) -> Plan:
    """Return the plan in *text*, DuckDB's JSON of either form; it has no operators where DuckDB gave none.

    Text that is not JSON is kept as it is.
    """
    try:
        told = _parsed(text) if text.strip() else []
    except ValueError:
        return Plan((), analyzed=analyzed, text=text)
    if not isinstance(told, (dict, list)):
        return Plan((), analyzed=analyzed, text=text)
    seconds = _number(told.get("latency")) if isinstance(told, dict) else None
    return Plan(_operators(told), analyzed=analyzed, seconds=seconds)


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except RecursionError:  # from some 300 operators below each other
        return deep(text)


_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")\s*:|([\[{])|([\]}])|("(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+)', re.DOTALL)
"""A name with its colon, an opening bracket, a closing one, or a value."""


def deep(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Parse JSON of any depth, as a database writes it; `json.loads` is quicker and recurses.

    Raises `ValueError` for what is no JSON.
    """
    top: list[Any] = []
    stack: list[Any] = [top]
    key = ""
    for name, opened, closed, scalar in _TOKEN.findall(text):
        if name:
            key = json.loads(name)
        elif closed:
            stack.pop()
        else:
            value: Any = json.loads(scalar) if scalar else [] if opened == "[" else {}
            if isinstance(stack[-1], dict):
                stack[-1][key] = value
            else:
                stack[-1].append(value)
            if opened:
                stack.append(value)
    return top[0]


def _operators(told: Any) -> tuple[Operator, ...]:  # noqa: ANN401 - any JSON
    """Return the operators of *told*, each before its children; they are made from the leaves up."""
    order = list(_nodes(told))
    made: dict[int, Operator] = {}
    for node, below in reversed(order):
        made[id(node)] = _operator(node, tuple(made[id(child)] for child in below))
    return tuple(made[id(node)] for node, _ in order)


def _nodes(told: Any) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:  # noqa: ANN401 - any JSON
    """Give the nodes that are operators, each before its children, and with them."""
    waiting = list(reversed(_below([told])))
    while waiting:
        node = waiting.pop()
        below = _below(node.get("children"))
        waiting.extend(reversed(below))
        yield node, below


def _below(told: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Return the operators in *told*; what DuckDB puts around them is none."""
    found: list[dict[str, Any]] = []
    waiting = [told]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one))
        elif isinstance(one, dict):
            if _name(one) in _WRAPPERS:
                waiting.append(one.get("children"))
            else:
                found.append(one)
    return found


def _name(node: Mapping[str, Any]) -> str:
    return str(node.get("operator_name") or node.get("name") or node.get("operator_type") or "").strip()


def _operator(node: Mapping[str, Any], children: tuple[Operator, ...]) -> Operator:
    """Read one node. MotherDuck marks `NAME (L)` and `NAME (R)` in its text; that its JSON does the same is a guess."""
    name = _name(node)
    marked = _SIDE.search(name) or _SIDE.search(str(node.get("operator_type") or ""))
    side: Side | None = None
    if marked:
        side = "local" if marked["side"][0].lower() == "l" else "remote"
    told = node.get("extra_info")
    extra = dict(_extra(told)) if isinstance(told, dict) else {"Info": str(told)} if told else {}
    estimated = extra.pop(_ESTIMATE, node.get("estimated_cardinality"))
    return Operator(
        name=_SIDE.sub("", name),
        estimated=_count(estimated),
        rows=_count(node.get("operator_cardinality")),
        seconds=_number(node.get("operator_timing")),
        side=side,
        extra=extra,
        children=children,
    )


def _extra(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in told.items():
        lines = [str(one) for one in value] if isinstance(value, list) else [str(value)]
        if text := "\n".join(line for line in lines if line):
            yield str(name), text


def _count(told: object) -> int | None:
    number = _number(told)
    return None if number is None else int(number)


def _number(told: object) -> float | None:
    """Read a number, or a text that has one in it, such as `~20,000 rows`."""
    if isinstance(told, bool) or told is None:
        return None
    if isinstance(told, (int, float)):
        return told if told == told and abs(told) != float("inf") else None  # noqa: PLR0124 - NaN is what is not equal
    found = re.search(r"\d[\d,_]*(\.\d+)?", str(told))
    return float(re.sub(r"[,_]", "", found[0])) if found else None

"""PostgreSQL's `EXPLAIN (FORMAT JSON)` in, a plan out. Nothing here recurses: see `duckdb`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine.plans.plan import Operator, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = {
    "CTE Name": "CTE Name",
    "Filter": "Filters",
    "Function Name": "Function",
    "Group Key": "Groups",
    "Hash Cond": "Conditions",
    "Index Cond": "Conditions",
    "Join Filter": "Join Filter",
    "Merge Cond": "Conditions",
    "Recheck Cond": "Conditions",
    "Relation Name": "Table",
    "Sort Key": "Order By",
}
"""PostgreSQL's keys, and what the view of a plan calls them."""

_OMITTED = frozenset(
    {
        "Actual Loops", "Actual Rows", "Actual Startup Time", "Actual Total Time", "Async Capable", "Command",
        "Join Type", "Node Type", "Operation", "Parallel Aware", "Parent Relationship", "Partial Mode", "Plan Rows",
        "Plan Width", "Plans", "Scan Direction", "Schema", "Startup Cost", "Strategy", "Workers",
    }
)  # fmt: skip
"""Keys that are in the operator's name or numbers, or tell nobody anything."""

_STRATEGIES = {"Hashed": "Hash", "Sorted": "Group", "Mixed": "Mixed"}


def read(documents: Any, *, analyzed: bool = False) -> Plan:  # noqa: ANN401 - any JSON
    """Return the plan in *documents*: a list of one for each query, of which a rule can make several."""
    found = [item for item in documents if isinstance(item, dict) and isinstance(item.get("Plan"), dict)]
    operators = tuple(operator for item in found for operator in _operators(item["Plan"]))
    times = [item["Execution Time"] / 1000 for item in found if "Execution Time" in item]
    return Plan(operators, analyzed=analyzed, seconds=sum(times) if times else None)


def _operators(root: dict[str, Any]) -> tuple[Operator, ...]:
    """Return the operators below *root*, each before its children; they are built from the leaves up."""
    nodes = list(_nodes(root))
    built: dict[int, Operator] = {}
    for node in reversed(nodes):
        built[id(node)] = _operator(node, tuple(built[id(child)] for child in _children(node)))
    return tuple(built[id(node)] for node in nodes)


def _nodes(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(_children(node))


def _children(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [child for child in node.get("Plans", []) if isinstance(child, dict)]


def _operator(node: Mapping[str, Any], children: tuple[Operator, ...]) -> Operator:
    """Return the operator of *node*. Its rows and times are those of one loop, and a time has its children's."""
    loops = node.get("Actual Loops")
    times = loops if loops is not None else 1
    total = _total(node)
    inner = sum(filter(None, map(_total, _children(node))))
    return Operator(
        name=_name(node),
        estimated=round(node.get("Plan Rows", 0) * times),
        rows=round(node.get("Actual Rows", 0) * times) if loops is not None else None,
        seconds=max(total - inner, 0.0) / 1000 if total is not None else None,
        extra=dict(_extra(node)),
        children=children,
    )


def _total(node: Mapping[str, Any]) -> float | None:
    """Return the milliseconds of *node* and what is below it, in all loops; `None` if it was not run."""
    time = node.get("Actual Total Time")
    return time * node.get("Actual Loops", 1) if time is not None else None


def _name(node: Mapping[str, Any]) -> str:
    """Return the operator's name, as PostgreSQL's own text has it."""
    kind = str(node.get("Node Type", ""))
    join = node.get("Join Type", "Inner")
    if kind == "Aggregate" and node.get("Strategy") in _STRATEGIES:
        kind = f"{_STRATEGIES[node['Strategy']]}Aggregate"
    elif kind == "ModifyTable":
        kind = str(node.get("Operation", kind))
    elif join != "Inner":
        kind = f"{kind.removesuffix(' Join')} {join}{' Join' if kind.endswith('Join') or kind == 'Nested Loop' else ''}"
    kind = f"{node['Partial Mode']} {kind}" if node.get("Partial Mode", "Simple") != "Simple" else kind
    kind = f"Parallel {kind}" if node.get("Parallel Aware") else kind
    return f"{kind} Backward" if node.get("Scan Direction") == "Backward" else kind


def _extra(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if key not in _OMITTED:
            lines = [str(item) for item in value] if isinstance(value, list) else [str(value)]
            yield _NAMES.get(key, key), "\n".join(lines)

"""SQLite's `EXPLAIN QUERY PLAN`, rows with the number of their parent, in, a plan out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine.plans.plan import Operator, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read(columns: Mapping[str, Sequence[Any]]) -> Plan:
    """Return the plan in *columns*; without operators for a statement that reads nothing."""
    rows = list(zip(columns.get("id", ()), columns.get("parent", ()), columns.get("detail", ()), strict=True))
    built: dict[int, Operator] = {}
    below: dict[int, list[Operator]] = {}
    for number, parent, detail in reversed(rows):  # a parent stands before its children
        built[number] = Operator(str(detail), children=tuple(reversed(below.get(number, []))))
        below.setdefault(parent, []).append(built[number])
    top = tuple(reversed(below.get(0, [])))
    ordered = tuple(built[number] for number, _, _ in rows)
    if len(top) < 2:  # noqa: PLR2004 - a tree has one root
        return Plan(ordered)
    return Plan((Operator("QUERY PLAN", children=top), *ordered))

"""The JSON of MariaDB's and MySQL's EXPLAIN in, a plan out.

MariaDB nests 63 queries at most, so that this may recurse.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from md_magic.engine.plans.plan import Operator, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ACCESS = {
    "ALL": "Full scan",
    "const": "One row",
    "eq_ref": "One row by key",
    "fulltext": "Fulltext search",
    "index": "Index scan",
    "index_merge": "Merged indexes",
    "range": "Index range",
    "ref": "Rows by key",
    "ref_or_null": "Rows by key, or NULL",
    "system": "One row",
}
"""What `access_type` means."""

_WRAPPERS = frozenset({"query_block", "query_specifications", "subqueries", "having_subqueries"})
"""Objects around operators that say nothing themselves."""

_TIMES = ("r_table_time_ms", "r_unpack_time_ms", "r_other_time_ms")
"""Milliseconds that an operator took by itself, in all loops."""

_NO_OPERATOR = frozenset({"cost_info", "r_engine_stats", "query_optimization", "optimizer_trace"})
_NAMES = {
    "table_name": "Table",
    "attached_condition": "Conditions",
    "sort_key": "Order By",
    "r_sort_mode": "Sort mode",
    "key": "Key",
}
_OMITTED = frozenset({"access_type", "rows", "r_rows", "r_loops", "r_total_time_ms", "select_id", *_TIMES})


def read(text: str, *, analyzed: bool = False) -> Plan:
    """Return the plan in *text*; text that is not JSON is kept as it is."""
    try:
        document = json.loads(text)
    except ValueError:
        return Plan((), analyzed=analyzed, text=text)
    block = document.get("query_block") if isinstance(document, dict) else None
    if not isinstance(block, dict):
        return Plan((), analyzed=analyzed, text=text)
    total = block.get("r_total_time_ms")
    roots = list(_below(block, 1))
    root = roots[0] if len(roots) == 1 else Operator("Query", extra=dict(_extra(block)), children=tuple(roots))
    return Plan(tuple(_flat(root)), analyzed=analyzed, seconds=total / 1000 if total is not None else None)


def _flat(root: Operator) -> Iterator[Operator]:
    yield root
    for child in root.children:
        yield from _flat(child)


def _below(node: Mapping[str, Any], loops: float) -> Iterator[Operator]:
    """Give the operators right below *node*, whose query block ran *loops* times."""
    for key, value in node.items():
        items = value if isinstance(value, list) else [value]
        inner = [item for item in items if isinstance(item, dict)]
        if not inner or key in _NO_OPERATOR:
            continue
        if key in _WRAPPERS:
            for item in inner:
                yield from _below(item, item.get("r_loops", loops))
        elif isinstance(value, list):  # a join: each item is an object with one operator
            children = tuple(operator for item in inner for operator in _below(item, loops))
            yield children[0] if len(children) == 1 else Operator(_title(key), children=children)
        else:
            yield _operator(key, inner[0], loops)


def _operator(key: str, node: Mapping[str, Any], loops: float) -> Operator:
    loops = node.get("r_loops", loops)
    estimated, rows = node.get("rows"), node.get("r_rows", node.get("r_output_rows"))
    own = [node[name] for name in _TIMES if name in node] or [node[key] for key in ("r_total_time_ms",) if key in node]
    access = str(node.get("access_type", ""))
    return Operator(
        name=_ACCESS.get(access, access or ("Table" if key == "table" else _title(key))),
        estimated=round(estimated * loops) if isinstance(estimated, (int, float)) else None,
        rows=round(rows * loops) if isinstance(rows, (int, float)) else None,
        seconds=sum(own) / 1000 if own else None,
        extra=dict(_extra(node)),
        children=tuple(_below(node, loops)),
    )


def _title(key: str) -> str:
    words = key.replace("_", " ").replace("-", " ").replace(" nl ", " nested loop ")
    return words[:1].upper() + words[1:]


def _extra(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if key not in _OMITTED and not isinstance(value, dict):
            items = value if isinstance(value, list) else [value]
            lines = [str(item) for item in items if not isinstance(item, dict)]
            if lines:
                yield _NAMES.get(key, _title(key)), "\n".join(lines)

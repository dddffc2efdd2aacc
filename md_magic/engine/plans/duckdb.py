"""DuckDB's and MotherDuck's `EXPLAIN` as JSON in, a plan out.

Nothing here recurses, because a plan can be as deep as its query. Every key of the JSON is optional, because
MotherDuck's format is not documented.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from md_magic.engine.plans.plan import Bridge, Operator, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from md_magic.engine.plans.plan import Direction, Side

_ESTIMATE = "Estimated Cardinality"
_SIDE = re.compile(r"(?i)(?<!\s)\s*+\(\s*+(?P<side>l|r|local|remote)\s*+\)\s*+\Z")
_BRIDGE = re.compile(r"(?i)(?:\A|_)(?P<direction>upload|download)(?:_(?P<end>source|sink))?(?:_|\Z)")
_BRIDGE_ID = re.compile(r"(?i)\Abridge[_ ]?id\Z")
_ENDS: dict[tuple[str, str], Side] = {
    ("download", "source"): "local",
    ("download", "sink"): "remote",
    ("upload", "source"): "remote",
    ("upload", "sink"): "local",
}
"""Where the two ends of a bridge are: the sink takes rows in, the source gives them out on the other side."""

_WRAPPERS = frozenset({"", "EXPLAIN_ANALYZE", "QUERY", "QUERY_ROOT", "RESULT_COLLECTOR"})


def read(text: str, *, analyzed: bool = False) -> Plan:
    """Return the plan in *text*, the JSON of DuckDB's EXPLAIN or EXPLAIN ANALYZE; without operators for empty JSON.

    Text that is not JSON is kept as it is.
    """
    try:
        document = _parsed(text) if text.strip() else []
    except ValueError:
        return Plan((), analyzed=analyzed, text=text)
    if not isinstance(document, (dict, list)):
        return Plan((), analyzed=analyzed, text=text)
    seconds = _number(_latency(document)) if isinstance(document, dict) else None
    return Plan(_operators(document), analyzed=analyzed, seconds=seconds)


def _latency(document: Mapping[str, Any]) -> object:
    """Return the seconds of the whole query: DuckDB 2 has them beside its operators."""
    query = document.get("query")
    return query.get("total_time") if isinstance(query, dict) else document.get("latency")


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except RecursionError:  # from some 300 operators below each other
        return deep(text)


_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")\s*:|([\[{])|([\]}])|("(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+)', re.DOTALL)
"""A name with its colon, an opening bracket, a closing one, or a value."""


def deep(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Parse well-formed JSON of any depth; `json.loads` is quicker, and recurses.

    Raises `ValueError` for anything else.
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


def _operators(document: Any) -> tuple[Operator, ...]:  # noqa: ANN401 - any JSON
    """Return the operators in *document*, each before its children; they are built from the leaves up."""
    nodes = list(_nodes(document))
    operators: dict[int, Operator] = {}
    for node, children in reversed(nodes):
        operators[id(node)] = _operator(node, tuple(operators[id(child)] for child in children))
    return tuple(operators[id(node)] for node, _ in nodes)


def _nodes(document: Any) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:  # noqa: ANN401 - any JSON
    """Give the nodes that are operators, each with its children and before them."""
    stack = list(reversed(_unwrapped([document])))
    while stack:
        node = stack.pop()
        children = _unwrapped(node.get("children"))
        stack.extend(reversed(children))
        yield node, children


def _unwrapped(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Return the topmost operators in *value*, without the nodes that DuckDB wraps around them."""
    nodes: list[dict[str, Any]] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            if _name(item) in _WRAPPERS:
                stack.append(item.get("children", item.get("operator")))  # the latter is DuckDB 2's root
            else:
                nodes.append(item)
    return nodes


def _name(node: Mapping[str, Any]) -> str:
    return str(node.get("operator_name") or node.get("name") or node.get("operator_type") or "").strip()


def _operator(node: Mapping[str, Any], children: tuple[Operator, ...]) -> Operator:
    """Read one node. MotherDuck marks `NAME (L)` and `NAME (R)` in its text; that its JSON does the same is a guess."""
    name = _name(node)
    mark = _SIDE.search(name) or _SIDE.search(str(node.get("operator_type") or ""))
    side: Side | None = None
    if mark:
        side = "local" if mark["side"][0].lower() == "l" else "remote"
    info = node.get("extra_info")
    extra = dict(_extra(info)) if isinstance(info, dict) else {"Info": str(info)} if info else {}
    name = _SIDE.sub("", name)
    bridge, end = _bridge(name, {**node, **extra})
    estimated = extra.pop(_ESTIMATE, node.get("estimated_cardinality"))
    return Operator(
        name=name,
        estimated=_count(estimated),
        rows=_count(node.get("operator_cardinality", node.get("intermediate_rows"))),  # the latter are DuckDB 2's
        seconds=_number(node.get("operator_timing", node.get("timing"))),
        side=side or end,
        bridge=bridge,
        extra=extra,
        children=children,
    )


def _bridge(name: str, details: Mapping[str, Any]) -> tuple[Bridge | None, Side | None]:
    """Return the bridge that the operator *name* is an end of, and on which side that end is."""
    match = _BRIDGE.search(name)
    if match is None:
        return None, None
    direction: Direction = "upload" if match["direction"].lower() == "upload" else "download"
    number = next((str(value) for key, value in details.items() if _BRIDGE_ID.search(key)), "")
    return Bridge(direction, number), _ENDS.get((direction, (match["end"] or "").lower()))


def _extra(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in info.items():
        lines = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        if text := "\n".join(line for line in lines if line):
            yield str(name), text


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _number(value: object) -> float | None:
    """Return the number in *value*, which may be a text such as `~20,000 rows`."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return value if isinstance(value, int) or math.isfinite(value) else None  # isfinite fails for a huge integer
    match = re.search(r"\d[\d,_]*(\.\d+)?", str(value))
    return float(re.sub(r"[,_]", "", match[0])) if match else None

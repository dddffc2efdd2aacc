"""The view of a plan: a tree of operators, as static HTML in a notebook and as text in a terminal.

It has no script and no widget, so that it stays in the saved notebook. The lines of the tree are characters, so that it
is readable where styles are stripped, as on GitHub. The rows are flat, because browsers nest at most 512 elements.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.display.markup import block, escaped, line, number, percent, rule, table
from md_magic.engine.plans.plan import TOO_FAR
from md_magic.wording import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.engine.plans.plan import Operator, Place, Plan

_OPEN = 150
"""Operators that are visible at first; the others are in a closed section below."""

_MOST = 1_000
"""The most operators that are drawn. All of them are in `Plan.operators`."""

_DEEPEST = 25
"""The most levels of branches drawn as indentation; deeper ones show their level as a number."""

_BRIEF = ("Table", "Function", "Conditions", "Expression", "Filters", "Groups", "Aggregates", "Order By", "CTE Name")
"""The details that identify an operator; the first one that it has is shown."""

_SIDES = {"local": "(L) local", "remote": "(R) remote"}

_BRIDGES = {"upload": ("↑ upload", "to MotherDuck"), "download": ("↓ download", "to this process")}

_PLACES: dict[Place, str] = {"remote": "MotherDuck", "transfer": "transfer", "local": "this process"}

_STYLE = """
& .wide { overflow-x: auto }
& { color: var(--jp-ui-font-color1, inherit); font-size: 13px; line-height: 1.45 }
& table { border-collapse: collapse; border: 0; margin: 4px 0; font-size: 12px }
& table tbody tr:nth-child(n) { background: transparent }
& table tbody tr:nth-child(n):hover { background: rgba(128, 128, 128, .14) }
& table tr th, & table tr td { padding: 1px 7px; border: 0; text-align: right; vertical-align: top;
  white-space: nowrap }
& table tr th { font-weight: 600; opacity: .75; border-bottom: 1px solid rgba(128, 128, 128, .5) }
& table tr th:last-child, & table tr td:last-child {
  text-align: left; font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace) }
& table tr.costliest td:last-child { box-shadow: inset 3px 0 0 #e8590c }
& summary { cursor: pointer; list-style: none }
& summary::-webkit-details-marker { display: none }
& table summary:hover b { text-decoration: underline dotted }
& pre { margin: 2px 0 6px 16px !important; padding: 4px 8px !important; font-size: 12px;
  background: rgba(128, 128, 128, .12) !important; color: inherit; white-space: pre-wrap; max-width: 90ch }
& .badge { display: inline-block; padding: 0 6px; border: 1px solid; border-radius: 8px; font-size: 11px;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif) }
& .hot { border-color: #e8590c; background: rgba(232, 89, 12, .22) }
& .off { border-color: #d6a100; background: rgba(240, 180, 0, .25) }
& .local { border-color: #2f9e44; background: rgba(47, 158, 68, .22) }
& .bridge { border-style: dashed; font-weight: 600 }
& b.at-local, & b.at-remote { padding: 0 4px; border-radius: 4px }
& b.at-local { background: rgba(47, 158, 68, .22) }
& b.at-remote { background: rgba(121, 80, 242, .25) }
& .remote { border-color: #7950f2; background: rgba(121, 80, 242, .25) }
"""


def as_text(plan: Plan) -> str:
    """Return *plan* as a tree of text."""
    numbers = frozenset(range(len(_header(plan))))
    tree = [*table(_rows(plan), right=numbers), *_omitted(plan)] if plan.operators else [plan.text]
    return "\n".join([*_heading(plan), *tree])


def as_html(plan: Plan) -> str:
    """Return *plan* as a tree of static HTML."""
    heading = "<br>".join(escaped(sentence, 400) for sentence in _heading(plan))
    style = rule("md-plan", _STYLE)
    if not plan.operators:
        return f"<div class='md-plan'>{style}{heading}<pre>{block(plan.text, 100_000)}</pre></div>"
    rows = list(_html_rows(plan))
    tree = _html_table(plan, rows[:_OPEN])
    if folded := rows[_OPEN:]:
        summary = f"▸ {count(len(folded), 'more operator')}"
        tree += f"<details><summary>{summary}</summary>{_html_table(plan, folded)}</details>"
    tree += "".join(f"<div>{sentence}</div>" for sentence in _omitted(plan))
    return f"<div class='md-plan'>{style}<div>{heading}</div><div class='wide'>{tree}</div></div>"


def _heading(plan: Plan) -> list[str]:
    """Return sentences about the whole plan."""
    operators = count(len(plan.operators), "operator")
    if not plan.operators:
        return [*plan.notes, "The database gave a plan that is not the JSON known here:"]
    if not plan.analyzed:
        planned = f"{operators}, as the optimizer plans it; each reads from those below."
        return [*plan.notes, planned, *_places(plan), *_travelling(plan)]
    elapsed = f" in {duration(plan.seconds)}" if plan.seconds is not None else ""
    total = f"{operators}{elapsed}; together {duration(plan.busy)} over all threads. Each reads from those below."
    sentences = [*plan.notes, total, *_places(plan), *_travelling(plan)]
    if (costliest := plan.costliest) is not None:
        share = percent(plan.share(costliest) or 0)
        sentences.append(f"Costliest: {_label(costliest)}, {share} of the operators' time.")
    if plan.misestimates:
        sentences.append(f"{count(len(plan.misestimates), 'estimate')} more than {TOO_FAR} times off.")
    return sentences


def _places(plan: Plan) -> list[str]:
    """Return where the statement runs, or spends its time; nothing where the plan does not say."""
    seconds = plan.places
    if not seconds:
        return []
    places = [place for place in _PLACES if place in seconds]
    if (whole := plan.busy) and sum(seconds.values()):
        parts = [f"{_PLACES[place]} {duration(seconds[place])} ({percent(seconds[place] / whole)})" for place in places]
        return [f"Time of the operators, by place: {', '.join(parts)}."]
    number = Counter(operator.side for operator in plan.operators if not operator.bridge)
    parts = [f"{number[side]:,} {side}" for side in ("remote", "local") if number[side]]
    return [f"Operators by place: {', '.join(parts)}."] if parts else []


def _travelling(plan: Plan) -> list[str]:
    """Return how much data travels, and which way; nothing where none does."""
    parts = [
        f"{_travellers(crossing.rows, crossing.estimated)} {_BRIDGES[crossing.direction][1]}"
        for crossing in plan.crossings
    ]
    return [f"Data travels: {'; '.join(parts)}."] if parts else []


def _travellers(rows: int | None, estimated: int | None) -> str:
    if rows is not None:
        return count(rows, "row")
    return "rows" if estimated is None else f"about {count(estimated, 'row')}"


def _omitted(plan: Plan) -> list[str]:
    omitted = len(plan.operators) - _MOST
    return [f"{count(omitted, 'further operator')} not drawn; all are in .operators."] if omitted > 0 else []


def _header(plan: Plan) -> list[str]:
    return ["time", "share", "rows", "estimated"] if plan.analyzed else ["estimated"]


@dataclass(frozen=True, slots=True)
class _Line:
    """One operator as it is drawn."""

    prefix: str
    operator: Operator
    figures: list[str]
    """In the order of the header."""

    share: float
    is_costliest: bool


def _lines(plan: Plan) -> Iterator[_Line]:
    busy, costliest = plan.busy, plan.costliest
    for prefix, operator in _tree(plan):
        share = operator.seconds / busy if operator.seconds is not None and busy else None
        figures = [
            "" if operator.seconds is None else duration(operator.seconds),
            "" if share is None else percent(share),
            "" if operator.rows is None else number(operator.rows),
            "" if operator.estimated is None else number(operator.estimated),
        ]
        shown = figures if plan.analyzed else figures[-1:]
        yield _Line(prefix, operator, shown, share or 0.0, is_costliest=operator is costliest)


def _rows(plan: Plan) -> list[list[str]]:
    rows = [[*_header(plan), "operator"]]
    for drawn in itertools.islice(_lines(plan), _MOST):
        badges = ", ".join(text for _, text in _badges(drawn))
        rows.append([*drawn.figures, drawn.prefix + _label(drawn.operator) + (f"  <- {badges}" if badges else "")])
    return rows


def _label(operator: Operator) -> str:
    brief = _brief(operator)
    return f"{line(operator.name, 60)} {brief}" if brief else line(operator.name, 60)


def _brief(operator: Operator) -> str:
    detail = next((operator.extra[name] for name in _BRIEF if name in operator.extra), "")
    return line(detail.replace("\n", ", "), 45)


def _badges(drawn: _Line) -> Iterator[tuple[str, str]]:
    """Yield what stands out about an operator, as a CSS class and a text."""
    if drawn.operator.side is not None:
        yield drawn.operator.side, _SIDES[drawn.operator.side]
    if drawn.operator.bridge is not None:
        name, way = _BRIDGES[drawn.operator.bridge.direction]
        yield "bridge", f"{name}: {_travellers(drawn.operator.rows, drawn.operator.estimated)} {way}"
    if drawn.is_costliest:
        yield "hot", "costliest"
    times = drawn.operator.misestimate
    if times is not None:
        factor = number(round(max(times, 1 / times)))
        yield "off", f"{factor} times {'more' if times > 1 else 'fewer'} than estimated"


def _tree(plan: Plan) -> Iterator[tuple[str, Operator]]:
    """Yield each operator with its tree lines. Only branches are indented; a chain keeps its indentation."""
    below = {id(child) for operator in plan.operators for child in operator.children}
    roots = [operator for operator in plan.operators if id(operator) not in below]
    waiting: list[tuple[tuple[str, ...], tuple[str, ...], Operator]] = [((), (), root) for root in reversed(roots)]
    while waiting:
        here, under, operator = waiting.pop()
        yield _drawn(here), operator
        last = len(operator.children) - 1
        for at in range(last, -1, -1):
            child = operator.children[at]
            if last == 0:
                waiting.append((under, under, child))
            else:
                waiting.append(
                    ((*under, "└─ " if at == last else "├─ "), (*under, "   " if at == last else "│  "), child)
                )


def _drawn(lines: Sequence[str]) -> str:
    if len(lines) <= _DEEPEST:
        return "".join(lines)
    return "".join(lines[: _DEEPEST - 1]) + f"⋯{len(lines)} {lines[-1]}"


def _html_table(plan: Plan, rows: list[str]) -> str:
    head = "".join(f"<th>{name}</th>" for name in [*_header(plan), "operator"])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _html_rows(plan: Plan) -> Iterator[str]:
    header = _header(plan)
    for drawn in itertools.islice(_lines(plan), _MOST):
        cells = [
            f"<td{_heat(drawn.share) if name == 'share' else ''}>{escaped(figure)}</td>"
            for name, figure in zip(header, drawn.figures, strict=True)
        ]
        kind = " class=costliest" if drawn.is_costliest else ""
        yield f"<tr{kind}>{''.join(cells)}<td>{_html_operator(drawn)}</td></tr>"


def _heat(share: float) -> str:
    """Return the style of a cell with a bar whose length and redness show *share*."""
    colour = f"rgba({round(240 - 15 * share)}, {round(170 - 110 * share)}, 20, {0.30 + 0.35 * share:.2f})"
    return f" style='background: linear-gradient(90deg, {colour} {share * 100:.1f}%, transparent {share * 100:.1f}%)'"


def _html_operator(drawn: _Line) -> str:
    operator = drawn.operator
    badges = "".join(f" <span class='badge {kind}'>{escaped(text)}</span>" for kind, text in _badges(drawn))
    indentation = drawn.prefix.replace(" ", "&nbsp;")
    place = f" class=at-{operator.side}" if operator.side else ""
    name = f"{indentation}<b{place}>{escaped(operator.name)}</b> {escaped(_brief(operator))}{badges}"
    if not operator.extra:
        return name
    details = "\n".join(f"{key}: {text}".replace("\n", "\n    ") for key, text in operator.extra.items())
    tooltip = block(details, 500).replace("\n", "&#10;")
    return f'<details><summary title="{tooltip}">{name}</summary><pre>{block(details)}</pre></details>'

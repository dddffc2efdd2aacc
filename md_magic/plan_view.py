"""A plan as a person sees it: a tree of operators, as static HTML in a notebook and as text in a terminal.

No script and no widget: it stays in the saved notebook. Lines of the tree are characters, so that it can be read where
styles are taken away, on GitHub for one. Rows are flat, however deep the plan: browsers nest 512 elements at most.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from md_magic import plans
from md_magic.markup import block, count, duration, escaped, line, number, percent, rule, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from md_magic.plans import Operator

_OPEN = 150
"""Operators that are drawn at once; the others wait below, closed."""

_MOST = 1_000
"""Operators that are drawn at all. Every one is in `Plan.operators`."""

_DEEPEST = 25
"""Branches below each other that are drawn as indentation; deeper ones say how deep they are."""

_BRIEF = ("Table", "Function", "Conditions", "Expression", "Filters", "Groups", "Aggregates", "Order By", "CTE Name")
"""What an operator is recognised by, the first of these that it has."""

_SIDES = {"local": "(L) local", "remote": "(R) remote"}

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
& .remote { border-color: #7950f2; background: rgba(121, 80, 242, .25) }
"""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan(plans.Plan):
    """A plan that shows itself as its tree. To compute with: `operators`, `costliest`, `misestimates`, `share`."""

    @classmethod
    def of(cls, plan: plans.Plan) -> Self:
        """Return *plan* as one that shows itself."""
        return cls(**{one.name: getattr(plan, one.name) for one in fields(plan)})

    def __repr__(self) -> str:
        """Return the tree as text."""
        numbers = frozenset(range(len(_header(self))))
        tree = [*table(_rows(self), right=numbers), *_left_out(self)] if self.operators else [self.text]
        return "\n".join([*_heading(self), *tree])

    def _repr_html_(self) -> str:
        """Return the tree as HTML."""
        heading = "<br>".join(escaped(one, 400) for one in _heading(self))
        if not self.operators:
            return (
                f"<div class='md-plan'>{rule('md-plan', _STYLE)}{heading}<pre>{block(self.text, 100_000)}</pre></div>"
            )
        rows = list(_html_rows(self))
        shown = _html_table(self, rows[:_OPEN])
        if more := rows[_OPEN:]:
            shown += (
                f"<details><summary>▸ {count(len(more), 'more operator')}</summary>{_html_table(self, more)}</details>"
            )
        shown += "".join(f"<div>{one}</div>" for one in _left_out(self))
        return (
            f"<div class='md-plan'>{rule('md-plan', _STYLE)}<div>{heading}</div><div class='wide'>{shown}</div></div>"
        )


def _heading(plan: Plan) -> list[str]:
    """Return what there is to say of the whole."""
    said = [*plan.notes]
    if not plan.operators:
        return [*said, "The database gave a plan that is not the JSON known here:"]
    if not plan.analyzed:
        return [
            *said,
            f"{count(len(plan.operators), 'operator')}, as the optimizer plans it; each reads from those below.",
        ]
    took = f" in {duration(plan.seconds)}" if plan.seconds is not None else ""
    said.append(
        f"{count(len(plan.operators), 'operator')}{took}; together {duration(plan.busy)} over all threads."
        " Each reads from those below."
    )
    if (hot := plan.costliest) is not None:
        said.append(f"Costliest: {_label(hot)}, {percent(plan.share(hot) or 0)} of the operators' time.")
    if far := plan.misestimates:
        said.append(f"{count(len(far), 'estimate')} more than {plans.TOO_FAR} times off.")
    return said


def _left_out(plan: Plan) -> list[str]:
    left = len(plan.operators) - _MOST
    return [f"{count(left, 'further operator')} not drawn; all are in .operators."] if left > 0 else []


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
    hot: bool
    """Whether it is the costliest."""


def _lines(plan: Plan) -> Iterator[_Line]:
    busy, hot = plan.busy, plan.costliest
    for prefix, operator in _tree(plan):
        share = operator.seconds / busy if operator.seconds is not None and busy else None
        figures = [
            "" if operator.seconds is None else duration(operator.seconds),
            "" if share is None else percent(share),
            "" if operator.rows is None else number(operator.rows),
            "" if operator.estimated is None else number(operator.estimated),
        ]
        yield _Line(prefix, operator, figures if plan.analyzed else figures[-1:], share or 0.0, hot=operator is hot)


def _rows(plan: Plan) -> list[list[str]]:
    rows = [[*_header(plan), "operator"]]
    for one in itertools.islice(_lines(plan), _MOST):
        said = ", ".join(text for _, text in _badges(one))
        rows.append([*one.figures, one.prefix + _label(one.operator) + (f"  <- {said}" if said else "")])
    return rows


def _label(operator: Operator) -> str:
    brief = _brief(operator)
    return f"{line(operator.name, 60)} {brief}" if brief else line(operator.name, 60)


def _brief(operator: Operator) -> str:
    found = next((operator.extra[name] for name in _BRIEF if name in operator.extra), "")
    return line(found.replace("\n", ", "), 45)


def _badges(one: _Line) -> Iterator[tuple[str, str]]:
    """Give what is to be pointed out of an operator: a class of the style, and words."""
    if one.operator.side is not None:
        yield one.operator.side, _SIDES[one.operator.side]
    if one.hot:
        yield "hot", "costliest"
    times = one.operator.misestimate
    if times is not None:
        far = number(round(max(times, 1 / times)))
        yield "off", f"{far} times {'more' if times > 1 else 'fewer'} than estimated"


def _tree(plan: Plan) -> Iterator[tuple[str, Operator]]:
    """Give each operator with the lines before it. Only branches are indented, so that a chain stays where it is."""
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
    for one in itertools.islice(_lines(plan), _MOST):
        cells = [
            f"<td{_heat(one.share) if name == 'share' else ''}>{escaped(figure)}</td>"
            for name, figure in zip(header, one.figures, strict=True)
        ]
        yield f"<tr{' class=costliest' * one.hot}>{''.join(cells)}<td>{_html_operator(one)}</td></tr>"


def _heat(share: float) -> str:
    """Return the style of a cell that is as long and as red as *share* is large."""
    colour = f"rgba({round(240 - 15 * share)}, {round(170 - 110 * share)}, 20, {0.30 + 0.35 * share:.2f})"
    return f" style='background: linear-gradient(90deg, {colour} {share * 100:.1f}%, transparent {share * 100:.1f}%)'"


def _html_operator(one: _Line) -> str:
    operator = one.operator
    badges = "".join(f" <span class='badge {kind}'>{escaped(text)}</span>" for kind, text in _badges(one))
    brief = escaped(_brief(operator))
    name = f"{one.prefix.replace(' ', '&nbsp;')}<b>{escaped(operator.name)}</b> {brief}{badges}"
    if not operator.extra:
        return name
    told = "\n".join(f"{what}: {text}".replace("\n", "\n    ") for what, text in operator.extra.items())
    hover = block(told, 500).replace("\n", "&#10;")
    return f'<details><summary title="{hover}">{name}</summary><pre>{block(told)}</pre></details>'

"""The one statement that reduces a query to marks, and runs it once.

The rows' columns are materialized, since the axes' ends must be known before a row has its place; those of a table are
not, which knows its ends and is read again; and those of few values become groups of equal ones, which have the ends.
Rows become groups: one for each fine cell, colour and facet. Only groups come back, and the rows themselves where they
are few.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from md_magic.engine import execute
from md_magic.session.chart.axis import Axis, finite, real
from md_magic.session.chart.values import MOST_MARKS
from md_magic.session.profile.kinds import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.backends.base import Reading
    from md_magic.session.chart.channels import Plan, Source
    from md_magic.sql.statement import Statement

Mode = Literal[
    "sums",  # a row count or a sum for each x: bars, histograms, lines over labels
    "extremes",  # the smallest and the largest of each column of pixels: lines, areas
    "stack",  # the mean in each column of pixels: areas on top of each other
    "cloud",  # the number of points in each cell
    "boxes",  # quartiles
    "grid",  # a number of rows, or a mean, for each x and y
]
"""How rows become marks."""

COLUMNS = 1_024
"""Columns of pixels."""

PLANE = 4_096
"""Cells of the y axis at most, for a key of both axes."""

FINE, FINE_BINS, FINE_PLANE = 2_000, 250, 64
"""Fine cells of an axis: alone, of a histogram, which has at most 40 bars, and where there are two axes."""

FEW, FEW_BINS = 400, 100
"""Fine cells of which each may be a single value, which has a bar of its own; and of a histogram."""

MOST_COLORS = 7
MOST_FACETS = 12
MOST_BARS = 100
MOST_BOXES = 50
MOST_LABELS = 60
"""Labels on each axis of a heatmap."""

BOX_VALUES = 9
"""Marks of a box."""

_CUT = 200
"""Characters of a label that are kept."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the statement asks, and how its answer is read."""

    plan: Plan
    mode: Mode
    x: Axis | None
    """`None` for labels, and without an x."""

    y: Axis | None
    labels: dict[str, int]
    """The columns that are labels, and how many of their values are kept."""

    folds: bool
    """Whether the colours that are left out are drawn together."""

    cuts: bool
    """Whether long labels end after some characters and a hash."""

    in_order: bool
    """Whether labels are drawn in the order of the query, which has one."""

    draws_rows: bool
    """Whether a few rows are drawn as they are."""

    count: int
    """Columns of the query."""

    limit: int | None
    """Rows that are drawn, or `None` for all."""


def build(plan: Plan, text: str, *, count: int, limit: int | None, cut: bool) -> Question:
    """Return the question for *plan*, of a query that gives *count* columns; *text* is what was typed.

    With *cut*, long labels end after some characters and a hash.
    """
    mode = _mode(plan)
    flat = mode in {"cloud", "grid"}
    fine = FINE_PLANE if flat else FINE_BINS if plan.kind == "histogram" else FINE
    on_wall = mode not in {"extremes", "cloud"}
    x = _axis("x", plan.x, fine=fine, on_wall=on_wall) if mode != "boxes" else None
    y = _axis("y", plan.y, fine=fine, on_wall=on_wall) if flat or mode == "extremes" else None
    labels = _labels(plan, mode, x, y)
    sorted_query = re.search(r"(?i)\border\s+by\b", text) is not None
    return Question(
        plan,
        mode,
        x,
        y,
        labels,
        folds="c" in labels and plan.kind not in {"line", "box"},
        cuts=cut,
        in_order=sorted_query and mode in {"sums", "grid"},
        draws_rows=mode in {"extremes", "stack", "cloud", "boxes"},
        count=count,
        limit=limit,
    )


def reducing(question: Question, statement: Statement, reading: Reading) -> Statement:
    """Return *statement* wrapped in what reduces its rows to the answer of *question*, with its rows read as told."""
    before, after = _texts(question, reading)
    return replace(execute.within(statement, before, after), number=statement.number, of=statement.of)


def grouping(question: Question, statement: Statement) -> Statement | None:
    """Return *statement* wrapped in what groups its rows by their values; `None` where groups are not enough."""
    axes = _axes(question)
    if question.mode not in {"sums", "grid"} or not axes or question.limit is not None:
        return None
    after = f"\n)), md_rows AS NOT MATERIALIZED ({_rows(question)}) {_groups(question)}"
    return replace(execute.within(statement, _named(question), after), number=statement.number, of=statement.of)


def _mode(plan: Plan) -> Mode:
    if plan.kind in {"line", "area"}:
        if plan.x is None or plan.x.role == "label" or plan.y is None:
            return "sums"
        return "stack" if plan.kind == "area" and plan.color is not None else "extremes"
    modes: dict[str, Mode] = {"point": "cloud", "box": "boxes", "heatmap": "grid"}
    return modes.get(plan.kind, "sums")


def _axis(name: str, source: Source | None, *, fine: int, on_wall: bool) -> Axis | None:
    if source is None or source.role == "label":
        return None
    return Axis.of(name, source, fine=fine, on_wall=on_wall)


def _labels(plan: Plan, mode: Mode, x: Axis | None, y: Axis | None) -> dict[str, int]:
    """Return the columns that are labels, and how many values of each are kept, so that marks are not too many."""
    labels = {}
    if plan.color is not None and not takes_mean(plan, mode):
        labels["c"] = MOST_COLORS
    if plan.facet is not None:
        labels["f"] = MOST_FACETS
    groups = (MOST_COLORS + 1 if "c" in labels else 1) * labels.get("f", 1)
    if plan.x is not None and x is None:
        most = {"boxes": MOST_BOXES, "grid": MOST_LABELS, "cloud": MOST_LABELS}.get(mode, MOST_BARS)
        labels["x"] = min(most, MOST_MARKS // (BOX_VALUES if mode == "boxes" else 1) // groups)
    if mode in {"grid", "cloud"} and y is None:
        labels["y"] = MOST_LABELS
    return labels


def takes_mean(plan: Plan, mode: Mode) -> bool:
    """Whether the colour is a number, of which the mean is drawn."""
    return plan.color is not None and plan.color.role == "number" and mode in {"grid", "cloud"}


def amount(plan: Plan, mode: Mode) -> Literal["y", "c"] | None:
    """Return the column whose sum or mean is drawn: a row without a value there is in no mark."""
    if mode == "sums" and plan.y is not None:
        return "y"
    return "c" if takes_mean(plan, mode) else None


def drawn(plan: Plan, mode: Mode) -> Literal["n", "k"]:
    """Return the number of a mark's rows: of all of them, or of those with a value."""
    return "n" if amount(plan, mode) is None else "k"


# ---- the text -------------------------------------------------------------------------------------------------------


def _named(question: Question) -> str:
    """Return what stands above the query: DESCRIBE and the like are rows to FROM alone."""
    return f"WITH md_query({', '.join(f'c{at}' for at in range(question.count))}) AS NOT MATERIALIZED (FROM (\n"


def _rows(question: Question) -> str:
    columns = ", ".join(_columns(question)) or "1 AS nothing"
    return f"SELECT {columns} FROM md_query{'' if question.limit is None else f' LIMIT {question.limit + 1}'}"


def _axes(question: Question) -> list[Axis]:
    """Return the axes on which rows have cells."""
    return [axis for axis in (question.x, question.y) if axis is not None and _has_cells(question, axis)]


def _texts(question: Question, reading: Reading) -> tuple[str, str]:
    """Return what stands above the query and below it; names and values of the user are in neither."""
    axes, limit, number = _axes(question), question.limit, drawn(question.plan, question.mode)
    grouped = reading == "grouped"
    once = not axes and question.mode in {"sums", "grid"} and limit is None
    how = "MATERIALIZED" if reading == "kept" and not once else "NOT MATERIALIZED"
    cuts = "".join(f", {part}" for axis in axes for part in axis.cut())
    if question.x is not None and question.mode in {"extremes", "stack"}:
        cuts += "".join(f", {part}" for part in question.x.pixels(COLUMNS))
    scales = "".join(f", {part}" for axis in axes for part in axis.scaled())
    parts = [
        f"\n)), md_all AS {how} ({_rows(question)})",
        "md_rows AS NOT MATERIALIZED (FROM md_all)"
        if limit is None
        else f"md_rows AS MATERIALIZED (FROM md_all LIMIT {limit})",
        *([f"md_groups AS MATERIALIZED ({_groups(question)})"] if grouped else []),
        *([f"md_every AS MATERIALIZED ({_cells(question)})"] if once else []),
        f"md_lengths AS MATERIALIZED ({_lengths(question, axes, reading, once=once)})",
        f"md_cuts AS MATERIALIZED (SELECT *{cuts} FROM md_lengths)",
        f"md_ends AS MATERIALIZED (SELECT *{scales}, current_setting('TimeZone') AS zone FROM md_cuts)",
        f"md_cells AS NOT MATERIALIZED (FROM md_every WHERE {number} > 0)"
        if once
        else f"md_cells AS MATERIALIZED ({_cells(question, grouped=grouped)})",
        *(_top(question, label) for label in question.labels),
        f"md_kept AS MATERIALIZED ({_kept(question)})",
        *([f"md_boxes AS MATERIALIZED ({_whiskers(question)})"] if question.mode == "boxes" else []),
    ]
    answer = ["md_ends.*", f"(SELECT sum({number}) FROM md_cells)::BIGINT AS drawn"]
    if limit is not None:
        answer.append("(SELECT count(*) FROM md_all) AS found")
    for label, most_labels in question.labels.items():
        v = _cut("v") if question.cuts else "v"
        answer.append(f"(SELECT count(*) FROM md_top_{label}) AS of_{label}")
        top = f"SELECT * FROM md_top_{label} ORDER BY r LIMIT {most_labels}"
        answer.append(f"(SELECT list({v} ORDER BY r) FROM ({top})) AS top_{label}")
        if _is_in_order(question, label):
            answer.append(f"(SELECT list({v} ORDER BY first) FROM ({top})) AS in_order_{label}")
    cells = "md_boxes" if question.mode == "boxes" else "md_kept"
    answer.append(f"(SELECT list({cells}) FROM {cells}) AS cells")
    if question.mode == "sums" and question.x is not None:
        answer.append(f"(SELECT list(md_single) FROM ({_single(question, grouped=grouped)}) AS md_single) AS single")
    if question.mode == "stack" and question.x is not None:
        steps = f"SELECT {question.x.column_of_pixels()} AS k_x, count(DISTINCT x) AS steps FROM md_rows, md_ends"
        answer.append(
            f"(SELECT list(md_s) FROM ({steps} WHERE x IS NOT NULL AND y IS NOT NULL GROUP BY k_x) AS md_s) AS steps"
        )
    if question.draws_rows:
        shown = ", ".join(_shown(question))
        rows = f"SELECT {shown} FROM md_rows WHERE (SELECT rows FROM md_ends) <= {MOST_MARKS} LIMIT {MOST_MARKS}"
        answer.append(f"(SELECT list(md_few) FROM ({rows}) AS md_few) AS few")
    return _named(question), f"{', '.join(parts)} SELECT {', '.join(answer)} FROM md_ends"


def _lengths(question: Question, axes: Sequence[Axis], reading: Reading, *, once: bool) -> str:
    """Return the number of rows and the ends of *axes*: of a table from its statistics, wherever these have them."""
    ends = "".join(f", {end}" for axis in axes for end in axis.ends())
    if once or reading == "grouped":
        return f"SELECT coalesce(sum(n), 0)::BIGINT AS rows{ends} FROM {'md_every' if once else 'md_groups'}"
    counted = f"SELECT count(*) AS rows{ends} FROM md_rows"
    if not (reading == "twice" and axes and all(axis.keeps_order for axis in axes)):
        return counted
    sources = {"x": question.plan.x, "y": question.plan.y}
    known = [part for axis in axes if (source := sources[axis.name]) for part in axis.known(f"c{source.at}")]
    found = [axis.known_ends() for axis in axes]
    values = ", ".join(value for values, _ in found for value in values)
    unknown = " OR ".join(filter(None, (unknown for _, unknown in found)))
    if not unknown:
        return f"SELECT rows, {values} FROM (SELECT count(*) AS rows, {', '.join(known)} FROM md_query)"
    # nothing is read where the other side of the comma has no row
    return (
        f"WITH md_known AS MATERIALIZED (SELECT count(*) AS rows, {', '.join(known)} FROM md_query)"
        f" SELECT rows, {values} FROM md_known WHERE NOT ({unknown})"
        f" UNION ALL {counted}, (SELECT 1 AS one FROM md_known WHERE {unknown}) HAVING count(*) > 0"
    )


def _has_cells(question: Question, axis: Axis) -> bool:
    """Whether rows have places on *axis*; of a line's y only the extremes count."""
    return axis.name == "x" or question.mode in {"cloud", "grid"}


def _columns(question: Question) -> list[str]:
    """Return the columns that the chart needs of the query's."""
    plan, mode = question.plan, question.mode
    columns = []
    for name, source, axis in (("x", plan.x, question.x), ("y", plan.y, question.y)):
        if source is None:
            continue
        if axis is not None:
            columns.append(f"{axis.value(f'c{source.at}')} AS {name}")
        elif name in question.labels:
            columns.append(f"{_label(source)} AS {name}")
        else:
            columns.append(f"{_amount(source, mode)} AS {name}")
    if plan.color is not None:
        color = _label(plan.color) if "c" in question.labels else _amount(plan.color, mode)
        columns.append(f"{color} AS c")
    if plan.facet is not None:
        columns.append(f"{_label(plan.facet)} AS f")
    if any(_is_in_order(question, label) for label in question.labels):
        columns.append("row_number() OVER () AS seen")
    return columns


def _is_in_order(question: Question, label: str) -> bool:
    """Whether the values of a label may be drawn in the order in which they come."""
    return label in {"x", "y"} and question.in_order


def _label(source: Source) -> str:
    return f"c{source.at}::VARCHAR"


def _cut(text: str) -> str:
    """Return SQL for a label that is short, and other than that of another value; once for each, not for each row."""
    long = f"left({text}, {_CUT}) || chr({ord(MARK)}) || hash({text})::VARCHAR"
    return f"CASE WHEN strlen({text}) <= {_CUT} THEN {text} ELSE {long} END"


def _amount(source: Source, mode: Mode) -> str:
    """Return SQL for a number that is added up, exactly where its type allows it, or else a finite DOUBLE."""
    column = f"c{source.at}"
    if mode == "sums" and source.kind not in {"FLOAT", "DOUBLE", "BIGNUM", "UHUGEINT", "INTERVAL"}:
        return column
    return finite(real(column, source.kind))


def _keys(question: Question) -> dict[str, str]:
    """Return the keys of a group and their SQL. The cells of two axes are one key: two would take longer."""
    keys = {}
    if question.x is not None and question.y is not None and question.mode != "extremes":
        return {"xy": f"{question.x.cell()} * {PLANE} + {question.y.cell()}"} | {
            label: label for label in question.labels
        }
    if question.mode in {"extremes", "stack"} and question.x is not None:
        keys["x"] = question.x.column_of_pixels()
    elif question.x is not None:
        keys["x"] = question.x.cell()
    if question.y is not None and question.mode != "extremes":
        keys["y"] = question.y.cell()
    return keys | {label: label for label in question.labels}


def _counted(question: Question) -> str:
    """Return the number of rows that are drawn: those with a place."""
    if question.mode in {"extremes", "stack", "boxes"}:
        return "count(v_y)"
    axes = [key for key in _keys(question) if key not in question.labels]
    return f"count(k_{axes[0]})" if axes else "count(*)"


def _gathered(question: Question) -> dict[str, tuple[str, str]]:
    """Return the aggregates of a group of rows, each with the one that joins groups."""
    mode, plan = question.mode, question.plan
    both = {"n": (_counted(question), "sum(n)::BIGINT")}
    if mode == "extremes":
        return both | {
            "ly": ("min(v_y)", "min(ly)"),
            "hy": ("max(v_y)", "max(hy)"),
            "lx": ("arg_min(v_x, v_y)", "arg_min(lx, ly)"),
            "hx": ("arg_max(v_x, v_y)", "arg_max(hx, hy)"),
        }
    if mode == "stack":
        return both | {"s": ("sum(v_y)", "sum(s)"), "lx": ("min(v_x)", "min(lx)")}
    if (valued := amount(plan, mode)) is not None:
        both |= {"s": (f"sum(v_{valued})", "sum(s)"), "k": (f"count(v_{valued})", "sum(k)::BIGINT")}
    if any(_is_in_order(question, label) for label in question.labels):
        both |= {"first": ("min(seen)", "min(first)")}
    return both


def _groups(question: Question) -> str:
    """Return the groups of equal rows: as few as there are values on the axes, and labels."""
    keys = [*(axis.name for axis in _axes(question)), *question.labels]
    amounts = [f"{name} AS v_{name}" for name in ("y", "c") if _has(question, name) and name not in keys]
    aggregates = {"n": "count(*)"} | {name: sql for name, (sql, _) in _gathered(question).items() if name != "n"}
    columns = ", ".join([*keys, *(f"{sql} AS {name}" for name, sql in aggregates.items())])
    return f"SELECT {columns} FROM (SELECT {', '.join(['*', *amounts])} FROM md_rows) GROUP BY {', '.join(keys)}"


def _cells(question: Question, *, grouped: bool = False) -> str:
    """Return the cells of rows, or of groups of equal ones."""
    keys = _keys(question)
    values = ["x", "y"] if question.plan.y is not None else ["x"]
    values += ["c"] if takes_mean(question.plan, question.mode) else []
    present = [name for name in values if _has(question, name)]
    inner = [f"{sql} AS k_{key}" for key, sql in keys.items()]
    if grouped:
        inner += _gathered(question)
    else:
        inner += [f"{name} AS v_{name}" for name in present]
        inner += ["seen"] if any(_is_in_order(question, label) for label in question.labels) else []
    placing = " ".join(sql for key, sql in keys.items() if key not in question.labels)
    needed = sorted(set(re.findall(r"\b[xy]_[a-z]+", placing)))
    ends = f", (SELECT {', '.join(needed)} FROM md_ends)" if needed else ""
    rows = f"SELECT {', '.join(inner) or '1 AS one'} FROM {'md_groups' if grouped else 'md_rows'}{ends}"
    if question.mode == "boxes":
        aggregates = [
            f"{_counted(question)} AS n",
            "quantile_cont(v_y, [0.25, 0.5, 0.75]) AS q",
            "min(v_y) AS lo",
            "max(v_y) AS hi",
        ]
    else:
        aggregates = [f"{both[grouped]} AS {name}" for name, both in _gathered(question).items()]
    columns = ", ".join([*(f"k_{key} AS {key}" for key in keys), *aggregates])
    by = f" GROUP BY {', '.join(f'k_{key}' for key in keys)}" if keys else ""
    placed = [f"count(k_{key}) > 0" for key in keys if key not in question.labels]
    counted = [] if grouped else [f"{_counted(question)} > 0"]
    if (valued := amount(question.plan, question.mode)) is not None and _axes(question):
        counted = ["sum(k) > 0" if grouped else f"count(v_{valued}) > 0"]
    having = " AND ".join(dict.fromkeys([*counted, *placed]))  # not WHERE: that takes longer, for all rows
    return f"SELECT {columns} FROM ({rows}){by} HAVING {having}"


def _single(question: Question, *, grouped: bool) -> str:
    """Return the smallest and the largest value of each fine cell, where there are few: else they may cost much."""
    assert question.x is not None  # noqa: S101 - callers have one
    most = FEW_BINS if question.plan.kind == "histogram" else FEW
    few = f"(SELECT 1 AS one WHERE (SELECT count(DISTINCT x) FROM md_cells) <= {most})"
    keyed = f"SELECT {question.x.cell()} AS x, x AS v FROM {'md_groups' if grouped else 'md_rows'}, md_ends, {few}"
    return f"SELECT x, min(v) AS low, max(v) AS high FROM ({keyed}) WHERE x IS NOT NULL GROUP BY x"


def _has(question: Question, name: str) -> bool:
    return {"x": question.plan.x, "y": question.plan.y, "c": question.plan.color}[name] is not None


def _top(question: Question, label: str) -> str:
    """Return the values of a label in the order of their weight, with their rank."""
    largest = label == "x" and question.mode == "sums" and question.plan.y is not None
    weight = "abs(sum(s))" if largest else "sum(n)"
    ranked = "row_number() OVER (ORDER BY weight DESC NULLS LAST, v) AS r"
    first = ", min(first) AS first" if _is_in_order(question, label) else ""
    values = f"SELECT {label} AS v, {weight} AS weight{first} FROM md_cells GROUP BY {label}"
    ranks = f"SELECT *, {ranked} FROM ({values})"
    return f"md_top_{label} AS MATERIALIZED ({ranks})"


def _kept(question: Question) -> str:
    """Return the groups of the values that are kept, with their ranks in place of labels."""
    labels, keys = question.labels, _keys(question)
    joins = " ".join(
        f"LEFT JOIN md_top_{label} ON md_cells.{label} IS NOT DISTINCT FROM md_top_{label}.v" for label in labels
    )
    ranks = {label: f"CASE WHEN md_top_{label}.r <= {most} THEN md_top_{label}.r END" for label, most in labels.items()}
    shown = [f"{ranks.get(key, key)} AS k_{key}" for key in keys]
    left_out = [
        f"md_top_{label}.r <= {most}" for label, most in labels.items() if not (label == "c" and question.folds)
    ]
    where = " AND ".join(left_out) or "true"
    if question.mode == "boxes":
        columns = ", ".join([*shown, "n", "q", "lo", "hi", *(f"md_cells.{key} AS v_{key}" for key in keys)])
        return f"SELECT {columns} FROM md_cells {joins} WHERE {where}"
    gathered = _gathered(question)
    inner = ", ".join([*shown, *(f"md_cells.{name}" for name in gathered)])
    aggregates = ", ".join(f"{sql} AS {name}" for name, (_, sql) in gathered.items())
    rows = f"SELECT {inner} FROM md_cells {joins} WHERE {where}"
    by = ", ".join(f"k_{key}" for key in keys)
    columns = f"{by}{', ' if by else ''}{aggregates}"
    sql = f"SELECT {columns} FROM ({rows}){f' GROUP BY {by}' if by else ' HAVING count(*) > 0'}"
    if question.mode == "extremes" and question.x is not None and question.x.zoned:
        x = question.x
        return f"SELECT * REPLACE ({x.shown('lx')} AS lx, {x.shown('hx')} AS hx) FROM ({sql})"
    return sql


def _whiskers(question: Question) -> str:
    """Return the boxes with the ends of their whiskers: the last values within 1.5 times the box's length."""
    keys = _keys(question)
    same = " AND ".join([f"md_rows.{key} IS NOT DISTINCT FROM md_kept.v_{key}" for key in keys] or ["true"])
    low = "min(CASE WHEN md_rows.y >= low THEN md_rows.y END) AS wl"
    high = "max(CASE WHEN md_rows.y <= high THEN md_rows.y END) AS wh"
    bounds = "q[1] - 1.5 * (q[3] - q[1]) AS low, q[3] + 1.5 * (q[3] - q[1]) AS high"
    kept = f"(SELECT *, {bounds}, row_number() OVER () AS box FROM md_kept)"
    ends = f"SELECT box, {low}, {high} FROM md_kept JOIN md_rows ON {same} GROUP BY box"  # by a number: faster
    columns = ", ".join([*(f"k_{key}" for key in keys), "n", "q", "lo", "hi", "wl", "wh"])
    both = f"SELECT {columns} FROM md_kept JOIN md_far USING (box)"
    return f"WITH md_kept AS MATERIALIZED {kept}, md_far AS ({ends}) {both}"


def _shown(question: Question) -> Sequence[str]:
    """Return the columns of a row that is drawn as it is."""
    shown = []
    for name, axis in (("x", question.x), ("y", question.y)):
        if _has(question, name):
            value = _cut(name) if question.cuts and name in question.labels else name
            shown.append(f"{axis.shown(name) if axis is not None else value} AS {name}")
    others = [name for name, source in (("c", question.plan.color), ("f", question.plan.facet)) if source is not None]
    shown += [f"{_cut(name)} AS {name}" if question.cuts and name in question.labels else name for name in others]
    return shown

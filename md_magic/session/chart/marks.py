"""From the database's answer to the marks of a chart: groups become bars, lines, cells and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.session.chart import words
from md_magic.session.chart.query import COLUMNS, takes_mean
from md_magic.session.chart.reader import Column, Reader, are_whole, number
from md_magic.session.chart.values import MOST_MARKS, Drawing, Field
from md_magic.wording import count as counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from md_magic.session.chart.axis import Bars
    from md_magic.session.chart.query import Question

_MOST_SUMS, _MOST_SINGLE, _MOST_BINS = 400, 60, 40
"""Bars of moments or in all, of single numbers, of a histogram."""


def read(question: Question, answer: Mapping[str, Any], *, limit: int | None) -> Drawing:
    """Return the drawing that *answer*, one value for each name, gives for *question*."""
    if question.draws_rows and answer["rows"] <= MOST_MARKS:
        return _Rows(question, answer, limit).drawing()
    readers: dict[str, type[_Sums | _Extremes | _Stack | _Plane | _Boxes]] = {
        "sums": _Sums,
        "extremes": _Extremes,
        "stack": _Stack,
        "cloud": _Plane,
        "grid": _Plane,
        "boxes": _Boxes,
    }
    return readers[question.mode](question, answer, limit).drawing()


class _Sums(Reader):
    """Bars, histograms, and lines of sums."""

    def drawing(self) -> Drawing:
        """Return the drawing."""
        plan, x = self.plan, self.plan.x
        key = "s" if plan.y is not None else "n"
        added = ("n", "k", "s") if plan.y is not None else ("n",)
        columns: dict[str, Column] = {}
        most = max(MOST_MARKS // self.groups(), 1)
        if x is None:
            marks = [(0, cell) for cell in self.cells]
        elif self.question.x is None:
            most = min(most, self.question.labels["x"])
            marks = [(cell["k_x"], cell) for cell in self.cells if cell["k_x"] <= most]
            self.say_top("x", x, min(most, len(self.tops["x"])), largest=True)
        else:
            axis = self.question.x
            most = min(most, _MOST_BINS if plan.kind == "histogram" else _MOST_SUMS)
            singly = _MOST_SUMS if axis.steps == "moment" else _MOST_SINGLE
            made = self.bars(axis, most, 0 if plan.kind == "histogram" else singly)
            marks = [(made.of[cell["k_x"]], cell) for cell in self.cells]
        joined = joined_marks(marks, added)
        cells = [cell for _, cell in joined]
        rows = self.rows_of(cells)
        if x is not None and self.question.x is None:
            labels = self.label("x", x, [place for place, _ in joined], scale="ordinal")
            columns["x"] = self.reordered("x", labels, x, by_size=True)
        elif x is not None:
            columns["x"] = self.axis_column("x", x, made, [place for place, _ in joined])
        title = words.sum_of(plan.y, summed=rows > len(joined)) if plan.y is not None else "rows"
        name = self.name_of(plan.y.name if plan.y is not None else "rows", "y")
        columns["y"] = Column(
            Field(name, "quantitative", title, whole=are_whole(plan.y)), [number(c[key]) for c in cells]
        )
        columns |= self.colors_and_facets(cells)
        self.say_left_out()
        self._say_gathered(rows, len({place for place, _ in joined}), made if self.question.x is not None else None)
        lies = {"x": columns["y"], "y": columns["x"]} | {k: v for k, v in columns.items() if k not in {"x", "y"}}
        return self.made(lies if plan.across else columns, stacked=plan.kind in {"bar", "histogram", "area"})

    def _say_gathered(self, rows: int, places: int, made: Bars | None) -> None:
        """Say that the database has put *rows* together, where bars do not stand for one row each."""
        if not places or rows <= places:
            return
        noun = "bin" if made is not None and made.ends is not None else self._noun()
        width = f" of {made.width}" if made is not None and made.width else ""
        done = "counted" if self.plan.y is None else "added up"
        self.said.insert(0, f"{counted(rows, 'row')}, {done} by the database in {counted(places, noun)}{width}.")

    def _noun(self) -> str:
        return "point" if self.plan.kind in {"line", "area"} else "bar"


class _Extremes(Reader):
    """Lines and areas of the smallest and the largest of each column of pixels."""

    def drawing(self) -> Drawing:
        """Return the drawing."""
        width, marks = 1, [(cell["k_x"], cell) for cell in self.cells]
        while (total := sum(_points(cell) for _, cell in marks)) > MOST_MARKS:
            width *= 2
            marks = joined_marks([(at // 2, cell) for at, cell in marks], ())
        drawn: list[tuple[Any, Any, dict[str, Any]]] = []
        for _, cell in marks:
            ends = sorted({(cell["lx"], cell["ly"]), (cell["hx"], cell["hy"])})
            drawn += [(x, y, cell) for x, y in ends]
        cells = [cell for *_, cell in drawn]
        columns = self.positions([x for x, *_ in drawn], [number(y) for _, y, _ in drawn])
        columns |= self.colors_and_facets(cells)
        self.say_left_out()
        rows = self.rows_of(self.cells)
        if total < rows:
            kept = f"the smallest and the largest of each of {COLUMNS // width:,} columns of pixels"
            self.said.insert(0, f"{counted(rows, 'row')}: {kept}.")
        return self.made(columns)


class _Stack(Reader):
    """Areas on top of each other."""

    def drawing(self) -> Drawing:
        """Return the drawing."""
        steps = {step["k_x"]: step["steps"] for step in self.answer["steps"] or ()}
        marks = [(cell["k_x"], cell) for cell in self.cells]
        lows: dict[int, Any] = {}
        for at, cell in marks:
            lows[at] = min(cell["lx"], lows.get(at, cell["lx"]))
        while len(marks) > MOST_MARKS:
            marks = joined_marks([(at // 2, cell) for at, cell in marks], ("n", "s"))
            joined: dict[int, int] = {}
            for at, xs in steps.items():
                joined[at // 2] = joined.get(at // 2, 0) + xs
            steps = joined
            lows = {at // 2: low for at, low in sorted(lows.items(), reverse=True)}
        cells = [cell for _, cell in marks]
        columns = self.positions([lows[at] for at, _ in marks], [cell["s"] / steps[at] for at, cell in marks])
        columns |= self.colors_and_facets(cells)
        self.say_left_out()
        rows, places = self.rows_of(cells), len({at for at, _ in marks})
        self.said.insert(0, f"{counted(rows, 'row')}: the mean of each of {places:,} columns of pixels.")
        return self.made(columns, stacked=True)


class _Plane(Reader):
    """Clouds and heatmaps."""

    def drawing(self) -> Drawing:
        """Return the drawing."""
        question, plan = self.question, self.plan
        most = {"x": 64, "y": 64}
        for label in ("x", "y"):
            most[label] = min(most[label], question.labels.get(label, most[label]))
        while True:
            placed = {name: self._places(name, most[name]) for name in ("x", "y")}
            marks = joined_marks(
                [
                    ((placed["x"][1][cell["k_x"]], placed["y"][1][cell["k_y"]]), cell)
                    for cell in self.cells
                    if cell["k_x"] in placed["x"][1] and cell["k_y"] in placed["y"][1]
                ],
                ("n", "s", "k") if takes_mean(plan, question.mode) else ("n",),
            )
            if "c" in question.labels:
                marks = _most_frequent(marks)
            if len(marks) <= MOST_MARKS:
                break
            most = {name: most[name] // 2 for name in most}
        cells = [cell for _, cell in marks]
        columns: dict[str, Column] = {}
        for at, (channel, source) in enumerate((("x", plan.x), ("y", plan.y))):
            assert source is not None  # noqa: S101 - both kinds have two
            places = [place[at] for place, _ in marks]
            made = placed[channel][0]
            if made is None:
                labels = self.label(channel, source, places, scale="ordinal")
                columns[channel] = self.reordered(channel, labels, source)
                self.say_top(channel, source, min(most[channel], len(self.tops[channel])))
            else:
                columns[channel] = self.axis_column(channel, source, made, places)
        columns |= self.colors_and_facets(cells)
        columns |= self._weights(cells)
        self.say_left_out()
        if (rows := self.rows_of(cells)) > len(marks):
            self.said.insert(0, f"{counted(rows, 'row')} in {counted(len(marks), 'cell')}.")
        if "color" in columns and "c" in question.labels:
            self.said.append(f"The colour is that of the most frequent {columns['color'].field.title} in a cell.")
        return self.made(columns, dense=True)

    def _places(self, name: str, most: int) -> tuple[Bars | None, Mapping[int, int]]:
        """Return the bars of an axis of a plane and the place of each key, or the ranks of labels."""
        axis = self.question.x if name == "x" else self.question.y
        if axis is None:
            return None, {rank: rank for rank in range(1, min(most, len(self.tops[name])) + 1)}
        made = self.bars(axis, most, 0, as_bins=self.plan.kind == "point")
        return made, made.of

    def _weights(self, cells: Sequence[dict[str, Any]]) -> dict[str, Column]:
        """Return what colours the cells of a plane: the mean of a number, or the number of rows."""
        plan = self.plan
        rows = Column(Field(self.name_of("rows", "rows"), "quantitative", "rows", whole=True), [])
        rows.values = [cell[self.counts] for cell in cells]
        if takes_mean(plan, self.question.mode) and plan.color is not None:
            means = [float(cell["s"] / cell["k"]) for cell in cells]
            once = all(cell["k"] == 1 for cell in cells)
            title = plan.color.name if once else f"mean of {plan.color.name}"
            field = Field(self.name_of(plan.color.name, "color"), "quantitative", title)
            return {"color": Column(field, means), "tooltip": rows}
        return {"opacity" if "c" in self.question.labels else "color": rows}


class _Boxes(Reader):
    """Boxes."""

    def drawing(self) -> Drawing:
        """Return the drawing."""
        plan = self.plan
        assert plan.y is not None  # noqa: S101 - boxes have one
        cells = [cell for cell in self.cells for _ in range(9)]
        values: list[float] = []
        for cell in self.cells:
            low, middle, high = cell["q"]
            values += [cell["lo"], cell["wl"], low, middle, middle, middle, high, cell["wh"], cell["hi"]]
        columns: dict[str, Column] = {}
        if plan.x is not None:
            columns["x"] = self.label("x", plan.x, [cell["k_x"] for cell in cells], scale="ordinal")
            self.say_top("x", plan.x, len(self.tops["x"]))
        columns["y"] = self.position("y", plan.y, None, values)
        columns |= self.colors_and_facets(cells)
        self.say_left_out()
        if self.cells:
            boxes = f"{len(self.cells)} boxes" if len(self.cells) != 1 else "1 box"
            rows = counted(self.rows_of(self.cells), "row")
            self.said.insert(0, f"{rows} in {boxes}: exact quartiles, and beyond the whiskers the extremes only.")
        return self.made(across(columns) if plan.across else columns, five=True)


class _Rows(Reader):
    """A few rows, drawn as they are."""

    def drawing(self) -> Drawing:
        """Return the drawing."""
        plan, question = self.plan, self.question
        placed = [name for name, axis in (("x", question.x), ("y", question.y)) if axis is not None]
        placed += ["y"] if question.mode in {"stack", "boxes"} else []
        placed += ["c"] if takes_mean(plan, question.mode) else []
        rows = [row for row in self.answer["few"] or () if all(row[name] is not None for name in placed)]
        self.drawn = len(rows)
        ranks = {
            label: {value: at + 1 for at, value in enumerate(self.answer[f"top_{label}"] or ())}
            for label in question.labels
        }
        ranked = [(row, {f"k_{label}": ranks[label].get(row[label]) for label in ranks}) for row in rows]
        folded = {"k_c"} if question.folds else set()
        kept = [
            (row, cell)
            for row, cell in ranked
            if all(rank is not None for key, rank in cell.items() if key not in folded)
        ]
        cells = [cell for _, cell in kept]
        columns: dict[str, Column] = {}
        for name, source, axis in (("x", plan.x, question.x), ("y", plan.y, question.y)):
            if source is not None and name in question.labels:
                columns[name] = self.label(name, source, [cell[f"k_{name}"] for cell in cells], scale="ordinal")
                self.say_top(name, source, len(self.tops[name]))
            elif source is not None:
                columns[name] = self.position(name, source, axis, [row[name] for row, _ in kept])
        columns |= self.colors_and_facets(cells)
        if takes_mean(plan, question.mode) and plan.color is not None:
            field = Field(self.name_of(plan.color.name, "color"), "quantitative", plan.color.name)
            columns["color"] = Column(field, [row["c"] for row, _ in kept])
        self.say_left_out()
        return self.made(across(columns) if plan.across else columns, stacked=question.mode == "stack")


def across(columns: dict[str, Column]) -> dict[str, Column]:
    """Return *columns* with x and y exchanged."""
    turned = {"x": columns.get("y"), "y": columns.get("x")}
    return {k: v for k, v in turned.items() if v is not None} | {k: v for k, v in columns.items() if k not in turned}


def joined_marks(marks: Iterable[tuple[Any, dict[str, Any]]], added: Sequence[str]) -> list[tuple[Any, dict[str, Any]]]:
    """Return *marks* with those of one place, colour and facet as one, in the order of their places."""
    joined: dict[tuple[Any, ...], tuple[Any, dict[str, Any]]] = {}
    for place, cell in marks:
        key = (place, cell.get("k_c"), cell.get("k_f"))
        if key not in joined:
            joined[key] = (place, dict(cell))
            continue
        whole = joined[key][1]
        for name in added:
            if cell[name] is not None:
                whole[name] = cell[name] if whole[name] is None else whole[name] + cell[name]
        if "hy" in cell:
            _widen(whole, cell)
    return sorted(joined.values(), key=lambda mark: mark[0])


def _widen(whole: dict[str, Any], cell: Mapping[str, Any]) -> None:
    """Take the smallest and the largest of both."""
    if cell["ly"] < whole["ly"]:
        whole["ly"], whole["lx"] = cell["ly"], cell["lx"]
    if cell["hy"] > whole["hy"]:
        whole["hy"], whole["hx"] = cell["hy"], cell["hx"]


def _most_frequent(marks: Sequence[tuple[Any, dict[str, Any]]]) -> list[tuple[Any, dict[str, Any]]]:
    """Return one mark for each place and facet: of its most frequent colour, with the rows of all."""
    best: dict[tuple[Any, Any], tuple[Any, dict[str, Any]]] = {}
    rows: dict[tuple[Any, Any], int] = {}
    for place, cell in marks:
        key = (place, cell.get("k_f"))
        rows[key] = rows.get(key, 0) + cell["n"]
        if key not in best or best[key][1]["n"] < cell["n"]:
            best[key] = (place, cell)
    return [(place, cell | {"n": rows[key]}) for key, (place, cell) in best.items()]


def _points(cell: Mapping[str, Any]) -> int:
    return 1 if (cell["lx"], cell["ly"]) == (cell["hx"], cell["hy"]) else 2

"""What reading an answer of every kind needs: columns of marks, labels, axes, and the sentences of the subtitle."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from md_magic.session.chart import axis as axes
from md_magic.session.chart import words
from md_magic.session.chart.query import MOST_COLORS, MOST_FACETS, PLANE, drawn, takes_mean
from md_magic.session.chart.values import MOST_MARKS, OF_OBJECTS, Drawing, Field, Scale
from md_magic.session.profile.kinds import is_integer, shown
from md_magic.wording import count as counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from md_magic.session.chart.axis import Axis, Bars
    from md_magic.session.chart.channels import Source
    from md_magic.session.chart.query import Question

_EXACT = 2**53
"""Whole numbers below it are exact in a browser."""

_PLAIN, _PRINTABLE = r"[A-Za-z_]\w*", r"[^\"\\]*[^\"\\\s][^\"\\]*"


@dataclass
class Column:
    """A column of the marks while it is made."""

    field: Field
    values: list[Any]
    ends: list[Any] | None = None


class Reader:
    """Reads one answer."""

    def __init__(self, question: Question, answer: Mapping[str, Any], limit: int | None) -> None:
        self.question, self.answer = question, answer
        self.plan = question.plan
        self.rows: int = answer["rows"]
        self.drawn: int = answer["drawn"] or 0
        self.counts = drawn(question.plan, question.mode)
        self.cells: list[dict[str, Any]] = answer["cells"] or []
        for cell in self.cells if self.cells and "k_xy" in self.cells[0] else ():
            cell["k_x"], cell["k_y"] = divmod(cell["k_xy"], PLANE)
        self.said: list[str] = [] if self.rows else ["The query gave no rows."]
        self.names: set[str] = set()
        self.tops = {
            label: _distinct([_text(value) for value in answer[f"top_{label}"] or ()]) for label in question.labels
        }
        if limit is not None and answer["found"] > limit:
            self.said.append(f"The first {counted(limit, 'row')}; there are more.")

    def made(self, columns: Mapping[str, Column], **more: Any) -> Drawing:  # noqa: ANN401 - fields of Drawing
        """Return the drawing of *columns*, by their channels."""
        data: dict[str, list[Any]] = {}
        for column in columns.values():
            data[column.field.name] = column.values
            if column.ends is not None:
                data[column.field.end] = column.ends
        channels = {channel: column.field for channel, column in columns.items()}
        title = words.title(self.plan, channels)
        other = self.other_name() if "c" in self.question.labels and self.question.folds else ""
        return Drawing(self.plan.kind, title, channels, data, self.rows, tuple(self.said), other=other, **more)

    def name_of(self, wanted: str, channel: str) -> str:
        """Return *wanted* as the name of a column that no other one has, and that a browser's objects may have."""
        plain = _PLAIN if self.plan.kind == "box" else _PRINTABLE  # a box is computed by expressions that name it
        fits = re.fullmatch(plain, wanted) is not None and wanted.isprintable() and wanted not in OF_OBJECTS
        name = wanted = wanted if fits else channel
        number = 1
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.add(name)
        return name

    def say_left_out(self) -> None:
        """Say how many rows have no place, for want of a value."""
        if self.rows > self.drawn:
            *names, last = dict.fromkeys(self.placed())
            what = f"{', '.join(names)} or {last}" if names else last
            self.said.append(f"{counted(self.rows - self.drawn, 'row')} without {what} left out.")

    def rows_of(self, cells: Iterable[Mapping[str, Any]]) -> int:
        """Return the number of rows that *cells* are made of."""
        return sum(cell[self.counts] for cell in cells)

    def placed(self) -> Iterator[str]:
        """Return the names of the columns without whose values a row has no place, with what a value is."""
        question, plan = self.question, self.plan
        for name, source, axis in (("x", plan.x, question.x), ("y", plan.y, question.y)):
            if source is not None and name not in question.labels:
                yield f"{source.name} (years 1 to 9999)" if axis is not None and axis.has_years else source.name
        if takes_mean(plan, question.mode) and plan.color is not None:
            yield plan.color.name

    def label(self, label: str, source: Source, ranks: Sequence[int | None], *, scale: Scale = "nominal") -> Column:
        """Return the column of a label from the ranks of its values."""
        top = self.tops[label]
        values = [self.other_name() if rank is None else top[rank - 1] for rank in ranks]
        order = _ordered(dict.fromkeys(top[rank - 1] for rank in ranks if rank is not None), source)
        if None in ranks:
            order.append(self.other_name())
        channel = {"c": "color", "f": "facet"}.get(label, label)
        return Column(Field(self.name_of(source.name, channel), scale, source.name, order=tuple(order)), values)

    def other_name(self) -> str:
        """Return the name of the colours that are drawn together, which no colour has; empty where there are none."""
        if self.answer["of_c"] <= MOST_COLORS:
            return ""
        name = f"{self.answer['of_c'] - MOST_COLORS:,} others"
        return _distinct([*self.tops["c"], name])[-1]

    def say_top(self, label: str, source: Source, kept: int, *, largest: bool = False) -> None:
        """Say how many values of a label are drawn, where it is not all of them."""
        of = self.answer[f"of_{label}"]
        if of > kept:
            rank = "largest" if largest else "most frequent"
            self.said.append(f"The {kept} {rank} of {of:,} values of {source.name}.")

    def colors_and_facets(self, cells: Sequence[dict[str, Any]]) -> dict[str, Column]:
        """Return the columns of labels that colour and divide the marks, one of which each of *cells* is."""
        columns = {}
        if "c" in self.question.labels and self.plan.color is not None:
            columns["color"] = self.label("c", self.plan.color, [cell["k_c"] for cell in cells])
            if not self.question.folds:
                self.say_top("c", self.plan.color, MOST_COLORS)
        if "f" in self.question.labels and self.plan.facet is not None:
            columns["facet"] = self.label("f", self.plan.facet, [cell["k_f"] for cell in cells])
            self.say_top("f", self.plan.facet, MOST_FACETS)
        return columns

    def groups(self) -> int:
        """Return how many marks each bar may have: one for each colour and facet."""
        return max(len({(cell.get("k_c"), cell.get("k_f")) for cell in self.cells}), 1)

    def reordered(self, label: str, column: Column, source: Source, *, by_size: bool = False) -> Column:
        """Return *column* with its labels in the order of the query, where that is known; *by_size*, else by rank."""
        top = self.answer[f"top_{label}"] or ()
        in_order = self.answer.get(f"in_order_{label}") if self.rows <= MOST_MARKS else None
        known = in_order or (top if by_size else ())
        if source.kind.startswith("ENUM(") or not known:
            return column
        ranks = {value: at for at, value in enumerate(top)}
        order = [self.tops[label][ranks[value]] for value in known if value in ranks]
        used = set(column.values)
        column.field = replace(column.field, order=tuple(text for text in order if text in used))
        return column

    def bars(self, axis: Axis, most: int, singly: int, *, as_bins: bool = False) -> Bars:
        """Return the bars of *axis*: see `axis.bars`."""
        name = axis.name
        cells = {cell[f"k_{name}"] for cell in self.cells}
        values = [value for value in self.answer.get("single") or () if value["x"] in cells]
        are_single = values and all(value["low"] == value["high"] for value in values)
        single = {value["x"]: value["low"] for value in values} if are_single else None
        return axes.bars(axis, self.answer, cells, single, most=most, singly=singly, as_bins=as_bins)

    def axis_column(self, channel: str, source: Source, made: Bars, places: Sequence[int]) -> Column:
        """Return the column of the bars *made* of an axis, at the *places* of the marks."""
        axis = self.question.x if channel == "x" else self.question.y
        assert axis is not None  # noqa: S101 - callers have one
        name = self.name_of(source.name, channel)
        title = self.title_of(source, axis)
        values = [made.starts[at] for at in places]
        if made.ends is None:
            exact = all(abs(value) < _EXACT for value in made.starts)  # a browser rounds others
            written = values if exact else [str(value) for value in values]
            order = tuple(made.starts if exact else map(str, made.starts))
            return Column(Field(name, "ordinal", title, order=order), written)
        end = self.name_of(f"{source.name}_end", f"{channel}_end")
        field = Field(
            name,
            "temporal" if axis.steps == "moment" else "quantitative",
            title,
            end=end,
            whole=axis.steps == "whole",
            clock=_is_clock(source),
        )
        return Column(field, values, [made.ends[at] for at in places])

    def title_of(self, source: Source, axis: Axis | None) -> str:
        """Return the name of a column, with the time zone or the unit that its values are shown in."""
        if source.kind == "INTERVAL":
            return f"{source.name} (seconds)"
        return f"{source.name} ({self.answer['zone']})" if axis is not None and axis.zoned else source.name

    def position(self, channel: str, source: Source, axis: Axis | None, values: list[Any]) -> Column:
        """Return the column of single positions on an axis."""
        scale: Scale = "temporal" if source.role == "moment" and axis is not None else "quantitative"
        title = self.title_of(source, axis)
        field = Field(
            self.name_of(source.name, channel), scale, title, whole=is_integer(source.kind), clock=_is_clock(source)
        )
        return Column(field, [_plain(value, source) for value in values])

    def positions(self, xs: list[Any], ys: list[Any]) -> dict[str, Column]:
        """Return the columns of single positions on both axes."""
        columns = {}
        for channel, source, values in (("x", self.plan.x, xs), ("y", self.plan.y, ys)):
            if source is None:
                continue
            axis = self.question.x if channel == "x" else self.question.y
            columns[channel] = self.position(channel, source, axis, values)
        return columns


def number(value: Any) -> Any:  # noqa: ANN401 - a number of any type
    """Return *value* as JSON can hold it."""
    return float(value) if isinstance(value, Decimal) else value


def _plain(value: Any, source: Source) -> Any:  # noqa: ANN401 - see above
    """Return *value* as the shortest number that is the same: a FLOAT's 0.1 is 0.10000000149 as a DOUBLE."""
    if source.kind == "FLOAT" and value is not None:
        return float(f"{value:.7g}")
    return number(value)


def are_whole(source: Source | None) -> bool:
    """Whether sums of *source*, or numbers of rows, are whole."""
    return source is None or is_integer(source.kind)


def _is_clock(source: Source) -> bool:
    return source.kind.startswith("TIME") and not source.kind.startswith("TIMESTAMP")


def _text(value: str | None) -> str:
    return "NULL" if value is None else shown(value)


def _distinct(texts: Sequence[str]) -> list[str]:
    """Return *texts*, which stand for different values, with a number behind those that were cut to the same."""
    made: dict[str, None] = {}
    for text in texts:
        name, number = text, 1
        while name in made:
            number += 1
            name = f"{text} ({number})"
        made[name] = None
    return list(made)


def _ordered(values: Iterable[str], source: Source, *, keep: bool = False) -> list[str]:
    """Return the labels of *source* in their natural order: an ENUM's own, numbers by size, else by the alphabet.

    With *keep*, texts stay as they came.
    """
    texts = list(values)
    if source.kind.startswith("ENUM("):
        own = {value: at for at, value in enumerate(words.enum_values(source.kind))}
        texts.sort(key=lambda text: own.get(text, len(own)))
    elif source.role == "number":
        texts.sort(key=_size)
    elif not keep or source.role == "moment":
        texts.sort()
    return texts


def _size(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")  # NULL

"""A plan: a tree of operators, with estimates, and with measurements where the statement was run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Side = Literal[
    "local",  # MotherDuck runs the operator in this process
    "remote",  # MotherDuck runs the operator in its own
]

Direction = Literal[
    "upload",  # from this process to MotherDuck's
    "download",  # from MotherDuck's to this one
]

Place = Literal["local", "remote", "transfer"]
"""Where a statement spends its time; `transfer` is the time of the operators that data travels through."""

TOO_FAR = 10
"""An estimate is marked if it is wrong by more than this factor."""


class Bridge(NamedTuple):
    """Data that travels between this process and MotherDuck: two operators, one on each side."""

    direction: Direction
    id: str = ""
    """What the two ends have in common; empty where the plan does not say."""


class Crossing(NamedTuple):
    """The rows that travel over one bridge."""

    direction: Direction
    rows: int | None
    """As they were counted; `None` where the statement was not run."""

    estimated: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One step of a plan, which reads the rows of its children."""

    name: str
    estimated: int | None = None
    """Rows that the optimizer expects; `None` if unknown."""

    rows: int | None = None
    """Rows that it produced; `None` if the statement was not run."""

    seconds: float | None = None
    """Time that it took, summed over all threads; `None` if the statement was not run."""

    side: Side | None = None
    bridge: Bridge | None = None
    """What travels through it; `None` for an operator that works on one side."""

    extra: Mapping[str, str] = field(default_factory=dict)
    """Further details, such as tables, conditions, filters and expressions; several values stand on separate lines."""

    children: tuple[Operator, ...] = ()

    def __repr__(self) -> str:
        """Return one line, without the children: they may be a thousand deep."""
        measures: dict[str, object] = {"estimated": self.estimated, "rows": self.rows, "seconds": self.seconds}
        measures |= {"side": self.side, "bridge": tuple(self.bridge) if self.bridge else None}
        fields = [f"{name}={value!r}" for name, value in measures.items() if value is not None]
        return f"Operator({', '.join([repr(self.name), *fields, f'children={len(self.children)}'])})"

    @property
    def misestimate(self) -> float | None:
        """Rows divided by the estimate, if that is more than 10 or less than a tenth; else `None`.

        Zero rows count as one. `None` also if there is nothing to compare.
        """
        if self.estimated is None or self.rows is None:
            return None
        times = max(self.rows, 1) / max(self.estimated, 1)
        return times if times > TOO_FAR or times < 1 / TOO_FAR else None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The plan of a statement: with estimates from `--explain`, and with measurements from `--analyze`."""

    operators: tuple[Operator, ...]
    """All operators, parents before children; the first one produces the result."""

    analyzed: bool = False
    seconds: float | None = None
    """Elapsed time of the statement; `None` if it was not run."""

    notes: tuple[str, ...] = ()
    """Sentences about the plan as a whole."""

    text: str = ""
    """The database's answer unchanged, if it cannot be parsed."""

    @property
    def scans_a_table(self) -> bool:
        """Whether the rows are those of one of DuckDB's own tables, all of them, with its columns as they are."""
        if len(self.operators) != 1 or self.operators[0].name != "SEQ_SCAN":
            return False
        return self.operators[0].extra.keys() <= {"Table", "Type", "Projections"}  # no filter, no sample

    @property
    def busy(self) -> float:
        """Seconds that all operators took, over all threads."""
        return sum(operator.seconds or 0.0 for operator in self.operators)

    @property
    def costliest(self) -> Operator | None:
        """The operator that took the most time; `None` where none was measured."""
        slowest = max(self.operators, key=lambda operator: operator.seconds or 0.0, default=None)
        return slowest if slowest is not None and slowest.seconds else None

    @property
    def misestimates(self) -> tuple[Operator, ...]:
        """The operators whose rows are far from the estimate."""
        return tuple(operator for operator in self.operators if operator.misestimate)

    @property
    def places(self) -> dict[Place, float]:
        """Seconds of the operators in each place, over all threads; empty where all is in one process.

        Operators that the plan puts nowhere are not counted.
        """
        seconds: dict[Place, float] = {}
        for operator in self.operators:
            place: Place | None = "transfer" if operator.bridge else operator.side
            if place is not None:
                seconds[place] = seconds.get(place, 0.0) + (operator.seconds or 0.0)
        return seconds

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """What travels, over each bridge once: its two ends count the same rows."""
        bridges: dict[object, list[Operator]] = {}
        below = {id(child): parent for parent in self.operators if parent.bridge for child in parent.children}
        for operator in self.operators:
            if operator.bridge is None:
                continue
            parent = below.get(id(operator))
            paired = parent is not None and parent.bridge == operator.bridge and not operator.bridge.id
            key = id(parent if paired else operator)
            bridges.setdefault(operator.bridge if operator.bridge.id else key, []).append(operator)
        return tuple(
            Crossing(
                ends[0].bridge.direction,
                max((end.rows for end in ends if end.rows is not None), default=None),
                max((end.estimated for end in ends if end.estimated is not None), default=None),
            )
            for ends in bridges.values()
            if ends[0].bridge is not None
        )

    def share(self, operator: Operator) -> float | None:
        """Return the part of all operators' time that *operator* took, from 0 to 1."""
        busy = self.busy
        return operator.seconds / busy if operator.seconds is not None and busy else None

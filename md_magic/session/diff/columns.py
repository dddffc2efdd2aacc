"""Which columns of two tables are compared, as what, and which of them are the key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.engine.backends.digests import common
from md_magic.engine.results.batches import unique_names
from md_magic.errors import OptionError
from md_magic.session.diff.value import ComparedColumn
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from md_magic.session.diff.sides import Side


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of both tables."""

    every: tuple[ComparedColumn, ...]
    compared: tuple[ComparedColumn, ...]
    """Those of both, in the order of the first."""

    places: tuple[tuple[int, ...], tuple[int, ...]]
    """Where each side has those of both."""

    widths: tuple[int, int]
    """How many columns each side has."""

    @property
    def documents(self) -> list[int]:
        """Which of `compared` are JSON documents of two databases, whose texts only Python makes alike."""
        return [at for at, column in enumerate(self.compared) if column.kind == "document"]


def read(here: Side, there: Side) -> Columns:
    """Return the columns of both sides, matched by name.

    A name that differs in its capitals only is the same, where no other is: an unquoted name is written so on one
    database, and so on another. A second column of one name is `a_1`, as in a frame.
    """
    described = [_described(side) for side in (here, there)]
    (names, kinds), (others, other_kinds) = described
    places = _matched(names, others)
    every = [
        _both(here, there, name, kind, other_kinds[places[at]]) if at in places else ComparedColumn(name, kind, None)
        for at, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    compared = [every[at] for at in range(len(names)) if at in places]
    matched = set(places.values())
    every += [
        ComparedColumn(name, None, kind)
        for at, (name, kind) in enumerate(zip(others, other_kinds, strict=True))
        if at not in matched
    ]
    mine = tuple(sorted(places))
    return Columns(tuple(every), tuple(compared), (mine, tuple(places[at] for at in mine)), (len(names), len(others)))


def _described(side: Side) -> tuple[list[str], list[str]]:
    columns = side.digests.columns(side.about)
    return unique_names([name for name, _ in columns], exact=True), [kind for _, kind in columns]


def _matched(here: Sequence[str], there: Sequence[str]) -> dict[int, int]:
    """Return by the place of a name *here* that of the same name *there*: first those that are written alike."""
    matched: dict[int, int] = {}
    for spelt in (str, str.casefold):
        free = {spelt(name): at for at, name in reversed(list(enumerate(there))) if at not in matched.values()}
        for at, name in enumerate(here):
            if at not in matched and (other := free.pop(spelt(name), None)) is not None:
                matched[at] = other
    return matched


def _both(here: Side, there: Side, name: str, kind: str, other: str) -> ComparedColumn:
    """Return the column of both sides, with types *kind* and *other*."""
    kinds = here.digests.kind(kind), there.digests.kind(other)
    one_dialect = here.digests.dialect == there.digests.dialect
    of_one_kind = kinds[0] == kinds[1] or {*kinds} == {"single", "double"}
    differs = not of_one_kind or (one_dialect and kind != other)
    if kinds == ("nested", "nested") and one_dialect and (owned := here.digests.owned(here.ask, kind, other)):
        return ComparedColumn(name, kind, other, differs, "own", as_type=owned)
    return ComparedColumn(name, kind, other, differs, common(*kinds))


def key(sides: Iterable[Side], columns: Columns, on: Sequence[str]) -> list[str]:
    """Return the names of the key's columns, as the first side has them: *on*, by default what a database declares.

    Raises `OptionError` for a name *on* that is not in both.
    """
    names = [column.name for column in columns.compared]
    found = [_named(name, names) for name in on]
    for name, column in zip(on, found, strict=True):
        if column is None:
            message = (
                f"--on {name}: no such column is in both.{did_you_mean(name, names)}"
                f" Both have: {', '.join(names) or 'none'}."
            )
            raise OptionError(message)
    if on:
        return [name for name in found if name is not None]
    for side in sides:
        declared = [_named(name, names) for name in side.key()]
        if declared and None not in declared:
            return [name for name in declared if name is not None]
    return []


def _named(name: str, names: Sequence[str]) -> str | None:
    """Return the one of *names* that *name* means: the same, else the first in other capitals."""
    if name in names:
        return name
    return next((other for other in names if other.casefold() == name.casefold()), None)

"""The completion menu: suggestions, matching and ranking."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from md_magic.completion.scope.typed import Typed
    from md_magic.sql.quoting import Quoting

Word = Literal[
    "column",
    "database",
    "function",
    "keyword",
    "option",
    "path",
    "schema",
    "setting",
    "table",
    "type",
    "variable",
    "view",
    "target",
]
"""The type of a suggestion. JupyterLab shows it beside the suggestion, and has room for one word."""

MOST = 200
"""The most suggestions in a menu: more would make it slow, and nobody reads them."""

LONG = 2
"""Letters from which on every keyword is offered in any context, and names match in the middle."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line of the menu."""

    text: str
    """The text that replaces the fragment."""

    kind: Word


@dataclass(frozen=True, slots=True)
class Suggested:
    """The menu."""

    fragment: str = ""
    """The text before the cursor, which a suggestion replaces."""

    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible suggestion, before ranking."""

    name: str
    kind: Word
    rank: int
    text: Callable[[], str] | None = None
    """Returns the text to insert, if it is more than the name."""

    order: int = 0
    keyword: bool = False
    """Whether it is inserted without quotes."""


def ranked(candidates: Iterable[Candidate], typed: Typed, quoting: Quoting, *, plain: bool = False) -> Suggested:
    """Return the menu of the *candidates* that match *typed*, best first. With *plain*, none is quoted."""
    wanted = typed.prefix.lower()
    keyed = []
    for number, candidate in enumerate(candidates):
        tier = _tier(candidate, wanted)
        if tier is not None:
            order = candidate.order
            by_name = str(number if order else candidate.name.lower())
            keyed.append(((tier, candidate.rank, order, by_name, number), candidate))
    first = heapq.nsmallest(MOST * 2, keyed, key=lambda pair: pair[0])
    suggestions: dict[str, Suggestion] = {}
    for _, candidate in first:
        text = _written(candidate, typed, quoting, plain=plain)
        suggestions.setdefault(text, Suggestion(text, candidate.kind))
    return Suggested(typed.fragment, tuple(suggestions.values())[:MOST])


def fit(name: str, wanted: str, enough: int) -> int | None:
    """Rank the match of *wanted* in *name*: 0 at its beginning, 1 at the beginning of a word in it, 2 elsewhere.

    Matches elsewhere need *enough* letters. `None` if it does not match.
    """
    if not wanted or name.startswith(wanted):
        return 0
    if len(wanted) < enough or wanted not in name:
        return None
    return 1 if f"_{wanted}" in name or f" {wanted}" in name else 2


def _tier(candidate: Candidate, wanted: str) -> int | None:
    enough = {"function": LONG + 2, "keyword": len(wanted) + 1}.get(candidate.kind, LONG)
    return fit(candidate.name.lower(), wanted, enough)


def _written(candidate: Candidate, typed: Typed, quoting: Quoting, *, plain: bool) -> str:
    if plain or (candidate.keyword and not typed.quoted):
        return candidate.name
    if typed.quoted:
        text = quoting.identifier(candidate.name)
        return text[:-1] if typed.closed else text
    return candidate.text() if candidate.text is not None else quoting.where_needed(candidate.name)

"""`--diff`: opening the targets of the two sides, and comparing them as one run of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine import variables as namespace
from md_magic.errors import OptionError, StatementError
from md_magic.session.diff.compare import compare
from md_magic.session.diff.sides import OnTarget, Word
from md_magic.sql import target as targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from md_magic.session.diff.value import Diff
    from md_magic.session.session import Session
    from md_magic.sql.target import Target


def diff(
    session: Session,
    here: str,
    there: str,
    variables: Mapping[str, Any],
    *,
    on: Sequence[str] = (),
    opened: Callable[[Target], object],
) -> Diff:
    """Return what differs between two words of the line; *opened* opens a target, and signs in where that is needed.

    Raises `OptionError` for a column *on* that is not in both, and whatever running SQL there raises.
    """
    words = Word.read(here), Word.read(there)
    current = session.current
    assert current is not None  # noqa: S101 - the caller has opened it
    sides = []
    for word in words:
        if not (word.query or word.name):
            line, typed = map(session.history.masked, (f"--diff {here} {there}", word.text))
            message = f"{line}: {typed!r} names nothing. Write a table, a query or @target:table."
            raise OptionError(message)
        target = session.resolve(word.target, variables) if word.target else current
        with session.selection.aside(target):
            opened(target)
            target = session.current or target  # signed in
        sides.append(_side(session, word, target, variables))
    return compare(sides[0], sides[1], on, session.stoppable)


def _side(session: Session, word: Word, target: Target, variables: Mapping[str, Any]) -> OnTarget:
    """Return what *word* names on *target*: a frame is read in memory where the database there reads none."""
    side = OnTarget(session, word, target, variables)
    if side.backend.scans_python_tables or word.name not in namespace.tables(variables):
        return side
    try:
        side.about("SELECT 1 AS a FROM (\n", "\n) AS q WHERE 1 = 0")
    except StatementError:  # no table has the name
        return OnTarget(session, word, session.resolve(targets.MEMORY), variables)
    return side

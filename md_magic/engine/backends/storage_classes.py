"""SQLite's columns whose values are of several storage classes, and copying them so that all keep their differences.

The invariant: two values are copied to equal ones exactly if SQLite takes them for equal: 1 and 1.0 are, 1 and '1' are
not, and neither are two BLOBs with other bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EXACT = 2**53
"""Integers up to this one are REALs without loss."""

_NUMBERS = frozenset({"integer", "large", "real"})


class StorageClasses:
    """SQL about the values of a query; each method returns what stands before it, and after it."""

    def asked(self, columns: int) -> tuple[str, str]:
        """Return SQL for which classes each of the *columns* of a query has: `integer,text`."""
        listed = ", ".join(
            f"group_concat(DISTINCT CASE WHEN typeof(c{at}) = 'integer' AND c{at} NOT BETWEEN -{_EXACT} AND {_EXACT}"
            f" THEN 'large' ELSE typeof(c{at}) END) AS k{at}"
            for at in range(columns)
        )
        return _named(columns), f"\n) SELECT {listed} FROM q"  # noqa: S608 - names of ours

    def read(self, answer: Mapping[str, Sequence[str | None]]) -> list[frozenset[str]]:
        """Return the classes of each column, from what `asked` gave, without those of NULLs."""
        return [frozenset((column[0] or "").split(",")) - {"null", ""} for column in answer.values()]

    def copied(
        self, names: Sequence[str], own: Sequence[frozenset[str]], common: Sequence[frozenset[str]], *, marked: bool
    ) -> tuple[str, str]:
        """Return SQL that copies columns with *names*, whose values are of the classes *own*.

        Those *common* to both tables say what is written as text. *marked* ones are SQL's literals, so that no number
        is a text; else a text stays as it is.
        """
        values = [
            _value(f"c{at}", mine, both, marked=marked) for at, (mine, both) in enumerate(zip(own, common, strict=True))
        ]
        if all(value == f"c{at}" for at, value in enumerate(values)):
            return "", ""
        listed = ", ".join(f"{value} AS {_quoted(name)}" for value, name in zip(values, names, strict=True))
        return _named(len(names)), f"\n) SELECT {listed} FROM q"  # noqa: S608 - names in quotes


def _named(columns: int) -> str:
    return f"WITH q({', '.join(f'c{at}' for at in range(columns))}) AS (\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _value(value: str, own: frozenset[str], common: frozenset[str], *, marked: bool) -> str:
    """Return SQL for how *value*, of a column with the classes *own* here and *common* in both tables, is copied."""
    kinds = (bool(common & _NUMBERS), "text" in common, "blob" in common)
    if sum(kinds) < 2 and not {"large", "real"} <= common:  # noqa: PLR2004 - one kind is as it is
        return f"CAST({value} AS REAL)" if {"integer", "real"} <= own else value
    shortest = f"CAST({value} AS TEXT)"
    real = f"CASE WHEN CAST({shortest} AS REAL) = {value} THEN {shortest} ELSE printf('%!.17g', {value}) END"
    whole = f"CAST({value} AS INTEGER)"
    text = f"'''' || {value} || ''''" if marked else value
    return (
        f"CASE typeof({value}) WHEN 'integer' THEN {shortest} WHEN 'text' THEN {text} WHEN 'blob' THEN quote({value})"
        f" WHEN 'real' THEN CASE WHEN {value} = {whole} THEN CAST({whole} AS TEXT) ELSE {real} END END"
    )

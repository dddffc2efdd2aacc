"""Distinct values, counted in one pass over all rows with little memory.

DuckDB's own `approx_count_distinct` has 64 registers: one count in three is more than 13 % off. `count(DISTINCT)` needs
memory for every value, and 50 ms of a processor for each column of however few rows. Instead, each value's hash marks a
bit of a bitmap of fixed size, and the share of marked bits tells how many values there were (linear counting). A full
bitmap tells nothing: two more take every 64th and every 4096th hash. That costs little more than
`approx_count_distinct`, and was within 1 % wherever it was measured (`benchmarks/distinct.py`).

The count is exact, and said to be,

* where all values lie in a range that a bitmap can hold value by value: small numbers, dates, BOOLEAN, ENUM;
* where the sample has every row;
* where few values were seen: two bitmaps of independent bits and the sample show the same number of them. A further
  value would have to be missing in the sample and to share its bits in both: with 500 values, once in 270,000.
  Nested values have no sample, so that 30 are the most: two of them share both bits once in 300,000 columns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from md_magic.session.profile.kinds import family_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = (0, 6, 12)
"""Each bitmap takes hashes whose first bits, so many, are 0."""

_FULL = 0.9975
"""The share of marked bits, of six values for each bit, from which the next bitmap is more exact."""

_SECOND = 16
"""Bits of the position in the bitmap that confirms a small number."""

_CONFIRMED, _CONFIRMED_ALONE = 500, 30
"""The most values that are confirmed by the second bitmap, with the sample or without one."""

_RANGES = {
    "BOOLEAN": (0, 1),
    "TINYINT": (-128, 127),
    "UTINYINT": (0, 255),
    "SMALLINT": (-32768, 32767),
    "USMALLINT": (0, 65535),
    **dict.fromkeys(["INTEGER", "BIGINT", "HUGEINT"], (-10_000, 100_000)),
    **dict.fromkeys(["UINTEGER", "UBIGINT", "UHUGEINT"], (0, 100_000)),
    "DATE": (-60_000, 60_000),  # 1805 to 2134
    "ENUM": (0, 65_535),
}
"""Ranges in which values are counted one by one."""

_WHOLE_RANGE = frozenset({"BOOLEAN", "TINYINT", "UTINYINT", "SMALLINT", "USMALLINT"})


def bits(columns: int) -> int:
    """Return the number of bits of a position in the bitmaps: 128 kB each for up to 64 *columns*, or 8 kB."""
    return 20 if columns <= 64 else 16  # noqa: PLR2004 - explained above


def hashed(value: str, kind: str) -> str:
    """Return SQL for the hash of *value*, NULL for NULL."""
    if kind in {"HUGEINT", "UHUGEINT", "UUID"}:  # DuckDB joins the halves' hashes by XOR: equal halves would all be one
        inner = f"hash({value}::VARCHAR)"
    elif kind == "INTERVAL":
        inner = f"hash(epoch_us({value}))"
    else:
        inner = f"hash({value})"
    return f"CASE WHEN {value} IS NOT NULL THEN {inner} END"


def needs_hash(kind: str) -> bool:
    """Whether the values of *kind* are counted by their hashes."""
    return kind not in _WHOLE_RANGE


def aggregates(at: int, kind: str, bits: int) -> list[str]:
    """Return the aggregates that count the distinct values of column *at*, of which `h{at}` is the hash."""
    h, size = f"h{at}", 1 << bits
    marked = [_marked(h, level, size, f"n{level}_{at}") for level in _LEVELS * needs_hash(kind)]
    if needs_hash(kind):
        second = 1 << _SECOND
        confirming = f"bitstring_agg((({h} >> 32) & {second - 1})::INTEGER, 0, {second - 1})"
        marked.append(f"bit_count({confirming}) AS v{at}")
    name = "ENUM" if family_of(kind) == "label" and kind.startswith("ENUM(") else kind
    if name not in _RANGES:
        return marked
    low, high = _RANGES[name]
    value = _small(f"c{at}", name)
    one = f"CASE WHEN {value} BETWEEN {low} AND {high} THEN {value}::INTEGER END"
    each = f"bit_count(bitstring_agg({one}, {low}, {high})) AS e{at}"
    return [*marked, each, f"count({one}) = count(c{at}) AS y{at}"]


def _marked(hashes: str, level: int, size: int, name: str) -> str:
    """Return the aggregate of one bitmap. No FILTER: each would have a copy of every column's vector in memory."""
    place = f"({hashes} & {size - 1})::INTEGER"
    some = f"CASE WHEN {hashes} >> {64 - level} = 0 THEN {place} END" if level else place
    return f"bit_count(bitstring_agg({some}, 0, {size - 1})) AS {name}"


def _small(value: str, kind: str) -> str:
    """Return SQL for *value* as a number that may be small."""
    if kind == "DATE":
        return f"TRY(datediff('day', DATE '1970-01-01', CASE WHEN isfinite({value}) THEN {value} END))"
    return {"BOOLEAN": f"{value}::INTEGER", "ENUM": f"enum_code({value})"}.get(kind, value)


def count(answer: Mapping[str, Any], at: int, bits: int) -> tuple[int, bool]:
    """Return the number of distinct values of column *at*, and whether it is exact."""
    values, sampled = int(answer[f"k{at}"]), _whole(answer.get(f"d{at}"))
    if values <= 1:
        return values, True
    if sampled is not None and answer["sampled"] == answer["n"]:
        return sampled, True
    if answer.get(f"y{at}"):
        return int(answer[f"e{at}"]), True
    marked = [int(answer.get(f"n{level}_{at}") or 0) for level in _LEVELS]
    most = _CONFIRMED_ALONE if sampled is None else _CONFIRMED
    if marked[0] == answer.get(f"v{at}") and sampled in {None, marked[0]} and marked[0] <= most:
        return marked[0], True
    return min(max(_estimated(marked, 1 << bits), marked[0], sampled or 0), values), False


def _whole(number: Any) -> int | None:  # noqa: ANN401 - a number of the answer, if there is one
    return None if number is None else int(number)


def _estimated(marked: list[int], size: int) -> int:
    """Return the number of values that mark so many bits, by the first bitmap that is not full."""
    for level, bits in zip(_LEVELS, marked, strict=True):
        if bits < size * _FULL:
            return int(-size * math.log1p(-bits / size) * 2**level + 0.5)
    return int(-size * math.log1p(-_FULL) * 2 ** _LEVELS[-1])  # 25 thousand million values, of 64 columns

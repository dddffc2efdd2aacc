"""How DuckDB's types are profiled: their family, their Python values, and where their values stand on an axis."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.session.profile.values import Family

CUT = 200
"""Characters of a value that are kept. A hash after `MARK` distinguishes longer values that begin alike."""

MARK = "\x1f"

_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DECIMAL\(.*\)|FLOAT|DOUBLE")
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM")
_HUGE = frozenset({"HUGEINT", "UHUGEINT", "BIGNUM"})
_ENDLESS = re.compile(r"FLOAT|DOUBLE|DATE|TIMESTAMP.*")
"""Types with infinite values."""


def family_of(kind: str) -> Family:
    """Return the family that a column of DuckDB's type *kind* is profiled as."""
    families: list[tuple[str, Family]] = [
        (r".*\]|MAP\(.*", "list"),
        (_NUMBERS.pattern, "number"),
        (r"(DATE|TIME|INTERVAL).*", "moment"),
        (r"VARCHAR|JSON", "text"),
        (r"BOOLEAN|ENUM\(.*|UUID|BIT", "label"),
        (r"BLOB", "bytes"),
    ]
    return next((family for pattern, family in families if re.fullmatch(pattern, kind, re.DOTALL)), "other")


def is_integer(kind: str) -> bool:
    """Whether the values of *kind* are whole numbers."""
    return _INTEGERS.fullmatch(kind) is not None


def is_endless(kind: str) -> bool:
    """Whether *kind* has infinite values."""
    return _ENDLESS.fullmatch(kind) is not None


def has_steps(kind: str) -> bool:
    """Whether `position` counts whole steps; else it is a DOUBLE, of numbers that may be whole."""
    return kind not in _HUGE and kind not in {"FLOAT", "DOUBLE"}


def number_text(value: str, kind: str) -> str:
    """Return SQL for *value* as a DOUBLE. Through text: the cast from a BIGNUM fails if it is too long, even TRY_CAST.

    A FLOAT's text is the number that was meant: 0.1, where its own cast gives 0.10000000149.
    """
    return f"TRY_CAST({value}{'::VARCHAR' if kind in {'BIGNUM', 'FLOAT'} else ''} AS DOUBLE)"


def moment(value: str, kind: str) -> str:
    """Return SQL for *value* as a type that DuckDB has functions for.

    There are few for a TIMESTAMPTZ_NS. For seconds and milliseconds DuckDB 2 has those for nanoseconds, which end in
    2262.
    """
    if kind in {"TIMESTAMP_S", "TIMESTAMP_MS"}:
        return f"{value}::TIMESTAMP"
    return f"{value}::TIMESTAMPTZ" if kind == "TIMESTAMPTZ_NS" else value


def is_finite(value: str, kind: str) -> str:
    """Return SQL for whether *value* is neither infinite nor NULL."""
    return f"isfinite({moment(value, kind)})" if is_endless(kind) else f"{value} IS NOT NULL"


def position(value: str, kind: str) -> str | None:
    """Return SQL for where *value* stands on its axis; `None` for a type without axis. Its NULLs have no place there.

    Whole steps are exact: units of a whole number, the last digit of a DECIMAL, days, microseconds.
    """
    family = family_of(kind)
    if family == "number" and has_steps(kind):
        return f"TRY_CAST(replace({value}::VARCHAR, '.', '') AS HUGEINT)"
    if family == "number":
        return f"CASE WHEN isfinite({number_text(value, kind)}) THEN {number_text(value, kind)} END"
    if kind == "DATE":
        return f"TRY(CASE WHEN isfinite({value}) THEN (epoch({value}) / 86400)::HUGEINT END)"
    if family == "moment":
        micros = f"epoch_us({moment(value, kind)})::HUGEINT"
        return f"TRY({f'CASE WHEN {is_finite(value, kind)} THEN {micros} END' if is_endless(kind) else micros})"
    return None


def unit(kind: str) -> Decimal:
    """Return what a step of `position` is worth: 1, a DECIMAL's last digit, and for moments seconds."""
    if kind == "DATE":
        return Decimal(86400)
    if family_of(kind) == "moment":
        return Decimal("0.000001")
    scale = re.fullmatch(r"DECIMAL\(\d+, ?(\d+)\)", kind)
    return Decimal(1).scaleb(-int(scale[1])) if scale else Decimal(1)


def python(kind: str) -> Callable[[str], object]:
    """Return the function that makes a Python value of DuckDB's text of type *kind*."""
    if is_integer(kind):
        return _integer
    if kind.startswith("DECIMAL("):
        return Decimal
    return float if _NUMBERS.fullmatch(kind) else shown


def _integer(text: str) -> object:
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return shown(text)


def shown(text: str) -> str:
    """Return *text* with an ellipsis where it was cut."""
    text, _, hashed = text.partition(MARK)
    return text[:CUT] + "…" if hashed or len(text) > CUT else text

"""JSON documents that are compared across databases: one text for all that mean the same.

The invariant: two documents have one text exactly if they have the same values at the same places. The order of an
object's keys, blanks, and how a number is written are no difference.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOMENT = re.compile(
    r"(\d{4,}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d):?(\d\d)?)?",
)
"""A moment, as databases and Python write it."""


def canonical(documents: pa.ChunkedArray, moments: pa.ChunkedArray) -> pa.Array:
    """Return the canonical text of each of the *documents*; where *moments*, texts that are a moment are one."""
    pairs = zip(documents.to_pylist(), moments.to_pylist(), strict=True)
    return pa.array([_canonical(text, moments=has) for text, has in pairs], pa.string())


def _canonical(text: str, *, moments: bool) -> str:
    try:
        document = json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=str)
    except (ValueError, ArithmeticError, RecursionError):  # a text that is no JSON is itself
        return text
    return "".join(_parts(document, moments=moments))


def _parts(value: Any, *, moments: bool) -> Iterator[str]:  # noqa: ANN401 - any value of JSON
    if isinstance(value, dict):
        for sign, key in zip("{" + "," * len(value), sorted(value), strict=False):
            yield f"{sign}{json.dumps(key)}:"
            yield from _parts(value[key], moments=moments)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for sign, item in zip("[" + "," * len(value), value, strict=False):
            yield sign
            yield from _parts(item, moments=moments)
        yield "]" if value else "[]"
    elif isinstance(value, Decimal):
        yield _number(value)
    else:
        yield json.dumps(_moment(value) if moments and isinstance(value, str) else value)


def _number(value: Decimal) -> str:
    """Return *value* as digits and an exponent, exactly: `15e-1` for 1.5 and 1.50."""
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).strip("0") if value else ""
    if not text:
        return "0"
    ending = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return f"{'-' * sign}{text}e{int(exponent) + ending}"


def _moment(text: str) -> str:
    """Return *text*, if it is a moment, as all databases would write it; one with a zone in UTC."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return text
    day, clock, fraction, hours, minutes = match.groups()
    seconds = f"{clock}.{(fraction or '').rstrip('0')}".rstrip(".")
    if hours is None and not text.endswith("Z"):
        return f"{day} {seconds}"
    try:
        moment = datetime.fromisoformat(f"{day} {clock}{hours or '+00'}:{minutes or '00'}")
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}{seconds[len(clock) :]}Z"
    except (ValueError, OverflowError):
        return text

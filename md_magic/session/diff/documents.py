"""JSON documents that are compared across databases: one text for all that mean the same.

The invariant: two documents have one text exactly if they have the same values at the same places. The order of an
object's keys, blanks, and how a number is written are no difference.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

_MOMENT = re.compile(
    r"(\d{4,6}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d):?(\d\d)?)?",
)
"""A moment, as databases and Python write it."""


class _Number(str):
    """A number as it is written in a document."""

    __slots__ = ()


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=str)  # to make one takes 20 µs


def canonical(documents: pa.ChunkedArray, moments: pa.ChunkedArray) -> pa.Array:
    """Return the canonical text of each of the *documents*; where *moments*, texts that are a moment are one."""
    pairs = zip(documents.to_pylist(), moments.to_pylist(), strict=True)
    return pa.array([_canonical(text, moments=has) for text, has in pairs], pa.string())


def _canonical(text: str, *, moments: bool) -> str:
    try:
        return _written(_DECODER.decode(text), moments=moments)
    except (ValueError, ArithmeticError, RecursionError):  # a text that is no JSON, or beyond a Decimal, is itself
        return text


def _written(value: Any, *, moments: bool) -> str:  # noqa: ANN401 - any value of JSON
    if isinstance(value, _Number):
        return _number(value)
    if isinstance(value, dict):
        items = (f"{json.dumps(key)}:{_written(value[key], moments=moments)}" for key in sorted(value))
        return f"{{{','.join(items)}}}"
    if isinstance(value, list):
        return f"[{','.join([_written(item, moments=moments) for item in value])}]"
    return json.dumps(_moment(value) if moments and isinstance(value, str) else value)


def _number(text: str) -> str:
    """Return a number as digits and an exponent, exactly: `15e-1` for 1.5 and 1.50."""
    if text.isdecimal() and text[-1] != "0":
        return f"{text}e0"
    sign, digits, exponent = Decimal(text).as_tuple()
    written = "".join(map(str, digits))
    significant = written.rstrip("0")
    if not significant:
        return "0"
    return f"{'-' * sign}{significant.lstrip('0')}e{int(exponent) + len(written) - len(significant)}"


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

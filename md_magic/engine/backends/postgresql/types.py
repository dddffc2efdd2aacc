"""PostgreSQL's types as Arrow's, by the OIDs of a cursor's description. What is not in here comes as text.

The session writes dates as ISO (`DateStyle`, which drivers set); where it does not, they come as its text.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from md_magic.engine.results import typed
from md_magic.engine.results.typed import ColumnType, Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_DATE, _TIME, _TIMESTAMP, _TIMESTAMPTZ, _NUMERIC = 1082, 1083, 1114, 1184, 1700
INTERVAL = 1186
_JSON, _JSONB, _UUID = 114, 3802, 2950

_NATIVE: dict[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    26: pa.int64(),  # oid
    700: pa.float32(),
    701: pa.float64(),
}
"""Types whose Python values drivers make fast, and whose values all fit."""

_TEXT = frozenset({18, 19, 25, 1042, 1043})
"""char, name, text, character(n), varchar(n)."""

_PLAIN_TEXT = frozenset({19, 25, 1043})
"""name, text, varchar(n): no blanks are added to a value, and it has a collation."""

AS_DRIVER = frozenset(_NATIVE) | _TEXT
"""The types that a driver is to make Python values of; it hands over all others as text."""

_ARRAYS = {
    1000: 16,
    1005: 21,
    1007: 23,
    1016: 20,
    1009: 25,
    1014: 1042,
    1015: 1043,
    1003: 19,
    1021: 700,
    1022: 701,
    1115: _TIMESTAMP,
    1182: _DATE,
    1183: _TIME,
    1185: _TIMESTAMPTZ,
    2951: _UUID,
    1231: _NUMERIC,
    199: _JSON,
    3807: _JSONB,
}
"""The type of the elements, by that of an array."""

TEXTS = frozenset(
    {_DATE, _TIME, _TIMESTAMP, _TIMESTAMPTZ, INTERVAL, _NUMERIC, _JSON, _JSONB, _UUID, *_ARRAYS}
    # inet, cidr, ranges and multiranges and their arrays, of which drivers make objects of their own
    | {869, 650, 1040, 651, 3904, 3906, 3908, 3910, 3912, 3926, 4451, 4532, 4533, 4534, 4535, 4536}
    | {3905, 3907, 3909, 3911, 3913, 3927, 1041, 651, 1001, 1028, 1266, 1270, 1187, 2249, 2287, 790}
)
"""The types that a driver would make objects of, and that are wanted as text."""

_MOST_DIGITS = 38
_DAY = 86_400_000_000
_ODD_DATE = re.compile(
    r"\A(?P<year>\d{4,})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?: (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(?:\.(?P<f>\d+))?(?P<zone>[+-][\d:]+)?)?(?P<bc> BC)?\Z"
)
_INTERVAL_PART = re.compile(r"(?<!\d)(?:([+-]?\d+) (year|mon|day)s?|([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?)")
_ELEMENT = re.compile(r'[{},]|"((?:[^"\\]|\\.)*)"|[^{},"]+', re.DOTALL)


def column(name: str, oid: int, precision: int | None, scale: int | None, *, zone: str, iso: bool) -> ColumnType:
    """Return the column *name* of the type *oid*, whose times with a zone are shown in *zone*.

    A `numeric` without *precision* is a double, as DuckDB reads it, and exact in `dict`. Without *iso*, dates are text.
    """
    if oid in _ARRAYS:
        return _array(name, _ARRAYS[oid], zone=zone, iso=iso)
    if oid == _NUMERIC:
        return _numeric(name, precision, scale)
    if iso and oid in {_DATE, _TIMESTAMP, _TIMESTAMPTZ}:
        kinds = {_DATE: pa.date32(), _TIMESTAMP: pa.timestamp("us"), _TIMESTAMPTZ: pa.timestamp("us", zone)}
        return ColumnType(name, kinds[oid], typed.cast(kinds[oid], _days if oid == _DATE else _microseconds))
    if oid in _NATIVE:
        return ColumnType(name, _NATIVE[oid], typed.native(_NATIVE[oid]))
    if oid in _PLAIN_TEXT:
        return ColumnType(name, pa.string(), typed.text)
    return _OTHERS.get(oid, partial(ColumnType, type=pa.string(), parse=typed.text, converted=True))(name)


def _numeric(name: str, precision: int | None, scale: int | None) -> ColumnType:
    if precision is None or not 0 < precision <= _MOST_DIGITS or not 0 <= (scale or 0) <= precision:
        return ColumnType(name, pa.float64(), typed.cast(pa.float64()), for_dict=Decimal, converted=True)
    kind = pa.decimal128(precision, scale or 0)
    return ColumnType(name, kind, typed.cast(kind), for_dict=Decimal)


# ---- dates that Arrow does not read ----------------------------------------------------------------------------------


def _days(text: str) -> int | None:
    """Return the days since 1970 of a date such as `0044-03-15 BC`, and DuckDB's number of `infinity`."""
    match = _ODD_DATE.match(text)
    if match is None:
        return {"infinity": 2**31 - 1, "-infinity": 1 - 2**31}.get(text)
    year = int(match["year"])
    return _civil(1 - year if match["bc"] else year, int(match["month"]), int(match["day"]))


def _microseconds(text: str) -> int | None:
    """Return the microseconds since 1970 of such a date with its time; `None` where 64 bits do not hold it."""
    match, days = _ODD_DATE.match(text), _days(text)
    if match is None or days is None:
        return {"infinity": 2**63 - 1, "-infinity": 1 - 2**63}.get(text)
    seconds = int(match["h"]) * 3600 + int(match["m"]) * 60 + int(match["s"])
    if match["zone"]:
        parts = [int(part) for part in match["zone"][1:].split(":")]
        offset = sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False))
        seconds -= offset if match["zone"][0] == "+" else -offset
    total = days * _DAY + seconds * 1_000_000 + int((match["f"] or "0").ljust(6, "0")[:6])
    return total if abs(total) < 2**63 else None


def _civil(year: int, month: int, day: int) -> int:
    """Return the days since 1970 of a day of the calendar that PostgreSQL has: Gregorian for all times."""
    year -= month <= 2  # noqa: PLR2004 - a year that begins in March ends with its odd day
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


# ---- intervals -------------------------------------------------------------------------------------------------------


def _intervals(values: Sequence[Any], null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
    """Return texts such as `1 year -3 days +04:05:06` as durations: 365 days a year, 30 a month, as drivers do."""
    numbers = []
    for value in values:
        number = None if value is None else _interval(value)
        if number is None and value is not None and not null:
            raise Unfit
        numbers.append(number)
    return pa.array(numbers, pa.int64()).cast(pa.duration("us"))


def _interval(text: str) -> int | None:
    days = microseconds = 0
    end = 0
    for match in _INTERVAL_PART.finditer(text):
        if text[end : match.start()].strip():
            return None
        end = match.end()
        if match[1]:
            days += int(match[1]) * {"year": 365, "mon": 30, "day": 1}[match[2]]
        else:
            part = (int(match[4]) * 3600 + int(match[5]) * 60 + int(match[6])) * 1_000_000
            part += int((match[7] or "0").ljust(6, "0")[:6])
            microseconds += -part if match[3] == "-" else part
    total = days * _DAY + microseconds
    return total if not text[end:].strip() and abs(total) < 2**63 else None


def _written_intervals(chunk: pa.Array) -> pa.Array:
    return pa.array(
        [None if value is None else str(value) for value in chunk.cast(pa.int64()).to_pylist()], pa.string()
    )


# ---- arrays ----------------------------------------------------------------------------------------------------------


def _array(name: str, element: int, *, zone: str, iso: bool) -> ColumnType:
    inner = column("", element, None, None, zone=zone, iso=iso)
    kind = pa.list_(inner.type)
    make = _python_element(element, zone if iso else "")

    def parse(values: Sequence[Any], null: bool) -> pa.Array:  # noqa: FBT001 - see Parse
        lists = [None if value is None else elements(value) for value in values]
        flat = [item for one in lists or () if one is not None for item in one]
        if any(isinstance(item, list) for item in flat):
            raise Unfit
        offsets = [0]
        for one in lists:
            offsets.append(offsets[-1] + len(one or ()))
        if element in _NATIVE:
            inner_array = typed.cast(inner.type)([_unbool(item) for item in flat] if element == 16 else flat, null)  # noqa: PLR2004 - bool
        else:
            inner_array = inner.parse(flat, null)
        mask = pa.array([one is None for one in lists], pa.bool_())
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner_array, mask=mask).cast(kind)

    def objects(value: str) -> Any:  # noqa: ANN401 - lists of lists of values
        return _mapped(elements(value), make)

    return ColumnType(name, kind, parse, certain=False, write=_literals, for_dict=objects)


def elements(text: str) -> list[Any]:
    """Return the elements of the array that PostgreSQL writes as *text*, as texts, in lists as deep as it has."""
    stack: list[list[Any]] = [[]]
    for match in _ELEMENT.finditer(text.partition("=")[2] if text.startswith("[") else text):
        part = match[0]
        if part == "{":
            stack.append([])
        elif part == "}":
            done = stack.pop()
            stack[-1].append(done)
        elif match[1] is not None:
            stack[-1].append(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        elif part != ",":
            stack[-1].append(None if part.upper() == "NULL" else part)
    return list(stack[0][0]) if stack[0] else []


def _python_element(oid: int, zone: str) -> Any:  # noqa: ANN401 - a function of one text
    if oid in {_DATE, _TIMESTAMP, _TIMESTAMPTZ} and zone:
        return partial(_moment, oid, zone)
    if oid in {20, 21, 23, 26}:
        return int
    if oid in {700, 701}:
        return float
    return {
        16: lambda text: text == "t",
        _NUMERIC: Decimal,
        _UUID: uuid.UUID,
        _JSON: json.loads,
        _JSONB: json.loads,
    }.get(oid, str)


def _moment(oid: int, zone: str, text: str) -> Any:  # noqa: ANN401 - a date, a datetime, or the text
    try:
        if oid == _DATE:
            return dt.date.fromisoformat(text)
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(ZoneInfo(zone)) if oid == _TIMESTAMPTZ else moment
    except ValueError:  # infinity, or a year that Python does not have
        return text


def _mapped(items: list[Any], make: Any) -> list[Any]:  # noqa: ANN401 - see above
    return [None if item is None else _mapped(item, make) if isinstance(item, list) else make(item) for item in items]


def _unbool(text: str | None) -> str | None:
    return {"t": "true", "f": "false"}.get(text or "", text)


def _literals(chunk: pa.Array) -> pa.Array:
    return pa.array([None if value is None else "".join(_literal(value)) for value in chunk.to_pylist()], pa.string())


def _literal(value: Any) -> Iterator[str]:  # noqa: ANN401 - a list, or an element
    if isinstance(value, list):
        yield "{"
        for at, item in enumerate(value):
            yield "," if at else ""
            yield from _literal(item)
        yield "}"
    elif value is None:
        yield "NULL"
    elif isinstance(value, bool):
        yield "t" if value else "f"
    else:
        text = str(value)
        plain = re.fullmatch(r"[^\s{},\"\\]+", text) and text.upper() != "NULL"
        yield text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_OTHERS: dict[int, Callable[[str], ColumnType]] = {
    _JSON: partial(ColumnType, type=pa.string(), parse=typed.text, converted=True, objects=json.loads),
    _JSONB: partial(ColumnType, type=pa.string(), parse=typed.text, converted=True, objects=json.loads),
    _UUID: partial(ColumnType, type=pa.string(), parse=typed.text, converted=True, objects=uuid.UUID),
    _TIME: partial(ColumnType, type=pa.time64("us"), parse=typed.times),
    INTERVAL: partial(ColumnType, type=pa.duration("us"), parse=_intervals, write=_written_intervals, converted=True),
}

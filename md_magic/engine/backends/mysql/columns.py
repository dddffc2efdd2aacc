"""The columns of a statement on MySQL and MariaDB: the server prepares it and says what it would give.

pymysql has no prepared statements. Its packets are read here as its own results are.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pymysql.constants import FIELD_TYPE
from pymysql.protocol import FieldDescriptorPacket

if TYPE_CHECKING:
    from pymysql.connections import Connection

_PREPARE, _CLOSE = 0x16, 0x19
"""The protocol's COM_STMT_PREPARE and COM_STMT_CLOSE."""

_UNSIGNED, _ENUM, _SET = 0x20, 0x100, 0x800
"""Flags of a column."""

_BINARY = 63
"""The number of the character set of bytes."""

_NAMES = {
    FIELD_TYPE.BIT: "bit",
    FIELD_TYPE.DATE: "date",
    FIELD_TYPE.DATETIME: "datetime",
    FIELD_TYPE.DOUBLE: "double",
    FIELD_TYPE.FLOAT: "float",
    FIELD_TYPE.GEOMETRY: "geometry",
    FIELD_TYPE.INT24: "mediumint",
    FIELD_TYPE.JSON: "json",
    FIELD_TYPE.LONG: "int",
    FIELD_TYPE.LONGLONG: "bigint",
    FIELD_TYPE.NULL: "null",
    FIELD_TYPE.SHORT: "smallint",
    FIELD_TYPE.TIME: "time",
    FIELD_TYPE.TIMESTAMP: "timestamp",
    FIELD_TYPE.TINY: "tinyint",
    FIELD_TYPE.YEAR: "year",
}
_NEVER_UNSIGNED = (FIELD_TYPE.BIT, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.YEAR)
"""Types that have the flag all the same."""

_TEXTS = {FIELD_TYPE.STRING: ("char", "binary"), FIELD_TYPE.VAR_STRING: ("varchar", "varbinary")}
_WIDEST = 4
"""The most bytes of a character, in utf8mb4."""


def describe(connection: Connection[Any], sql: str) -> list[dict[str, str]]:
    """Return name and type of each column that *sql* would give on *connection*. Nothing is run."""
    number, fields = prepare(connection, sql)
    forget(connection, number)
    return [{"column": field.name, "type": _type(field)} for field in fields]


def prepare(connection: Connection[Any], sql: str) -> tuple[int, list[Any]]:
    """Let the server prepare *sql*; return the statement's number and its columns, pymysql's packets."""
    driver: Any = connection
    driver._execute_command(_PREPARE, sql)  # noqa: SLF001 - see the module's docstring
    answer = driver._read_packet()  # noqa: SLF001
    number, columns, parameters = struct.unpack_from("<IHH", answer.get_all_data(), 1)
    fields: list[Any] = []
    for kind, count in (("parameter", parameters), ("column", columns)):
        for _ in range(count):
            field = driver._read_packet(FieldDescriptorPacket)  # noqa: SLF001
            fields += [field] if kind == "column" else []
        if count:
            driver._read_packet()  # noqa: SLF001 - the packet that ends them
    return number, fields


def forget(connection: Connection[Any], number: int) -> None:
    """Let the server forget the statement *number*, which it has prepared."""
    driver: Any = connection
    driver._execute_command(_CLOSE, struct.pack("<I", number))  # noqa: SLF001 - it has no answer


def _type(field: Any) -> str:  # noqa: ANN401 - pymysql's packet
    """Return the SQL type of a column."""
    kind, flags = field.type_code, field.flags
    if flags & _ENUM or flags & _SET:
        return "enum" if flags & _ENUM else "set"
    if kind in (FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL):
        unsigned = bool(flags & _UNSIGNED)
        precision = field.length - (field.scale > 0) - (not unsigned)
        return f"decimal({precision},{field.scale}){' unsigned' * unsigned}"
    if kind in _TEXTS:
        is_binary = field.charsetnr == _BINARY
        return f"{_TEXTS[kind][is_binary]}({field.length // (1 if is_binary else _WIDEST)})"
    if kind in _NAMES:
        return _NAMES[kind] + " unsigned" * bool(flags & _UNSIGNED and kind not in _NEVER_UNSIGNED)
    return "blob" if field.charsetnr == _BINARY else "text"

"""Which type of SQLAlchemy a type of DuckDB is, also one that is made of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
from duckdb_engine import datatypes
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable

Parts: TypeAlias = "list[tuple[str, Any]]"
"""What a type is made of, as DuckDB tells it: name and type, or a property such as `precision` and its value."""

_TYPES: dict[str, sqltypes.TypeEngine[Any]] = {
    "BIGINT": sqltypes.BIGINT(),
    "BIT": postgresql.BIT(varying=True),
    "BLOB": sqltypes.BLOB(),
    "BOOLEAN": sqltypes.BOOLEAN(),
    "DATE": sqltypes.DATE(),
    "DOUBLE": sqltypes.DOUBLE(),
    "FLOAT": sqltypes.REAL(),
    "HUGEINT": datatypes.HugeInteger(),
    "INTEGER": sqltypes.INTEGER(),
    "INTERVAL": postgresql.INTERVAL(),
    "JSON": sqltypes.JSON(),
    "SMALLINT": sqltypes.SMALLINT(),
    "TIME": sqltypes.TIME(),
    "TIME WITH TIME ZONE": sqltypes.TIME(timezone=True),
    "TIMESTAMP": sqltypes.TIMESTAMP(),
    "TIMESTAMP WITH TIME ZONE": sqltypes.TIMESTAMP(timezone=True),
    "TIMESTAMP_MS": sqltypes.TIMESTAMP(),
    "TIMESTAMP_NS": sqltypes.TIMESTAMP(),
    "TIMESTAMP_S": sqltypes.TIMESTAMP(),
    "TINYINT": datatypes.TinyInteger(),
    "UBIGINT": datatypes.UBigInteger(),
    "UHUGEINT": datatypes.UHugeInteger(),
    "UINTEGER": datatypes.UInteger(),
    "USMALLINT": datatypes.USmallInteger(),
    "UTINYINT": datatypes.UTinyInteger(),
    "UUID": sqltypes.UUID(),
    "VARCHAR": sqltypes.VARCHAR(),
}
"""SQLAlchemy's type for each of DuckDB's that has no parts."""


def sqlalchemy_type(type_of: Callable[[str], Any], written: str) -> sqltypes.TypeEngine[Any]:
    """Return SQLAlchemy's type for the one that DuckDB writes as *written*; *type_of* takes it apart."""
    if written in _TYPES:
        return _TYPES[written]
    try:
        return _with_parts(type_of(written))
    except duckdb.Error:  # a type of an extension that is not loaded
        return sqltypes.NullType()


def _with_parts(kind: Any) -> sqltypes.TypeEngine[Any]:  # noqa: ANN401 - a type of DuckDB's
    if str(kind) in _TYPES:
        return _TYPES[str(kind)]
    make = _MADE_OF_PARTS.get(kind.id)
    return make(kind.children) if make is not None else sqltypes.NullType()


def _array(children: Parts) -> sqltypes.TypeEngine[Any]:
    inner = _with_parts(dict(children)["child"])
    if isinstance(inner, sqltypes.ARRAY):  # SQLAlchemy counts the dimensions, and nests nothing
        return sqltypes.ARRAY(inner.item_type, dimensions=(inner.dimensions or 1) + 1)
    return sqltypes.ARRAY(inner, dimensions=1)


def _fields(children: Parts) -> dict[str, Any]:
    return {name: _with_parts(part) for name, part in children if name}  # the tag of a UNION has no name


_MADE_OF_PARTS: dict[str, Callable[[Parts], sqltypes.TypeEngine[Any]]] = {
    "array": _array,
    "decimal": lambda children: sqltypes.NUMERIC(**dict(children)),
    "enum": lambda children: sqltypes.Enum(*dict(children)["values"], native_enum=False),
    "list": _array,
    "map": lambda children: datatypes.Map(*_fields(children).values()),
    "struct": lambda children: datatypes.Struct(_fields(children)),
    "union": lambda children: datatypes.Union(_fields(children)),
}
"""Makes a type of its parts, by DuckDB's name of the kind."""

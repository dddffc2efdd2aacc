"""Reading large results through ADBC, which makes Arrow batches of them in C: the extra `md_magic[adbc]`.

It has a connection of its own, so it reads only what another connection reads just the same: from a session that has
nothing of its own, by a query without parameters that calls no function unknown to us. Whatever else turns up, such as
a type or a value that would come otherwise, sends the query down the usual road: it has had no effects.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from md_magic.engine.results import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from md_magic.engine.cancellation import Execution
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.engine.results.typed import ColumnType
    from md_magic.sql.statement import Statement

logger = logging.getLogger(__name__)

_LEAST = 100_000
"""Rows, as the server estimates them, from which on another connection is worth its time."""

_IS_PLAIN = """
SELECT pg_catalog.pg_my_temp_schema() = 0 AND current_user = session_user
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_settings WHERE source = 'session')
"""
"""Whether the session has neither temporary tables nor settings, also none that a function has made out of sight."""

_OIDS = {
    "bool": 16,
    "bytea": 17,
    "int8": 20,
    "int2": 21,
    "int4": 23,
    "text": 25,
    "float4": 700,
    "float8": 701,
    "bpchar": 1042,
    "varchar": 1043,
    "date": 1082,
    "timestamp": 1114,
    "timestamptz": 1184,
    "numeric": 1700,
}
"""The types that come as on the usual road, by ADBC's names of them."""


FORMS = frozenset({"arrow", "pandas", "polars"})
"""The forms that are read so: Arrow's, and what is made of it by the column."""


class _OtherRoadError(Exception):
    """Something turned up that ADBC gives otherwise."""


@functools.cache
def is_installed() -> bool:
    """Whether the driver is there."""
    return importlib.util.find_spec("adbc_driver_postgresql") is not None


def read(
    statement: Statement,
    spec: ResultSpec,
    execution: Execution | None,
    *,
    ask: Callable[[str], Any],
    conninfo: Callable[[], str],
    column: Callable[[str, int, int | None, int | None], ColumnType],
) -> Any:  # noqa: ANN401 - a result in any form
    """Return the result of *statement* as *spec* wants it; `None` where it has to be read on the usual road.

    *ask* runs a query of ours in the session and returns its first value, *conninfo* says how to connect, and *column*
    makes a column of a name, an OID, a precision and a scale.
    """
    if not is_installed() or statement.parameters or not _is_pure(statement.text):
        return None
    try:
        if _rows(ask(f"EXPLAIN (FORMAT JSON)\n{statement.text}")) < _LEAST or not ask(_IS_PLAIN):
            return None
        return _read(statement.text, spec, execution, conninfo(), column)
    except Exception as error:  # noqa: BLE001 - whatever it is, the usual road says it in its own words
        if execution is not None:
            execution.check()
        logger.debug("not through ADBC: %s", type(error).__name__)
        return None


def _read(
    sql: str,
    spec: ResultSpec,
    execution: Execution | None,
    conninfo: str,
    column: Callable[[str, int, int | None, int | None], ColumnType],
) -> Any:  # noqa: ANN401 - see `read`
    from adbc_driver_postgresql import dbapi  # an extra

    with dbapi.connect(conninfo, autocommit=True) as connection, connection.cursor() as cursor:
        fields = list(cursor.adbc_execute_schema(sql))
        columns, sql = [_column(field, column) for field in fields], _with_texts(sql, fields)
        with contextlib.nullcontext() if execution is None else execution.stopped_by(cursor.adbc_cancel):
            cursor.execute(sql)
            chunks: list[list[pa.Array]] = [[] for _ in columns]
            for batch in cursor.fetch_record_batch():
                if execution is not None:
                    execution.count(batch.num_rows)
                for kept, array, kind in zip(chunks, batch.columns, columns, strict=True):
                    kept.append(_converted(array, kind, spec.form))
    return typed.built(columns, chunks, spec.form)


def _with_texts(sql: str, fields: Sequence[pa.Field]) -> str:
    """Return the query *sql* with its numerics written by the server: ADBC takes ten times as long for each."""
    numeric = [_kind(field) == "numeric" for field in fields]
    if not any(numeric):
        return sql
    names = [f"c{number}" for number in range(len(fields))]
    shown = ", ".join(
        f"{name}::pg_catalog.text" if is_numeric else name for name, is_numeric in zip(names, numeric, strict=True)
    )
    return f"SELECT {shown} FROM (\n{sql}\n) AS md_magic ({', '.join(names)})"  # noqa: S608 - names of ours


def _kind(field: pa.Field) -> str:
    """Return ADBC's name of a column's type."""
    metadata: Mapping[bytes, bytes] = field.metadata or {}
    return metadata.get(b"POSTGRESQL:type", b"").decode()


def _column(field: pa.Field, column: Callable[[str, int, int | None, int | None], ColumnType]) -> ColumnType:
    metadata: Mapping[bytes, bytes] = field.metadata or {}
    oid = _OIDS.get(_kind(field))
    if oid is None:
        raise _OtherRoadError
    modifier = int(metadata.get(b"POSTGRESQL:typmod", b"-1"))
    precision, scale = (None, None) if modifier < 0 else ((modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF)
    return column(field.name, oid, precision, scale)


def _converted(array: pa.Array, kind: ColumnType, form: str) -> pa.Array:
    """Return *array* as the usual road has it. Raises for a value that it would have otherwise."""
    wanted = pa.float64() if form == "pandas" and pa.types.is_decimal(kind.type) else kind.type
    if pa.types.is_timestamp(wanted) or pa.types.is_date32(wanted):
        size = pa.int32() if pa.types.is_date32(wanted) else pa.int64()
        ends = pc.min_max(array.cast(size)).as_py().values()
        if any(end is not None and not typed.is_pythons(end, wanted) for end in ends):
            raise _OtherRoadError
    return array.cast(wanted)


def _rows(plan: Any) -> float:  # noqa: ANN401 - JSON
    import json  # of the standard library, and seldom needed

    plans = json.loads(plan) if isinstance(plan, str) else plan
    return float(plans[0]["Plan"]["Plan Rows"])


def _is_pure(sql: str) -> bool:
    """Whether *sql* is a query of nothing but tables and functions that sqlglot knows: none that does something."""
    import sqlglot  # 100 ms, where it is not loaded
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(sql, dialect="postgres")
    except SqlglotError:
        return False
    does = (exp.Anonymous, exp.AnonymousAggFunc, exp.Command, exp.Into, exp.Lock, exp.Parameter, exp.Placeholder)
    return isinstance(tree, exp.Query) and not any(tree.find_all(*does))

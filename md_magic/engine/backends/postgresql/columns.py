"""The columns of a statement on PostgreSQL: the server prepares it and says what it would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

_TYPES = (
    "SELECT array(SELECT format_type(o, m) FROM unnest(%s::oid[], %s::integer[]) WITH ORDINALITY u(o, m, n) ORDER BY n)"
)


def describe(connection: Connection[Any], sql: str) -> list[dict[str, str]]:
    """Return name and type of each column that *sql* would give on *connection*, psycopg's. Nothing is run.

    In a transaction, an error leaves it as it was.
    """
    from psycopg import pq

    if connection.pgconn.transaction_status == pq.TransactionStatus.IDLE:
        return _described(connection, sql)
    with connection.transaction():
        return _described(connection, sql)


def _described(connection: Connection[Any], sql: str) -> list[dict[str, str]]:
    from psycopg import errors, pq

    driver, encoding = connection.pgconn, connection.info.encoding
    for result in (driver.prepare(b"", sql.encode(encoding)), described := driver.describe_prepared(b"")):
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result, encoding=encoding)
    columns = range(described.nfields)
    kinds = [described.ftype(at) for at in columns], [described.fmod(at) for at in columns]
    row = connection.execute(_TYPES, kinds).fetchone()
    names = [(described.fname(at) or b"").decode(encoding) for at in columns]
    return [{"column": name, "type": kind} for name, kind in zip(names, row[0] if row else [], strict=True)]

"""The reserved words of a database, which must be quoted as names.

DuckDB's come from `duckdb_keywords()`, those of other databases from SQLAlchemy's identifier preparer.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import IdentifierPreparer

_NOT_BARE = frozenset({"reserved", "type_function"})
"""DuckDB's categories of keywords that cannot name a table or a column without quotes."""

_MISSING_IN_SQLALCHEMY = {
    "sqlite": "nothing returning",
    "postgresql": "collation concurrently lateral system_user tablesample",
    "mysql": (
        "cume_dist dense_rank empty first_value groups intersect json_table lag last_value lateral lead manual"
        " nth_value ntile of over parallel percent_rank qualify rank row_number rows system tablesample window"
    ),
}
"""Reserved words that SQLAlchemy's lists lack, or lacked in 2.0.30."""


@cache
def duckdb_keywords() -> dict[str, str]:
    """Return DuckDB's keywords in lower case, each with its category: `reserved`, `unreserved`, `column_name`, ..."""
    from md_magic.sql import parser  # imports duckdb, 100 ms

    return parser.keywords()


_RESERVED_BY_HIVE = """
all alter and anti array as authorization between bigint binary boolean both by case cast char column conf constraint
create cross cube current current_date current_timestamp cursor database date decimal delete describe distinct double
drop else end except exchange exists extended external extract false fetch float floor following for foreign from full
function grant group grouping having if import in inner insert int integer intersect interval into is join lateral left
less like local macro map merge minus more natural none not null numeric of on only or order out outer over partialscan
partition percent preceding precision preserve primary procedure range reads reduce references regexp revoke right
rlike rollup row rows select semi set smallint start sync table tablesample then time timestamp to transform trigger
true truncate unbounded union unique uniquejoin update user using utc_timestamp values varchar views when where window
with
"""
"""The reserved words of Hive and Spark, of which PyHive says only that every word is one."""

_ASKED = {"duckdb": duckdb_keywords}
"""Dialects whose keywords come from the database itself."""


@cache
def reserved(dialect: str = "duckdb") -> frozenset[str]:
    """Return the words, in lower case, that need quotes as names in a SQLAlchemy *dialect*."""
    if dialect in _ASKED:
        return frozenset(word for word, category in _ASKED[dialect]().items() if category in _NOT_BARE)
    if dialect == "hive":
        return frozenset(_RESERVED_BY_HIVE.split())
    missing = _MISSING_IN_SQLALCHEMY.get(dialect, "").split()
    return frozenset((*identifier_preparer(dialect).reserved_words, *missing))


@cache
def identifier_preparer(dialect: str) -> IdentifierPreparer:
    """Return SQLAlchemy's identifier preparer for a *dialect*; that of standard SQL for an unknown dialect.

    Not for DuckDB: duckdb-engine's preparer is PostgreSQL's.
    """
    from sqlalchemy import exc
    from sqlalchemy.dialects import registry  # 150 ms, and a connection has imported it
    from sqlalchemy.engine.default import DefaultDialect

    try:
        loaded = registry.load(dialect)
    except exc.NoSuchModuleError:
        loaded = DefaultDialect
    instance = loaded() if isinstance(loaded, type) else loaded  # of "mariadb" it is an instance already
    preparer: IdentifierPreparer = instance.identifier_preparer
    return preparer

"""DuckDB's SQL for comparing tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from md_magic.engine.backends.digests import Digests, bare
from md_magic.engine.results.columns import INTEGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.engine.backends.digests import Kind

_KINDS: dict[str, Kind] = {
    "BOOLEAN": "boolean",
    "DECIMAL": "decimal",
    "FLOAT": "double",
    "DOUBLE": "double",
    "VARCHAR": "text",
    "ENUM": "text",
    "UUID": "text",
    "JSON": "text",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "nanoseconds",
    "TIMESTAMP WITH TIME ZONE": "instant",
    "INTERVAL": "interval",
    "BLOB": "blob",
}

_HASHED = frozenset({"boolean", "integer", "decimal", "double", "text", "date", "timestamp", "nanoseconds"})
_HASHED |= {"instant", "blob"}


class DuckDBDigests(Digests):
    """See `Digests`."""

    dialect = "duckdb"
    hashes_as = f"duckdb {duckdb.__version__}"

    def hashed(self, value: str, kind: Kind) -> str | None:
        """Return *value* itself, unless DuckDB hashes equal ones apart, as intervals, or might, as what is nested."""
        return value if kind in _HASHED else None

    def hashes(self, values: Sequence[str]) -> tuple[str, str]:
        """Return SQL for two numbers that stand for a row.

        DuckDB joins the hashes of columns by XOR, which sums see through: so each is hashed once more.
        """
        first, second = ", ".join(values) or "0", ", ".join(["7", *reversed(values)])
        return f"hash(hash({first}))", f"hash(hash({second}))"

    def hashed_bucket(self, values: Sequence[str], buckets: int) -> str:
        """Return SQL for the number of the bucket of *values*."""
        return f"CAST(hash({', '.join(values) or '0'}) % {buckets} AS USMALLINT)"

    def columns(self, ask: Callable[[str], dict[str, list[object]]], query: str) -> list[tuple[str, str]]:
        """Return name and type of each column of *query*."""
        described = ask(f"DESCRIBE {query}")
        return list(zip(map(str, described["column_name"]), map(str, described["column_type"]), strict=True))

    def key(self, ask: Callable[[str], dict[str, list[object]]], table: Sequence[str]) -> list[str]:
        """Return the columns of the primary key of *table*, else of a UNIQUE constraint; none without one."""
        names = ("table_name", "schema_name", "database_name")
        given = dict(zip(names, reversed(table), strict=False))
        where = [f"lower({name}) = lower({self.literal(part)})" for name, part in given.items()]
        where += [f"({name} = {at} OR {name} = {other})" for name, at, other in _HERE if name not in given]
        keys = ask(
            f"SELECT constraint_column_names AS names FROM duckdb_constraints() WHERE {' AND '.join(where)}"  # noqa: S608 - quoted
            " AND constraint_type IN ('PRIMARY KEY', 'UNIQUE') ORDER BY constraint_type, constraint_index"
        )["names"]
        return [str(name) for name in keys[0]] if keys else []  # type: ignore[attr-defined] # a list of names

    def kind(self, type_name: str) -> Kind:
        """Return what values of a type are; a list or a struct is something else, whatever is in it."""
        if type_name.endswith("]"):
            return "other"
        name = bare(type_name)
        return "integer" if name in INTEGERS else _KINDS.get(name, "other")

    def canonical(self, value: str, kind: Kind, as_kind: Kind) -> str:  # noqa: PLR0911 - a case for each kind
        """Return SQL for the text of *value* as it is compared."""
        if kind == "boolean" and as_kind in {"boolean", "integer", "decimal", "double"}:
            value, kind = f"CAST({value} AS TINYINT)", "integer"
        text = f"CAST({value} AS VARCHAR)"
        match as_kind:
            case "decimal":
                return self.without_zeros(text)
            case "double":
                exact = value if kind == "double" else text  # a decimal's own cast rounds otherwise
                number = f"CAST({exact} AS DOUBLE)"
                bits = f"CAST(CAST({number} AS BIT) AS VARCHAR)"
                return f"CASE WHEN {number} = 0 THEN '0' WHEN isnan({number}) THEN 'nan' ELSE {bits} END"
            case "date":
                days = f"CAST(date_diff('day', DATE '1970-01-01', {value}) AS VARCHAR)"
                return f"CASE WHEN isfinite({value}) THEN {days} ELSE {text} END"
            case "timestamp" | "nanoseconds" | "instant":
                moment = f"CAST({value} AS TIMESTAMP)" if kind == "date" else value
                number = (
                    f"CAST(epoch_us({moment}) AS HUGEINT) * 1000" if kind != "nanoseconds" else f"epoch_ns({moment})"
                )
                return f"CASE WHEN isfinite({moment}) THEN CAST({number} AS VARCHAR) ELSE {text} END"
            case "interval":
                months = f"datepart('year', {value}) * 12 + datepart('month', {value})"
                days, hours = f"datepart('day', {value})", f"datepart('hour', {value})"
                minutes, rest = f"datepart('minute', {value})", f"datepart('microsecond', {value})"
                micro = f"CAST(({months}) * 30 + {days} AS HUGEINT) * 86400000000 + {hours} * 3600000000"
                return f"CAST({micro} + {minutes} * 60000000 + {rest} AS VARCHAR)"
            case "blob":
                return f"lower(hex({value}))"
            case _:
                return text

    def digest(self, text: str) -> str:
        """Return SQL for the MD5 of a *text*."""
        return f"md5({text})"

    def number(self, digits: str) -> str:
        """Return SQL for the number that hexadecimal *digits* write."""
        return f"CAST('0x' || {digits} AS BIGINT)"

    def bucket_of(self, integer: str, buckets: int) -> str:
        """Return SQL for the text of the bucket of an *integer*."""
        return f"CAST(abs(CAST({integer} AS HUGEINT)) % {buckets} AS VARCHAR)"


_HERE = (
    ("schema_name", "current_schema()", "'main'"),
    ("database_name", "current_database()", "'temp'"),
)
"""Where a name without its first parts is looked for."""


class RemoteDigests(DuckDBDigests):
    """MotherDuck's: its servers may have another version, whose hashes are others."""

    hashes_as = ""

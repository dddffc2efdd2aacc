"""DuckDB's SQL for comparing tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from md_magic.engine.backends.digests import Digests, bare
from md_magic.engine.results.columns import INTEGERS
from md_magic.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.backends.digests import About, Ask, Kind

_KINDS: dict[str, Kind] = {
    "BOOLEAN": "boolean",
    "DECIMAL": "decimal",
    "FLOAT": "single",
    "DOUBLE": "double",
    "VARCHAR": "text",
    "ENUM": "text",
    "UUID": "text",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "nanoseconds",
    "TIMESTAMP WITH TIME ZONE": "instant",
    "INTERVAL": "interval",
    "BLOB": "blob",
    "JSON": "nested",
    "MAP": "nested",
    "STRUCT": "nested",
    "UNION": "nested",
}

_HASHED = frozenset({"boolean", "integer", "decimal", "single", "double", "text", "date", "timestamp", "nanoseconds"})
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

    def columns(self, about: About) -> list[tuple[str, str]]:
        """Return name and type of each column of a query."""
        described = about("DESCRIBE\n", "")
        return list(zip(map(str, described["column_name"]), map(str, described["column_type"]), strict=True))

    def key(self, ask: Ask, table: Sequence[str]) -> list[str]:
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
        """Return what values of a type are; a list is nested, whatever is in it."""
        if type_name.endswith("]"):
            return "nested"
        name = bare(type_name)
        return "integer" if name in INTEGERS else _KINDS.get(name, "other")

    def canonical(self, value: str, kind: Kind, as_kind: Kind) -> str:  # noqa: PLR0911 - a case for each kind
        """Return SQL for the text of *value* as it is compared."""
        if kind == "boolean" and as_kind in {"boolean", "integer", "decimal", "single", "double"}:
            value, kind = f"CAST({value} AS TINYINT)", "integer"
        text = f"CAST({value} AS VARCHAR)"
        match as_kind:
            case "decimal":
                return self.without_zeros(text)
            case "single" | "double":
                exact = text if kind == "decimal" else value  # a decimal's own cast rounds otherwise
                number = f"CAST({f'CAST({exact} AS FLOAT)' if as_kind == 'single' else exact} AS DOUBLE)"
                bits = f"CAST(CAST({number} AS BIT) AS VARCHAR)"
                return f"CASE WHEN {number} = 0 THEN '0' WHEN isnan({number}) THEN 'nan' ELSE {bits} END"
            case "date":
                days = f"CAST(date_diff('day', DATE '1970-01-01', {value}) AS VARCHAR)"
                return f"CASE WHEN isfinite({value}) THEN {days} ELSE {text} END"
            case "timestamp" | "nanoseconds" | "instant":
                # also of seconds, which DuckDB 2 would count in nanoseconds, up to 2262
                moment = f"CAST({value} AS TIMESTAMP)" if kind in {"date", "timestamp"} else value
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

    def owned(self, ask: Ask, here: str, there: str) -> str:
        """Return the type as which DuckDB compares nested values of two types: that of both in one column."""
        if here == there:
            return here
        try:
            described = ask(f"DESCRIBE SELECT CAST(NULL AS {here}) UNION ALL SELECT CAST(NULL AS {there})")
        except StatementError:
            return ""
        return str(described["column_type"][0])

    def own(self, value: str, type_name: str, as_type: str) -> str:
        """Return SQL for the key by which DuckDB sorts *value* as *as_type*: equal values have equal ones."""
        cast = value if type_name == as_type else f"CAST({value} AS {as_type})"
        return f"CASE WHEN {value} IS NOT NULL THEN hex(create_sort_key({cast}, 'ASC NULLS LAST')) END"

    def document(self, value: str, type_name: str) -> str:
        """Return SQL for the JSON document of *value*."""
        if self.kind(type_name) != "nested" or type_name == "JSON":
            return f"CAST({value} AS VARCHAR)"
        listed = f"[{_BYTES} FOR x IN {value}]" if type_name == "BLOB[]" else value
        return f"CAST(to_json({listed}) AS VARCHAR)"

    def digest(self, text: str) -> str:
        """Return SQL for the MD5 of a *text*."""
        return f"md5({text})"

    def number(self, digits: str) -> str:
        """Return SQL for the number that hexadecimal *digits* write."""
        return f"CAST('0x' || {digits} AS BIGINT)"

    def bucket_of(self, integer: str, buckets: int) -> str:
        """Return SQL for the text of the bucket of an *integer*."""
        return f"CAST(abs(CAST({integer} AS HUGEINT)) % {buckets} AS VARCHAR)"


_BYTES = r"'\x' || lower(hex(x))"
"""How PostgreSQL writes bytes."""

_HERE = (
    ("schema_name", "current_schema()", "'main'"),
    ("database_name", "current_database()", "'temp'"),
)
"""Where a name without its first parts is looked for."""


class RemoteDigests(DuckDBDigests):
    """MotherDuck's: its servers may have another version, whose hashes are others."""

    hashes_as = ""

"""PostgreSQL's SQL for comparing tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.engine.backends.digests import Digests, bare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.backends.digests import About, Ask, Kind

_KINDS: dict[str, Kind] = {
    "BOOLEAN": "boolean",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "OID": "integer",
    "NUMERIC": "decimal",
    "REAL": "double",
    "DOUBLE PRECISION": "double",
    "TEXT": "text",
    "CHARACTER": "text",
    "CHARACTER VARYING": "text",
    "NAME": "text",
    "UUID": "text",
    "JSON": "nested",
    "JSONB": "nested",
    "DATE": "date",
    "TIMESTAMP WITHOUT TIME ZONE": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "instant",
    "INTERVAL": "interval",
    "BYTEA": "blob",
}


class PostgreSQLDigests(Digests):
    """See `Digests`."""

    dialect = "postgresql"
    text_type = "text"

    def columns(self, about: About) -> list[tuple[str, str]]:
        """Return name and type of each column of a query, of which no row is read."""
        names = list(about("SELECT * FROM (\n", "\n) AS q LIMIT 0"))
        types = [f"pg_typeof(q.c{at})::text AS t{at}" for at in range(len(names))]
        before = f"SELECT {', '.join(types) or '1'} FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM (\n"  # noqa: S608 - the user's own query
        asked = about(before, f"\n) AS e LIMIT 0) AS {self.numbered(len(names))} ON true")
        return [(name, str(asked[f"t{at}"][0])) for at, name in enumerate(names)]

    def key(self, ask: Ask, table: Sequence[str]) -> list[str]:
        """Return the columns of the primary key of *table*, else of a unique index; none without one."""
        found = ask(
            "SELECT i.indexrelid::text AS index, a.attname::text AS name FROM pg_index AS i"  # noqa: S608 - quoted
            " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
            f" WHERE i.indrelid = to_regclass({self.literal(self.quoted(*table))}) AND i.indisunique"
            " AND i.indpred IS NULL AND NOT 0 = ANY(i.indkey)"
            " ORDER BY i.indisprimary DESC, i.indexrelid, array_position(i.indkey::int2[], a.attnum)"
        )
        return [
            str(name) for index, name in zip(found["index"], found["name"], strict=True) if index == found["index"][0]
        ]

    def kind(self, type_name: str) -> Kind:
        """Return what values of a type are; an array is nested, whatever is in it."""
        return "nested" if type_name.endswith("]") else _KINDS.get(bare(type_name), "other")

    def canonical(self, value: str, kind: Kind, as_kind: Kind) -> str:  # noqa: PLR0911 - a case for each kind
        """Return SQL for the text of *value* as it is compared."""
        if kind == "boolean" and as_kind in {"boolean", "integer", "decimal", "single", "double"}:
            value, kind = f"CAST({value} AS int)", "integer"
        text = f"CAST({value} AS text)"
        match as_kind:
            case "decimal":
                return self.without_zeros(text)
            case "single" | "double":
                number = f"CAST({f'CAST({value} AS float4)' if as_kind == 'single' else value} AS float8)"
                bits = f"CAST(CAST('x' || encode(float8send({number}), 'hex') AS bit(64)) AS text)"
                return f"CASE WHEN {number} = 0 THEN '0' WHEN {number} = 'NaN' THEN 'nan' ELSE {bits} END"
            case "date":
                days = f"CAST({value} - DATE '1970-01-01' AS text)"
                return f"CASE WHEN isfinite({value}) THEN {days} ELSE {text} END"
            case "timestamp" | "nanoseconds" | "instant":
                nanoseconds = f"CAST(CAST(extract(epoch FROM {value}) * 1000000000 AS numeric(40, 0)) AS text)"
                return f"CASE WHEN isfinite({value}) THEN {nanoseconds} ELSE {text} END"
            case "interval":
                days = (
                    f"(extract(year FROM {value}) * 12 + extract(month FROM {value})) * 30 + extract(day FROM {value})"
                )
                rest = (
                    f"extract(hour FROM {value}) * 3600000000 + extract(minute FROM {value}) * 60000000"
                    f" + extract(microseconds FROM {value})"
                )
                return f"CAST(CAST(({days}) * 86400000000 + {rest} AS numeric(40, 0)) AS text)"
            case "blob":
                return f"encode({value}, 'hex')"
            case _:
                return text

    def owned(self, ask: Ask, here: str, there: str) -> str:  # noqa: ARG002 - DuckDB's asks
        """Return the type as which PostgreSQL compares nested values of two types: it has no `=` for different ones."""
        return here if here == there else ""

    def own(self, value: str, type_name: str, as_type: str) -> str:  # noqa: ARG002 - see `owned`
        """Return SQL for the extents of an array, and PostgreSQL's own hash in 128 bits; else for the text."""
        element = type_name.removesuffix("[]")
        if element == type_name or self.kind(element) in {"nested", "other"}:
            return f"CAST({value} AS text)"
        halves = " || ':' || ".join(f"hash_array_extended({value}, {seed})" for seed in (1, 2))
        return f"coalesce(array_dims({value}), '') || ':' || {halves}"

    def document(self, value: str, type_name: str) -> str:
        """Return SQL for the JSON document of *value*."""
        if type_name.endswith("[]") or self.kind(type_name) == "other":
            wide = f"CAST({value} AS float8[])" if type_name == "real[]" else value  # else 0.1 is written, as shortest
            return f"CAST(to_jsonb({wide}) AS text)"
        return f"CAST({value} AS text)"

    def digest(self, text: str) -> str:
        """Return SQL for the MD5 of a *text*, in whatever encoding the database has."""
        return f"md5(convert_to({text}, 'UTF8'))"

    def number(self, digits: str) -> str:
        """Return SQL for the number that hexadecimal *digits* write."""
        return f"CAST(CAST('x' || {digits} AS bit(60)) AS bigint)"

    def bucket_of(self, integer: str, buckets: int) -> str:
        """Return SQL for the text of the bucket of an *integer*."""
        return f"CAST(CAST(mod(abs(CAST({integer} AS numeric)), {buckets}) AS bigint) AS text)"

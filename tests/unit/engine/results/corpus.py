"""SQL expressions over `i`: one for each type of DuckDB, and some at the edges of their types."""

import duckdb

# One expression over `i` per type that `duckdb_types()` names as a logical type.
TYPES = {
    "ARRAY": "[i, i + 1]::BIGINT[2]",
    "BIGINT": "i - 1000",
    "BIGNUM": "i::BIGNUM",
    "BIT": "('01' || (i % 2))::BIT",
    "BLOB": "('b' || i)::BLOB",
    "BOOLEAN": "i % 2 = 0",
    "DATE": "DATE '1969-06-01' + (i % 1000)::INTEGER",
    "DECIMAL": "((i - 1000) / 7.0)::DECIMAL(12, 3)",
    "DOUBLE": "i / 7.0::DOUBLE",
    "ENUM": "(CASE WHEN i % 2 = 0 THEN 'b' ELSE 'a' END)::ENUM('c', 'b', 'a')",
    "FLOAT": "(i / 7.0)::FLOAT",
    "GEOMETRY": "'POINT(1 2)'::GEOMETRY",
    "HUGEINT": "i::HUGEINT * 10000000000000000000000000",
    "INTEGER": "i::INTEGER",
    "INTERVAL": "INTERVAL (i) SECOND + INTERVAL 1 MONTH",
    "LIST": "[i, NULL, i + 1]",
    "MAP": "MAP {'k' || (i % 3): i}",
    "NULL": "NULL",
    "SMALLINT": "(i % 1000)::SMALLINT",
    "STRUCT": "{'a': i, 'b': 'x' || i}",
    "TIME": "TIME '01:02:03.5' + INTERVAL (i % 3600) SECOND",
    "TIME WITH TIME ZONE": "TIMETZ '01:02:03+02'",
    "TIMESTAMP": "TIMESTAMP '1969-12-31 23:00:00' + INTERVAL (i) SECOND",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2024-03-30 23:00:00+00' + INTERVAL (i) HOUR",
    "TIMESTAMP_MS": "(TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND)::TIMESTAMP_MS",
    "TIMESTAMP_NS": "(TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND)::TIMESTAMP_NS",
    "TIMESTAMP_S": "(TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND)::TIMESTAMP_S",
    "TIME_NS": "TIME_NS '01:02:03.123456789'",
    "TINYINT": "(i % 100)::TINYINT",
    "TYPE": "get_type(i)",
    "UBIGINT": "i::UBIGINT * 1000000000000000",
    "UHUGEINT": "i::UHUGEINT",
    "UINTEGER": "i::UINTEGER",
    "UNION": "(CASE WHEN i % 2 = 0 THEN union_value(num := i) ELSE NULL END)",
    "USMALLINT": "(i % 1000)::USMALLINT",
    "UTINYINT": "(i % 200)::UTINYINT",
    "UUID": "('00000000-0000-4000-8000-' || lpad(i::VARCHAR, 12, '0'))::UUID",
    "VARCHAR": "'tëxt ' || i",
    "VARIANT": "i::VARIANT",
}
if duckdb.__version__ >= "2":
    TYPES |= {
        "TIMESTAMPTZ_NS": "(TIMESTAMPTZ '2024-03-30 23:00:00.123456+00' + INTERVAL (i) HOUR)::TIMESTAMPTZ_NS",
        "TUPLE": "(i, 'x' || i)",
    }
# What the types alone do not show: edges, widths, aliases and unusual values.
EDGES = {
    "json": "('{\"i\": ' || i || '}')::JSON",
    "decimal, one digit": "(i % 9)::DECIMAL(1, 0)",
    "decimal, 18 digits": "(hash(i) % 1000000000000000)::DECIMAL(18, 3) * (CASE WHEN i % 2 = 0 THEN -1 ELSE 1 END)",
    "decimal, 19 digits": "((i - 1000) / 7.0)::DECIMAL(19, 9)",
    "decimal, 38 digits": "(hash(i)::HUGEINT * (hash(i + 1) % 10000000000000000)::HUGEINT)::DECIMAL(38, 0)",
    "double, not finite": "(CASE i % 4 WHEN 0 THEN 'nan' WHEN 1 THEN 'inf' WHEN 2 THEN '-inf' ELSE '-0.0' END)::DOUBLE",
    "timestamp, infinite": "CASE WHEN i % 2 = 0 THEN 'infinity'::TIMESTAMP ELSE '-infinity' END",
    "timestamp, far": "TIMESTAMP '290000-01-01' - INTERVAL (i) YEAR",
    "date, far": "DATE '290000-01-01' - i::INTEGER",
    "date, infinite": "DATE 'infinity'",
    "date, beyond": "DATE '300000-01-01'",
    "interval, beyond": "INTERVAL 300000 YEAR",
    "text, empty": "''",
    "text, with zero bytes": "'a' || chr(0) || i",
    "text, very long": "repeat('x', (i % 5)::INTEGER * 1000)",
    "enum, many": "(i % 300)::VARCHAR::many",
    "hugeint, widest": "170141183460469231731687303715884105727 - i",
    "union of texts, later a number": (
        "CASE WHEN i < 5 THEN union_value(t := 'a')::mixture ELSE union_value(n := i)::mixture END"
    ),
}
CASES = {**TYPES, **EDGES}


def failing(rows: int) -> str:
    return f"SELECT CASE WHEN i = {rows - 1} THEN error('boom') ELSE i::VARCHAR END AS a, i FROM range({rows}) r(i)"

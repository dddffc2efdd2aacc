"""Words of SQL that completion knows by heart: keywords by their place, and functions for before a connection."""

from __future__ import annotations

STATEMENTS = tuple(
    (
        "SELECT,FROM,WITH,INSERT INTO,UPDATE,DELETE FROM,CREATE TABLE,CREATE OR REPLACE TABLE,"
        "CREATE VIEW,CREATE TEMP TABLE,CREATE SCHEMA,CREATE MACRO,DROP TABLE,DROP VIEW,ALTER TABLE,"
        "ATTACH,DETACH,USE,COPY,DESCRIBE,SUMMARIZE,SHOW,SHOW TABLES,PIVOT,UNPIVOT,EXPLAIN,"
        "EXPLAIN ANALYZE,SET,RESET,BEGIN,COMMIT,ROLLBACK,MERGE INTO,TRUNCATE,VALUES,CALL,PRAGMA,"
        "INSTALL,LOAD,CHECKPOINT,EXPORT DATABASE,IMPORT DATABASE,PREPARE,EXECUTE,DEALLOCATE,ANALYZE,"
        "VACUUM,COMMENT ON,TABLE,CREATE,INSERT,DELETE,DROP,ALTER,MERGE"
    ).split(",")
)
"""How a statement begins."""

EXPRESSION = (
    "CASE",
    "NOT",
    "NULL",
    "TRUE",
    "FALSE",
    "EXISTS",
    "CAST",
    "TRY_CAST",
    "INTERVAL",
    "COLUMNS",
    "EXTRACT",
    "LAMBDA",
)
"""What an operand can be."""

_TESTS = "AND,OR,IN,NOT IN,IS NULL,IS NOT NULL,LIKE,ILIKE,NOT LIKE,BETWEEN,IS DISTINCT FROM,SIMILAR TO,GLOB,COLLATE"
_JOINS = (
    "JOIN,LEFT JOIN,INNER JOIN,RIGHT JOIN,FULL JOIN,CROSS JOIN,SEMI JOIN,ANTI JOIN,ASOF JOIN,"
    "POSITIONAL JOIN,NATURAL JOIN"
)
_END = "UNION ALL,UNION,UNION BY NAME,EXCEPT,INTERSECT"
_AFTER_WHERE = f"GROUP BY,HAVING,QUALIFY,ORDER BY,LIMIT,OFFSET,WINDOW,USING SAMPLE,{_END}"

OPERATORS = {
    clause: tuple(dict.fromkeys(words.split(",")))
    for clause, words in {
        "": "SELECT,FROM",
        "select": f"FROM,AS,OVER,FILTER,EXCLUDE,REPLACE,WHERE,{_TESTS},ORDER BY,LIMIT,{_END}",
        "from": f"WHERE,{_JOINS},ON,USING,AS,{_AFTER_WHERE},SELECT,TABLESAMPLE",
        "into": "VALUES,SELECT,BY NAME,DEFAULT VALUES,WITH,FROM,ON CONFLICT,RETURNING,AS",
        "using": f"ON,WHEN MATCHED THEN,WHEN NOT MATCHED THEN,WHERE,{_JOINS},GROUP BY,RETURNING,AS",
        "join type": "JOIN,OUTER JOIN,SEMI JOIN,ANTI JOIN",
        "on": f"{_TESTS},WHERE,{_JOINS},USING,{_AFTER_WHERE},DO NOTHING,DO UPDATE SET",
        "where": f"{_TESTS},{_AFTER_WHERE},RETURNING",
        "group": f"HAVING,QUALIFY,ORDER BY,LIMIT,WINDOW,{_END}",
        "having": f"{_TESTS},QUALIFY,ORDER BY,LIMIT,{_END}",
        "qualify": f"{_TESTS},ORDER BY,LIMIT,{_END}",
        "order": f"ASC,DESC,NULLS FIRST,NULLS LAST,LIMIT,OFFSET,COLLATE,{_END}",
        "limit": f"OFFSET,PERCENT,{_END}",
        "offset": "LIMIT",
        "values": "RETURNING,ON CONFLICT,UNION ALL",
        "returning": "AS",
        "set": f"WHERE,FROM,RETURNING,{_TESTS}",
        "update": "SET,AS",
        "insert": "INTO,OR REPLACE INTO,OR IGNORE INTO",
        "merge": "INTO",
        "delete": "FROM",
        "pivot": "ON,USING,GROUP BY,ORDER BY,LIMIT",
        "unpivot": "ON,INTO,ORDER BY,LIMIT",
        "group without by": "BY",
        "order without by": "BY",
        "arguments": f"{_TESTS},AS,ORDER BY,OVER,FILTER,DISTINCT",
        "window": "ORDER BY,ROWS BETWEEN,RANGE BETWEEN,UNBOUNDED PRECEDING,CURRENT ROW,ASC,DESC,NULLS LAST,NULLS FIRST",
        "create": "TABLE,OR REPLACE,VIEW,TEMP TABLE,SCHEMA,MACRO,TYPE,SEQUENCE,INDEX,UNIQUE INDEX,DATABASE,SECRET,"
        "IF NOT EXISTS,AS,ON",
        "drop": "TABLE,VIEW,SCHEMA,MACRO,TYPE,SEQUENCE,INDEX,DATABASE,IF EXISTS,CASCADE",
        "alter": "TABLE,VIEW,ADD COLUMN,DROP COLUMN,RENAME TO,RENAME COLUMN,RENAME,ALTER COLUMN,TYPE,TO,SET DEFAULT",
        "comment": "ON,TABLE,COLUMN,VIEW,IS",
        "truncate": "TABLE",
        "copy": "TO,FROM,FORMAT",
        "attach": "AS,READ_ONLY,TYPE,IF NOT EXISTS",
        "use": "",
        "detach": "DATABASE,IF EXISTS",
        "show": "TABLES,ALL TABLES,DATABASES,FROM",
        "describe": "SELECT",
        "summarize": "SELECT",
        "desc": "SELECT",
        "definition": "PRIMARY KEY,NOT NULL,UNIQUE,DEFAULT,CHECK,REFERENCES,COLLATE",
        "explain": "ANALYZE,SELECT",
    }.items()
}
"""What can follow an operand or a table, by the clause it stands in."""

KEYWORDS = tuple(
    dict.fromkeys(
        [
            *STATEMENTS,
            *EXPRESSION,
            *(word for words in OPERATORS.values() for word in words if word),
            *(
                "WHEN,THEN,ELSE,END,DISTINCT,PARTITION BY,LATERAL,RECURSIVE,MATERIALIZED,ESCAPE,"
                "WITHIN GROUP,ALL,ANY,BY,GROUP,ORDER,ON,TEMPORARY,TEMP,REPLACE"
            ).split(","),
        ]
    )
)

COMMON_FUNCTIONS = tuple(
    (
        "count sum avg min max abs round floor ceil coalesce nullif ifnull concat length lower upper trim"
        " ltrim rtrim replace substring split_part string_split regexp_matches regexp_replace regexp_extract"
        " strftime strptime date_trunc date_part date_diff date_add now today current_date year month day hour"
        " minute second dayofweek extract greatest least list list_value struct_pack unnest array_agg"
        " string_agg first last any_value arg_max arg_min median quantile_cont mode stddev variance corr"
        " row_number rank dense_rank lag lead first_value last_value ntile list_transform list_filter"
        " list_contains list_aggregate contains starts_with ends_with like_escape json_extract"
        " json_extract_string to_json count_if bool_and bool_or histogram approx_count_distinct power sqrt ln"
        " log exp random hash md5 printf format typeof generate_series range make_date epoch epoch_ms age"
        " try_cast if len left right lpad rpad reverse repeat instr"
    ).split()
)
"""Functions that are offered before there is a connection to ask, and before the others afterwards."""

TABLE_FUNCTIONS = tuple(
    (
        "read_csv read_parquet read_json read_csv_auto read_text read_blob range generate_series unnest glob"
        " duckdb_tables duckdb_columns duckdb_functions duckdb_settings parquet_metadata parquet_schema"
        " sniff_csv query query_table"
    ).split()
)

TYPES = tuple(
    (
        "INTEGER BIGINT VARCHAR DOUBLE BOOLEAN DATE TIMESTAMP DECIMAL TIME INTERVAL HUGEINT SMALLINT TINYINT"
        " REAL FLOAT BLOB UUID JSON TIMESTAMPTZ UBIGINT UINTEGER USMALLINT UTINYINT TEXT INT STRUCT MAP BIT"
        " ENUM"
    ).split()
)

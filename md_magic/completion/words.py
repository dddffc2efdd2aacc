"""SQL words built into completion: keywords by position, and functions to offer before there is a connection."""

from __future__ import annotations


def _phrases(text: str, separator: str = ",") -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(separator)))


STATEMENTS = _phrases(
    "SELECT,FROM,WITH,INSERT INTO,UPDATE,DELETE FROM,CREATE TABLE,CREATE OR REPLACE TABLE,"
    "CREATE VIEW,CREATE TEMP TABLE,CREATE SCHEMA,CREATE MACRO,DROP TABLE,DROP VIEW,ALTER TABLE,"
    "ATTACH,DETACH,USE,COPY,DESCRIBE,SUMMARIZE,SHOW,SHOW TABLES,PIVOT,UNPIVOT,EXPLAIN,"
    "EXPLAIN ANALYZE,SET,RESET,BEGIN,COMMIT,ROLLBACK,MERGE INTO,TRUNCATE,VALUES,CALL,PRAGMA,"
    "INSTALL,LOAD,CHECKPOINT,EXPORT DATABASE,IMPORT DATABASE,PREPARE,EXECUTE,DEALLOCATE,ANALYZE,"
    "VACUUM,COMMENT ON,TABLE,CREATE,INSERT,DELETE,DROP,ALTER,MERGE"
)
"""Words that begin a statement."""

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
"""Words that can begin an operand."""

_TESTS = "AND,OR,IN,NOT IN,IS NULL,IS NOT NULL,LIKE,ILIKE,NOT LIKE,BETWEEN,IS DISTINCT FROM,SIMILAR TO,GLOB,COLLATE"
_JOINS = (
    "JOIN,LEFT JOIN,INNER JOIN,RIGHT JOIN,FULL JOIN,CROSS JOIN,SEMI JOIN,ANTI JOIN,ASOF JOIN,"
    "POSITIONAL JOIN,NATURAL JOIN"
)
_END = "UNION ALL,UNION,UNION BY NAME,EXCEPT,INTERSECT"
_AFTER_WHERE = f"GROUP BY,HAVING,QUALIFY,ORDER BY,LIMIT,OFFSET,WINDOW,USING SAMPLE,{_END}"

OPERATORS = {
    clause: _phrases(words)
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
"""Words that can follow an operand or a table, by clause."""

KEYWORDS = tuple(
    dict.fromkeys(
        [
            *STATEMENTS,
            *EXPRESSION,
            *(word for words in OPERATORS.values() for word in words if word),
            *_phrases(
                "WHEN,THEN,ELSE,END,DISTINCT,PARTITION BY,LATERAL,RECURSIVE,MATERIALIZED,ESCAPE,"
                "WITHIN GROUP,ALL,ANY,BY,GROUP,ORDER,ON,TEMPORARY,TEMP,REPLACE"
            ),
        ]
    )
)

COMMON_FUNCTIONS = _phrases(
    "count sum avg min max abs round floor ceil coalesce nullif ifnull concat length lower upper trim"
    " ltrim rtrim replace substring split_part string_split regexp_matches regexp_replace regexp_extract"
    " strftime strptime date_trunc date_part date_diff date_add now today current_date year month day hour"
    " minute second dayofweek extract greatest least list list_value struct_pack unnest array_agg"
    " string_agg first last any_value arg_max arg_min median quantile_cont mode stddev variance corr"
    " row_number rank dense_rank lag lead first_value last_value ntile list_transform list_filter"
    " list_contains list_aggregate contains starts_with ends_with like_escape json_extract"
    " json_extract_string to_json count_if bool_and bool_or histogram approx_count_distinct power sqrt ln"
    " log exp random hash md5 printf format typeof generate_series range make_date epoch epoch_ms age"
    " try_cast if len left right lpad rpad reverse repeat instr",
    " ",
)
"""Functions offered before there is a connection; afterwards they rank before the others."""

TABLE_FUNCTIONS = _phrases(
    "read_csv read_parquet read_json read_csv_auto read_text read_blob range generate_series unnest glob"
    " duckdb_tables duckdb_columns duckdb_functions duckdb_settings parquet_metadata parquet_schema"
    " sniff_csv query query_table",
    " ",
)

TYPES = _phrases(
    "INTEGER BIGINT VARCHAR DOUBLE BOOLEAN DATE TIMESTAMP DECIMAL TIME INTERVAL HUGEINT SMALLINT TINYINT"
    " REAL FLOAT BLOB UUID JSON TIMESTAMPTZ UBIGINT UINTEGER USMALLINT UTINYINT TEXT INT STRUCT MAP BIT"
    " ENUM",
    " ",
)

STANDARD_TYPES = _phrases(
    "INTEGER BIGINT VARCHAR DOUBLE BOOLEAN DATE TIMESTAMP DECIMAL TIME SMALLINT NUMERIC REAL FLOAT CHAR TEXT INT", " "
)
"""Types offered on other databases than DuckDB."""

INTERNAL_FUNCTIONS = frozenset(
    _phrases(
        "add_parquet_key can_cast_implicitly cast_to_type col_description combine constant_or_null count_star"
        " create_sort_key current_connection_id current_query_id current_transaction_id finalize format_pg_type"
        " format_type get_block_size icu_sort_key in_search_path is_histogram_other_bin map_to_pg_oid obj_description"
        " parse_duckdb_log_message remap_struct shobj_description stats txid_current vector_type write_log",
        " ",
    )
)
"""Functions that hardly anybody calls, which stand last; so do those that begin with one of `INTERNAL_PREFIXES`."""

INTERNAL_PREFIXES = ("pg_", "has_", "inet_", "duckdb_logs", "test_", "sql_auto_complete")

import assert from "node:assert/strict";
import { test } from "node:test";
import { dialectOf, kindOf, sqlInLine } from "../../md_magic/labextension/md-magic/static/colours.js";

/**
 * The words of a text that are keywords, and those that are types.
 * @param {string} text
 * @param {string} [dialect]
 */
function coloured(text, dialect = "duckdb") {
  /** @type {Record<string, string[]>} */
  const found = { Keyword: [], Type: [], Identifier: [] };
  for (const word of text.matchAll(/[a-z_]\w*/gi)) {
    found[kindOf(text, word.index, word.index + word[0].length, dialect)].push(word[0]);
  }
  return [found.Keyword.join(" "), found.Type.join(" ")];
}

for (const [text, keywords, types = "", dialect = "duckdb"] of [
  ["SELECT id, name, type, value, year, month, day, date FROM t", "SELECT FROM"],
  ["SELECT key, index, text, count, level, first, rows, time, user, schema FROM t", "SELECT FROM"],
  ["select t.select, t.order, x.date from t", "select from"],
  ["FROM t ASOF JOIN u USING (id) QUALIFY row_number() OVER () = 1", "FROM ASOF JOIN USING QUALIFY OVER"],
  ["pivot t on year using sum(n); UNPIVOT t ON a; SUMMARIZE t", "pivot on using UNPIVOT ON SUMMARIZE"],
  ["FROM a POSITIONAL JOIN b SEMI JOIN c ANTI JOIN d", "FROM POSITIONAL JOIN SEMI JOIN ANTI JOIN"],
  ["SELECT * EXCLUDE (id) REPLACE (replace(x, 'a', 'b') AS x)", "SELECT EXCLUDE AS"],
  ["SELECT x::DATE, CAST(y AS time), DATE '2020-01-01', INTERVAL 1 DAY", "SELECT CAST AS", "DATE time DATE INTERVAL"],
  ['CREATE TABLE t (id INTEGER, at DATE, "d e" json, type VARCHAR)', "CREATE TABLE", "INTEGER DATE json VARCHAR"],
  ["CREATE OR REPLACE MACRO f(x) AS x; CREATE TYPE mood AS ENUM ('a')", "CREATE OR REPLACE MACRO AS CREATE TYPE AS"],
  ["CREATE UNIQUE INDEX i ON t (key); DROP SCHEMA s", "CREATE UNIQUE INDEX ON DROP SCHEMA"],
  ["ORDER BY x NULLS LAST ROWS BETWEEN UNBOUNDED PRECEDING", "ORDER BY NULLS LAST ROWS BETWEEN UNBOUNDED"],
  ["SELECT ts AT TIME ZONE 'UTC'", "SELECT AT", "TIME"],
  ["SELECT temp FROM weather WHERE temp > 3 ORDER BY temp DESC", "SELECT FROM WHERE ORDER BY DESC"],
  [
    "SELECT comment, load, filter, transaction, view, partition, show, call, copy, reset, values, set FROM t",
    "SELECT FROM",
  ],
  ["SELECT count(temp), -load, comment || 'x', view::INT, copy[1], max(reset) AS values", "SELECT AS", "INT"],
  ["SELECT CASE WHEN load IS NULL THEN temp ELSE set END FROM comment", "SELECT CASE WHEN IS THEN ELSE END FROM"],
  ["CREATE TEMP TABLE t (temp INTEGER, comment date, values TEXT)", "CREATE TEMP TABLE", "INTEGER date TEXT"],
  ["UPDATE load SET set = 1, temp = 2 WHERE view IN (values)", "UPDATE SET WHERE IN"],
  ["FROM comment JOIN load ON comment = view", "FROM JOIN ON"],
  [
    "DROP TABLE IF EXISTS comment; DROP VIEW v; COMMENT ON VIEW v IS 'x'",
    "DROP TABLE IF EXISTS DROP VIEW COMMENT ON VIEW IS",
  ],
  ["COPY t TO 'x'; LOAD json; CALL f(); RESET ALL; SHOW TABLES", "COPY TO LOAD CALL RESET ALL SHOW TABLES"],
  ["BEGIN TRANSACTION; COMMIT; ROLLBACK; VALUES (1), (2)", "BEGIN TRANSACTION COMMIT ROLLBACK VALUES"],
  [
    "INSERT INTO t (set, values) VALUES (1) ON CONFLICT (set) DO UPDATE SET values = 2",
    "INSERT INTO VALUES ON CONFLICT DO UPDATE SET",
  ],
  ["FROM (VALUES (1)) AS t(temp) WHERE x IN (VALUES (1))", "FROM VALUES AS WHERE IN VALUES"],
  [
    "WITH a AS MATERIALIZED (SELECT 1) SELECT sum(x) FILTER (WHERE y) OVER (PARTITION BY z) FROM a",
    "WITH AS MATERIALIZED SELECT SELECT FILTER WHERE OVER PARTITION BY FROM",
  ],
  [
    "MERGE INTO t USING s ON a = b WHEN MATCHED THEN UPDATE SET c = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "MERGE INTO USING ON WHEN MATCHED THEN UPDATE SET WHEN NOT MATCHED THEN INSERT VALUES",
  ],
  [
    "ALTER TABLE t ADD COLUMN temp INT; ALTER TABLE t RENAME COLUMN load TO view",
    "ALTER TABLE ADD COLUMN ALTER TABLE RENAME COLUMN TO",
    "INT",
  ],
  ["SELECT * FROM a JOIN b ON type = kind WHERE x = 1 OR role = 'admin'", "SELECT FROM JOIN ON WHERE OR"],
  ["SELECT price * index, 2 * rows FROM t WHERE x BETWEEN first AND last", "SELECT FROM WHERE BETWEEN AND"],
  ["CREATE OR REPLACE /* x */ TEMP TABLE t", "CREATE OR REPLACE TEMP TABLE"],
  ["SELECT sum(x) OVER (PARTITION", "SELECT OVER PARTITION"],
  ["SELECT id, created date FROM t", "SELECT FROM"],
  ["SELECT id, f(x, y) date, (SELECT max(a) FROM u) time FROM t", "SELECT SELECT FROM FROM"],
  ["CREATE TABLE t (a INTEGER DEFAULT (1 + f(2)), d DATE)", "CREATE TABLE DEFAULT", "INTEGER DATE"],
  ["SELECT * FROM f() AS t(a INTEGER, d date)", "SELECT FROM AS", "INTEGER date"],
  ["SELECT TRY_CAST(x AS DATE), cast(f(x, g(y)) AS time), x AS date", "SELECT TRY_CAST AS cast AS AS", "DATE time"],
  ["SELECT a FROM t GROUP BY ROLLUP (a, b), CUBE (c)", "SELECT FROM GROUP BY ROLLUP CUBE"],
  [
    "SELECT a FROM t GROUP BY GROUPING SETS ((a), (b)); SELECT sets, rollup, cube, start FROM t",
    "SELECT FROM GROUP BY GROUPING SETS SELECT FROM",
  ],
  ["CREATE SEQUENCE s START WITH 5; CREATE SEQUENCE s START 5", "CREATE SEQUENCE START WITH CREATE SEQUENCE START"],
  ["START TRANSACTION; SELECT start FROM t", "START TRANSACTION SELECT FROM", "", "mysql"],
  ["SELECT a FROM t GROUP BY a WITH ROLLUP", "SELECT FROM GROUP BY WITH ROLLUP", "", "mysql"],
  ["CREATE TABLE t (a INT COMMENT 'x', comment INT)", "CREATE TABLE COMMENT", "INT INT", "mysql"],
  ["GRANT SELECT, INSERT, TRUNCATE, SHOW VIEW ON t TO u", "GRANT SELECT INSERT TRUNCATE SHOW VIEW ON TO", "", "mysql"],
  [
    "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'x'); END",
    "CREATE TRIGGER INSERT ON BEGIN SELECT RAISE ROLLBACK END",
    "",
    "sqlite",
  ],
  ["SELECT qualify, pivot, lateral FROM t", "SELECT lateral FROM", "", "postgresql"],
  ["SELECT a ILIKE b FROM t FETCH FIRST 1 ROWS ONLY", "SELECT ILIKE FROM FETCH", "", "postgresql"],
  ["SELECT a RLIKE b, ilike FROM t STRAIGHT_JOIN u", "SELECT RLIKE FROM STRAIGHT_JOIN", "", "mysql"],
  ["REPLACE INTO t VALUES (1)", "REPLACE INTO VALUES", "", "mysql"],
  ["SELECT pivot FROM t WHERE a GLOB 'x' AND b NOTNULL", "SELECT FROM WHERE GLOB AND NOTNULL", "", "sqlite"],
]) {
  test(`keywords and types of ${dialect}: ${text}`, () => assert.deepEqual(coloured(text, dialect), [keywords, types]));
}

for (const [lines, dialect] of /** @type {[string[], string][]} */ ([
  [[], "duckdb"],
  [[""], "duckdb"],
  [[" postgresql+psycopg://u@h/db"], "postgresql"],
  [[" --limit 5 'mysql+pymysql://u:a b@h/db'"], "mysql"],
  [[" mariadb://h/db", " --limit 3"], "mysql"],
  [[" sqlite:///x.db", " md:my_db"], "duckdb"],
  [[" sqlite:///x.db --alias lite", " md:", " @lite"], "sqlite"],
  [[" @unknown"], "duckdb"],
  [[" sqlite://", " SELECT a::INT"], "sqlite"],
])) {
  test(`the database of ${JSON.stringify(lines)}`, () => assert.equal(dialectOf(lines), dialect));
}

for (const [line, sql] of /** @type {[string, string | undefined][]} */ ([
  ["%mdsql SELECT 1", "SELECT 1"],
  ["df = %mdsql --limit 5 md:it's from flights", "from flights"],
  ["a.b, c = %mdsql FROM t", "FROM t"],
  ["%mdsql (SELECT 1)", "(SELECT 1)"],
  ["%mdsql ((FROM t)) UNION ALL FROM u", "((FROM t)) UNION ALL FROM u"],
  ["x = %mdsql TABLE t", "TABLE t"],
  ['%mdsql md: TABLE "t u"', 'TABLE "t u"'],
  ["%mdsql --describe table", undefined],
  ["%mdsql --tables selected%", undefined],
  ["%mdsql md:", undefined],
  ["%mdsqlx SELECT 1", undefined],
  ["x = 'SELECT 1'  # %mdsql SELECT 2", undefined],
])) {
  test(`the SQL of ${line}`, () => {
    const found = sqlInLine(line);
    assert.equal(found ? line.slice(found.at) : undefined, sql);
  });
}

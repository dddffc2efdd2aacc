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

import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns } from "../../../md_magic/display/static/grid/columns.js";

/** @import { ColumnFacts } from "../../../md_magic/display/static/grid/columns.js" */

const EIGHT = (/** @type {string} */ text) => text.length * 8;
const MEASURES = { cell: EIGHT, name: EIGHT, kind: EIGHT };

/** @param {ColumnFacts[]} facts */
const made = (facts) => new Columns(facts, MEASURES);

/** @type {(count: number, number?: boolean) => Columns} columns of 75 px each, after 40 */
const many = (count, number = true) => made(Array.from({ length: count }, () => ["i", "INTEGER", number]));

test("a column begins as wide as its name and its type", () => {
  const columns = made([
    ["i", "INTEGER", true],
    ["a rather long name", "VARCHAR", false],
    ["s", "STRUCT(a INTEGER, b VARCHAR, c DOUBLE)", false],
    ["x".repeat(500), "VARCHAR", false],
  ]);
  assert.deepEqual(columns.widths, [75, 178, 200, 360]);
  assert.deepEqual(columns.offsets, [40, 115, 293, 493, 853]);
  assert.deepEqual([columns.gutter, columns.width], [40, 853]);
});

test("the numbers of a million rows need a wider gutter", () => {
  const columns = many(1);
  columns.place(1_000_000, 0);
  assert.deepEqual(columns.offsets, [83, 158]);
});

test("columns grow to their values, up to a bound, and never shrink", () => {
  const columns = many(3, false);
  assert.equal(columns.fit([["x".repeat(20), null]], 1), true);
  assert.deepEqual(columns.widths, [75, 179, 75]);
  assert.equal(columns.fit([["short", "short", null]], 0), false);
  assert.equal(columns.fit([["x".repeat(10_000)]], 0), true);
  assert.deepEqual(columns.widths, [360, 179, 75]);
});

test("a number has room for all its digits, where a text is cut", () => {
  const columns = made([
    ["n", "HUGEINT", true],
    ["t", "VARCHAR", false],
  ]);
  columns.fit([["1".repeat(60), "1".repeat(60)]], 0);
  assert.deepEqual(columns.widths, [499, 360]);
});

test("room that is left goes to the columns whose values are cut", () => {
  const columns = many(3, false);
  columns.fit([["x".repeat(50), "x".repeat(100), "x"]], 0);
  assert.deepEqual(columns.widths, [360, 360, 75]);
  columns.place(10, 1000);
  assert.deepEqual(columns.widths, [419, 466, 75]); // the first needs no more
  columns.place(10, 2000);
  assert.deepEqual(columns.widths, [419, 819, 75]);
  assert.equal(columns.fit([["x".repeat(200), null, null]], 0), true); // and without asking again
  assert.deepEqual(columns.widths, [1066, 819, 75]);
});

test("a width by hand stays, within bounds", () => {
  const columns = many(2, false);
  columns.resize(0, 200);
  columns.fit([["x".repeat(40), "x"]], 0);
  columns.place(10, 2000);
  assert.deepEqual(columns.widths, [200, 75]);
  columns.resize(0, 3);
  columns.resize(1, 1e6);
  assert.deepEqual(columns.widths, [44, 4000]);
});

test("a column is fitted to its name and to what is here, narrower as well as wider", () => {
  const columns = made([["a name of some length", "VARCHAR", false]]);
  columns.resize(0, 900);
  columns.fitTo(0, ["x", null]);
  assert.deepEqual(columns.widths, [202]);
  columns.fitTo(0, ["x", "y".repeat(100)]);
  assert.deepEqual(columns.widths, [819]);
});

test("only the columns between the gutter and the right edge are in sight", () => {
  const columns = many(500);
  assert.deepEqual(columns.inSight(0, 415), { from: 0, to: 5 });
  assert.deepEqual(columns.inSight(0, 416), { from: 0, to: 6 });
  assert.deepEqual(columns.inSight(74, 415), { from: 0, to: 6 });
  assert.deepEqual(columns.inSight(75, 415), { from: 1, to: 6 });
  assert.deepEqual(columns.inSight(columns.width - 415, 415), { from: 495, to: 500 });
});

test("a place is that of a column", () => {
  const columns = many(5);
  assert.deepEqual(
    [-50, 0, 114, 115, 414, 415, 9999].map((x) => columns.positionAt(x)),
    [0, 0, 0, 1, 4, 4, 4],
  );
});

test("a column is brought into sight by the shortest way, its beginning first", () => {
  const columns = many(10);
  assert.equal(columns.leftFor(0, 300, 400), 0);
  assert.equal(columns.leftFor(3, 300, 400), 225);
  assert.equal(columns.leftFor(5, 300, 400), 300);
  assert.equal(columns.leftFor(9, 300, 400), 390);
  columns.resize(9, 1000);
  assert.equal(columns.leftFor(9, 300, 400), 675);
});

test("a text wider than its column is cut, and a number is not shown in part", () => {
  const columns = made([
    ["i", "BIGINT", true],
    ["t", "VARCHAR", false],
  ]);
  for (const column of [0, 1]) columns.resize(column, 100);
  assert.equal(columns.isCut("1234567890", 0), false);
  assert.equal(columns.shown("1234567890", 0), "1234567890");
  assert.equal(columns.isCut("12345678901", 0), true);
  assert.equal(columns.shown("9007199254740993", 0), "#####");
  assert.equal(columns.shown("9007199254740993", 1), "9007199254740993");
});

test("a text stands on one line, and its end is left out where it is very long", () => {
  const columns = many(1, false);
  assert.equal(columns.shown("a\nb\r\nc\td", 0), "a↵ b↵ c⇥ d");
  assert.equal(columns.shown("x".repeat(5000), 0).length, 301);
  columns.resize(0, 4000);
  assert.equal(columns.shown("x".repeat(5000), 0).length, 1001);
});

test("columns are moved, to both sides", () => {
  const columns = many(4);
  columns.move(0, 2);
  assert.deepEqual(columns.order, [1, 2, 0, 3]);
  columns.move(3, 0);
  assert.deepEqual(columns.order, [3, 1, 2, 0]);
  assert.equal(columns.isWhole, false);
  columns.reset();
  assert.equal(columns.isWhole, true);
});

test("columns are hidden and come back beside their neighbours; one stays", () => {
  const columns = many(3);
  assert.equal(columns.show(1, false), true);
  assert.deepEqual([columns.count, columns.offsets], [2, [40, 115, 190]]);
  assert.equal(columns.show(0, false), true);
  assert.equal(columns.show(2, false), false);
  assert.equal(columns.show(1, true), true);
  assert.equal(columns.show(1, true), false);
  assert.deepEqual(columns.order, [1, 2]);
  columns.show(0, true);
  assert.deepEqual(columns.order, [0, 1, 2]);
});

test("what is in sight is fetched as runs of neighbours, wherever they stand", () => {
  const columns = many(6);
  columns.move(5, 0);
  columns.show(1, false); // 5, 0, 2, 3, 4
  const rows = { first: 10, end: 20 };
  assert.deepEqual(columns.runs({ ...rows, from: 0, to: 4 }), [
    { ...rows, from: 0, to: 1 },
    { ...rows, from: 2, to: 4 },
    { ...rows, from: 5, to: 6 },
  ]);
  assert.deepEqual(columns.runs({ ...rows, from: 2, to: 2 }), []);
});

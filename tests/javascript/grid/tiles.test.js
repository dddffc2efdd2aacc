import assert from "node:assert/strict";
import { test } from "node:test";
import { across, Tiles } from "../../../md_magic/display/static/grid/tiles.js";

/** @import { Page } from "../../../md_magic/display/static/grid/tiles.js" */

/**
 * Return the rows of a page of a result whose values say where they stand.
 * @param {Page} page
 * @param {number} [total]
 */
function rowsOf({ first, count, left, right }, total = 1e9) {
  const rows = Array.from({ length: Math.max(0, Math.min(count, total - first)) }, (_, at) => first + at);
  return rows.map((row) => Array.from({ length: right - left }, (_, at) => `${row},${left + at}`));
}

/**
 * @param {Tiles} tiles
 * @param {Page} page
 * @param {number} [total]
 */
const fetch = (tiles, page, total) => tiles.keep(page, rowsOf(page, total));

test("values stand where the page had them, and others are not here", () => {
  const tiles = new Tiles();
  fetch(tiles, { first: 128, count: 128, left: 16, right: 40 });
  for (const [row, column] of [
    [128, 16],
    [191, 31],
    [192, 32],
    [255, 39],
  ]) {
    assert.equal(tiles.value(row, column), `${row},${column}`);
  }
  for (const [row, column] of [
    [127, 16],
    [256, 16],
    [128, 15],
    [128, 40],
  ]) {
    assert.equal(tiles.value(row, column), undefined);
  }
});

test("NULL is here, and is no missing value", () => {
  const tiles = new Tiles();
  tiles.keep({ first: 0, left: 0, right: 1 }, [[null]]);
  assert.equal(tiles.value(0, 0), null);
  assert.equal(tiles.missing({ first: 0, end: 1, from: 0, to: 1 }, 1, 1), null);
});

test("what is missing is asked for by whole tiles, and not again", () => {
  const tiles = new Tiles();
  const sight = { first: 60, end: 73, from: 0, to: 5 };
  assert.deepEqual(tiles.missing(sight, 1000, 20), { first: 0, count: 128, left: 0, right: 16 });
  fetch(tiles, { first: 0, count: 64, left: 0, right: 16 });
  assert.deepEqual(tiles.missing(sight, 1000, 20), { first: 64, count: 64, left: 0, right: 16 });
  fetch(tiles, { first: 64, count: 64, left: 0, right: 16 });
  assert.equal(tiles.missing(sight, 1000, 20), null);
});

test("of columns that came into sight only those are missing", () => {
  const tiles = new Tiles();
  fetch(tiles, { first: 0, count: 64, left: 0, right: 16 });
  const page = tiles.missing({ first: 0, end: 13, from: 10, to: 18 }, 1000, 20);
  assert.deepEqual(page, { first: 0, count: 64, left: 16, right: 20 });
});

test("a page has at most three tiles in height and four in width", () => {
  const tiles = new Tiles();
  const page = tiles.missing({ first: 0, end: 640, from: 0, to: 500 }, 1000, 500);
  assert.deepEqual(page, { first: 0, count: 192, left: 0, right: 64 });
});

for (const [name, sight] of Object.entries({
  "seventy columns on a wide screen": { first: 0, end: 13, from: 15, to: 85 },
  "tall and wide": { first: 100, end: 900, from: 40, to: 300 },
})) {
  test(`the pages for what is in sight come to an end: ${name}`, () => {
    const tiles = new Tiles();
    fetch(tiles, { first: 128, count: 128, left: 48, right: 112 }); // what was seen before leaves a ragged edge
    let pages = 0;
    for (let page = tiles.missing(sight, 1000, 500); page; page = tiles.missing(sight, 1000, 500)) {
      fetch(tiles, page, 1000);
      pages += 1;
      assert.ok(pages < 100);
    }
    assert.equal(tiles.value(sight.first, sight.from), `${sight.first},${sight.from}`);
    assert.equal(tiles.value(sight.end - 1, sight.to - 1), `${sight.end - 1},${sight.to - 1}`);
  });
}

test("the last tile is whole with fewer rows, and is fetched again when the result grew", () => {
  const tiles = new Tiles();
  fetch(tiles, { first: 64, count: 64, left: 0, right: 16 }, 70);
  const sight = { first: 65, end: 70, from: 0, to: 3 };
  assert.equal(tiles.missing(sight, 70, 3), null);
  assert.deepEqual(tiles.missing(sight, 90, 3), { first: 64, count: 64, left: 0, right: 3 });
});

test("240 tiles are kept; those that came first go, unless they came again", () => {
  const tiles = new Tiles();
  for (let tile = 0; tile < 240; tile += 1) fetch(tiles, { first: tile * 64, count: 64, left: 0, right: 16 });
  fetch(tiles, { first: 0, count: 64, left: 0, right: 16 });
  fetch(tiles, { first: 240 * 64, count: 64, left: 0, right: 16 });
  assert.equal(tiles.size, 240);
  assert.equal(tiles.value(0, 0), "0,0");
  assert.equal(tiles.value(64, 0), undefined);
  assert.equal(tiles.value(128, 0), "128,0");
  assert.equal(tiles.value(240 * 64, 0), "15360,0");
  tiles.clear();
  assert.equal(tiles.size, 0);
});

for (const [name, range, columns, page] of /** @type {[string, [number, number], number, object][]} */ ([
  ["few columns", [0, 3], 5, { left: 0, right: 5 }],
  ["whole tiles", [17, 20], 500, { left: 16, right: 32 }],
  ["the last ones", [490, 500], 500, { left: 480, right: 500 }],
  ["at most four tiles", [0, 200], 500, { left: 0, right: 64 }],
  ["none in sight, as in a window without width", [0, 0], 500, { left: 0, right: 16 }],
])) {
  test(`columns to fetch: ${name}`, () => {
    assert.deepEqual(across({ from: range[0], to: range[1] }, columns), page);
  });
}

test("the values of a column are those of its tiles", () => {
  const tiles = new Tiles();
  tiles.keep({ first: 0, left: 0, right: 17 }, [
    ["a", ...Array(15).fill("x"), "q"],
    ["b", ...Array(15).fill("x"), null],
  ]);
  tiles.keep({ first: 64, left: 0, right: 16 }, [["c", ...Array(15).fill("x")]]);
  assert.deepEqual(tiles.values(0), ["a", "b", "c"]);
  assert.deepEqual(tiles.values(16), ["q", null]);
  assert.deepEqual(tiles.values(40), []);
});

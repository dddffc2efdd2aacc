import assert from "node:assert/strict";
import { test } from "node:test";
import { HEAD, ROW, Scrolling, TALLEST } from "../../../md_magic/display/static/grid/scrolling.js";

const HEIGHT = HEAD + 12 * ROW;

/** @param {number} total */
function scrolling(total) {
  const made = new Scrolling();
  Object.assign(made, { total, height: HEIGHT });
  return { made, farthest: Math.max(0, made.canvasHeight - HEIGHT) };
}

test("rows that fit do not scroll", () => {
  const { made, farthest } = scrolling(5);
  assert.equal(made.capacity, 12);
  assert.equal(made.moveTo(3, farthest), 0);
  assert.deepEqual([made.top, made.rows], [0, { first: 0, end: 5 }]);
});

test("a thousand rows are as tall as they are, and a pixel is a pixel", () => {
  const { made, farthest } = scrolling(1000);
  assert.equal(made.canvasHeight, HEAD + 24_000);
  made.follow(10 * ROW, farthest);
  assert.equal(made.top, 10);
  made.follow(10 * ROW + 12, farthest);
  assert.equal(made.top, 10.5);
  assert.deepEqual(made.rows, { first: 10, end: 23 });
});

test("the scroll bar of a billion rows has a height that browsers take, and reaches both ends", () => {
  const { made, farthest } = scrolling(1_000_000_000);
  assert.equal(made.canvasHeight, HEAD + TALLEST);
  made.follow(farthest, farthest);
  assert.deepEqual(made.rows, { first: 999_999_988, end: 1_000_000_000 });
  made.follow(0, farthest);
  assert.deepEqual(made.rows, { first: 0, end: 13 });
});

test("every row of a billion can be gone to, though a pixel is 125 rows", () => {
  const { made, farthest } = scrolling(1_000_000_000);
  for (const row of [1, 2, 77, 500_000_001, 999_999_988]) {
    const scrollTop = made.moveTo(row, farthest);
    made.follow(scrollTop, farthest); // the browser's scroll event, which answers the assignment
    assert.equal(made.rows.first, row);
  }
});

test("a browser that rounds scrollTop does not move the rows", () => {
  const { made, farthest } = scrolling(1_000_000_000);
  const scrollTop = made.moveTo(123_456, farthest);
  made.follow(scrollTop + 0.6, farthest);
  assert.equal(made.top, 123_456);
});

test("a position beyond the end is the end, also after rows went", () => {
  const { made, farthest } = scrolling(1000);
  made.moveTo(5000, farthest);
  assert.equal(made.top, 988);
  made.total = 100;
  made.moveTo(made.top, made.canvasHeight - HEIGHT);
  assert.deepEqual(made.rows, { first: 88, end: 100 });
});

const still = { ctrlKey: false, shiftKey: false, deltaMode: 0, deltaY: 48 };
for (const [name, total, event, row] of /** @type {[string, number, Partial<WheelEvent>, number | null][]} */ ([
  ["pixels", 1e9, {}, 102],
  ["pixels upward", 1e9, { deltaY: -24 }, 99],
  ["lines", 1e9, { deltaMode: 1, deltaY: 3 }, 103],
  ["pages", 1e9, { deltaMode: 2, deltaY: 1 }, 112],
  ["a zoom", 1e9, { ctrlKey: true }, null],
  ["sideways with Shift", 1e9, { shiftKey: true }, null],
  ["sideways", 1e9, { deltaY: 0 }, null],
  ["few rows, which the browser scrolls", 10_000, {}, null],
])) {
  test(`the wheel: ${name}`, () => {
    const { made, farthest } = scrolling(total);
    made.moveTo(100, farthest);
    assert.equal(made.wheel({ ...still, ...event }), row);
  });
}

test("a row is brought into sight by the shortest way", () => {
  const { made, farthest } = scrolling(1000);
  made.moveTo(100.5, farthest);
  assert.equal(made.topFor(50), 50);
  assert.equal(made.topFor(100), 100); // it was cut
  assert.equal(made.topFor(105), 100.5);
  assert.equal(made.topFor(200), 189);
});

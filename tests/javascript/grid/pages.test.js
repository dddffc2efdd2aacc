import assert from "node:assert/strict";
import { test } from "node:test";
import { Pages } from "../../../md_magic/display/static/grid/pages.js";
import { statusText } from "../../../md_magic/display/static/grid/status.js";

/** @import { View } from "../../../md_magic/display/static/grid/view.js" */

const SIGHT = [{ first: 0, end: 13, from: 0, to: 3 }];
const COMPLETE = { complete: true, closed: false };
const COMING = { complete: false, closed: false };
const ROWS = [["a", "b", "c"]];
/** @type {View} */
const SORTED = { sort: [[1, true]], filters: [] };
/** @type {View} */
const FILTERED = { sort: [], filters: [[0, "> 5"]] };

/** A grid of 1,000 rows and 3 columns, the messages it sent, and a clock to turn. */
function grid() {
  /** @type {any[]} */
  const sent = [];
  const clock = { now: 0 };
  const send = (/** @type {object} */ content) => sent.push(content);
  const pages = new Pages({ id: "g", columns: 3, total: 1000, send, now: () => clock.now });
  const answer = (rows = ROWS, total = pages.total) => {
    const { id } = sent.filter(({ type }) => type === "page").at(-1);
    return pages.receive({ type: "page", id, rows, total });
  };
  return { pages, sent, clock, answer };
}

test("one question waits at a time, and an answer to another is not taken", () => {
  const { pages, sent, answer } = grid();
  pages.ask(SIGHT, COMPLETE);
  pages.ask([{ ...SIGHT[0], first: 500, end: 513 }], COMPLETE);
  const question = { type: "page", sort: [], filters: [], first: 0, count: 64, left: 0, right: 3 };
  assert.deepEqual(sent, [{ ...question, id: "g:1" }]);
  assert.deepEqual(pages.receive({ type: "page", id: "other:1", rows: ROWS, total: 1 }), { kind: "nothing" });
  assert.equal(pages.tiles.size, 0);
  assert.deepEqual(answer(), { kind: "rows", rows: ROWS, left: 0, resized: false });
  assert.equal(pages.tiles.value(0, 2), "c");
  pages.ask([{ ...SIGHT[0], first: 500, end: 513 }], COMPLETE);
  assert.deepEqual(sent[1], { ...question, first: 448, count: 128, id: "g:2" });
});

test("nothing is asked of a closed grid", () => {
  const { pages, sent } = grid();
  pages.ask(SIGHT, { complete: true, closed: true });
  assert.deepEqual(sent, []);
});

test("another view replaces the one shown when its rows are here, with its own total", () => {
  const { pages, sent, answer } = grid();
  pages.ask(SIGHT, COMPLETE);
  answer();
  assert.equal(pages.want(FILTERED), true);
  assert.equal(pages.tiles.value(0, 0), "a"); // what is shown stays meanwhile
  pages.ask(SIGHT, COMPLETE);
  assert.deepEqual(sent[1], { ...FILTERED, type: "page", first: 0, count: 64, left: 0, right: 3, id: "g:2" });
  assert.deepEqual(answer([["x", "y", "z"]], 7), { kind: "view", rows: [["x", "y", "z"]], left: 0, resized: true });
  assert.deepEqual([pages.shown, pages.wanted, pages.total], [FILTERED, null, 7]);
  assert.equal(pages.tiles.value(0, 0), "x");
});

test("a result that still comes is scrolled, and sorted when it is whole", () => {
  const { pages, sent } = grid();
  pages.want(SORTED);
  pages.ask(SIGHT, COMING);
  assert.deepEqual(sent[0].sort, []);
  pages.receive({ type: "page", id: "g:1", rows: ROWS, total: 1000 });
  pages.ask(SIGHT, COMPLETE);
  assert.deepEqual(sent[1].sort, [[1, true]]);
});

test("the same view is not wanted twice, and going back to the one shown asks nothing", () => {
  const { pages, sent } = grid();
  assert.equal(pages.want({ sort: [], filters: [] }), false);
  assert.equal(pages.want(SORTED), true);
  assert.equal(pages.want(structuredClone(SORTED)), false);
  assert.equal(pages.want({ sort: [], filters: [] }), true);
  assert.equal(pages.wanted, null);
  assert.deepEqual(sent, []);
});

test("a sort that nobody waits for any more is stopped, and its late rows are not shown", () => {
  const { pages, sent, answer } = grid();
  pages.want(SORTED);
  pages.ask(SIGHT, COMPLETE);
  pages.want(FILTERED);
  assert.deepEqual(sent[1], { type: "stop" });
  assert.deepEqual(answer(), { kind: "late" });
  assert.equal(pages.tiles.size, 0);
  pages.ask(SIGHT, COMPLETE);
  assert.deepEqual(sent[2].filters, [[0, "> 5"]]);
});

test("a view that fails leaves the one before, and says why", () => {
  const { pages } = grid();
  pages.want(FILTERED);
  pages.ask(SIGHT, COMPLETE);
  const text = "'many' is no number";
  assert.deepEqual(pages.receive({ type: "error", id: "g:1", text }), { kind: "failed", text, stopped: false });
  assert.deepEqual([pages.shown, pages.wanted], [{ sort: [], filters: [] }, null]);
});

test("rows that cannot be read are not asked for again and again", () => {
  const { pages } = grid();
  pages.ask(SIGHT, COMPLETE);
  const answer = pages.receive({ type: "error", id: "g:1", text: "disk full" });
  assert.deepEqual(answer, { kind: "failed", text: "disk full", stopped: true });
});

test("the error of a sort that was stopped is nobody's", () => {
  const { pages } = grid();
  pages.want(SORTED);
  pages.ask(SIGHT, COMPLETE);
  pages.want(FILTERED);
  assert.deepEqual(pages.receive({ type: "error", id: "g:1", text: "interrupted" }), { kind: "late" });
  assert.equal(pages.wanted, FILTERED);
});

test("a question that is not heard is repeated, ever less often, until it is", () => {
  const { pages, sent, clock } = grid();
  pages.ask(SIGHT, COMPLETE);
  const times = [];
  for (clock.now = 0; clock.now <= 12_000; clock.now += 500) {
    const before = sent.length;
    pages.repeat();
    if (sent.length > before) times.push(clock.now);
  }
  assert.deepEqual(times, [1500, 3500, 9500]);
  assert.equal(new Set(sent).size, 1);
  assert.deepEqual(pages.receive({ type: "working", id: "g:1" }), { kind: "working" });
  clock.now = 100_000;
  pages.repeat();
  assert.equal(sent.length, 4);
});

test("a growing result grows what is shown, in its own order only", () => {
  const { pages, answer } = grid();
  assert.equal(pages.grow(2000), true);
  assert.equal(pages.grow(2000), false);
  assert.equal(pages.total, 2000);
  pages.want(FILTERED);
  pages.ask(SIGHT, COMPLETE);
  answer(ROWS, 7);
  assert.equal(pages.grow(3000), false);
  assert.equal(pages.total, 7);
});

test("rows that bring another total resize what is shown", () => {
  const { pages, answer } = grid();
  pages.ask(SIGHT, COMING);
  assert.deepEqual(answer(ROWS, 1500), { kind: "rows", rows: ROWS, left: 0, resized: true });
  assert.equal(pages.total, 1500);
});

test("the status says how much is shown, and what is waited for", () => {
  const { pages, clock, answer } = grid();
  const view = { ...COMPLETE, rows: 1000 };
  const size = "1,000 rows, 3 columns";
  assert.equal(statusText(pages, view), size);
  assert.equal(statusText(pages, { ...view, rows: 1 }), "1 row, 3 columns");
  assert.equal(statusText(pages, { ...view, complete: false }), `${size} · still coming …`);
  assert.equal(statusText(pages, { ...view, closed: true }), `${size} · This grid is closed: run its cell again.`);
  pages.want(FILTERED);
  assert.equal(
    statusText(pages, { ...view, complete: false }),
    `${size} · still coming; sorted and filtered when all are here`,
  );
  pages.ask(SIGHT, COMPLETE);
  assert.equal(statusText(pages, view), `${size} · sorting and filtering …`);
  clock.now = 2000;
  const unheard = "waiting for the kernel; if it was restarted, run the cell again";
  assert.equal(statusText(pages, view), `${size} · ${unheard}`);
  pages.receive({ type: "working", id: "g:1" });
  assert.equal(statusText(pages, view), `${size} · sorting and filtering …`);
  answer(ROWS, 1);
  assert.equal(statusText(pages, view), `1 of ${size}`);
});

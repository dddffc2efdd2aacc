import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Courier } from "../../../md_magic/display/static/grid/courier.js";
import { Histograms } from "../../../md_magic/display/static/grid/histograms.js";

/** @import { View } from "../../../md_magic/display/static/grid/view.js" */

/** @type {View} */
const ALL = { sort: [], filters: [] };
/** @type {View} */
const FEW = { sort: [], filters: [[1, "> 5"]] };

/** Histograms on a clock that is turned by hand, the messages that they sent, and the columns that were shown. */
function made(/** @type {import("node:test").TestContext} */ context) {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  /** @type {any[]} */
  const sent = [];
  /** @type {[number, number][]} */
  const shown = [];
  const courier = new Courier("g", (content) => sent.push(content));
  const histograms = new Histograms(courier, (column, { rows }) => shown.push([column, rows]));
  const bars = (/** @type {number[]} */ columns, rows = 9) =>
    columns.map((column) => ({ column, bars: [], ordered: true, different: "", rows, nulls: 0 }));
  const answer = (/** @type {string} */ id, /** @type {number[]} */ ...columns) =>
    courier.receive(/** @type {any} */ ({ type: "piece", id, histograms: bars(columns) }), []);
  const done = async (/** @type {string} */ id, /** @type {number[]} */ ...columns) => {
    courier.receive(/** @type {any} */ ({ type: "done", id, histograms: bars(columns) }), []);
    await new Promise(setImmediate);
  };
  return { histograms, courier, sent, shown, answer, done };
}

const asked = (/** @type {any[]} */ sent) => sent.map(({ type, columns }) => columns ?? type);

test("columns in sight are asked for together, when nobody has moved for a moment", async (context) => {
  const { histograms, sent, shown, answer, done } = made(context);
  histograms.want([0, 1], ALL);
  mock.timers.tick(299);
  histograms.want([1, 2], ALL);
  mock.timers.tick(299);
  assert.deepEqual(sent, []);
  mock.timers.tick(1);
  assert.deepEqual(sent, [{ type: "histograms", sort: [], filters: [], columns: [1, 2], id: "g/1" }]);
  answer("g/1", 1);
  assert.deepEqual(shown, [[1, 9]]);
  assert.equal(histograms.of(1)?.rows, 9);
  assert.equal(histograms.of(2), null);
  await done("g/1", 2);
  assert.deepEqual(shown, [
    [1, 9],
    [2, 9],
  ]);
  histograms.want([1, 2], ALL);
  mock.timers.tick(1000);
  assert.equal(sent.length, 1);
});

test("another filter, or a column that leaves the sight, stops what is computed", (context) => {
  const { histograms, sent, answer } = made(context);
  histograms.want([0, 1], ALL);
  mock.timers.tick(300);
  answer("g/1", 0);
  histograms.want([1, 2], ALL); // the one that left is here
  assert.deepEqual(asked(sent), [[0, 1]]);
  histograms.want([1, 2], FEW); // those of the filter's own column do not depend on it
  assert.deepEqual(asked(sent), [[0, 1]]);
  histograms.want([2, 3], FEW);
  assert.deepEqual(asked(sent), [[0, 1], "stop"]);
  assert.equal(answer("g/1", 1), false);
  mock.timers.tick(300);
  assert.deepEqual(asked(sent), [[0, 1], "stop", [2, 3]]);
  histograms.want([2, 3], ALL);
  mock.timers.tick(300);
  assert.deepEqual(asked(sent).slice(3), ["stop", [2, 3]]);
});

test("what came into sight meanwhile follows, and what has no bars is not asked for again", async (context) => {
  const { histograms, courier, sent, shown, done } = made(context);
  histograms.want([0], ALL);
  mock.timers.tick(300);
  histograms.want([0, 1], ALL);
  await done("g/1");
  assert.deepEqual(shown, [[0, 0]]);
  assert.deepEqual(asked(sent), [[0], [1]]);
  courier.receive({ type: "failed", id: "g/2", text: "no" }, []);
  await new Promise(setImmediate);
  histograms.want([0, 1], ALL);
  mock.timers.tick(1000);
  assert.deepEqual(asked(sent), [[0], [1]]);
});

test("a page that is asked for stops them, before and while they are computed", async (context) => {
  const { histograms, sent, shown, answer } = made(context);
  histograms.want([0], ALL);
  histograms.stop();
  mock.timers.tick(1000);
  assert.deepEqual(sent, []);
  histograms.want([0], ALL);
  mock.timers.tick(300);
  histograms.stop();
  assert.deepEqual(asked(sent), [[0], "stop"]);
  histograms.want([0], ALL);
  mock.timers.tick(300);
  assert.equal(histograms.giveUp(), "g/2"); // the page tells Python
  assert.equal(histograms.giveUp(), null);
  await new Promise(setImmediate);
  assert.equal(answer("g/2", 0), false);
  assert.deepEqual(shown, []);
  assert.deepEqual(asked(sent), [[0], "stop", [0]]);
});

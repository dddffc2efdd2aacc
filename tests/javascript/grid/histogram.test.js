import assert from "node:assert/strict";
import { test } from "node:test";
import { filterOf, noteOf } from "../../../md_magic/display/static/grid/histogram.js";

/** @import { Bars } from "../../../md_magic/display/static/grid/histogram.js" */

const NONE = { different: "", rows: 10, nulls: 0 };
/** @type {Bars} */
const STEPS = {
  ...NONE,
  ordered: true,
  bars: [
    ["0 to 4", 5, 5, ">= 0", "<= 4"],
    ["5", 5, 5, "= 5", "<= 5"],
    ["6 to 9", 5, 5, ">= 6", "<= 9"],
  ],
};
/** @type {Bars} */
const TEXTS = {
  ...NONE,
  ordered: false,
  bars: [
    ["a", 5, 5, '= "a"', ""],
    ["3 others", 5, 5, "", ""],
  ],
};

test("bars become a filter, one or several", () => {
  assert.equal(filterOf(STEPS, 0, 0), ">= 0 and <= 4");
  assert.equal(filterOf(STEPS, 1, 1), "= 5");
  assert.equal(filterOf(STEPS, 0, 1), ">= 0 and <= 5");
  assert.equal(filterOf(STEPS, 1, 2), ">= 5 and <= 9");
  assert.equal(filterOf(TEXTS, 0, 0), '= "a"');
});

test("some have none", () => {
  assert.equal(filterOf(TEXTS, 1, 1), null);
  assert.equal(filterOf(TEXTS, 0, 1), null);
});

test("what no bar shows is said", () => {
  assert.equal(
    noteOf({ ...TEXTS, bars: [], different: "about 5,000 different", nulls: 3 }),
    "about 5,000 different, 3 NULL",
  );
  assert.equal(noteOf({ ...TEXTS, bars: [], nulls: 10 }), "only NULL");
  assert.equal(noteOf({ ...TEXTS, bars: [], rows: 0 }), "");
});

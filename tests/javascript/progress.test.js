import assert from "node:assert/strict";
import { test } from "node:test";
import { duration } from "../../md_magic/display/static/progress.js";

for (const [seconds, text] of /** @type {[number, string][]} */ ([
  [0, "0.0 s"],
  [2.34, "2.3 s"],
  [59.94, "59.9 s"],
  [59.96, "1 min 00 s"],
  [65, "1 min 05 s"],
  [3599.6, "1 h 00 min"],
  [7500, "2 h 05 min"],
])) {
  test(`${seconds} seconds are ${text}`, () => assert.equal(duration(seconds), text));
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { Selection } from "../../../md_magic/display/static/grid/selection.js";

test("a block lies between the first cell and the last, whichever way", () => {
  const selection = new Selection();
  assert.deepEqual([selection.block, selection.cells], [null, 0]);
  selection.pick([5, 3], false);
  assert.equal(selection.cells, 1);
  selection.pick([2, 4], true);
  assert.deepEqual(selection.block, { first: 2, last: 5, from: 3, to: 4 });
  selection.pick([9, 0], true);
  assert.deepEqual(selection.block, { first: 5, last: 9, from: 0, to: 3 });
  assert.equal(selection.cells, 20);
  selection.pick([1, 1], false);
  assert.deepEqual(selection.block, { first: 1, last: 1, from: 1, to: 1 });
});

test("without a cell to begin at, a block begins where it is extended", () => {
  const selection = new Selection();
  selection.pick([4, 2], true);
  assert.deepEqual(selection.block, { first: 4, last: 4, from: 2, to: 2 });
});

test("a block is given up for its cell, once", () => {
  const selection = new Selection();
  selection.span([9, 9], [0, 0]);
  assert.equal(selection.collapse(), true);
  assert.deepEqual(selection.block, { first: 0, last: 0, from: 0, to: 0 });
  assert.equal(selection.collapse(), false);
});

test("the cell follows its column, and goes with one that is hidden", () => {
  const selection = new Selection();
  selection.span([3, 3], [1, 2]);
  selection.moveTo(5);
  assert.deepEqual(selection.block, { first: 1, last: 1, from: 5, to: 5 });
  selection.moveTo(-1);
  assert.equal(selection.block, null);
});

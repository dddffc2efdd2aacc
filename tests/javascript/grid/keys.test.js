import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsOf, step } from "../../../md_magic/display/static/grid/keys.js";

/** @import { Cell } from "../../../md_magic/display/static/grid/keys.js" */

/** @type {{ active: Cell | null, first: Cell, page: number, rows: number, columns: number }} */
const FROM = { active: [50, 2], first: [40, 1], page: 11, rows: 100, columns: 4 };

for (const [key, cell] of /** @type {[string, Cell | null][]} */ ([
  ["ArrowDown", [51, 2]],
  ["ArrowUp", [49, 2]],
  ["ArrowRight", [50, 3]],
  ["ArrowLeft", [50, 1]],
  ["PageDown", [61, 2]],
  ["PageUp", [39, 2]],
  ["Home", [0, 2]],
  ["End", [99, 2]],
  ["a", null],
  ["toString", null],
])) {
  test(`${key} from a cell`, () => assert.deepEqual(step(key, FROM), cell));
}

for (const [key, cell] of /** @type {[string, Cell | null][]} */ ([
  ["ArrowDown", [99, 2]],
  ["ArrowUp", [0, 2]],
  ["ArrowRight", [50, 3]],
  ["ArrowLeft", [50, 0]],
  ["Home", [0, 0]],
  ["End", [99, 3]],
  ["PageDown", null],
])) {
  test(`Control ${key} from a cell`, () => assert.deepEqual(step(key, FROM, true), cell));
}

test("the keyboard begins at the first cell in sight", () => {
  assert.deepEqual(step("ArrowUp", { ...FROM, active: null }), [40, 1]);
  assert.deepEqual(step("ArrowDown", { ...FROM, active: null }), [41, 1]);
  assert.deepEqual(step("End", { ...FROM, active: null }), [99, 1]);
});

test("it stays within the view", () => {
  assert.deepEqual(step("PageDown", { ...FROM, active: [95, 3] }), [99, 3]);
  assert.deepEqual(step("PageUp", { ...FROM, active: [5, 0] }), [0, 0]);
  assert.deepEqual(step("ArrowRight", { ...FROM, active: [5, 3] }), [5, 3]);
  assert.equal(step("End", { ...FROM, rows: 0 }), null);
});

test("keys stand for commands, with Control or Command", () => {
  /** @type {unknown[]} */
  const done = [];
  const note =
    (/** @type {string} */ name) =>
    (/** @type {unknown[]} */ ...values) => {
      done.push([name, ...values]);
      return true;
    };
  const acts = ["copy", "select", "menu", "find", "findNext", "view", "leave"].map((name) => [name, note(name)]);
  const command = commandsOf(Object.fromEntries(acts));
  const none = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };
  for (const event of [
    { key: "c", ctrlKey: true },
    { key: "C", metaKey: true, shiftKey: true },
    { key: " ", shiftKey: true },
    { key: " ", ctrlKey: true },
    { key: "ArrowDown", altKey: true },
    { key: "F10", shiftKey: true },
    { key: "F3", shiftKey: true },
    { key: "Enter" },
    { key: "Escape" },
  ]) {
    assert.equal(command({ ...none, ...event }), true);
  }
  for (const event of [{ key: "c" }, { key: " " }, { key: "ArrowDown" }, { key: "F10" }, { key: "v", ctrlKey: true }]) {
    assert.equal(command({ ...none, ...event }), false);
  }
  assert.deepEqual(done, [
    ["copy", false],
    ["copy", true],
    ["select", "rows"],
    ["select", "columns"],
    ["menu"],
    ["menu"],
    ["findNext", true],
    ["view"],
    ["leave"],
  ]);
});

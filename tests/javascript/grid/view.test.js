import assert from "node:assert/strict";
import { test } from "node:test";
import { filtersOf, sameView, sortMark, toggleSort } from "../../../md_magic/display/static/grid/view.js";

/** @import { SortKey } from "../../../md_magic/display/static/grid/view.js" */

for (const [name, before, column, several, after] of /** @type {[string, SortKey[], number, boolean, SortKey[]][]} */ ([
  ["the first click sorts up", [], 2, false, [[2, false]]],
  ["the second down", [[2, false]], 2, false, [[2, true]]],
  ["the third not at all", [[2, true]], 2, false, []],
  ["another column replaces it", [[2, true]], 1, false, [[1, false]]],
  [
    "with Shift another comes after it",
    [[2, true]],
    1,
    true,
    [
      [2, true],
      [1, false],
    ],
  ],
  [
    "with Shift one of several turns in its place",
    [
      [2, false],
      [1, false],
    ],
    2,
    true,
    [
      [2, true],
      [1, false],
    ],
  ],
  [
    "with Shift one of several goes",
    [
      [2, true],
      [1, false],
    ],
    2,
    true,
    [[1, false]],
  ],
  [
    "a click on one of several leaves that one, turned",
    [
      [2, false],
      [1, false],
    ],
    1,
    false,
    [[1, true]],
  ],
])) {
  test(name, () => {
    const given = structuredClone(before);
    assert.deepEqual(toggleSort(given, column, several), after);
    assert.deepEqual(given, before); // a view that was sent does not change
  });
}

test("a header says its order, and its rank where there are several", () => {
  assert.deepEqual(sortMark([], 0), { aria: "none", arrow: "" });
  assert.deepEqual(sortMark([[0, false]], 0), { aria: "ascending", arrow: "▲" });
  assert.deepEqual(sortMark([[0, true]], 0), { aria: "descending", arrow: "▼" });
  assert.deepEqual(
    sortMark(
      [
        [3, true],
        [0, false],
      ],
      0,
    ),
    { aria: "ascending", arrow: "▲2" },
  );
  assert.deepEqual(
    sortMark(
      [
        [3, true],
        [0, false],
      ],
      3,
    ),
    { aria: "descending", arrow: "▼1" },
  );
});

test("blank filters are none, and the others are in the order of columns, spelled as typed", () => {
  const typed = new Map([
    [10, "> 5"],
    [2, "  x "],
    [3, "   "],
    [1, ""],
  ]);
  assert.deepEqual(filtersOf(typed), [
    [2, "  x "],
    [10, "> 5"],
  ]);
});

test("views with the same order and filters are the same", () => {
  assert.ok(sameView({ sort: [[1, true]], filters: [] }, { sort: [[1, true]], filters: [] }));
  assert.ok(!sameView({ sort: [[1, true]], filters: [] }, { sort: [[1, false]], filters: [] }));
  assert.ok(!sameView({ sort: [], filters: [[1, "a"]] }, { sort: [], filters: [[1, "b"]] }));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../../md_magic/display/static/grid/json.js";

test("numbers and strings are as they are written", () => {
  assert.deepEqual(parseJson('{"id": 9007199254740993, "x": -1.50e+400, "s": "a\\u00e4\\"}", "n": null}'), {
    open: "{",
    items: [
      ['"id"', "9007199254740993"],
      ['"x"', "-1.50e+400"],
      ['"s"', '"a\\u00e4\\"}"'],
      ['"n"', "null"],
    ],
  });
});

test("what is within another has its place", () => {
  assert.deepEqual(parseJson(' [ [ ] , { } , [ 1, "a" ] ] \n'), {
    open: "[",
    items: [
      ["0", { open: "[", items: [] }],
      ["1", { open: "{", items: [] }],
      [
        "2",
        {
          open: "[",
          items: [
            ["0", "1"],
            ["1", '"a"'],
          ],
        },
      ],
    ],
  });
});

for (const text of [
  "",
  "{",
  "[1",
  "[1 2]",
  '{"a" 1}',
  "{,}",
  "[1]]",
  '["a]',
  "]",
  `${"[".repeat(9999)}${"]".repeat(9999)}`,
]) {
  test(`no JSON: ${text.slice(0, 10)}`, () => assert.equal(parseJson(text), null));
}

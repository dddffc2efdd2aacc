import assert from "node:assert/strict";
import { test } from "node:test";
import { Courier } from "../../../md_magic/display/static/grid/courier.js";

/** A courier, and the messages that it sent. */
function made() {
  /** @type {any[]} */
  const sent = [];
  return { courier: new Courier("g", (content) => sent.push(content)), sent };
}

const bytes = (/** @type {number[]} */ ...values) => new DataView(Uint8Array.from(values).buffer);

test("an answer comes with the pieces before it, in their order", async () => {
  const { courier, sent } = made();
  const coming = courier.ask({ type: "take" });
  assert.deepEqual(sent, [{ type: "take", id: "g/1" }]);
  assert.equal(courier.receive({ type: "piece", id: "g/1" }, [bytes(1, 2)]), true);
  assert.equal(courier.receive({ type: "piece", id: "g/1" }, [bytes(3)]), true);
  assert.equal(courier.receive({ type: "done", id: "g/1" }, []), true);
  const delivery = await coming;
  assert.deepEqual([...new Uint8Array(await new Blob(delivery.bytes).arrayBuffer())], [1, 2, 3]);
});

test("two requests do not mix, and what nobody waits for is not taken", async () => {
  const { courier } = made();
  const [one, other] = [courier.ask({}), courier.ask({})];
  assert.equal(courier.receive({ type: "done", id: "h/1" }, []), false);
  courier.receive({ type: "piece", id: "g/2" }, [bytes(7)]);
  courier.receive({ type: "done", id: "g/1" }, []);
  courier.receive({ type: "done", id: "g/2" }, []);
  assert.deepEqual([(await one).bytes.length, (await other).bytes.length], [0, 1]);
  assert.equal(courier.receive({ type: "done", id: "g/2" }, []), false);
});

test("a failure is what Python says", async () => {
  const { courier } = made();
  const coming = courier.ask({});
  courier.receive({ type: "failed", id: "g/1", text: "The disk is full." }, []);
  await assert.rejects(coming, /The disk is full/);
});

test("a request that is given up is stopped in Python, and its answer is not taken", async () => {
  const { courier, sent } = made();
  const stopper = new AbortController();
  const coming = courier.ask({ type: "take" }, stopper.signal);
  stopper.abort();
  await assert.rejects(coming, { name: "AbortError" });
  assert.deepEqual(sent.at(-1), { type: "stop", id: "g/1" });
  assert.equal(courier.receive({ type: "done", id: "g/1" }, []), false);
});

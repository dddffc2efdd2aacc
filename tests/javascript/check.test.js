import assert from "node:assert/strict";
import { test } from "node:test";
import { Asker, markAt, nextMark, pauseAfter } from "../../md_magic/labextension/md-magic/static/check.js";

const MARKS = [
  { from: 10, to: 14, message: "a", names: [] },
  { from: 30, to: 33, message: "b", names: ["x"] },
];

/** A kernel whose comms are kept, with what was sent. */
function makeKernel() {
  /** @type {any[]} */
  const comms = [];
  return {
    comms,
    createComm(/** @type {string} */ target) {
      const comm = { target, isDisposed: false, sent: /** @type {any[]} */ ([]), open() {}, onMsg() {}, onClose() {} };
      comms.push(Object.assign(comm, { send: (/** @type {object} */ data) => comm.sent.push(data) }));
      return /** @type {any} */ (comm);
    },
  };
}

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("the next mistake is the one behind the cursor, and after the last one the first", () => {
  assert.equal(nextMark(MARKS, 0), MARKS[0]);
  assert.equal(nextMark(MARKS, 10), MARKS[1]);
  assert.equal(nextMark(MARKS, 30), MARKS[0]);
  assert.equal(nextMark([], 3), undefined);
});

test("a mistake is under the cursor from its first character to behind its last", () => {
  for (const [at, mark] of /** @type {[number, any][]} */ ([
    [9, undefined],
    [10, MARKS[0]],
    [14, MARKS[0]],
    [15, undefined],
  ])) {
    assert.equal(markAt(MARKS, at), mark);
  }
});

test("each question gets its own answer, in whatever order they come", async () => {
  const kernel = makeKernel();
  const asker = new Asker(kernel);
  const answers = [asker.ask("one"), asker.ask("two")];
  const [comm] = kernel.comms;
  await until(() => comm.sent.length === 2);
  assert.deepEqual(comm.sent, [
    { id: 0, source: "one" },
    { id: 1, source: "two" },
  ]);
  for (const id of [1, 0]) comm.onMsg({ content: { data: { id, marks: [], whole: true } } });
  assert.deepEqual(await Promise.all(answers), [
    { id: 0, marks: [], whole: true },
    { id: 1, marks: [], whole: true },
  ]);
});

test("a kernel without md_magic is asked once, and again when a cell has run", async () => {
  const kernel = makeKernel();
  const asker = new Asker(kernel);
  const answer = asker.ask("one");
  await until(() => kernel.comms[0].sent.length === 1);
  kernel.comms[0].onClose();
  assert.equal(await answer, null);
  assert.equal(await asker.ask("two"), null);
  assert.equal(kernel.comms.length, 1);
  asker.isRefused = false;
  asker.ask("three");
  await until(() => kernel.comms[1].sent.length === 1);
  assert.deepEqual(kernel.comms[1].sent, [{ id: 1, source: "three" }]);
});

test("a kernel that has started anew gets a new comm, and what was asked before gets no answer", async () => {
  const kernel = makeKernel();
  const asker = new Asker(kernel);
  const before = asker.ask("one");
  await until(() => kernel.comms[0].sent.length === 1);
  kernel.comms[0].isDisposed = true;
  asker.ask("two");
  assert.equal(await before, null);
  await until(() => kernel.comms[1].sent.length === 1);
  assert.deepEqual(kernel.comms[1].sent, [{ id: 1, source: "two" }]);
});

test("a comm is opened once it has its subshell: what is sent before waits for the cell that runs", async () => {
  const kernel = { ...makeKernel(), supportsSubshells: true };
  /** @type {string[]} */
  const order = [];
  /** @type {() => void} */
  let start = () => {};
  const createComm = kernel.createComm;
  kernel.createComm = (target) => {
    const comm = createComm(target);
    const open = () => void order.push("open");
    const send = () => void order.push("send");
    const subshellStarted = new Promise((resolve) => {
      start = () => resolve(void order.push("started"));
    });
    return Object.assign(comm, { open, send, subshellStarted });
  };
  new Asker(kernel).ask("one");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(order, []);
  start();
  await until(() => order.length === 3);
  assert.deepEqual(order, ["started", "open", "send"]);
});

test("a catalog that is being read is asked for soon, and then less and less often, for a minute", () => {
  const pauses = Array.from({ length: 20 }, (_, tries) => pauseAfter(tries));
  assert.equal(pauses[0], 300);
  assert.ok(pauses.every((pause, at) => at === 0 || pause > pauses[at - 1]));
  assert.ok(pauses.reduce((sum, pause) => sum + pause) > 60_000);
});

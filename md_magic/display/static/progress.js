// The live line of a running query. What it shows is the one trait `view`; Cancel goes back as a custom message. Text
// only ever becomes textContent.
import { greet, keepKeys, make, makeButton } from "./parts.js";

/** @import { Model } from "./parts.js" */

/**
 * @typedef {object} ProgressView empty before there is something to show
 * @property {string} [target]
 * @property {number | null} [percent]
 * @property {number | null} [rows]
 * @property {number} [statement]
 * @property {number} [of]
 * @property {number} [elapsed] seconds
 * @property {boolean} [stopping]
 * @property {boolean} [listens] whether the kernel handles messages while a cell runs
 */

/**
 * Return a duration as md_magic/wording.py spells it, but never in milliseconds: a clock that runs keeps its unit.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return hours ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(rest)} s`;
}

/** @param {{ model: Model<ProgressView>, el: HTMLElement }} context */
function render({ model, el }) {
  const line = make("div", "md-progress");
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", "Running query");
  keepKeys(line);

  const bar = make("progress", "md-progress-bar");
  bar.max = 100;
  bar.setAttribute("aria-label", "Progress of the query");
  const share = make("span", "md-progress-share");
  const clock = make("span", "md-progress-clock");
  const rows = make("span");
  const statement = make("span");
  const target = make("span", "md-progress-target");
  let clicked = false;
  const cancel = makeButton("md-progress-cancel", "Cancel", () => {
    clicked = true;
    model.send({ type: "cancel" });
    draw();
  });
  const hint = make("span", "md-progress-hint", "interrupt the kernel to cancel");
  line.append(bar, share, clock, rows, statement, target, cancel, hint);
  el.append(line);

  let began = performance.now();
  let asked = false; // whether the kernel had its time to say that it listens
  function draw() {
    const view = model.get("view");
    line.hidden = view.target === undefined;
    if (line.hidden) return;
    const { percent, rows: count, statement: index = 1, of = 1 } = view;
    bar.hidden = typeof percent !== "number"; // without an estimate there is a clock, and nothing that looks like one
    share.hidden = bar.hidden;
    if (typeof percent === "number") {
      bar.value = percent;
      share.textContent = `${percent.toFixed(0)} %`;
    }
    rows.hidden = typeof count !== "number";
    if (typeof count === "number") rows.textContent = `${count.toLocaleString("en-US")} row${count === 1 ? "" : "s"}`;
    statement.hidden = of <= 1;
    statement.textContent = `statement ${index} of ${of}`;
    target.textContent = view.target ?? "";
    const stopping = clicked || Boolean(view.stopping);
    cancel.hidden = !view.listens;
    cancel.disabled = stopping;
    cancel.textContent = stopping ? "Cancelling ..." : "Cancel";
    hint.hidden = Boolean(view.listens) || !asked;
  }
  function tick() {
    clock.textContent = duration(Math.max(0, performance.now() - began) / 1000);
  }
  function changed() {
    began = performance.now() - 1000 * (model.get("view").elapsed ?? 0);
    draw();
    tick();
  }
  const ticking = setInterval(tick, 100);
  const patience = setTimeout(() => {
    asked = true;
    draw();
  }, 1500);
  model.on("change:view", changed);
  changed();
  const hush = greet(model);
  return () => {
    hush();
    clearInterval(ticking);
    clearTimeout(patience);
    model.off("change:view", changed);
  };
}

export default { render };

// The live line of a background query: the one trait `view` is drawn; Cancel goes back as a custom message. Text only
// ever becomes textContent. A page that is loaded again draws the kernel's present state.
import { keepKeys, make, makeButton } from "./parts.js";

/** @import { Model } from "./parts.js" */

/**
 * @typedef {object} JobView
 * @property {string} name
 * @property {"running" | "done" | "failed" | "cancelled"} state
 * @property {number | null} percent
 * @property {string} text
 * @property {string} error
 * @property {number} age seconds since it was displayed
 */

const page = Math.random().toString(36).slice(2);

/** @param {{ model: Model<JobView>, el: HTMLElement }} context */
function render({ model, el }) {
  const line = make("div", "md-job");
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", "Background query");
  keepKeys(line);
  const name = make("b");
  const bar = make("progress", "md-job-bar");
  bar.max = 100;
  bar.setAttribute("aria-label", "Progress of the query");
  const text = make("span");
  let clicked = false;
  const again = performance.now() / 1000 + 1 < model.get("view").age; // this page is younger than the output
  const tell = (/** @type {string} */ type) => model.send({ type, page, again });
  const cancel = makeButton("md-job-cancel", "Cancel", () => {
    clicked = true;
    tell("cancel");
    draw();
  });
  const error = make("pre", "md-job-error");
  line.append(name, bar, text, cancel);
  el.append(line, error);

  function draw() {
    const view = model.get("view");
    const runs = view.state === "running";
    name.textContent = view.name;
    bar.hidden = !runs || typeof view.percent !== "number"; // without an estimate there is nothing to draw
    bar.value = view.percent ?? 0;
    text.textContent = view.text;
    cancel.hidden = !runs;
    cancel.disabled = clicked;
    cancel.textContent = clicked ? "Cancelling ..." : "Cancel";
    error.hidden = !view.error;
    error.textContent = view.error;
  }
  function changed() {
    draw();
    if (model.get("view").state !== "running") tell("seen");
  }
  model.on("change:view", changed);
  draw();
  tell("hello");
  return () => model.off("change:view", changed);
}

export default { render };

// The elements of a grid that stay: the scrolled area with its rows, and the foot with the words and the buttons.
import { make } from "../parts.js";

const KEYS =
  "Arrow keys move, with Shift they select. Control C copies, with Shift the names as well. Control A selects all, " +
  "Alt Arrow Down opens a column's menu, Escape leaves.";

/**
 * @param {HTMLElement} el
 * @param {string} id of the grid
 */
export function makeFrame(el, id) {
  const root = make("section", "md-grid");
  root.setAttribute("aria-label", "Result");
  root.dataset.lmSuppressShortcuts = "true"; // or a letter typed here would run a notebook command
  const scroll = make("div", "md-grid-scroll");
  Object.assign(scroll, { tabIndex: 0, role: "grid" });
  scroll.setAttribute("aria-label", "Rows");
  scroll.setAttribute("aria-multiselectable", "true");
  scroll.setAttribute("aria-describedby", `${id}-keys`);
  const canvas = make("div", "md-grid-canvas");
  const pane = make("div", "md-grid-pane");
  const body = make("div", "md-grid-body");
  for (const element of [canvas, pane]) element.role = "presentation";
  body.role = "rowgroup";
  const foot = make("div", "md-grid-foot");
  const status = make("span", "md-grid-status");
  status.role = "status";
  const note = make("span", "md-grid-note");
  note.role = "status";
  const problem = make("span", "md-grid-problem");
  problem.role = "alert";
  const tools = make("span", "md-grid-tools");
  tools.role = "toolbar";
  tools.setAttribute("aria-label", "Result");
  const keys = make("span", "md-grid-keys", KEYS);
  keys.id = `${id}-keys`;
  keys.hidden = true;
  foot.append(status, note, problem, tools);
  pane.append(body);
  canvas.append(pane);
  scroll.append(canvas);
  root.append(scroll, foot, keys);
  el.append(root);
  return { root, scroll, canvas, pane, body, foot, status, note, problem, tools };
}

/**
 * Give the focus from within a grid to the cell of the notebook that it stands in.
 * @param {HTMLElement} root
 */
export function leaveFor(root) {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  for (const place of [".jp-Cell", ".jp-Notebook", ".jp-OutputArea"]) {
    const around = root.closest(place);
    if (!(around instanceof HTMLElement)) continue;
    around.focus({ preventScroll: true });
    if (document.activeElement === around) return;
  }
}

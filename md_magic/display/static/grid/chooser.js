// The panel that says which columns are shown.
import { make, makeButton } from "../parts.js";

/** @import { Columns } from "./columns.js" */

/**
 * @param {Columns} columns
 * @param {() => void} onchange
 */
export function makeChooser(columns, onchange) {
  const panel = make("div", "md-grid-chooser");
  panel.role = "dialog";
  panel.setAttribute("aria-label", "Columns");
  const search = make("input", "md-grid-search");
  Object.assign(search, { type: "text", placeholder: "search", spellcheck: false, autocomplete: "off" });
  search.setAttribute("aria-label", "Search columns");
  const list = make("div", "md-grid-choices");
  list.role = "group";
  list.setAttribute("aria-label", "Columns that are shown");
  const choices = columns.list.map(({ name, kind }, column) => {
    const box = make("input");
    box.type = "checkbox";
    const label = make("label", "md-grid-choice");
    label.append(box, make("span", "", name), make("small", "", kind.toLowerCase().slice(0, 40)));
    box.onchange = () => {
      columns.show(column, box.checked);
      mark();
      onchange();
    };
    list.append(label);
    return { box, label, name: name.toLowerCase() };
  });
  function mark() {
    const shown = new Set(columns.order);
    for (const [column, { box }] of choices.entries()) {
      box.checked = shown.has(column);
      box.disabled = shown.size === 1 && box.checked;
    }
  }
  search.oninput = () => {
    const text = search.value.toLowerCase();
    for (const { label, name } of choices) label.hidden = !name.includes(text);
  };
  const all = makeButton("md-grid-button", "All, in their order", () => {
    columns.reset();
    mark();
    onchange();
  });
  panel.append(search, list, all);
  mark();
  return panel;
}

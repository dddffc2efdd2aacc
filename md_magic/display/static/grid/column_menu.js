// What the menu of a column offers: all that a pointer can do with its header, for the keyboard.

/** @import { Columns } from "./columns.js" */
/** @import { Headers } from "./headers.js" */
/** @import { MenuItem } from "./popup.js" */

const STEP = 40; // px that a column becomes wider or narrower

/**
 * @param {object} context
 * @param {number} context.column
 * @param {Columns} context.columns
 * @param {Headers} context.headers
 * @param {boolean} context.hasValue whether there is a cell to look into
 * @param {() => void} context.onvalue
 * @param {() => void} context.onfit
 * @param {() => void} context.onplace columns were moved, hidden, or have other widths
 * @returns {MenuItem[]}
 */
export function columnItems({ column, columns, headers, hasValue, onvalue, onfit, onplace }) {
  const position = columns.order.indexOf(column);
  const width = columns.widths[column];
  const placed = (/** @type {() => void} */ act) => () => {
    act();
    onplace();
  };
  return [
    { text: "Sort ascending", act: () => headers.sortBy(column, false) },
    { text: "Sort descending", act: () => headers.sortBy(column, true) },
    { text: "Do not sort by it", disabled: !headers.isSorted(column), act: () => headers.sortBy(column, null) },
    { text: "Whole value", keys: "Enter", disabled: !hasValue, act: onvalue },
    { text: "Filter …", act: () => headers.focus(column, "filter") },
    { text: "Histogram …", act: () => headers.focus(column, "bars") },
    { text: "Fit the width", act: onfit },
    { text: "Wider", act: placed(() => columns.resize(column, width + STEP)) },
    { text: "Narrower", act: placed(() => columns.resize(column, width - STEP)) },
    { text: "Move left", disabled: position === 0, act: placed(() => columns.move(position, position - 1)) },
    {
      text: "Move right",
      disabled: position === columns.count - 1,
      act: placed(() => columns.move(position, position + 1)),
    },
    { text: "Hide", disabled: columns.count === 1, act: placed(() => columns.show(column, false)) },
  ];
}

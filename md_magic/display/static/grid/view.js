// A view of the result: its rows in some order, some of them filtered out. Views are plain values, sent to Python as they are.

/** @typedef {[column: number, descending: boolean]} SortKey */
/** @typedef {[column: number, text: string]} Filter */
/** @typedef {{ sort: SortKey[], filters: Filter[] }} View */

/**
 * Return the order after a click on a column's name: ascending, then descending, then not sorted by it.
 * @param {SortKey[]} sort
 * @param {number} column
 * @param {boolean} several keep the other columns, as a click with Shift does
 * @returns {SortKey[]}
 */
export function toggleSort(sort, column, several) {
  const place = sort.findIndex(([other]) => other === column);
  /** @type {SortKey[]} */
  let next = [[column, false]];
  if (place >= 0) next = sort[place][1] ? [] : [[column, true]];
  if (!several) return next;
  return place < 0 ? [...sort, ...next] : [...sort.slice(0, place), ...next, ...sort.slice(place + 1)];
}

/**
 * Return how a column's header shows the order.
 * @param {SortKey[]} sort
 * @param {number} column
 * @returns {{ aria: "none" | "ascending" | "descending", arrow: string }}
 */
export function sortMark(sort, column) {
  const place = sort.findIndex(([other]) => other === column);
  if (place < 0) return { aria: "none", arrow: "" };
  const rank = sort.length > 1 ? `${place + 1}` : "";
  return sort[place][1] ? { aria: "descending", arrow: `▼${rank}` } : { aria: "ascending", arrow: `▲${rank}` };
}

/**
 * Return the filters that are typed, in the order of their columns.
 * @param {Map<number, string>} inputs
 * @returns {Filter[]}
 */
export function filtersOf(inputs) {
  return [...inputs].filter(([, text]) => text.trim()).sort(([a], [b]) => a - b);
}

/** @type {(one: View, other: View) => boolean} */
export const sameView = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// The words below the grid.

/** @import { State, Pages } from "./pages.js" */
/** @import { Block } from "./selection.js" */

const SLOW = 1500; // ms

/** @type {(number: number, word: string) => string} */
export const counted = (number, word) => `${number.toLocaleString("en-US")} ${word}${number === 1 ? "" : "s"}`;

/**
 * @param {Pick<Pages, "columns" | "total" | "wanted" | "shown" | "pending" | "waiting" | "isFiltered">} pages
 * @param {State & { rows: number }} view
 * @param {Block | null} [block] what is selected
 */
export function statusText(pages, view, block) {
  const { pending, wanted } = pages;
  const size = `${counted(view.rows, "row")}, ${counted(pages.columns, "column")}`;
  const parts = [pages.isFiltered ? `${pages.total.toLocaleString("en-US")} of ${size}` : size];
  const slow = pages.waiting > SLOW;
  if (view.closed) parts.push("This grid is closed: run its cell again.");
  else if (!view.complete)
    parts.push(wanted ? "still coming; sorted and filtered when all are here" : "still coming …");
  else if (pending && pending.view === wanted && (pending.heard || !slow)) parts.push("sorting and filtering …");
  if (!view.closed && slow && !pending?.heard) {
    parts.push("waiting for the kernel; if it was restarted, run the cell again");
  }
  if (block && (block.last > block.first || block.to > block.from)) {
    const [rows, columns] = [block.last - block.first + 1, block.to - block.from + 1];
    parts.push(`${rows.toLocaleString("en-US")} × ${columns.toLocaleString("en-US")} selected`);
  }
  return parts.join(" · ");
}

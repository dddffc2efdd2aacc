// The rows in sight, as elements. Text only ever becomes textContent.
import { make } from "../parts.js";
import { HEAD, ROW } from "./scrolling.js";

/** @import { Columns } from "./columns.js" */
/** @import { Cell } from "./keys.js" */
/** @import { Block } from "./selection.js" */

/**
 * What the cells of one drawing have in common.
 * @typedef {object} Drawing
 * @property {Columns} columns
 * @property {number} from the first position in sight
 * @property {number} to
 * @property {number} x the scrollLeft
 * @property {number} top the first row in sight, with its hidden part
 * @property {Cell | null} active
 * @property {Block | null} block what is selected
 * @property {string} activeId
 * @property {string} found what is looked for, in small letters
 * @property {(row: number, column: number) => string | null | undefined} value undefined: not here yet
 */

/**
 * @param {number} row
 * @param {Drawing} drawing
 */
export function makeRow(row, drawing) {
  const { columns, from, to, top, block } = drawing;
  const line = make("div", "md-grid-row");
  line.role = "row";
  line.setAttribute("aria-rowindex", `${row + 2}`);
  line.style.transform = `translateY(${HEAD + (row - top) * ROW}px)`;
  if (row % 2) line.classList.add("md-grid-odd");
  for (let position = from; position < to; position += 1) line.append(makeCell(row, position, drawing));
  const index = make("div", "md-grid-index", (row + 1).toLocaleString("en-US"));
  index.role = "rowheader";
  index.style.width = `${columns.gutter}px`;
  if (block && row >= block.first && row <= block.last) index.classList.add("md-grid-within");
  line.append(index);
  return line;
}

/**
 * @param {number} row
 * @param {number} position
 * @param {Drawing} drawing
 */
function makeCell(row, position, { columns, x, active, block, activeId, found, value }) {
  const column = columns.order[position];
  const cell = make("div", "md-grid-cell");
  cell.role = "gridcell";
  cell.setAttribute("aria-colindex", `${position + 1}`);
  cell.style.left = `${columns.offsets[position] - x}px`;
  cell.style.width = `${columns.widths[column]}px`;
  if (columns.list[column].number) cell.classList.add("md-grid-number");
  if (block && row >= block.first && row <= block.last && position >= block.from && position <= block.to) {
    cell.setAttribute("aria-selected", "true");
  }
  if (active && active[0] === row && active[1] === position) {
    cell.id = activeId;
    cell.classList.add("md-grid-active");
  }
  const text = value(row, column);
  if (found && text?.toLowerCase().includes(found)) cell.classList.add("md-grid-found");
  fill(cell, text, column, columns);
  return cell;
}

/**
 * @param {HTMLElement} cell
 * @param {string | null | undefined} text
 * @param {number} column
 * @param {Columns} columns
 */
function fill(cell, text, column, columns) {
  if (text === undefined) {
    cell.classList.add("md-grid-wait");
  } else if (text === null) {
    cell.classList.add("md-grid-null");
    cell.textContent = "NULL";
  } else {
    cell.textContent = columns.shown(text, column);
    if (cell.textContent !== text || columns.isCut(text, column)) cell.title = text;
    if (cell.textContent !== text) cell.setAttribute("aria-label", text.slice(0, 1000));
  }
}

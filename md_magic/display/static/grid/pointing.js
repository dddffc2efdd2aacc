// Selecting with the mouse: cells by dragging over them, rows by their numbers.
import { followPointer } from "./gesture.js";
import { clamp, HEAD, ROW } from "./scrolling.js";

/** @import { Columns } from "./columns.js" */
/** @import { Cell } from "./keys.js" */
/** @import { Scrolling } from "./scrolling.js" */
/** @import { Selection } from "./selection.js" */

const REPEATED = 60; // ms between two steps where the pointer is beyond the edge

/**
 * @param {object} grid
 * @param {HTMLElement} grid.scroll
 * @param {HTMLElement} grid.pane
 * @param {HTMLElement} grid.body
 * @param {Columns} grid.columns
 * @param {Scrolling} grid.scrolling
 * @param {Selection} grid.selection
 * @param {(cell: Cell) => void} grid.reveal bring a cell into sight, and draw
 * @param {() => void} grid.draw
 */
export function selectByPointer({ scroll, pane, body, columns, scrolling, selection, reveal, draw }) {
  /** @type {(event: MouseEvent) => { cell: Cell, isIndex: boolean, isOutside: boolean }} */
  function under(event) {
    const box = pane.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const row = clamp(Math.floor(scrolling.top + (y - HEAD) / ROW), 0, scrolling.total - 1);
    const position = columns.positionAt(clamp(x, columns.gutter, box.width + columns.gutter) + scroll.scrollLeft);
    return {
      cell: [row, position],
      isIndex: x < columns.gutter,
      isOutside: y < HEAD || y > box.height || x < columns.gutter || x > box.width,
    };
  }

  body.onpointerdown = (down) => {
    if (down.button !== 0 || scrolling.total === 0) return;
    const { cell, isIndex } = under(down);
    const edge = columns.count - 1;
    /** @type {(row: number, extend: boolean) => void} */
    const pickRow = (row, extend) => {
      const from = extend && selection.anchor ? selection.anchor[0] : row;
      selection.span([from, edge], [row, 0]);
    };
    if (isIndex) pickRow(cell[0], down.shiftKey);
    else selection.pick(cell, down.shiftKey);
    draw();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let timer;
    /** @type {PointerEvent} */
    let latest = down;
    const follow = () => {
      const { cell: over, isOutside } = under(latest);
      if (isIndex) pickRow(over[0], true);
      else selection.pick(over, true);
      if (isOutside) reveal(isIndex ? [over[0], columns.inSight(scroll.scrollLeft, scroll.clientWidth).from] : over);
      draw();
    };
    const moved = (/** @type {PointerEvent} */ event) => {
      latest = event;
      follow();
      timer ??= setInterval(() => {
        if (under(latest).isOutside) follow();
      }, REPEATED);
    };
    followPointer(scroll, down, moved, () => clearInterval(timer));
  };
}

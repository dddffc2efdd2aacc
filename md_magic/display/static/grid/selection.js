// The block of cells that is selected: from its anchor to the cell that the keyboard moves, in rows and positions.

/** @import { Cell } from "./keys.js" */

/** @typedef {{ first: number, last: number, from: number, to: number }} Block Rows and positions, both ends included. */

export class Selection {
  /** @type {Cell | null} The cell that the keyboard moves. */
  active = null;
  /** @type {Cell | null} The opposite corner. */
  anchor = null;

  /**
   * Go to a cell, and select up to it where `extend` says so.
   * @param {Cell} cell
   * @param {boolean} extend
   */
  pick(cell, extend) {
    this.active = cell;
    if (!extend || !this.anchor) this.anchor = cell;
  }

  /**
   * Select from a corner to the opposite one.
   * @param {Cell} anchor
   * @param {Cell} active
   */
  span(anchor, active) {
    [this.anchor, this.active] = [anchor, active];
  }

  /** Select only the cell that the keyboard moves; returns whether more was selected. */
  collapse() {
    const isBlock = this.cells > 1;
    this.anchor = this.active;
    return isBlock;
  }

  clear() {
    this.active = this.anchor = null;
  }

  /** @returns {Block | null} */
  get block() {
    if (!this.active || !this.anchor) return null;
    const [[row, position], [otherRow, other]] = [this.active, this.anchor];
    return {
      first: Math.min(row, otherRow),
      last: Math.max(row, otherRow),
      from: Math.min(position, other),
      to: Math.max(position, other),
    };
  }

  /** How many cells are selected. */
  get cells() {
    const { block } = this;
    return block ? (block.last - block.first + 1) * (block.to - block.from + 1) : 0;
  }

  /**
   * Follow the cell that the keyboard moves to another position, because columns were moved; a hidden one is left.
   * @param {number} position negative: it is hidden
   */
  moveTo(position) {
    if (this.active && position >= 0) this.active = [this.active[0], position];
    else this.active = null;
    this.anchor = this.active;
  }
}

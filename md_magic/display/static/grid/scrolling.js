// Scroll positions in rows. A browser caps the height of an element, so with millions of rows one pixel of the scroll bar
// is many rows: the exact position is `top`, and the scroll bar follows it.
export const ROW = 24; // px
export const HEAD = 92; // px: name, type, histogram, filter
export const TALLEST = 8_000_000; // px: browsers cap an element's height, at 17 million and more

/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

const MOST_ROWS = 12; // that a grid is high by itself

/**
 * Return how high a grid of `rows` is, without a scroll bar at its lower edge.
 * @param {number} rows
 */
export const heightFor = (rows) => HEAD + clamp(rows, 1, MOST_ROWS) * ROW;

export class Scrolling {
  total = 0; // rows of the result
  height = 0; // px of the scrolled area, with the head
  top = 0; // first row in sight; its fraction is how much of it is hidden
  settled = 0; // the scrollTop that belongs to `top`

  /** Rows that fit below the head; at least one. */
  get capacity() {
    return Math.max(ROW, this.height - HEAD) / ROW;
  }

  /** The `top` at which the last row ends at the lower edge. */
  get last() {
    return Math.max(0, this.total - this.capacity);
  }

  /** px of the element that gives the scroll bar its length. */
  get canvasHeight() {
    return HEAD + Math.min(this.total * ROW, TALLEST);
  }

  /** The rows in sight; the first and the last may be cut. */
  get rows() {
    const first = Math.floor(this.top);
    return { first, end: Math.min(this.total, first + Math.ceil(this.capacity) + 1) };
  }

  /**
   * Go to a row, and return the scrollTop that belongs there.
   * @param {number} row
   * @param {number} farthest the largest scrollTop
   */
  moveTo(row, farthest) {
    this.top = clamp(row, 0, this.last);
    this.settled = this.last > 0 ? Math.round((this.top / this.last) * farthest) : 0;
    return this.settled;
  }

  /**
   * Follow the scroll bar, unless it is where `moveTo` put it: a pixel of it may be thousands of rows.
   * @param {number} scrollTop
   * @param {number} farthest the largest scrollTop
   */
  follow(scrollTop, farthest) {
    if (Math.abs(scrollTop - this.settled) <= 1) return;
    this.settled = scrollTop;
    this.top = farthest > 0 ? (scrollTop / farthest) * this.last : 0;
  }

  /**
   * Return the row that a turn of the wheel leads to, or null where the browser's own scrolling does.
   * @param {Pick<WheelEvent, "ctrlKey" | "shiftKey" | "deltaMode" | "deltaY">} event
   */
  wheel({ ctrlKey, shiftKey, deltaMode, deltaY }) {
    if (this.total * ROW <= TALLEST || ctrlKey || shiftKey || !deltaY) return null;
    if (deltaMode === 1) return this.top + deltaY; // lines
    if (deltaMode === 2) return this.top + deltaY * this.capacity; // pages
    return this.top + deltaY / ROW;
  }

  /**
   * Return the `top` nearest to the present one at which `row` is wholly in sight.
   * @param {number} row
   */
  topFor(row) {
    return clamp(this.top, row + 1 - this.capacity, row);
  }
}

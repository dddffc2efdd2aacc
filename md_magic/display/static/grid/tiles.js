// The values that are here, in tiles of 64 rows and 16 columns: what is fetched and kept at once. The oldest go first.

/** @typedef {(string | null)[]} Row */
/** @typedef {{ first: number, end: number, from: number, to: number }} Sight Rows and columns, half-open. */
/** @typedef {{ first: number, count: number, left: number, right: number }} Page Rows and columns to fetch. */

export const ROWS = 64;
export const COLUMNS = 16;
const KEPT = 240; // tiles
const ROWS_AT_ONCE = 3; // tiles of a page
const COLUMNS_AT_ONCE = 4;

export class Tiles {
  /** @type {Map<string, Row[]>} */
  #tiles = new Map();

  get size() {
    return this.#tiles.size;
  }

  /**
   * Return a value; undefined where it is not here.
   * @param {number} row
   * @param {number} column
   */
  value(row, column) {
    const tile = this.#tiles.get(`${Math.floor(row / ROWS)}:${Math.floor(column / COLUMNS)}`);
    return tile?.[row % ROWS]?.[column % COLUMNS];
  }

  /**
   * Return the values of a column that are here.
   * @param {number} column
   */
  values(column) {
    const values = [];
    for (const [key, rows] of this.#tiles) {
      if (Number(key.split(":")[1]) !== Math.floor(column / COLUMNS)) continue;
      for (const row of rows) values.push(row[column % COLUMNS]);
    }
    return values;
  }

  /**
   * Keep the rows of a page, which begins at the edges of a tile.
   * @param {Pick<Page, "first" | "left" | "right">} page
   * @param {Row[]} rows
   */
  keep({ first, left, right }, rows) {
    for (let row = 0; row < rows.length; row += ROWS) {
      for (let column = left; column < right; column += COLUMNS) {
        const key = `${(first + row) / ROWS}:${column / COLUMNS}`;
        const start = column - left;
        this.#tiles.delete(key); // a Map keeps the order in which keys came
        this.#tiles.set(
          key,
          rows.slice(row, row + ROWS).map((values) => values.slice(start, start + COLUMNS)),
        );
      }
    }
    for (const key of this.#tiles.keys()) {
      if (this.#tiles.size <= KEPT) break;
      this.#tiles.delete(key);
    }
  }

  clear() {
    this.#tiles.clear();
  }

  /**
   * Return the page to fetch next for what is in sight, or null where all of it is here.
   * @param {Sight} sight
   * @param {number} total rows of the view
   * @param {number} columns of the result
   * @returns {Page | null}
   */
  missing(sight, total, columns) {
    const gaps = this.#gaps(sight, total);
    if (!gaps.length) return null;
    const [row, column] = gaps[0]; // always in the page, so that each one brings something
    const lastRow = Math.min(gaps[gaps.length - 1][0], row + ROWS_AT_ONCE - 1);
    const lastColumn = Math.min(Math.max(...gaps.map(([, other]) => other)), column + COLUMNS_AT_ONCE - 1);
    return {
      first: row * ROWS,
      count: (lastRow + 1 - row) * ROWS,
      left: column * COLUMNS,
      right: Math.min(columns, (lastColumn + 1) * COLUMNS),
    };
  }

  /**
   * Return the row and the column of each tile in sight that is not here, or not full.
   * @param {Sight} sight
   * @param {number} total
   */
  #gaps({ first, end, from, to }, total) {
    const gaps = [];
    for (let row = Math.floor(first / ROWS); row * ROWS < end; row += 1) {
      const full = Math.min(ROWS, total - row * ROWS); // a result that still grows has tiles that are not
      for (let column = Math.floor(from / COLUMNS); column * COLUMNS < to; column += 1) {
        const tile = this.#tiles.get(`${row}:${column}`);
        if (!tile || tile.length < full) gaps.push([row, column]);
      }
    }
    return gaps;
  }
}

/**
 * Return the columns to fetch first of a view, of those in sight: whole tiles.
 * @param {Pick<Sight, "from" | "to">} sight
 * @param {number} columns of the result
 */
export function across({ from, to }, columns) {
  const left = Math.floor(from / COLUMNS) * COLUMNS;
  const right = Math.ceil(Math.max(to, 1) / COLUMNS) * COLUMNS;
  return { left, right: Math.min(columns, right, left + COLUMNS_AT_ONCE * COLUMNS) };
}

// The columns: which are shown, in what order, how wide they are, and which are in sight. A column is its index in the
// result; its position says where it stands, counted from the left.
import { oneLine } from "./measure.js";
import { clamp } from "./scrolling.js";

/** @import { Measures } from "./measure.js" */
/** @import { Sight } from "./tiles.js" */

/** @typedef {[name: string, kind: string, number: boolean]} ColumnFacts */

export const NARROWEST = 44; // px, by hand
const NARROW = 72; // px, by itself
const WIDE = { text: 360, number: 720, kind: 200, name: 360 }; // px that a column takes by itself
const WIDEST = 4000; // px, where it is fitted or dragged
const PADDING = 19; // px of a cell beside its text
const HEAD_PADDING = 34; // px of a header beside its name: the arrow of its order is one of them
const HASHES = "#####";

export class Columns {
  /** @type {number[]} The columns that are shown, from left to right. */
  order;
  /** @type {number[]} px of each column. */
  widths = [];
  /** @type {number[]} Where each position begins, without scrolling, and where the last one ends. */
  offsets = [];
  /** @type {Map<number, number>} px of the columns that were dragged or fitted. */
  #set = new Map();
  /** @type {number[]} px of the widest value of each column that was seen. */
  #needs;
  /** @type {number[]} px that the header of each column takes by itself. */
  #heads;
  #total = 0;
  #room = 0;

  /**
   * @param {ColumnFacts[]} facts
   * @param {Measures} measures
   */
  constructor(facts, measures) {
    this.list = facts.map(([name, kind, number]) => ({ name, kind, number }));
    this.order = this.list.map((_, column) => column);
    this.#needs = this.list.map(() => 0);
    this.#heads = this.list.map(() => 0);
    this.measures = measures;
    this.measureWith(measures);
    this.place(0, 0);
  }

  /**
   * Measure names and types, once: there may be thousands.
   * @param {Measures} measures
   */
  measureWith(measures) {
    this.measures = measures;
    this.#heads = this.list.map(({ name, kind }) => {
      const head = Math.min(measures.name(name) + HEAD_PADDING, WIDE.name);
      const type = Math.min(measures.kind(kind.slice(0, 80).toLowerCase()) + PADDING, WIDE.kind);
      return Math.max(head, type, NARROW);
    });
  }

  /** How many are shown. */
  get count() {
    return this.order.length;
  }

  /** px of the column of row numbers, which stays in sight. */
  get gutter() {
    return this.offsets[0];
  }

  /** px of all columns. */
  get width() {
    return this.offsets[this.count];
  }

  /** Whether the columns are those of the result, all of them and in its order. */
  get isWhole() {
    return this.count === this.list.length && this.order.every((column, position) => column === position);
  }

  /**
   * Compute where the columns stand, beside the numbers of `total` rows, in `room` px: what is left goes to the columns
   * whose values would be cut.
   * @param {number} total
   * @param {number} room
   */
  place(total, room) {
    [this.#total, this.#room] = [total, room];
    let offset = Math.max(40, total.toLocaleString("en-US").length * 7 + 20);
    for (const column of this.order) this.widths[column] = this.#widthOf(column);
    const cut = this.order.filter((column) => !this.#set.has(column) && this.#needs[column] > this.widths[column]);
    let spare = room - this.order.reduce((sum, column) => sum + this.widths[column], offset);
    cut.sort((one, other) => this.#lack(one) - this.#lack(other));
    for (const [at, column] of cut.entries()) {
      const more = Math.floor(clamp(spare / (cut.length - at), 0, this.#lack(column)));
      this.widths[column] += more;
      spare -= more;
    }
    this.offsets = [offset];
    for (const column of this.order) {
      offset += this.widths[column];
      this.offsets.push(offset);
    }
  }

  /** @param {number} column */
  #lack(column) {
    return Math.ceil(this.#needs[column] - this.widths[column]);
  }

  /** @param {number} column */
  #widthOf(column) {
    const value = Math.min(this.#needs[column], this.list[column].number ? WIDE.number : WIDE.text);
    return this.#set.get(column) ?? Math.ceil(Math.max(value, this.#heads[column]));
  }

  #again() {
    this.place(this.#total, this.#room);
  }

  /**
   * Return the columns in sight, as a half-open range of positions.
   * @param {number} x the scrollLeft
   * @param {number} width px of the scrolled area
   */
  inSight(x, width) {
    let from = 0;
    while (from < this.count - 1 && this.offsets[from + 1] <= x + this.gutter) from += 1;
    let to = from;
    while (to < this.count && this.offsets[to] < x + width) to += 1;
    return { from, to };
  }

  /**
   * Return rows and positions in sight as rows and columns: one sight for each run of neighbours, in their order.
   * @param {Sight} sight
   * @returns {Sight[]}
   */
  runs({ first, end, from, to }) {
    /** @type {Sight[]} */
    const runs = [];
    for (const column of this.order.slice(from, to).sort((one, other) => one - other)) {
      const last = runs.at(-1);
      if (last && last.to === column) last.to += 1;
      else runs.push({ first, end, from: column, to: column + 1 });
    }
    return runs;
  }

  /**
   * Return the position at a distance from the left, or the nearest.
   * @param {number} x px, with what is scrolled away
   */
  positionAt(x) {
    let position = 0;
    while (position < this.count - 1 && this.offsets[position + 1] <= x) position += 1;
    return position;
  }

  /**
   * Return the scrollLeft nearest to `x` at which `position` is in sight.
   * @param {number} position
   * @param {number} x
   * @param {number} width px of the scrolled area
   */
  leftFor(position, x, width) {
    const left = this.offsets[position] - this.gutter;
    const right = this.offsets[position + 1] - width;
    if (left < x) return left;
    return Math.min(left, Math.max(right, x));
  }

  // ---- widths ----

  /**
   * Widen columns to what `rows` hold, and return whether any grew. None ever shrinks under the eyes of a reader.
   * @param {(string | null)[][]} rows
   * @param {number} left the column of the first value in each row
   */
  fit(rows, left) {
    const before = [...this.widths];
    for (const row of rows) {
      row.forEach((text, index) => {
        this.#needs[left + index] = Math.max(this.#needs[left + index], this.#need(text));
      });
    }
    this.#again();
    return this.widths.some((width, column) => width > before[column]);
  }

  /** @param {string | null | undefined} text */
  #need(text) {
    return this.measures.cell(oneLine(text ?? "NULL")) + PADDING;
  }

  /**
   * Make a column as wide as a person says.
   * @param {number} column
   * @param {number} width px
   */
  resize(column, width) {
    this.#set.set(column, Math.round(clamp(width, NARROWEST, WIDEST)));
    this.#again();
  }

  /**
   * Make a column as wide as its name and `texts` need.
   * @param {number} column
   * @param {(string | null)[]} texts
   */
  fitTo(column, texts) {
    const head = this.measures.name(this.list[column].name) + HEAD_PADDING;
    this.resize(column, Math.ceil(texts.reduce((widest, text) => Math.max(widest, this.#need(text)), head)));
  }

  /**
   * Return whether a text is wider than its column.
   * @param {string} text
   * @param {number} column
   */
  isCut(text, column) {
    return this.#need(text) > this.widths[column] + 2;
  }

  /**
   * Return a text as its column shows it. A number is never cut: two that differ at the end would look the same.
   * @param {string} text
   * @param {number} column
   */
  shown(text, column) {
    if (this.list[column].number && this.isCut(text, column)) return HASHES;
    const most = Math.max(300, Math.ceil(this.widths[column] / 4));
    return oneLine(text.length > most ? `${text.slice(0, most)}…` : text);
  }

  // ---- order ----

  /**
   * Move what stands at a position so that it stands at another.
   * @param {number} from
   * @param {number} to
   */
  move(from, to) {
    const [column] = this.order.splice(from, 1);
    this.order.splice(clamp(to, 0, this.count), 0, column);
    this.#again();
  }

  /**
   * Hide a column or show it, beside its neighbour of the result. The last one stays. Returns whether that changed it.
   * @param {number} column
   * @param {boolean} shown
   */
  show(column, shown) {
    const position = this.order.indexOf(column);
    if (shown === position >= 0 || (!shown && this.count === 1)) return false;
    if (shown) {
      const before = this.order.reduce((best, other) => (other < column && other > best ? other : best), -1);
      this.order.splice(this.order.indexOf(before) + 1, 0, column);
    } else this.order.splice(position, 1);
    this.#again();
    return true;
  }

  /** Show all columns in the order of the result. */
  reset() {
    this.order = this.list.map((_, column) => column);
    this.#again();
  }
}

// The headers of the columns in sight: a name that sorts, a type, a filter, and an edge to drag. They hold what was
// clicked and typed.
import { make } from "../parts.js";
import { followPointer } from "./gesture.js";
import { Histogram } from "./histogram.js";
import { filtersOf, sortMark, toggleSort } from "./view.js";

/** @import { Columns } from "./columns.js" */
/** @import { Bars } from "./histogram.js" */
/** @import { SortKey, View } from "./view.js" */

const PATIENCE = 350; // ms after the last letter of a filter
const FILTER_HELP = 'Text that a value contains, or > 5, <= 5, = x, != x, null, not null; "> 5" in quotes is text';
const STILL = 5; // px that a click may move

/**
 * A header, which shows one column after another: to make its elements takes a browser longer than to change them.
 * @typedef {object} Parts
 * @property {number} column
 * @property {HTMLElement} header
 * @property {HTMLElement} name
 * @property {HTMLElement} label
 * @property {HTMLElement} arrow
 * @property {HTMLElement} type also says what a bar stands for
 * @property {HTMLElement} edge
 * @property {HTMLInputElement} filter
 * @property {HTMLElement} bars
 * @property {Histogram} histogram
 */
/**
 * What the headers tell the grid.
 * @typedef {object} Listeners
 * @property {(view: View) => void} onview another order or choice of rows is wanted
 * @property {() => void} onplace columns were moved, or have other widths
 * @property {(column: number) => void} onfit a column is to be as wide as its values
 * @property {(column: number, at: DOMRect) => void} onmenu
 * @property {(column: number) => void} onleave the focus goes down to the rows
 * @property {(column: number) => Bars | null} bars of the histogram of a column, where they are here
 */

export class Headers {
  element = make("div", "md-grid-head");
  #corner = make("div", "md-grid-corner");
  #drop = make("div", "md-grid-drop");
  /** @type {Map<number, Parts>} */
  #parts = new Map();
  /** @type {SortKey[]} */
  #sort = [];
  /** @type {Map<number, string>} */
  #typed = new Map();
  #x = 0;

  /**
   * @param {Columns} columns
   * @param {Listeners} listeners
   * @param {string} id of the grid
   */
  constructor(columns, listeners, id) {
    this.id = id;
    this.columns = columns;
    this.listeners = listeners;
    this.element.role = "row";
    this.element.setAttribute("aria-rowindex", "1");
    this.#drop.hidden = true;
  }

  /**
   * Show the headers of a range of positions, and the one that has the focus. Tab stops at one of them.
   * @param {{ from: number, to: number }} range
   * @param {number} x the scrollLeft
   * @param {number} stop the position at which Tab stops
   */
  draw({ from, to }, x, stop) {
    this.#x = x;
    const columns = new Set(this.columns.order.slice(from, to));
    const free = [];
    for (const [column, parts] of this.#parts) {
      const isKept = this.columns.order.includes(column) && parts.header.contains(document.activeElement);
      if (columns.has(column) || isKept) continue;
      free.push(parts);
      this.#parts.delete(column);
    }
    for (const column of columns) {
      if (!this.#parts.has(column)) this.#parts.set(column, this.#assign(free.shift() ?? this.#make(), column));
    }
    for (const { header } of free) header.remove();
    this.#arrange();
    for (const [column, { header, name, arrow, filter, bars }] of this.#parts) {
      const position = this.columns.order.indexOf(column);
      header.style.left = `${this.columns.offsets[position] - x}px`;
      header.style.width = `${this.columns.widths[column]}px`;
      header.setAttribute("aria-colindex", `${position + 1}`);
      name.tabIndex = filter.tabIndex = bars.tabIndex = position === stop ? 0 : -1;
      const mark = sortMark(this.#sort, column);
      header.setAttribute("aria-sort", mark.aria);
      arrow.textContent = mark.arrow;
    }
    if (!this.#corner.isConnected) this.element.append(this.#drop, this.#corner);
    this.#corner.style.width = `${this.columns.gutter}px`;
  }

  /** Put the headers into the order in which they stand, which is that of Tab and of screen readers. */
  #arrange() {
    const focused = document.activeElement;
    let next = this.element.firstElementChild;
    for (const column of this.columns.order) {
      const header = this.#parts.get(column)?.header;
      if (!header) continue;
      if (header === next) next = next.nextElementSibling;
      else this.element.insertBefore(header, next);
    }
    if (focused instanceof HTMLElement && this.element.contains(focused)) focused.focus({ preventScroll: true });
  }

  /**
   * Put the focus on a part of a header in sight.
   * @param {number} column
   * @param {"name" | "filter" | "bars"} part
   */
  focus(column, part) {
    this.#parts.get(column)?.[part].focus();
  }

  /**
   * Return where a header in sight is in the window.
   * @param {number} column
   */
  boxOf(column) {
    return (this.#parts.get(column)?.header ?? this.element).getBoundingClientRect();
  }

  /**
   * Order the rows by a column alone; null: not by it.
   * @param {number} column
   * @param {boolean | null} down
   */
  sortBy(column, down) {
    this.#sort = down === null ? this.#sort.filter(([other]) => other !== column) : [[column, down]];
    this.#changed();
  }

  /** @param {number} column */
  isSorted(column) {
    return this.#sort.some(([other]) => other === column);
  }

  /** @returns {Parts} a header of no column yet */
  #make() {
    const header = make("div", "md-grid-column");
    header.role = "columnheader";
    const name = make("button", "md-grid-name");
    name.type = "button";
    name.setAttribute("aria-haspopup", "menu");
    const [label, arrow] = [make("span", "md-grid-label"), make("span", "md-grid-arrow")];
    name.append(label, arrow);
    const type = make("div", "md-grid-kind");
    const filter = make("input", "md-grid-filter");
    const edge = make("div", "md-grid-edge");
    const histogram = new Histogram({
      onfilter: (text) => {
        filter.value = text;
        this.#typed.set(parts.column, text);
        this.#changed();
      },
      onsay: (text) => {
        type.textContent = text || this.#kindOf(parts.column);
        type.classList.toggle("md-grid-says", text !== "");
      },
      onleave: () => filter.focus(),
    });
    const bars = histogram.element;
    const parts = { column: -1, header, name, label, arrow, type, filter, edge, bars, histogram };
    name.onclick = (event) => {
      if (header.dataset.moved) return;
      this.#sort = toggleSort(this.#sort, parts.column, event.shiftKey);
      this.#changed();
    };
    name.onpointerdown = (event) => this.#drag(event, parts.column, header);
    name.onkeydown = (event) => this.#pressed(event, parts.column);
    header.oncontextmenu = (event) => {
      if (event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      event.stopPropagation();
      this.listeners.onmenu(parts.column, this.boxOf(parts.column));
    };
    this.#listenToFilter(parts);
    this.#listenToEdge(parts);
    header.append(name, type, bars, filter, edge);
    return parts;
  }

  /**
   * Have a header show a column.
   * @param {Parts} parts
   * @param {number} column
   */
  #assign(parts, column) {
    const { header, name, label, type, filter, edge, histogram } = parts;
    const facts = this.columns.list[column];
    parts.column = column;
    delete header.dataset.moved;
    header.classList.toggle("md-grid-number", Boolean(facts.number));
    label.textContent = facts.name;
    name.title = `${facts.name}\n${facts.kind}\nClick sorts; with Shift, by several columns. Drag moves. Right-click for more.`;
    type.textContent = this.#kindOf(column);
    type.title = facts.kind;
    type.classList.remove("md-grid-says");
    filter.value = this.#typed.get(column) ?? "";
    filter.setAttribute("aria-label", `Filter of ${facts.name}`);
    edge.setAttribute("aria-label", `Width of ${facts.name}`);
    histogram.assign(`${this.id}-bars-${column}`, facts.name, this.listeners.bars(column));
    return parts;
  }

  /** @param {number} column */
  #kindOf(column) {
    return this.columns.list[column].kind.toLowerCase().slice(0, 80);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} column
   */
  #pressed(event, column) {
    const position = this.columns.order.indexOf(column);
    const isMenu = event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey);
    if (isMenu || (event.key === "ArrowDown" && event.altKey)) {
      this.listeners.onmenu(column, this.boxOf(column));
    } else if (event.key === "ArrowDown") this.listeners.onleave(column);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const next = this.columns.order[position + (event.key === "ArrowLeft" ? -1 : 1)];
      if (next !== undefined) this.focus(next, "name");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- pointers ----

  /**
   * Move a column where its name is dragged.
   * @param {PointerEvent} down
   * @param {number} column
   * @param {HTMLElement} header
   */
  #drag(down, column, header) {
    delete header.dataset.moved;
    if (down.button !== 0) return;
    const left = this.element.getBoundingClientRect().left;
    const { order, offsets } = this.columns;
    const from = order.indexOf(column);
    let to = from;
    const moved = (/** @type {PointerEvent} */ event) => {
      if (!header.dataset.moved && Math.abs(event.clientX - down.clientX) < STILL) return;
      header.dataset.moved = "true";
      header.classList.add("md-grid-dragged");
      const x = event.clientX - left + this.#x;
      const over = this.columns.positionAt(x);
      const isRight = x > (offsets[over] + offsets[over + 1]) / 2;
      const gap = over + Number(isRight); // the column is to stand before what is at this position now
      to = gap > from ? gap - 1 : gap;
      this.#drop.hidden = false;
      this.#drop.style.left = `${offsets[gap] - this.#x - 1}px`;
    };
    followPointer(/** @type {HTMLElement} */ (down.currentTarget), down, moved, (_, cancelled) => {
      this.#drop.hidden = true;
      header.classList.remove("md-grid-dragged");
      if (cancelled || to === from) return;
      this.columns.move(from, to);
      this.listeners.onplace();
    });
  }

  /**
   * Have the edge of a header make its column wider or narrower; a double click fits it.
   * @param {Parts} parts
   */
  #listenToEdge(parts) {
    const { edge } = parts;
    edge.role = "separator";
    edge.setAttribute("aria-orientation", "vertical");
    edge.title = "Drag for another width; double-click fits";
    edge.onpointerdown = (down) => {
      if (down.button !== 0) return;
      down.preventDefault();
      const { column } = parts;
      const width = this.columns.widths[column];
      followPointer(edge, down, (event) => {
        this.columns.resize(column, width + event.clientX - down.clientX);
        this.listeners.onplace();
      });
    };
    edge.ondblclick = () => this.listeners.onfit(parts.column);
  }

  // ---- filters ----

  /**
   * Show the histogram of a column.
   * @param {number} column
   * @param {Bars} bars
   */
  showBars(column, bars) {
    this.#parts.get(column)?.histogram.show(bars);
  }

  /** @param {Parts} parts */
  #listenToFilter(parts) {
    const { filter, histogram } = parts;
    Object.assign(filter, { type: "text", spellcheck: false, autocomplete: "off", placeholder: "filter" });
    filter.title = FILTER_HELP;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const typed = () => {
      histogram.clear();
      this.#typed.set(parts.column, filter.value);
      clearTimeout(timer);
      timer = setTimeout(() => this.#changed(), PATIENCE);
    };
    filter.oninput = typed;
    filter.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Escape") {
        if (!filter.value) this.listeners.onleave(parts.column);
        filter.value = "";
        typed();
      } else if (event.key === "ArrowDown") this.listeners.onleave(parts.column);
      else if (event.key === "Enter") {
        clearTimeout(timer);
        this.#changed();
      }
    };
  }

  #changed() {
    this.listeners.onview({ sort: this.#sort, filters: filtersOf(this.#typed) });
  }
}

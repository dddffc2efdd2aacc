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
 * @typedef {object} Parts
 * @property {HTMLElement} header
 * @property {HTMLElement} name
 * @property {HTMLElement} arrow
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
    for (const [column, { header }] of this.#parts) {
      const isKept = this.columns.order.includes(column) && header.contains(document.activeElement);
      if (columns.has(column) || isKept) continue;
      header.remove();
      this.#parts.delete(column);
    }
    for (const column of columns) {
      if (!this.#parts.has(column)) this.#parts.set(column, this.#make(column));
    }
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

  /**
   * @param {number} column
   * @returns {Parts}
   */
  #make(column) {
    const { name, kind, number } = this.columns.list[column];
    const header = make("div", "md-grid-column");
    header.role = "columnheader";
    if (number) header.classList.add("md-grid-number");
    const button = make("button", "md-grid-name");
    button.type = "button";
    button.title = `${name}\n${kind}\nClick sorts; with Shift, by several columns. Drag moves. Right-click for more.`;
    button.setAttribute("aria-haspopup", "menu");
    const arrow = make("span", "md-grid-arrow");
    button.append(make("span", "md-grid-label", name), arrow);
    button.onclick = (event) => {
      if (header.dataset.moved) return;
      this.#sort = toggleSort(this.#sort, column, event.shiftKey);
      this.#changed();
    };
    button.onpointerdown = (event) => this.#drag(event, column, header);
    button.onkeydown = (event) => this.#pressed(event, column);
    header.oncontextmenu = (event) => {
      if (event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      event.stopPropagation();
      this.listeners.onmenu(column, this.boxOf(column));
    };
    const type = make("div", "md-grid-kind", kind.toLowerCase().slice(0, 80));
    type.title = kind;
    const histogram = this.#makeHistogram(column, type);
    const filter = this.#makeFilter(column, name, histogram);
    const bars = histogram.element;
    header.append(button, type, bars, filter, this.#makeEdge(column));
    return { header, name: button, arrow, filter, bars, histogram };
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
   * Return the edge that makes a column wider or narrower; a double click fits it.
   * @param {number} column
   */
  #makeEdge(column) {
    const edge = make("div", "md-grid-edge");
    edge.role = "separator";
    edge.setAttribute("aria-orientation", "vertical");
    edge.setAttribute("aria-label", `Width of ${this.columns.list[column].name}`);
    edge.title = "Drag for another width; double-click fits";
    edge.onpointerdown = (down) => {
      if (down.button !== 0) return;
      down.preventDefault();
      const width = this.columns.widths[column];
      followPointer(edge, down, (event) => {
        this.columns.resize(column, width + event.clientX - down.clientX);
        this.listeners.onplace();
      });
    };
    edge.ondblclick = () => this.listeners.onfit(column);
    return edge;
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

  /**
   * @param {number} column
   * @param {HTMLElement} type where it is said what a bar stands for
   */
  #makeHistogram(column, type) {
    const kind = type.textContent;
    const histogram = new Histogram(`${this.id}-bars-${column}`, this.columns.list[column].name, {
      onfilter: (filter) => {
        const parts = this.#parts.get(column);
        if (parts) parts.filter.value = filter;
        this.#typed.set(column, filter);
        this.#changed();
      },
      onsay: (text) => {
        type.textContent = text || kind;
        type.classList.toggle("md-grid-says", text !== "");
      },
      onleave: () => this.focus(column, "filter"),
    });
    const bars = this.listeners.bars(column);
    if (bars) histogram.show(bars);
    return histogram;
  }

  /**
   * @param {number} column
   * @param {string} name
   * @param {Histogram} histogram
   */
  #makeFilter(column, name, histogram) {
    const input = make("input", "md-grid-filter");
    Object.assign(input, { type: "text", spellcheck: false, autocomplete: "off", placeholder: "filter" });
    input.value = this.#typed.get(column) ?? "";
    input.title = FILTER_HELP;
    input.setAttribute("aria-label", `Filter of ${name}`);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const typed = () => {
      histogram.clear();
      this.#typed.set(column, input.value);
      clearTimeout(timer);
      timer = setTimeout(() => this.#changed(), PATIENCE);
    };
    input.oninput = typed;
    input.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Escape") {
        if (!input.value) this.listeners.onleave(column);
        input.value = "";
        typed();
      } else if (event.key === "ArrowDown") this.listeners.onleave(column);
      else if (event.key === "Enter") {
        clearTimeout(timer);
        this.#changed();
      }
    };
    return input;
  }

  #changed() {
    this.listeners.onview({ sort: this.#sort, filters: filtersOf(this.#typed) });
  }
}

// The histogram in a header: the bars of all rows, and in front of them those of the rows that are seen. Bars that are
// selected, by dragging or by the keyboard, become the filter of their column.
import { make } from "../parts.js";
import { followPointer } from "./gesture.js";
import { clamp } from "./scrolling.js";

/** @typedef {[label: string, rows: number, seen: number, low: string, high: string]} Bar */
/** @typedef {{ bars: Bar[], ordered: boolean, different: string, rows: number, nulls: number }} Bars */

/**
 * Return the filter that keeps the rows of some bars, or null where there is none.
 * @param {Bars} bars
 * @param {number} from
 * @param {number} to
 */
export function filterOf({ bars, ordered }, from, to) {
  const [, , , low, high] = bars[from];
  if (!low) return null;
  if (from === to) return !ordered || low.startsWith("= ") ? low : `${low} and ${high}`;
  if (!ordered) return null;
  return `${low.replace(/^= /, ">= ")} and ${bars[to][4].replace(/^= /, "<= ")}`;
}

/** @param {Bars} bars */
export function noteOf({ bars, different, rows, nulls }) {
  const parts = [different, nulls ? `${nulls.toLocaleString("en-US")} NULL` : ""];
  if (!bars.length && nulls === rows && rows) return "only NULL";
  return parts.filter(Boolean).join(", ");
}

export class Histogram {
  element = make("div", "md-grid-bars");
  /** @type {Bars | null} */
  #bars = null;
  /** @type {[number, number] | null} the bar where a selection began, and the one where it is */
  #chosen = null;
  #id = "";

  /**
   * @param {object} listeners
   * @param {(filter: string) => void} listeners.onfilter
   * @param {(text: string) => void} listeners.onsay what a bar stands for; empty: nothing
   * @param {() => void} listeners.onleave
   */
  constructor({ onfilter, onsay, onleave }) {
    this.onfilter = onfilter;
    this.onsay = onsay;
    const { element } = this;
    element.role = "listbox";
    element.tabIndex = -1;
    element.setAttribute("aria-multiselectable", "true");
    element.onpointerdown = (down) => this.#drag(down);
    element.onpointermove = (event) => this.#say(this.#at(event));
    element.onpointerleave = () => onsay("");
    element.onblur = () => onsay("");
    element.onkeydown = (event) => {
      if (event.key === "ArrowDown") onleave();
      else if (!this.#pressed(event)) return;
      event.preventDefault();
      event.stopPropagation();
    };
  }

  /**
   * Belong to another column.
   * @param {string} id
   * @param {string} name of the column
   * @param {Bars | null} bars where they are here
   */
  assign(id, name, bars) {
    this.#id = id;
    this.#chosen = null;
    this.element.setAttribute("aria-label", `Histogram of ${name}`);
    if (bars) {
      this.show(bars);
      return;
    }
    if (this.#bars) this.element.replaceChildren();
    this.#bars = null;
    this.#mark();
  }

  get isEmpty() {
    return !this.#bars;
  }

  /** @param {Bars} bars */
  show(bars) {
    this.#bars = bars;
    const most = Math.max(1, ...bars.bars.map(([, rows]) => rows));
    this.element.replaceChildren(
      ...bars.bars.map(([label, rows, seen], at) => {
        const bar = make("div", "md-grid-bar-of");
        bar.role = "option";
        bar.id = `${this.#id}-${at}`;
        const height = rows ? Math.max(6, (rows / most) * 100) : 0; // %
        const share = rows && seen ? Math.max(0.08, seen / rows) : 0;
        bar.style.setProperty("--rows", `${height}%`);
        bar.style.setProperty("--seen", `${height * share}%`);
        bar.setAttribute("aria-label", `${label}: ${sayRows(rows, seen)}`);
        return bar;
      }),
    );
    if (!bars.bars.length) this.element.append(make("span", "md-grid-different", noteOf(bars)));
    this.#mark();
  }

  /** Forget what was chosen, because the filter is another now. */
  clear() {
    this.#chosen = null;
    this.#mark();
  }

  /** @returns {[number, number] | null} the first bar that is chosen and the last */
  get #range() {
    if (!this.#chosen) return null;
    const [one, other] = this.#chosen;
    return [Math.min(one, other), Math.max(one, other)];
  }

  #mark() {
    const range = this.#range;
    for (const [at, bar] of [...this.element.children].entries()) {
      if (bar.role !== "option") continue;
      bar.setAttribute("aria-selected", `${Boolean(range && at >= range[0] && at <= range[1])}`);
    }
    if (this.#chosen) this.element.setAttribute("aria-activedescendant", `${this.#id}-${this.#chosen[1]}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** @param {number | null} at */
  #say(at) {
    const bar = at === null ? null : this.#bars?.bars[at];
    if (!bar) return;
    const range = this.#range;
    const bars = this.#bars?.bars ?? [];
    if (range && range[0] < range[1] && at !== null && at >= range[0] && at <= range[1]) {
      const rows = bars.slice(range[0], range[1] + 1).reduce((sum, [, count]) => sum + count, 0);
      this.onsay(`${bars[range[0]][0]} … ${bars[range[1]][0]}: ${rows.toLocaleString("en-US")}`);
    } else this.onsay(`${bar[0]}: ${sayRows(bar[1], bar[2])}`);
  }

  /**
   * Return the bar at a pointer.
   * @param {PointerEvent} event
   */
  #at(event) {
    const count = this.#bars?.bars.length ?? 0;
    if (!count) return null;
    const { left, width } = this.element.getBoundingClientRect();
    return clamp(Math.floor(((event.clientX - left) / width) * count), 0, count - 1);
  }

  /** @param {PointerEvent} down */
  #drag(down) {
    const at = this.#at(down);
    if (at === null || down.button !== 0) return;
    const before = this.#range;
    const isAgain = before !== null && before[0] === at && before[1] === at;
    const choose = (/** @type {number} */ to) => {
      this.#chosen = [this.#bars?.ordered ? at : to, to];
      this.#mark();
      this.#say(to);
    };
    choose(at);
    const moved = (/** @type {PointerEvent} */ event) => choose(this.#at(event) ?? at);
    followPointer(this.element, down, moved, (_, cancelled) => {
      if (cancelled) return;
      if (isAgain && this.#chosen?.[1] === at) this.#give(null);
      else this.#give(this.#range);
    });
  }

  /** @param {[number, number] | null} range */
  #give(range) {
    const filter = range && this.#bars ? filterOf(this.#bars, ...range) : "";
    if (filter === null) return;
    if (!range) this.clear();
    this.onfilter(filter);
  }

  /** @param {KeyboardEvent} event */
  #pressed({ key, shiftKey }) {
    const last = (this.#bars?.bars.length ?? 0) - 1;
    if (last < 0) return false;
    if (key === "Enter" || key === " ") this.#give(this.#range ?? [0, 0]);
    else if (key === "Escape" && this.#chosen) this.#give(null);
    else if (key === "Delete" || key === "Backspace") this.#give(null);
    else {
      const at = this.#chosen?.[1];
      /** @type {Record<string, number>} */
      const steps = { ArrowLeft: (at ?? 0) - 1, ArrowRight: (at ?? -1) + 1, Home: 0, End: last };
      if (!Object.hasOwn(steps, key)) return false;
      const to = clamp(steps[key], 0, last);
      this.#chosen = [shiftKey && this.#bars?.ordered ? (this.#chosen?.[0] ?? to) : to, to];
      this.#mark();
      this.#say(to);
    }
    return true;
  }
}

/** @type {(rows: number, seen: number) => string} */
function sayRows(rows, seen) {
  const all = rows.toLocaleString("en-US");
  return seen === rows ? all : `${seen.toLocaleString("en-US")} of ${all}`;
}

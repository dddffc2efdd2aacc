// Fetching histograms: one at a time, of columns in sight, when nobody scrolls. What is asked for anew stops the one before.

/** @import { Courier } from "./courier.js" */
/** @import { Bars } from "./histogram.js" */
/** @import { View } from "./view.js" */

const CALM = 300; // ms without a movement

export class Histograms {
  /** @type {Map<number, { key: string, bars: Bars }>} what is here, by column */
  #here = new Map();
  /** @type {{ column: number, key: string, stopper: AbortController } | null} */
  #asked = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Courier} courier
   * @param {(column: number, bars: Bars) => void} onbars
   */
  constructor(courier, onbars) {
    this.courier = courier;
    this.onbars = onbars;
  }

  /**
   * Return the bars of a column, also where they are those of a view before.
   * @param {number} column
   */
  of(column) {
    return this.#here.get(column)?.bars ?? null;
  }

  /**
   * Want those of columns in sight; a movement puts it off.
   * @param {number[]} columns
   * @param {View} view
   */
  want(columns, view) {
    clearTimeout(this.#timer);
    const next = columns.find((column) => this.#here.get(column)?.key !== keyOf(view, column));
    if (this.#asked && (this.#asked.key !== keyOf(view, this.#asked.column) || !columns.includes(this.#asked.column))) {
      this.stop();
    }
    if (next === undefined || this.#asked) return;
    this.#timer = setTimeout(() => this.#ask(next, columns, view), CALM);
  }

  /** Stop what is computed: something else is more urgent. */
  stop() {
    clearTimeout(this.#timer);
    this.#asked?.stopper.abort();
    this.#asked = null;
  }

  /**
   * @param {number} column
   * @param {number[]} columns
   * @param {View} view
   */
  async #ask(column, columns, view) {
    const asked = { column, key: keyOf(view, column), stopper: new AbortController() };
    this.#asked = asked;
    /** @type {Bars} */
    let bars = { bars: [], ordered: true, different: "", rows: 0, nulls: 0 };
    try {
      const request = { type: "histogram", sort: [], filters: view.filters, columns: [column] };
      bars = (await this.courier.ask(request, asked.stopper.signal)).answer;
    } catch {
      if (asked.stopper.signal.aborted) return; // what failed otherwise has no bars
    }
    if (this.#asked === asked) this.#asked = null;
    this.#here.set(column, { key: asked.key, bars });
    this.onbars(column, bars);
    const next = columns.find((other) => this.#here.get(other)?.key !== keyOf(view, other));
    if (next !== undefined && !this.#asked) this.#ask(next, columns, view);
  }
}

/** @type {(view: View, column: number) => string} the filters of other columns, on which the bars depend */
const keyOf = ({ filters }, column) => JSON.stringify(filters.filter(([other]) => other !== column));

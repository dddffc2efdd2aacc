// Fetching histograms: those of the columns in sight, when nobody scrolls. What is asked for anew stops what was before.

/** @import { Courier } from "./courier.js" */
/** @import { Bars } from "./histogram.js" */
/** @import { View } from "./view.js" */

const CALM = 300; // ms without a movement
/** @type {Bars} */
const NONE = { bars: [], ordered: true, different: "", rows: 0, nulls: 0 };

export class Histograms {
  /** @type {Map<number, { key: string, bars: Bars }>} what is here, by column */
  #here = new Map();
  /** @type {{ keys: Map<number, string>, stopper: AbortController } | null} columns that are waited for */
  #asked = null;
  /** @type {{ columns: number[], view: View }} */
  #wanted = { columns: [], view: { sort: [], filters: [] } };
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
    this.#wanted = { columns, view };
    const waited = [...(this.#asked?.keys ?? [])];
    if (waited.some(([column, key]) => !columns.includes(column) || key !== keyOf(view, column))) this.stop();
    if (!this.#asked && this.#missing.length) this.#timer = setTimeout(() => this.#ask(), CALM);
  }

  /** Stop what is computed: something else is more urgent. */
  stop() {
    clearTimeout(this.#timer);
    this.#asked?.stopper.abort();
    this.#asked = null;
  }

  get #missing() {
    const { columns, view } = this.#wanted;
    return columns.filter((column) => this.#here.get(column)?.key !== keyOf(view, column));
  }

  async #ask() {
    const columns = this.#missing;
    if (!columns.length) return;
    const { view } = this.#wanted;
    const stopper = new AbortController();
    const asked = { keys: new Map(columns.map((column) => [column, keyOf(view, column)])), stopper };
    this.#asked = asked;
    const arrived = (/** @type {Bars & { column: number }} */ { column, ...bars }) => {
      const key = asked.keys.get(column);
      if (key === undefined) return;
      asked.keys.delete(column);
      this.#here.set(column, { key, bars });
      this.onbars(column, bars);
    };
    const request = { type: "histograms", sort: [], filters: view.filters, columns };
    try {
      await this.courier.ask(request, stopper.signal, arrived);
    } catch {
      if (stopper.signal.aborted) return;
    }
    for (const column of [...asked.keys.keys()]) arrived({ ...NONE, column }); // what failed has no bars
    this.#asked = null;
    this.#ask(); // what came into sight meanwhile
  }
}

/** @type {(view: View, column: number) => string} the filters of other columns, on which the bars depend */
const keyOf = ({ filters }, column) => JSON.stringify(filters.filter(([other]) => other !== column));

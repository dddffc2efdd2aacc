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
  /** @type {{ keys: Map<number, string>, id: string } | null} columns that are waited for, and the request */
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
    const id = this.giveUp();
    if (id !== null) this.courier.send({ type: "stop", id });
  }

  /** Expect nothing any more, and return the id of the request that Python has to stop; null where there is none. */
  giveUp() {
    clearTimeout(this.#timer);
    const id = this.#asked?.id ?? null;
    this.#asked = null;
    if (id !== null) this.courier.withdraw(id);
    return id;
  }

  get #missing() {
    const { columns, view } = this.#wanted;
    return columns.filter((column) => this.#here.get(column)?.key !== keyOf(view, column));
  }

  async #ask() {
    const columns = this.#missing;
    if (!columns.length) return;
    const { view } = this.#wanted;
    const id = this.courier.newId();
    const asked = { keys: new Map(columns.map((column) => [column, keyOf(view, column)])), id };
    this.#asked = asked;
    const arrived = (/** @type {{ histograms?: (Bars & { column: number })[] }} */ { histograms }) => {
      for (const { column, ...bars } of histograms ?? []) {
        const key = asked.keys.get(column);
        if (key === undefined) continue;
        asked.keys.delete(column);
        this.#here.set(column, { key, bars });
        this.onbars(column, bars);
      }
    };
    const request = { type: "histograms", id, sort: [], filters: view.filters, columns };
    try {
      const { answer } = await this.courier.ask(request, undefined, arrived);
      arrived(answer);
    } catch {
      if (this.#asked !== asked) return; // given up
    }
    arrived({ histograms: [...asked.keys.keys()].map((column) => ({ ...NONE, column })) }); // what failed has no bars
    this.#asked = null;
    this.#ask(); // what came into sight meanwhile
  }
}

/** @type {(view: View, column: number) => string} the filters of other columns, on which the bars depend */
const keyOf = ({ filters }, column) => JSON.stringify(filters.filter(([other]) => other !== column));

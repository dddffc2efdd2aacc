// Fetching: rows come as answers to custom messages, one question at a time, so that a quick scroll asks for where it
// ends and not for what it passes. Another view replaces the one that is shown when its first rows are here.
import { across, ROWS, Tiles } from "./tiles.js";
import { sameView } from "./view.js";

/** @import { Page, Row, Sight } from "./tiles.js" */
/** @import { View } from "./view.js" */

/** @typedef {{ complete: boolean, closed: boolean }} State of the result in Python */
/** @typedef {Page & { view: View, id: string, content: object, at: number, patience: number, heard: boolean }} Question */
/**
 * @typedef {{ type: "working", id: string }
 *   | { type: "error", id: string, text: string }
 *   | { type: "page", id: string, rows: Row[], total: number }} Answer
 */
/**
 * What an answer changed: another view is shown, more rows of this one, or nothing. `stopped`: do not ask again.
 * @typedef {{ kind: "view" | "rows", rows: Row[], left: number, resized: boolean }
 *   | { kind: "failed", text: string, stopped: boolean }
 *   | { kind: "working" | "late" | "nothing" }} Change
 */

export class Pages {
  tiles = new Tiles();
  /** @type {View} */
  shown = { sort: [], filters: [] };
  /** @type {View | null} A view that was asked for and is not here yet. */
  wanted = null;
  /** @type {Question | null} The question that waits for its answer. */
  pending = null;
  #asked = 0;

  /**
   * @param {object} options
   * @param {string} options.id of this grid: several of one model hear each other's answers
   * @param {number} options.columns
   * @param {number} options.total rows of the view that is shown
   * @param {(content: object) => void} options.send
   * @param {() => number} options.now milliseconds
   */
  constructor({ id, columns, total, send, now }) {
    this.id = id;
    this.columns = columns;
    this.total = total;
    this.send = send;
    this.now = now;
  }

  /** Milliseconds since the question that waits was asked; 0 where none does. */
  get waiting() {
    return this.pending ? this.now() - this.pending.at : 0;
  }

  get isFiltered() {
    return this.shown.filters.length > 0;
  }

  /**
   * Want another view, and return whether that is news. A sort that nobody waits for any more is stopped.
   * @param {View} view
   */
  want(view) {
    if (sameView(view, this.wanted ?? this.shown)) return false;
    this.wanted = sameView(view, this.shown) ? null : view;
    if (this.pending) this.send({ type: "stop" });
    return true;
  }

  /**
   * Ask for what is in sight and not here, unless a question waits. A result that still comes is not sorted or filtered.
   * @param {Sight[]} sights runs of neighbouring columns
   * @param {State} state
   */
  ask(sights, { complete, closed }) {
    if (this.pending || closed) return;
    if (this.wanted && complete) {
      this.#question(this.wanted, { first: 0, count: ROWS, ...across(sights[0] ?? { from: 0, to: 1 }, this.columns) });
      return;
    }
    for (const sight of sights) {
      const page = this.tiles.missing(sight, this.total, this.columns);
      if (!page) continue;
      this.#question(this.shown, page);
      return;
    }
  }

  /**
   * @param {View} view
   * @param {Page} page
   */
  #question(view, page) {
    this.#asked += 1;
    const id = `${this.id}:${this.#asked}`;
    const content = { ...view, ...page, type: "page", id };
    this.pending = { ...page, view, id, content, at: this.now(), patience: 1000, heard: false };
    this.send(content);
  }

  /** Ask again what was not heard: what is sent before the front end has its subshell waits behind the running cell. */
  repeat() {
    if (!this.pending || this.pending.heard || this.waiting <= this.pending.patience) return;
    this.pending.patience *= 3;
    this.send(this.pending.content);
  }

  /**
   * Take an answer, and return what it changed.
   * @param {Answer} answer
   * @returns {Change}
   */
  receive(answer) {
    const question = this.pending;
    if (!question || answer.id !== question.id) return { kind: "nothing" };
    if (answer.type === "working") {
      question.heard = true;
      return { kind: "working" };
    }
    this.pending = null;
    return answer.type === "error" ? this.#failed(question, answer.text) : this.#arrived(question, answer);
  }

  /**
   * @param {Question} question
   * @param {string} text
   * @returns {Change}
   */
  #failed(question, text) {
    if (question.view === this.wanted) {
      this.wanted = null; // the rows of the view before stay
      return { kind: "failed", text, stopped: false };
    }
    if (question.view === this.shown && !this.wanted) return { kind: "failed", text, stopped: true };
    return { kind: "late" };
  }

  /**
   * @param {Question} question
   * @param {{ rows: Row[], total: number }} answer
   * @returns {Change}
   */
  #arrived(question, { rows, total }) {
    const { view, left } = question;
    if (view !== this.wanted && view !== this.shown) return { kind: "late" };
    const kind = view === this.wanted ? "view" : "rows";
    if (kind === "view") {
      [this.shown, this.wanted] = [view, null];
      this.tiles.clear();
    }
    const resized = kind === "view" || total !== this.total;
    this.total = total;
    this.tiles.keep(question, rows);
    return { kind, rows, left, resized };
  }

  /**
   * Note that the result has `rows` rows, and return whether what is shown grew: all of it, in its own order.
   * @param {number} rows
   */
  grow(rows) {
    if (this.shown.sort.length || this.shown.filters.length || rows === this.total) return false;
    this.total = rows;
    return true;
  }
}

// Taking along what is seen: to the clipboard, or as a file. Python writes it; what is small comes here in pieces, what
// is large stays there, in a file that is named.
import { copyText } from "./clipboard.js";
import { counted } from "./status.js";

/** @import { Courier, Delivery } from "./courier.js" */
/** @import { Block } from "./selection.js" */
/** @import { View } from "./view.js" */

/** @typedef {"tsv" | "csv" | "parquet"} TakenForm */

export class Taking {
  /** @type {AbortController | null} of what is being written */
  #stopper = null;

  /**
   * @param {object} options
   * @param {Courier} options.courier
   * @param {() => View & { columns: number[] }} options.seen
   * @param {(text: string, isProblem: boolean) => void} options.say
   */
  constructor({ courier, seen, say }) {
    this.courier = courier;
    this.seen = seen;
    this.say = say;
  }

  /**
   * Copy a block as tab-separated text, or all that is seen.
   * @param {Block | null} block
   * @param {boolean} headers with the names of the columns
   */
  async copy(block, headers) {
    const { columns, ...view } = this.seen();
    const part = block
      ? { first: block.first, count: block.last - block.first + 1, columns: columns.slice(block.from, block.to + 1) }
      : { first: 0, count: null, columns };
    const request = (/** @type {AbortSignal} */ signal) =>
      this.courier.ask({ type: "take", form: "tsv", ...view, ...part, headers }, signal);
    /** @type {(delivery: Delivery) => Blob} */
    const blobOf = ({ bytes, answer }) => {
      if (answer.file) throw new Error(tooLarge(answer, "the clipboard"));
      return new Blob(bytes);
    };
    await this.#working("copying", async (signal) => {
      const coming = request(signal);
      await copyText(coming.then(blobOf));
      const { answer } = await coming;
      return `Copied ${counted(answer.rows, "row")}`;
    });
  }

  /**
   * Take all that is seen as a file: to the browser, or where that is too much, to the kernel's folder.
   * @param {"csv" | "parquet"} form
   */
  async save(form) {
    const part = { ...this.seen(), first: 0, count: null };
    await this.#working(`writing ${form === "csv" ? "CSV" : "Parquet"}`, async (signal) => {
      const { bytes, answer } = await this.courier.ask({ type: "take", form, ...part }, signal);
      const what = `${counted(answer.rows, "row")}, ${answer.size}`;
      if (answer.file) return `${what}, too much for the browser: it is in the kernel's folder as ${answer.file}`;
      download(new Blob(bytes), `result.${form}`);
      return `${what}, downloaded as result.${form}`;
    });
  }

  /** Stop what is being written, and return whether anything was. */
  stop() {
    this.#stopper?.abort();
    return this.#stopper !== null;
  }

  /**
   * @param {string} what
   * @param {(signal: AbortSignal) => Promise<string>} act returns what to say
   */
  async #working(what, act) {
    this.stop();
    const stopper = new AbortController();
    this.#stopper = stopper;
    this.say(`${what} … Escape stops`, false);
    let text = "";
    let isProblem = false;
    try {
      text = await act(stopper.signal);
    } catch (error) {
      text = error instanceof Error ? error.message : `${error}`;
      isProblem = !stopper.signal.aborted;
    }
    if (this.#stopper !== stopper) return; // something else is being taken by now
    this.#stopper = null;
    this.say(text, isProblem);
  }
}

/** @type {(answer: { file: string, size: string }, place: string) => string} */
const tooLarge = ({ file, size }, place) => `${size} is too much for ${place}: it is in the kernel's folder as ${file}`;

/**
 * @param {Blob} blob
 * @param {string} name
 */
function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link); // Firefox wants it in the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Single requests to Python beside the pages: each has one answer, with pieces before it where it is long.

/**
 * @typedef {object} Reply
 * @property {"piece" | "done" | "failed"} type
 * @property {string} id
 * @property {string} [text] what went wrong
 */
/** @typedef {{ bytes: BlobPart[], answer: any }} Delivery */
/**
 * @typedef {object} Waiting
 * @property {BlobPart[]} bytes
 * @property {((piece: any) => void) | undefined} onpiece
 * @property {(delivery: Delivery) => void} resolve
 * @property {(error: Error) => void} reject
 */

export class Courier {
  #asked = 0;
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();

  /**
   * @param {string} id of this grid
   * @param {(content: object) => void} send
   */
  constructor(id, send) {
    this.id = id;
    this.send = send;
  }

  get isBusy() {
    return this.#waiting.size > 0;
  }

  /** Return the id of a request to come. */
  newId() {
    this.#asked += 1;
    return `${this.id}/${this.#asked}`;
  }

  /**
   * Ask for something. Fails with what Python says, or as an AbortError.
   * @param {{ id?: string } & Record<string, unknown>} content
   * @param {AbortSignal} [signal]
   * @param {(piece: any) => void} [onpiece] takes each piece as it comes
   * @returns {Promise<Delivery>}
   */
  ask(content, signal, onpiece) {
    const id = content.id ?? this.newId();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { bytes: [], onpiece, resolve, reject });
      this.send({ ...content, id });
      signal?.addEventListener("abort", () => {
        if (this.withdraw(id)) this.send({ type: "stop", id });
      });
    });
  }

  /**
   * Forget a request, of which Python has to be told, and return whether it was waited for.
   * @param {string} id
   */
  withdraw(id) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.reject(new DOMException("stopped", "AbortError"));
    return waiting !== undefined;
  }

  /**
   * Take a message, and return whether it was an answer to a request of this grid.
   * @param {Reply} reply
   * @param {DataView<ArrayBuffer>[]} buffers
   */
  receive(reply, buffers) {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return false;
    if (reply.type === "piece") {
      waiting.bytes.push(...buffers);
      waiting.onpiece?.(reply);
      return true;
    }
    this.#waiting.delete(reply.id);
    if (reply.type === "failed") waiting.reject(new Error(reply.text));
    else waiting.resolve({ bytes: [...waiting.bytes, ...buffers], answer: reply });
    return true;
  }
}

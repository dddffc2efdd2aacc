// The viewer below the rows: one whole value, a text with its lines, JSON folded, bytes as an image or in hexadecimal.
import { make, makeButton } from "../parts.js";
import { copyText } from "./clipboard.js";
import { parseJson } from "./json.js";

/** @import { Delivery } from "./courier.js" */
/** @import { Json } from "./json.js" */

const UNFOLDED = 60; // values that are shown without a click
const AT_ONCE = 500; // values of an object or an array that are put in at once
const BLOCK = 20_000; // characters of a text that are laid out together
const DUMPED = 1_000_000; // bytes in hexadecimal

export class Viewer {
  element = make("div", "md-grid-viewer");
  #title = make("span", "md-grid-title");
  #content = make("div", "md-grid-value");
  #asked = 0;
  /** @type {Promise<Blob>} What Copy copies. */
  #whole = Promise.resolve(new Blob());
  /** @type {string | null} the address of an image */
  #address = null;

  /** @param {() => void} onclose */
  constructor(onclose) {
    const { element } = this;
    element.hidden = true;
    element.role = "dialog";
    Object.assign(this.#content, { tabIndex: 0 });
    this.#content.setAttribute("aria-label", "Value");
    const copyButton = makeButton("md-grid-button", "Copy", async () => {
      await copyText(this.#whole);
      copyButton.textContent = "Copied";
      setTimeout(() => {
        copyButton.textContent = "Copy";
      }, 1500);
    });
    const bar = make("div", "md-grid-bar");
    bar.append(this.#title, copyButton, makeButton("md-grid-button", "Close", onclose));
    element.append(bar, this.#content);
    element.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape") return;
      event.preventDefault();
      onclose();
    });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /**
   * Show a value that is to come.
   * @param {string} title
   * @param {Promise<Delivery>} coming
   * @param {() => Promise<Blob>} whole its exact text, for the clipboard
   */
  async show(title, coming, whole) {
    this.#asked += 1;
    const asked = this.#asked;
    this.element.hidden = false;
    this.element.setAttribute("aria-label", title);
    this.#title.textContent = title;
    try {
      const { bytes, answer } = await coming;
      if (asked !== this.#asked) return;
      const blob = new Blob(bytes, { type: answer.mime });
      const content = await this.#draw(blob, answer);
      if (asked !== this.#asked) return;
      const cut = answer.isWhole ? "" : "; its beginning is shown";
      this.#title.textContent = `${title} · ${answer.form === "null" ? "NULL" : `${answer.size}${cut}`}`;
      this.#content.replaceChildren(content);
      this.#content.scrollTop = 0;
      this.#whole = whole();
      this.#whole.catch(() => {}); // said when it is copied
    } catch (error) {
      if (asked === this.#asked) this.#content.textContent = error instanceof Error ? error.message : `${error}`;
    }
  }

  focus() {
    this.#content.focus({ preventScroll: true });
  }

  close() {
    this.#asked += 1;
    this.element.hidden = true;
    this.#content.replaceChildren();
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }

  /**
   * @param {Blob} blob
   * @param {{ form: string }} answer
   */
  async #draw(blob, { form }) {
    if (form === "null") return make("em", "md-grid-null", "NULL");
    if (form === "image") return this.#image(blob);
    if (form === "bytes") return drawDump(new Uint8Array(await blob.arrayBuffer()));
    const text = await blob.text();
    const tree = form === "json" || /^\s*[[{]/.test(text) ? parseJson(text) : null;
    return tree && typeof tree !== "string" ? drawJson(tree) : drawText(text);
  }

  /** @param {Blob} blob */
  #image(blob) {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(blob);
    const image = make("img", "md-grid-image");
    image.alt = `Image, ${blob.type}`;
    image.src = this.#address;
    return image;
  }
}

/** @param {string} text */
function drawText(text) {
  const whole = make("div", "md-grid-text");
  for (let at = 0; at < text.length || at === 0; ) {
    const line = text.length > at + BLOCK ? text.lastIndexOf("\n", at + BLOCK) : text.length - 1;
    const end = line >= at ? line + 1 : Math.max(text.indexOf("\n", at) + 1, 0) || text.length;
    whole.append(make("div", "md-grid-block", text.slice(at, end)));
    at = Math.max(end, at + 1);
  }
  return whole;
}

/** @param {Uint8Array} bytes */
function drawDump(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, DUMPED); at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const signs = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${digits.padEnd(47)}  ${signs}`);
  }
  if (bytes.length > DUMPED) lines.push(`… ${(bytes.length - DUMPED).toLocaleString("en-US")} bytes more`);
  return drawText(lines.join("\n"));
}

/** @param {Exclude<Json, string>} tree */
function drawJson(tree) {
  const whole = make("div", "md-grid-json");
  whole.append(drawNode("", tree, countNodes(tree, UNFOLDED + 1) <= UNFOLDED, true));
  return whole;
}

/** @type {(node: Json, most: number) => number} how many values a tree has, or more than `most` */
function countNodes(node, most) {
  if (typeof node === "string") return 1;
  let count = 1;
  for (const [, value] of node.items) {
    if (count > most) break;
    count += countNodes(value, most - count);
  }
  return count;
}

/**
 * @param {string} name
 * @param {Json} node
 * @param {boolean} unfolded all of it
 * @param {boolean} open this one
 * @returns {HTMLElement}
 */
function drawNode(name, node, unfolded, open) {
  if (typeof node === "string") {
    const line = make("div", "md-grid-leaf");
    line.append(make("span", "md-grid-key", name), make("span", node.startsWith('"') ? "md-grid-string" : "", node));
    return line;
  }
  const size = node.items.length;
  const details = make("details", "md-grid-fold");
  const summary = make("summary");
  const what = node.open === "{" ? `{ ${size} }` : `[ ${size} ]`;
  summary.append(make("span", "md-grid-key", name), make("span", "md-grid-size", what));
  details.append(summary);
  let shown = 0;
  const more = () => {
    const items = node.items.slice(shown, shown + AT_ONCE);
    shown += items.length;
    details.append(...items.map(([key, value]) => drawNode(key, value, unfolded, unfolded)));
    if (shown >= size) return;
    const rest = makeButton("md-grid-button", `${(size - shown).toLocaleString("en-US")} more`, () => {
      rest.remove();
      more();
    });
    details.append(rest);
  };
  details.ontoggle = () => {
    if (details.open && !shown) more();
  };
  if (open) {
    details.open = true;
    more();
  }
  return details;
}

// Find: a field below the rows; Enter leads to the next place where the text stands, with Shift to the one before.
import { make, makeButton } from "../parts.js";

/** @typedef {{ row: number | null, position: number, wrapped: boolean }} FoundPlace */

export class Finding {
  element = make("div", "md-grid-find");
  #input = make("input", "md-grid-search");
  #said = make("span", "md-grid-said");
  #asked = 0;
  /** @type {AbortController | null} */
  #stopper = null;

  /**
   * @param {object} options
   * @param {(text: string, back: boolean, signal: AbortSignal) => Promise<FoundPlace>} options.find
   * @param {(place: { row: number, position: number }) => void} options.onfound
   * @param {() => void} options.onchange another text is looked for, or none
   * @param {() => void} options.onclose
   */
  constructor({ find, onfound, onchange, onclose }) {
    this.find = find;
    this.onfound = onfound;
    this.onchange = onchange;
    const { element } = this;
    element.hidden = true;
    element.role = "search";
    this.#said.role = "status";
    Object.assign(this.#input, { type: "text", placeholder: "find", spellcheck: false, autocomplete: "off" });
    this.#input.setAttribute("aria-label", "Find in the rows");
    this.#input.oninput = () => {
      this.#said.textContent = "";
      onchange();
    };
    element.append(
      this.#input,
      makeButton("md-grid-button", "Previous", () => this.go(true)),
      makeButton("md-grid-button", "Next", () => this.go(false)),
      this.#said,
      makeButton("md-grid-button", "Close", onclose),
    );
    element.addEventListener("keydown", (event) => {
      event.stopPropagation();
      const isEnter = event.key === "Enter" && event.target === this.#input;
      if (event.key !== "Escape" && event.key !== "F3" && !isEnter) return;
      event.preventDefault();
      if (event.key === "Escape") onclose();
      else this.go(event.shiftKey);
    });
  }

  /** What is looked for, in small letters; empty where nothing is. */
  get text() {
    return this.element.hidden ? "" : this.#input.value.toLowerCase();
  }

  open() {
    this.element.hidden = false;
    this.#input.focus();
    this.#input.select();
    this.onchange();
  }

  close() {
    this.#stopper?.abort();
    this.element.hidden = true;
    this.onchange();
  }

  /** @param {boolean} back */
  async go(back) {
    if (!this.text) return;
    this.#stopper?.abort();
    this.#stopper = new AbortController();
    this.#asked += 1;
    const asked = this.#asked;
    this.#said.textContent = "searching …";
    let said = "";
    try {
      const { row, position, wrapped } = await this.find(this.#input.value, back, this.#stopper.signal);
      if (asked !== this.#asked) return;
      if (row === null) said = "not found";
      else {
        said = `row ${(row + 1).toLocaleString("en-US")}${wrapped ? `, from the ${back ? "end" : "beginning"}` : ""}`;
        this.onfound({ row, position });
      }
    } catch (error) {
      said = error instanceof Error ? error.message : `${error}`;
    }
    if (asked === this.#asked) this.#said.textContent = said;
  }
}

// The grid: a result to scroll, sort, filter, select and take along. The trait `view` says what the result is; the rows
// come as answers to custom messages. The files in grid/ hold what it knows, most of them without a page; here they meet
// the screen.
import { makeRow } from "./grid/cells.js";
import { makeChooser } from "./grid/chooser.js";
import { columnItems } from "./grid/column_menu.js";
import { Columns } from "./grid/columns.js";
import { Courier } from "./grid/courier.js";
import { Finding } from "./grid/finding.js";
import { leaveFor, makeFrame } from "./grid/frame.js";
import { Headers } from "./grid/headers.js";
import { Histograms } from "./grid/histograms.js";
import { commandsOf, step } from "./grid/keys.js";
import { measuresIn } from "./grid/measure.js";
import { Pages } from "./grid/pages.js";
import { selectByPointer } from "./grid/pointing.js";
import { openMenu, openPopup } from "./grid/popup.js";
import { heightFor, Scrolling } from "./grid/scrolling.js";
import { Selection } from "./grid/selection.js";
import { statusText } from "./grid/status.js";
import { Taking } from "./grid/taking.js";
import { Viewer } from "./grid/viewer.js";
import { make, makeButton } from "./parts.js";

/** @import { ColumnFacts } from "./grid/columns.js" */
/** @import { Reply } from "./grid/courier.js" */
/** @import { Cell } from "./grid/keys.js" */
/** @import { Answer, Change, State } from "./grid/pages.js" */
/** @import { Model } from "./parts.js" */

/** @typedef {State & { columns: ColumnFacts[], rows: number }} GridView */

let grids = 0;

/** @type {(text: string) => number} px until the fonts can be measured, which needs a page */
const reckoned = (text) => text.length * 8;

class Grid {
  #id = `md-grid-${++grids}-${Math.random().toString(36).slice(2)}`; // other tabs count as well
  #scrolling = new Scrolling();
  #selection = new Selection();
  #frame = 0;
  #isMeasured = false;
  #tall = 0; // px that the rows need
  #width = 0; // px that were measured last; 0 while nothing is shown
  /** @type {number[]} The columns that Python knows to be shown. */
  #told = [];

  /**
   * @param {Model<GridView>} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    const { columns, rows } = model.get("view");
    this.model = model;
    this.columns = new Columns(columns, { cell: reckoned, name: reckoned, kind: reckoned });
    const send = (/** @type {object} */ content) => model.send(content);
    this.pages = new Pages({
      id: this.#id,
      columns: columns.length,
      total: rows,
      send: (content) => {
        const stops = this.histograms.giveUp(); // the kernel is free for the page then
        send(stops === null ? content : { ...content, stops });
      },
      now: () => performance.now(),
    });
    this.courier = new Courier(this.#id, send);
    this.histograms = new Histograms(this.courier, (column, bars) => this.headers.showBars(column, bars));
    this.headers = new Headers(
      this.columns,
      {
        onview: (view) => {
          if (!this.pages.want(view)) return;
          this.parts.problem.textContent = "";
          this.#later();
        },
        onplace: () => this.#placed(),
        onfit: (column) => this.#fit(column),
        onmenu: (column, at) => this.#openMenu(column, at),
        onleave: (column) => this.#enter(column),
        bars: (column) => this.histograms.of(column),
      },
      this.#id,
    );
    this.parts = makeFrame(el, this.#id);
    this.parts.body.before(this.headers.element);
    this.taking = new Taking({
      courier: this.courier,
      seen: () => ({ ...this.pages.shown, columns: this.columns.order }),
      say: (text, isProblem) => this.#tell(text, isProblem),
    });
    this.viewer = new Viewer(() => {
      this.viewer.close();
      this.parts.scroll.focus({ preventScroll: true });
    });
    this.finding = new Finding({
      find: (text, back, signal) => this.#find(text, back, signal),
      onfound: ({ row, position }) => {
        this.#selection.pick([row, position], false);
        this.#reveal([row, position]);
      },
      onchange: () => this.#later(),
      onclose: () => {
        this.finding.close();
        this.parts.scroll.focus({ preventScroll: true });
      },
    });
    this.parts.foot.before(this.viewer.element, this.finding.element);
    this.#addTools();
  }

  #addTools() {
    const { tools } = this.parts;
    const chosen = makeButton("md-grid-button", "Columns", () => {
      const panel = makeChooser(this.columns, () => this.#placed());
      openPopup(this.parts.root, panel, chosen.getBoundingClientRect(), () => chosen.focus());
      panel.querySelector("input")?.focus();
    });
    chosen.setAttribute("aria-haspopup", "dialog");
    const tool = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ act) => {
      const button = makeButton("md-grid-button", text, () => {
        if (this.model.get("view").complete) act();
        else this.#tell("The rows are still coming.", true);
      });
      button.title = title;
      return button;
    };
    const all = "all rows that are seen, sorted and filtered, with the columns that are shown";
    tools.append(
      chosen,
      tool("Find", "Find a text in all rows that are seen (Ctrl-F)", () => this.finding.open()),
      tool("Copy", `Copy ${all}, with their names, as tab-separated text`, () => this.taking.copy(null, true)),
      tool("CSV", `Save ${all} as CSV`, () => this.taking.save("csv")),
      tool("Parquet", `Save ${all} as Parquet`, () => this.taking.save("parquet")),
    );
  }

  /** Begin to listen and to draw. Returns a function that ends both. */
  start() {
    const { root, scroll, pane, body } = this.parts;
    const answered = (/** @type {Answer | Reply} */ answer, /** @type {DataView<ArrayBuffer>[]} */ buffers) => {
      if (!this.courier.receive(/** @type {Reply} */ (answer), buffers ?? [])) {
        this.#answered(/** @type {Answer} */ (answer));
      }
    };
    const changed = () => this.#changed();
    scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroll.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
    root.addEventListener("keydown", (event) => this.#pressed(event));
    const isRow = (/** @type {Event} */ event) =>
      event.target === scroll || body.contains(/** @type {Node} */ (event.target));
    scroll.addEventListener("click", (event) => {
      const isDouble = event.detail === 2; // both come to the element that has the pointer
      if (isRow(event) && (isDouble || this.viewer.isOpen)) this.#view();
    });
    selectByPointer({
      scroll,
      pane,
      body,
      columns: this.columns,
      scrolling: this.#scrolling,
      selection: this.#selection,
      reveal: (cell) => this.#reveal(cell),
      draw: () => this.#later(),
    });
    this.model.on("msg:custom", answered);
    this.model.on("change:view", changed);
    const resized = new ResizeObserver(() => this.#measure());
    resized.observe(scroll);
    const clock = setInterval(() => {
      this.pages.repeat();
      this.#say();
    }, 500);
    this.#tellColumns();
    this.#measure();
    return () => {
      clearInterval(clock);
      cancelAnimationFrame(this.#frame);
      resized.disconnect();
      this.model.off("msg:custom", answered);
      this.model.off("change:view", changed);
    };
  }

  // ---- where things stand ----

  #measure() {
    const { scroll, canvas, pane } = this.parts;
    this.#width = scroll.clientWidth;
    if (!this.#isMeasured && scroll.clientWidth > 0) {
      this.#isMeasured = true;
      this.columns.measureWith(measuresIn(this.parts.body));
    }
    this.columns.place(this.pages.total, scroll.clientWidth);
    canvas.style.width = `${this.columns.width}px`;
    const tall = heightFor(this.model.get("view").rows);
    if (tall !== this.#tall) {
      this.#tall = tall;
      scroll.style.height = `${tall + scroll.offsetHeight - scroll.clientHeight}px`;
    }
    this.#scrolling.total = this.pages.total;
    this.#scrolling.height = scroll.clientHeight;
    canvas.style.height = `${this.#scrolling.canvasHeight}px`;
    pane.style.width = `${scroll.clientWidth}px`;
    pane.style.height = `${scroll.clientHeight}px`;
    scroll.setAttribute("aria-rowcount", `${this.pages.total + 1}`);
    scroll.setAttribute("aria-colcount", `${this.columns.count}`);
    this.#move(this.#scrolling.top);
  }

  /** Columns were moved, hidden, or have other widths. */
  #placed() {
    this.#tellColumns();
    this.#measure();
  }

  /** Tell Python which columns are shown, because the grid's value gives what is seen. */
  #tellColumns() {
    const columns = [...this.columns.order];
    if (`${columns}` === `${this.#told}`) return;
    const { active } = this.#selection;
    if (active) this.#selection.moveTo(columns.indexOf(this.#told[active[1]]));
    this.#told = columns;
    this.model.send({ type: "seen", columns });
  }

  /** @param {number} column */
  #fit(column) {
    this.columns.fitTo(column, this.pages.tiles.values(column));
    this.#placed();
  }

  get #farthest() {
    return this.parts.scroll.scrollHeight - this.parts.scroll.clientHeight;
  }

  /** @param {number} row */
  #move(row) {
    const { scroll } = this.parts;
    const settled = this.#scrolling.moveTo(row, this.#farthest);
    if (Math.abs(scroll.scrollTop - settled) > 0.5) scroll.scrollTop = settled;
    this.#later();
  }

  #scrolled() {
    this.#scrolling.follow(this.parts.scroll.scrollTop, this.#farthest);
    this.#later();
  }

  /** @param {WheelEvent} event */
  #wheeled(event) {
    const row = this.#scrolling.wheel(event);
    if (row === null) return;
    event.preventDefault();
    this.#move(row);
  }

  /** What is in sight, in rows and positions. */
  get #sight() {
    const { scrollLeft, clientWidth } = this.parts.scroll;
    return { ...this.#scrolling.rows, ...this.columns.inSight(scrollLeft, clientWidth) };
  }

  // ---- drawing ----

  /** Draw with the next frame, once. */
  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** Draw at once what is new, so that the next frame shows it. */
  #now() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#draw();
  }

  #draw() {
    const { body, scroll } = this.parts;
    if (scroll.clientWidth === 0) {
      if (this.#width > 0) this.#later(); // hidden for a moment, as while the theme changes: no observer tells of it
      return;
    }
    const sight = this.#sight;
    const state = this.model.get("view");
    this.pages.ask(this.columns.runs(sight), state); // first, because the answer takes longer than the drawing
    const x = scroll.scrollLeft;
    const { active, block } = this.#selection;
    const activeId = `${this.#id}-active`;
    const drawing = {
      columns: this.columns,
      from: sight.from,
      to: sight.to,
      x,
      top: this.#scrolling.top,
      active,
      block,
      activeId,
      found: this.finding.text,
      value: (/** @type {number} */ row, /** @type {number} */ column) => this.pages.tiles.value(row, column),
    };
    const rows = [];
    for (let row = sight.first; row < sight.end; row += 1) rows.push(makeRow(row, drawing));
    body.replaceChildren(...rows);
    if (this.pages.total === 0) body.append(make("div", "md-grid-empty", this.pages.wanted ? "" : "No rows"));
    this.headers.draw(sight, x, active ? active[1] : sight.from);
    if (active && document.getElementById(activeId)) scroll.setAttribute("aria-activedescendant", activeId);
    else scroll.removeAttribute("aria-activedescendant");
    this.#say();
    if (this.pages.pending || !state.complete || state.closed) this.histograms.stop();
    else this.histograms.want(this.columns.order.slice(sight.from, sight.to), this.pages.shown);
  }

  #say() {
    const text = statusText(this.pages, this.model.get("view"), this.#selection.block);
    if (this.parts.status.textContent !== text) this.parts.status.textContent = text;
  }

  /**
   * Say what became of something, or what went wrong.
   * @param {string} text
   * @param {boolean} isProblem
   */
  #tell(text, isProblem) {
    this.parts.problem.textContent = isProblem ? text : "";
    this.parts.note.textContent = isProblem ? "" : text;
  }

  // ---- what comes from Python ----

  /** @param {Answer} answer */
  #answered(answer) {
    const change = this.pages.receive(answer);
    switch (change.kind) {
      case "nothing":
        return;
      case "working":
        this.#say();
        return;
      case "failed":
        this.parts.problem.textContent = change.text;
        if (change.stopped) this.#say();
        else this.#later();
        return;
      case "late":
        this.#later();
        return;
      default:
        this.#arrived(change);
    }
  }

  /** @param {Extract<Change, { kind: "view" | "rows" }>} change */
  #arrived({ kind, rows, left, resized }) {
    this.parts.root.classList.add("md-grid-live");
    if (kind === "view") {
      this.#selection.clear();
      this.#scrolling.top = 0;
    }
    const grown = this.columns.fit(rows, left);
    if (grown || resized) this.#measure();
    this.#now();
  }

  #changed() {
    if (this.pages.grow(this.model.get("view").rows)) this.#measure();
    this.#later();
  }

  // ---- looking for and into values ----

  /** Show the whole value of the cell that the keyboard moves. */
  async #view() {
    const { active } = this.#selection;
    if (!active) return;
    const [row, position] = active;
    const column = this.columns.order[position];
    const part = { ...this.pages.shown, columns: [column], first: row, count: 1 };
    const title = `${this.columns.list[column].name}, row ${(row + 1).toLocaleString("en-US")}`;
    const shown = this.viewer.show(title, this.courier.ask({ type: "value", ...part }), async () => {
      const { bytes } = await this.courier.ask({ type: "take", form: "tsv", ...part, headers: false });
      return new Blob(bytes);
    });
    this.#later();
    await shown;
  }

  /**
   * @param {string} text
   * @param {boolean} back
   * @param {AbortSignal} signal
   */
  async #find(text, back, signal) {
    const [row, position] = this.#selection.active ?? [Math.floor(this.#scrolling.top), back ? 0 : -1];
    const place = { text, back, row, position, columns: this.columns.order };
    const { answer } = await this.courier.ask({ type: "find", ...this.pages.shown, ...place }, signal);
    return answer;
  }

  // ---- menus ----

  /**
   * @param {number} column
   * @param {DOMRect} at
   */
  #openMenu(column, at) {
    const items = columnItems({
      column,
      columns: this.columns,
      headers: this.headers,
      hasValue: this.#selection.active !== null,
      onvalue: () => this.#openViewer(),
      onfit: () => this.#fit(column),
      onplace: () => this.#placed(),
    });
    const focused = document.activeElement;
    openMenu(this.parts.root, this.columns.list[column].name, items, at, () => {
      if (focused instanceof HTMLElement && focused.isConnected) focused.focus();
      else this.parts.scroll.focus();
    });
  }

  /**
   * Go from a header down to the rows.
   * @param {number} column
   */
  #enter(column) {
    const position = this.columns.order.indexOf(column);
    const row = this.#selection.active?.[0] ?? Math.floor(this.#scrolling.top);
    if (this.pages.total > 0) this.#selection.pick([row, position], false);
    this.parts.scroll.focus();
    this.#later();
  }

  // ---- keys ----

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    event.stopPropagation();
    if (event.target !== this.parts.scroll) {
      if (event.key === "Escape") leaveFor(this.parts.root); // from a header or a button
      return;
    }
    const isHandled = this.#commands(event) || this.#stepped(event);
    if (isHandled) event.preventDefault();
  }

  /** What keys other than movements do. */
  get #commands() {
    return commandsOf({
      copy: (headers) => this.#copy(headers),
      select: (what) => this.#select(what),
      menu: () => this.#openActiveMenu(),
      find: () => this.finding.open(),
      findNext: (back) => this.finding.go(back),
      view: () => this.#openViewer(),
      leave: () => this.#leave(),
    });
  }

  /** @param {KeyboardEvent} event */
  #stepped({ key, shiftKey, altKey, ctrlKey, metaKey }) {
    if (altKey) return false;
    const { active } = this.#selection;
    if (key === "ArrowUp" && active?.[0] === 0 && !shiftKey) {
      this.headers.focus(this.columns.order[active[1]], "name");
      return true;
    }
    const from = {
      active,
      first: /** @type {Cell} */ ([Math.floor(this.#scrolling.top), this.#sight.from]),
      page: Math.max(1, Math.floor(this.#scrolling.capacity) - 1),
      rows: this.pages.total,
      columns: this.columns.count,
    };
    const cell = step(key, from, ctrlKey || metaKey);
    if (!cell) return false;
    this.#selection.pick(cell, shiftKey);
    this.#reveal(cell);
    if (this.viewer.isOpen) this.#view();
    return true;
  }

  /** @param {"all" | "rows" | "columns"} what */
  #select(what) {
    const block = this.#selection.block ?? { first: 0, last: 0, from: 0, to: 0 };
    const [bottom, right] = [this.pages.total - 1, this.columns.count - 1];
    if (bottom < 0) return;
    if (what === "all") this.#selection.span([bottom, right], [0, 0]);
    if (what === "rows") this.#selection.span([block.last, right], [block.first, 0]);
    if (what === "columns") this.#selection.span([bottom, block.to], [0, block.from]);
    this.#later();
  }

  #openActiveMenu() {
    const position = this.#selection.active?.[1] ?? this.#sight.from;
    const column = this.columns.order[position];
    this.#openMenu(column, this.headers.boxOf(column));
  }

  async #openViewer() {
    if (!this.#selection.active) return;
    await this.#view();
    if (this.viewer.isOpen) this.viewer.focus();
  }

  /** Give up a block, or else the focus, to the notebook. */
  #leave() {
    if (this.taking.stop()) return;
    if (this.viewer.isOpen) {
      this.viewer.close();
      return;
    }
    if (this.#selection.collapse()) this.#later();
    else leaveFor(this.parts.root);
  }

  /** @param {boolean} headers */
  #copy(headers) {
    const { block } = this.#selection;
    if (!block || (String(getSelection()) && !this.parts.root.contains(getSelection()?.anchorNode ?? null)))
      return false;
    this.taking.copy(block, headers);
    return true;
  }

  /** @param {Cell} cell */
  #reveal([row, position]) {
    const { scroll } = this.parts;
    const left = this.columns.leftFor(position, scroll.scrollLeft, scroll.clientWidth);
    if (left !== scroll.scrollLeft) scroll.scrollLeft = left;
    const top = this.#scrolling.topFor(row);
    if (top === this.#scrolling.top) this.#later();
    else this.#move(top);
  }
}

/** @param {{ model: Model<GridView>, el: HTMLElement }} context */
function render({ model, el }) {
  return new Grid(model, el).start();
}

export default { render };

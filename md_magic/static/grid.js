// The grid. The trait `view` holds what the result is; rows come as answers to custom messages, one question at a time,
// so that a quick scroll asks for where it ends and not for what it passes. Text only ever becomes textContent.
const ROW = 24; // px
const HEAD = 66; // px: name, type, filter
const TALLEST = 8_000_000; // px: browsers cap an element's height, at 17 million and more
const ROWS = 64; // rows and columns of a tile: what is asked for and kept at once
const COLUMNS = 16;
const TILES = 240;
const LONG = 300; // characters of a value that a cell holds; the rest is in its title

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const counted = (number, word) => `${number.toLocaleString("en-US")} ${word}${number === 1 ? "" : "s"}`;
let grids = 0;

function render({ model, el }) {
  const columns = model.get("view").columns.map(([name, kind, number]) => ({ name, kind, number }));
  const id = `md-grid-${++grids}`;
  const root = make("section", "md-grid");
  root.setAttribute("aria-label", "Result");
  root.dataset.lmSuppressShortcuts = "true"; // or a letter typed here would run a notebook command
  const scroll = make("div", "md-grid-scroll");
  Object.assign(scroll, { tabIndex: 0, role: "grid" });
  scroll.setAttribute("aria-colcount", columns.length);
  const canvas = make("div", "md-grid-canvas");
  const pane = make("div", "md-grid-pane");
  const body = make("div", "md-grid-body");
  const head = make("div", "md-grid-head");
  for (const element of [canvas, pane]) element.role = "presentation";
  body.role = "rowgroup";
  head.role = "row";
  head.setAttribute("aria-rowindex", "1");
  const foot = make("div", "md-grid-foot");
  const status = make("span", "md-grid-status");
  status.role = "status";
  const problem = make("span", "md-grid-problem");
  problem.role = "alert";
  foot.append(status, problem);
  pane.append(body, head);
  canvas.append(pane);
  scroll.append(canvas);
  root.append(scroll, foot);
  el.append(root);

  let total = model.get("view").rows; // rows of the view that is shown
  let shown = { sort: [], filters: [] };
  let wanted = null; // a view that was asked for and is not here yet
  let tiles = new Map();
  let asked = null; // the question that waits for its answer
  let number = 0;
  let top = 0; // first row in sight; its fraction is how much of it is hidden
  let settled = 0; // the scrollTop that belongs to `top`
  let active = null; // row and column of the cell that the keyboard moves
  let widths = columns.map(({ name, kind }) => wide(Math.max(name.length + 3, Math.min(kind.length, 24))));
  let offsets = [];
  const sorted = []; // columns and whether they go down, as clicked
  const inputs = new Map();
  const heads = new Map();

  function wide(characters) { return Math.round(clamp(characters * 7.4 + 22, 72, 340)); }
  const gutter = () => Math.max(40, String(total).length * 8 + 20);
  const room = () => Math.max(ROW, scroll.clientHeight - HEAD);
  const last = () => Math.max(0, total - room() / ROW);

  function measure() {
    offsets = [gutter()];
    for (const width of widths) offsets.push(offsets.at(-1) + width);
    canvas.style.width = `${offsets.at(-1)}px`;
    canvas.style.height = `${HEAD + Math.min(total * ROW, TALLEST)}px`;
    pane.style.width = `${scroll.clientWidth}px`;
    pane.style.height = `${scroll.clientHeight}px`;
    scroll.setAttribute("aria-rowcount", total + 1);
    move(top);
  }

  function move(row) {
    top = clamp(row, 0, last());
    const farthest = scroll.scrollHeight - scroll.clientHeight;
    settled = last() > 0 ? Math.round((top / last()) * farthest) : 0;
    if (Math.abs(scroll.scrollTop - settled) > 0.5) scroll.scrollTop = settled;
    later();
  }

  let frame = 0;
  function later() { frame ||= requestAnimationFrame(() => { frame = 0; draw(); }); }

  function scrolled() {
    if (Math.abs(scroll.scrollTop - settled) > 1) {
      const farthest = scroll.scrollHeight - scroll.clientHeight;
      settled = scroll.scrollTop;
      top = farthest > 0 ? (settled / farthest) * last() : 0;
    }
    later();
  }

  // With more rows than pixels one pixel of the bar is many rows: the wheel moves by rows nevertheless.
  function wheeled(event) {
    if (total * ROW <= TALLEST || event.ctrlKey || !event.deltaY || event.shiftKey) return;
    const step = event.deltaMode === 1 ? event.deltaY : event.deltaMode === 2 ? event.deltaY * (room() / ROW) : event.deltaY / ROW;
    event.preventDefault();
    move(top + step);
  }

  // ---- what is in sight ----

  function sight() {
    const x = scroll.scrollLeft;
    const right = x + scroll.clientWidth;
    let from = 0;
    while (from < columns.length - 1 && offsets[from + 1] <= x + offsets[0]) from += 1;
    let to = from;
    while (to < columns.length && offsets[to] < right) to += 1;
    const first = Math.floor(top);
    return { first, end: Math.min(total, first + Math.ceil(room() / ROW) + 1), from, to, x };
  }

  function value(row, column) {
    const tile = tiles.get(`${Math.floor(row / ROWS)}:${Math.floor(column / COLUMNS)}`);
    return tile?.[row % ROWS]?.[column % COLUMNS];
  }

  function draw() {
    const at = sight();
    const rows = [];
    for (let row = at.first; row < at.end; row += 1) {
      const line = make("div", "md-grid-row");
      line.role = "row";
      line.setAttribute("aria-rowindex", row + 2);
      line.style.transform = `translateY(${HEAD + (row - top) * ROW}px)`;
      if (row % 2) line.classList.add("md-grid-odd");
      for (let column = at.from; column < at.to; column += 1) line.append(cell(row, column, at.x));
      const index = make("div", "md-grid-index", (row + 1).toLocaleString("en-US"));
      index.role = "rowheader";
      index.style.width = `${offsets[0]}px`;
      line.append(index);
      rows.push(line);
    }
    body.replaceChildren(...rows);
    if (total === 0) body.append(make("div", "md-grid-empty", wanted ? "" : "No rows"));
    drawHead(at);
    scroll.toggleAttribute("aria-activedescendant", false);
    if (active && document.getElementById(`${id}-active`)) scroll.setAttribute("aria-activedescendant", `${id}-active`);
    say();
    ask(at);
  }

  function cell(row, column, x) {
    const made = make("div", "md-grid-cell");
    made.role = "gridcell";
    made.setAttribute("aria-colindex", column + 1);
    made.style.left = `${offsets[column] - x}px`;
    made.style.width = `${widths[column]}px`;
    if (columns[column].number) made.classList.add("md-grid-number");
    if (active && active[0] === row && active[1] === column) {
      made.id = `${id}-active`;
      made.setAttribute("aria-selected", "true");
    }
    const text = value(row, column);
    if (text === undefined) made.classList.add("md-grid-wait");
    else if (text === null) {
      made.classList.add("md-grid-null");
      made.textContent = "NULL";
    } else {
      const short = text.length > LONG ? `${text.slice(0, LONG)}…` : text;
      made.textContent = short.replace(/\r?\n/g, "↵ ");
      if (text.length * 7.4 > widths[column] - 16 || text.includes("\n")) made.title = text;
    }
    made.onmousedown = () => { active = [row, column]; later(); };
    return made;
  }

  function drawHead(at) {
    for (const [column, made] of heads) {
      if ((column < at.from || column >= at.to) && !made.contains(document.activeElement)) {
        made.remove();
        heads.delete(column);
      }
    }
    for (let column = at.from; column < at.to; column += 1) {
      if (!heads.has(column)) {
        heads.set(column, header(column));
        head.append(heads.get(column));
      }
    }
    for (const [column, made] of heads) {
      made.style.left = `${offsets[column] - at.x}px`;
      made.style.width = `${widths[column]}px`;
      const place = sorted.findIndex(([one]) => one === column);
      made.setAttribute("aria-sort", place < 0 ? "none" : sorted[place][1] ? "descending" : "ascending");
      made.querySelector(".md-grid-arrow").textContent =
        place < 0 ? "" : `${sorted[place][1] ? "▼" : "▲"}${sorted.length > 1 ? place + 1 : ""}`;
    }
    if (!head.querySelector(".md-grid-corner")) head.append(make("div", "md-grid-corner"));
    head.querySelector(".md-grid-corner").style.width = `${offsets[0]}px`;
  }

  function header(column) {
    const { name, kind, number: numeric } = columns[column];
    const made = make("div", "md-grid-column");
    made.role = "columnheader";
    made.setAttribute("aria-colindex", column + 1);
    if (numeric) made.classList.add("md-grid-number");
    const button = make("button", "md-grid-name");
    Object.assign(button, { type: "button", title: `${name}\n${kind}\nClick sorts; with Shift, by several columns` });
    button.append(make("span", "md-grid-label", name), make("span", "md-grid-arrow"));
    button.onclick = (event) => sort(column, event.shiftKey);
    const type = make("div", "md-grid-kind", kind.toLowerCase().slice(0, 80));
    type.title = kind;
    const input = make("input", "md-grid-filter");
    Object.assign(input, { type: "text", spellcheck: false, autocomplete: "off", placeholder: "filter" });
    input.value = inputs.get(column) ?? "";
    input.title = 'Text that a value contains, or > 5, <= 5, = x, != x, null, not null; "> 5" in quotes is text';
    input.setAttribute("aria-label", `Filter of ${name}`);
    let timer = 0;
    input.oninput = () => {
      inputs.set(column, input.value);
      clearTimeout(timer);
      timer = setTimeout(change, 350);
    };
    input.onkeydown = (event) => {
      if (event.key === "Escape" && input.value) { input.value = ""; input.oninput(); }
      if (event.key === "Enter") { clearTimeout(timer); change(); }
      event.stopPropagation();
    };
    made.append(button, type, input);
    return made;
  }

  // ---- another order, another choice of rows ----

  function sort(column, several) {
    const place = sorted.findIndex(([one]) => one === column);
    const next = place < 0 ? [column, false] : sorted[place][1] ? null : [column, true];
    if (!several) sorted.length = 0;
    else if (place >= 0) sorted.splice(place, 1, ...(next ? [next] : []));
    if (next && (!several || place < 0)) sorted.push(next);
    change();
  }

  function change() {
    const filters = [...inputs].filter(([, text]) => text.trim()).sort(([a], [b]) => a - b);
    const next = { sort: sorted.map((one) => [...one]), filters };
    if (JSON.stringify(next) === JSON.stringify(wanted ?? shown)) return;
    problem.textContent = "";
    wanted = JSON.stringify(next) === JSON.stringify(shown) ? null : next;
    if (asked) model.send({ type: "stop" }); // a sort that nobody waits for any more
    later();
  }

  // ---- asking ----

  function ask(at = sight()) {
    if (asked || model.get("view").closed) return;
    if (wanted && model.get("view").complete) {
      send({ ...wanted, view: wanted, first: 0, count: ROWS, ...across(at) });
      return;
    }
    const missing = [];
    for (let row = Math.floor(at.first / ROWS); row * ROWS < at.end; row += 1) {
      for (let column = Math.floor(at.from / COLUMNS); column * COLUMNS < at.to; column += 1) {
        if (!whole(row, column)) missing.push([row, column]);
      }
    }
    if (!missing.length) return;
    const rows = missing.map(([row]) => row);
    const first = Math.min(...rows) * ROWS;
    const count = (Math.min(Math.max(...rows), Math.min(...rows) + 2) + 1) * ROWS - first;
    send({ ...shown, view: shown, first, count, ...across(at) });
  }

  function whole(row, column) {
    const tile = tiles.get(`${row}:${column}`);
    return tile && tile.length >= Math.min(ROWS, total - row * ROWS);
  }

  function across(at) {
    const left = Math.floor(at.from / COLUMNS) * COLUMNS;
    return { left, right: Math.min(columns.length, Math.ceil(Math.max(at.to, 1) / COLUMNS) * COLUMNS, left + 4 * COLUMNS) };
  }

  function send(question) {
    const { view: _view, ...content } = { ...question, type: "page", id: `${id}:${++number}` };
    asked = { ...question, id: content.id, content, at: performance.now(), again: 1, heard: false };
    model.send(content);
  }

  // What is sent before the front end has its subshell waits in the kernel's main queue, behind the running cell.
  function repeat() {
    if (asked && !asked.heard && performance.now() - asked.at > 1000 * asked.again) {
      asked.again *= 3;
      model.send(asked.content);
    }
    say();
  }

  function answered(message) {
    if (!asked || message.id !== asked.id) return;
    if (message.type === "working") { asked.heard = true; say(); return; }
    const question = asked;
    asked = null;
    if (message.type === "error") {
      if (question.view === wanted) { // the rows of the view before stay
        problem.textContent = message.text;
        wanted = null;
      } else if (question.view === shown && !wanted) {
        problem.textContent = message.text;
        say();
        return; // asking again would be answered the same
      }
      later();
      return;
    }
    root.classList.add("md-grid-live");
    if (question.view === wanted) {
      [shown, wanted] = [wanted, null];
      tiles = new Map();
      total = message.total;
      active = null;
      keep(question, message.rows);
      top = 0;
      fit(message.rows, question.left);
      measure();
      return;
    }
    if (question.view !== shown) { later(); return; }
    keep(question, message.rows);
    fit(message.rows, question.left);
    if (message.total !== total) { total = message.total; measure(); }
    later();
  }

  function keep({ first, left, right }, rows) {
    for (let row = 0; row < rows.length; row += ROWS) {
      for (let column = left; column < right; column += COLUMNS) {
        const key = `${(first + row) / ROWS}:${column / COLUMNS}`;
        tiles.delete(key);
        tiles.set(key, rows.slice(row, row + ROWS).map((one) => one.slice(column - left, column - left + COLUMNS)));
      }
    }
    for (const key of tiles.keys()) {
      if (tiles.size <= TILES) break;
      tiles.delete(key);
    }
  }

  function fit(rows, left) {
    let grown = false;
    for (const row of rows) {
      row.forEach((text, at) => {
        const width = wide(text?.length ?? 4);
        if (width <= widths[left + at]) return;
        widths[left + at] = width;
        grown = true;
      });
    }
    if (grown) measure();
  }

  // ---- words ----

  function say() {
    const view = model.get("view");
    const size = `${counted(view.rows, "row")}, ${counted(columns.length, "column")}`;
    const parts = [shown.filters.length ? `${total.toLocaleString("en-US")} of ${size}` : size];
    const slow = asked && performance.now() - asked.at > 1500;
    if (view.closed) parts.push("This grid is closed: run its cell again.");
    else if (!view.complete) parts.push(wanted ? "still coming; sorted and filtered when all are here" : "still coming …");
    else if (asked && asked.view === wanted && (asked.heard || !slow)) parts.push("sorting and filtering …");
    if (!view.closed && slow && !asked.heard) parts.push("waiting for the kernel; if it was restarted, run the cell again");
    const text = parts.join(" · ");
    if (status.textContent !== text) status.textContent = text;
  }

  function changed() {
    const view = model.get("view");
    if (!shown.sort.length && !shown.filters.length && view.rows !== total) { total = view.rows; measure(); }
    later();
  }

  // ---- keys ----

  function pressed(event) {
    event.stopPropagation();
    if (event.target !== scroll || event.altKey) return;
    const page = Math.max(1, Math.floor(room() / ROW) - 1);
    const [row, column] = active ?? [Math.floor(top), Math.max(0, sight().from)];
    if ((event.ctrlKey || event.metaKey) && event.key === "c") {
      if (active && !String(getSelection())) copy(value(row, column) ?? "");
      return;
    }
    const steps = {
      ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1],
      PageDown: [row + page, column], PageUp: [row - page, column], Home: [0, column], End: [total - 1, column],
    };
    if (!(event.key in steps) || total === 0) return;
    event.preventDefault();
    const next = active || event.key.length > 7 || !event.key.startsWith("Arrow") ? steps[event.key] : [row, column];
    active = [clamp(next[0], 0, total - 1), clamp(next[1], 0, columns.length - 1)];
    reveal();
  }

  function reveal() {
    const [row, column] = active;
    const left = offsets[column] - offsets[0];
    const right = offsets[column + 1] - scroll.clientWidth;
    if (left < scroll.scrollLeft) scroll.scrollLeft = left;
    else if (right > scroll.scrollLeft) scroll.scrollLeft = right;
    if (row < top) move(row);
    else if (row + 1 > top + room() / ROW) move(row + 1 - room() / ROW);
    else later();
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      problem.textContent = "The browser did not let the value be copied.";
    }
  }

  scroll.addEventListener("scroll", scrolled, { passive: true });
  scroll.addEventListener("wheel", wheeled, { passive: false });
  root.addEventListener("keydown", pressed);
  model.on("msg:custom", answered);
  model.on("change:view", changed);
  const resized = new ResizeObserver(measure);
  resized.observe(scroll);
  const clock = setInterval(repeat, 500);
  measure();
  return () => {
    clearInterval(clock);
    cancelAnimationFrame(frame);
    resized.disconnect();
    model.off("msg:custom", answered);
    model.off("change:view", changed);
  };
}

export default { render };

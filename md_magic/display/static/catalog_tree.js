// The catalogue as a tree. It keeps the levels that were opened and draws only the rows in view, so that 10,000 tables
// cost what ten do. Questions and answers are custom messages: no trait, and no saved notebook, holds the catalogue.
// Text only ever becomes textContent.
import { copy, keepKeys, make, makeButton } from "./parts.js";

/** @import { Model } from "./parts.js" */

/** @typedef {[kind: string, path: string[], note: string, opens: boolean]} Entry */
/**
 * @typedef {object} Node
 * @property {string} kind
 * @property {string[]} path
 * @property {string} note
 * @property {boolean} opens
 * @property {number} level
 * @property {number} at its place among its siblings, from 1
 * @property {number} of how many siblings there are
 * @property {boolean} open
 * @property {Node[] | null} nodes
 */
/** @typedef {{ columns: string[], rows: (string | null)[][] }} Sample */
/** @typedef {{ id: string, error?: string, warning?: string }} Reply */
/** @typedef {Reply & { entries: Entry[], total: number }} Listing */
/**
 * What each question is answered with.
 * @typedef {{ children: Listing, search: Listing, refresh: Reply, count: Reply & { count: number }, preview: Reply & Sample }} Replies
 */

const HEIGHT = 24;

/** @type {(text: string, onclick: () => void) => HTMLButtonElement} */
const button = (text, onclick) => makeButton("md-browse-button", text, onclick);

/** @type {(path: string[]) => string} */
const quote = (path) => path.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");

/** @param {{ model: Model<{ title: string }>, el: HTMLElement }} context */
function render({ model, el }) {
  const { title } = model.get("view");
  /** @type {Map<string, (answer: any) => void>} */
  const waiting = new Map();
  const stamp = `${Math.random()}`; // several views of one model hear each other's answers
  let last = 0;
  const hear = (/** @type {Reply} */ message) => {
    const settle = waiting.get(message.id);
    waiting.delete(message.id);
    box.classList.add("md-browse-live");
    settle?.(message);
  };
  /**
   * @template {keyof Replies} Type
   * @param {Type} type
   * @param {object} more
   * @returns {Promise<Replies[Type]>}
   */
  const ask = (type, more) =>
    new Promise((resolve) => {
      const id = `${stamp}-${++last}`;
      waiting.set(id, resolve);
      model.send({ type, id, ...more });
    });

  const box = make("section", "md-browse");
  box.setAttribute("aria-label", "Catalogue");
  keepKeys(box);
  const field = make("input");
  Object.assign(field, { type: "search", placeholder: "Search tables and views", spellcheck: false });
  field.setAttribute("aria-label", "Search tables and views");
  const bar = make("div", "md-browse-bar");
  const tree = make("div", "md-browse-tree");
  tree.setAttribute("role", "tree");
  tree.setAttribute("aria-label", title);
  tree.tabIndex = 0;
  const space = make("div");
  tree.append(space);
  const status = make("div", "md-browse-status");
  status.setAttribute("role", "status");
  const detail = make("div", "md-browse-detail");
  detail.hidden = true;
  bar.append(
    make("b", "", title),
    field,
    button("Refresh", () => refresh()),
  );
  box.append(bar, tree, status, detail);
  el.append(box);

  /** @type {Node[]} */
  let roots = [];
  /** @type {Node[]} The nodes that are shown: those whose parents are open. */
  let rows = [];
  let current = 0;
  let searching = "";

  const key = (/** @type {Node} */ node) => JSON.stringify(node.path);
  /**
   * @param {string} text
   * @param {boolean} [error]
   */
  function say(text, error) {
    status.textContent = text;
    status.toggleAttribute("data-error", Boolean(error));
  }
  /**
   * @param {Listing} answer
   * @param {number} level
   * @returns {Node[]}
   */
  function nodes(answer, level) {
    return answer.entries.map(([kind, path, note, opens], at) => ({
      kind,
      path,
      note,
      opens,
      level,
      at: at + 1,
      of: answer.entries.length,
      open: false,
      nodes: null,
    }));
  }
  function flatten() {
    rows = [];
    const walk = (/** @type {Node[]} */ list) => {
      for (const node of list) {
        rows.push(node);
        if (node.open && node.nodes) walk(node.nodes);
      }
    };
    walk(roots);
    current = Math.max(0, Math.min(current, rows.length - 1));
    space.style.height = `${rows.length * HEIGHT}px`;
    draw();
  }
  function draw() {
    const first = Math.max(0, Math.floor(tree.scrollTop / HEIGHT) - 4);
    const view = rows.slice(first, first + 24);
    space.replaceChildren(...view.map((node, offset) => row(node, first + offset)));
    const selected = space.querySelector('[aria-selected="true"]');
    if (selected) tree.setAttribute("aria-activedescendant", selected.id);
    else tree.removeAttribute("aria-activedescendant");
  }
  /**
   * @param {Node} node
   * @param {number} index
   */
  function row(node, index) {
    const line = make("div", "md-browse-row");
    line.id = `md-browse-${stamp}-${index}`;
    line.style.top = `${index * HEIGHT}px`;
    line.style.paddingLeft = `${0.4 + 1.2 * (node.level - 1)}em`;
    line.setAttribute("role", "treeitem");
    line.setAttribute("aria-level", `${node.level}`);
    line.setAttribute("aria-posinset", `${node.at}`);
    line.setAttribute("aria-setsize", `${node.of}`);
    line.setAttribute("aria-selected", String(index === current));
    if (node.opens) line.setAttribute("aria-expanded", String(node.open));
    const twist = make("span", "md-browse-twist", node.opens ? (node.open ? "▾" : "▸") : "");
    const name = searching && node.level === 1 ? node.path.join(".") : node.path.at(-1);
    line.append(twist, make("span", "md-browse-kind", node.kind), make("span", "md-browse-name", name));
    line.append(make("span", "md-browse-note", node.note));
    line.title = `${name} ${node.note}`;
    line.onclick = (event) => {
      current = index;
      tree.focus({ preventScroll: true });
      if (event.target === twist || !isTable(node)) toggle(node);
      else draw();
      show(node);
    };
    return line;
  }
  const isTable = (/** @type {Node} */ node) => node.kind === "table" || node.kind === "view";

  /** @param {Node} node */
  async function open(node) {
    node.open = true; // asked anew each time: it may have changed since
    const answer = await ask("children", { path: node.path });
    if (answer.error) {
      node.open = Boolean(node.nodes);
      say(answer.error, true);
    } else {
      const previous = new Map((node.nodes ?? []).map((child) => [key(child), child]));
      node.nodes = nodes(answer, node.level + 1);
      for (const child of node.nodes) {
        const before = previous.get(key(child));
        if (before) Object.assign(child, { open: before.open, nodes: before.nodes });
      }
      say(
        answer.warning ||
          (answer.total ? `${answer.total.toLocaleString("en")} below ${node.path.at(-1)}` : "Nothing below"),
      );
    }
    flatten();
  }
  /** @param {Node} node */
  function toggle(node) {
    if (!node.opens) return;
    if (node.open) {
      node.open = false;
      flatten();
    } else {
      open(node);
    }
  }
  async function reload() {
    const asked = searching;
    const answer = await (asked ? ask("search", { text: asked }) : ask("children", { path: [] }));
    if (asked !== searching) return; // another letter was typed meanwhile
    if (answer.error) {
      say(answer.error, true);
      return;
    }
    roots = nodes(answer, 1);
    current = 0;
    tree.scrollTop = 0;
    const all = answer.total.toLocaleString("en");
    const some =
      answer.entries.length < answer.total ? `The first ${answer.entries.length} of ${all} found` : `${all} found`;
    say(answer.warning || (asked ? some : ""));
    flatten();
    if (!asked && roots.length === 1) await open(roots[0]);
  }
  async function refresh() {
    await ask("refresh", {});
    if (searching) {
      await reload();
      return;
    }
    /** @type {string[]} */
    const opened = [];
    const collect = (/** @type {Node[]} */ list) => {
      for (const node of list.filter(({ open }) => open)) {
        opened.push(key(node));
        collect(node.nodes ?? []);
      }
    };
    collect(roots);
    await reload();
    const again = async (/** @type {Node[]} */ list) => {
      for (const node of list) {
        if (!opened.includes(key(node))) continue;
        if (!node.open) await open(node);
        await again(node.nodes ?? []);
      }
    };
    await again(roots);
  }

  /** @type {Node | null} */
  let shown = null;
  /** @param {Node} node */
  function show(node) {
    if (shown === node) return;
    shown = node;
    const name = node.kind === "column" ? node.path.slice(-1) : node.path;
    const code = make("code", "", quote(name));
    const copier = button("Copy name", () => copy(code, copier));
    const head = make("div", "md-browse-head");
    head.append(code, copier);
    detail.replaceChildren(head);
    detail.hidden = false;
    if (!isTable(node)) return;
    const counter = button("Count rows", async () => {
      counter.disabled = true;
      const answer = await ask("count", { path: node.path });
      if (answer.error) counter.disabled = false;
      counter.replaceWith(
        answer.error ? counter : make("span", "md-browse-count", `${answer.count.toLocaleString("en")} rows`),
      );
      say(answer.error ?? "", Boolean(answer.error));
    });
    head.append(counter);
    const sample = make("div", "md-browse-sample", "First rows ...");
    detail.append(sample);
    ask("preview", { path: node.path }).then((answer) => {
      sample.replaceChildren(answer.error ? make("pre", "md-browse-failed", answer.error) : grid(answer));
    });
  }
  /** @param {Sample} sample */
  function grid({ columns, rows: values }) {
    const table = make("table");
    const head = make("tr");
    head.append(...columns.map((name) => make("th", "", name)));
    table.append(head);
    for (const value of values) {
      const line = make("tr");
      line.append(...value.map((text) => make("td", text === null ? "md-browse-null" : "", text ?? "NULL")));
      table.append(line);
    }
    return table;
  }

  /** @param {number} to */
  function move(to) {
    current = Math.max(0, Math.min(to, rows.length - 1));
    const top = current * HEIGHT;
    if (top < tree.scrollTop) tree.scrollTop = top;
    else if (top + HEIGHT > tree.scrollTop + tree.clientHeight) tree.scrollTop = top + HEIGHT - tree.clientHeight;
    draw();
  }
  const parentOf = (/** @type {number} */ index) => {
    for (let i = index - 1; i >= 0; i--) if (rows[i].level < rows[index].level) return i;
    return index;
  };
  tree.onkeydown = (event) => {
    const node = rows[current];
    /** @type {Record<string, (() => unknown) | undefined>} */
    const actions = {
      ArrowDown: () => move(current + 1),
      ArrowUp: () => move(current - 1),
      PageDown: () => move(current + 12),
      PageUp: () => move(current - 12),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      ArrowRight: () => (node?.open ? move(current + 1) : node && toggle(node)),
      ArrowLeft: () => (node?.open ? toggle(node) : node && move(parentOf(current))),
      Enter: () => node && show(node),
      " ": () => node && toggle(node),
    };
    const act = actions[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  tree.onscroll = draw;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  field.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      searching = field.value.trim();
      reload();
    }, 60);
  };
  model.on("msg:custom", hear);
  reload();
  return () => {
    clearTimeout(timer);
    model.off("msg:custom", hear);
  };
}

export default { render };

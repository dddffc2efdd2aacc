// Mistakes underlined while typing: half a second after the last key the kernel is asked over a comm what is wrong in the
// cell, and answers with places, messages and names that could stand there. Nothing is saved in the notebook.

const TARGET = "md_magic.check";
const PAUSE = 500; // milliseconds after the last key
const AFTER_A_CELL = 150; // milliseconds after a cell has run, which may have made what was missing
const AGAIN = 300; // milliseconds after an answer that is not whole: the catalog was being read
const MOST_TRIES = 20; // a minute, together
const PATIENCE = 2000; // milliseconds for a subshell to start

/** @typedef {{ from: number, to: number, message: string, names: string[] }} Mark */
/** @typedef {{ id: number, marks: Mark[], whole: boolean }} Answer */
/**
 * @typedef {object} Comm
 * @property {boolean} isDisposed
 * @property {Promise<void>} [subshellStarted]
 * @property {(data: object) => unknown} open
 * @property {(data: object) => unknown} send
 * @property {(message: { content: { data: Answer } }) => void} onMsg
 * @property {() => void} onClose
 */
/** @typedef {{ supportsSubshells?: boolean, createComm(target: string): Comm }} Kernel */

/** Asks one kernel. A kernel without md_magic closes the comm; it is not asked again before a cell has run. */
export class Asker {
  /** @param {Kernel} kernel */
  constructor(kernel) {
    this.kernel = kernel;
    this.isRefused = false;
    /** @type {Comm | null} */
    this.comm = null;
    /** @type {Promise<unknown>} */
    this.opened = Promise.resolve();
    /** @type {Map<number, (answer: Answer | null) => void>} */
    this.waiting = new Map();
    this.next = 0;
  }

  /**
   * @param {string} source
   * @returns {Promise<Answer | null>} null where the kernel does not answer
   */
  async ask(source) {
    if (this.isRefused) return null;
    try {
      if (!this.comm || this.comm.isDisposed) this.open();
      await this.opened;
      const id = this.next++;
      const answer = new Promise((resolve) => this.waiting.set(id, resolve));
      this.comm?.send({ id, source });
      return this.comm ? answer : null;
    } catch {
      this.close(); // the kernel is not connected, or another tab has its comms
      return null;
    }
  }

  open() {
    this.drop(); // those that were sent before the kernel started anew
    const comm = this.kernel.createComm(TARGET);
    comm.onMsg = ({ content: { data } }) => {
      this.waiting.get(data.id)?.(data);
      this.waiting.delete(data.id);
    };
    comm.onClose = () => this.close();
    this.comm = comm;
    // What is sent before the comm has its subshell waits for the cell that runs.
    const started = this.kernel.supportsSubshells ? comm.subshellStarted : null;
    const patience = new Promise((resolve) => setTimeout(resolve, started ? PATIENCE : 0));
    this.opened = Promise.race([started ?? patience, patience]).then(() => comm.open({}));
  }

  close() {
    this.isRefused = true;
    this.comm = null;
    this.drop();
  }

  drop() {
    for (const resolve of this.waiting.values()) resolve(null);
    this.waiting.clear();
  }
}

/**
 * @param {number} tries
 * @returns {number} milliseconds until the next question: longer each time, as 10,000 tables can take long to read
 */
export function pauseAfter(tries) {
  return AGAIN * (tries + 1);
}

/**
 * @param {Mark[]} marks in the order of the text
 * @param {number} at
 * @returns {Mark | undefined} the one behind *at*, or else the first
 */
export function nextMark(marks, at) {
  return marks.find((mark) => mark.from > at) ?? marks[0];
}

/**
 * @param {Mark[]} marks
 * @param {number} at
 * @returns {Mark | undefined} the one that *at* is in, or at whose end it is
 */
export function markAt(marks, at) {
  return marks.find((mark) => mark.from <= at && at <= mark.to);
}

/**
 * Make the extension of CodeMirror.
 * @param {any} modules @codemirror/view and @codemirror/state in one
 * @param {(source: string) => boolean} isOurs
 * @param {(view: any) => Kernel | null | undefined} kernelOf
 */
export function makeChecks(modules, isOurs, kernelOf) {
  const { Decoration, EditorView, StateEffect, StateField, ViewPlugin, hoverTooltip, keymap, showTooltip } = modules;
  const setMarks = StateEffect.define();
  const show = StateEffect.define();
  /** @type {WeakMap<Kernel, Asker>} */
  const askers = new WeakMap();
  /** @type {Set<any>} */
  const plugins = new Set();

  /** @param {Kernel} kernel */
  function askerOf(kernel) {
    let asker = askers.get(kernel);
    if (!asker) {
      asker = new Asker(kernel);
      askers.set(kernel, asker);
    }
    return asker;
  }

  const field = StateField.define({
    create: () => Decoration.none,
    /** @param {any} marks @param {any} transaction */
    update(marks, transaction) {
      let updated = marks.map(transaction.changes);
      for (const effect of transaction.effects) {
        if (!effect.is(setMarks)) continue;
        const fitting = effect.value.filter((/** @type {Mark} */ mark) => mark.to <= transaction.newDoc.length);
        updated = Decoration.set(
          fitting.map((/** @type {Mark} */ mark) =>
            Decoration.mark({
              class: "md-magic-mistake",
              attributes: { "aria-invalid": "true", "aria-description": mark.message },
              mistake: mark,
            }).range(mark.from, Math.max(mark.to, mark.from + 1)),
          ),
          true,
        );
      }
      return updated;
    },
    provide: (/** @type {any} */ self) => EditorView.decorations.from(self),
  });

  /**
   * @param {any} state
   * @returns {Mark[]} the marks where they are now
   */
  function marksOf(state) {
    /** @type {Mark[]} */
    const marks = [];
    state
      .field(field)
      .between(
        0,
        state.doc.length,
        (/** @type {number} */ from, /** @type {number} */ to, /** @type {any} */ value) => {
          marks.push({ ...value.spec.mistake, from, to });
        },
      );
    return marks;
  }

  /**
   * @param {any} view
   * @param {Mark} mark
   * @param {string} name
   */
  function putIn(view, mark, name) {
    view.dispatch({
      changes: { from: mark.from, to: mark.to, insert: name },
      selection: { anchor: mark.from + name.length },
      effects: show.of(null),
      userEvent: "input.complete",
    });
    view.focus();
  }

  /** @param {Mark} mark */
  function tooltip(mark) {
    const create = (/** @type {any} */ view) => {
      const dom = document.createElement("div");
      dom.className = "md-magic-mistake-tooltip";
      dom.setAttribute("role", "status");
      const text = dom.appendChild(document.createElement("div"));
      text.textContent = mark.message;
      for (const name of mark.names) {
        const button = dom.appendChild(document.createElement("button"));
        button.textContent = name;
        button.title = `Put ${name} in its place${name === mark.names[0] ? " (Ctrl . or ⌘ .)" : ""}`;
        button.onmousedown = (event) => event.preventDefault(); // the editor keeps the focus
        button.onclick = () => putIn(view, mark, name);
      }
      return { dom };
    };
    return { pos: mark.from, end: mark.to, above: true, create };
  }

  const shown = StateField.define({
    create: () => null,
    /** @param {any} value @param {any} transaction */
    update(value, transaction) {
      for (const effect of transaction.effects) if (effect.is(show)) return effect.value && tooltip(effect.value);
      return transaction.docChanged || transaction.selection ? null : value;
    },
    provide: (/** @type {any} */ self) => showTooltip.from(self),
  });

  const hover = hoverTooltip((/** @type {any} */ view, /** @type {number} */ at) => {
    const mark = markAt(marksOf(view.state), at);
    return mark ? tooltip(mark) : null;
  });

  const keys = keymap.of([
    {
      key: "F8",
      run: (/** @type {any} */ view) => {
        const mark = nextMark(marksOf(view.state), view.state.selection.main.head);
        if (!mark) return false;
        view.dispatch({ selection: { anchor: mark.from }, effects: show.of(mark), scrollIntoView: true });
        return true;
      },
    },
    {
      key: "Mod-.",
      run: (/** @type {any} */ view) => {
        const mark = markAt(marksOf(view.state), view.state.selection.main.head);
        if (!mark?.names.length) return false;
        putIn(view, mark, mark.names[0]);
        return true;
      },
    },
    {
      key: "Escape",
      run: (/** @type {any} */ view) => {
        if (!view.state.field(shown)) return false;
        view.dispatch({ effects: show.of(null) });
        return true;
      },
    },
  ]);

  class Plugin {
    /** @param {any} view */
    constructor(view) {
      this.view = view;
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      this.timer = undefined;
      plugins.add(this);
    }

    /** @param {any} update */
    update(update) {
      if (update.docChanged) this.schedule(PAUSE);
    }

    /** @param {number} delay @param {number} [tries] */
    schedule(delay, tries = 0) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(tries), delay);
    }

    /** @param {number} tries */
    async ask(tries) {
      const source = this.view.state.doc.toString();
      const kernel = isOurs(source) ? kernelOf(this.view) : null;
      const answer = kernel ? await askerOf(kernel).ask(source) : null;
      if (!plugins.has(this) || this.view.state.doc.toString() !== source) return;
      const marks = answer?.marks ?? [];
      if (marks.length || marksOf(this.view.state).length) this.view.dispatch({ effects: setMarks.of(marks) });
      if (answer && !answer.whole && tries < MOST_TRIES) this.schedule(pauseAfter(tries), tries + 1);
    }

    destroy() {
      clearTimeout(this.timer);
      plugins.delete(this);
    }
  }

  /**
   * A cell has run in *kernel*: what was wrong may be right now, and md_magic may have been loaded.
   * @param {Kernel} kernel
   */
  function cellHasRun(kernel) {
    askerOf(kernel).isRefused = false;
    for (const plugin of plugins) {
      if (marksOf(plugin.view.state).length && kernelOf(plugin.view) === kernel) plugin.schedule(AFTER_A_CELL);
    }
  }

  const theme = EditorView.baseTheme({
    ".md-magic-mistake": {
      textDecoration: "underline wavy var(--jp-error-color1)",
      textDecorationSkipInk: "none",
      textUnderlineOffset: "0.15em",
    },
    ".cm-tooltip:has(> .md-magic-mistake-tooltip), .md-magic-mistake-tooltip": {
      color: "var(--jp-ui-font-color0)",
      background: "var(--jp-layout-color1)",
      border: "none",
      zIndex: "10",
    },
    ".md-magic-mistake-tooltip": {
      border: "1px solid var(--jp-error-color1)",
      borderRadius: "3px",
      padding: "4px 8px",
      maxWidth: "60em",
      whiteSpace: "pre-wrap",
      fontFamily: "var(--jp-ui-font-family)",
      fontSize: "var(--jp-ui-font-size1)",
    },
    ".md-magic-mistake-tooltip button": {
      margin: "4px 6px 0 0",
      padding: "1px 6px",
      color: "var(--jp-ui-font-color0)",
      background: "var(--jp-layout-color2)",
      border: "1px solid var(--jp-border-color1)",
      borderRadius: "3px",
      fontFamily: "var(--jp-code-font-family)",
      cursor: "pointer",
    },
  });
  return { extension: [field, shown, theme, hover, keys, ViewPlugin.fromClass(Plugin)], cellHasRun };
}

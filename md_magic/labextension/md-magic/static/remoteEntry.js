// SQL colours, underlined mistakes and the order of Tab's menu in the cells that start with %%mdsql or %%sql, in JupyterLab
// and Notebook 7, and widgets in every tab that shows a notebook. Nothing is saved in the notebook.
//
// This file is written by hand in the shape that webpack gives a prebuilt extension, so that nobody needs npm: Jupyter
// loads it, calls init() with the modules that it shares, and then get("./extension").
(() => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: Jupyter loads this file as a script, not as a module
  "use strict";
  const SQL = "text/x-mdsql";
  const IS_SQL = /^text\/x-mdsql/; // the mode of another database than DuckDB has its name behind it
  const MAGIC = /^(?:\s*\n)?[^\S\n]*%%mdsql(?: |[^\S\n]*(?:\n|$))/; // what IPython takes for this cell magic
  const ALIAS = /^(?:\s*\n)?[^\S\n]*%%sql(?: |[^\S\n]*(?:\n|$))/; // the usual alias, which others colour too
  const LINES = /^[^\S\n]*(?:%%|(?:[\w., \t]+=[^\S\n]*)?%)(?:mdsql|sql)\b(.*)$/gm; // the lines of our magics
  const PYTHON = /python|^text\/plain$/; // of a notebook whose kernel is not known yet: text/plain

  // The parts of Jupyter's and CodeMirror's objects that are used here. Their modules come at run time, so their types
  // cannot be imported without installing JupyterLab from npm.
  /** @typedef {{ connect(callback: (sender: any, value: any) => void): void }} Signal */
  /**
   * @typedef {object} Cell
   * @property {string} type
   * @property {string} mimeType
   * @property {boolean} isDisposed
   * @property {{ getSource(): string }} sharedModel
   * @property {Signal} contentChanged
   * @property {Signal} mimeTypeChanged
   * @property {boolean} trusted
   * @property {Outputs} outputs
   */
  /** @typedef {{ data: Record<string, any> }} Output */
  /** @typedef {{ length: number, get(index: number): Output, changed: Signal }} Outputs */
  /**
   * @typedef {object} Panel of a notebook
   * @property {boolean} isDisposed
   * @property {{ codeMimetype: string, model: { cells: Iterable<Cell> & { changed: Signal } } | null, widgets: { node: Node, model: Cell }[] }} content
   * @property {{ ready: Promise<void> }} context
   * @property {Node} node
   * @property {{ session: { kernel: { hasComm(id: string): boolean } | null } | null, iopubMessage: Signal }} sessionContext
   */
  /**
   * @typedef {object} Tracker
   * @property {(callback: (panel: Panel) => void) => void} forEach
   * @property {(is: (panel: Panel) => boolean) => Panel | undefined} find
   * @property {Signal} widgetAdded
   */
  /**
   * @typedef {object} Languages
   * @property {(mime: string) => Promise<{ support: { language: { parser: any } } }>} getLanguage
   * @property {(language: object) => void} addLanguage
   */
  /** @typedef {{ length: number, read(from: number, to: number): string }} Input */

  /** @type {Record<string, Record<string, { get(): Promise<() => any> }>>} Jupyter's modules, by name and version. */
  let scope;

  /** @param {string} name */
  async function shared(name) {
    const [version] = Object.values(scope[name]);
    return (await version.get())();
  }

  // What stands beside this file.
  const HERE = /** @type {HTMLScriptElement} */ (document.currentScript).src;
  const colouring = import(new URL("colours.js", HERE).href);

  /** @param {string} dialect */
  const mimeOf = (dialect) => (dialect === "duckdb" ? SQL : `${SQL}-${dialect}`);

  /** @type {Map<string, any>} The languages' parsers that are loaded, by dialect. */
  const parsers = new Map();

  // A language whose first line is nothing: an apostrophe in an option must not begin a string that runs down the cell.
  /**
   * @param {Languages} languages
   * @param {string} dialect
   */
  async function makeLanguage(languages, dialect) {
    const { Language, LanguageSupport, defineLanguageFacet, languageDataProp } = await shared("@codemirror/language");
    const { NodeType, Parser, Tree } = await shared("@lezer/common");
    const { READERS, makeReader } = await colouring;
    // An editor takes the language that arrives last: Python's, which was asked for first, must have arrived before.
    await Promise.all(["text/x-python", "text/x-ipython"].map((mime) => languages.getLanguage(mime)));
    const read = makeReader((await languages.getLanguage(READERS.get(dialect))).support.language.parser, dialect);
    const data = defineLanguageFacet({ commentTokens: { line: "--", block: { open: "/*", close: "*/" } } });
    const cell = NodeType.define({ id: 0, name: "MdsqlCell", top: true, props: [[languageDataProp, data]] });

    class CellParser extends Parser {
      /**
       * @param {Input} input
       * @param {unknown} _fragments
       * @param {{ from: number, to: number }[]} ranges
       */
      createParse(input, _fragments, ranges) {
        const end = ranges[ranges.length - 1].to;
        const text = input.read(0, end);
        const lead = (MAGIC.exec(text) ?? ALIAS.exec(text))?.[0].trimEnd().length ?? 0;
        const line = lead ? input.read(lead, end).indexOf("\n") : 0;
        const from = line < 0 ? end : lead + line;
        const parse = read(input, [{ from, to: end }]);
        return {
          get parsedPos() {
            return parse.parsedPos;
          },
          get stoppedAt() {
            return parse.stoppedAt;
          },
          stopAt(/** @type {number} */ position) {
            parse.stopAt(Math.max(position, from));
          },
          advance() {
            const tree = parse.advance();
            return tree && new Tree(cell, [tree], [from], from + tree.length);
          },
        };
      }
    }
    const parser = new CellParser();
    parsers.set(dialect, parser);
    return new LanguageSupport(new Language(data, parser, [], "mdsql"));
  }

  /**
   * The lines of our magics in a notebook, down to a cell.
   * @param {Panel} panel
   * @param {Cell} last
   */
  function linesTo(panel, last) {
    const lines = [];
    for (const cell of panel.content.model?.cells ?? []) {
      const source = cell.type === "code" ? cell.sharedModel.getSource() : "";
      if (source.includes("sql")) lines.push(...[...source.matchAll(LINES)].map((match) => match[1]));
      if (cell === last) break;
    }
    return lines;
  }

  /**
   * @param {Panel} panel
   * @param {Cell} cell
   */
  function refresh(panel, cell) {
    if (panel.isDisposed || cell.isDisposed) return;
    const python = panel.content.codeMimetype;
    const source = cell.sharedModel.getSource();
    const isFree = cell.mimeType === python || IS_SQL.test(cell.mimeType); // no other extension has claimed the cell
    if (PYTHON.test(python) && (MAGIC.test(source) || (isFree && ALIAS.test(source)))) {
      if (!IS_SQL.test(cell.mimeType)) cell.mimeType = SQL;
      colouring.then(({ dialectOf }) => {
        const isStill = !cell.isDisposed && IS_SQL.test(cell.mimeType) && cell.sharedModel.getSource() === source;
        const mime = isStill ? mimeOf(dialectOf(linesTo(panel, cell))) : cell.mimeType;
        if (mime !== cell.mimeType) cell.mimeType = mime;
      });
    } else if (IS_SQL.test(cell.mimeType)) cell.mimeType = python;
  }

  const VIEW = "application/vnd.jupyter.widget-view+json";
  const OURS = /\bmdsql\b|%sql\b|<md_magic /;
  const PATIENCE = [0, 200, 800, 2500, 8000]; // milliseconds: a widget's comm may come after its output

  // Where several tabs share a notebook, Jupyter shows the widgets of a cell in the tab that ran it and nowhere else: the
  // others do not trust its outputs. Ours are shown where their comm is open in the tab's own kernel: then the browser
  // runs their code already. A file from elsewhere cannot name such a comm, which the running kernel has made up.
  /**
   * @param {Panel} panel
   * @param {Cell} cell
   * @param {number} [attempt]
   */
  function showWidgets(panel, cell, attempt = 0) {
    if (panel.isDisposed || cell.isDisposed || cell.trusted) return;
    const outputs = Array.from({ length: cell.outputs.length }, (_, index) => cell.outputs.get(index).data);
    const widgets = outputs.filter((data) => VIEW in data);
    const texts = [cell.sharedModel.getSource(), ...widgets.map((data) => data["text/plain"])];
    if (!widgets.length || !OURS.test(texts.join("\n"))) return;
    const kernel = panel.sessionContext.session?.kernel;
    if (widgets.some((data) => kernel?.hasComm(data[VIEW].model_id))) cell.trusted = true;
    else if (attempt < PATIENCE.length) setTimeout(() => showWidgets(panel, cell, attempt + 1), PATIENCE[attempt]);
  }

  /** @param {Panel} panel */
  function watch(panel) {
    const seen = new WeakSet();
    /** @type {WeakMap<Cell, string>} */
    const targets = new WeakMap();
    const refreshAll = () => {
      for (const cell of panel.isDisposed ? [] : (panel.content.model?.cells ?? []))
        if (IS_SQL.test(cell.mimeType)) refresh(panel, cell);
    };
    /** @param {Cell} cell */
    const changed = (cell) => {
      refresh(panel, cell);
      const target = [...cell.sharedModel.getSource().matchAll(LINES)].map((match) => match[1]).join("\n");
      if (target !== targets.get(cell)) refreshAll(); // the cells below may be for another database now
      targets.set(cell, target);
    };
    const look = () => {
      if (panel.isDisposed) return;
      for (const cell of panel.content.model?.cells ?? []) {
        if (cell.type !== "code" || seen.has(cell)) continue;
        seen.add(cell);
        refresh(panel, cell);
        showWidgets(panel, cell);
        cell.outputs.changed.connect(() => showWidgets(panel, cell));
        cell.contentChanged.connect(() => changed(cell));
        cell.mimeTypeChanged.connect(() => refresh(panel, cell)); // Jupyter resets it when the kernel is known
      }
    };
    panel.context.ready.then(() => {
      look();
      panel.content.model?.cells.changed.connect(look);
    });
  }

  /** @type {(source: string) => boolean} */
  const isOurs = (source) => MAGIC.test(source) || ALIAS.test(source);

  /**
   * @param {Tracker} tracker
   * @param {{ addExtension(extension: object): void }} extensions
   */
  async function underlineMistakes(tracker, extensions) {
    const { EditorExtensionRegistry } = await shared("@jupyterlab/codemirror");
    const modules = { ...(await shared("@codemirror/view")), ...(await shared("@codemirror/state")) };
    const { makeChecks } = await import(new URL("check.js", HERE).href);
    const kernelOf = (/** @type {{ dom: Node }} */ view) =>
      tracker.find((panel) => panel.node.contains(view.dom))?.sessionContext.session?.kernel;
    const checks = makeChecks(modules, isOurs, kernelOf);
    extensions.addExtension({
      name: "mdsql-check",
      factory: () => EditorExtensionRegistry.createImmutableExtension(checks.extension),
    });
    const listen = (/** @type {Panel} */ panel) =>
      panel.sessionContext.iopubMessage.connect((_, message) => {
        const kernel = panel.sessionContext.session?.kernel;
        const hasEnded = message.header.msg_type === "status" && message.content.execution_state === "idle";
        if (kernel && hasEnded && message.parent_header.msg_type === "execute_request") checks.cellHasRun(kernel);
      });
    tracker.forEach(listen);
    tracker.widgetAdded.connect((_, panel) => listen(panel));
  }

  /**
   * Colour the SQL of lines such as `%mdsql SELECT 1`.
   * @param {Tracker} tracker
   * @param {Languages} languages
   * @param {{ addExtension(extension: object): void }} extensions
   */
  async function colourLines(tracker, languages, extensions) {
    const { EditorExtensionRegistry } = await shared("@jupyterlab/codemirror");
    const names = ["@codemirror/view", "@codemirror/state", "@codemirror/language", "@lezer/highlight"];
    const modules = Object.assign({}, ...(await Promise.all(names.map(shared))));
    const { dialectOf, dialectOfLine, makeLineColours } = await colouring;
    const parserOf = (/** @type {{ dom: Node }} */ view, /** @type {string} */ options) => {
      const panel = tracker.find((each) => each.node.contains(view.dom));
      const above = panel ? linesOf(panel, view.dom) : [];
      const dialect = dialectOfLine(options, () => null) ?? dialectOf([...above, options]);
      if (!parsers.has(dialect)) languages.getLanguage(mimeOf(dialect)).then(colours.refresh);
      return parsers.get(dialect) ?? null;
    };
    const colours = makeLineColours(modules, isOurs, parserOf);
    extensions.addExtension({
      name: "mdsql-line-colours",
      factory: () => EditorExtensionRegistry.createImmutableExtension(colours.extension),
    });
  }

  /**
   * @param {Panel} panel
   * @param {Node} node in an editor
   */
  function linesOf(panel, node) {
    const widget = panel.content.widgets.find((each) => each.node.contains(node));
    return widget ? linesTo(panel, widget.model) : [];
  }

  const LINE_MAGIC = /^[^\S\n]*(?:[\w., \t]+=[^\S\n]*)?%(?:mdsql|sql)\b/;

  /**
   * Whether the cursor of an editor is in our magic.
   * @param {{ model: { sharedModel: { getSource(): string } }, getCursorPosition(): { line: number } }} editor
   */
  function isInMagic(editor) {
    const source = editor.model.sharedModel.getSource();
    return isOurs(source) || LINE_MAGIC.test(source.split("\n")[editor.getCursorPosition().line] ?? "");
  }

  async function makePlugin() {
    const { CompleterModel, ICompletionProviderManager } = await shared("@jupyterlab/completer");
    const { INotebookTracker } = await shared("@jupyterlab/notebook");
    const { IEditorExtensionRegistry, IEditorLanguageRegistry } = await shared("@jupyterlab/codemirror");
    return {
      id: "md-magic:highlight",
      description:
        "SQL colours, underlined mistakes and the order of completions in %%mdsql, and its widgets in every tab",
      autoStart: true,
      requires: [INotebookTracker, IEditorLanguageRegistry, IEditorExtensionRegistry],
      optional: [ICompletionProviderManager],
      /**
       * @param {unknown} _app
       * @param {Tracker} tracker
       * @param {Languages} languages
       * @param {{ addExtension(extension: object): void }} extensions
       * @param {{ registerProvider(provider: object): void } | null} completion
       */
      activate: async (_app, tracker, languages, extensions, completion) => {
        const { keepOrder } = await import(new URL("completion.js", HERE).href);
        if (completion) keepOrder(completion, CompleterModel, isInMagic);
        for (const dialect of (await colouring).READERS.keys()) {
          const more = dialect === "duckdb" ? "" : `-${dialect}`;
          languages.addLanguage({
            name: `mdsql${more}`,
            displayName: `SQL (%%mdsql${more && `, ${dialect}`})`,
            mime: mimeOf(dialect),
            load: () => makeLanguage(languages, dialect),
          });
        }
        tracker.forEach(watch);
        tracker.widgetAdded.connect((_, panel) => watch(panel));
        await colourLines(tracker, languages, extensions);
        await underlineMistakes(tracker, extensions); // before the first editor is made
      },
    };
  }

  /** @type {Window & { _JUPYTERLAB?: Record<string, object> }} */
  const page = window;
  page._JUPYTERLAB ??= {};
  page._JUPYTERLAB["md-magic"] = {
    init: (/** @type {typeof scope} */ given) => {
      scope = given;
    },
    get: async () => {
      const plugin = await makePlugin();
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();

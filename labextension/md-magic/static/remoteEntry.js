// SQL colours in the cells that start with %%mdsql, in JupyterLab and Notebook 7. Nothing is saved in the notebook.
//
// This file is written by hand in the shape that webpack gives a prebuilt extension, so that nobody needs npm: Jupyter
// loads it, calls init() with the modules that it shares, and then get("./extension").
(() => {
  "use strict";
  const SQL = "text/x-mdsql";
  const PLAIN_SQL = "text/x-pgsql"; // Jupyter's own, which SQL is made from
  const MAGIC = /^(?:\s*\n)?[^\S\n]*%%mdsql(?: |[^\S\n]*(?:\n|$))/; // what IPython takes for this cell magic
  const PYTHON = /python|^text\/plain$/; // of a notebook whose kernel is not known yet: text/plain

  let scope;
  async function shared(name) {
    const [version] = Object.values(scope[name]);
    return (await version.get())();
  }

  // A language whose first line is nothing: an apostrophe in an option must not begin a string that runs down the cell.
  async function makeLanguage(languages) {
    const { Language, LanguageSupport, defineLanguageFacet, languageDataProp } = await shared("@codemirror/language");
    const { NodeType, Parser, Tree } = await shared("@lezer/common");
    // An editor takes the language that arrives last: Python's, which was asked for first, must have arrived before.
    await Promise.all(["text/x-python", "text/x-ipython"].map((mime) => languages.getLanguage(mime)));
    const sql = (await languages.getLanguage(PLAIN_SQL)).support.language.parser;
    const data = defineLanguageFacet({ commentTokens: { line: "--", block: { open: "/*", close: "*/" } } });
    const cell = NodeType.define({ id: 0, name: "MdsqlCell", top: true, props: [[languageDataProp, data]] });

    class CellParser extends Parser {
      createParse(input, _fragments, ranges) {
        const end = ranges[ranges.length - 1].to;
        const lead = MAGIC.exec(input.read(0, end))?.[0].trimEnd().length ?? 0;
        const line = lead ? input.read(lead, end).indexOf("\n") : 0;
        const from = line < 0 ? end : lead + line;
        const parse = sql.createParse(input, [], [{ from, to: end }]);
        return {
          get parsedPos() { return parse.parsedPos; },
          get stoppedAt() { return parse.stoppedAt; },
          stopAt(position) { parse.stopAt(Math.max(position, from)); },
          advance() {
            const tree = parse.advance();
            return tree && new Tree(cell, [tree], [from], from + tree.length);
          },
        };
      }
    }
    return new LanguageSupport(new Language(data, new CellParser(), [], "mdsql"));
  }

  function refresh(panel, cell) {
    if (panel.isDisposed || cell.isDisposed) return;
    const python = panel.content.codeMimetype;
    if (PYTHON.test(python) && MAGIC.test(cell.sharedModel.getSource())) cell.mimeType = SQL;
    else if (cell.mimeType === SQL) cell.mimeType = python;
  }

  function watch(panel) {
    const seen = new WeakSet();
    const look = () => {
      if (panel.isDisposed) return;
      for (const cell of panel.content.model?.cells ?? []) {
        if (cell.type !== "code" || seen.has(cell)) continue;
        seen.add(cell);
        refresh(panel, cell);
        cell.contentChanged.connect(() => refresh(panel, cell));
        cell.mimeTypeChanged.connect(() => refresh(panel, cell)); // Jupyter resets it when the kernel is known
      }
    };
    panel.context.ready.then(() => {
      look();
      panel.content.model?.cells.changed.connect(look);
    });
  }

  async function makePlugin() {
    const { INotebookTracker } = await shared("@jupyterlab/notebook");
    const { IEditorLanguageRegistry } = await shared("@jupyterlab/codemirror");
    return {
      id: "md-magic:highlight",
      description: "SQL colours in cells that start with %%mdsql",
      autoStart: true,
      requires: [INotebookTracker, IEditorLanguageRegistry],
      activate: (_app, tracker, languages) => {
        languages.addLanguage({
          name: "mdsql",
          displayName: "SQL (%%mdsql)",
          mime: SQL,
          load: () => makeLanguage(languages),
        });
        tracker.forEach(watch);
        tracker.widgetAdded.connect((_, panel) => watch(panel));
      },
    };
  }

  (window._JUPYTERLAB ??= {})["md-magic"] = {
    init: (given) => { scope = given; },
    get: async () => {
      const plugin = await makePlugin();
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();

// The colours of SQL: which words are keywords and types, by database; and the SQL in a line such as `%mdsql SELECT 1`.
//
// Jupyter's own SQL takes every word of the standard for a keyword: a column called id, name or year looks like one, and
// QUALIFY like a column. Its reader of strings, comments and numbers stays; what a word is, is decided here.

const COMMON = `
  add all alter and any as asc begin between by case cast check collate column commit constraint create cross current_date
  current_time current_timestamp default delete desc distinct do drop else end escape except exists explain filter foreign
  from full grant group having if in inner insert intersect into is join lateral left like limit natural not nulls offset
  on or order outer over partition primary references rename returning revoke right rollback savepoint select set table
  temp temporary then to transaction truncate union unique update using values view when where window with within`;

/** @type {Record<string, string>} */
const OWN = {
  duckdb: `
    analyze anti asof attach call checkpoint columns comment conflict copy deallocate describe detach execute export
    extract glob grouping ilike import install lambda load matched materialized merge pivot pivot_longer pivot_wider
    positional pragma prepare qualify reset semi show similar summarize tablesample try_cast unpivot use vacuum`,
  postgresql: `
    analyze array both call cluster comment concurrently conflict copy current_role current_user deallocate deferrable
    extract fetch for grouping ilike initially isnull leading listen localtime localtimestamp lock matched materialized
    merge notify notnull overlaps placing prepare refresh reindex reset session_user show similar tablesample trailing
    unlisten vacuum variadic verbose`,
  mysql: `
    analyze auto_increment call change collate comment delimiter describe div dual duplicate fulltext high_priority infile kill
    load lock low_priority modify optimize outfile purge regexp require rlike separator show sql_calc_found_rows
    straight_join terminated unlock unsigned use while xor zerofill`,
  sqlite: `
    abort analyze attach autoincrement conflict deferrable detach exclusive fail glob indexed initially instead isnull
    match materialized notnull pragma raise regexp reindex vacuum without`,
};

const TYPES = toSet(`
  bigint bigserial blob bool boolean bytea datetime decimal double float float4 float8 hugeint int int2 int4 int8 integer
  jsonb longtext mediumint mediumtext nchar numeric nvarchar real serial smallint timestamptz timetz tinyint tinytext
  ubigint uhugeint uinteger usmallint utinyint uuid varbinary varchar variant`);

// A column can have these names, too: where an operand stands, they are one, and keywords elsewhere.
const UNRESERVED = toSet(`
  abort add attach begin call change checkpoint cluster columns comment commit conflict copy deallocate detach duplicate
  escape execute explain export fail filter fulltext grant grouping import indexed install instead kill listen load lock
  match materialized modify notify nulls optimize over partition pragma prepare purge raise refresh reindex release rename
  require reset revoke rollback savepoint separator set show temp temporary transaction truncate use vacuum values view
  within without`);
// The same the other way round: they are words of SQL where they stand like one, and names elsewhere.
const SOMETIMES = toSet(`
  at cascade cube database databases exclude extension first following function ignore index key last macro preceding
  procedure range recursive replace role rollup row rows sample schema schemas secret sequence sets start tables trigger
  type unbounded user virtual`);
const SOMETIMES_TYPES = toSet("bit char date enum interval json map struct text time timestamp year");

const BEFORE_OPERAND =
  /(?:(?:[,([=<>!+\-*%|&^~:?]|(?<!\*)\/)\s*|\b(?:all|and|any|as|between|by|case|distinct|else|from|having|i?like|in|is|join|limit|not|offset|on|or|qualify|returning|select|set|then|to|update|using|when|where)\s+)$/i;
const BEHIND_OPERAND =
  /^\s*(?:$|[,;)\]}[=<>!+*%|&^~:?]|-(?!-)|\/(?!\*)|\b(?:and|asc?|asof|between|collate|cross|desc|else|end|except|from|full|glob|group|having|i?like|in|inner|intersect|is|isnull|join|left|limit|natural|not|notnull|nulls|offset|or|order|qualify|regexp|right|rlike|similar|then|union|when|where|window|xor)\b)/i;
const IS_BEGUN = /\(\s*\|\s*$/; // `(partition`, which is being typed
const BEFORE_NAME = /\b(?:column|index|into|join|schema|table|view)\s+(?:if\s+(?:not\s+)?exists\s+)?$/i;
const IS_LISTED = /\b(?:grant|revoke)\b[^;]*$|\braise\s*\(\s*$/i; // GRANT SELECT, SHOW VIEW, RAISE(ROLLBACK, ...)
const BEFORE_KEYWORD =
  /(?:\*|\b(?:alter|between|comment\s+on|create|delete\s+from|drop|foreign|grouping|nulls|on|or|primary|show|use|using|with|(?:create|drop|replace|temp|temporary|unique)(?:\s+\w+)?))\s+$/i;
const BEHIND_KEYWORD = /^\s+(?:between|following|into|preceding|time\s+zone|transaction|unbounded)\b/i;
const IS_ROLLUP = /\bby\b[^;]*$/i; // GROUP BY ROLLUP (a, b), CUBE (c)
const IS_START = /^\s+(?:with\s+)?-?\d/i; // START WITH 5
const BEFORE_TYPE = /(?:::\s*|\bat\s+)$/i;
const BEFORE_CAST = /\bas\s+$/i;
const OPENS_CAST = /\b(?:try_)?cast\s*$/i;
const BEHIND_TYPE = /^\s*'|^\s+\d/;
const IN_DEFINITION = /[(,]\s*(?:"[^"]*"|`[^`]*`|(\w+))\s+$/;
const IS_PART = /\.\s*$/;
const NEAR = 60; // characters on both sides that are looked at
const FAR = 2000; // characters before a type that are looked at for what it stands in

/**
 * @param {string} words
 * @returns {Set<string>}
 */
function toSet(words) {
  return new Set(words.trim().split(/\s+/));
}

/** @type {Map<string, Set<string>>} */
const KEYWORDS = new Map(Object.entries(OWN).map(([dialect, own]) => [dialect, toSet(`${COMMON} ${own}`)]));

/**
 * Tell what a word of SQL is.
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {string} dialect
 * @returns {"Keyword" | "Type" | "Identifier"}
 */
export function kindOf(text, from, to, dialect) {
  const word = text.slice(from, to).toLowerCase();
  const before = text.slice(Math.max(from - NEAR, 0), from);
  const behind = text.slice(to, to + NEAR);
  if (IS_PART.test(before) || behind.startsWith(".")) return "Identifier";
  const keywords = KEYWORDS.get(dialect) ?? new Set();
  if (keywords.has(word)) return UNRESERVED.has(word) && isName(before, behind) ? "Identifier" : "Keyword";
  if (TYPES.has(word)) return "Type";
  if (SOMETIMES.has(word)) return isKeyword(word, before, behind) ? "Keyword" : "Identifier";
  if (!SOMETIMES_TYPES.has(word)) return "Identifier";
  return isType(text.slice(Math.max(from - FAR, 0), from), behind, keywords) ? "Type" : "Identifier";
}

/**
 * Tell whether an operand stands here, such as a column.
 * @param {string} before
 * @param {string} behind
 */
function isOperand(before, behind) {
  return BEFORE_OPERAND.test(before) && BEHIND_OPERAND.test(behind) && !IS_BEGUN.test(`${before}|${behind}`);
}

/**
 * Tell whether a word that can be a name is one here.
 * @param {string} before
 * @param {string} behind
 */
function isName(before, behind) {
  if (IS_LISTED.test(before)) return false;
  if (BEFORE_NAME.test(before) || isOperand(before, behind)) return true;
  if (/\bupdate\s+$/i.test(before)) return /^\s+(?:as\s+\w+\s+)?set\b/i.test(behind);
  const type = /^\s+(\w+)/.exec(behind)?.[1].toLowerCase() ?? "";
  return /[(,]\s*$/.test(before) && (TYPES.has(type) || SOMETIMES_TYPES.has(type)); // a column that is defined
}

/**
 * @param {string} word
 * @param {string} before
 * @param {string} behind
 */
function isKeyword(word, before, behind) {
  if ((word === "rollup" || word === "cube") && /^\s*\(/.test(behind)) return IS_ROLLUP.test(before);
  if (word === "start" && IS_START.test(behind)) return true;
  return !isOperand(before, behind) && (BEFORE_KEYWORD.test(before) || BEHIND_KEYWORD.test(behind));
}

/**
 * @param {string} before
 * @param {string} behind
 * @param {Set<string>} keywords
 */
function isType(before, behind, keywords) {
  if (BEFORE_TYPE.test(before) || BEHIND_TYPE.test(behind)) return true;
  if (BEFORE_CAST.test(before)) return OPENS_CAST.test(outside(before) ?? "");
  const column = IN_DEFINITION.exec(before);
  const name = (column?.[1] ?? "").toLowerCase();
  if (!column || (keywords.has(name) && !UNRESERVED.has(name))) return false;
  return outside(before) !== null; // an alias in a SELECT stands in no bracket of its own
}

/**
 * Return what stands before the bracket that is open at the end of a text; null where a SELECT has begun within it.
 * @param {string} text
 * @returns {string | null} the whole text where none is open
 */
function outside(text) {
  let closed = 0;
  for (const part of [...text.matchAll(/[()]|\bselect\b/gi)].reverse()) {
    if (part[0] === ")") closed += 1;
    else if (part[0] === "(" && closed === 0) return text.slice(0, part.index);
    else if (part[0] === "(") closed -= 1;
    else if (closed === 0) return null;
  }
  return text;
}

/** Jupyter's modes that the readers are taken from, by dialect. */
export const READERS = new Map([
  ["duckdb", "text/x-pgsql"],
  ["postgresql", "text/x-pgsql"],
  ["mysql", "text/x-mariadb"],
  ["sqlite", "text/x-sqlite"],
]);

/**
 * Make a parser whose words have the kinds that are told here.
 * @param {any} parser of @codemirror/lang-sql, whose last tokenizer reads all tokens
 * @param {string} dialect
 * @returns {(input: { length: number, read(from: number, to: number): string }, ranges: object[]) => any}
 */
export function makeReader(parser, dialect) {
  const tokenizer = parser.tokenizers[parser.tokenizers.length - 1];
  /** @type {Map<string, number>} */
  const terms = new Map(parser.nodeSet.types.map((/** @type {any} */ type) => [type.name, type.id]));
  const words = new Set(["Identifier", "Keyword", "Type", "Builtin"].map((name) => terms.get(name)));
  let text = "";
  const told = Object.assign(Object.create(tokenizer), {
    token(/** @type {any} */ input, /** @type {any} */ stack) {
      input.acceptToken = (/** @type {number} */ term, /** @type {number | undefined} */ offset) => {
        const kind = words.has(term) ? kindOf(text, input.token.start, input.pos, dialect) : "";
        Object.getPrototypeOf(input).acceptToken.call(input, kind ? terms.get(kind) : term, offset);
      };
      try {
        tokenizer.token(input, stack);
      } finally {
        delete input.acceptToken;
      }
    },
  });
  const configured = parser.configure({ tokenizers: [{ from: tokenizer, to: told }] });
  return (input, ranges) => {
    const whole = input.read(0, input.length);
    const parse = configured.createParse(input, [], ranges);
    const advance = parse.advance;
    parse.advance = () => {
      text = whole; // parses of several cells take turns
      return advance.call(parse);
    };
    return parse;
  };
}

// ---- which database a cell is for -------------------------------------------------------------------------------

const WORDS = /(?:[^\s"']|"[^"]*"|'[^']*'|["'])+/g;
const SCHEME = /^["']?([a-z][a-z0-9]*)(?:\+\w+)?:(?!:)/i;
/** @type {Map<string, string>} */
const DIALECTS = new Map([
  ["postgresql", "postgresql"],
  ["redshift", "postgresql"],
  ["cockroachdb", "postgresql"],
  ["mysql", "mysql"],
  ["mariadb", "mysql"],
  ["sqlite", "sqlite"],
]);

/**
 * Return the dialect of the target in a magic's line.
 * @param {string} line what follows the magic's name
 * @param {(alias: string) => string | null} dialectOfAlias
 * @returns {string | null} null where there is no target
 */
export function dialectOfLine(line, dialectOfAlias) {
  for (const word of line.replace(BEGINS_SQL, "").match(WORDS) ?? []) {
    const scheme = SCHEME.exec(word);
    if (scheme) return DIALECTS.get(scheme[1].toLowerCase()) ?? "duckdb";
    if (/^@\w/.test(word)) return dialectOfAlias(word.slice(1));
  }
  return null;
}

/**
 * Return the dialect of the cell that *lines* end with: that of its own target, or else of the one above it.
 * @param {string[]} lines the lines of our magics from the top of the notebook to the cell, without the magics' names
 * @returns {string}
 */
export function dialectOf(lines) {
  /** @param {string} alias @returns {string | null} */
  const named = (alias) => {
    const naming = lines.find((line) => new RegExp(`--alias[ =]${alias}(?!\\w)`).test(line));
    return naming === undefined ? null : dialectOfLine(naming, () => null);
  };
  for (const line of [...lines].reverse()) {
    const dialect = dialectOfLine(line, named);
    if (dialect) return dialect;
  }
  return "duckdb";
}

// ---- lines such as `%mdsql SELECT 1` in a cell of Python --------------------------------------------------------

const LINE_MAGIC = /^[^\S\n]*(?:[\w., \t]+=[^\S\n]*)?%(?:mdsql|sql)[^\S\n]+/;
const BEGINS_SQL =
  /(?:^|\s)((?:\(\s*)*(?:(?:alter|analyze|attach|begin|call|checkpoint|comment|commit|copy|create|deallocate|delete|desc|describe|detach|drop|execute|explain|export|from|grant|import|insert|install|load|merge|pivot|pragma|prepare|reset|revoke|rollback|savepoint|select|set|show|start|summarize|truncate|unpivot|update|use|vacuum|values|with)(?=[\s(*]|$)|table(?=\s+["\w])).*)$/i;

/**
 * @param {string} line of a cell of Python
 * @returns {{ at: number, options: string } | null} where its SQL begins, and what stands before; null without SQL
 */
export function sqlInLine(line) {
  const magic = LINE_MAGIC.exec(line);
  const sql = magic && BEGINS_SQL.exec(line.slice(magic[0].length));
  if (!magic || !sql) return null;
  const at = line.length - sql[1].length;
  return { at, options: line.slice(magic[0].length, at) };
}

/**
 * Make the extension of CodeMirror that colours them.
 * @param {any} modules @codemirror/view, state and language, and @lezer/highlight, in one
 * @param {(source: string) => boolean} isOurs whether a cell is SQL as a whole
 * @param {(view: any, options: string) => { parse(text: string): any } | null} parserOf of the database that a line is for
 */
export function makeLineColours(modules, isOurs, parserOf) {
  const { Decoration, EditorView, Prec, ViewPlugin, highlightTree, highlightingFor } = modules;
  /** @type {Set<any>} */
  const plugins = new Set();

  class Plugin {
    /** @param {any} view */
    constructor(view) {
      this.view = view;
      this.isStale = false;
      plugins.add(this);
      this.colour();
    }

    /** @param {any} update */
    update(update) {
      if (update.docChanged || update.viewportChanged || this.isStale) this.colour();
    }

    colour() {
      this.isStale = false;
      const { state, visibleRanges } = this.view;
      /** @type {any[]} */
      const regions = [];
      /** @type {any[]} */
      const tokens = [];
      const ranges = isOurs(state.sliceDoc(0, 2000)) ? [] : visibleRanges;
      for (const { from, to } of ranges) {
        for (let at = from; at <= to; ) {
          const line = state.doc.lineAt(at);
          this.colourLine(line, regions, tokens);
          at = line.to + 1;
        }
      }
      this.regions = Decoration.set(regions);
      this.tokens = Decoration.set(tokens);
    }

    /** @param {{ from: number, to: number, text: string }} line @param {any[]} regions @param {any[]} tokens */
    colourLine(line, regions, tokens) {
      const sql = sqlInLine(line.text);
      const parser = sql && parserOf(this.view, sql.options);
      if (!sql || !parser) return;
      const start = line.from + sql.at;
      regions.push(Decoration.mark({ class: "md-magic-line-sql" }).range(start, line.to));
      const highlighter = { style: (/** @type {any} */ tags) => highlightingFor(this.view.state, tags) };
      const mark = (/** @type {number} */ from, /** @type {number} */ to, /** @type {string} */ names) =>
        tokens.push(Decoration.mark({ class: names }).range(start + from, start + to));
      highlightTree(parser.parse(line.text.slice(sql.at)), highlighter, mark);
    }

    destroy() {
      plugins.delete(this);
    }
  }

  const plugin = ViewPlugin.fromClass(Plugin);
  const provide = (/** @type {"regions" | "tokens"} */ what) =>
    EditorView.decorations.of((/** @type {any} */ view) => view.plugin(plugin)?.[what] ?? Decoration.none);
  const theme = EditorView.baseTheme({
    ".md-magic-line-sql": { color: "var(--jp-content-font-color1)", fontWeight: "normal" },
  });
  /** Colour again: a parser has arrived. */
  function refresh() {
    for (const each of plugins) {
      each.isStale = true;
      each.view.dispatch({});
    }
  }
  // The higher the precedence, the further inside: the colours of SQL are seen, and not those of Python around them.
  return { extension: [plugin, Prec.high(provide("regions")), Prec.highest(provide("tokens")), theme], refresh };
}

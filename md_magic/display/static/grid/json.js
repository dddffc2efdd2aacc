// JSON as it is written: JavaScript's own parser would round its numbers.

/**
 * A value as its text, or what an object or an array holds: pairs of a name, as it is written, and a value.
 * @typedef {string | { open: "{" | "[", items: [name: string, value: Json][] }} Json
 */

const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}[\],:"]+))/y;
const DEEPEST = 500;

/**
 * Return the tree of a JSON text, or null where it is none, or too deep.
 * @param {string} text
 * @returns {Json | null}
 */
export function parseJson(text) {
  let at = 0;
  /** @type {{ mark: string, plain: string }} */
  let token = { mark: "", plain: "" };
  function next() {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError();
    at = TOKEN.lastIndex;
    token = { mark: match[1] ?? "", plain: match[2] ?? match[3] ?? "" };
  }
  /**
   * @param {number} depth
   * @returns {Json}
   */
  function value(depth) {
    if (token.plain) return token.plain;
    const open = token.mark;
    if (depth > DEEPEST || (open !== "{" && open !== "[")) throw new SyntaxError();
    const close = open === "{" ? "}" : "]";
    /** @type {[string, Json][]} */
    const items = [];
    next();
    while (token.mark !== close) {
      let name = `${items.length}`;
      if (open === "{") {
        if (!token.plain) throw new SyntaxError();
        name = token.plain;
        next();
        if (token.mark !== ":") throw new SyntaxError();
        next();
      }
      items.push([name, value(depth + 1)]);
      next();
      if (token.mark === ",") next();
      else if (token.mark !== close) throw new SyntaxError();
    }
    return { open, items };
  }
  try {
    next();
    const tree = value(0);
    return text.slice(at).trim() === "" ? tree : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

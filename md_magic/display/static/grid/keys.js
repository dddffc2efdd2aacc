// What the keyboard does in the rows: the cell that it moves, and its commands.
import { clamp } from "./scrolling.js";

/** @typedef {[row: number, column: number]} Cell A row and a position among the columns that are shown. */

/**
 * Return the cell that a key leads to, or null for a key that moves nothing.
 * @param {string} key
 * @param {object} from
 * @param {Cell | null} from.active
 * @param {Cell} from.first the first cell in sight, where the keyboard begins
 * @param {number} from.page rows
 * @param {number} from.rows of the view
 * @param {number} from.columns
 * @param {boolean} [far] as with Ctrl: to the end
 * @returns {Cell | null}
 */
export function step(key, { active, first, page, rows, columns }, far = false) {
  if (rows === 0) return null;
  const [row, column] = active ?? first;
  /** @type {Record<string, Cell>} */
  const steps = {
    ArrowDown: [row + 1, column],
    ArrowUp: [active ? row - 1 : row, column],
    ArrowRight: [row, column + 1],
    ArrowLeft: [row, column - 1],
    PageDown: [row + page, column],
    PageUp: [row - page, column],
    Home: [0, column],
    End: [rows - 1, column],
  };
  /** @type {Record<string, Cell>} */
  const ends = {
    ArrowDown: [rows - 1, column],
    ArrowUp: [0, column],
    ArrowRight: [row, columns - 1],
    ArrowLeft: [row, 0],
    Home: [0, 0],
    End: [rows - 1, columns - 1],
  };
  const leads = far ? ends : steps;
  if (!Object.hasOwn(leads, key)) return null;
  const [nextRow, nextColumn] = leads[key];
  return [clamp(nextRow, 0, rows - 1), clamp(nextColumn, 0, columns - 1)];
}

/**
 * Return what does a command that a key stands for, and says whether there was one.
 * @param {object} acts
 * @param {(headers: boolean) => boolean} acts.copy false: there is something else to copy
 * @param {(what: "all" | "rows" | "columns") => void} acts.select
 * @param {() => void} acts.menu
 * @param {() => void} acts.find
 * @param {(back: boolean) => void} acts.findNext
 * @param {() => void} acts.view
 * @param {() => void} acts.leave
 * @returns {(event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">) => boolean}
 */
export function commandsOf({ copy, select, menu, find, findNext, view, leave }) {
  return ({ key, shiftKey, ctrlKey, metaKey, altKey }) => {
    const name = ctrlKey || metaKey ? `Control ${key.toLowerCase()}` : `${altKey ? "Alt " : ""}${key}`;
    /** @type {Record<string, () => boolean | void>} */
    const commands = {
      "Control c": () => copy(shiftKey),
      "Control a": () => select("all"),
      "Control f": find,
      "Control  ": () => select("columns"),
      "Alt ArrowDown": menu,
      ContextMenu: menu,
      F3: () => findNext(shiftKey),
      Enter: view,
      Escape: leave,
    };
    if (shiftKey) Object.assign(commands, { " ": () => select("rows"), F10: menu });
    if (!Object.hasOwn(commands, name)) return false;
    return commands[name]() !== false;
  };
}

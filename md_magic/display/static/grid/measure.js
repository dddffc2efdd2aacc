// How wide a text is on the screen: a canvas measures it in the font of its element.

/** @typedef {(text: string) => number} Measure px of a text */
/** @typedef {{ cell: Measure, name: Measure, kind: Measure }} Measures */

const MEASURED = 600; // characters; what is longer is wider than any column
const ASCII = /^[\x20-\x7e]*$/;

/**
 * Return a text as a cell shows it, on one line.
 * @param {string} text
 */
export const oneLine = (text) => text.replace(/\r\n?|\n/g, "↵ ").replaceAll("\t", "⇥ ");

/**
 * Return what measures a text in the font of `element`. In a monospaced font that is a product for most texts.
 * @param {Element} element
 * @returns {Measure}
 */
function measureLike(element) {
  const { fontStyle, fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return (text) => text.length * Number.parseFloat(fontSize) * 0.62;
  context.font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
  const wide = context.measureText("W".repeat(20)).width / 20;
  const narrow = context.measureText("i".repeat(20)).width / 20;
  const isMonospaced = Math.abs(wide - narrow) < 0.01;
  return (text) => {
    const measured = text.slice(0, MEASURED);
    return isMonospaced && ASCII.test(measured) ? measured.length * wide : context.measureText(measured).width;
  };
}

/**
 * Return what measures the texts of cells and headers, with the fonts that elements of their classes have in `parent`.
 * @param {HTMLElement} parent in the page
 * @returns {Measures}
 */
export function measuresIn(parent) {
  const [cell, name, kind] = ["md-grid-cell", "md-grid-name", "md-grid-kind"].map((className) => {
    const probe = document.createElement(className === "md-grid-name" ? "button" : "div");
    probe.className = className;
    probe.style.visibility = "hidden";
    parent.append(probe);
    const measure = measureLike(probe);
    probe.remove();
    return measure;
  });
  return { cell, name, kind };
}

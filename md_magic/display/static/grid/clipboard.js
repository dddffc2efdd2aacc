// Text on its way to the clipboard. A browser lets it there only soon after a key or a click, so that the promise of the
// text is handed over where the browser takes one.

/** @type {(blob: Blob) => Promise<Blob>} */
const asText = async (blob) => new Blob([blob], { type: "text/plain" });

/**
 * Copy a text that is still to come. Fails where the text does, or the browser does not let it.
 * @param {Promise<Blob>} coming
 */
export async function copyText(coming) {
  if (typeof ClipboardItem === "function" && navigator.clipboard?.write) {
    try {
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": coming.then(asText) })]);
      return;
    } catch {
      // what failed may be the text, which fails again below, or a browser that wants no promise
    }
  }
  const text = await (await coming).text();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyByCommand(text); // without https there is no clipboard object
  }
}

/** @param {string} text */
function copyByCommand(text) {
  const focused = document.activeElement;
  const holder = document.createElement("textarea");
  holder.value = text;
  holder.style.cssText = "position: fixed; opacity: 0";
  document.body.append(holder);
  holder.select();
  const copied = document.execCommand("copy");
  holder.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  if (!copied) throw new Error("The browser did not let the text be copied.");
}

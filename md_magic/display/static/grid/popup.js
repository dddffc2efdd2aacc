// What opens above the grid: a menu, or a panel with anything in it. It lies in the browser's top layer, because what a
// notebook's output holds is clipped; Escape closes it, and the focus goes back.
import { make } from "../parts.js";

/** @typedef {{ text: string, keys?: string, disabled?: boolean, act: () => void }} MenuItem */

/**
 * Open a panel at an element. Returns what closes it.
 * @param {HTMLElement} parent
 * @param {HTMLElement} panel
 * @param {{ left: number, top: number, bottom: number }} at
 * @param {() => void} onclose called once
 */
export function openPopup(parent, panel, at, onclose) {
  panel.classList.add("md-grid-popup");
  panel.setAttribute("popover", "manual");
  parent.append(panel);
  panel.showPopover?.();
  const { width, height } = panel.getBoundingClientRect();
  const isBelow = at.bottom + height <= innerHeight || at.top < height;
  panel.style.left = `${Math.max(4, Math.min(at.left, innerWidth - width - 4))}px`;
  panel.style.top = `${Math.max(4, isBelow ? Math.min(at.bottom, innerHeight - height - 4) : at.top - height)}px`;
  let isOpen = true;
  const outside = (/** @type {Event} */ event) => {
    if (event.target instanceof Node && !panel.contains(event.target)) close();
  };
  function close() {
    if (!isOpen) return;
    isOpen = false;
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
    const hadFocus = panel.contains(document.activeElement);
    panel.remove();
    if (hadFocus) onclose();
  }
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  });
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", close);
  return close;
}

/**
 * Open a menu at an element.
 * @param {HTMLElement} parent
 * @param {string} label
 * @param {MenuItem[]} items
 * @param {{ left: number, top: number, bottom: number }} at
 * @param {() => void} onclose
 */
export function openMenu(parent, label, items, at, onclose) {
  const menu = make("div", "md-grid-menu");
  menu.role = "menu";
  menu.setAttribute("aria-label", label);
  const entries = items.map(({ text, keys, disabled, act }) => {
    const entry = make("div", "md-grid-item");
    Object.assign(entry, { role: "menuitem", tabIndex: -1 });
    entry.append(make("span", "", text));
    if (keys) entry.append(make("kbd", "", keys));
    if (disabled) entry.setAttribute("aria-disabled", "true");
    entry.onclick = () => {
      if (disabled) return;
      close();
      act();
    };
    menu.append(entry);
    return entry;
  });
  menu.onkeydown = (event) => {
    const at = entries.indexOf(/** @type {HTMLDivElement} */ (document.activeElement));
    const last = entries.length - 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, Home: 0, End: last };
    if (Object.hasOwn(steps, event.key)) entries[steps[event.key]].focus();
    else if (event.key === "Enter" || event.key === " ") entries[at]?.click();
    else if (event.key === "Tab") close();
    else return;
    event.preventDefault();
  };
  const close = openPopup(parent, menu, at, onclose);
  entries[0]?.focus();
}

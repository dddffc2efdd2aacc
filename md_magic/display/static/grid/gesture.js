// Pointers that drag something, and what they are above.

/**
 * Follow the pointer of a `pointerdown` until it is let go, wherever it is then.
 * @param {HTMLElement} element
 * @param {PointerEvent} down
 * @param {(event: PointerEvent) => void} onmove
 * @param {(event: PointerEvent, cancelled: boolean) => void} [onend]
 */
export function followPointer(element, down, onmove, onend) {
  const isSame = (/** @type {PointerEvent} */ event) => event.pointerId === down.pointerId;
  const moved = (/** @type {PointerEvent} */ event) => {
    if (isSame(event)) onmove(event);
  };
  const ended = (/** @type {PointerEvent} */ event) => {
    if (!isSame(event)) return;
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) element.removeEventListener(name, ended);
    element.removeEventListener("pointermove", moved);
    onend?.(event, event.type === "pointercancel");
  };
  element.setPointerCapture(down.pointerId);
  element.addEventListener("pointermove", moved);
  element.addEventListener("pointerup", ended);
  element.addEventListener("pointercancel", ended);
}

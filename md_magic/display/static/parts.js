// What several widgets need.

/**
 * What anywidget hands to `render`: the one trait, `view`, and custom messages to and from Python.
 * @template View
 * @typedef {object} Model
 * @property {(name: "view") => View} get
 * @property {(content: object) => void} send
 * @property {(event: string, callback: (message: any, buffers: any) => void) => void} on
 * @property {(event: string, callback: (message: any, buffers: any) => void) => void} off
 */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string | null} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/**
 * @param {string} className
 * @param {string} text
 * @param {() => void} onclick
 */
export function makeButton(className, text, onclick) {
  const element = make("button", `jupyter-button ${className}`, text);
  element.type = "button";
  element.onclick = onclick;
  return element;
}

/**
 * Keep keys in `element`, or a letter typed there would run a notebook command.
 * @param {HTMLElement} element
 */
export function keepKeys(element) {
  element.dataset.lmSuppressShortcuts = "true";
  element.onkeydown = (event) => event.stopPropagation();
}

/**
 * Copy what `code` shows, and say so for a moment on the button that was clicked.
 * @param {HTMLElement} code
 * @param {HTMLElement} trigger
 */
export async function copy(code, trigger) {
  const label = trigger.textContent;
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
  } catch {
    // Without https there is no clipboard object: select the text and copy as the Edit menu does.
    getSelection()?.selectAllChildren(code);
    document.execCommand("copy");
  }
  trigger.textContent = "Copied";
  setTimeout(() => {
    trigger.textContent = label;
  }, 1500);
}

/**
 * Send "hello" until `view.listens` says that the kernel handles messages while a cell runs. The first message of a comm
 * can leave before JupyterLab has made the subshell that handles it then. Returns a function that stops the sending.
 * @param {Model<{ listens?: boolean }>} model
 */
export function greet(model) {
  let calls = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  function call() {
    if (model.get("view").listens || ++calls > 5) clearInterval(timer);
    else model.send({ type: "hello" });
  }
  timer = setInterval(call, 400);
  call();
  return () => clearInterval(timer);
}

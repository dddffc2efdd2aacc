// The sign-in card. What it shows is the one trait `view`; what a person does goes back as custom messages, because a
// trait would put a token into the saved notebook. Text only ever becomes textContent.
import { copy, greet, keepKeys, make, makeButton } from "./parts.js";

/** @import { Model } from "./parts.js" */

/**
 * @typedef {object} SignInView empty before there is something to show
 * @property {"starting" | "waiting" | "failed" | "token only" | "over"} [state] `token only`: no web login can run here
 * @property {string | null} [link] the login's page
 * @property {string | null} [code] what that page shows, or asks for
 * @property {string | null} [page] where a token is created
 * @property {string | null} [reason] why somebody has to sign in again
 * @property {string | null} [message]
 * @property {number | null} [left] seconds until the login is given up
 * @property {string | null} [remember] empty where there is no keyring; `ticked` where the setting says so
 * @property {string | null} [kernel] its id at the Jupyter Server
 * @property {boolean} [listens] whether the kernel handles messages while a cell runs
 */

/** @type {(text: string, onclick: () => void) => HTMLButtonElement} */
const button = (text, onclick) => makeButton("md-signin-button", text, onclick);

/**
 * Whether `link` is an https page of MotherDuck, as the browser itself reads the address. No other becomes a link.
 * @param {string | null | undefined} link
 * @returns {link is string}
 */
export function isMotherDuckPage(link) {
  let url;
  try {
    url = new URL(link ?? "");
  } catch {
    return false;
  }
  const { protocol, hostname, port, username, password } = url;
  const host = hostname === "motherduck.com" || hostname.endsWith(".motherduck.com");
  return protocol === "https:" && host && !port && !username && !password;
}

/**
 * @param {string} className
 * @param {string} text
 */
function makeLink(className, text) {
  const link = make("a", className, text);
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

/** @returns {{ baseUrl: string, token?: string } | null} what the page knows of its Jupyter Server */
function server() {
  const text = document.getElementById("jupyter-config-data")?.textContent;
  return text ? JSON.parse(text) : null;
}

/**
 * Interrupt the kernel through its Jupyter Server: for kernels that read no messages while a cell runs.
 * @param {string} kernel
 */
function interrupt(kernel) {
  const { baseUrl, token } = server() ?? { baseUrl: "/" };
  const xsrf = (document.cookie.match(/(?:^|; )_xsrf=([^;]*)/) || [])[1] || "";
  /** @type {Record<string, string>} */
  const headers = { "X-XSRFToken": decodeURIComponent(xsrf), ...(token ? { Authorization: `token ${token}` } : {}) };
  const url = new URL(`${baseUrl}api/kernels/${encodeURIComponent(kernel)}/interrupt`, location.origin);
  return fetch(url, { method: "POST", credentials: "same-origin", headers });
}

/** @param {{ model: Model<SignInView>, el: HTMLElement }} context */
function render({ model, el }) {
  const card = make("section", "md-signin");
  card.setAttribute("aria-label", "Sign in to MotherDuck");
  keepKeys(card);

  const reason = make("p", "md-signin-reason");
  const status = make("p", "md-signin-status");
  status.setAttribute("role", "status");
  const left = make("span", "md-signin-left");

  const link = makeLink("md-signin-link", "Open MotherDuck's sign-in page");
  const address = make("code", "md-signin-address");
  const addressRow = make("p", "md-signin-other");
  addressRow.append("The login names this address, which is not one of motherduck.com. Open it only if you trust it: ");
  addressRow.append(address);
  const code = make("code", "md-signin-code");
  const copier = button("Copy code", () => copy(code, copier));
  const codeRow = make("div", "md-signin-row");
  codeRow.append(make("span", "", "It shows, or asks for, this code:"), code, copier);
  const steps = make("div", "md-signin-steps");
  steps.append(link, addressRow, codeRow);

  const retry = button("Try again", () => model.send({ type: "retry" }));
  const cancel = button("Cancel", () => {
    cancel.disabled = true;
    const view = model.get("view");
    if (view.listens) model.send({ type: "cancel" });
    else if (view.kernel) interrupt(view.kernel);
  });
  const hint = make("span", "md-signin-left", "To cancel, interrupt the kernel.");
  const bar = make("div", "md-signin-row");
  bar.append(retry, cancel, hint, left);

  const paste = make("div", "md-signin-paste");
  const explained = make("p", "md-signin-explained");
  const create = makeLink("md-signin-create", "Create a token");
  const field = make("input", "md-signin-field");
  Object.assign(field, { type: "password", autocomplete: "off", spellcheck: false, placeholder: "MotherDuck token" });
  field.setAttribute("aria-label", "MotherDuck token");
  const use = () => {
    if (!field.value.trim()) return;
    model.send({ type: "token", value: field.value.trim() });
    field.value = "";
  };
  field.onkeydown = (event) => {
    if (event.key === "Enter") use();
  };
  const fieldRow = make("div", "md-signin-row");
  const user = button("Use token", use);
  fieldRow.append(create, field, user);
  paste.append(explained, fieldRow);

  const tick = make("input");
  tick.type = "checkbox";
  tick.onchange = () => model.send({ type: "remember", value: tick.checked });
  const remember = make("label", "md-signin-row");
  remember.append(tick, "Remember me on this computer");

  card.append(make("h4", "md-signin-title", "Sign in to MotherDuck"), reason, status, steps, bar, paste, remember);
  el.append(card);

  let ends = 0;
  let asked = false; // whether the kernel had its time to say that it listens
  function draw() {
    const view = model.get("view");
    const state = view.state ?? "over";
    const alone = state === "token only"; // no web login can run here
    const open = state === "starting" || state === "waiting" || state === "failed" || alone;
    const trusted = isMotherDuckPage(view.link);
    card.hidden = state === "over";
    card.dataset.state = state;
    reason.textContent = view.reason ?? "";
    reason.hidden = !view.reason;
    status.textContent = view.message ?? "";
    steps.hidden = state !== "waiting";
    link.hidden = !trusted;
    if (isMotherDuckPage(view.link)) link.href = view.link;
    addressRow.hidden = trusted;
    address.textContent = trusted ? "" : (view.link ?? "");
    code.textContent = view.code ?? "";
    codeRow.hidden = !view.code;
    const interrupts = !view.listens && asked && view.kernel && server();
    retry.hidden = state !== "failed";
    cancel.hidden = !(view.listens || interrupts);
    hint.hidden = !asked || view.listens || Boolean(interrupts);
    bar.hidden = !open;
    paste.hidden = !open || !(view.listens || alone);
    explained.textContent = `${alone ? "Create" : "Or create"} a token on MotherDuck's page, and paste it here.`;
    create.hidden = !isMotherDuckPage(view.page);
    if (isMotherDuckPage(view.page)) create.href = view.page;
    for (const part of [field, user]) part.hidden = !view.listens; // elsewhere the token is asked for as input
    remember.hidden = !open || !view.listens || !view.remember;
    if (view.remember === "ticked" && tick.dataset.set !== "yes") {
      tick.checked = true;
      tick.dataset.set = "yes";
    }
    ends = performance.now() + 1000 * (view.left ?? 0);
    count();
  }
  function count() {
    const seconds = Math.max(0, Math.round((ends - performance.now()) / 1000));
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    left.textContent = seconds ? `${clock} left` : "";
  }
  const clock = setInterval(count, 500);
  const patience = setTimeout(() => {
    asked = true;
    draw();
  }, 1500);
  model.on("change:view", draw);
  draw();
  const hush = greet(model);
  return () => {
    hush();
    clearInterval(clock);
    clearTimeout(patience);
    model.off("change:view", draw);
  };
}

export default { render };

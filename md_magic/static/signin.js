// The sign-in card. What it shows is the one trait `view`; what a person does goes back as custom messages, because a
// trait would put a token into the saved notebook. Text only ever becomes textContent.
const button = (text, onclick) => makeButton("md-signin-button", text, onclick);

// Jupyter Server's own way to interrupt: for kernels that read no messages while a cell runs.
function server() {
  const text = document.getElementById("jupyter-config-data")?.textContent;
  return text ? JSON.parse(text) : null;
}

function interrupt(kernel) {
  const { baseUrl, token } = server();
  const xsrf = (document.cookie.match(/(?:^|; )_xsrf=([^;]*)/) || [])[1] || "";
  const headers = { "X-XSRFToken": decodeURIComponent(xsrf), ...(token ? { Authorization: `token ${token}` } : {}) };
  const url = new URL(`${baseUrl}api/kernels/${encodeURIComponent(kernel)}/interrupt`, location.origin);
  return fetch(url, { method: "POST", credentials: "same-origin", headers });
}

function render({ model, el }) {
  const card = make("section", "md-signin");
  card.setAttribute("aria-label", "Sign in to MotherDuck");
  keepKeys(card);

  const reason = make("p", "md-signin-reason");
  const status = make("p", "md-signin-status");
  status.setAttribute("role", "status");
  const left = make("span", "md-signin-left");

  const link = make("a", "md-signin-link", "Open MotherDuck's sign-in page");
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  const code = make("code", "md-signin-code");
  const copier = button("Copy code", () => copy(code, copier));
  const codeRow = make("div", "md-signin-row");
  codeRow.append(make("span", "", "It shows, or asks for, this code:"), code, copier);
  const steps = make("div", "md-signin-steps");
  steps.append(link, codeRow);

  const retry = button("Try again", () => model.send({ type: "retry" }));
  const cancel = button("Cancel", () => {
    cancel.disabled = true;
    if (model.get("view").listens) model.send({ type: "cancel" });
    else interrupt(model.get("view").kernel);
  });
  const hint = make("span", "md-signin-left", "To cancel, interrupt the kernel.");
  const bar = make("div", "md-signin-row");
  bar.append(retry, cancel, hint, left);

  const paste = make("details", "md-signin-paste");
  const field = make("input", "md-signin-field");
  Object.assign(field, { type: "password", autocomplete: "off", spellcheck: false, placeholder: "MotherDuck token" });
  field.setAttribute("aria-label", "MotherDuck token");
  const use = () => {
    if (!field.value.trim()) return;
    model.send({ type: "token", value: field.value.trim() });
    field.value = "";
  };
  field.onkeydown = (event) => { if (event.key === "Enter") use(); };
  const fieldRow = make("div", "md-signin-row");
  fieldRow.append(field, button("Use token", use));
  paste.append(make("summary", "", "Use a token instead"), fieldRow);

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
    const open = state === "starting" || state === "waiting" || state === "failed";
    card.hidden = state === "over";
    card.dataset.state = state;
    reason.textContent = view.reason ?? "";
    reason.hidden = !view.reason;
    status.textContent = view.message ?? "";
    steps.hidden = state !== "waiting";
    if (view.link?.startsWith("https://")) link.href = view.link;
    code.textContent = view.code ?? "";
    codeRow.hidden = !view.code;
    const interrupts = !view.listens && asked && view.kernel && server();
    retry.hidden = state !== "failed";
    cancel.hidden = !(view.listens || interrupts);
    hint.hidden = !asked || view.listens || Boolean(interrupts);
    bar.hidden = !open;
    paste.hidden = !open || !view.listens;
    remember.hidden = !open || !view.listens || !view.remember;
    if (view.remember === "ticked" && tick.dataset.set !== "yes") { tick.checked = true; tick.dataset.set = "yes"; }
    ends = performance.now() + 1000 * (view.left ?? 0);
    count();
  }
  function count() {
    const seconds = Math.max(0, Math.round((ends - performance.now()) / 1000));
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    left.textContent = seconds ? `${clock} left` : "";
  }
  const clock = setInterval(count, 500);
  const patience = setTimeout(() => { asked = true; draw(); }, 1500);
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

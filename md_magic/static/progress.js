// The live line of a running query. What it shows is the one trait `view`; Cancel goes back as a custom message. Text
// only ever becomes textContent.
function duration(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(rest)} s`;
}

function render({ model, el }) {
  const line = make("div", "md-progress");
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", "Running query");
  keepKeys(line);

  const bar = make("progress", "md-progress-bar");
  bar.max = 100;
  bar.setAttribute("aria-label", "Progress of the query");
  const share = make("span", "md-progress-share");
  const clock = make("span", "md-progress-clock");
  const rows = make("span");
  const statement = make("span");
  const target = make("span", "md-progress-target");
  let clicked = false;
  const cancel = makeButton("md-progress-cancel", "Cancel", () => {
    clicked = true;
    model.send({ type: "cancel" });
    draw();
  });
  const hint = make("span", "md-progress-hint", "interrupt the kernel to cancel");
  line.append(bar, share, clock, rows, statement, target, cancel, hint);
  el.append(line);

  let began = performance.now();
  let asked = false; // whether the kernel had its time to say that it listens
  function draw() {
    const view = model.get("view");
    line.hidden = view.target === undefined;
    if (line.hidden) return;
    const known = typeof view.percent === "number";
    bar.hidden = !known; // without an estimate there is a clock, and nothing that looks like one
    if (known) bar.value = view.percent;
    share.hidden = !known;
    share.textContent = known ? `${view.percent.toFixed(0)} %` : "";
    rows.hidden = typeof view.rows !== "number";
    rows.textContent = rows.hidden ? "" : `${view.rows.toLocaleString("en-US")} row${view.rows === 1 ? "" : "s"}`;
    statement.hidden = !(view.of > 1);
    statement.textContent = `statement ${view.statement} of ${view.of}`;
    target.textContent = view.target;
    const stopping = clicked || view.stopping;
    cancel.hidden = !view.listens;
    cancel.disabled = stopping;
    cancel.textContent = stopping ? "Cancelling ..." : "Cancel";
    hint.hidden = view.listens || !asked;
  }
  function count() {
    clock.textContent = duration(Math.max(0, performance.now() - began) / 1000);
  }
  function changed() {
    began = performance.now() - 1000 * (model.get("view").elapsed ?? 0);
    draw();
    count();
  }
  const ticking = setInterval(count, 100);
  const patience = setTimeout(() => { asked = true; draw(); }, 1500);
  model.on("change:view", changed);
  changed();
  const hush = greet(model);
  return () => {
    hush();
    clearInterval(ticking);
    clearTimeout(patience);
    model.off("change:view", changed);
  };
}

export default { render };

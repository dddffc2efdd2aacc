// What several screens need. This text stands before each of theirs, in one module.
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function makeButton(className, text, onclick) {
  const element = make("button", `jupyter-button ${className}`, text);
  element.type = "button";
  element.onclick = onclick;
  return element;
}

// Keep keys in `element`, or a letter typed there would run a notebook command.
function keepKeys(element) {
  element.dataset.lmSuppressShortcuts = "true";
  element.onkeydown = (event) => event.stopPropagation();
}

// Copy what `code` shows, and say so for a moment on the button that was clicked.
async function copy(code, trigger) {
  const label = trigger.textContent;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Without https there is no clipboard object: select the text and copy as the Edit menu does.
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  trigger.textContent = "Copied";
  setTimeout(() => { trigger.textContent = label; }, 1500);
}

// Say "hello" until the kernel says in `view.listens` that it hears messages while a cell runs. The first message of a
// comm can leave before Lab has made the subshell that hears it then. Returns what stops the saying.
function greet(model) {
  let calls = 0;
  let timer = 0;
  function call() {
    if (model.get("view").listens || ++calls > 5) clearInterval(timer);
    else model.send({ type: "hello" });
  }
  timer = setInterval(call, 400);
  call();
  return () => clearInterval(timer);
}


"""Hosts in a browser: JupyterLab, Notebook and the classic Notebook, driven by Chromium."""

from __future__ import annotations

import contextlib
import subprocess
import time
import urllib.error
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, CURRENT, READY
from tests.hosts import transcripts
from tests.hosts.batch import free_port, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.hosts.environments import Environment

TOKEN = "hosts"  # noqa: S105 - of servers on loopback that live for minutes
_DRAWN = ".md-grid-cell, .md-browse-row"


class Ui(NamedTuple):
    """How a front end is driven, in its own JavaScript."""

    ready: str
    count: str
    run: str
    """Runs the cell of a number, and then sets `window.ended`."""

    outputs: str
    cell: str
    """The CSS of a cell."""


LAB = Ui(
    f"() => window.jupyterapp?.shell && ({READY})('nb.ipynb')",
    f"() => {CURRENT}.content.widgets.length",
    f"""i => {{ const n = {CURRENT}.content; n.deselectAll(); n.activeCellIndex = i; window.ended = false;
    window.jupyterapp.commands.execute('notebook:run-cell').finally(() => {{ window.ended = true }}) }}""",
    f"i => {CURRENT}.content.widgets[i].model.outputs.toJSON()",
    ".jp-Notebook .jp-Cell",
)
CLASSIC = Ui(
    "() => window.Jupyter?.notebook?.kernel?.is_connected()",
    "() => Jupyter.notebook.get_cells().length",
    """i => { const cell = Jupyter.notebook.get_cells()[i]; window.ended = false;
    if (cell.cell_type !== 'code') { window.ended = true; return }
    cell.events.one('finished_execute.CodeCell', () => { window.ended = true }); cell.execute(false) }""",
    "i => { const cell = Jupyter.notebook.get_cells()[i]; return cell.output_area ? cell.output_area.toJSON() : [] }",
    "#notebook-container > .cell",
)


def lab(env: Environment, *options: str, gateway: bool = False) -> str:
    """Run the cells in JupyterLab; with *gateway*, the kernel is on another server."""
    write_notebook(env)
    with contextlib.ExitStack() as running:
        if gateway:
            remote = running.enter_context(_server(env, "jupyter-server"))
            options = (*options, f"--gateway-url={remote}", f"--GatewayClient.auth_token={TOKEN}")
        address = running.enter_context(_server(env, "jupyter-lab", "--LabApp.expose_app_in_browser=True", *options))
        return _in_browser(f"{address}/lab/tree/nb.ipynb?reset&token={TOKEN}")


def notebook(env: Environment) -> str:
    """Run the cells in Notebook 7."""
    write_notebook(env)
    with _server(env, "jupyter-notebook", "--JupyterNotebookApp.expose_app_in_browser=True") as address:
        return _in_browser(f"{address}/notebooks/nb.ipynb?token={TOKEN}")


def classic(env: Environment) -> str:
    """Run the cells in the classic Notebook: nbclassic has its front end, of Notebook 6."""
    write_notebook(env)
    with _server(env, "jupyter-nbclassic") as address:
        return _in_browser(f"{address}/notebooks/nb.ipynb?token={TOKEN}", CLASSIC)


remote_kernel = partial(lab, gateway=True)


@contextlib.contextmanager
def _server(env: Environment, command: str, *options: str) -> Iterator[str]:
    port = free_port()
    words = [
        *(str(env.python.parent / command), "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={env.work}", *options),
    ]
    with (env.folder / f"{command}.log").open("ab") as log:
        process = subprocess.Popen(words, env=env.variables, cwd=env.work, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}", timeout=5).close()
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.3)
            else:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def _in_browser(url: str, ui: Ui = LAB) -> str:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(url, wait_until="commit")
            page.wait_for_function(ui.ready, timeout=120_000)
            return "\n".join(_cell(page, ui, index) for index in range(page.evaluate(ui.count)))
        finally:
            browser.close()


def _cell(page: Page, ui: Ui, index: int) -> str:
    """Run a cell; its text says `(widget)` only where one is drawn."""
    page.evaluate(ui.run, index)
    page.wait_for_function("() => window.ended", timeout=300_000, polling=100)
    outputs: list[dict[str, Any]] = page.evaluate(ui.outputs, index)
    text = transcripts.of_outputs(outputs)
    if "(widget)" not in text:
        return text
    drawn = page.locator(ui.cell).nth(index).locator(_DRAWN).first
    with contextlib.suppress(Exception):
        drawn.wait_for(timeout=20_000)
        return text
    return text.replace("(widget)", "a widget that is not drawn")

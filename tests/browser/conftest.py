"""A real JupyterLab and a real Chromium, once per run; a notebook with a kernel of its own for each test.

Everything that Jupyter writes is in a temporary folder. The kernels' MotherDuck is the stand-in, and the browser finds
its activation page at the address that the real one has. The window is driven through `window.jupyterapp`, Lab's own
commands and models, which is quicker than clicking and does not depend on what is scrolled into view.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.motherduck.standin import texts
from tests.motherduck.standin.page import Page as ActivationPage
from tests.motherduck.standin.service import Service

ROOT = Path(__file__).parents[2]
ON_PATH = ROOT / "tests" / "motherduck" / "on_path"
REQUIRED = bool(os.environ.get("MD_MAGIC_REQUIRE_BROWSER"))
if REQUIRED:
    import playwright.sync_api as playwright
else:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
TOKEN = "browser-tests"  # noqa: S105 - of a server on loopback that lives as long as the tests
EMAIL = "ann@example.com"
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none", "kernelShutdown": True},  # every cell is in the DOM
    "docmanager-extension/plugin": {"autosave": False},
    "../@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},  # what the worst setting would save
}

CURRENT = "window.jupyterapp.shell.currentWidget"
READY = f"""name => {{ const w = {CURRENT}; const k = w?.sessionContext?.session?.kernel;
    return w?.context?.path === name && w.context.isReady && k?.connectionStatus === 'connected'
        && w.sessionContext.kernelDisplayStatus === 'idle' }}"""
START = f"""i => {{ const n = {CURRENT}.content; n.deselectAll(); n.activeCellIndex = i;
    n.widgets[i].model.executionCount = null;
    window.jupyterapp.commands.execute('notebook:run-cell') }}"""
# Not the kernel's status: with comms on subshells Lab shows "Idle" while the main shell runs a cell.
DONE = f"""i => {{ const m = {CURRENT}.content.widgets[i].model;
    return m.executionState === 'idle' && m.executionCount !== null && m.executionCount !== m.countBefore }}"""
COMMAND = """([name, args]) => { window.commandEnded = false;
    window.jupyterapp.commands.execute(name, args).finally(() => { window.commandEnded = true }) }"""
RESTART = f"""() => {{ window.commandEnded = false;
    {CURRENT}.sessionContext.session.kernel.restart().finally(() => {{ window.commandEnded = true }}) }}"""
CLOSE = """() => { for (const w of [...window.jupyterapp.shell.widgets('main')]) {
    if (w.context) w.context.model.dirty = false; w.close() } }"""


COLLABORATION = ("@jupyter/collaboration-extension", "@jupyter/docprovider-extension")
"""Extensions of JupyterLab that are installed for one test: documents behave otherwise with them."""


UNWANTED = ("jupysql-plugin",)
"""Extensions that come with the packages of other tests."""


class Lab:
    """A JupyterLab server; its kernels are on another server, *gateway*, where one is given."""

    def __init__(self, folder: Path, *, gateway: str = "", collaboration: bool = False) -> None:
        self.folder = folder
        self.gateway = gateway
        self.collaboration = collaboration
        self.notebooks = folder / "notebooks"
        self.service_folder = folder / "motherduck"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self._write_settings()
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            self._command(), stdout=self._log, stderr=subprocess.STDOUT, env=self._environment(), start_new_session=True
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.request("GET", "/api/status")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return self
        self.__exit__()
        raise RuntimeError((self.folder / "server.log").read_text()[-3000:])

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            for kernel in self.request("GET", "/api/kernels"):  # they are leaders of sessions of their own
                self.request("DELETE", f"/api/kernels/{kernel['id']}")
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def request(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(self.address + path, method=method, headers=headers)  # noqa: S310 - our server
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            body = response.read()
        return json.loads(body) if body else None

    def write(self, cells: tuple[str, ...]) -> str:
        """Write a notebook and return its name."""
        name = f"{uuid.uuid4().hex[:8]}.ipynb"
        empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        notebook = {
            "cells": [empty | {"id": uuid.uuid4().hex[:8], "source": source} for source in cells],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.notebooks / name).write_text(json.dumps(notebook))
        return name

    def _write_settings(self) -> None:
        for name in ("home", "config", "data", "runtime", "ipython", "notebooks"):
            (self.folder / name).mkdir()
        for name, values in SETTINGS.items():
            path = self.folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        if not self.collaboration:
            page = self.folder / "config" / "labconfig" / "page_config.json"
            page.parent.mkdir()
            page.write_text(json.dumps({"disabledExtensions": dict.fromkeys((*COLLABORATION, *UNWANTED), True)}))
            extensions = {"jupyter_server_ydoc": False, "jupyter_server_fileid": False}
            server = {"ServerApp": {"jpserver_extensions": extensions}}
            (self.folder / "config" / "jupyter_server_config.json").write_text(json.dumps(server))

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
            f"--port={self.address.rpartition(':')[2]}",
            "--port-retries=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.notebooks}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
            f"--LabApp.extra_labextensions_path={ROOT / 'md_magic' / 'labextension'}",  # this clone's, not that of an installation
            f"--JupyterNotebookApp.extra_labextensions_path={ROOT / 'md_magic' / 'labextension'}",
            *((f"--SQLiteYStore.db_path={self.folder / 'shared.db'}",) if self.collaboration else ()),
            *((f"--gateway-url={self.gateway}", f"--GatewayClient.auth_token={TOKEN}") if self.gateway else ()),
        ]

    def _environment(self) -> dict[str, str]:
        folders = {
            "HOME": "home",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "MD_STANDIN": "motherduck",
        }
        clean = {name: value for name, value in os.environ.items() if name.lower() != "motherduck_token"}
        return (
            clean
            | {name: str(self.folder / path) for name, path in folders.items()}
            | {
                "PYTHONPATH": os.pathsep.join([str(ON_PATH), str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "PYTHON_KEYRING_BACKEND": "tests.motherduck.standin.keyrings.FolderKeyring",
            }
        )


class Notebook:
    """A notebook that is open in the window, its kernel ready."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab = lab
        self.page = page
        self.name = name
        page.evaluate("name => { window.jupyterapp.commands.execute('docmanager:open', {path: name}) }", name)
        page.wait_for_function(READY, arg=name, timeout=60_000)

    def command(self, name: str, **arguments: object) -> None:
        """Run one of Lab's commands and wait for it: not by its promise, for which Playwright would wait for ever."""
        self.page.bring_to_front()  # a window behind another, which a test has closed, does not draw
        self.page.evaluate(COMMAND, [name, arguments])
        self.page.wait_for_function("() => window.commandEnded", timeout=20_000, polling=50)

    def start(self, index: int) -> None:
        """Run a cell and do not wait for it."""
        self.page.evaluate(START, index)

    def wait(self, index: int, seconds: float = 30) -> str:
        """Wait until a cell that was started is done, and return the text of its outputs."""
        self.page.wait_for_function(DONE, arg=index, timeout=seconds * 1000, polling=50)
        return self.text(index)

    def run(self, index: int, seconds: float = 30) -> str:
        self.start(index)
        return self.wait(index, seconds)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs, from the model: what is scrolled out of view is there too."""
        found = self.page.evaluate(f"i => {CURRENT}.content.widgets[i].model.outputs.toJSON()", index)
        return list(found)

    def text(self, index: int) -> str:
        return "".join(_text_of(output) for output in self.outputs(index))

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell").nth(index)

    def interrupt(self) -> None:
        self.command("notebook:interrupt-kernel")

    def restart(self) -> None:
        """Restart the kernel without the dialog, and by Lab itself: it would drop a cell that runs before it has heard."""
        self.page.evaluate(RESTART)
        self.page.wait_for_function("() => window.commandEnded", timeout=60_000, polling=50)
        self.page.wait_for_function(READY, arg=self.name, timeout=60_000)

    def save(self) -> str:
        """Save, and return the file's text."""
        self.command("docmanager:save")
        return (self.lab.notebooks / self.name).read_text()

    def close(self) -> None:
        self.page.evaluate(CLOSE)
        self.page.wait_for_function("() => [...window.jupyterapp.shell.widgets('main')].every(w => !w.context)")
        for session in self.lab.request("GET", "/api/sessions"):
            try:
                self.lab.request("DELETE", f"/api/sessions/{session['id']}")
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.NOT_FOUND:  # JupyterLab ends it as well
                    raise


def _text_of(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    text = output["text"] if output["output_type"] == "stream" else output["data"].get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs the browser last: until the end of the run Playwright keeps an event loop in this thread.

    Skip it where there is no browser; where one is required, its absence is a failure.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    if REQUIRED or Path(CHROMIUM).exists():
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=f"There is no Chromium at {CHROMIUM}."))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture(scope="session")
def page(lab: Lab, context: BrowserContext) -> Page:
    """Return the window with JupyterLab in it, loaded once: a full load takes seven seconds, a notebook two."""
    return load(lab, context)


def load(lab: Lab, context: BrowserContext, workspace: str = "") -> Page:
    """Return another window with *lab* in it; each has a *workspace* of its own where there are several."""
    page = context.new_page()
    page.goto(f"{lab.address}/lab{workspace and f'/workspaces/{workspace}'}?reset&token={TOKEN}", wait_until="commit")
    page.wait_for_function("() => window.jupyterapp?.shell", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored.then(() => null)")
    return page


@pytest.fixture
def notebook(lab: Lab, page: Page, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Return a function that opens a notebook with the given cells. A failing test leaves a screenshot."""
    opened: list[Notebook] = []

    def open_notebook(*cells: str) -> Notebook:
        opened.append(Notebook(lab, page, lab.write(cells)))
        return opened[-1]

    yield open_notebook
    if opened and getattr(request.node, "failed", False):
        page.screenshot(path=tmp_path / "failed.png")
    for one in opened[-1:]:
        one.close()


@pytest.fixture
def motherduck(lab: Lab, context: BrowserContext) -> Iterator[Service]:
    """Return a service as new, with one account, and its page where the browser looks for the real one."""
    shutil.rmtree(lab.service_folder, ignore_errors=True)
    service = Service(lab.service_folder)
    service.add_account(EMAIL)
    with ActivationPage(service, EMAIL) as served:

        def answer(route: Route) -> None:
            url = route.request.url.replace(texts.AUTH, served.url).replace(texts.APP, served.url)
            route.fulfill(response=route.fetch(url=url))

        for host in (texts.AUTH, texts.APP):
            context.route(f"{host}/**", answer)
        yield service
        for host in (texts.AUTH, texts.APP):
            context.unroute(f"{host}/**")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        item.failed = True  # type: ignore[attr-defined]
    return report

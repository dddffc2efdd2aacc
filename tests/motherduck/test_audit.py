"""The audit: a notebook in a real kernel is given a token in every way there is, and none of them is found anywhere."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.motherduck.standin.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
ON_PATH = Path(__file__).with_name("on_path")
KERNEL = "md-magic-audit"
WINDOW = 12
"""Characters: a piece of a token of this length counts as the token."""

FAILING = (
    "%%mdsql\nSELECT current_setting('motherduck_token')::INT",
    "%tb",
    "import sys, traceback; traceback.print_exception(sys.last_value)",
    "%%mdsql\nSELECT error(substr(current_setting('motherduck_token'), 30))",
)
SHOWING = (
    "%mdsql --whoami",
    "%mdsql --connections",
    "%mdsql --running",
    "%mdsql PRAGMA PRINT_MD_TOKEN",
    "%mdsql SELECT current_setting('motherduck_token') AS t",
    "%mdsql SELECT name, value FROM duckdb_settings() WHERE name LIKE '%token%'",
    "%mdsql --databases",
    "%mdsql --explain SELECT current_setting('motherduck_token') AS t",
    "%mdsql --analyze SELECT current_setting('motherduck_token') AS t",
    "%mdsql --profile SELECT current_setting('motherduck_token') AS t",
    "%mdsql --grid SELECT current_setting('motherduck_token') AS t",
    "%mdsql --browse",
    "%mdsql --save kept SELECT current_setting('motherduck_token') AS t",
    "%mdsql FROM kept",
    "%mdsql --background -o job SELECT current_setting('motherduck_token') AS t",
    "job.result()",
    "%mdsql --background -o job SELECT current_setting('motherduck_token')::INT",
    "job.exception(), job",
    "%mdsql --jobs",
    # what does not mention the token, and shows it all the same
    "%mdsql CREATE OR REPLACE VIEW audited AS SELECT current_setting('motherduck_token') AS t, 7 AS n",
    "%mdsql FROM audited",
    *(f"%mdsql --as {form} FROM audited" for form in ("polars", "arrow", "dict")),
    "list(get_ipython().run_line_magic('mdsql', '--as reader FROM audited'))",
    "%mdsql --grid FROM audited",
    "%mdsql --profile audited",
    "%mdsql --background -o job FROM audited",
    "job.result()",
    "%mdsql CREATE OR REPLACE MACRO audit() AS current_setting('motherduck_token')",
    "%mdsql SELECT {'a': [MAP {audit(): 1}], 'b': to_json([audit()])} AS nested, encode(audit()) AS bytes",
    "%mdsql PREPARE asking AS SELECT current_setting('motherduck_token') AS t",
    "%mdsql EXECUTE asking",
    "%mdsql PIVOT audited ON t USING sum(n)",
    "%mdsql EXPLAIN FROM range(9) t(i) WHERE i::VARCHAR = current_setting('motherduck_token')",
    "%mdsql --explain FROM range(9) t(i) WHERE i::VARCHAR = audit()",
    "%mdsql SELECT sql FROM duckdb_views() WHERE view_name = 'audited'",
)
REPEATING = (
    "%mdsql --engine x md:my_db?motherduck_token={}",
    "%mdsql md:my_db?motherduck_token={} --engine x",
    "%mdsql md:my_db?motherduck_tokn={}",
    "%mdsql --whoami SELECT '{}'",
    "%mdsql --as {}",
    "%mdsql --{}",
    "%%mdsql --limit {}\nSELECT 1",
)
"""Lines that are refused, with a token in them that the error may repeat."""

LOGS = """
import asyncio, logging, os, sys
logging.basicConfig(filename=LOG, level=logging.DEBUG, force=True)
for name in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool", "duckdb_engine", "md_magic", "asyncio", "keyring"):
    logging.getLogger(name).setLevel(logging.DEBUG)
asyncio.get_event_loop().set_debug(True)
"""
WALK = """
import gc, linecache, types
def _walk():
    magics = get_ipython().magics_manager.registry["MdsqlMagics"]
    skipped = (types.ModuleType, type, types.FrameType, type(get_ipython()))
    seen, todo, shown = {id(get_ipython().user_ns), id(os.environ), id(sys.modules)}, [magics._session], []
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, skipped) or type(one).__module__.startswith("tests.motherduck.standin"):
            continue
        seen.add(id(one))
        try:
            shown.append(f"{type(one).__qualname__} {one!r} {one!s}")
        except Exception as error:
            shown.append(f"{type(one).__qualname__} {error}")
        if type(one).__name__ == "Secret":
            continue
        if isinstance(one, types.FunctionType):  # not the globals of its module
            todo += [one.__closure__, one.__defaults__, one.__kwdefaults__]
        elif not (isinstance(one, dict) and "__builtins__" in one):
            todo += gc.get_referents(one)
    return shown
_shown = _walk()
with open(WALKED, "w", errors="replace") as _file:
    _file.write("\\n".join([*_shown, repr(linecache.cache), repr(In), repr(vars(get_ipython().history_manager))]))
print(len(_shown))
"""


class Front:
    """A front end with a person: it runs cells, clicks in the card, and keeps all that the kernel publishes."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.manager = KernelManager(kernel_name=KERNEL)
        self.manager.start_kernel(cwd=str(folder), env=environ)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.published: list[dict[str, Any]] = []
        self.client.control_channel.send(self.client.session.msg("create_subshell_request"))
        self.subshell = self.client.get_control_msg(timeout=60)["content"]["subshell_id"]

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, source: str, clicks: tuple[dict[str, object], ...] = ()) -> list[dict[str, Any]]:
        """Run a cell, do *clicks* in its card, and return what it published, its source aside."""
        request = self.client.execute(source, allow_stdin=True, stop_on_error=False)
        mine = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            card = message["content"].get("data", {}).get("application/vnd.jupyter.widget-view+json")
            if message["msg_type"] == "display_data" and card:  # nobody clicks before there is something to see
                for content in clicks:
                    self.click(card["model_id"], content)
                clicks = ()
            if message["msg_type"] != "execute_input":
                self.published.append(message)
                mine.append(message["content"])
            over = message["content"].get("execution_state") == "idle"
            if over and message["parent_header"].get("msg_id") == request:
                return mine

    def click(self, card: str, content: dict[str, object]) -> None:
        """Send what a person does in the card, as JupyterLab does while the cell runs."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": card, "data": data})
        message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path / "service")


@pytest.fixture
def environ(tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a kernel whose home, temporary folder and history are in *tmp_path*."""
    spec = tmp_path / "jupyter" / "kernels" / KERNEL
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    folders = {name: tmp_path / name for name in ("kernel_home", "temporary")}
    for folder in folders.values():
        folder.mkdir()
    kept = {name: value for name, value in os.environ.items() if name != "MOTHERDUCK_HOME"}
    return kept | {
        "HOME": str(folders["kernel_home"]),
        "IPYTHONDIR": str(folders["kernel_home"] / "ipython"),
        "TMPDIR": str(folders["temporary"]),
        "MD_STANDIN": str(service.folder),
        "PYTHONPATH": os.pathsep.join([str(ON_PATH), str(ROOT)]),
        "PYTHON_KEYRING_BACKEND": "tests.motherduck.standin.keyrings.FolderKeyring",
        "JPY_SESSION_NAME": "audit.ipynb",  # a front end that shows widgets
    }


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Front]]:
    started: list[Front] = []

    def start(environ: dict[str, str]) -> Front:
        started.append(Front(tmp_path / "work", environ))
        return started[-1]

    yield start
    for one in started:
        one.close()


def pieces(token: str) -> set[str]:
    """Return the token's parts in pieces. The first is the same in every token, and tells nothing."""
    return {part[at : at + WINDOW] for part in token.split(".")[1:] for at in range(0, len(part) - WINDOW + 1, 3)}


def found(text: str, tokens: dict[str, str]) -> list[str]:
    """Return the ways whose token, or a piece of it, is in *text*, with what stands there."""
    hits = []
    for way, token in tokens.items():
        for piece in pieces(token):
            if piece in text:
                at = text.index(piece)
                hits.append(f"{way}: ...{text[max(0, at - 120) : at + 40]}...")
                break
    return hits


def test_no_token_is_found_anywhere(  # noqa: PLR0915 - one notebook, from its first cell to its last
    tmp_path: Path, service: Service, environ: dict[str, str], front: Callable[[dict[str, str]], Front]
) -> None:
    ways = ("lower", "upper", "config", "uri", "cli", "web", "typed", "keyring", "refused")
    tokens = {way: service.add_account(f"{way}@example.com").token for way in ways}
    refused = service.account_of(tokens["refused"])
    assert refused is not None
    service.revoke(refused)
    for way in ("config", "refused"):
        (service.folder / f"{way}.txt").write_text(tokens[way])
    environ |= {"motherduck_token": tokens["lower"], "MOTHERDUCK_TOKEN": tokens["upper"]}
    kernel = front(environ)
    shown: list[str] = []

    def works(way: str, source: str, *clicks: dict[str, object]) -> None:
        """Run the cell that opens with a token, look at everything that shows something, and fail in each way."""
        outputs = repr(kernel.run(source, clicks))
        assert f"{way}@example.com" in outputs
        for cell in (*SHOWING, *FAILING):
            outputs = repr(kernel.run(cell))
            shown.append(f"{way}: {cell}\n{outputs}")
            assert cell not in FAILING[::3] or "StatementError" in outputs
        kernel.run("%mdsql --close-all")

    names = f"LOG, WALKED = {str(tmp_path / 'debug.log')!r}, {str(tmp_path / 'walked.txt')!r}"
    kernel.run(names + LOGS)
    kernel.run("%load_ext md_magic")
    owner = "SELECT email FROM owner"
    works("lower", f"%%mdsql md:my_db\n{owner}")
    kernel.run("del os.environ['motherduck_token']")
    works("upper", f"%%mdsql duckdb:///md:my_db\n{owner}")
    kernel.run("del os.environ['MOTHERDUCK_TOKEN']")
    kernel.run(f"settings = {{'motherduck_token': open({str(service.folder / 'config.txt')!r}).read()}}")
    works("config", f"%%mdsql md:my_db --config settings --alias kept\n{owner}")
    works("uri", f"%%mdsql duckdb:///md:my_db?motherduck_token={tokens['uri']}\n{owner}")
    for cell in REPEATING:
        outputs = repr(kernel.run(cell.format(tokens["uri"])))
        shown.append(f"uri: {cell}\n{outputs}")
        assert "Error" in outputs
    kernel.run("import duckdb; con = duckdb.connect('md:my_db', config={**settings})")  # the user's own
    for cell in ("SELECT current_setting('motherduck_token') AS t", "SELECT current_setting('motherduck_token')::INT"):
        outputs = repr(kernel.run(f"%%mdsql --engine con\n{cell}"))
        shown.append(f"own: {cell}\n{outputs}")
        assert "***" in outputs
    kernel.run("%mdsql --close-all")
    command_line = Path(environ["HOME"]) / ".motherduck" / "credentials.json"
    command_line.parent.mkdir()
    command_line.write_text(json.dumps({"token": tokens["cli"]}))
    works("cli", f"%%mdsql md:my_db\n{owner}")
    command_line.unlink()

    def approve() -> None:
        code = service.wait_for_login(20)
        for login in service.recorded("login"):
            for name in ("cmdline", "environ"):
                text = Path(f"/proc/{login['pid']}/{name}").read_bytes().decode("latin-1")
                shown.append(f"child: {text}")
                assert "motherduck_token=" not in text.lower() or service.deny(code)
        service.approve(code, "web@example.com")

    service.be(prompt="2023", pragma="prints", stream=2)  # the driver that prints the token itself
    person = threading.Thread(target=approve)
    person.start()
    works("web", f"%%mdsql md:my_db\n{owner}")
    person.join()
    assert [text for text in shown if text.startswith("child: ") and "login_child" in text]
    service.be(prompt="1.2", pragma="row", stream=1)
    kernel.run("%mdsql --logout")
    works("typed", f"%%mdsql md:\n{owner}", {"type": "token", "value": tokens["typed"]})
    kernel.run("%mdsql --logout")
    remember = {"type": "remember", "value": True}
    works("keyring", f"%%mdsql md:\n{owner}", remember, {"type": "token", "value": tokens["keyring"]})
    kernel.run(f"settings['motherduck_token'] = open({str(service.folder / 'refused.txt')!r}).read()")
    outputs = repr(kernel.run("%%mdsql md:my_db --config settings\nSELECT 1", ({"type": "cancel"},)))
    assert "was cancelled" in outputs
    kernel.run("%mdsql md:")
    assert int(kernel.run(WALK)[1]["text"]) > 100  # what there was to walk through
    kernel.run("get_ipython().history_manager.writeout_cache()")

    assert found("\n".join(shown), tokens) == []
    assert found(json.dumps(kernel.published, default=str), tokens) == []
    walked, log = (tmp_path / name for name in ("walked.txt", "debug.log"))
    assert found(walked.read_text(), tokens) == []
    assert "FROM owner" in log.read_text()
    assert found(log.read_text(), tokens) == []
    files = [path for path in tmp_path.rglob("*") if path.is_file() and service.folder not in path.parents]
    assert "history.sqlite" in {path.name for path in files}
    for path in files:
        assert found(path.read_bytes().decode("latin-1"), tokens) == [], path
    kept = (service.folder / "keyring.json").read_text()  # the one place that the person chose
    assert [way for way in tokens if tokens[way] in kept] == ["keyring"]


@pytest.mark.parametrize("cell", ["%%mdsql md:my_db\nSELECT 1", "%mdsql --login"])
def test_without_a_person_a_missing_token_fails_at_once(
    tmp_path: Path, service: Service, environ: dict[str, str], cell: str
) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in ("%load_ext md_magic", cell)]
    )
    client = NotebookClient(notebook, timeout=300, kernel_name=KERNEL, resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(CellExecutionError, match="No MotherDuck token was found"):
        client.execute(env=environ)
    (output,) = notebook.cells[1].outputs
    assert output.output_type == "error"
    for way in ("motherduck_token", "--config", "motherduck login", "remember me"):
        assert way in output.evalue
    assert service.recorded("login") == service.recorded("connect") == []

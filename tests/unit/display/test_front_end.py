"""What is asked of a front end, and what becomes of its answer. Real ones answer in `tests/kernel` and `tests/browser`."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import anywidget
import pytest

from md_magic.display import host
from md_magic.display.front_end import FrontEnd

comm = pytest.importorskip("comm", reason="ipykernel before 6.18 has comms of its own: no front end is asked there.")


class Shell:
    """A kernel's shell with a person before it."""

    kernel = object()

    def __init__(self, *, allow_stdin=True):
        self.front_end = FrontEnd()
        magics = SimpleNamespace(widgets="auto", cell_allows_input=allow_stdin, front_end=self.front_end)
        self.magics_manager = SimpleNamespace(registry={"MdsqlMagics": magics})
        self.get_parent = lambda: {"content": {"allow_stdin": allow_stdin}}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """Take away what the environment tells."""
    for name in [name for name in os.environ if name.startswith(("JPY_", "VSCODE_"))]:
        monkeypatch.delenv(name)


def test_nobody_is_asked_in_a_batch_run_or_where_the_environment_tells(monkeypatch):
    batch = Shell(allow_stdin=False)
    batch.front_end.ask(batch)
    assert batch.front_end._comm is None
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    lab = Shell()
    lab.front_end.ask(lab)
    assert (host.host(lab), lab.front_end._comm) == ("widgets", None)


def test_it_is_asked_once_and_no_answer_is_needed():
    shell = Shell()
    shell.front_end.ask(shell)
    asked = shell.front_end._comm
    shell.front_end.ask(shell)
    assert asked is not None
    assert shell.front_end._comm is asked
    assert host.host(shell) == "unsure"
    assert host.host(shell) in host.GETS_WIDGETS


def test_its_widget_says_that_there_are_widgets():
    shell = Shell()
    shell.front_end.ask(shell)
    comm = shell.front_end._comm
    comm.handle_msg({"content": {"data": {"method": "update", "state": {}}}})
    assert host.host(shell) == "unsure"
    comm.handle_msg({"content": {"data": {"method": "custom", "content": {"type": "here"}}}})
    assert host.host(shell) == "widgets"
    assert comm._closed


def test_a_closed_comm_says_that_there_are_none():
    shell = Shell()
    shell.front_end.ask(shell)
    shell.front_end._comm.handle_close({"content": {"data": {}}})
    assert host.host(shell) == "stdin"
    shell.front_end.forget()


def test_asking_imports_no_widgets():
    code = (
        "import sys\nfrom md_magic.display.front_end import _open_comm\n"
        "_open_comm(print, print)\nassert not {'anywidget', 'ipywidgets', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_what_is_asked_is_what_ipywidgets_would_ask(monkeypatch):
    opened = []

    def create_comm(**sent):
        opened.append(sent)
        return comm.DummyComm(**sent)

    monkeypatch.setattr(comm, "create_comm", create_comm)
    shell = Shell()
    shell.front_end.ask(shell)
    anywidget.AnyWidget()
    sent, real = opened[0], opened[-1]
    theirs = real["data"]["state"]
    ours = {name: value for name, value in sent["data"]["state"].items() if name not in {"_esm", "_anywidget_id"}}
    assert ours == {name: theirs[name] for name in ours}
    assert {"_model_module", "_model_module_version", "_model_name"} <= ours.keys()
    assert (sent["target_name"], sent["metadata"]) == (real["target_name"], real["metadata"])

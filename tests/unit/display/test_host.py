"""How the JavaScript of a widget is put together."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from md_magic.display import host

STATIC = Path(host.__file__).with_name("static")
WIDGETS = sorted(path.stem for path in STATIC.glob("*.js") if path.stem != "parts")
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def test_the_files_of_a_widget_stand_once_each_after_what_they_import():
    script = host.script("grid")
    sources = [STATIC / "parts.js", STATIC / "grid.js", *STATIC.glob("grid/*.js")]
    names = [name for path in sources for name in DECLARED.findall(path.read_text())]
    assert sorted(DECLARED.findall(script)) == sorted(names)
    position = {name: script.index(f"{name}") for name in ("class Scrolling", "class Columns", "class Grid ")}
    assert list(position) == sorted(position, key=position.__getitem__)


@pytest.mark.parametrize("name", WIDGETS)
def test_a_script_is_one_module_without_imports(name):
    script = host.script(name)
    assert not re.findall(r"^import\b.*", script, re.MULTILINE)
    assert re.findall(r"^export\b.*", script, re.MULTILINE) == ["export default { render };"]


@pytest.mark.parametrize("name", WIDGETS)
def test_no_two_files_of_a_widget_declare_the_same_name(name):
    names = DECLARED.findall(host.script(name))
    assert sorted(names) == sorted(set(names))
    assert "make" in names


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_has_its_script_and_its_style(name):
    widget = host.make(name, {"listens": True})
    try:
        assert widget._esm == host.script(name)
        assert widget._css == (STATIC / f"{name}.css").read_text()
        assert type(widget).__name__ == f"md_magic_{name}"
    finally:
        host.close(widget)


class Kernel:
    """A shell of a kernel, with the setting `widgets` and with what it knows of the last cell."""

    kernel = object()

    def __init__(self, content, widgets="auto", *, cell_allows_input=False):
        magics = SimpleNamespace(widgets=widgets, cell_allows_input=cell_allows_input)
        self.magics_manager = SimpleNamespace(registry={"MdsqlMagics": magics})
        if content is not None:
            self.get_parent = lambda: {"content": content}


@pytest.mark.parametrize(
    ("setting", "content", "jupyter", "shows", "asks"),
    [
        ("auto", {"allow_stdin": True}, True, "widgets", "widgets"),
        ("auto", {"allow_stdin": True}, False, "unsure", "unsure"),
        ("on", {"allow_stdin": True}, False, "widgets", "widgets"),
        ("off", {"allow_stdin": True}, True, "stdin", "stdin"),
        ("auto", {"allow_stdin": False}, True, "batch", "batch"),
        ("on", {"allow_stdin": False}, False, "widgets", "batch"),
        ("off", {"allow_stdin": False}, True, "batch", "batch"),
        ("auto", None, False, "unsure", "unsure"),
        ("on", None, False, "widgets", "widgets"),
        ("off", None, True, "stdin", "stdin"),
    ],
)
def test_the_setting_says_what_is_shown_and_never_that_somebody_is_there(
    monkeypatch, setting, content, jupyter, shows, asks
):
    for name in [name for name in os.environ if name.startswith(("JPY_", "VSCODE_"))]:
        monkeypatch.delenv(name)
    if jupyter:
        monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    shell = Kernel(content, setting)
    assert (host.host(shell), host.host_of_person(shell)) == (shows, asks)


@pytest.mark.parametrize(("attended", "where"), [(True, "widgets"), (False, "batch")])
def test_the_callback_of_a_widget_counts_as_its_cell(monkeypatch, attended, where):
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    comm_msg = {"comm_id": "1", "data": {"method": "update"}}
    assert host.host(Kernel(comm_msg, cell_allows_input=attended)) == where


@pytest.mark.parametrize("setting", ["on", "off"])
def test_without_a_kernel_there_are_no_widgets_to_switch(monkeypatch, setting):
    monkeypatch.setattr(sys, "stdin", None)
    shell = Kernel({"allow_stdin": True}, setting)
    shell.kernel = None
    assert host.host(shell) == "batch"


def test_a_kernel_that_does_not_tell_has_no_request():
    assert host.request(Kernel(None)) == {}
    assert host.request(SimpleNamespace(get_parent=lambda: None)) == {}

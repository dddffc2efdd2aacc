"""What is loaded in a thread for what will need it."""

from __future__ import annotations

import importlib
import sys
import threading

import pytest

from md_magic import threads


def loading(module):
    return [thread for thread in threading.enumerate() if thread.name == f"md_magic loads {module}"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "md_magic_slow_to_load.py"
    sys.modules.pop("md_magic_slow_to_load", None)


def test_a_module_is_loaded_once_and_beside_what_runs(module):
    module.write_text("import threading\nby = threading.current_thread().name\n")
    threads.load_early(module.stem)
    for thread in loading(module.stem):
        thread.join(20)
    loaded = sys.modules[module.stem]
    assert loaded.by == f"md_magic loads {module.stem}"
    threads.load_early(module.stem)
    assert loading(module.stem) == []


def test_what_cannot_be_loaded_says_so_where_it_is_needed_alone(module, monkeypatch):
    module.write_text("raise RuntimeError('not today')\n")
    said = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    threads.load_early(module.stem)
    for thread in loading(module.stem):
        thread.join(20)
    assert said == []
    with pytest.raises(RuntimeError, match="not today"):
        importlib.import_module(module.stem)


def test_a_python_without_threads_loads_nothing_early(module, monkeypatch):
    module.write_text("")
    monkeypatch.setattr(threads, "available", lambda: False)
    threads.load_early(module.stem)
    assert module.stem not in sys.modules
    assert loading(module.stem) == []

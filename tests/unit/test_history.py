"""A token that was typed into a cell is gone from everything that IPython remembers."""

from __future__ import annotations

import atexit
import sys
import time
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from md_standin.service import make_token
from traitlets.config import Config

from md_magic import history
from md_magic.auth import tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ("md_standin.fixtures",)

TOKEN = make_token("ann@example.com")
CELL = f"uri = 'md:my_db?motherduck_token={TOKEN}'"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Return a shell of its own, whose history is a file in a temporary folder."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.hist_file = str(tmp_path / "history.sqlite")
    kept = {name: getattr(sys, name) for name in ("displayhook", "excepthook")}
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config, user_ns={})
    yield shell
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
    InteractiveShell.clear_instance()
    for name, value in kept.items():
        setattr(sys, name, value)


def run(shell: InteractiveShell, *cells: str) -> None:
    for cell in cells:
        assert shell.run_cell(cell, store_history=True).success


@pytest.mark.parametrize("after", [0, 1, 2, 3], ids=lambda after: f"{after} cells later")
def test_it_is_in_no_list_variable_or_file(shell: InteractiveShell, tmp_path: Path, after: int) -> None:
    run(shell, CELL, *["1 + 1"] * after)
    time.sleep(0.1)  # for the thread that writes
    history.forget(shell, tokens_in(CELL))
    run(shell, "2 + 2")
    manager = shell.history_manager
    shown = repr([manager.input_hist_raw, manager.input_hist_parsed, vars(manager), manager.db_input_cache])
    shown += repr({name: value for name, value in shell.user_ns.items() if name.startswith(("_", "In"))})
    shown += repr(list(manager.get_range(raw=True)))
    manager.writeout_cache()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("history.sqlite*"))
    for part in TOKEN.split("."):
        assert part not in shown
        assert part.encode() not in files


def test_other_cells_stay_as_they_are(shell: InteractiveShell) -> None:
    run(shell, "a = 1", CELL)
    history.forget(shell, tokens_in(CELL))
    assert shell.history_manager.input_hist_raw[1:] == ["a = 1", "uri = 'md:my_db?motherduck_token=***'"]


def test_a_shell_without_a_history_is_left_alone() -> None:
    history.forget(object(), tokens_in(CELL))

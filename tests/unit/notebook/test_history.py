"""A token that was typed into a cell is gone from everything that IPython remembers."""

from __future__ import annotations

import atexit
import gc
import itertools
import linecache
import sys
import time
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from md_magic.auth.token import tokens_in
from md_magic.notebook import history
from tests.motherduck.standin.service import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


@pytest.mark.parametrize(
    "cell",
    [
        "%mdsql --close postgresql://u:hunter2022@127.0.0.1:1/db",
        "%mdsql --login postgresql://u:hunter2022@127.0.0.1:1/db",
        "%mdsql postgresql://u:hunter2022@127.0.0.1:1/db --bogus",
        "%mdsql postgresql+psycopg://u:hunter2022@127.0.0.1:1/db --engine x",
        "%mdsql nosuch://u:hunter2022@127.0.0.1:port/db SELECT 1",
        "%mdsql mysql+pymysql://h/db?password=hunter2022 --bogus",
        "%%mdsql postgresql://u:hunter2022@127.0.0.1:1/db\nSELECT 1",
        "%%mdsql\nATTACH 'postgres://u:hunter2022@127.0.0.1:1/db' AS p (TYPE nosuch)",
        "%%mdsql\nCREATE SECRET s (TYPE nosuch, KEY_ID 'k', SECRET 'hunter2022')",
        "%%mdsql\nSET s3_secret_access_key = 'hunter2022'",
        "%mdsql SET s3_secret_access_key = 'hunter2022'",
        "%mdsql --close postgresql://u:hunter@127.0.0.1:1/db",
        "%mdsql --close postgresql://u:hunte@127.0.0.1:1/db",
    ],
)
def test_a_password_is_gone_whatever_became_of_the_cell(shell: InteractiveShell, tmp_path: Path, cell: str) -> None:
    run(shell, "%load_ext md_magic")
    try:
        shell.run_cell(cell, store_history=True)
        run(shell, "1 + 1")
        manager = shell.history_manager
        shown = repr([manager.input_hist_raw, manager.input_hist_parsed, vars(manager), manager.db_input_cache])
        shown += repr({name: value for name, value in shell.user_ns.items() if name.startswith(("_", "In"))})
        manager.writeout_cache()
        files = b"".join(path.read_bytes() for path in tmp_path.glob("history.sqlite*"))
        assert "mdsql" in shown
        assert "hunte" not in shown
        assert b"hunte" not in files
    finally:
        run(shell, "%unload_ext md_magic")


def test_others_may_add_lines_and_variables_meanwhile(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector runs Python's code between any two allocations, and so may another thread."""
    monkeypatch.setattr(linecache, "cache", {f"<cell {at}>": (1, None, ["1\n"], "") for at in range(5000)})
    shell.user_ns |= {f"v{at}": at for at in range(5000)}
    added = itertools.count()

    def add(_phase: str, _info: object) -> None:
        linecache.cache[f"<other {next(added)}>"] = (1, None, ["1\n"], "")
        shell.user_ns[f"other_{next(added)}"] = 1

    threshold = gc.get_threshold()
    gc.callbacks.append(add)
    gc.set_threshold(1)
    try:
        history.forget(shell, tokens_in(CELL))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(add)
    assert next(added) > 0

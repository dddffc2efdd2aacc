"""Isolation for every test: no token, no configuration and no history of the person who runs it gets in."""

from __future__ import annotations

import atexit
import os
import re
import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ("tests.motherduck.standin.fixtures",)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has its jobs in the background born so, and CI may
    signal.signal(signal.SIGINT, signal.default_int_handler)


NO_ANSWER = ("TimeoutError", "TIMEOUT", "Empty")
"""How Playwright, pexpect and jupyter_client say that what was waited for did not come."""

AGAIN = {
    "browser": (*NO_ANSWER, "AssertionError"),  # a page may show a moment too early or too late
    "kernel": NO_ANSWER,
    "motherduck": NO_ANSWER,
    "terminal": NO_ANSWER,
}
"""The failures after which a test runs once more, by the folder of tests that wait for another process."""


def pytest_collection_modifyitems(config, items):
    """Leave out the soak, the fuzz run and Spark, unless `-m` names them: they take minutes.

    A test that waited in vain for another process runs once more, and the report names it: on a busy machine a
    kernel's first message is lost now and then, behind a gateway for good. What is wrong fails twice.
    """
    for item in items:
        if failures := AGAIN.get(item.path.relative_to(Path(__file__).parent).parts[0]):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=list(failures)))
    unnamed = {"soak", "spark", "fuzz"} - set(re.findall(r"\w+", config.option.markexpr))
    left_out = [item for item in items if any(mark.name in unnamed for mark in item.iter_markers())]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    """Keep out the home folder, IPython's profile and MotherDuck tokens; work in an empty folder."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "MOTHERDUCK_HOME"):
        monkeypatch.setenv(name, str(home))
    for name in list(os.environ):
        if name.lower() == "motherduck_token":
            monkeypatch.delenv(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def ip():
    """Give IPython's shell, without a history on the disk; md_magic is unloaded from it at the end."""
    from IPython.core.interactiveshell import InteractiveShell  # most tests need none
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"hist_file": ":memory:"}}))  # no file left open
    made.history_manager.enabled = False
    made.colors = "nocolor"
    yield made
    made.run_line_magic("unload_ext", "md_magic")
    made.history_manager.end_session()
    atexit.unregister(made.atexit_operations)  # hundreds of them collect garbage for minutes when the tests are over
    InteractiveShell.clear_instance()


settings.register_profile("md_magic", deadline=None)  # the first example opens DuckDB; the machine may be busy
settings.load_profile("md_magic")

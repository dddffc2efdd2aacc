"""Isolation for every test: no token, no configuration and no history of the person who runs it gets in."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings


def pytest_collection_modifyitems(config, items):
    """Leave the soak out, unless `-m` names it: it takes minutes."""
    if "soak" in config.option.markexpr:
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    items[:] = [item for item in items if item not in soaks]
    config.hook.pytest_deselected(items=soaks)


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


settings.register_profile("md_magic", deadline=None)  # the first example opens DuckDB; the machine may be busy
settings.load_profile("md_magic")

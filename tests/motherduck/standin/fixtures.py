"""Fixtures: `motherduck`, a service of its own for each test, which this process and its children connect to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.motherduck.standin import client
from tests.motherduck.standin.service import VARIABLE, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
ON_PATH = Path(__file__).parents[1] / "on_path"
PYTHONPATH = os.pathsep.join([str(ON_PATH), str(ROOT)])
"""With it an interpreter loads the stand-in by itself, where `VARIABLE` names a folder."""


@pytest.fixture
def motherduck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Return a fresh service, loaded into this process and what it starts. No real token and no home is seen."""
    import duckdb
    import keyring.core

    folder = tmp_path / "motherduck"
    for name in [name for name in os.environ if name.lower() == "motherduck_token"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.motherduck.standin.keyrings.FolderKeyring")
    monkeypatch.syspath_prepend(str(ROOT))
    keyring.core.init_backend()  # keyring keeps the first one that a test of this process has asked for
    monkeypatch.syspath_prepend(str(ON_PATH))
    real, inner = duckdb.connect, sys.modules["_duckdb"].connect
    driver = client.install(duckdb, folder)
    yield driver.service
    duckdb.connect, sys.modules["_duckdb"].connect = real, inner
    for instance in driver.instances.values():
        instance.close()

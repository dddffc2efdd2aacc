"""Fixtures: `motherduck`, a service of its own for each test, which this process and its children connect to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from md_standin import client
from md_standin.service import VARIABLE, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_PATH = Path(__file__).parents[1]


@pytest.fixture
def motherduck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Return a fresh service, loaded into this process and what it starts. No real token and no home is seen."""
    import duckdb

    folder = tmp_path / "motherduck"
    for name in [name for name in os.environ if name.lower() == "motherduck_token"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "md_standin.keyrings.FolderKeyring")
    monkeypatch.syspath_prepend(str(ON_PATH))
    real, inner = duckdb.connect, sys.modules["_duckdb"].connect
    driver = client.install(duckdb, folder)
    yield driver.service
    duckdb.connect, sys.modules["_duckdb"].connect = real, inner
    for instance in driver.instances.values():
        instance.close()

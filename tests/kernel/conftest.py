"""Real kernels: ipykernel processes of this interpreter, in a home of their own."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kernel.kernel_client import KERNEL, Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep out the person's home, IPython profile, Jupyter settings and kernels, and every MotherDuck token."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("JUPYTER_", "MOTHERDUCK_")) or name == "motherduck_token":
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(home / name.lower()))
        patch.setenv("JUPYTER_PATH", str(home / "jupyter"))
        folder = home / "jupyter" / "kernels" / KERNEL
        folder.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
        yield


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Give a function that starts kernels in one folder; they end with the test."""
    with contextlib.ExitStack() as running:

        def start() -> Kernel:
            kernel = Kernel.start(tmp_path)
            running.callback(kernel.stop)
            return kernel

        yield start


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Give one kernel to the tests of a module that leave it as they found it."""
    started = Kernel.start(tmp_path_factory.mktemp("kernel"))
    yield started
    started.stop()

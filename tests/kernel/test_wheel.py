"""What a built wheel brings besides Python: the browser's files, and the extension that JupyterLab serves."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

import md_magic

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "md_magic" / "labextension" / "md-magic"

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the wheel that pip builds of this clone."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("only a clone can be built")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run(command, check=True, timeout=180)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the prefix in which the wheel is installed."""
    prefix = tmp_path_factory.mktemp("prefix")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--prefix={prefix}"]
    command += ["--ignore-installed", str(wheel)]  # or pip removes the md_magic of the environment that runs the tests
    before = importlib.metadata.distribution("md_magic").read_text("RECORD")
    subprocess.run(command, check=True, timeout=120)
    assert importlib.metadata.distribution("md_magic").read_text("RECORD") == before
    return prefix


def test_the_wheel_has_the_browsers_files(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    paths = (ROOT / "md_magic" / "display" / "static").rglob("*.*")
    static = {path.relative_to(ROOT).as_posix() for path in paths}
    assert static <= set(names)
    data = f"md_magic-{md_magic.__version__}.data/data/share/jupyter/labextensions/md-magic/"
    scripts = ("check", "colours", "completion", "remoteEntry")
    files = ["install.json", "package.json", *(f"static/{name}.js" for name in scripts)]
    assert sorted(name.removeprefix(data) for name in names if name.startswith(data)) == files


def test_the_extension_has_the_version_of_the_package():
    assert json.loads((SOURCE / "package.json").read_text())["version"] == md_magic.__version__


@pytest.mark.parametrize("application", ["jupyterlab", "notebook"])
def test_jupyter_serves_the_extension_of_an_installed_wheel(installed, application, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", application, "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={address.rpartition(':')[2]}", "--port-retries=0", "--IdentityProvider.token="]
    environment = os.environ | {"JUPYTER_PATH": str(installed / "share" / "jupyter"), "HOME": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)
        try:
            page = _get(f"{address}/{'lab' if application == 'jupyterlab' else 'tree'}").decode()
            served = _get(f"{address}/lab/extensions/md-magic/static/remoteEntry.js")
        finally:
            server.terminate()
            server.wait(20)
    assert '"md-magic"' in page
    assert served == (SOURCE / "static" / "remoteEntry.js").read_bytes()


def _get(url):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 - our server
                return response.read()
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)

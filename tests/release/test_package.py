"""What would be published: an sdist and the wheel that is built of it, checked as an index checks them, and tried."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

uv = pytest.importorskip("uv", reason="builds the package")

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.index  # the build's own requirements come from there


def run(*command, **options):
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder with the sdist, and the wheel that was built of it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [uv.find_uv_bin(), "build", "--quiet", "--no-config", "--out-dir", str(folder), str(ROOT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if ran.returncode and "MD_MAGIC_REQUIRE_INDEX" not in os.environ:
        pytest.skip(f"the package index does not answer: {ran.stderr[-300:]}")
    assert ran.returncode == 0, ran.stderr
    return folder


def test_an_index_would_take_it(built):
    files = sorted(map(str, built.glob("md_magic-*")))
    assert len(files) == 2
    run(sys.executable, "-m", "twine", "check", "--strict", *files)
    [wheel] = built.glob("*.whl")
    run(sys.executable, "-m", "check_wheel_contents", str(wheel))


def test_the_sdist_has_what_is_committed_and_nothing_else(built):
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "SECURITY.md", "CONTRIBUTING.md", "LICENSE", "CITATION.cff", "uv.lock"} <= packed
    assert {"md_magic/py.typed", "tests/conftest.py", "notebooks/quickstart.ipynb"} <= packed
    if (ROOT / ".git").exists():
        committed = set(
            run("git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard").split("\n")
        )
        assert packed - committed == {"PKG-INFO"}


def test_it_works_in_an_empty_environment(built, tmp_path):
    [wheel] = built.glob("*.whl")
    python = tmp_path / "env" / "bin" / "python"
    run(uv.find_uv_bin(), "venv", "--quiet", "--no-config", "--python", sys.executable, str(tmp_path / "env"))
    run(uv.find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--python", str(python), str(wheel), "jupyterlab")
    cell = "%mdsql SELECT range AS n, n * n AS square FROM range(5)"
    shown = run(str(python), "-m", "IPython", "--no-banner", "--ext=md_magic", "-c", cell, cwd=tmp_path)
    assert [line.split() for line in shown.splitlines()[-5:]] == [[str(n), str(n), str(n * n)] for n in range(5)]
    run(str(python), "-m", "IPython", "--no-banner", "--ext=md_magic", "-c", "%mdsql --tour", cwd=tmp_path)
    assert (tmp_path / "quickstart.ipynb").read_text() == (ROOT / "notebooks" / "quickstart.ipynb").read_text()
    assert run(str(python.with_name("jupyter")), "lab", "--version").startswith("4.")
    served = tmp_path / "env" / "share" / "jupyter" / "labextensions" / "md-magic" / "static" / "remoteEntry.js"
    assert served.exists()

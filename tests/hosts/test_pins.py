"""Installing md_magic where packages are pinned changes none of the pins, as the resolver of a package manager says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

uv = pytest.importorskip("uv", reason="the resolver that is asked")

ROOT = Path(__file__).parents[2]
PINS = sorted(Path(__file__).with_name("pins").glob("*.txt"))
PIN = re.compile(r"^([\w-]+)==(\S+)$", re.MULTILINE)

pytestmark = pytest.mark.index


def resolved(tmp_path, project, pins):
    """Return the versions that `pip install` of *project* beside *pins* would leave, and what the resolver says."""
    wanted = tmp_path / "pins.in"
    wanted.write_text(pins)
    command = [
        uv.find_uv_bin(),
        *("pip", "compile", "--no-config", "--no-header", "--no-annotate", "--python-version", "3.12"),
        *("--python-platform", "linux", str(project), str(wanted)),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    is_answer = ran.returncode == 0 or "No solution found" in ran.stderr
    if not is_answer and "MD_MAGIC_REQUIRE_INDEX" not in os.environ:
        pytest.skip(f"the package index does not answer: {ran.stderr[:300]}")
    assert is_answer, ran.stderr
    return dict(PIN.findall(ran.stdout)), ran.stderr


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.stem)
def test_no_pin_is_changed(tmp_path, path):
    pins = dict(PIN.findall(path.read_text()))
    assert {"ipython", "ipykernel", "ipywidgets", "pandas"} <= set(pins)
    versions, said = resolved(tmp_path, ROOT / "pyproject.toml", path.read_text())
    assert {name: versions.get(name) for name in pins} == pins, said
    assert "duckdb" in versions


def test_a_higher_floor_is_found(tmp_path):
    """What the test above would say of ipython>=8.24, where IPython 7 is pinned."""
    project = tmp_path / "pyproject.toml"
    text = (ROOT / "pyproject.toml").read_text()
    project.write_text(text.replace('"ipython>=7.34"', '"ipython>=8.24"'))
    assert project.read_text() != text
    versions, said = resolved(tmp_path, project, PINS[0].read_text())
    assert versions == {}
    assert "ipython>=8.24" in said

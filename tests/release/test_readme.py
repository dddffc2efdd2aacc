"""Every block of code in the README is run, with the result that is shown; its pictures are small and there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.shell.conftest import Shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```(\w*)\n(.*?)^```", README)
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))


@pytest.fixture
def shell(ip):
    ip.run_line_magic("load_ext", "md_magic")
    return Shell(ip)


def shown():
    """Return the rows of the table below the second cell."""
    rows = re.search(r"(?m)^\| \| shop .*\n\|[-:| ]+\n((?:\|.*\n)+)", README)
    return [[word.strip() for word in row.strip("|").split("|")] for row in rows[1].splitlines()]


def test_the_readme_has_these_blocks_and_no_others():
    """The first installs, as `test_package.py` does with the same words; the last is what the gate runs."""
    assert [language for language, _ in BLOCKS] == ["sh", "python", "sql", "sql", "sh", "sh"]
    assert BLOCKS[0][1] == "pip install . jupyterlab\njupyter lab\n"
    assert BLOCKS[5][1].rstrip().endswith(".venv/bin/python -m pytest -q")
    assert "<!-- tests -->\n```sh\n" + BLOCKS[5][1] in README


def test_the_two_cells_run_as_pasted(shell):
    shell.cell(BLOCKS[1][1])
    frame = shell.cell(BLOCKS[2][1]).value
    assert [[str(value) for value in row] for row in frame.itertuples()] == shown()
    assert list(frame.columns) == re.search(r"(?m)^\| \| (shop .*) \|$", README)[1].split(" | ")


def test_the_cell_on_motherduck_runs(motherduck, shell, monkeypatch):
    monkeypatch.setenv("motherduck_token", motherduck.add_account("ann@example.com").token)
    assert shell.cell(BLOCKS[3][1]).value.answer.tolist() == [42]


def test_the_command_to_try_it_shows_a_frame(shell):
    """Its installation is the one of `test_package.py`; here the cell that it runs."""
    cell = re.search(r'--ext=md_magic -c "(.*)"', BLOCKS[4][1])[1]
    assert shell.cell(cell).value.square.tolist() == [0, 1, 4, 9, 16]


def test_what_the_readme_says_in_passing_runs(shell):
    shell.cell("df = %mdsql SELECT 1")
    shell.cell("%%mdsql -o df\nSELECT 2 AS two")
    assert shell.variables["df"].two.tolist() == [2]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_small_and_has_its_counterpart(path):
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size < 150_000
    name, _, theme = path.stem.rpartition("-")
    assert path.with_name(f"{name}-{'dark' if theme == 'light' else 'light'}.png").exists()


def test_each_picture_is_shown_somewhere():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    assert [path.name for path in PICTURES if path.name not in text] == []


def test_the_readme_takes_a_screen_and_a_half():
    assert len(README.splitlines()) < 130

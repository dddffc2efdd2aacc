"""Every block of code in the README is run, with the result that is shown; its pictures are small and there."""

from __future__ import annotations

import re
import sys
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


TRY, PYTHON, SQL, DEVELOP = (text for _, text in BLOCKS)


def test_the_readme_has_these_blocks_and_no_others():
    """The first installs, as `test_package.py` does; the last is what the gate runs."""
    assert [language for language, _ in BLOCKS] == ["sh", "python", "sql", "sh"]
    assert "`pip install '.[chart]' jupyterlab && jupyter lab`" in README
    assert DEVELOP.rstrip().endswith(".venv/bin/python -m pytest -q")
    assert "<!-- tests -->\n```sh\n" + DEVELOP in README


def test_the_two_cells_run_as_pasted(shell):
    shell.cell(PYTHON)
    frame = shell.cell(SQL).value
    assert [[str(value) for value in row] for row in frame.itertuples()] == shown()
    assert list(frame.columns) == re.search(r"(?m)^\| \| (shop .*) \|$", README)[1].split(" | ")


def test_the_cell_on_motherduck_runs(motherduck, shell, monkeypatch):
    monkeypatch.setenv("motherduck_token", motherduck.add_account("ann@example.com").token)
    first_line = re.search(r"<code>(%%mdsql md:\w+)</code>", README)[1]
    assert shell.cell(f"{first_line}\nSELECT 42 AS answer").value.answer.tolist() == [42]


def test_the_command_to_try_it_shows_a_frame(shell):
    """Its installation is the one of `test_package.py`; here the cell that it runs."""
    cell = re.search(r'--ext=md_magic -c "(.*)"', TRY)[1]
    assert shell.cell(cell).value.square.tolist() == [0, 1, 4, 9, 16]


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


def test_an_index_gets_links_that_lead_to_the_release():
    sys.path.insert(0, str(ROOT / "docs"))
    from absolute_links import absolute

    source = "https://example.org/somebody/theirs"
    text = absolute(README, source, "v1.0.0")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    assert [link for link in links if not link.startswith("https://")] == []
    ours = [link.removeprefix(f"{source}/") for link in links if link.startswith(source)]
    assert len(ours) > 30
    for link in ours:
        kind, tag, path = link.partition("#")[0].split("/", 2)
        assert (kind, tag) == ("raw" if path.endswith(".png") else "blob", "v1.0.0")
        assert (ROOT / path).exists()
    assert absolute(text, source, "v1.0.0") == text


def rows(text):
    """Return the rows of the table whose first column has no heading, by their first word."""
    table = re.search(r"(?m)^\| \| md_magic .*\n\|[-|]+\n((?:\|.*\n)+)", text)[1]
    return [[word.strip() for word in row.strip("|").split("|")] for row in table.splitlines()]


def test_what_is_compared_is_what_the_guide_says():
    whole = {row[1:2][0]: row for row in rows((ROOT / "docs" / "explanation" / "compared.md").read_text("utf-8"))}
    short = rows(README)
    assert len(short) > 4
    for _, ours, *others in short:
        said = whole[next(cell for cell in whole if cell.startswith(ours))]
        assert all(long.startswith(cell) for cell, long in zip(others, said[2:], strict=True)), ours

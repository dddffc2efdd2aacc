"""What a new user types first, and what it leads to."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

import md_magic
from md_magic import options

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    """What a terminal is asked."""

    def isatty(self):
        return True


@pytest.mark.parametrize("cell", ["%mdsql", "%%mdsql\n"])
def test_the_magic_alone_says_where_cells_run_and_what_to_type(shell, cell):
    printed = shell.cell(cell).printed
    assert printed.startswith("Cells run on duckdb:///:memory:\n")
    named = [word for word in printed.split() if word.startswith("--")]
    assert {"--tour", "--help", "--browse"} <= set(named) <= set(options.BY_FLAG)
    shell.cell("%mdsql sqlite:// SELECT 1")
    assert shell.cell(cell).printed.startswith("Cells run on sqlite://\n")


def test_the_magic_alone_shows_no_password(shell):
    shell.cell("%config MdsqlMagics.default_target = 'postgresql+psycopg://me:hunter2@nowhere/db'")
    assert "hunter2" not in shell.cell("%mdsql").printed


def test_the_docstring_leads_on(shell):
    ip = shell.ip
    beginning = ip.inspector.info(ip.magics_manager.magics["cell"]["mdsql"])["docstring"].splitlines()[:10]
    assert any("--tour" in line for line in beginning)


def test_a_typo_in_version_is_understood(shell):
    assert "Did you mean --version?" in shell.cell("%mdsql --verson", error=True).message


def test_version_has_what_a_report_needs_and_no_secret(shell):
    shell.variables["url"] = "sqlite:///hunter2.db"
    shell.cell("%mdsql $url SELECT 1")
    printed = shell.cell("%mdsql --version").printed
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines() if not line.startswith("kind of"))
    assert lines["md_magic"] == md_magic.__version__
    assert lines["host"].endswith("front end has widgets: not asked")
    assert {"python", "platform", "host", "kernel", "duckdb", "pandas", "sqlalchemy", "ipython"} <= set(lines)
    assert "sqlite" in printed
    assert "hunter2" not in printed
    assert str(Path.home()) not in printed


def test_the_tour_is_put_beside_the_notebook_and_never_over_another(shell):
    ran = shell.cell("%mdsql --tour")
    there = Path("quickstart.ipynb")
    assert "quickstart.ipynb is beside this notebook now" in ran.displayed[0].data["text/plain"]
    assert "[quickstart.ipynb](quickstart.ipynb)" in ran.displayed[0].data["text/markdown"]
    assert json.loads(there.read_text()) == json.loads((ROOT / "notebooks" / "quickstart.ipynb").read_text())
    there.write_text("mine")
    assert "was left as it is" in shell.cell("%mdsql --tour").displayed[0].data["text/plain"]
    assert there.read_text() == "mine"


def test_a_folder_that_is_gone_is_one_message(shell, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    message = shell.cell("%mdsql --tour", error=True).message
    assert "--tour could not write quickstart.ipynb" in message


def test_the_first_error_about_a_name_leads_on_where_a_person_reads_it(shell, monkeypatch):
    def notes(cell):
        return getattr(shell.cell(cell, error=True).error, "__notes__", [])

    def of_fix(cell):
        return [note for note in notes(cell) if "%mdsql --fix" in note]

    assert of_fix("%mdsql SELECT nme FROM (SELECT 1 AS name)") == []
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert of_fix("%mdsql SELEC 1") == []
    assert (
        of_fix("%mdsql SELECT name FROM (SELECT 1 AS name), (SELECT 2 AS name)") == []
    )  # of two, none is the right one
    assert of_fix("%mdsql SELECT length('a', 'b', 'c')") == []
    assert len(of_fix("%mdsql SELECT nme FROM (SELECT 1 AS name)")) == 1
    assert of_fix("%mdsql SELECT nme FROM (SELECT 1 AS name)") == []


@pytest.mark.parametrize(
    "cell", ["%mdsql SELECT 1\nFROM range(3)", "1\ndf = %mdsql SELECT 1,\n    2 AS b", "%mdsql\n\nSELECT 1"]
)
def test_sql_on_several_lines_below_one_percent_sign_leads_to_two(shell, cell):
    printed = shell.cell(cell, error=True).printed
    assert printed.splitlines()[-1] == "SQL on several lines begins with %%mdsql, with two percent signs."


@pytest.mark.parametrize("cell", ["%mdsql SELECT 1\nx = = 1\n%mdsql 2", "x = = 1\n%mdsql SELECT 1", "%mdsql SELEC 1"])
def test_python_that_is_wrong_is_python(shell, cell):
    assert "percent" not in shell.cell(cell, error=True).printed


def test_it_is_gone_with_the_extension(shell):
    shell.cell("%unload_ext md_magic")
    assert "percent" not in shell.cell("%mdsql SELECT 1\nFROM range(3)", error=True).printed

"""`[tool.md_magic]` of the nearest `pyproject.toml`: what is taken, and what is warned about."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from md_magic.session import project

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFAYi5jIn0.c2lnbmF0dXJlLW9mLWE"


def of(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    return project.nearest(tmp_path)


def test_the_nearest_file_counts_from_a_folder_below(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.md_magic.targets]\nprod = 'md:prod'\n")
    assert project.nearest(below).targets == {"prod": "md:prod"}
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert project.nearest(below) == project.NONE


def test_settings_and_targets_are_told_apart(tmp_path):
    found = of(
        tmp_path, "[tool.md_magic]\nformat = 'polars'\ndefault_target = '@prod'\n[tool.md_magic.targets]\nprod = 'md:'"
    )
    assert found.settings == {"format": "polars", "default_target": "@prod"}
    assert found.targets == {"prod": "md:"}
    assert found.problems == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tool.md_magic\n", "cannot be read"),
        ("tool.md_magic = 3", "a table of settings"),
        ("tool = 3 # md_magic", "tool is a table of tables"),
        (f"tool = {'[' * 20_000} # md_magic", "cannot be read"),
        (f"md_magic = {'1' * 5_000}", "cannot be read"),
        ("[tool.md_magic]\ntargets = 'md:'", "a table of URIs by alias"),
        ("[tool.md_magic.targets]\na = 3", "is a int, where a URI is needed"),
        ("[tool.md_magic.targets]\n'a b' = 'md:'", "is no alias"),
    ],
)
def test_what_cannot_be_taken_says_so(tmp_path, text, says):
    found = of(tmp_path, text)
    assert [says in problem for problem in found.problems] == [True]
    assert found.targets == {}


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        ("postgresql+psycopg://me:hunter2@h/db", "hunter2"),
        (f"md:db?motherduck_token={JWT}", JWT),
        ("md:db?motherduck_token=oldopaque123", "oldopaque123"),
        ("mysql://h/db?password=hunter2", "hunter2"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhunter2", "hunter2"),
    ],
)
def test_a_secret_is_warned_about_with_what_to_do_and_not_shown(tmp_path, uri, secret):
    found = of(tmp_path, f"[tool.md_magic]\ndefault_target = '{uri}'\n[tool.md_magic.targets]\nprod = '{uri}'")
    assert len(found.problems) == 2
    for problem, what in zip(found.problems, ("the target 'prod'", "the setting 'default_target'"), strict=True):
        assert what in problem
        assert "${NAME}" in problem
        assert secret not in problem
    assert secret not in repr(found.targets)


@pytest.mark.parametrize(
    "uri",
    ["postgresql+psycopg://me:${PW}@h/db", "md:db?motherduck_token=${TOKEN}", "$PROD", "md:prod", "duckdb:///x.duckdb"],
)
def test_a_variable_in_its_place_is_no_secret(tmp_path, uri):
    assert of(tmp_path, f"[tool.md_magic.targets]\nprod = '{uri}'").problems == ()


@pytest.mark.parametrize(
    ("uri", "anchored"),
    [
        ("duckdb:///x.duckdb", "duckdb:///{}/x.duckdb"),
        ("duckdb:///../x.duckdb?access_mode=read_only", "duckdb:///{}/../x.duckdb?access_mode=read_only"),
        ("sqlite+pysqlite:///data/${NAME}.db", "sqlite+pysqlite:///{}/data/${{NAME}}.db"),
        *((uri, uri.replace("{", "{{").replace("}", "}}")) for uri in (
            "duckdb:///:memory:", "duckdb:////abs.db", "duckdb:///~/x.db", "duckdb:///md:x", "md:x", "sqlite://",
            "sqlite:///file:x?uri=true", "duckdb:///ducklake:x", "duckdb:///${DATA}/x.db", "postgresql://h/db", "@other",
            "duckdb:///C:/x.db", "duckdb:///:memory:name", "$PROD",
        )),
    ],
)  # fmt: skip
def test_a_relative_path_counts_from_the_files_folder(tmp_path, uri, anchored):
    folder = tmp_path / "a b$c"
    folder.mkdir()
    found = of(folder, f"[tool.md_magic]\ndefault_target = '{uri}'\n[tool.md_magic.targets]\nprod = '{uri}'")
    assert found.targets["prod"] == found.settings["default_target"] == anchored.format(quote(str(folder)))


def test_a_file_that_is_no_text_is_left_alone(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe[tool.md_magic]")
    assert "not UTF-8" in project.nearest(tmp_path).problems[0]

"""Connections without typing: `$NAME`, `${NAME}`, the project's file, the list of connections, help of one option."""

from __future__ import annotations

import subprocess
import sys

import pytest

from md_magic import options
from md_magic.errors import OptionError, TargetError
from md_magic.option_examples import EXAMPLES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_variable_names_the_target_and_is_what_is_shown(shell, folder):
    shell.variables["PLACE"] = "duckdb:///hidden.duckdb"
    ran = shell.sql("CREATE TABLE t AS SELECT 42 AS a", "$PLACE")
    assert (folder / "hidden.duckdb").exists()
    assert shell.sql("FROM t").value["a"].tolist() == [42]
    shown = shell.cell("%mdsql --connections").value
    assert shown["name"].tolist() == ["$PLACE"]
    assert shell.cell("%mdsql --history").value["where"].tolist() == ["$PLACE", "$PLACE"]
    assert "hidden" not in ran.printed + shown.to_string()
    assert shell.cell("%mdsql --close $PLACE").printed.startswith("$PLACE closed")


def test_an_environment_variable_and_a_part_of_a_uri(shell, folder, monkeypatch):
    monkeypatch.setenv("WHERE_IT_IS", "sqlite:///env.db")
    assert shell.cell("%mdsql $WHERE_IT_IS SELECT 1 AS a").value["a"].tolist() == [1]
    shell.variables["part"] = "part"
    shell.sql("CREATE TABLE t (a INT)", "duckdb:///${part}.duckdb")
    assert (folder / "part.duckdb").exists()
    assert shell.magics.session.current.name == "duckdb:///${part}.duckdb"


def test_local_variables_of_a_function_are_seen(shell, folder):
    shell.cell(
        "def f():\n    mine = 'duckdb:///local.duckdb'\n    get_ipython().run_line_magic('mdsql', '$mine SELECT 1 AS a')\nf()"
    )
    assert (folder / "local.duckdb").exists()


def test_an_error_shows_no_value(shell, folder):
    shell.variables["PLACE"] = f"duckdb:///{folder}/nowhere-hidden/x.duckdb"
    failed = shell.sql("SELECT 1", "$PLACE", error=True)
    text = "\n".join(failed.error._render_traceback_()) + failed.printed
    assert "$PLACE cannot be opened" in text
    assert "nowhere-hidden" not in text


def test_sql_in_a_variable_keeps_its_hint(shell):
    shell.variables["q"] = "SELECT 42 AS a"
    failed = shell.cell("%mdsql $q", error=True)
    assert failed.message.startswith("Parser Error")
    assert "--jinja {{ q }}" in failed.error.__notes__[0]
    failed = shell.sql("SELECT 1", "$q", error=True)
    assert isinstance(failed.error, TargetError)
    assert "--jinja {{ q }}" in failed.error.__notes__[0]
    assert "neither a Python variable" in shell.cell("%mdsql $nowhere_at_all", error=True).message


def test_a_missing_variable_is_named_where_a_password_would_stand(shell):
    message = shell.cell("%mdsql postgresql+psycopg://me:${NO_SUCH_PASSWORD}@host/db SELECT 1", error=True).message
    assert message.startswith("${NO_SUCH_PASSWORD}: there is neither")
    assert "'NO_SUCH_PASSWORD'" in message


def project(folder, text):
    (folder / "pyproject.toml").write_text(text)


def test_a_project_has_targets_a_default_and_settings(ip, folder):
    project(
        folder,
        "[tool.md_magic]\ndefault_target = '@main'\nformat = 'polars'\nalias = 'sql'\nprogress_after = 9\n"
        "[tool.md_magic.targets]\nmain = 'duckdb:///main.duckdb'\nother = 'sqlite:///${NOT_SET}'\n",
    )
    shell = loaded(ip)
    value = shell.cell("%sql CREATE TABLE t AS SELECT 1 AS a")
    assert "inserted" in value.printed
    assert (folder / "main.duckdb").exists()
    assert type(shell.sql("FROM t").value).__module__.startswith("polars")
    assert shell.magics.progress_after == 9.0
    listed = shell.cell("%mdsql --connections").value
    assert listed[["name", "alias", "state"]].to_numpy().tolist() == [
        [f"duckdb:///{folder}/main.duckdb", "main", "open"],
        ["sqlite:///${NOT_SET}", "other", "not open"],
    ]
    assert listed["current"].tolist() == [True, False]
    assert "'NOT_SET'" in shell.cell("%mdsql @other SELECT 1", error=True).message
    assert "@main, @other" in shell.cell("%mdsql @mian", error=True).message


def loaded(ip):
    from tests.shell.conftest import Shell

    ip.run_line_magic("load_ext", "md_magic")
    return Shell(ip)


def test_ipythons_own_configuration_goes_before_the_projects(ip, folder):
    project(folder, "[tool.md_magic]\nformat = 'arrow'\ntimeout = 7\n[tool.md_magic.targets]\na = 'md:a'\nb = 'md:b'")
    ip.config.MdsqlMagics.format = "dict"
    ip.config.MdsqlMagics.targets = {"b": "duckdb:///b.duckdb"}
    try:
        shell = loaded(ip)
        assert (shell.magics.format, shell.magics.timeout) == ("dict", 7.0)
        shell.cell("%mdsql @b SELECT 1 AS a")
        names = shell.cell("%mdsql --connections").value.set_index("alias")["name"].to_dict()
        assert names == {"a": "md:a", "b": "duckdb:///b.duckdb"}
    finally:
        del ip.config["MdsqlMagics"]


def test_what_is_wrong_in_it_is_said_and_stops_nothing(ip, folder, capsys):
    project(
        folder,
        "[tool.md_magic]\nformat = 'parrot'\nforamt = 'dict'\ntimeout = -1\nmax_rows_displayed = -1\n"
        "[tool.md_magic.targets]\np = 'postgresql+psycopg://u:hunter2@h/db'",
    )
    shell = loaded(ip)
    said = capsys.readouterr().out
    assert "format cannot be set" in said
    assert "Did you mean format?" in said
    assert "timeout cannot be set" in said
    assert "max_rows_displayed is a whole number from 0 on, or None, and -1 is not" in said
    assert "the target 'p' has a secret in it" in said
    assert "hunter2" not in said
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]
    assert "hunter2" not in shell.cell("%mdsql --connections").value.to_string()


def test_a_broken_file_is_said_once_and_loading_goes_on(ip, folder, capsys):
    project(folder, "[tool.md_magic\n")
    shell = loaded(ip)
    assert "pyproject.toml cannot be read" in capsys.readouterr().out
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_notebooks_of_a_project_have_one_database(ip, folder, monkeypatch):
    project(
        folder,
        "[tool.md_magic]\ndefault_target = 'duckdb:///rel.db'\n[tool.md_magic.targets]\nprod = 'sqlite:///rel.sqlite'",
    )
    (folder / "sub" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder / "sub" / "deep")
    shell = loaded(ip)
    shell.sql("CREATE TABLE t AS SELECT 1 AS a")
    shell.sql("CREATE TABLE t AS SELECT 1 AS a", "@prod")
    assert (folder / "rel.db").exists()
    assert (folder / "rel.sqlite").exists()
    code = "import md_magic; print(md_magic.sql('SELECT a FROM t', target='@prod').a[0])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_code_outside_of_ipython_has_the_projects_targets_too(folder):
    project(
        folder, "[tool.md_magic]\ndefault_target = '@main'\n[tool.md_magic.targets]\nmain = 'duckdb:///main.duckdb'"
    )
    code = "import md_magic; md_magic.sql('CREATE TABLE t AS SELECT 1 AS a'); print(md_magic.sql('FROM t', target='@main').a[0])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
    assert (folder / "main.duckdb").exists()


def test_every_option_has_an_example_that_can_be_read(shell):
    assert set(EXAMPLES) == {option.flag for option in options.OPTIONS}
    for flag, example in EXAMPLES.items():
        line, _, rest = example.partition("\n")
        if line.startswith("%%mdsql"):
            options.parse(line.removeprefix("%%mdsql"), rest)
        else:
            for each in (line for line in example.split("\n") if line.startswith("%mdsql")):
                options.parse(each.removeprefix("%mdsql"))
        assert any(each in example for each in options.BY_FLAG[flag].flags)
        assert example.split("\n")[0] in shell.cell(f"%mdsql --help {flag}").printed


@pytest.mark.parametrize("word", ["limit", "--limit", "dry_run", "-o"])
def test_help_of_one_option(shell, word):
    printed = shell.cell(f"%mdsql --help {word}").printed
    assert printed.startswith("  -")
    assert "%mdsql" in printed
    assert "usage:" not in printed
    assert "one of: pandas" in shell.cell("%mdsql --help as").printed


def test_help_of_no_option_suggests_one(shell):
    failed = shell.cell("%mdsql --help limt", error=True)
    assert isinstance(failed.error, OptionError)
    assert "Did you mean --limit?" in failed.message

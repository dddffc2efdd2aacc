"""Loading, unloading and reloading the extension."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"pandas", "sqlalchemy", "duckdb", "pyarrow", "ipywidgets", "duckdb_engine", "polars", "anywidget", "numpy"}


def test_loading_imports_nothing_heavy_and_prints_nothing():
    code = (
        "from IPython.core.interactiveshell import InteractiveShell; import sys\n"
        "ip = InteractiveShell.instance(); before = set(sys.modules)\n"
        "ip.run_line_magic('load_ext', 'md_magic')\n"
        f"print(sorted({HEAVY!r} & (set(sys.modules) - before)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
    assert ran.stderr == ""


def test_unloading_leaves_the_shell_as_it_was_found(ip):
    def state():
        manager = ip.magics_manager
        return (
            set(manager.magics["line"]),
            set(manager.magics["cell"]),
            set(manager.registry),
            list(ip.configurables),
            list(ip.Completer.custom_matchers),
            list(ip.input_transformers_cleanup),
            set(ip.user_ns),
        )

    ip.run_line_magic("load_ext", "md_magic")  # IPython itself loads `%load_ext` late
    ip.run_line_magic("unload_ext", "md_magic")
    before = state()
    ip.run_line_magic("load_ext", "md_magic")
    assert state() != before
    ip.run_cell("%%mdsql\nselect 1").raise_error()
    ip.run_line_magic("unload_ext", "md_magic")
    ip.user_ns = {name: value for name, value in ip.user_ns.items() if name in before[-1]}
    assert state() == before


def test_unloading_closes_every_connection(shell):
    shell.sql("create table t(i int)", "duckdb:///a.duckdb")
    [database] = shell.magics.session.pool
    shell.ip.run_line_magic("unload_ext", "md_magic")
    assert database.state == "closed"


def test_reloading_works_and_starts_clean(shell):
    shell.sql("create table t(i int)")
    shell.ip.run_line_magic("reload_ext", "md_magic")
    assert "does not exist" in shell.sql("from t", error=True).message
    assert shell.sql("select 42 as x").value.x.tolist() == [42]


def test_settings_are_explained(shell):
    printed = shell.cell("%config MdsqlMagics").printed
    for name in ("default_target", "format", "max_rows_displayed", "targets"):
        assert name in printed


def test_help_lists_every_option(shell):
    printed = shell.cell("%mdsql --help").printed
    assert "--limit" in printed
    assert "%%mdsql [TARGET] [options]" in printed
    assert "--limit" in shell.magics.mdsql.__doc__


@pytest.mark.parametrize("target", ["duckdb://work.duckdb", "sqlite://work.duckdb", "md://work", "duckdb:///:default:"])
def test_a_place_that_cannot_be_meant_is_an_error_before_anything_runs(shell, target):
    failed = shell.sql("CREATE TABLE important AS SELECT 42 AS a", target, error=True)
    assert "rite" in failed.message  # the right spelling
    assert not list(Path().iterdir())
    assert len(shell.cell("%mdsql --connections").value) == 0


def test_settings_show_no_password(shell):
    shell.cell("%config MdsqlMagics.targets = {'shop': 'sqlite:///:memory:?password=XYZZY'}")
    shell.cell("%config MdsqlMagics.default_target = 'postgresql://u:XYZZY@h/d'")
    printed = [shell.cell(f"%config MdsqlMagics{name}") for name in ("", ".targets", ".default_target")]
    assert "***" in printed[0].printed
    assert not [ran for ran in printed if "XYZZY" in ran.printed]
    assert shell.magics.session.resolve(shell.magics.targets["shop"]).secrets["password"].reveal() == "XYZZY"


def test_an_error_shows_a_relative_path_as_typed(shell):
    Path("x2.duckdb").write_text("no database")
    failed = shell.sql("SELECT 1", "duckdb:///x2.duckdb", error=True)
    assert str(Path.cwd()) not in failed.message
    assert "duckdb:///x2.duckdb" in failed.message


def test_a_password_in_a_setting_is_forgotten_by_the_history(shell):
    source = "%config MdsqlMagics.targets = {'shop': 'postgresql://u:Xq7hunter2zz@h/d'}"
    shell.variables["_i1"] = source
    shell.ip.history_manager.input_hist_raw.append(source)
    shell.cell(source)
    assert shell.variables["_i1"] == source.replace("Xq7hunter2zz", "***")
    manager = shell.ip.history_manager
    assert "Xq7hunter2zz" not in repr([manager.input_hist_raw, manager.input_hist_parsed, manager.db_input_cache])
    assert shell.magics.targets["shop"] == "postgresql://u:Xq7hunter2zz@h/d"

"""The status line of a slow cell, and that a quick or a quiet one says nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from md_magic.display import host, progress
from tests.extras import needs


@pytest.fixture
def slow(shell, monkeypatch):
    """Take every cell for a slow one, and a person for there."""
    monkeypatch.setattr(host, "host", lambda _: "stdin")
    shell.cell("%config MdsqlMagics.progress_after = 0")
    return shell


def said_by(ran):
    """Return what was printed before the value, which a shell of a terminal prints."""
    return ran.printed.partition("Out[")[0]


@pytest.mark.parametrize(
    ("sql", "line", "said"),
    [
        ("SELECT 1 AS a, 2 AS b FROM range(1234)", "", "1,234 rows × 2 columns"),
        ("SELECT 1 AS a", "--as arrow", "1 row × 1 column"),
        ("SELECT 1 AS a", "--as dict", "1 row × 1 column"),
        ("SELECT range FROM range(9)", "--limit 3", "the first 3 rows × 1 column; there are more"),
        ("CREATE TABLE t AS SELECT 1 AS a", "", "1 row inserted"),
        ("SELECT 1; SELECT 2; CREATE TABLE t (a INT)", "", "CREATE done"),
        ("SELECT 1 AS a", "-o x", "1 row × 1 column"),
        ("SELECT 1 AS a", "sqlite://", "1 row × 1 column"),
    ],
)
def test_a_slow_cell_ends_with_a_status(slow, sql, line, said):
    printed = said_by(slow.sql(sql, line))
    where = "sqlite://" if "sqlite" in line else "duckdb:///:memory:"
    assert re.fullmatch(re.escape(said) + r" · [\d.]+ (µs|ms|s) · " + where + "\n", printed), printed


def test_a_quiet_cell_says_nothing(slow):
    assert said_by(slow.sql("CREATE TABLE t AS SELECT 1 AS a", "--quiet")) == ""
    assert said_by(slow.sql("FROM t", "--quiet")) == ""


def test_a_quick_cell_says_what_it_said_before(shell):
    assert said_by(shell.sql("SELECT 1 AS a")) == ""
    assert said_by(shell.sql("CREATE TABLE t AS SELECT 1 AS a")) == "1 row inserted\n"
    assert said_by(shell.sql("SELECT range FROM range(9)", "--limit 3")) == "The first 3 rows; there are more.\n"


def test_every_result_is_displayed_and_one_status_ends_the_cell(slow):
    ran = slow.sql("CREATE TABLE t AS SELECT 1 AS a; SELECT 1 AS a; SELECT 2 AS b", "--all")
    first, status = said_by(ran).splitlines()
    assert first == "1 row inserted"
    assert re.fullmatch(r"[\d.]+ (µs|ms|s) · duckdb:///:memory:", status)
    assert len(ran.displayed) == 1


def test_what_the_last_statement_says_stands_below_the_others(slow):
    """In a notebook the status of a slow cell takes the place of its progress, above all outputs."""
    ran = slow.sql("CREATE TABLE t AS FROM range(3); CREATE TABLE u AS FROM range(5)", "--all")
    *said, status = said_by(ran).splitlines()
    assert said == ["3 rows inserted", "5 rows inserted"]
    assert re.fullmatch(r"[\d.]+ (µs|ms|s) · duckdb:///:memory:", status)


def test_a_file_and_the_cell_below_it_are_told_apart(shell, tmp_path):
    (tmp_path / "q.sql").write_text("CREATE TABLE t AS SELECT 1 AS a")
    path = tmp_path / "q.sql"
    assert said_by(shell.sql("INSERT INTO t VALUES (2)", f"--file {path}")) == "1 row inserted\n1 row inserted\n"
    failed = shell.sql("INSERT INTO nowhere VALUES (2)", f"--file {tmp_path / 'r.sql'}", error=True)
    assert "r.sql" in failed.message


def test_an_error_of_a_slow_cell_is_all_it_says(slow):
    ran = slow.sql("SELECT error('no') FROM range(3)", error=True)
    assert ran.printed.startswith("Invalid Input Error: no")
    assert " · duckdb" not in ran.printed


def test_columns_of_a_dry_run_have_a_status_too(slow):
    assert re.fullmatch(r"[\d.]+ (µs|ms|s) · duckdb:///:memory:\n", said_by(slow.sql("SELECT 1 AS a", "--dry-run")))


SCRIPT = """
get_ipython().run_line_magic("load_ext", "md_magic")
get_ipython().run_line_magic("config", "MdsqlMagics.progress_after = 0")
for sql in ("CREATE TABLE t AS SELECT range AS i FROM range(9)", "FROM t"):
    print(get_ipython().run_cell_magic("mdsql", "--limit 3", sql))
"""


def test_a_script_has_nothing_on_standard_output_that_another_run_has_not(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    plain = ["--no-banner", "--colors=NoColor", "--no-term-title"]
    command = [sys.executable, "-m", "IPython", *plain, str(tmp_path / "script.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert ran.stdout == "9 rows inserted\nNone\nThe first 3 rows; there are more.\n   i\n0  0\n1  1\n2  2\n"
    first, second = ran.stderr.splitlines()
    assert re.fullmatch(r"9 rows inserted · [\d.]+ (µs|ms|s) · duckdb:///:memory:", first)
    assert second.startswith("the first 3 rows × 1 column; there are more · ")


@pytest.mark.parametrize("where", ["stdin", "batch"])
@pytest.mark.parametrize("in_kernel", [True, False])
def test_always_shows_rows_and_time_of_every_cell(shell, monkeypatch, where, in_kernel):
    """Where nobody looks, on standard error: standard output is the same in every run."""
    monkeypatch.setattr(host, "host", lambda _: where)
    monkeypatch.setattr(progress, "_in_kernel", lambda: in_kernel)
    shell.cell("%config MdsqlMagics.status = 'always'")
    for sql, line, said in (
        ("SELECT 1 AS a FROM range(3)", "", "3 rows × 1 column"),
        ("SELECT 1 AS a FROM range(3)", "-o kept", "3 rows × 1 column"),
        ("CREATE TABLE t AS SELECT 1 AS a", "", "1 row inserted"),
        ("FROM range(2000)", "--grid", "2,000 rows × 1 column"),
        ("FROM range(3000)", "--chart", "3,000 rows"),
        ("FROM range(3000)", "--profile", "3,000 rows"),
        ("", "--tables", "1 row × 7 columns"),
        ("", "--describe t", "1 row × 5 columns"),
        ("", "--diff t t", ""),
    ):
        if "chart" in line:
            needs("altair")
            needs("vl_convert")
        ran, stays = shell.sql(sql, line), "1 row inserted\n" if "CREATE" in sql else ""
        printed = said_by(ran)
        if where == "batch":
            assert printed == stays
            printed = ran.errors
        size = f"{re.escape(said)} · " if said else ""
        assert re.fullmatch(size + r"[\d.]+ (µs|ms|s) · duckdb:///:memory:\n", printed), printed
    assert said_by(shell.sql("FROM t", "--quiet")) == ""


@pytest.mark.parametrize("limit", ["", " --limit 5"])
def test_the_size_of_a_grid_is_that_of_what_was_fetched(slow, limit):
    printed = said_by(slow.sql("FROM range(25)", f"--grid{limit}"))
    assert printed.startswith("the first 5 rows × 1 column; there are more · " if limit else "25 rows × 1 column · ")


def test_never_says_only_what_a_quick_cell_says(slow):
    slow.cell("%config MdsqlMagics.status = 'never'")
    assert said_by(slow.sql("SELECT 1 AS a")) == ""
    assert said_by(slow.sql("CREATE TABLE t AS SELECT 1 AS a")) == "1 row inserted\n"


def test_the_history_of_cells_and_lines(shell):
    shell.sql("SELECT 1 AS duck; SELECT 2 AS goose")
    shell.cell("x = %mdsql SELECT 3 AS duckling")
    shell.sql("SELECT nope", error=True)
    shell.cell("import md_magic; md_magic.sql('SELECT 4 AS duck')")
    kept = shell.cell("%mdsql --history DUCK").value
    assert kept["sql"].tolist() == ["SELECT 1 AS duck", "SELECT 3 AS duckling", "SELECT 4 AS duck"]
    assert shell.cell("%mdsql --history").value["state"].tolist() == ["done", "done", "done", "failed", "done"]
    assert "stands on the line alone" in shell.cell("%mdsql --history duck SELECT 1", error=True).message
    assert shell.cell("%mdsql --history 'AS go'").value["sql"].tolist() == ["SELECT 2 AS goose"]


@pytest.mark.parametrize(("setting", "is_told"), [("slow", False), ("always", True)])
def test_a_slow_list_has_a_status_in_a_batch_run_only_where_it_is_always_wanted(slow, monkeypatch, setting, is_told):
    monkeypatch.setattr(host, "host", lambda _: "batch")
    monkeypatch.setattr(progress, "_in_kernel", lambda: True)
    slow.cell("%mdsql SELECT 1")
    slow.cell(f"%config MdsqlMagics.status = {setting!r}")
    ran = slow.cell("%mdsql --tables")
    assert said_by(ran) == ""
    assert bool(ran.errors) is is_told

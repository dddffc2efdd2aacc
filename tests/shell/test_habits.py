"""What is typed out of another tool's habit gets the same error, and one line with the way to write it here."""

from __future__ import annotations

import duckdb
import pytest


@pytest.mark.parametrize("target", ["", "sqlite://"])
@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("{q}", "%mdsql --jinja {{ q }}"),
        ("$q", "%mdsql --jinja {{ q }}"),
        ("{{ q }}", "%mdsql --jinja {{ q }}"),
        ("SELECT * FROM {{t}}", "%%mdsql --jinja"),
        ("SELECT * FROM :t", "{{ t | identifier }}"),
        ("SELECT * FROM {t}", "{{ t | identifier }}"),
        ("SELECT 1 WHERE 1 = %(x)s", "bound by its name after a colon: :x"),
        ("SELECT 1 WHERE 1 = {x}", "bound by its name after a colon: :x"),
        ("# a comment\nSELECT 1", "two hyphens"),
        ("SELECT 1 # a comment", "two hyphens"),
        (".tables", "--describe TABLE"),
        ("\\d t", "--tables"),
        ("SELECT TOP 5 * FROM t", "--limit 5"),
        ("CREATE TABLE a(b int)\nGO\nSELECT 2", "semicolon"),
        ("df = SELECT 1", "-o df"),
        ("help", "%mdsql --help"),
        ("HELP grid", "%mdsql --help"),
    ],
)
def test_a_habit_gets_one_line(shell, target, sql, words):
    shell.variables.update(q="SELECT 1", t="tab", x=3)
    [note] = shell.sql(sql, target, error=True).error.__notes__
    assert words in note
    assert note.strip().count("\n") == 0


@pytest.mark.parametrize(
    "sql", ["SELECT FROM WHERE", "SELECT '{q} # %(x)s' FROM WHERE", "SELECT * FROM nowhere WHERE a # 1"]
)
def test_where_it_is_not_sure_nothing_is_said(shell, sql):
    error = shell.sql(sql, error=True).error
    assert not any("jinja" in note or "bound" in note for note in getattr(error, "__notes__", ()))


IN_DUCKDB_1 = pytest.mark.skipif(duckdb.__version__ >= "2", reason="DuckDB 2 has names in backticks")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        pytest.param("SELECT * FROM `t`", "double quotes", marks=IN_DUCKDB_1),
        ("// no\nSELECT 1", "hyphens"),
    ],
)
def test_a_sign_that_duckdb_stops_at_gets_one_line(shell, sql, words):
    [note] = shell.sql(sql, error=True).error.__notes__
    assert words in note


def test_excel_says_what_it_needs(shell):
    error = shell.sql("COPY (SELECT 1) TO 'x.xlsx' (FORMAT xlsx)", error=True).error
    assert any("INSTALL excel" in note for note in error.__notes__)


def test_the_history_lists_a_cell_with_a_lone_surrogate(shell):
    shell.sql("SELECT '\ud800'", error=True)
    assert shell.cell("%mdsql --history").value["sql"].tolist() == ["SELECT '?'"]

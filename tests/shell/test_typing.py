"""When Enter runs a cell that is typed: what a shell answers to `check_complete`."""

from __future__ import annotations

import functools

import pytest


@pytest.fixture
def enter(shell):
    """Ask as a terminal does, which has asked before."""
    shell.ip.check_complete("1 + 1")
    return lambda text: shell.ip.check_complete(text)[0] == "complete"


@pytest.mark.parametrize(
    "line",
    ["", " ", " --limit 3", " md:", " duckdb:///a.db --quiet", " SELECT 1", " SELECT 1;", " --tables", " --bogus"],
)
def test_a_line_waits_for_its_body(enter, line):
    assert not enter(f"%%mdsql{line}")
    assert not enter(f"%%mdsql{line}\n")
    assert not enter(f"%%mdsql{line}\nSELECT 1")
    assert enter(f"%%mdsql{line}\nSELECT 1\n")
    assert enter(f"%%mdsql{line}\nSELECT 1;")


@pytest.mark.parametrize(
    "line", [" --file q.sql", " --file=q.sql", " -o x --file 'my q.sql' --limit 3", " @a --file q.sql"]
)
def test_a_file_needs_no_body(enter, line):
    assert enter(f"%%mdsql{line}")
    assert not enter(f"%%mdsql{line}\nSELECT 1")
    assert not enter(f"%%mdsqlx{line}")


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        ("SELECT 1;", True),
        ("SELECT 1 ; ", True),
        ("SELECT 1; -- done; or not", True),
        ("SELECT 1; /* done */", True),
        ("SELECT 1;\nSELECT 2;", True),
        ("SELECT 'é;\u00a0' AS x;", True),
        ("SELECT 1;\nSELECT 2", False),
        ("SELECT 1 -- no;", False),
        ("SELECT 1 /* no;", False),
        ("SELECT 1; /* goes on", False),
        ("SELECT 'no;", False),
        ("SELECT 'it''s no;", False),
        ('SELECT "no;', False),
        ("SELECT $$no;", False),
        ("SELECT $a$ no;$$;", False),
        (";", True),
    ],
)
def test_a_finished_statement_is_one_whose_semicolon_is_code(enter, body, whole):
    assert enter(f"%%mdsql\n{body}") is whole
    assert enter(f"%%mdsql --limit 3\n{body}") is whole


def test_a_string_that_begins_on_the_line_goes_on_below_it(enter):
    assert not enter("%%mdsql SELECT 'a\nb;")
    assert enter("%%mdsql SELECT 'a\nb';")


def test_the_next_line_is_indented_as_the_last(shell):
    assert shell.ip.check_complete("%%mdsql\n  SELECT 1") == ("incomplete", "  ")


def test_a_front_end_that_adds_a_line_feed_waits_for_two(shell):
    """JupyterLab's code console: `%%mdsql`, Enter is asked about as `%%mdsql` and a line feed."""
    for text in ("%%mdsql\n", "%%mdsql\nSELECT a\n"):
        assert shell.ip.check_complete(text)[0] == "incomplete"
    assert shell.ip.check_complete("%%mdsql\nSELECT a\n\n")[0] == "complete"
    assert shell.ip.check_complete("%%mdsql\nSELECT a;\n")[0] == "complete"


def test_asking_runs_nothing_and_other_cells_are_ipython_s(enter, shell):
    assert not enter("%%time\n1")
    assert not enter("for x in y:")
    assert enter("%mdsql SELECT 1")
    assert enter("x = %mdsql SELECT ';")
    assert shell.magics._session is None


def test_a_cell_of_a_notebook_runs_without_a_body(shell, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT 42 AS x")
    assert shell.cell(f"%%mdsql --file {tmp_path}/q.sql").value.x.tolist() == [42]
    assert shell.cell("%%mdsql SELECT 43 AS x").value.x.tolist() == [43]
    assert shell.cell("%%mdsql").value is None


def test_unloading_leaves_ipython_s_own_answers(shell):
    shell.ip.check_complete("1")
    shell.ip.run_line_magic("unload_ext", "md_magic")
    assert shell.ip.check_complete("%%mdsql\nSELECT 1;")[0] == "incomplete"
    assert "check_complete" not in vars(shell.ip.input_transformer_manager)


def test_what_others_put_in_its_place_stays(ip):
    manager = ip.input_transformer_manager
    manager.check_complete = lambda _: ("invalid", None)
    ip.run_line_magic("load_ext", "md_magic")
    assert ip.check_complete("%%mdsql\nSELECT 1;")[0] == "complete"
    assert ip.check_complete("1")[0] == "invalid"
    ip.run_line_magic("unload_ext", "md_magic")
    assert ip.check_complete("1")[0] == "invalid"
    ip.run_line_magic("load_ext", "md_magic")
    ours = manager.check_complete
    manager.check_complete = functools.partial(ours)  # somebody wraps it
    ip.run_line_magic("unload_ext", "md_magic")
    assert ip.check_complete("%%mdsql\nSELECT 1;")[0] == "invalid"


@pytest.mark.parametrize(
    ("target", "body", "whole"),
    [
        ("sqlite://", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\nINSERT INTO log VALUES (new.a);", False),
        ("sqlite://", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\nINSERT INTO log VALUES (new.a);\nEND;", True),
        ("sqlite://", "SELECT 1; -- done", True),
        ("sqlite://", "SELECT 'no;", False),
        ("postgresql://h/db", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC\n  SELECT 1;", False),
        ("postgresql://h/db", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC\n  SELECT 1;\nEND;", True),
        ("postgresql://h/db", "DO $$ BEGIN\n  PERFORM 1;", False),
        ("mysql+pymysql://h/db", "SELECT 1 # no;", False),
        ("mysql+pymysql://h/db", "SELECT 1; # done", True),
        ("mysql+pymysql://h/db", "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END;", False),
        ("mysql+pymysql://h/db", "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END //", True),
        ("nowhere:", "SELECT 1;", True),
        ("$missing", "SELECT 1;", True),
    ],
)
def test_a_statement_ends_where_its_database_ends_it(enter, target, body, whole):
    assert enter(f"%%mdsql {target}\n{body}") is whole


def test_the_current_target_says_where_a_statement_ends(shell, enter):
    trigger = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\nINSERT INTO t VALUES (1);"
    shell.cell("%mdsql @other --alias nothing", error=True)
    assert enter(f"%%mdsql\n{trigger}")
    shell.cell("%mdsql sqlite://")
    assert not enter(f"%%mdsql\n{trigger}")
    assert enter(f"%%mdsql\n{trigger}\nEND;")
    shell.cell("%%mdsql duckdb:///:memory: --alias here\nSELECT 1")
    assert enter(f"%%mdsql\n{trigger}")

"""The magic line: options, a target, and SQL that is left as typed."""

from __future__ import annotations

import pytest

from md_magic import options
from md_magic.errors import OptionError


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1 -- --limit 5",
        "-- a comment",
        "--",
        "-1",
        "SELECT 'it''s', \"a b\"",
        "SELECT 'unbalanced",
        "SELECT a->'$.b', a->>'c'",
        "SELECT 1 << 2",
        "FROM 'md:x'",
        "SELECT {x} $y `z` \\n",
        "select  two   spaces ",
    ],
)
def test_sql_on_the_line_is_left_as_typed(sql):
    assert options.parse(sql).sql == sql
    assert options.parse(f"--limit 3 {sql}").sql == sql
    assert options.parse(f"md:db -o x {sql}").sql == sql


def test_options_may_stand_before_and_after_the_target():
    request = options.parse("--limit 5 duckdb:///a.db -o x --as=arrow --quiet SELECT 1")
    assert request.target == "duckdb:///a.db"
    assert (request.limit, request.out, request.form, request.quiet, request.sql) == (5, "x", "arrow", True, "SELECT 1")


def test_a_target_with_blanks_is_quoted():
    assert options.parse("'duckdb:///my data.db' SELECT 1").target == "duckdb:///my data.db"
    assert options.parse('"duckdb:///my data.db"', "SELECT 1").target == "duckdb:///my data.db"


def test_sql_on_the_line_of_a_cell_stands_before_its_body():
    assert options.parse("SELECT 1,", "2").sql == "SELECT 1,\n2"
    assert options.parse("md:", "SELECT 2").sql == "SELECT 2"


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        pytest.param("df << SELECT 1", None, id="line"),
        pytest.param("df <<", "SELECT 1", id="cell"),
        pytest.param("df << md:db", "SELECT 1", id="before a target"),
        pytest.param("md:db df << SELECT 1", None, id="after a target"),
        pytest.param("", "df << SELECT 1", id="first word of the body"),
        pytest.param("--limit 1 df << SELECT 1", None, id="after an option"),
    ],
)
def test_a_name_and_arrows_bind_the_result(line, cell):
    request = options.parse(line, cell)
    assert request.out == "df"
    assert request.sql.strip() == "SELECT 1"


def test_params_keep_their_expressions():
    line = "--param n=len(x)==2 --param 's=\"a b\"' --param :ids=[1,2] SELECT 1"
    assert options.parse(line).parameters == (("n", "len(x)==2"), ("s", '"a b"'), ("ids", "[1,2]"))


@pytest.mark.parametrize(
    ("line", "action", "argument"),
    [
        ("--help", "help", None),
        ("--connections", "connections", None),
        ("--close", "close", None),
        ("--close @x", "close", "@x"),
        ("--close-all", "close_all", None),
        ("--databases", "databases", None),
        ("--tables", "tables", None),
        ("--tables fl%", "tables", "fl%"),
        ("--tables --quiet", "tables", None),
        ("--describe main.t", "describe", "main.t"),
        ("--describe '\"we ird\"'", "describe", '"we ird"'),
        ("SELECT 1", "run", None),
    ],
)
def test_actions(line, action, argument):
    request = options.parse(line)
    assert (request.action, request.argument) == (action, argument)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("--limt 5 SELECT 1", ["--limt", "--limit", "--help"], id="unknown with a near name"),
        pytest.param("-x SELECT 1", ["-x", "--help"], id="unknown"),
        pytest.param("--limit five", ["'five'", "--limit 1000"], id="limit"),
        pytest.param("--limit -5", ["-5"], id="negative limit"),
        pytest.param("--limit", ["--limit", "argument"], id="no value"),
        pytest.param("--as csv SELECT 1", ["csv", "pandas", "reader"], id="form"),
        pytest.param("-o 1x SELECT 1", ["'1x'", "digit"], id="no name"),
        pytest.param("-o class SELECT 1", ["'class'", "keyword"], id="keyword"),
        pytest.param("a.b << SELECT 1", ["'a.b'"], id="arrows without a name"),
        pytest.param("-o a b << SELECT 1", ["'a'", "'b'"], id="two names"),
        pytest.param("--param x SELECT 1", ["'x'", "NAME=EXPRESSION"], id="param"),
        pytest.param("--param 1=2 SELECT 1", ["'1'"], id="param name"),
        pytest.param("--alias 'a b' SELECT 1", ["'a b'"], id="alias"),
        pytest.param("--engine e md: SELECT 1", ["--engine", "md:"], id="engine and target"),
        pytest.param("--tables --databases", ["not allowed with"], id="two actions"),
    ],
)
def test_a_bad_line_says_what_was_got_and_what_is_possible(line, words):
    with pytest.raises(OptionError) as caught:
        options.parse(line)
    assert [word for word in words if word not in str(caught.value)] == []


def test_every_option_is_explained():
    for action in options.parser()._actions:
        assert action.help, action.option_strings

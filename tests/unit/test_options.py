"""The magic line: options, a target, and SQL that is left as typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from md_magic import jupysql, options
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


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--quiet=1 SELECT 1", "--quiet takes no value, and '1' was given."),
        ("--describe", "--describe needs an argument: --describe TABLE."),
        ("--limit --quiet SELECT 1", "--limit needs an argument: --limit N."),
        ("--to '' --frame df", "--to needs an argument: --to TABLE."),
        ("--as csv", "--as: 'csv' is not a choice; choose from pandas, polars, arrow, reader, dict."),
        ("--tables --close-all", "--close-all was given with --tables, and one is not allowed with the other."),
        ("--explain --grid", "--grid was given with --explain, and one is not allowed with the other."),
        ("--grid --as arrow", "--as arrow was given with --grid, and a result is a frame or a grid."),
        ("--engine e md:", "--engine e was given with the target md:, and a cell runs on one of them."),
        ("--tables --limit 5", "--limit 5 was given with --tables, and it is for a result of SQL."),
        ("--to t --frame df --as arrow", "--as arrow was given with --to t, and it is for a result of SQL."),
        ("--describe t --grid", "--grid was given with --describe t, and it is for a result of SQL."),
        ("--file a.sql --jobs", "--file a.sql was given with --jobs, and it is for a result of SQL."),
        ("--save q --tables", "--save q was given with --tables, and --save keeps one SELECT."),
        (
            "--save q --file a.sql SELECT 1",
            "--save q was given with --file and SQL below it, and --save keeps one SELECT. The SQL that was given: 'SELECT 1'.",
        ),
        (
            "--all --background",
            "--all was given with --background, and --background gives one handle, of the last result.",
        ),
        ("--browse SELECT 1", "--browse stands on the line alone, without SQL. The SQL that was given: 'SELECT 1'."),
        ("--to t", "--to t needs --frame NAME: the variable whose rows are written."),
        ("--frame df", "--frame df needs --to TABLE: it is written to that table."),
        ("--append SELECT 1", "--append needs --to TABLE: it says how that table is written."),
    ],
)
def test_options_that_do_not_go_together_are_named(line, message):
    with pytest.raises(OptionError) as caught:
        options.parse(line)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "line",
    [
        "--save q --file a.sql",
        "--limit 1 --limit 2 SELECT 1",
        "--explain --explain SELECT 1",
        "--save q --dry-run SELECT 1",
    ],
)
def test_what_goes_together_is_read(line):
    assert options.parse(line).action == "run"


def test_a_line_that_is_repeated_is_read_once():
    options._read.cache_clear()
    for cell in ("SELECT 1", "SELECT 2"):
        options.parse("--limit 5 md:", cell)
    assert (options._read.cache_info().misses, options._read.cache_info().hits) == (1, 1)


# ---- the table ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=options.OPTIONS, ids=lambda option: option.flag)
def option(request):
    return request.param


def test_an_option_is_explained_and_fills_a_field(option):
    assert option.help
    assert option.field in {*options.Request._fields, "action"}
    assert (option.completes == "choice") is bool(option.choices)


def test_what_an_option_refers_to_is_there(option):
    others = [conflict.other for conflict in option.conflicts] + ([option.needs.other] if option.needs else [])
    assert [other for other in others if other not in {*options.BY_FLAG, *options.Request._fields}] == []


def test_a_flag_stands_for_one_option():
    flags = [flag for option in options.OPTIONS for flag in option.flags]
    assert len(flags) == len(set(flags)) == len(options.BY_FLAG)


_VALUES = {"--as": "arrow", "--limit": "5", "--param": "x=1", "--timeout": "5", "--diff": "a b", "--chart": "bar"}
_LEADS = {"--to": "--to t --frame df", "--diff": "--diff a b", "--chart": "--chart"}
_WRITING = "--to t --frame df"


def test_every_option_can_be_given(option):
    words = f"{option.flag} {_VALUES.get(option.flag, 'name') if option.value else ''}"
    line = words
    if option.needs:
        line = f"{_LEADS.get(option.needs.other, _WRITING)} {words}"
    assert getattr(options.parse(line), option.field) not in {None, False, (), "run", "create"}


@pytest.mark.parametrize(
    ("line", "counterpart"),
    [
        ("--with recent FROM recent", "Here a saved query needs none: write its name in FROM."),
        (
            "--interact x SELECT :x",
            "Here --live runs the cell again when a control of ipywidgets that :NAME binds changes.",
        ),
        ("--persist df", "Here --to TABLE --frame NAME writes a DataFrame variable."),
        ("--persist-replace df", "Here --to TABLE --frame NAME --replace writes a DataFrame variable."),
        ("--section=prod", "Here @NAME is a target of the setting targets"),
        ("-s prod", "Here @NAME is a target of the setting targets"),
        ("-c creator", "Here --engine NAME runs on an Engine of yours"),
        ("--displaycon", "Here --connections lists what is open"),
        ("--limti 3", "Did you mean --limit?"),
    ],
)
def test_an_option_of_jupysql_has_its_counterpart(line, counterpart):
    with pytest.raises(OptionError) as caught:
        options.parse(line)
    assert counterpart in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_option_that_is_ours_is_nobody_else_s():
    assert not set(jupysql.COUNTERPARTS) & set(options.BY_FLAG)
    named = {flag for text in jupysql.COUNTERPARTS.values() for flag in re.findall(r"--[a-z-]+", text)}
    assert named <= set(options.BY_FLAG)


def documented_options():
    """Return the options that code in the README and in the guide names."""
    root = Path(__file__).parents[2]
    pages = [root / "README.md", *(root / "docs").glob("*.md"), *(root / "docs" / "howto").glob("*.md")]
    pages += (root / "docs" / "explanation").glob("*.md")
    found = set()
    for page in pages:
        if page.name.startswith("from-"):  # these pages name other tools' options too
            continue
        text = re.sub(r"(?s)```(?:sh|yaml|toml)\n.*?```", "", page.read_text(encoding="utf-8"))
        code = " ".join(re.findall(r"```.*?```|`[^`]+`|<code>.*?</code>", text, re.DOTALL))
        found |= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", code))
    return found


def test_the_documents_name_every_option(option):
    assert documented_options().intersection(option.flags)


def test_every_option_that_is_documented_exists():
    others = {"-b", "-m", "-s", "-c", "--gateway-url", "--keep", "--override", "--write"}  # of other programs
    assert sorted(documented_options() - set(options.BY_FLAG) - others) == []


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        ("duckdb:///a b.db", "SELECT 1"),
        ("duckdb:///a b/c", "SELECT 1"),
        ("duckdb:///my holiday", "SELECT 1"),
        ("sqlite:///a 2nd.db SELECT 1", None),
        ("duckdb:///C:\\My files\\a.db", "SELECT 1"),
        ("postgresql://ann:p4ss word@localhost/db", "SELECT 1"),
    ],
)
def test_a_target_that_is_cut_at_a_blank_opens_nothing(line, cell):
    with pytest.raises(OptionError, match="Quote a target that has a blank in it") as caught:
        options.parse(line, cell)
    assert "p4ss" not in str(caught.value)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        ('"duckdb:///a b.db"', "SELECT 1"),
        ("duckdb:///a.db SELECT", "1.5"),
        ("duckdb:///a.db SELECT/**/a.b FROM t", None),
        ("duckdb:///a.db -- sql of a.b", "SELECT 1"),
        ("duckdb:///a.db /*a.b*/ SELECT 1", None),
        ("duckdb:///a.db (SELECT 1)", None),
        ("duckdb:///a.db summarize", "t"),
        ("duckdb:///a.db {{a.b}}", None),
        ("duckdb:///a.db df << SELECT a.b", None),
        ("--profile duckdb:///a.db main.t", None),
        ("md: SELECT 1", None),
        ("postgresql://localhost/db DO", "$$ $$"),
        ("postgresql://localhost/db \\d flights", None),  # psql's: a hint says what to write
    ],
)
def test_what_follows_a_target_may_be_sql(line, cell):
    assert options.parse(line, cell).target in line

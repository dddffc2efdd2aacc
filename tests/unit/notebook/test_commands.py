"""What stands on the line alone, without a shell, and the help."""

from __future__ import annotations

import pandas as pd
import pytest

from md_magic import options
from md_magic.errors import OptionError
from md_magic.notebook import commands


@pytest.fixture
def do(host):
    return lambda line: commands.run(host.cell(line))


def test_every_option_that_stands_alone_is_done():
    assert set(commands.COMMANDS) == {option.name for option in options.OPTIONS if option.stands_alone}


def test_the_catalogue_is_asked_on_the_target_of_the_line(do, host):
    host.cell("duckdb:///:memory: CREATE TABLE t (a INT)").run()
    assert do("--tables")["name"].tolist() == ["t"]
    assert do("--describe t")["column"].tolist() == ["a"]
    assert do("--databases sqlite://")["name"].tolist() == ["main"]
    assert host.session.current.name == "sqlite://"


def test_closing_says_what_is_open_where_nothing_is_current(do, host, capsys):
    host.cell("duckdb:///:memory: SELECT 1").run()
    host.cell("sqlite:// SELECT 1").run()
    do("--close")
    do("--close")
    assert capsys.readouterr().out.splitlines() == [
        "sqlite:// closed",
        "No connection is current; open: duckdb:///:memory:. --close TARGET closes one, --close-all all.",
    ]


def test_closing_says_what_was_closed(do, host, capsys):
    do("--close")
    host.targets = {"here": "duckdb:///:memory:"}
    host.cell("@here SELECT 1").run()
    do("--close @here")
    do("--close @here")
    host.cell("sqlite:// SELECT 1").run()
    do("--close-all")
    assert capsys.readouterr().out.splitlines() == [
        "Nothing is open.",
        "duckdb:///:memory: closed",
        "duckdb:///:memory: was not open",
        "1 connection closed",
    ]


def test_a_variable_is_written_to_a_table(do, host, capsys):
    host.shell.user_ns |= {"df": pd.DataFrame({"a": [1, 2]}), "named": pd.DataFrame({"a": [3]}, index=["x"])}
    do("--to t --frame df")
    do("--to t --frame named --append")
    do("--to t --frame named --append --quiet")
    assert capsys.readouterr().out.splitlines() == [
        "2 rows written to t",
        "1 row written to t; the index was not written, reset_index() makes a column of it",
    ]
    assert host.cell("FROM t").run().a.tolist() == [1, 2, 3, 3]
    with pytest.raises(OptionError, match="there is no Python variable 'nobody'"):
        do("--to t --frame nobody")


def test_a_saved_query_is_forgotten(do, host):
    host.cell("--save q SELECT 1").run()
    do("--forget q")
    assert host.session.saved == []
    with pytest.raises(OptionError, match="no query is saved under that name"):
        do("--forget q")


def test_only_motherduck_is_signed_in_to(do):
    with pytest.raises(OptionError, match=r"Write --login md:my_db\."):
        do("--login sqlite://")


def test_help_is_the_table_of_options(do, capsys):
    do("--help")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: %%mdsql [TARGET] [options]")
    assert "  -o, --out NAME        bind the result to NAME and display nothing; also `NAME" in lines
    assert "                        << SELECT ...`" in lines
    assert "  --close [TARGET]      close TARGET, or the current one" in lines
    assert [option.flag for option in options.OPTIONS if not any(option.spelling in line for line in lines)] == []

"""A cell's life without a shell: what is run, what is returned and bound, and what is said at its end."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from md_magic import options
from md_magic.engine.plans.plan import Plan
from md_magic.errors import OptionError, QueryTimeout, StatementError
from md_magic.notebook import cell
from md_magic.session.profile.values import Profile


def test_a_result_has_the_form_of_the_line_or_of_the_setting(host):
    assert host.cell("SELECT 42 AS x").run().x.tolist() == [42]
    assert list(host.cell("--as dict", "SELECT 42 AS x").run()["x"]) == [42]
    host.format = "arrow"
    assert isinstance(host.cell("SELECT 42 AS x").run(), pa.Table)


@pytest.mark.parametrize(
    ("option", "kind"), [("--explain", Plan), ("--analyze", Plan), ("--profile", Profile)], ids=str
)
def test_a_mode_gives_a_plain_value(host, option, kind):
    assert type(host.cell(f"{option} FROM range(3)").run()) is kind


def test_every_mode_of_the_options_is_done():
    modes = {option.name for option in options.OPTIONS if option.field == "mode"}
    assert modes == {*cell.MODES, "background"}


def test_a_grid_without_widgets_is_a_plain_table(host):
    assert str(host.cell("--grid SELECT 42 AS x").run()).endswith("1 row × 1 column.")


def test_a_background_query_gives_its_handle(host):
    job = host.cell("--background -o totals SELECT 42 AS x").run()
    assert job.name == "totals"
    assert job.result().x.tolist() == [42]


def test_a_value_is_bound_or_returned(host):
    assert host.cell("SELECT 1").bound(7) == 7
    assert host.cell("-o x SELECT 1").bound(7) is None
    assert host.shell.user_ns == {"x": 7}


def test_a_file_runs_before_the_cell_and_says_what_it_did(host, tmp_path, capsys):
    (tmp_path / "q.sql").write_text("CREATE TABLE t AS SELECT 1 AS a")
    assert host.cell(f"--file {tmp_path}/q.sql", "FROM t").run().a.tolist() == [1]
    assert capsys.readouterr().out == "1 row inserted\n"
    with pytest.raises(OptionError, match=r"--file nope\.sql: No such file or directory\. The path is relative to"):
        host.cell("--file nope.sql").run()


def test_a_parameter_is_computed_once(host, tmp_path):
    (tmp_path / "q.sql").write_text("CREATE TABLE t AS SELECT :x AS a")
    host.shell.user_ns["numbers"] = iter([1, 2, 3])
    frame = host.cell(f"--param x=next(numbers) --file {tmp_path}/q.sql", "SELECT a, :x AS b FROM t").run()
    assert frame.iloc[0].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("expression", "words"),
    [("nobody", "NameError"), ("[1,", "An expression with blanks is quoted: --param 'x=[1, 2]'."), ("1/0", "division")],
)
def test_an_expression_that_fails_is_named(host, expression, words):
    with pytest.raises(OptionError) as caught:
        host.cell(f"--param x={expression} SELECT :x").run()
    assert str(caught.value).startswith(f"--param x={expression}: ")
    assert words in str(caught.value)


def test_a_select_is_saved_once_it_has_run(host):
    with pytest.raises(StatementError):
        host.cell("--save q FROM nowhere").run()
    assert host.session.saved == []
    host.cell("--save q SELECT 42 AS x").run()
    assert host.session.saved == ["q"]
    assert host.cell("FROM q").run().x.tolist() == [42]


def test_jinja_renders_first_and_an_error_says_so(host):
    host.shell.user_ns["columns"] = ["a", "b"]
    assert list(host.cell("--jinja", "SELECT {% for c in columns %}1 AS {{ c }}, {% endfor %}").run()) == ["a", "b"]
    with pytest.raises(StatementError) as caught:
        host.cell("--jinja", "SELECT {{ columns[0] }}").run()
    assert caught.value.__notes__[-1] == "\nThe lines are those of the SQL that Jinja has rendered."


@pytest.mark.parametrize(
    ("line", "setting", "words"), [("--timeout 0.2", None, "--timeout 0.2"), ("", 0.2, "timeout = 0.2")]
)
def test_a_time_limit_is_of_the_line_or_of_the_setting(host, line, setting, words):
    host.timeout = setting
    with pytest.raises(QueryTimeout, match=re.escape(words)):
        host.cell(f"{line} SELECT count(*) FROM range(1e6::INT) a, range(1e6::INT) b").run()
    assert host.cell("SELECT 1 AS x").run().x.tolist() == [1]


def test_a_slow_cell_ends_with_a_status(host, capsys):
    host.progress_after = 0
    host.cell("--limit 2 FROM range(3)").run()
    status = r"the first 2 rows × 1 column; there are more · [\d.]+ (µs|ms|s) · duckdb:///:memory:\n"
    printed = capsys.readouterr()  # nobody looks: standard output has no time
    assert re.fullmatch(status, printed.err)
    assert printed.out == "The first 2 rows; there are more.\n"
    host.cell("--quiet FROM range(3)").run()
    assert capsys.readouterr() == ("", "")


def test_an_expression_that_cannot_be_read_is_in_no_cause(host):
    with pytest.raises(OptionError, match="was never closed") as caught:
        host.cell("--param x=Xq7hunter2zz( SELECT :x").run()
    assert caught.value.__cause__ is None

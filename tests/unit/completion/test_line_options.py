"""Completion of a half-typed magic line: what its end is, and what is suggested there."""

from __future__ import annotations

import pytest

from md_magic.catalog.snapshot import Snapshot
from md_magic.completion import line_options
from md_magic.completion.line_options import LineContext, context_at_end
from md_magic.completion.suggestions import Surroundings
from md_magic.options import BY_FLAG, OPTIONS


@pytest.mark.parametrize(
    ("line", "fragment", "flag", "has_target", "sql"),
    [
        ("", "", None, False, None),
        ("--li", "--li", None, False, None),
        ("--limit ", "", "--limit", False, None),
        ("--limit 1", "1", "--limit", False, None),
        ("--limit=1", "1", "--limit", False, None),
        ("--limit 1 ", "", None, False, None),
        ("--quiet ", "", None, False, None),
        ("--quiet=1", "--quiet=1", None, False, None),
        ("--quiet --as po", "po", "--as", False, None),
        ("--as --qu", "--qu", "--as", False, None),
        ("--as --quiet", "--quiet", None, False, None),
        ("--tables ", "", "--tables", False, None),
        ("--tables -", "-", None, False, None),
        ("--tables --quiet ", "", None, False, None),
        ("-o x --l", "--l", None, False, None),
        ("--unknown ", "", None, False, None),
        ("md:my", "md:my", None, False, None),
        ("md:my ", "", None, True, None),
        ("md:my --l", "--l", None, True, None),
        ("'duckdb:///my data.db' ", "", None, True, None),
        ("SELECT", "SELECT", None, False, None),
        ("SELECT ", "", None, False, 0),
        ("--limit 1 SELECT x", "", None, False, 10),
        ("md: SELECT x", "", None, True, 4),
        ("df << ", "", None, False, None),
        ("df << md: SELECT x", "", None, True, 10),
        ("f(1)<<", "", None, False, 0),
    ],
)
def test_the_end_of_a_line(line, fragment, flag, has_target, sql):
    expected = LineContext(fragment, BY_FLAG.get(flag), has_target=has_target, sql=sql)
    assert context_at_end(line) == expected


AROUND = Surroundings(
    names=Snapshot(),
    frames={"people": [], "points": []},
    values=("day",),
    engines=("con",),
    dicts=("settings",),
    targets=("@prod", "md:"),
    saved=("CREATE VIEW by_day AS SELECT 1", 'CREATE VIEW "order" AS SELECT 2'),
)


def suggested(line, sql="", *, is_line_magic=False):
    suggestions = line_options.suggest(context_at_end(line), sql, AROUND, is_line_magic=is_line_magic).suggestions
    return [suggestion.text for suggestion in suggestions]


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("--as ", ["pandas", "polars", "arrow", "reader", "dict"]),
        ("--as=po", ["polars"]),
        ("--engine ", ["con"]),
        ("--config s", ["settings"]),
        ("--frame ", ["people", "points"]),
        ("--to t --frame po", ["points"]),
        ("--param ", ["day=", "n="]),
        ("--forget ", ["by_day", "order"]),
        ("--forget by", ["by_day"]),
        ("--close ", ["@prod", "md:"]),
        ("--login m", ["md:"]),
        ("--limit ", []),
        ("--out ", []),
        ("--a", ["--as", "--all", "--analyze", "--alias"]),
        ("md: --clo", []),
        ("--fr", []),
        ("--on", []),
    ],
)
def test_what_is_suggested_above_sql(line, texts):
    assert suggested(line, "SELECT :day, :n") == texts


def test_what_is_suggested_in_a_line_of_its_own():
    assert suggested("md: --clo", is_line_magic=True) == ["--close", "--close-all"]
    assert suggested("--a", is_line_magic=True) == ["--as", "--all", "--analyze", "--alias", "--append"]


def test_targets_and_options_begin_a_line():
    flags = [option.flag for option in OPTIONS]
    above_sql = suggested("")
    assert above_sql[:2] == ["@prod", "md:"]
    assert not {"--tables", "--diff", "--on", "--to", "--frame", "--replace", "--help"} & {*above_sql}
    assert {"--limit", "--save", "--engine", "--background"} < {*above_sql}
    in_a_line = suggested("", is_line_magic=True)
    assert in_a_line[: len(flags) + 2] == ["@prod", "md:", *flags]
    assert suggested("md: ")[0] == "--out"
    assert "SELECT" not in suggested("")
    assert "SELECT" in suggested("", is_line_magic=True)
    assert "select" in suggested("sel", is_line_magic=True)


def test_files_are_suggested_as_one_word(tmp_path):
    for name in ("plain.sql", "with blank.sql", "it's.sql", "data.duckdb"):
        (tmp_path / name).write_text("")
    folder = f"{tmp_path}/"
    assert suggested(f"--file {folder}pl") == [f"{folder}plain.sql"]
    assert suggested(f"--file {folder}wi") == [f"'{folder}with blank.sql'"]
    assert suggested(f"--file '{folder}wi") == [f"'{folder}with blank.sql"]
    assert suggested(f"--file {folder}it") == [f'"{folder}it\'s.sql"']
    assert suggested(f"duckdb:///{folder}da") == [f"duckdb:///{folder}data.duckdb"]


def test_every_value_that_can_be_completed_is():
    kinds = {option.completes for option in OPTIONS} - {None, "choice", "file"}
    assert kinds == set(line_options._VALUES)

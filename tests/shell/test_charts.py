"""`--chart` in a cell: its value, what is shown, what it goes with, and other databases."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from md_magic.display import chart as charts
from tests.extras import needs

BAR = "SELECT * FROM (VALUES ('b', 1), ('a', 5)) t(k, n)"


@pytest.fixture(autouse=True)
def _installed():
    needs("altair")
    needs("vl_convert")


def test_the_value_is_an_altair_chart_that_shows_itself(shell):
    import altair as alt

    ran = shell.sql(BAR, "--chart bar --x k --y n")
    assert isinstance(ran.value, alt.Chart)
    assert sorted(ran.value.data.itertuples(index=False, name=None)) == [("a", 5), ("b", 1)]
    assert ran.value.to_dict()["encoding"]["x"]["sort"] == ["a", "b"]
    data, metadata = shell.ip.display_formatter.format(ran.value)
    assert set(data) == {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    assert data["text/plain"] == "<altair.Chart> n by k"
    assert metadata["image/png"]["width"] > 600


def test_a_name_is_bound_and_a_line_has_a_value(shell):
    ran = shell.sql(BAR, "--chart -o c")
    assert (ran.value, ran.displayed) == (None, [])
    assert len(shell.variables["c"].data) == 2
    shell.cell("d = %mdsql --chart histogram SELECT range % 3 AS i FROM range(9)")
    assert shell.variables["d"].data["rows"].tolist() == [3, 3, 3]


def test_parameters_frames_statements_and_tables(shell):
    shell.cell("import pandas as pd; frame = pd.DataFrame({'a': [1, 2, 3, 4], 'k': list('xyxy')}); least = 2")
    ran = shell.sql("SET threads = 1; SELECT k, a FROM frame WHERE a >= :least", "--chart bar")
    assert ran.value.data.to_dict("list") == {"k": ["y", "x"], "a": [6, 3]}
    assert len(shell.cell("%mdsql --chart histogram --x a FROM frame").value.data) == 4
    assert len(shell.cell("%mdsql --chart bar frame").value.data) == 2


def test_a_limit_is_said_and_a_saved_query_is_kept(shell):
    ran = shell.sql("SELECT range AS i, range AS j FROM range(100)", "--chart point --limit 10 --save hundred")
    assert len(ran.value.data) == 10
    assert ran.value.to_dict()["title"]["subtitle"] == ["The first 10 rows; there are more."]
    assert shell.sql("SELECT count(*) AS n FROM hundred").value["n"].tolist() == [100]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--chart --as arrow", "--chart was given with --as arrow, and the value is an altair.Chart."),
        ("--chart --all", "--chart was given with --all, and a chart is drawn of the last statement."),
        ("--chart --background", "one is not allowed with the other"),
        ("--chart --grid", "one is not allowed with the other"),
        ("--x a", "--x a needs --chart [KIND]"),
        ("--chart pie", "'pie' is not a choice; choose from bar, line, area, point, histogram, box, heatmap."),
        ("--chart pie --x a", "'pie' is not a choice"),
        ("--chart=pie", "'pie' is not a choice"),
        ("--chart --x nope", "--x nope: the result has no such column."),
        ("--chart histogram --x k --y n", "--y n was given with a histogram"),
    ],
)
def test_what_does_not_go_together_is_one_message(shell, line, said):
    failed = shell.sql(BAR, line, error=True)
    assert said in failed.message
    assert type(failed.error).__name__ == "OptionError"


def test_a_missing_package_is_named_before_anything_runs(shell, monkeypatch):
    monkeypatch.setattr(charts, "_has", lambda module: module != "vl_convert" and importlib.util.find_spec(module))
    failed = shell.sql("CREATE TABLE made AS SELECT 1 AS a; FROM made", "--chart", error=True)
    assert failed.message == "--chart needs the package vl-convert-python: %pip install 'md_magic[chart]'."
    assert "made" in shell.sql("FROM made", error=True).message


def test_no_chart_loads_nothing_of_it():
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "md_magic")
shell.run_cell_magic("mdsql", "", "SELECT 1")
print([name for name in sys.modules if name in {"altair", "vl_convert", "md_magic.session.chart.query", "md_magic.display.chart"}])"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.endswith(
        "[]\n"
    )


def test_columns_are_completed():
    from md_magic.completion import line_options
    from md_magic.completion.suggestions import Surroundings

    def suggested(line):
        context = line_options.context_at_end(line)
        sql = 'WITH c AS (SELECT 1 AS x)\nSELECT x, 2 AS "air time", 3 AS year FROM c;'
        return [
            each.text for each in line_options.suggest(context, sql, Surroundings(), is_line_magic=False).suggestions
        ]

    assert suggested("--chart bar --x ") == ["x", "'air time'", "year"]
    assert suggested("--chart bar --y y") == ["year"]
    assert suggested("--chart b") == ["bar", "box"]


def test_a_live_chart_is_drawn_again(shell):
    pytest.importorskip("ipywidgets")
    shell.cell("import ipywidgets; n = ipywidgets.IntSlider(value=3)")
    live = shell.sql("SELECT range AS i FROM range(:n)", "--live --chart histogram").value
    try:
        assert len(live.value.data) == 3
        shell.cell("n.value = 7")
        for _ in range(200):
            if len(live.value.data) == 7:
                break
            live.wait(0.05)
        assert len(live.value.data) == 7
    finally:
        live.close()
        live.wait(30)  # while there is a shell: IPython prints what is displayed after it

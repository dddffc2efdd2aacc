"""`--live`: the cell runs again when a control changes; the last change counts, and what ran before it is stopped."""

from __future__ import annotations

import time

import ipywidgets
import pandas as pd
import pytest

from md_magic.errors import OptionError

LONG = "SELECT count(*) AS n, :w AS w FROM range(:n) a, range(:n) b WHERE hash(a.range, b.range) = 1"


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.01)


@pytest.fixture
def slider(shell):
    shell.variables["w"] = ipywidgets.IntSlider(value=3, max=10_000)
    on_screen = shell.magics.on_screen
    yield shell.variables["w"]
    on_screen.close_all()


def states(shell):
    return shell.magics.session.history.frame()["state"].tolist()


def test_a_change_runs_the_cell_again(shell, slider):
    ran = shell.sql("SELECT :w AS a, 'x' AS b", "--live")
    live = ran.value
    assert live.value["a"].tolist() == [3]
    slider.value = 8
    until(lambda: live.value["a"].tolist() == [8])
    assert isinstance(live.value, pd.DataFrame)
    live.stop()
    slider.value = 9
    time.sleep(0.1)
    assert live.value["a"].tolist() == [8]


def test_a_change_stops_what_runs_and_only_the_last_counts(shell, slider):
    shell.sql("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    shell.variables["n"] = ipywidgets.IntText(value=1)
    live = shell.sql(LONG, "--live").value
    shell.variables["n"].value = 10_000_000
    until(lambda: live._running is not None)
    for value in range(100, 150):
        slider.value = value
        time.sleep(0.002)
    shell.variables["n"].value = 2
    until(lambda: live.value["w"].tolist() == [149])
    assert live.value["n"].tolist() == [0]
    until(lambda: live._running is None)
    assert states(shell)[-1] == "done"
    assert "cancelled" in states(shell)
    assert len(states(shell)) <= 54
    assert shell.sql("FROM mine").value["a"].tolist() == [1]


def test_ten_changes_a_second_make_no_queue(shell, slider):
    live = shell.sql("SELECT :w AS w, count(*) AS n FROM range(30_000_000) t(i) WHERE hash(i) % 7 = 3", "--live").value
    for value in range(1, 21):
        slider.value = value
        time.sleep(0.1)
    ended = time.monotonic()
    until(lambda: live.value["w"].tolist() == [20])
    lasted = time.monotonic() - ended
    alone = shell.magics.session.history.frame()["seconds"].iloc[0]
    assert lasted < 5 * alone + 1  # the time of about one query, not of twenty


def test_the_result_is_replaced_in_place(shell, slider, monkeypatch):
    updates = []
    monkeypatch.setattr(type(shell.ip.display_pub), "publish", lambda _, data, **more: updates.append((data, more)))
    live = shell.ip.run_cell_magic("mdsql", "--live", "SELECT :w AS a")
    live._ipython_display_()
    slider.value = 5
    until(lambda: len(updates) == 2)
    (first, of_first), (second, of_second) = updates
    assert of_first["transient"]["display_id"] == of_second["transient"]["display_id"]
    assert of_second["update"] is True
    assert first["text/plain"].split() == ["a", "0", "3"]
    assert second["text/plain"].split() == ["a", "0", "5"]
    assert "<table" in second["text/html"]


def test_a_chart_keeps_the_size_of_its_picture(shell, slider, monkeypatch):
    updates = []
    monkeypatch.setattr(type(shell.ip.display_pub), "publish", lambda *_, **more: updates.append(more))
    live = shell.ip.run_cell_magic("mdsql", "--live --chart bar", "SELECT 'x' AS a, :w AS b")
    live._ipython_display_()
    slider.value = 5
    until(lambda: len(updates) == 2)
    first, second = (more["metadata"]["image/png"] for more in updates)
    assert first == second
    assert first["width"] > 0


def test_an_error_stands_in_its_place_until_the_next_change(shell, slider):
    live = shell.sql("SELECT CASE WHEN :w > 5 THEN error('too <far>') ELSE 'fine' END AS a", "--live").value
    slider.value = 6
    until(lambda: live._bundle is not None)
    assert "too <far>" in live._bundle[0]["text/plain"]
    assert "too &lt;far&gt;" in live._bundle[0]["text/html"]
    slider.value = 4
    until(lambda: "fine" in live._bundle[0]["text/plain"])


def test_a_name_is_bound_to_the_newest_result(shell, slider):
    ran = shell.sql("SELECT :w AS a", "--live -o kept")
    assert ran.value is None
    slider.value = 7
    until(lambda: shell.variables["kept"]["a"].tolist() == [7])


def test_values_of_other_options(shell, slider):
    live = shell.sql("SELECT :v AS a", "--live --param v=w --as polars").value
    slider.value = 6
    until(lambda: live.value["a"].to_list() == [6])
    live = shell.sql("FROM range(:w)", "--live --profile").value
    slider.value = 5
    until(lambda: live.value.frame["rows" if "rows" in live.value.frame else "count"].iloc[0] == 5)


@pytest.mark.usefixtures("slider")
def test_a_time_limit_is_shown(shell):
    shell.variables["n"] = ipywidgets.IntText(value=1)
    live = shell.sql(LONG, "--live --timeout 0.3").value
    shell.variables["n"].value = 10_000_000
    until(lambda: live._bundle is not None)
    assert "--timeout 0.3" in live._bundle[0]["text/plain"]


def test_a_closed_target_ends_it_with_a_sentence(shell, slider):
    live = shell.sql("SELECT :w AS a", "sqlite:// --live").value
    shell.cell("%mdsql --close")
    slider.value = 4
    until(lambda: live._bundle is not None)
    assert "was closed. Run the cell again." in live._bundle[0]["text/plain"]
    assert shell.cell("%mdsql --connections").value.empty


def test_it_stays_on_its_target_and_in_its_session(shell, slider):
    shell.sql("CREATE TEMP TABLE t AS SELECT 42 AS a")
    live = shell.sql("SELECT a + :w AS b FROM t", "--live").value
    shell.cell("%mdsql sqlite://")
    slider.value = 1
    until(lambda: live.value["b"].tolist() == [43])
    assert shell.magics.session.current.name == "sqlite://"


def test_unloading_ends_it(shell, slider):
    live = shell.sql("SELECT :w AS a", "--live").value
    shell.ip.run_line_magic("unload_ext", "md_magic")
    slider.value = 9
    live.wait(5)
    assert not live._thread.is_alive()
    assert live.value["a"].tolist() == [3]


@pytest.mark.parametrize(
    ("line", "sql", "says"),
    [
        ("--live", "SELECT 1 AS a", "there is no :name"),
        ("--live", "SELECT :x AS a", ":x is none"),
        ("--live", "SELECT :x AS a, :y AS b", ":x, :y are none"),
        ("--live --background", "SELECT :w", "--background"),
        ("--live --all", "SELECT :w", "--all"),
    ],
)
@pytest.mark.usefixtures("slider")
def test_what_cannot_be_live_says_so(shell, line, sql, says):
    shell.variables.update(x=1, y=2)
    failed = shell.sql(sql, line, error=True)
    assert isinstance(failed.error, OptionError)
    assert says in failed.message


def test_a_widget_binds_its_value_without_it(shell, slider):
    slider.value = 5
    assert shell.sql("SELECT :w AS a").value["a"].tolist() == [5]
    assert shell.cell("%mdsql SELECT range AS i FROM range(:w)").value["i"].tolist() == [0, 1, 2, 3, 4]

"""`--grid`: what is bound and shown, with widgets and without, and that nothing is left behind."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import pytest

from md_magic import grid, widgets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def notebook(shell, folder, monkeypatch):  # noqa: ARG001 - its files are to be in that folder
    """A shell that says it is a notebook's; `request` is what it is asked to run."""
    monkeypatch.setattr(widgets, "host", lambda _: "widgets")
    monkeypatch.setattr(widgets, "listen_while_busy", lambda _: None)
    shell.request = {"header": {"msg_id": "1"}, "metadata": {"cellId": "a"}}
    monkeypatch.setattr(type(shell.ip), "get_parent", lambda _: shell.request, raising=False)
    return shell


def files(folder):
    return len(list(Path(folder).glob("md_magic-grid-*")))


def test_without_widgets_it_is_a_plain_table(shell, folder):
    ran = shell.sql("select '<b>' as a, null as b, i from range(500) t(i)", "--grid")
    assert isinstance(ran.value, grid.Still)
    html, text = ran.value.html(), str(ran.value)
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.replace("<br>", "")
    assert "<em>NULL</em>" in html
    assert "BIGINT" in html
    assert html.count("<tr>") == 21
    assert "The first 20 of 500 rows, 3 columns. To scroll" in text
    assert files(folder) == 0


def test_a_plain_table_does_not_fetch_the_rest(shell):
    ran = shell.sql("from range(10_000_000_000)", "--grid")
    assert "The first 20 rows; there are more." in str(ran.value)


def test_what_is_small_is_whole(shell):
    assert str(shell.sql("select 1 as a", "--grid").value).endswith("1 row, 1 column.")
    assert str(shell.sql("select 1 as a where false", "--grid").value).endswith("0 rows, 1 column.")


def test_many_columns_are_cut(shell):
    sql = f"select {', '.join(f'{at} as c{at}' for at in range(500))}"
    html = shell.sql(sql, "--grid").value.html()
    assert html.count("<th>") == 20
    assert "Columns after the 20th are not shown." in html


def test_a_statement_without_rows_says_what_it_did(shell):
    ran = shell.sql("create table t as from range(3)", "--grid")
    assert ran.value is None
    assert "3 rows inserted" in ran.printed


def test_a_form_and_a_grid_exclude_each_other(shell):
    message = shell.sql("select 1", "--grid --as arrow", error=True).message
    assert "--as arrow" in message
    assert "--grid" in message


def test_another_database_has_a_grid_too(shell):
    text = str(shell.sql("select 1 as a, 'x' as b union all select null, 'y'", "sqlite:// --grid").value)
    assert "NULL" in text
    assert "2 rows, 2 columns." in text


def test_a_cell_shows_it_and_the_first_rows_below(notebook, folder):
    ran = notebook.sql("from range(1000)", "--grid")
    assert isinstance(ran.value, grid.Grid)
    assert len(ran.value) == 1000
    live, plain = (output.data for output in ran.displayed)
    assert set(live) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "1,000 rows" in live["text/plain"]
    assert "The first 20 of 1,000 rows" in plain["text/html"]
    assert files(folder) == 1


def test_a_name_is_bound_and_nothing_shown(notebook):
    ran = notebook.sql("from range(7)", "--grid -o g")
    assert ran.displayed == []
    assert len(notebook.variables["g"]) == 7
    notebook.cell("h = %mdsql --grid select 1")
    assert len(notebook.variables["h"]) == 1


def test_parameters_and_frames_are_the_run_s(notebook):
    notebook.cell("import pandas as pd; frame = pd.DataFrame({'a': [1, 2, 3]}); least = 2")
    notebook.sql("select a from frame where a >= :least", "--grid -o g")
    notebook.cell("frame.loc[:, 'a'] = 0")
    page = grid._page(
        notebook.variables["g"]._spill, {"sort": [], "filters": [], "first": 0, "count": 9, "left": 0, "right": 1}
    )
    assert page.rows == [("2",), ("3",)]


def test_the_databases_own_tables_are_untouched_and_its_connection_free(notebook):
    notebook.sql("from range(10)", "--grid")
    assert notebook.cell("%mdsql --tables").value.empty
    assert notebook.cell("%mdsql --databases").value["name"].tolist() == ["memory"]
    notebook.sql("begin; create table t as from range(3)")
    assert len(notebook.sql("from t", "--grid").value) == 3
    notebook.sql("rollback")
    assert notebook.sql("select 1 as a").value.a.tolist() == [1]


def test_a_failing_query_leaves_nothing(notebook, folder):
    sql = "select case when i = 900000 then error('no more') else i end from range(1000000) t(i)"
    assert "no more" in notebook.sql(sql, "--grid", error=True).message
    gc.collect()
    assert files(folder) == 0
    assert notebook.sql("select 1 as a").value.a.tolist() == [1]


def test_a_cell_that_runs_again_replaces_its_grid(notebook, folder):
    for run in range(3):
        notebook.request = {"header": {"msg_id": str(run)}, "metadata": {"cellId": "a"}}
        notebook.sql("from range(10)", "--grid")
    assert files(folder) == 1
    notebook.request = {"header": {"msg_id": "9"}, "metadata": {"cellId": "b"}}
    notebook.sql("from range(10)", "--grid")
    assert files(folder) == 2


def test_a_cell_can_make_several(notebook, folder):
    notebook.sql("from range(1); from range(2)", "--grid --all")
    assert files(folder) == 2


def test_there_is_an_end_to_files(notebook, folder):
    for cell in range(20):
        notebook.request = {"header": {"msg_id": "1"}, "metadata": {"cellId": str(cell)}}
        notebook.sql("from range(10)", "--grid -o g")
    assert files(folder) <= 16


def test_unloading_deletes_every_file(notebook, folder):
    notebook.sql("from range(10)", "--grid")
    notebook.ip.run_line_magic("unload_ext", "md_magic")
    assert files(folder) == 0


def test_one_that_nobody_holds_is_deleted(notebook, folder):
    notebook.sql("from range(10)", "--grid -o g")
    notebook.cell("del g")
    gc.collect()
    assert files(folder) == 0


def test_questions_are_answered_and_wrong_ones_refused(notebook):
    notebook.sql("select i, 'x' || i as t from range(1000) t(i)", "--grid -o g")
    g, sent = notebook.variables["g"], []
    g._widget.send = sent.append
    question = {
        "type": "page",
        "id": "1",
        "sort": [[0, True]],
        "filters": [[1, "9"]],
        "first": 0,
        "count": 2,
        "left": 0,
        "right": 2,
    }
    for wrong in ({}, {"filters": [[0, "> x"]]}, {"sort": [[7, True]]}, {"first": "x"}, {"sort": None}):
        g.heard(question | wrong)
    g.heard({"type": "page", "id": "2"})
    g.heard({"type": "nonsense"})
    g._answers.shutdown(wait=True)
    answers = [message for message in sent if message["type"] != "working"]
    assert answers[0] == {"type": "page", "id": "1", "rows": [("999", "x999"), ("998", "x998")], "total": 271}
    assert [message["type"] for message in answers[1:]] == ["error"] * 5
    assert "'x' is no number" in answers[1]["text"]


@pytest.mark.parametrize("kind", ["'101'::bit", "timetz '01:02:03+02'", "42::variant"])
def test_a_query_runs_once_whatever_its_types(shell, kind):
    shell.sql("create sequence s; select 1")
    text = str(shell.sql(f"select nextval('s') as n, {kind} as v from range(:rows)", "--grid --param rows=3").value)
    assert "3 rows, 2 columns." in text
    assert shell.sql("select nextval('s') as n").value["n"].tolist() == [4]


def test_an_error_of_a_grid_is_where_it_is_typed(shell):
    message = shell.sql("select '1'::bit as b,\n nosuch from range(3)", "--grid", error=True).message
    assert "LINE 2:  nosuch from" in message

"""`--grid`: what is bound and shown, with widgets and without, and that nothing is left behind."""

from __future__ import annotations

import gc
import queue
import tempfile
from pathlib import Path

import duckdb
import pytest

from md_magic.display import grid, grid_requests, still
from md_magic.errors import FrameError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the grids' files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def files(folder):
    return len(list(Path(folder).glob("md_magic-grid-*")))


def test_without_widgets_it_is_a_plain_table(shell, folder):
    ran = shell.sql("select '<b>' as a, null as b, i from range(500) t(i)", "--grid")
    assert isinstance(ran.value, still.Still)
    html, text = ran.value.html(), str(ran.value)
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.replace("<br>", "")
    assert "<em>NULL</em>" in html
    assert "BIGINT" in html
    assert html.count("<tr>") == 21
    assert "The first 20 of 500 rows × 3 columns. To scroll" in text
    assert files(folder) == 0


@pytest.mark.skipif(
    not duckdb.__version__.startswith("1."), reason="DuckDB 2 computes all of a DB-API result before it is Arrow"
)
def test_a_plain_table_does_not_fetch_the_rest(shell):
    ran = shell.sql("from range(10_000_000_000)", "--grid")
    assert "The first 20 rows; there are more." in str(ran.value)


def test_a_named_one_has_all_rows_without_widgets_too(shell, folder):
    shell.sql("create table t as select i, 'n' || i as s from range(500) t(i)")
    ran = shell.sql("from t where i > :low", "--grid -o g --param low=9")
    g = shell.variables["g"]
    assert (ran.displayed, len(g), g.shape) == ([], 490, (490, 2))
    assert g.frame().equals(shell.sql("from t where i > 9").value)
    assert g.arrow().num_rows == g.reader().read_all().num_rows == 490
    assert shell.sql(g.sql).value.equals(g.frame())
    [output] = shell.cell("display(g)").displayed
    assert "The first 20 of 490 rows × 2 columns. To scroll" in output.data["text/plain"]
    assert output.data["text/html"].count("<tr>") == 21
    assert repr(g) == "<md_magic grid: 490 rows × 2 columns>"
    g.close()
    assert files(folder) == 0
    with pytest.raises(FrameError, match="This grid is closed"):
        g.frame()
    shell.sql("from t", "--grid -o g --limit 30")
    assert "there are more" in shell.cell("display(g)").displayed[0].data["text/plain"]
    shell.cell("del g")
    del g
    gc.collect()
    assert files(folder) == 0
    shell.sql(
        "select error('late') from range(2) union all select i from range(100_000) r(i)", "--grid -o g", error=True
    )
    assert files(folder) == 0


def test_one_without_a_name_says_how_to_have_all_rows(shell):
    still = shell.sql("from range(500)", "--grid").value
    for take in (still.frame, still.arrow, still.reader, lambda: still.sql):
        with pytest.raises(FrameError, match="--grid -o g"):
            take()


def test_what_is_small_is_whole(shell):
    assert str(shell.sql("select 1 as a", "--grid").value).endswith("1 row × 1 column.")
    assert str(shell.sql("select 1 as a where false", "--grid").value).endswith("0 rows × 1 column.")


def test_long_names_are_cut_in_plain_tables(shell):
    shown = shell.sql(f"SELECT 1 AS \"{'h' * 30_000}\", 'v'::ENUM('v', '{'e' * 30_000}') AS e", "--grid").value
    assert len(str(shown)) < 1_000
    assert len(shown.html()) < 2_000
    shell.sql(f'CREATE SCHEMA "{"s" * 30_000}"; CREATE TABLE "{"t" * 30_000}"(a INT)')
    [output] = shell.cell("%mdsql --browse").displayed
    assert len(output.data["text/plain"]) < 2_000
    assert len(output.data["text/html"]) < 2_000


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
    assert "2 rows × 2 columns." in text


def test_a_cell_shows_it_and_the_first_rows_below(notebook, folder):
    ran = notebook.sql("from range(1000)", "--grid")
    assert isinstance(ran.value, grid.Grid)
    assert len(ran.value) == 1000
    live, plain = (output.data for output in ran.displayed)
    assert set(live) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert live["text/plain"] == "<md_magic grid>"
    assert "The first 20 of 1,000 rows" in plain["text/html"]
    assert files(folder) == 1


def test_what_is_saved_before_the_last_row_says_no_size(notebook):
    ran = notebook.sql("from range(100_000)", "--grid")
    live, plain = (output.data for output in ran.displayed)
    assert live["text/plain"] == "<md_magic grid>"
    assert live["text/html"] == "<p>&lt;md_magic grid&gt;</p>"
    assert "The first 20 of 100,000 rows" in plain["text/html"]
    assert repr(ran.value) == "<md_magic grid: 100,000 rows × 1 column>"


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
        notebook.variables["g"]._store, {"sort": [], "filters": [], "first": 0, "count": 9, "left": 0, "right": 1}
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
    failed = notebook.sql(sql, "--grid", error=True)
    assert "no more" in failed.message or "Interrupted" in failed.message  # as DuckDB says of some
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
        notebook.sql("from range(10)", "--grid")
    assert files(folder) == 16


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
        g.receive(question | wrong)
    g.receive({"type": "page", "id": "2"})
    g.receive({"type": "nonsense"})
    g._answers.shutdown(wait=True)
    answers = [message for message in sent if message["type"] != "working"]
    assert answers[0] == {"type": "page", "id": "1", "rows": [("999", "x999"), ("998", "x998")], "total": 271}
    assert [message["type"] for message in answers[1:]] == ["error"] * 5
    assert "'x' is no number" in answers[1]["text"]


class Browser:
    """What a grid's browser hears."""

    def __init__(self, grid):
        self.grid, self.heard = grid, queue.Queue()
        grid._requests._send = lambda content, buffers=(): self.heard.put((content, buffers))

    def ask(self, **content):
        """Return the answer to a request, and the bytes that came with it."""
        self.grid.receive({"id": "g/1", "sort": [], "filters": [], **content})
        taken = b""
        while True:
            answer, buffers = self.heard.get(timeout=20)
            taken += b"".join(buffers)
            if answer["type"] != "piece":
                return answer, taken


def test_what_is_seen_is_taken(notebook):
    notebook.sql("select i, 'x' || i as t from range(1000) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    block = {"type": "take", "form": "tsv", "sort": [[0, True]], "columns": [1, 0], "first": 1, "count": 2}
    answer, taken = browser.ask(**block, headers=True)
    assert taken == b"t\ti\nx998\t998\nx997\t997"
    assert answer == {"type": "done", "id": "g/1", "rows": 2, "bytes": 21, "size": "21 bytes"}
    answer, taken = browser.ask(type="take", form="csv", columns=[0], filters=[[0, "< 2"]])
    assert taken == b"i\n0\n1\n"
    answer, taken = browser.ask(type="take", form="parquet", columns=[0])
    assert taken[:4] == b"PAR1"
    assert answer["rows"] == 1000
    for wrong in ({"form": "exe"}, {"columns": []}, {"columns": [9]}, {"sort": None}, {"filters": [[0, "> x"]]}):
        answer, taken = browser.ask(**block | wrong)
        assert (answer["type"], taken) == ("failed", b"")
    assert "'x' is no number" in answer["text"]


def test_a_value_is_sent_whole_and_a_text_is_found(notebook, monkeypatch):
    notebook.sql("select i, repeat('long ', 2000) || i as t from range(50) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    answer, taken = browser.ask(type="value", sort=[[0, True]], columns=[1], first=0)
    assert (taken.decode(), answer["form"], answer["isWhole"]) == ("long " * 2000 + "49", "text", True)
    find = {"type": "find", "text": "G 12", "columns": [1, 0], "row": 0, "position": -1, "back": False}
    answer, _ = browser.ask(**find)
    assert answer == {"type": "done", "id": "g/1", "row": 12, "position": 0, "wrapped": False}
    answer, _ = browser.ask(**find | {"text": "nowhere"})
    assert answer["row"] is None
    monkeypatch.setattr(grid_requests, "MOST_BYTES", 100)
    answer, taken = browser.ask(type="value", columns=[1], first=0)
    assert (len(taken), answer["bytes"], answer["isWhole"]) == (100, 10001, False)


def test_histograms_are_of_all_rows_and_of_those_seen_and_come_together(notebook):
    notebook.sql("select i % 3 as a, i % 2 as b, [i] as c from range(600) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    seen = {"filters": [[1, "= 0"], [0, "= 2"]]}
    browser.grid.receive({"type": "histograms", "id": "g/1", "sort": [], "columns": [0, 2, 1], **seen})
    done = browser.heard.get(timeout=20)[0]
    assert (done["type"], done["id"]) == ("done", "g/1")
    first, third, second = done["histograms"]
    assert [bars["column"] for bars in done["histograms"]] == [0, 2, 1]
    assert first["bars"] == [[str(at), 200, 100, f"= {at}", f"<= {at}"] for at in range(3)]
    assert (first["ordered"], first["rows"], first["nulls"]) == (True, 600, 0)
    assert [bar[1:3] for bar in second["bars"]] == [[300, 100], [300, 100]]
    assert (third["bars"], third["rows"]) == ([], 600)


def test_histograms_that_take_long_come_before_all_are_there(notebook, monkeypatch):
    monkeypatch.setattr(grid_requests, "_TOGETHER", 0)
    notebook.sql("select i as a, i as b from range(600) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    browser.grid.receive({"type": "histograms", "id": "g/1", "sort": [], "filters": [], "columns": [1, 0]})
    heard = [browser.heard.get(timeout=20)[0] for _ in range(3)]
    assert [answer["type"] for answer in heard] == ["piece", "piece", "done"]
    assert [[bars["column"] for bars in answer["histograms"]] for answer in heard] == [[1], [0], []]


def test_a_column_without_a_histogram_leaves_the_others_theirs(notebook):
    notebook.sql("select i as a, i as b from range(600) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    wrong = [[0, "> x"]]  # what is typed above a column is no filter of its own bars
    browser.grid.receive({"type": "histograms", "id": "g/1", "sort": [], "filters": wrong, "columns": [1, 0]})
    answer = browser.heard.get(timeout=20)[0]
    assert [(bars["column"], bars["rows"]) for bars in answer["histograms"]] == [(0, 600)]


@pytest.mark.parametrize("by", ["a stop", "a page"])
def test_histograms_that_are_stopped_end_between_two_columns(notebook, monkeypatch, by):
    monkeypatch.setattr(grid_requests, "_TOGETHER", 0)
    notebook.sql("select i as a, i as b from range(600) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    pieces = []

    def stop_at_the_first(content):
        pieces.append((content["type"], [bars["column"] for bars in content["histograms"]]))
        page = {"type": "page", "id": "g:1", "stops": "g/1", "sort": [], "filters": []}
        browser.grid.receive({"type": "stop", "id": "g/1"} if by == "a stop" else page)

    browser.grid._requests._send = stop_at_the_first
    browser.grid.receive({"type": "histograms", "id": "g/1", "sort": [], "filters": [], "columns": [1, 0]})
    browser.grid._requests._bars.shutdown(wait=True)
    assert pieces == [("piece", [1])]


def test_only_a_page_that_takes_long_is_said_to_be_worked_at(notebook, monkeypatch):
    notebook.sql("select i from range(1000) t(i)", "--grid -o g")
    g, sent = notebook.variables["g"], queue.Queue()
    g._widget.send = sent.put
    page = {"type": "page", "id": "1", "sort": [], "filters": [], "first": 0, "count": 1, "left": 0, "right": 1}
    monkeypatch.setattr(grid, "_SOON", 60)
    g.receive(page)
    assert sent.get(timeout=20)["type"] == "page"
    monkeypatch.setattr(grid, "_SOON", 0.01)
    with g._store._lock:  # as another one has it that sorts
        g.receive(page | {"id": "2"})
        assert sent.get(timeout=20) == {"type": "working", "id": "2"}
    assert sent.get(timeout=20)["type"] == "page"
    assert sent.empty()


def test_what_is_too_large_for_the_browser_is_a_file_that_is_named(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(grid_requests, "MOST_BYTES", 1000)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "result.csv").write_text("mine")
    notebook.sql("select i from range(1000) t(i)", "--grid -o g")
    browser = Browser(notebook.variables["g"])
    answer, taken = browser.ask(type="take", form="csv", columns=[0])
    assert (answer["file"], taken) == ("result-2.csv", b"")
    assert len((tmp_path / "result-2.csv").read_text().splitlines()) == 1001
    assert (tmp_path / "result.csv").read_text() == "mine"
    answer, taken = browser.ask(type="take", form="tsv", columns=[0])
    assert (answer["file"], taken) == ("result.tsv", b"")


def test_its_value_gives_what_is_seen(notebook):
    notebook.sql("select i, 'x' || i as t from range(1000) t(i)", "--grid -o g")
    g = notebook.variables["g"]
    assert g.frame().shape == (1000, 2)
    page = {"type": "page", "id": "1", "sort": [[0, True]], "filters": [[1, "9"]]}
    g.receive(page | {"first": 0, "count": 2, "left": 0, "right": 2})
    g.receive({"type": "seen", "columns": [1]})
    g._answers.shutdown(wait=True)
    assert g.frame()["t"].tolist()[:2] == ["x999", "x998"]
    assert g.arrow().num_rows == len(g.frame()) == 271
    reader = g.reader()
    notebook.cell("del g")
    del g
    gc.collect()
    assert reader.read_all()["t"][0].as_py() == "x999"


def see(grid, columns, sort=(), filters=()):
    """Have *grid* show what a browser would ask for."""
    grid.receive({"type": "seen", "columns": columns})
    page = {"type": "page", "id": "1", "sort": sort, "filters": filters, "first": 0, "count": 2, "left": 0, "right": 1}
    grid.receive(page)
    grid._answers.submit(int).result()  # after it


@pytest.mark.parametrize("target", ["", "sqlite:// "])
def test_its_statement_gives_what_is_seen(notebook, target):
    sql = (
        "WITH r(i) AS (VALUES (1), (2), (3), (4), (5)) SELECT i, i * :factor AS k, 'It''s ' || i AS t FROM r ORDER BY i"
    )
    notebook.sql(sql, f"{target}--grid -o g --param factor=2")
    g = notebook.variables["g"]
    assert notebook.sql(g.sql, target).value.equals(g.frame())
    see(g, [2, 0], sort=[[0, True]], filters=[[2, "it's"], [1, "> 2 and < 10"]])
    assert g.frame()["i"].tolist() == [4, 3, 2]
    assert notebook.sql(g.sql, target).value.equals(g.frame())


def test_its_statement_compares_a_variant_as_it_is_kept(notebook):
    notebook.sql("select 1::variant as v union all select 'x'::variant", "--grid -o g")
    g = notebook.variables["g"]
    see(g, [0], sort=[[0, True]], filters=[[0, "= 1 or = x"]])
    assert notebook.sql(f"SELECT v::VARCHAR AS v FROM ({g.sql})").value["v"].tolist() == ["x", "1"]


def test_its_statement_has_no_collation(notebook):
    notebook.sql("create table t(v varchar collate nocase); insert into t values ('A'), ('a'), ('b'), ('B')")
    notebook.sql("set default_collation = 'noaccent'")
    for sql, typed in (("from t", "> A"), ("from t", "b"), ("select * from (values ('e'), ('é')) r(v)", "e")):
        notebook.sql(sql, "--grid -o g")
        g = notebook.variables["g"]
        see(g, [0], sort=[[0, False]], filters=[[0, typed]])
        assert notebook.sql(g.sql).value.equals(g.frame())


@pytest.mark.parametrize("value", ["[1,2]", "[]", "{'a': 1}", "b'x'", "__import__('numpy').int64(5)"])
def test_a_value_of_its_statement_has_its_type(notebook, value):
    notebook.sql("select :a as x, typeof(:a) as t", f'--grid -o g --param "a={value}"')
    g = notebook.variables["g"]
    see(g, [0, 1], sort=[[0, True]])
    assert notebook.sql(g.sql, "--as arrow").value == g.arrow()


def test_each_grid_of_a_cell_has_its_statement(notebook):
    ran = notebook.sql("select 1 as a; select 2 as b", "--grid --all -o g")
    assert ran.value is None
    assert notebook.variables["g"].sql == "select 2 as b"
    notebook.sql("from range(10)", "--grid --limit 3 -o g")
    assert notebook.sql(notebook.variables["g"].sql).value["range"].tolist() == [0, 1, 2]
    notebook.sql("show databases", "--grid -o g")
    assert notebook.variables["g"].sql == "show databases"
    notebook.sql("create table t(a int); insert into t values (1) returning a", "--grid -o g")
    with pytest.raises(FrameError, match="cannot be repeated"):
        _ = notebook.variables["g"].sql


@pytest.mark.parametrize("kind", ["'101'::bit", "timetz '01:02:03+02'", "42::variant"])
def test_a_query_runs_once_whatever_its_types(shell, kind):
    shell.sql("create sequence s; select 1")
    text = str(shell.sql(f"select nextval('s') as n, {kind} as v from range(:rows)", "--grid --param rows=3").value)
    assert "3 rows × 2 columns." in text
    assert shell.sql("select nextval('s') as n").value["n"].tolist() == [4]


def test_an_error_of_a_grid_is_where_it_is_typed(shell):
    message = shell.sql("select '1'::bit as b,\n nosuch from range(3)", "--grid", error=True).message
    assert "LINE 2:  nosuch from" in message

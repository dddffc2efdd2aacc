"""What is on the screen and holds a connection lets go of it: `--browse`, as a cell runs again, without widgets too."""

from __future__ import annotations

import duckdb
import pytest

from md_magic import browser, widgets


@pytest.fixture
def notebook(shell, monkeypatch):
    """A shell that says it is a notebook's; `run(cell)` is what it is asked to run next."""
    monkeypatch.setattr(widgets, "host", lambda _: "widgets")
    monkeypatch.setattr(widgets, "listen_while_busy", lambda _: None)
    runs = iter(range(100))

    def run(cell):
        request = {"header": {"msg_id": str(next(runs))}, "metadata": {"cellId": cell}}
        monkeypatch.setattr(type(shell.ip), "get_parent", lambda _: request, raising=False)
        return shell.cell("%mdsql --browse")

    shell.run = run
    return shell


def connections(con):
    """Return how many connections DuckDB has open to the database of *con*."""
    [number] = con.execute("SELECT count FROM duckdb_connection_count()").fetchone()
    return number


@pytest.fixture
def con(shell):
    with duckdb.connect() as made:
        shell.variables["con"] = made
        shell.cell("%mdsql --engine con")
        yield made


def test_a_cell_that_runs_again_closes_its_old_tree(notebook, con):
    notebook.run("a")
    before = connections(con)
    for _ in range(5):
        notebook.run("a")
    assert connections(con) == before
    notebook.run("b")
    assert connections(con) == before + 1


def test_there_is_an_end_to_trees(notebook, con):
    before = connections(con)
    for cell in range(20):
        notebook.run(str(cell))
    assert connections(con) <= before + 17


def test_the_fallback_lets_go_at_once(shell, con):
    shell.cell("%mdsql --browse")
    before = connections(con)
    shell.cell("%mdsql --browse")
    assert connections(con) == before


def test_unloading_closes_the_trees(notebook, con):
    before = connections(con)
    notebook.run("a")
    notebook.ip.run_line_magic("unload_ext", "md_magic")
    assert connections(con) <= before


def test_a_closed_tree_says_so(notebook):
    notebook.cell("%mdsql SELECT 1")
    tree = browser.Tree(notebook.magics.session.explorer())
    sent = []
    tree._widget.send = sent.append
    for _ in range(2):
        tree._heard(None, {"id": "1", "type": "children", "path": []}, None)
        tree.close()
    assert [entry[1] for entry in sent[0]["entries"]] == [["memory"]]
    assert sent[1] == {"id": "1", "error": "This tree is closed: run its cell again."}

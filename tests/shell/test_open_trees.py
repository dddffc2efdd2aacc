"""What is on the screen and holds a connection lets go of it: `--browse`, as a cell runs again, without widgets too."""

from __future__ import annotations

import duckdb
import pytest

from md_magic.display import catalog_tree


@pytest.fixture
def browse(notebook):
    """Return a function that runs `--browse` in a cell, as the next request."""
    runs = iter(range(100))

    def run(cell):
        notebook.request = {"header": {"msg_id": str(next(runs))}, "metadata": {"cellId": cell}}
        return notebook.cell("%mdsql --browse")

    return run


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


def test_a_cell_that_runs_again_closes_its_old_tree(browse, con):
    browse("a")
    before = connections(con)
    for _ in range(5):
        browse("a")
    assert connections(con) == before
    browse("b")
    assert connections(con) == before + 1


def test_there_is_an_end_to_trees(browse, con):
    before = connections(con)
    browse("0")
    opened = connections(con)
    assert opened > before
    for cell in range(1, 20):
        browse(str(cell))
    assert connections(con) == before + 16 * (opened - before)


def test_the_fallback_lets_go_at_once(shell, con):
    shell.cell("%mdsql --browse")
    before = connections(con)
    shell.cell("%mdsql --browse")
    assert connections(con) == before


def test_unloading_closes_the_trees(browse, notebook, con):
    before = connections(con)
    browse("a")
    assert connections(con) > before
    notebook.ip.run_line_magic("unload_ext", "md_magic")
    assert connections(con) <= before


def test_a_closed_tree_says_so(notebook):
    notebook.cell("%mdsql SELECT 1")
    tree = catalog_tree.Tree(notebook.magics.session.catalog_tree())
    sent = []
    tree._widget.send = sent.append
    for _ in range(2):
        tree._on_message(None, {"id": "1", "type": "children", "path": []}, None)
        tree.close()
    assert [entry[1] for entry in sent[0]["entries"]] == [["memory"]]
    assert sent[1] == {"id": "1", "error": "This tree is closed: run its cell again."}

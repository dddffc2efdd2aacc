"""What a notebook's results are on a page where nothing runs: nbconvert's, with every script taken out of it."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.extras import needs
from tests.kernel.kernel_client import KERNEL

pytestmark = pytest.mark.kernel

CELLS = {
    "load": "%load_ext md_magic",
    "data": "%%mdsql\nCREATE TABLE a AS SELECT range AS id, 'duck ' || range AS name FROM range(40);\n"
    "CREATE TABLE b AS SELECT id, CASE WHEN id = 7 THEN 'goose' ELSE name END AS name FROM a",
    "grid": "%%mdsql --grid\nFROM a",
    "chart": "%%mdsql --chart histogram --x id\nFROM a",
    "diff": "%mdsql --diff a b --on id",
    "profile": "%mdsql --profile a",
    "plan": "%%mdsql --explain\nSELECT count(*) FROM a WHERE id > 3",
    "tree": "%mdsql --browse",
    "history": "%mdsql --history",
}

SHOWN = {
    "grid": ("duck 12", "To scroll, sort and filter them all"),
    "chart": ('src="data:image/png;base64,',),
    "diff": ("goose", "duck 7"),
    "profile": ("40 rows × 2 columns",),
    "plan": ("SEQ_SCAN",),
    "tree": ("main",),
    "history": ("CREATE TABLE b AS", "--diff a b"),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Return the markup of each cell's outputs, by the cell's name."""
    needs("altair")
    needs("vl_convert")
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    folder = tmp_path_factory.mktemp("still")
    NotebookClient(book, timeout=120, kernel_name=KERNEL, resources={"metadata": {"path": str(folder)}}).execute()
    page, _ = HTMLExporter().from_notebook_node(book)
    still = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", page)
    assert "<script" not in still
    inputs = re.split(r'<div class="jp-Cell jp-CodeCell[^>]*>', still)[1:]
    after = [re.split(r'<div class="jp-Cell-outputWrapper">', cell, maxsplit=1)[-1] for cell in inputs]
    return dict(zip(CELLS, after, strict=True))


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_seen_without_scripts(outputs, name):
    for shown in SHOWN[name]:
        assert shown in outputs[name], outputs[name][-2000:]
    assert "Loading widget" not in outputs[name]
    assert "Error" not in outputs[name]

"""The guide is built without a warning, its notebooks and examples run, and what is looked for is found in it."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from md_magic import options

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """Return the folder of the built pages; beside it, in `jupyter_execute`, are the notebooks that were run."""
    folder = tmp_path_factory.mktemp("guide") / "html"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-j",
        "2",
        "-b",
        "html",
        str(ROOT / "docs"),
        str(folder),
    ]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=540, env=unmeasured)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def outputs(guide, name):
    """Return what each cell of a tour gave, as text, by the cell's id."""
    cells = nbformat.read(guide.parent / "jupyter_execute" / "tour" / f"{name}.ipynb", 4).cells
    return {cell.id: "".join(map(text_of, cell.outputs)) for cell in cells if cell.cell_type == "code"}


def text_of(output):
    if output.output_type == "error":
        return output.evalue
    return output.text if output.output_type == "stream" else output.data.get("text/plain", "")


SAID = {
    "looking-at-data": {
        "data": "100,000 rows inserted",
        "tables": "orders  table        5  100000",
        "describe": "paid_by  VARCHAR",
        "grid": "The first 20 rows; there are more.",
        "profile": "100,000 rows × 5 columns.",
        "profile-frame": "paid_by      0         3",
        "chart": "<altair.Chart> total by ordered and city",
        "chart-together": "<altair.Chart>",
        "explain": "HASH_JOIN shop = shop",
        "plan": "(4, True)",
        "dry-run": "mean   DOUBLE",
        "diff": "4,932 rows changed",
        "close": "1 connection closed",
    },
    "databases": {
        "open": "3 rows inserted",
        "select": "0   Teal   4.25\n1  Eider  12.00",
        "begin": "3 rows updated",
        "rollback": "25.75",
        "error": "NOT NULL constraint failed: ducks.name",
        "duckdb": "Eider  12.00      1",
        "to": "3 rows written to ducks",
        "count": "6",
        "explain": "SEARCH ducks USING INTEGER PRIMARY KEY",
        "connections": "sqlite:///shop.db  shop  open",
        "close": "2 connections closed",
    },
    "motherduck": {
        "sign-in": "42",
        "whoami": "ann@example.com",
        "upload": "4 rows inserted",
        "query": "home       2        8",
        "both": "slow_visits\n0            2",
        "explain": "my_db.main.md_magic_tour",
        "running": "[id, query, stage, elapsed, client]",
        "close": "2 connections closed",
    },
    "quickstart": {"first": "42"},  # tests/kernel/test_quickstart.py looks at the rest
}


def test_every_notebook_is_a_tour_of_the_guide():
    assert {path.stem for path in NOTEBOOKS} == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_a_tour_gives_what_it_says(guide, name):
    given = outputs(guide, name)
    for cell, said in SAID[name].items():
        assert said in given[cell], cell


def test_a_page_of_the_guide_shows_what_was_looked_at(guide):
    """Nothing of it runs there: a grid is a table, a chart a picture, a profile, a plan and a diff are markup."""
    page = (guide / "tour" / "looking-at-data.html").read_text(encoding="utf-8")
    for shown in ("The first 20 rows; there are more.", "100,000 rows × 5 columns.", "HASH_JOIN", "4,932 rows changed"):
        assert shown in html.unescape(page), shown
    pictures = re.findall(r'<img[^>]*src="\.\./_images/[^"]*\.png"', page)
    assert len(pictures) == 2, pictures


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    cells = nbformat.read(path, 4).cells
    assert not [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")]


def test_the_search_finds_every_option(guide):
    index = (guide / "searchindex.js").read_text(encoding="utf-8")
    found = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    assert [option.spelling for option in options.OPTIONS if option.spelling not in found["alltitles"]] == []
    assert [option.flag for option in options.OPTIONS if option.flag not in found["indexentries"]] == []


class Links(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id":
                self.ids.add(value)


def test_links_within_the_guide_lead_somewhere(guide):
    pages = {path: Links(path) for path in guide.rglob("*.html")}
    assert len(pages) > 30
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in pages and parts.fragment != "":
                assert unquote(parts.fragment) in pages[target].ids, f"{path.name}: {link}"


def test_the_guide_shows_nothing_of_the_machine_that_built_it(guide):
    for path in guide.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, path.name
        assert not re.search(r"/tmp/\w|eyJ[\w-]{20}|Traceback", text), path.name  # noqa: S108 - what may not be there

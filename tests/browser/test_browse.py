"""`%mdsql --browse` in a real JupyterLab: opening, searching, keys, previews, while a cell runs, with 10,000 tables."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SCREENSHOTS")
LOAD = "%load_ext md_magic\n%mdsql SET threads = 1"
TABLES = """%%mdsql
CREATE TABLE flights AS SELECT range AS id, 'it''s <b>' || range AS "we""ird", NULL AS empty FROM range(1000);
CREATE TABLE airports(code TEXT, name TEXT);
COMMENT ON TABLE airports IS '<img src=x onerror="window.hacked = 1">';
CREATE SCHEMA "my.schema"; CREATE TABLE "my.schema"."t ""q"" <i>"(i INT);
CREATE VIEW late AS SELECT id FROM flights WHERE id > 10;
CREATE TABLE gone(i INT); CREATE VIEW broken AS FROM gone; DROP TABLE gone"""
BROWSE = "%mdsql --browse"


def tree_of(book: Notebook, index: int) -> Locator:
    return book.cell(index).locator(".md-browse")


def row(tree: Locator, name: str) -> Locator:
    return tree.get_by_role("treeitem").filter(has=tree.page.get_by_text(name, exact=True)).first


def opened(notebook: Callable[..., Notebook], *more: str) -> tuple[Notebook, Locator]:
    """Return a notebook and its tree, the schema `main` open."""
    book = notebook(LOAD, TABLES, BROWSE, *more)
    for index in range(3):
        book.run(index)
    tree = tree_of(book, 2)
    row(tree, "main").click()
    expect(row(tree, "flights")).to_be_visible()
    return book, tree


def test_levels_open_and_a_table_shows_its_first_rows(notebook: Callable[..., Notebook]) -> None:
    book, tree = opened(notebook)
    expect(row(tree, "flights")).to_contain_text("≈ 1,000 rows")
    row(tree, "flights").click()
    sample = tree.locator(".md-browse-sample")
    expect(sample.locator("td").nth(1)).to_have_text("it's <b>0")
    expect(sample.locator("td").nth(2)).to_have_text("NULL")
    expect(sample.locator("tr")).to_have_count(21)
    tree.get_by_role("button", name="Count rows").click()
    expect(tree.locator(".md-browse-count")).to_have_text("1,000 rows")
    row(tree, "flights").locator(".md-browse-twist").click()
    expect(row(tree, 'we"ird')).to_contain_text("VARCHAR")
    row(tree, 'we"ird').click()
    expect(tree.locator(".md-browse-head code")).to_have_text('"we""ird"')
    row(tree, "my.schema").click()
    row(tree, 't "q" <i>').click()
    expect(tree.locator(".md-browse-head code")).to_have_text('"memory"."my.schema"."t ""q"" <i>"')
    row(tree, "broken").click()
    expect(tree.locator(".md-browse-failed")).to_contain_text("gone does not exist")
    assert book.page.evaluate("() => window.hacked") is None


def test_the_keyboard_is_enough(notebook: Callable[..., Notebook]) -> None:
    _, tree = opened(notebook)
    keys = tree.page.keyboard
    tree.get_by_role("tree").focus()
    selected = tree.locator('[aria-selected="true"]')
    keys.press("Home")
    expect(selected).to_contain_text("memory")
    keys.press("ArrowRight")
    expect(selected).to_contain_text("main")
    keys.press("ArrowRight")
    expect(selected).to_contain_text("airports")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(selected).to_contain_text("flights")
    keys.press("Enter")
    expect(tree.locator(".md-browse-sample td").first).to_have_text("0")
    keys.press("ArrowRight")
    expect(row(tree, 'we"ird')).to_be_visible()
    keys.press("ArrowLeft")
    expect(row(tree, 'we"ird')).to_have_count(0)
    keys.press("ArrowLeft")
    expect(selected).to_contain_text("main")
    expect(selected).to_have_attribute("aria-level", "2")
    assert tree.get_by_role("tree").get_attribute("aria-activedescendant") == selected.get_attribute("id")


def test_search_and_ddl(notebook: Callable[..., Notebook]) -> None:
    book, tree = opened(notebook, "%mdsql CREATE TABLE flights_new(i INT)")
    field = tree.get_by_role("searchbox")
    field.fill("FLIGHTS")
    expect(tree.get_by_role("treeitem")).to_have_count(1)
    expect(tree.get_by_role("status")).to_have_text("1 found")
    book.run(3)
    tree.get_by_role("button", name="Refresh").click()
    expect(tree.get_by_role("treeitem")).to_have_count(2)
    field.fill("")
    expect(row(tree, "main")).to_be_visible()
    row(tree, "main").click()
    expect(row(tree, "flights_new")).to_be_visible()


def test_it_answers_while_a_cell_runs(notebook: Callable[..., Notebook]) -> None:
    slow = "%mdsql SELECT count(*) FROM range(4000000) a, range(100000) b WHERE a.range * b.range % 7 = 1"
    book, tree = opened(notebook, slow, "%mdsql SELECT 1 AS one")
    book.start(3)
    book.page.wait_for_timeout(500)
    row(tree, "airports").click()
    expect(tree.locator(".md-browse-sample th").first).to_have_text("code", timeout=5_000)
    book.interrupt()
    assert "interrupted" in book.wait(3).lower()
    assert "one" in book.run(4)


def test_the_saved_notebook_has_the_fallback_only(notebook: Callable[..., Notebook]) -> None:
    book, tree = opened(notebook)
    row(tree, "flights").click()
    expect(tree.locator(".md-browse-sample td").first).to_be_visible()
    still = book.cell(2).locator(".md-browse-still")
    expect(still).to_have_count(1)
    expect(still).to_be_hidden()
    saved = json.loads(book.save())
    live, plain = saved["cells"][2]["outputs"]
    assert "text/html" not in live["data"], "The tree would be there twice."
    data = plain["data"]
    assert "flights" in "".join(data["text/plain"])
    assert "<img" not in "".join(data["text/html"])
    assert "it's <b>0" not in json.dumps(saved["metadata"]) + json.dumps(saved["cells"][2])


@pytest.mark.parametrize("tables", [10, 10_000])
def test_many_tables_are_shown_as_few_are(notebook: Callable[..., Notebook], tables: int) -> None:
    make = (
        "import duckdb\ncon = duckdb.connect()\n_ = con.execute('SET threads = 1; BEGIN')\n"
        f"for i in range({tables}):\n    _ = con.execute(f'CREATE TABLE t{{i:05d}}(a INT, b TEXT)')\n"
        "_ = con.execute('COMMIT')"
    )
    book = notebook("%load_ext md_magic", make, "%mdsql --engine con", BROWSE)
    for index in range(3):
        book.run(index, 60)
    book.start(3)
    tree = tree_of(book, 3)
    expect(row(tree, "main")).to_be_visible(timeout=15_000)
    row(tree, "main").click()
    expect(row(tree, "t00000")).to_be_visible(timeout=15_000)
    assert tree.get_by_role("treeitem").count() <= 24
    tree.get_by_role("searchbox").fill("0007")
    expect(row(tree, "memory.main.t00007")).to_be_visible()
    tree.get_by_role("searchbox").fill("")
    expect(row(tree, "main")).to_be_visible()
    row(tree, "main").click()
    expect(row(tree, "t00000")).to_be_visible()
    tree.get_by_role("tree").focus()
    book.page.keyboard.press("End")
    expect(row(tree, f"t{tables - 1:05d}")).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_pictures(notebook: Callable[..., Notebook], theme: str, tmp_path: Path) -> None:
    book, tree = opened(notebook)
    book.command("apputils:change-theme", theme=theme)
    row(tree, "flights").locator(".md-browse-twist").click()
    expect(row(tree, 'we"ird')).to_be_visible()
    row(tree, "flights").click()
    expect(tree.locator(".md-browse-sample td").first).to_be_visible()
    book.page.wait_for_timeout(700)
    tree.scroll_into_view_if_needed()
    book.page.screenshot(path=Path(PICTURES or tmp_path) / f"browse-{theme.split()[1].lower()}.png")
    book.command("apputils:change-theme", theme="JupyterLab Light")

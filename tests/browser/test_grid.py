"""The grid in a real JupyterLab: a million rows, scrolled, sorted and filtered, while cells run, and in the saved file."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Notebook
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

LOAD = "%load_ext md_magic\n%mdsql SET threads = 1"
MILLION = """%%mdsql --grid
SELECT i AS id, random() AS r, 'name ' || (i % 1000) AS name, CASE WHEN i % 7 = 0 THEN NULL ELSE i * 7919 % 1000003 END AS k,
       [i, i + 1] AS pair
FROM range(1_000_000) t(i)"""


def shot(book: Notebook, name: str) -> None:
    """Keep a screenshot where somebody asks for them."""
    if folder := os.environ.get("MD_MAGIC_SHOTS"):
        book.page.screenshot(path=Path(folder) / f"{name}.png")


def grid(book: Notebook, index: int = 1) -> Locator:
    found = book.cell(index).locator(".md-grid")
    expect(found.locator(".md-grid-status")).not_to_contain_text("coming", timeout=30_000)
    expect(found.locator(".md-grid-cell").first).not_to_have_class(re.compile("wait"), timeout=15_000)
    return found


def row(found: Locator, at: int = 0) -> list[str]:
    return found.locator(".md-grid-row").nth(at).locator(".md-grid-cell").all_inner_texts()


def wait_for_row(found: Locator, text: str, at: int = 0) -> None:
    expect(found.locator(".md-grid-row").nth(at)).to_contain_text(text, timeout=15_000)


def test_a_million_rows_scroll_sort_and_filter(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, MILLION)
    book.run(0)
    book.run(1, seconds=60)
    found = grid(book)
    expect(found.locator(".md-grid-status")).to_have_text("1,000,000 rows, 5 columns")
    assert [row(found)[at] for at in (0, 2, 3, 4)] == ["0", "name 0", "NULL", "[0, 1]"]
    assert found.locator(".md-grid-row").count() < 30
    kinds = found.locator(".md-grid-kind").all_inner_texts()
    assert kinds[:4] == ["bigint", "double", "varchar", "bigint"]
    assert found.get_by_role("grid").get_attribute("aria-rowcount") == "1000001"
    expect(book.cell(1).locator(".md-grid-still")).to_be_hidden()
    random = row(found)[1]
    shot(book, "grid-light")

    area = found.get_by_role("grid")
    area.focus()
    book.page.keyboard.press("End")
    wait_for_row(found, "999999", -1)
    shot(book, "grid-end")
    book.page.keyboard.press("Home")
    wait_for_row(found, "name 0")
    assert row(found)[1] == random  # the query did not run again
    book.page.keyboard.press("PageDown")
    book.page.keyboard.press("PageDown")
    expect(found.locator("[aria-selected=true]")).to_be_visible()
    book.page.keyboard.press("Home")

    name = found.get_by_role("columnheader").nth(3).get_by_role("button")
    name.click()
    smallest = found.locator(".md-grid-row").first.locator(".md-grid-cell").nth(3)
    expect(smallest).to_have_text("1", timeout=15_000)
    name.click()
    wait_for_row(found, "1000002")
    expect(found.get_by_role("columnheader").nth(3)).to_have_attribute("aria-sort", "descending")
    area.focus()
    book.page.keyboard.press("End")
    wait_for_row(found, "NULL", -1)
    shot(book, "grid-sorted")

    found.get_by_role("textbox", name="Filter of name").fill("99")
    expect(found.locator(".md-grid-status")).to_contain_text("19,000 of 1,000,000", timeout=15_000)
    found.get_by_role("textbox", name="Filter of id").fill("< 1000")
    expect(found.locator(".md-grid-status")).to_contain_text("19 of 1,000,000", timeout=15_000)
    shot(book, "grid-filtered")
    found.get_by_role("textbox", name="Filter of id").fill("> many")
    expect(found.locator(".md-grid-problem")).to_contain_text("'many' is no number")
    shot(book, "grid-bad-filter")


def test_it_answers_while_a_cell_runs(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, MILLION, "%mdsql SELECT count(*) FROM range(40_000_000_000)", "1 + 1")
    book.run(0)
    book.run(1, seconds=60)
    found = grid(book)
    book.start(2)
    time.sleep(0.5)
    found.get_by_role("columnheader").nth(0).get_by_role("button").click()
    found.get_by_role("columnheader").nth(0).get_by_role("button").click()
    wait_for_row(found, "999999")
    book.interrupt()
    assert "QueryInterrupted" in book.wait(2)
    assert book.run(3) == "2"


def test_the_first_rows_are_there_while_the_others_come_and_an_interrupt_leaves_nothing(
    notebook: Callable[..., Notebook],
) -> None:
    slow = "%%mdsql --grid\nSELECT i, hash(i) AS h FROM range(4_000_000_000) t(i)"
    book = notebook(
        LOAD, slow, "import glob, os, tempfile\nglob.glob(f'{tempfile.gettempdir()}/md_magic-grid-*/rows.db')"
    )
    book.run(0)
    before = book.run(2)
    book.start(1)
    found = book.cell(1).locator(".md-grid")
    wait_for_row(found, "0")
    expect(found.locator(".md-grid-status")).to_contain_text("still coming")
    shot(book, "grid-coming")
    book.interrupt()
    assert "QueryInterrupted" in book.wait(1)
    expect(found).to_have_count(0)
    assert book.run(2) == before


def test_a_saved_notebook_has_the_first_rows(notebook: Callable[..., Notebook]) -> None:
    book = notebook(
        LOAD, "%%mdsql --grid\nSELECT i AS id, '<img src=x onerror=alert(1)>' AS hostile FROM range(1000) t(i)"
    )
    book.run(0)
    book.run(1)
    found = grid(book)
    assert row(found)[1] == "<img src=x onerror=alert(1)>"
    assert found.locator("img").count() == 0
    saved = json.loads(book.save())
    widget, plain = saved["cells"][1]["outputs"]
    assert set(widget["data"]) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    html = "".join(plain["data"]["text/html"])
    assert "&lt;img" in html
    assert "<img" not in html
    assert html.count("<tr>") == 21
    assert "The first 20 of 1,000 rows" in "".join(plain["data"]["text/plain"])
    book.page.evaluate(
        "() => { for (const w of [...window.jupyterapp.shell.widgets('main')]) { if (w.context) { w.context.model.dirty = false; w.close() } } }"
    )
    for session in book.lab.request("GET", "/api/sessions"):
        book.lab.request("DELETE", f"/api/sessions/{session['id']}")
    again = type(book)(book.lab, book.page, book.name)
    expect(again.cell(1).locator(".md-grid-still table")).to_be_visible()
    shot(again, "grid-reopened")


def test_five_hundred_columns_and_hostile_names_in_the_dark(notebook: Callable[..., Notebook]) -> None:
    columns = ", ".join(f'i + {at} AS "col {at}"' for at in range(500))
    sql = f"%%mdsql --grid\nSELECT '<b>' || i AS \"<script>x</script>\", repeat('long ', 5000) AS t, 1 AS a, 2 AS a, {columns} FROM range(2000) t(i)"
    book = notebook(LOAD, sql)
    book.page.evaluate(
        "() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}) }"
    )
    try:
        book.page.wait_for_function("() => document.body.dataset.jpThemeName === 'JupyterLab Dark'")
        book.run(0)
        book.run(1, seconds=60)
        found = grid(book)
        assert row(found)[0] == "<b>0"
        assert found.locator("script").count() == 0
        assert len(row(found)[1]) == 301
        title = found.locator(".md-grid-cell").nth(1).get_attribute("title") or ""
        assert len(title) == 2001
        assert found.locator(".md-grid-cell").count() < 300
        shot(book, "grid-dark")
        found.get_by_role("grid").evaluate("e => { e.scrollLeft = 1e6 }")
        expect(found.get_by_role("columnheader", name="col 499").first).to_be_visible()
        expect(found.locator(".md-grid-row").nth(0)).to_contain_text("499")
        shot(book, "grid-dark-right")
    finally:
        book.page.evaluate(
            "() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}) }"
        )
        book.page.wait_for_function("() => document.body.dataset.jpThemeName === 'JupyterLab Light'")


def test_running_the_cell_again_closes_the_grid_before(notebook: Callable[..., Notebook]) -> None:
    files = "import glob, tempfile\nlen(glob.glob(f'{tempfile.gettempdir()}/md_magic-grid-*/rows.db'))"
    book = notebook(LOAD, "%%mdsql --grid\nFROM range(5)", files)
    book.run(0)
    before = int(book.run(2))
    for _ in range(3):
        book.run(1)
    wait_for_row(grid(book), "0")
    assert int(book.run(2)) - before == 1

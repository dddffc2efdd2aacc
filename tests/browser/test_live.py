"""A live result in a real JupyterLab: a slider that is dragged, and the table, grid or chart that follows it in place."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

LOAD = "%load_ext md_magic\nimport ipywidgets\nw = ipywidgets.IntSlider(value=3, max=100, description='w')\nw"
TABLE = "%%mdsql --live\nSELECT :w AS w, count(*) AS n FROM range(3_000_000) t(i) WHERE hash(i) % 7 = 3"
CHART = "%%mdsql --live --chart bar\nSELECT 'w' AS k, max(:w) AS n FROM range(3_000_000) t(i) WHERE hash(i) % 7 = 3"
GRID = "%%mdsql --live --grid\nSELECT range AS i, range * 2 AS twice FROM range(:w)"


def shot(book: Notebook, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        book.page.screenshot(path=Path(folder) / f"{name}.png")


def press(book: Notebook, times: int) -> None:
    """Move the slider by the keyboard, ten times a second."""
    book.cell(0).get_by_role("slider").focus()
    for _ in range(times):
        book.page.keyboard.press("ArrowRight")
        time.sleep(0.1)


def test_a_table_follows_a_slider(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, TABLE, "%mdsql SELECT 6 * 7 AS answer")
    book.run(0)
    book.run(1)
    table = book.cell(1).locator("table")
    expect(table.locator("td").first).to_have_text("3")
    press(book, 20)
    expect(table.locator("td").first).to_have_text("23", timeout=10_000)
    expect(book.cell(1).locator(".jp-OutputArea-child")).to_have_count(1)
    shot(book, "live-table")
    assert "42" in book.run(2)
    saved = json.loads(book.save())["cells"][1]["outputs"]
    assert "23" in "".join(saved[0]["data"]["text/plain"])


def test_a_grid_follows_a_slider(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, GRID)
    book.run(0)
    book.run(1)
    grid = book.cell(1).locator(".md-grid").get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", "4", timeout=15_000)
    press(book, 5)
    expect(grid).to_have_attribute("aria-rowcount", "9", timeout=15_000)
    expect(book.cell(1).locator(".md-grid")).to_have_count(1)
    shot(book, "live-grid")


def test_a_chart_follows_a_slider(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, CHART)
    book.run(0)
    book.run(1, 90)
    drawn = book.cell(1).locator(".vega-embed canvas, .vega-embed svg.marks")
    expect(drawn).to_have_count(1, timeout=20_000)
    press(book, 20)

    def shown() -> list[int]:
        data = json.loads(book.save())["cells"][1]["outputs"][0]["data"]
        (rows,) = data["application/vnd.vegalite.v5+json"]["datasets"].values()
        return [row["n"] for row in rows]

    deadline = time.monotonic() + 30
    while shown() != [23] and time.monotonic() < deadline:
        time.sleep(0.3)
    assert shown() == [23]  # the last change counts
    expect(drawn).to_have_count(1)
    expect(book.cell(1).locator(".jp-OutputArea-child")).to_have_count(1)
    shot(book, "live-chart")

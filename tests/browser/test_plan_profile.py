"""Plans and profiles in a real JupyterLab: what is drawn, light and dark, and what stays in the saved notebook."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

SETUP = """\
%load_ext md_magic
%mdsql SET threads = 1
%mdsql CREATE TABLE flights AS SELECT range AS id, range % 7 AS day, 'carrier ' || (range % 5) AS carrier, \
(hash(range) % 1000) / 10 AS delay, DATE '2024-01-01' + (range % 366)::INT AS flown, \
CASE WHEN range % 4 = 0 THEN NULL ELSE '<b>' || (range % 3) END AS "<i>note</i>" FROM range(50_000)"""
ANALYZE = """\
%%mdsql --analyze
SELECT f.carrier, count(*) AS n, avg(f.delay) FROM flights f JOIN flights g ON f.id = g.id + 1
WHERE f."<i>note</i>" LIKE '<b>%' AND g.delay % 7 < 1 AND f.id + 0 < 400 GROUP BY ALL ORDER BY n DESC"""
PROFILE = "%mdsql --profile flights"


@pytest.fixture(params=["Light", "Dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def themed(notebook: Callable[..., Notebook], theme: str) -> Iterator[Callable[..., Notebook]]:
    opened: list[Notebook] = []

    def open_notebook(*cells: str) -> Notebook:
        opened.append(notebook(*cells))
        opened[-1].command("apputils:change-theme", theme=f"JupyterLab {theme}")
        return opened[-1]

    yield open_notebook
    for one in opened:
        one.command("apputils:change-theme", theme="JupyterLab Light")


def picture(book: Notebook, name: str, tmp_path: Path) -> None:
    book.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"{name}.png")


def test_a_plan_is_drawn_and_its_details_open(themed: Callable[..., Notebook], theme: str, tmp_path: Path) -> None:
    book = themed(SETUP, ANALYZE)
    book.run(0)
    assert "Costliest" in book.run(1)
    shown = book.cell(1).locator(".md-plan")
    expect(shown.locator(".hot")).to_have_text("costliest")
    expect(shown.locator(".off").first).to_contain_text("than estimated")
    scan = shown.locator("summary", has_text="memory.main.flights").first
    scan.click()
    expect(shown.locator("pre").filter(has_text="Filters").first).to_be_visible()
    assert shown.locator("i").count() == 0, "A column's name became markup."
    picture(book, f"plan {theme}", tmp_path)


def test_a_profile_is_drawn_as_cards(themed: Callable[..., Notebook], theme: str, tmp_path: Path) -> None:
    book = themed(SETUP, PROFILE)
    book.run(0)
    assert "50,000 rows × 6 columns" in book.run(1)
    cards = book.cell(1).locator(".md-profile .card")
    expect(cards).to_have_count(6)
    expect(cards.nth(5)).to_contain_text("<i>note</i>")
    expect(cards.nth(5)).to_contain_text("12,500 (25 %)")
    expect(cards.nth(0).locator(".bars i")).to_have_count(20)
    boxes = [cards.nth(at).bounding_box() for at in range(6)]
    assert all(box and box["width"] >= 200 for box in boxes)
    book.cell(1).scroll_into_view_if_needed()
    picture(book, f"profile {theme}", tmp_path)


def test_both_stay_in_the_saved_notebook_without_script_or_widget(notebook: Callable[..., Notebook]) -> None:
    quiet = [cell.replace("%mdsql", "%mdsql --quiet", 1) for cell in (ANALYZE, PROFILE)]  # or a slow one says its time
    book = notebook(SETUP, *quiet)
    for at in range(3):
        book.run(at)
    saved = json.loads(book.save())
    for cell in saved["cells"][1:]:
        [output] = cell["outputs"]
        assert set(output["data"]) == {"text/html", "text/plain"}
        html = "".join(output["data"]["text/html"]).lower()
        assert not any(
            word in html for word in ("<script", "http:", "https:", "javascript:", " onload", "@import", "url(")
        )

"""Two tabs on one notebook, with jupyter-collaboration: a grid, a tree and the card work in both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import EMAIL, Lab, Notebook, load
from tests.extras import needs
from tests.motherduck.standin.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.browser

LOAD = "%load_ext md_magic\n%mdsql SET threads = 1"


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    needs("jupyter_collaboration")
    with Lab(tmp_path_factory.mktemp("shared"), collaboration=True) as lab:
        yield lab


@pytest.fixture
def tabs(shared_lab: Lab, context: BrowserContext) -> Iterator[Callable[..., tuple[Notebook, Notebook]]]:
    """Return a function that opens a notebook with the given cells in two tabs."""
    pages = [load(shared_lab, context, name) for name in ("one", "two")]

    def open_both(*cells: str) -> tuple[Notebook, Notebook]:
        name = shared_lab.write(cells)
        first, second = (Notebook(shared_lab, page, name) for page in pages)
        return first, second

    yield open_both
    for page in pages:
        page.close()


def test_a_grid_and_a_tree_work_in_both_tabs(tabs: Callable[..., tuple[Notebook, Notebook]]) -> None:
    first, second = tabs(LOAD, "%%mdsql --grid\nSELECT i FROM range(1000) t(i)", "%mdsql --browse")
    first.run(0)
    first.run(1)
    first.run(2)
    for book in (first, second):
        book.page.bring_to_front()
        expect(book.cell(1).locator(".md-grid-status")).to_have_text("1,000 rows, 1 column", timeout=30_000)
        expect(book.cell(1).locator(".md-grid-cell").first).to_have_text("0", timeout=30_000)
        expect(book.cell(2).locator(".md-browse-row").first).to_be_visible(timeout=30_000)
    header = second.cell(1).get_by_role("columnheader").first.get_by_role("button")
    header.click()
    header.click()
    expect(second.cell(1).locator(".md-grid-cell").first).to_have_text("999", timeout=30_000)
    first.page.bring_to_front()
    expect(first.cell(1).locator(".md-grid-cell").first).to_have_text("0")


def test_the_card_is_in_both_tabs_and_either_cancels(
    tabs: Callable[..., tuple[Notebook, Notebook]], shared_lab: Lab
) -> None:
    service = Service(shared_lab.service_folder)
    service.add_account(EMAIL)
    first, second = tabs(LOAD, "%%mdsql md:\nSELECT 1")
    first.run(0)
    first.start(1)
    for book in (first, second):
        book.page.bring_to_front()
        link = book.cell(1).get_by_role("link", name="Open MotherDuck's sign-in page")
        expect(link).to_be_visible(timeout=30_000)
        expect(link).to_have_attribute("href", re.compile("^https://[a-z.]*motherduck.com/"))
    second.cell(1).get_by_role("button", name="Cancel").click()
    expect(second.cell(1).locator(".md-signin")).to_have_count(0, timeout=30_000)
    first.page.bring_to_front()
    assert "cancelled" in first.wait(1)


def test_a_tab_that_is_opened_later_has_the_widgets_as_well(
    tabs: Callable[..., tuple[Notebook, Notebook]], shared_lab: Lab, context: BrowserContext
) -> None:
    first, _ = tabs(LOAD, "%%mdsql --grid\nSELECT i FROM range(1000) t(i)")
    first.run(0)
    first.run(1)
    page = load(shared_lab, context, "three")
    third = Notebook(shared_lab, page, first.name)
    page.bring_to_front()
    expect(third.cell(1).locator(".md-grid-cell").first).to_have_text("0", timeout=30_000)
    page.close()

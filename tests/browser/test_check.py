"""Mistakes underlined while typing, in a real JupyterLab: the place, the message, and the name that is put in."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Locator

    from tests.browser.conftest import Lab, Notebook

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SCREENSHOTS")
TABLE = "%%mdsql\nCREATE OR REPLACE TABLE flights AS SELECT 'AA' AS carrier, 7 AS dep_delay"
PATIENCE = 30_000
"""Milliseconds, on a machine that does other things."""

TOOLTIP = ".md-magic-mistake-tooltip"


@pytest.fixture
def book(notebook: Callable[..., Notebook]) -> Notebook:
    book = notebook("%load_ext md_magic", TABLE, "%%mdsql", "import time; time.sleep(20)")
    book.run(0)
    book.run(1, 60)
    return book


def type_below(book: Notebook, text: str, index: int = 2) -> None:
    """Type *text* at the end of a cell, as a person does."""
    book.cell(index).locator(".cm-content").click()
    book.page.keyboard.press("Control+End")
    book.page.keyboard.type(text)


def mistakes(book: Notebook, index: int = 2) -> Locator:
    return book.cell(index).locator(".md-magic-mistake")


def source(book: Notebook, index: int = 2) -> str:
    return "\n".join(book.cell(index).locator(".cm-line").all_inner_texts())


def test_a_mistake_is_underlined_told_and_mended_by_a_key(book: Notebook) -> None:
    type_below(book, "\nSELECT carier, dep_delay\nFROM flights")
    expect(mistakes(book)).to_have_text(["carier"], timeout=PATIENCE)
    assert "Candidate bindings" in str(mistakes(book).get_attribute("aria-description"))
    picture(book, "underline")
    book.page.keyboard.press("F8")
    expect(book.page.locator(TOOLTIP)).to_contain_text('Referenced column "carier" not found in FROM clause!')
    picture(book, "message")
    book.page.keyboard.press("Control+.")
    expect(mistakes(book)).to_have_count(0, timeout=PATIENCE)
    assert source(book) == "%%mdsql\nSELECT carrier, dep_delay\nFROM flights"
    expect(book.page.locator(TOOLTIP)).to_have_count(0)


def test_the_mouse_tells_too_and_a_click_puts_the_name_in(book: Notebook) -> None:
    type_below(book, "\nSELECT 'ä😀' AS x, carrier FROM flihgts")
    expect(mistakes(book)).to_have_text(["flihgts"], timeout=PATIENCE)
    mistakes(book).hover()
    tooltip = book.page.locator(TOOLTIP)
    expect(tooltip).to_contain_text("Table with name flihgts does not exist!")
    tooltip.get_by_role("button", name="flights").click()
    expect(mistakes(book)).to_have_count(0, timeout=PATIENCE)
    assert source(book) == "%%mdsql\nSELECT 'ä😀' AS x, carrier FROM flights"


def test_escape_closes_the_message_and_the_line_is_checked_as_well(book: Notebook) -> None:
    type_below(book, " --limt 5\nSELECT carrier FROM flights")
    expect(mistakes(book)).to_have_text(["--limt"], timeout=PATIENCE)
    book.page.keyboard.press("F8")
    expect(book.page.locator(TOOLTIP)).to_contain_text("There is no option --limt. Did you mean --limit?")
    book.page.keyboard.press("Escape")
    expect(book.page.locator(TOOLTIP)).to_have_count(0)
    book.page.keyboard.press("F8")
    book.page.keyboard.press("Control+.")
    expect(mistakes(book)).to_have_count(0, timeout=PATIENCE)
    assert source(book).splitlines()[0] == "%%mdsql --limit 5"


def test_it_works_while_a_cell_runs(book: Notebook) -> None:
    book.start(3)
    type_below(book, "\nSELECT carier FROM flights")
    expect(mistakes(book)).to_have_text(["carier"], timeout=PATIENCE)
    assert (
        book.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[3].model.executionState")
        == "running"
    )
    book.interrupt()
    book.wait(3)


def test_what_a_cell_has_made_is_no_mistake_any_more(book: Notebook) -> None:
    type_below(book, "\nFROM later")
    expect(mistakes(book)).to_have_text(["later"], timeout=PATIENCE)
    book.page.evaluate(
        "text => window.jupyterapp.shell.currentWidget.content.widgets[3].model.sharedModel.setSource(text)",
        "%mdsql CREATE TABLE later (a INTEGER)",
    )
    book.run(3)
    expect(mistakes(book)).to_have_count(0, timeout=PATIENCE)


def test_a_kernel_without_the_extension_and_the_setting_leave_cells_alone(notebook: Callable[..., Notebook]) -> None:
    book = notebook("1", "%load_ext md_magic", "%config MdsqlMagics.check = False", "%%mdsql")
    book.run(0)
    type_below(book, "\nSELEC 1", 3)
    book.page.wait_for_timeout(1500)
    expect(mistakes(book, 3)).to_have_count(0, timeout=PATIENCE)
    book.run(1)
    type_below(book, " ", 3)
    expect(mistakes(book, 3)).to_have_text(["SELEC"], timeout=PATIENCE)
    book.run(2)
    expect(mistakes(book, 3)).to_have_count(0, timeout=PATIENCE)


def test_nothing_is_saved_in_the_notebook(book: Notebook) -> None:
    type_below(book, "\nSELEC 1")
    expect(mistakes(book)).to_have_text(["SELEC"], timeout=PATIENCE)
    assert "Parser Error" not in book.save()


def wait_for_kernel(lab: Lab, name: str) -> None:
    """Return when the page of *name* is connected to its kernel: before, Notebook 7 forgets a cell that is to run."""
    end = time.monotonic() + PATIENCE / 1000
    while not any(s["path"] == name and s["kernel"]["connections"] for s in lab.request("GET", "/api/sessions")):
        assert time.monotonic() < end, "the page has no kernel"
        time.sleep(0.1)


def test_notebook_7_underlines_tells_and_mends(lab: Lab, context: BrowserContext) -> None:
    name = lab.write(("%load_ext md_magic", TABLE, "%%mdsql"))
    with context.new_page() as page:
        page.goto(f"{lab.address}/notebooks/{name}?token={TOKEN}")
        cells = page.locator(".jp-Notebook .jp-Cell")
        wait_for_kernel(lab, name)
        for cell in (cells.nth(0), cells.nth(1)):
            cell.locator(".cm-content").click()
            page.keyboard.press("Shift+Enter")
            expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"), timeout=PATIENCE)
        cells.nth(2).locator(".cm-content").click()
        page.keyboard.press("Control+End")
        page.keyboard.type("\nSELECT carier FROM flights")
        mistake = cells.nth(2).locator(".md-magic-mistake")
        expect(mistake).to_have_text(["carier"], timeout=PATIENCE)
        page.keyboard.press("F8")
        expect(page.locator(TOOLTIP)).to_contain_text('Referenced column "carier" not found in FROM clause!')
        page.keyboard.press("Control+.")
        expect(mistake).to_have_count(0, timeout=PATIENCE)
        expect(cells.nth(2).locator(".cm-content")).to_contain_text("SELECT carrier FROM flights")
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / "check-notebook7.png")
    for session in lab.request("GET", "/api/sessions"):
        lab.request("DELETE", f"/api/sessions/{session['id']}")


def picture(book: Notebook, name: str) -> None:
    if PICTURES:
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            book.command("apputils:change-theme", theme=theme)
            book.page.wait_for_timeout(600)
            book.page.screenshot(path=Path(PICTURES) / f"check-{name}-{theme.split()[1].lower()}.png")
        book.cell(2).locator(".cm-content").focus()

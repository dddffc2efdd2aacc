"""The handle of a background query in a real JupyterLab: it changes by itself, and the saved notebook opens without it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TOKEN, Notebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SCREENSHOTS")
BIG = "%%mdsql --quiet\nSET threads = 1; CREATE TABLE big AS SELECT range AS i FROM range(4_000_000)"
SLOW = "%%mdsql --background -o job\nSELECT max(md5(md5(md5(md5(i::VARCHAR))))) AS m FROM big"
LONG = "%%mdsql --background -o long\nSELECT sum(hash(a.i, b.i)) AS s FROM big a, big b"


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Notebook, str], None]:
    def take(book: Notebook, name: str) -> None:
        book.page.screenshot(path=Path(PICTURES or tmp_path) / f"{name}.png")

    return take


def test_the_handle_changes_by_itself_and_is_saved_as_it_was_last(
    notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None]
) -> None:
    book = notebook(
        "%load_ext md_magic",
        BIG,
        SLOW,
        "job",
        "%%mdsql --background -o bad\nSELECT '<b>bold</b>' AS a, nothing FROM big",
        "bad",
        LONG,
        "long",
        "%mdsql SELECT 42 AS answer",
        "long.cancel()",
        "%mdsql --jobs",
    )
    for cell in range(4):
        book.run(cell)
    shown = book.cell(3).locator(".jp-OutputArea-output")
    expect(shown).to_contain_text("running")
    expect(shown.locator("progress")).to_be_visible(timeout=20_000)
    expect(shown).to_contain_text(" %")
    for cell in range(4, 9):
        book.run(cell)
    failed = book.cell(5).locator(".jp-OutputArea-output")
    expect(failed).to_contain_text('"nothing" not found')
    expect(failed.locator("b")).to_have_count(1)  # the handle's name, and nothing out of the error
    expect(book.cell(7).locator(".jp-OutputArea-output")).to_contain_text("running")
    picture(book, "jobs running")
    expect(shown).to_contain_text("done", timeout=60_000)  # the cell was not run again
    expect(shown).to_contain_text("1 row")
    book.run(9)
    expect(book.cell(7).locator(".jp-OutputArea-output")).to_contain_text("cancelled after")
    assert "cancelled" in book.run(10)
    picture(book, "jobs ended")
    saved = json.loads(book.save())
    for state in saved["metadata"].get("widgets", {}).values():
        assert state["state"] == {}
    outputs = [cell["outputs"] for cell in saved["cells"]]
    assert [len(outputs[at]) for at in (3, 5, 7)] == [1, 1, 1]
    assert "done" in json.dumps(outputs[3])
    assert "running" not in json.dumps([outputs[3], outputs[5], outputs[7]])
    assert "widget-view" not in json.dumps(outputs)


def test_a_handle_that_is_bound_shows_itself_and_its_button_cancels_while_a_cell_runs(
    notebook: Callable[..., Notebook],
) -> None:
    book = notebook("%load_ext md_magic", BIG, LONG, "import time; time.sleep(20)", "long.result()", "long")
    for cell in range(3):
        book.run(cell)
    shown = book.cell(2).locator(".jp-OutputArea-output")
    expect(shown).to_contain_text("running")
    book.start(3)
    shown.get_by_role("button", name="Cancel").click()
    expect(shown).to_contain_text("cancelled after", timeout=15_000)
    expect(shown.get_by_role("button")).to_have_count(0)
    book.wait(3)
    assert "The background query was cancelled with the button after" in book.run(4)
    assert "cancelled after" in book.run(5)
    [output] = json.loads(book.save())["cells"][2]["outputs"]
    assert sorted(output["data"]) == ["text/html", "text/plain"]


def test_a_page_that_is_loaded_again_shows_what_the_query_does(
    notebook: Callable[..., Notebook], lab: Lab, context: BrowserContext
) -> None:
    book = notebook("%load_ext md_magic", BIG, LONG)
    for cell in range(3):
        book.run(cell)
    book.save()
    again = context.new_page()
    try:
        again.goto(f"{lab.address}/lab/workspaces/again?reset&token={TOKEN}", wait_until="commit")
        again.wait_for_function("() => window.jupyterapp?.shell", timeout=60_000)
        again.evaluate("() => window.jupyterapp.restored.then(() => null)")
        shown = Notebook(lab, again, book.name).cell(2).locator(".jp-OutputArea-output")
        expect(shown).to_contain_text("running", timeout=20_000)
        first = shown.locator(".md-job").inner_text()
        expect(shown.locator(".md-job")).not_to_have_text(first, timeout=10_000)  # the time goes on
        shown.get_by_role("button", name="Cancel").click()
        expect(shown).to_contain_text("cancelled after", timeout=15_000)
        expect(book.cell(2).locator(".jp-OutputArea-output")).to_contain_text("cancelled after")
    finally:
        again.close()


def test_a_dark_theme(notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None]) -> None:
    book = notebook(
        "%load_ext md_magic", BIG, SLOW, "job", "%%mdsql --background -o bad\nSELECT nothing FROM big", "bad"
    )
    book.command("apputils:change-theme", theme="JupyterLab Dark")
    try:
        for cell in range(6):
            book.run(cell)
        expect(book.cell(5).locator(".jp-OutputArea-output")).to_contain_text("failed after")
        expect(book.cell(3).locator("progress")).to_be_visible(timeout=20_000)
        picture(book, "jobs dark")
    finally:
        book.command("apputils:change-theme", theme="JupyterLab Light")

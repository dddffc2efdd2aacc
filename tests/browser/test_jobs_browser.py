"""The handle of a background query in a real JupyterLab: it changes by itself, and the saved notebook opens without it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Notebook

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

"""The live line of a long query in a real JupyterLab: what it shows, how it stops, and what stays in the notebook."""

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

    from playwright.sync_api import Locator

    from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

LOAD = "%load_ext md_magic\n%mdsql SET threads = 1"  # a query on both cores starves the browser
TABLE = "%mdsql CREATE TABLE t AS SELECT range AS i, hash(range) AS h FROM range(15_000_000)"
LONG = "%%mdsql\nSELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)"
KNOWN = "%%mdsql\nSELECT count(*) AS n FROM t WHERE md5(i::VARCHAR || h::VARCHAR) < '0'"
FETCHED = "%%mdsql\nSELECT i, 'text ' || i AS t FROM range(40_000_000) r(i)"


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Notebook, str], None]:
    def take(book: Notebook, name: str) -> None:
        book.page.screenshot(path=Path(os.environ.get("SCREENSHOTS") or tmp_path) / f"{name}.png")

    return take


def line(book: Notebook, index: int) -> Locator:
    found = book.cell(index).locator(".md-progress")
    expect(found).to_be_visible(timeout=15_000)
    return found


def saved(book: Notebook, index: int) -> list[dict]:
    """Save, and return what the file has of a cell's outputs; no widget is in it, nor anywhere in the file."""
    text = book.save()
    assert "widget-view" not in text
    notebook = json.loads(text)
    assert not notebook["metadata"].get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state")
    return list(notebook["cells"][index]["outputs"])


def test_cancel_stops_the_query_while_it_runs(
    notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None]
) -> None:
    book = notebook(LOAD, LONG, "%mdsql SELECT 6 * 7 AS answer")
    book.run(0)
    book.start(1)
    shown = line(book, 1)
    button = shown.get_by_role("button", name="Cancel")
    expect(button).to_be_visible()
    expect(shown).to_contain_text("duckdb:///:memory:")
    expect(shown.get_by_text("interrupt the kernel")).to_be_hidden()
    picture(book, "progress cancel")
    button.click()
    said = book.wait(1, 30)
    assert "QueryCancelled: The query was cancelled with the button after" in said
    assert "42" in book.run(2)
    picture(book, "progress cancelled")
    assert [output["output_type"] for output in saved(book, 1)] == ["error"]


def test_interrupting_from_the_menu_leaves_one_error(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, LONG, "%mdsql SELECT 6 * 7 AS answer")
    book.run(0)
    book.start(1)
    line(book, 1)
    book.interrupt()
    assert "the query was interrupted after" in book.wait(1, 8)
    assert "42" in book.run(2)
    assert [output["output_type"] for output in saved(book, 1)] == ["error"]


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_bar_moves_and_a_status_takes_its_place(
    notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None], theme: str
) -> None:
    book = notebook(LOAD, TABLE, "%%mdsql\nSELECT 1;\n" + KNOWN.partition("\n")[2])
    book.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    book.run(0)
    book.run(1)
    book.start(2)
    shown = line(book, 2)
    bar = shown.get_by_role("progressbar")
    expect(bar).to_be_visible()
    expect(shown).to_contain_text("statement 2 of 2")
    picture(book, f"progress {theme.lower()}")
    first = float(bar.get_attribute("value") or 0)
    expect(bar).not_to_have_attribute("value", str(first))
    assert 0 < first < 100
    book.wait(2, 60)
    picture(book, f"progress status {theme.lower()}")
    expect(book.cell(2).locator(".jp-OutputArea-output").first).to_contain_text("duckdb:///:memory:")
    expect(book.cell(2).locator(".jp-OutputArea-output a")).to_have_count(0)  # in a plain text Lab makes a link of it
    status, result = saved(book, 2)
    assert "1 row × 1 column · " in "".join(status["data"]["text/plain"])
    assert " s · duckdb:///:memory:" in "".join(status["data"]["text/plain"])
    assert result["output_type"] == "execute_result"


def test_fetching_is_shown_with_the_rows_that_have_arrived(
    notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None]
) -> None:
    book = notebook(LOAD, FETCHED)
    book.run(0)
    book.start(1)
    shown = line(book, 1)
    expect(shown.get_by_text(" rows")).to_be_visible()
    picture(book, "progress fetch")
    book.wait(1, 60)
    status, result = saved(book, 1)
    assert "40,000,000 rows × 2 columns · " in "".join(status["data"]["text/plain"])
    assert result["output_type"] == "execute_result"


def test_what_the_cell_showed_before_stays(notebook: Callable[..., Notebook]) -> None:
    stopped = f"print('before')\ndisplay('shown')\nr = %mdsql --timeout 3 {LONG.partition(chr(10))[2]}"
    book = notebook(LOAD, stopped, f"print('before')\nr = %mdsql {FETCHED.partition(chr(10))[2]}")
    book.run(0)
    book.start(1)
    line(book, 1)
    said = book.wait(1, 10)
    assert said.startswith("before\n'shown'")
    assert "cancelled by --timeout 3 after 3." in said
    book.run(2, 60)
    printed, status = saved(book, 2)
    assert printed["text"] == ["before\n"]
    assert "40,000,000 rows" in "".join(status["data"]["text/plain"])
    assert [output["output_type"] for output in saved(book, 1)] == ["stream", "display_data", "display_data", "error"]


def test_quiet_shows_nothing_and_a_quick_query_neither(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, FETCHED.replace("%%mdsql", "%%mdsql --quiet"), "%mdsql SELECT 1 AS one")
    book.run(0)
    book.start(1)
    time.sleep(1.5)
    assert book.cell(1).locator(".md-progress").count() == 0
    book.wait(1, 60)
    assert [output["output_type"] for output in saved(book, 1)] == ["execute_result"]
    book.run(2)
    assert [output["output_type"] for output in saved(book, 2)] == ["execute_result"]


def test_a_kernel_that_does_not_listen_says_how_to_cancel(
    notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None]
) -> None:
    """Without its override ipykernel 7.4 behaves as ipykernel 6: no message arrives while the cell runs."""
    book = notebook(LOAD + "\nfrom md_magic.display import host\nhost.listen_while_busy = lambda comm: None", LONG)
    book.run(0)
    book.start(1)
    shown = line(book, 1)
    expect(shown.get_by_text("interrupt the kernel to cancel")).to_be_visible()
    expect(shown.get_by_role("button")).to_be_hidden()
    picture(book, "progress deaf")
    book.interrupt()
    assert "the query was interrupted after" in book.wait(1, 8)
    assert [output["output_type"] for output in saved(book, 1)] == ["error"]

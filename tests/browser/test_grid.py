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

    from playwright.sync_api import Locator

    from tests.browser.conftest import Notebook

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

    area.evaluate("area => area.dispatchEvent(new WheelEvent('wheel', {deltaY: 18, cancelable: true}))")  # 3/4 of a row
    book.page.wait_for_timeout(300)
    covered = """filter => { const box = filter.getBoundingClientRect();
        return document.elementFromPoint(box.x + 9, box.bottom - 3) !== filter }"""
    assert not found.locator(".md-grid-filter").first.evaluate(covered)
    shot(book, "grid-within-a-row")
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
    apart = "import tempfile\ntempfile.tempdir = tempfile.mkdtemp()\ntempfile.tempdir"  # from grids of other kernels
    book = notebook(LOAD, slow, apart)
    book.run(0)
    folder = Path(book.run(2).strip("'"))
    book.start(1)
    found = book.cell(1).locator(".md-grid")
    wait_for_row(found, "0")
    expect(found.locator(".md-grid-status")).to_contain_text("still coming")
    assert len(list(folder.glob("md_magic-grid-*/rows.db"))) == 1
    shot(book, "grid-coming")
    book.interrupt()
    assert "QueryInterrupted" in book.wait(1)
    expect(found).to_have_count(0)
    assert list(folder.iterdir()) == []
    folder.rmdir()


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


def test_its_columns_stay_when_the_theme_changes(notebook: Callable[..., Notebook]) -> None:
    """JupyterLab hides the page for a moment meanwhile, of which no observer tells."""
    book = notebook(LOAD, MILLION)
    book.run(0)
    book.run(1, seconds=60)
    found = grid(book)
    before = row(found)
    for theme in ("Dark", "Light"):
        book.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        book.page.wait_for_timeout(500)
        assert found.locator(".md-grid-column").count() == 5
        assert row(found) == before


def test_a_header_shows_one_column_after_another(notebook: Callable[..., Notebook]) -> None:
    """Its elements are used again, and nothing of a column stays with them but what its filter has."""
    columns = ", ".join(f"range % {at + 2} AS c{at}" for at in range(200))
    book = notebook(LOAD, f"%%mdsql --grid\nSELECT {columns} FROM range(50)")
    book.run(0)
    book.run(1, seconds=60)
    found = grid(book)
    area = found.locator(".md-grid-scroll")

    def header(at: int) -> Locator:
        return found.locator(f'.md-grid-column[aria-colindex="{at + 1}"]')

    def go(share: float) -> None:
        area.evaluate("(area, share) => { area.scrollLeft = (area.scrollWidth - area.clientWidth) * share }", share)

    first = header(0).element_handle()
    header(0).locator(".md-grid-bars [role=option]").first.wait_for()
    header(0).locator(".md-grid-filter").fill("= 1")
    expect(found.locator(".md-grid-status")).to_contain_text("25 of 50", timeout=15_000)
    found.get_by_role("grid").focus()
    header(0).locator(".md-grid-name").click()
    found.get_by_role("grid").focus()
    go(1)
    header(199).wait_for()
    names = found.locator(".md-grid-label").all_inner_texts()
    assert names == [f"c{at}" for at in range(200 - len(names), 200)]
    assert first.evaluate("header => header.isConnected && header.querySelector('.md-grid-label').textContent") in names
    assert set(found.locator(".md-grid-filter").evaluate_all("all => all.map(input => input.value)")) == {""}
    assert set(found.locator(".md-grid-column").evaluate_all("all => all.map(each => each.ariaSort)")) == {"none"}
    expect(header(199).locator(".md-grid-bars")).to_have_attribute("aria-label", "Histogram of c199")
    expect(header(199).locator(".md-grid-filter")).to_have_attribute("aria-label", "Filter of c199")
    header(199).locator(".md-grid-bars [role=option]").first.wait_for()
    labels = header(199).locator("[role=option]").evaluate_all("all => all.map(bar => bar.id)")
    assert all("-bars-199-" in label for label in labels)
    header(199).locator(".md-grid-filter").fill("> 40")
    expect(found.locator(".md-grid-status")).to_contain_text("5 of 50", timeout=15_000)
    found.get_by_role("grid").focus()
    go(0)
    expect(header(0).locator(".md-grid-filter")).to_have_value("= 1")
    assert header(0).get_attribute("aria-sort") == "ascending"
    header(1).locator(".md-grid-name").click()
    expect(header(1)).to_have_attribute("aria-sort", "ascending")
    expect(header(0)).to_have_attribute("aria-sort", "none")


def test_running_the_cell_again_closes_the_grid_before(notebook: Callable[..., Notebook]) -> None:
    files = "import glob, tempfile\nlen(glob.glob(f'{tempfile.gettempdir()}/md_magic-grid-*/rows.db'))"
    book = notebook(LOAD, "%%mdsql --grid\nFROM range(5)", files)
    book.run(0)
    before = int(book.run(2))
    for _ in range(3):
        book.run(1)
    wait_for_row(grid(book), "0")
    assert int(book.run(2)) - before == 1


EXACT = """%%mdsql --grid
SELECT TIMESTAMP '2024-01-01 10:00:00' AS at_time, '00000000-0000-4000-8000-000000000001'::UUID AS u, 'New York City' AS city,
       9007199254740993 + i AS id, CASE i WHEN 0 THEN 'tab' || chr(9) || 'line' || chr(10) || '"end"' WHEN 1 THEN '' END AS t,
       repeat('long ', 4000) || i AS long
FROM range(5) t(i)"""


def clipboard(book: Notebook, *, but: str = "") -> str:
    """Return what was copied, once it is another text than *but*."""
    return str(
        book.page.evaluate(
            """async but => { for (let turn = 0; ; turn += 1) {
                const text = await navigator.clipboard.readText();
                if (text !== but || turn > 100) return text;
                await new Promise(next => setTimeout(next, 50)); } }""",
            but,
        )
    )


def drag(book: Notebook, start: Locator, end: Locator, **where: float) -> None:
    start.hover()
    book.page.mouse.down()
    end.hover(position={"x": where.get("x", 5), "y": 5})
    book.page.mouse.up()


def test_columns_fit_and_a_block_is_copied_to_the_last_character(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, EXACT, "g = Out[2]; [list(g.frame().columns), len(g.frame())]")
    book.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    book.run(0)
    book.run(1)
    found = grid(book)
    area, names = found.get_by_role("grid"), found.get_by_role("columnheader")
    assert row(found)[:4] == [
        "2024-01-01 10:00:00",
        "00000000-0000-4000-8000-000000000001",
        "New York City",
        "9007199254740993",
    ]
    cut = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).length"
    assert found.locator(".md-grid-row").nth(0).locator(".md-grid-cell:nth-child(-n+4)").evaluate_all(cut) == 0
    assert (area.bounding_box() or {})["height"] < 240  # five rows, and no more

    first = found.locator(".md-grid-row").nth(0).locator(".md-grid-cell")
    drag(book, first.nth(2), found.locator(".md-grid-row").nth(1).locator(".md-grid-cell").nth(3))
    expect(found.locator(".md-grid-cell[aria-selected=true]")).to_have_count(4)
    book.page.keyboard.press("Control+c")
    copied = clipboard(book)
    assert copied == "New York City\t9007199254740993\nNew York City\t9007199254740994"
    book.page.keyboard.press("Shift+ArrowRight")
    book.page.keyboard.press("Control+Shift+c")
    with_names = clipboard(book, but=copied)
    lines = 'New York City\t9007199254740993\t"tab\tline\n""end"""\nNew York City\t9007199254740994\t""'
    assert with_names == f"city\tid\tt\n{lines}"
    shot(book, "grid-selected")
    area.focus()
    book.page.keyboard.press("Control+End")
    book.page.keyboard.press("Control+c")
    assert clipboard(book, but=with_names) == "long " * 4000 + "4"
    book.page.keyboard.press("Control+Home")
    for left in (first.nth(0), names.nth(0)):  # scrolled back: on its way, another column's edge is under the mouse
        expect(left).to_be_in_viewport(ratio=0.9)

    edge = names.nth(3).locator(".md-grid-edge")
    drag(book, edge, names.nth(3), x=60)
    expect(first.nth(3)).to_have_text("#####")
    assert first.nth(3).get_attribute("title") == "9007199254740993"
    edge.dblclick()
    expect(first.nth(3)).to_have_text("9007199254740993")
    drag(book, names.nth(2).get_by_role("button"), names.nth(0))
    expect(names.nth(0)).to_contain_text("city")
    names.nth(1).click(button="right")
    shot(book, "grid-menu")
    book.page.keyboard.press("ArrowUp")
    book.page.keyboard.press("Enter")
    expect(names.nth(1)).to_contain_text("uuid")
    assert book.run(2) == "[['city', 'u', 'id', 't', 'long'], 5]"
    found.get_by_role("button", name="Columns").click()
    book.page.get_by_role("checkbox", name="at_time").check()
    book.page.keyboard.press("Escape")
    expect(names.nth(0)).to_contain_text("at_time")
    area.focus()
    book.page.keyboard.press("Escape")
    assert book.page.evaluate("() => document.activeElement.closest('.md-grid') === null")


def test_what_is_seen_is_downloaded(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, "%%mdsql --grid\nSELECT i, 'x' || i AS t FROM range(300000) t(i)")
    book.run(0)
    book.run(1)
    found = grid(book)
    found.get_by_role("textbox", name="Filter of i").fill("< 200000")
    expect(found.locator(".md-grid-status")).to_contain_text("200,000 of 300,000", timeout=15_000)
    names = found.get_by_role("columnheader")
    names.nth(0).get_by_role("button").click()
    names.nth(0).get_by_role("button").click()
    wait_for_row(found, "199999")
    with book.page.expect_download() as coming:
        found.get_by_role("button", name="CSV").click()
    lines = Path(coming.value.path()).read_bytes().decode().split("\n")
    assert (coming.value.suggested_filename, lines[0], lines[1], len(lines)) == (
        "result.csv",
        "i,t",
        "199999,x199999",
        200_002,
    )
    with book.page.expect_download() as coming:
        found.get_by_role("button", name="Parquet").click()
    assert Path(coming.value.path()).read_bytes()[:4] == b"PAR1"
    expect(found.locator(".md-grid-note")).to_contain_text("200,000 rows")


LOOKED_INTO = """%%mdsql --grid
SELECT i % 24 AS hour, ['Berlin', 'Oslo', 'Paris'][1 + i % 3] AS city, {'id': 9007199254740993 + i, 'tags': [i, NULL]} AS nested,
       from_hex('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082') AS image,
       repeat('long ', 3000) || i AS long
FROM range(2400) t(i)"""
CONTRASTS = """root => { const seen = [];
    const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const layers = element => { const found = [];
        for (let at = element; at; at = at.parentElement) found.unshift(getComputedStyle(at).backgroundColor);
        return found; };
    const luminance = colours => { paint.fillStyle = '#fff'; paint.fillRect(0, 0, 1, 1);
        for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
        const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map(value => { const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const check = (element, colour) => { const behind = layers(element);
        const [one, other] = [luminance(behind), luminance([...behind, colour])];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        seen.push([Math.round(ratio * 100) / 100, element.className]); };
    for (const element of root.querySelectorAll('*')) {
        if (!element.checkVisibility()) continue;
        if ([...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) check(element, getComputedStyle(element).color);
        if (element.placeholder) check(element, getComputedStyle(element, '::placeholder').color);
    }
    return seen.sort((a, b) => a[0] - b[0]).slice(0, 5); }"""


def set_theme(book: Notebook, name: str) -> None:
    book.command("apputils:change-theme", theme=name)
    book.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)


def test_values_are_looked_into_found_and_counted_in_both_themes(notebook: Callable[..., Notebook]) -> None:
    book = notebook(LOAD, LOOKED_INTO)
    book.run(0)
    book.run(1)
    found, keys = grid(book), book.page.keyboard
    area, status = found.get_by_role("grid"), found.locator(".md-grid-status")
    hours = found.get_by_role("listbox", name="Histogram of hour")
    expect(hours.get_by_role("option")).to_have_count(24, timeout=15_000)
    assert hours.get_by_role("option").nth(3).get_attribute("aria-label") == "3: 100"

    area.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        keys.press(key)
    viewer = found.get_by_role("dialog")
    expect(viewer.locator(".md-grid-json")).to_contain_text("9007199254740994")
    keys.press("Escape")
    expect(viewer).to_be_hidden()
    found.locator('.md-grid-row >> nth=1 >> [aria-colindex="4"]').dblclick()  # columns that scroll out are not drawn
    expect(viewer.get_by_role("img")).to_be_visible()
    assert viewer.get_by_role("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    keys.press("ArrowRight")
    expect(viewer.locator(".md-grid-text")).to_have_text("long " * 3000 + "1")
    shot(book, "grid-value")

    keys.press("Control+f")
    keys.type("LONG 777")
    keys.press("Enter")
    expect(found.locator(".md-grid-said")).to_have_text("row 778")
    keys.press("Control+a")
    keys.type("berlin")
    keys.press("Enter")
    expect(found.locator(".md-grid-said")).to_have_text("row 781")
    expect(found.locator(".md-grid-active")).to_have_class(re.compile("found"))
    keys.press("Escape")
    keys.press("Escape")
    area.evaluate("area => { area.scrollLeft = 0 }")

    found.get_by_role("listbox", name="Histogram of city").get_by_role("option", name="Oslo").click()
    expect(status).to_contain_text("800 of 2,400")
    expect(hours.get_by_role("option").nth(3)).to_have_attribute("aria-label", re.compile("of 100"), timeout=15_000)
    hours.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight", "Enter"):
        keys.press(key)
    expect(found.get_by_role("textbox", name="Filter of hour")).to_have_value(">= 1 and <= 2")
    expect(status).to_contain_text("100 of 2,400")
    keys.press("Delete")
    expect(status).to_contain_text("800 of 2,400")
    area.focus()
    keys.press("ArrowDown")
    keys.press("Shift+ArrowRight")
    found.get_by_role("textbox", name="Filter of hour").fill("> x")
    expect(found.locator(".md-grid-problem")).not_to_be_empty()
    check_contrasts(book, found)


def check_contrasts(book: Notebook, found: Locator) -> None:
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        set_theme(book, theme)
        try:
            worst = found.evaluate(CONTRASTS)
            shot(book, f"grid-{theme.split()[-1].lower()}-full")
            assert worst[0][0] >= 4.5, worst
        finally:
            set_theme(book, "JupyterLab Light")

"""Tab and Shift-Tab in a real JupyterLab: the menu with its types, what it inserts, and the tooltip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

SHOTS = Path(os.environ["MD_MAGIC_SHOTS"]) if "MD_MAGIC_SHOTS" in os.environ else None
SETUP = """%load_ext md_magic
%mdsql SET threads = 1
%mdsql CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount DECIMAL(18,2), "my col" VARCHAR)
%mdsql CREATE TABLE customers (customer_id BIGINT, "<b>email</b>" VARCHAR)
"""
PLACE = """([i, at]) => { const n = window.jupyterapp.shell.currentWidget.content; n.deselectAll(); n.activeCellIndex = i;
    n.mode = 'edit'; const e = n.activeCell.editor; e.focus(); const p = e.getPositionAt(at);
    e.setCursorPosition(p) }"""
ITEMS = """() => [...document.querySelectorAll('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item')].map(item =>
    [item.querySelector('.jp-Completer-match')?.textContent, item.querySelector('.jp-Completer-typeExtended')?.textContent])"""


def press(page: Page, index: int, at: int, key: str) -> None:
    page.bring_to_front()
    page.evaluate(PLACE, [index, at])
    page.keyboard.press(key)


def menu(page: Page, index: int, at: int) -> list[list[str]]:
    press(page, index, at, "Tab")
    page.wait_for_selector(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item", timeout=15_000)
    return list(page.evaluate(ITEMS))


def tooltip(page: Page, index: int, at: int) -> str:
    press(page, index, at, "Shift+Tab")
    page.wait_for_selector(".jp-Tooltip", timeout=15_000)
    return page.inner_text(".jp-Tooltip")


def shot(page: Page, name: str) -> None:
    if SHOTS is not None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(300)
        page.screenshot(path=SHOTS / f"{name}.png", clip={"x": 0, "y": 0, "width": 1100, "height": 620})


def theme(page: Page, notebook: Notebook, name: str) -> None:
    notebook.command("apputils:change-theme", theme=name)
    page.wait_for_function("dark => (document.body.dataset.jpThemeLight === 'false') === dark", arg="Dark" in name)


def test_the_menu_shows_names_with_their_types(page: Page, notebook: Callable[..., Notebook]) -> None:
    text = "%%mdsql\nSELECT  FROM orders o"
    opened = notebook(SETUP, text)
    opened.run(0)
    at = len("%%mdsql\nSELECT ")
    items = menu(page, 1, at)
    if items[0][0] != "order_id":  # a busy machine: the catalogue was not read within the patience of one Tab
        page.keyboard.press("Escape")
        items = menu(page, 1, at)
    types = {str(name): kind for name, kind in items}
    assert types["order_id"] == types['"my col"'] == "column"
    assert types["o"] == "table"
    assert types["CASE"] == "keyword"
    assert types["count"] == "function"
    shot(page, "completion-menu-light")
    page.keyboard.press("Escape")
    theme(page, opened, "JupyterLab Dark")
    menu(page, 1, len("%%mdsql\nSELECT "))
    shot(page, "completion-menu-dark")
    page.keyboard.press("Escape")
    theme(page, opened, "JupyterLab Light")


def test_a_match_is_inserted_and_options_are_listed(page: Page, notebook: Callable[..., Notebook]) -> None:
    opened = notebook(SETUP, "%%mdsql\nSELECT am FROM orders", "%%mdsql --as ")
    opened.run(0)
    press(page, 1, len("%%mdsql\nSELECT am"), "Tab")
    source = "() => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"
    visible = f"() => {ITEMS.removeprefix('() => ')}.length > 0 || ({source})().includes('amount')"
    page.wait_for_function(visible, timeout=15_000)
    if page.evaluate(ITEMS):  # Lab adds words of the document to what the kernel suggests
        assert page.evaluate(ITEMS)[0][0] == "amount"
        page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({source})() === '%%mdsql\\nSELECT amount FROM orders'", timeout=15_000)
    assert ["polars", "option"] in menu(page, 2, len("%%mdsql --as "))
    shot(page, "completion-options-light")
    page.keyboard.press("Escape")


def test_columns_stand_before_functions_in_the_order_of_the_kernel(
    page: Page, notebook: Callable[..., Notebook]
) -> None:
    opened = notebook(
        SETUP, "%%mdsql\nSELECT c FROM orders o", "x = %mdsql SELECT c FROM customers", "%%mdsql --\nSELECT 1"
    )
    opened.run(0)
    for index, at, column in ((1, "%%mdsql\nSELECT c", "customer_id"), (2, "x = %mdsql SELECT c", "customer_id")):
        items = menu(page, index, len(at))
        if items[0][0] != column:  # a busy machine: the catalogue was not read within the patience of one Tab
            page.keyboard.press("Escape")
            items = menu(page, index, len(at))
        names = [name for name, _ in items]
        assert items[0] == [column, "column"]
        kinds = [kind for _, kind in items]
        assert kinds.index("function") > max(at for at, kind in enumerate(kinds) if kind == "column")
        assert "count" in names
        assert "can_cast_implicitly" not in names[: names.index("count")]
        shot(page, f"completion-order-{index}")
        page.keyboard.press("Escape")
    flags = [name for name, _ in menu(page, 3, len("%%mdsql --"))]
    assert "--limit" in flags
    assert not {"--tables", "--connections", "--close", "--jobs", "--frame"} & set(flags)
    page.keyboard.press("Escape")


def test_the_tooltip_shows_columns_and_types(page: Page, notebook: Callable[..., Notebook]) -> None:
    opened = notebook(SETUP, "%%mdsql\nSELECT date_trunc('day', now()) FROM customers")
    opened.run(0)
    shown = tooltip(page, 1, len("%%mdsql\nSELECT date_trunc('day', now()) FROM cust"))
    assert "table memory.main.customers" in shown
    assert "<b>email</b>" in shown
    shot(page, "tooltip-table-light")
    page.keyboard.press("Escape")
    theme(page, opened, "JupyterLab Dark")
    shown = tooltip(page, 1, len("%%mdsql\nSELECT date_tr"))
    assert "date_trunc(part VARCHAR, timestamp TIMESTAMP) -> TIMESTAMP" in shown
    shot(page, "tooltip-function-dark")
    page.keyboard.press("Escape")
    theme(page, opened, "JupyterLab Light")

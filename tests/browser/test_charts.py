"""Charts in a real JupyterLab, light and dark, with no network; and the page that nbconvert makes of the notebook."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

CELLS = (
    "%load_ext md_magic",
    (
        "%%mdsql --chart histogram --x delay --color carrier\n"
        "SELECT hash(range) % 100 + hash(range + 1) % 100 AS delay, 'carrier ' || range % 9 AS carrier FROM range(50_000)"
    ),
    (
        "%%mdsql --chart line\nSELECT TIMESTAMP '2024-01-01' + INTERVAL (range) MINUTE AS t, sin(range / 5e3) * (range % 3) AS y,"
        " 'k' || range % 3 AS k FROM range(60_000)"
    ),
    "%%mdsql --chart point\nSELECT hash(range) % 1000 + hash(range + 1) % 1000 AS a, hash(range + 2) % 1000 AS b FROM range(50_000)",
)


def test_charts_are_drawn_in_both_themes_without_a_network(notebook: Callable[..., Notebook], tmp_path: Path) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    book = notebook(*CELLS)
    book.page.route(lambda url: "127.0.0.1" not in url, refuse)
    try:
        for theme in ("Light", "Dark"):
            book.command("apputils:change-theme", theme=f"JupyterLab {theme}")
            for index in range(len(CELLS)):
                book.run(index, 90)
            for index in range(1, len(CELLS)):
                drawn = book.cell(index).locator(".vega-embed canvas, .vega-embed svg.marks")
                expect(drawn).to_have_count(1, timeout=20_000)
                if folder := os.environ.get("SCREENSHOTS"):
                    book.cell(index).screenshot(path=Path(folder) / f"chart-{index}-{theme}.png")
    finally:
        book.command("apputils:change-theme", theme="JupyterLab Light")
    assert asked == []
    saved = tmp_path / "charts.ipynb"
    saved.write_text(book.save())
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(saved), "--output-dir", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    page = (tmp_path / "charts.html").read_text()
    assert len(re.findall(r"<img[^>]*src=\"data:image/png;base64", page)) == len(CELLS) - 1

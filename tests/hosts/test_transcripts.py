"""What a transcript says of the cells: the script that is run by hand must be able to say that something breaks."""

from __future__ import annotations

import json

import pytest

from tests.hosts import transcripts
from tests.hosts.cells import CELLS, fails, marked

GRID = next(number for number, cell in enumerate(CELLS) if cell.name == "grid")
TABLE = "i name\n0  name 0\n19  name 19\nThe first 20 of 1,000 rows × 2 columns."


def verdict_of_grid(shown: str) -> str:
    return transcripts.verdicts(f"before<<{GRID:02}>>{shown}<<{GRID + 1:02}>>after<<99>>")["grid"]


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (f"(widget)<md_magic grid: 1,000 rows>\n{TABLE}", "works"),
        (f"a widget that is not drawn\n{TABLE}", "degrades"),
        (TABLE, "degrades"),
        ("", "breaks: it showed nothing"),
        ("AttributeError: 'X' has no 'get_parent'", "breaks: AttributeError: 'X' has no 'get_parent'"),
        (f"(widget)\nTraceback (most recent call last)\n{TABLE}", "breaks"),
    ],
)
def test_a_cell_works_or_shows_less_or_breaks(shown: str, verdict: str) -> None:
    assert verdict_of_grid(shown).startswith(verdict)


def test_a_cell_that_was_not_reached_breaks() -> None:
    found = transcripts.verdicts("<<00>>\n")
    assert found["load"] == "works"
    assert set(found.values()) == {"works", "breaks: it did not run"}


def test_every_cell_is_marked_and_two_fail_on_purpose() -> None:
    assert len(CELLS) == 27
    assert len(marked()) == 2 * 27 + 1
    assert [cell.name for cell in CELLS if fails(cell.source)] == ["error", "time limit"]


def test_pages_and_outputs_are_read_as_text() -> None:
    view = "application/vnd.jupyter.widget-view+json"
    output = {"output_type": "display_data", "data": {view: {}, "text/plain": ["a <b>"]}}
    assert transcripts.of_outputs([output]).strip() == "(widget)a <b>"
    script = json.dumps({"data": {"text/plain": "x < y"}}).replace("<", "\\u003c")
    page = f'<p>1 &lt; 2</p><script type="application/vnd.voila.cell-output+json">{script}</script><script>no</script>'
    assert transcripts.of_page(page).split() == ["1", "<", "2", "x", "<", "y"]
    assert transcripts.of_terminal("\x1b[31mred\x1b[0m\r\n") == "red\n"

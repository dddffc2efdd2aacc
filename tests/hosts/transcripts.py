"""What a host showed, as one text, and what that says of each cell."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from tests.hosts.cells import BROKEN, CELLS, WIDGET

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_TERMINAL = re.compile(r"\x1b\][^\x07]*\x07|\x1b[\[(][0-9;?]*[A-Za-z]|\r")


def of_notebook(path: Path) -> str:
    """Return the outputs of a notebook that was run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return of_outputs(output for cell in notebook["cells"] for output in cell.get("outputs", ()))


def of_outputs(outputs: Iterable[dict[str, Any]]) -> str:
    """Return outputs in the notebook format as text."""
    return "".join(_text(output) for output in outputs)


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":
        return "\n".join(["", *output["traceback"], ""])
    if output["output_type"] == "stream":
        return "".join(output["text"])
    widget = "(widget)" if "application/vnd.jupyter.widget-view+json" in output["data"] else ""
    return f"\n{widget}{''.join(output['data'].get('text/plain', ''))}\n"


def of_page(page: str) -> str:
    """Return the text of an HTML page, without its scripts; a widget's place is marked."""
    page = re.sub(r'(?s)<script type="application/vnd\.jupyter\.widget-view\+json">.*?</script>', "(widget)", page)
    page = re.sub(r'(?s)<script [^>]*voila.cell-output\+json"[^>]*>(.*?)</script>', _of_voila, page)
    page = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page)
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def _of_voila(script: re.Match[str]) -> str:
    """Return the text of an output that Voilà gives to its page as data."""
    output = json.loads(script[1])
    return html.escape(_text({"output_type": "display_data"} | output))


def of_terminal(text: str) -> str:
    """Return what a terminal was sent, without colours and cursor movements."""
    return _TERMINAL.sub("", text)


def verdicts(transcript: str) -> dict[str, str]:
    """Return for each cell, by its name: works, degrades, or what it showed instead."""
    parts = dict(re.findall(r"(?s)<<(\d\d)>>(.*?)(?=<<\d\d>>|\Z)", _TERMINAL.sub("", transcript)))
    return {cell.name: _verdict(number, parts.get(f"{number:02}")) for number, cell in enumerate(CELLS)}


def _verdict(number: int, shown: str | None) -> str:
    cell = CELLS[number]
    if shown is None:
        return "breaks: it did not run"
    if re.search(BROKEN, shown) is None:
        if re.search(cell.works, shown):
            return "works"
        if cell.degraded and re.search(cell.degraded, shown):
            return "degrades"
    return f"breaks: {' '.join(shown.split())[-200:] or 'it showed nothing'}"


__all__ = ["WIDGET", "of_notebook", "of_outputs", "of_page", "of_terminal", "verdicts"]

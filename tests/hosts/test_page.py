"""The guide's table of hosts has the script's hosts, and its numbers add up."""

from __future__ import annotations

import json
import sys

from tests.hosts import __main__ as script
from tests.hosts.cells import CELLS


def rows():
    table = script.TABLE.search(script.PAGE.read_text(encoding="utf-8"))
    lines = table[0].partition("|---|\n")[2].strip().splitlines()
    return {cells[0]: cells[1:] for cells in ([word.strip() for word in line.strip("|").split("|")] for line in lines)}


def test_every_host_of_the_script_is_in_the_table_and_no_other():
    assert list(rows()) == list(script.HOSTS)


def test_each_row_accounts_for_every_cell():
    for host, (works, less, broken) in rows().items():
        if works == "not run":
            continue
        others = [name for text in (less, broken) if text != "–" for name in text.split(", ")]
        assert int(works) + len(others) == len(CELLS), host
        assert set(others) <= {cell.name for cell in CELLS}, host


def test_the_table_is_written_from_results(tmp_path, monkeypatch):
    page, results = tmp_path / "hosts.md", tmp_path / "results.json"
    page.write_text(script.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    verdicts = {cell.name: "works" for cell in CELLS} | {"grid": "degrades"}
    results.write_text(json.dumps({"papermill": verdicts}))
    monkeypatch.setattr(script, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["hosts", "--write", str(results)])
    assert script.main() == 0
    monkeypatch.setattr(script, "PAGE", page)
    assert rows()["papermill"] == [str(len(CELLS) - 1), "grid", "–"]
    assert rows()["nbmake"] == ["not run", "", ""]
    assert page.read_text(encoding="utf-8").count("| papermill |") == 1

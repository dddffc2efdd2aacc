"""Cancel, a time limit and the interrupt in a real kernel: each in every phase, and what a notebook keeps of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.kernel.kernel_client import KERNEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.kernel_client import Kernel, Reply

pytestmark = pytest.mark.kernel

MANY = "SELECT i, 'text ' || i AS t FROM range(100_000_000) r(i)"
LONG = {
    "aggregation": (
        "",
        "SELECT count(*) FROM (SELECT i % 100003 AS k, sum(i) FROM range(3_000_000_000) r(i) GROUP BY k)",
    ),
    "sort": ("", "SELECT sum(s) FROM (SELECT sum(i) OVER (ORDER BY hash(i)) AS s FROM range(40_000_000) r(i))"),
    "join": ("", "SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)"),
    "create table": (
        "",
        "CREATE TABLE made AS SELECT i, hash(i) AS h, 'text ' || i AS t FROM range(1_000_000_000) r(i)",
    ),
    "copy": ("", "COPY (SELECT i, hash(i) AS h, 'text ' || i AS t FROM range(1_000_000_000) r(i)) TO 'made.parquet'"),
    "fetch": ("", "SELECT i, i + 1 AS j, i / 7 AS x FROM range(90_000_000) r(i)"),
    "fetch of text": ("", MANY),
    "fetch as arrow": ("--as arrow", MANY),
    "fetch as polars": ("--as polars", MANY),
    "fetch as dict": ("--as dict", "SELECT i, i + 1 AS j FROM range(60_000_000) r(i)"),
    "reader": ("--as reader", "SELECT i % 100003 AS k, sum(i) AS s FROM range(3_000_000_000) r(i) GROUP BY k"),
    "several statements": ("", "SELECT sum(hash(i)) FROM range(3_000_000) r(i);\n" * 1000),
}
WAYS = {
    "interrupt": "KeyboardInterrupt: the query was interrupted",
    "timeout": "The query was cancelled by --timeout 0.8",
    "button": "The query was cancelled with the button",
}

BUTTON = """
import threading, time
from md_magic.engine.cancellation import Execution
live = []
def press():
    time.sleep(0.8)
    live[-1].cancel()
begin = Execution._begin
def begun(self):
    live.append(self)
    begin(self)
Execution._begin = begun
"""
"""A hand on the button, without a browser: what its message calls, from another thread."""


@pytest.fixture(scope="module", autouse=True)
def _small_machine(kernel: Kernel) -> None:
    kernel.run(BUTTON)
    kernel.run("%mdsql SET threads = 2")
    kernel.run("%mdsql SET memory_limit = '3GB'")
    for form in ("arrow", "polars"):
        kernel.run(f"%mdsql --as {form} SELECT 1")  # imports


def stopped(kernel: Kernel, way: str, options: str, sql: str) -> Reply:
    """Stop the cell 0.8 s after it began."""
    if way == "button":
        kernel.run("threading.Thread(target=press).start()")
    limit = "--timeout 0.8" if way == "timeout" else ""
    request = kernel.begin(f"%%mdsql {options} {limit}\n{sql}")
    if way == "interrupt":
        time.sleep(0.8)
        kernel.interrupt()
    return kernel.finish(request)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("phase", LONG)
def test_every_way_of_stopping_works_in_every_phase(kernel: Kernel, phase: str, way: str) -> None:
    kernel.run("%mdsql CREATE OR REPLACE TEMP TABLE kept AS SELECT 1 AS i")
    reply = stopped(kernel, way, *LONG[phase])
    assert reply.text.startswith(WAYS[way]), reply.text
    assert [set(output) & {"traceback"} for output in reply.outputs] == [{"traceback"}]
    assert "Traceback" not in reply.text
    assert kernel.run("kept = %mdsql FROM kept\nprint(len(kept))").text == "1\n"


@pytest.mark.parametrize("way", ["timeout", "button"])
def test_an_open_transaction_is_in_the_state_that_duckdb_says(kernel: Kernel, way: str) -> None:
    kernel.run("%mdsql CREATE OR REPLACE TABLE counted AS SELECT 1 AS i")
    kernel.run("%%mdsql\nBEGIN; INSERT INTO counted VALUES (2)")
    reply = stopped(kernel, way, *LONG["join"])
    assert reply.text.endswith("run ROLLBACK before anything else.")
    assert "please ROLLBACK" in kernel.run("%mdsql FROM counted").text
    assert kernel.run("%mdsql ROLLBACK").status == "ok"
    assert kernel.run("rows = %mdsql FROM counted\nprint(len(rows))").text == "1\n"


def test_run_all_stops_at_a_cell_that_was_cancelled(tmp_path: Path) -> None:
    sources = ["%load_ext md_magic", f"%%mdsql --timeout 0.5\n{LONG['join'][1]}", "print('after')"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(
        notebook, kernel_name=KERNEL, allow_errors=False, resources={"metadata": {"path": str(tmp_path)}}
    )
    with pytest.raises(CellExecutionError, match=r"cancelled by --timeout 0\.5") as caught:
        client.execute()
    assert caught.value.ename == "QueryTimeout"
    assert [output.output_type for output in cells[1].outputs] == ["error"]
    assert not cells[2].outputs


def test_a_batch_run_shows_nothing_that_another_run_does_not(tmp_path: Path) -> None:
    long = "SELECT i, 'text ' || i AS t FROM range(5_000_000) r(i)"
    sources = [
        "%load_ext md_magic\n%config MdsqlMagics.progress_after = 0.05",
        f"%%mdsql\n{long}",
        f"%%mdsql --quiet\n{long}",
        "%%mdsql\nCREATE TABLE t AS SELECT i, hash(i) AS h FROM range(5_000_000) r(i)",
        "%%mdsql -o out --limit 3\nSELECT * FROM t ORDER BY h",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name=KERNEL, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = [[output.output_type for output in cell.outputs] for cell in cells]
    assert kinds == [[], ["execute_result"], ["execute_result"], ["stream"], ["stream"]]
    streams = [(output.name, output.text) for cell in cells[3:] for output in cell.outputs]
    assert streams == [("stdout", "5,000,000 rows inserted\n"), ("stdout", "The first 3 rows; there are more.\n")]
    assert "widgets" not in notebook.metadata


def test_a_notebook_of_jupyter_gets_a_line_and_keeps_a_status(
    start_kernel: Callable[[], Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    kernel = start_kernel()
    kernel.run("%config MdsqlMagics.progress_after = 0.05")
    kernel.outputs = []
    seen = []
    request = kernel.client.execute(f"%%mdsql --timeout 20\n{LONG['join'][1]}", allow_stdin=True, stop_on_error=False)
    while "comm_msg" not in seen or "display_data" not in seen:
        message = kernel.client.get_iopub_msg(timeout=60)
        seen.append(message["msg_type"])
        if message["msg_type"] == "comm_open" and message["content"]["data"]["state"].get("_esm"):
            comm = message["content"]["comm_id"]
    kernel.client.control_channel.send(kernel.client.session.msg("create_subshell_request", {}))
    subshell = kernel.client.get_control_msg(timeout=60)["content"]["subshell_id"]
    click = kernel.client.session.msg(
        "comm_msg", {"comm_id": comm, "data": {"method": "custom", "content": {"type": "cancel"}}}
    )
    click["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(click)
    content = kernel.reply(request)
    assert content["ename"] == "QueryCancelled"
    assert "with the button" in content["evalue"]

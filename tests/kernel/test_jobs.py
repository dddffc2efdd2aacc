"""Background queries in a real kernel: cells go on beside them, they can be awaited, and they end with the kernel."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernel.kernel_client import KERNEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.kernel_client import Kernel

pytestmark = pytest.mark.kernel

LONG = "SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)"
"""Runs for hours."""


@pytest.fixture(autouse=True)
def _one_thread(kernel: Kernel) -> None:
    kernel.run("%mdsql --quiet SET threads = 1")


def test_the_handle_comes_at_once_and_cells_run_beside_it(kernel: Kernel) -> None:
    assert kernel.run(f"%%mdsql --background -o job\n{LONG}").text.startswith("<job · running")
    assert kernel.run("print(job.state, job.done)").text == "running False\n"
    assert kernel.run("df = %mdsql SELECT 42 AS a\nprint(df.a[0])").text == "42\n"
    shown = kernel.run("job").outputs[0]["data"]
    assert shown["text/plain"].startswith("<job · running")
    assert "application/vnd.jupyter.widget-view+json" not in shown
    assert kernel.run("print(job.cancel(), job.done)").text == "True True\n"
    reply = kernel.run("job.result()")
    assert reply.error == "QueryCancelled"
    assert reply.text.startswith("The background query was cancelled by job.cancel()")
    assert len(reply.text.splitlines()) == 1


def test_awaiting_in_a_cell(kernel: Kernel) -> None:
    kernel.run("%%mdsql --background -o job\nSELECT count(*) AS n FROM range(30_000_000) r(i) WHERE hash(i) % 7 = 3")
    source = "import asyncio\nfirst, second = await asyncio.gather(job, job)\nprint(first is second, len(first))"
    assert kernel.run(source).text == "True 1\n"


def test_interrupting_a_cell_that_waits_leaves_the_query_running(kernel: Kernel) -> None:
    kernel.run(f"%%mdsql --background -o job\n{LONG}")
    request = kernel.begin("job.result()")
    time.sleep(0.5)
    kernel.interrupt()
    reply = kernel.finish(request)
    assert reply.text.startswith("KeyboardInterrupt: waiting for job was interrupted; it runs on"), reply.text
    assert kernel.run("print(job.state)").text == "running\n"
    request = kernel.begin("await job")
    time.sleep(0.5)
    kernel.interrupt()
    assert kernel.finish(request).status == "error"
    assert kernel.run("print(job.state)").text == "running\n"
    kernel.run("job.cancel()")


def test_interrupting_another_cell_leaves_it_running(kernel: Kernel) -> None:
    kernel.run(f"%%mdsql --background -o job\n{LONG}")
    request = kernel.begin(f"%%mdsql\n{LONG}")
    time.sleep(0.5)
    kernel.interrupt()
    assert kernel.finish(request).text.startswith("KeyboardInterrupt: the query was interrupted")
    assert kernel.run("print(job.state)").text == "running\n"
    kernel.run("job.cancel()")


def test_no_thread_and_no_connection_is_left(kernel: Kernel) -> None:
    count = "import threading, os\nprint(sum('mdsql' in t.name for t in threading.enumerate()), len(os.listdir('/proc/self/fd')))"
    kernel.run("%%mdsql --background -o job\nSELECT 1 AS a")
    kernel.run("job.result()")
    kernel.run("import time; time.sleep(0.5)")
    before = [int(number) for number in kernel.run(count).text.split()]
    for _ in range(10):
        kernel.run("%%mdsql --background -o job\nSELECT 1 AS a")
        kernel.run("job.result()")
        kernel.run(f"%%mdsql --background -o job\n{LONG}")
        kernel.run("job.cancel()")
    kernel.run("time.sleep(0.5)")
    threads, files = map(int, kernel.run(count).text.split())
    assert threads == before[0]
    assert files <= before[1] + 2


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
def test_a_kernel_with_running_queries_ends_by_itself(start_kernel: Callable[[], Kernel], restart: bool) -> None:
    kernel = start_kernel()
    kernel.run("%mdsql --quiet SET threads = 1")
    for number in range(3):
        kernel.run(f"%%mdsql --background -o job{number}\n{LONG}")
    kernel.client.shutdown(restart=restart)  # and nobody kills it
    deadline = time.monotonic() + 60
    while kernel.manager.is_alive():
        assert time.monotonic() < deadline, "The kernel lives on."
        time.sleep(0.05)
    assert kernel.manager.provisioner.process.returncode == 0  # no abort of a thread that was in C++


def test_a_notebook_that_nobody_watches_holds_the_last_state(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel
    sources = [
        "%load_ext md_magic",
        "%%mdsql --background -o job\nSELECT count(*) AS n FROM range(20_000_000) r(i) WHERE hash(i) % 7 = 3",
        "job",
        "job.result()",
        "%%mdsql --background -o other\nSELECT nothing",
        "other",
        "other.exception()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(book, timeout=300, kernel_name=KERNEL, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "done" in json.dumps(book.cells[2].outputs)
    assert "failed after" in json.dumps(book.cells[5].outputs)
    assert "widget" not in json.dumps(book.cells)

"""The stop button: it ends a running cell, and takes nothing else with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kernel.kernel_client import Kernel, Reply

pytestmark = pytest.mark.kernel

LONG = {
    "aggregation": "SELECT count(*) FROM (SELECT i % 100003 AS k, sum(i) FROM range(3_000_000_000) r(i) GROUP BY k)",
    "window over a sort": "SELECT sum(s) FROM (SELECT sum(i) OVER (ORDER BY hash(i)) AS s FROM range(40_000_000) r(i))",
    "cross join": "SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)",
    "fetch of numbers": "SELECT i, i + 1 AS j, i / 7 AS x FROM range(40_000_000) r(i)",
    "fetch of text": "SELECT i, 'text ' || i AS t FROM range(50_000_000) r(i)",
    "fetch of objects": "SELECT [i, i + 1] AS l, {'a': i} AS s FROM range(10_000_000) r(i)",
    "create table": "CREATE TABLE copied AS SELECT i, hash(i) AS h, 'text ' || i AS t FROM range(1_000_000_000) r(i)",
    "many statements": "SELECT sum(hash(i)) FROM range(2_000_000) r(i);\n" * 1000,
}
"""Cells that run for many seconds on a small machine."""

MOMENTS = [0.02, 0.4, 1.3]
"""Seconds into the cell: while it is read and begun, early, and late in the query or in its fetch."""


@pytest.fixture(scope="module", autouse=True)
def _small_machine(kernel: Kernel) -> None:
    kernel.run("%mdsql SET threads = 2")
    kernel.run("%mdsql SET memory_limit = '3GB'")


@pytest.fixture
def begun(kernel: Kernel, tmp_path: Path) -> Iterator[Path]:
    """Give the file that is there once IPython has begun a cell.

    An interrupt before that is lost to the cell: ipykernel 7.4, which transforms it then, sends no reply any more.
    """
    file = tmp_path / "begun"
    kernel.run(f"""
def note_begin(_info):
    open({str(file)!r}, "w").close()

get_ipython().events.register("pre_run_cell", note_begin)
""")
    yield file
    kernel.run('get_ipython().events.unregister("pre_run_cell", note_begin)')


def interrupted(kernel: Kernel, sql: str, begun: Path, *, after: float) -> Reply:
    """Interrupt the cell *sql* when it has run for *after* seconds."""
    begun.unlink(missing_ok=True)
    request = kernel.begin(f"%%mdsql\n{sql}")
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(after)
    kernel.interrupt()
    return kernel.finish(request)


@pytest.mark.parametrize("after", MOMENTS)
@pytest.mark.parametrize("sql", LONG.values(), ids=LONG)
def test_interrupting_ends_the_cell_and_keeps_the_connection(
    kernel: Kernel, begun: Path, sql: str, after: float
) -> None:
    kernel.run("%mdsql CREATE OR REPLACE TEMP TABLE kept AS SELECT 1 AS i")
    reply = interrupted(kernel, sql, begun, after=after)
    early = after == MOMENTS[0] and "KeyboardInterrupt" in reply.text  # IPython itself may still be at it
    assert early or reply.text.startswith("KeyboardInterrupt: the query was interrupted"), reply.text
    assert len(reply.outputs) == 1
    assert kernel.run("kept = %mdsql FROM kept\nprint(len(kept))").text == "1\n"


@pytest.mark.parametrize("sql", [LONG["cross join"], LONG["fetch of text"]], ids=["cross join", "fetch of text"])
def test_an_open_transaction_can_be_rolled_back_after_an_interrupt(kernel: Kernel, begun: Path, sql: str) -> None:
    kernel.run("%mdsql CREATE OR REPLACE TABLE counted AS SELECT 1 AS i")
    kernel.run("%mdsql BEGIN")
    kernel.run("%mdsql INSERT INTO counted VALUES (2)")
    reply = interrupted(kernel, sql, begun, after=0.4)
    # As natively: DuckDB lets an interrupted transaction only be rolled back, and says so. The interrupt can come before
    # the query has begun, or between two batches of its rows: then the transaction is open, and the cell says that.
    aborted = "run ROLLBACK before anything else" in reply.text
    assert aborted or "The transaction is still open" in reply.text, reply.text
    assert ("please ROLLBACK" in kernel.run("%mdsql FROM counted").text) is aborted
    assert kernel.run("%mdsql ROLLBACK").status == "ok"
    assert kernel.run("rows = %mdsql FROM counted\nprint(len(rows))").text == "1\n"
    assert kernel.run("%%mdsql\nBEGIN; INSERT INTO counted VALUES (2); COMMIT").status == "ok"


def test_an_interrupt_between_cells_or_in_python_is_pythons_own(kernel: Kernel) -> None:
    kernel.run("%mdsql SELECT 1")
    kernel.interrupt()
    assert kernel.run("%mdsql SELECT 2 AS two").status == "ok"
    request = kernel.begin("import time; time.sleep(30)")
    time.sleep(0.3)
    kernel.interrupt()
    reply = kernel.finish(request)
    assert reply.error == "KeyboardInterrupt"
    assert "time.sleep" in reply.text

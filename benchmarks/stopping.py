"""Print how soon a cell ends after it was stopped, beside plain DuckDB's own `interrupt()` in the same run.

    python benchmarks/stopping.py
    python benchmarks/stopping.py --rounds 1 --only join     # does it run?

Each query takes far longer than it is let. A stop is the kernel's interrupt (a signal to this process), `--timeout`,
or `job.cancel()` of a background query. The peer is `.df()` on a DuckDB connection that another thread interrupts;
where it is at its fetch, DuckDB holds Python's lock, and the stop itself comes late. The numbers are medians.

Two more things are not to wait for anything: the handle of a background query, and a search among 10,000 tables. They
are printed as multiples of a trivial cell, and of the query that counts those tables.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = {
    "aggregation": "SELECT count(*) FROM (SELECT i % 100003 AS k, sum(i) FROM range(3_000_000_000) r(i) GROUP BY k)",
    "window over a sort": "SELECT sum(s) FROM (SELECT sum(i) OVER (ORDER BY hash(i)) s FROM range(40_000_000) r(i))",
    "join": "SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)",
    "create table": "CREATE TABLE made AS SELECT i, hash(i) h, 'text ' || i AS t FROM range(1_000_000_000) r(i)",
    "copy": "COPY (SELECT i, hash(i) AS h FROM range(1_000_000_000) r(i)) TO '/dev/null' (FORMAT csv)",
    "fetch of numbers": "SELECT i, i + 1 AS j, i / 7 AS x FROM range(40_000_000) r(i)",
    "fetch of text": "SELECT i, 'text ' || i AS t FROM range(40_000_000) r(i)",
}
SETTINGS = "SET threads = 2; SET memory_limit = '3GB'"
TABLES = 10_000


class Stop:
    """Does something after some seconds, from another thread, and notes when."""

    def __init__(self, action: Callable[[], object], after: float) -> None:
        """Start waiting."""
        self.at = 0.0
        self._action = action
        self._timer = threading.Timer(after, self._act)
        self._timer.start()

    def _act(self) -> None:
        self.at = time.perf_counter()
        self._action()

    def since(self) -> float:
        """Return the seconds since it acted; NaN where what was to be stopped had ended before."""
        ended = time.perf_counter()
        self._timer.cancel()
        self._timer.join()
        return ended - self.at if self.at else float("nan")


def native(connection: duckdb.DuckDBPyConnection, sql: str, after: float) -> float:
    """Return how long DuckDB itself takes to end *sql* when it is interrupted."""
    stop = Stop(connection.interrupt, after)
    try:
        connection.execute(sql).df()
    except duckdb.Error:
        return stop.since()
    stop.since()
    return float("nan")


def failed(shell: InteractiveShell, source: str, error: str) -> None:
    """Run a cell that ends with *error*."""
    with capture_output():
        result = shell.run_cell(source)
    caught = result.error_before_exec or result.error_in_exec
    if type(caught).__name__ != error:
        message = f"{error} was to come, and {caught!r} did: {source}"
        raise RuntimeError(message)


def interrupted(shell: InteractiveShell, sql: str, after: float) -> float:
    """Return how long a cell takes to end after a signal."""
    stop = Stop(lambda: os.kill(os.getpid(), signal.SIGINT), after)
    failed(shell, f"%%mdsql\n{sql}", "QueryInterrupted")
    return stop.since()


def timed_out(shell: InteractiveShell, sql: str, after: float) -> float:
    """Return how long a cell takes to end after its time is over."""
    began = time.perf_counter()
    failed(shell, f"%%mdsql --timeout {after}\n{sql}", "QueryTimeout")
    return time.perf_counter() - began - after


def cancelled(shell: InteractiveShell, sql: str, after: float) -> float:
    """Return how long `job.cancel()` takes."""
    shell.run_cell(f"%%mdsql --background -o job\n{sql}").raise_error()
    time.sleep(after)
    began = time.perf_counter()
    if not shell.user_ns["job"].cancel():
        return float("nan")
    return time.perf_counter() - began


WAYS = {"interrupt": interrupted, "--timeout": timed_out, "job.cancel()": cancelled}


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of *repeats* calls."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def median(taken: list[float]) -> float:
    """Return the median of what is known; NaN where every query had ended before its stop."""
    known = [value for value in taken if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def stops(shell: InteractiveShell, given: argparse.Namespace) -> None:
    """Print a table of every query and every way of stopping it."""
    connection = duckdb.connect()
    connection.execute(SETTINGS)
    print("| from the stop to the end | DuckDB, ms | " + " | ".join(f"{way}, ms (of DuckDB's)" for way in WAYS) + " |")
    print("| --- | ---: |" + " ---: |" * len(WAYS))
    for name, sql in LONG.items():
        if given.only not in {None, name}:
            continue
        taken: dict[str, list[float]] = {"native": [], **{way: [] for way in WAYS}}
        for _ in range(given.rounds):
            taken["native"].append(native(connection, sql, given.after))
            for way, stopped in WAYS.items():
                taken[way].append(stopped(shell, sql, given.after))
        peer = median(taken.pop("native"))
        ours = [f"{median(each) * 1000:.0f} ({median(each) / peer:.2f})" for each in taken.values()]
        print(f"| {name} | {peer * 1000:.0f} | {' | '.join(ours)} |", flush=True)


def at_once(shell: InteractiveShell) -> None:
    """Print what a handle and a search take."""

    def trivial() -> None:
        shell.run_cell_magic("mdsql", "", "SELECT 1")

    def handle() -> None:
        shell.run_cell_magic("mdsql", "--background -o job", LONG["join"])

    cell, started = seconds(trivial, 50), []
    for _ in range(10):
        started.append(seconds(handle, 1))
        shell.user_ns["job"].cancel()
    print(f"\nThe handle of a background query: {statistics.median(started) / cell:.1f} trivial cells")
    connection = shell.user_ns["many"] = duckdb.connect()
    connection.execute("BEGIN")
    for number in range(TABLES):
        connection.execute(f"CREATE TABLE t{number:05d} (a INT)")
    connection.execute("COMMIT")
    shell.run_line_magic("mdsql", "--engine many")
    magics: Any = shell.magics_manager.registry["MdsqlMagics"]
    tree = magics.session.catalog_tree()
    tree.search("9")  # reads the names
    counting = "SELECT count(*) FROM duckdb_tables() WHERE contains(table_name, '9')"
    searched = seconds(lambda: tree.search("9"), 20) / seconds(lambda: connection.execute(counting).fetchall(), 20)
    tree.close()
    print(f"A search among {TABLES:,} tables: {searched:.2f} of the query that counts what it finds")


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--after", type=float, default=0.8, help="seconds until the stop")
    parser.add_argument("--only", choices=LONG)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    shell.run_line_magic("load_ext", "md_magic")
    shell.run_cell(f"%mdsql --quiet {SETTINGS}").raise_error()
    stops(shell, given)
    at_once(shell)


if __name__ == "__main__":
    main()

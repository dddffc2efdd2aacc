"""How long a Tab takes, as a notebook sees it: complete_request to a real kernel, 10,000 tables and 200,000 columns.

Run as `python benchmarks/completion.py [--tables 10000]`; it takes two minutes, most of them for making the tables.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
from jupyter_client import KernelManager

COLUMNS = 20
POSITIONS = {
    "statement": "SEL|",
    "FROM, nothing typed": "SELECT * FROM |",
    "FROM, a prefix": "SELECT * FROM {prefix}|",
    "FROM, another schema": "SELECT * FROM s7.table_00|",
    "columns of one table": "SELECT | FROM s3.table_{n}",
    "columns by alias": "SELECT t.c| FROM s3.table_{n} t",
    "columns of ten tables": "SELECT | FROM {ten}",
    "through two CTEs": "WITH a AS (SELECT * FROM s3.table_{n}), b AS (SELECT * EXCLUDE (id) FROM a) SELECT | FROM b",
    "function": "SELECT date_t|",
    "option": None,
    "a cell of 500 lines": "long",
}


class Kernel:
    """A kernel with md_magic loaded."""

    def __init__(self, folder: str) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=folder)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.run("%load_ext md_magic")

    def run(self, source: str) -> None:
        """Run a cell."""
        reply = self.client.execute_interactive(source, timeout=300, output_hook=lambda _: None)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(reply["content"])

    def complete(self, text: str) -> tuple[float, list[str]]:
        """Return milliseconds and matches."""
        started = time.perf_counter()
        request = self.client.complete(text.replace("|", ""), text.index("|"))
        while True:
            message: dict[str, Any] = self.client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                return (time.perf_counter() - started) * 1000, message["content"]["matches"]

    def stop(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def make(path: Path, tables: int) -> None:
    """Write a database with *tables* tables of 20 columns in ten schemas."""
    with duckdb.connect(str(path)) as connection:
        for schema in range(10):
            connection.execute(f"CREATE SCHEMA s{schema}")
        connection.execute("BEGIN")
        for number in range(tables):
            names = ", ".join(f"col_{number % 97}_{i} VARCHAR" for i in range(COLUMNS - 1))
            connection.execute(f"CREATE TABLE s{number % 10}.table_{number:05d} (id BIGINT, {names})")
        connection.execute("COMMIT")


def text(pattern: str | None, number: int, tables: int) -> str:
    """Return a cell; no two rounds mention the same table."""
    table = f"{(number * 10 + 3) % tables:05d}"
    if pattern is None:
        return "%%mdsql --a|"
    if pattern == "long":
        lines = "\n".join(f"SELECT col_{i}_1, count(*) AS n{i} FROM s3.table_00003 WHERE id > {i};" for i in range(500))
        return f"%%mdsql\n{lines}\nSELECT | FROM s3.table_{table}"
    ten = ", ".join(f"s3.table_{(number * 100 + 10 * i + 3) % tables:05d} t{i}" for i in range(10))
    prefix = f"table_{tables - 1:05d}"[: len("table_09")]  # of the last ones
    return "%%mdsql\n" + pattern.replace("{n}", table).replace("{ten}", ten).replace("{prefix}", prefix)


def line(name: str, times: list[float]) -> str:
    """Return a row of the table."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"| {name} | {statistics.median(ordered):.1f} | {p95:.1f} | {ordered[-1]:.1f} |"


def main() -> None:
    """Make the database, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "big.duckdb", given.tables)
        kernel = Kernel(folder)
        try:
            measure(kernel, given.tables, given.rounds)
        finally:
            kernel.stop()


def measure(kernel: Kernel, tables: int, rounds: int) -> None:
    """Press Tab everywhere, and print how long it took."""
    first, _ = kernel.complete("%%mdsql\nSEL|")
    kernel.run("%mdsql duckdb:///big.duckdb")
    prefix = text("SELECT * FROM {prefix}|", 0, tables)
    opened = [kernel.complete(prefix)[0]]
    started = time.perf_counter()
    while not (answer := kernel.complete(prefix))[1]:
        opened.append(answer[0])
        time.sleep(0.05)
    known = time.perf_counter() - started
    print(f"first of all, before a cell has run: {first:.0f} ms; the first snapshot takes {known:.1f} s")
    print("\n| where | median, ms | 95 % | most |\n| --- | ---: | ---: | ---: |")
    everything: list[float] = []
    print(line("while the first snapshot is taken", opened))
    for name, pattern in POSITIONS.items():
        times = [kernel.complete(text(pattern, number, tables))[0] for number in range(rounds)]
        everything += times
        print(line(name, times))
    after = []
    for number in range(rounds):
        kernel.run(f"%mdsql CREATE OR REPLACE TABLE fresh_{number} (id INT, added_{number} INT)")
        after.append(kernel.complete(f"%%mdsql\nSELECT ad| FROM fresh_{number}")[0])
        time.sleep(0.2)
    print(line("right after a CREATE TABLE", after))
    everything += [*after, *opened, first]
    print(line("**all**, the first ones included", everything))


if __name__ == "__main__":
    main()

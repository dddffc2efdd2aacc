"""Print what a result costs as a frame, as ratios to DuckDB's own `.df()` in the same run.

Speed is the median of alternating runs on a table in memory; peak memory the high-water mark of fresh processes::

    python benchmarks/frames.py --rows 2000000
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pyarrow as pa

from md_magic.engine.results.fetch import to_pandas

if TYPE_CHECKING:
    from collections.abc import Callable

SINGLE = {
    "text, all different": "'text ' || i",
    "text, 100 different": "'group ' || i % 100",
    "text, few at first": "CASE WHEN i < 100000 THEN 'a' ELSE 'text ' || i END",
    **{f"text of {length}": f"rpad(i::VARCHAR, {length}, 'x')" for length in (14, 20, 40, 80, 120, 200, 1000, 5000)},
    "text, long": "repeat('x', 60) || i",
    "text, a third NULL": "CASE WHEN i % 3 > 0 THEN 'text ' || i END",
    "json": "('{\"i\": ' || i || '}')::JSON",
    "boolean": "i % 2 = 0",
    "integer": "i::INTEGER",
    "integer, a third NULL": "CASE WHEN i % 3 > 0 THEN i END::INTEGER",
    "bigint": "i",
    "hugeint": "i::HUGEINT",
    "double": "i / 7.0::DOUBLE",
    "decimal(10,2)": "(i % 1000000 / 7.0)::DECIMAL(10, 2)",
    "decimal(30,2)": "(i / 7.0)::DECIMAL(30, 2)",
    "date": "DATE '2020-01-01' + (i % 1000)::INTEGER",
    "time": "TIME '01:02:03' + INTERVAL (i % 3600) SECOND",
    "timestamp": "TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND",
    "timestamptz": "TIMESTAMPTZ '2020-01-01 00:00:00+00' + INTERVAL (i) SECOND",
    "interval": "INTERVAL (i) SECOND",
    "enum": "(CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END)::ENUM('a', 'b')",
    "blob": "('blob ' || i)::BLOB",
    "uuid": "uuid()",
    "list": "[i, i + 1]",
    "struct": "{'a': i, 'b': 'x'}",
}
FEWER = {"text of 1000": 5, "text of 5000": 25, **dict.fromkeys(("blob", "uuid", "list", "struct", "time"), 10)}
"""By what the rows are divided where values are long, or cost a Python object each: that is enough to see a ratio."""

MIXED = ", ".join(
    f"{SINGLE[name]} AS c{i}"
    for i, name in enumerate(
        (
            "bigint",
            "double",
            "text, all different",
            "text, 100 different",
            "timestamp",
            "boolean",
            "decimal(10,2)",
            "integer, a third NULL",
        )
    )
)
WIDE_NUMBERS = ", ".join(f"i + {n} AS c{n}" for n in range(500))
WIDE_MIXED = ", ".join(f"'t' || i % {n + 2} AS c{n}" if n % 4 == 0 else f"i + {n} AS c{n}" for n in range(500))
SHAPES = {
    "mixed, 8 columns": MIXED,
    **{f"bigint, text of {length}": f"i, {SINGLE[f'text of {length}']} AS t" for length in (40, 1000, 5000)},
    "wide, 500 numbers": WIDE_NUMBERS,
    "wide, 500 with 125 of text": WIDE_MIXED,
}
FEWER |= {
    "bigint, text of 1000": 5,
    "bigint, text of 5000": 25,
    "wide, 500 numbers": 100,
    "wide, 500 with 125 of text": 100,
}
SPARSE = "CASE WHEN i % 1000 = 0 THEN 'text ' || i END"
CORNERS = {
    f"{name} beside {count} of {kind}": ", ".join([text, *[f"{number} AS c{n}" for n in range(count)]])
    for name, text in (("sparse text", SPARSE), ("no text, NULLs alone", "NULL::VARCHAR"))
    for kind, number, counts in (("bigint", "i", (1, 3, 7)), ("decimal(10,2)", SINGLE["decimal(10,2)"], (7,)))
    for count in counts
}
"""Where the Arrow road saves least memory: little text, and numbers that are held twice."""

PROGRESS = "SET enable_progress_bar_print = false; SET enable_progress_bar = true"
"""As in a notebook: the road depends on how much of a query is done."""

ROADS: dict[str, Callable[[duckdb.DuckDBPyConnection], pd.DataFrame]] = {
    "df": lambda con: con.df(),
    "md_magic": lambda con: to_pandas(con).value,
}


def seconds(con: duckdb.DuckDBPyConnection, road: str) -> float:
    """Return the time that the table `t` of *con* takes to become a frame, its query included.

    DuckDB computes the beginning of a result before `execute` returns: as much as `streaming_buffer_size` holds.
    """
    start = time.perf_counter()
    frame = ROADS[road](con.execute("FROM t"))
    taken = time.perf_counter() - start
    del frame  # not before: freeing it is no part of making it
    return taken


def compare(columns: str, rows: int, runs: int) -> tuple[float, float]:
    """Return the median seconds of `.df()` and of md_magic for *rows* of *columns*, in alternating runs."""
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t AS SELECT {columns} FROM range({rows}) r(i)")
        con.execute(PROGRESS)
        times: dict[str, list[float]] = {road: [] for road in ROADS}
        for _ in range(runs):
            for road, taken in times.items():
                taken.append(seconds(con, road))
    native, ours = (statistics.median(taken) for taken in times.values())
    return native, ours


def grown(columns: str, rows: int, road: str) -> float:
    """Return by how many MB fetching raised the high-water mark of a fresh process."""
    command = [sys.executable, __file__, "--rows", str(rows), "--measure", road, "--columns", columns]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def measure(columns: str, rows: int, road: str) -> None:
    """Print the MB by which fetching by *road* raises this process's high-water mark."""
    with duckdb.connect() as con:
        con.execute(PROGRESS)
        for count in (1, rows):
            before = high_water()
            con.execute(f"SELECT {columns} FROM range({count}) r(i)")
            ROADS[road](con)
    print(high_water() - before)


def high_water() -> float:
    """Return the most MB that this process held so far. Linux; `getrusage` would count the parent's as well."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def speed_table(rows: int, runs: int) -> None:
    """Print the table of speeds."""
    print("| result | rows | `.df()` ms | md_magic ms | times as fast |\n|---|--:|--:|--:|--:|")
    for name, columns in {**SINGLE, **SHAPES}.items():
        speed_row(name, columns, rows // FEWER.get(name, 1), runs)
    for count in (1, 2048, 100_000):
        for name in ("text, all different", "mixed, 8 columns"):
            speed_row(name, {**SINGLE, **SHAPES}[name], count, 100_000 * runs // max(count, 1_000))


def speed_row(name: str, columns: str, rows: int, runs: int) -> None:
    """Print one row of the table of speeds."""
    native, ours = compare(columns, rows, runs)
    print(f"| {name} | {rows:,} | {native * 1000:.3g} | {ours * 1000:.3g} | {native / ours:.2f} |", flush=True)


def memory_table(rows: int) -> None:
    """Print the table of peak memory."""
    print("\n| result | rows | `.df()` MB | md_magic MB | of `.df()` |\n|---|--:|--:|--:|--:|")
    names = ("text, all different", "text, 100 different", "text, long", "text of 5000", "integer, a third NULL")
    for name, columns in {**{name: SINGLE[name] for name in names}, **SHAPES, **CORNERS}.items():
        count = rows // 40 if name.startswith("wide") else rows // FEWER.get(name, 1)
        native, ours = (grown(columns, count, road) for road in ROADS)
        print(f"| {name} | {count:,} | {native:.0f} | {ours:.0f} | {ours / native:.2f} |", flush=True)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--measure", choices=ROADS, help=argparse.SUPPRESS)
    parser.add_argument("--columns", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.columns, options.rows, options.measure)
        return
    print(f"duckdb {duckdb.__version__}, pandas {pd.__version__}, pyarrow {pa.__version__}, ", end="")
    print(f"Python {sys.version.split()[0]}\n")
    speed_table(options.rows, options.runs)
    memory_table(options.rows)


if __name__ == "__main__":
    main()

"""Measure what `--grid` does with 10,000,000 rows: first rows, all rows, sorts, jumps, filters, memory and disk.

    python benchmarks/grid.py --rows 10000000

It is the kernel's side of a grid, in a fresh process; a browser adds some ten milliseconds to each page.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb

from md_magic.frames import Batches
from md_magic.spill import Column, Spill, View

QUERY = """
SELECT i AS id, random() AS r, 'name ' || (i % 1000) AS name, DATE '2020-01-01' + (i % 3000)::INTEGER AS day,
       i * 7919 % 10000019 AS k
FROM range({rows}) t(i)
"""
PAGE = 64


def resident() -> int:
    """Return the megabytes of memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20


def main() -> None:
    """Run it and print a line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    source = duckdb.connect()
    source.execute("FROM range(1)").to_arrow_reader(1)  # what importing pyarrow costs is not the grid's
    clock = time.perf_counter()
    source.execute(QUERY.format(rows=rows))
    for _ in Batches.of(source):
        pass
    print(f"the query alone: {time.perf_counter() - clock:.2f} s")
    before = resident()
    clock = time.perf_counter()
    source.execute(QUERY.format(rows=rows))
    spill = Spill([Column(name, str(kind)) for name, kind, *_ in source.description])
    first = None
    for batch in Batches.of(source):
        if spill.append(batch) and first is None:
            spill.page(View(), first=0, count=PAGE, left=0, right=5)
            first = time.perf_counter() - clock
            print(f"first rows: {first:.2f} s")
    spill.finish()
    print(f"all rows: {time.perf_counter() - clock:.2f} s; memory {before} MB before, {resident()} MB after")

    def look(what: str, view: View, at: int) -> None:
        clock = time.perf_counter()
        page = spill.page(view, first=at, count=PAGE, left=0, right=5)
        print(f"{what}: {(time.perf_counter() - clock) * 1000:,.0f} ms; {page.total:,} rows; memory {resident()} MB")

    look("jump to the end", View(), rows - PAGE)
    for at, name in ((4, "numbers"), (2, "text, 1,000 different"), (1, "random doubles")):
        view = View(sort=((at, True),))
        look(f"sort by {name}", view, 0)
        look("  jump to the middle", view, rows // 2)
        look("  jump to the end", view, rows - PAGE)
    look("filter: text contains", View(filters=((2, "99"),)), 0)
    look("filter: number, sorted", View(sort=((1, False),), filters=((0, "< 1000000"),)), 0)
    size = sum(path.stat().st_size for path in Path(spill._folder).rglob("*") if path.is_file())  # noqa: SLF001
    print(f"disk: {size / 1e6:,.0f} MB")
    spill.close()


if __name__ == "__main__":
    main()

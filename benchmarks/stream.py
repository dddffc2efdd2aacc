"""Show that `--as reader` consumes a result larger than memory, by default 20 GB under a limit of 2 GB.

    python benchmarks/stream.py --gigabytes 20

The limit is the address space of a fresh process (Linux), set before the first cell runs.
"""

from __future__ import annotations

import argparse
import resource
import time

from IPython.core.interactiveshell import InteractiveShell

LIMIT = 2 * 2**30
ROW = 200
"""Bytes of text in a row, about."""


def main() -> None:
    """Run the cell, add up its batches and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=20)
    rows = int(parser.parse_args().gigabytes * 1e9 / ROW)
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "md_magic")
    shell.run_cell("%mdsql SET threads = 1; SET memory_limit = '500MB'").raise_error()
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    started = time.perf_counter()
    sql = f"SELECT repeat('x', {ROW - 8}) || i AS t FROM range({rows}) r(i)"
    shell.run_cell(f"%mdsql --as reader -o reader {sql}").raise_error()
    total = sum(batch.nbytes for batch in shell.user_ns["reader"])
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{total / 1e9:.1f} GB in {took:.0f} s under a limit of {LIMIT / 2**30:.0f} GiB; peak {peak:,.0f} MiB resident"
    )


if __name__ == "__main__":
    main()

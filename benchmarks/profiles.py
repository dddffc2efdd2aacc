"""Print how long `--profile` takes on a table in memory, beside DuckDB's own `SUMMARIZE`, and what memory it adds.

python benchmarks/profiles.py --rows 10000000
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import TYPE_CHECKING

from md_magic.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = {
    "bigint, all different": "range",
    "integer, 1,000 different": "(random() * 1000)::INTEGER",
    "double": "random() * 100",
    "decimal(18,2)": "(random() * 1e6)::DECIMAL(18, 2)",
    "text, 20 different": "'name ' || (random() * 20)::INTEGER",
    "text, all different": "'id-' || range",
    "text, a fifth NULL": "CASE WHEN random() > 0.2 THEN 'category ' || (random() * 5)::INTEGER END",
    "date": "DATE '2020-01-01' + (random() * 1000)::INTEGER",
    "timestamp": "TIMESTAMP '2020-01-01' + to_seconds((random() * 1e7)::INTEGER)",
    "boolean": "random() < 0.3",
}


def main() -> None:
    """Print a table of seconds, the best of three runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--each", action="store_true", help="each column alone, too")
    given = parser.parse_args()
    rows: int = given.rows
    session = Session(notify=print)
    parts = ", ".join(f'{expression} AS "{name}"' for name, expression in COLUMNS.items())
    for _ in session.run(f"CREATE TABLE t AS SELECT {parts} FROM range({rows})", {}):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{rows:,} rows\n\n| columns | seconds | CPU seconds |\n| --- | ---: | ---: |")
    for name in COLUMNS if given.each else ():
        query = f'SELECT "{name}" FROM t'
        print(f"| {name} | {best(lambda query=query: session.profile(query, {}))} |", flush=True)  # type: ignore[misc]
    print(f"| all {len(COLUMNS)} | {best(lambda: session.profile('t', {}))} |")
    print(f"| the same, SUMMARIZE | {best(lambda: list(session.run('SUMMARIZE t', {})))} |")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nPeak memory grew by {(after - before) / 1024:.0f} MB from {before / 1024:.0f} MB, the table included.")


def best(run: Callable[[], object]) -> str:
    """Return the seconds of the quickest of three runs, on the clock and of both processors, as cells of a table."""
    found = []
    for _ in range(3):
        started, busy = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - started, time.process_time() - busy))
    return " | ".join(f"{seconds:.2f}" for seconds in min(found))


if __name__ == "__main__":
    main()

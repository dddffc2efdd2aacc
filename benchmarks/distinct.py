"""Print how far distinct values of `--profile` are off, and of `approx_count_distinct`, over shapes that fool a sketch.

python benchmarks/distinct.py --rows 10000000
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from md_magic.session.session import Session

SHAPES = {
    "each twice": "range // 2",
    "a stride of 1,024": "range * 1024",
    "in the upper half of 64 bits": "range << 32",
    "floats": "range / 8",
    "tiny floats": "range * 1e-300",
    "padded text": "lpad((range % 3_000_000)::VARCHAR, 24, '0')",
    "text with a common end": "(range % 3_000_000) || repeat('x', 30)",
    "dates": "DATE '2000-01-01' + (range % 50_000)::INTEGER",
    "timestamps": "TIMESTAMP '2000-01-01' + to_seconds(range)",
    "UUIDs": "md5((range % 2_000_000)::VARCHAR)::UUID",
    "few": "'k' || range % 7",
    "all the same": "42",
    "skewed": "CASE WHEN range % 100 = 0 THEN range ELSE 0 END",
    "square roots": "floor(sqrt(range))",
    # DuckDB's hash of these is 0 for all: its own count(DISTINCT) takes minutes for many
    "HUGEINT of equal halves": "((range % 20_000)::HUGEINT << 64) + range % 20_000",
    "intervals": "to_seconds(range % 1_000_000)",
    "structs": "{'a': range % 500_000, 'b': range % 500_000}",
}


def main() -> None:
    """Print a table: the true number, the profile's, and how far both are off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows: int = parser.parse_args().rows
    session = Session(notify=print)

    def ask(sql: str) -> Any:  # noqa: ANN401 - a value of a result
        return list(session.run(sql, {}))[-1].value.iloc[0].tolist()

    print(f"{rows:,} rows\n\n| shape | distinct | --profile | approx_count_distinct | seconds |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, expression in SHAPES.items():
        values = f"(SELECT {expression} AS v FROM range({rows}))"
        exact, sketch = ask(f"SELECT count(DISTINCT v), approx_count_distinct(v) FROM {values}")
        started = time.perf_counter()
        [column] = session.profile(f"FROM {values}", {}).columns
        seconds = time.perf_counter() - started
        said = "exact" if column.distinct_exact else "≈"
        off = [f"{(number / exact - 1) * 100:+.2f} %" for number in (column.distinct, sketch)]
        print(f"| {name} | {exact:,} | {off[0]} ({said}) | {off[1]} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()

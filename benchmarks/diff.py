"""`--diff` of 10,000,000 rows against 10,000,000, beside what a person would write: a full join, and EXCEPT both ways.

Run `python benchmarks/diff.py [--rows N]`. Each contender has a process of its own, in turns; both tables are in one
DuckDB file, six columns with a key, and 100 rows differ. The memory is the most that the process held, less what it
held before. `two files` has the tables in two files, which are compared by digests, as two servers are.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

COLUMNS = """range AS id, hash(range) % 1000 AS n, 'name ' || hash(range, 1) % 100_000 AS name,
(hash(range, 2) % 10_000) / 100 AS amount, DATE '2020-01-01' + (range % 3000)::INT AS day, range % 7 = 0 AS odd"""
CHANGED = f"""SELECT * REPLACE (CASE WHEN id % ({{rows}} // 100) = 7 THEN amount + 1 ELSE amount END AS amount)
FROM (SELECT {COLUMNS} FROM range({{rows}}))"""
NAMES = ("n", "name", "amount", "day", "odd")


def tables(folder: Path, rows: int) -> None:
    """Write both tables to one file, and the second to another file too."""
    with duckdb.connect(str(folder / "one.duckdb")) as one:
        one.execute(f"CREATE TABLE a AS SELECT {COLUMNS} FROM range({rows})")
        one.execute(f"CREATE TABLE b AS {CHANGED.format(rows=rows)}")
        one.execute(f"ATTACH '{folder / 'two.duckdb'}' AS two; CREATE TABLE two.b AS FROM b")


def join(folder: Path) -> str:
    """Count by a full outer join."""
    differ = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in NAMES)
    counts = ", ".join(f"count(*) FILTER (a.{name} IS DISTINCT FROM b.{name})" for name in NAMES)
    one = duckdb.connect(str(folder / "one.duckdb"), read_only=True)
    return str(one.execute(f"SELECT count(*) FILTER ({differ}), {counts} FROM a FULL JOIN b USING (id)").fetchall())


def both_ways(folder: Path) -> str:
    """Count by EXCEPT both ways."""
    one = duckdb.connect(str(folder / "one.duckdb"), read_only=True)
    sides = ("FROM a EXCEPT ALL FROM b", "FROM b EXCEPT ALL FROM a")
    return str([one.execute(f"SELECT count(*) FROM ({side})").fetchone() for side in sides])


def ours(folder: Path, other: str = "b") -> str:
    """Compare by `--diff`."""
    from md_magic.session.diff.run import diff
    from md_magic.session.session import Session

    session = Session(notify=print)
    session.aliases["two"] = session.resolve(f"duckdb:///{folder / 'two.duckdb'}", {})
    session.use(session.resolve(f"duckdb:///{folder / 'one.duckdb'}", {}))
    found = diff(session, "a", other, {}, on=("id",), opened=session.use)
    return repr(found)


CONTENDERS = {
    "full outer join": join,
    "EXCEPT ALL both ways": both_ways,
    "--diff, one file": ours,
    "--diff, two files": lambda folder: ours(folder, "@two:b"),
}


def measured(name: str, folder: Path) -> None:
    """Run one contender in this process, and print seconds, CPU seconds and megabytes."""
    import pandas  # noqa: F401, ICN001

    import md_magic.session.session  # noqa: F401 - what it imports is not its memory

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, cpu = time.perf_counter(), time.process_time()
    said = CONTENDERS[name](folder)
    took, worked = time.perf_counter() - clock, time.process_time() - cpu
    print(took, worked, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
    print(said.replace("\n", " ")[:300], file=sys.stderr)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--one", help="one contender, in this process")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.one:
        measured(options.one, options.folder)
        return
    folder = Path(tempfile.mkdtemp(prefix="md_magic-benchmark-"))
    try:
        tables(folder, options.rows)
        best: dict[str, list[float]] = {}
        for _ in range(options.runs):
            for name in CONTENDERS:
                command = [sys.executable, __file__, "--one", name, "--folder", str(folder)]
                ran = subprocess.run(command, check=True, capture_output=True, text=True)
                numbers = [float(each) for each in ran.stdout.split()[-3:]]
                best[name] = [min(pair) for pair in zip(numbers, best.get(name, numbers), strict=True)]
                print(name, numbers, ran.stderr.strip(), file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first = next(iter(best.values()))
    print("| contender | seconds | CPU s | memory | CPU ratio | memory ratio |\n| --- |" + " ---: |" * 5)
    for name, (took, worked, memory) in best.items():
        ratios = f"{worked / first[1]:.2f} | {memory / first[2]:.2f}"
        print(f"| {name} | {took:.1f} | {worked:.1f} | {memory:,.0f} MB | {ratios} |")


if __name__ == "__main__":
    main()

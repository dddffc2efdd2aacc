"""Print how long a check of a cell takes in the kernel, among 10,000 tables with 200,000 columns.

python benchmarks/check.py --tables 10000

From the last key to the underline it is the front end's half second, this, and a message each way. Milliseconds, the
median and the 95th percentile of many checks of a cell in which one word changes: a query over three tables, and the
last of 500 statements. Beside it, as a ratio, what a running pure-Python loop loses while checks are made.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time

from md_magic.session.session import Session

_COLUMNS = 20
_CHECKS = 60
_MILLISECONDS = 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=10_000)
    tables = parser.parse_args().tables
    session = Session(notify=print)
    session.use(session.resolve("duckdb:///:memory:"))
    columns = ", ".join(f"c{number} INTEGER" for number in range(_COLUMNS))
    for first in range(0, tables, 500):
        several = range(first, min(first + 500, tables))
        list(session.run(";".join(f"CREATE TABLE t{number} ({columns})" for number in several), {}))
    query = "SELECT a.c1, b.c2, sum(c.c{0}) FROM t1 a JOIN t2 b USING (c3) JOIN t3 c USING (c3) GROUP BY ALL"
    script = ";\n".join(query.format(number % _COLUMNS) for number in range(499)) + ";\n"
    _wait(session, query.format(1))
    _report("a query over three tables", [_checked(session, query.format(1) + f" -- {n}") for n in range(_CHECKS)])
    _checked(session, script)
    changed = [_checked(session, script + query.format(1) + f" LIMIT {n}") for n in range(_CHECKS)]
    _report("the last of 500 statements", changed)
    alone, beside = _loop(), _beside(session, query)
    print(f"a loop in a running cell while checks are made: {beside / alone:.2f} of its time alone")
    session.close_all()


def _checked(session: Session, sql: str) -> float:
    started = time.perf_counter()
    while not session.checks.check(sql, session.current, {}).is_whole:
        pass
    return time.perf_counter() - started


def _wait(session: Session, sql: str) -> None:
    while not session.checks.check(sql, session.current, {}).is_whole:
        time.sleep(0.1)


def _report(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    at_95 = ordered[int(len(ordered) * 0.95)]
    print(f"{what}: {statistics.median(ordered) * _MILLISECONDS:.1f} ms, 95 %: {at_95 * _MILLISECONDS:.1f} ms")


def _loop() -> float:
    started = time.perf_counter()
    total = 0
    for number in range(20_000_000):
        total += number
    return time.perf_counter() - started


def _beside(session: Session, query: str) -> float:
    """Return the seconds of the loop while a cell is checked twice a second, as somebody types."""
    ended = threading.Event()

    def type_on() -> None:
        number = 0
        while not ended.wait(0.5):
            number += 1
            _checked(session, query.format(1) + f" LIMIT {number}")

    typing = threading.Thread(target=type_on)
    typing.start()
    seconds = _loop()
    ended.set()
    typing.join()
    return seconds


if __name__ == "__main__":
    main()

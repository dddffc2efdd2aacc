"""Charts of 10,000,000 rows, beside the aggregate that each needs, written by hand.

Run `python benchmarks/charts.py [--rows N] [--of filter]`. Each pair is measured in turns within one run, so that the
ratio holds on a busy machine: CPU seconds of this process, and seconds. A histogram by hand is two statements, since
the bins are known only when the ends are. `--of filter`, `expression` and `join` put such a query in the table's place.
Altair, which draws the marks, is imported before, and measured by itself.
"""

from __future__ import annotations

import argparse
import statistics
import time

from md_magic.session.chart.values import Wish
from md_magic.session.session import Session

TABLE = """CREATE TABLE t AS SELECT (random() + random() + random()) * 100 AS delay, (random() * 1e6)::BIGINT AS i,
TIMESTAMP '2015-01-01' + INTERVAL (range) SECOND AS ts, sin(range / 1e6) + random() AS y,
['AA', 'B6', 'DL', 'UA'][1 + (random() * 3)::INT] AS carrier, (random() * 23)::INT AS hour FROM range({rows})"""

QUERIES = {
    "table": "t",
    "filter": "(SELECT * FROM t WHERE hour > 0)",
    "expression": (
        "(SELECT delay * 1.5 + 1 AS delay, i + 1 AS i, ts + INTERVAL 1 HOUR AS ts, y * 2 AS y,"
        " lower(carrier) AS carrier, hour + 1 AS hour FROM t)"
    ),
    "join": "(SELECT t.* FROM t JOIN (VALUES ('AA'), ('B6'), ('DL'), ('UA')) AS names(code) ON t.carrier = names.code)",
}


def hand(session: Session, statements: list[str]) -> None:
    """Run *statements*, of which those after the first have its values in them, as a person would type them."""
    found: tuple[object, ...] = ()
    for statement in statements:
        sql = statement.format(*found)
        value = list(session.run(sql, {}))[-1].value
        found = tuple(f"{each}e0" if isinstance(each, float) else each for each in value.iloc[0]) if len(value) else ()


CASES: dict[str, tuple[Wish, str, list[str]]] = {
    "histogram of doubles": (
        Wish("histogram"),
        "SELECT delay FROM t",
        [
            "SELECT min(delay), max(delay) FROM t",
            "SELECT floor((delay - {0}) / 10)::INT AS bin, count(*) FROM t GROUP BY 1",
        ],
    ),
    "histogram of whole numbers": (
        Wish("histogram"),
        "SELECT i FROM t",
        ["SELECT min(i), max(i) FROM t", "SELECT (i - {0}::BIGINT) // 50000 AS bin, count(*) FROM t GROUP BY 1"],
    ),
    "histogram by carrier": (
        Wish("histogram", color="carrier"),
        "SELECT delay, carrier FROM t",
        [
            "SELECT min(delay), max(delay) FROM t",
            "SELECT floor((delay - {0}) / 10)::INT AS bin, carrier, count(*) FROM t GROUP BY 1, 2",
        ],
    ),
    "line": (
        Wish("line"),
        "SELECT ts, y FROM t",
        [
            "SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM t",
            (
                "SELECT (epoch_us(ts) - {0}) // (({1} - {0}) // 1024 + 1) AS pixel, min(y), max(y), arg_min(ts, y),"
                " arg_max(ts, y) FROM t GROUP BY 1"
            ),
        ],
    ),
    "cloud": (
        Wish("point"),
        "SELECT delay, y FROM t",
        [
            "SELECT min(delay), max(delay), min(y), max(y) FROM t",
            (
                "SELECT floor((delay - {0}) / ({1} - {0}) * 64)::INT AS a,"
                " floor((y - {2}) / ({3} - {2}) * 64)::INT AS b, count(*) FROM t GROUP BY 1, 2"
            ),
        ],
    ),
    "bar of sums": (
        Wish("bar"),
        "SELECT carrier, y FROM t",
        ["SELECT carrier, sum(y) FROM t GROUP BY 1"],
    ),
    "bar of a small result": (
        Wish("bar"),
        "SELECT carrier, sum(y) AS y FROM t GROUP BY 1",
        ["SELECT carrier, sum(y) AS y FROM t GROUP BY 1"],
    ),
    "heatmap": (
        Wish("heatmap", x="hour", y="carrier", color="y"),
        "SELECT hour, carrier, y FROM t",
        ["SELECT hour, carrier, avg(y) FROM t GROUP BY 1, 2"],
    ),
    "box": (
        Wish("box"),
        "SELECT carrier, delay FROM t",
        [
            "SELECT carrier, quantile_cont(delay, [0.25, 0.5, 0.75]), min(delay), max(delay) FROM t GROUP BY 1",
            "SELECT carrier, min(delay), max(delay) FROM t WHERE delay BETWEEN 20 AND 280 GROUP BY 1",
        ],
    ),
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--of", choices=QUERIES, default="table")
    options = parser.parse_args()
    source = f"FROM {QUERIES[options.of]}"
    before = time.process_time()
    from md_magic.display.chart import build

    print(f"import of Altair: {time.process_time() - before:.2f} CPU seconds, once in a kernel")
    session = Session(notify=print)
    list(session.run(TABLE.format(rows=options.rows), {}))
    print("| chart | aggregate, CPU s | chart, CPU s | ratio | in seconds | marks, drawn |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, (wish, sql, statements) in CASES.items():
        times: list[tuple[float, float, float, float]] = []
        marks, drawing_took = 0, 0.0
        for _ in range(options.runs):
            clock, cpu = time.perf_counter(), time.process_time()
            hand(session, [statement.replace("FROM t", source) for statement in statements])
            middle, cpu_middle = time.perf_counter(), time.process_time()
            drawing = session.chart(sql.replace("FROM t", source), {}, {}, wish, None)
            end, cpu_end = time.perf_counter(), time.process_time()
            chart = build.chart(drawing)
            chart._repr_mimebundle_()
            drawing_took = time.perf_counter() - end
            marks = drawing.marks
            times.append((cpu_middle - cpu, cpu_end - cpu_middle, middle - clock, end - middle))
        by_hand, ours = (min(column) for column in list(zip(*times, strict=True))[:2])
        seconds = statistics.median(each[3] / each[2] for each in times)
        print(
            f"| {name} | {by_hand:.2f} | {ours:.2f} | {ours / by_hand:.2f} | {seconds:.2f} | {marks:,},"
            f" {drawing_took:.2f} s |"
        )


if __name__ == "__main__":
    main()

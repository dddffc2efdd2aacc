"""Time and memory of reading a table of 1,000,000 rows and 6 columns, beside `pandas.read_sql`.

python benchmarks/databases.py postgresql+psycopg://... mysql+pymysql://...

Each road runs in a process of its own, after a first query: the seconds of the wall, the processor's seconds of this
process, which a busy machine does not stretch, and by how many MB the process has grown at most.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time

TABLE = "md_magic_benchmark"
MAKE = {
    "postgresql": (
        f"CREATE TABLE {TABLE} AS SELECT i::int AS id, i * 1.5::float8 AS x, 'name ' || i AS name,"
        " timestamp '2024-01-01' + i * interval '1 second' AS at, ((i % 1000) / 7.0)::numeric(12,2) AS amount,"
        " i % 2 = 0 AS flag FROM generate_series(1, {rows}) AS i"
    ),
    "mysql": (
        f"CREATE TABLE {TABLE} AS SELECT seq AS id, seq * 1.5e0 AS x, concat('name ', seq) AS name,"
        " timestamp('2024-01-01') + interval seq second AS at, cast(seq % 1000 / 7.0 AS decimal(12,2)) AS amount,"
        " seq % 2 = 0 AS flag FROM seq_1_to_{rows}"
    ),
}
QUERY = f"SELECT * FROM {TABLE}"


def main() -> None:
    """Make the table in each database, run each road, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uris", nargs="+")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--road", help="runs this one only, in this process")
    options = parser.parse_args()
    if options.road:
        print(json.dumps(run(options.road, options.uris[0])))
        return
    for uri in options.uris:
        make(uri, options.rows)
        print(uri.partition(":")[0])
        runs: dict[str, list[tuple[float, float, float]]] = {"read_sql": [], "md_magic": []}
        if uri.startswith("postgresql") and importlib.util.find_spec("adbc_driver_postgresql") is not None:
            runs["adbc"] = []
        for _ in range(options.times):
            for road, measured in runs.items():
                command = [sys.executable, __file__, uri, "--road", road]
                measured.append(tuple(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)))
        best = {road: [min(values) for values in zip(*measured, strict=True)] for road, measured in runs.items()}
        for road, (wall, cpu, memory) in best.items():
            ratios = [mine / base for mine, base in zip(best[road], best["read_sql"], strict=True)]
            shown = " ".join(f"{ratio:6.2f}" for ratio in ratios)
            print(f"  {road:10} {wall:6.2f} s  {cpu:6.2f} s  {memory:6.0f} MB   ratios {shown}")


def make(uri: str, rows: int) -> None:
    """Make the table."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {TABLE}")
        connection.exec_driver_sql(MAKE[engine.dialect.name].format(rows=rows).replace("%", "%%"))
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"ANALYZE {TABLE}")
    engine.dispose()


def run(road: str, uri: str) -> tuple[float, float, float]:
    """Return seconds, seconds of the processor, and MB of one run of *road*."""
    import pandas as pd
    import sqlalchemy

    if road == "read_sql":
        connection = sqlalchemy.create_engine(uri).connect()
        connection.execute(sqlalchemy.text("SELECT 1"))

        def read() -> pd.DataFrame:
            return pd.read_sql(QUERY, connection)
    else:
        import md_magic

        if road != "adbc":
            sys.modules["adbc_driver_postgresql"] = None  # type: ignore[assignment] # as if it were not installed
        else:
            importlib.import_module("adbc_driver_postgresql.dbapi")  # pandas is imported as well
            importlib.import_module("sqlglot")
        md_magic.sql("SELECT 1 AS a", target=uri)

        def read() -> pd.DataFrame:
            frame: pd.DataFrame = md_magic.sql(QUERY, target=uri)
            return frame

    before, wall, cpu = _memory(), time.perf_counter(), time.process_time()
    frame = read()
    measured = time.perf_counter() - wall, time.process_time() - cpu, _memory() - before
    assert len(frame.columns) == 6  # noqa: S101 - a benchmark of nothing would be fast
    return measured


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

"""Time `--to` of a frame against CSV COPY by psycopg and against pandas' `to_sql`, as ratios of one run.

python benchmarks/database_writes.py postgresql+psycopg://user:password@host/database mysql+pymysql://...

Each way writes the same frame to a new table, in turns; the best of the rounds counts. Wall-clock times are those of
an idle machine only: the processor seconds of this process are shown beside them.
"""

from __future__ import annotations

import argparse
import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import sqlalchemy

from md_magic.engine.database import open_database
from md_magic.session import upload
from md_magic.sql import target

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE, OTHER = "md_magic_benchmark", "md_magic_benchmark_other"


def frame(rows: int) -> pd.DataFrame:
    """Return a frame of six columns: two of numbers, two of texts, one of booleans, one of timestamps."""
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "price": random.random(rows) * 1000,
            "city": random.choice(["New York City", "Berlin", "Tōkyō"], rows),
            "flag": random.random(rows) > 0.5,
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), unit="s"),
            "note": [f"note number {number}" for number in range(rows)],
        }
    )


def copy_csv(uri: str, data: pd.DataFrame) -> Callable[[], None]:
    """Return what writes *data* by psycopg's COPY, from CSV by pandas."""
    columns = "id bigint, price double precision, city text, flag boolean, at timestamp, note text"

    def write() -> None:
        engine = sqlalchemy.create_engine(uri)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {OTHER}")
            connection.exec_driver_sql(f"CREATE TABLE {OTHER} ({columns})")
            text = io.StringIO()
            data.to_csv(text, index=False, header=False)
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {OTHER} FROM STDIN (FORMAT csv)") as copy:
                copy.write(text.getvalue())
        engine.dispose()

    return write


def to_sql(uri: str, data: pd.DataFrame) -> Callable[[], None]:
    """Return what writes *data* by pandas."""

    def write() -> None:
        engine = sqlalchemy.create_engine(uri)
        data.to_sql(OTHER, engine, if_exists="replace", index=False, chunksize=10_000)
        engine.dispose()

    return write


def timed(write: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that *write* takes, and those of this process's processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    write()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Print one line for each way, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("uri", nargs="+")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    data = frame(arguments.rows)
    for uri in arguments.uri:
        database = open_database(target.read(uri), {})
        ways: dict[str, Callable[[], object]] = {
            "--to": lambda database=database: upload.write_other(database, [TABLE], data, "replace")  # type: ignore[misc]
        }
        if uri.startswith("postgresql+psycopg:"):
            ways["CSV COPY"] = copy_csv(uri, data)
        else:
            ways["to_sql"] = to_sql(uri, data)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(arguments.rounds):
            for name, write in ways.items():
                best[name] = min(best.get(name, (float("inf"), 0.0)), timed(write))
        dialect = database.backend.dialect
        ours, *others = best.values()
        for name, (wall, processor) in best.items():
            print(f"{dialect:10} {name:10} {wall:7.2f} s, {processor:6.2f} s of this process")
        ratio = ours[0] / others[0][0]
        print(f"{dialect:10} ratio      {ratio:7.3f} ({1 / ratio:.1f} times as fast)")
        for table in (TABLE, OTHER):
            database.backend.connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
        database.close()


if __name__ == "__main__":
    main()

"""Readers stream the result of a connection that they own, and close it."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from md_magic.engine.results.batches import Batches, to_reader
from md_magic.engine.results.fetch import to_arrow, to_pandas
from tests.unit.engine.results.corpus import failing

if TYPE_CHECKING:
    from collections.abc import Callable


def closed(con: duckdb.DuckDBPyConnection) -> bool:
    try:
        con.execute("SELECT 1")
    except duckdb.ConnectionException:
        return True
    return False


def test_reader_streams_and_closes_its_connection_at_the_end(con: duckdb.DuckDBPyConnection) -> None:
    own = con.cursor()
    reader = to_reader(own.execute("SELECT i, 'x' || i AS t FROM range(300000) r(i)"))
    first = reader.read_next_batch()
    assert con.execute("SELECT 1").fetchall() == [(1,)]
    assert first.num_rows + reader.read_all().num_rows == 300_000
    assert closed(own)


def test_reader_that_is_dropped_closes_its_connection(con: duckdb.DuckDBPyConnection) -> None:
    own = con.cursor()
    reader = to_reader(own.execute("SELECT i FROM range(300000) r(i)"))
    reader.read_next_batch()
    del reader
    gc.collect()
    assert closed(own)


def test_reader_keeps_its_connection_alive(con: duckdb.DuckDBPyConnection) -> None:
    reader = to_reader(con.cursor().execute("SELECT i FROM range(300000) r(i)"))
    gc.collect()
    assert reader.read_all().num_rows == 300_000


@pytest.mark.parametrize("limit", [0, 1, 150_000, 10**6])
def test_reader_stops_at_the_limit(con: duckdb.DuckDBPyConnection, limit: int) -> None:
    own = con.cursor()
    reader = to_reader(own.execute("SELECT i FROM range(300000) r(i)"), limit=limit)
    assert reader.read_all().num_rows == min(limit, 300_000)
    assert closed(own)


def test_reader_fails_with_duckdbs_error() -> None:
    own = duckdb.connect(config={"threads": 1})
    own.execute(failing(250_000))
    with pytest.raises(duckdb.InvalidInputException, match=r"^Invalid Input Error: boom"):
        to_reader(own).read_all()  # DuckDB 2 fails at the first already, and leaves *own* to the caller
    assert duckdb.__version__ >= "2" or closed(own)


class Stopped(Exception):
    pass


def at_the_second() -> Callable[..., None]:
    counted: list[object] = []

    def count(*_: object) -> None:
        counted.append(_)
        if len(counted) > 1:
            raise Stopped

    return count


def stopped_batches(con: duckdb.DuckDBPyConnection) -> None:
    batches = Batches.of(con)
    batches.check = at_the_second()
    list(batches)


LEFT_HALFWAY = {
    "pandas": lambda con: to_pandas(con, count=at_the_second()),
    "arrow": lambda con: to_arrow(con, count=at_the_second()),
    "batches": stopped_batches,
}


@pytest.mark.parametrize("read", LEFT_HALFWAY.values(), ids=LEFT_HALFWAY)
def test_a_result_that_is_left_halfway_is_closed(con: duckdb.DuckDBPyConnection, read: Any) -> None:
    con.execute("SELECT i, 'text ' || i % 9 AS t FROM range(300000) r(i)")
    with pytest.raises(Stopped) as held:  # as IPython holds the last one, with all its frames
        read(con)
    assert con.execute("SELECT 1").fetchall() == [(1,)]
    assert held.traceback


def test_a_limit_closes_the_result(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SELECT i FROM range(300000) r(i)")
    batches = Batches.of(con, limit=3)
    assert sum(batch.num_rows for batch in batches) == 3
    assert con.execute("SELECT 1").fetchall() == [(1,)]


STREAM = """
import resource, duckdb
from md_magic.engine.results.batches import to_reader
con = duckdb.connect(config={"threads": 1, "memory_limit": "200MB"})
reader = to_reader(con.execute("SELECT repeat('x', 200) || i AS a FROM range(4000000) r(i)"))
before = open("/proc/self/statm").read().split()[0]
resource.setrlimit(resource.RLIMIT_AS, (int(before) * 4096 + 400 * 2**20,) * 2)
print(sum(batch.nbytes for batch in reader))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_reader_gives_more_than_memory_holds() -> None:
    run = subprocess.run([sys.executable, "-c", STREAM], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) > 800_000_000  # after what DuckDB draws for a query of over two seconds

"""`md_magic.engine` and `md_magic.sql` in a real kernel: the session of its cells, from threads and callbacks too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.kernel_client import Kernel

pytestmark = pytest.mark.kernel


def test_engine_and_sql_are_on_what_the_cells_have_open(kernel: Kernel) -> None:
    assert kernel.run("%mdsql --quiet CREATE TABLE t AS SELECT range AS a FROM range(5)").status == "ok"
    assert kernel.run("%mdsql --quiet CREATE TEMP TABLE mine AS SELECT 9 AS a").status == "ok"
    source = """
import concurrent.futures, md_magic, pandas as pd
engine = md_magic.engine()
print(pd.read_sql("SELECT sum(a) AS s FROM t", engine).s[0])
pd.DataFrame({"b": [1, 2, 3]}).to_sql("u", engine, index=False)
print(md_magic.sql("SELECT count(*) AS n FROM u, mine WHERE b > :low", low=1).n[0])
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sorted(pool.map(lambda at: int(pd.read_sql(f"SELECT sum(a) + {at} AS s FROM t", engine).s[0]), range(4))))
    print([int(frame.s[0]) for frame in pool.map(lambda at: md_magic.sql("SELECT a + :at AS s FROM mine", at=at), range(4))])
"""
    assert kernel.run(source).text == "10\n2\n[10, 11, 12, 13]\n[9, 10, 11, 12]\n"
    assert kernel.run("%mdsql FROM u").status == "ok"
    kernel.run("%mdsql --close")
    closed = kernel.run("engine.connect()")
    assert closed.error == "ConnectError"
    assert closed.text.startswith("duckdb:///:memory: was closed, and this engine with it. To go on, run `%mdsql")
    assert "Traceback" not in closed.text


def test_an_interrupt_stops_sql_and_the_connection_stays(kernel: Kernel) -> None:
    kernel.run("%mdsql --quiet CREATE OR REPLACE TEMP TABLE kept AS SELECT 1 AS a")
    request = kernel.begin(
        "import md_magic\nmd_magic.sql('SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)')"
    )
    time.sleep(0.5)
    kernel.interrupt()
    assert kernel.finish(request).error == "QueryInterrupted"
    assert kernel.run("print(md_magic.sql('FROM kept').a[0])").text == "1\n"

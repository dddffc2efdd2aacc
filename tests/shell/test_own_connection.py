"""Python tables whose stream needs the very connection that reads them: the kernel must not stand still."""

from __future__ import annotations

import subprocess
import sys

TABLES = """
relation = con.sql('SELECT 42 AS a')
of_relation = con.sql('SELECT 41 AS b').project('b + 1 AS a')
con.execute('CREATE TABLE t AS SELECT 42 AS a')
of_table = con.table('t')
of_cursor = con.cursor().sql('SELECT 42 AS a')
of_other = duckdb.connect().sql('SELECT 42 AS a')
beside = con.cursor()
beside.execute('CREATE TEMP TABLE hidden AS SELECT 42 AS a')
con.execute('CREATE TEMP TABLE hidden AS SELECT 41 AS a')
of_temporary = beside.table('hidden')

def batches():
    yield pa.RecordBatch.from_pydict({'a': [con.execute('SELECT 42').fetchone()[0]]})

generator = pa.RecordBatchReader.from_batches(pa.schema({'a': pa.int64()}), batches())

class Streams:
    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table({'a': con.execute('SELECT 42').fetchall()[0]}).__arrow_c_stream__(requested_schema)

streams = Streams()

def asked(frame):
    con.execute('SELECT 42').fetchall()
    return frame

lazy = pl.LazyFrame({'a': [42]}).map_batches(asked)
scanner = ds.Scanner.from_batches(pa.RecordBatchReader.from_batches(pa.schema({'a': pa.int64()}), batches()))
once = pa.RecordBatchReader.from_batches(pa.schema({'a': pa.int64()}), batches())
"""

NAMES = [
    *("relation", "of_relation", "of_table", "of_cursor", "of_other", "of_temporary"),
    *("generator", "streams", "lazy", "scanner"),
]

CELLS = {
    "%%mdsql --engine con --as arrow\nFROM relation": "[42]",
    "%mdsql --engine con SELECT a FROM relation": "[42]",
    "%%mdsql --engine con --dry-run\nFROM relation": "['a']",
    "%%mdsql --engine con\nBEGIN; SELECT a FROM relation": "[42]",
    "%%mdsql --engine con\nROLLBACK": "None",
    "%%mdsql --engine con\nSELECT * FROM relation JOIN t USING (a)": "[42]",
    "%mdsql --engine con --profile relation": "Profile",
    "%%mdsql --engine con --background -o job\nFROM relation": "Job",
    "job.result()": "[42]",
    "%%mdsql --engine con\nCREATE VIEW v AS FROM relation; CREATE VIEW w AS FROM v": "None",
    "%%mdsql --engine con\nFROM w": "[42]",
    "%%mdsql --engine con\nCREATE MACRO m() AS TABLE FROM streams": "None",
    "%%mdsql --engine con\nSELECT x.a FROM m() AS x, v": "[42]",
    "grid = %mdsql --engine con --grid FROM once": "None",
    "[row[0] for row in grid.rows]": "['42']",
}

SCRIPT = """
import faulthandler, sys
faulthandler.dump_traceback_later(60, exit=True)
import duckdb, polars as pl, pyarrow as pa, pyarrow.dataset as ds
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
ip.history_manager.enabled = False
ip.run_line_magic("load_ext", "md_magic")
con = duckdb.connect()
ip.user_ns.update(con=con, duckdb=duckdb, pa=pa, pl=pl, ds=ds)
ip.run_cell({tables!r}).raise_error()
for cell in {cells!r}:
    result = ip.run_cell(cell)
    result.raise_error()
    value = result.result
    if isinstance(value, pa.Table):
        value = value.column(0).to_pylist()
    elif hasattr(value, "iloc"):
        value = value.iloc[:, 0].tolist()
    print("VALUE", value if isinstance(value, list) or value is None else type(value).__name__, flush=True)
"""


def test_every_kind_of_table_is_read():
    assert values([f"%%mdsql --engine con\nFROM {name}" for name in NAMES]) == ["[42]"] * len(NAMES)


def test_every_way_to_run_reads_a_relation():
    found = dict(zip(CELLS, values(list(CELLS)), strict=True))
    assert found | {"%%mdsql --engine con --background -o job\nFROM relation": "Job"} == CELLS


def values(cells):
    script = SCRIPT.format(tables=TABLES, cells=cells)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return [line.removeprefix("VALUE ") for line in ended.stdout.splitlines() if line.startswith("VALUE ")]

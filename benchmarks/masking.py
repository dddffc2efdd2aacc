"""Print what searching a result for a token costs, as ratios to the same result without the search, in the same run.

Only connections that know a MotherDuck token search their results::

    python benchmarks/masking.py --rows 1000000
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, get_args

import duckdb

from md_magic.auth.secret import Secret
from md_magic.engine.results.fetch import from_duckdb
from md_magic.engine.results.masking import TokenMask
from md_magic.sql.statement import Form

if TYPE_CHECKING:
    import pyarrow as pa

TOKEN = f"{'h' * 36}.{'p' * 240}.{'s' * 43}"
"""As long as a real one."""

SHAPES = {
    "numbers": "i, i / 7.0::DOUBLE AS d, DATE '2020-01-01' AS t",
    "text of 14": "rpad(i::VARCHAR, 14, 'x') AS t",
    "text of 100": "rpad(i::VARCHAR, 100, 'x') AS t",
    "text of 1000": "rpad(i::VARCHAR, 1000, 'x') AS t",
    "bigint, text of 40": "i, rpad(i::VARCHAR, 40, 'x') AS t",
    "list of text": "['a' || i, 'b' || i] AS l",
    "struct with text": "{'a': i, 'b': 'x' || i} AS s",
}
FEWER = {"text of 1000": 5, "list of text": 10, "struct with text": 10}


def seconds(con: duckdb.DuckDBPyConnection, form: Form, mask: TokenMask | None) -> float:
    """Return the time that the table `t` of *con* takes to become a *form*, searched by *mask*."""
    start = time.perf_counter()
    value = from_duckdb(con.execute("FROM t"), form, mask=mask).value
    if form == "reader":
        reader: pa.RecordBatchReader = value
        value = reader.read_all()
    taken = time.perf_counter() - start
    del value
    return taken


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    mask = TokenMask([Secret(TOKEN)])
    print("| result | rows | form | without ms | with ms | ratio |\n|---|--:|---|--:|--:|--:|")
    for name, columns in SHAPES.items():
        rows = options.rows // FEWER.get(name, 1)
        with duckdb.connect() as con:
            con.execute(f"CREATE TABLE t AS SELECT {columns} FROM range({rows}) r(i)")
            for form in (form for form in get_args(Form) if form in {"pandas", "arrow", "dict"}):
                pairs = [(seconds(con, form, None), seconds(con, form, mask)) for _ in range(options.runs)]
                without, searched = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
                ratio = searched / without
                print(f"| {name} | {rows:,} | {form} | {without:.3g} | {searched:.3g} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()

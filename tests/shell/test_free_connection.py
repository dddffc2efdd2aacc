"""After a cell the connection is free for the next, and for the user's own code, whatever became of the result."""

from __future__ import annotations

import contextlib

import duckdb
import pytest

from md_magic.errors import MdMagicError

LONG = "SELECT i, 'x' || i AS t FROM range(300000) r(i)"
FAILING = "SELECT CASE WHEN i = 200000 THEN error('boom') ELSE i END AS i, 'x' AS t FROM range(300000) r(i)"


UNHELD = "SELECT i::UHUGEINT AS i, i::BIGNUM AS n, '01:02:03+02'::TIMETZ AS t FROM range(9) r(i)"
"""Of types that pandas or Arrow cannot hold."""


@pytest.mark.parametrize("sql", [LONG, FAILING, UNHELD], ids=["long", "failing", "unheld"])
@pytest.mark.parametrize("limit", ["", "--limit 3"])
@pytest.mark.parametrize("form", ["-o kept", "--as arrow", "--as polars", "--as dict", "--as reader -o kept", "--grid"])
def test_it_is(shell, sql, limit, form):
    con = shell.variables["con"] = duckdb.connect()
    with contextlib.suppress(MdMagicError):
        shell.sql(sql, f"--engine con {limit} {form}")
    assert shell.sql("SELECT 1 AS a", "--engine con").value.a.tolist() == [1]
    assert con.sql("SELECT 2").fetchall() == [(2,)]

"""Large results of PostgreSQL through ADBC: the same frame as on the usual road, and only where it is the same."""

from __future__ import annotations

import pandas as pd
import pytest

from md_magic.engine.backends.postgresql import adbc
from md_magic.errors import QueryTimeout
from tests.shell.conftest import Shell

COLUMNS = """(i % 100)::int2 AS a, i AS b, i::int8 AS c, i / 7.0::float4 AS d, i / 7.0::float8 AS e,
  (i / 7.0)::numeric(12,2) AS f, (i / 7.0)::numeric AS g, 'té ' || i AS h, i % 2 = 0 AS k, decode('00ff', 'hex') AS l,
  date '2024-01-01' + i % 1000 AS m, timestamp '2024-01-01' + i * interval '1 ms' AS n,
  timestamptz '2024-01-01' + i * interval '1 s' AS o, nullif(i % 3, 0) AS p"""


@pytest.fixture(params=["psycopg", "psycopg2"])
def shell(ip, request, postgresql_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell("%mdsql " + postgresql_uri.replace("+psycopg", f"+{request.param}"))
    shell.sql(f"CREATE TABLE big AS SELECT {COLUMNS} FROM generate_series(1, 150000) AS i; ANALYZE big")
    return shell


@pytest.fixture
def reads(monkeypatch):
    """The queries that were read through ADBC."""
    reads, read = [], adbc._read

    def spied(sql, *rest):
        value = read(sql, *rest)
        reads.append(sql)
        return value

    monkeypatch.setattr(adbc, "_read", spied)
    return reads


@pytest.mark.parametrize("form", ["pandas", "arrow", "polars"])
def test_it_gives_what_the_usual_road_gives(shell, reads, monkeypatch, form):
    sql = "SELECT * FROM big ORDER BY b"
    fast = shell.sql(sql, f"--as {form}").value
    assert reads == [sql]
    monkeypatch.setattr(adbc, "is_installed", lambda: False)
    usual = shell.sql(sql, f"--as {form}").value
    assert reads == [sql]
    if form == "pandas":
        pd.testing.assert_frame_equal(fast, usual)
    else:
        assert fast.equals(usual)


@pytest.mark.parametrize("form", ["pandas", "arrow"])
def test_numerics_names_and_order_are_those_of_the_query(shell, reads, monkeypatch, form):
    sql = 'SELECT f, f AS "f", -b AS "a b", 1e-7::numeric(38,20) * b AS tiny FROM big ORDER BY e DESC -- ;'
    fast = shell.sql(sql, f"--as {form}").value
    assert len(reads) == 1
    monkeypatch.setattr(adbc, "is_installed", lambda: False)
    assert fast.equals(shell.sql(sql, f"--as {form}").value)


@pytest.mark.parametrize(
    "before",
    [
        "CREATE TEMP TABLE mine (a int)",
        "SET TimeZone = 'Asia/Tokyo'",
        "DO $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$",
        "BEGIN; DELETE FROM big WHERE b > 140000",
        "SET search_path = pg_catalog, public",
    ],
)
def test_a_session_with_something_of_its_own_reads_on_its_own_connection(shell, reads, before):
    shell.sql(before)
    assert len(shell.sql("SELECT * FROM big").value) in {140_000, 150_000}
    assert reads == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT b, pg_backend_pid() AS pid FROM big",
        "SELECT b, own() AS x FROM big",
        "SELECT b FROM big FOR UPDATE",
        "SELECT b, ARRAY[b] AS x FROM big",
        "SELECT b, CASE WHEN b > 149999 THEN timestamp 'infinity' ELSE n END AS n FROM big",
        "SELECT b, CASE WHEN b > 149999 THEN 'NaN'::numeric ELSE f END::numeric(12,2) AS f FROM big",
    ],
)
def test_what_may_come_otherwise_is_read_as_usual(shell, reads, sql):
    shell.sql("CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert len(shell.sql(sql, "--as arrow").value) == 150_000
    assert reads == []


def test_a_small_result_makes_no_second_connection(shell, reads):
    assert len(shell.sql("SELECT * FROM big WHERE b < 10").value) == 9
    assert reads == []


def test_a_time_limit_stops_it(shell):
    failed = shell.sql("SELECT a.b FROM big AS a, big AS c ORDER BY a.e * c.e", "--timeout 1", error=True)
    assert isinstance(failed.error, QueryTimeout)
    active = "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%a.e *%'"
    assert shell.sql(active).value["n"].tolist() == [0]


def test_an_error_is_that_of_the_usual_road(shell):
    assert "LINE 1: SELECT nothere" in shell.sql("SELECT nothere FROM big", error=True).message

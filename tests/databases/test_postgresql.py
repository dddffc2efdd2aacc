"""PostgreSQL with both drivers: kinds, types, streams, notices, COPY, stopping, and a connection that is lost."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy

from md_magic.errors import ConnectionLost, QueryInterrupted, QueryTimeout, StatementError
from tests.databases import conftest, servers
from tests.databases.conftest import memory_of
from tests.shell.conftest import Shell

TYPES = """
SELECT 1::int2 AS i2, 2::int4 AS i4, 3::int8 AS i8, 1.5::float4 AS f4, 2.5::float8 AS f8, 12.34::numeric(12,2) AS n,
  9.5::numeric AS free, 'x'::text AS t, true AS b, '\\x00ff'::bytea AS raw, date '2024-01-02' AS d,
  time '10:00:00.5' AS tm, timestamp '2024-01-02 10:00' AS ts, timestamptz '2024-01-02 10:00+02' AS tz,
  interval '1 day 02:00' AS iv, '{"a": [1]}'::jsonb AS j, '00000000-0000-0000-0000-000000000001'::uuid AS u,
  ARRAY[1,2,NULL] AS a, ARRAY['a b','NULL',NULL,'c"d'] AS at, int4range(1,5) AS r, inet '10.0.0.1/8' AS ip, B'101' AS bits
"""
ARROW = {
    "i2": "int16",
    "i4": "int32",
    "i8": "int64",
    "f4": "float",
    "f8": "double",
    "n": "decimal128(12, 2)",
    "free": "double",
    "t": "string",
    "b": "bool",
    "raw": "binary",
    "d": "date32[day]",
    "tm": "time64[us]",
    "ts": "timestamp[us]",
    "tz": "timestamp[us, tz=Europe/Berlin]",
    "iv": "duration[us]",
    "j": "string",
    "u": "string",
    "a": "list<item: int32>",
    "at": "list<item: string>",
    "r": "string",
    "ip": "string",
    "bits": "string",
}


@pytest.fixture(params=["psycopg", "psycopg2"])
def shell(ip, request, postgresql_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell("%mdsql " + postgresql_uri.replace("+psycopg", f"+{request.param}"))
    return shell


@pytest.fixture
def other(postgresql_uri):
    """Another connection, which looks at the server."""
    import psycopg

    with psycopg.connect(postgresql_uri.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def backend(shell):
    return shell.magics.session.use().backend


def running(other):
    sql = "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    return [query for (query,) in other.execute(sql)]


def wait_for(test, seconds=60):
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- kinds ----------------------------------------------------------------------------------------------------------


def test_what_a_statement_did_is_said(shell):
    assert "CREATE done" in shell.sql("CREATE TABLE t (a int)").printed
    assert "3 rows inserted" in shell.sql("INSERT INTO t VALUES (1), (2), (3)").printed
    assert "2 rows updated" in shell.sql("UPDATE t SET a = 0 WHERE a > 1").printed
    assert "3 rows inserted" in shell.sql("CREATE TABLE u AS SELECT * FROM t").printed
    assert "1 row deleted" in shell.sql("WITH x AS (SELECT 1 AS a) DELETE FROM t USING x WHERE t.a = x.a").printed
    assert "SET done" in shell.sql("SET work_mem = '8MB'").printed


def test_a_commit_of_a_failed_transaction_says_rollback(shell):
    shell.sql("CREATE TABLE t (a int)")
    shell.sql("BEGIN; CREATE TEMP TABLE gone (a int); INSERT INTO t VALUES (1)")
    shell.sql("SELECT 1/0", error=True)
    assert "ROLLBACK" in shell.sql("COMMIT").printed
    assert backend(shell).local.in_words() == []
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TEMP TABLE t (a int)", ["temporary table t"]),
        ("SELECT 1 AS a INTO TEMP t", ["temporary table t"]),
        ("DO $$ BEGIN CREATE TEMP TABLE t (a int); END $$", ["temporary table t"]),
        ("BEGIN; CREATE TEMP TABLE t (a int); ROLLBACK", []),
        ("BEGIN; CREATE TEMP TABLE t (a int) ON COMMIT DROP; COMMIT", []),
        ("BEGIN; SAVEPOINT s; CREATE TEMP TABLE t (a int); ROLLBACK TO s; COMMIT", []),
        ("BEGIN; SAVEPOINT s", ["the open transaction, which was not committed"]),
        ("CREATE TEMP TABLE t (a int); DROP TABLE t", []),
        ("SET LOCAL work_mem = '8MB'", []),
        ("SET work_mem TO '8MB'; SET TIME ZONE 'UTC'", ["settings work_mem, time zone"]),
        ("SET work_mem = '8MB'; RESET ALL", []),
        ("SELECT set_config('work_mem', '8MB', false)", ["settings work_mem"]),
        ("BEGIN; SET work_mem = '8MB'; ROLLBACK", []),
        ("SET search_path = pg_catalog", ["the current database (SET search_path = pg_catalog)"]),
        ("PREPARE p AS SELECT 1", ["prepared statements p"]),
        ("BEGIN; PREPARE p AS SELECT 1; ROLLBACK", ["prepared statements p"]),
        ("PREPARE p AS SELECT 1; DEALLOCATE ALL", []),
        ("LISTEN news", ["LISTEN news"]),
        ("CREATE TEMP TABLE t (a int); SET work_mem = '8MB'; DISCARD ALL", []),
    ],
)
def test_what_lives_in_the_connection_alone_is_known(shell, sql, words):
    shell.sql(sql)
    assert backend(shell).local.in_words() == words


# ---- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["", "WHERE false"])
def test_an_empty_result_has_the_types_of_a_full_one(shell, where):
    shell.sql("SET TimeZone = 'Europe/Berlin'")
    table = shell.sql(f"SELECT * FROM ({TYPES}) AS t {where}", "--as arrow").value
    assert {field.name: str(field.type) for field in table.schema} == ARROW


def test_a_column_of_nulls_has_its_type(shell):
    sql = f"SELECT t.* FROM ({TYPES}) AS t RIGHT JOIN (SELECT 1) AS x ON false"
    shell.sql("SET TimeZone = 'Europe/Berlin'")
    table = shell.sql(sql, "--as arrow").value
    assert {field.name: str(field.type) for field in table.schema} == ARROW
    assert all(column.null_count == 1 for column in table.columns)
    frame, empty = (shell.sql(f"{sql} {limit}").value for limit in ("", "LIMIT 0"))
    assert frame["t"].dtype == empty["t"].dtype == pd.Series(["x"]).dtype
    assert frame["d"].dtype == empty["d"].dtype == "datetime64[us]"


def test_the_values_of_a_frame(shell):
    row = shell.sql(TYPES).value.iloc[0]
    assert row["n"] == 12.34
    assert row["raw"] == b"\x00\xff"
    assert row["tm"] == dt.time(10, 0, 0, 500000)
    assert row["tz"] == pd.Timestamp("2024-01-02 08:00", tz="UTC")
    assert row["iv"] == pd.Timedelta(hours=26)
    assert row["j"] == {"a": [1]}
    assert row["a"] == [1, 2, None]
    assert row["at"] == ["a b", "NULL", None, 'c"d']
    assert (row["r"], row["ip"], row["bits"]) == ("[1,5)", "10.0.0.1/8", "101")


def test_the_values_of_a_dict_are_exact(shell):
    columns = shell.sql("SELECT 9007199254740993.5::numeric AS a, 1.10::numeric(9,2) AS b", "--as dict").value
    assert columns == {"a": [Decimal("9007199254740993.5")], "b": [Decimal("1.10")]}
    sql = """SELECT ARRAY[date '2024-01-01', NULL, '-infinity'] AS d, ARRAY[timestamp '2024-01-01 10:00:00.5'] AS t,
      ARRAY[timestamptz '2024-07-01 12:00+02'] AS z"""
    columns = shell.sql(f"SET TimeZone = 'Asia/Tokyo'; {sql}", "--as dict").value
    assert columns["d"] == [[dt.date(2024, 1, 1), None, "-infinity"]]
    assert columns["t"] == [[dt.datetime.fromisoformat("2024-01-01T10:00:00.5")]]
    assert [str(value) for value in columns["z"][0]] == ["2024-07-01 19:00:00+09:00"]


@pytest.mark.parametrize("form", ["pandas", "polars", "arrow", "dict"])
def test_what_a_type_does_not_have_makes_its_column_text(shell, form):
    sql = """SELECT * FROM (VALUES
      (timestamp '2024-01-01', date '2024-01-01', time '10:00', ARRAY[1], 1.5::numeric(5,2)),
      ('infinity', '0044-03-15 BC', '24:00', ARRAY[ARRAY[1,2]], 'NaN')) AS t(ts, d, tm, a, n)"""
    value = shell.sql(sql, f"--as {form}").value
    second = {name: list(value[name])[1] for name in ("ts", "d", "tm")}
    texts = {name: v.as_py() if isinstance(v, pa.Scalar) else v for name, v in second.items()}
    assert texts == {"ts": "infinity", "d": "0044-03-15 BC", "tm": "24:00:00"}


def test_a_stream_never_fails_late(shell):
    sql = """SELECT CASE WHEN i > 100000 THEN timestamp 'infinity' ELSE now()::timestamp END AS ts,
      CASE WHEN i > 100000 THEN date '0044-03-15 BC' ELSE current_date END AS d,
      CASE WHEN i > 100000 THEN 'NaN'::numeric(8,2) ELSE i::numeric(8,2) END AS n,
      CASE WHEN i > 100000 THEN ARRAY[ARRAY[i]] ELSE ARRAY[i] END AS a,
      CASE WHEN i > 100000 THEN time '24:00' ELSE time '10:00' END AS tm
    FROM generate_series(1, 100001) AS i ORDER BY i"""
    table = shell.sql(sql, "--as reader").value.read_all()
    assert table.num_rows == 100001
    last = table.slice(100000)
    assert last["a"].to_pylist() == ["{{100001}}"]
    assert last["ts"].cast(pa.int64()).to_pylist() == [2**63 - 1]
    assert last["tm"].cast(pa.int64()).to_pylist() == [86_400_000_000]
    assert last["n"].to_pylist() == [None]


# ---- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["--limit 10", "--as reader", "--grid"])
def test_five_million_rows_take_little_memory(shell, line):
    shell.sql("SELECT 1 AS a")
    sql = "SELECT i, 'text ' || i AS t, i * 1.5 AS x FROM generate_series(1, 2000000) AS i"

    def run():
        value = shell.sql(sql, line).value
        return sum(batch.num_rows for batch in value) if line == "--as reader" else len(value.columns)

    result, grown = memory_of(run)
    assert result in {2_000_000, 3}
    assert grown < 100


def test_only_the_first_rows_are_computed(shell):
    ran = shell.sql(
        "SELECT i, pg_sleep(CASE WHEN i > 2000 THEN 0.01 ELSE 0 END) FROM generate_series(1, 5000000) AS i",
        "--limit 10",
    )
    assert ran.value["i"].tolist() == list(range(1, 11))
    assert "The first 10 rows; there are more." in ran.printed
    assert backend(shell).in_transaction is False


def test_a_limit_within_a_transaction_leaves_it_open(shell):
    shell.sql("BEGIN; CREATE TABLE t AS SELECT generate_series(1, 100) AS a")
    assert len(shell.sql("SELECT * FROM t", "--limit 5").value) == 5
    assert backend(shell).in_transaction
    shell.sql("ROLLBACK")
    assert shell.sql("SELECT to_regclass('t') IS NULL AS gone").value["gone"][0]


def test_a_reader_does_not_hold_the_session(shell, other):
    reader = shell.sql("SELECT i FROM generate_series(1, 3000000) AS i", "--as reader").value
    first = reader.read_next_batch()
    assert shell.sql("SELECT 42 AS a").value["a"].tolist() == [42]
    assert first["i"][0].as_py() == 1
    del reader
    wait_for(lambda: not running(other))


def test_a_reader_sees_the_temporary_tables_of_the_session(shell):
    shell.sql("CREATE TEMP TABLE mine AS SELECT generate_series(1, 5000) AS a")
    assert shell.sql("SELECT a FROM mine", "--as reader").value.read_all().num_rows == 5000


@pytest.mark.parametrize("line", ["--limit 1", "--as reader", "--grid", ""])
def test_an_error_has_the_line_that_was_typed(shell, line):
    failed = shell.sql("SELECT 1,\n  nothere\nFROM pg_class", line, error=True)
    assert 'column "nothere" does not exist\nLINE 2:' in failed.message
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_what_writes_is_never_streamed(shell):
    shell.sql("CREATE TABLE t AS SELECT generate_series(1, 100) AS a")
    assert len(shell.sql("WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d", "--limit 1").value) == 1
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0
    assert len(shell.sql("INSERT INTO t VALUES (1), (2) RETURNING a", "--limit 1").value) == 1
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 2


# ---- COPY and notices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql", ["COPY t FROM STDIN", "COPY (SELECT 1) TO STDOUT", "copy t /* x */ to\nstdout with csv"]
)
def test_a_copy_of_the_client_is_refused_before_it_is_sent(shell, sql):
    shell.sql("CREATE TABLE t (a int)")
    assert "nothing was run" in shell.sql(sql, error=True).message
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_a_copy_of_the_server_counts(shell):
    shell.sql("CREATE TABLE t AS SELECT generate_series(1, 3) AS a")
    assert "3 rows copied" in shell.sql("COPY t TO PROGRAM 'cat > /dev/null # to stdout'").printed
    assert "2 rows copied" in shell.sql("COPY t FROM PROGRAM 'seq 2'").printed


def test_notices_are_shown(shell):
    ran = shell.sql("DO $$ BEGIN FOR i IN 1..25 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$")
    assert "NOTICE: number 1\n" in ran.printed
    assert "number 21" not in ran.printed
    assert "5 more notices" in ran.printed


# ---- stopping -------------------------------------------------------------------------------------------------------


def test_a_time_limit_stops_the_query_on_the_server(shell, other):
    for line in ("--timeout 0.3", "--timeout 0.3 --limit 3", "--timeout 0.3 --as reader"):
        failed = shell.sql("SELECT pg_sleep(30)", line, error=True)
        assert isinstance(failed.error, QueryTimeout)
        wait_for(lambda: not running(other))
        assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_a_job_is_cancelled_on_the_server(shell, other):
    job = shell.sql("SELECT pg_sleep(30)", "--background").value
    wait_for(lambda: running(other))
    assert job.cancel()
    wait_for(lambda: not running(other))
    assert job.state == "cancelled"


def test_a_stop_says_what_became_of_the_transaction(shell):
    shell.sql("BEGIN")
    failed = shell.sql("SELECT pg_sleep(30)", "--timeout 0.2", error=True)
    assert "end it with ROLLBACK" in "".join(failed.error.__notes__)
    shell.sql("ROLLBACK")
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


# ---- jobs -----------------------------------------------------------------------------------------------------------


def test_a_job_that_leaves_its_transaction_open_says_that_it_is_rolled_back(shell):
    shell.sql("CREATE TABLE t (a int)")
    job = shell.sql("BEGIN; INSERT INTO t VALUES (1)", "--background").value
    with pytest.raises(StatementError, match="rolled back"):
        job.result(10)
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0


def test_what_a_job_sets_is_gone_with_it(shell):
    shell.sql("SET search_path = pg_catalog", "--background").value.result(10)
    assert shell.sql("SHOW search_path", "--background").value.result(10).iloc[0, 0] == '"$user", public'


# ---- a lost connection ----------------------------------------------------------------------------------------------


def kill(other, shell):
    pid = int(shell.sql("SELECT pg_backend_pid() AS pid").value["pid"][0])
    other.execute("SELECT pg_terminate_backend(%s)", [pid])
    wait_for(lambda: not other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall())


def test_where_nothing_was_lost_the_cell_goes_on(shell, other):
    kill(other, shell)
    ran = shell.sql("SELECT 42 AS a")
    assert ran.value["a"].tolist() == [42]
    assert "Nothing else was lost" in ran.printed


def test_a_reader_whose_connection_is_lost_says_so(shell, other):
    reader = shell.sql("SELECT i FROM generate_series(1, 3000000) AS i", "--as reader").value
    reader.read_next_batch()
    other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'FETCH FORWARD%'")
    with pytest.raises(StatementError, match="terminat"):
        reader.read_all()
    assert shell.sql("SELECT 42 AS a").value["a"].tolist() == [42]


def test_a_lock_of_the_session_is_known(shell):
    shell.sql("SELECT pg_advisory_lock(5)")
    assert backend(shell).local.in_words() == ["the locks of pg_advisory_lock"]
    shell.sql("SELECT pg_advisory_unlock(5)")
    assert backend(shell).local.in_words() == []


def test_the_current_schema_is_chosen_again(shell, other):
    shell.sql(
        "DROP SCHEMA IF EXISTS s1 CASCADE; CREATE SCHEMA s1; CREATE TABLE s1.t AS SELECT 7 AS a; SET search_path = s1"
    )
    kill(other, shell)
    assert shell.sql("SELECT a FROM t").value["a"].tolist() == [7]


@pytest.mark.parametrize(
    ("sql", "lost"),
    [
        ("CREATE TEMP TABLE mine (a int)", "temporary table mine"),
        ("SET work_mem = '8MB'", "settings work_mem"),
        ("PREPARE p AS SELECT 1", "prepared statements p"),
        ("BEGIN", "the open transaction"),
    ],
)
def test_what_was_lost_is_said_and_nothing_runs(shell, other, sql, lost):
    shell.sql("CREATE TABLE t (a int)")
    shell.sql(sql)
    kill(other, shell)
    failed = shell.sql("INSERT INTO t VALUES (1)", error=True)
    assert isinstance(failed.error, ConnectionLost)
    assert lost in "".join(failed.error.__notes__)
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0


def test_a_restart_of_the_server_says_exactly_what_was_lost(ip):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    with conftest.folder() as folder, servers.postgresql(folder) as place:
        shell.cell(f"%mdsql postgresql+psycopg:{place}")
        shell.sql("CREATE TABLE t (a int)")
        servers.restart_postgresql(folder)
        assert shell.sql("SELECT 42 AS a").value["a"].tolist() == [42]
        shell.sql("CREATE TEMP TABLE mine (a int); BEGIN; INSERT INTO t VALUES (1)")
        servers.restart_postgresql(folder)
        failed = shell.sql("INSERT INTO t VALUES (2)", error=True)
        lost = "What lived in the old connection is lost: the open transaction, which was not committed; temporary table mine."
        assert lost in "".join(failed.error.__notes__)
        assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0
        shell.cell("%mdsql --close-all")


def test_an_interrupt_stops_the_query_and_keeps_the_session(shell, other):
    shell.sql("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    failed = shell.sql("SELECT pg_sleep(30)", error=True)
    assert isinstance(failed.error, QueryInterrupted)
    wait_for(lambda: not running(other))
    assert shell.sql("SELECT a FROM mine").value["a"].tolist() == [1]


def test_a_users_own_engine_gets_no_connection_back(shell, postgresql_uri):
    shell.variables["engine"] = engine = sqlalchemy.create_engine(postgresql_uri, pool_size=1)
    with engine.connect():
        pass
    shell.sql("SET search_path = pg_catalog", "--engine engine")
    shell.cell("%mdsql --close")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW search_path").scalar() == '"$user", public'
    engine.dispose()


def test_a_query_that_is_killed_says_so(shell, other):
    killer = threading.Timer(
        0.5,
        lambda: other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%sleep(31)%' AND pid <> pg_backend_pid()"
        ),
    )
    killer.start()
    failed = shell.sql("SELECT pg_sleep(31)", error=True)
    assert isinstance(failed.error, ConnectionLost)
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_a_frame_of_a_million_numbers_is_exact(shell):
    frame = shell.sql("SELECT i, i / 8.0::float8 AS x FROM generate_series(1, 300000) AS i").value
    assert np.array_equal(frame["i"].to_numpy(), np.arange(1, 300001))
    assert np.array_equal(frame["x"].to_numpy(), np.arange(1, 300001) / 8)


def test_a_driver_that_cannot_cancel_is_stopped_from_beside(ip, postgresql_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.sql("CREATE TEMPORARY TABLE mine AS SELECT 1 AS a", postgresql_uri.replace("+psycopg", "+pg8000"))
    failed = shell.sql("SELECT pg_sleep(30)", "--timeout 0.3", error=True)
    assert isinstance(failed.error, QueryTimeout)
    assert shell.sql("SELECT a FROM mine").value["a"].tolist() == [1]


def test_an_error_in_a_transaction_says_that_it_has_failed(shell):
    note = "Your transaction has failed: end it with ROLLBACK."
    shell.sql("BEGIN")
    for query in ("SELECT 1 / 0", "SELECT 1"):
        failed = shell.sql(query, error=True)
        assert note in failed.printed
    shell.sql("ROLLBACK")
    assert note not in shell.sql("SELECT 1 / 0", error=True).printed

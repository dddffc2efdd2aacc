"""MariaDB: kinds, types, streams that leave no rows unread, stopping on the server, and a connection that is lost."""

from __future__ import annotations

import datetime as dt
import gc
import time
from decimal import Decimal

import pandas as pd
import pytest

from md_magic.errors import ConnectionLost, QueryTimeout, StatementError
from tests.databases.conftest import memory_of
from tests.shell.conftest import Shell

TABLE = """CREATE TABLE kinds (a tinyint, b smallint unsigned, c int, d bigint unsigned, e float, f double,
  g decimal(12,2), h decimal(65,10), i date, j time(6), k datetime(3), l timestamp NULL, m year, n bit(5),
  o enum('x','y'), p json, q varbinary(10), r text, s mediumint)"""
ROW = """INSERT INTO kinds VALUES (-1, 65535, 5, 18446744073709551615, 1.5, 2.5, 12.34, 1e20, '2024-01-02',
  '-100:00:01.5', '2024-01-02 10:00:00.123', '2024-01-02 10:00:00', 2024, b'10101', 'y', '{"a": 1}', x'00ff', 'é', 7)"""
ARROW = [
    *("int8", "uint16", "int32", "uint64", "float", "double"),
    *(
        "decimal128(12, 2)",
        "double",
        "date32[day]",
        "duration[us]",
        "timestamp[us]",
        "timestamp[us]",
        "int16",
        "uint64",
    ),
    *("string", "string", "binary", "string", "int32"),
]


@pytest.fixture
def shell(ip, mariadb_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {mariadb_uri}")
    return shell


@pytest.fixture
def other(mariadb_uri):
    """Another connection, which looks at the server."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(mariadb_uri, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def running(other):
    sql = "SELECT info FROM information_schema.processlist WHERE command = 'Query' AND id <> connection_id()"
    return [query for (query,) in other.exec_driver_sql(sql)]


def wait_for(test, seconds=60):
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def backend(shell):
    return shell.magics.session.use().backend


def test_what_a_statement_did_is_said(shell):
    assert "CREATE done" in shell.sql("CREATE TABLE t (a int)").printed
    assert "3 rows inserted" in shell.sql("INSERT INTO t VALUES (1), (2), (3)").printed
    assert "2 rows updated" in shell.sql("UPDATE t SET a = 0 WHERE a > 1").printed
    assert "3 rows inserted" in shell.sql("CREATE TABLE u AS SELECT * FROM t").printed
    assert "CREATE done" in shell.sql("CREATE VIEW v AS SELECT a FROM t").printed
    assert "CREATE done" in shell.sql("CREATE PROCEDURE p() BEGIN SELECT a FROM t; END").printed
    assert "3 rows inserted" in shell.sql("CREATE OR REPLACE TEMPORARY TABLE u SELECT * FROM t").printed
    assert "1 row deleted" in shell.sql("DELETE FROM t WHERE a = 1").printed
    assert "SET done" in shell.sql("SET @x = 1").printed


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TEMPORARY TABLE `my t` (a int)", ["temporary table my t"]),
        ("BEGIN; CREATE TEMPORARY TABLE t (a int); ROLLBACK", ["temporary table t"]),
        ("CREATE TEMPORARY TABLE t (a int); DROP TEMPORARY TABLE t", []),
        ("SET SESSION sort_buffer_size = 100000, @a = 1", ["settings sort_buffer_size", "variables @a"]),
        ("SET GLOBAL general_log = 0", []),
        ("SET NAMES utf8mb4", ["settings names"]),
        ("USE mysql", ["the current database (USE mysql)"]),
        ("PREPARE p FROM 'SELECT 1'", ["prepared statements p"]),
        ("START TRANSACTION", ["the open transaction, which was not committed"]),
        ("START TRANSACTION; CREATE TABLE t (a int)", []),
        ("CREATE TABLE t (a int); LOCK TABLES t READ", ["the locks of LOCK TABLES"]),
        ("BEGIN; SAVEPOINT s; ROLLBACK TO s", ["the open transaction, which was not committed"]),
    ],
)
def test_what_lives_in_the_connection_alone_is_known(shell, sql, words):
    shell.sql(sql)
    assert backend(shell).local.in_words() == words
    shell.sql("UNLOCK TABLES")


@pytest.mark.parametrize("line", ["--as arrow", "--as reader"])
@pytest.mark.parametrize("row", ["full", "empty", "null"])
def test_types_are_those_of_the_description(shell, line, row):
    shell.sql(TABLE)
    if row != "empty":
        shell.sql(ROW if row == "full" else "INSERT INTO kinds (a) VALUES (NULL)")
    assert [str(field.type) for field in shell.sql("SELECT * FROM kinds", line).value.schema] == ARROW


def test_the_values_of_a_frame(shell):
    shell.sql(TABLE)
    shell.sql(ROW)
    row = shell.sql("SELECT * FROM kinds").value.iloc[0]
    assert (row["d"], row["g"], row["n"], row["o"], row["r"]) == (18446744073709551615, 12.34, 21, "y", "é")
    assert row["j"] == -pd.Timedelta(hours=100, seconds=1.5)
    assert (row["i"], row["k"]) == (pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-02 10:00:00.123"))
    columns = shell.sql("SELECT g, h, i FROM kinds", "--as dict").value
    assert columns == {"g": [Decimal("12.34")], "h": [Decimal("1e20")], "i": [dt.date(2024, 1, 2)]}


@pytest.mark.parametrize("form", ["pandas", "polars", "arrow", "dict"])
def test_a_zero_date_makes_its_column_text(shell, form):
    shell.sql("CREATE TABLE t (a date, b datetime)")
    shell.sql("INSERT INTO t VALUES ('2024-01-02', '2024-01-02 10:00'), ('0000-00-00', '2024-00-10 00:00')")
    value = shell.sql("SELECT a, b FROM t ORDER BY a DESC", f"--as {form}").value
    texts = {name: [getattr(v, "as_py", lambda v=v: v)() for v in value[name]] for name in ("a", "b")}
    assert texts["a"] == ["2024-01-02", "0000-00-00"]
    assert texts["b"][1] == "2024-00-10 00:00:00"


def test_a_stream_never_fails_late(shell):
    shell.sql("CREATE TABLE t (n int, a date)")
    shell.sql("INSERT INTO t SELECT seq, if(seq > 100000, '0000-00-00', '2024-01-02') FROM seq_1_to_100001")
    table = shell.sql("SELECT a FROM t ORDER BY n", "--as reader").value.read_all()
    assert table.num_rows == 100001
    assert table["a"].null_count == 1


@pytest.mark.parametrize("line", ["--limit 10", "--as reader", "--grid"])
def test_many_rows_take_little_memory(shell, line):
    shell.sql("SELECT 1 AS a")

    def run():
        value = shell.sql("SELECT seq, concat('text ', seq) AS t FROM seq_1_to_500000", line).value
        return sum(batch.num_rows for batch in value) if line == "--as reader" else len(value.columns)

    result, grown = memory_of(run)
    assert result in {500_000, 2}
    assert grown < 100


def test_a_limit_gives_the_first_rows_and_leaves_none_unread(shell, other):
    ran = shell.sql("SELECT seq FROM seq_1_to_50000000", "--limit 3")
    assert ran.value["seq"].tolist() == [1, 2, 3]
    assert not running(other)
    assert shell.sql("SELECT 42 AS a").value["a"].tolist() == [42]


def test_a_limit_within_a_transaction_leaves_it_open(shell):
    shell.sql("CREATE TABLE t (a int)")
    shell.sql("BEGIN; INSERT INTO t SELECT seq FROM seq_1_to_10000")
    assert len(shell.sql("SELECT * FROM t", "--limit 5").value) == 5
    assert backend(shell).in_transaction
    shell.sql("ROLLBACK")
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0


SLOW = "SELECT count(*) FROM seq_1_to_100000000 AS a, seq_1_to_1000 AS b"


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT sleep(30)", "--timeout 0.3"),
        (SLOW, "--timeout 0.3"),
        (SLOW, "--timeout 0.3 --as reader"),
        (SLOW, "--timeout 0.3 --grid"),
        ("SELECT seq FROM seq_1_to_90000000", "--timeout 0.3"),
    ],
)
def test_a_time_limit_stops_the_query_on_the_server(shell, other, sql, line):
    failed = shell.sql(sql, line, error=True)
    assert isinstance(failed.error, QueryTimeout)
    wait_for(lambda: not running(other))
    assert shell.sql("SELECT 1 AS a").value["a"].tolist() == [1]


def test_a_job_is_cancelled_on_the_server(shell, other):
    job = shell.sql("SELECT sleep(30)", "--background").value
    wait_for(lambda: running(other))
    assert job.cancel()
    wait_for(lambda: not running(other))


def test_a_job_that_leaves_its_transaction_open_says_that_it_is_rolled_back(shell):
    shell.sql("CREATE TABLE t (a int)")
    for begin in ("BEGIN", "SET autocommit = 0"):
        job = shell.sql(f"{begin}; INSERT INTO t VALUES (1)", "--background").value
        with pytest.raises(StatementError, match="rolled back"):
            job.result(10)
    assert shell.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0


def kill(other, shell):
    shell_id = int(shell.sql("SELECT connection_id() AS id").value["id"][0])
    other.exec_driver_sql(f"KILL {shell_id}")
    time.sleep(0.1)


def test_where_nothing_was_lost_the_cell_goes_on(shell, other):
    kill(other, shell)
    ran = shell.sql("SELECT 42 AS a")
    assert ran.value["a"].tolist() == [42]
    assert "Nothing else was lost" in ran.printed


def test_a_reader_whose_connection_is_lost_says_so(shell, other):
    reader = shell.sql("SELECT seq FROM seq_1_to_3000000", "--as reader").value
    reader.read_next_batch()
    sql = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT seq FROM%'"
    [(number,)] = other.exec_driver_sql(sql.replace("%", "%%")).fetchall()
    other.exec_driver_sql(f"KILL {number}")
    with pytest.raises(StatementError, match=r"Lost connection to MySQL server during query \(2013\)"):
        reader.read_all()
    del reader
    gc.collect()  # where a finalizer's error would be pytest's
    assert shell.sql("SELECT 42 AS a").value["a"].tolist() == [42]


@pytest.mark.parametrize(
    ("sql", "lost"),
    [
        ("CREATE TEMPORARY TABLE mine (a int)", "temporary table mine"),
        ("SET @x = 1", "variables @x"),
        ("START TRANSACTION", "the open transaction"),
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


def test_the_current_database_is_chosen_again(shell, other):
    shell.sql("USE mysql")
    kill(other, shell)
    assert shell.sql("SELECT database() AS d").value["d"].tolist() == ["mysql"]

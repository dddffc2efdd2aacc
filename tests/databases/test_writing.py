"""`--to TABLE --frame NAME` on real servers: on the notebook's session, types exact, whole or not at all, no data told."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import signal
import threading
import uuid

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy

from md_magic.engine.cancellation import INTERRUPT, Execution
from md_magic.errors import FrameError, QueryInterrupted, QueryTimeout, StatementError
from tests.shell.conftest import Shell

UTC = dt.UTC
EXACT = {
    "i8": (pa.int8(), [1, None, -128]),
    "u16": (pa.uint16(), [65535, None, 0]),
    "i64": (pa.int64(), [9007199254740993, None, -(2**63)]),
    "b": (pa.bool_(), [True, None, False]),
    "f": (pa.float64(), [0.1, None, 1e300]),
    "d": (pa.decimal128(12, 2), [decimal.Decimal("1.10"), None, decimal.Decimal("-9999999999.99")]),
    "big": (
        pa.decimal128(38, 8),
        [decimal.Decimal("123456789012345678901234567890.12345678"), None, decimal.Decimal(0)],
    ),
    "tiny": (
        pa.decimal128(38, 26),
        [decimal.Decimal("0.00000012345678901234567890"), None, decimal.Decimal("-1e-26")],
    ),
    "s": (pa.string(), ['it\'s \\ \t\r\n "x" %s :a ${b} é 🦆', None, ""]),
    "by": (pa.binary(), [b"\x00\xff\\'\"\n", None, b""]),
    "da": (pa.date32(), [dt.date(2024, 2, 29), None, dt.date(1000, 1, 1)]),
    "ts": (
        pa.timestamp("us"),
        [dt.datetime.fromisoformat("2024-01-01T10:00:00.123456"), None, dt.datetime.fromisoformat("1900-01-01")],
    ),
}
"""Columns that every database keeps: the Arrow type, and values."""


def exact():
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in EXACT.items()})


WRITES_TO = {
    "postgresql": "SELECT current_schema() AS name",
    "mariadb": "SELECT DATABASE() AS name",
    "mysql": "SELECT DATABASE() AS name",
    "sqlite": "SELECT 'main' AS name",
}
"""Which schema a table without one is written to, by dialect."""


def tables(cells):
    """Return the tables of that schema: other tests leave theirs in others."""
    listed = cells.cell("%mdsql --tables").value
    schema = cells.sql(WRITES_TO[cells.magics.session.use().backend.dialect]).value["name"][0]
    return listed[listed["schema"] == schema]["name"].tolist()


def rows(cells, table="t", order="1"):
    return cells.sql(f"SELECT * FROM {table} ORDER BY {order}", "--as dict").value


def count(cells, table="t"):
    return cells.sql(f"SELECT count(*) AS n FROM {table}", "--as dict").value["n"][0]


@pytest.fixture
def other(database):
    """A function that runs SQL on a connection of its own."""
    engine = sqlalchemy.create_engine(database)

    def run(sql):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            result = connection.exec_driver_sql(sql)
            return result.fetchall() if result.returns_rows else None

    yield run
    engine.dispose()


@pytest.mark.parametrize("how", ["", "--append", "--replace"])
def test_values_arrive_exactly(cells, database, how):
    if how:
        cells.variables["first"] = exact().slice(0, 0)
        cells.cell("%mdsql --to t --frame first")
    cells.variables["df"] = exact()
    assert cells.cell(f"%mdsql --to t --frame df {how}").printed.strip() == "3 rows written to t"
    found = cells.magics.session.use().backend.connection.exec_driver_sql("SELECT * FROM t").mappings().fetchall()
    expected = {name: values for name, (_, values) in EXACT.items()}
    if database.startswith("sqlite"):
        for name in ("d", "big", "tiny", "da", "ts"):
            expected[name] = exact()[name].cast(pa.string()).to_pylist()
        expected["b"] = [1, None, 0]
    assert {name: [row[name] for row in found] for name in expected} == expected


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "arrow"])
def test_whole_numbers_with_nulls_are_whole_numbers(cells, make):
    numbers = {"id": pd.array([9007199254740993, None], "Int64") if make is pd.DataFrame else [9007199254740993, None]}
    cells.sql("CREATE TABLE t (id BIGINT)")
    cells.variables["df"] = make(numbers)
    cells.cell("%mdsql --to t --frame df --append")
    cells.cell("%mdsql --to u --frame df")
    for table in ("t", "u"):
        found = cells.sql(f"SELECT id FROM {table} WHERE id IS NOT NULL", "--as dict").value["id"]
        assert [count(cells, table), found] == [2, [9007199254740993]]


def test_times_zones_documents_and_lists(cells, database):
    moment = dt.datetime(2024, 7, 1, 12, tzinfo=UTC)
    one = uuid.UUID("12345678-1234-5678-1234-567812345678")
    frame = pd.DataFrame(
        {"tz": [moment], "j": [{"a": [1, None], "b": "it's \"\\"}], "u": [one], "l": [["a,b", 'q"\\', None]]}
    )
    frame["tz"] = frame["tz"].dt.tz_convert("America/New_York")
    cells.variables["df"] = frame
    cells.cell("%mdsql --to t --frame df")
    [row] = cells.magics.session.use().backend.connection.exec_driver_sql("SELECT * FROM t").mappings().fetchall()
    if database.startswith("postgresql"):
        assert dict(row) == {
            "tz": moment,
            "j": {"a": [1, None], "b": "it's \"\\"},
            "u": one,
            "l": ["a,b", 'q"\\', None],
        }
        return
    document = '{"a": [1, null], "b": "it\'s \\"\\\\"}'
    naive = (
        dt.datetime.fromisoformat("2024-07-01T12:00:00") if "mysql" in database else "2024-07-01 12:00:00.000000+00:00"
    )
    texts = {"j": document, "u": str(one), "l": '["a,b", "q\\"\\\\", null]'}
    assert str(row["tz"])[:19] == str(naive)[:19]
    assert {name: row[name] for name in texts} == texts


NAMES = ["my table", "a.b", 'q"u`o', "100%", "%(x)s", "Capital", "select", "user", "a:b", "it's"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_taken_as_they_are(cells, name):
    cells.variables["df"] = pd.DataFrame({name: [1], "1": [2], "True": [3], "x": [4]})
    quoting = cells.magics.session.use().backend.syntax.quoting
    session = cells.magics.session
    dotted = '"' + name.replace('"', '""') + '"'
    for how in ("create", "append", "replace"):
        session.write(dotted, "df", cells.variables["df"], how=how)
    found = cells.sql(f"SELECT * FROM {quoting.identifier(name)}", "--as dict").value
    assert found == {name: [1], "1": [2], "True": [3], "x": [4]}


def test_a_table_that_exists_is_left_alone_unless_one_says_how(cells):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql("INSERT INTO t VALUES (7)")
    cells.variables["df"] = pd.DataFrame({"a": [1]})
    assert "t exists already. Write --append" in cells.cell("%mdsql --to t --frame df", error=True).message
    assert rows(cells) == {"a": [7]}


def test_it_is_part_of_an_open_transaction(cells, database):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.variables["df"] = pd.DataFrame({"a": [1]})
    cells.sql("BEGIN")
    cells.cell("%mdsql --to t --frame df --append")
    assert rows(cells) == {"a": [1]}
    made = cells.cell("%mdsql --to u --frame df", error="mysql" in database)
    if "mysql" in database:
        assert "A transaction is open, and the server would commit it" in made.message
    cells.sql("ROLLBACK")
    assert rows(cells) == {"a": []}
    assert "u" not in tables(cells)


def test_an_error_within_a_transaction_leaves_it_open(cells):
    cells.sql("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    cells.sql("BEGIN")
    cells.sql("INSERT INTO t VALUES (1)")
    cells.variables["df"] = pd.DataFrame({"a": [5, 5]})
    cells.cell("%mdsql --to t --frame df --append", error=True)
    assert rows(cells) == {"a": [1]}
    cells.sql("COMMIT")
    assert rows(cells) == {"a": [1]}


def test_a_temporary_table_is_seen(cells, other):
    cells.sql("CREATE TEMPORARY TABLE mine (a INTEGER)")
    cells.variables["df"] = pd.DataFrame({"a": [1, 2]})
    cells.cell("%mdsql --to mine --frame df --append")
    assert rows(cells, "mine") == {"a": [1, 2]}
    assert "exists already" in cells.cell("%mdsql --to mine --frame df", error=True).message
    cells.variables["df"] = pd.DataFrame({"z": ["x"]})
    cells.cell("%mdsql --to mine --frame df --replace")
    assert rows(cells, "mine") == {"z": ["x"]}
    with pytest.raises(sqlalchemy.exc.DBAPIError):  # still temporary
        other("SELECT * FROM mine")


def test_rows_go_by_the_names_of_columns(cells):
    cells.sql("CREATE TABLE t (a INTEGER, b VARCHAR(10), c INTEGER DEFAULT 9)")
    cells.variables["df"] = pd.DataFrame({"B": ["x"], "a": [5]})
    cells.cell("%mdsql --to t --frame df --append")
    assert rows(cells) == {"a": [5], "b": ["x"], "c": [9]}
    cells.variables["df"] = pd.DataFrame({"nothere": ["secret"]})
    failed = cells.cell("%mdsql --to t --frame df --append", error=True)
    assert "nothere" in failed.message
    assert "secret" not in failed.message


ODD = [
    pytest.param("a INTEGER PRIMARY KEY", {"a": [4711, 4711]}, "4711", id="unique"),
    pytest.param("a INTEGER, b VARCHAR(9) NOT NULL", {"a": [1, 4711], "b": ["secret", None]}, "secret", id="not null"),
    pytest.param("a INTEGER CHECK (a < 10)", {"a": [1, 4711]}, "4711", id="check"),
]


@pytest.mark.parametrize(("columns", "values", "data"), ODD)
def test_a_frame_that_does_not_fit_changes_nothing_and_is_not_told(cells, columns, values, data):
    cells.sql(f"CREATE TABLE t ({columns})")
    cells.variables["df"] = pd.DataFrame(values)
    failed = cells.cell("%mdsql --to t --frame df --append", error=True)
    assert isinstance(failed.error, StatementError)
    chain = [failed.message, *getattr(failed.error, "__notes__", []), str(failed.error.__cause__)]
    assert data not in " ".join(chain)
    assert count(cells) == 0


@pytest.mark.parametrize("values", [["two"], [2**40]], ids=["text", "too large"])
def test_a_value_of_another_type_changes_nothing(cells, database, values):
    if database.startswith("sqlite"):
        pytest.skip("SQLite keeps any value in any column")
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.variables["df"] = pd.DataFrame({"a": [type(values[0])(1), *values]})
    failed = cells.cell("%mdsql --to t --frame df --append", error=True)
    assert "'a'" in failed.message or "column a" in failed.message or "`a`" in failed.message
    assert str(values[0]) not in failed.message
    assert rows(cells) == {"a": []}


def test_a_column_without_a_type_is_named(cells):
    cells.variables["df"] = pd.DataFrame({"a": [1, 2], "odd": ["secret", object()]})
    failed = cells.cell("%mdsql --to t --frame df", error=True)
    assert isinstance(failed.error, FrameError)
    assert "'odd'" in failed.message
    assert "secret" not in failed.message
    assert "t" not in tables(cells)


def test_intervals_arrive_or_are_refused_by_name(cells, database):
    kind = pa.month_day_nano_interval()
    spans = pa.array([(14, -3, 4_000_005_000), None, (0, 0, -1_000)], kind)
    cells.variables["df"] = pa.table(
        {"id": [1, 2, 3], "span": spans, "spans": [[(1, 0, 0)], None, []]},
        schema=pa.schema([("id", pa.int64()), ("span", kind), ("spans", pa.list_(kind))]),
    )
    if not database.startswith("postgresql"):
        failed = cells.cell("%mdsql --to t --frame df", error=True)
        assert "The column 'span'" in failed.message
        assert "t" not in tables(cells)
        return
    cells.cell("%mdsql --to t --frame df")
    cells.cell("%mdsql --to t --frame df --append")
    found = cells.sql("SELECT span::text AS a, spans::text AS b FROM t ORDER BY id", "--as dict").value
    assert found["a"][::2] == ["1 year 2 mons -3 days +00:00:04.000005", None, "-00:00:00.000001"]
    assert found["b"][::2] == ['{"1 mon"}', None, "{}"]
    cells.variables["df"] = pa.table({"span": pa.array([(0, 0, 1)], kind)})
    assert "The column 'span' has parts" in cells.cell("%mdsql --to t2 --frame df", error=True).message


def test_what_fails_while_it_replaces_leaves_the_old_table(cells, other):
    cells.sql("CREATE TABLE keepme (a INTEGER)")
    cells.sql("INSERT INTO keepme VALUES (1), (2)")

    def broken():
        yield pa.record_batch({"a": list(range(30_000))})
        message = "the source broke"
        raise RuntimeError(message)

    cells.variables["df"] = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), broken())
    assert "the source broke" in cells.cell("%mdsql --to keepme --frame df --replace", error=True).message
    assert rows(cells, "keepme") == {"a": [1, 2]}
    assert other("SELECT count(*) FROM keepme") == [(2,)]
    assert tables(cells) == ["keepme"]
    cells.variables["df"] = pd.DataFrame({"a": [{"x": 1}]})
    cells.cell("%mdsql --to keepme --frame df --replace")
    assert count(cells, "keepme") == 1


@pytest.mark.parametrize("how", ["--append", "--replace", ""])
def test_what_is_interrupted_leaves_nothing(cells, other, how):
    if how:
        cells.sql("CREATE TABLE t (a BIGINT)")
    execution = []

    def slow():
        for number in range(100):
            if number == 3:
                execution[0].stop(INTERRUPT)
            yield pa.record_batch({"a": list(range(1_000))})

    cells.variables["df"] = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), slow())
    session = cells.magics.session
    execution.append(Execution())
    with pytest.raises(QueryInterrupted), session.one_cell(execution[0]):
        session.write("t", "df", cells.variables["df"], how={"": "create"}.get(how, how.removeprefix("--")))
    assert execution[0].rows < 10_000
    names = tables(cells)
    assert names == (["t"] if how else [])
    if how:
        assert other("SELECT count(*) FROM t") == [(0,)]
    cells.variables["df"] = pd.DataFrame({"a": [1]})
    cells.cell(f"%mdsql --to t --frame df {how}")
    assert other("SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize("how", ["--append", "--replace"])
def test_an_interrupt_of_the_kernel_is_heard_in_the_middle(cells, other, how):
    cells.sql("CREATE TABLE t (a BIGINT)")
    cells.sql("INSERT INTO t VALUES (7)")

    def endless():
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            yield pa.record_batch({"a": list(range(1_000))})

    cells.variables["df"] = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), endless())
    failed = cells.cell(f"%mdsql --to t --frame df {how}", error=True)
    assert isinstance(failed.error, QueryInterrupted)
    assert other("SELECT a FROM t") == [(7,)]
    assert rows(cells) == {"a": [7]}
    assert tables(cells) == ["t"]


# ---- one database --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["psycopg", "psycopg2"])
def postgresql(ip, request, postgresql_uri):
    """A shell on PostgreSQL, by each driver."""
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {postgresql_uri.replace('+psycopg:', f'+{request.param}:')}")
    return shell


def text_of(shell, sql):
    return shell.magics.session.use().backend.connection.exec_driver_sql(sql).scalars().all()


def test_postgresql_has_a_type_for_each_of_arrows(postgresql):
    delta = dt.timedelta(days=40, microseconds=-7)
    columns = {
        "u64": pa.array([2**64 - 1, None], pa.uint64()),
        "f4": pa.array([0.5, float("inf")], pa.float32()),
        "nan": pa.array([float("nan"), None]),
        "wide": pa.array(
            [decimal.Decimal("1e-30"), decimal.Decimal("-12345678901234567890123.5")], pa.decimal256(60, 30)
        ),
        "clock": pa.array([dt.time(23, 59, 59, 999999), None], pa.time64("us")),
        "span": pa.array([delta, None], pa.duration("us")),
        "interval": pa.array([(0, 3, 1_000), None], pa.month_day_nano_interval()),
        "tz": pa.array([dt.datetime(2024, 7, 1, 12, tzinfo=UTC), None], pa.timestamp("ns", "Europe/Berlin")),
        "words": pa.array([["a\tb", 'NULL"\\', None, ""], []], pa.list_(pa.string())),
        "numbers": pa.array([None, [1, None, 2**62]], pa.large_list(pa.int64())),
        "cells": pa.array([[[1], [2, 3]], None]),
        "person": pa.array([{"a": 1, "b": [dt.date(2024, 1, 1)]}, None]),
        "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int32())),
        "kind": pa.array(["x", None]).dictionary_encode(),
        "nothing": pa.nulls(2),
    }
    postgresql.variables["df"] = pa.table(columns)
    postgresql.cell("%mdsql --to t --frame df")
    postgresql.cell("%mdsql --to t --frame df --append")
    found = postgresql.magics.session.use().backend.connection.exec_driver_sql("SELECT * FROM t").mappings().fetchall()
    first, second = dict(found[0]), dict(found[1])
    assert {name: str(value) for name, value in first.items()} == {name: str(value) for name, value in found[2].items()}
    assert first.pop("nan") != first.get("f4")
    assert first == {
        "u64": 2**64 - 1,
        "f4": 0.5,
        "wide": decimal.Decimal("1e-30"),
        "clock": dt.time(23, 59, 59, 999999),
        "span": delta,
        "interval": dt.timedelta(days=3, microseconds=1),
        "tz": dt.datetime(2024, 7, 1, 12, tzinfo=UTC),
        "words": ["a\tb", 'NULL"\\', None, ""],
        "numbers": None,
        "cells": [[1], [2, 3]],
        "person": {"a": 1, "b": ["2024-01-01"]},
        "map": {"k": 1},
        "kind": "x",
        "nothing": None,
    }
    assert [second["f4"], second["numbers"], second["words"], second["map"]] == [float("inf"), [1, None, 2**62], [], {}]
    assert second["wide"] == decimal.Decimal("-12345678901234567890123.5")
    assert text_of(postgresql, "SELECT data_type FROM information_schema.columns WHERE column_name = 'u64'") == [
        "numeric"
    ]


def test_postgresql_converts_texts_to_the_types_of_a_table(postgresql):
    postgresql.sql("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int2 CHECK (VALUE < 10)")
    postgresql.sql("CREATE TABLE t (i inet, m mood, n numeric(6, 1), d small, u uuid, f float8, v varchar(3), w date)")
    frame = {"i": ["10.0.0.1"], "m": ["ok"], "n": [decimal.Decimal("2.25")], "d": [7], "f": [3], "v": ["abc"]}
    postgresql.variables["df"] = pl.DataFrame(frame | {"u": [str(uuid.UUID(int=5))], "w": ["2024-02-29"]})
    postgresql.cell("%mdsql --to t --frame df --append")
    found = text_of(postgresql, "SELECT t::text FROM t")
    assert found == ["(10.0.0.1,ok,2.3,7,00000000-0000-0000-0000-000000000005,3,abc,2024-02-29)"]
    for column, bad in {"d": 47, "v": "toolong", "m": "glad", "w": "soon", "i": "nowhere"}.items():
        postgresql.variables["df"] = pl.DataFrame({column: [bad]})
        failed = postgresql.cell("%mdsql --to t --frame df --append", error=True)
        assert f"(column {column})" in failed.message
        assert str(bad) not in failed.message
    assert text_of(postgresql, "SELECT count(*) FROM t") == [1]


def test_postgresql_writes_where_the_notebook_looks(postgresql):
    postgresql.sql("DROP SCHEMA IF EXISTS a CASCADE; DROP SCHEMA IF EXISTS b CASCADE")
    postgresql.sql("CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.u (x int); SET search_path TO a, b")
    postgresql.variables["df"] = pd.DataFrame({"x": [1]})
    for line in ("--to t", "--to u --append", "--to u", "--to b.u --replace", "--to b.v"):
        postgresql.cell(f"%mdsql {line} --frame df")
    where = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('a', 'b', 'public') ORDER BY 1"
    assert text_of(postgresql, where) == ["a.t", "a.u", "b.u", "b.v"]


def test_postgresql_waits_for_a_lock_no_longer_than_the_limit(postgresql, postgresql_uri):
    postgresql.sql("CREATE TABLE lk (a int)")
    postgresql.variables["df"] = pd.DataFrame({"a": [1]})
    engine = sqlalchemy.create_engine(postgresql_uri)
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE lk")
        for how in ("--append", "--replace"):
            failed = postgresql.cell(f"%mdsql --timeout 0.5 --to lk --frame df {how}", error=True)
            assert isinstance(failed.error, QueryTimeout)
    engine.dispose()
    postgresql.sql("BEGIN; LOCK TABLE lk")
    postgresql.cell("%mdsql --timeout 30 --to lk --frame df --append")
    postgresql.sql("COMMIT")
    assert text_of(postgresql, "SELECT a FROM lk") == [1]


@pytest.fixture
def mariadb(ip, mariadb_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {mariadb_uri}")
    return shell


def test_mariadb_restores_a_table_that_others_refer_to(mariadb):
    mariadb.sql("CREATE TABLE p (a INT PRIMARY KEY); CREATE TABLE c (a INT, FOREIGN KEY (a) REFERENCES p (a))")
    mariadb.sql("INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)")
    mariadb.variables["df"] = pd.DataFrame({"a": [2]})
    assert "foreign key" in mariadb.cell("%mdsql --to p --frame df --replace", error=True).message
    assert rows(mariadb, "p") == {"a": [1]}
    assert sorted(tables(mariadb)) == ["c", "p"]
    assert "foreign key" in mariadb.sql("INSERT INTO c VALUES (2)", error=True).message


def test_mariadb_keeps_the_session_as_it_was(mariadb):
    mariadb.sql("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; SET time_zone = '+05:00'")
    mariadb.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, s TEXT, at TIMESTAMP(6) NULL, tiny TINYINT)")
    moment = dt.datetime(2024, 7, 1, 12, tzinfo=UTC)
    columns = {"id": [0], "s": ["'\\"], "at": pa.array([moment], pa.timestamp("us", "UTC")), "tiny": [7]}
    mariadb.variables["df"] = pa.table(columns)
    mariadb.cell("%mdsql --to t --frame df --append")
    assert rows(mariadb)["s"] == ["'\\"]
    assert text_of(mariadb, "SELECT id FROM t") == [0]
    assert text_of(mariadb, "SELECT at FROM t") == [dt.datetime.fromisoformat("2024-07-01T17:00:00")]
    assert text_of(mariadb, "SELECT @@sql_mode") == ["ANSI_QUOTES,NO_BACKSLASH_ESCAPES"]
    mariadb.variables["df"] = pd.DataFrame({"tiny": [4711]})  # which this sql_mode would make 127
    assert (
        "Out of range value for column 'tiny'" in mariadb.cell("%mdsql --to t --frame df --append", error=True).message
    )
    assert text_of(mariadb, "SELECT @@sql_mode") == ["ANSI_QUOTES,NO_BACKSLASH_ESCAPES"]


def test_mariadb_refuses_what_would_not_be_whole(mariadb):
    mariadb.sql("CREATE TABLE m (a INT) ENGINE = MyISAM; CREATE VIEW v AS SELECT 1 AS a")
    mariadb.variables["df"] = pd.DataFrame({"a": [1]})
    assert "myisam, which has no transactions" in mariadb.cell("%mdsql --to m --frame df --append", error=True).message
    assert "v is a view" in mariadb.cell("%mdsql --to v --frame df --replace", error=True).message
    mariadb.cell("%mdsql --to m --frame df --replace")
    mariadb.cell("%mdsql --to m --frame df --append")
    assert rows(mariadb, "m") == {"a": [1, 1]}
    mariadb.variables["df"] = pa.table({"a": [float("nan")]})
    assert "'a' holds NaN" in mariadb.cell("%mdsql --to m --frame df --replace", error=True).message
    assert rows(mariadb, "m") == {"a": [1, 1]}


def test_mariadb_sends_large_rows_and_many(mariadb):
    frame = pd.DataFrame({"id": range(45_000), "s": ["x" * 100] * 44_999 + ["é" * 3_000_000]})
    mariadb.variables["df"] = frame
    mariadb.cell("%mdsql --to t --frame df")
    assert text_of(mariadb, "SELECT sum(id) + max(char_length(s)) FROM t") == [sum(range(45_000)) + 3_000_000]
    mariadb.variables["df"] = pd.DataFrame({"s": ["x" * 20_000_000]})
    assert "max_allowed_packet" in mariadb.cell("%mdsql --to u --frame df", error=True).message
    assert tables(mariadb) == ["t"]


def test_mariadb_gets_the_same_of_many_rows_as_of_few(mariadb):
    moment = dt.datetime(2024, 7, 1, 12, tzinfo=UTC)
    text = ["", "é" * 200, "y" * 300, "z" * 70_000, None, "'\\", "x" * 250, "x" * 251]
    columns = {
        "u64": pa.array([2**64 - 1, None], pa.uint64()),
        "u8": pa.array([255, 0], pa.uint8()),
        "i16": pa.array([-(2**15), None], pa.int16()),
        "half": pa.array([0.5, None], pa.float32()).cast(pa.float16()),
        "f4": pa.array([0.1, -1e-30], pa.float32()),
        "f8": pa.array([5e-324, 1.7976931348623157e308]),
        "wide": pa.array([decimal.Decimal("1e-30"), decimal.Decimal("-12345678901234.5")], pa.decimal256(60, 30)),
        "clock": pa.array([dt.time(23, 59, 59, 999999), None], pa.time64("us")),
        "span": pa.array([dt.timedelta(days=-30, microseconds=7), None], pa.duration("us")),
        "tz": pa.array([None, moment], pa.timestamp("ns", "Europe/Berlin")),
        "person": pa.array([{"a": 1, "b": "'"}, None]),
        "u": pa.array([uuid.UUID(int=5).bytes, None], pa.binary(16)),
        "long_bytes": pa.array([b"\xff\x00'" * 100, None]),
        "kind": pa.array(["x", None]).dictionary_encode(),
        "flag": pa.array([None, True]),
        "nothing": pa.nulls(2),
    }
    table = pa.table({name: column.take(pa.array([0, 1] * 4)) for name, column in columns.items()} | {"s": text})
    table = table.append_column("id", pa.array(range(8)))
    few = pa.concat_tables([table] * 100)
    for name, value in (("few", few), ("many", few.combine_chunks())):
        batches = iter([few.slice(n * 8, 8) for n in range(100)]) if name == "few" else iter([value])
        mariadb.variables["df"] = pa.RecordBatchReader.from_batches(
            few.schema, (batch for part in batches for batch in part.combine_chunks().to_batches())
        )
        mariadb.cell(f"%mdsql --to {name} --frame df")
        mariadb.sql(f"CREATE TABLE {name}_in_zone (id INT, tz TIMESTAMP(6) NULL); SET time_zone = '+05:00'")
        mariadb.variables["df"] = value.select(["id", "tz"])
        mariadb.cell(f"%mdsql --to {name}_in_zone --frame df --append")
        mariadb.sql("SET time_zone = '+00:00'")
    assert rows(mariadb, "many", "id") == rows(mariadb, "few", "id")
    assert count(mariadb, "many") == 800
    assert text_of(mariadb, "SELECT DISTINCT tz FROM many_in_zone") == [None, moment.replace(tzinfo=None)]
    assert text_of(mariadb, "SHOW STATUS LIKE 'Com_stmt_close'") != ["0"]

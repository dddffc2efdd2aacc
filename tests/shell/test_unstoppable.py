"""A driver that can stop nothing: it is said before anything runs, and an interrupt frees the kernel nevertheless."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time

import pandas as pd
import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from md_magic.errors import OptionError, QueryCancelled, QueryInterrupted

URI = "unstoppable:///lab.db?timeout=30"


class Connection:
    """SQLite's connection without `interrupt`: it waits in C for a lock, deaf to signals, as ODBC drivers wait."""

    def __init__(self, native):
        self.__dict__["_native"] = native

    def __setattr__(self, name, value):
        setattr(self._native, name, value)

    def __getattr__(self, name):
        if name in {"interrupt", "cancel"}:
            raise AttributeError(name)
        return getattr(self._native, name)


class Unstoppable(SQLiteDialect_pysqlite):
    name = "unstoppable"
    supports_statement_cache = False

    def connect(self, *args, **options):
        return Connection(super().connect(*args, **{**options, "check_same_thread": False}))


registry.register("unstoppable", __name__, Unstoppable.__name__)


@pytest.fixture
def cells(shell):
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    shell.sql("CREATE TABLE t (a INTEGER)", URI)
    yield shell
    shell.cell("%mdsql --close-all")
    signal.signal(signal.SIGINT, previous)


@pytest.fixture
def lock(cells):  # noqa: ARG001 - its table
    """Another connection, which holds a lock that every statement waits for."""
    with_lock = sqlite3.connect("lab.db", isolation_level=None, check_same_thread=False)
    with_lock.execute("BEGIN EXCLUSIVE")
    yield with_lock
    with_lock.close()


def interrupted(cells, source):
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    failed = cells.cell(source, error=True)
    assert time.monotonic() - began < 5
    return failed


def released(lock):
    """Let go of the lock, and wait until the driver that was given up has gone."""
    lock.execute("ROLLBACK")
    deadline = time.monotonic() + 10
    while any(thread.name == "mdsql-driver" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_said_once_before_anything_runs(shell):
    first = shell.sql("SELECT 1 AS a; SELECT nothere", URI, error=True)
    assert first.printed.startswith("Nothing can stop a query on unstoppable:///lab.db")
    assert "Nothing can stop" not in shell.sql("SELECT 1 AS a").printed
    assert "Nothing can stop" not in shell.sql("SELECT 1 AS a", "sqlite://").printed


def test_an_interrupt_frees_the_kernel_and_the_next_cell_has_another_connection(cells, lock):
    failed = interrupted(cells, "%%mdsql\nINSERT INTO t VALUES (1)")
    assert isinstance(failed.error, QueryInterrupted)
    assert "its connection was given up" in failed.message
    assert "still usable" not in failed.message
    released(lock)
    after = cells.sql("SELECT count(*) AS n FROM t")
    assert after.value["n"].tolist() == [1]  # the database went on
    assert "Connected to unstoppable:///lab.db" in after.printed


def test_what_was_lost_with_it_is_said(cells, lock):
    cells.sql("CREATE TEMPORARY TABLE mine AS SELECT 1 AS a")
    interrupted(cells, "%%mdsql\nSELECT * FROM t, mine")
    released(lock)
    failed = cells.sql("SELECT * FROM mine", error=True)
    assert "temporary table mine" in "".join(failed.error.__notes__)
    assert cells.sql("SELECT 42 AS a").value["a"].tolist() == [42]


def test_the_rows_of_a_grid_and_a_reader_are_waited_for_as_well(cells):
    cells.sql("INSERT INTO t VALUES (1), (2)")
    assert cells.sql("SELECT a FROM t", "--as reader").value.read_all().num_rows == 2
    assert cells.sql("SELECT a FROM t", "--limit 1 --as dict").value == {"a": [1]}
    assert "2 rows" in repr(cells.sql("SELECT a FROM t", "--grid").value)


def test_a_background_query_is_given_up(cells, lock):
    job = cells.sql("SELECT * FROM t", "--background").value
    while not any(thread.name == "mdsql-driver" for thread in threading.enumerate()):
        time.sleep(0.01)
    assert job.cancel()
    with pytest.raises(QueryCancelled, match="its connection was given up"):
        job.result(5)
    released(lock)


def test_a_time_limit_is_refused(cells):
    failed = cells.sql("SELECT 1", "--timeout 1", error=True)
    assert isinstance(failed.error, OptionError)
    assert "nothing can stop a query" in failed.message


def test_a_write_that_is_interrupted_is_rolled_back(cells, lock):
    cells.variables["df"] = pd.DataFrame({"a": [1, 2]})
    failed = interrupted(cells, "%mdsql --to t --frame df --append")
    assert isinstance(failed.error, QueryInterrupted)
    assert "rolled back" in failed.message
    released(lock)
    assert cells.sql("SELECT count(*) AS n FROM t").value["n"].tolist() == [0]

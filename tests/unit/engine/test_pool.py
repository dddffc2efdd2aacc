"""The pool: one open database for each target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
import sqlalchemy

from md_magic.errors import ConnectError, TargetError
from md_magic.sql import target
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from md_magic.engine.pool import EnginePool

MEMORY = target.read("duckdb:///:memory:")


def test_a_target_is_opened_once(pool: EnginePool) -> None:
    assert pool.find(MEMORY) is None
    database = pool.get(MEMORY)
    assert pool.get(target.read("duckdb://")) is database
    assert pool.find(MEMORY) is database
    assert list(pool) == [database]


def test_databases_are_given_oldest_first(pool: EnginePool) -> None:
    opened = [pool.get(target.read(uri)) for uri in ("sqlite://", "duckdb:///b.db", "duckdb:///a.db")]
    assert list(pool) == opened


def test_an_open_target_takes_no_other_configuration(pool: EnginePool) -> None:
    database = pool.get(MEMORY, {"threads": 2})
    assert pool.get(MEMORY, {"threads": 2}) is database
    assert pool.get(MEMORY) is database
    with pytest.raises(ConnectError, match="already open with another configuration") as caught:
        pool.get(MEMORY, {"threads": 3})
    assert "--close duckdb:///:memory:" in str(caught.value)


def test_closing_is_idempotent_and_leaves_the_pool_usable(pool: EnginePool) -> None:
    run(pool.get(MEMORY), "CREATE TABLE t AS SELECT 1 AS a")
    assert pool.close(MEMORY) is True
    assert pool.close(MEMORY) is False
    assert list(pool) == []
    assert run(pool.get(MEMORY), "SELECT count(*) AS n FROM duckdb_tables()").value == {"n": [0]}


def test_close_all_closes_the_newest_first(pool: EnginePool) -> None:
    closed: list[str] = []
    for uri in ("duckdb:///:memory:", "sqlite://"):
        database = pool.get(target.read(uri))
        database.before_close = (lambda uri=uri: closed.append(uri),)
    assert pool.close_all() == 2
    assert pool.close_all() == 0
    assert closed == ["sqlite://", "duckdb:///:memory:"]


def test_a_connection_of_the_users_is_adopted_once_and_stays_open(pool: EnginePool) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t AS SELECT 42 AS a")
        database = pool.adopt("con", con)
        assert pool.adopt("con", con) is database
        assert run(database, "FROM t").value == {"a": [42]}
        pool.close(database.target)
        assert con.execute("FROM t").fetchall() == [(42,)]


def test_an_engine_of_the_users_is_adopted_and_stays_open(pool: EnginePool) -> None:
    engine = sqlalchemy.create_engine("sqlite:///mine.db")
    database = pool.adopt("engine", engine)
    run(database, "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES (1)")
    assert database.backend.dialect == "sqlite"
    pool.close(database.target)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT a FROM t").fetchall() == [(1,)]
    engine.dispose()


def test_anything_else_is_refused_by_name(pool: EnginePool) -> None:
    with pytest.raises(TargetError, match=r"--engine con: got a int, where a SQLAlchemy Engine or a DuckDB connection"):
        pool.adopt("con", 1)


def test_a_closed_connection_of_the_users_is_a_connect_error(pool: EnginePool) -> None:
    con = duckdb.connect()
    con.close()
    with pytest.raises(ConnectError, match=r"Connection already closed.* open it again there\."):
        pool.adopt("con", con)
    assert list(pool) == []


def test_an_engine_of_the_users_that_cannot_connect_is_a_connect_error(pool: EnginePool) -> None:
    engine = sqlalchemy.create_engine("sqlite:////no/such/folder/x.db")
    with pytest.raises(ConnectError, match="unable to open database file"):
        pool.adopt("engine", engine)


def test_only_the_owner_opens_an_adopted_connection_again(pool: EnginePool) -> None:
    with duckdb.connect() as con:
        adopted = pool.adopt("con", con).target
        pool.close(adopted)
        with pytest.raises(TargetError, match="run `%mdsql --engine con` again"):
            pool.get(adopted)

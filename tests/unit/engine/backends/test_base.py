"""The defaults over SQLAlchemy, on real SQLite: a dialect that has no isolation levels, and writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from md_magic.engine import execute
from md_magic.engine.backends.other import OtherBackend
from md_magic.engine.cancellation import Execution
from md_magic.errors import StatementError, TargetError
from md_magic.sql import target
from md_magic.sql.statement import Statement
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool


class WithoutLevels(SQLiteDialect_pysqlite):
    """SQLite as Hive, BigQuery or ClickHouse are to SQLAlchemy: without isolation levels."""

    name = "leveless"
    supports_statement_cache = False

    def get_isolation_level_values(self, dbapi_conn: Any) -> Sequence[str]:
        raise NotImplementedError

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        raise NotImplementedError

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        raise NotImplementedError


class WithOtherLevels(WithoutLevels):
    """The same, with levels of which none is autocommit."""

    name = "levels"
    supports_statement_cache = False

    def get_isolation_level_values(self, dbapi_conn: Any) -> Sequence[str]:  # noqa: ARG002 - SQLAlchemy's signature
        return ["SERIALIZABLE"]


registry.register("leveless", __name__, WithoutLevels.__name__)
registry.register("levels", __name__, WithOtherLevels.__name__)


@pytest.mark.parametrize("dialect", ["leveless", "levels"])
def test_a_dialect_without_autocommit_opens_and_commits_each_statement(pool: EnginePool, dialect: str) -> None:
    database = pool.get(target.read(f"{dialect}:///file.db"))
    assert type(database.backend) is OtherBackend
    run(database, "CREATE TABLE t(a INTEGER)")
    run(database, "INSERT INTO t VALUES (:a)", a=1)
    other = database.branch()
    assert run(other, "SELECT a FROM t").value == {"a": [1]}
    other.close()


def test_a_statement_that_fails_there_leaves_no_transaction(pool: EnginePool) -> None:
    database = pool.get(target.read("leveless:///file.db"))
    run(database, "CREATE TABLE t(a INTEGER UNIQUE)")
    with pytest.raises(StatementError, match="UNIQUE"):
        run(database, "INSERT INTO t VALUES (1), (1)")
    assert not database.backend.connection.in_transaction()
    assert run(database, "SELECT a FROM t").value == {"a": []}


@pytest.mark.parametrize("name", ["duck", "sqlite"])
def test_a_log_of_sqlalchemys_holds_no_bound_value(
    request: pytest.FixtureRequest, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sqlalchemy.engine")
    database = request.getfixturevalue(name)
    run(database, "SELECT :v AS v", v="a value of mine")
    assert "SELECT" in caplog.text
    assert "a value of mine" not in caplog.text


def test_what_cannot_be_had_is_said_in_sentences(sqlite: Database) -> None:
    backend = sqlite.backend
    assert backend.why_not("dry-run") == ""
    assert OtherBackend.why_not(backend, "dry-run").startswith("--dry-run: how sqlite:// is asked")
    assert backend.why_not("timeout") == ""
    backend.interrupt = None  # as pymysql has none
    assert backend.why_not("timeout").startswith("nothing can stop a query on sqlite://, because its driver has")


def test_duckdb_can_do_all_of_it(duck: Database) -> None:
    assert [duck.backend.why_not(feature) for feature in ("dry-run", "timeout", "background")] == [""] * 3


def test_explain_is_the_databases_own(sqlite: Database) -> None:
    asking = sqlite.backend.explaining(Statement("SELECT 1"), run=False)
    assert asking.text == "EXPLAIN QUERY PLAN\nSELECT 1"
    assert "detail" in execute.run(sqlite, asking, {}).value.columns
    with pytest.raises(StatementError, match=r"--analyze: how sqlite is asked for that is not known here\."):
        sqlite.backend.explaining(Statement("SELECT 1"), run=True)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///file.db", "leveless:///file.db"])
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_table_is_written_as_one_change(opened: Callable[..., Database], uri: str, make: Any) -> None:
    database = opened(uri)
    assert database.backend.upload(["t"], make({"a": [1, 2]}), "create") == 2
    assert database.backend.upload(["t"], make({"a": [3]}), "append") == 1
    assert run(database, "SELECT a FROM t ORDER BY a").value == {"a": [1, 2, 3]}
    assert database.backend.upload(["t"], make({"a": [4]}), "replace") == 1
    assert run(database, "SELECT a FROM t").value == {"a": [4]}
    with pytest.raises((ValueError, StatementError), match="already exists"):
        database.backend.upload(["t"], make({"a": [5]}), "create")
    assert run(database, "SELECT a FROM t").value == {"a": [4]}


def test_what_runs_is_stopped_by_the_driver(sqlite: Database) -> None:
    execution = Execution()
    sqlite.attach(execution)
    assert execution.can_stop
    assert execution.percent is None


def test_closing_goes_on_where_a_step_fails(sqlite: Database) -> None:
    called = []
    sqlite.backend._on_close = (lambda: 1 / 0, lambda: called.append("last"))
    sqlite.backend.close()
    assert called == ["last"]
    assert sqlite.backend.is_closed


def test_a_driver_that_nobody_knows_is_told_apart_from_a_dialect(pool: EnginePool) -> None:
    with pytest.raises(TargetError, match=r"no driver 'nodriver' of mysql\. Write mysql\+pymysql://"):
        pool.get(target.read("mysql+nodriver://u:pw@h/db"))

"""A dialect without isolation levels, as Hive, BigQuery, Databricks and ClickHouse have none, over sqlite3."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from md_magic.errors import ConnectError, StatementError
from md_magic.session.session import Session
from md_magic.sql import target

ERRORS = {
    "NotImplementedError": NotImplementedError(),
    "AttributeError": AttributeError("set_isolation_level"),
    "ArgumentError": sqlalchemy.exc.ArgumentError("Invalid value 'AUTOCOMMIT' for isolation_level"),
    "of the driver": sqlite3.NotSupportedError("no isolation levels here"),
}


class WithoutLevels(SQLiteDialect_pysqlite):
    name = "without_levels"
    supports_statement_cache = True
    error: Exception = ERRORS["NotImplementedError"]

    @classmethod
    def import_dbapi(cls) -> Any:
        return sqlite3

    def get_default_isolation_level(self, _connection: Any) -> Any:
        raise NotImplementedError

    def get_isolation_level_values(self, _connection: Any) -> Any:
        raise self.error

    def get_isolation_level(self, _connection: Any) -> Any:
        raise self.error

    def set_isolation_level(self, _connection: Any, _level: Any) -> Any:
        raise self.error


class Silent(WithoutLevels):
    def connect(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


registry.register("without_levels", __name__, "WithoutLevels")
registry.register("silent", __name__, "Silent")
registry.impls["without_levels"] = lambda: WithoutLevels  # tests are no importable package
registry.impls["silent"] = lambda: Silent


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = Session(notify=lambda _: None)
    yield session
    session.close_all()


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_it_is_opened_without(session, tmp_path, monkeypatch, error):
    monkeypatch.setattr(WithoutLevels, "error", error)
    session.use(target.read("without_levels:///lab.db"))

    def run(sql):
        return list(session.run(sql, {}))[-1]

    assert run("CREATE TABLE t (a int)").line == "CREATE done"
    assert run("INSERT INTO t VALUES (1), (2)").line == "2 rows inserted"
    with sqlite3.connect(tmp_path / "lab.db") as other:  # it is committed
        assert other.execute("SELECT count(*) FROM t").fetchall() == [(2,)]
    other.close()
    assert run("BEGIN; INSERT INTO t VALUES (3); ROLLBACK; SELECT count(*) AS n FROM t").value["n"].tolist() == [2]
    with pytest.raises(StatementError, match="no such column"):
        run("SELECT nothere FROM t")
    assert session.start(["SELECT count(*) AS n FROM t"], {}).result(10)["n"].tolist() == [2]


def test_the_reason_for_not_opening_is_never_empty(session):
    with pytest.raises(ConnectError, match="NotImplementedError, and says no more"):
        session.use(target.read("silent:///lab.db"))

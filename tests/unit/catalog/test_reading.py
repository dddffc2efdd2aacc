"""Rows become a snapshot: functions with their signatures, columns by table."""

from __future__ import annotations

import duckdb
import pytest

from md_magic.catalog import reading
from md_magic.catalog.snapshot import Column, Snapshot
from md_magic.engine.backends.introspection.duckdb import DuckDBIntrospection
from md_magic.engine.backends.introspection.questions import FunctionRow


@pytest.fixture
def duck():
    with duckdb.connect() as native:
        yield native


def read(duck, path=()):
    return reading.with_tables(Snapshot(), DuckDBIntrospection(duck), path)


def columns(taken):
    return {table.name: [column.name for column in columns] for table, columns in taken.columns.items()}


def test_tables_come_with_their_columns(duck):
    duck.execute("CREATE SCHEMA s; CREATE TABLE s.t (a INT, b VARCHAR); CREATE VIEW v AS SELECT 1 AS c")
    taken = read(duck, (("memory", "main"),))
    assert taken.is_local
    assert taken.snapshot.databases == ("memory",)
    assert ("memory", "s") in taken.snapshot.schemas
    assert taken.snapshot.path == (("memory", "main"),)
    assert [(table.name, table.home, table.kind) for table in taken.snapshot.tables] == [
        ("v", ("memory", "main"), "view"),
        ("t", ("memory", "s"), "table"),
    ]
    assert columns(taken) == {"v": ["c"], "t": ["a", "b"]}


def test_of_many_columns_none_is_read(duck, monkeypatch):
    duck.execute("CREATE TABLE t (a INT, b INT); CREATE TABLE u (c INT)")
    monkeypatch.setattr(reading, "_FEW", 2)
    assert columns(read(duck)) == {}
    monkeypatch.setattr(reading, "_FEW", 3)
    assert columns(read(duck)) == {"t": ["a", "b"], "u": ["c"]}


def test_functions_and_settings(duck):
    snapshot = reading.with_functions(Snapshot(databases=("kept",)), DuckDBIntrospection(duck))
    assert snapshot.databases == ("kept",)
    assert "threads" in snapshot.settings
    read_csv = snapshot.functions["read_csv"]
    assert read_csv.kind == "table"
    assert "header" in read_csv.parameters
    assert len([part for part in read_csv.signatures[0].split(", ") if ":=" in part]) == 4


def test_ways_to_call_one_function_are_joined():
    rows = [
        FunctionRow("Abs", "scalar", ["x"], ["INTEGER"], None, "INTEGER", ""),
        FunctionRow("abs", "scalar", ["col0"], ["DOUBLE"], None, "DOUBLE", "Absolute value"),
        FunctionRow("abs", "scalar", ["col0"], ["DOUBLE"], None, "DOUBLE", "again"),
        FunctionRow("concat", "scalar", ["a"], [None], "ANY", None, ""),
    ]
    functions = reading._functions(rows)
    assert functions["abs"].signatures == ("Abs(x INTEGER) -> INTEGER", "abs(DOUBLE) -> DOUBLE")
    assert functions["abs"].description == "Absolute value"
    assert functions["concat"].signatures == ("concat(a, ANY...)",)


def test_columns_of_rows(duck):
    duck.execute("CREATE TABLE t (a INT)")
    assert reading.columns(DuckDBIntrospection(duck).columns_named(("t",))) == (Column("a", "INTEGER"),)

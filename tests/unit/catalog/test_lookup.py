"""Single tables: what is asked, what is remembered, and when nothing is asked."""

from __future__ import annotations

import time

import duckdb
import pytest

from md_magic.catalog.lookup import Lookup
from md_magic.engine.backends.introspection.duckdb import DuckDBIntrospection


@pytest.fixture
def duck():
    with duckdb.connect() as native:
        native.execute("CREATE TABLE t (a INT, b VARCHAR)")
        yield native


@pytest.fixture
def lookup(duck):
    made = Lookup()
    made.connection = DuckDBIntrospection(duck.cursor())
    made.deadline = time.monotonic() + 60
    yield made
    made.close()
    made.close()


def names(lookup, *parts, may_ask=True):
    return [column.name for column in lookup.columns(parts, may_ask=may_ask)]


def test_an_answer_is_remembered_until_it_is_forgotten(lookup, duck):
    assert names(lookup, "t") == ["a", "b"]
    duck.execute("ALTER TABLE t DROP COLUMN b")
    assert names(lookup, "t", may_ask=False) == ["a", "b"]
    lookup.forget()
    assert names(lookup, "t") == ["a"]


def test_a_missing_table_is_told_from_one_that_was_not_looked_up(lookup):
    assert not lookup.is_missing(("nope",))
    assert names(lookup, "nope") == []
    assert lookup.is_missing(("nope",))
    assert names(lookup, "t") == ["a", "b"]
    assert not lookup.is_missing(("t",))


def test_nothing_is_asked_where_that_is_forbidden_too_late_or_impossible(lookup):
    assert names(lookup, "t", may_ask=False) == []
    lookup.deadline = 0
    assert names(lookup, "t") == []
    assert not lookup.is_missing(("t",))
    assert names(Lookup(), "t") == []

"""Running one statement on DuckDB: what gives rows, and what only says that it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from md_magic.engine.cancellation import Execution
from md_magic.engine.results.spec import ResultSpec
from md_magic.errors import StatementError
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from md_magic.engine.database import Database


@pytest.mark.parametrize(
    ("before", "sql", "value", "changed", "rowless"),
    [
        ("", 'SELECT true AS "Success"', {"Success": [True]}, None, False),
        ("", 'SELECT 7::BIGINT AS "Count"', {"Count": [7]}, None, False),
        ("CREATE TABLE t(a INT)", "INSERT INTO t VALUES (1), (2)", None, 2, True),
        (
            "CREATE TABLE t(a INT)",
            'INSERT INTO t VALUES (1), (2) RETURNING a AS "Count"',
            {"Count": [1, 2]},
            None,
            False,
        ),
        ("", "SET threads = 2", None, None, True),
        ('PREPARE p AS SELECT true AS "Success"', "EXECUTE p", {"Success": [True]}, None, False),
        ("", "EXPLAIN SELECT 1", None, None, False),
    ],
)
def test_rows_are_told_from_the_words_of_duckdb(
    duck: Database, before: str, sql: str, value: Any, changed: int | None, rowless: bool
) -> None:
    if before:
        run(duck, before)
    outcome = run(duck, sql)
    assert (outcome.changed, outcome.rowless) == (changed, rowless)
    if value is not None or rowless:
        assert outcome.value == value


def kinds_and_rows(columns: Any, batches: Any) -> Any:
    return [column.kind for column in columns], sum(batch.num_rows for batch in batches)


def test_a_pivot_is_run_once_for_a_sink(duck: Database) -> None:
    run(duck, "CREATE TABLE t AS FROM (VALUES ('x', 1), ('y', 2)) t(k, v)")
    assert run(duck, "PIVOT t ON k USING sum(v)", ResultSpec(sink=kinds_and_rows)).value == (["HUGEINT", "HUGEINT"], 1)


def test_a_select_that_cannot_be_described_fails_where_it_runs(duck: Database) -> None:
    with pytest.raises(StatementError, match="LINE 1: SELECT nosuch"):
        run(duck, "SELECT nosuch", ResultSpec(sink=kinds_and_rows))


def test_the_notebooks_connection_is_stopped_again_after_a_reader(duck: Database) -> None:
    execution = Execution()
    duck.attach(execution)
    run(duck, "SELECT 1 AS a", ResultSpec("reader"))
    assert execution._interrupt == duck.backend.interrupt


def test_a_reader_that_fails_leaves_no_connection(duck: Database) -> None:
    with pytest.raises(StatementError, match="nosuch"):
        run(duck, "SELECT nosuch", ResultSpec("reader"))
    assert run(duck, "SELECT 1 AS a").value == {"a": [1]}

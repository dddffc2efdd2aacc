"""A DuckDB with the types that the corpus names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.unit.engine.results.keeping import keep, make_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from md_magic.engine.results.store import ResultStore


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'Europe/Berlin'")
        make_types(con)
        tell_progress(con)
        yield con


def tell_progress(con: duckdb.DuckDBPyConnection) -> None:
    """Have DuckDB say how much of a query is done, as in a notebook."""
    con.execute("SET enable_progress_bar_print = false; SET enable_progress_bar = true")


@pytest.fixture
def kept(con: duckdb.DuckDBPyConnection) -> Iterator[Callable[[str], ResultStore]]:
    """Return what keeps the result of a query."""
    made: list[ResultStore] = []

    def store(sql: str) -> ResultStore:
        made.append(keep(con, sql))
        return made[-1]

    yield store
    for one in made:
        one.close()

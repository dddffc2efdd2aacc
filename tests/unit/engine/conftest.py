"""Open databases without a notebook: real DuckDB and SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from md_magic.engine import execute
from md_magic.engine.pool import EnginePool
from md_magic.engine.results.spec import AS_DICT, ResultSpec
from md_magic.sql import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from md_magic.engine.database import Database
    from md_magic.engine.execute import Outcome


@pytest.fixture
def pool() -> Iterator[EnginePool]:
    pool = EnginePool()
    yield pool
    pool.close_all()


@pytest.fixture
def opened(pool: EnginePool) -> Callable[..., Database]:
    """Open a URI."""

    def opened(uri: str, **config: Any) -> Database:
        return pool.get(target.read(uri), config)

    return opened


@pytest.fixture
def duck(opened: Callable[..., Database]) -> Database:
    return opened("duckdb:///:memory:")


@pytest.fixture
def sqlite(opened: Callable[..., Database]) -> Database:
    return opened("sqlite://")


def run(database: Database, sql: str, spec: ResultSpec = AS_DICT, **values: Any) -> Outcome:
    """Run the statements of *sql* one after the other, as a cell does, and return what the last one gave."""
    statements = execute.read(database, sql)
    return [execute.run(database, statement, values, spec) for statement in statements][-1]

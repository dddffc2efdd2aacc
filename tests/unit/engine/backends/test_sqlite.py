"""SQLite: one connection sees a database in memory, and each connection to a file is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy

from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool


@pytest.mark.parametrize(
    ("uri", "in_memory"),
    [
        ("sqlite://", True),
        ("sqlite:///:memory:", True),
        ("sqlite:///file:shared?mode=memory&cache=shared&uri=true", True),
        ("sqlite:///file.db", False),
    ],
)
def test_nothing_runs_beside_a_database_in_memory(opened: Callable[..., Database], uri: str, in_memory: bool) -> None:
    backend = opened(uri).backend
    assert backend.is_in_memory is in_memory
    assert bool(backend.why_not("background")) is in_memory
    assert ("is in memory, and SQLite shows it to one connection only" in backend.why_not("background")) is in_memory


def test_an_engine_of_the_users_in_memory_is_known(pool: EnginePool) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    assert pool.adopt("engine", engine).backend.is_in_memory
    engine.dispose()


def test_a_frame_is_written_on_the_notebooks_own_connection(sqlite: Database) -> None:
    run(sqlite, "CREATE TEMP TABLE mine(a INTEGER)")
    sqlite.backend.upload(["mine"], pd.DataFrame({"a": [1]}), "append")
    assert run(sqlite, "SELECT a FROM mine").value == {"a": [1]}


def test_a_write_that_fails_changes_nothing(sqlite: Database) -> None:
    run(sqlite, "CREATE TABLE t(a INTEGER UNIQUE); INSERT INTO t VALUES (1)")
    with pytest.raises(Exception, match="UNIQUE"):
        sqlite.backend.upload(["t"], pd.DataFrame({"a": [2, 1]}), "append")
    assert run(sqlite, "SELECT a FROM t").value == {"a": [1]}

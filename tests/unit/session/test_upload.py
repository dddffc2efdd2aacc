"""Writing a Python table where SQL cannot name it: one change, and one of our errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest

from md_magic.engine.database import open_database
from md_magic.engine.execute import run
from md_magic.engine.results.spec import AS_DICT
from md_magic.errors import FrameError, StatementError
from md_magic.session import upload
from md_magic.sql import target
from md_magic.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_magic.engine.database import Database


@pytest.fixture(params=["sqlite://", "sqlite:///file.db"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = open_database(target.read(request.param), {})
    yield database
    database.close()


def rows(database: Database) -> object:
    return run(database, Statement("SELECT * FROM t"), {}, AS_DICT).value


def test_rows_are_counted(database: Database) -> None:
    assert upload.write_other(database, ["t"], pa.table({"a": [1, 2], "b": ["x", None]}), "create") == 2
    assert rows(database) == {"a": [1, 2], "b": ["x", None]}


def test_a_table_that_exists_is_named(database: Database) -> None:
    upload.write_other(database, ["t"], pd.DataFrame({"a": [1]}), "create")
    with pytest.raises(StatementError, match="Table 't' already exists"):
        upload.write_other(database, ["t"], pd.DataFrame({"a": [2]}), "create")
    assert rows(database) == {"a": [1]}


def test_a_value_that_cannot_be_written_changes_nothing_and_is_not_shown(database: Database) -> None:
    upload.write_other(database, ["t"], pd.DataFrame({"a": ["kept"]}), "create")
    with pytest.raises(FrameError) as caught:
        upload.write_other(database, ["t"], pd.DataFrame({"a": ["fine", {"mine": 1}]}), "append")
    assert "The column 'a' holds dict and str" in str(caught.value)
    assert "mine" not in f"{caught.value} {caught.value.__cause__}"
    assert rows(database) == {"a": ["kept"]}

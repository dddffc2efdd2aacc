"""One text in, the same text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pytest

from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from md_magic.engine.database import Database


@pytest.mark.parametrize("text", ["%", "%(x)s", "100 %% of :x", ":x", "$x", "\\:x", "%s"])
def test_a_text_reaches_duckdb_as_it_was_typed(duck: Database, text: str) -> None:
    assert run(duck, f"SELECT '{text}' AS a, :v AS v", v="%(y)s").value == {"a": [text], "v": ["%(y)s"]}


def test_no_word_is_a_command_of_the_driver(duck: Database) -> None:
    run(duck, "BEGIN")
    run(duck, "commit")
    assert duck.state == "open"


@pytest.mark.parametrize("name", ["statement", "parameters", "native", "self", "text"])
def test_no_variable_of_ours_is_a_table(duck: Database, name: str) -> None:
    with (
        duck.scanning({"mine": pd.DataFrame({"a": [1]})}),
        pytest.raises(Exception, match=f"name {name} does not exist"),
    ):
        run(duck, f"FROM {name}")


def test_what_is_closed_lets_go_of_the_file(pool, tmp_path) -> None:
    from md_magic.sql import target

    place = target.read(f"duckdb:///{tmp_path}/x.db")
    run(pool.get(place), "CREATE TABLE t(a INT)")
    pool.close(place)
    with duckdb.connect(str(tmp_path / "x.db"), config={"threads": 3}) as con:
        assert con.execute("FROM t").fetchall() == []

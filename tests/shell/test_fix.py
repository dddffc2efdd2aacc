"""`--fix` after an error: the cell with the only names that are near, nothing run; else what is possible."""

from __future__ import annotations

import pandas as pd
import pytest

from md_magic.display import repair_view


@pytest.fixture
def failed(shell):
    """Return a function that runs a cell, which fails, and gives what `--fix` makes of it."""
    shell.sql("CREATE TABLE flights (carrier VARCHAR, dep_delay INTEGER); CREATE TABLE trips (a INTEGER)")

    def failed(sql):
        shell.cell(f"%%mdsql\n{sql}", error=True)
        return shell.cell("%mdsql --fix").value

    return failed


def test_names_that_were_meant_are_put_in(failed, shell):
    repair = failed("SELECT carier, dep_dely\nFROM flihgts")
    assert repair.repaired == "SELECT carrier, dep_delay\nFROM flights"
    assert not repair.by_model
    assert repair_view.as_text(repair).startswith("With the only names that are near. Nothing was run.")
    assert shell.sql("SELECT count(*) AS n FROM flights").value["n"].tolist() == [0]


def test_frames_and_functions_count(failed, shell):
    shell.variables["my_frame"] = pd.DataFrame({"amount": [1]})
    assert failed("SELECT amout FROM my_frme").repaired == "SELECT amount FROM my_frame"
    assert failed("SELECT date_trunk('day', now())").repaired == "SELECT date_trunc('day', now())"


@pytest.mark.parametrize("sql", ["SELECT zzz FROM flights", "SELEC 1", "SELECT 'a'::INTEGER"])
def test_what_is_not_sure_is_not_suggested(shell, sql):
    shell.sql("CREATE TABLE flights (carrier VARCHAR, dep_delay INTEGER)")
    shell.cell(f"%%mdsql\n{sql}", error=True)
    message = shell.cell("%mdsql --fix", error=True).message
    assert message.startswith(
        "--fix looks for misspelt names, and found none of which it is sure in the last query that failed."
    )

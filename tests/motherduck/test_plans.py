"""Plans and profiles on MotherDuck's stand-in: a token is in neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.motherduck.test_cells import ann, cells, shell  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from tests.motherduck.standin.service import Account
    from tests.motherduck.test_cells import Cells


@pytest.mark.parametrize("option", ["--explain", "--analyze", "--profile"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT current_setting('motherduck_token') AS t FROM range(3)",
        "SELECT * FROM range(3) WHERE range::TEXT < current_setting('motherduck_token')",
        "SELECT [current_setting('motherduck_token') || range] AS t FROM range(3)",
        "SELECT repeat('x', 190) || current_setting('motherduck_token') AS t FROM range(3)",
        "SELECT name, value FROM duckdb_settings() WHERE name = 'motherduck_token'",
    ],
    ids=["value", "filter", "nested", "across the cut", "settings"],
)
def test_a_token_is_masked(cells: Cells, ann: Account, option: str, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("motherduck_token", ann.token)
    shown = cells.sql(f"md:my_db {option}", sql)
    assert not isinstance(shown, BaseException), shown
    drawn, _ = cells.shell.display_formatter.format(shown)
    assert "text/html" in drawn
    everything = str(drawn) + repr(shown) + cells.printed
    told = (
        [column.frequent for column in shown.columns]
        if option == "--profile"
        else [operator.extra for operator in shown.operators]
    )
    everything += str(told)
    for part in (ann.token, *ann.token.split("."), ann.token[:30], ann.token[-20:]):
        assert part not in everything


def test_what_is_asked_reaches_the_service(cells: Cells, ann: Account, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("motherduck_token", ann.token)
    assert cells.sql("md:my_db --explain", "SELECT email FROM owner").operators
    assert cells.sql("--profile", "SELECT email FROM owner").rows == 1

"""The live service, through real cells: run by whoever has an account, and by nobody else.

`MD_MAGIC_ONLINE_TOKEN=... pytest -m online`; MOTHERDUCK_TOKEN does as well. Nothing is written to the account.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

TOKEN = os.environ.get("MD_MAGIC_ONLINE_TOKEN") or os.environ.get("MOTHERDUCK_TOKEN")  # before tests lose sight of it

pytestmark = [
    pytest.mark.online,
    pytest.mark.skipif(not TOKEN, reason="needs a MotherDuck account: MD_MAGIC_ONLINE_TOKEN=... pytest -m online"),
]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch, ip: InteractiveShell) -> Callable[[str], object]:
    monkeypatch.setenv("motherduck_token", str(TOKEN))
    ip.run_line_magic("load_ext", "md_magic")

    def run(source: str) -> object:
        result = ip.run_cell(source)
        result.raise_error()
        return result.result

    return run


def test_a_cell_runs(cell: Callable[[str], object]) -> None:
    assert cell("%%mdsql md:\nSELECT 42 AS answer")["answer"].tolist() == [42]
    assert len(cell("%mdsql SHOW DATABASES"))
    assert cell("%mdsql --databases")["name"].tolist()


def test_who_it_is(cell: Callable[[str], object]) -> None:
    cell("%mdsql md:")
    (row,) = cell("%mdsql --whoami").to_dict("records")
    assert row["source"] == "environment motherduck_token"
    assert row["account"]


@pytest.mark.parametrize(
    "query",
    [
        "attach_mode=workspace",
        "saas_mode=true",
        "session_name=md_magic_tests",
        "dbinstance_inactivity_ttl=0s",
        "connection_timeout=30s",
        "custom_user_agent=tests/1",
    ],
)
def test_each_parameter_is_accepted(cell: Callable[[str], object], query: str) -> None:
    assert cell(f"%%mdsql md:?{query}\nSELECT 42 AS answer")["answer"].tolist() == [42]


def test_the_token_is_not_shown(cell: Callable[[str], object]) -> None:
    cell("%mdsql md:")
    for source in ("%mdsql PRAGMA PRINT_MD_TOKEN", "%mdsql SELECT current_setting('motherduck_token') AS t"):
        assert str(TOKEN) not in cell(source).to_csv()


def test_a_wrong_token_is_told(cell: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("motherduck_token", "eyJhbGciOiJI.eyJ3cm9uZyI6MX0x.c2lnbmF0dXJl")
    with pytest.raises(Exception, match="did not accept the token"):
        cell("%%mdsql md:?session_name=wrong\nSELECT 1")


def test_an_unknown_database_is_told(cell: Callable[[str], object]) -> None:
    with pytest.raises(Exception, match="cannot be opened") as caught:
        cell("%%mdsql md:no_such_database_of_md_magic\nSELECT 1")
    assert "SHOW ALL DATABASES" in "".join(caught.value.__notes__)

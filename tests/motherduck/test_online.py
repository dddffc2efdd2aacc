"""The live service, through real cells: run by whoever has an account, and by nobody else.

`MD_MAGIC_ONLINE_TOKEN=... pytest -m online`; MOTHERDUCK_TOKEN does as well. Nothing is written to the account.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import sqlalchemy

import md_magic

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
    assert type(caught.value).__name__ == "UnknownDatabase"
    assert "SHOW ALL DATABASES" in str(caught.value)


def test_what_runs_and_who_is_signed_in(cell: Callable[[str], object]) -> None:
    cell("%%mdsql md:\nSELECT 1")
    running = cell("%mdsql --running")  # None where the account may not ask
    assert running is None or list(running.columns) == ["id", "query", "stage", "elapsed", "client"]
    (row,) = cell("%mdsql --whoami").to_dict("records")
    assert row.get("organisation"), row


def test_the_catalogue_opens(cell: Callable[[str], object], capsys: pytest.CaptureFixture[str]) -> None:
    cell("%mdsql md: --browse")
    assert "sample_data" in capsys.readouterr().out


def test_the_engine_and_sql_for_python_code(cell: Callable[[str], object]) -> None:
    assert cell("import md_magic\nmd_magic.sql('SELECT 41 + :one AS a', one=1, target='md:').a[0]") == 42
    engine = md_magic.engine("md:")
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("show databases")).all()
    assert sqlalchemy.inspect(engine).get_schema_names()
    assert str(TOKEN) not in f"{engine!r} {engine.url.render_as_string(hide_password=False)}"


def test_reflection_of_the_sample_data(cell: Callable[[str], object]) -> None:
    tables = cell(
        "%mdsql md: SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'sample_data' LIMIT 1"
    )
    for row in tables.itertuples():  # an account may have detached it
        columns = sqlalchemy.inspect(md_magic.engine("md:")).get_columns(
            row.table_name, f"sample_data.{row.schema_name}"
        )
        assert columns

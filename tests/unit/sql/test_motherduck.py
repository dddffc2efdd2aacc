"""Which statements would start MotherDuck's own login, told from their text."""

from __future__ import annotations

import duckdb
import pytest

from md_magic.sql.motherduck import opens_login

OPENS = [
    "ATTACH 'md:'",
    "attach 'md:my_db' AS mine",
    "ATTACH 'MD:my_db'",
    "ATTACH 'motherduck:my_db'",
    "ATTACH 'md:_share/x/7962a053' AS x",
    "ATTACH IF NOT EXISTS 'md:my_db'",
    "ATTACH OR REPLACE DATABASE 'md:my_db' AS q",
    "ATTACH /* 'file.db' */ 'md:' -- motherduck_token",
    "-- first\nATTACH 'md:'",
    "ATTACH E'md:'",
    "ATTACH $$md:$$",
    "ATTACH $x$md:my_db$x$",
    "ATTACH '' AS x (TYPE motherduck)",
    "ATTACH 'x' AS x (READ_ONLY, TYPE 'MotherDuck')",
    "ATTACH 'x' (TYPE md)",
    "LOAD motherduck",
    "load 'motherduck'",
    'LOAD "motherduck"',
    "LOAD md",
    "LOAD '/root/.duckdb/extensions/v1.5.6/linux_amd64/motherduck.duckdb_extension'",
]
DOES_NOT = [
    "ATTACH 'file.duckdb'",
    "ATTACH 'file.duckdb' AS x -- 'md:'",
    "ATTACH 'file.duckdb' AS motherduck",
    "ATTACH 'md.duckdb' AS md",
    "ATTACH 'md:?motherduck_token=abc'",
    "ATTACH 'postgres:x' AS x (TYPE postgres, SCHEMA 'motherduck')",
    "INSTALL motherduck",
    "FORCE INSTALL motherduck",
    "LOAD httpfs",
    "LOAD '/x/other.duckdb_extension'",
    "SELECT 'ATTACH ''md:'''",
    "PRAGMA enable_profiling",
]


def kind_of(sql: str) -> str:
    [statement] = duckdb.extract_statements(sql)
    return statement.type.name


@pytest.mark.parametrize("sql", OPENS)
def test_what_opens_it(sql: str) -> None:
    assert opens_login(kind_of(sql), sql)


@pytest.mark.parametrize("sql", DOES_NOT)
def test_what_does_not(sql: str) -> None:
    assert not opens_login(kind_of(sql), sql)


@pytest.mark.parametrize("sql", ["PRAGMA MD_CONNECT", "/* now */ pragma md_connect;"])
def test_the_pragma_that_only_the_extension_knows(sql: str) -> None:
    try:
        kind = kind_of(sql)
    except duckdb.CatalogException:  # DuckDB 1 looks for it while it splits, and 2 does not
        kind = "PRAGMA"
    assert opens_login(kind, sql)


@pytest.mark.parametrize("kind", ["ATTACH", "LOAD", "PRAGMA"])
@pytest.mark.parametrize("text", ["", "ATTACH", "LOAD", "PRAGMA", "(((", "\x00", "ATTACH ()"])
def test_odd_texts_raise_nothing(kind: str, text: str) -> None:
    assert not opens_login(kind, text)

"""Quoting: what is written is the name or the value that was meant, on that database."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
import uuid
from contextlib import closing

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from md_magic.sql import keywords, quoting

DUCKDB = duckdb.connect()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize(
    ("dialect", "name", "written"),
    [
        pytest.param("duckdb", "t", "t", id="plain"),
        pytest.param("duckdb", "Mixed", "Mixed", id="capitals stay"),
        pytest.param("duckdb", "größe", "größe", id="letters"),
        pytest.param("duckdb", "my table", '"my table"', id="blank"),
        pytest.param("duckdb", "1a", '"1a"', id="digit first"),
        pytest.param("duckdb", 'say "hi"', '"say ""hi"""', id="quotes"),
        pytest.param("duckdb", "s1.t", '"s1.t"', id="dot"),
        pytest.param("duckdb", "", '""', id="empty"),
        pytest.param("duckdb", "binary", '"binary"', id="duckdb binary"),
        pytest.param("duckdb", "index", "index", id="duckdb index"),
        pytest.param("sqlite", "index", '"index"', id="sqlite index"),
        pytest.param("sqlite", "values", '"values"', id="sqlite values"),
        pytest.param("sqlite", "Mixed", "Mixed", id="sqlite keeps capitals"),
        pytest.param("mysql", "rank", "`rank`", id="mysql rank"),
        pytest.param("mysql", "groups", "`groups`", id="mysql groups"),
        pytest.param("mysql", "a`b", "`a``b`", id="mysql backquote"),
        pytest.param("mariadb", "select", "`select`", id="mariadb"),
        pytest.param("postgresql", "user", '"user"', id="postgresql user"),
        pytest.param("postgresql", "Mixed", '"Mixed"', id="postgresql folds"),
        pytest.param("postgresql", "index", "index", id="postgresql index"),
        pytest.param("mssql", "a]b", "[a]]b]", id="brackets"),
        pytest.param("nobody_knows", "select", '"select"', id="unknown dialect"),
    ],
)
def test_a_name_is_quoted_where_its_database_needs_it(dialect, name, written):
    assert quoting.of(dialect).where_needed(name) == written


def test_a_qualified_name_is_quoted_part_by_part():
    assert quoting.identifier("a.b", 'c"d') == '"a.b"."c""d"'
    assert quoting.of("mysql").identifier("a.b", "c") == "`a.b`.`c`"


def test_sqlite_reads_every_keyword_as_it_is_written():
    with closing(sqlite3.connect(":memory:")) as connection:
        words = keywords.reserved("sqlite") | set(keywords.duckdb_keywords()) | keywords.reserved("mysql")
        for word in sorted(words):
            connection.execute(f'CREATE TABLE "{word}" ("{word}" INT)')
            connection.execute(f'INSERT INTO "{word}" VALUES (41)')
            name = quoting.of("sqlite").where_needed(word)
            assert connection.execute(f"SELECT {name} FROM {name}").fetchall() == [(41,)], word
            assert connection.execute(f"SELECT max({name}.{name}) FROM {name} WHERE {name} = 41").fetchall() == [(41,)]


def test_duckdb_reads_every_keyword_as_it_is_written():
    connection = DUCKDB.cursor()
    for word in keywords.duckdb_keywords():
        connection.execute(f'CREATE TABLE "{word}" ("{word}" INT)')
        connection.execute(f'INSERT INTO "{word}" VALUES (41)')
        name = quoting.DUCKDB.where_needed(word)
        assert connection.execute(f"SELECT {name} FROM {name}").fetchall() == [(41,)], word
        assert connection.execute(f"SELECT max({name}.{name}) FROM {name} WHERE {name} = 41").fetchall() == [(41,)]


@given(TEXTS.filter(bool))
def test_any_name_is_that_name_on_sqlite(name):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE {quoting.of('sqlite').identifier(name)} (a INT)")
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [(name,)]
        assert connection.execute(f"SELECT * FROM {quoting.of('sqlite').where_needed(name)}").fetchall() == []


@given(TEXTS)
def test_any_text_is_that_text(text):
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(f"SELECT {quoting.of('sqlite').literal(text)}").fetchone() == (text,)
    assert DUCKDB.execute(f"SELECT {quoting.DUCKDB.literal(text)}").fetchone() == (text,)


@pytest.mark.parametrize(
    ("dialect", "value", "written"),
    [
        pytest.param("duckdb", None, "NULL", id="None"),
        pytest.param("duckdb", True, "TRUE", id="bool"),
        pytest.param("duckdb", -1, "(-1)", id="negative"),
        pytest.param("duckdb", 1e300, "1e+300", id="float"),
        pytest.param("duckdb", float("nan"), "CAST('nan' AS DOUBLE PRECISION)", id="nan"),
        pytest.param("duckdb", decimal.Decimal("1.50"), "1.50", id="decimal"),
        pytest.param("duckdb", [1, "a'b"], "(1, 'a''b')", id="list"),
        pytest.param("duckdb", dt.date(2024, 1, 31), "DATE '2024-01-31'", id="date"),
        pytest.param("sqlite", dt.date(2024, 1, 31), "'2024-01-31'", id="sqlite date"),
        pytest.param("duckdb", dt.time(10, 0), "TIME '10:00:00'", id="time"),
        pytest.param(
            "postgresql", dt.datetime(2024, 1, 31, tzinfo=dt.UTC), "TIMESTAMPTZ '2024-01-31 00:00:00+00:00'", id="zone"
        ),
        pytest.param(
            "mysql", dt.datetime(2024, 1, 31, tzinfo=dt.UTC), "TIMESTAMP '2024-01-31 00:00:00+00:00'", id="mysql zone"
        ),
        pytest.param("duckdb", uuid.UUID(int=1), "'00000000-0000-0000-0000-000000000001'", id="uuid"),
        pytest.param("duckdb", "a\\b", "'a\\b'", id="a backslash is one"),
        pytest.param("mysql", "\\' OR 1=1 -- ", r"'\\'' OR 1=1 -- '", id="a backslash escapes"),
        pytest.param("bigquery", "it's", r"'it\'s'", id="a quote is escaped"),
    ],
)
def test_a_value_is_written_for_its_database(dialect, value, written):
    assert quoting.of(dialect).literal(value) == written


@pytest.mark.parametrize("value", [object(), {}, [], "a\0b", decimal.Decimal("NaN")], ids=repr)
def test_what_has_no_literal_is_an_error(value):
    with pytest.raises(ValueError, match="no literal"):
        quoting.DUCKDB.literal(value)

"""A name that the database does not know: the near ones, a Python table, and `--fix`."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture
def flights(cells):
    cells.sql("CREATE TABLE flights (id INTEGER, carrier VARCHAR(2), air_time INTEGER)")
    return cells


@pytest.mark.parametrize(
    ("sql", "near"),
    [
        ("SELECT * FROM flihgts", "Did you mean flights?"),
        ("SELECT f.carier FROM flights AS f", "carrier"),  # PostgreSQL says it itself, in other words
        ("INSERT INTO flights (id, carier) VALUES (1, 'UA')", "Did you mean carrier?"),
        ("UPDATE flights SET air_tme = 1", "Did you mean air_time?"),
        ("SELECT 1 AS one; SELECT carrier FROM flihgts", "Did you mean flights?"),
    ],
)
def test_an_unknown_name_has_the_near_ones(flights, sql, near):
    assert near in flights.sql(sql, error=True).printed


@pytest.mark.parametrize("option", ["--explain", "--profile", "--dry-run"])
def test_the_options_that_look_at_a_query_have_them_too(flights, option):
    assert "Did you mean flights?" in flights.sql("SELECT * FROM flihgts", option, error=True).printed


def test_nothing_near_is_nothing_said(flights):
    assert "mean" not in flights.sql("SELECT * FROM zzz", error=True).printed


def test_a_saved_query_is_near(flights):
    flights.sql("SELECT id FROM flights", "--save united")
    assert "Did you mean united?" in flights.sql("SELECT * FROM untied", error=True).printed


def test_a_python_table_is_told_how_to_get_there(flights):
    flights.variables["df"] = pd.DataFrame({"a": [1, 2]})
    assert "df is a Python table" in flights.sql("SELECT * FROM df", error=True).printed
    flights.cell("%mdsql --to df --frame df")
    assert flights.sql("SELECT count(*) AS n FROM df").value["n"].tolist() == [2]


@pytest.mark.parametrize(
    ("sql", "right"),
    [
        ("SELECT * FROM flihgts -- flihgts", "SELECT * FROM flights -- flihgts"),
        ("SELECT 'flihgts' AS x, id FROM flihgts", "SELECT 'flihgts' AS x, id FROM flights"),
        ("UPDATE flights SET carier = 'UA'", "UPDATE flights SET carrier = 'UA'"),
        ("SELECT f.carier FROM flights AS f", "SELECT f.carrier FROM flights AS f"),
    ],
)
def test_fix_has_the_one_name_that_is_near(flights, sql, right):
    flights.sql(sql, error=True)
    assert flights.cell("%mdsql --fix").value.repaired == right


def test_fix_is_silent_where_two_names_are_near(flights):
    flights.sql("CREATE TABLE flight (id INTEGER)")
    failed = flights.sql("SELECT * FROM flihgt", error=True)
    assert "Did you mean flight, flights?" in failed.printed
    assert "none of which it is sure" in flights.cell("%mdsql --fix", error=True).printed


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_failed_transaction_is_not_asked(flights):
    flights.sql("BEGIN")
    printed = flights.sql("SELECT * FROM flihgts", error=True).printed
    assert "end it with ROLLBACK" in printed
    assert "mean" not in printed
    flights.sql("ROLLBACK")

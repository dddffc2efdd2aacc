"""The private parser: where it stops, and which trees it gives."""

from __future__ import annotations

import threading

import duckdb
import pytest

from md_magic.sql import parser

END = 9 if duckdb.__version__ >= "2" else 10
"""Where a text stops that lacks its end: DuckDB 2 points at the last token, 1 behind it."""


@pytest.mark.parametrize(
    ("sql", "stop"),
    [("select 1", None), ("select :x", 7), ("select 'é' as é, :x", 17), ("select 1 +", END), ("select 'a", 7)],
)
def test_where_it_stops(sql, stop):
    assert parser.stop(sql) == stop


@pytest.mark.parametrize(
    ("sql", "is_one"),
    [
        ("from t", True),
        ("describe t", True),
        ("insert into t values (1)", False),
        ("from from", False),
        ("", False),
        ("from \0t", False),
    ],
)
def test_what_has_a_tree(sql, is_one):
    assert bool(parser.tree(sql)) == is_one


def test_statements_of_a_text():
    assert [statement.type.name for statement in parser.extract("select 1; create table t (a int)")] == [
        "SELECT",
        "CREATE",
    ]
    with pytest.raises(duckdb.ParserException, match=r"^Parser Error: syntax error at or near .selecct"):
        parser.extract("selecct 1")


def test_threads_share_it():
    trees = {}

    def read(number):
        for _ in range(50):
            [statement] = parser.tree(f"from t{number}")
            trees.setdefault(number, set()).add(statement["node"]["from_table"]["table_name"])

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trees == {number: {f"t{number}"} for number in range(4)}

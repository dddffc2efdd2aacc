"""The kind of a statement, by its first word."""

from __future__ import annotations

import pytest

from md_magic.sql.syntax import kinds


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 1", "SELECT"),
        ("(select 1) union (select 2)", "SELECT"),
        ("VALUES (1)", "SELECT"),
        ("TABLE t", "SELECT"),
        ("with a as (select 1), b as (select 2) select * from a, b", "SELECT"),
        ("with a as (delete from t returning *) insert into u select * from a", "INSERT"),
        ("with recursive a(n) as (select 1) update t set n = 1", "UPDATE"),
        ("-- select\n/* insert */ delete from t", "DELETE"),
        ("# mysql\nreplace into t values (1)", "INSERT"),
        ("/*!40101 SET NAMES utf8 */", "SET"),
        ("merge into t using u on true when matched then delete", "MERGE_INTO"),
        ("copy t from '/x.csv'", "COPY"),
        ("create temp table t as select 1", "CREATE"),
        ("start transaction read only", "TRANSACTION"),
        ("start slave", "START"),
        ("BEGIN", "TRANSACTION"),
        ("begin not atomic select 1; end", "CALL"),
        ("end", "TRANSACTION"),
        ("abort", "TRANSACTION"),
        ("rollback to savepoint a", "TRANSACTION"),
        ("prepare p as select 1", "PREPARE"),
        ("prepare transaction 'x'", "TRANSACTION"),
        ("deallocate all", "DROP"),
        ("use lab", "SET"),
        ("reset all", "SET"),
        ("show tables", "SHOW"),
        ("desc t", "EXPLAIN"),
        ("  ", ""),
    ],
)
def test_the_kind_is_named_as_duckdb_names_it(sql, kind):
    assert kinds.kind_of(sql) == kind


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("select 1", True),
        ("select 'insert into' as \"update\", $a$ delete $a$", True),
        ("with a as (delete from t returning *) select * from a", False),
        ("select * into u from t", False),
        ("select * from t for update", False),
        ("select * from t lock in share mode", False),
        ("select * from t -- for update", True),
    ],
)
def test_whether_a_select_only_reads(sql, reads):
    assert kinds.only_reads(sql) is reads


def test_rows_that_are_given_back():
    assert kinds.returns_rows("insert into t values (1) returning *")
    assert not kinds.returns_rows("insert into t values ('returning')")


def test_a_plain_text_has_no_comments_and_one_kind_of_quotes():
    assert kinds.plain("create /* a */ temporary\n table `a b` -- x") == 'create temporary table "a b"'

"""Which statements name a temporary object, and which only have a word like it."""

from __future__ import annotations

import pytest

from md_magic.sql.references import Object, created_name, named, tables, tables_in_text
from md_magic.sql.tokens import ODD_BLANKS

TABLE = Object("table", "t")
NAME_IT = [
    "from t",
    "select * from T",
    'select * from "t" where 1',
    "select * from u, t",
    "select * from u join t using(a)",
    "insert into t values (1)",
    "update t set a=1",
    "delete from t",
    "drop table if exists t",
    "alter table t add column b int",
    "copy t to 'x'",
    "copy (from t) to 'x'",
    "pivot t on a",
    "summarize t",
    "describe t",
    "describe table t",
    "select (select max(a) from t)",
    "create table z as from t",
    "create view z as select * from main.t",
    "from temp.t",
    "from temp.main.t",
    "merge into t using u on true when matched then delete",
    "merge into u using t on true when matched then delete",
    "create index i on t(a)",
    "truncate t",
    "select * from query_table('t')",
    "select * from query_table(['u', 't'])",
    "select * from query('from t')",
    "select * from query('select ''t'' from t')",
    "select * from query('fr' || 'om t')",
    "select * from query(getvariable('x'))",
    "select * from (u join t on true)",
    "select * from u x, t y",
    "select * from u as x, t as y where 1",
    "with q as (from t) from q",
    "explain select 1 from t",
    "show t",
    "select * from (select 1), t",
    "insert into u select * from t",
    "select a from u union all select a from t",
    "create table z (like t)",
    "unpivot t on a",
    "select extract(year from d) from t",
    "select * from u where a in (from t)",
    "select * from u tablesample 10%, t",
    "select * from u left join lateral (from t) on true",
    "update u set a=t.a from t",
    "table t",
    "from t select t.a",
    "select * from read_csv('x'), t",
    "create or replace table x as (select * from t)",
    "select * from u a(b,c), t",
    "select count(*) from t;",
    "call pragma_table_info('t')",
    "select * from u positional join t",
    "select * from u asof join t on u.a>=t.a",
    "select * from unnest([1,2]) q, t",
    "with t as (select * from t) from t",
    "with recursive x as (from t) from x",
    "merge into u using (from t) on true when matched then delete",
]
DO_NOT = [
    "with recursive t as (select 1 union all from t) from t",
    "select t from u",
    "select t.a from u t",
    "from other.t",
    "from db.main.t",
    "with t as (select 1) from t",
    "with t(a) as (select 1) from t",
    "with x as (select 1), t as materialized (select 2) from t, x",
    "select 't'",
    "select 1 as t",
    "select a is distinct from t from u",
    "select extract(year from t) from u",
    "select * from u order by t",
    "select * from u where t = 1",
    "select * from u group by a, t",
    "select {'t': 1}",
    "-- from t\nselect 1",
    "select a, t from u",
    "insert into u (t) values (1)",
    "update u set t = 1",
    "select * from u using sample 5",
    "select t(1)",
    "create table u(t int)",
    "select * from u join v using (a, t)",
    "select trim(both 'x' from t) from u",
    "select max(t) over (partition by t) from u",
    "select * exclude (t) from u",
    "from u select a, t",
    "select u.t from u, w where u.t = 1",
    "select * from query('from u')",
    "select * from query('select ''t'' from u')",
    "select * from query_table('u')",
    "select query from u",
]


@pytest.mark.parametrize("sql", NAME_IT)
def test_a_table_that_is_named(sql):
    assert named(sql, [TABLE]) is TABLE


def as_inserts(statements):
    """The queries among them in statements of which the parser gives no tree: tokens have to tell there."""
    return [f"insert into zz {sql}" for sql in statements if sql.startswith(("select", "from", "with"))]


@pytest.mark.parametrize("sql", as_inserts(NAME_IT))
def test_a_table_that_is_named_where_there_is_no_tree(sql):
    assert named(sql, [TABLE]) is TABLE


@pytest.mark.parametrize("sql", as_inserts(DO_NOT))
def test_a_word_that_is_no_table_where_there_is_no_tree(sql):
    assert named(sql, [TABLE]) is None


BLANKS = [pytest.param(blank, id=f"U+{ord(blank):04X}") for blank in sorted(ODD_BLANKS)]


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("sql", ["FROM t", "INSERT INTO u SELECT * FROM t", "DROP TABLE t"])
def test_a_table_behind_an_odd_blank(sql, blank):
    assert named(sql.replace(" ", blank), [TABLE]) is TABLE


@pytest.mark.parametrize("blank", BLANKS)
def test_what_a_statement_makes_behind_an_odd_blank(blank):
    assert created_name("CREATE TEMP TABLE t AS SELECT 1".replace(" ", blank)) == {"t"}


@pytest.mark.parametrize(
    "sql",
    ["from {}", "select {}.a from {}", "insert into u select * from {}", "delete from {}", "drop table {}",
     "update {} set a = 1", "insert into {} values (1)"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["data", "user", "index", "name", "time"])
def test_a_table_called_like_a_keyword(sql, name):
    table = Object("table", name)
    assert named(sql.replace("{}", name), [table]) is table


@pytest.mark.parametrize(
    ("query", "read"),
    [
        pytest.param("from t, u", ["t", "u"], id="both"),
        pytest.param("from T", ["t"], id="case"),
        pytest.param("from main.t, other.u", [], id="qualified"),
        pytest.param("with t as (from u) from t", ["u"], id="a CTE"),
        pytest.param("with t as (from t) from t", ["t"], id="a CTE that reads its namesake"),
        pytest.param("with recursive t as (select 1 union all from t) from t", [], id="a recursive CTE"),
        pytest.param("from (with t as (from u) from t), t", ["t", "u"], id="a CTE further in"),
        pytest.param("pivot t on a using sum(b)", ["t"], id="no tree"),
        pytest.param("select t.u from x t", [], id="an alias"),
        pytest.param("select 't' as u", [], id="a string and a column"),
    ],
)
def test_tables_of_a_query(query, read):
    assert tables(query, ["t", "u"]) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("into z select * from t", ["t"]),
        ("into z select * from main.t", []),
        ("into z select * from t join x using (u)", ["t"]),
        ("using u on true when matched then delete", ["u"]),
    ],
)
def test_tables_of_part_of_a_statement(text, read):
    assert tables_in_text(text, ["t", "u"]) == read


@pytest.mark.parametrize("sql", DO_NOT)
def test_a_word_that_is_no_table_of_this_name(sql):
    assert named(sql, [TABLE]) is None


@pytest.mark.parametrize(
    ("kind", "name", "sql", "expected"),
    [
        ("macro", "m", "select m(1)", True),
        ("macro", "m", "select x.m(1)", False),
        ("macro", "m", "select m", False),
        ("macro", "m", "from m()", True),
        ("macro", "m", "insert into m(a) values (1)", False),
        ("sequence", "s", "select nextval('s')", True),
        ("sequence", "s", "select nextval('temp.s')", True),
        ("sequence", "s", "select nextval('o.s')", False),
        ("sequence", "s", "select 's'", False),
        ("sequence", "s", "drop sequence s", True),
        ("sequence", "s", "drop sequence other.s", False),
        ("type", "mood", "select 'a'::mood", True),
        ("type", "mood", "select cast('a' as mood)", True),
        ("type", "mood", "select 1 as mood", False),
    ],
)
def test_other_kinds(kind, name, sql, expected):
    assert (named(sql, [Object(kind, name)]) is not None) == expected


def test_a_name_with_blanks_quotes_and_letters_of_any_alphabet():
    assert named('FROM "Ma ""tä"""', [Object("table", 'ma "tä"')]) is not None


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("create or replace temp table if not exists a.b.C as select 1", "c"),
        ("create table t(a int)", "t"),
        ("create temp macro m(x) as x", "m"),
    ],
)
def test_what_a_statement_makes(sql, name):
    assert created_name(sql) == {name}


def test_what_makes_nothing():
    assert created_name("select 1") == created_name("") == set()

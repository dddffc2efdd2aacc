"""The cursor context: the role of what is typed, the clause it is in, and the tables that can be named there."""

from __future__ import annotations

import pytest

from md_magic.catalog.snapshot import Column, Snapshot, Table
from md_magic.completion import scope

TABLES = {
    Table("orders"): (Column("id", "BIGINT"), Column("amount", "DOUBLE")),
    Table("customers"): (Column("id", "BIGINT"), Column("email", "VARCHAR")),
}
RESOLVER = scope.Resolver(Snapshot(tables=tuple(TABLES), columns_of=lambda table: TABLES[table]))


def context(text):
    cursor = text.index("|")
    typed = scope.read(text.replace("|", ""), cursor)
    return scope.cursor_context(typed.items, RESOLVER)


@pytest.mark.parametrize(
    ("text", "role", "clause"),
    [
        ("|", "statement", ""),
        ("explain |", "statement", "explain"),
        ("explain analyze |", "statement", "explain"),
        ("create table z as |", "statement", "create"),
        ("from (|", "statement", "from"),
        ("select |", "expression", "select"),
        ("select id |", "operator", "select"),
        ("select id as |", "name", "select"),
        ("select * |", "operator", "select"),
        ("select 2 * |", "expression", "select"),
        ("select o.* |", "operator", "select"),
        ("select id::|", "type", "select"),
        ("select cast(id as |", "type", "select"),
        ("select sum(|", "expression", "select"),
        ("select sum(id |", "operator", "arguments"),
        ("select sum(id) over (|", "expression", "select"),
        ("select sum(id) over (partition |", "operator", "group without by"),
        ("select sum(id) over (partition by id |", "operator", "window"),
        ("select extract(year from |", "expression", "select"),
        ("select * exclude (|) from orders", "expression", "select"),
        ("select case when |", "expression", "select"),
        ("select id from |", "relation", "from"),
        ("select id from orders, |", "relation", "from"),
        ("select id from orders join |", "relation", "from"),
        ("select id from x: |", "relation", "from"),
        ("select id from orders |", "after_relation", "from"),
        ("select id from orders as |", "name", "from"),
        ("select id from orders left |", "after_relation", "join type"),
        ("select id from orders join customers on |", "expression", "on"),
        ("select id from orders join customers on true |", "operator", "on"),
        ("select id from orders join customers using (|", "using", "from"),
        ("select id from orders where |", "expression", "where"),
        ("select id from orders where a is distinct from |", "expression", "where"),
        ("select id from orders group |", "operator", "group without by"),
        ("select id from orders group by |", "expression", "group"),
        ("select id from orders order by id |", "operator", "order"),
        ("select id from orders limit |", "expression", "limit"),
        ("select id from orders limit 1 |", "operator", "limit"),
        ("insert |", "operator", "insert"),
        ("insert into |", "relation", "into"),
        ("insert into orders (|", "column", "into"),
        ("insert into orders values (|", "expression", "values"),
        ("insert into orders values (1) on conflict (|", "column", "on"),
        ("update |", "relation", "update"),
        ("update orders |", "after_relation", "update"),
        ("update orders set |", "column", "set"),
        ("update orders set id |", "operator", "set"),
        ("update orders set id = |", "expression", "set"),
        ("delete from |", "relation", "from"),
        ("delete from orders using |", "relation", "using"),
        ("merge into orders using |", "relation", "using"),
        ("create table |", "name", "create"),
        ("create table z (|", "name", "definition"),
        ("create table z (a |", "type", "create"),
        ("create table z (a int |", "operator", "definition"),
        ("create index i on |", "relation", "on"),
        ("create index i on orders (|", "column", "on"),
        ("create macro m(a) as |", "statement", "create"),
        ("drop table |", "relation", "drop"),
        ("drop schema |", "schema", "drop"),
        ("drop table if exists |", "relation", "drop"),
        ("alter table orders drop column |", "column", "alter"),
        ("alter table orders add column x |", "type", "alter"),
        ("alter table orders rename to |", "name", "alter"),
        ("truncate |", "relation", "truncate"),
        ("use |", "database", "use"),
        ("detach database |", "database", "detach"),
        ("set |", "setting", "set"),
        ("set session |", "setting", "set"),
        ("set threads = |", "expression", "set"),
        ("reset |", "setting", "reset"),
        ("pragma |", "setting", "pragma"),
        ("call |", "called", "call"),
        ("show |", "relation", "show"),
        ("copy |", "relation", "copy"),
        ("copy orders |", "operator", "copy"),
        ("copy orders to |", "name", "copy"),
        ("copy orders (|", "column", "copy"),
        ("attach |", "name", "attach"),
        ("pivot |", "relation", "pivot"),
        ("pivot orders on |", "expression", "on"),
        ("describe |", "relation", "describe"),
        ("with w as (|", "statement", ""),
        ("with w as (select | from orders) from w", "expression", "select"),
    ],
)
def test_the_role_and_the_clause(text, role, clause):
    seen = context(text)
    assert (seen.role, seen.clause) == (role, clause)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("select | from orders o, customers", [["o", "customers"]]),
        ("select (select | from customers) from orders o", [["customers"], ["o"]]),
        ("select 1 from orders union select | from customers", [["customers"]]),
        ("with w as (select | from orders) select 1 from customers", [["orders"]]),
        ("select | from (select id from orders) s join customers using (id)", [["s", "customers"]]),
        ("select | from orders o; select 1 from customers", [["o"]]),
        ("update orders o set id = |", [["o"]]),
        ("merge into orders using customers c on |", [["orders", "c"]]),
        ("insert into orders select | from customers", [["customers"]]),
        ("select | from read_csv('a/b.csv') r, 'x/y.parquet'", [["r", "y"]]),
    ],
)
def test_the_tables_that_can_be_named(text, labels):
    assert [[relation.label for relation in level] for level in context(text).relations] == labels


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("insert into orders (|", "orders"),
        ("update orders set |", "orders"),
        ("delete from orders where |", "orders"),
        ("alter table orders drop column |", "orders"),
        ("create index i on orders (|", "orders"),
        ("copy orders (|", "orders"),
        ("select | from orders", None),
        ("set |", None),
    ],
)
def test_the_table_that_is_changed(text, target):
    relation = context(text).target
    assert (relation.parts if relation is not None else None) == (target and (target,))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("with a as (select 1), b as (select 2) select | ", ["b", "a"]),
        ("with a as (select 1), b as (select |) from b", ["a"]),
        ("with recursive a as (select 1 union all select | from a) from a", ["a"]),
        ("from (with a as (select 1) select |)", ["a"]),
        ("from (with a as (select 1) from a) where |", []),
    ],
)
def test_the_ctes_that_are_known(text, known):
    assert context(text).ctes.names() == known


def test_what_the_select_list_calls_its_columns():
    seen = context("select id as a, amount::int b, c: email, 1 from orders, customers order by |")
    assert seen.aliases == (Column("a", "BIGINT"), Column("b", "INT"), Column("c", "VARCHAR"))
    assert seen.statement == "select"


def test_the_function_whose_arguments_are_typed():
    assert context("select round(|").function == "round"
    assert context("select a in (|").function == "("
    assert context("select (|").function == ""

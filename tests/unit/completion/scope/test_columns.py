"""Columns of relations: of tables, queries, CTEs, frames, and of what the cell creates."""

from __future__ import annotations

import pytest

from md_magic.catalog.snapshot import Column, Snapshot, Table
from md_magic.completion import scope
from md_magic.completion.scope.ctes import CteScope
from md_magic.sql.tokens import tokens

TABLES = {
    Table("orders"): (Column("id", "BIGINT"), Column("amount", "DOUBLE")),
    Table("customers"): (Column("id", "BIGINT"), Column("email", "VARCHAR")),
}
NAMES = Snapshot(tables=tuple(TABLES), columns_of=lambda table: TABLES[table])
RESOLVER = scope.Resolver(NAMES, frames={"people": [Column("age", "INTEGER")]})


def items(sql):
    return scope.nest(tokens(sql)[0])


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select * from orders", ["id BIGINT", "amount DOUBLE"]),
        ("from orders", ["id BIGINT", "amount DOUBLE"]),
        ("select c.* from orders, customers c", ["id BIGINT", "email VARCHAR"]),
        ("select * exclude (id) from orders", ["amount DOUBLE"]),
        ("select * rename (id as o) from orders", ["o BIGINT", "amount DOUBLE"]),
        ("select amount as a, id b, c: id, id::text as d, amount from orders",
         ["a DOUBLE", "b BIGINT", "c BIGINT", "d TEXT", "amount DOUBLE"]),
        ("select sum(amount) from orders", []),
        ("select * from orders as o(x)", ["x BIGINT", "amount DOUBLE"]),
        ("select * from (select id as k from orders) s", ["k BIGINT"]),
        ("((select id from orders))", ["id BIGINT"]),
        ("select id from orders union select email from customers", ["id BIGINT"]),
        ("values (1, 'a'), (2, 'b')", ["col0 ", "col1 "]),
        ("with w as (select id from orders) select * from w", ["id BIGINT"]),
        ("with w(a, b) as (from orders) from w", ["a BIGINT", "b DOUBLE"]),
        ("with w as materialized (from orders), v as (from w) from v", ["id BIGINT", "amount DOUBLE"]),
        ("with orders as (from orders) from orders", ["id BIGINT", "amount DOUBLE"]),
        ("with recursive r as (select 1 as n union all select n + 1 from r) from r", ["n "]),
        ("from range(3)", ["range BIGINT"]),
        ("from range(3) n", ["n BIGINT"]),
        ("from unnest([1])", ["unnest "]),
        ("from people", ["age INTEGER"]),
        ("from nobody", []),
    ],
)  # fmt: skip
def test_the_columns_of_a_query(sql, columns):
    read = RESOLVER.query(items(sql), CteScope())
    assert [f"{column.name} {column.type}" for column in read] == columns


@pytest.mark.parametrize(
    ("statement", "name", "columns"),
    [
        ("create table z (a int, b decimal(3, 1) not null, primary key (a))", "z", ["a INT", "b DECIMAL"]),
        ("create or replace temp view z as select id from orders", "z", ["id BIGINT"]),
        ("create table if not exists s.Z as from orders", "z", ["id BIGINT", "amount DOUBLE"]),
    ],
)
def test_what_a_statement_creates(statement, name, columns):
    created = scope.created([items(statement)], NAMES)
    assert [f"{column.name} {column.type}" for column in created[name]] == columns


@pytest.mark.parametrize(
    "statement", ["create macro z(a) as a", "insert into z values (1)", "create table", "select 1"]
)
def test_what_creates_no_table(statement):
    assert scope.created([items(statement)], NAMES) == {}


def test_a_statement_can_read_what_an_earlier_one_creates():
    statements = [items("create table a as select id as x from orders"), items("create table b as select x y from a")]
    assert scope.created(statements, NAMES)["b"] == [Column("y", "BIGINT")]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("STRUCT(a INTEGER, b VARCHAR)", [Column("a", "INTEGER"), Column("b", "VARCHAR")]),
        ('STRUCT("a b" DECIMAL(18,2), c STRUCT(d INTEGER[]))',
         [Column("a b", "DECIMAL(18, 2)"), Column("c", "STRUCT(d INTEGER[])")]),
        ("INTEGER", []),
        ("STRUCT(", []),
        ("STRUCT(a INTEGER)[]", []),
    ],
)  # fmt: skip
def test_the_fields_of_a_struct(kind, fields):
    assert scope.fields(kind) == fields


def test_a_query_in_ten_thousand_brackets_ends():
    assert scope.read("(" * 10_000 + "select 1", 10_008).prefix == "1"
    assert RESOLVER.query(items("(" * 500 + "select id from orders" + ")" * 500), CteScope()) == [
        Column("id", "BIGINT")
    ]

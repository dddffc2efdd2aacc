"""Every schema, views of all kinds, temporary tables, quoted names, `search_path` and `USE`; and what Tab offers."""

from __future__ import annotations

import pytest

from md_magic.catalog import introspect
from md_magic.catalog.listing import describe, tables
from tests.shell.test_completion import Typing


@pytest.fixture
def kind(database):
    return database.partition("+")[0].partition(":")[0]


def listed(cells, pattern=""):
    return cells.cell(f"%mdsql --tables {pattern}").value[["schema", "name", "kind"]].to_numpy().tolist()


def described(cells, name):
    return cells.cell(f"%mdsql --describe {name}").value[["column", "type"]].to_numpy().tolist()


@pytest.fixture
def other(cells, kind):
    """Return the name of a second schema."""
    if kind == "sqlite":
        cells.sql("ATTACH ':memory:' AS other")
    else:
        cells.sql("DROP SCHEMA IF EXISTS other" + " CASCADE" * (kind == "postgresql"))
        cells.sql("CREATE SCHEMA other")
    yield "other"
    if kind != "sqlite":
        cells.sql("RESET search_path" if kind == "postgresql" else "USE lab")
        cells.sql("DROP SCHEMA other" + " CASCADE" * (kind == "postgresql"))


def test_every_schema_is_listed_and_described(cells, other):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql(f"CREATE TABLE {other}.t (b INTEGER)")
    cells.sql(f"CREATE TABLE {other}.only_there (c INTEGER)")
    names = [(schema == other, name) for schema, name, _ in listed(cells)]
    assert sorted(names) == [(False, "t"), (True, "only_there"), (True, "t")]
    assert [name for name, _ in described(cells, "t")] == ["a"]
    assert [name for name, _ in described(cells, f"{other}.t")] == ["b"]


def test_views_and_temporary_tables(cells):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql("CREATE VIEW seen AS SELECT a FROM t")
    cells.sql("CREATE TEMPORARY TABLE mine (z INTEGER)")
    rows = {name: of for _, name, of in listed(cells)}
    assert (rows["t"], rows["seen"]) == ("table", "view")
    assert rows["mine"] == "temporary table"
    assert [name for name, _ in described(cells, "mine")] == ["z"]


def test_the_tree_has_every_schema_and_temporary_tables(cells, kind, other):
    identifier = cells.magics.session.use().backend.syntax.quoting.identifier
    odd = 'q"u`o:%'
    cells.sql(f"CREATE TABLE shown (a INTEGER); CREATE TABLE {other}.{identifier(odd)} (b INTEGER)")
    cells.sql(f"INSERT INTO {other}.{identifier(odd)} VALUES (7)")
    cells.sql("CREATE VIEW seen AS SELECT a FROM shown; CREATE TEMPORARY TABLE mine (z INTEGER)")
    cells.sql("INSERT INTO mine VALUES (1), (2); CREATE TEMPORARY TABLE shown (hides INTEGER)")
    tree = cells.magics.session.catalog_tree()
    tables = [entry for schema in tree.children(()).entries for entry in tree.children(schema.path).entries]
    named = {entry.path[-1]: entry for entry in tables}
    assert {"shown": "table", "seen": "view", "mine": "table", odd: "table"}.items() <= {
        name: entry.kind for name, entry in named.items()
    }.items()
    assert tree.preview(named[odd].path).rows == (("7",),)
    assert tree.count(named["mine"].path) == 2
    assert [column.path[-1] for column in tree.children(named["mine"].path).entries] == ["z"]
    shown = [entry.path for entry in tables if entry.path[-1] == "shown"]
    columns = sorted(tree.children(path).entries[0].path[-1] for path in shown)
    assert columns == (["hides"] if kind == "mysql" else ["a", "hides"])  # there nothing else can be named


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_materialised_views_partitions_and_exact_types(cells):
    cells.sql("CREATE MATERIALIZED VIEW seen AS SELECT 1.5::numeric(12,2) AS n, 'x'::varchar(5) AS s, ARRAY[1] AS l")
    assert listed(cells) == [["public", "seen", "view"]]
    assert described(cells, "seen") == [["n", "numeric(12,2)"], ["s", "character varying(5)"], ["l", "integer[]"]]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_search_path_says_which_table_is_meant(cells, other):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql(f"CREATE TABLE {other}.t (b INTEGER)")
    cells.sql(f"SET search_path TO {other}, public")
    assert [name for name, _ in described(cells, "t")] == ["b"]
    cells.sql("CREATE TEMPORARY TABLE t (c INTEGER)")
    assert [name for name, _ in described(cells, "t")] == ["c"]
    assert [name for name, _ in described(cells, "public.t")] == ["a"]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("temporary", ["", "TEMPORARY "])
def test_types_are_as_the_server_writes_them(cells, temporary):
    columns = (
        "a BIGINT UNSIGNED NOT NULL DEFAULT 7 COMMENT 'it''s', b DECIMAL(12,2), c ENUM('x','y'), d TIMESTAMP(3) NULL"
    )
    cells.sql(f"CREATE {temporary}TABLE kinds ({columns})")
    assert cells.cell("%mdsql --describe kinds").value.to_numpy().tolist() == [
        ["a", "bigint(20) unsigned", False, "7", "it's"],
        ["b", "decimal(12,2)", True, "", ""],
        ["c", "enum('x','y')", True, "", ""],
        ["d", "timestamp(3)", True, "", ""],
    ]
    shown = cells.sql("SELECT d, a FROM kinds", "--dry-run").value["type"].tolist()
    assert shown == ["timestamp", "bigint unsigned"]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_use_says_which_table_is_meant(cells, other):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql(f"CREATE TABLE {other}.t (b INTEGER)")
    cells.sql(f"USE {other}")
    assert [name for name, _ in described(cells, "t")] == ["b"]
    cells.sql("USE lab")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_the_system_schema_in_use_is_listed(cells):
    assert "user" not in [name for _, name, _ in listed(cells)]
    cells.sql("USE mysql")
    assert ["mysql", "user"] in [[schema, name] for schema, name, _ in listed(cells)]
    assert "Host" in [name for name, _ in described(cells, "user")]
    cells.sql("USE lab")


@pytest.mark.parametrize("name", ["a.b", "Mixed Case", "select", 'q"u`o', "a%b", ":x"])
def test_a_quoted_name_is_listed_and_described(cells, name):
    quoting = cells.magics.session.use().backend.syntax.quoting
    cells.sql(f"CREATE TABLE {quoting.identifier(name)} (a INTEGER)")
    assert [row[1] for row in listed(cells)] == [name]
    doubled = name.replace('"', '""')
    database = cells.magics.session.use()
    assert describe(database, f'"{doubled}"')["column"].tolist() == ["a"]
    assert tables(database, None)["name"].tolist() == [name]


def test_functions_keywords_and_settings_are_those_of_the_database(cells, kind):
    with introspect.on_notebook(cells.magics.session.use()) as introspection:
        functions = {row.name.lower() for row in introspection.functions()}
        keywords = introspection.keywords()
    own = {"postgresql": "string_agg", "mysql": "group_concat", "sqlite": "group_concat"}[kind]
    assert own in functions | keywords
    assert "list_transform" not in functions
    assert {"select", "join", "where"} <= keywords
    assert not {"pivot", "summarize", "qualify", "try_cast"} & keywords


def test_tab_quotes_names_as_the_database_needs_it(cells):
    quoting = cells.magics.session.use().backend.syntax.quoting
    cells.sql(f"CREATE TABLE {quoting.identifier('order items')} (a INTEGER)")
    tab = Typing(cells.ip)
    name = quoting.identifier("order items")
    assert name in tab.until("%%mdsql\nSELECT * FROM ord|", name)


def test_tab_quotes_columns_as_the_database_needs_it(cells):
    quoted = cells.magics.session.use().backend.syntax.quoting.identifier
    cells.sql(f"CREATE TABLE {quoted('order items')} ({quoted('select')} INTEGER, {quoted('sel;f')} INTEGER)")
    tab = Typing(cells.ip)
    text = f"%%mdsql\nSELECT '\"`' AS x, sel| FROM {quoted('order items')}"
    assert quoted("sel;f") in tab.until(text, quoted("select"))
    inner = quoted("order items")[:-3]
    assert quoted("order items") in tab.until(f"%%mdsql\nSELECT * FROM {inner}|", quoted("order items"))
    assert quoted("select") in tab.until(f"%%mdsql\nSELECT o.| FROM {quoted('order items')} AS o", quoted("select"))


def test_tab_offers_functions_keywords_and_types_of_the_database_only(cells, kind):
    cells.sql("CREATE TABLE t (lively INTEGER, pivoted INTEGER)")
    tab = Typing(cells.ip)
    own = {"postgresql": "string_agg", "mysql": "substring_index", "sqlite": "sqlite_version"}[kind]
    assert own in tab.until(f"%%mdsql\nSELECT {own[:6]}| FROM t", own)
    offered = tab.until("%%mdsql\nSELECT li| FROM t", "lively")
    assert offered[0] == "lively"
    assert not {"list", "list_transform", "list_value"} & {*offered}
    assert "pivot" not in {
        word.lower() for word in tab.until("%%mdsql\np|", "prepare" if kind != "sqlite" else "pragma")
    }
    assert "read_csv" not in tab.until("%%mdsql\nSELECT * FROM t|", "t")
    behind = tab.until("%%mdsql\nSELECT * FROM t |", "WHERE")
    assert not {"QUALIFY", "ASOF JOIN", "POSITIONAL JOIN", "USING SAMPLE"} & {*behind}
    assert not {"HUGEINT", "STRUCT"} & {*tab.until("%%mdsql\nSELECT CAST(lively AS |) FROM t", "INTEGER")}

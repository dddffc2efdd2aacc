"""`g.sql` of a grid on real servers: it gives the rows that are seen, or says that no statement surely does."""

from __future__ import annotations

import pytest

from md_magic.display import host
from md_magic.errors import FrameError
from tests.shell.conftest import Shell
from tests.shell.test_grids import see


@pytest.fixture
def widgets(ip, monkeypatch):
    monkeypatch.setattr(host, "host", lambda _: "widgets")
    monkeypatch.setattr(host, "listen_while_busy", lambda _: None)
    ip.run_line_magic("load_ext", "md_magic")
    return Shell(ip)


@pytest.fixture
def seen(widgets, database):
    widgets.cell(f"%mdsql {database}")
    return lambda *args, **seen: restated(widgets, *args, **seen)


@pytest.fixture
def on_postgresql(widgets, postgresql_uri):
    widgets.cell(f"%mdsql {postgresql_uri}")
    return lambda *args, **seen: restated(widgets, *args, **seen)


def restated(shell, sql, *filters, sort=(), columns=None):
    """Return the rows that a grid of *sql* shows, and those of its statement; what is typed is a pair or a text."""
    shell.sql(sql, "--grid -o g")
    g = shell.variables["g"]
    columns = range(len(g.arrow().column_names)) if columns is None else columns
    typed = [one if isinstance(one, tuple) else (0, one) for one in filters]
    see(g, list(columns), [list(one) for one in sort], [list(one) for one in typed])
    expected = g.arrow()
    found = shell.sql(g.sql, "--as arrow").value
    assert (found.column_names, found.to_pylist()) == (expected.column_names, expected.to_pylist())
    return [tuple(row.values()) for row in found.to_pylist()]


def rows(*values):
    return " UNION ALL ".join(f"SELECT {value} AS v" for value in values)


def test_two_columns_of_one_name(seen):
    sql = "SELECT * FROM (SELECT 10 AS id, 2 AS cu UNION ALL SELECT 11, 1 UNION ALL SELECT 12, 3) AS o"
    sql += (
        " JOIN (SELECT 1 AS id, 'Ann' AS name UNION ALL SELECT 2, 'Bob' UNION ALL SELECT 3, 'Cy') AS cu ON o.cu = cu.id"
    )
    assert seen(sql, (2, "= 1")) == [(11, 1, 1, "Ann")]
    assert sorted(seen(sql, (2, "< 3"), columns=[0, 2])) == [(10, 2), (11, 1)]
    assert [row[2] for row in seen(sql, sort=[(2, True)])] == [3, 2, 1]


def test_columns_without_a_name(seen):
    assert seen("SELECT 1, 2, 1 + 2", (1, "= 2"), columns=[1, 2]) == [(2, 3)]


TEXTS = rows("'A'", "'a'", "'B'", "'b'", "'z'", "'a '")


def test_texts_are_compared_by_their_characters(seen):
    assert seen(TEXTS, "= a") == [("a",)]
    assert seen(TEXTS, "> a", sort=[(0, False)]) == [("a ",), ("b",), ("z",)]
    assert sorted(seen(TEXTS, "a")) == [("A",), ("a",), ("a ",)]


def test_bytes_are_compared(seen, database):
    value = r"'\x00ff'::bytea" if database.startswith("postgresql") else "x'00ff'"
    assert seen(rows(value), r"= \x00\xFF") == [(b"\0\xff",)]
    with pytest.raises(FrameError, match="v: the database writes its values otherwise"):
        seen(rows(value), "xff")


def test_the_text_of_a_double_is_its_databases(seen):
    with pytest.raises(FrameError, match="v: the database writes its values otherwise"):
        seen(rows("1e0"), "1.0")


def test_values_of_several_types_have_no_order_of_sqlite(widgets):
    widgets.cell("%mdsql sqlite://")
    with pytest.raises(FrameError, match="v: the database has values of another type"):
        restated(widgets, rows("1", "'x'", "10"), sort=[(0, False)])
    assert restated(widgets, rows("'text'", "x'41'"), sort=[(0, False)])[0] == (b"A",)
    widgets.sql("CREATE TABLE t (v TEXT COLLATE NOCASE); INSERT INTO t VALUES ('A'), ('a')")
    assert restated(widgets, "SELECT v FROM t", "= a") == [("a",)]
    with pytest.raises(FrameError, match="ASCII"):
        restated(widgets, "SELECT v FROM t", "é")


ACCENTS = "SELECT v COLLATE \"en-x-icu\" AS v FROM unnest(array['A', 'a', 'B', 'b', 'z', 'é', 'É']) AS v"


@pytest.mark.parametrize(
    ("sql", "typed"),
    [
        (ACCENTS, "> a"),
        (ACCENTS, "É"),
        (rows("0.1::real"), "= 0.1"),
        (rows("0.1::real"), "< 1e-1"),
        (rows("16777216::real"), "= 16777217"),
        (rows("0.1000000000000000001::numeric"), "= 0.1"),
        (rows("'a'::char(4)"), "= a"),
        (rows("'a'::char(4)", "NULL"), '= "a   "'),
        (rows("'{}'::json", "'[1]'"), "= {}"),
        (rows("'{}'::jsonb", "'[1]'"), "1"),
        (rows("'<a/>'::xml"), "= <a/>"),
        (rows("'(1,2)'::point", "'(0,1)'"), "> (0"),
        (rows("'10.0.0.1'::inet"), "= 10.0.0.1"),
        (rows("true", "false"), "tru"),
        (rows("'2024-01-02 10:00+00'::timestamptz"), "10:00:00+"),
    ],
)
def test_types_of_postgresql(on_postgresql, sql, typed):
    on_postgresql(sql, typed, sort=[(0, False)])


@pytest.mark.parametrize(("typed", "sort"), [((), [(0, False)]), (("= 24:00:00",), ()), (("24",), ())])
def test_intervals_of_postgresql_are_other_values(on_postgresql, typed, sort):
    with pytest.raises(FrameError, match="v: the database"):
        on_postgresql(rows("interval '1 day'"), *typed, sort=sort)


def test_values_of_parameters_have_their_types_on_postgresql(widgets, postgresql_uri):
    widgets.cell(f"%mdsql {postgresql_uri}")
    widgets.variables["u"] = "3e5b1b5e-2f3b-4b5e-8c4e-0123456789ab"
    line = "--grid -o g --param a=[1,2] --param b=b'\\x00' --param d=0.5 --param u=__import__('uuid').UUID(u)"
    widgets.sql(
        "SELECT pg_typeof(:a)::text AS a, pg_typeof(:b)::text AS b, pg_typeof(:d)::text AS d, pg_typeof(:u)::text AS u",
        line,
    )
    types = widgets.sql(widgets.variables["g"].sql).value.iloc[0].tolist()
    assert types == ["integer[]", "bytea", "double precision", "uuid"]

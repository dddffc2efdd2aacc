"""`--profile` on databases that do not compute one: their rows, once, in a private result store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from md_magic.errors import MdMagicError


@pytest.fixture
def filled(cells):
    cells.sql("CREATE TABLE t (id INTEGER, name VARCHAR(20), price DECIMAL(12,2), day DATE, empty INTEGER)")
    rows = (f"({n}, 'n{n % 7}', {n}.50, '2024-01-{1 + n % 28:02}', NULL)" for n in range(1000))
    cells.sql("INSERT INTO t VALUES " + ", ".join(rows))
    return cells


def test_a_profile_has_the_numbers_of_every_row(filled):
    profile = filled.sql("SELECT * FROM t", "--profile").value
    columns = {column.name: column for column in profile.columns}
    assert (profile.rows, profile.exact) == (1000, True)
    assert (columns["id"].smallest, columns["id"].largest, columns["id"].distinct) == (0, 999, 1000)
    assert float(columns["id"].mean) == 499.5
    assert (columns["name"].distinct, columns["name"].nulls) == (7, 0)
    assert columns["empty"].nulls == 1000
    assert float(columns["price"].largest) == 999.5
    assert str(columns["day"].smallest).startswith("2024-01-01")
    assert sum(bar.rows for bar in columns["id"].bins) == 1000


@pytest.mark.parametrize("sql", ["t", "SELECT id, name FROM t WHERE id < :most"])
def test_a_table_and_a_query_with_a_parameter(filled, sql):
    filled.variables["most"] = 10
    assert filled.sql(sql, "--profile").value.rows == (10 if ":" in sql else 1000)


def test_a_quoted_name_is_a_table(filled):
    quoting = filled.magics.session.use().backend.syntax.quoting
    name = quoting.identifier("a b")
    filled.sql(f"CREATE TABLE {name} (a INTEGER)")
    assert filled.cell(f"%%mdsql --profile\n{name}").value.rows == 0


def test_no_rows_and_two_columns_of_one_name(cells):
    profile = cells.sql("SELECT 1 AS i, 'x' AS i FROM (SELECT 1 AS a) q WHERE a = 2", "--profile").value
    assert (profile.rows, [column.name for column in profile.columns]) == (0, ["i", "i_1"])


def test_a_change_is_refused_and_not_made(filled):
    failed = filled.sql("DELETE FROM t", "--profile", error=True)
    assert "--profile looks at the columns of a query or a table, and DELETE is neither" in failed.message
    assert filled.sql("SELECT count(*) AS n FROM t").value["n"].tolist() == [1000]


def test_nothing_is_left_behind(filled):
    filled.sql("SELECT * FROM t", "--profile")
    assert isinstance(filled.sql("SELECT nope FROM t", "--profile", error=True).error, MdMagicError)
    mine = [path for path in Path(tempfile.gettempdir()).glob("md_magic-grid-*") if (path / "rows.db").exists()]
    held = {path for path in mine if str(path) in Path("/proc/self/maps").read_text(encoding="utf-8")}
    assert not held

"""A move from a DuckDB file to a server and back: `--diff` finds nothing where nothing changed, and what did."""

from __future__ import annotations

import pytest

from tests.shell.conftest import Shell

TYPES = """
    id INTEGER PRIMARY KEY, small SMALLINT, big BIGINT, exact DECIMAL(20, 6), approx DOUBLE PRECISION, single REAL, flag BOOLEAN,
    words VARCHAR(200), day DATE, moment TIMESTAMP
"""
ROWS = """
    (1, -32768, 9007199254740993, 12345678901234.500000, 0.1, 0.1, true, 'plain', '2024-02-29', '2024-02-29 12:34:56.789012'),
    (2, 0, -9223372036854775808, -0.000001, -0.0, 1e30, false, '', '1970-01-01', '1969-12-31 23:59:59.999999'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 7, 7, 100, 1e-300, 3.4e38, true, 'é | : '' "quoted"', '0001-01-01', '9999-12-31 00:00:00'),
    (5, 1, 1, 1.1, 123456789.123456789, 0.3333333, false, '1', '9999-12-31', '0001-01-01 00:00:00')
"""


@pytest.fixture
def lab(ip, tmp_path):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql duckdb:///{tmp_path}/here.duckdb --alias here")
    shell.sql(f"CREATE TABLE t ({TYPES})")
    shell.sql(f"INSERT INTO t VALUES {ROWS}")
    return shell


def counts(found):
    return found.rows_here, found.rows_there, found.same, found.only_here, found.only_there, found.changed


@pytest.fixture
def there(lab, database):
    """The same table on another database."""
    lab.cell(f"%mdsql {database} --alias there")
    types = (
        TYPES.replace("TIMESTAMP", "DATETIME(6)").replace("REAL", "FLOAT") if database.startswith("mysql") else TYPES
    )
    types = types.replace("flag BOOLEAN", "flag INTEGER") if database.startswith("sqlite") else types
    lab.sql(f"CREATE TABLE t ({types})")
    lab.sql(f"INSERT INTO t VALUES {ROWS}")
    return lab


def test_what_was_moved_to_postgresql_is_the_same(lab, postgresql_uri):
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.sql(f"CREATE TABLE t ({TYPES})")
    lab.sql(f"INSERT INTO t VALUES {ROWS}")
    found = lab.cell("%mdsql --diff @here:t @there:t").value
    assert found.key == ("id",)
    assert counts(found) == (5, 5, 5, 0, 0, 0)
    assert not found
    lab.sql(
        "UPDATE t SET approx = 0.1 + 1e-16 WHERE id = 1; DELETE FROM t WHERE id = 3; UPDATE t SET words = NULL WHERE id = 2"
    )
    found = lab.cell("%mdsql --diff @here:t @there:t").value
    assert counts(found) == (5, 4, 2, 1, 0, 2)
    assert [column.name for column in found.columns if column.changed] == ["approx", "words"]
    assert "id" in lab.ip.display_formatter.format(found)[0]["text/html"]


@pytest.mark.parametrize(
    ("duckdb", "postgresql"),
    [
        ("TIMESTAMPTZ '2024-01-01 00:00:00.5+00'", "TIMESTAMPTZ '2024-01-01 02:00:00.5+02'"),
        ("TIMESTAMP 'infinity'", "TIMESTAMP 'infinity'"),
        ("DATE '-infinity'", "DATE '-infinity'"),
        ("DATE '0044-03-15 (BC)'", "DATE '0044-03-15 BC'"),
        ("INTERVAL '1 year 2 days 3.5 seconds'", "INTERVAL '1 year 2 days 3.5 seconds'"),
        (r"'\x00\xFF'::BLOB", r"'\x00ff'::bytea"),
        ("'00000000-0000-0000-0000-00000000000a'::UUID", "'00000000-0000-0000-0000-00000000000A'::uuid"),
        ("TIME '12:00:00.5'", "TIME '12:00:00.5'"),
        ("'NaN'::DOUBLE", "'NaN'::float8"),
        ("'-inf'::DOUBLE", "'-Infinity'::float8"),
        ("5e-324::DOUBLE", "5e-324::float8"),
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727::numeric"),
        ("1.5::DECIMAL(5, 3)", "1.5::numeric"),
        ("true", "1"),
        ("'x'::ENUM('x')", "'x'::char(5)"),
        ("NULL", "NULL"),
    ],
)
def test_equal_values_are_equal_across_databases(lab, postgresql_uri, duckdb, postgresql):
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    found = lab.cell(f'%mdsql --diff "@here:SELECT {duckdb} AS x" "@there:SELECT {postgresql} AS x"').value
    assert not found.rows_differ


def test_a_copy_on_each_database_is_compared_exactly(there):
    found = there.cell("%mdsql --diff @here:t @there:t").value
    assert found.key == ("id",)
    assert (found.rows_here, found.rows_there) == (5, 5)
    changed = {column.name for column in found.columns if column.changed}
    assert changed <= {"single", "exact", "day", "moment", "approx"}  # SQLite and MariaDB store some of them otherwise
    there.sql("UPDATE t SET words = 'other' WHERE id = 4")
    after = there.cell("%mdsql --diff @here:t @there:t").value
    assert next(column.changed for column in after.columns if column.name == "words") == 1


def test_a_frame_against_a_server(there):
    frame = there.cell("%mdsql @here SELECT id, words FROM t -- all").value
    there.variables["df"] = frame
    there.cell("%mdsql @there")
    assert not there.cell("%mdsql --diff df 'SELECT id, words FROM t' --on id").value.rows_differ
    there.variables["df"] = frame[frame["id"] != 3]
    found = there.cell("%mdsql --diff df 'SELECT id, words FROM t' --on id").value
    assert counts(found) == (4, 5, 4, 0, 1, 0)


def test_many_rows_against_postgresql(lab, postgresql_uri):
    lab.sql(
        "CREATE TABLE many AS SELECT range::INT AS id, 'name ' || range AS name, range * 0.5 AS x FROM range(200_000)"
    )
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.sql(
        "CREATE TABLE many AS SELECT id, 'name ' || id AS name, id * 0.5 AS x FROM generate_series(0, 199999) AS g(id)"
    )
    assert counts(lab.cell("%mdsql --diff @here:many @there:many --on id").value) == (
        200_000,
        200_000,
        200_000,
        0,
        0,
        0,
    )
    lab.sql("UPDATE many SET name = 'no' WHERE id = 77777; DELETE FROM many WHERE id = 5")
    found = lab.cell("%mdsql --diff @here:many @there:many --on id").value
    assert counts(found) == (200_000, 199_999, 199_998, 1, 0, 1)
    assert found.frame()["id"].tolist() == [5, 77777, 77777]

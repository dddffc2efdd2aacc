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


def compared(lab, postgresql_uri, duckdb, postgresql):
    """Compare a value of each database."""
    lab.sql(f"CREATE TEMPORARY VIEW x AS SELECT {duckdb} AS x")
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.sql(f"CREATE TEMPORARY VIEW x AS SELECT {postgresql} AS x")
    return lab.cell("%mdsql --diff @here:x @there:x").value


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
        ("[1, 2]", "ARRAY[1, 2]"),
        ("[1, NULL]::BIGINT[]", "ARRAY[1, NULL]::int[]"),
        ("['a', 'b,\" ]'', é']", "ARRAY['a', 'b,\" ]'', é']"),
        ("[DATE '2024-01-01']", "ARRAY['2024-01-01'::date]"),
        ("[TIMESTAMP '2024-01-01 12:00:00.500']", "ARRAY['2024-01-01 12:00:00.5'::timestamp]"),
        ("[TIMESTAMPTZ '2024-01-01 00:00:00+00']", "ARRAY['2024-01-01 02:00:00+02'::timestamptz]"),
        ("[0.1::DOUBLE, 1e300, 'nan', '-inf']", "ARRAY[0.1, 1e300, 'NaN', '-Infinity']::float8[]"),
        ("[0.1::FLOAT]", "ARRAY[0.1]::real[]"),
        ("[1.50::DECIMAL(9, 2), 1e20::DECIMAL(38, 2)]", "ARRAY[1.5, 1e20]::numeric[]"),
        (r"['\x00\xFF'::BLOB]", r"ARRAY['\x00ff'::bytea]"),
        ("[[1, 2], [3, 4]]", "ARRAY[[1, 2], [3, 4]]"),
        ("[]::INT[]", "ARRAY[]::int[]"),
        ("[true]", "ARRAY[true]"),
        ("{'a': 1, 'b': [1.5, NULL]}", """'{"b": [1.50, null], "a": 1}'::jsonb"""),
        ("""'{"a":1}'::JSON""", """'{"a": 1}'::jsonb"""),
        ("""'{"a":1e2, "b": [{}]}'::JSON""", """'{"b" : [{ }], "a": 100}'::json"""),
        ("MAP {'a': 1}", """'{"a": 1.0}'::jsonb"""),
        ("{'a': TIMESTAMP '2024-01-01'}", """'{"a": "2024-01-01T00:00:00"}'::jsonb"""),
        ("""'{"a":1}'::JSON""", """'{"a": 1}'::text"""),
        ("[1]", "'[1]'::text"),
    ],
)
def test_equal_values_are_equal_across_databases(lab, postgresql_uri, duckdb, postgresql):
    found = compared(lab, postgresql_uri, duckdb, postgresql)
    assert not found.rows_differ


@pytest.mark.parametrize(
    ("duckdb", "postgresql"),
    [
        ("[1, 2]", "ARRAY[2, 1]"),
        ("[1, NULL]", "ARRAY[1]"),
        ("['NULL']", "ARRAY[NULL]::text[]"),
        ("['1']", "ARRAY[1]"),
        ("[[1], [2]]", "ARRAY[[1, 2]]"),
        ("[]::INT[]", "NULL::int[]"),
        ("{'a': NULL}", "'{}'::jsonb"),
        ("[9007199254740993]", "ARRAY[9007199254740992]"),
        ("[1.5::DECIMAL(38, 20) + 1e-20::DECIMAL(38, 20)]", "ARRAY[1.5]::numeric[]"),
        ("['2024-01-01 00:00:00']", "ARRAY['2024-01-01T00:00:00']"),
        ("""'{"a":1}'::JSON""", """'{"a": "1"}'::jsonb"""),
    ],
)
def test_lists_and_documents_that_differ_are_told_apart_across_databases(lab, postgresql_uri, duckdb, postgresql):
    found = compared(lab, postgresql_uri, duckdb, postgresql)
    assert counts(found) == (1, 1, 0, 1, 1, 0)
    assert any("JSON documents" in note for note in found.notes)


def test_what_our_own_move_wrote_is_the_same(lab, postgresql_uri):
    lab.sql(
        "CREATE TABLE nested AS SELECT range::INT AS id, [range, NULL]::BIGINT[] AS big, ['a' || range] AS words,"
        " [DATE '2024-01-01' + range::INT] AS days, {'a': range, 'b': [0.5], 't': TIMESTAMP '2024-01-01 00:00:00.25',"
        " 'f': (range / 3)::FLOAT} AS r, [range::DECIMAL(9, 2) / 4]::DECIMAL(9, 2)[] AS exact,"
        """ ('{"a":' || range || '}')::JSON AS j, MAP {'k': range} AS m FROM range(5)"""
    )
    lab.variables["df"] = lab.cell("%mdsql --as arrow SELECT * FROM nested").value
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.cell("%mdsql --to nested --frame df --replace")
    found = lab.cell("%mdsql --diff @here:nested @there:nested --on id").value
    assert counts(found) == (5, 5, 5, 0, 0, 0)
    assert "JSON documents" in lab.ip.display_formatter.format(found)[0]["text/plain"]
    lab.sql("UPDATE nested SET words = ARRAY['other'] WHERE id = 3")
    found = lab.cell("%mdsql --diff @here:nested @there:nested --on id").value
    assert counts(found) == (5, 5, 4, 0, 0, 1)
    assert [column.name for column in found.columns if column.changed] == ["words"]
    lab.cell("%mdsql @there")
    assert not lab.cell("%mdsql --diff nested nested").value


@pytest.mark.parametrize(
    ("here", "there", "is_same"),
    [
        ("ARRAY[1.0]", "ARRAY[1.00]", True),
        ("ARRAY[0.0::float8]", "ARRAY['-0'::float8]", True),
        ("ARRAY[[1, 2], [3, 4]]", "ARRAY[1, 2, 3, 4]", False),
        ("ARRAY[interval '1 month']", "ARRAY[interval '30 days']", True),
        ("ARRAY[NULL]::int[]", "ARRAY[0]", False),
        ("ARRAY['a', NULL]", "ARRAY['a']", False),
        ("ARRAY[1, 2]", "ARRAY[1, 2]::bigint[]", True),
        ("""'{"a": 1, "b": 2}'::jsonb""", """'{"b": 2, "a": 1}'::jsonb""", True),
        ("""'[[1], 2]'::jsonb""", """'[[1, 2]]'::jsonb""", False),
    ],
)
def test_postgresql_compares_arrays_as_it_does_itself(lab, postgresql_uri, here, there, is_same):
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.sql(f"CREATE TEMPORARY VIEW x AS SELECT {here} AS x; CREATE TEMPORARY VIEW y AS SELECT {there} AS x")
    found = lab.cell("%mdsql --diff x y").value
    assert found.rows_differ is not is_same


def test_names_on_postgresql(lab, postgresql_uri):
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.sql('CREATE TEMPORARY TABLE aa1 (a int, "A" int, "a,b" int)')
    lab.sql("INSERT INTO aa1 VALUES (1, 2, 3), (2, 2, 4)")
    assert lab.cell("%mdsql --diff aa1 aa1 --on a").value.key == ("a",)
    assert lab.cell("%mdsql --diff aa1 aa1 --on A").value.key == ("A",)
    assert lab.cell("""%mdsql --diff aa1 aa1 --on '"a,b",A'""").value.key == ("a,b", "A")
    found = lab.cell('%mdsql --diff "SELECT 1 AS a, 2 AS a" "SELECT 1 AS a, 3 AS a"').value
    assert counts(found) == (1, 1, 0, 1, 1, 0)
    assert not lab.cell('%mdsql --diff "SELECT 1, 2" "SELECT 1, 2"').value


@pytest.mark.parametrize(
    ("side", "says"),
    [
        ("SELECT 1 AS id; DROP TABLE kept", "2 statements"),
        ("DELETE FROM kept RETURNING *", "is no query"),
        ("WITH d AS (DELETE FROM kept RETURNING *) SELECT * FROM d", "changes something"),
        ("SELECT * INTO made FROM kept", "changes something"),
        ("SELECT 1) AS s, LATERAL (SELECT 2", "is no query"),
        ("SELECT * FROM nope -- x", "LINE 1: SELECT * FROM nope"),
        ("nope", "LINE 1: nope"),
    ],
)
def test_what_a_side_is_on_postgresql(lab, postgresql_uri, side, says):
    lab.cell(f"%mdsql {postgresql_uri} --alias there")
    lab.sql("CREATE TEMPORARY TABLE kept AS SELECT 1 AS id")
    failed = lab.cell(f"%mdsql --diff kept '{side}'", error=True)
    assert says in failed.message
    assert "AS q" not in failed.message
    assert lab.sql("SELECT count(*) AS n FROM kept").value["n"][0] == 1


def test_lists_against_text_and_json_of_any_database(there):
    there.sql("DROP TABLE IF EXISTS docs")
    there.sql("CREATE TABLE docs (id INTEGER, d VARCHAR(100))")
    there.sql("""INSERT INTO docs VALUES (1, '[1.0, "a"]'), (2, '{"b": 2, "a": null}'), (3, 'no JSON')""")
    there.cell("%mdsql @here")
    there.sql(
        """CREATE TABLE docs AS SELECT * FROM (VALUES (1, '[1,"a"]'::JSON), (2, '{"a":null,"b":2}'), (3, '"no JSON"'))"""
        " AS v(id, d)"
    )
    assert counts(there.cell("%mdsql --diff @here:docs @there:docs --on id").value) == (3, 3, 2, 0, 0, 1)


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

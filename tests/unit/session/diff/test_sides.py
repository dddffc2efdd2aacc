"""What stands for a table in a comparison: one query or a name, and nothing else that would run."""

from __future__ import annotations

import pytest

from md_magic.errors import StatementError
from md_magic.session.diff.run import diff
from md_magic.session.diff.sides import Word


@pytest.fixture
def differ(session, run):
    session.use()
    run("CREATE TABLE a AS SELECT 1 AS id; CREATE TABLE b AS SELECT 1 AS id")

    def compare(here, there, variables=None, on=()):
        return diff(session, here, there, variables or {}, on=on, opened=session.use)

    return compare


@pytest.mark.parametrize(
    ("side", "says"),
    [
        ("SELECT 1 AS id; DROP TABLE b", "2 statements"),
        ("SELECT 1 AS id; SELECT 2 AS id", "2 statements"),
        ("DELETE FROM b RETURNING *", "is no query"),
        ('"DELETE FROM b RETURNING *"', "is no query"),
        ("INSERT INTO b VALUES (2) RETURNING id", "is no query"),
        ("/* hi */ UPDATE b SET id = 3", "is no query"),
        ("CALL pragma_table_info('b')", "is no query"),
        ("DROP TABLE b", "is no query"),
        ("EXPLAIN ANALYZE DELETE FROM b", "is no query"),
        ("WITH d AS (DELETE FROM b RETURNING *) SELECT * FROM d", "DELETE|changes something|CTE"),
    ],
)
def test_what_is_not_one_query_is_refused_before_anything_runs(differ, run, side, says):
    for sides in (("a", side), (side, "a")):
        with pytest.raises(StatementError, match=says) as failed:
            differ(*sides)
        assert "column_name" not in str(failed.value)
    assert run("SELECT count(*) AS n FROM b")["n"][0] == 1
    assert run("SELECT id FROM b")["id"][0] == 1


@pytest.mark.parametrize(
    "side",
    [
        "SELECT * FROM b;",
        "SELECT * FROM b; -- c",
        "SELECT * FROM b; /* y */ ;",
        "SELECT * FROM b -- c",
        "/* hi */ SELECT * FROM b",
        "-- hi\nSELECT * FROM b",
        '"/* hi */ SELECT * FROM b"',
        "(SELECT * FROM b)",
        "FROM b",
        "SELECT id FROM b WHERE ';' = ';'",
        "PIVOT (SELECT 'id' AS n, 1 AS v) ON n USING sum(v)",
        "b;",
    ],
)
def test_a_query_may_have_comments_and_a_semicolon(differ, side):
    assert not differ("a", side).rows_differ


@pytest.mark.parametrize(
    ("typed", "name"),
    [("sales", "sales"), ('"call log"', '"call log"'), ("from", "from"), ("values.t", "values.t"), ("b;", "b")],
)
def test_what_is_a_name_stays_one(typed, name):
    assert (Word.read(typed).name, Word.read(typed).query) == (name, "")


@pytest.mark.parametrize(
    ("side", "line"),
    [
        ("nope", "\nLINE 1: nope\n        ^"),
        ("SELECT * FROM nope", "\nLINE 1: SELECT * FROM nope\n                      ^"),
        ("SELECT 1 AS id,\n  nope FROM b", "\nLINE 2:   nope FROM b\n          ^"),
        ("SELECT 'x'::INT AS id", "LINE 1: SELECT 'x'::INT AS id\n"),
        ("SELECT * FROM", "Parser Error"),
    ],
)
def test_an_error_points_into_what_was_typed(differ, side, line):
    with pytest.raises(StatementError) as failed:
        differ("a", side)
    assert line in str(failed.value)
    for ours in ("DESCRIBE", "hash(", "AS q"):
        assert ours not in str(failed.value)


def test_an_error_that_comes_while_rows_are_read_shows_no_sql_of_ours(differ):
    with pytest.raises(StatementError) as failed:
        differ("a", "SELECT s::INT AS id FROM (VALUES ('1'), ('y')) AS v(s)")
    assert "md5" not in str(failed.value)
    assert "hash(" not in str(failed.value)


def test_a_near_name_is_one_of_the_users(session, differ):
    with session.saving("sales_of_2024", "SELECT 1 AS id"):
        pass
    with pytest.raises(StatementError, match='Did you mean "sales_of_2024"'):
        differ("a", "sales_of_2042")


@pytest.mark.parametrize(
    ("here", "there", "counts"),
    [
        ("SELECT 1 AS a, 2 AS a", "SELECT 1 AS a, 2 AS a", (0, 0)),
        ("SELECT 1 AS a, 2 AS a", "SELECT 1 AS a, 3 AS a", (1, 1)),
        (
            "SELECT * FROM (SELECT 1 AS x) AS l JOIN (SELECT 3 AS x) AS r ON true",
            "SELECT * FROM (SELECT 1 AS x) AS l JOIN (SELECT 4 AS x) AS r ON true",
            (1, 1),
        ),
        ("SELECT 1, 2", "SELECT 1, 2", (0, 0)),
    ],
)
def test_columns_of_one_name_are_compared_each(differ, here, there, counts):
    found = differ(here, there)
    assert (found.only_here, found.only_there) == counts
    assert not found.schema_differs
    assert len({column.name for column in found.columns}) == 2
    assert len(found.frame().columns) == 5


def test_the_same_name_in_other_capitals_belongs_to_what_is_written_alike(differ):
    found = differ('SELECT 1 AS a, 2 AS "A"', 'SELECT 2 AS "A", 1 AS a')
    assert not found
    assert differ('SELECT 1 AS a, 2 AS "A"', 'SELECT 2 AS "A", 5 AS a', on=("A",)).key == ("A",)
    assert differ("SELECT 1 AS a", 'SELECT 1 AS "A"', on=("A",)).key == ("a",)


def test_parameters_and_frames_are_read_within_a_side(differ):
    assert not differ("a", "SELECT :n AS id -- :m", {"n": 1}).rows_differ


def test_secrets_in_a_side_are_masked(differ):
    found = differ("SELECT 1 AS a -- postgresql://u:S3cr3tPw@h/db", "SELECT 2 AS a")
    assert "***" in found.here
    assert "S3cr3tPw" not in f"{found!r} {found.notes}"
    with pytest.raises(StatementError) as failed:
        differ("SELECT 1 AS a; SELECT 2 -- postgresql://u:S3cr3tPw@h/db", "a")
    assert "S3cr3tPw" not in str(failed.value)

"""What ran in a session: each statement, however it ended, without secrets, in a bounded list."""

from __future__ import annotations

import contextlib
import threading
import time

import pandas as pd
import pytest

from md_magic.engine.cancellation import Execution, Limit
from md_magic.engine.results.spec import ResultSpec
from md_magic.errors import MdMagicError, QueryTimeout
from md_magic.session import history

LONG = "SELECT count(*) FROM range(100_000_000) a, range(100_000) b WHERE (a.range * b.range) % 7 = 3"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFAYi5jIn0.c2lnbmF0dXJlLW9mLWE"


def kept(session, text=None):
    return session.history.frame(text)


def test_each_statement_is_there_with_its_rows_and_time(session, run):
    before = pd.Timestamp.now()
    run("CREATE TABLE t AS SELECT range AS i FROM range(3); SELECT i FROM t WHERE i > 0")
    run("DELETE FROM t WHERE i = 0")
    frame = kept(session)
    assert frame.columns.tolist() == ["when", "where", "seconds", "rows", "state", "sql"]
    assert frame["rows"].tolist() == [3, 2, 1]
    assert frame["state"].tolist() == ["done"] * 3
    assert frame["sql"].tolist() == [
        "CREATE TABLE t AS SELECT range AS i FROM range(3)",
        "SELECT i FROM t WHERE i > 0",
        "DELETE FROM t WHERE i = 0",
    ]
    assert set(frame["where"]) == {"duckdb:///:memory:"}
    assert ((frame["when"] >= before.floor("us")) & (frame["when"] <= pd.Timestamp.now())).all()
    assert (frame["seconds"] > 0).all()


def test_an_empty_history_is_an_empty_frame_of_the_same_columns(session, run):
    empty = kept(session)
    run("SELECT 1")
    assert len(empty) == 0
    assert empty.dtypes.equals(kept(session).dtypes)


@pytest.mark.parametrize(("form", "rows"), [("pandas", 4), ("polars", 4), ("arrow", 4), ("dict", 4), ("reader", None)])
def test_rows_of_each_form(session, run, form, rows):
    run("SELECT range FROM range(4)", spec=ResultSpec(form=form))
    run("SELECT 1 AS a WHERE false", spec=ResultSpec(form=form))
    assert kept(session)["rows"].astype(object).where(kept(session)["rows"].notna(), None).tolist() == [
        rows,
        None if rows is None else 0,
    ]


def test_what_failed_is_there_also_where_it_cannot_be_parsed(session, run):
    for sql in ("FROM nowhere", "SELEC 1", "SELECT error('x')"):
        with pytest.raises(MdMagicError):
            run(sql)
    frame = kept(session)
    assert frame["sql"].tolist() == ["FROM nowhere", "SELEC 1", "SELECT error('x')"]
    assert frame["state"].tolist() == ["failed"] * 3
    assert frame["rows"].isna().all()


def test_what_was_stopped_says_how(session):
    with session.one_cell(Execution(limit=Limit(0.2, "--timeout 0.2"))), pytest.raises(QueryTimeout):
        list(session.run(LONG, {}))
    execution = Execution()
    threading.Timer(0.2, execution.cancel).start()
    with session.one_cell(execution), pytest.raises(MdMagicError):
        list(session.run(LONG, {}))
    frame = kept(session)
    assert frame["state"].tolist() == ["timed out", "cancelled"]
    assert (frame["seconds"] >= 0.15).all()


def test_a_text_is_looked_for_without_regard_to_case(session, run):
    for sql in ("SELECT 1 AS Duck", "SELECT 2 AS goose", "SELECT 3 AS duckling"):
        run(sql)
    assert kept(session, "DUCK")["sql"].tolist() == ["SELECT 1 AS Duck", "SELECT 3 AS duckling"]
    assert kept(session, "swan").empty


def test_other_databases_and_both_ways_of_looking_are_there(session, run, use):
    use("sqlite://")
    run("SELECT 1 AS a")
    use("duckdb:///:memory:")
    session.profile("SELECT 2 AS b", {})
    session.plan("SELECT 3 AS c", {}, run=True)
    session.plan("SELECT 4 AS d", {}, run=False)  # which runs nothing
    frame = kept(session)
    assert frame["sql"].tolist() == ["SELECT 1 AS a", "SELECT 2 AS b", "SELECT 3 AS c"]
    assert frame["where"].tolist() == ["sqlite://", "duckdb:///:memory:", "duckdb:///:memory:"]


@pytest.mark.parametrize("target", ["duckdb:///:memory:", "sqlite://"])
def test_a_table_that_is_written_is_there_as_its_line(session, use, target):
    use(target)
    session.write("t", "df", pd.DataFrame({"a": [1, 2]}), how="create")
    session.write("t", "df", pd.DataFrame({"a": [3]}), how="append")
    frame = kept(session)
    assert frame["sql"].tolist() == ["%mdsql --to t --frame df", "%mdsql --to t --frame df --append"]
    assert frame["rows"].tolist() == [2, 1]


def test_a_background_query_goes_on_in_the_list(session):
    session.use()
    job = session.start(["SELECT range FROM range(5)"], {}, name="job")
    job.result()
    slow = session.start([LONG], {})
    assert kept(session)["rows"][0] == 5
    assert kept(session)["state"][0] == "done"
    assert kept(session)["state"].tolist()[1] == "running"
    first = kept(session)["seconds"][1]
    time.sleep(0.05)
    assert kept(session)["seconds"][1] > first
    slow.cancel()
    assert kept(session)["state"].tolist()[1] == "cancelled"


@pytest.mark.parametrize(
    ("sql", "secret"),
    [
        (f"SELECT '{JWT}'", JWT),
        ("ATTACH 'postgres://me:hunter2hunter2@nowhere.invalid/db' AS p", "hunter2hunter2"),
        ("-- a comment\nCREATE SECRET s (TYPE s3, KEY_ID 'key-id-1234', SECRET 'very-hidden-1')", "very-hidden-1"),
        ("SELECT 1; CREATE SECRET s (TYPE s3, KEY_ID 'key-id-1234', SECRET 'very-hidden-1')", "very-hidden-1"),
        ("SELEC 'postgres://me:hunter2hunter2@nowhere.invalid/db'", "hunter2hunter2"),
        ("SELECT 'https://nowhere.invalid/x?password=hunter2hunter2'", "hunter2hunter2"),
    ],
)
def test_no_secret_is_kept_nor_shown(session, run, sql, secret):
    with contextlib.suppress(MdMagicError):
        run(sql)
    assert secret not in str([tuple(entry) for entry in session.history._entries])
    assert "***" in " ".join(kept(session)["sql"])


def test_the_list_is_bounded_and_long_sql_is_cut(session, run):
    run("SELECT '" + "x" * 100_000 + "' AS a")
    assert len(kept(session)["sql"][0]) == 20_000
    for number in range(history._MOST_ENTRIES + 5):
        session.history.failed(f"n{number}", None)
    frame = kept(session)
    assert len(frame) == history._MOST_ENTRIES
    assert frame["sql"][0] == "n5"


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER ROLE x PASSWORD '{}'",
        "CREATE SECRET (TYPE s3, SECRET $${}$$)",
        "ATTACH 'host=h password={} user=u' AS p (TYPE postgres)",
        "FROM postgres_scan('host=h password={}', 's', 't')",
        'CREATE USER ann IDENTIFIED BY "{}"',
    ],
)
@pytest.mark.parametrize("password", ["hunter", "S3cr3tPw", "123456", "postgres"])
def test_a_password_is_masked_even_where_it_is_a_word(sql, password):
    assert history._masked(sql.format(password)) == sql.format("***")

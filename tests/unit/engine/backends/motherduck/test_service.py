"""What MotherDuck's answers become, whatever their types are, and that a question never outlives its time."""

from __future__ import annotations

import datetime as dt
import time

import duckdb
import pytest

from md_magic.engine.backends.motherduck import service as motherduck_service
from md_magic.engine.backends.motherduck.service import AccountInfo, MotherDuckService, QueryTook

LONG = "SELECT sum(hash(a.i, b.i) % 7) FROM range(1000000) a(i), range(1000000) b(i)"


@pytest.fixture
def native():
    with duckdb.connect() as made:
        yield made


@pytest.fixture
def service(native):
    with MotherDuckService(native) as made:
        yield made


def connections(native, elapsed):
    native.execute(
        "CREATE OR REPLACE MACRO md_active_server_connections() AS TABLE"
        f" SELECT 'a' AS client_connection_id, 'SELECT 1' AS client_query, {elapsed} AS server_transaction_elapsed_time"
    )


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [
        ("INTERVAL 65 SECONDS", 65.0),
        ("65.5", 65.5),
        ("'00:01:05.5'", 65.5),
        ("'01:00:00'", 3600.0),
        ("'12.5'", None),
        ("'soon'", None),
        ("NULL", None),
        ("true", None),
        ("'nan'::DOUBLE", None),
    ],
)
def test_elapsed_time_in_whatever_type(native, service, elapsed, seconds):
    connections(native, elapsed)
    [query] = service.running()
    assert query == ("a", "SELECT 1", "", seconds, "")


def test_the_question_itself_is_not_listed_and_the_longest_comes_first(native, service):
    native.execute(
        "CREATE MACRO md_active_server_connections() AS TABLE FROM"
        " (VALUES ('a', 1), ('me', 5), ('b', 9)) t(client_connection_id, server_transaction_elapsed_time)"
    )
    native.execute("CREATE MACRO md_current_client_connection_id() AS 'me'")
    assert [query.id for query in service.running()] == ["b", "a"]


def test_a_duckdb_that_knows_none_of_it_is_silent(service):
    assert service.account() == AccountInfo()
    assert service.tokens() == []
    assert service.running() is None
    assert service.stop("11111111-2222-4333-8444-555555555555") is None
    assert service.last_query(1.0) is None
    assert service.repaired("SELECT 1", "no") is None


def test_times_of_tokens_are_in_utc(native, service):
    native.execute(
        "CREATE MACRO md_access_tokens() AS TABLE SELECT 'n' AS token_name, TIMESTAMP '2026-01-02 03:04:05' AS created_ts,"
        " TIMESTAMPTZ '2026-01-02 03:04:05+02' AS expire_at"
    )
    [token] = service.tokens()
    assert token.created == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert token.expires == dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=dt.UTC)


def test_a_question_ends_in_time_and_interrupts_nothing_afterwards(native):
    began = time.monotonic()
    with pytest.raises(duckdb.InterruptException), motherduck_service._limited(native, 0.2):
        native.execute(LONG)
    assert time.monotonic() - began < 20
    with motherduck_service._limited(native, 0.1):
        native.execute("SELECT 1")
    time.sleep(0.2)
    assert native.execute("SELECT count(*) FROM range(20000000)").fetchall() == [(20_000_000,)]


def test_a_last_query_without_figures_has_its_id(native, service):
    native.execute("CREATE MACRO md_last_query_id() AS 'q1'")
    native.execute("CREATE SCHEMA md_information_schema")
    native.execute(
        "CREATE TABLE md_information_schema.recent_queries AS SELECT 'q1' AS query_id, 'pulse' AS instance_type"
    )
    assert service.last_query(5.0) == QueryTook("q1", instance="pulse")
    native.execute("DELETE FROM md_information_schema.recent_queries")
    assert service.last_query(5.0) is None


@pytest.mark.parametrize(
    ("answer", "repaired"),
    [
        ("SELECT 2 AS line_number, 'FROM t' AS line_content", "SELECT 1\nFROM t"),
        ("SELECT 1 AS query", "1"),
        ("SELECT 0 AS line_number, 'x' AS line_content", "SELECT 1\nFORM t"),
        ("SELECT 3 AS line_number, 'x' AS line_content", "SELECT 1\nFORM t"),
        ("SELECT 2 AS line_number, NULL AS line_content", "SELECT 1\nFORM t"),
        ("SELECT 'x' AS line_number, 'x' AS line_content", "SELECT 1\nFORM t"),
        ("SELECT 1 AS other", "SELECT 1\nFORM t"),
        ("SELECT 1 AS line_number, 'x' AS line_content WHERE false", "SELECT 1\nFORM t"),
    ],
)
def test_a_repair_of_a_line_in_whatever_form(native, service, monkeypatch, answer, repaired):
    native.execute(f"CREATE MACRO prompt_fix_line(q) AS TABLE {answer}")
    asked = service._rows
    monkeypatch.setattr(service, "_rows", lambda sql: asked(sql.replace(", error='no ''t''')", ")")))
    assert service.repaired("SELECT 1\nFORM t", "no 't'") == repaired

"""What stops a query besides a signal: a limit, a button, a handle; in any thread. With a real DuckDB."""

from __future__ import annotations

import threading
import time

import duckdb
import pytest

from md_magic.engine.cancellation import Execution, Limit, Watcher
from md_magic.errors import MdMagicError, QueryCancelled, QueryTimeout

LONG = "select count(*) from range(100000000) a, range(1000) b where hash(a.range, b.range) % 7 = 1"
FETCHED = "select i, 'text ' || i as t from range(50_000_000) r(i)"


@pytest.fixture
def watcher():
    made = Watcher()
    yield made
    made.close()


@pytest.fixture
def connection():
    with duckdb.connect() as made:
        made.execute("set threads = 1")
        made.execute("set enable_progress_bar = true; set enable_progress_bar_print = false")
        yield made


def running(connection, **more):
    return Execution("here", interrupt=connection.interrupt, progress=connection.query_progress, **more)


def ended(watcher, run, query, connection, error):
    began = time.monotonic()
    with pytest.raises(error) as caught, watcher.watching(run):
        connection.execute(query).fetchall()
    took = time.monotonic() - began
    assert connection.execute("select 42").fetchall() == [(42,)]
    return str(caught.value), took


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.2])
@pytest.mark.parametrize("query", [LONG, FETCHED], ids=["execution", "fetch"])
def test_a_limit_ends_a_query_when_it_is_reached(watcher, connection, query, seconds):
    limit = Limit(seconds, f"--timeout {seconds:g}")
    said, took = ended(watcher, running(connection, limit=limit), query, connection, QueryTimeout)
    assert took >= seconds
    assert f"cancelled by --timeout {seconds:g} after " in said


def test_an_error_of_a_limit_is_a_timeout_error_and_one_of_ours():
    assert issubclass(QueryTimeout, TimeoutError)
    assert issubclass(QueryTimeout, MdMagicError)
    assert not issubclass(QueryCancelled, KeyboardInterrupt)


def test_a_limit_that_is_not_reached_does_nothing(watcher, connection):
    with watcher.watching(running(connection, limit=Limit(5, "--timeout 5"))) as run:
        assert connection.execute("select 1").fetchall() == [(1,)]
    assert run.stopped is None


def test_the_button_ends_a_query(watcher, connection):
    run = running(connection)
    began = time.monotonic()
    threading.Timer(0.3, run.cancel).start()
    said, _ = ended(watcher, run, LONG, connection, QueryCancelled)
    assert time.monotonic() - began >= 0.3
    assert "cancelled with the button after " in said


def test_a_cancel_before_the_beginning_lets_nothing_run(watcher, connection):
    run = running(connection)
    run.cancel()
    with pytest.raises(QueryCancelled), watcher.watching(run):
        pytest.fail("It ran.")


def test_a_cancel_after_the_end_stops_nothing_else(watcher, connection):
    run = running(connection)
    with watcher.watching(run):
        connection.execute("select 1").fetchall()
    run.cancel()
    assert connection.execute("select sum(range) from range(3000000)").fetchone() == (4499998500000,)


def test_queries_in_other_threads_are_stopped_each_by_itself(watcher, connection):
    errors = {}

    def work(name, run, own):
        try:
            with watcher.watching(run):
                own.execute(LONG).fetchall()
        except MdMagicError as error:
            errors[name] = str(error)

    cursors = [connection.cursor() for _ in range(2)]
    runs = [running(own) for own in cursors]
    threads = [threading.Thread(target=work, args=each) for each in zip("ab", runs, cursors, strict=True)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    runs[0].cancel()
    threads[0].join(60)
    assert list(errors) == ["a"]
    assert threads[1].is_alive()
    runs[1].cancel()
    threads[1].join(60)
    assert sorted(errors) == ["a", "b"]


def test_a_second_statement_is_named_in_the_error(watcher, connection):
    run = running(connection, limit=Limit(0.2, "--timeout 0.2"))
    with pytest.raises(QueryTimeout, match="in statement 2 of 3"), watcher.watching(run):
        run.begin_statement(1, 3)
        connection.execute("select 1").fetchall()
        run.begin_statement(2, 3)
        connection.execute(LONG).fetchall()


def test_the_clock_stands_still_between_two_blocks(watcher, connection):
    run = running(connection, limit=Limit(0.5, "--timeout 0.5"))
    began = time.monotonic()
    with watcher.watching(run):
        time.sleep(0.1)
    time.sleep(0.5)
    with watcher.watching(run):
        assert 0.1 <= run.elapsed <= time.monotonic() - began - 0.5
    assert run.stopped is None


def test_what_is_slow_is_told_once_and_what_is_quick_never(watcher, connection):
    told = []
    with watcher.watching(running(connection, after=0.2, on_slow=lambda: told.append(1))):
        time.sleep(0.5)
    with watcher.watching(running(connection, after=0.2, on_slow=lambda: told.append(2))):
        connection.execute("select 1")
    time.sleep(0.3)
    assert told == [1]


def test_a_screen_that_fails_takes_no_button_with_it(watcher, connection):
    run = running(connection, after=0.0, on_slow=lambda: 1 / 0)
    threading.Timer(0.3, run.cancel).start()
    ended(watcher, run, LONG, connection, QueryCancelled)


def test_per_cent_are_known_where_duckdb_knows_them(watcher, connection):
    connection.execute("create table t as select range i from range(20_000_000)")
    seen = []
    with watcher.watching(running(connection)) as run:
        thread = threading.Thread(target=lambda: connection.execute("select sum(hash(i::varchar)) from t").fetchall())
        thread.start()
        while thread.is_alive():
            seen.append(run.percent)
            time.sleep(0.02)
    known = [share for share in seen if share is not None]
    assert known
    assert all(0 < share <= 100 for share in known)
    assert known == sorted(known)
    assert run.percent is None  # nothing runs


@pytest.mark.parametrize("said", [0.0, -1.0], ids=["nothing done", "nothing known"])
def test_no_per_cent_are_told_where_none_are_known(said):
    assert Execution(progress=lambda: said).percent is None


def test_per_cent_that_stand_still_are_not_told(monkeypatch):
    monkeypatch.setattr("md_magic.engine.cancellation._STUCK", 0.05)
    run = Execution(progress=lambda: 61.0)
    assert run.percent == 61
    time.sleep(0.1)
    assert run.percent is None


def test_the_thread_sleeps_when_there_is_nothing_to_watch_and_wakes(watcher, connection, monkeypatch):
    monkeypatch.setattr("md_magic.engine.cancellation._IDLE", 0.05)
    with watcher.watching(running(connection)):
        pass
    time.sleep(0.4)
    assert not watcher._awake
    run = running(connection)
    threading.Timer(0.2, run.cancel).start()
    ended(watcher, run, LONG, connection, QueryCancelled)
    time.sleep(0.4)
    ended(watcher, running(connection, limit=Limit(0.2, "x")), LONG, connection, QueryTimeout)

"""The interrupt guard, with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import duckdb
import pytest

from md_magic.engine.cancellation import Execution, Watcher
from md_magic.errors import QueryInterrupted

LONG = "select count(*) from range(100000000) a, range(1000) b where hash(a.range, b.range) % 7 = 1"


@pytest.fixture(autouse=True)
def _interruptible():
    """A shell that starts the tests in the background lets them ignore SIGINT."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


class Guard(Watcher):
    def armed(self, interrupt, **more):
        return self.watching(Execution(interrupt=interrupt, **more))


@pytest.fixture
def guard():
    made = Guard()
    yield made
    made.close()


@pytest.fixture
def connection():
    with duckdb.connect() as made:
        made.execute("set threads = 1")
        yield made


def signal_after(seconds):
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3])
def test_an_interrupt_stops_a_query_and_leaves_the_connection_usable(guard, connection, moment):
    connection.execute("create temp table kept as select 1 as a")
    with pytest.raises(QueryInterrupted, match="still usable"), guard.armed(connection.interrupt):
        signal_after(moment)
        connection.execute(LONG).fetchall()
    assert connection.execute("from kept").fetchall() == [(1,)]


def test_the_next_query_is_not_interrupted_by_the_last_signal(guard, connection):
    for _ in range(20):
        with pytest.raises(QueryInterrupted), guard.armed(connection.interrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.001)
        with guard.armed(connection.interrupt):
            assert connection.execute("select sum(range) from range(300000)").fetchone() == (44999850000,)


def test_the_handlers_are_as_they_were_after_a_block(guard, connection):
    handler = signal.getsignal(signal.SIGINT)
    with guard.armed(connection.interrupt):
        assert signal.getsignal(signal.SIGINT) is not handler
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.set_wakeup_fd(-1) == -1


def test_another_signal_reaches_whoever_listened_before(guard, connection):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.set_wakeup_fd(writer)
    try:
        with guard.armed(connection.interrupt):
            os.kill(os.getpid(), signal.SIGUSR1)
            assert os.read(reader, 1) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(-1) == writer
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, previous)
        os.close(reader)
        os.close(writer)


def test_an_error_of_the_query_is_left_alone(guard, connection):
    with pytest.raises(duckdb.ParserException), guard.armed(connection.interrupt):
        connection.execute("selecct")


def test_one_watcher_serves_every_query(guard, connection):
    before = threading.active_count()
    for _ in range(50):
        with guard.armed(connection.interrupt):
            connection.execute("select 1").fetchall()
    assert threading.active_count() == before + 1


def test_outside_the_main_thread_a_block_is_a_plain_block(guard, connection):
    seen = []

    def run():
        with guard.armed(connection.interrupt):
            seen.append(connection.execute("select 1").fetchone())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(1,)]


FOREIGN = """
import ctypes, importlib, os, signal, sys
seen = []
handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(seen.append)  # as R has one, with Python inside
ctypes.CDLL(None).signal(signal.SIGINT, handler)
del sys.modules["_signal"]
importlib.import_module("_signal")  # takes the handlers anew, as at a start
assert signal.getsignal(signal.SIGINT) is None
from md_magic.engine.cancellation import Execution, Watcher
with Watcher().watching(Execution(interrupt=print)):
    os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGINT)
print(len(seen))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are other ones there")
def test_a_handler_of_somebodys_c_code_is_left_in_place():
    ran = subprocess.run([sys.executable, "-c", FOREIGN], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("2\n", "")

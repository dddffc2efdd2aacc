"""The thread that reads: when it begins, when it steps back, how it ends."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from md_magic.catalog.worker import Worker


class Reads:
    """A reading that lasts until it is let go, and counts itself."""

    def __init__(self):
        self.count, self.interrupts = 0, 0
        self.began, self.go_on = threading.Event(), threading.Event()
        self.worker = Worker(self.read, self.interrupt)

    def read(self):
        self.count += 1
        self.began.set()
        self.go_on.wait(10)

    def interrupt(self):
        self.interrupts += 1
        self.go_on.set()

    def wait(self):
        with self.worker.condition:
            assert self.worker.condition.wait_for(lambda: not self.worker.is_reading, 10)


@pytest.fixture
def reads():
    made = Reads()
    yield made
    made.go_on.set()
    made.worker.close(10)


def test_no_thread_runs_until_it_is_woken(reads):
    assert not [thread for thread in threading.enumerate() if thread.name == "md_magic catalog"]
    reads.worker.wake(hurry=True)
    assert reads.began.wait(10)
    assert not reads.worker.is_current


def test_what_is_not_stale_is_not_read_again(reads):
    reads.go_on.set()
    reads.worker.wake(hurry=True)
    assert reads.began.wait(10)
    reads.wait()
    reads.worker.wake(hurry=True)
    assert (reads.count, reads.worker.is_stale) == (1, False)


def test_a_pause_interrupts_the_reading_and_waits_for_its_end(reads):
    reads.worker.wake(hurry=True)
    assert reads.began.wait(10)
    reads.worker.pause(10)
    assert not reads.worker.is_reading
    assert reads.interrupts > 0
    assert not reads.worker.may_read


def test_a_pause_does_not_wait_for_ever(reads):
    reads.interrupt = lambda: None
    reads.worker._interrupt = lambda: None
    reads.worker.wake(hurry=True)
    assert reads.began.wait(10)
    reads.worker.pause(0.05)
    assert reads.worker.is_reading


def test_pauses_nest(reads):
    reads.worker.pause(1)
    reads.worker.pause(1)
    reads.worker.resume()
    assert not reads.worker.may_read
    reads.worker.resume()
    assert reads.worker.may_read


def test_nothing_is_read_while_that_is_forbidden(reads):
    reads.worker.is_forbidden = True
    reads.worker.wake(hurry=True)
    assert not reads.began.wait(0.2)
    reads.worker.is_forbidden = False
    reads.worker.wake(hurry=True)
    assert reads.began.wait(10)


def test_a_reading_steps_back_when_it_breathes():
    stepped_back, began, go_on = [], threading.Event(), threading.Event()

    def read():
        began.set()
        go_on.wait(10)
        try:
            worker.breathe()
        except RuntimeError as error:
            stepped_back.append(str(error))

    worker = Worker(read, go_on.set)
    worker.wake(hurry=True)
    assert began.wait(10)
    worker.pause(10)
    assert stepped_back == ["A statement is about to run."]
    worker.breathe()  # only the worker's thread steps back
    worker.close(10)


def test_closing_ends_the_thread(reads):
    reads.worker.wake(hurry=True)
    assert reads.began.wait(10)
    reads.worker.close(10)
    reads.worker.close(10)
    reads.worker._thread.join(10)
    assert not reads.worker._thread.is_alive()
    assert reads.worker.is_closed
    reads.worker.wake(hurry=True)
    assert not reads.worker._thread.is_alive()


ENDS = """
import time
from md_magic.catalog.worker import Worker
import duckdb
connection = duckdb.connect()
def read():
    try:
        connection.execute("SELECT count(*) FROM range(100_000_000_000)").fetchall()
    except duckdb.InterruptException:
        print("stopped")
worker = Worker(read, connection.interrupt)
worker.wake(hurry=True)
time.sleep(0.3)
"""


def test_a_process_that_ends_stops_a_read_first():
    """A daemon thread that is within DuckDB by then aborts the process."""
    ran = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "stopped\n", "")

"""What a handle that the notebook keeps holds on to: its result, and not the connection that gave it."""

from __future__ import annotations

import gc
import threading

import pytest

from md_magic.engine.database import Database
from md_magic.errors import QueryCancelled


def databases():
    for thread in threading.enumerate():
        if thread.name.startswith("mdsql-job"):
            thread.join(60)
    gc.collect()
    return sum(type(one) is Database for one in gc.get_objects())


def test_a_handle_that_is_kept_holds_no_connection(shell):
    shell.sql("SELECT 1")
    before = databases()
    assert before > 0
    for number in range(3):
        shell.sql("SELECT 42 AS a", f"--background -o job{number}")
    assert [shell.variables[f"job{number}"].result().a[0] for number in range(3)] == [42] * 3
    assert databases() == before


def test_a_handle_that_is_bound_shows_itself(shell):
    ran = shell.sql("SELECT 42 AS a", "--background -o job")
    assert ran.value is None
    shell.variables["job"].wait(10)
    assert len(ran.displayed) + ran.printed.count("<job ·") == 1
    quiet = shell.sql("SELECT 42 AS a", "--background -o job --quiet")
    assert (quiet.value, quiet.printed, quiet.displayed) == (None, "", [])


def test_the_live_line_of_a_job_keeps_no_result_and_closes_with_its_cell(notebook):
    notebook.sql("SET threads = 1")
    ran = notebook.sql("SELECT count(*) AS n FROM range(40_000_000) WHERE hash(range) % 7 = 3", "--background -o job")
    assert "application/vnd.jupyter.widget-view+json" in ran.displayed[0].data
    job = notebook.variables.pop("job")
    [output] = notebook.magics.on_screen._open
    line = output.output()
    assert line._widget.view["state"] == "running"
    job.result()
    for thread in threading.enumerate():
        if thread.name == "mdsql-job-screen":
            thread.join(10)
    assert line._job is None
    assert (line._widget.view["name"], line._widget.view["state"]) == ("job", "done")
    assert "1 row × 1 column" in line._widget.view["text"]
    notebook.request = {"header": {"msg_id": "2"}, "metadata": {"cellId": "b"}}
    notebook.sql("SELECT 1")
    assert line._widget is not None
    notebook.request = {"header": {"msg_id": "3"}, "metadata": {"cellId": "a"}}
    notebook.ip.run_cell("1 + 1")
    assert line._widget is None


def test_the_button_of_a_job_cancels_it(notebook):
    notebook.sql("SELECT sum(hash(a.range, b.range)) FROM range(10_000_000) a, range(100_000) b", "--background -o job")
    [output] = notebook.magics.on_screen._open
    line = output.output()
    line._on_message(line._widget, {"type": "hello"}, [])
    line._on_message(line._widget, {"type": "cancel"}, [])
    job = notebook.variables["job"]
    with pytest.raises(QueryCancelled, match="cancelled with the button after"):
        job.result(10)
    line._on_message(line._widget, {"type": "cancel"}, [])  # too late: nothing happens
    assert job.state == "cancelled"


@pytest.mark.parametrize(
    ("messages", "stays"),
    [
        ([{"type": "hello", "page": "a"}, {"type": "seen", "page": "a"}], False),
        ([{"type": "seen", "page": "a"}], False),
        ([{"type": "hello", "page": "a"}], True),
        ([{"type": "hello", "page": "b", "again": True}, {"type": "seen", "page": "b", "again": True}], True),
        ([{"type": "hello", "page": "a"}, {"type": "hello", "page": "b"}, {"type": "seen", "page": "a"}], True),
        ([{}, {"type": ["seen"]}, {"page": {"a": 1}}], True),
    ],
    ids=["its own page", "a lost hello", "no page", "loaded again", "two windows", "odd messages"],
)
def test_the_line_is_closed_once_its_page_has_seen_the_end(notebook, messages, stays):
    notebook.sql("SELECT count(*) AS n FROM range(20_000_000) WHERE hash(range) % 7 = 3", "--background -o job")
    [output] = notebook.magics.on_screen._open
    line = output.output()
    notebook.variables["job"].result()
    line.draw()
    for message in messages:
        line._on_message(line._widget, message, [])
    assert (line._widget is not None) is stays

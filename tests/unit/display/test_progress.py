"""The line that shows what runs: its words, in a terminal, and that a quick query has none."""

from __future__ import annotations

import io
import sys
import threading
import time

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from md_magic.display import progress
from md_magic.display.progress import Live, View


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (pd.DataFrame({"a": range(1_234_567), "b": 1}), "1,234,567 rows × 2 columns"),
        (pl.DataFrame({"a": [1]}), "1 row × 1 column"),
        (pa.table({"a": [1, 2], "b": [1, 2]}), "2 rows × 2 columns"),
        ({"a": [1, 2, 3]}, "3 rows × 1 column"),
        ({}, "0 rows × 0 columns"),
        (pa.table({"a": [1, 2], "b": [1, 2]}).to_reader(), "2 columns"),
        (None, ""),
    ],
    ids=["pandas", "polars", "arrow", "dict", "no columns", "reader", "nothing"],
)
def test_the_size_of_a_result_is_told_in_every_form(value, said):
    assert progress.size(value) == said


def test_a_status_says_what_there_is_to_say():
    assert progress.status("3 rows inserted", 2.1, "md:my_db") == "3 rows inserted · 2.1 s · md:my_db"
    assert progress.status("", 2.1, "md:my_db") == "2.1 s · md:my_db"


def test_a_line_of_text_has_a_bar_only_where_the_share_is_known():
    view = View(target="md:my_db", elapsed=12.0, percent=50.0, rows=1_200_000, statement=2, of=3)
    half = "█" * 12 + "░" * 12
    said = f"{half}  50 % · 12.0 s · 1,200,000 rows · statement 2 of 3 · md:my_db · Ctrl-C cancels"
    assert progress.as_text(view, stop="Ctrl-C cancels") == said
    assert progress.as_text(View(target="md:", elapsed=1.0), stop="x") == "1.0 s · md: · x"
    assert "stopping" in progress.as_text(View(target="md:", elapsed=1.0, stopping=True), stop="x")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def live(host="terminal", views=None):
    views = iter(views or [])
    last = View(target="here", elapsed=1.0)
    return Live(lambda: host, lambda: next(views, last), print)


def drawing():
    return [thread for thread in threading.enumerate() if thread.name == "mdsql-progress"]


def ended():
    """Wait for the threads that draw, and tell whether they have ended."""
    for thread in drawing():
        thread.join(10)
    return not drawing()


def test_a_terminal_has_a_line_that_leaves_nothing(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "_TICK", 0.01)
    shown = live(views=[View(target="a long name of a target", elapsed=1.0)])
    shown.start()
    while "\r1.0 s · here" not in terminal.getvalue():
        assert drawing()
        time.sleep(0.01)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown.finish("5 rows · 1.0 s · here")
    assert ended()
    written = terminal.getvalue()
    assert "\r1.0 s · a long name of a target · Ctrl-C cancels" in written
    screen = ""
    for piece in written.split("\r"):
        screen = piece + screen[len(piece) :]
    assert not screen.strip()
    assert written.endswith("\r")
    assert capsys.readouterr().out == "5 rows · 1.0 s · here\n"


def test_elsewhere_only_the_status_is_printed(capsys):
    shown = live("stdin")
    shown.start()
    assert ended()
    shown.finish("a status", said="3 rows")
    assert capsys.readouterr() == ("a status\n", "")


@pytest.mark.parametrize("host", ["batch", "terminal"])
def test_where_nobody_looks_standard_output_has_no_time(capsys, host):
    shown = live(host)
    shown.finish("3 rows · 1.0 s", said="3 rows")
    assert capsys.readouterr() == ("3 rows\n", "3 rows · 1.0 s\n")
    shown.finish("3 rows", said="3 rows")
    assert capsys.readouterr() == ("3 rows\n", "")


def test_a_batch_run_of_a_kernel_has_no_status(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_in_kernel", lambda: True)
    live("batch").finish("3 rows · 1.0 s", said="3 rows")
    assert capsys.readouterr() == ("3 rows\n", "")


def test_what_is_not_a_terminal_gets_no_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    shown = live()
    shown.start()
    assert ended()
    shown.finish("")
    assert capsys.readouterr().out == ""


def test_a_line_that_was_not_started_costs_no_thread(capsys):
    before = threading.active_count()
    shown = live()
    assert threading.active_count() == before
    shown.finish("")
    assert capsys.readouterr().out == ""


def test_a_line_that_fails_is_no_failure_of_the_query(capsys):
    shown = Live(lambda: 1 / 0, print, print)
    shown.start()
    assert ended()
    shown.finish("done")
    assert capsys.readouterr().out == "done\n"

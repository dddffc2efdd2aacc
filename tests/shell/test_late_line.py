"""The live line of a query that ends while its widget is being made."""

from __future__ import annotations

import threading
import time

from ipywidgets.widgets import widget

from md_magic.progress import Live, View


def left_by(live):
    before = set(widget._instances)
    live.start()
    while [thread for thread in threading.enumerate() if thread.name == "mdsql-progress"]:
        time.sleep(0.01)
    return set(widget._instances) - before


def test_a_line_that_comes_too_late_leaves_no_widget(ip):
    assert ip
    live = Live(lambda: live.over("") or "widgets", lambda: View(target="here", elapsed=1.0), print)
    assert not left_by(live)


def test_a_line_that_cannot_be_shown_leaves_no_widget(ip):
    assert ip
    live = Live(lambda: "widgets", lambda: 1 / 0, print)
    assert not left_by(live)

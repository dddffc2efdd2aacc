"""The live line of a query that ends while its widget is being made."""

from __future__ import annotations

import threading
import time

from ipywidgets.widgets import widget

from md_magic.display.progress import Live, View


def alive():
    """Return the ids of all widgets: ipywidgets 7 keeps them at another place."""
    return widget._instances if hasattr(widget, "_instances") else widget.Widget.widgets


def left_by(live):
    before = set(alive())
    live.start()
    while [thread for thread in threading.enumerate() if thread.name == "mdsql-progress"]:
        time.sleep(0.01)
    return set(alive()) - before


def test_a_line_that_comes_too_late_leaves_no_widget(ip):
    assert ip
    live = Live(lambda: live.finish("") or "widgets", lambda: View(target="here", elapsed=1.0), print)
    assert not left_by(live)


def test_a_line_that_cannot_be_shown_leaves_no_widget(ip):
    assert ip
    live = Live(lambda: "widgets", lambda: 1 / 0, print)
    assert not left_by(live)

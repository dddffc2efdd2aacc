"""What a handle that the notebook keeps holds on to: its result, and not the connection that gave it."""

from __future__ import annotations

import gc
import threading

from md_magic.engines import Database


def databases():
    for thread in threading.enumerate():
        if thread.name.startswith("mdsql-job"):
            thread.join(5)
    gc.collect()
    return sum(type(one) is Database for one in gc.get_objects())


def test_a_handle_that_is_kept_holds_no_connection(shell):
    shell.sql("SELECT 1")
    before = databases()
    for number in range(3):
        shell.sql("SELECT 42 AS a", f"--background -o job{number}")
    assert [shell.variables[f"job{number}"].result().a[0] for number in range(3)] == [42] * 3
    assert databases() == before

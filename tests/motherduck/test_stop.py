"""Stopping a query on MotherDuck tells the server too, from a second connection, and never the next query."""

from __future__ import annotations

import time

import pytest

from md_magic.errors import QueryTimeout

LONG = "SELECT sum(hash(a.i, b.i) % 7) FROM range(1000000) a(i), range(1000000) b(i)"


@pytest.fixture
def shell(motherduck, monkeypatch, ip):
    account = motherduck.add_account("ann@example.com")
    monkeypatch.setenv("motherduck_token", account.token)
    ip.run_line_magic("load_ext", "md_magic")
    return ip


def test_the_server_is_told_once_from_another_connection(motherduck, shell):
    own = shell.run_cell_magic("mdsql", "md:my_db", "SELECT md_current_client_connection_id()::VARCHAR AS id")["id"][0]
    with pytest.raises(QueryTimeout):
        shell.run_cell_magic("mdsql", "--timeout 0.4", LONG)
    assert shell.run_cell_magic("mdsql", "", "SELECT 42 AS i")["i"][0] == 42
    deadline = time.monotonic() + 5
    while not motherduck.recorded("interrupt") and time.monotonic() < deadline:
        time.sleep(0.02)
    [told] = motherduck.recorded("interrupt")
    assert told["by"] != own
    assert own in told["parameters"][0]


def test_a_query_that_is_not_stopped_tells_the_server_nothing(motherduck, shell):
    shell.run_cell_magic("mdsql", "md:my_db --timeout 20", "SELECT 1")
    assert not motherduck.recorded("interrupt")


def test_what_a_stop_on_the_server_does_to_a_transaction_is_said(shell):
    shell.run_cell_magic("mdsql", "md:my_db", "CREATE TABLE kept (a INT); BEGIN; INSERT INTO kept VALUES (1)")
    with pytest.raises(QueryTimeout) as stopped:
        shell.run_cell_magic("mdsql", "--timeout 0.4", LONG)
    note = "".join(stopped.value.__notes__)
    assert "rolls the open transaction back: what ran in it before is undone." in note
    state = shell.run_line_magic("mdsql", "--connections")["state"][0]
    assert ("Run ROLLBACK before anything else." in note) == (state == "in transaction")
    if state == "in transaction":
        shell.run_cell_magic("mdsql", "", "ROLLBACK")
    assert shell.run_cell_magic("mdsql", "", "SELECT count(*) AS n FROM kept")["n"][0] == 0


def test_a_transaction_that_the_server_did_not_touch_is_not_said_to_be_undone(motherduck, shell):
    motherduck.be(lists_running=False)
    shell.run_cell_magic("mdsql", "md:my_db", "CREATE TABLE kept (a INT); BEGIN; INSERT INTO kept VALUES (1)")
    with pytest.raises(QueryTimeout) as stopped:
        shell.run_cell_magic("mdsql", "--timeout 0.4", LONG)
    note = "".join(stopped.value.__notes__)
    assert "undone" not in note
    assert "still open" in note or "ROLLBACK" in note


def test_without_a_transaction_nothing_is_said_of_one(shell):
    shell.run_cell_magic("mdsql", "md:my_db", "SELECT 1")
    with pytest.raises(QueryTimeout) as stopped:
        shell.run_cell_magic("mdsql", "--timeout 0.4", LONG)
    assert "transaction" not in "".join(getattr(stopped.value, "__notes__", []))

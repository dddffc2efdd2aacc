"""Stopping a query on MotherDuck tells the server too, from a second connection, and never the next query."""

from __future__ import annotations

import time

import pytest

from md_magic.errors import QueryTimeout

pytest_plugins = ("md_standin.fixtures",)

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

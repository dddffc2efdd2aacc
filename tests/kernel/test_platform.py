"""Real kernels on MotherDuck's stand-in: what a dead one left is found and stopped, and a repair is asked for once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.motherduck.standin.fixtures import PYTHONPATH, motherduck  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.kernel_client import Kernel
    from tests.motherduck.standin.service import Account, Service

pytestmark = pytest.mark.kernel

LONG = "SELECT sum(hash(a.i, b.i) % 7) AS n FROM range(1000000) a(i), range(1000000) b(i)"


@pytest.fixture
def ann(motherduck: Service, monkeypatch: pytest.MonkeyPatch) -> Account:  # noqa: F811
    account = motherduck.add_account("ann@example.com")
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.setenv("motherduck_token", account.token)
    return account


def until_listed(kernel: Kernel) -> str:
    """List what runs until something does; return its id."""
    deadline = time.monotonic() + 60
    kernel.run("%mdsql md:my_db SELECT 1")
    while time.monotonic() < deadline:
        kernel.run("found = %mdsql --running")
        reply = kernel.run("print(*found['id'])")
        if len(ids := reply.text.split()) == 1:
            return ids[0]
        time.sleep(0.1)
    raise TimeoutError


def test_what_a_dead_kernel_left_is_found_and_ended(
    motherduck: Service,  # noqa: F811
    ann: Account,
    start_kernel: Callable[[], Kernel],
) -> None:
    first, second = start_kernel(), start_kernel()
    first.begin(f"%%mdsql md:my_db\n{LONG}")
    running = until_listed(second)
    first.restart(kill=True)
    assert until_listed(second) == running
    shown = second.run("print(found['query'][0])").text
    assert "range(1000000)" in shown
    assert ann.token.rpartition(".")[2] not in shown
    assert (
        second.run(f"%mdsql --stop {running[:8]}").text == f"{running} was stopped. Its transaction is rolled back.\n"
    )
    assert motherduck.is_interrupted(running)
    assert second.run("print(len(get_ipython().run_line_magic('mdsql', '--running')))").text == "0\n"


def test_a_query_of_a_living_kernel_is_stopped_and_its_cell_ends(
    ann: Account,
    start_kernel: Callable[[], Kernel],
) -> None:
    assert ann.email
    first, second = start_kernel(), start_kernel()
    request = first.begin(f"%%mdsql md:my_db\n{LONG}")
    running = until_listed(second)
    second.run(f"%mdsql --stop {running}")
    reply = first.finish(request)
    assert reply.status == "error"
    assert "nterrupt" in reply.text
    assert "42" in first.run("%mdsql SELECT 42").text


def test_a_repair_is_explained_first_and_then_shown(
    motherduck: Service,  # noqa: F811
    ann: Account,
    start_kernel: Callable[[], Kernel],
) -> None:
    assert ann.email
    motherduck.be(fix_line=(1, "SELECT name FROM ducks"))
    kernel = start_kernel()
    assert kernel.run("%mdsql md:my_db SELECT nam FROM ducks").status == "error"
    refused = kernel.run("%mdsql --fix")
    assert refused.error == "OptionError"
    assert "needs a person who agrees" in refused.text
    kernel.attended = True
    assert "Nothing has been sent yet, and nothing is ever run." in kernel.run("%mdsql --fix").text
    assert not motherduck.recorded("model")
    shown = kernel.run("%mdsql --fix")
    assert "-SELECT nam FROM ducks\n+SELECT name FROM ducks" in shown.text
    assert "class='added'" in shown.outputs[-1]["data"]["text/html"]
    assert len(motherduck.recorded("model")) == 1
    assert kernel.run("_.repaired").text == "'SELECT name FROM ducks'"

"""A real kernel asks its front end whether it has widgets, and goes by the answer, or by none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.kernel_client import Kernel

pytestmark = pytest.mark.kernel

WIDGET = "application/vnd.jupyter.widget-view+json"
GRID = "%%mdsql --grid\nSELECT i AS n FROM range(30) t(i)"


@pytest.fixture
def kernel(start_kernel: Callable[[], Kernel], monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel with a person before it, of whose front end nothing is known."""
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    kernel = start_kernel()
    kernel.attended = True
    return kernel


def asked(kernel: Kernel) -> dict[str, object]:
    """Run a first cell, and return what the kernel asks its front end in it."""
    request = kernel.client.execute("1 + 1", allow_stdin=True)
    kernel.reply(request)
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "comm_open":
            return dict(message["content"])


def answer(kernel: Kernel, message_type: str, content: dict[str, object]) -> None:
    kernel.client.shell_channel.send(kernel.client.session.msg(message_type, content))


def grids(kernel: Kernel) -> tuple[bool, bool]:
    """Return whether a grid has a widget, and whether the first rows stand there as a table."""
    outputs = kernel.run(GRID).outputs
    has_widget = any(WIDGET in output.get("data", {}) for output in outputs)
    return has_widget, any("The first 20 of 30 rows" in str(output.get("data")) for output in outputs)


def knows(kernel: Kernel) -> str:
    return kernel.run("get_ipython().magics_manager.registry['MdsqlMagics'].front_end.has_widgets").text


def test_a_widget_that_answers_has_grids_and_the_question_is_closed(kernel: Kernel) -> None:
    question = asked(kernel)
    assert question["target_name"] == "jupyter.widget"
    data = {"method": "custom", "content": {"type": "here"}}
    answer(kernel, "comm_msg", {"comm_id": question["comm_id"], "data": data})
    assert knows(kernel) == "'yes'"
    assert grids(kernel) == (True, True)
    open_comms = kernel.run(
        "from ipykernel.comm import CommManager\nfrom comm import get_comm_manager\nlist(get_comm_manager().comms)"
    ).text
    assert str(question["comm_id"]) not in open_comms


def test_who_closes_the_question_gets_tables(kernel: Kernel) -> None:
    question = asked(kernel)
    answer(kernel, "comm_close", {"comm_id": question["comm_id"], "data": {}})
    assert knows(kernel) == "'no'"
    assert grids(kernel) == (False, True)


def test_without_an_answer_there_are_both(kernel: Kernel) -> None:
    asked(kernel)
    assert knows(kernel) == "''"
    assert grids(kernel) == (True, True)


def test_a_batch_run_is_not_asked(kernel: Kernel) -> None:
    kernel.attended = False
    assert grids(kernel) == (False, True)
    assert (
        "'_was_asked': False" in kernel.run("vars(get_ipython().magics_manager.registry['MdsqlMagics'].front_end)").text
    )

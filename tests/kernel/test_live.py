"""Live results in a real kernel, whose controls are moved by messages as a notebook's are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.kernel.kernel_client import Kernel

pytestmark = pytest.mark.kernel

SLIDER = "import ipywidgets\nw = ipywidgets.IntSlider(value=3, max=1000)\nprint(w.model_id)"


def move(kernel: Kernel, model: str, value: int) -> None:
    """Send what a notebook sends when a slider is moved."""
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    message = kernel.client.session.msg("comm_msg", {"comm_id": model, "data": data})
    kernel.client.shell_channel.send(message)


def updates(kernel: Kernel, until: str, seconds: float = 30) -> list[dict[str, Any]]:
    """Return the replaced outputs, up to the one whose text has *until* in it."""
    found, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        message = kernel.client.get_iopub_msg(timeout=seconds)
        if message["msg_type"] == "update_display_data":
            found.append(message["content"])
            if until in message["content"]["data"]["text/plain"]:
                return found
    raise AssertionError(found)


def test_moves_replace_the_output_and_the_last_one_counts(kernel: Kernel) -> None:
    model = kernel.run(SLIDER).text.strip()
    sql = "SELECT :w AS w, count(*) AS n FROM range(20_000_000) t(i) WHERE hash(i) % 7 = 3"
    first = kernel.run(f"%%mdsql --live\n{sql}").outputs
    assert [output["data"]["text/plain"].split()[:4] for output in first] == [["w", "n", "0", "3"]]
    for value in range(100, 130):
        move(kernel, model, value)
        time.sleep(0.02)
    shown = updates(kernel, " 129 ")
    assert len(shown) < 30
    assert {output["transient"]["display_id"] for output in shown} == {first[0]["transient"]["display_id"]}
    assert "error" not in str(shown).lower()
    assert kernel.run("print(w.value)").text == "129\n"


def test_what_runs_is_stopped_at_once(kernel: Kernel) -> None:
    model = kernel.run(SLIDER).text.strip()
    long = "SELECT CASE WHEN :w = 3 THEN 0 ELSE 1 END AS x, count(*) AS n FROM range(CASE WHEN :w = 4 THEN 10_000_000 ELSE 1 END) a, range(10_000_000) b WHERE hash(a.range, b.range) = 5"
    kernel.run(f"%%mdsql --live\n{long}")
    move(kernel, model, 4)
    time.sleep(0.5)
    move(kernel, model, 5)
    assert "1" in updates(kernel, "1")[-1]["data"]["text/plain"]
    states = kernel.run("print(list(get_ipython().run_line_magic('mdsql', '--history x,')['state'][-2:]))").text
    assert states == "['cancelled', 'done']\n"
    assert kernel.run("df = %mdsql SELECT 42 AS a\nprint(df.a[0])").text == "42\n"


def test_a_cell_that_is_run_again_has_one_follower(kernel: Kernel) -> None:
    kernel.run(SLIDER)
    for _ in range(2):
        reply = kernel.run("live = get_ipython().run_cell_magic('mdsql', '--live', 'SELECT :w AS a')\nlive.stop()")
        assert reply.status == "ok"
    kernel.run("w.value = 77")
    assert kernel.run("print(live.value.a[0])").text == "3\n"

"""Tab and Shift-Tab in a real kernel: complete_request and inspect_request, also while a query runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.kernel_client import Kernel

pytestmark = pytest.mark.kernel


def answer(kernel: Kernel, request: str) -> dict[str, Any]:
    while True:
        message = kernel.client.get_shell_msg(timeout=60)
        if message["parent_header"].get("msg_id") == request:
            return dict(message["content"])


def complete(kernel: Kernel, text: str) -> dict[str, Any]:
    return answer(kernel, kernel.client.complete(text.replace("|", ""), text.index("|")))


def until(kernel: Kernel, text: str, wanted: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while wanted not in (found := complete(kernel, text))["matches"] and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def inspect(kernel: Kernel, text: str) -> dict[str, Any]:
    return answer(kernel, kernel.client.inspect(text.replace("|", ""), text.index("|")))


def test_a_menu_with_types(kernel: Kernel) -> None:
    kernel.run("%%mdsql\nCREATE OR REPLACE TABLE orders (order_id BIGINT, amount DECIMAL(18,2), placed_at TIMESTAMP)")
    found = until(kernel, "%%mdsql\nSELECT o.| FROM orders o", "amount")
    assert found["matches"] == ["order_id", "amount", "placed_at"]
    assert found["cursor_start"] == found["cursor_end"] == len("%%mdsql\nSELECT o.")
    types = {one["text"]: one["type"] for one in found["metadata"]["_jupyter_types_experimental"]}
    assert types == {"order_id": "column", "amount": "column", "placed_at": "column"}
    assert complete(kernel, "%%mdsql\nSELECT * FROM ord|")["matches"] == ["orders"]
    assert complete(kernel, "%%mdsql --as pol|")["matches"] == ["polars"]
    assert complete(kernel, "%%mdsql\nSELECT 'ord|")["matches"] == []


def test_a_tooltip(kernel: Kernel) -> None:
    kernel.run("%%mdsql\nCREATE OR REPLACE TABLE orders (order_id BIGINT, amount DECIMAL(18,2), placed_at TIMESTAMP)")
    until(kernel, "%%mdsql\nSELECT o.| FROM orders o", "amount")
    shown = inspect(kernel, "%%mdsql\nSELECT am|ount FROM orders")
    assert shown["found"]
    assert shown["data"]["text/plain"] == "column amount DECIMAL(18,2)\nof table memory.main.orders"
    assert not inspect(kernel, "%%mdsql\nSELECT nob|ody FROM orders")["found"]
    assert inspect(kernel, "pri|nt")["found"]


def test_before_anything_has_run_there_are_keywords(start_kernel: Callable[[], Kernel]) -> None:
    fresh = start_kernel()
    assert "SELECT" in complete(fresh, "%%mdsql\nSEL|")["matches"]
    parsed = "from parso.cache import parser_cache; print(bool(parser_cache))"
    assert fresh.run(parsed).text == "False\n"  # Jedi, which takes seconds the first time, was not asked
    assert fresh.run("import sys; print('pandas' in sys.modules, 'sqlglot' in sys.modules)").text == "False False\n"


def test_while_a_query_runs_a_subshell_is_answered(start_kernel: Callable[[], Kernel]) -> None:
    kernel = start_kernel()
    kernel.run("%%mdsql\nCREATE TABLE orders (order_id BIGINT); CREATE TEMP TABLE mine (note VARCHAR)")
    until(kernel, "%%mdsql\nSELECT | FROM mine", "note")
    made = kernel.client.session.msg("create_subshell_request")
    kernel.client.control_channel.send(made)
    reply = kernel.client.get_control_msg(timeout=60)
    if reply["content"].get("status") != "ok":
        pytest.skip("This ipykernel has no subshells.")
    running = kernel.begin("%%mdsql\nSELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)")
    for text, wanted in (("SELECT | FROM mine", "note"), ("SELECT | FROM orders", "order_id"), ("FROM ord|", "orders")):
        code = f"%%mdsql\n{text}"
        content = {"code": code.replace("|", ""), "cursor_pos": code.index("|")}
        message = kernel.client.session.msg("complete_request", content)
        message["header"]["subshell_id"] = reply["content"]["subshell_id"]
        kernel.client.shell_channel.send(message)
        assert wanted in answer(kernel, message["header"]["msg_id"])["matches"]
    kernel.interrupt()
    assert kernel.finish(running).error == "QueryInterrupted"

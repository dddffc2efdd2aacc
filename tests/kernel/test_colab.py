"""Colab as far as a kernel is concerned: its package is loaded, and its front end answers no widget of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.kernel_client import shown
from tests.motherduck.standin.fixtures import PYTHONPATH, motherduck  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.kernel_client import Kernel
    from tests.motherduck.standin.service import Service

pytestmark = pytest.mark.kernel

EMAIL = "ann@example.com"
WIDGET = "application/vnd.jupyter.widget-view+json"

COLAB = """
import sys, types
asked = []
google, colab, output = (types.ModuleType(name) for name in ("google", "google.colab", "google.colab.output"))
output.enable_custom_widget_manager = lambda: asked.append(get_ipython().execution_count)
google.colab, colab.output = colab, output
sys.modules |= {module.__name__: module for module in (google, colab, output)}
"""


@pytest.fixture
def colab(motherduck: Service, start_kernel: Callable[[], Kernel], monkeypatch: pytest.MonkeyPatch) -> Kernel:  # noqa: F811
    """Give a kernel with a person in front of it, and with a module of Colab's name that records the calls."""
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert motherduck.folder
    kernel = start_kernel()
    kernel.attended = True
    assert kernel.run(COLAB).text == ""
    return kernel


def test_colabs_widget_manager_is_asked_for_once_when_the_first_widget_is_made(colab: Kernel) -> None:
    assert colab.run("%mdsql SELECT 1").status == "ok"
    assert colab.run("print(asked)").text == "[]\n"
    for _ in range(2):
        assert WIDGET in colab.run("%%mdsql --grid\nFROM range(5)").outputs[0]["data"]
    assert colab.run("print(len(asked))").text == "1\n"


def test_the_sign_in_link_is_an_output_of_its_own(motherduck: Service, colab: Kernel) -> None:  # noqa: F811
    motherduck.add_account(EMAIL)
    request = colab.begin("%%mdsql md:my_db\nSELECT 41 + 1 AS x")
    while not any("user_code=" in shown(output) for output in colab.outputs):
        colab.next(request)
    code = motherduck.wait_for_login()
    card, link = colab.outputs
    assert WIDGET in card["data"]
    assert code not in str(card)
    assert set(link["data"]) == {"text/plain", "text/html"}
    assert f'<a href="https://auth.motherduck.com/activate?user_code={code}"' in link["data"]["text/html"]
    motherduck.approve(code, EMAIL)
    reply = colab.finish(request)
    assert reply.status == "ok"
    assert "42" in shown(reply.outputs[-1])

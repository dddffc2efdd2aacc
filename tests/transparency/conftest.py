"""Keeps what the tests here leave in the process-wide IPython shell from the tests of other folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="package")
def _own_shell() -> Iterator[None]:
    InteractiveShell.clear_instance()
    yield
    if InteractiveShell.initialized():
        InteractiveShell.instance().run_line_magic("unload_ext", "md_magic")
    InteractiveShell.clear_instance()

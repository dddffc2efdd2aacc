"""Packages that some tests need, and that nothing else does."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


def needs(module: str) -> None:
    """Skip the running test where *module* is not installed; in the gate, which has all of them, fail."""
    if find_spec(module) is not None:
        return
    message = f"{module} is not installed."
    if os.environ.get("MD_MAGIC_REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)

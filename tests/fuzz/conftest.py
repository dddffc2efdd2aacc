"""The shell of the tests above, for generated cells."""

from __future__ import annotations

from tests.shell.conftest import notebook, shell  # noqa: F401 - fixtures

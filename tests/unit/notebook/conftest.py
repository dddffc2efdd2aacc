"""A host without a shell: a real session, the settings, and the names that a cell reads and binds."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from md_magic import options
from md_magic.display.host import OnScreen
from md_magic.notebook.cell import Cell
from md_magic.session import project as projects
from md_magic.session.session import Session


@dataclass
class Host:
    """What a cell needs of `MdsqlMagics`."""

    session: Session
    shell: Any = field(default_factory=lambda: SimpleNamespace(user_ns={}, user_global_ns={}))
    format: str = "pandas"
    timeout: float | None = None
    progress_after: float = 60.0
    status: str = "slow"
    default_target: str = "duckdb:///:memory:"
    remember: str = "ask"
    targets: dict[str, str] = field(default_factory=dict)
    project: Any = projects.NONE
    has_spoken: bool = False
    has_told_of_fix: bool = False
    check: bool = True
    names: tuple[str, ...] = ("mdsql",)
    on_screen: OnScreen = field(default_factory=OnScreen)

    def hide_secrets(self, secrets, *, warn=True):
        pass

    def cell(self, line="", text=None):
        return Cell(self, options.parse(line, text), self.shell.user_ns)


@pytest.fixture
def host():
    session = Session(notify=print)
    yield Host(session)
    session.close_all()

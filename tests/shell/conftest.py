"""A shell of this process, with the extension loaded and nothing of the person who runs the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from IPython.utils.capture import capture_output

from md_magic.display import host


@dataclass
class Ran:
    """What a cell did: its value, what it printed and displayed, its error."""

    value: object
    printed: str
    displayed: list = field(default_factory=list)
    error: BaseException | None = None
    errors: str = ""
    """What it printed on standard error."""

    @property
    def message(self):
        return str(self.error)


class Shell:
    """Runs cells as a notebook would."""

    def __init__(self, ip):
        self.ip = ip
        self.variables = ip.user_ns

    def cell(self, source, *, error=False):
        with capture_output() as captured:
            result = self.ip.run_cell(source, silent=False)
        failed = result.error_before_exec or result.error_in_exec
        if failed is not None and not error:
            raise failed
        assert failed is not None or not error, f"no error from: {source}"
        printed = captured.stdout
        return Ran(result.result, printed, captured.outputs, failed, captured.stderr)

    def sql(self, sql, line="", *, error=False):
        return self.cell(f"%%mdsql {line}\n{sql}", error=error)

    @property
    def magics(self):
        return self.ip.magics_manager.registry["MdsqlMagics"]


@pytest.fixture
def shell(ip):
    ip.run_line_magic("load_ext", "md_magic")
    return Shell(ip)


@pytest.fixture
def notebook(shell, monkeypatch):
    """A shell that says it is a notebook's, with a person in front of it; `request` is what it is asked to run."""
    monkeypatch.setattr(host, "host", lambda _: "widgets")
    monkeypatch.setattr(host, "listen_while_busy", lambda _: None)
    shell.request = {"header": {"msg_id": "1"}, "metadata": {"cellId": "a"}}
    monkeypatch.setattr(type(shell.ip), "get_parent", lambda _: shell.request, raising=False)
    return shell

"""A real kernel, driven as a notebook drives it: cells in, outputs and replies out."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_client import KernelManager

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_client import BlockingKernelClient

KERNEL = "md-magic-tests"
"""The name of the kernel specification that starts this interpreter; `conftest.py` writes it."""

_PATIENCE = 60
"""Seconds after which a kernel that does not answer is a failure; no test depends on being faster."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a cell gave: the outputs that a notebook would store, and the kernel's reply."""

    outputs: list[dict[str, Any]]
    content: dict[str, Any]

    @property
    def status(self) -> str:
        """`ok`, `error` or `aborted`."""
        return str(self.content["status"])

    @property
    def error(self) -> str:
        """The name of the error, empty where there was none."""
        return str(self.content.get("ename", ""))

    @property
    def text(self) -> str:
        """Everything that the cell showed, as text."""
        return "".join(map(shown, self.outputs))


def shown(output: dict[str, Any]) -> str:
    """Return the text of one output of a cell."""
    if "traceback" in output:
        return "\n".join(output["traceback"])
    return str(output.get("text") or output["data"]["text/plain"])


@dataclass(slots=True)
class Kernel:
    """A running kernel with md_magic loaded."""

    manager: KernelManager
    client: BlockingKernelClient
    outputs: list[dict[str, Any]] = field(default_factory=list)
    attended: bool = False
    """Whether somebody sits in front of it, who could be asked for input: batch runs have nobody."""

    @classmethod
    def start(cls, folder: Path) -> Kernel:
        """Start a kernel whose working directory is *folder*."""
        manager = KernelManager(kernel_name=KERNEL)
        manager.start_kernel(cwd=str(folder))
        kernel = cls(manager, manager.blocking_client())
        kernel._load()
        return kernel

    def restart(self, *, kill: bool = False) -> None:
        """Restart the kernel as a person would, or with *kill* after it died of `kill -9`."""
        if kill:
            pid = self.manager.provisioner.pid
            os.kill(pid, signal.SIGKILL)
            while self.manager.is_alive():
                time.sleep(0.02)
        self.client.stop_channels()
        self.manager.restart_kernel(now=kill)
        self.client = self.manager.blocking_client()
        self._load()

    def stop(self) -> None:
        """End the kernel and what belongs to it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, source: str) -> Reply:
        """Run a cell to its end."""
        return self.finish(self.begin(source))

    def begin(self, source: str) -> str:
        """Send a cell and return its id as soon as the kernel has begun to run it."""
        self.outputs = []
        request = self.client.execute(source, allow_stdin=self.attended, stop_on_error=False)
        while self.next(request) != "execute_input":
            pass
        return str(request)

    def interrupt(self) -> None:
        """Do what the stop button does."""
        self.manager.interrupt_kernel()

    def reply(self, request: str) -> dict[str, Any]:
        """Wait until the kernel says that the cell has ended."""
        while True:
            message = self.client.get_shell_msg(timeout=_PATIENCE)
            if message["parent_header"].get("msg_id") == request:
                return dict(message["content"])

    def finish(self, request: str, content: dict[str, Any] | None = None) -> Reply:
        """Wait for the reply, if *content* is not it, and for all that the cell has shown."""
        content = content or self.reply(request)
        while self.next(request) != "idle":
            pass
        return Reply(self.outputs, content)

    def next(self, request: str) -> str:
        """Take the next message of the kernel; return its state or kind, if it belongs to *request*."""
        message = self.client.get_iopub_msg(timeout=_PATIENCE)
        if message["parent_header"].get("msg_id") != request:
            return ""
        if message["msg_type"] in {"stream", "execute_result", "display_data", "error"}:
            self.outputs.append(message["content"])
        return str(message["content"].get("execution_state") or message["msg_type"])

    def _load(self) -> None:
        self.client.start_channels()
        self.client.wait_for_ready(timeout=_PATIENCE)
        reply = self.run("%load_ext md_magic")
        assert reply.status == "ok", reply.text

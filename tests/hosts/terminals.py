"""Hosts in a terminal: a real one, a pseudo-terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pexpect

from tests.hosts import transcripts
from tests.hosts.cells import marked

if TYPE_CHECKING:
    from tests.hosts.environments import Environment

_ALL = "import json; ran = [get_ipython().run_cell(source) for source in json.load(open('cells.json'))]"


def ipython(env: Environment) -> str:
    return _typed(env, "ipython", "--no-banner", "--colors=NoColor")


def console(env: Environment) -> str:
    return _typed(env, "jupyter-console")


def _typed(env: Environment, *command: str) -> str:
    """Return what *command* writes to its terminal while it runs the cells. What is typed there is tested elsewhere."""
    (env.work / "cells.json").write_text(json.dumps(marked()))
    path = str(env.python.parent / command[0])
    size = (50, 160)
    child = pexpect.spawn(path, [*command[1:]], cwd=env.work, env=env.variables, encoding="utf-8", dimensions=size)
    try:
        child.expect(r"In .*\[", timeout=120)
        child.sendline(_ALL)
        child.expect("<<99>>", timeout=600)
        return transcripts.of_terminal(f"{child.before}<<99>>")
    except pexpect.TIMEOUT as error:
        message = f"it stood still after {(child.before or '')[-300:]!r}"
        raise OSError(message) from error
    finally:
        child.close(force=True)

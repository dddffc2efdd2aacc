"""Hosts that run a notebook by themselves."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from tests.hosts import transcripts
from tests.hosts.cells import fails, marked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hosts.environments import Environment

_LONG = 600
"""Seconds for all cells: a hang is a failure."""


def write_notebook(env: Environment, *, kernel: str = "python3") -> Path:
    """Write the notebook of the cells into the folder of *env*."""
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {
        "cells": [
            empty
            | {"id": f"cell-{number}", "source": source}
            | {"metadata": {"tags": ["raises-exception"] if fails(source) else []}}
            for number, source in enumerate(marked())
        ],
        "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = env.work / "nb.ipynb"
    path.write_text(json.dumps(notebook))
    return path


def _ran(env: Environment, result: str, *command: str, may_fail: bool = False) -> Path:
    """Run *command*, which writes *result*; with *may_fail* also where it says so by its exit code."""
    ran = env.run(*command, seconds=_LONG)
    path = env.work / result
    if not path.exists() or (ran.returncode and not may_fail):
        message = f"{command[0]} ended with {ran.returncode}: {(ran.stderr or ran.stdout).strip()[-400:]}"
        raise OSError(message)
    return path


def jupyter_execute(env: Environment) -> str:
    write_notebook(env)
    return transcripts.of_notebook(_ran(env, "nb.ipynb", "jupyter-execute", "--inplace", "nb.ipynb"))


def xeus(env: Environment) -> str:
    write_notebook(env, kernel="xpython")
    command = ("jupyter-execute", "--inplace", "--kernel_name=xpython", "nb.ipynb")
    return transcripts.of_notebook(_ran(env, "nb.ipynb", *command))


def papermill(env: Environment) -> str:
    write_notebook(env)
    command = ("papermill", "nb.ipynb", "out.ipynb", "--no-progress-bar")
    return transcripts.of_notebook(_ran(env, "out.ipynb", *command, may_fail=True))  # it has no errors on purpose


def nbconvert(env: Environment) -> str:
    write_notebook(env)
    options = ("--execute", "--no-input", "--to", "html", "--output", "out")
    return transcripts.of_page(_ran(env, "out.html", "jupyter-nbconvert", *options, "nb.ipynb").read_text())


def jupytext(env: Environment) -> str:
    write_notebook(env)
    (env.work / "jupytext.toml").write_text('custom_cell_magics = "mdsql"\n')
    script = _ran(env, "nb.py", "jupytext", "--to", "py:percent", "nb.ipynb")
    if "\nSELECT" in script.read_text():
        message = "SQL stands uncommented in the .py file"
        raise OSError(message)
    (env.work / "nb.ipynb").unlink()
    return transcripts.of_notebook(_ran(env, "out.ipynb", "jupytext", "--execute", "--output", "out.ipynb", "nb.py"))


def nbmake(env: Environment) -> str:
    write_notebook(env)
    options = ("--nbmake", "--overwrite", f"--nbmake-timeout={_LONG}", "-p", "no:cacheprovider")
    return transcripts.of_notebook(_ran(env, "nb.ipynb", "pytest", *options, "nb.ipynb"))


def myst_nb(env: Environment) -> str:
    write_notebook(env)
    options = ("--nb-execution-mode=force", f"--nb-execution-timeout={_LONG}", "--nb-remove-code-source=yes")
    page = _ran(env, "out.html", "mystnb-docutils-html", *options, "nb.ipynb", "out.html")
    return transcripts.of_page(page.read_text())


def voila(env: Environment) -> str:
    write_notebook(env)
    port = free_port()
    command = [
        str(env.python.parent / "voila"),
        "nb.ipynb",
        "--no-browser",
        f"--port={port}",
        "--Voila.ip=127.0.0.1",
        "--show_tracebacks=True",
    ]
    server = subprocess.Popen(
        command, cwd=env.work, env=env.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=_LONG) as response:
                    return transcripts.of_page(response.read().decode())
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.5)
    finally:
        server.terminate()
        server.wait(20)


_ENGINE = """
import json
import ipyparallel
with ipyparallel.Cluster(n=1) as clients:
    for source in json.load(open('cells.json')):
        run = clients[0].execute(source, silent=False)
        try:
            run.get(300)
        except ipyparallel.error.RemoteError as error:
            print(error.evalue)
        run.wait_for_output(10)
        shown = run.metadata[0] if isinstance(run.metadata, list) else run.metadata
        print(shown['stdout'])
        for output in [*shown['outputs'], shown['execute_result']]:
            print(output['data'].get('text/plain', '') if output else '')
"""


def ipyparallel(env: Environment) -> str:
    (env.work / "cells.json").write_text(json.dumps(marked()))
    (env.work / "engine.py").write_text(_ENGINE)
    return env.run("python", "engine.py", seconds=_LONG).stdout


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

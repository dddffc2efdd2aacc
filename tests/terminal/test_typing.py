"""Cells that are typed, key by key, into a real terminal: IPython's own, and Jupyter console."""

from __future__ import annotations

import json
import os
import re
import sys
import time

import pytest

pexpect = pytest.importorskip("pexpect", reason="IPython brings pexpect where there are pseudo-terminals")
ESCAPES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b[=>]|\r")
"""Escape sequences, which are taken out of what a terminal shows."""

PATIENCE = 60


class Typist:
    """A person at a terminal."""

    def __init__(self, command, home):
        environment = {
            **os.environ,
            "TERM": "xterm",
            "HOME": str(home),
            "IPYTHONDIR": str(home),
            "JUPYTER_PATH": str(home / "jupyter"),
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        self.child = pexpect.spawn(
            sys.executable, command, env=environment, encoding="utf-8", dimensions=(50, 120), timeout=PATIENCE
        )
        self.raw = ""

    def type(self, text, until):
        """Type *text* and return what is shown until *until*, a pattern, is there."""
        self.child.send(text)
        shown, end = "", time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                shown += self.child.read_nonblocking(100_000, 0.1)
            except pexpect.TIMEOUT:
                plain = ESCAPES.sub("", shown)
                if re.search(until, plain):
                    self.raw = shown
                    return plain
        pytest.fail(f"{text!r}: {until!r} did not come. Shown was:\n{ESCAPES.sub('', shown)}")

    def close(self):
        self.child.close(force=True)


GOES_ON = r"\.\.\.: *\n? *$"
NEXT = r"In \[\d+\]: *$"


@pytest.fixture(scope="module", params=["ipython", "console"])
def typist(request, tmp_path_factory):
    """A terminal in which md_magic is loaded; the tests of this module type into it one after the other."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "ipython":
        command = ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--no-tip"]
    else:
        pytest.importorskip("jupyter_console")
        folder = home / "jupyter" / "kernels" / "md-magic-tests"
        folder.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))
        command = ["-m", "jupyter_console", "--kernel", "md-magic-tests", "--ZMQTerminalInteractiveShell.banner=''"]
    typist = Typist(command, home)
    typist.name = request.param
    typist.type("", NEXT)
    typist.type("%load_ext md_magic\r", NEXT)
    typist.type("%config MdsqlMagics.alias = 'sql'\r", NEXT)
    yield typist
    typist.close()


@pytest.mark.parametrize("line", ["%%mdsql", "%%mdsql --quiet", "%%sql"])
def test_a_body_is_typed_and_runs_on_a_blank_line(typist, line):
    typist.type(f"{line}\r", GOES_ON)
    assert "42" not in typist.type("SELECT 40 + 2\r", GOES_ON).replace("40 + 2", "")
    typist.type("AS answer\r", GOES_ON)
    shown = typist.type("\r", NEXT)
    assert re.search(r"Out\[\d+\]:\s+answer\s+0\s+42", shown), shown


def test_a_finished_statement_runs_at_once(typist):
    typist.type("%%mdsql\r", GOES_ON)
    shown = typist.type("SELECT 41 + 2 AS more;\r", NEXT)
    assert re.search(r"Out\[\d+\]:\s+more\s+0\s+43", shown), shown


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [("SELECT 'a;", "b' AS x;", r"a;\\nb"), ("SELECT 'a' /* c;", "*/ || 'z' AS x;", "az")],
    ids=["string", "comment"],
)
def test_a_semicolon_in_a_string_or_a_comment_runs_nothing(typist, first, second, value):
    typist.type("%%mdsql\r", GOES_ON)
    typist.type(f"{first}\r", GOES_ON)
    shown = typist.type(f"{second}\r", NEXT)
    assert re.search(rf"Out\[\d+\]:\s+x\s+0\s+{value}", shown), shown


def test_a_line_that_has_its_sql_in_a_file_stands_alone(typist, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT 43 + 1 AS four")
    for line in (f"%%mdsql --file {tmp_path}/q.sql", f"%%mdsql --file={tmp_path}/q.sql --quiet"):
        shown = typist.type(f"{line}\r", NEXT)
        assert re.search(r"Out\[\d+\]:\s+four\s+0\s+44", shown), shown


@pytest.mark.parametrize("name", ["mdsql", "sql"])
def test_tab_completes_in_the_body(typist, name):
    typist.type("%mdsql CREATE OR REPLACE TABLE mallards AS SELECT 45 AS a\r", NEXT)
    typist.type(f"%%{name}\r", GOES_ON)
    typist.type("FROM mallar\t", "mallards")
    shown = typist.type(";\r", NEXT)
    assert re.search(r"Out\[\d+\]:\s+a\s+0\s+45", shown), shown


def test_a_cell_without_a_body_says_so(typist):
    typist.type("%%mdsql --limit 3\r", GOES_ON)
    typist.type("\r", GOES_ON)
    typist.type("\r", NEXT)


def test_python_is_typed_as_ever(typist):
    typist.type("for i in range(1):\r", GOES_ON)
    typist.type("print(i + 46)\r", GOES_ON)
    assert "46" in typist.type("\r", NEXT)


def test_the_body_has_the_colours_of_sql(typist):
    """A keyword of SQL is coloured, in the terminal that IPython itself draws."""
    if typist.name != "ipython":
        pytest.skip("Jupyter console draws by the kernel's language alone")
    for name, is_sql in (("mdsql", True), ("sql", True), ("mdsqlx", False)):
        typist.type(f"%%{name} --param x='it\r", GOES_ON)
        typist.type("SELECT", "SELECT")
        typist.type("\x0c", "SELECT")  # Ctrl-L draws all of it anew
        assert bool(re.search(r"\x1b\[0;(?!39m)[\d;]+mSELECT", typist.raw)) is is_sql, typist.raw
        typist.child.send("\x03")  # Ctrl-C empties the cell
        typist.type("\x0c", NEXT)

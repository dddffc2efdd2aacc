"""A Python without threads, such as JupyterLite's: what needs none runs, and the rest says that it is not there."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from md_magic import threads
from md_magic.auth.login import Login
from md_magic.display import host
from md_magic.errors import LoginImpossible


@pytest.fixture
def lite(shell, monkeypatch):
    """A kernel without threads and without `get_parent`, as xeus-python's in the browser."""

    def start(_thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    shell.ip.kernel = SimpleNamespace()
    monkeypatch.setattr(threading.Thread, "start", start)
    threads.available.cache_clear()
    yield shell
    threads.available.cache_clear()
    del shell.ip.kernel


@pytest.mark.parametrize(
    "source",
    [
        "%mdsql SELECT 1 AS a",
        "%%mdsql sqlite://\nSELECT 1 AS a",
        "%%mdsql --grid\nFROM t",
        "%config MdsqlMagics.widgets = 'on'\n%mdsql --grid FROM t",
        "%config MdsqlMagics.progress_after = 0\n%mdsql --profile FROM t",
        "%mdsql --analyze FROM t",
        "%mdsql --tables",
        "%mdsql --describe t",
        "%mdsql --browse",
        "%mdsql --jobs",
        "%mdsql --close-all",
        "%%mdsql --as polars\nFROM t",
        "%%mdsql --as reader\nFROM t",
        "%%mdsql --all --limit 1\nFROM t; FROM t",
    ],
)
def test_what_needs_no_thread_runs(lite, source):
    lite.sql("CREATE TABLE t AS SELECT 1 AS a")
    assert lite.cell(source).error is None


def test_a_large_result_is_copied_without_one(lite):
    frame = lite.sql("SELECT range AS i, 'text ' || range AS t FROM range(400_000)").value
    assert (len(frame), frame.t.iloc[-1], int(frame.i.sum())) == (400_000, "text 399999", 399_999 * 200_000)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("%mdsql --background SELECT 1", "--background needs a thread"),
        ("%mdsql --timeout 5 SELECT 1", "A time limit needs a thread"),
        ("%config MdsqlMagics.timeout = 5\n%mdsql SELECT 1", "A time limit needs a thread"),
    ],
)
def test_what_needs_one_says_that_it_is_not_there(lite, source, what):
    message = lite.cell(source, error=True).message
    assert message.startswith(f"{what}, and this Python can start none, as in JupyterLite. Without ")
    lite.magics.timeout = None
    assert lite.sql("SELECT 42 AS x").value.x.tolist() == [42]


def test_a_kernel_without_requests_has_a_person_and_no_widgets(lite):
    assert host.host(lite.ip) == "stdin"
    lite.magics.widgets = "on"
    assert host.host(lite.ip) == "stdin"


@pytest.mark.usefixtures("lite")
def test_the_login_is_not_there():
    with pytest.raises(LoginImpossible, match="The login needs a thread"):
        Login()

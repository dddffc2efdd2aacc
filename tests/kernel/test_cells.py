"""What a real kernel shows, stores and keeps apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.kernel.kernel_client import KERNEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.kernel_client import Kernel

pytestmark = pytest.mark.kernel


def test_two_kernels_share_nothing(start_kernel: Callable[[], Kernel]) -> None:
    one, two = start_kernel(), start_kernel()
    one.run("%mdsql duckdb:///:memory: --alias mine")
    one.run("%mdsql CREATE TABLE t AS SELECT 1 AS i")
    one.run("%mdsql SET threads = 1")
    assert "Table with name t does not exist" in two.run("%mdsql FROM t").text
    assert "alias '@mine'" in two.run("%mdsql @mine SELECT 1").text
    assert two.run("%mdsql --close-all").status == "ok"
    assert one.run("print(len(get_ipython().run_line_magic('mdsql', 'FROM t')))").text == "1\n"


@pytest.mark.parametrize("end", ["close-all", "restart", "kill -9"])
def test_what_was_written_is_on_disk(start_kernel: Callable[[], Kernel], tmp_path: Path, end: str) -> None:
    kernel = start_kernel()
    kernel.run("%mdsql duckdb:///kept.duckdb CREATE TABLE t AS SELECT 1 AS i")
    kernel.run("%%mdsql\nINSERT INTO t VALUES (2); INSERT INTO t VALUES (3)")
    kernel.run("%%mdsql\nINSERT INTO t VALUES (4); SELECT nonsense")  # those before the error have happened
    kernel.run("%%mdsql\nBEGIN; INSERT INTO t VALUES (5)")  # nobody commits
    if end == "close-all":
        assert kernel.run("%mdsql --close-all").text == "1 connection closed\n"
        with duckdb.connect(tmp_path / "kept.duckdb") as native:
            assert native.execute("SELECT list(i ORDER BY i) FROM t").fetchone() == ([1, 2, 3, 4],)
    else:
        kernel.restart(kill=end == "kill -9")
    shown = kernel.run("x = %mdsql duckdb:///kept.duckdb SELECT i FROM t ORDER BY i\nprint(x['i'].tolist())").text
    assert shown == "[1, 2, 3, 4]\n"


def test_an_error_is_one_output_with_the_message_first(kernel: Kernel) -> None:
    reply = kernel.run("%%mdsql\nSELECT 1;\n\nSELECT nonsense")
    assert (reply.status, reply.error, len(reply.outputs)) == ("error", "StatementError", 1)
    assert reply.text.startswith("Binder Error")
    assert "\nLINE 3: SELECT nonsense\n               ^" in reply.text
    assert "Traceback" not in reply.text
    assert "md_magic" not in reply.text
    again = kernel.run("%tb")
    assert "Binder Error" in again.text
    assert "md_magic" not in again.text
    assert kernel.run("%mdsql SELECT 1 AS i").status == "ok"


@pytest.mark.parametrize(
    "cell",
    ["%%mdsql\nSELECT nonsense", "%mdsql SELECT :nothing_known", "%%mdsql @nobody\nSELECT 1", "%mdsql --nonsense"],
    ids=["statement", "parameter", "target", "option"],
)
def test_a_failed_cell_fails_a_notebook_run(cell: str, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("%load_ext md_magic"), nbformat.v4.new_code_cell(cell)]
    )
    client = NotebookClient(notebook, timeout=300, kernel_name=KERNEL, resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(CellExecutionError) as caught:
        client.execute()
    assert caught.value.ename in {"StatementError", "ParameterError", "TargetError", "OptionError"}
    assert [output.output_type for output in notebook.cells[1].outputs] == ["error"]


@pytest.mark.parametrize(
    "cell", ["%%mdsql\nSELECT 42 AS i;", "%mdsql SELECT 42 AS i;", "%%mdsql\nSELECT 42 AS i; -- end;"]
)
def test_a_semicolon_at_the_end_does_not_silence_a_cell(kernel: Kernel, cell: str) -> None:
    assert "42" in kernel.run(cell).text


def test_unloading_closes_everything_and_reloading_starts_anew(
    start_kernel: Callable[[], Kernel], tmp_path: Path
) -> None:
    kernel = start_kernel()
    before = kernel.run("print(sorted(get_ipython().magics_manager.magics['cell']))").text
    kernel.run("%mdsql duckdb:///kept.duckdb CREATE TABLE t AS SELECT 1 AS i")
    assert not kernel.run("%unload_ext md_magic").text
    assert "not found" in kernel.run("%mdsql SELECT 1").text
    with duckdb.connect(tmp_path / "kept.duckdb") as native:  # the kernel does not hold the file
        assert native.execute("FROM t").fetchall() == [(1,)]
    assert not kernel.run("%load_ext md_magic").text
    assert kernel.run("print(sorted(get_ipython().magics_manager.magics['cell']))").text == before
    kernel.run("%mdsql CREATE TABLE gone AS SELECT 1 AS i")
    assert not kernel.run("%reload_ext md_magic").text
    assert "Table with name gone does not exist" in kernel.run("%mdsql FROM gone").text


def test_a_long_query_leaves_no_progress_bar_behind(kernel: Kernel) -> None:
    kernel.run("%mdsql SET threads = 1")
    kernel.attended = True
    reply = kernel.run("%mdsql SELECT count(*) AS n FROM range(40_000) a, range(40_000) b WHERE a.range <> b.range")
    kinds = {kind for output in reply.outputs for kind in output.get("data", {})}
    assert kinds == {"text/plain", "text/html"}
    assert "execution_count" in reply.outputs[-1]  # the result comes last
    assert "s · duckdb:///:memory:" in reply.text  # the status line, and nothing else
    assert len(reply.outputs) <= 2
    kernel.attended = False

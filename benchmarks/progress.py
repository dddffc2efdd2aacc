"""Print what the live line costs: a query of about 2 s with and without it, and a trivial cell, in one real kernel.

The runs alternate, with `--quiet` as the one without; the numbers are medians. The kernel believes that a notebook is
there, so that the widget is made and told, as in JupyterLab; nobody draws it::

    python benchmarks/progress.py
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from jupyter_client.manager import KernelManager

ROUNDS = 9
TRIVIAL = 2000
QUERY = "SELECT sum(hash(a.i, b.i) % 7) AS s FROM range({rows}) a(i), range(1000) b(i)"


def main() -> None:
    """Measure, and print two lines."""
    os.environ["JPY_SESSION_NAME"] = "benchmark.ipynb"
    manager = KernelManager()
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def run(source: str) -> float:
        began = time.perf_counter()
        reply = client.execute_interactive(source, timeout=300, allow_stdin=True, output_hook=lambda _message: None)
        if reply["content"]["status"] != "ok":
            sys.exit(str(reply["content"]))
        return time.perf_counter() - began

    try:
        run("%load_ext md_magic\n%mdsql SELECT 1")
        rows = 200_000
        rows = int(rows * 2 / run(f"%mdsql --quiet {QUERY.format(rows=rows)}"))
        query = QUERY.format(rows=rows)
        run(f"%mdsql {query}")  # the first line imports what it needs
        pairs = [(run(f"%mdsql {query}"), run(f"%mdsql --quiet {query}")) for _ in range(ROUNDS)]
        shown, quiet = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        print(f"with the line {shown:.3f} s, without {quiet:.3f} s: {ratio:.3f} times (median of {ROUNDS} pairs)")
        loop = f"for _ in range({TRIVIAL}):\n    x = get_ipython().run_line_magic('mdsql', '{{}}SELECT 1')"
        pairs = [(run(loop.format("")), run(loop.format("--quiet "))) for _ in range(3)]
        shown, quiet = (statistics.median(times) / TRIVIAL * 1000 for times in zip(*pairs, strict=True))
        print(f"a trivial cell {shown:.3f} ms, with --quiet {quiet:.3f} ms")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()

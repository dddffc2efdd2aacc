"""Compare two checkouts of md_magic in one run: a cell, large results, memory, and what `%load_ext` costs.

    python benchmarks/compare.py /path/to/the/checkout/before
    python benchmarks/compare.py /path/before --rounds 1 --pairs 1 --cells 20 --rows 10000    # does it run?

Both run under this interpreter, each in processes of its own, with its folder first on PYTHONPATH. The runs alternate,
in turned order each time, and each ratio is of two runs that followed each other, so that the machine's moods hit both
alike. A process has its own memory layout, which makes a few per cent for as long as it lives: there are several pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIXED = (
    "SELECT i, i % 1000 AS k, i / 7 AS x, 'text ' || i % 1000 AS t, DATE '2020-01-01' + (i % 1000)::INTEGER AS d,"
    " i % 2 = 0 AS b FROM range({rows}) r(i)"
)
WIDE = f"SELECT {', '.join(f'i + {n} AS c{n}' for n in range(500))} FROM range(1000) r(i)"
HEAVY = ("pandas", "numpy", "sqlalchemy", "duckdb", "duckdb_engine", "pyarrow", "polars", "ipywidgets", "anywidget")
"""What `%load_ext` is to leave alone."""

CACHE = Path(tempfile.gettempdir()) / "md_magic-compare-bytecode"
"""Compiled modules of both, so that both start alike."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder that holds `md_magic`."""

    name: str
    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start this script for the checkout."""
        folder = str(self.folder)
        environ = {
            **os.environ,
            "PYTHONPATH": folder,
            "PYTHONPYCACHEPREFIX": str(CACHE),
            "PYTHONHASHSEED": "0",
            "HOME": tempfile.gettempdir(),
            "IPYTHONDIR": str(CACHE / "ipython"),
        }
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, __file__, folder, *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)

    def once(self, *arguments: str) -> dict[str, Any]:
        """Return what a fresh process answers."""
        process = self.start(*arguments)
        out, _ = process.communicate()
        if process.returncode:
            sys.exit(f"The process of {self.name} failed; it says why above.")
        return dict(json.loads(out))


# ---- in the checkout's process ------------------------------------------------------------------------------------


def _shell() -> Any:  # noqa: ANN401 - IPython is imported here, and only in the processes that use it
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    return shell


def _loaded(folder: Path) -> tuple[Any, float, list[str]]:
    """Load the extension of *folder*; return the shell, the seconds that took, and the heavy modules it imported."""
    shell = _shell()
    before = set(sys.modules)
    started = time.perf_counter()
    shell.run_line_magic("load_ext", "md_magic")
    took = time.perf_counter() - started
    path = Path(sys.modules["md_magic"].__file__ or "").resolve()
    if not path.is_relative_to(folder.resolve()):
        sys.exit(f"md_magic came from {path}, not from {folder}.")
    shell.run_line_magic("config", "MdsqlMagics.progress_after = 1e6")  # a status line would stand among the answers
    return shell, took, sorted(set(HEAVY) & (set(sys.modules) - before))


def load(folder: Path) -> None:
    """Answer what `%load_ext` and the first cell take."""
    shell, took, heavy = _loaded(folder)
    started = time.perf_counter()
    shell.run_cell_magic("mdsql", "", "SELECT 1")
    print(json.dumps({"load": took, "heavy": heavy, "first": time.perf_counter() - started}))


def memory(folder: Path, rows: int) -> None:
    """Answer by how many MB a result of *rows* rows raises the most that the process has held. Linux."""
    shell, _, _ = _loaded(folder)
    shell.run_cell_magic("mdsql", "", MIXED.format(rows=1))
    before = _high_water()
    frame = shell.run_cell_magic("mdsql", "", MIXED.format(rows=rows))
    print(json.dumps({"rows": len(frame), "megabytes": _high_water() - before}))


def _high_water() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def serve(folder: Path) -> None:
    """Answer lines of `[sql, repeats]` with the median seconds of a cell."""
    shell, _, _ = _loaded(folder)
    shell.run_cell_magic("mdsql", "", "SELECT 1")
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        sql, repeats = json.loads(line)
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            frame = shell.run_cell_magic("mdsql", "", sql)
            taken.append(time.perf_counter() - started)
            del frame
        print(json.dumps(statistics.median(taken)), flush=True)


# ---- in the process that asks -------------------------------------------------------------------------------------


Pairs = list[tuple[float, float]]
"""What the two checkouts took in two runs that followed each other: the one before, and the one here."""


def in_turn(checkouts: Sequence[Checkout], rounds: int, measure: Callable[[Checkout], float]) -> Pairs:
    """Return *rounds* pairs of what *measure* gives; the first of a round is the other one each time."""
    pairs = []
    for turn in range(rounds):
        order = checkouts if turn % 2 == 0 else checkouts[::-1]
        taken = {checkout.name: measure(checkout) for checkout in order}
        pairs.append((taken[checkouts[0].name], taken[checkouts[1].name]))
    return pairs


class Server:
    """A checkout that waits for SQL."""

    def __init__(self, checkout: Checkout) -> None:
        """Start it."""
        self._process = checkout.start("--serve")
        self._name = checkout.name
        self._answer()

    def seconds(self, sql: str, repeats: int) -> float:
        """Return the median seconds of *repeats* cells."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        print(json.dumps([sql, repeats]), file=self._process.stdin, flush=True)
        return float(self._answer())

    def stop(self) -> None:
        """End it."""
        self._process.communicate()

    def _answer(self) -> Any:  # noqa: ANN401 - whatever it wrote
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"The process of {self._name} ended; it says why above.")
        return json.loads(line)


def cells(checkouts: Sequence[Checkout], given: argparse.Namespace) -> dict[str, Pairs]:
    """Return the seconds of cells, of several pairs of processes."""
    tasks = {
        "trivial cell": ("SELECT 1", given.cells),
        f"{given.rows:,} mixed rows": (MIXED.format(rows=given.rows), 1),
        "500 columns": (WIDE, 5),
    }
    seen: dict[str, Pairs] = {name: [] for name in tasks}
    for _ in range(given.pairs):
        servers = {checkout.name: Server(checkout) for checkout in checkouts}
        for name, (sql, repeats) in tasks.items():
            pairs = in_turn(checkouts, given.rounds + 1, partial(_seconds, servers, sql, repeats))
            seen[name] += pairs[1:]  # the first one warms up
        for server in servers.values():
            server.stop()
    return seen


def _seconds(servers: dict[str, Server], sql: str, repeats: int, checkout: Checkout) -> float:
    return servers[checkout.name].seconds(sql, repeats)


def starts(checkouts: Sequence[Checkout], rounds: int) -> tuple[dict[str, Pairs], dict[str, list[str]]]:
    """Return the seconds of loading and of the first cell, and the heavy modules that each loads."""
    heavy = {checkout.name: checkout.once("--load")["heavy"] for checkout in checkouts}  # compiles what is imported
    both: dict[str, Pairs] = {"`%load_ext`": [], "first cell": []}
    for turn in range(rounds):
        order = checkouts if turn % 2 == 0 else checkouts[::-1]
        answers = {checkout.name: checkout.once("--load") for checkout in order}
        for name, key in (("`%load_ext`", "load"), ("first cell", "first")):
            before, here = (answers[checkout.name][key] for checkout in checkouts)
            both[name].append((before, here))
    return both, heavy


def row(name: str, pairs: Pairs, unit: str, scale: float) -> str:
    """Return a row of the table: both medians, the median of the ratios, and the middle half of them."""
    before, here = (statistics.median(values) * scale for values in zip(*pairs, strict=True))
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    ratio = f"{statistics.median(ratios):.3f} | {low:.3f} to {high:.3f}"
    return f"| {name} | {before:.4g} {unit} | {here:.4g} {unit} | {ratio} |"


def report(before: Checkout, here: Checkout, given: argparse.Namespace) -> None:
    """Measure, and print the table."""
    checkouts = (before, here)
    packages = ("duckdb", "pandas", "pyarrow", "sqlalchemy", "duckdb-engine", "ipython")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; ", end="")
    print(", ".join(f"{package} {version(package)}" for package in packages))
    print(f"before: {before.folder}\nhere:   {here.folder}\n")
    print("|  | before | here | here / before | middle half |\n| --- | ---: | ---: | ---: | ---: |")
    started, heavy = starts(checkouts, given.rounds)
    for name, pairs in started.items():
        print(row(name, pairs, "ms", 1000), flush=True)
    for name, pairs in cells(checkouts, given).items():
        print(row(name, pairs, "ms", 1000), flush=True)
    rows = ("--memory", "--rows", str(given.rows))
    peaks = in_turn(checkouts, given.pairs, lambda checkout: float(checkout.once(*rows)["megabytes"]))
    print(row(f"peak memory of {given.rows:,} mixed rows", peaks, "MB", 1))
    for name, modules in heavy.items():
        print(f"\nHeavy modules that `%load_ext` imports, {name}: {', '.join(modules) or 'none'}")


def main() -> None:
    """Read the command line; ask, or answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the checkout to compare with")
    parser.add_argument("--here", type=Path, default=Path(__file__).parents[1], help="the other one; by default this")
    parser.add_argument("--rounds", type=int, default=9, help="alternating runs of each pair of processes")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of processes")
    parser.add_argument("--cells", type=int, default=300, help="trivial cells in a run")
    parser.add_argument("--rows", type=int, default=2_000_000)
    for answer in ("load", "memory", "serve"):
        parser.add_argument(f"--{answer}", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        load(given.before)
    elif given.memory:
        memory(given.before, given.rows)
    elif given.serve:
        serve(given.before)
    else:
        report(Checkout("before", given.before.resolve()), Checkout("here", given.here.resolve()), given)


if __name__ == "__main__":
    main()

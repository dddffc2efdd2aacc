"""Print what a `%%mdsql` cell costs, as ratios to bare DuckDB and to the peers in the same run.

Each contender lives in a process of its own and answers `<task> <repeats>` on its standard input with seconds; the
runs alternate, the numbers are medians, and the machine's moods hit everybody alike::

    python benchmarks/cells.py              # makes an environment for the peers on its first run: 2 minutes
    python benchmarks/cells.py --no-peers
    python benchmarks/cells.py --profile    # where md_magic's own time in a trivial cell goes
"""

from __future__ import annotations

import argparse
import cProfile
import importlib.metadata
import io
import json
import os
import platform
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PEERS = ("duckdb>=1.5,<2", "duckdb-engine", "jupysql", "magic-duckdb", "pandas", "pyarrow", "setuptools<81")
REFERENCE = "SQLAlchemy, cursor.df()"
"""What every ratio is relative to: `conn.execute(text(sql)).cursor.df()`."""

MIXED = (
    "SELECT i, i % 1000 AS k, i / 7 AS x, 'text ' || i % 1000 AS t, DATE '2020-01-01' + (i % 1000)::INTEGER AS d,"
    " i % 2 = 0 AS b FROM range({rows}) r(i)"
)
TASKS = {
    "trivial": "SELECT 1",
    "300,000 rows": MIXED.format(rows=300_000),
    "2,000,000 rows": MIXED.format(rows=2_000_000),
    "500 columns": f"SELECT {', '.join(f'i + {n} AS c{n}' for n in range(500))} FROM range(1000) r(i)",
}
SLOW = frozenset({"pandas.read_sql"})
"""Contenders that fetch row by row: fewer runs of the large results."""

CACHE = str(Path(tempfile.gettempdir()) / "md_magic-bytecode")
"""Compiled modules of every environment, so that all start alike: uv installs none, and pandas then takes 2 s."""

Contender = tuple[str, str | None, str]
"""The extension to load, the line that connects, and the line that runs `{sql}`."""

EXTENSIONS: dict[str, Contender] = {
    "md_magic": ("md_magic", None, "mdsql"),
    "magic_duckdb": ("magic_duckdb", None, "dql"),
    "JupySQL, DuckDB": ("sql", "native", "sql"),
    "JupySQL, SQLAlchemy": ("sql", "duckdb://", "sql"),
}
BARE = (REFERENCE, "duckdb, .df()", "pandas.read_sql")


# ---- in the contender's process ---------------------------------------------------------------------------------


def serve(name: str) -> None:
    """Answer the questions on standard input about the contender *name*, one JSON line each."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what an extension prints is no answer
    loaded, first, run = _prepared(name)
    rows = run("FROM range(7)").shape
    if rows != (7, 1):
        message = f"{name} gave {rows}, no DataFrame of seven rows: it does another job than the others."
        raise RuntimeError(message)
    print(json.dumps({"load": loaded, "first": first}), file=out)
    for line in sys.stdin:
        task, repeats = json.loads(line)
        print(json.dumps(_timed(lambda sql=TASKS[task]: run(sql), repeats)), file=out)


def _timed(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of *repeats* calls."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _prepared(name: str) -> tuple[float | None, float, Callable[[str], object]]:
    """Return the seconds of loading and of the first `SELECT 1`, and a function that runs SQL."""
    if name in EXTENSIONS:
        return _extension(*EXTENSIONS[name])
    started = time.perf_counter()
    run = {REFERENCE: _sqlalchemy, "duckdb, .df()": _duckdb, "pandas.read_sql": _read_sql}[name]()
    run("SELECT 1")
    return None, time.perf_counter() - started, run


def _sqlalchemy() -> Callable[[str], object]:
    import sqlalchemy

    connection = sqlalchemy.create_engine("duckdb:///:memory:").connect()
    return lambda sql: connection.execute(sqlalchemy.text(sql)).cursor.df()


def _duckdb() -> Callable[[str], object]:
    import duckdb

    connection = duckdb.connect()
    return lambda sql: connection.execute(sql).df()


def _read_sql() -> Callable[[str], object]:
    import pandas as pd
    import sqlalchemy

    connection = sqlalchemy.create_engine("duckdb:///:memory:").connect()
    return lambda sql: pd.read_sql(sqlalchemy.text(sql), connection)


def _extension(module: str, connect: str | None, magic: str) -> tuple[float, float, Callable[[str], object]]:
    shell = _shell()
    started = time.perf_counter()
    shell.run_line_magic("load_ext", module)
    loaded = time.perf_counter() - started
    started = time.perf_counter()
    if connect:
        shell.run_line_magic("config", "SqlMagic.autopandas = True")
        shell.run_line_magic("config", "SqlMagic.displaycon = False")
        shell.run_line_magic("config", "SqlMagic.feedback = 0")
        if connect == "native":
            import duckdb

            shell.user_ns["native"] = duckdb.connect()
        shell.run_line_magic(magic, connect)
    shell.run_cell_magic(magic, "", "SELECT 1")
    return loaded, time.perf_counter() - started, lambda sql: shell.run_cell_magic(magic, "", sql)


def _shell():  # noqa: ANN202 - IPython's class is imported here, and only in the processes that use it
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    return shell


def profile() -> None:
    """Print where the time of a trivial cell goes, by the function's own time and by its time with what it calls."""
    _, _, run = _extension(*EXTENSIONS["md_magic"])
    _timed(lambda: run("SELECT 1"), 200)
    profiler = cProfile.Profile()
    profiler.runcall(_timed, lambda: run("SELECT 1"), 1000)
    for order in ("tottime", "cumulative"):
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats(order).print_stats(35)
        print(text.getvalue())


# ---- in the process that asks -------------------------------------------------------------------------------------


class Process:
    """A contender, waiting for questions."""

    def __init__(self, name: str, python: str) -> None:
        """Start *name* under the interpreter *python*, in an empty home."""
        self.name = name
        self._home = tempfile.TemporaryDirectory()
        environ = {**os.environ, "HOME": self._home.name, "IPYTHONDIR": self._home.name, "PYTHONPYCACHEPREFIX": CACHE}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self._process = subprocess.Popen(
            [python, __file__, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environ,
        )
        self.start: dict[str, float | None] = self._answer()

    def seconds(self, task: str, repeats: int) -> float:
        """Return the median seconds of *repeats* runs of *task*."""
        print(json.dumps([task, repeats]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self):  # noqa: ANN202 - a number, or what starting took
        line = self._process.stdout.readline()
        if not line:
            message = f"{self.name} did not answer; run `{sys.executable} {__file__} --serve '{self.name}'` to see why."
            raise RuntimeError(message)
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()
        self._home.cleanup()


def peers_python(folder: Path) -> str:
    """Return the interpreter of the peers' own environment in *folder*, making that on the first run."""
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / "installed"
    if not done.exists():
        venv.create(folder / "env", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True, stderr=subprocess.DEVNULL)
        done.touch()
    return str(python)


def starts(contenders: dict[str, str], rounds: int) -> dict[str, dict[str, float | None]]:
    """Return the median seconds of loading and of the first cell, each time in a fresh process."""
    seen: dict[str, list[dict[str, float | None]]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, python in contenders.items():
            process = Process(name, python)
            process.stop()
            if turn:  # the first round compiles what is imported
                seen[name].append(process.start)
    return {
        name: {key: _median(one[key] for one in found) for key in ("load", "first")} for name, found in seen.items()
    }


def results(contenders: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Return the median seconds of every task for every contender, round by round in turn."""
    processes = [Process(name, python) for name, python in contenders.items()]
    table: dict[str, dict[str, float]] = {}
    for task in TASKS:
        seen: dict[str, list[float]] = {process.name: [] for process in processes}
        for turn in range(rounds + 1):
            for process in processes:
                if task != "trivial" and process.name in SLOW and turn > 1:
                    continue
                took = process.seconds(task, 300 if task == "trivial" else 1)
                if turn:  # the first round warms up
                    seen[process.name].append(took)
        table[task] = {name: statistics.median(taken) for name, taken in seen.items()}
    for process in processes:
        process.stop()
    return table


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |")


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def report(started: dict[str, dict[str, float | None]], table: dict[str, dict[str, float]]) -> None:
    """Print the two tables as Markdown."""
    packages = ("duckdb", "pandas", "pyarrow", "sqlalchemy", "duckdb-engine", "ipython")
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}; {versions}\n")
    _row("", "`%load_ext`", "first cell", *TASKS)
    _row("---", *["---:"] * (2 + len(TASKS)))
    for name, start in started.items():
        _row(name, _shown(start["load"]), _shown(start["first"]), *(_shown(table[task][name]) for task in TASKS))
    print(f"\nAs multiples of {REFERENCE}:\n")
    _row("", "load + first cell", *TASKS)
    _row("---", *["---:"] * (1 + len(TASKS)))
    for name, start in started.items():
        both = (start["load"] or 0) + (start["first"] or 0)
        first = both / (started[REFERENCE]["first"] or 1)
        _row(name, f"{first:.2f}", *(f"{table[task][name] / table[task][REFERENCE]:.2f}" for task in TASKS))


def main() -> None:
    """Read the command line; ask, serve or profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-peers", action="store_true", help="only md_magic and what it stands on")
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "md_magic-peers", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="profile a trivial cell instead")
    parser.add_argument("--serve", choices=[*BARE, *EXTENSIONS], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve or given.profile:
        return serve(given.serve) if given.serve else profile()
    contenders = dict.fromkeys((*BARE, "md_magic"), sys.executable)
    if not given.no_peers:
        python = peers_python(given.peers)
        contenders |= {name: python for name in EXTENSIONS if name != "md_magic"}
    return report(starts(contenders, min(given.rounds, 3)), results(contenders, given.rounds))


if __name__ == "__main__":
    main()

"""A thousand cells in one kernel, stopped in every way and with queries in the background: nothing is lost or left.

`pytest -m soak -s` runs it and prints what it measured; MD_MAGIC_SOAK_CELLS and MD_MAGIC_SOAK_SEED change the run.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.kernel_client import Kernel, Reply

pytestmark = pytest.mark.soak

CELLS = int(os.environ.get("MD_MAGIC_SOAK_CELLS", "1000"))
WARM = min(200, CELLS)
"""Cells before the first measurement: the deck has been dealt at least twice, so every module is imported, every cache
of the database has its size, and the list of jobs is full or close to it. A shorter run compares answers alone."""

SEED = int(os.environ.get("MD_MAGIC_SOAK_SEED", "5"))
GROWTH = 1.05
"""Of threads and files there are so few that this allows not one more."""

SETUP = """
import asyncio, ctypes, gc, json, os, threading, time
import pandas as pd, pyarrow as pa
import comm
from md_magic.engine.database import Database
from md_magic.engine.cancellation import Execution

frame = pd.DataFrame({"i": range(1000), "t": [f"text {n % 7}" for n in range(1000)]})
magics = get_ipython().magics_manager.registry["MdsqlMagics"]
libc = ctypes.CDLL("libc.so.6")
now = None  # what runs, for the hand on the button

def ask(sql):
    return get_ipython().run_line_magic("mdsql", f"--quiet {sql}")

def press(after):
    def wait_and_press():
        time.sleep(after)
        now.cancel()
    threading.Thread(target=wait_and_press, daemon=True).start()

def settled():
    deadline = time.monotonic() + 30
    while (ask("--jobs").state == "running").any():
        assert time.monotonic() < deadline, ask("--jobs")
        time.sleep(0.02)

def measure():
    settled()
    deadline = time.monotonic() + 5
    screens = lambda: [t for t in threading.enumerate() if t.name == "mdsql-job-screen"]
    while screens() and time.monotonic() < deadline:
        time.sleep(0.05)
    ask("CHECKPOINT")
    gc.collect()
    gc.collect()
    numbers = {
        "threads": threading.active_count(),
        "tasks": len(os.listdir("/proc/self/task")),  # DuckDB's own threads as well
        "files": len(os.listdir("/proc/self/fd")),
        "connections": int(ask("SELECT count AS n FROM duckdb_connection_count()").n[0]),
        "databases": len(list(magics.session.pool)),
        "database objects": sum(type(one) is Database for one in gc.get_objects()),
        "comms": len(comm.get_comm_manager().comms),  # one for each widget that is left
    }
    # What DuckDB's allocator and the C library hold back is no leak: after 25 stopped sorts in plain DuckDB it was
    # anything between 160 and 500 MB, and 61 as soon as the allocator was told to give it back.
    ask("SET allocator_background_threads = true")
    time.sleep(3)
    pa.default_memory_pool().release_unused()
    libc.malloc_trim(0)
    with open("/proc/self/statm") as file:
        numbers["resident"] = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    ask("SET allocator_background_threads = false")
    return numbers

begin = Execution._begin
def begun(self):
    global now
    if threading.current_thread() is threading.main_thread():
        now = self
    begin(self)
Execution._begin = begun
"""

LONG = {
    "aggregation": "SELECT count(*) FROM (SELECT i % 1003 AS k, sum(i) FROM range(3_000_000_000) r(i) GROUP BY k)",
    "sort": "SELECT sum(s) FROM (SELECT sum(i) OVER (ORDER BY hash(i)) AS s FROM range(20_000_000) r(i))",
    "join": "SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)",
    "table": "CREATE TABLE made AS SELECT i, hash(i) AS h, 'text ' || i AS t FROM range(1_000_000_000) r(i)",
    "copy": "COPY (SELECT i, hash(i) AS h FROM range(1_000_000_000) r(i)) TO 'made.parquet'",
    "insert": "INSERT INTO ledger SELECT 1, hash(a.i, b.i) % 7 FROM range(1_000_000) a(i), range(1_000_000) b(i)",
    "fetch": "SELECT i, 'text ' || i AS t FROM range(100_000_000) r(i)",
    "several": "SELECT sum(hash(i)) FROM range(300_000) r(i);\n" * 1000,
}
"""What takes longer than any patience here; a fetch and a sort get through some of their rows before they are stopped."""

QUESTIONS = [
    "%mdsql FROM fixed ORDER BY i LIMIT 3",
    "%mdsql SELECT t, count(*) AS n, sum(i) AS s, avg(x) AS a FROM fixed GROUP BY t ORDER BY t",
    "%mdsql SELECT sum(i) AS s, max(t) AS t FROM frame",
    "x = 3\n%mdsql SELECT :x + 1 AS y",
    "ids = [1, 5, 9]\n%mdsql SELECT sum(i) AS s FROM fixed WHERE i IN :ids",
    "%mdsql --as arrow SELECT i FROM fixed WHERE i < 3 ORDER BY i",
    "%mdsql --as dict SELECT i, t FROM fixed WHERE i < 3 ORDER BY i",
    "%mdsql --as polars SELECT i, t FROM fixed WHERE i < 3 ORDER BY i",
    "reader = %mdsql --as reader SELECT i FROM fixed\nprint(reader.read_all().num_rows)",
    "%mdsql --limit 2 FROM fixed ORDER BY i",
    "%mdsql --dry-run FROM fixed",
    "%mdsql --describe fixed",
    "%mdsql --tables fixed",
    "%mdsql FROM kept",
    "%mdsql SELECT current_setting('threads') AS threads, current_schema() AS s, getvariable('v') AS v",
    "%mdsql SELEC 1",
    "%mdsql FROM nowhere",
    "%mdsql SELECT CAST('x' AS INTEGER)",
    "%mdsql SELECT :no_such_variable",
    "%mdsql --limt 3 SELECT 1",
]
"""Asked at the start and at the end, in a notebook whose tables of these names nobody has changed."""


class Soak:
    """Runs cells of every kind, and knows what each must answer."""

    def __init__(self, kernel: Kernel, seed: int) -> None:
        self.kernel = kernel
        self.random = random.Random(seed)  # noqa: S311 - a run that can be repeated, and no secret
        self.cells = 0
        self.kinds: Counter[str] = Counter()
        self.ledger: list[tuple[int, int]] = []
        self.events: Counter[int] = Counter()
        self.number = 0
        self.deck: list[Callable[[], None]] = []

    # ---- cells ------------------------------------------------------------------------------------------------------

    def run(self, source: str, *, error: str = "") -> Reply:
        """Run a cell, which must end well, or in *error*."""
        self.cells += 1
        return self.checked(source, self.kernel.run(source), error)

    def checked(self, source: str, reply: Reply, error: str) -> Reply:
        where = f"cell {self.cells}, seed {SEED}: {source[:200]}\n{reply.text}"
        assert reply.status == ("error" if error else "ok"), where
        assert not error or reply.error in error.split("|"), where
        return reply

    def says(self, source: str, *words: str) -> None:
        """Run a cell whose last line printed, or whose error, has *words*."""
        text = self.run(source).text
        missing = [word for word in words if word not in text]
        assert not missing, f"cell {self.cells}, seed {SEED}: {source[:200]}\n{text}\nhas not {missing}"

    def step(self) -> None:
        """Deal one kind of cell; between two shuffles each kind comes as often as it stands in the deck."""
        if not self.deck:
            self.deck = [kind for kind, times in self.all_kinds().items() for _ in range(times)]
            self.random.shuffle(self.deck)
        kind = self.deck.pop()
        before = self.cells
        kind()
        self.kinds[kind.__name__] += self.cells - before

    def all_kinds(self) -> dict[Callable[[], None], int]:
        return {
            self.insert: 4,
            self.rolled_back: 2,
            self.committed: 2,
            self.aborted: 2,
            self.delete: 1,
            self.ddl: 2,
            self.frame: 2,
            self.forms: 3,
            self.limited: 2,
            self.parameters: 2,
            self.refused: 4,
            self.elsewhere: 1,
            self.interrupted: 8,
            self.pressed: 6,
            self.timed_out: 6,
            self.job_awaited: 4,
            self.job_cancelled: 4,
            self.job_timed_out: 2,
            self.job_failed: 3,
            self.job_dropped: 4,
            self.job_shown: 1,
            self.check: 2,
        }

    # ---- ordinary cells ---------------------------------------------------------------------------------------------

    def rows(self) -> list[tuple[int, int]]:
        return [
            (self.random.randrange(100), self.random.randrange(-1000, 1000))
            for _ in range(self.random.randrange(1, 20))
        ]

    def insert(self) -> None:
        rows = self.rows()
        self.says(
            f"%%mdsql\nINSERT INTO ledger VALUES {values(rows)}", f"{len(rows)} row{'s' * (len(rows) > 1)} insert"
        )
        self.ledger += rows

    def rolled_back(self) -> None:
        self.run(f"%%mdsql\nBEGIN; INSERT INTO ledger VALUES {values(self.rows())}")
        self.run("%%mdsql\nDELETE FROM ledger; SELECT count(*) AS n FROM ledger")
        self.run("%mdsql ROLLBACK")

    def committed(self) -> None:
        rows = self.rows()
        self.run("%mdsql BEGIN")
        self.run(f"%%mdsql\nINSERT INTO ledger VALUES {values(rows)}")
        self.run("%mdsql COMMIT")
        self.ledger += rows

    def aborted(self) -> None:
        """Stop a query within a transaction, which is then lost."""
        self.run(f"%%mdsql\nBEGIN; INSERT INTO ledger VALUES {values(self.rows())}")
        reply = self.run(f"%%mdsql --timeout {self.moment():.2f}\n{LONG['join']}", error="QueryTimeout")
        assert "run ROLLBACK before anything else" in reply.text
        self.run("%mdsql FROM ledger", error="StatementError")
        self.run("%mdsql ROLLBACK")

    def delete(self) -> None:
        key = self.random.randrange(100)
        self.run(f"%mdsql DELETE FROM ledger WHERE k < {key}")
        self.ledger = [row for row in self.ledger if row[0] >= key]

    def ddl(self) -> None:
        kind = self.random.choice(["TABLE", "TEMP TABLE"])
        self.run(f"%%mdsql\nCREATE {kind} passing AS SELECT i, 'text ' || i AS t FROM range(1000) r(i)")
        self.run("%%mdsql\nALTER TABLE passing ADD COLUMN x DOUBLE; UPDATE passing SET x = i / 2")
        self.says("df = %mdsql SELECT sum(x) AS s FROM passing\nprint(df.s[0])", "249750.0")
        self.run("%mdsql DROP TABLE passing")

    def frame(self) -> None:
        size = self.random.randrange(1, 5000)
        source = f"mine = pd.DataFrame({{'i': range({size}), 't': [str(n) for n in range({size})]}})\n"
        source += "df = %mdsql SELECT sum(i) AS s, count(DISTINCT t) AS n FROM mine\nprint(int(df.s[0]), df.n[0])"
        self.says(source, f"{size * (size - 1) // 2} {size}\n")

    def forms(self) -> None:
        rows = self.random.randrange(1, 10_000)
        form, counted = self.random.choice(
            [
                ("arrow", "got.num_rows"),
                ("polars", "got.height"),
                ("dict", "len(got['i'])"),
                ("reader", "got.read_all().num_rows"),
                ("pandas", "len(got)"),
            ]
        )
        query = f"got = %mdsql --as {form} SELECT i, 'text ' || i AS t FROM range({rows}) r(i)"
        self.says(f"{query}\nprint({counted}, 'rows')", f"{rows} rows\n")
        if form == "reader":  # one that is dropped after its first batch
            self.says(
                "got = %mdsql --as reader SELECT i FROM range(10_000_000) r(i)\nprint(got.read_next_batch()[0][0])\ndel got",
                "0",
            )

    def limited(self) -> None:
        limit = self.random.randrange(1, 50)
        self.says(f"%%mdsql -o got --limit {limit}\nSELECT i FROM range(100_000_000) r(i)", "there are more")
        self.says("print(len(got), int(got.i.sum()))", f"{limit} {limit * (limit - 1) // 2}\n")

    def parameters(self) -> None:
        low, ids = self.random.randrange(1000), sorted(self.random.sample(range(1000), 5))
        above = sum(i >= low for i in ids)
        source = f"low, ids = {low}, {ids}\ngot = %mdsql SELECT count(*) AS n FROM fixed WHERE i >= :low AND i IN :ids"
        self.says(f"{source}\nprint(got.n[0], 'found')", f"{above} found\n")

    def refused(self) -> None:
        source, error = self.random.choice(
            [
                ("%mdsql SELEC 1", "StatementError"),
                ("%%mdsql\nSELECT 1;\nFROM nowhere", "StatementError"),
                ("%mdsql SELECT CAST('x' || i AS INTEGER) FROM fixed", "StatementError"),
                ("%mdsql SELECT :nothing_of_this_name", "ParameterError"),
                ("%mdsql --no-such-option SELECT 1", "OptionError"),
                ("%mdsql INSERT INTO strict VALUES (1), (1)", "StatementError"),
                ("%mdsql @nobody SELECT 1", "TargetError"),
            ]
        )
        self.run(source, error=error)

    def elsewhere(self) -> None:
        """Open another database, and close it."""
        target = self.random.choice(["duckdb:///:memory:", "duckdb:///side.duckdb", "sqlite:///side.sqlite"])
        self.run(f"%mdsql --quiet {target} CREATE TABLE IF NOT EXISTS aside (i INTEGER)")
        if target.startswith("duckdb"):
            self.run(f"%%mdsql --background -o job0\n{LONG['join']}")  # ends with its target
        self.run("%mdsql --close")
        self.says("df = %mdsql @soak SELECT count(*) AS n FROM fixed\nprint(df.n[0])", "1000")

    # ---- cells that are stopped -------------------------------------------------------------------------------------

    def moment(self) -> float:
        return self.random.uniform(0.03, 0.35)

    def long(self) -> str:
        form = self.random.choice(["", "", "", "--as arrow", "--as polars"])
        return f"%%mdsql {form} OPTIONS\n{self.random.choice(list(LONG.values()))}"

    def interrupted(self) -> None:
        self.cells += 1
        source = self.long().replace(" OPTIONS", "")
        request = self.kernel.begin(source)
        time.sleep(self.moment())
        self.kernel.interrupt()
        self.checked(source, self.kernel.finish(request), "QueryInterrupted|KeyboardInterrupt")

    def pressed(self) -> None:
        line = "; ".join(self.random.choice(list(LONG.values())[:7]).splitlines())
        source = f"press({self.moment():.2f})\ngot = %mdsql {line}"
        assert "with the button" in self.run(source, error="QueryCancelled").text

    def timed_out(self) -> None:
        self.run(self.long().replace("OPTIONS", f"--timeout {self.moment():.2f}"), error="QueryTimeout")

    # ---- queries in the background ----------------------------------------------------------------------------------

    def job(self) -> str:
        """Return the name of a handle; a seventh one takes the place of the first, whatever that does."""
        self.number = self.number % 6 + 1
        return f"job{self.number}"

    def job_awaited(self) -> None:
        job, rows = self.job(), self.random.randrange(1, 100_000)
        form, counted = self.random.choice(
            [("pandas", "len(got)"), ("arrow", "got.num_rows"), ("reader", "got.read_all().num_rows")]
        )
        self.run(f"%%mdsql --background --as {form} -o {job}\nSELECT i, 't' || i AS t FROM range({rows}) r(i)")
        wait = self.random.choice([f"await {job}", f"{job}.result()", f"(await asyncio.gather({job}, {job}))[1]"])
        self.says(f"got = {wait}\nprint({counted}, 'rows')", f"{rows} rows\n")

    def job_cancelled(self) -> None:
        job, sql = self.job(), self.random.choice([LONG["join"], LONG["insert"], LONG["sort"], LONG["several"]])
        self.run(f"%%mdsql --background -o {job}\n{sql}")
        self.says("df = %mdsql SELECT count(*) AS n FROM fixed\nprint(df.n[0])", "1000")  # beside it
        self.says(f"time.sleep({self.moment() / 2:.2f})\nprint({job}.cancel(), {job}.done)", "True True")
        if self.random.random() < 0.5:
            self.run(f"{job}.result()", error="QueryCancelled")

    def job_timed_out(self) -> None:
        job = self.job()
        self.run(f"%%mdsql --background --timeout {self.moment():.2f} -o {job}\n{LONG['aggregation']}")
        self.run(f"{job}.result()", error="QueryTimeout")

    def job_failed(self) -> None:
        job = self.job()
        if self.random.random() < 0.3:  # at its start
            self.run(f"%%mdsql --background -o {job}\nFROM kept", error="StatementError")
            return
        sql = self.random.choice(["SELECT CAST('x' || i AS INTEGER) FROM fixed", "FROM nowhere", "BEGIN; SELECT 1"])
        self.run(f"%%mdsql --background -o {job}\n{sql}")
        self.run(self.random.choice([f"{job}.result()", f"await {job}"]), error="StatementError")
        self.says(f"print({job}.state)", "failed")

    def job_dropped(self) -> None:
        """Forget the handle of a query that writes: it does write."""
        job, event = self.job(), self.random.randrange(1000)
        self.run(
            f"%%mdsql --background -o {job}\nINSERT INTO events SELECT {event} FROM range(3_000_000) r(i)"
            " WHERE hash(i) % 7 < 9 AND i % 1_000_000 = 0"
        )
        self.run(f"del {job}")
        self.events[event] += 3

    def job_shown(self) -> None:
        """Have the handle on the screen, which follows it."""
        self.run("%%mdsql --background\nSELECT count(*) AS n FROM range(10_000_000) r(i) WHERE hash(i) % 7 = 3")
        self.says("%mdsql --jobs", "name", "state")

    # ---- answers ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the tables with what they must hold."""
        self.says(
            "settled()\ndf = ask('SELECT count(*) AS n, coalesce(sum(k), 0) AS k, coalesce(sum(v), 0) AS v FROM ledger')\n"
            "print(*map(int, df.iloc[0]), 'in the ledger')",
            f"{len(self.ledger)} {sum(k for k, _ in self.ledger)} {sum(v for _, v in self.ledger)} in the ledger\n",
        )
        self.says(
            "df = ask('SELECT count(*) AS n, coalesce(sum(e), 0) AS s FROM events')\nprint(*map(int, df.iloc[0]), 'events')",
            f"{self.events.total()} {sum(event * times for event, times in self.events.items())} events\n",
        )
        self.run("%mdsql DELETE FROM events")
        self.events.clear()

    def answers(self) -> list[str]:
        self.kernel.run("%config MdsqlMagics.progress_after = 60")  # how long an answer takes is no part of it
        answers = [self.kernel.run(question).text for question in QUESTIONS]
        self.kernel.run("%config MdsqlMagics.progress_after = 0.2")
        return answers

    def measured(self) -> dict[str, int]:
        """Measure at rest, with no handle and no result of the last cells alive."""
        names = ["df", "got", "reader", "mine", *(f"job{number}" for number in range(7))]
        self.kernel.run(f"for name in {names}: globals().pop(name, None)")
        # The watcher goes to sleep after 2 s, and every 10 s ipykernel closes the pipes of threads that have ended.
        self.kernel.run("time.sleep(11)")
        reply = self.kernel.run("print(json.dumps(measure()))")
        assert reply.status == "ok", reply.text
        numbers = json.loads(reply.text.splitlines()[-1])
        print(
            f"{self.cells:5} cells", *(f"{name} {number:,}" for name, number in numbers.items()), sep=" · ", flush=True
        )
        return numbers


def values(rows: list[tuple[int, int]]) -> str:
    return ", ".join(map(str, rows))


def test_a_thousand_cells_leave_the_kernel_as_it_was(
    start_kernel: Callable[[], Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "soak.ipynb")  # as in JupyterLab: a live line, made of a widget
    # Left to itself, the C library gives the threads of this test 16 heaps to leave gaps in, which grow by 13 to 20 MB in
    # a thousand cells; that is no leak, and hides one.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    kernel = start_kernel()
    kernel.attended = True
    for source in (
        "%mdsql --quiet --alias soak duckdb:///soak.duckdb SET threads = 1",
        SETUP,
        "%mdsql CREATE TABLE fixed AS SELECT i::INTEGER AS i, i / 7 AS x, 'text ' || i % 5 AS t FROM range(1000) r(i)",
        "%%mdsql\nCREATE TABLE ledger (k INTEGER, v INTEGER); CREATE TABLE events (e INTEGER)",
        "%mdsql CREATE TABLE strict (i INTEGER PRIMARY KEY)",
        "%mdsql --quiet sqlite:///side.sqlite SELECT 1",  # imports sqlglot
        "%mdsql --close",
        "%mdsql --quiet @soak SELECT 1",
        "%%mdsql\nCREATE TEMP TABLE kept AS SELECT 42 AS i; SET VARIABLE v = 'kept'",
    ):
        reply = kernel.run(source)
        assert reply.status == "ok", reply.text

    soak = Soak(kernel, SEED)
    soak.answers()  # imports Polars and Arrow
    asked = soak.answers()
    began = time.monotonic()
    series = []
    for goal in range(100, CELLS + 1, 100):
        while soak.cells < goal:
            soak.step()
        series.append((soak.cells, soak.measured()))
    took = time.monotonic() - began

    soak.check()
    assert soak.answers() == asked
    print(f"{soak.cells} cells in {took:.0f} s:", dict(sorted(soak.kinds.items())))
    warm = next(numbers for cells, numbers in series if cells >= WARM)
    last = series[-1][1]
    grown = {name: (warm[name], last[name]) for name in warm if last[name] > warm[name] * GROWTH}
    assert not grown, f"more than {GROWTH:.0%} of what it was after {WARM} cells: {grown}"

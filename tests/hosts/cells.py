"""The cells of a day's work, and what each shows in a host where it works, and where it is degraded."""

from __future__ import annotations

from typing import NamedTuple


class Cell(NamedTuple):
    """A cell, and how its output is read."""

    name: str
    source: str
    works: str
    """A regular expression for its output, as text."""

    degraded: str | None = None
    """What it shows instead, where a host cannot show the whole of it."""


WIDGET = r"\(widget\)"
"""Stands in a transcript where an output has a widget."""

BROKEN = r"Traceback \(most recent|site-packages.md_magic|AttributeError|NotImplementedError|can't start new thread"
"""What no output of a cell may have."""

LONG = "SELECT count(*) AS c FROM range(400_000_000_000) t(i) WHERE hash(i) = 1"

_STOPPED = """
import os, signal, threading
threading.Timer({after}, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    get_ipython().run_cell_magic('mdsql', {line!r}, {sql!r})
except BaseException as error:
    print('ended by', type(error).__name__, error)
"""

CELLS = (
    Cell("load", "%load_ext md_magic", r"\A\s*\Z"),
    Cell("frame", "%%mdsql\nSELECT 6 * 7 AS answer, 'München' AS city", r"(?s)answer.*42.*München"),
    Cell("frame in Python", "df = %mdsql SELECT range AS n FROM range(5)\nprint('sum', df.n.sum())", r"sum 10"),
    Cell("Python frame as a table", "%%mdsql\nSELECT sum(n) + 1000 AS total FROM df", r"1010"),
    Cell("parameters", "low = 3; ids = [1, 4]\nhigh = %mdsql SELECT n FROM df WHERE n > :low AND n IN :ids\nprint(high.n.tolist())", r"\[4\]"),
    Cell("error", "%%mdsql\nSELECT 1,\n  nope FROM df", r'(?s)Referenced\s+column\s+"nope".*LINE\s+2\s*:'),
    Cell("statements", "%%mdsql --all\nCREATE TABLE t (a INTEGER);\nINSERT INTO t VALUES (1), (2), (3);\nSELECT max(a) + 7000 AS m FROM t", r"(?s)3 rows inserted.*7003"),
    Cell("transaction", "%%mdsql\nBEGIN; DELETE FROM t; ROLLBACK; SELECT count(*) + 500 AS c FROM t", r"503"),
    Cell("catalogue", "%mdsql --tables", r"\bt\b"),
    Cell("describe", "%mdsql --describe t", r"INTEGER"),
    Cell("tree", "%mdsql --browse", WIDGET, r"(?s)memory.*main"),
    Cell("grid", "%%mdsql --grid\nSELECT i, 'name ' || i AS name FROM range(1000) r(i)", WIDGET, r"(?s)name 19.*The first 20"),
    Cell("profile", "%mdsql --profile df", r"(?i)\bn\b"),
    Cell("plan", "%%mdsql --explain\nSELECT count(*) FROM range(10)", r"(?i)aggregate"),
    Cell("plan with times", "%%mdsql --analyze\nSELECT count(*) FROM range(10)", r"(?i)aggregate"),
    Cell("dry run", "%%mdsql --dry-run\nSELECT 1::DECIMAL(9, 2) AS price", r"DECIMAL\(9,2\)"),
    Cell("Jinja", "columns = ['n', 'n']\nmade = %mdsql --jinja SELECT {{ columns | length }} + 40 AS a\nprint(made.a.tolist())", r"\[42\]"),
    Cell("Arrow", "%%mdsql --as arrow --limit 2 -o table\nSELECT range FROM range(9)\n", r"The first 2 rows; there are more"),
    Cell("saved query", "%%mdsql --save recent\nSELECT n FROM df WHERE n > 2", r"(?s)3.*4"),
    Cell("write", "%mdsql --to kept --frame df\nkept = %mdsql SELECT count(*) AS c FROM kept\nprint(kept.c.tolist())", r"\[5\]"),
    Cell("background", "%mdsql --background -o job SELECT 11 * 4 AS a\nprint(job.result().a.tolist())", r"\[44\]"),
    Cell("SQLite", "%%mdsql sqlite://\nSELECT sqlite_version() || ' of SQLite' AS v", r"3\.\d+.* of SQLite"),
    Cell("back to DuckDB", "%%mdsql duckdb:///:memory:\nSELECT count(*) + 90 AS c FROM t", r"93"),
    Cell("time limit", f"%%mdsql --timeout 1\n{LONG}", r"--\s*timeout\s+1"),
    Cell("interrupt", _STOPPED.format(after=2, line="", sql=LONG), r"ended by QueryInterrupted"),
    Cell("slow query", "%%mdsql\nSELECT count(*) + 3000000 AS c FROM range(300_000_000) t(i) WHERE hash(i) = 1", r"300000\d"),
    Cell(
        "MotherDuck without a token",
        _STOPPED.format(after=9, line="md:", sql="SELECT 1"),
        r"(?i)sign.in to MotherDuck|Create a token|MotherDuck extension",
        r"Nobody can sign in here",
    ),
)  # fmt: skip


def marked() -> list[str]:
    """Return the sources of a notebook: before each cell another one prints its number, and one at the end prints 99."""
    sources = []
    for number, cell in enumerate(CELLS):
        sources += [_mark(number), cell.source]
    return [*sources, _mark(99)]


def fails(source: str) -> bool:
    """Whether a cell with *source* ends in an error on purpose."""
    return any(cell.source == source and cell.name in {"error", "time limit"} for cell in CELLS)


def _mark(number: int) -> str:
    return f"print('<' + '<{number:02}>' + '>')"

"""Print how long a check of a cell takes in the kernel, among 10,000 tables with 200,000 columns.

python benchmarks/check.py --tables 10000
python benchmarks/check.py --browser         # from a key to the underline, in a real JupyterLab

From the last key to the underline it is the front end's half second, this, and a message each way. Milliseconds, the
median and the 95th percentile of many checks of a cell in which one word changes: a query over three tables, and the
last of 500 statements. Beside it, as a ratio, what a running pure-Python loop loses while checks are made.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time

from md_magic.session.session import Session

_COLUMNS = 20
_CHECKS = 60
_MILLISECONDS = 1e3
_PAUSE = 0.5
"""Seconds after the last key: `PAUSE` in check.js."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--browser", action="store_true", help="in JupyterLab, with Chromium and the group `dev`")
    arguments = parser.parse_args()
    if arguments.browser:
        _report("from a key to the underline, without the half second", _in_browser(arguments.tables))
        return
    tables = arguments.tables
    session = Session(notify=print)
    session.use(session.resolve("duckdb:///:memory:"))
    columns = ", ".join(f"c{number} INTEGER" for number in range(_COLUMNS))
    for first in range(0, tables, 500):
        several = range(first, min(first + 500, tables))
        list(session.run(";".join(f"CREATE TABLE t{number} ({columns})" for number in several), {}))
    query = "SELECT a.c1, b.c2, sum(c.c{0}) FROM t1 a JOIN t2 b USING (c3) JOIN t3 c USING (c3) GROUP BY ALL"
    script = ";\n".join(query.format(number % _COLUMNS) for number in range(499)) + ";\n"
    _wait(session, query.format(1))
    _report("a query over three tables", [_checked(session, query.format(1) + f" -- {n}") for n in range(_CHECKS)])
    _checked(session, script)
    changed = [_checked(session, script + query.format(1) + f" LIMIT {n}") for n in range(_CHECKS)]
    _report("the last of 500 statements", changed)
    alone, beside = _loop(), _beside(session, query)
    print(f"a loop in a running cell while checks are made: {beside / alone:.2f} of its time alone")
    session.close_all()


_MAKE = """\
for first in range(0, {tables}, 500):
    columns = ", ".join(f"c{{number}} INTEGER" for number in range({columns}))
    tables = range(first, min(first + 500, {tables}))
    md_magic.sql(";".join(f"CREATE TABLE t{{number}} ({{columns}})" for number in tables))
"""
_WATCH = """() => {
    document.addEventListener('keydown', event => { window.pressed = event.timeStamp }, true);
    new MutationObserver(() => {
        const marked = document.querySelector('.md-magic-mistake')?.textContent;
        if (marked !== window.marked) { window.marked = marked; window.markedAt = performance.now() }
    }).observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true});
}"""


def _in_browser(tables: int) -> list[float]:
    """Return the seconds from each key to the underline of the word that it makes longer."""
    import sys
    import tempfile
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, CHROMIUM, Lab, Notebook, load

    cells = ("%load_ext md_magic\nimport md_magic", _MAKE.format(tables=tables, columns=_COLUMNS), "%mdsql SELECT 1")
    seconds = []
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
            page = load(lab, context)
            book = Notebook(lab, page, lab.write((*cells, "%%mdsql")))
            for index in range(len(cells)):
                book.run(index, 300)
            page.evaluate(_WATCH)
            book.cell(len(cells)).locator(".cm-content").click()
            page.keyboard.press("Control+End")
            word = "nme"
            query = "SELECT a.c1, b.c2 FROM t1 a JOIN t2 b USING (c3) JOIN t3 c USING (c3) ORDER BY "
            page.keyboard.type(f"\n{query}{word}")
            page.wait_for_function("word => window.marked === word", arg=word, timeout=120_000)
            for number in range(_CHECKS):
                word += str(number % 10)
                page.keyboard.type(str(number % 10))
                page.wait_for_function("word => window.marked === word", arg=word, timeout=60_000)
                seconds.append(page.evaluate("() => window.markedAt - window.pressed") / _MILLISECONDS - _PAUSE)
        browser.close()
    return seconds


def _checked(session: Session, sql: str) -> float:
    started = time.perf_counter()
    while not session.checks.check(sql, session.current, {}).is_whole:
        pass
    return time.perf_counter() - started


def _wait(session: Session, sql: str) -> None:
    while not session.checks.check(sql, session.current, {}).is_whole:
        time.sleep(0.1)


def _report(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    at_95 = ordered[int(len(ordered) * 0.95)]
    print(f"{what}: {statistics.median(ordered) * _MILLISECONDS:.1f} ms, 95 %: {at_95 * _MILLISECONDS:.1f} ms")


def _loop() -> float:
    started = time.perf_counter()
    total = 0
    for number in range(20_000_000):
        total += number
    return time.perf_counter() - started


def _beside(session: Session, query: str) -> float:
    """Return the seconds of the loop while a cell is checked twice a second, as somebody types."""
    ended = threading.Event()

    def type_on() -> None:
        number = 0
        while not ended.wait(0.5):
            number += 1
            _checked(session, query.format(1) + f" LIMIT {number}")

    typing = threading.Thread(target=type_on)
    typing.start()
    seconds = _loop()
    ended.set()
    typing.join()
    return seconds


if __name__ == "__main__":
    main()

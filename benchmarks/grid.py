"""Measure what `--grid` does with 10,000,000 rows: jumps, scrolls and filters as seen in Chromium.

    python benchmarks/grid.py --rows 10000000 --columns 5
    python benchmarks/grid.py --rows 1000000 --columns 500
    python benchmarks/grid.py --kernel --rows 10000000

In the browser a JupyterLab is started on loopback, and the time is that from the key, the wheel or the letter until the
rows that belong there are drawn; a filter is one that Enter ends, which does not wait for another letter. With
`--kernel` it is the kernel's side alone, in a fresh process: first rows, all rows, sorts, memory and disk.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from md_magic.engine.results.batches import Batches
from md_magic.engine.results.columns import Column
from md_magic.engine.results.store import ResultStore
from md_magic.engine.results.views import View

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests' JupyterLab

QUERY = """
SELECT i AS id, random() AS r, 'name ' || (i % 1000) AS name, DATE '2020-01-01' + (i % 3000)::INTEGER AS day,
       i * 7919 % 10000019 AS k
FROM range({rows}) t(i)
"""
PAGE = 64


def resident() -> int:
    """Return the megabytes of memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20


def in_kernel(rows: int) -> None:
    """Measure the kernel's side, and print a line for each step."""
    source = duckdb.connect()
    source.execute("FROM range(1)").to_arrow_reader(1)  # what importing pyarrow costs is not the grid's
    clock = time.perf_counter()
    source.execute(QUERY.format(rows=rows))
    for _ in Batches.of(source):
        pass
    print(f"the query alone: {time.perf_counter() - clock:.2f} s")
    before = resident()
    clock = time.perf_counter()
    source.execute(QUERY.format(rows=rows))
    store = ResultStore([Column(name, str(kind)) for name, kind, *_ in source.description])
    first = None
    for batch in Batches.of(source):
        if store.append(batch) and first is None:
            store.page(View(), first=0, count=PAGE, left=0, right=5)
            first = time.perf_counter() - clock
            print(f"first rows: {first:.2f} s")
    store.finish()
    print(f"all rows: {time.perf_counter() - clock:.2f} s; memory {before} MB before, {resident()} MB after")

    def look(what: str, view: View, at: int) -> None:
        clock = time.perf_counter()
        page = store.page(view, first=at, count=PAGE, left=0, right=5)
        print(f"{what}: {(time.perf_counter() - clock) * 1000:,.0f} ms; {page.total:,} rows; memory {resident()} MB")

    look("jump to the end", View(), rows - PAGE)
    for at, name in ((4, "numbers"), (2, "text, 1,000 different"), (1, "random doubles")):
        view = View(sort=((at, True),))
        look(f"sort by {name}", view, 0)
        look("  jump to the middle", view, rows // 2)
        look("  jump to the end", view, rows - PAGE)
    look("filter: text contains", View(filters=((2, "99"),)), 0)
    look("filter: number, sorted", View(sort=((1, False),), filters=((0, "< 1000000"),)), 0)
    size = sum(path.stat().st_size for path in Path(store._folder).rglob("*") if path.is_file())  # noqa: SLF001
    print(f"disk: {size / 1e6:,.0f} MB")
    store.close()


# What is measured runs in the page, so that Playwright's own way there does not count.
DRAWN = """async ([act, argument, wanted]) => {
    const area = document.querySelector('.md-grid-scroll');
    const filter = document.querySelector('.md-grid-filter');
    const status = document.querySelector('.md-grid-status');
    const column = () => document.querySelector('.md-grid-row [aria-colindex]')?.getAttribute('aria-colindex');
    const firstColumn = column();
    const isDrawn = () => {
        const rows = [...document.querySelectorAll('.md-grid-row')];
        const whole = rows.length > 0 && !document.querySelector('.md-grid-wait');
        if (act === 'filter') return status.textContent.startsWith(wanted) && whole;
        const first = Number(rows[0]?.querySelector('.md-grid-index').textContent.replaceAll(',', ''));
        return whole && first !== window.firstRow;
    };
    const rows = document.querySelectorAll('.md-grid-row');
    window.firstRow = Number(rows[0]?.querySelector('.md-grid-index').textContent.replaceAll(',', ''));
    const start = performance.now();
    if (act === 'jump') area.scrollTop = (area.scrollHeight - area.clientHeight) * argument;
    if (act === 'sideways') area.scrollLeft = (area.scrollWidth - area.clientWidth) * argument;
    if (act === 'scroll') area.dispatchEvent(new WheelEvent('wheel', {deltaY: argument, cancelable: true}));
    if (act === 'filter') {
        filter.value = argument;
        filter.dispatchEvent(new Event('input'));
        filter.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}));
    }
    for (;;) {
        await new Promise(requestAnimationFrame);
        const waits = document.querySelector('.md-grid-wait') !== null;
        if (act === 'sideways' ? !waits && column() !== firstColumn : isDrawn()) return performance.now() - start;
        if (performance.now() - start > 60000) return NaN;
    }
}"""


def in_browser(rows: int, columns: int, times: int) -> None:
    """Measure what a person waits for in Chromium, and print the median and the 95th percentile of each act."""
    from playwright.sync_api import sync_playwright  # only here

    from tests.browser.conftest import ARGUMENTS, CHROMIUM, Lab, Notebook, load

    more = "".join(f", i + {at} AS c{at}" for at in range(columns - 5))
    sql = QUERY.format(rows=rows).replace("\nFROM", f"{more}\nFROM")
    cells = ("%load_ext md_magic", f"%%mdsql --grid\n{sql}")
    chance = random.Random(1)  # noqa: S311 - places to go to
    folder = Path(tempfile.mkdtemp(prefix="md_magic-benchmark-"))
    try:
        with Lab(folder) as lab, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = load(lab, browser.new_context(viewport={"width": 1280, "height": 900}))
            book = Notebook(lab, page, lab.write(cells))
            book.run(0)
            clock = time.perf_counter()
            book.run(1, seconds=3600)
            print(f"{rows:,} rows, {columns} columns: all there after {time.perf_counter() - clock:.1f} s")
            page.wait_for_function("() => !document.querySelector('.md-grid-wait')")

            def measure(name: str, act: str, arguments: list[object], wanted: list[str] | None = None) -> None:
                took = []
                for at, argument in enumerate(arguments):
                    expected = wanted[at] if wanted else ""
                    took.append(page.evaluate(DRAWN, [act, argument, expected]))
                    page.wait_for_timeout(400)
                took.sort()
                late = took[min(len(took) - 1, int(len(took) * 0.95))]
                print(f"{name}: median {took[len(took) // 2]:,.0f} ms, 95th percentile {late:,.0f} ms")

            measure("jump", "jump", [chance.random() for _ in range(times)])
            measure("scroll by the wheel", "scroll", [chance.choice([96, 480, 960]) for _ in range(times)])
            if columns > 20:
                halves = [chance.random() * 0.4 + 0.6 * (at % 2 == 0) for at in range(times)]  # each to other columns
                measure("jump sideways", "sideways", halves)
                # the filter is that of the id
                page.evaluate("document.querySelector('.md-grid-scroll').scrollLeft = 0")
                page.wait_for_timeout(2000)
            numbers = [chance.randrange(rows // 10, rows) for _ in range(times)]
            measure("filter", "filter", [f"< {number}" for number in numbers], [f"{number:,} of" for number in numbers])
            measure("jump in what is filtered", "jump", [chance.random() for _ in range(times)])
            sort = "document.querySelector('.md-grid-column[aria-colindex=\"2\"] .md-grid-name').click()"
            page.evaluate(sort)  # random doubles: neighbours come from anywhere
            page.wait_for_timeout(10_000)
            measure("jump in what is sorted", "jump", [chance.random() for _ in range(times)])
            browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--kernel", action="store_true")
    arguments = parser.parse_args()
    if arguments.kernel:
        in_kernel(arguments.rows)
    else:
        in_browser(arguments.rows, arguments.columns, arguments.times)


if __name__ == "__main__":
    main()

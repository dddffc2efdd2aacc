"""The table of what works on which database, `docs/databases.md`: from the tests of this folder, not from hope.

A capability is a group of tests. It stands in the table for a database where there are tests of the group for it, which
the gate runs and which have to pass; Spark's run by `pytest -m spark`. `python -m tests.databases.capabilities` writes
the table, and a test compares it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DATABASES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite", "spark": "Spark"}
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "databases.md"

_NAMED = re.compile(r"test_(postgresql|mariadb|sqlite|spark)\w*\.py::|[\[-](postgresql|mariadb|sqlite)[\]-]")
"""What says which database a test is about: its file, or a parameter."""

CAPABILITIES = {
    "What the driver itself gives, over 150 statements, among hostile variables too": r"test_corpus",
    "Exact values": r"test_corpus|values_are_exact|values_of_a_dict_are_exact",
    "Types from the description: no rows and NULLs have those of a full result": r"types_of_a_full|types_are_those_of",
    "Tables, temporary tables and settings live from cell to cell": r"made_in_one_cell|live_from_cell_to_cell",
    "Transactions over cells": r"test_a_transaction_lasts_over_cells",
    "`:name` parameters, lists in `IN :ids`": r"parameter_is_bound|parameter_arrives|a_list_expands",
    "A restarted server: what was lost is said, else the cell goes on": r"where_nothing_was_lost|what_was_lost_is_said",
    "Errors are the database's own, without the data": r"error_is_one_message|error_is_the_servers_own",
    "Saved queries": r"saved_queries",
    "Names are quoted as the database reads them": r"offered_as_the_database_reads|quoted_as|tab_quotes",
    "`--limit` and `--as reader` stream": r"limit_of_a_large|a_reader_streams|take_little_memory",
    "A query is stopped where it runs: interrupt, `--timeout`, `job.cancel()`": r"time_limit_stops|interrupt_stops|background_query_is_c|job_is_cancelled",
    "`--to`, exactly, whole or not at all": r"values_arrive_exactly|what_is_interrupted_leaves_nothing",
    "`--explain` as a tree": r"test_explain_is_a_tree",
    "`--analyze`": r"test_analyze_counts",
    "`--dry-run`": r"test_columns|columns_of_a_query_are_told",
    "`--profile`": r"test_profiles|profile_looks_at_every_row",
    "`--tables`, `--describe`: every schema, views, quoted names": r"every_schema|quoted_name_is_listed|catalogue_has_every",
    "`--browse`: the same, temporary tables too": r"the_tree_has",
}
"""What is promised, and what is in the names of the tests that show it."""

_HEAD = """\
# What works on which database

Each mark stands for tests on a real server, or on a cluster of Apache Spark, that pass; `python -m
tests.databases.capabilities` writes this table from them. PostgreSQL is used through psycopg 3, MariaDB through
PyMySQL, Spark through PyHive. Where there is no mark, nothing is promised.

"""

_FOOT = """
SQLite says of no result which types its columns have, and keeps any value in any column. There a column has the type of
its values; one without values that is a column of a table has the type that is declared, and an expression without
values has none. A stream (`--as reader`) has the types of its first 100,000 rows.

PostgreSQL and MySQL are stopped on the server through any driver. Any other SQLAlchemy dialect runs cells, parameters,
frames and `--tables`; where its driver has neither `interrupt()` nor `cancel()`, the first cell says so, `--timeout` is
refused, and interrupting the kernel gives up the connection and leaves the query to the database. `--to` there goes
through pandas on a connection of its own, in one transaction where the database has such.
"""


def collected() -> list[str]:
    """Return the names of the tests of this folder, Spark's too."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "spark or not spark", "tests/databases"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def page(tests: Iterable[str]) -> str:
    """Return the page with the table of what *tests* show."""
    shown = {capability: _databases(tests, pattern) for capability, pattern in CAPABILITIES.items()}
    names = list(DATABASES.values())
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for capability, found in shown.items():
        marks = " | ".join("✓" if database in found else "" for database in DATABASES)
        lines.append(f"| {capability} | {marks} |")
    return _HEAD + "\n".join(lines) + "\n" + _FOOT


def _databases(tests: Iterable[str], pattern: str) -> set[str]:
    matches = (_NAMED.search(test) for test in tests if re.search(pattern, test))
    return {match[1] or match[2] for match in matches if match is not None}


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(collected()), encoding="utf-8")

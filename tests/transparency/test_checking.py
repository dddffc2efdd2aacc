"""The corpora's statements, checked before they run: nothing that runs natively is marked, and hardly an error missed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.catalog import introspect, reading
from md_magic.catalog.snapshot import Snapshot
from md_magic.session import parameters
from md_magic.session.checking.check import Checker
from md_magic.session.checking.checks import _is_plain, _private
from md_magic.session.checking.known import Known
from tests.transparency.runner import Pair, inside, read_corpus

if TYPE_CHECKING:
    from md_magic.engine.backends.introspection.questions import Introspection
    from md_magic.session.checking.marks import Mark
    from tests.transparency.runner import Record

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.test"))
MISSED_AT_MOST = 0.1
"""Of the errors at parsing and binding: some are about constraints, indexes and sequences, which the shadow lacks."""


def test_what_runs_is_never_marked_and_errors_are_marked_with_their_message(tmp_path: Path) -> None:
    wrong: list[str] = []
    missed: list[str] = []
    errors = 0
    for path in CORPUS:
        pair = Pair(tmp_path / path.stem)
        knowledge = _Knowledge(pair)
        for record in read_corpus(path.read_text(encoding="utf-8")):
            if record.kind == "restart":
                pair.restart()
                knowledge.ran("use")
            if record.kind in {"restart", "reconnect"}:
                continue
            marks = knowledge.marks(record.sql)
            native, is_bound = _native(pair, record)
            pair.run_ours(record.sql)
            knowledge.ran(record.sql)
            place = f"{path.name}:{record.line} {record.sql}"
            if native is None:
                wrong += [f"{place}: {mark.message}" for mark in marks]
            elif is_bound and not marks:
                missed.append(f"{place}: {native}")
            elif marks and marks[0].message.partition("\n")[0] != native:
                wrong.append(f"{place}: {native}, and {marks[0].message}")
            errors += native is not None and is_bound
        knowledge.close()
        pair.close()
    assert wrong == []
    assert errors > 50
    assert len(missed) <= errors * MISSED_AT_MOST, missed


class _Knowledge:
    """What is known of our side before each statement, read at once: the catalog cache would read it in its own time."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._functions = Snapshot()
        self._checker = Checker()

    def marks(self, sql: str) -> tuple[Mark, ...]:
        """Return what is marked in *sql*, which is about to run."""
        with inside(self._pair.ours):
            return self._checker.check(sql, self._known()).marks

    def ran(self, sql: str) -> None:
        """Read the functions again after statements that can change them."""
        if any(word in sql.lower() for word in ("macro", "function", "rollback", "attach", "detach", "schema", "use")):
            self._functions = Snapshot()

    def close(self) -> None:
        self._checker.close()

    def _known(self) -> Known:
        session = self._pair.shell.magics_manager.registry["MdsqlMagics"].session
        database = session.use()
        variables = self._pair.shell.user_ns
        local = database.backend.local
        return Known(
            syntax=database.backend.syntax,
            snapshot=self._snapshot(introspect.of_notebook(database)) if _is_plain(database) else None,
            variables=variables,
            values=lambda statement: parameters.values(statement, variables),
            private=_private(local),
        )

    def _snapshot(self, introspection: Introspection) -> Snapshot | None:
        try:
            path = tuple((row.database, row.name) for row in introspection.search_path())
            if not self._functions.functions:
                self._functions = reading.with_functions(Snapshot(), introspection)
            taken = reading.with_tables(self._functions, introspection, path)
        except duckdb.Error:  # a transaction waits for its ROLLBACK
            return None
        return replace(taken.snapshot, columns_of=lambda table: taken.columns.get(table, ()))


def _native(pair: Pair, record: Record) -> tuple[str | None, bool]:
    """Run a statement natively; return the first line of its error, and whether DuckDB finds it without running it."""
    error: Any = pair.run_theirs(record.sql).error
    if error is None:
        return None, False
    kind, _, message = str(error).partition(" Error: ")
    if message.startswith("{"):  # SET errors_as_json
        message = json.loads(message)["exception_message"]
    return f"{kind} Error: {message}".partition("\n")[0], _is_found_by_explain(pair, record, error)


def _is_found_by_explain(pair: Pair, record: Record, error: BaseException) -> bool:
    try:
        with inside(pair.theirs):
            pair.native.execute(f"EXPLAIN {record.sql}")
    except duckdb.Error as found:
        expected = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
        return type(found) is type(error) and isinstance(error, expected)
    return False

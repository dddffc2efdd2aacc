"""Whole corpora of SQL give the same through `%%mdsql` as natively: frames, errors, and the database at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.transparency.runner import hostile, read_corpus, run_records, wrong_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transparency.runner import Record, Report

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.test"))

SHAPES: dict[str, Callable[[str], str]] = {
    "semicolon": lambda sql: sql.rstrip().rstrip(";") + ";",
    "comment after": lambda sql: f"{sql}\n-- done: :x; ok",
    "lines before": lambda sql: f"\n\n-- first: :x\n\n{sql}",
    "crlf": lambda sql: sql.replace("\n", "\r\n"),
    "tabs": lambda sql: sql.replace(" ", "\t"),
    "unicode before": lambda sql: f"/* äöü€😀 :x */ {sql} --",
    # a transaction that has failed takes nothing but its end
    "second of two": lambda sql: sql if sql in {"COMMIT", "ROLLBACK"} else f"SELECT 1;\n{sql}",
    "first of two": lambda sql: f"{sql.rstrip().rstrip(';')}\n; SELECT 1 AS one; -- end",
}

files = pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)


@files
def test_a_corpus_gives_the_same_as_natively(path: Path, tmp_path: Path) -> None:
    assert_equal(run_records(_records(path), tmp_path, name=path.name))


@files
def test_a_corpus_among_numbers_of_its_own_names_gives_the_same(path: Path, tmp_path: Path) -> None:
    records = _records(path)
    variables = hostile(records, lambda: -7)
    assert_equal(run_records(records, tmp_path, variables=variables, name=path.name))


@files
def test_a_corpus_among_frames_of_its_own_names_gives_the_same(path: Path, tmp_path: Path) -> None:
    records = _records(path)
    variables = hostile(records, wrong_frame)
    assert_equal(run_records(records, tmp_path, variables=variables, may_resolve=True, name=path.name))


@pytest.mark.parametrize("stem", ["colons", "transactions"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_way_a_statement_is_laid_out_does_not_matter(
    shape: Callable[[str], str], stem: str, tmp_path: Path
) -> None:
    records = [record for record in _records(_corpus(stem)) if not _positional(record, shape)]
    variables = hostile(records, lambda: "wrong")
    assert_equal(run_records(records, tmp_path, variables=variables, change=shape, name=stem))


def test_statements_within_a_transaction_give_the_same(tmp_path: Path) -> None:
    """What a statement makes is committed, as those below it need it; what fails is rolled back."""
    records = [
        within
        for record in _records(_corpus("colons"))
        for within in (
            _command("BEGIN", record),
            record,
            _command("ROLLBACK" if record.kind == "error" else "COMMIT", record),
        )
    ]
    assert_equal(run_records(records, tmp_path, name="within a transaction"))


def assert_equal(report: Report) -> None:
    """Fail with every difference of *report*, each with its place and SQL, and where a corpus compared other than it says."""
    assert report.ran > 0
    assert report.skipped * 10 < report.ran
    for reported in (report.differences, report.unexpected):
        assert not reported, "\n\n".join(f"{place}\n{sql}\n  {text}" for place, sql, text in reported)


def _records(path: Path) -> list[Record]:
    return read_corpus(path.read_text(encoding="utf-8"))


def _corpus(stem: str) -> Path:
    return next(path for path in CORPUS if path.stem == stem)


def _command(sql: str, record: Record) -> Record:
    return type(record)("ok", sql, record.line)


def _positional(record: Record, shape: Callable[[str], str]) -> bool:
    """DuckDB itself refuses parameters in any statement of a text but its last one."""
    return shape is SHAPES["first of two"] and ("?" in record.sql or "$1" in record.sql)

"""Each dialect has its class, and each class says what it can."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from md_magic.engine import backends
from md_magic.engine.backends.duckdb.backend import DuckDBBackend
from md_magic.engine.backends.motherduck.backend import MotherDuckBackend
from md_magic.engine.backends.mysql.backend import MariaDBBackend, MySQLBackend
from md_magic.engine.backends.other import OtherBackend, RedshiftBackend, SQLServerBackend, TrinoBackend
from md_magic.engine.backends.postgresql.backend import PostgreSQLBackend
from md_magic.engine.backends.sqlite import SQLiteBackend
from md_magic.sql import target

KINDS = [
    ("md:my_db", MotherDuckBackend, ("EXPLAIN (FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT JSON)")),
    ("duckdb:///:memory:", DuckDBBackend, ("EXPLAIN (FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT JSON)")),
    ("duckdb:///file.db", DuckDBBackend, ("EXPLAIN (FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT JSON)")),
    ("sqlite://", SQLiteBackend, ("EXPLAIN QUERY PLAN", None)),
    ("sqlite+pysqlite:///file.db", SQLiteBackend, ("EXPLAIN QUERY PLAN", None)),
    ("postgresql+psycopg://h/db", PostgreSQLBackend, ("EXPLAIN (FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT JSON)")),
    ("mysql+pymysql://h/db", MySQLBackend, ("EXPLAIN FORMAT=JSON", "EXPLAIN ANALYZE")),
    ("mariadb+pymysql://h/db", MariaDBBackend, ("EXPLAIN FORMAT=JSON", "ANALYZE FORMAT=JSON")),
    ("mssql+pyodbc://h/db", SQLServerBackend, (None, None)),
    ("redshift://h/db", RedshiftBackend, ("EXPLAIN", None)),
    ("trino://h/db", TrinoBackend, ("EXPLAIN", "EXPLAIN ANALYZE")),
    ("snowflake://h/db", OtherBackend, (None, None)),
]


@pytest.mark.parametrize(("uri", "kind", "words"), KINDS, ids=[uri for uri, *_ in KINDS])
def test_a_target_has_its_class(uri: str, kind: type, words: tuple[str | None, str | None]) -> None:
    chosen = backends.of(target.read(uri))
    assert chosen is kind
    assert (chosen.explain_words, chosen.analyze_words) == words
    assert chosen.signs_in is (kind is MotherDuckBackend)
    assert chosen.scans_python_tables is issubclass(kind, DuckDBBackend)


@pytest.mark.parametrize(
    ("uri", "is_file"),
    [
        ("duckdb:///:memory:", False),
        ("duckdb:///file.db", True),
        ("sqlite://", False),
        ("sqlite:///file.db", True),
        ("md:my_db", False),
        ("postgresql://h/a/b", False),
    ],
)
def test_a_file_is_told_from_memory_and_servers(uri: str, is_file: bool) -> None:
    place = target.read(uri)
    assert backends.of(place).is_file(place) is is_file


def test_the_engine_asks_for_no_kind_of_database_outside_of_the_backends() -> None:

    questions = {"is_duckdb", "is_motherduck", "is_file"}
    engine = Path(backends.__file__).parents[1]
    asking = [
        f"{path.relative_to(engine)}:{node.lineno}"
        for path in engine.rglob("*.py")
        if "backends" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in questions
    ]
    assert asking == []

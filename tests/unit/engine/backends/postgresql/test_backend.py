"""PostgreSQL, as far as no server is needed."""

from __future__ import annotations

import pytest

from md_magic.engine.backends.postgresql.backend import PostgreSQLBackend


def test_the_row_that_failed_is_left_out() -> None:
    errors = pytest.importorskip("psycopg").errors
    text = 'null value in column "b" violates not-null constraint\nDETAIL:  Failing row contains (1, null, mine).'
    backend = object.__new__(PostgreSQLBackend)  # without a connection, which the text of an error does not need
    assert backend.error_text(errors.NotNullViolation(text)) == text.partition("\n")[0]


def test_other_details_stay() -> None:
    text = 'relation "t" does not exist\nLINE 1: SELECT * FROM t\n                      ^'
    assert object.__new__(PostgreSQLBackend).error_text(Exception(text)) == text

"""What needs no server: how values are written, and what is left of an error. `tests/databases/test_spark.py` has the rest."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import pytest

from md_magic.engine.backends.hive import cursor
from md_magic.engine.backends.hive.backend import HiveBackend
from md_magic.sql import quoting

SPARK = (
    "Error running query: [UNRESOLVED_COLUMN] org.apache.spark.sql.AnalysisException: [UNRESOLVED_COLUMN] A column `nope`"
    " cannot be resolved. SQLSTATE: 42703; line 1 pos 7;\n'Project ['nope]\n+- Relation default.t[id#107] parquet\n"
)
PARSER = (
    "org.apache.hive.service.cli.HiveSQLException: Error running query: [PARSE_SYNTAX_ERROR]"
    " org.apache.spark.sql.catalyst.parser.ParseException: \n[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'."
    "\n\n== SQL ==\nSELEC 1\n^^^\n\n\tat org.apache.spark.sql.X(Y.scala:43)\nCaused by: java.lang.Z: x\n"
)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (SPARK, "[UNRESOLVED_COLUMN] A column `nope` cannot be resolved. SQLSTATE: 42703; line 1 pos 7"),
        (PARSER, "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'.\n\n== SQL ==\nSELEC 1\n^^^"),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False], ids=["status", "operation"])
def test_an_error_is_what_the_server_says_without_java(given, text, wrapped):
    answer = SimpleNamespace(errorMessage=given)
    cause = Exception(SimpleNamespace(status=answer) if wrapped else answer)
    assert HiveBackend.error_text(HiveBackend.__new__(HiveBackend), cause) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"\x00\xff", "X'00ff'"),
        (Decimal("12.30"), "12.30"),
        ("it's \\ %(x)s", "'it\\'s \\\\ %(x)s'"),
        ([1, "a"], "array(1, 'a')"),
        (dt.date(2024, 1, 2), "DATE '2024-01-02'"),
        (dt.time(1, 2), "'01:02:00'"),
        (None, "NULL"),
        (True, "TRUE"),
        (-7, "(-7)"),
    ],
    ids=repr,
)
def test_a_value_is_a_literal(value, written):
    assert cursor._literals({"v": value}) == {"v": written}


def test_a_value_without_a_literal_is_a_type_error():
    with pytest.raises(TypeError, match="type 'dict' is not supported"):
        cursor._literals({"v": {}})


def test_names_are_quoted_with_backticks():
    hive = quoting.of("hive")
    assert hive.where_needed("select") == "`select`"
    assert hive.where_needed("a b`c") == "`a b``c`"
    assert hive.where_needed("ducks") == "ducks"

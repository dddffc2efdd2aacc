"""The text that reaches DuckDB is the text that was typed, whatever is in it."""

from __future__ import annotations

import duckdb
import pytest
import sqlalchemy
from duckdb_engine import Dialect
from hypothesis import given
from hypothesis import strategies as st

from md_magic.engine.backends.duckdb import dbapi
from md_magic.sql import split
from md_magic.sql.statement import Statement, escape

CONNECTION = duckdb.connect()
"""One for all examples: it keeps nothing of what it has read."""

PIECES = st.sampled_from(
    ["SELECT ", "x", " ", "\n", "\t", "\r\n", ":", "::", ":x", ":=", "%", "%%", "%s", "%(x)s", "%(", ")s", "\\", "\\:", "\\\\",
     "\\:x", "{", "}", "{{", "[", "]", "[1:2]", "(", ")", "'", "''", '"', '""', "$", "$$", "$x", "$1", "?", "`", ";", "--", "--:x\n",
     "/*", "*/", "/* :x */", "':x'", '":x"', "$t$ :x $t$", "ä", "€", "😀", "\u00a0", "1", "a.b", "@", "#1", "!", "&"]
)  # fmt: skip

TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join)

STRINGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)

LITERALS = st.one_of(
    STRINGS.map(lambda text: "'" + text.replace("'", "''") + "'"),
    STRINGS.map(lambda text: "e'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    STRINGS.map(lambda text: f"$q${text.replace('$', '')}$q$"),
    STRINGS.map(lambda text: f"/*{text.replace('*', '').replace('/', '')}*/ 1"),
    STRINGS.map(lambda text: "-- " + "".join(text.splitlines()) + "\n 1"),
    st.sampled_from(
        [
            "{'x':1}",
            "{x:1}",
            "MAP {'x':1}",
            "[1,2][:1]",
            "[1,2][1:]",
            "x:1",
            "1::INT::VARCHAR",
            "10 % 3",
            "'a' LIKE '%x'",
        ]
    ),
)


def reaching(clause: str) -> str:
    """Return the text that DuckDB is given for *clause*, after SQLAlchemy and our cursor."""
    compiled = sqlalchemy.text(clause).compile(dialect=Dialect(paramstyle=dbapi.PARAMSTYLE))
    assert not compiled.params
    given_text: list[str] = []

    class Recorder:
        def execute(self, text: str) -> None:
            given_text.append(text)

    cursor = dbapi.Cursor(Recorder(), dbapi.Connection(Recorder()))
    cursor.execute(str(compiled))
    return given_text[0]


@given(TEXTS)
def test_any_text_survives_sqlalchemy(text: str) -> None:
    assert reaching(escape(text)) == text
    assert reaching(Statement(text=text).clause(())) == text


@given(st.lists(LITERALS, min_size=1, max_size=6))
def test_what_duckdb_accepts_is_read_as_typed(literals: list[str]) -> None:
    sql = "SELECT " + ", ".join(literals)
    assert len(CONNECTION.extract_statements(sql)) == 1
    (statement,) = split.statements(sql, CONNECTION.extract_statements)
    assert statement.parameters == ()
    assert reaching(statement.clause({"x", "q", "s"})) == sql


@given(st.lists(st.lists(LITERALS, min_size=1, max_size=3), min_size=2, max_size=4))
def test_several_statements_are_read_as_typed(several: list[list[str]]) -> None:
    texts = ["SELECT " + ", ".join(literals) + " " for literals in several]
    statements = split.statements(";".join(texts), CONNECTION.extract_statements)
    assert [statement.text for statement in statements] == texts
    assert [statement.number for statement in statements] == list(range(1, len(texts) + 1))


@given(LITERALS, LITERALS)
def test_a_parameter_among_other_colons_is_the_only_one(before: str, after: str) -> None:
    sql = f"SELECT {before}, :x, {after}"
    (statement,) = split.statements(sql, CONNECTION.extract_statements)
    assert [(one.name, one.sign) for one in statement.parameters] == [("x", ":")]
    assert statement.parameters[0].start == len(f"SELECT {before}, ")
    value = CONNECTION.execute(statement.text, {"x": 5}).fetchone()
    assert value is not None
    assert value[1] == 5


@pytest.mark.parametrize("text", ["", ";", "\\", "%", ":", "'", "\x00", "\ud800"], ids=ascii)
def test_the_least_texts_survive(text: str) -> None:
    assert reaching(escape(text)) == text

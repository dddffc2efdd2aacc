"""The statement splitter: statements as DuckDB splits them, and colons that are parameters only where DuckDB stops."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.dialects import registry

from md_magic.engine.backends.duckdb import dbapi
from md_magic.sql import split
from md_magic.sql.statement import escape
from md_magic.sql.tokens import ODD_BLANKS

DIALECT = registry.load(dbapi.DIALECT.replace("+", "."))(paramstyle=dbapi.PARAMSTYLE)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        yield made


def rendered(sql):
    """Return the text that reaches DuckDB when *sql* goes through `text()` and the cursor."""
    compiled = str(text(escape(sql)).compile(dialect=DIALECT))
    return compiled % dbapi._Placeholders() if "%" in compiled else compiled


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        pytest.param("select :x", ["x"], id="alone"),
        pytest.param("select :x::int, :y", ["x", "y"], id="before a cast"),
        pytest.param("select 1 where 1 between :lo and :hi", ["lo", "hi"], id="between"),
        pytest.param("select case when :a then :b else :c end", ["a", "b", "c"], id="case"),
        pytest.param("select f(a := :x, :y)", ["x", "y"], id="named argument"),
        pytest.param("select [:x, :y]", ["x", "y"], id="list literal"),
        pytest.param("select {'a': :x}", ["x"], id="struct value"),
        pytest.param("select {'a':x, 'b': :y}", ["y"], id="struct literal beside a parameter"),
        pytest.param("select arr[:x], :y", ["y"], id="slice beside a parameter"),
        pytest.param("select list_transform([1], lambda v:v+:x)", ["x"], id="lambda beside a parameter"),
        pytest.param("select a:x, :y", ["y"], id="prefix alias beside a parameter"),
        pytest.param("select $$ :x $$, ':x', \":x\", /* :x */ :y -- :x", ["y"], id="strings and comments"),
        pytest.param("select '\U0001f986é', :x", ["x"], id="beyond ASCII"),
        pytest.param("select $x, $y", ["x", "y"], id="DuckDB's own"),
        pytest.param("select '$x', $$ $x $$, x$y, $z", ["z"], id="dollars that are no parameters"),
        pytest.param("select:x", ["x"], id="glued"),
        pytest.param("from t limit :n offset :m", ["n", "m"], id="limit"),
        pytest.param("insert into t values (:a, :b)", ["a", "b"], id="values"),
        pytest.param("select 1; select :x; select :y", ["x", "y"], id="several statements"),
        pytest.param("pivot t on a using sum(b + :x)", ["x"], id="pivot"),
    ],
)
def test_a_colon_at_which_the_parser_stops_is_a_parameter(connection, sql, names):
    statements = split.statements(sql, connection.extract_statements)
    assert [parameter.name for statement in statements for parameter in statement.parameters] == names


@pytest.mark.parametrize(
    "sql",
    [
        "select [1,2,3][:x]",
        "select arr[1:x], arr[x:y:z], arr[1:-:x]",
        "select {'a':x}, {a:x}",
        "select map {'k':x}, map {1 :x}",
        "select a :x from a :x",
        "select list_transform([1], lambda x:x)",
        "select '{\"a\":1}'::json, x::y",
        "select ':x' -- :x",
        "prepare p as select $x",
        "select 'a\\:x'",
    ],
)
def test_what_the_parser_accepts_has_no_parameters(connection, sql):
    [statement] = split.statements(sql, connection.extract_statements)
    assert statement.parameters == ()
    assert statement.text == sql


def test_sql_that_does_not_parse_is_duckdbs_error(connection):
    with pytest.raises(duckdb.ParserException, match="selecct"):
        split.statements("selecct 1", connection.extract_statements)


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        pytest.param("select 1", ["select 1"], id="one"),
        pytest.param("select 1;", ["select 1;"], id="one with its semicolon is left as typed"),
        pytest.param(
            "select 1; -- c\n;;\nselect ';' ;",
            ["select 1", "\nselect ';' ;"],
            id="empty ones are left out, and the end is left as typed",
        ),
        pytest.param("", [], id="nothing"),
        pytest.param("-- only a comment\n;", [], id="comment"),
        pytest.param("select 'é;';select 2", ["select 'é;'", "select 2"], id="bytes and characters"),
        pytest.param("pivot t on a", ["pivot t on a"], id="expanded by the parser"),
        pytest.param("select 1; pivot t on a", ["select 1", " pivot t on a"], id="expanded beside another"),
        pytest.param("select $$;$$; select 2", ["select $$;$$", " select 2"], id="dollar quotes"),
    ],
)
def test_statements_end_at_semicolons(connection, sql, texts):
    assert [statement.text for statement in split.statements(sql, connection.extract_statements)] == texts


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("pivot t on a", "SELECT"),
        ("describe (pivot t on a)", "SELECT"),
        ("with p as (pivot t on a) from p", "SELECT"),
        ("create table u as pivot t on a", "CREATE"),
        ("copy (pivot t on a) to 'x'", "COPY"),
        ("with p as (pivot t on a) insert into t select a from p", "INSERT"),
        ("merge into t using (pivot t on a) s on true when matched then delete", "MERGE_INTO"),
    ],
)
def test_the_kind_of_what_duckdb_runs_as_several(connection, sql, kind):
    [statement] = split.statements(sql, connection.extract_statements)
    last = "SELECT" if kind == "SELECT" else "TRANSACTION"  # DuckDB 1 ends the others with a COMMIT of its own
    assert statement.kind in ({last} if duckdb.__version__ < "2" else {kind})


def test_a_statement_knows_its_line(connection):
    statements = split.statements("select 1;\n\nselect 2;\nselect 3", connection.extract_statements)
    assert [(one.number, one.of, one.line) for one in statements] == [(1, 3, 0), (2, 3, 0), (3, 3, 2)]


PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            ":",
            "::",
            "\\:",
            "\\",
            ":x",
            "%(x)s",
            "%",
            "%%",
            "'",
            '"',
            "--",
            "/*",
            "*/",
            "[",
            "]",
            "{",
            "}",
            "$",
            "$$",
            "?",
        ]
    ),
)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_the_text_that_reaches_the_database_is_the_text_typed(sql):
    assert rendered(sql) == sql


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES, max_size=6).map("".join))
def test_strings_survive_around_a_parameter(connection, before, after):
    quoted = [part.replace("'", "''").replace("\0", "") for part in (before, after)]
    sql = f"select '{quoted[0]}' as a, :x as x, '{quoted[1]}' as b"
    [statement] = split.statements(sql, connection.extract_statements)
    compiled = str(text(statement.clause({"x": 1})).compile(dialect=DIALECT)) % dbapi._Placeholders()
    assert [parameter.name for parameter in statement.parameters] == ["x"]
    assert connection.execute(compiled, {"x": 1}).fetchall() == [(before.replace("\0", ""), 1, after.replace("\0", ""))]


@pytest.mark.parametrize("blank", sorted(ODD_BLANKS), ids=lambda blank: f"U+{ord(blank):04X}")
def test_odd_blanks_stand_between_statements_and_parameters(connection, blank):
    sql = f"select{blank}:x{blank};{blank}select{blank}'{blank};'{blank};"
    first, second = split.statements(sql, connection.extract_statements)
    assert [parameter.name for parameter in first.parameters] == ["x"]
    assert first.parameters[0].start == 7
    assert second.text == f"{blank}select{blank}'{blank};'{blank};"
    assert second.offset == len(sql[: sql.index(second.text)].encode())
    assert split.without_semicolon(second.text) == f"{blank}select{blank}'{blank};'{blank}"


@pytest.mark.parametrize(
    ("text", "word"),
    [("-- c\n/* d */ begin", "BEGIN"), ("\u00a0select 1", "SELECT"), ("(select 1)", ""), ("", ""), ("é", "É")],
)
def test_the_first_word(text, word):
    assert split.first_word(text) == word


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", "select 1"),
        ("select ';' ;; -- c", "select ';' "),
        ("select 'é';", "select 'é'"),
        (";", ""),
    ],
)
def test_a_semicolon_at_the_end_is_left_out(text, expected):
    assert split.without_semicolon(text) == expected


def test_thousands_of_parameters_are_found(connection):
    sql = f"select {', '.join(f':p{number}' for number in range(2000))}, 'é:x'"
    [statement] = split.statements(sql, connection.extract_statements)
    assert [parameter.name for parameter in statement.parameters] == [f"p{number}" for number in range(2000)]


@pytest.mark.parametrize(
    ("sql", "returning"),
    [
        ("insert into t values (1) returning a", True),
        ("insert into t values (1) \u00a0RETURNING\u00a0a", True),
        ("insert into t values ('returning')", False),
        ('insert into t select "returning" from u', False),
    ],
)
def test_returning_is_seen_outside_strings(connection, sql, returning):
    [statement] = split.statements(sql, connection.extract_statements)
    assert statement.returning == returning

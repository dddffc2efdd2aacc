"""Whatever a driver raises becomes one of our errors: located, without secrets, and without the user's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest
import sqlalchemy

from md_magic.auth.secret import Secret
from md_magic.engine import backends, driver_errors
from md_magic.engine.results.spec import ResultSpec
from md_magic.errors import ConnectionLost, FrameError, ParameterError, StatementError, TargetError
from md_magic.session import upload
from md_magic.sql import target
from md_magic.sql.statement import Statement
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.database import Database


def raising(error: Exception) -> Callable[..., Any]:
    """Return what raises *error*, in the place of a driver's function."""

    def raises(*_: Any) -> Any:
        raise error

    return raises


class Odd(Exception):
    """What a driver's library raises that its DB-API does not declare."""


def test_a_constraint_is_named_and_no_row_is_shown(sqlite: Database) -> None:
    run(sqlite, "CREATE TABLE uq(a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    frame = pd.DataFrame({"a": [1, 2], "b": ["a value of the user's", None]})
    with pytest.raises(StatementError) as caught:
        upload.write_other(sqlite, ["uq"], frame, "append")
    assert str(caught.value) == "NOT NULL constraint failed: uq.b"
    assert "user's" not in f"{caught.value.__cause__!r}"
    assert run(sqlite, "SELECT count(*) AS n FROM uq").value == {"n": [0]}


def test_a_bound_value_is_not_repeated(sqlite: Database) -> None:
    run(sqlite, "CREATE TABLE uq(a TEXT UNIQUE); INSERT INTO uq VALUES ('mine')")
    with pytest.raises(StatementError) as caught:
        run(sqlite, "INSERT INTO uq VALUES (:a)", a="mine")
    assert str(caught.value) == "UNIQUE constraint failed: uq.a"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1j, "whose type is complex: Error binding parameter 2: type 'complex' is not supported."),
        ([1, 1j], "type 'complex' is not supported."),
        (2**70, "whose type is int: it is too large."),
        ("\ud800", "a character that is no text"),
    ],
    ids=["complex", "list of complex", "large integer", "surrogate"],
)
def test_a_value_that_sqlite_cannot_bind_is_named_by_its_parameter(sqlite: Database, value: object, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        run(sqlite, "SELECT :fine AS a WHERE 1 IN (:d)", fine=1, d=value)
    assert "the parameter :d," in str(caught.value)
    assert said in str(caught.value)


def test_a_value_that_pymysql_cannot_bind_is_named_by_its_parameter(sqlite: Database) -> None:
    connection = pytest.importorskip("pymysql").connections.Connection(defer_connect=True)
    values = {"d": {"a": 1}}
    with (
        pytest.raises(ParameterError, match=r"the parameter :d, whose type is dict: .*dict can not be used"),
        driver_errors.translated(sqlite, Statement("SELECT :d"), values),
    ):
        connection.cursor().mogrify("SELECT %s", tuple(values.values()))


def test_a_value_that_psycopg_cannot_bind_is_named_by_its_parameter(sqlite: Database) -> None:
    psycopg = pytest.importorskip("psycopg")
    values = {"d": {"a": 1}}
    with (
        pytest.raises(ParameterError, match="the parameter :d, whose type is dict: cannot adapt type 'dict'"),
        driver_errors.translated(sqlite, Statement("SELECT :d"), values),
    ):
        psycopg.adapt.Transformer().get_dumper(values["d"], psycopg.adapt.PyFormat.AUTO)


def test_a_word_of_the_sql_is_no_type_of_a_value(sqlite: Database) -> None:
    with pytest.raises(StatementError, match='near "str": syntax error'):
        run(sqlite, "SELECT 1 WHERE :a str", a="x")


@pytest.mark.skipif(duckdb.__version__ >= "2", reason="DuckDB 2 has an Arrow type for each of its own")
@pytest.mark.parametrize("form", ["arrow", "reader", "polars"])
def test_a_type_that_arrow_lacks_has_a_way_out(duck: Database, form: Any) -> None:
    with pytest.raises(FrameError) as caught:
        run(duck, "SELECT {'a': 1}::VARIANT AS v", ResultSpec(form))
    assert str(caught.value).startswith("Not implemented Error: Unsupported Arrow type VARIANT. Cast the column in SQL")
    assert "--as pandas" in str(caught.value)


def test_a_type_that_pandas_lacks_has_a_way_out(duck: Database) -> None:
    with pytest.raises(StatementError, match='Unsupported type "TIME WITH TIME ZONE"') as caught:
        run(duck, "SELECT '01:02:03+02'::TIMETZ AS t", ResultSpec("pandas"))
    assert "--as arrow" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Odd("the service is out of order"), "the service is out of order"),
        (Odd(), "The driver raised Odd, and says no more."),
        (TimeoutError(), "The driver raised TimeoutError, and says no more."),
        (KeyError("schema"), "KeyError: 'schema'"),
        (AttributeError("'NoneType' object has no attribute 'settimeout'"), "AttributeError: 'NoneType' object"),
        (OSError(104, "Connection reset by peer"), "[Errno 104] Connection reset by peer"),
        (sqlalchemy.exc.ResourceClosedError("This result object is closed."), "This result object is closed."),
        (sqlalchemy.exc.StatementError("wrapped", "SELECT 1", {"a": "mine"}, Odd("inner")), "inner"),
    ],
)
def test_an_exception_of_any_class_becomes_a_statement_error(sqlite: Database, error: Exception, text: str) -> None:
    with pytest.raises(StatementError) as caught, driver_errors.translated(sqlite):
        raising(error)()
    assert str(caught.value).startswith(text)
    assert "mine" not in str(caught.value)


def test_our_own_errors_pass_untouched(sqlite: Database) -> None:
    error = TargetError("ours")
    with pytest.raises(TargetError) as caught, driver_errors.translated(sqlite):
        raise error
    assert caught.value is error


def test_an_interrupt_passes_untouched(sqlite: Database) -> None:
    with pytest.raises(KeyboardInterrupt), driver_errors.translated(sqlite):
        raise KeyboardInterrupt


def test_a_secret_is_in_no_text_and_no_cause(opened: Callable[..., Database]) -> None:
    database = opened("duckdb:///:memory:", custom_user_agent=Secret("abcdefgh12345678"))
    with pytest.raises(StatementError) as caught:
        run(database, "SELECT error('key abcdefgh12345678')")
    assert "***" in str(caught.value)
    assert "abcdefgh12345678" not in f"{caught.value} {caught.value.__cause__}"
    assert isinstance(caught.value.__cause__, duckdb.InvalidInputException)


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("SELECT 1;\n\nSELECT nosuch", "\nLINE 3: SELECT nosuch\n               ^"),
        ("SELECT nosuch", "\nLINE 1: SELECT nosuch\n               ^"),
    ],
)
def test_the_line_is_that_of_the_cell(duck: Database, sql: str, where: str) -> None:
    with pytest.raises(StatementError) as caught:
        run(duck, sql)
    assert where in str(caught.value)


def test_the_number_of_the_statement_is_said(duck: Database) -> None:
    with pytest.raises(StatementError) as caught:
        run(duck, "SELECT 1; FROM nosuch; SELECT 2")
    assert str(caught.value).endswith("\n\nStatement 2 of 3 failed; those before it have run.")


def test_a_position_is_in_bytes_of_the_cell(duck: Database) -> None:
    run(duck, "SET errors_as_json = true")
    sql = "SELECT 'ä';\nSELECT nosuch"
    with pytest.raises(StatementError) as caught:
        run(duck, sql)
    assert f'"position":"{len(sql.encode()) - len("nosuch")}"' in str(caught.value)


def test_a_parameter_is_written_as_it_was_typed(duck: Database) -> None:
    with pytest.raises(StatementError, match=r"LINE 1: SELECT 'x' \|\| :n \+ 1"):
        run(duck, "SELECT 'x' || :n + 1", n="one")


def test_a_closed_connection_is_lost(duck: Database) -> None:
    duck.backend.native.close()
    with pytest.raises(ConnectionLost, match="Connection already closed"):
        run(duck, "SELECT 1")


def test_the_words_of_an_error_do_not_lose_a_connection(duck: Database) -> None:
    with pytest.raises(StatementError) as caught:
        run(duck, "SELECT error('Connection already' || ' closed')")
    assert type(caught.value) is StatementError


def test_an_interrupt_that_nobody_asked_for_has_a_hint(duck: Database) -> None:
    error = driver_errors.translate(duck.backend, Statement("x"), duckdb.InterruptException("INTERRUPT Error"), {})
    assert "SET threads = 1" in error.__notes__[0]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Odd(), "cannot be opened. The driver raised Odd, and says no more."),
        (OSError(), "cannot be opened. The driver raised OSError, and says no more."),
        (Odd("no route for hunter22"), "cannot be opened. no route for ***"),
    ],
)
def test_a_reason_for_not_opening_is_never_empty(error: Exception, text: str) -> None:
    place = target.read("nosuch://me:hunter22@h/db")
    kind = backends.of(place)
    ours = driver_errors.connect_error(kind, place, {}, error, place.secrets.values())
    assert str(ours) == f"nosuch://me@h/db {text}"


# ---- DuckDB's internal errors ---------------------------------------------------------------------------------------

SENTENCE = "INTERNAL Error: Attempted to access index 0 within vector of size 0"
STACK = """

Stack Trace:

/opt/lib/_duckdb.cpython-311-x86_64-linux-gnu.so(duckdb::Exception::ToJSON(duckdb::ExceptionType, std::string)+0x1c) [0x7f0c]
/opt/lib/_duckdb.cpython-311-x86_64-linux-gnu.so(+0x2602d166) [0x7f0d2b5c166]
3   _duckdb.so    0x00000001046f3b50 _ZN6duckdb13InternalExceptionC1ERKNSt3__112basic_string

"""
SIGNALS = """This error signals an assertion failure within DuckDB. This usually occurs due to unexpected conditions or errors in the program's logic.
For more information, see https://duckdb.org/docs/stable/dev/internal_errors"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SENTENCE + STACK + SIGNALS, f"{SENTENCE}\n\n{SIGNALS}"),
        (SENTENCE + STACK, SENTENCE),
        (
            f'FATAL Error: Failed: invalidated.\nOriginal error: "{SENTENCE}{STACK}{SIGNALS}"{STACK}',
            f'FATAL Error: Failed: invalidated.\nOriginal error: "{SENTENCE}\n\n{SIGNALS}"',
        ),
        ("Invalid Input Error: 0xff is no number", "Invalid Input Error: 0xff is no number"),
    ],
    ids=["with DuckDB's sentence", "without", "twice", "a number"],
)
def test_an_internal_error_loses_its_stack_and_keeps_its_sentence(duck: Database, text: str, shown: str) -> None:
    with pytest.raises(StatementError) as caught, driver_errors.translated(duck):
        raise duckdb.InternalException(text)
    assert str(caught.value) == shown


def test_a_secret_typed_into_the_statement_is_in_no_cause(duck: Database) -> None:
    with pytest.raises(StatementError) as caught:
        run(duck, "ATTACH 'postgres://ann:Xq7hunter2zz@h/shop.db' AS shop (TYPE duckdb)")
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"
    assert "***@h/shop.db" in str(caught.value)

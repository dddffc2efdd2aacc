"""Values of parameters: where they come from, what is copied, and the errors that name them."""

from __future__ import annotations

import pytest

from md_magic.errors import ParameterError
from md_magic.session import parameters
from md_magic.sql.statement import Inserted, Parameter, Statement


def statement(*names, sign=":", inserted=None):
    return Statement(
        text="SELECT 1",
        parameters=tuple(Parameter(name=name, start=0, sign=sign) for name in names),
        inserted=inserted,
    )


def test_parameters_of_the_line_take_precedence_and_the_notebook_is_left_alone():
    variables = {"a": 1, "b": 2}
    assert parameters.merged(variables, {"a": 10, "c": 3}) == {"a": 10, "b": 2, "c": 3}
    assert variables == {"a": 1, "b": 2}


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_parameters_the_variables_are_not_copied(nothing):
    variables = {"a": 1}
    assert parameters.merged(variables, nothing) is variables


def test_values_are_those_of_the_names_alone():
    given = {"a": 1, "b": (2, 3), "c": object()}
    assert parameters.values(statement("a", "b", "a"), given) == {"a": 1, "b": [2, 3]}


def test_a_statement_without_parameters_has_no_values():
    assert parameters.values(statement(), {"a": 1}) == {}


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        pytest.param({"limit": 1}, " Did you mean :limit?", id="near"),
        pytest.param({"LIMIT": 1}, " Did you mean :LIMIT?", id="another case"),
        pytest.param({"limit_": print, "_limit": 1}, "", id="functions and hidden names are none"),
        pytest.param({}, "", id="nothing"),
    ],
)
def test_a_missing_value_is_an_error_that_names_it_and_what_is_near(given, hint):
    with pytest.raises(ParameterError) as caught:
        parameters.values(statement("limt"), given)
    assert str(caught.value) == (
        "The parameter :limt has no value: there is no Python variable 'limt'. Define it, or run the cell with"
        f" `--param limt=...`.{hint}"
    )


def test_the_dollar_sign_of_duckdb_is_left_to_duckdb():
    given = {"a": 1, "function": print}
    assert parameters.values(statement("a", "b", "function", sign="$"), given) == {"a": 1}


@pytest.mark.parametrize("sign", [":", "$"])
def test_a_value_that_holds_itself(sign):
    endless = []
    endless.append(endless)
    with pytest.raises(ParameterError, match="The parameter :endless holds itself"):
        parameters.values(statement("endless", sign=sign), {"endless": endless})


def test_an_error_says_which_saved_queries_are_in_the_statement():
    queries = (("recent", 1, 2), ("top", 3, 2))
    inserted = Inserted(line=1, lines=4, offset=0, size=10, head="", tail="", queries=queries)
    with pytest.raises(ParameterError) as caught:
        parameters.values(statement("day", inserted=inserted), {})
    assert caught.value.__notes__ == [
        "\nThe statement has the saved recent and top in it, whose parameters are bound when it is used."
    ]


def test_frozen_values_do_not_change_with_their_buffers():
    buffer = bytearray(b"ab")
    values = {"buffer": buffer, "view": memoryview(buffer), "text": "x", "bytes": b"y"}
    frozen = parameters.frozen(values)
    buffer[0] = 0
    assert frozen == {"buffer": b"ab", "view": b"ab", "text": "x", "bytes": b"y"}
    assert {type(frozen[name]) for name in ("buffer", "view")} == {bytes}

"""`--jinja`: the cell is a template, and only where that is asked for."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import numpy as np
import pandas as pd
import pytest

from md_magic.errors import OptionError, ParameterError
from md_magic.sql.template import literal


def test_a_cell_is_rendered(shell):
    shell.variables |= {"columns": ["a", "b c"], "table": "my table", "limit": 2}
    shell.sql('create table "my table" as select i as a, i * 2 as "b c" from range(5) t(i)')
    sql = "select {{ columns | identifier }} from {{ table | identifier }}\n{% if limit %}limit {{ limit }}{% endif %}"
    assert shell.sql(sql, "--jinja").value.to_dict("list") == {"a": [0, 1], "b c": [0, 2]}


def test_a_loop_makes_columns(shell):
    sql = "select {% for n in names %}{{ n | literal }} as {{ n | identifier }}{{ ', ' if not loop.last }}{% endfor %}"
    shell.variables["names"] = ["it's", 'a "b"']
    assert shell.sql(sql, "--jinja").value.to_dict("records") == [{"it's": "it's", 'a "b"': 'a "b"'}]


def test_it_is_off_unless_asked_for(shell):
    shell.variables["x"] = 1
    assert shell.sql("select '{{ x }}' as a").value.a.tolist() == ["{{ x }}"]


def test_parameters_and_options_work_beside_it(shell):
    shell.variables["x"] = 5
    value = shell.sql("select :x + {{ y }} as a", "--jinja --param y=7 --as dict").value
    assert value == {"a": [12]}
    assert shell.cell("%mdsql --jinja select {{ x }} as a").value.a.tolist() == [5]


@pytest.mark.parametrize(
    "value",
    [
        1, -1.5, True, None, "it's; drop table t --", 10**20, float("inf"), decimal.Decimal("1.10"), dt.date(2024, 5, 1),
        dt.datetime.fromisoformat("2024-05-01T10:30"), -7, dt.time(10, 30), "", np.int64(7), np.float64(1.5), np.bool_(True), "\\'",
        pd.Timestamp("2024-05-01 10:00"), uuid.UUID(int=5),
    ],
    ids=lambda value: f"{type(value).__name__} {value!r}",  # NumPy 1 writes True for its own
)  # fmt: skip
def test_a_literal_is_the_value(shell, value):
    shell.variables["v"] = value
    bound = shell.sql("select (:v)::varchar as a, {{ v | literal }}::varchar as b", "--jinja --as dict").value
    assert bound["a"] == bound["b"]


def test_a_list_is_for_in(shell):
    shell.variables["ids"] = [1, 3]
    assert shell.sql("select i from range(5) t(i) where i in {{ ids | literal }}", "--jinja --as dict").value == {
        "i": [1, 3]
    }


@pytest.mark.parametrize("value", [{}, [], {"a": 1}, object(), "a\0b", float, decimal.Decimal("NaN")], ids=repr)
def test_what_has_no_literal_is_an_error(value):
    with pytest.raises(ParameterError, match="has no literal"):
        literal(value)


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("select {{ tabel }}", ParameterError, ["'tabel' is undefined", "table"]),
        ("select {{ x", OptionError, ["line 1"]),
        ("select 1\n{% for %}", OptionError, ["line 2"]),
        ("select {{ 1 / 0 }}", ParameterError, ["ZeroDivisionError"]),
        ("select {{ ''.__class__.__mro__ }}", ParameterError, ["unsafe"]),
        ("select {{ 7 | identifier }}", ParameterError, ["7 is no name"]),
        ("select {{ '' | identifier }}", ParameterError, ["no name"]),
    ],
)
def test_a_bad_template_says_why_and_nothing_is_run(shell, sql, kind, words):
    shell.variables["table"] = "t"
    ran = shell.sql(sql, "--jinja", error=True)
    assert isinstance(ran.error, kind)
    assert [word for word in words if word not in ran.message] == []


def test_an_error_shows_the_rendered_line(shell):
    shell.variables["name"] = "nobody"
    ran = shell.sql("select 1,\n{{ name | identifier }}", "--jinja", error=True)
    assert 'LINE 2: "nobody"' in ran.message
    assert any("rendered" in note for note in ran.error.__notes__)

"""Templates: the filters quote for the database that the text is for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from md_magic.errors import ParameterError
from md_magic.sql import quoting, template


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("duckdb", "select '\\'' OR 1=1 -- ' as \"rank\""),
        ("mysql", "select '\\\\'' OR 1=1 -- ' as `rank`"),
    ],
)
def test_filters_quote_for_their_database(dialect, expected):
    sql = "select {{ name | literal }} as {{ 'rank' | identifier }}"
    assert template.render(sql, {"name": "\\' OR 1=1 -- "}, quoting=quoting.of(dialect)) == expected


def test_a_text_that_is_safe_in_html_keeps_its_quotes():
    rendered = template.render("select {{ d | tojson | literal }}", {"d": {"a": "x"}})
    assert rendered == """select '{"a": "x"}'"""


def test_a_near_name_is_shown():
    with pytest.raises(ParameterError, match=r"Did you mean table\?"):
        template.render("from {{ tabel }}", {"table": "t"})


class _Name(str):
    """A text with a method of its own."""

    __slots__ = ()

    def __str__(self):
        raise AssertionError


def _function():
    raise AssertionError


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (_function, "function"),
        (open, "builtin_function_or_method"),
        (pytest, "module"),
        (object(), "object"),
        (type, "type"),
        ([1, {"a": _function}], "function"),
        ({_function: 1}, "function"),
    ],
    ids=["function", "builtin", "module", "object", "type", "in a list", "as a key"],
)
def test_a_template_sees_plain_data_only(value, kind):
    with pytest.raises(ParameterError, match=rf"`x` is or holds a {kind}\..*Python cell"):
        template.render("{{ x }}", {"x": value})


def test_a_variable_that_is_not_used_may_be_anything():
    assert template.render("{{ x }}", {"x": 1, "f": _function}) == "1"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{{ x.columns | join(',') }}", pd.DataFrame({"a": [1], "b c": [2]}), "a,b c"),
        ("{{ x.columns | identifier }}", pa.table({"a": [1], "b c": [2]}), '"a", "b c"'),
        ("{{ x | join(',') }}", pd.Series([1, 2]), "1,2"),
        ("{{ x | join(',') }}", pd.DataFrame({"a": [1], "b": [2]}).columns, "a,b"),
        ("{{ x | literal }}", np.array([1, 2]), "(1, 2)"),
        ("{{ x + 1 }}", np.int64(7), "8"),
        ("{{ x | literal }}", np.datetime64("2024-05-01T10:30"), "TIMESTAMP '2024-05-01 10:30:00'"),
        ("{{ x | literal }}", pd.NA, "NULL"),
        ("{{ x | literal }}", pd.NaT, "NULL"),
        ("{{ x.upper() }}", _Name("a"), "A"),
        ("{% for k, v in x.items() %}{{ k }}={{ v }};{% endfor %}", {"a": 1, "b": (2, 3)}, "a=1;b=[2, 3];"),
        ("{% for n in x %}{{ loop.index }}/{{ loop.length }}{{ ' ' if not loop.last }}{% endfor %}", [5, 6], "1/2 2/2"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) ~ m(x) | upper }}", "a", "<a><A>"),
        ("{% filter upper %}{{ x }}{% endfilter %}", "a", "A"),
        ("{% set ns = namespace(n=0) %}{% for i in x %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", [5, 6], "11"),
        ("{{ '%s-%s' | format(x, 12345) }}{{ '{}'.format(x) }}", "a", "a-12345a"),
        ("{{ x | join(', ') }}{{ x | join(',', attribute=0) }}{{ x.0.replace('a', 'b') }}", ["ab", "c"], "ab, ca,cbb"),
        ("{{ x | replace('a', 'b') }}{{ ['p', x].1 }}{{ 'y'.join(['1', x]) }}", "a", "ba1ya"),
    ],
)
def test_plain_data_is_as_it_was(text, value, expected):
    assert template.render(text, {"x": value}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ 10**(10**10) }}",
        "{{ 'x'.ljust(10**9) }}",
        "{{ 'x' | center(10**9) }}",
        "{{ 'x' | center(width=10**9) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ lipsum(n=10**9) }}",
        "{{ [1] * 10**9 }}",
        "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set x = 'x' * 10**6 %}{% for i in range(99) %}{{ x }}{% endfor %}",
        "{% for i in range(99999) %}{{ ('x' * 10**6) | upper | length }}{% endfor %}",
        "{% for i in range(99999) %}{{ ('x' * 10**7).count('y') }}{% endfor %}",
        "{{ (2).to_bytes(10**9, 'big') }}",
        "{{ ('x' * 10**5).replace('x', 'y' * 10**5) }}",
        "{{ ('x' * 10**5) | replace('x', 'y' * 10**5) }}",
        "{{ ('x' * 10**5).join('y' * 10**5) }}",
        "{{ ('y' * 10**5) | join('x' * 10**5) }}",
        "{{ ('{0}' * 10**4).format('x' * 10**6) }}",
        "{{ [[[0] * 1000] * 1000] * 1000 }}",
        "{{ ('x' * 1000) | slice(10**7) | list }}",
    ],
)
def test_loops_and_sizes_have_a_bound(text):
    with pytest.raises(ParameterError, match="--jinja"):
        template.render(text, {})


@pytest.mark.parametrize("text", ["{{ range }}", "{{ x.from_bytes }}", "{{ x.bit_length }}", "{{ joiner() }}"])
def test_a_function_is_no_text(text):
    with pytest.raises(ParameterError, match="where a value is to stand"):
        template.render(text, {"x": 1})


def test_what_has_no_value_is_an_error_in_a_list_too():
    with pytest.raises(ParameterError, match="no attribute 'nosuch'"):
        template.render("{{ [x] | map(attribute='nosuch') | list }}", {"x": "a"})


def test_too_many_values_and_a_list_in_itself_are_errors():
    endless = []
    endless.append(endless)
    with pytest.raises(ParameterError, match="50 levels"):
        template.render("{{ x }}", {"x": endless})
    with pytest.raises(ParameterError, match="1,000,001 values"):
        template.render("{{ x }}", {"x": np.arange(1_000_001)})


def test_a_dialect_whose_strings_are_not_known_is_refused():
    with pytest.raises(ParameterError, match=r"how exasol writes a text is not known.*:name"):
        template.render("{{ x | literal }}", {"x": "\\"}, quoting=quoting.Quoting("exasol"))

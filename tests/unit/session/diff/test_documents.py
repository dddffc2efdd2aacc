"""JSON documents of several databases: one text for all that mean the same."""

from __future__ import annotations

import pyarrow as pa
import pytest

from md_magic.session.diff.documents import canonical


def texts(*documents, moments=False):
    flags = pa.chunked_array([[moments] * len(documents)], pa.bool_())
    return canonical(pa.chunked_array([list(documents)], pa.string()), flags).to_pylist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{"b" : 2, "a" : 1}'),
        ("[1.50]", "[1.5]"),
        ("[100]", "[1e2]"),
        ("[0]", "[-0.0]"),
        ("[1e300]", "[1e+300]"),
        ("[0.0010]", "[1E-3]"),
        ("[NaN]", '["NaN"]'),
        ("[-Infinity]", '["-Infinity"]'),
        (r'["\u00e9"]', '["é"]'),
        ("[ ]", "[]"),
        ("{ }", "{}"),
        ("null", " null "),
        ("1" * 5000, "1" * 5000 + ".0"),
    ],
)
def test_documents_that_mean_the_same_are_one_text(one, other):
    assert len(set(texts(one, other))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[1, 2]", "[2, 1]"),
        ("[1]", '["1"]'),
        ("[1]", "[true]"),
        ("[null]", "[]"),
        ("[[1], 2]", "[[1, 2]]"),
        ("[[], []]", "[[[]]]"),
        ('{"a": {}}', '{"a": []}'),
        ('{"a": null}', "{}"),
        ('["a,b"]', '["a", "b"]'),
        ("[9007199254740993]", "[9007199254740992]"),
        ("[0.1]", "[0.10000000000000001]"),
        ("[10]", "[1]"),
        ("[-1]", "[1]"),
        ("no JSON", '"no JSON"'),
        ('["2024-01-01 00:00:00"]', '["2024-01-01T00:00:00"]'),
    ],
)
def test_documents_that_do_not_are_two(one, other):
    assert len(set(texts(one, other))) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('["2024-01-01 00:00:00.500"]', '["2024-01-01T00:00:00.5"]'),
        ('["2024-01-01 00:00:00+00"]', '["2024-01-01T02:00:00+02:00"]'),
        ('["2024-01-01 00:00:00Z"]', '["2023-12-31T18:30:00-0530"]'),
        ('{"t": "2024-01-01 00:00:00"}', '{"t": "2024-01-01T00:00:00.000"}'),
    ],
)
def test_moments_are_written_in_several_ways(one, other):
    assert len(set(texts(one, other, moments=True))) == 1
    assert len(set(texts(one, other))) == 2


def test_what_is_no_json_stays_itself():
    deep = "[" * 100_000
    odd = '["2024-13-45 99:99:99+00"]'
    huge = "[1e99999999999999999999999]"
    assert texts("no JSON", deep, "", odd, huge, moments=True) == ["no JSON", deep, "", odd, huge]

from __future__ import annotations

import pytest

from md_magic import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 µs"),
        (0.00012, "120 µs"),
        (0.0015, "1.5 ms"),
        (0.12, "120 ms"),
        (0.5, "0.5 s"),
        (2.3, "2.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (65, "1 min 05 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_a_duration_is_in_the_unit_that_suits_it(seconds, text):
    assert wording.duration(seconds) == text


def test_a_size_counts_one_and_many():
    assert wording.size(1, 1) == "1 row × 1 column"
    assert wording.size(1_234_567, 5) == "1,234,567 rows × 5 columns"


def test_a_text_is_cut_only_where_it_is_too_long():
    assert wording.shortened("abcdef", 6) == "abcdef"
    assert wording.shortened("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("my_frme", " Did you mean my_frame?"), ("Sales", " Did you mean sales?"), ("x", "")],
)
def test_near_names_are_found_in_any_case(name, hint):
    assert wording.did_you_mean(name, ["my_frame", "sales"]) == hint


def test_a_sign_stands_before_each_near_name():
    assert wording.did_you_mean("day1", ["day", "day2"], sign=":", most=2) == " Did you mean :day, :day2?"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (31_457_280, "31 MB"),
        (2 * 10**15, "2,000 TB"),
    ],
)
def test_sizes_of_data(number, text):
    assert wording.data_size(number) == text

"""The statement around the cursor, and what is typed of a name."""

from __future__ import annotations

import pytest

from md_magic.completion import scope
from md_magic.completion.scope.nesting import Group


def read(text):
    cursor = text.index("|")
    return scope.read(text.replace("|", "", 1), cursor)


@pytest.mark.parametrize(
    ("text", "prefix", "fragment", "qualifiers"),
    [
        ("select am|", "am", "am", ()),
        ("select am|ount", "am", "am", ()),
        ("select o.am|", "am", "am", ("o",)),
        ('select "my db".s.|', "", "", ("my db", "s")),
        ('select "a b|', "a b", '"a b', ()),
        ('select "a ""b|', 'a "b', '"a ""b', ()),
        ("from\u00a0or|", "or", "or", ()),
        ("select 'é', grö|", "grö", "grö", ()),
        ("select |", "", "", ()),
    ],
)
def test_the_name_that_is_typed(text, prefix, fragment, qualifiers):
    typed = read(text)
    assert (typed.prefix, typed.fragment, typed.qualifiers) == (prefix, fragment, qualifiers)
    assert typed.start == text.index("|") - len(fragment)


@pytest.mark.parametrize(
    ("text", "quoted", "closed"),
    [('select "a|', True, False), ('select "a|"', True, True), ('select "a|, "b"', True, False), ("select a|", False, False)],
)  # fmt: skip
def test_whether_the_name_is_quoted(text, quoted, closed):
    typed = read(text)
    assert (typed.quoted, typed.closed) == (quoted, closed)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("select 'a|", "string"), ("select 1 -- a|", "comment"), ("select $$a|", "dollar"), ("select 'a'|", None)],
)
def test_what_the_cursor_is_in(text, kind):
    tail = read(text).tail
    assert (tail.kind if tail is not None else None) == kind


def test_only_statements_that_create_something_are_read_before_the_cursor():
    typed = read("select 1; create table a (b int); select ';'; select | from a; select 2")
    assert [[item.text for item in statement][:2] for statement in typed.earlier] == [["create", "table"]]
    assert [item.text for item in typed.items] == ["select", "", "from", "a"]
    assert [token.text for token in typed.before] == ["select"]


def test_a_number_is_no_name():
    assert read("select 12|").number
    assert not read("select a12|").number


def brackets(items):
    return [brackets(item.items) if isinstance(item, Group) else item.text for item in items]


@pytest.mark.parametrize(
    ("text", "nested"),
    [
        ("f(a, [1])|", ["f", ["a", ",", ["1"]], ""]),
        ("select f(| from t", ["select", "f", [""], "from", "t"]),
        ("select (select | from t", ["select", ["select", "", "from", "t"]]),
        ("select a)| from t", ["select", "a", "", "from", "t"]),
        ("select [(a]| from t", ["select", [["a"]], "", "from", "t"]),
    ],
)
def test_brackets_are_nested(text, nested):
    assert brackets(read(text).items) == nested

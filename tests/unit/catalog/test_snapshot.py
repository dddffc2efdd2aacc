"""Which table a name means, and how a table is written."""

from __future__ import annotations

import pytest

from md_magic.catalog.snapshot import Snapshot, Table

TABLES = (
    Table("t", "main", "memory"),
    Table("t", "s", "memory"),
    Table("t", "main", "temp"),
    Table("u", "s", "memory"),
    Table("u", "s", "other"),
    Table("w", "main", "other"),
    Table("Mixed", "main", "memory"),
    Table("mixed", "main", "memory"),
)
PATH = (("temp", "main"), ("memory", "main"), ("memory", "main"), ("system", "main"))
SNAPSHOT = Snapshot(tables=TABLES, path=PATH)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ((), None),
        (("t",), Table("t", "main", "temp")),
        (("T",), Table("t", "main", "temp")),
        (("s", "t"), Table("t", "s", "memory")),
        (("memory", "t"), Table("t", "main", "memory")),
        (("memory", "s", "t"), Table("t", "s", "memory")),
        (("u",), None),
        (("s", "u"), Table("u", "s", "memory")),
        (("other", "s", "u"), Table("u", "s", "other")),
        (("w",), None),
        (("other", "w"), Table("w", "main", "other")),
        (("other", "u"), None),
        (("mixed",), Table("mixed", "main", "memory")),
        (("Mixed",), Table("Mixed", "main", "memory")),
    ],
    ids=str,
)
def test_a_name_means_what_the_search_path_says(parts, wanted):
    assert SNAPSHOT.find(parts) == wanted


def test_a_place_that_stands_twice_on_the_path_counts_once():
    snapshot = Snapshot(
        tables=(Table("t", "main", "a"), Table("t", "main", "b")), path=(("a", "main"), ("b", "main"), ("a", "main"))
    )
    assert snapshot.find(("t",)) == Table("t", "main", "a")


@pytest.mark.parametrize(
    ("table", "written"),
    [
        (Table("t", "main", "temp"), "t"),
        (Table("t", "s", "memory"), "s.t"),
        (Table("w", "main", "other"), "other.main.w"),
    ],
)
def test_the_shortest_way_to_write_a_table(table, written):
    assert SNAPSHOT.short(table) == written

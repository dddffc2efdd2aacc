"""The committed table of capabilities is what the tests say."""

from __future__ import annotations

from tests.databases import capabilities


def test_the_table_is_what_the_tests_say():
    tests = capabilities.collected()
    assert capabilities.PAGE.read_text(encoding="utf-8") == capabilities.page(tests)


def test_a_capability_without_a_test_has_no_mark():
    assert "✓" not in capabilities.page([])
    some = capabilities.page(["tests/databases/test_cells.py::test_a_list_expands[mariadb]"])
    [line] = [line for line in some.splitlines() if "✓" in line]
    assert line == "| `:name` parameters, lists in `IN :ids` |  | ✓ |  |  |"

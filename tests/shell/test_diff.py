"""`--diff` as a line: what it takes, the card, the truth value, and that it leaves nothing behind."""

from __future__ import annotations

import gc
import tempfile
import threading
from _thread import interrupt_main

import pytest

from md_magic.display import host
from md_magic.errors import OptionError, QueryInterrupted


@pytest.fixture
def sales(shell):
    shell.sql("CREATE TABLE a (id INT PRIMARY KEY, name VARCHAR, n INT)")
    shell.sql("INSERT INTO a VALUES (1, '<b>', 1), (2, 'two', 2), (3, 'three', 3)")
    shell.sql("CREATE TABLE b AS FROM a")
    shell.sql("UPDATE b SET name = NULL WHERE id = 2; DELETE FROM b WHERE id = 3")
    return shell


def shown(shell, value):
    return shell.ip.display_formatter.format(value)[0]


def test_the_card_says_what_differs(sales):
    found = sales.cell("%mdsql --diff a b").value
    data = shown(sales, found)
    text = data["text/plain"]
    assert text.startswith("Different: a and b, by id")
    lines = [line.split() for line in text.split("\n")]
    for line in (["here", "3"], ["there", "2"], ["the", "same", "1"], ["only", "here", "1"], ["changed", "1"]):
        assert line in lines
    assert ["name", "VARCHAR", "VARCHAR", "1", "row", "changed"] in lines
    assert "class='changed'><em>NULL</em>" in data["text/html"]
    assert set(data) == {"text/plain", "text/html"}


def test_hostile_values_are_escaped(sales):
    sales.sql("UPDATE b SET name = '<img src=x onerror=alert(1)>' WHERE id = 1")
    html = shown(sales, sales.cell("%mdsql --diff a b").value)["text/html"]
    assert "<img" not in html
    assert "&lt;b&gt;" in html


def test_it_is_true_where_anything_differs(sales):
    assert sales.cell("d = %mdsql --diff a b\nbool(d)").value is True
    assert sales.cell("d = %mdsql --diff a a\nbool(d)").value is False
    assert shown(sales, sales.variables["d"])["text/plain"].startswith("The same: a and a")
    sales.sql("CREATE TABLE c AS SELECT *, 1 AS extra FROM a")
    found = sales.cell("%mdsql --diff a c").value
    assert found
    assert not found.rows_differ
    assert shown(sales, found)["text/plain"].startswith("Different columns, the same rows")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--diff a", "--diff needs two: --diff A B; 'a' alone was given."),
        ("--diff", "--diff needs an argument"),
        ("--diff a --on id", "--diff needs two"),
        ("--on id", "--on id needs --diff"),
        ("--diff a b --on nope", "no such column is in both"),
        ("--diff a b SELECT 1", "--diff stands on the line alone"),
        ("--diff @nowhere:a b", "No target has the alias '@nowhere'"),
        ("--diff a b --limit 5", "--limit 5 was given with --diff a b, and it is for a result of SQL"),
        ("--diff a b --as arrow", "--as arrow was given with --diff a b, and it is for a result of SQL"),
        ("--diff a b --grid", "--grid was given with --diff a b, and it is for a result of SQL"),
        ("--background --diff a b", "--background was given with --diff a b, and it is for a result of SQL"),
        ("--diff a b --profile", "--profile was given with --diff a b, and it is for a result of SQL"),
        ("--diff a b --all", "--all was given with --diff a b, and it is for a result of SQL"),
        ("--diff a b --jinja", "--jinja was given with --diff a b, and it is for a result of SQL"),
        ("--diff a b --live", "--live was given with --diff a b, and it is for a result of SQL"),
        ("--diff a 'SELECT 1 AS id; DROP TABLE b'", "has 2 statements; nothing of it was run"),
    ],
)
def test_what_it_cannot_read_says_so(sales, line, says):
    failed = sales.cell(f"%mdsql {line}", error=True)
    assert says in failed.message


def test_options_before_and_after_it(sales):
    assert sales.cell("%mdsql duckdb:///:memory: --diff a b --on id,name").value.key == ("id", "name")
    assert sales.cell("%mdsql --on id --diff a 'SELECT * FROM a WHERE id < 3'").value.only_here == 1
    sales.cell("%mdsql --diff a b -o kept")
    assert sales.variables["kept"].changed == 1
    assert isinstance(sales.cell("%mdsql --diff a", error=True).error, OptionError)


def test_it_is_one_line_of_the_history(sales):
    sales.cell("%mdsql --diff a b --on id")
    sales.cell("%mdsql --diff a nowhere", error=True)
    kept = sales.cell("%mdsql --history diff").value
    assert kept["sql"].tolist() == ["%mdsql --diff a b --on id", "%mdsql --diff a nowhere"]
    assert kept["state"].tolist() == ["done", "failed"]


def test_an_interrupt_stops_it_and_leaves_nothing(sales, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    timer = threading.Timer(1, interrupt_main)
    timer.start()
    big = "SELECT range AS i, md5(range::VARCHAR) AS h FROM range(3_000_000_000)"
    failed = sales.cell(f"%mdsql --diff '{big}' '{big}'", error=True)
    timer.join()
    assert isinstance(failed.error, QueryInterrupted)
    assert sales.sql("SELECT 42 AS a").value["a"].tolist() == [42]
    assert list(folder.iterdir()) == []
    found = sales.cell("%mdsql --diff a b").value
    assert len(list(folder.iterdir())) == 1
    assert len(found.frame()) == 3
    del found
    sales.ip.reset()
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_batch_page_has_the_card(sales, monkeypatch):
    monkeypatch.setattr(host, "host", lambda _: "batch")
    found = sales.cell("%mdsql --diff a b").value
    assert "<script" not in shown(sales, found)["text/html"]


def test_a_secret_in_a_side_is_shown_nowhere(sales):
    found = sales.cell('%mdsql --diff "SELECT 1 AS a -- postgresql://u:S3cr3tPw@h/db" "SELECT 2 AS a"').value
    data = shown(sales, found)
    assert "***" in data["text/plain"]
    for text in (*data.values(), repr(found), str(found.frame())):
        assert "S3cr3tPw" not in text
    for line in (
        "--diff 'SELECT 1; SELECT 2 -- postgresql://u:S3cr3tPw@h/db' a",
        "--diff postgresql://u:S3cr3tPw@h/db",
    ):
        assert "S3cr3tPw" not in sales.cell(f"%mdsql {line}", error=True).message


def test_parameters_of_the_line_are_bound(sales):
    assert not sales.cell("%mdsql --param n=1 --diff 'SELECT 1 AS id' 'SELECT :n AS id'").value.rows_differ


def test_a_column_with_a_comma_is_named_in_quotes(sales):
    sales.sql('CREATE TABLE c AS SELECT 1 AS "a,b", 2 AS c')
    assert sales.cell("""%mdsql --diff c c --on '"a,b"'""").value.key == ("a,b",)
    assert sales.cell("""%mdsql --diff c c --on '"a,b", c'""").value.key == ("a,b", "c")
    assert sales.cell("%mdsql --history diff").value["sql"].iloc[-1] == '%mdsql --diff c c --on "a,b",c'

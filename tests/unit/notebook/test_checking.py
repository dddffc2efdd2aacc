"""What a front end is told of a cell: places in the whole source, messages, names, and nothing else."""

from __future__ import annotations

import time
from types import SimpleNamespace

import duckdb
import pytest

from md_magic.notebook import checking
from md_magic.notebook.names import NAME
from md_magic.session.session import Session
from tests.unit.notebook.conftest import Host


@pytest.fixture(scope="module")
def session():
    """A session that all tests share, because none of them changes anything in it."""
    session = Session(notify=print)
    session.use(session.resolve("duckdb:///:memory:"))
    list(session.run("CREATE TABLE flights (carrier VARCHAR, dep_delay INTEGER)", {}))
    yield session
    session.close_all()


@pytest.fixture
def magics(session):
    host = Host(session)
    host.check, host.names = True, (NAME,)
    return host


def check(magics, source, variables=None):
    """Return the words that are wrong in *source*, with what is said and what could stand there."""
    deadline = time.monotonic() + 30
    while True:
        found, is_whole = checking.check(magics, source, variables or {})
        if is_whole or time.monotonic() > deadline:
            return [(source[each.start : each.end], each.message, each.names) for each in found]
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("%%mdsql\nSELECT carier FROM flights", "carier"),
        ("\n  \n%%mdsql\n\nSELECT carier\nFROM flights", "carier"),
        ("%%mdsql --limit 5 -o df\nSELECT carier FROM flights", "carier"),
        ("%%mdsql duckdb:///:memory: --grid SELECT carier\nFROM flights", "carier"),
        ("%%mdsql\ndf << SELECT carier FROM flights", "carier"),
        ("%%mdsql df << \nSELECT carier FROM flights", "carier"),
        ("%%mdsql --save q\nSELECT carier FROM flights", "carier"),
        ("%%mdsql --profile\nSELECT carier FROM flights", "carier"),
        ("%%mdsql\nSELECT '😀', carier FROM flights;\n", "carier"),
        ("%%mdsql --param x=1\nSELECT carier, :x FROM flights WHERE :x = 1", None),  # its value is not known yet
        ("%%mdsql\nSELECT carrier FROM flights", None),
        ("%%mdsql --jinja\nSELECT {{ column }} FROM flights", None),
        ("%%mdsql --file q.sql", None),
        ("%%mdsql --profile\nflights", None),
        ("%%mdsql --describe\nSELEC", "--describe"),
        ("%%mdsql", None),
        ("%%mdsqlx\nSELEC", None),
        ("SELEC = 1", None),
        ("", None),
    ],
)
def test_the_place_is_that_of_the_whole_cell(magics, source, word):
    assert [typed for typed, *_ in check(magics, source)] == ([word] if word else [])


@pytest.mark.parametrize(
    ("line", "word", "names"),
    [
        (" --limt 5", "--limt", ("--limit",)),
        (" --limit=x", "--limit=x", ()),
        (" --as pandsa", "--as", ()),
        (" duckdb://two.db", "duckdb://two.db", ()),
        (" @nowhere", "@nowhere", ()),
        (" --to t", "--to", ()),
    ],
)
def test_the_line_is_checked_as_well(magics, line, word, names):
    source = f"%%mdsql{line}\nSELECT 1"
    [(typed, message, suggested)] = check(magics, source)
    assert (typed, suggested) == (word, names)
    assert message.endswith(".")


def test_an_answer_counts_as_javascript_does_and_repeats_the_id(magics):
    source = "%%mdsql\nSELECT 'ä😀' AS x FROM"
    answer = checking.answer(magics, {"id": 7, "source": source})
    units = len(source.encode("utf-16-le")) // 2
    if duckdb.__version__ < "2":
        length, where = 1, "end of input"
    else:
        length, where = len("FROM"), 'or near "FROM"'
    message = f"Parser Error: syntax error at {where}"
    assert answer == {
        "id": 7,
        "marks": [{"from": units - length, "to": units, "message": message, "names": []}],
        "whole": True,
    }


def test_a_token_in_a_cell_is_in_no_message(magics):
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLWE"  # noqa: S105 - nobody's
    [(_, message, _)] = check(magics, f"%%mdsql\nSELECT * FROM flights WHERE '{token}' '{token}' '{token}")
    assert token not in message
    found, _ = checking.check(magics, f"%%mdsql md:?motherduck_token={token} --limt\nSELECT 1", {})
    assert all(token not in each.message for each in found)


def test_the_setting_ends_it_and_whatever_goes_wrong_is_no_error(magics):
    source = "%%mdsql\nSELEC 1"
    assert len(checking.answer(magics, {"id": 1, "source": source})["marks"]) == 1
    magics.check = False
    assert checking.answer(magics, {"id": 1, "source": source})["marks"] == []
    magics.check = True
    assert checking.answer(magics, {})["marks"] == []
    assert checking.answer(magics, {"id": 2, "source": "%%mdsql\nSELECT '\ud800'"})["marks"] == []


def test_a_shell_without_a_kernel_is_asked_by_nobody(magics):
    magics.shell = SimpleNamespace(user_ns={})
    checking.install(magics)
    checking.remove(magics)

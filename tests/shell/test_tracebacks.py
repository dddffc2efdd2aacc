"""An error is one message, whatever else shows errors in the shell: rich, a debugger, another handler."""

from __future__ import annotations

import io
import sys

import duckdb
import pytest

BROKEN = "%%mdsql\nSELECT 1 AS a,\n  nope"
CARETS = "^" if duckdb.__version__.startswith("1.") else "^^^^"  # DuckDB's own; since 2 they are under the whole name
MESSAGE = f"""Binder Error: Referenced column "nope" was not found because the FROM clause is missing

LINE 2:   nope
          {CARETS}"""
FUNCTION = """
def broken():
    inner = 41
    return get_ipython().run_cell_magic('mdsql', '', 'SELECT 1 AS a,\\n  nope')
broken()
"""


class Keys(io.StringIO):
    """What a person types."""

    def isatty(self):
        return True


@pytest.fixture(params=["before", "after"])
def rich(request, ip):
    """A shell with rich, which was loaded before md_magic or after it."""
    pytest.importorskip("rich")
    for name in ("rich", "md_magic") if request.param == "before" else ("md_magic", "rich"):
        ip.run_line_magic("load_ext", name)
    return ip


def shown(ip, cell, capsys):
    capsys.readouterr()
    ip.run_cell(cell)
    return capsys.readouterr()


def test_rich_draws_no_traceback_through_ours(rich, capsys):
    out, err = shown(rich, BROKEN, capsys)
    assert (out.strip(), err) == (MESSAGE, "")
    out, err = shown(rich, FUNCTION, capsys)
    assert (out.strip(), err) == (MESSAGE, "")


def test_tb_shows_our_message_beside_rich(rich, capsys):
    shown(rich, BROKEN, capsys)
    for _ in range(2):
        out, err = shown(rich, "%tb", capsys)
        assert (out.strip(), err) == (MESSAGE, "")
    shown(rich, FUNCTION, capsys)
    assert shown(rich, "%tb", capsys).out.strip() == MESSAGE
    out, err = shown(rich, "1 / 0", capsys)
    again = "".join(shown(rich, "%tb", capsys))
    assert "ZeroDivisionError" in again
    assert ("╭" in again) is ("╭" in out + err)


def test_what_rich_has_taken_is_given_back(rich):
    theirs = vars(rich)["_showtraceback"]
    rich.run_cell(BROKEN)
    rich.run_line_magic("unload_ext", "md_magic")
    assert vars(rich)["_showtraceback"] is theirs


def test_rich_keeps_the_errors_of_others(rich, capsys):
    out, err = shown(rich, "1 / 0", capsys)
    assert "Traceback" in out + err
    assert "ZeroDivisionError" in out + err


def test_pdb_stays_away_from_an_error_of_a_cell(shell, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Keys("p 'the debugger is open'\nq\n"))
    shell.ip.call_pdb = True
    out = shown(shell.ip, BROKEN, capsys).out
    assert out.startswith(MESSAGE)
    assert "%mdsql --fix" in out  # after the first error about a name
    assert "the debugger is open" not in out


def test_pdb_opens_in_the_function_that_failed(shell, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Keys("p inner + 1\nq\n"))
    shell.ip.call_pdb = True
    out = shown(shell.ip, FUNCTION, capsys).out
    assert out.startswith(MESSAGE)
    assert "42" in out
    assert "md_magic/" not in out
    assert "run_code" not in out


def test_pdb_waits_for_nobody(shell, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("p inner + 1\nq\n"))
    shell.ip.call_pdb = True
    assert shown(shell.ip, FUNCTION, capsys).out.strip() == MESSAGE


def test_an_error_in_mid_session_says_itself_again_with_tb(shell, capsys):
    shown(shell.ip, "1 / 0", capsys)
    shown(shell.ip, BROKEN, capsys)
    assert shown(shell.ip, "%tb", capsys).out.strip() == MESSAGE
    assert sys.last_value.__traceback__ is sys.last_traceback


def test_an_interrupt_is_one_message_too(rich, capsys):
    out, _ = shown(rich, "import md_magic.errors\nraise md_magic.errors.QueryInterrupted('stopped.')", capsys)
    assert out.strip() == "KeyboardInterrupt: stopped."


class TestTheHandlerOfAnother:
    def test_keeps_its_errors(self, ip, capsys):
        ip.set_custom_exc((KeyError,), lambda *_, **__: print("theirs"))
        ip.run_line_magic("load_ext", "md_magic")
        assert shown(ip, "{}[1]", capsys).out == "theirs\n"
        assert shown(ip, BROKEN, capsys).out.strip() == MESSAGE

    def test_is_back_after_unloading(self, ip, capsys):
        ip.set_custom_exc((KeyError,), lambda *_, **__: print("theirs"))
        before = ip.custom_exceptions, ip.CustomTB
        ip.run_line_magic("load_ext", "md_magic")
        ip.run_line_magic("reload_ext", "md_magic")
        ip.run_line_magic("unload_ext", "md_magic")
        assert (ip.custom_exceptions, ip.CustomTB) == before
        assert shown(ip, "{}[1]", capsys).out == "theirs\n"

    def test_stays_where_it_came_later(self, ip, capsys):
        ip.run_line_magic("load_ext", "md_magic")
        ip.set_custom_exc((KeyError,), lambda *_, **__: print("theirs"))
        assert shown(ip, BROKEN, capsys).out.strip() == MESSAGE
        ip.run_line_magic("unload_ext", "md_magic")
        assert shown(ip, "{}[1]", capsys).out == "theirs\n"

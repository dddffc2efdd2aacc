"""The setting `alias`: the magic by another name, which is never taken from somebody else."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from traitlets import TraitError


def magic(shell, name, kind="cell"):
    return shell.ip.magics_manager.magics[kind].get(name)


def completions(shell, text):
    with provisionalcompleter():
        return [each.text for each in shell.ip.Completer.completions(text, len(text))]


@pytest.fixture
def named(shell):
    shell.cell("%config MdsqlMagics.alias = 'sql'")
    return shell


def test_the_magic_has_two_names(named):
    assert named.cell("%%sql --as dict\nSELECT 42 AS x").value == {"x": [42]}
    assert named.cell("got = %sql SELECT 43 AS x\ngot.x[0]").value == 43
    assert named.cell("%%sql got << SELECT 44 AS x").error is None
    assert named.variables["got"].x.tolist() == [44]
    assert named.sql("SELECT 45 AS x").value.x.tolist() == [45]
    assert magic(named, "sql") == magic(named, "mdsql")


def test_tab_and_shift_tab_know_it(named):
    named.sql("CREATE TABLE mallards AS SELECT 1 AS a")
    assert "mallards" in completions(named, "%%sql\nFROM mall")
    assert "mallards" in completions(named, "x = %sql FROM mall")
    assert "--limit" in completions(named, "%%sql --lim")
    assert "mallards" not in completions(named, "%%sqlx\nFROM mall")
    code = "%%sql --limit 3\nFROM mallards"
    named.ip.get_parent = lambda: {"content": {"code": code, "cursor_pos": len(code), "detail_level": 0}}
    try:
        assert "mallards" in named.ip.object_inspect_mime("mallards")["text/plain"]
    finally:
        del named.ip.get_parent


def test_a_terminal_waits_for_its_body(named):
    assert named.ip.check_complete("%%sql") == ("incomplete", "")
    assert named.ip.check_complete("%%sql\nSELECT 1;") == ("complete", "")
    assert named.ip.check_complete("%%sqlx\nSELECT 1;")[0] == "incomplete"


def test_another_alias_or_none_gives_the_name_back(named):
    named.cell("%config MdsqlMagics.alias = 'q'")
    assert (magic(named, "sql"), magic(named, "sql", "line")) == (None, None)
    assert named.cell("%q SELECT 42 AS x").value.x.tolist() == [42]
    named.cell("%config MdsqlMagics.alias = ''")
    assert magic(named, "q") is None


def test_unloading_takes_the_alias_away(named):
    named.ip.run_line_magic("unload_ext", "md_magic")
    assert {name for kind in ("line", "cell") for name in ("sql", "mdsql") if magic(named, name, kind)} == set()


def other(_line, _cell=None):
    """A magic of somebody else."""
    return "somebody else's"


@pytest.mark.parametrize("kind", ["line", "cell"])
def test_a_name_that_is_taken_stays_with_its_owner(shell, caplog, kind):
    shell.ip.register_magic_function(other, kind, "sql")
    shell.cell("%config MdsqlMagics.alias = 'sql'")
    [error] = caplog.records  # IPython prints what a setting refuses
    assert f"stay with {__name__}. Unload that extension first" in error.message
    assert shell.magics.alias == ""
    assert magic(shell, "sql", kind) is other
    assert magic(shell, "sql", "cell" if kind == "line" else "line") is None
    shell.ip.run_line_magic("unload_ext", "md_magic")
    assert magic(shell, "sql", kind) is other


def test_a_name_that_an_extension_would_be_loaded_for_stays_its_own(shell):
    shell.ip.magics_manager.register_lazy("sql", "somebody.s")
    try:
        with pytest.raises(TraitError, match=r"stay with somebody\.s"):
            shell.magics.alias = "sql"
    finally:
        shell.ip.magics_manager.lazy_magics.pop("sql")
        for kind in ("line", "cell"):
            shell.ip.magics_manager.magics[kind].pop("sql", None)  # IPython 8 has none


def test_a_name_that_somebody_takes_later_is_theirs(named):
    for kind in ("line", "cell"):
        named.ip.register_magic_function(other, kind, "sql")
    assert named.magics.names == ("mdsql",)
    assert named.ip.check_complete("%%sql\nSELECT 1;")[0] == "incomplete"
    named.ip.run_line_magic("unload_ext", "md_magic")
    assert magic(named, "sql") is other


@pytest.mark.parametrize("name", ["mdsql", "my sql", "1", "a.b", "%sql"])
def test_what_is_no_name_is_refused(shell, name):
    with pytest.raises(TraitError, match="is needed"):
        shell.magics.alias = name
    assert shell.magics.names == ("mdsql",)


def test_a_configuration_file_sets_it(ip, capsys):
    ip.config.MdsqlMagics.alias = "sql"
    ip.run_line_magic("load_ext", "md_magic")
    assert ip.magics_manager.magics["cell"]["sql"]
    assert capsys.readouterr().out == ""


def test_a_configuration_file_that_names_a_taken_one_says_so(ip, capsys):
    ip.register_magic_function(other, "cell", "sql")
    ip.config.MdsqlMagics.alias = "sql"
    ip.run_line_magic("load_ext", "md_magic")
    assert ip.magics_manager.magics["cell"]["sql"] is other
    assert capsys.readouterr().out == (
        f"alias = 'sql': %%sql and %sql stay with {__name__}. Unload that extension first, or choose another name;"
        " %%mdsql works in any case.\n"
    )
    ip.run_cell("%%mdsql\nSELECT 1").raise_error()


@pytest.mark.parametrize("made", ["%alias_magic {0} mdsql", "%alias_magic {0}_ mdsql\n%alias_magic {0} {0}_"])
def test_values_are_bound_under_a_name_of_alias_magic(shell, made):
    """IPython pastes the value of `$name` into the line of a magic, unless that forbids it."""
    shell.variables["word"] = "1; CREATE TABLE hacked(a INT); SELECT 2"
    shell.variables["place"] = "postgresql://u:hidden@127.0.0.1:1/db"
    shell.cell(made.format("q"))
    assert shell.cell("%q SELECT $word AS a").value.a.tolist() == [shell.variables["word"]]
    assert shell.cell("%q SELECT '{word}' AS a").value.a.tolist() == ["{word}"]
    assert shell.cell("%%q --param 'n=len(word)'\nSELECT :n AS n, $word AS a").value.n.tolist() == [39]
    assert "hacked" not in shell.cell("%mdsql SHOW TABLES").value.name.tolist()
    message = str(shell.cell("%q $place SELECT 1", error=True).error)
    assert "127.0.0.1" not in message.partition("\n")[0]
    shell.cell("%reload_ext md_magic")
    assert shell.cell("%q SELECT $word AS a").value.a.tolist() == [shell.variables["word"]]


def test_other_aliases_are_ipython_s(shell):
    shell.variables["word"] = "41 + 1"
    shell.cell("%alias_magic t timeit")
    shell.cell("%alias_magic --line e mdsql -p '--as dict'")
    assert shell.cell("%e SELECT 42 AS x").value == {"x": [42]}
    shell.cell("%unload_ext md_magic")
    assert "register_alias" not in vars(shell.ip.magics_manager)

"""Tab and Shift-Tab as IPython asks for them: the magic line, the notebook's variables, loading and unloading."""

from __future__ import annotations

import subprocess
import sys
import time

import pandas as pd
import pytest
from IPython.core import completer
from IPython.core.completer import provisionalcompleter


class Typing:
    """A person who presses Tab, at the `|` of what is typed."""

    def __init__(self, ip):
        self.ip = ip

    def __call__(self, text):
        cursor = text.index("|")
        with provisionalcompleter():
            found = list(self.ip.Completer.completions(text.replace("|", ""), cursor))
        self.types = {one.text: one.type for one in found}
        self.start = {one.text: one.start for one in found}
        return [one.text for one in found]

    def until(self, text, wanted):
        """Press Tab until *wanted* is there: what a cell changed is looked at in the background."""
        deadline = time.monotonic() + 60
        while wanted not in (found := self(text)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found


@pytest.fixture
def tab(shell):
    return Typing(shell.ip)


@pytest.mark.parametrize(
    ("text", "has", "never"),
    [
        ("%%mdsql --as |", ["pandas", "polars", "arrow", "reader", "dict"], ["--as", "eng"]),
        ("%%mdsql --as=po|", ["polars"], ["pandas"]),
        ("%%mdsql --a|", ["--as", "--alias", "--all"], ["--limit", "abs"]),
        ("%%mdsql --engine |", ["eng", "con"], ["settings", "number", "pandas"]),
        ("%%mdsql --config |", ["settings"], ["eng", "number"]),
        ("%%mdsql --close |", ["@prod", "md:"], ["number"]),
        ("%mdsql --close @|", ["@prod"], ["md:"]),
        ("%%mdsql --limit |", [], ["number", "eng"]),
        ("%%mdsql |", ["md:", "duckdb:///:memory:", "@prod", "--limit"], ["number"]),
        ("%%mdsql m|", ["md:"], ["@prod", "max"]),
        ("%%mdsql @|\nSELECT 1", ["@prod"], ["md:"]),
        ("%%mdsql md: --li|", ["--limit"], ["md:"]),
        ("%%mdsql --param |\nSELECT :day, a[1:n], $other, x::int", ["day=", "other="], ["n=", "int="]),
        ("%mdsql SEL|", ["SELECT"], ["--limit"]),
        ("df = %mdsql --limit 3 sel|", ["select"], []),
        ("x = 1\ndf = %mdsql SELECT * FROM fra|", ["frame"], []),
        ("%%mdsql\nSELECT * FROM fra|", ["frame"], []),
        ("%%mdsql\nSELECT | FROM frame", ["fruit", "price"], ["number"]),
        ("%%mdsql --out x SELECT pri| FROM frame", ["price"], []),
        ("%%mdsql\nSELECT :num|", ["number"], ["numpy"]),
        ("%%mdsql\nSELECT 'num|", [], ["number"]),
        ("%%mdsql\n-- num|", [], ["number"]),
        ("\n%%mdsql\nSELECT pri| FROM frame", ["price"], []),
        ("%%mdsql\r\nSELECT pri|\r\nFROM frame", ["price"], []),
    ],
)
def test_the_magic_line_and_the_notebook(shell, tab, text, has, never):
    shell.cell(
        "import pandas as pd, sqlalchemy, duckdb\n"
        "frame = pd.DataFrame({'fruit': ['a'], 'price': [1]}); number = 1; settings = {}\n"
        "eng = sqlalchemy.create_engine('sqlite://'); con = duckdb.connect()\n"
        "get_ipython().magics_manager.registry['MdsqlMagics'].targets = {'prod': 'duckdb:///:memory:'}"
    )
    found = tab(text)
    shell.variables["con"].close()
    assert [one for one in has if one not in found] == []
    assert [one for one in never if one in found] == []


def test_every_option_of_the_help_completes(tab):
    from md_magic import options

    offered = tab("%mdsql --|")
    assert [option.flag for option in options.OPTIONS if option.flag not in offered] == []
    above_sql = tab("%%mdsql --|")
    assert "--limit" in above_sql
    assert not {"--tables", "--to", "--frame", "--on"} & {*above_sql}
    assert set(tab.types.values()) == {"option"}


def test_python_cells_are_left_alone(shell, tab):
    shell.variables["number_of_things"] = 1
    assert "number_of_things" in tab("number_of|")
    assert "number_of_things" in tab("x = 1\nnumber_of|")
    assert "orders" not in tab("'%mdsql'\nord|")


def test_types_are_one_word_and_what_is_replaced_is_the_last_name(shell, tab):
    shell.sql("CREATE TABLE orders (order_id INT); CREATE VIEW seen AS FROM orders")
    text = "%%mdsql\nSELECT orders.ord| FROM orders"
    assert tab.until(text, "order_id") == ["order_id"]
    assert tab.types == {"order_id": "column"}
    assert tab.start["order_id"] == text.index("ord|")
    tab("%%mdsql\nSELECT * FROM |")
    assert (tab.types["orders"], tab.types["seen"]) == ("table", "view")
    tab("%%mdsql\nSELECT sum|")
    assert tab.types["sum"] == "function"
    tab("%%mdsql\nsel|")
    assert tab.types["select"] == "keyword"


def test_nothing_is_opened_by_asking(shell, tab):
    assert "SELECT" in tab("%%mdsql\nSEL|")
    assert "count" in tab("%%mdsql\nSELECT cou|")
    assert shell.magics._session is None


def test_ddl_is_seen(shell, tab):
    shell.sql("CREATE TABLE first_one (a INT)")
    assert "first_one" in tab.until("%%mdsql\nFROM fir|", "first_one")
    shell.sql("DROP TABLE first_one; CREATE TABLE first_two (b INT)")
    assert "first_two" in (found := tab.until("%%mdsql\nFROM fir|", "first_two"))
    assert "first_one" not in found
    shell.sql("ALTER TABLE first_two RENAME COLUMN b TO renamed")
    assert "renamed" in tab.until("%%mdsql\nSELECT re| FROM first_two", "renamed")
    shell.sql("ATTACH ':memory:' AS aside; CREATE TABLE aside.far_away (c INT)")
    assert "aside.main.far_away" in tab.until("%%mdsql\nFROM far|", "aside.main.far_away")
    shell.sql("USE aside")
    assert "far_away" in tab.until("%%mdsql\nFROM far|", "far_away")
    shell.sql("USE memory; DETACH aside")
    while "aside" in tab("%%mdsql\nUSE |"):
        time.sleep(0.01)
    assert "memory" in tab("%%mdsql\nUSE |")


def test_temporary_tables_and_an_open_transaction_are_seen(shell, tab):
    shell.sql("CREATE TEMP TABLE passing (note VARCHAR)")
    assert "note" in tab.until("%%mdsql\nSELECT no| FROM passing", "note")
    shell.sql("BEGIN; CREATE TABLE uncommitted (z INT)")
    assert "uncommitted" in tab.until("%%mdsql\nFROM unc|", "uncommitted")
    shell.sql("ROLLBACK")
    while "uncommitted" in tab("%%mdsql\nFROM unc|"):
        time.sleep(0.01)


def test_a_change_by_another_cursor_is_seen(shell, tab):
    shell.cell("import duckdb; con = duckdb.connect()")
    shell.cell("%mdsql --engine con")
    shell.variables["con"].cursor().execute("CREATE TABLE elsewhere (q INT)")
    assert "elsewhere" in tab.until("%%mdsql\nFROM els|", "elsewhere")
    shell.cell("%mdsql --close-all")  # DuckDB 1.5.2 crashes if one is closed while another thread reads beside it
    shell.variables["con"].close()


def test_asking_does_not_touch_the_users_open_result(shell, tab):
    shell.cell("import duckdb; con = duckdb.connect(); con.execute('CREATE TEMP TABLE mine (i INT)')")
    shell.cell("%mdsql --engine con")
    con = shell.variables["con"]
    con.execute("SELECT * FROM range(5)")
    for _ in range(20):
        tab("%%mdsql\nSELECT | FROM mine")
        time.sleep(0.05)
    assert con.fetchall() == [(i,) for i in range(5)]
    shell.cell("%mdsql --close-all")  # see above
    con.close()


def test_another_database_is_inspected(shell, tab):
    shell.sql("CREATE TABLE liteTable (Wide INT, narrow TEXT)", "sqlite:///lite.db")
    assert "narrow" in tab.until("%%mdsql\nSELECT na| FROM liteTable", "narrow")


@pytest.mark.parametrize(("text", "written"), [("SELECT * FROM ind|", '"index"'), ("SELECT * FROM val|", '"values"')])
def test_sqlites_reserved_words_are_quoted(shell, tab, text, written):
    shell.sql(
        'CREATE TABLE "index" (a INT); CREATE TABLE "values" (a INT); CREATE TABLE pivot (a INT)', "sqlite:///k.db"
    )
    assert "pivot" in tab.until("%%mdsql\nSELECT * FROM piv|", "pivot")
    found = tab(f"%%mdsql\n{text}")
    assert written in found
    assert written.strip('"') not in found
    assert shell.sql(text.replace(text.split()[-1], written)).error is None


def test_sqlite_in_memory_is_inspected(shell, tab):
    shell.sql("CREATE TABLE small (thing TEXT)", "sqlite://")
    assert "thing" in tab.until("%%mdsql\nSELECT th| FROM small", "thing")


def test_paths_are_relative_to_the_working_folder(tab, tmp_path, monkeypatch):
    folder = tmp_path / "files"
    (folder / "data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in ("data/a b.csv", "it's.csv", ".hidden.csv", "plain.csv"):
        (folder / name).write_text("x\n1\n")
    assert tab("%%mdsql\nFROM read_csv('|") == ["data/", "it''s.csv", "plain.csv"]
    assert set(tab.types.values()) == {"path"}
    assert tab("%%mdsql\nFROM 'data/|") == ["data/a b.csv"]
    assert tab("%%mdsql\nFROM '.h|") == [".hidden.csv"]
    assert tab("%%mdsql --file pl|") == ["plain.csv"]
    assert tab("%%mdsql --file |") == ["data/", '"it\'s.csv"', "plain.csv"]
    assert "duckdb:///data/" in tab("%%mdsql duckdb:///|")


def test_a_closed_target_leaves_its_file_alone(shell, tab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.sql("CREATE TABLE t (i INT)", "duckdb:///kept.duckdb")
    tab.until("%%mdsql\nSELECT | FROM t", "i")
    shell.cell("%mdsql --close")
    code = "import duckdb; print(duckdb.connect('kept.duckdb').execute('FROM t').fetchall())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "[]\n", ran.stderr


def inspect(shell, text):
    cursor = text.index("|")
    code = text.replace("|", "")
    shell.ip.get_parent = lambda: {"content": {"code": code, "cursor_pos": cursor, "detail_level": 0}}
    try:
        return shell.ip.object_inspect_mime("whatever")
    finally:
        del shell.ip.get_parent


def shown(shell, text):
    """Return the text of a tooltip, as soon as there is one: what it needs is read in a thread, tables first."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return inspect(shell, text)["text/plain"]
        except KeyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_tooltips(shell, tab):
    shell.sql(
        "CREATE TABLE orders (order_id BIGINT, amount DECIMAL(18,2)); COMMENT ON TABLE orders IS 'what <b>was</b> bought'"
    )
    tab.until("%%mdsql\nSELECT amo| FROM orders", "amount")
    tab.until("%%mdsql\nSELECT list_cosine_s|", "list_cosine_similarity")  # the functions come after the tables
    shell.variables |= {"day": [1, 2, 3], "my_token": "abcdef"}
    table = inspect(shell, "%%mdsql\nSELECT * FROM ord|ers")
    assert "order_id  BIGINT" in table["text/plain"]
    assert "about 0 rows" in table["text/plain"]
    assert "what <b>was</b> bought" in table["text/plain"]
    assert "what &lt;b&gt;was&lt;/b&gt; bought" in table["text/html"]
    column = inspect(shell, "%%mdsql\nSELECT am|ount FROM orders")["text/plain"]
    assert column == "column amount DECIMAL(18,2)\nof table memory.main.orders"
    function = inspect(shell, "%%mdsql\nSELECT date_tr|unc('day', now())")["text/plain"]
    assert "date_trunc(part VARCHAR, timestamp TIMESTAMP) -> TIMESTAMP" in function
    assert "Truncate to specified precision" in function
    assert inspect(shell, "%%mdsql --lim|it 3\nSELECT 1")["text/plain"].startswith("--limit N\nfetch at most N rows")
    assert inspect(shell, "%%mdsql\nSELECT :da|y")["text/plain"] == ":day\nlist: [1, 2, 3]"
    assert inspect(shell, "%%mdsql\nSELECT :my_to|ken")["text/plain"] == ":my_token\nstr: ***"
    with pytest.raises(KeyError):
        inspect(shell, "%%mdsql\nSELECT nob|ody")
    with pytest.raises(KeyError):
        inspect(shell, "%%mdsql\nSELECT 'ord|ers'")


def test_a_select_and_a_cte_show_the_columns_that_they_give(shell, tab):
    shell.sql("CREATE TABLE orders (order_id BIGINT, amount DECIMAL(18,2))")
    shell.variables["day"] = 5
    tab.until("%%mdsql\nSELECT amo| FROM orders", "amount")
    query = "WITH q AS (SELECT order_id AS id, amount * :day AS a FROM orders) SELECT id, sum(a) AS total FROM q GROUP BY id"
    select = shown(shell, f"%%mdsql\n{query.replace('SELECT id', 'SEL|ECT id')}")
    assert select == "columns of this SELECT\n  id     BIGINT\n  total  DECIMAL(38,2)"
    cte = shown(shell, f"%%mdsql\n{query.replace('FROM q', 'FROM |q')}")
    assert cte == "common table expression q\n  id  BIGINT\n  a   DECIMAL(18,2)"
    first = shown(shell, "%%mdsql\nFR|OM orders SELECT order_id")
    assert first == "columns of this query\n  order_id  BIGINT"
    made = "%%mdsql\nCREATE TABLE small AS SELECT order_id AS n FROM orders;\nSEL|ECT n + 1 AS m, * FROM small"
    assert shown(shell, made) == "columns of this SELECT\n  m  BIGINT\n  n  BIGINT"
    both = "%%mdsql\nCREATE OR REPLACE TABLE orders AS SELECT 'x' AS word;\nFROM orders SEL|ECT word"
    assert shown(shell, both) == "columns of this query\n  word  VARCHAR"
    assert shown(shell, "%%mdsql\nSEL|ECT order_id FROM orders").endswith("order_id  BIGINT")
    with pytest.raises(KeyError):
        inspect(shell, "%%mdsql\nUSE other;\nSEL|ECT order_id FROM orders")
    in_line = shown(shell, "n = %mdsql --limit 3 SEL|ECT order_id FROM orders")
    assert in_line == "columns of this SELECT\n  order_id  BIGINT"
    assert shown(shell, "n = %mdsql --lim|it 3 SELECT order_id FROM orders").startswith("--limit N")


def test_python_tooltips_are_left_alone(shell):
    shell.variables["thing"] = 5
    assert "int" in shell.ip.object_inspect_mime("thing")["text/plain"]


def hooks_of(ip):
    completer = ip.Completer
    return (
        list(completer.custom_matchers),
        completer.completions,
        "completions" in vars(completer),
        ip.object_inspect_mime,
        "object_inspect_mime" in vars(ip),
    )


@pytest.fixture(params=["as this IPython has it", "before 8.6"])
def ipython(request, monkeypatch):
    """IPython's shell with the matchers that it has, and without, as IPython 7 is."""
    if request.param == "before 8.6":
        monkeypatch.delattr(completer, "context_matcher", raising=False)
    return request.getfixturevalue("ip")


def test_unloading_restores_tab_and_shift_tab(ipython):
    before = hooks_of(ipython)
    ipython.run_line_magic("load_ext", "md_magic")
    once = hooks_of(ipython)
    ipython.run_line_magic("reload_ext", "md_magic")
    assert len(hooks_of(ipython)[0]) == len(once[0])
    assert once != before
    ipython.run_line_magic("unload_ext", "md_magic")
    assert hooks_of(ipython) == before


def test_tab_in_every_ipython(ipython):
    ipython.run_line_magic("load_ext", "md_magic")
    ipython.run_line_magic("config", "MdsqlMagics.alias = 'sql'")
    tab = Typing(ipython)
    ipython.user_ns["prices"] = pd.DataFrame({"fruit": ["fig"], "price": [1.5]})
    assert tab("%%mdsql --limit 3\nSELECT é, pri| FROM prices")[0] == "price"
    assert (tab.types["price"], tab.start["price"]) == ("column", 28)
    assert tab("%%sql --as |")[:2] == ["pandas", "polars"]
    assert tab("%%mdsql --limit |") == []
    assert tab("%%mdsql\nSELECT 'pri|") == []
    assert "prices" in tab("x = 1\npric|")
    assert "%mdsql" in tab("%mds|")
    ipython.run_line_magic("unload_ext", "md_magic")
    assert "price" not in tab("%%mdsql --limit 3\nSELECT pri| FROM prices")


def test_a_temporary_table_does_not_freeze_what_is_known_of_a_connection_of_the_user(shell, tab):
    shell.cell("import duckdb; con = duckdb.connect(); con.execute('CREATE TEMP TABLE mine (i INT)')")
    shell.cell("%mdsql --engine con")
    tab("%%mdsql\nFROM |")
    shell.sql("CREATE TABLE later (j INT)")
    assert "later" in tab.until("%%mdsql\nFROM lat|", "later")
    shell.cell("%mdsql --close-all")  # DuckDB crashes where a connection is closed while another thread reads beside it
    shell.variables["con"].close()


def test_nobodys_profile_or_log_holds_a_query_of_ours(shell, tab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tab("%%mdsql\nSELECT |")
    shell.sql("CREATE TABLE t (i INT); SET log_query_path = 'log.txt'")
    for _ in range(5):
        tab("%%mdsql\nSELECT | FROM t")
        time.sleep(0.1)
    shell.sql("SET log_query_path = ''")
    assert (tmp_path / "log.txt").read_text().splitlines() == ["SET log_query_path = ''"]
    assert "i" in tab.until("%%mdsql\nSELECT | FROM t", "i")


def test_a_tab_does_not_fix_what_a_transaction_sees(shell, tab):
    shell.cell("import duckdb, os; other = duckdb.connect('shared.duckdb')")
    shell.sql("CREATE TABLE t (i INT)", "duckdb:///shared.duckdb")
    tab.until("%%mdsql\nSELECT | FROM t", "i")
    shell.sql("BEGIN")
    tab("%%mdsql\nSELECT | FROM t")
    shell.variables["other"].execute("INSERT INTO t VALUES (1)")
    assert len(shell.sql("FROM t").value) == 1
    shell.sql("ROLLBACK")
    shell.variables["other"].close()


def test_a_connection_that_the_user_has_closed_breaks_no_tab(shell, tab):
    shell.cell("import duckdb; con = duckdb.connect()")
    shell.cell("%mdsql --engine con")
    shell.variables["con"].close()
    assert "SELECT" in tab("%%mdsql\nSEL|")
    assert "count" in tab("%%mdsql\nSELECT cou|")

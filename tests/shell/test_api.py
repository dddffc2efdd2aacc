"""`md_magic.sql` and `md_magic.engine` in IPython: the session of the cells."""

from __future__ import annotations

import pandas as pd
import pytest
from sqlalchemy import text

import md_magic
from md_magic.errors import ConnectError, QueryTimeout, SignInRequired


def test_sql_sees_the_connection_of_the_cells(shell):
    shell.sql("CREATE TEMP TABLE mine AS SELECT 3 AS a; SET VARIABLE v = 4")
    ran = shell.cell("import md_magic\nmd_magic.sql('SELECT a, getvariable(:n) AS v FROM mine', n='v')")
    assert ran.value.to_dict("records") == [{"a": 3, "v": 4}]
    assert ran.displayed == []


def test_sql_in_a_function_takes_neither_its_variables_nor_the_notebooks(shell):
    shell.cell("import md_magic, pandas as pd\nx = 1\ndf = pd.DataFrame({'a': [1]})")
    shell.cell("def ask(query, **given):\n    x, df = 2, None\n    return md_magic.sql(query, **given)")
    assert "The parameter :x has no value" in shell.cell("ask('SELECT :x')", error=True).message
    assert "Table with name df does not exist" in shell.cell("ask('FROM df')", error=True).message
    assert shell.cell("ask('SELECT a + :x AS a FROM df', x=5, df=df).a[0]").value == 6


def test_the_transaction_of_a_cell_is_sqls_and_not_the_engines(shell):
    shell.sql("CREATE TABLE t (a INTEGER)")
    shell.sql("BEGIN; INSERT INTO t VALUES (1)")
    engine = md_magic.engine()
    assert md_magic.sql("SELECT count(*) AS n FROM t")["n"].tolist() == [1]
    assert pd.read_sql("SELECT count(*) AS n FROM t", engine)["n"].tolist() == [0]
    pd.DataFrame({"b": [1]}).to_sql("u", engine, index=False)
    shell.sql("ROLLBACK")
    assert md_magic.sql("SELECT (SELECT count(*) FROM t) AS t, (SELECT count(*) FROM u) AS u", as_="dict") == {
        "t": [0],
        "u": [1],
    }


def test_naming_a_target_does_not_change_the_current_one_of_the_cells(shell):
    shell.sql("CREATE TABLE here AS SELECT 1 AS a")
    assert md_magic.sql("SELECT 2 AS b", target="sqlite:///x.db")["b"].tolist() == [2]
    assert md_magic.engine("duckdb:///file.duckdb").url.database.endswith("file.duckdb")
    assert shell.sql("FROM here").value["a"].tolist() == [1]
    assert set(shell.cell("%mdsql --connections").value["state"]) == {"open"}
    assert len(shell.cell("%mdsql --connections").value) == 3


def test_the_current_target_is_taken_and_an_alias_can_be_named(shell):
    shell.sql("CREATE TABLE t AS SELECT 7 AS a", "duckdb:///file.duckdb --alias mine")
    shell.sql("SELECT 1", "duckdb:///:memory:")
    assert md_magic.sql("FROM t", target="@mine")["a"].tolist() == [7]
    assert pd.read_sql("FROM t", md_magic.engine("@mine"))["a"].tolist() == [7]
    shell.sql("SELECT 1", "@mine")
    assert md_magic.engine() is md_magic.engine("@mine")
    shell.magics.targets = {"other": "sqlite:///other.db"}
    assert md_magic.engine("@other").dialect.name == "sqlite"


def test_without_anything_open_the_default_target_is_opened(shell):
    shell.magics.default_target = "duckdb:///default.duckdb"
    assert md_magic.engine().url.database.endswith("default.duckdb")
    assert shell.magics.session.current.name.endswith("default.duckdb")


def test_closing_in_a_cell_makes_the_engine_say_so_and_a_cell_opens_it_again(shell):
    shell.sql("CREATE TABLE t AS SELECT 1 AS a", "duckdb:///file.duckdb")
    engine = md_magic.engine()
    assert pd.read_sql("FROM t", engine)["a"].tolist() == [1]
    shell.cell("%mdsql --close")
    with pytest.raises(ConnectError, match=r"file\.duckdb was closed, and this engine with it\. To go on, run `%mdsql"):
        pd.read_sql("FROM t", engine)
    shell.cell("%mdsql duckdb:///file.duckdb")
    assert pd.read_sql("FROM t", engine)["a"].tolist() == [1]
    shell.cell("%mdsql --close-all")
    with pytest.raises(ConnectError, match="was closed"):
        engine.connect()


def test_the_error_of_a_closed_target_is_one_message_in_a_cell(shell):
    shell.cell("import md_magic\ne = md_magic.engine()\n%mdsql --close")
    error = shell.cell("e.connect()", error=True).error
    assert error._render_traceback_() == [str(error)]


def test_an_engine_of_the_users_own_is_given_as_it_is(shell):
    shell.cell("import sqlalchemy\nown = sqlalchemy.create_engine('sqlite:///own.db')\n%mdsql --engine own")
    assert md_magic.engine() is shell.variables["own"]
    shell.cell("%mdsql --close")
    with shell.variables["own"].connect() as connection:  # it is the user's, and stays open
        assert connection.execute(text("SELECT 1")).scalar() == 1
    shell.variables["own"].dispose()


def test_the_extension_is_loaded_by_the_first_call(ip):
    assert "MdsqlMagics" not in ip.magics_manager.registry
    md_magic.sql("CREATE TEMP TABLE t AS SELECT 1 AS a")
    assert ip.run_line_magic("mdsql", "--quiet FROM t")["a"].tolist() == [1]
    assert ip.extension_manager.load_extension("md_magic") == "already loaded"


def test_the_setting_timeout_holds_for_sql(shell):
    shell.magics.timeout = 0.3
    with pytest.raises(QueryTimeout, match=r"the setting MdsqlMagics\.timeout"):
        md_magic.sql("SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)")
    assert md_magic.sql("SELECT 1 AS a")["a"].tolist() == [1]


def test_the_setting_format_does_not_change_what_a_function_gets(shell):
    shell.magics.format = "dict"
    assert isinstance(md_magic.sql("SELECT 1 AS a"), pd.DataFrame)


def test_a_batch_run_is_told_the_ways(shell):
    with pytest.raises(SignInRequired, match="Nobody can sign in here"):
        md_magic.engine("md:my_db")
    assert shell.magics.session.current is None


def test_a_saved_query_can_be_named(shell):
    shell.sql("SELECT 8 AS a", "--save eight")
    assert md_magic.sql("FROM eight")["a"].tolist() == [8]


@pytest.mark.parametrize(
    "call",
    [
        "md_magic.engine('md:?motherduck_token=XYZZYtoken&bad=1')",
        "md_magic.engine('nowhere://ann:XYZZYtoken@localhost/db')",
        "md_magic.sql('SELECT :missing', target='sqlite:///:memory:?password=XYZZYtoken')",
        "md_magic.sql(\"CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET 'XYZZYtoken', BAD 1)\")",
    ],
)
def test_the_history_forgets_a_secret_in_a_call_that_fails(shell, call):
    source = f"import md_magic\n{call}"
    shell.variables["_i1"] = source
    shell.ip.history_manager.input_hist_raw.append(source)
    shell.cell(source, error=True)
    assert "XYZZYtoken" not in shell.variables["_i1"]
    assert "XYZZYtoken" not in repr(shell.ip.history_manager.input_hist_raw)

"""The same cells on real servers: values, names, saved queries, errors without the data, what another connection sees."""

from __future__ import annotations

import pandas as pd
import pytest
import sqlalchemy

from md_magic.errors import MdMagicError
from tests.shell.conftest import Shell


def test_a_select_gives_a_frame(cells):
    assert cells.sql("SELECT 1 AS a, 'x' AS b").value.to_dict("list") == {"a": [1], "b": ["x"]}


def test_a_parameter_is_bound(cells):
    cells.variables["name"] = "it's; -- x"
    assert cells.sql("SELECT :name AS n").value["n"][0] == "it's; -- x"


def test_a_list_expands(cells):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql("INSERT INTO t VALUES (1), (2), (3)")
    cells.variables["ids"] = [1, 3]
    assert cells.sql("SELECT a FROM t WHERE a IN :ids ORDER BY a").value["a"].tolist() == [1, 3]


def test_what_is_made_in_one_cell_is_there_in_the_next(cells):
    cells.sql("CREATE TEMPORARY TABLE mine (a INTEGER)")
    cells.sql("INSERT INTO mine VALUES (42)")
    assert cells.sql("SELECT a FROM mine").value["a"].tolist() == [42]


def test_a_transaction_lasts_over_cells(cells):
    cells.sql("CREATE TABLE t (a INTEGER)")
    cells.sql("BEGIN")
    cells.sql("INSERT INTO t VALUES (1)")
    cells.sql("ROLLBACK")
    assert cells.sql("SELECT count(*) AS n FROM t").value["n"][0] == 0


def test_saved_queries_are_quoted_as_the_database_reads_them(cells):
    cells.sql("SELECT 7 AS b", "--save q")
    assert cells.sql("SELECT b + 1 AS c FROM q").value["c"].tolist() == [8]


def test_a_cte_of_the_same_name_inside_another_is_not_the_saved_query(cells, database):
    cells.sql("SELECT 7 AS b", "--save t")
    sql = "WITH x AS (WITH t AS (SELECT 1 AS a) SELECT * FROM t) SELECT x.a, t.b FROM x, t"
    if database.startswith("mysql"):  # MariaDB itself takes the inner name for the outer one: 7, where 1 is meant
        assert "t is a saved query" in cells.sql(sql, error=True).message
        return
    assert cells.sql(sql).value.to_dict("list") == {"a": [1], "b": [7]}


def test_the_catalogue_lists_tables_and_columns(cells):
    cells.sql("CREATE TABLE ducks (id INTEGER NOT NULL, name VARCHAR(20))")
    assert "ducks" in cells.cell("%mdsql --tables").value["name"].tolist()
    assert cells.cell("%mdsql --describe ducks").value["column"].tolist() == ["id", "name"]


def test_a_frame_is_written_and_read_back(cells):
    cells.variables["df"] = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert "2 rows written" in cells.cell("%mdsql --to t --frame df").printed
    assert cells.sql("SELECT a, b FROM t ORDER BY a").value["a"].tolist() == [1, 2]


def test_an_error_is_one_message_without_the_data(cells):
    cells.sql("CREATE TABLE uq (a INTEGER PRIMARY KEY, b VARCHAR(40) NOT NULL)")
    cells.variables["df"] = pd.DataFrame({"a": [1, 2], "b": ["not to be shown", None]})
    failed = cells.cell("%mdsql --to uq --frame df --append", error=True)
    assert isinstance(failed.error, MdMagicError)
    text = "\n".join([failed.message, *getattr(failed.error, "__notes__", [])])
    assert "b" in text
    assert "not to be shown" not in text
    assert "[parameters" not in text
    assert "[SQL" not in text


def test_an_unbindable_value_names_its_parameter(cells):
    cells.variables["d"] = object()
    failed = cells.sql("SELECT :d AS x", error=True)
    assert isinstance(failed.error, MdMagicError)
    assert ":d" in failed.message


def test_a_failing_statement_is_followed_by_a_good_one(cells):
    assert isinstance(cells.sql("SELECT nothere FROM nowhere", error=True).error, MdMagicError)
    assert cells.sql("SELECT 1 AS a").value["a"].tolist() == [1]


@pytest.mark.parametrize("word", ["user", "index", "values", "rank", "groups", "Mixed Case", 'q"u`o'])
def test_a_name_is_offered_as_the_database_reads_it(cells, word):
    session = cells.magics.session
    quoting = session.use().backend.syntax.quoting
    cells.sql(f"CREATE TABLE {quoting.identifier(word)} (a INTEGER)")
    assert cells.sql(f"SELECT count(*) AS n FROM {quoting.where_needed(word)}").value["n"][0] == 0


def test_no_error_shows_the_password(cells):
    for sql in ("SELECT FROM WHERE", "SELECT * FROM nowhere", "SELECT 1/"):
        failed = cells.sql(sql, error=True)
        assert "p@ss" not in failed.message
        assert "p%40ss" not in failed.message


@pytest.mark.parametrize("text", ["it's", "\\' OR 1=1 -- ", "\\", '"', "a\\'b"])
def test_jinja_quotes_for_the_database(cells, text):
    cells.variables["text"] = text
    frame = cells.sql("SELECT {{ text | literal }} AS {{ 'a b' | identifier }}", "--jinja").value
    assert frame["a b"].tolist() == [text]


def test_a_typed_explain_of_postgresql_is_shown_line_by_line(ip, postgresql_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 10) AS g(i)", postgresql_uri)
    ran = shell.sql("EXPLAIN SELECT i FROM t WHERE i > 3 ORDER BY i")
    text = ip.display_formatter.format(ran.value)[0]["text/plain"]
    assert text.startswith("\n".join(ran.value["QUERY PLAN"]))
    assert text.endswith("Write --explain above the statement, without its EXPLAIN, and this plan is drawn as a tree.")


def test_a_variable_with_a_uri_connects_and_is_never_shown(ip, postgresql_uri, monkeypatch):
    uri = sqlalchemy.make_url(postgresql_uri)
    monkeypatch.setenv("PG_PASSWORD", uri.password)
    monkeypatch.setenv("PG_HOST", f"{uri.host}:{uri.port}")
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.variables["PG"] = postgresql_uri
    part = f"{uri.drivername}://{uri.username}:${{PG_PASSWORD}}@${{PG_HOST}}/{uri.database}"
    for word in ("$PG", part):
        assert shell.cell(f"%mdsql {word} SELECT 42 AS a").value["a"].tolist() == [42]
        shown = shell.cell("%mdsql --connections").value.to_string()
        assert uri.password not in shown
        assert "127.0.0.1" not in shown
    assert len(shell.cell("%mdsql --connections").value) == 1  # one place, however it was written
    monkeypatch.setenv("PG_HOST", "127.0.0.1:1")
    failed = shell.cell(f"%mdsql {part}", error=True)
    assert "127.0.0.1" not in "\n".join(failed.error._render_traceback_())


def test_the_history_has_no_password_of_an_open_target(ip, postgresql_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.sql("SELECT 'p@ss:w/rd%1#?' AS p", postgresql_uri)
    kept = shell.cell("%mdsql --history").value
    assert kept["sql"].tolist() == ["SELECT '***' AS p"]
    assert "p@ss" not in str(kept["where"][0])


def test_what_a_job_sets_ends_with_it_on_an_engine_with_a_pool_too(ip, postgresql_uri):
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.sql("CREATE SCHEMA elsewhere", postgresql_uri)
    engine = shell.variables["pooled"] = sqlalchemy.create_engine(postgresql_uri)
    shell.sql("SELECT 1", "--engine pooled")
    shown = [
        shell.cell(f"j = %mdsql --background {sql} select current_schema() as s\nj.result()").value.s.tolist()
        for sql in ("set search_path to elsewhere;", "")
    ]
    assert shown == [["elsewhere"], ["public"]]
    shell.variables["df"] = pd.DataFrame({"a": [1]})
    shell.cell("%mdsql --to written --frame df")
    assert shell.sql("SELECT a FROM public.written").value.a.tolist() == [1]
    shell.cell("%mdsql --close-all")
    engine.dispose()


@pytest.mark.parametrize("form", ["pandas", "polars", "arrow", "reader", "dict"])
def test_names_that_differ_in_case_are_two_names(cells, form):
    quoted = cells.magics.session.use().backend.syntax.quoting.identifier("A")
    value = cells.sql(f"SELECT 1 AS a, 2 AS {quoted}, 3 AS a", f"--as {form}").value
    names = value.schema.names if form in {"arrow", "reader"} else list(value)
    names = value.columns if form == "polars" else names
    assert list(names) == ["a", "A", "a_1"]
    assert "1 row" in repr(cells.sql(f"SELECT 1 AS a, 2 AS {quoted}", "--grid").value)


@pytest.mark.parametrize(
    ("sql", "refused"),
    [
        ("SELECT * FROM mine", True),
        ("SELECT 1 AS a; SELECT max(m.a) AS a FROM {other} o JOIN Mine AS m ON true", True),
        ("INSERT INTO mine VALUES (3)", True),
        ("UPDATE mine SET a = 5", True),
        ("DELETE FROM mine", True),
        ("DROP TABLE mine", True),
        ("WITH mine AS (SELECT 7 AS a) SELECT a FROM mine", False),
        ("SELECT a AS mine FROM {schema}.mine", False),
        ("INSERT INTO other VALUES ('mine') -- mine", False),
    ],
)
def test_a_background_query_never_reads_a_permanent_table_for_a_temporary_one(cells, database, sql, refused):
    schema = {"postgresql": "public", "mysql": "lab"}.get(database.partition("+")[0], "main")
    hides = schema != "lab"  # a temporary table of MySQL hides the permanent one from every name
    cells.sql("CREATE TABLE other (a VARCHAR(9)); CREATE TABLE mine (a INTEGER); INSERT INTO mine VALUES (1)")
    cells.sql("CREATE TEMPORARY TABLE mine (a INTEGER)")
    ran = cells.sql(sql.format(schema=schema, other="other"), "--background", error=refused)
    if refused:
        assert "The temporary table mine is this session's own" in ran.message
        assert cells.cell("%mdsql --jobs").value.empty
    else:
        ran.value.result(10)
    assert cells.sql("SELECT count(*) AS n FROM mine").value["n"].tolist() == [0] or not hides


def test_a_background_query_reads_the_schema_that_the_notebook_has_chosen(cells, database):
    if database.startswith("sqlite"):
        pytest.skip("SQLite has no current schema")
    cells.sql("DROP SCHEMA IF EXISTS elsewhere" + " CASCADE" * ("postgresql" in database))
    cells.sql("CREATE TABLE t (a INTEGER); CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (a INTEGER)")
    cells.sql("INSERT INTO elsewhere.t VALUES (7)")
    cells.sql("USE elsewhere" if "mysql" in database else "SET search_path = elsewhere, public")
    assert cells.sql("SELECT a FROM t", "--background").value.result(10)["a"].tolist() == [7]
    cells.sql("USE lab; DROP SCHEMA elsewhere" if "mysql" in database else "DROP SCHEMA elsewhere CASCADE")

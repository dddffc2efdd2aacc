"""One DuckDB file, open at once by md_magic and by other Python code of the kernel."""

from __future__ import annotations

import gc
import itertools
import warnings

import duckdb
import pandas as pd
import pytest
import sqlalchemy

from tests.extras import needs

OTHERS = ("create_engine", "read_sql", "jupysql", "connect")


class Kernel:
    """A shell with the openers of a file; what they open stays open, as a variable of a notebook does."""

    def __init__(self, shell, file):
        self.shell = shell
        self.file = file
        self.url = f"duckdb:///{file}"
        self.open = []

    def md_magic(self):
        return self.shell.sql("SELECT a FROM t", self.url).value["a"].tolist()

    def connect(self):
        self.open.append(duckdb.connect(self.file))
        return [row[0] for row in self.open[-1].execute("SELECT a FROM t").fetchall()]

    def create_engine(self):
        self.open.append(sqlalchemy.create_engine(self.url).connect())
        return list(self.open[-1].execute(sqlalchemy.text("SELECT a FROM t")).scalars())

    def read_sql(self):
        self.open.append(sqlalchemy.create_engine(self.url))
        return pd.read_sql("SELECT a FROM t", self.open[-1])["a"].tolist()

    def jupysql(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of JupySQL's own
            self.shell.ip.run_line_magic("load_ext", "sql")
            self.shell.ip.run_line_magic("sql", self.url)
            rows = self.shell.ip.run_line_magic("sql", "SELECT a FROM t")
        self.open.append(rows)
        return [row[0] for row in rows]

    def close(self):
        if "sql" in self.shell.ip.extension_manager.loaded:
            from sql.connection import ConnectionManager

            ConnectionManager.close_all()
        for opened in self.open:
            if isinstance(opened, sqlalchemy.Connection):
                opened.close()
                opened.engine.dispose()
            elif isinstance(opened, sqlalchemy.Engine):
                opened.dispose()
            elif isinstance(opened, duckdb.DuckDBPyConnection):
                opened.close()
        self.open.clear()
        gc.collect()


@pytest.fixture
def kernel(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("PLOOMBER_STATS_ENABLED", "false")
    monkeypatch.setenv("HOME", str(tmp_path))
    file = str(tmp_path / "a.duckdb")
    with duckdb.connect(file) as made:
        made.execute("CREATE TABLE t AS SELECT 42 AS a")
    kernel = Kernel(shell, file)
    yield kernel
    kernel.close()


@pytest.mark.parametrize(
    "order",
    [(*order, "read_sql") for order in itertools.permutations(["create_engine", "jupysql", "connect"])],
    ids=" ".join,
)
def test_whoever_comes_after_md_magic_gets_in(kernel, order):
    needs("sql")
    assert kernel.md_magic() == [42]
    assert {name: getattr(kernel, name)() for name in order} == {name: [42] for name in OTHERS}
    assert kernel.md_magic() == [42]


@pytest.mark.parametrize("first", OTHERS)
def test_md_magic_gets_in_after_whoever_came_first(kernel, first):
    needs("sql")
    assert getattr(kernel, first)() == [42]
    assert kernel.md_magic() == [42]
    assert getattr(kernel, first)() == [42]


@pytest.mark.parametrize("first", ["create_engine", "connect"])
def test_what_one_commits_the_other_sees(kernel, first):
    getattr(kernel, first)()
    kernel.shell.sql("INSERT INTO t VALUES (43)", kernel.url)
    assert getattr(kernel, first)() == [42, 43]
    with sqlalchemy.create_engine("duckdb:///:memory:").connect() as elsewhere:  # not drawn into the file
        assert elsewhere.execute(sqlalchemy.text("SELECT current_database()")).scalar() == "memory"


def test_an_engine_gets_in_with_its_extensions(kernel):
    kernel.md_magic()
    engine = sqlalchemy.create_engine(kernel.url, connect_args={"preload_extensions": ["json", "icu"]})
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT a FROM t")).scalar() == 42
    engine.dispose()


def test_a_relative_path_is_the_same_file(kernel, monkeypatch, tmp_path):
    kernel.md_magic()
    monkeypatch.chdir(tmp_path)
    with sqlalchemy.create_engine("duckdb:///a.duckdb").connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT a FROM t")).scalar() == 42
        connection.engine.dispose()


class TestWhereDuckDBRefuses:
    def test_an_engine_with_other_settings_is_told_of_ours(self, kernel):
        kernel.md_magic()
        engine = sqlalchemy.create_engine(kernel.url, connect_args={"config": {"threads": 1}})
        with pytest.raises(sqlalchemy.exc.DBAPIError, match=r"different configuration[^`]*\n.*`md_magic\.engine\(\)`"):
            engine.connect()

    @pytest.mark.parametrize("settings", [{"read_only": True}, {"config": {"threads": 1}}], ids=str)
    def test_the_message_says_what_works(self, kernel, settings):
        kernel.open.append(duckdb.connect(kernel.file, **settings))
        refused = kernel.shell.sql("SELECT a FROM t", kernel.url, error=True)
        assert "different configuration" in refused.message
        assert "`--engine NAME` runs on the connection or engine" in "".join(refused.error.__notes__)
        kernel.shell.variables["mine"] = kernel.open[-1]
        assert kernel.shell.sql("SELECT a FROM t", "--engine mine").value["a"].tolist() == [42]

    @pytest.mark.parametrize("settings", [{"read_only": True}, {"config": {"access_mode": "READ_ONLY"}}], ids=str)
    def test_what_is_read_only_there_can_be_read_only_here(self, kernel, settings):
        kernel.open.append(duckdb.connect(kernel.file, **settings))
        assert kernel.shell.sql("SELECT a FROM t", f"{kernel.url}?access_mode=read_only").value["a"].tolist() == [42]

    def test_an_attached_file_names_the_variable_too(self, kernel):
        kernel.open.append(duckdb.connect())
        kernel.open[-1].execute(f"ATTACH '{kernel.file}' AS other")
        refused = kernel.shell.sql("SELECT a FROM t", kernel.url, error=True)
        assert "already attached" in refused.message
        assert "`--engine NAME`" in "".join(refused.error.__notes__)

    def test_a_file_that_is_open_cannot_be_attached_and_the_target_is_named(self, kernel):
        kernel.create_engine()
        refused = kernel.shell.sql(f"ATTACH '{kernel.file}' AS other", error=True)
        assert "Unique file handle conflict" in refused.message
        assert "`%%mdsql duckdb:///PATH`" in "".join(refused.error.__notes__)


def test_after_closing_nothing_of_ours_is_in_sqlalchemy(kernel):
    engine = sqlalchemy.create_engine(kernel.url)
    listeners = engine.dialect.dispatch.do_connect
    kernel.md_magic()
    assert len(listeners) == 1
    kernel.shell.cell("%mdsql --close-all")
    assert len(listeners) == 0
    assert kernel.create_engine() == [42]


class TestAResultOfJupySQL:
    @pytest.fixture
    def rows(self, kernel):
        needs("sql")
        kernel.jupysql()
        kernel.shell.ip.run_cell("rows = %sql SELECT range AS n, 'x' || range AS name, 1 AS n FROM range(5)")
        return kernel.shell

    def test_is_a_table(self, rows):
        assert rows.sql("SELECT sum(n) AS s, max(name) AS m, sum(n_1) AS o FROM rows").value.iloc[0].tolist() == [
            10,
            "x4",
            5,
        ]

    def test_is_a_table_for_a_profile_a_job_and_a_write(self, rows):
        assert rows.cell("%mdsql --profile rows").value.rows == 5
        assert rows.sql("SELECT count(*) AS c FROM rows", "--background -o job").value is None
        assert rows.cell("job.result()").value["c"].tolist() == [5]
        rows.cell("%mdsql --to written --frame rows")
        assert rows.sql("SELECT count(*) AS c FROM written").value["c"].tolist() == [5]

    def test_is_a_table_on_its_own_connection(self, kernel):
        needs("sql")
        kernel.jupysql()
        kernel.shell.variables["own"] = duckdb.connect()
        kernel.shell.ip.run_cell("%sql own")
        kernel.shell.ip.run_cell("rows = %sql SELECT range AS n FROM range(5)")
        assert kernel.shell.sql("SELECT sum(n) AS s FROM rows", "--engine own").value["s"].tolist() == [10]

    def test_of_another_database_is_a_table(self, kernel):
        needs("sql")
        kernel.jupysql()
        kernel.shell.ip.run_cell("%sql sqlite://")
        kernel.shell.ip.run_cell("rows = %sql SELECT 1 AS a, 'x' AS b UNION SELECT 2, NULL")
        assert kernel.shell.sql("SELECT b FROM rows ORDER BY a").value["b"].fillna("").tolist() == ["x", ""]

    def test_is_no_parameter(self, rows):
        assert "name it without the colon, as in FROM rows" in rows.sql("SELECT :rows", error=True).message

    def test_is_not_fetched_by_a_cell_that_does_not_name_it(self, rows):
        result = rows.variables["rows"]
        result._statement = "not SQL"  # which fetching it would run
        assert rows.sql("SELECT 1 AS one").value["one"].tolist() == [1]

    def test_that_has_become_invalid_is_one_message(self, rows):
        rows.variables["rows"]._statement = "SELECT gone FROM nowhere"
        assert "nowhere" in rows.sql("FROM rows", error=True).message

"""`md_magic.sql` and `md_magic.engine` in a process without IPython."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sqlalchemy import text

import md_magic
from md_magic import api
from md_magic.engine.pool import EnginePool
from md_magic.errors import (
    ConnectError,
    MdMagicError,
    OptionError,
    ParameterError,
    SignInRequired,
    StatementError,
    TargetError,
)
from md_magic.sql.target import read

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _own_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process of its own, as far as the session goes: IPython is there in other tests."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    api._session_of_process.cache_clear()
    yield
    api._session_of_process().close_all()
    api._session_of_process.cache_clear()


def python(program: str, *, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], stdin=stdin, capture_output=True, text=True, timeout=300, check=False
    )


def fails(query: str, **given: Any) -> MdMagicError:
    with pytest.raises(MdMagicError) as caught:
        md_magic.sql(query, **given)
    return caught.value


# ---- sql -------------------------------------------------------------------------------------------------------------


def test_it_gives_a_frame_with_parameters_by_keyword() -> None:
    frame = md_magic.sql("SELECT i FROM range(10) t(i) WHERE i > :low AND i IN :ids", low=2, ids=[1, 3, 5])
    assert isinstance(frame, pd.DataFrame)
    assert frame["i"].tolist() == [3, 5]


@pytest.mark.parametrize("table", [pd.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 2]}), pa.table({"a": [1, 2]})])
def test_tables_are_named_by_keyword(table: Any) -> None:
    assert md_magic.sql("SELECT sum(a) AS s FROM rows WHERE a < :x", rows=table, x=9)["s"].tolist() == [3]


def test_the_callers_variables_are_never_looked_at() -> None:
    hidden, x = pd.DataFrame({"a": [1]}), 1
    assert isinstance(fails("FROM hidden"), StatementError)
    error = fails("SELECT :x", y=1)
    assert isinstance(error, ParameterError)
    assert str(error).startswith("The parameter :x has no value. Give it by its name: sql(..., x=...).")
    assert (len(hidden), x) == (1, 1)


def test_a_name_that_is_nearly_given_is_proposed() -> None:
    assert "Did you mean" in str(fails("SELECT :limt", limit=1))


@pytest.mark.parametrize("name", ["target", "as_"])
def test_a_parameter_with_the_name_of_an_argument_is_explained(name: str) -> None:
    assert str(fails(f"SELECT :{name}")).startswith(
        f"The parameter :{name} cannot be given, for sql() has an argument of that name"
    )


def test_several_statements_give_the_last_value_and_none_where_it_has_no_rows() -> None:
    assert md_magic.sql("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2)") is None
    assert md_magic.sql("INSERT INTO t VALUES (3); SELECT count(*) AS n FROM t")["n"].tolist() == [3]
    assert md_magic.sql("") is None


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("pandas", pd.DataFrame),
        ("polars", pl.DataFrame),
        ("arrow", pa.Table),
        ("reader", pa.RecordBatchReader),
        ("dict", dict),
    ],
)
def test_other_forms(form: Any, kind: type) -> None:
    value = md_magic.sql("SELECT 1 AS a", as_=form)
    assert isinstance(value, kind)


def test_one_session_lasts_over_calls_and_threads() -> None:
    md_magic.sql("CREATE TEMP TABLE mine AS SELECT 1 AS a; SET VARIABLE v = 7")
    values: list[Any] = []
    thread = threading.Thread(
        target=lambda: values.append(md_magic.sql("SELECT a, getvariable('v') AS v FROM mine", as_="dict"))
    )
    thread.start()
    thread.join(30)
    assert values == [{"a": [1], "v": [7]}]


def test_many_threads_at_once_each_get_their_own_result() -> None:
    values: dict[int, Any] = {}

    def ask(at: int) -> None:
        target = "sqlite:///other.db" if at % 2 else None
        values[at] = [md_magic.sql("SELECT :at AS a", at=at, target=target, as_="dict")["a"] for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert values == {at: [[at]] * 5 for at in range(8)}


def test_naming_a_target_does_not_change_where_the_next_query_runs() -> None:
    md_magic.sql("CREATE TABLE here AS SELECT 1 AS a")
    assert md_magic.sql("SELECT sqlite_version() AS v", target="sqlite:///x.db", as_="dict")["v"][0].startswith("3.")
    assert md_magic.engine("sqlite:///x.db").dialect.name == "sqlite"
    assert md_magic.sql("FROM here")["a"].tolist() == [1]
    assert md_magic.engine().dialect.name == "duckdb"


def test_naming_a_target_first_leaves_none_current() -> None:
    md_magic.sql("CREATE TABLE t (a INTEGER)", target="duckdb:///file.duckdb")
    assert api._session_of_process().current is None
    assert isinstance(fails("FROM t"), StatementError)


def test_errors_are_ours_and_the_drivers_is_the_cause() -> None:
    error = fails("SELECT 1;\nSELEC 2")
    assert isinstance(error, StatementError)
    assert isinstance(error.__cause__, duckdb.ParserException)
    assert isinstance(fails("SELECT 1", target="duckdb:////nowhere/x.duckdb"), ConnectError)
    assert isinstance(fails("SELECT 1", target="@nobody"), TargetError)
    assert isinstance(fails("SELECT 1", target="no target"), TargetError)


def test_an_error_does_not_keep_frames_alive() -> None:
    error = fails("SELECT nope FROM rows", rows=pd.DataFrame({"a": [1]}))
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None


@pytest.mark.parametrize("query", [1, None, text("SELECT 1")])
def test_what_is_no_text_is_refused(query: Any) -> None:
    with pytest.raises(OptionError, match=r"^sql\(\) takes SQL as text, and got "):
        md_magic.sql(query)


def test_an_unknown_form_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        OptionError, match=r"^as_='frame': the forms of a result are pandas, polars, arrow, reader, dict\.$"
    ):
        md_magic.sql("SELECT 1", as_="frame")  # type: ignore[arg-type]


# ---- engine ----------------------------------------------------------------------------------------------------------


def test_the_engine_and_sql_are_on_one_database() -> None:
    md_magic.sql("CREATE TABLE t AS SELECT 1 AS a")
    assert pd.read_sql("FROM t", md_magic.engine())["a"].tolist() == [1]
    pd.DataFrame({"b": [2]}).to_sql("u", md_magic.engine(), index=False)
    assert md_magic.sql("FROM u")["b"].tolist() == [2]
    assert md_magic.engine() is md_magic.engine("duckdb:///:memory:")


def test_a_sqlite_file_has_the_plain_engine_of_its_url_with_transactions() -> None:
    engine = md_magic.engine("sqlite:///x.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    assert md_magic.sql("SELECT count(*) AS n FROM t", target="sqlite:///x.db")["n"].tolist() == [0]
    assert engine is md_magic.engine("sqlite:///x.db")


def test_a_closed_sqlite_target_says_so() -> None:
    engine = md_magic.engine("sqlite:///x.db")
    assert pd.read_sql("SELECT 1 AS a", engine)["a"].tolist() == [1]
    session = api._session_of_process()
    assert session.close(session.resolve("sqlite:///x.db"))
    with pytest.raises(ConnectError, match=r"x\.db was closed, and this engine with it"):
        engine.connect()
    md_magic.engine("sqlite:///x.db")
    assert pd.read_sql("SELECT 1 AS a", engine)["a"].tolist() == [1]


def test_sqlite_in_memory_says_why_it_has_none_and_shared_memory_has_one() -> None:
    with pytest.raises(TargetError, match="SQLite shows it to one connection only"):
        md_magic.engine("sqlite://")
    shared = "sqlite:///file:data?mode=memory&cache=shared&uri=true"
    md_magic.sql("CREATE TABLE t (a INTEGER)", target=shared)
    md_magic.sql("INSERT INTO t VALUES (4)", target=shared)
    assert pd.read_sql("SELECT a FROM t", md_magic.engine(shared))["a"].tolist() == [4]
    md_magic.engine(shared).dispose()


def test_a_password_is_in_no_text_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[Any] = []
    pool, target = EnginePool(), read("postgresql+psycopg://ann:Hunter2Hunter2@localhost:1/db")
    engine = pool.plain_engine(target)
    shown = [repr(engine), str(engine.url), engine.url.render_as_string(hide_password=False), repr(engine.pool)]
    assert not [each for each in shown if "Hunter2" in each]
    with pytest.raises(ConnectError, match="was closed, and this engine with it") as caught:
        engine.connect()
    assert "Hunter2" not in str(caught.value)
    pool._databases[target] = FakeOpen(target)  # type: ignore[assignment] # there is no server to connect to
    monkeypatch.setattr(engine.dialect, "connect", lambda *_args, **parameters: arrived.append(parameters) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.connect()
    assert arrived[0]["password"] == "Hunter2Hunter2"  # noqa: S105 - made up


class FakeOpen:
    """A PostgreSQL that is open, as far as the pool can tell."""

    is_closed = False

    def __init__(self, target: Any) -> None:
        self.target, self.backend = target, self

    def close(self) -> None:
        """Do nothing."""


# ---- MotherDuck where nobody can answer ------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [md_magic.engine, lambda target: md_magic.sql("SELECT 1", target=target)])
def test_a_batch_is_told_the_ways_to_give_a_token(call: Any) -> None:
    with pytest.raises(
        SignInRequired, match=r"Nobody can sign in here.*Give a token: set the environment variable motherduck_token"
    ):
        call("md:my_db")


# ---- a process of its own --------------------------------------------------------------------------------------------


def test_importing_and_naming_the_functions_imports_nothing_heavy() -> None:
    program = (
        "import sys, md_magic, md_magic.api; f = md_magic.sql, md_magic.engine, md_magic.api.sql; assert all(map(callable, f));"
        "heavy = {'pandas', 'sqlalchemy', 'duckdb', 'ipywidgets', 'pyarrow', 'IPython', 'anywidget'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = python(program)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_the_packages_of_the_same_names_stay_packages() -> None:
    program = (
        "import md_magic.sql.target as target, md_magic.engine.pool as pool, md_magic\n"
        "from md_magic import sql, engine\n"
        "from md_magic.sql import quoting\n"
        "assert sql.target is target and engine.pool is pool and md_magic.sql is sql and sql.quoting is quoting\n"
        "print(sql('SELECT 41 + :one AS a', one=1).a[0], engine().name)"
    )
    ran = python(program)
    assert (ran.stdout, ran.stderr) == ("42 duckdb\n", "")


def test_a_script_runs_and_closes_its_file_at_the_end() -> None:
    program = (
        "import md_magic, pandas as pd\n"
        "df = pd.DataFrame({'a': [1, 2]})\n"
        "md_magic.sql('CREATE TABLE t AS FROM df', df=df, target='duckdb:///script.duckdb')\n"
        "df.to_sql('u', md_magic.engine('duckdb:///script.duckdb'), index=False)\n"
        "print(md_magic.sql('SELECT count(*) AS n FROM t', target='duckdb:///script.duckdb').n[0])"
    )
    ran = python(program)
    assert (ran.stdout, ran.stderr) == ("2\n", "")
    assert not Path("script.duckdb.wal").exists()
    with duckdb.connect("script.duckdb") as connection:
        assert connection.execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)").fetchall() == [(2, 2)]


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C is no signal to one process")
def test_ctrl_c_stops_the_query_of_a_script() -> None:
    program = (
        "import md_magic; md_magic.sql('SELECT 1'); print('begun', flush=True)\n"
        "try: md_magic.sql('SELECT sum(hash(a.i, b.i) % 7) FROM range(1_000_000) a(i), range(1_000_000) b(i)')\n"
        "except KeyboardInterrupt as error: print(type(error).__name__, md_magic.sql('SELECT 1 AS a').a[0])"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "begun\n"
        time.sleep(0.5)
        script.send_signal(signal.SIGINT)
        assert script.communicate(timeout=300)[0] == "QueryInterrupted 1\n"


def test_a_script_that_fails_ends_with_our_error() -> None:
    ran = python("import md_magic; md_magic.sql('SELECT 1', target='md:my_db')")
    assert ran.returncode == 1
    assert "md_magic.errors.SignInRequired: No MotherDuck token was found." in ran.stderr
    assert ran.stdout == ""


def test_the_example_of_the_guide_runs() -> None:
    page = (Path(md_magic.__file__).parents[1] / "docs" / "howto" / "python.md").read_text(encoding="utf-8")
    example = page.partition("```{code-cell}\n")[2].partition("```")[0]
    assert example.count("\n") >= 5
    ran = python(example.replace("pd.read_sql(", "print(pd.read_sql(").rstrip() + ".total[0])")
    assert (ran.stdout, ran.stderr) == ("5\n", "")
